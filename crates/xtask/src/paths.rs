//! Paths of the repository: all that the other modules use.

use std::env;
use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn root() -> PathBuf {
    // Cargo sets the variable when it runs us; the compiled-in value serves a binary started by hand.
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.ancestors().nth(2).map_or_else(|| manifest.clone(), Path::to_path_buf)
}

/// The npm package.
pub(crate) fn web() -> PathBuf {
    root().join("web")
}

/// The demo page, an npm package of its own.
pub(crate) fn playground() -> PathBuf {
    web().join("playground")
}

/// The benchmarks.
pub(crate) fn bench() -> PathBuf {
    root().join("bench")
}

/// The script engine, a cargo workspace of its own.
pub(crate) fn engine() -> PathBuf {
    root().join("crates/engine")
}

/// The folder that cargo writes the script engine to.
pub(crate) fn engine_target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| engine().join("target"), |dir| engine().join(dir))
}

/// The folder for what xtask builds, outside of cargo's own folders.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// The folder that cargo writes to, which a developer may have moved.
pub(crate) fn cargo_target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(target, |dir| root().join(dir))
}

/// A tool that `setup` installed, pinned to this repository.
pub(crate) fn tool(name: &str) -> PathBuf {
    target().join("tools/bin").join(name)
}

/// The finished module.
pub(crate) fn wasm() -> PathBuf {
    target().join("wasm/perilune.wasm")
}

/// The finished module of the capsule.
pub(crate) fn capsule_wasm() -> PathBuf {
    target().join("wasm/capsule.wasm")
}

/// The file `program` in a folder of `PATH`, if there is one.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// A path as it is shown: from the root of the repository.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
