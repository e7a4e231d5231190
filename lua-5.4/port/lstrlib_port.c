/* lstrlib.c, fixed for a size_t of 32 bits. Its posrelatI truncates a position to size_t, so that 2^32 would
   become 0 and string.sub would read the byte before the string. Here a position past the end of every string
   stays one. Also fuel for the bytes that its functions look at, and the classes of patterns as a table. */
#define lstrlib_c
#define LUA_LIB

#include "lprefix.h"

#include <stdint.h>

#include "lua.h"

#include "lauxlib.h"

#include "charged.h"

static lua_Integer fit_position(lua_Integer position) {
  return position > (lua_Integer)UINT32_MAX && SIZE_MAX == UINT32_MAX ? (lua_Integer)UINT32_MAX : position;
}

/* Every optional integer of the file is a position. */
#define luaL_optinteger(L, arg, def) fit_position(luaL_optinteger(L, arg, def))
/* Of the other integers, those at argument 2: the position of string.sub, and the count of string.rep, which
   has no possible result past this limit either. */
#define luaL_checkinteger(L, arg) \
  (#arg[0] == '2' ? fit_position(luaL_checkinteger(L, arg)) : luaL_checkinteger(L, arg))

/* The classes of characters that patterns know, as bits: `isalpha` and its like ask a library once for each byte.
   Those that are not here are made of these. */
enum { IS_UPPER = 1, IS_LOWER = 2, IS_DIGIT = 4, IS_PUNCT = 8, IS_SPACE = 16, IS_CNTRL = 32, IS_AF = 64, IS_ZERO = 128 };

#define WITHIN(c, first, last) ((c) >= (first) && (c) <= (last))
#define IS_LETTER(c) (WITHIN(c, 'A', 'Z') || WITHIN(c, 'a', 'z'))
#define CLASSES(c)                                                                                                    \
  (WITHIN(c, 'A', 'Z') * IS_UPPER | WITHIN(c, 'a', 'z') * IS_LOWER | WITHIN(c, '0', '9') * IS_DIGIT |                 \
   (WITHIN(c, '!', '~') && !IS_LETTER(c) && !WITHIN(c, '0', '9')) * IS_PUNCT |                                         \
   (WITHIN(c, '\t', '\r') || (c) == ' ') * IS_SPACE | (WITHIN(c, 0, 31) || (c) == 127) * IS_CNTRL |                    \
   (WITHIN(c, 'A', 'F') || WITHIN(c, 'a', 'f')) * IS_AF | ((c) == 0) * IS_ZERO)
#define CLASSES_4(c) CLASSES(c), CLASSES((c) + 1), CLASSES((c) + 2), CLASSES((c) + 3)
#define CLASSES_16(c) CLASSES_4(c), CLASSES_4((c) + 4), CLASSES_4((c) + 8), CLASSES_4((c) + 12)
#define CLASSES_64(c) CLASSES_16(c), CLASSES_16((c) + 16), CLASSES_16((c) + 32), CLASSES_16((c) + 48)
static const unsigned char perilune_classes[256] = {CLASSES_64(0), CLASSES_64(64), CLASSES_64(128), CLASSES_64(192)};

/* The bits of the class that a letter of either case names; 0 for all others. */
static int perilune_class(int letter) {
  static const unsigned char of[26] = {
      ['a' - 'a'] = IS_UPPER | IS_LOWER,
      ['c' - 'a'] = IS_CNTRL,
      ['d' - 'a'] = IS_DIGIT,
      ['g' - 'a'] = IS_UPPER | IS_LOWER | IS_DIGIT | IS_PUNCT,
      ['l' - 'a'] = IS_LOWER,
      ['p' - 'a'] = IS_PUNCT,
      ['s' - 'a'] = IS_SPACE,
      ['u' - 'a'] = IS_UPPER,
      ['w' - 'a'] = IS_UPPER | IS_LOWER | IS_DIGIT,
      ['x' - 'a'] = IS_DIGIT | IS_AF,
      ['z' - 'a'] = IS_ZERO, /* deprecated */
  };
  unsigned at = (unsigned)(letter | 0x20) - 'a';
  return at < 26 ? of[at] : 0;
}

/* Found through the include path, because the sources may be outside of this folder. */
#include <lstrlib.c>
