//! The house rules that a compiler does not check: who may name whom, what every file and comment begins
//! with, what is never committed.
#![cfg(not(target_arch = "wasm32"))]

mod imports;
mod prose;
mod references;
mod speed;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

struct File {
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files that git tracks, or would (so a new file counts before its first commit). Empty outside a checkout,
/// where there is nothing to keep tidy.
fn tracked() -> Vec<String> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let Ok(listed) = listed else { return Vec::new() };
    let names = String::from_utf8_lossy(&listed.stdout);
    names.lines().filter(|name| root().join(name).is_file()).map(str::to_owned).collect()
}

fn files(under: &str, extension: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(under)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path: PathBuf = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name == "target") {
                // What cargo writes, of a workspace below the root.
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let name = path.strip_prefix(root()).expect("below the root").display().to_string();
                found.push(File { path: name, text: fs::read_to_string(&path).expect("UTF-8") });
            }
        }
    }
    assert!(!found.is_empty(), "no .{extension} files under {under}");
    found
}

/// True if a path has one of these extensions.
fn has_ending(path: &str, endings: &[&str]) -> bool {
    endings.iter().any(|ending| path.strip_suffix(ending).is_some_and(|name| name.ends_with('.')))
}

/// Text of a tracked file; nothing for one that is no text.
fn lines_of(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

#[test]
fn every_file_says_what_it_is_for() {
    for folder in ["src", "tests", "crates", "lua-5.4/port"] {
        for file in files(folder, "rs") {
            assert!(file.text.starts_with("//! "), "{}: begins with `//! what it is for`", file.path);
        }
    }
    for file in files("lua-5.4/port", "h").iter().chain(&files("lua-5.4/port", "c")) {
        assert!(file.text.starts_with("/* "), "{}: begins with `/* what it is for`", file.path);
    }
    for file in files("src/js", "js") {
        assert!(file.text.starts_with("/**"), "{}: begins with `/** what it is for`", file.path);
    }
}

/// wasm-bindgen carries along what a Rust file names, looks into nothing, and finds nothing elsewhere.
#[test]
fn the_javascript_of_the_crate_is_carried_along_and_imports_only_itself() {
    let named = files("src/js", "rs");
    for file in files("src/js", "js") {
        assert!(
            named.iter().any(|rust| rust.text.contains(&format!("\"/{}\"", file.path))),
            "{}: named nowhere",
            file.path
        );
        for line in file.text.lines().filter(|line| line.contains(" from \"") && !line.starts_with(" *")) {
            assert!(
                line.contains(" from \"./") || line.contains(" from \"../"),
                "{}: imports from elsewhere: {line}",
                file.path
            );
        }
    }
}

#[test]
fn no_build_output_and_no_third_party_source_is_committed() {
    for name in tracked() {
        let base = name.rsplit('/').next().unwrap_or_default();
        let extension = Path::new(&name).extension().and_then(|e| e.to_str()).unwrap_or_default();
        assert!(!["wasm", "o", "a", "tgz", "rlib"].contains(&extension), "{name}: build output");
        for folder in ["node_modules/", "target/", "pkg/", "dist/", "lua-5.4/src/"] {
            assert!(
                !name.starts_with(folder) && !name.contains(&format!("/{folder}")),
                "{name}: build output"
            );
        }
        assert!(
            !["lapi.c", "lvm.c", "lgc.c", "lparser.c", "lstrlib.c", "ltable.c"].contains(&base),
            "{name}: not ours"
        );
    }
}

#[test]
fn nothing_names_a_machine_or_a_registry_host() {
    // Put together here, so that this file does not hold them itself.
    let words = [
        ["/", "root/"].concat(),
        ["/work/", "main"].concat(),
        ["/work/", "shared"].concat(),
        ["registry.", "npmjs.org"].concat(),
        ["\"resol", "ved\":"].concat(),
        ["/tmp/", "w/"].concat(),
    ];
    for name in tracked() {
        let Ok(text) = fs::read_to_string(root().join(&name)) else { continue };
        for word in &words {
            assert!(!text.contains(word), "{name}: names {word}");
        }
    }
}

#[test]
fn no_test_is_switched_off() {
    let marks = [
        ["#[ig", "nore"].concat(),
        ["test.", "skip("].concat(),
        ["it.", "skip("].concat(),
        ["|| ", "true"].concat(),
    ];
    for name in tracked() {
        let code = [".rs", ".ts", ".js", ".mjs", ".sh", "/run"].iter().any(|end| name.ends_with(end));
        let Ok(text) = fs::read_to_string(root().join(&name)) else { continue };
        for mark in marks.iter().filter(|_| code) {
            assert!(!text.contains(mark), "{name}: {mark}");
        }
    }
}
