/* ctype.h in the "C" locale: ASCII only, and every other byte belongs to no class. Inline, since the matcher of
   patterns asks once for each byte. An argument is an unsigned char or EOF, as C says. */
#ifndef PERILUNE_CTYPE_H
#define PERILUNE_CTYPE_H
/* True if c is one of the `count` characters from `first` on. */
static inline int perilune_in(int c, int first, unsigned count) { return (unsigned)(c - first) < count; }
static inline int isdigit(int c) { return perilune_in(c, '0', 10); }
static inline int isupper(int c) { return perilune_in(c, 'A', 26); }
static inline int islower(int c) { return perilune_in(c, 'a', 26); }
/* 0x20 is the one bit by which the two cases differ. */
static inline int isalpha(int c) { return perilune_in(c | 0x20, 'a', 26); }
static inline int isalnum(int c) { return isalpha(c) | isdigit(c); }
static inline int isxdigit(int c) { return isdigit(c) | perilune_in(c | 0x20, 'a', 6); }
static inline int iscntrl(int c) { return perilune_in(c, 0, 32) | (c == 127); }
static inline int isprint(int c) { return perilune_in(c, ' ', 95); }
static inline int isgraph(int c) { return perilune_in(c, '!', 94); }
static inline int ispunct(int c) { return isgraph(c) & !isalnum(c); }
static inline int isspace(int c) { return perilune_in(c, '\t', 5) | (c == ' '); }
static inline int tolower(int c) { return c | isupper(c) << 5; }
static inline int toupper(int c) { return c & ~(islower(c) << 5); }
#endif
