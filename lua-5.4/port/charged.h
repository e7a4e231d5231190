/* charged.h: the functions of <string.h> whose length a script decides, with fuel for the bytes that they look at.
   Included by wrappers of C files that use them. */
#ifndef PERILUNE_CHARGED_H
#define PERILUNE_CHARGED_H

#include <string.h>

#include "copy.h"
#include "fuel.h"

#if !defined(PERILUNE_UNMETERED)

static inline void *charged_memchr(const void *from, int byte, size_t length) {
  void *found = (void *)memchr(from, byte, length);
  perilune_charge(found != NULL ? (size_t)((char *)found - (const char *)from) : length);
  return found;
}

static inline size_t charged_strlen(const char *text) {
  size_t length = strlen(text);
  perilune_charge(length);
  return length;
}

static inline const char *charged_strpbrk(const char *text, const char *set) {
  const char *found = strpbrk(text, set);
  perilune_charge(found != NULL ? (size_t)(found - text) : strlen(text));
  return found;
}

#undef memchr
#undef strlen
#undef strpbrk
#define memcpy(to, from, n) (perilune_charge(n), perilune_copy(to, from, n))
#define memcmp(a, b, n) (perilune_charge(n), memcmp(a, b, n))
#define memchr(from, byte, n) charged_memchr(from, byte, n)
#define strlen(text) charged_strlen(text)
#define strpbrk(text, set) charged_strpbrk(text, set)

#endif
#endif
