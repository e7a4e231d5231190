/* ldump.c: nothing is dumped, because nothing would load it (lundump.c). `string.dump` does not exist either. */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lundump.h"

int luaU_dump(lua_State *L, const Proto *f, lua_Writer w, void *data, int strip) {
  (void)L; (void)f; (void)w; (void)data; (void)strip;
  return 0;
}
