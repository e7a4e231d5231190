/* copy.h: memcpy for what is short as a rule: strings and their pieces. */
#ifndef PERILUNE_COPY_H
#define PERILUNE_COPY_H

#include <string.h>

#ifdef __wasm__
/* Copies up to 32 bytes by loads and stores. There memcpy is one instruction for any length, which engines answer
   by a call out of the compiled code. */
extern void *perilune_copy(void *to, const void *from, size_t length);
#else
#define perilune_copy memcpy
#endif

#endif
