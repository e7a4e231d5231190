/* setjmp.h: non-local jumps. LLVM's wasm SjLj lowering turns every call of setjmp in a function into a
   try/catch around the calls that follow it, and keeps the bookkeeping in these four words (see
   port/setjmp.c). */
#ifndef PERILUNE_SETJMP_H
#define PERILUNE_SETJMP_H
struct perilune_jmp_buf {
  void *invocation;   /* which activation of the function called setjmp */
  unsigned label;     /* which of its setjmp calls */
  void *thrown_env;   /* the exception's payload: this buffer ... */
  int thrown_value;   /* ... and the value given to longjmp */
};
typedef struct perilune_jmp_buf jmp_buf[1];
int setjmp(jmp_buf env) __attribute__((returns_twice));
_Noreturn void longjmp(jmp_buf env, int value);
#endif
