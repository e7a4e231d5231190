/* ctype.h: the "C" locale, implemented in port/libc/ctype.rs. */
#ifndef PERILUNE_CTYPE_H
#define PERILUNE_CTYPE_H
int perilune_isalnum(int c);
int perilune_isalpha(int c);
int perilune_iscntrl(int c);
int perilune_isdigit(int c);
int perilune_isgraph(int c);
int perilune_islower(int c);
int perilune_isprint(int c);
int perilune_ispunct(int c);
int perilune_isspace(int c);
int perilune_isupper(int c);
int perilune_isxdigit(int c);
int perilune_tolower(int c);
int perilune_toupper(int c);
#define isalnum perilune_isalnum
#define isalpha perilune_isalpha
#define iscntrl perilune_iscntrl
#define isdigit perilune_isdigit
#define isgraph perilune_isgraph
#define islower perilune_islower
#define isprint perilune_isprint
#define ispunct perilune_ispunct
#define isspace perilune_isspace
#define isupper perilune_isupper
#define isxdigit perilune_isxdigit
#define tolower perilune_tolower
#define toupper perilune_toupper
#endif
