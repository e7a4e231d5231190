/* string.h: the mem* functions and strlen are Rust's own (compiler_builtins; LLVM may call them by these
   names at any time), the rest is implemented in port/libc/string.rs. */
#ifndef PERILUNE_STRING_H
#define PERILUNE_STRING_H
#include <stddef.h>
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
void *perilune_memchr(const void *s, int byte, size_t n);
char *perilune_strchr(const char *s, int c);
int perilune_strcmp(const char *a, const char *b);
char *perilune_strcpy(char *restrict to, const char *restrict from);
int perilune_strncmp(const char *a, const char *b, size_t n);
char *perilune_strerror(int code);
char *perilune_strpbrk(const char *s, const char *set);
size_t perilune_strspn(const char *s, const char *set);
char *perilune_strstr(const char *s, const char *part);
#define memchr perilune_memchr
#define strchr perilune_strchr
#define strcmp perilune_strcmp
#define strcoll perilune_strcmp /* the "C" locale */
#define strcpy perilune_strcpy
#define strerror perilune_strerror
#define strncmp perilune_strncmp
#define strpbrk perilune_strpbrk
#define strspn perilune_strspn
#define strstr perilune_strstr
#endif
