//! SQLite for wasm32: compiled from the same file as the native one, by the compiler that Lua has.
//!
//! The crate `sqlite-wasm-rs` brings a SQLite of its own, of another version. Here it gets the one of
//! `libsqlite3-sys`, so that a database behaves alike wherever it is opened. `.cargo/config.toml` has the
//! options of both.

use std::path::{Path, PathBuf};

use crate::Result;
use crate::run::Run;

/// Package that carries the file.
const PACKAGE: &str = "libsqlite3-sys";
/// Folder of the file in it.
const FOLDER: &str = "sqlite3";

/// Sets what the build of the capsule's module asks for.
pub(crate) fn for_wasm(run: Run) -> Result<Run> {
    let mut run = run.env("SQLITE_WASM_RS_SOURCE_DIR", sources()?);
    for (ours, theirs) in
        [("PERILUNE_CLANG", "CC_wasm32_unknown_unknown"), ("PERILUNE_LLVM_AR", "AR_wasm32_unknown_unknown")]
    {
        if let Some(tool) = std::env::var_os(ours) {
            run = run.env(theirs, tool);
        }
    }
    Ok(run)
}

/// The folder with SQLite's sources, where cargo has the package.
fn sources() -> Result<PathBuf> {
    let metadata =
        Run::cargo().args(["metadata", "--format-version", "1", "--offline", "--locked"]).read()?;
    let manifest =
        manifest_path(&metadata, PACKAGE).ok_or_else(|| format!("cargo metadata names no {PACKAGE}"))?;
    let folder = Path::new(manifest).with_file_name(FOLDER);
    if !folder.join("sqlite3.c").is_file() {
        return Err(format!("{} has no sqlite3.c", folder.display()).into());
    }
    Ok(folder)
}

/// The manifest of a package in the output of cargo metadata. Names of packages are followed by their
/// version, those of dependencies and targets are not.
fn manifest_path<'a>(metadata: &'a str, package: &str) -> Option<&'a str> {
    let (_, rest) = metadata.split_once(&format!(r#""name":"{package}","version":"#))?;
    let (_, rest) = rest.split_once(r#""manifest_path":""#)?;
    rest.split_once('"').map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::manifest_path;

    #[test]
    fn the_manifest_of_a_package_is_found() {
        let metadata = r#"{"packages":[
            {"name":"a","version":"1.0.0","dependencies":[{"name":"b","source":"x"}],"manifest_path":"/r/a/Cargo.toml"},
            {"name":"b","version":"2.0.0","targets":[{"name":"b"}],"manifest_path":"/r/b-2/Cargo.toml"}]}"#;
        assert_eq!(manifest_path(metadata, "b"), Some("/r/b-2/Cargo.toml"));
        assert_eq!(manifest_path(metadata, "c"), None);
    }
}
