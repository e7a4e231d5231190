//! `build`: the wasm module, in three steps (rustc, wasm-bindgen, wasm-opt), and the npm package around it.

use std::fs;

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, Browser, WASM_TARGET};
use crate::{Result, paths, size};

/// What the module uses, one by one: `--all-features` writes a module that Node 20 refuses.
const WASM_FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-exception-handling", // Lua's errors; the legacy encoding, which every runtime of today loads
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

const WASM_OPTIMISATIONS: &[&str] = &["-O3", "--strip-debug", "--strip-producers", "--strip-target-features"];

pub(crate) fn command(args: &mut Args) -> Result {
    args.finish()?;
    setup::all(Browser::NotNeeded)?;
    all()
}

/// The module and the npm package; `setup` has run.
pub(crate) fn all() -> Result {
    wasm()?;
    Run::npm_script(&paths::web(), "build").go()?;
    size::summary()
}

fn wasm() -> Result {
    Run::cargo().args(["build", "--release", "--package", "perilune", "--target", WASM_TARGET]).go()?;

    let bindgen = paths::target().join("wasm/bindgen");
    let compiled = paths::cargo_target().join(WASM_TARGET).join("release/perilune.wasm");
    Run::new(paths::tool("wasm-bindgen"))
        .arg(compiled)
        .args(["--target", "web", "--out-name", "perilune", "--out-dir"])
        .arg(&bindgen)
        .go()?;

    optimise(&bindgen.join("perilune_bg.wasm"))
}

fn optimise(bound: &std::path::Path) -> Result {
    let wasm_opt = paths::web().join("node_modules/.bin/wasm-opt");
    if !wasm_opt.is_file() {
        return Err("web/node_modules/.bin/wasm-opt is missing: web/package.json must list `binaryen`".into());
    }
    // Written beside and then renamed: a reader never sees half a module.
    let finished = paths::wasm();
    let unfinished = finished.with_extension("wasm.tmp");
    Run::new(wasm_opt)
        .args(WASM_FEATURES)
        .args(WASM_OPTIMISATIONS)
        .arg(bound)
        .arg("--output")
        .arg(&unfinished)
        .go()?;
    fs::rename(unfinished, finished)?;
    Ok(())
}
