//! Sets the size of the module's stack, and exports what compiled functions import.
//!
//! An argument for a cdylib reaches the cdylibs of dependents as well, and this crate has none.

/// Size of the shadow stack, in bytes. The stack is at the start of linear memory, so that an overflow traps
/// instead of corrupting data. web/test/stack.test.ts runs every kind of C recursion to its limit on it.
const STACK_BYTES: u32 = 192 * 1024;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        println!("cargo:rustc-link-arg-cdylib=-zstack-size={STACK_BYTES}");
        // Compiled functions are put into the table, which grows, and call the helpers of
        // lua-5.4/port/lvm_port.c.
        println!("cargo:rustc-link-arg-cdylib=--export-table");
        println!("cargo:rustc-link-arg-cdylib=--growable-table");
        let helpers = std::env::var("DEP_PERILUNE_LUA_HELPERS").unwrap_or_default();
        for helper in helpers.split_whitespace() {
            println!("cargo:rustc-link-arg-cdylib=--export={helper}");
        }
    }
}
