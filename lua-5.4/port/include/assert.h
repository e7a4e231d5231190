/* assert.h: Lua asserts only in test builds, and those are native. */
#ifndef PERILUNE_ASSERT_H
#define PERILUNE_ASSERT_H
#define assert(condition) ((void)0)
#endif
