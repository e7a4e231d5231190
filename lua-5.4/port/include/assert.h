/* assert.h: no assertions, because Lua's are compiled only into native test builds. */
#ifndef PERILUNE_ASSERT_H
#define PERILUNE_ASSERT_H
#define assert(condition) ((void)0)
#endif
