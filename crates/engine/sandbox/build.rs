//! Finds the guest's module for `include_bytes!`. Whoever builds this crate has built the guest before: cargo
//! inside of cargo would wait for itself.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The command that builds the guest, in the workspace's folder.
const COMMAND: &str =
    "PERILUNE_WASM_EH=exnref cargo build --profile guest --target wasm32-unknown-unknown -p howk-guest";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=HOWK_GUEST");
    println!("cargo:rerun-if-env-changed=CARGO_TARGET_DIR");
    // A module that is named by hand is taken as it is.
    let named = env::var_os("HOWK_GUEST").map(PathBuf::from);
    let guest = named.clone().unwrap_or_else(built);
    println!("cargo:rerun-if-changed={}", guest.display());
    assert!(guest.is_file(), "there is no guest at {}: run\n    {COMMAND}\n", guest.display());
    if named.is_none() {
        refuse_if_older(&guest);
    }
    let copy = Path::new(&variable("OUT_DIR")).join("guest.wasm");
    if let Err(error) = fs::copy(&guest, &copy) {
        panic!("{} cannot be copied: {error}", guest.display());
    }
}

/// Returns where cargo puts the guest.
fn built() -> PathBuf {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("../target");
    let target = env::var_os("CARGO_TARGET_DIR").map_or(here, PathBuf::from);
    target.join("wasm32-unknown-unknown/guest/howk_guest.wasm")
}

/// Panics if one of the guest's sources is newer than the guest. Cargo has their names in a file beside it.
fn refuse_if_older(guest: &Path) {
    let names = guest.with_extension("d");
    let modified = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    let (Ok(names), Some(made)) = (fs::read_to_string(&names), modified(guest)) else {
        panic!("{} cannot be read: run\n    {COMMAND}\n", names.display());
    };
    let sources = names.split_once(": ").map_or("", |(_, sources)| sources);
    for source in sources.trim().replace("\\ ", "\0").split(' ') {
        let source = PathBuf::from(source.replace('\0', " "));
        println!("cargo:rerun-if-changed={}", source.display());
        let is_newer = modified(&source).is_none_or(|changed| changed > made);
        assert!(!is_newer, "the guest is older than {}: run\n    {COMMAND}\n", source.display());
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
