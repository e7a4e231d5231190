/* ldump.c, replaced: binary chunks cannot be written, because none can be loaded (lundump_port.c), and
   `string.dump` does not exist. */
#define LUA_CORE

#include "lprefix.h"

#include "lua.h"

#include "lundump.h"

int luaU_dump(lua_State *L, const Proto *f, lua_Writer w, void *data, int strip) {
  (void)L; (void)f; (void)w; (void)data; (void)strip;
  return 0;
}
