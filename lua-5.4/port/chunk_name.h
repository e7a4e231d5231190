/* chunk_name.h: names of chunks in messages as they were given. lua_Debug has 60 bytes for them, which
   programs that embed Lua are compiled with; messages and tracebacks need not go through it. */
#ifndef PERILUNE_CHUNK_NAME_H
#define PERILUNE_CHUNK_NAME_H

/* Longest name that is shown whole, in bytes: the most that a host may give (src/limits.rs). */
#define PERILUNE_CHUNK_NAME_MAX 1024

/* The name as messages show it; `shortened` is what luaO_chunkid makes of it: source text, and names that are
   too long. */
static inline const char *perilune_chunk_name(const char *source, size_t length, const char *shortened) {
  return (*source == '=' || *source == '@') && length - 1 <= PERILUNE_CHUNK_NAME_MAX ? source + 1 : shortened;
}

#endif
