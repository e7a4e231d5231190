//! Sets the size of the module's stack, and takes the toolchain's constants out of its exports.

/// Size of the stack, in bytes. It comes first in memory, so that an overflow traps. Each page of it is reset
/// after each event, used or not; a test of the sandbox measures how much the deepest recursion takes.
const STACK_BYTES: u32 = 192 * 1024;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("wasm32") {
        println!("cargo:rustc-link-arg-cdylib=-zstack-size={STACK_BYTES}");
    }
}
