/* math.h: functions that wasm has as instructions are builtins; the rest is implemented in
   port/libc/math.rs. */
#ifndef PERILUNE_MATH_H
#define PERILUNE_MATH_H
#define HUGE_VAL __builtin_huge_val()
#define floor __builtin_floor
#define ceil __builtin_ceil
#define fabs __builtin_fabs
#define sqrt __builtin_sqrt
double perilune_fmod(double x, double y);
double perilune_pow(double x, double y);
double perilune_exp(double x);
double perilune_log(double x);
double perilune_log2(double x);
double perilune_log10(double x);
double perilune_sin(double x);
double perilune_cos(double x);
double perilune_tan(double x);
double perilune_asin(double x);
double perilune_acos(double x);
double perilune_atan2(double y, double x);
double perilune_frexp(double x, int *exponent);
double perilune_ldexp(double x, int exponent);
#define fmod perilune_fmod
#define pow perilune_pow
#define exp perilune_exp
#define log perilune_log
#define log2 perilune_log2
#define log10 perilune_log10
#define sin perilune_sin
#define cos perilune_cos
#define tan perilune_tan
#define asin perilune_asin
#define acos perilune_acos
#define atan2 perilune_atan2
#define frexp perilune_frexp
#define ldexp perilune_ldexp
#endif
