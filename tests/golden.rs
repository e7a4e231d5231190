//! Test that runs every script in tests/golden (its README has the format): output and outcome must be exact.

#![cfg(not(target_arch = "wasm32"))]
#![expect(clippy::print_stdout, reason = "the count of scripts is what this test reports")]

use std::fs;
use std::path::{Path, PathBuf};

#[path = "support/golden.rs"]
mod golden;

/// Scripts that trip an assertion of C Lua 5.4.9, and so abort debug builds, which have its assertions
/// enabled (build.rs). Without assertions they run and must pass: `cargo test --release --test golden`.
const TRIP_ASSERTIONS: &[&str] = &[
    // callclosemethod copies the absent key that a metatable without `__close` gives (lfunc.c, line 110).
    "language/close-attrib.lua",
];

#[test]
fn golden_scripts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut scripts = Vec::new();
    find_scripts(&root, &mut scripts);
    scripts.sort();
    assert!(!scripts.is_empty(), "no scripts in {}", root.display());
    // GOLDEN=string/ runs only the scripts whose path contains that text.
    let only = std::env::var("GOLDEN").unwrap_or_default();
    let mut passed = 0;
    let mut report = String::new();
    for path in scripts {
        let name = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
        if !name.contains(&only) {
            continue;
        }
        if cfg!(debug_assertions) && TRIP_ASSERTIONS.contains(&name.as_str()) {
            println!("{name}: not in debug builds");
            continue;
        }
        let script = fs::read(&path).expect("a script that was just listed");
        // Limits that are not reached must have no effect.
        match golden::run_unlimited(&script).and_then(|()| golden::run(&script)) {
            Ok(()) => passed += 1,
            Err(problem) => report.push_str(&["\n== tests/golden/", &name, "\n", &problem].concat()),
        }
    }
    println!("{passed} golden scripts passed");
    assert!(report.is_empty(), "{passed} golden scripts passed; these did not:\n{report}");
}

fn find_scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder that was just listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            find_scripts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "lua") {
            found.push(path);
        }
    }
}
