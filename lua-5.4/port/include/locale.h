/* locale.h: there is one locale, "C"; config.h answers the decimal point. */
#ifndef PERILUNE_LOCALE_H
#define PERILUNE_LOCALE_H
#endif
