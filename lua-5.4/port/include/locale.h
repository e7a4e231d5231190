/* locale.h: empty, because the only locale is "C", whose decimal point config.h defines. */
#ifndef PERILUNE_LOCALE_H
#define PERILUNE_LOCALE_H
#endif
