//! `coverage`: the lines that tests reach, in the Rust core (native tests) and in the TypeScript.
//!
//! Not here: src/js, which exists only on wasm32 and is reached by the tests in Chrome and by the TypeScript
//! suites.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, Browser};
use crate::{Result, build, paths};

/// Paths that are not counted: other people's code, and ours outside of the core.
const IGNORED: &str =
    r"/\.cargo/|/rustc/|/\.rustup/|/tests/|/tests\.rs$|/crates/xtask/|/examples/|build\.rs$";

pub(crate) fn command(args: &mut Args) -> Result {
    let rust_only = args.flag("--rust");
    args.finish()?;
    setup::all(Browser::Needed)?;
    rust()?;
    if rust_only {
        return Ok(());
    }
    build::all()?;
    Run::npm_script(&paths::web(), "coverage").go()
}

fn rust() -> Result {
    let tools = llvm_tools()?;
    let folder = paths::target().join("coverage");
    let raw = folder.join("raw");

    let tests = || {
        Run::cargo()
            .args(["test", "--package", "perilune", "--tests", "--all-features", "--target-dir"])
            .arg(folder.join("build"))
            .env("RUSTFLAGS", "-C instrument-coverage")
            .env("LLVM_PROFILE_FILE", raw.join("%p-%m.profraw"))
    };
    println!("building the tests with coverage counters");
    let messages = tests().args(["--no-run", "--message-format=json"]).read()?;
    // Build scripts have counters too, and left them here.
    if raw.is_dir() {
        fs::remove_dir_all(&raw)?;
    }
    let tested = tests().arg("--no-fail-fast").go();

    let profile = folder.join("merged.profdata");
    let counters = fs::read_dir(&raw)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?;
    Run::new(tools.join("llvm-profdata"))
        .args(["merge", "--sparse", "--output"])
        .arg(&profile)
        .args(counters)
        .read()?;

    let mut report = Run::new(tools.join("llvm-cov"))
        .args(["report", "--show-region-summary=false", "--show-branch-summary=false"])
        .args(["--ignore-filename-regex", IGNORED, "--instr-profile"])
        .arg(&profile);
    for program in executables(&messages) {
        report = report.arg("--object").arg(program);
    }
    print!("{}", report.read()?);
    // Said last: what a failed test did cover is still worth seeing.
    tested
}

/// Returns the folder of rustc's own LLVM tools: profiles of another version cannot be read.
fn llvm_tools() -> Result<PathBuf> {
    let libraries = Run::new("rustc").args(["--print", "target-libdir"]).read()?;
    let tools = Path::new(libraries.trim()).with_file_name("bin");
    if !tools.join("llvm-cov").is_file() {
        setup::rustup(&["component", "add", "llvm-tools"])?;
    }
    Ok(tools)
}

/// Returns the test programs named in cargo's JSON messages.
fn executables(messages: &str) -> Vec<&str> {
    messages.lines().filter_map(|line| line.split_once("\"executable\":\"")?.1.split('"').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::executables;

    #[test]
    fn finds_the_test_programs() {
        let messages = "{\"reason\":\"compiler-artifact\",\"executable\":null,\"fresh\":true}\n\
                        {\"reason\":\"compiler-artifact\",\"executable\":\"/t/debug/deps/a-1\",\"fresh\":true}\n";
        assert_eq!(executables(messages), ["/t/debug/deps/a-1"]);
    }
}
