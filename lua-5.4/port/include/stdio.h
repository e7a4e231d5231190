/* stdio.h: dummies, because there are no files. lauxlib.c needs them to compile luaL_loadfilex and its
   default warning and panic functions; the linker drops them, because nothing calls them. */
#ifndef PERILUNE_STDIO_H
#define PERILUNE_STDIO_H
#include <stddef.h>
typedef struct perilune_file FILE;
#define BUFSIZ 16
#define EOF (-1)
#define stdin ((FILE *)0)
#define stdout ((FILE *)0)
#define stderr ((FILE *)0)
static inline FILE *fopen(const char *path, const char *mode) { (void)path; (void)mode; return 0; }
static inline FILE *freopen(const char *path, const char *mode, FILE *f) { (void)path; (void)mode; (void)f; return 0; }
static inline int fclose(FILE *f) { (void)f; return 0; }
static inline int feof(FILE *f) { (void)f; return 1; }
static inline int ferror(FILE *f) { (void)f; return 1; }
static inline int getc(FILE *f) { (void)f; return EOF; }
static inline char *fgets(char *to, int size, FILE *f) { (void)to; (void)size; (void)f; return 0; }
static inline int fflush(FILE *f) { (void)f; return 0; }
static inline size_t fread(void *to, size_t size, size_t count, FILE *f) {
  (void)to; (void)size; (void)count; (void)f; return 0;
}
#endif
