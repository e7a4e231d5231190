/* setjmp.c: the three functions that LLVM's wasm SjLj lowering calls. It rewrites `setjmp` and `longjmp`
   themselves and emits the exception tag `__c_longjmp`; index 1 names that tag in __builtin_wasm_throw.
   Compiled with -wasm-enable-sjlj like all the rest, and never as LTO bitcode. */
#include <setjmp.h>

void __wasm_setjmp(struct perilune_jmp_buf *env, unsigned label, void *invocation) {
  env->invocation = invocation;
  env->label = label;
}

/* The label of the setjmp call, if the caught jump is for this activation of the function; otherwise 0. */
unsigned __wasm_setjmp_test(struct perilune_jmp_buf *env, void *invocation) {
  return env->invocation == invocation ? env->label : 0;
}

void __wasm_longjmp(struct perilune_jmp_buf *env, int value) {
  env->thrown_env = env;
  env->thrown_value = value == 0 ? 1 : value;
  __builtin_wasm_throw(1, &env->thrown_env);
}
