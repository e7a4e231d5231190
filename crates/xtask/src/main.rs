//! `cargo xtask`: everything a developer or a CI machine does with this repository, in one tool.
//!
//! Each command sets up what it needs itself, so that every one of them works on a fresh machine. A step that
//! has nothing to do costs nothing.
//!
//! Not here: knowledge of Lua or of the runtime; and no dependencies, so that the tool itself builds in
//! seconds.

#![allow(clippy::print_stdout, reason = "a command line tool talks to its user")]
#![allow(clippy::print_stderr, reason = "a command line tool talks to its user")]

mod args;
mod bench;
mod build;
mod check;
mod coverage;
mod demo;
mod engine;
mod package;
mod paths;
mod run;
mod serve;
mod setup;
mod size;
mod sqlite;
mod tally;
mod test;

use std::process::ExitCode;

use args::Args;

/// Result whose error says in words who must do what.
type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
cargo xtask COMMAND

  setup [--browser]      install what is missing: wasm target, clang, wasm-bindgen, npm packages; with --browser Chromium
  build                  target/wasm/perilune.wasm and capsule.wasm, and the npm package in web/dist
  test [--only SUITE]    every test: native, engine, chrome, guest, web, e2e, packaging
       [--all]           also the projects whose tools are installed from npm (packaging)
  check [--no-test]      format, clippy, types, docs, packages, size; then every test
        [--deny]         also cargo-deny, with the database of advisories
  demo [--port N]        build the demo page and serve it on 127.0.0.1 (port 8080, or the next free one)
  bench [OPTIONS]        Perilune beside wasmoon, fengari and native Lua (bench/README.md has the options)
  engine COMMAND         the script engine: build, test, bench, dev (cargo xtask engine help)
  package                target/npm/perilune.tgz
  size [--bless]         sizes against crates/xtask/size.snap; --bless writes it
  coverage               line coverage of the Rust core and of the TypeScript
";

fn main() -> ExitCode {
    let mut args = Args::from_env();
    match dispatch(&mut args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &mut Args) -> Result {
    match args.command().as_deref() {
        Some("setup") => setup::command(args),
        Some("build") => build::command(args),
        Some("test") => test::command(args),
        Some("check") => check::command(args),
        Some("demo") => demo::command(args),
        Some("bench") => bench::command(args),
        Some("engine") => engine::command(args),
        Some("package") => package::command(args),
        Some("size") => size::command(args),
        Some("coverage") => coverage::command(args),
        None | Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(format!("unknown command {other:?}\n\n{USAGE}").into()),
    }
}
