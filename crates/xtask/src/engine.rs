//! `engine`: the script engine, which is a cargo workspace of its own in crates/engine.
//!
//! The guest, a wasm module, comes first; `howk-sandbox` has it in its bytes.

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, WASM_TARGET};
use crate::{Result, paths};
use std::path::PathBuf;

const USAGE: &str = "\
cargo xtask engine COMMAND

  build [--debug]        the binary: crates/engine/target/release/howk (or debug/howk)
  test [ARGS]            every test of the engine; ARGS go to cargo test. Long ones are named in CONTRIBUTING.md
  bench [--peers]        figures beside serde_json in the same run; with --peers also gopher-lua and OpenResty
                         (Debian's packages: see bench/engine/peers.mjs)
        [--hostile]      how hostile scripts end, and what a good event beside them notices, instead
        [--pipeline]     latency and throughput of the binary instead
  dev [--release] [ARGS] the engine in memory with the scripts of a folder; ARGS go to howk dev
                         (default: --scripts examples/scripts)
";

/// Examples of the sandbox that measure events, and hostile scripts.
const FIGURES: &str = "figures";
const HOSTILE: &str = "hostile";

/// Packages that run on this machine: all but the guest. Every command names all of them, also where it wants
/// one: dependencies have the same features then, and are built once.
const HOST_PACKAGES: [&str; 3] = ["--workspace", "--exclude", "howk-guest"];

pub(crate) fn command(args: &mut Args) -> Result {
    match args.command().as_deref() {
        Some("build") => {
            let debug = args.flag("--debug");
            args.finish()?;
            setup()?;
            build(!debug)
        }
        Some("test") => {
            setup()?;
            guest()?;
            tests(args.rest()).go()
        }
        Some("bench") => bench(args),
        Some("dev") => dev(args),
        None | Some("help" | "--help" | "-h") => {
            println!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(format!("unknown command {other:?}\n\n{USAGE}").into()),
    }
}

/// A command of cargo in the engine's workspace.
fn cargo(args: &[&str]) -> Run {
    Run::cargo().args(args).dir(paths::engine())
}

/// Installs what the engine's build needs: no browser, no npm.
fn setup() -> Result {
    setup::native()?;
    cargo(&["fetch", "--quiet"]).read()?;
    Ok(())
}

/// Builds the guest.
pub(crate) fn guest() -> Result {
    cargo(&["build", "--package", "howk-guest", "--profile", "guest", "--target", WASM_TARGET])
        .env("PERILUNE_WASM_EH", "exnref")
        .go()
}

fn build(release: bool) -> Result {
    guest()?;
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    cargo(&["build", "--bin", "howk"]).args(HOST_PACKAGES).args(profile).go()
}

/// The tests, to be run once the guest is there.
pub(crate) fn tests(args: Vec<String>) -> Run {
    cargo(&["test", "--no-fail-fast"]).args(HOST_PACKAGES).args(args)
}

/// Builds the program that prints figures, and runs it, alone or by turns with the peers.
fn bench(args: &mut Args) -> Result {
    let peers = args.flag("--peers");
    let pipeline = args.flag("--pipeline");
    let hostile = args.flag("--hostile");
    args.finish()?;
    setup()?;
    if pipeline {
        build(true)?;
        let howk = paths::engine_target().join("release/howk");
        return Run::new("node").arg(paths::bench().join("engine/pipeline.mjs")).arg(howk).go();
    }
    guest()?;
    if hostile {
        return Run::new(example(HOSTILE)?).go();
    }
    let figures = example(FIGURES)?;
    if !peers {
        return Run::new(figures).go();
    }
    Run::new("node").arg(paths::bench().join("engine/run.mjs")).arg(figures).go()
}

/// Builds a program of the sandbox's examples, and returns its path.
fn example(name: &str) -> Result<PathBuf> {
    cargo(&["build", "--release", "--example", name]).args(HOST_PACKAGES).go()?;
    Ok(paths::engine_target().join("release/examples").join(name))
}

fn dev(args: &mut Args) -> Result {
    let release = args.flag("--release");
    let mut rest = args.rest();
    if !rest.iter().any(|arg| arg == "--scripts" || arg.starts_with("--scripts=")) {
        rest.push(format!("--scripts={}", paths::root().join("examples/scripts").display()));
    }
    setup()?;
    build(release)?;
    let folder = if release { "release" } else { "debug" };
    Run::new(paths::engine_target().join(folder).join("howk")).arg("dev").args(rest).go()
}

/// Lints, for `check`.
pub(crate) fn lints() -> Vec<Run> {
    let clippy = || cargo(&["clippy", "--quiet"]);
    vec![
        cargo(&["fmt", "--all", "--check"]),
        clippy().args(HOST_PACKAGES).args(["--all-targets", "--", "-D", "warnings"]),
        clippy()
            .args(["--package", "howk-guest", "--target", WASM_TARGET, "--", "-D", "warnings"])
            .env("PERILUNE_WASM_EH", "exnref"),
    ]
}
