//! `check`: every check of CI, in its order. All of them run, so that one run shows everything that is wrong.
//!
//! Dry runs of both publications are part of it: what a registry would refuse, or its users could not build,
//! fails here.

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, Browser, WASM_TARGET};
use crate::{Result, build, engine, paths, size, sqlite, test};

pub(crate) fn command(args: &mut Args) -> Result {
    let no_test = args.flag("--no-test");
    let deny = args.flag("--deny");
    args.finish()?;

    let browser = if no_test { Browser::NotNeeded } else { Browser::Needed };
    setup::all(browser)?;
    setup::lint_components()?;
    build::all()?;
    // Its bytes are part of the sandbox, which clippy compiles.
    engine::guest()?;

    let mut failures: Vec<String> = Vec::new();
    for run in lints()?.into_iter().chain(engine::lints()) {
        if let Err(error) = run.go() {
            failures.push(error.to_string());
        }
    }
    for check in [size::check, npm_publish].into_iter().chain(deny.then_some(cargo_deny as fn() -> Result)) {
        if let Err(error) = check() {
            failures.push(error.to_string());
        }
    }
    if !failures.is_empty() {
        return Err(format!("{} of the checks failed:\n{}", failures.len(), failures.join("\n")).into());
    }
    println!("check: format, lints, types, docs, packages and size are in order");

    if no_test { Ok(()) } else { test::all() }
}

fn lints() -> Result<Vec<Run>> {
    let clippy = || Run::cargo().args(["clippy", "--quiet", "--all-targets"]);
    let clippy_wasm = |what: &[&str]| {
        let run = Run::cargo().args(["clippy", "--quiet", "--target", WASM_TARGET]);
        run.args(what).args(["--", "-D", "warnings"])
    };
    // As `build` compiles it, or SQLite would be compiled once more.
    let capsule = sqlite::for_wasm(clippy_wasm(&["--package", "capsule-wasm", "--release"]))?;
    Ok(vec![
        Run::cargo().args(["fmt", "--all", "--check"]),
        clippy().args(["--workspace", "--all-features", "--", "-D", "warnings"]),
        // All targets but the benchmark, which is beside a crate that wasm32 does not get.
        clippy_wasm(&[
            "--package=perilune",
            "--lib",
            "--tests",
            "--examples",
            "--features=console_error_panic_hook",
        ]),
        clippy_wasm(&["--package", "perilune", "--no-default-features", "--features", "js"]),
        clippy_wasm(&["--package", "perilune", "--no-default-features"]),
        clippy_wasm(&["--package", "guest"]),
        capsule,
        Run::npm_script(&paths::web(), "check"),
        Run::cargo()
            .args(["doc", "--quiet", "--workspace", "--all-features", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings"),
        cargo_package(),
    ])
}

/// Packs the crate and builds it from what was packed, in the folder where its dependencies are compiled
/// already. Quiet, or it warns of every integration test that stays behind. `setup` has fetched what offline
/// resolution asks for.
fn cargo_package() -> Run {
    Run::cargo()
        .args(["package", "--quiet", "--offline", "--allow-dirty", "--package", "perilune", "--target-dir"])
        .arg(paths::cargo_target())
}

/// Does all of `npm publish` but the sending, without a login, and offline, since it would only ask which
/// versions there are. Then publint looks for what runtimes and bundlers miss in package.json.
fn npm_publish() -> Result {
    let quietly = ["--offline", "--loglevel=warn"];
    Run::new("npm").args(["publish", "--dry-run"]).args(quietly).dir(paths::web()).go()?;
    Run::new(paths::web().join("node_modules/.bin/publint"))
        .arg("--strict")
        .arg(crate::package::pack()?)
        .dir(paths::web())
        .go()
}

/// Checks advisories, licences, duplicates and sources. Not in CI, which has tests/dependencies.rs for the
/// licences: cargo-deny takes five minutes of processor time to build, and fetches a database.
fn cargo_deny() -> Result {
    setup::cargo_tool("cargo-deny", "cargo-deny", setup::CARGO_DENY_VERSION)?;
    Run::new(paths::tool("cargo-deny")).arg("check").go()
}
