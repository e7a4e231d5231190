//! `check`: everything CI looks at, in its order. All of it runs, so that one visit shows all there is to mend.

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, Browser, WASM_TARGET};
use crate::{Result, build, paths, size, test};

pub(crate) fn command(args: &mut Args) -> Result {
    let no_test = args.flag("--no-test");
    args.finish()?;

    let browser = if no_test { Browser::NotNeeded } else { Browser::Needed };
    setup::all(browser)?;
    setup::lint_components()?;
    build::all()?;

    let mut failures: Vec<String> = Vec::new();
    for run in lints() {
        if let Err(error) = run.go() {
            failures.push(error.to_string());
        }
    }
    if let Err(error) = size::check() {
        failures.push(error.to_string());
    }
    if !failures.is_empty() {
        return Err(format!("{} of the checks failed:\n{}", failures.len(), failures.join("\n")).into());
    }
    println!("check: format, lints, types, docs and size are in order");

    if no_test { Ok(()) } else { test::all() }
}

fn lints() -> Vec<Run> {
    let clippy = || Run::cargo().args(["clippy", "--quiet", "--all-targets"]);
    vec![
        Run::cargo().args(["fmt", "--all", "--check"]),
        clippy().args(["--workspace", "--all-features", "--", "-D", "warnings"]),
        clippy().args(["--package", "perilune", "--target", WASM_TARGET, "--", "-D", "warnings"]),
        Run::npm_script(&paths::web(), "check"),
        Run::cargo()
            .args(["doc", "--quiet", "--workspace", "--all-features", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    ]
}
