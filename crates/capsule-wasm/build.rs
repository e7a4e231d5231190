//! Sets the size of the module's stack, and sees to it that the module gets the SQLite of native builds.
//!
//! An argument for a cdylib reaches the cdylibs of dependents as well, and this crate has none.

/// Size of the shadow stack, in bytes. The stack is at the start of linear memory, so that an overflow traps
/// instead of corrupting data. On it `web/test/capsule_module.test.ts` runs Lua that calls SQL that calls Lua
/// to its limit: SQLite's frames are large.
const STACK_BYTES: u32 = 1024 * 1024;

/// Folder with SQLite's sources, for sqlite-wasm-rs. Without it, that crate takes a version of its own.
const SOURCES: &str = "SQLITE_WASM_RS_SOURCE_DIR";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={SOURCES}");
    if std::env::var("CARGO_CFG_TARGET_ARCH").as_deref() != Ok("wasm32") {
        return;
    }
    println!("cargo:rustc-link-arg-cdylib=-zstack-size={STACK_BYTES}");
    if std::env::var_os(SOURCES).is_none() {
        println!(
            "cargo::error={SOURCES} is not set: `cargo xtask build` sets it (crates/xtask/src/sqlite.rs)"
        );
    }
}
