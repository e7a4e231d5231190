//! The Lua code of the libraries, as it goes into the program: without comments, indentation and empty lines,
//! which are a third of it. Its line numbers are never seen (`Stack::strip`).
//!
//! Keeps true: what Lua compiles is the same program. A form that would need more than lines to be understood
//! fails the build.

use std::fs;
use std::path::Path;

/// Writes each script to the same name in `OUT_DIR`.
pub(super) fn write(root: &Path) {
    for name in ["environment.lua", "files.lua", "prelude.lua"] {
        let file = root.join("src/stdlib").join(name);
        println!("cargo:rerun-if-changed={}", file.display());
        let text = fs::read_to_string(&file).expect("the script is part of the package");
        fs::write(super::out_dir().join(name), compact(&text)).expect("the build can write its own folder");
    }
}

fn compact(text: &str) -> String {
    let mut compacted = String::new();
    for line in text.lines().map(str::trim) {
        // A comment or string over several lines: its lines are not Lua.
        for long in ["[[", "[=", "\\z"] {
            assert!(!line.contains(long), "{long} in {line:?}");
        }
        assert!(!line.ends_with('\\'), "a string that goes on after {line:?}");
        if !line.is_empty() && !line.starts_with("--") {
            compacted.push_str(line);
            compacted.push('\n');
        }
    }
    compacted
}
