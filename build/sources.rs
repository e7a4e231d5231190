//! Lua's C files: where the crate `lua-src` has them, the check of their hashes, the patched copies.
//!
//! Keeps true: every file is the one that `lua-5.4/SOURCE` names, byte for byte; patches go to copies and
//! must fit exactly; nothing is written outside of `OUT_DIR` but in a checkout, since a build script must not
//! change a package. Not here: anything that downloads (the crate is a build dependency, so cargo has it).

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Names a folder with the C files, for builds that keep them elsewhere. Their hashes are checked there too.
pub(super) const FOLDER_VARIABLE: &str = "PERILUNE_LUA_SOURCES";

/// Contents of `lua-5.4/SOURCE`.
struct Listing {
    /// Name and version of the crate that carries the files.
    package: (String, String),
    /// Folder of that crate.
    folder: String,
    /// Names and SHA-256 hashes in hexadecimal.
    files: Vec<(String, String)>,
}

impl Listing {
    fn read(root: &Path) -> Listing {
        let text =
            fs::read_to_string(root.join("lua-5.4/SOURCE")).expect("lua-5.4/SOURCE is part of the package");
        let mut package = None;
        let mut folder = None;
        let mut files = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["crate", name, version] => package = Some((name.to_string(), version.to_string())),
                ["folder", name] => folder = Some(name.to_string()),
                [hash, file] if hash.len() == 64 => files.push((file.to_string(), hash.to_string())),
                _ => {}
            }
        }
        Listing {
            package: package.expect("SOURCE names the crate"),
            folder: folder.expect("SOURCE names the folder"),
            files,
        }
    }
}

/// Copies the C files into `lua-5.4/src` in a checkout, where people read them and tools find them, else into
/// `OUT_DIR`, and returns that folder. Files that are there already with the right hash are left alone.
pub(super) fn copy_sources(root: &Path) -> PathBuf {
    let listing = Listing::read(root);
    let in_tree = root.join("lua-5.4/src");
    let target = if is_checkout(root) && is_writable(&in_tree) {
        in_tree
    } else {
        super::out_dir().join("lua-5.4-src")
    };
    fs::create_dir_all(&target).expect("the build can write its own folder");
    let mut origin = None;
    for (file, hash) in &listing.files {
        let to = target.join(file);
        if fs::read(&to).is_ok_and(|bytes| sha256(&bytes) == *hash) {
            continue;
        }
        let from = origin.get_or_insert_with(|| find_sources(root, &listing)).join(file);
        let bytes = fs::read(&from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        let found = sha256(&bytes);
        assert_eq!(found, *hash, "{} is not the file that lua-5.4/SOURCE names", from.display());
        fs::write(&to, bytes).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
    }
    target
}

/// True in the repository: the published package has no `crates/xtask`.
fn is_checkout(root: &Path) -> bool {
    root.join("crates/xtask").is_dir()
}

/// True if files can be made in the folder, which is made if it is missing. A container may mount a checkout
/// read-only.
fn is_writable(folder: &Path) -> bool {
    let probe = folder.join(".write-probe");
    let written = fs::create_dir_all(folder).is_ok() && fs::write(&probe, b"").is_ok();
    let _ = fs::remove_file(probe);
    written
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}

/// Finds the folder with the C files: where the variable says, beside this package (where both registries and
/// `cargo vendor` put it), in cargo's registry folder, and last wherever `cargo metadata` says.
fn find_sources(root: &Path, listing: &Listing) -> PathBuf {
    if let Some(folder) = env::var_os(FOLDER_VARIABLE) {
        return PathBuf::from(folder);
    }
    let (name, version) = &listing.package;
    let versioned = format!("{name}-{version}");
    let beside = [root.join("..").join(&versioned), root.join("..").join(name)];
    let in_registries = registries().into_iter().map(|registry| registry.join(&versioned));
    beside
        .into_iter()
        .chain(in_registries)
        .map(|package| package.join(&listing.folder))
        .find(|folder| folder.is_dir())
        .unwrap_or_else(|| ask_cargo(root, name, version).join(&listing.folder))
}

/// Folders of unpacked packages, one for each registry that this machine's cargo has used.
fn registries() -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    let folders = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    folders.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The folder of a package by `cargo metadata`, which also knows replaced sources.
fn ask_cargo(root: &Path, name: &str, version: &str) -> PathBuf {
    let host = env::var("HOST").expect("cargo sets it");
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", &host])
        .arg("--manifest-path")
        .arg(root.join("Cargo.toml"))
        .output()
        .expect("cargo runs build scripts, so it can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    let mark = format!("\"name\":\"{name}\",\"version\":\"{version}\"");
    let manifest = text
        .split_once(&mark)
        .and_then(|(_, after)| after.split_once("\"manifest_path\":\""))
        .and_then(|(_, after)| after.split_once('"'))
        .map(|(path, _)| PathBuf::from(path.replace("\\\\", "\\")));
    match manifest.as_deref().and_then(Path::parent) {
        Some(folder) => folder.to_path_buf(),
        None => panic!(
            "cannot find the crate {name} {version}, which carries Lua's C files: set {FOLDER_VARIABLE} to a folder \
             that has them. cargo metadata said\n{}",
            String::from_utf8_lossy(&output.stderr)
        ),
    }
}

include!("../lua-5.4/patches/patches.rs");

/// Writes the patched copies to `OUT_DIR`. Stops the build if a text does not occur exactly once: then the
/// patch was made for another version of Lua.
pub(super) fn write_patched(sources: &Path) -> PathBuf {
    let folder = super::out_dir().join("patched");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("OUT_DIR is ours to write");
    // All of them, because an `#include` looks beside the file first: a header may be patched.
    for entry in fs::read_dir(sources).expect("the sources are there").flatten() {
        let name = entry.file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "c" || extension == "h") {
            fs::copy(entry.path(), folder.join(&name)).expect("OUT_DIR is ours to write");
        }
    }
    // No ticks, to measure their cost (`cargo xtask bench --ticks`). Such a build has no limits.
    let unmetered = env::var("PERILUNE_FUEL").as_deref() == Ok("0");
    for Patch { file, find, replace } in
        LEAVING.iter().chain(COMPILING).chain(PATCHES.iter().filter(|_| !unmetered))
    {
        let name = if file.contains('.') { (*file).to_string() } else { format!("{file}.c") };
        let copy = folder.join(&name);
        let text = fs::read_to_string(&copy).unwrap_or_else(|e| panic!("{}: {e}", copy.display()));
        assert_eq!(text.matches(find).count(), 1, "{name} must have this text once, to patch it:\n{find}");
        fs::write(&copy, text.replacen(find, replace, 1)).expect("OUT_DIR is ours to write");
    }
    write_step(&folder);
    folder
}

/// Writes the interpreter's function once more, for lua-5.4/port/lvm_port.c: there it runs one instruction.
fn write_step(folder: &Path) {
    let text = fs::read_to_string(folder.join("lvm.c")).expect("it was copied");
    let start = text.find("void luaV_execute (").expect("lvm.c has the interpreter");
    fs::write(folder.join("lvm_step.inc"), &text[start..]).expect("OUT_DIR is ours to write");
}
