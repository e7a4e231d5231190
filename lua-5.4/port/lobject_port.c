/* lobject.c, with a luaO_chunkid that never cuts within a character: a message in UTF-8 stays one. */
#define lobject_c
#define LUA_CORE

#include "lprefix.h"

#include <string.h>

#include "lua.h"

#define luaO_chunkid perilune_chunkid
/* Found through the include path, because the sources may be outside of this folder. */
#include <lobject.c>
#undef luaO_chunkid

/* True for the second and later bytes of a character. */
static int perilune_is_inside(char byte) { return ((unsigned char)byte & 0xC0) == 0x80; }

LUAI_FUNC void luaO_chunkid(char *out, const char *source, size_t srclen) {
  char *end, *to;
  perilune_chunkid(out, source, srclen);
  if (*source == '@' && srclen > LUA_IDSIZE) { /* "..." and the end of the name */
    for (to = out + LL(RETS); perilune_is_inside(*to); to++) {}
    memmove(out + LL(RETS), to, strlen(to) + 1);
    return;
  }
  /* The beginning of the name; or of the text, and then `..."]`. */
  if (*source == '=') end = srclen > LUA_IDSIZE ? out + strlen(out) : out;
  else {
    end = out + strlen(out) - LL(RETS POS);
    if (end < out + LL(PRE) || memcmp(end, RETS, LL(RETS)) != 0) return;
  }
  /* What follows in the source is inside of a character: so its beginning goes, too. */
  {
    const char *from = *source == '=' ? source + 1 : source;
    const char *begin = *source == '=' ? out : out + LL(PRE);
    if (end == out || !perilune_is_inside(from[end - begin])) return;
    for (to = end; to > begin && perilune_is_inside(to[-1]); to--) {}
    if (to > begin) to--;
    memmove(to, end, strlen(end) + 1);
  }
}
