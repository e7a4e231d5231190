/* copy.c: the copies of copy.h. */
#include "copy.h"

#ifdef __wasm__

#include <stdint.h>

void *perilune_copy(void *to, const void *from, size_t length) {
  char *target = (char *)to;
  const char *source = (const char *)from;
  if (length > 32) return __builtin_memcpy(to, from, length);
  if (length >= 8) {
    /* The last 8 bytes are read before anything is written, and may be written twice. */
    uint64_t last;
    __builtin_memcpy(&last, source + length - 8, 8);
    for (size_t done = 0; done < length - 8; done += 8) __builtin_memcpy(target + done, source + done, 8);
    __builtin_memcpy(target + length - 8, &last, 8);
  } else {
    for (size_t done = 0; done < length; done++) {
      target[done] = source[done];
      /* Not the instruction again, nor a call. */
      __asm__ volatile("");
    }
  }
  return to;
}

#endif
