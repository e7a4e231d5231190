//! Sets the size of the module's stack.
//!
//! An argument for a cdylib reaches the cdylibs of dependents as well, and this crate has none.

/// Size of the shadow stack, in bytes. The stack is at the start of linear memory, so that an overflow traps
/// instead of corrupting data. web/test/capsule_module.test.ts runs Lua that calls SQL that calls Lua to its
/// limit on it: SQLite's frames are large.
const STACK_BYTES: u32 = 1024 * 1024;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        println!("cargo:rustc-link-arg-cdylib=-zstack-size={STACK_BYTES}");
    }
}
