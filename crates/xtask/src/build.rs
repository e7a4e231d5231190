//! `build`: the two wasm modules, each in four steps (rustc, wasm-bindgen, wasm-opt, its build id), and the
//! npm package around them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, Browser, WASM_TARGET};
use crate::{Result, paths, size, sqlite};

/// Features of wasm that the module uses, one by one: `--all-features` writes a module that Node 20 refuses.
const WASM_FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-exception-handling", // Lua's errors; the legacy encoding, which every runtime of today loads
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

const WASM_OPTIMISATIONS: &[&str] =
    &["-O3", "--reorder-functions", "--strip-debug", "--strip-producers", "--strip-target-features"];

pub(crate) fn command(args: &mut Args) -> Result {
    args.finish()?;
    setup::all(Browser::NotNeeded)?;
    all()
}

/// Builds the modules and the npm package; `setup` has run.
pub(crate) fn all() -> Result {
    wasm()?;
    capsule()?;
    Run::npm_script(&paths::web(), "build").go()?;
    size::summary()
}

/// Variant of the module.
#[derive(Clone, Copy)]
enum Variant {
    Shipped,
    /// The module with the final encoding of wasm exceptions, for engines that take only that.
    Exnref,
    /// The module without the ticks that limit time: what they cost is measured against this.
    Unmetered,
}

/// Builds the module in the final encoding of exceptions, beside the one that ships:
/// target/wasm/perilune-exnref.wasm.
pub(crate) fn exnref() -> Result {
    module(Variant::Exnref)
}

/// Builds the module without ticks; returns its path.
pub(crate) fn unmetered() -> Result<PathBuf> {
    module(Variant::Unmetered)?;
    Ok(paths::wasm().with_file_name("perilune-unmetered.wasm"))
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Variant::Shipped => "perilune",
            Variant::Exnref => "perilune-exnref",
            Variant::Unmetered => "perilune-unmetered",
        }
    }
}

/// The module of tests/guest, in both encodings of exceptions, as cargo leaves it.
pub(crate) fn guest() -> Result {
    compile("guest", Variant::Shipped)?;
    compile("guest", Variant::Exnref)?;
    Ok(())
}

/// The command that compiles the cdylib of a package. One for each, so that they get no features of each
/// other.
fn cargo_build(package: &str) -> Run {
    Run::cargo().args(["build", "--release", "--package", package, "--target", WASM_TARGET])
}

/// Compiles the cdylib of a package; returns the folder that holds it.
fn compile(package: &str, variant: Variant) -> Result<PathBuf> {
    let cargo = cargo_build(package);
    // A folder of its own, so that neither build throws the other's objects away.
    let (cargo, folder) = match variant {
        Variant::Shipped => (cargo, paths::cargo_target()),
        Variant::Exnref => {
            let folder = paths::target().join("exnref");
            (cargo.env("PERILUNE_WASM_EH", "exnref").arg("--target-dir").arg(&folder), folder)
        }
        Variant::Unmetered => {
            let folder = paths::target().join("unmetered");
            (cargo.env("PERILUNE_FUEL", "0").arg("--target-dir").arg(&folder), folder)
        }
    };
    cargo.go()?;
    Ok(released(&folder))
}

fn released(cargo_target: &Path) -> PathBuf {
    cargo_target.join(WASM_TARGET).join("release")
}

fn wasm() -> Result {
    module(Variant::Shipped)
}

fn module(variant: Variant) -> Result {
    let compiled = compile("perilune-wasm", variant)?.join("perilune_wasm.wasm");
    finish(&compiled, variant.name())
}

/// Builds the module of the capsule: target/wasm/capsule.wasm.
fn capsule() -> Result {
    sqlite::for_wasm(cargo_build("capsule-wasm"))?.go()?;
    finish(&released(&paths::cargo_target()).join("capsule_wasm.wasm"), "capsule")
}

/// Builds the module of tests/extension: target/wasm/extension.wasm.
pub(crate) fn extension() -> Result {
    let compiled = compile("extension", Variant::Shipped)?.join("extension.wasm");
    finish(&compiled, "extension")
}

/// Binds, trims and optimises a compiled module.
fn finish(compiled: &Path, name: &str) -> Result {
    let bindgen = paths::target().join("wasm/bindgen");
    Run::new(paths::tool("wasm-bindgen"))
        .arg(compiled)
        .args(["--target", "web", "--out-name", name, "--out-dir"])
        .arg(&bindgen)
        .go()?;

    let finished = paths::wasm().with_file_name(format!("{name}.wasm"));
    optimise(&bindgen.join(format!("{name}_bg.wasm")), &finished)
}

/// Exports of a module. Rust itself exports every symbol that C calls (the libc of lua-5.4/port), and
/// wasm-bindgen adds entry points for JavaScript values, of which the module passes none: both are removed.
const EXPORTS: &[&str] = &[
    "memory",
    "configure",
    "init",
    "restore",
    "io_ptr",
    "io_len",
    "stack_len",
    "io_reserve",
    "eval",
    "request",
    "clear_free",
    "pack",
    "unpack",
    // The compiler of hot functions.
    "jit_tune",
    "jit_exits",
    "jit_park",
    "jit_unpark",
    // The table, as wasm-bindgen names it: compiled functions are put into it.
    "__wbindgen_export",
];

/// Begin of the names of what compiled functions import from the module (lua-5.4/port/lvm_port.c).
const HELPERS: &str = "perilune_jit_";

fn optimise(bound: &Path, finished: &Path) -> Result {
    let tools = paths::web().join("node_modules/.bin");
    if !tools.join("wasm-opt").is_file() {
        return Err("web/node_modules/.bin/wasm-opt is missing: web/package.json must list `binaryen`".into());
    }
    let folder = paths::target().join("wasm");
    let graph = folder.join("exports.json");
    let trimmed = folder.join("trimmed.wasm");
    fs::write(&graph, export_graph()?)?;
    // It prints the long list of what it drops.
    Run::new(tools.join("wasm-metadce"))
        .args(WASM_FEATURES)
        .arg("--quiet")
        .arg("--graph-file")
        .arg(&graph)
        .arg(bound)
        .arg("--output")
        .arg(&trimmed)
        .go()?;
    // Written beside and then renamed: a reader never sees half a module.
    let unfinished = finished.with_extension("wasm.tmp");
    Run::new(tools.join("wasm-opt"))
        .args(WASM_FEATURES)
        .args(WASM_OPTIMISATIONS)
        // Until nothing changes any more: a thousandth smaller. With SQLite it would take minutes.
        .args((!finished.ends_with("capsule.wasm")).then_some("--converge"))
        .arg(trimmed)
        .arg("--output")
        .arg(&unfinished)
        .go()?;
    Run::new("node").arg(paths::web().join("scripts/stamp.mjs")).arg(&unfinished).go()?;
    fs::rename(unfinished, finished)?;
    Ok(())
}

/// Returns the input of wasm-metadce: one root that reaches the exports to keep.
fn export_graph() -> Result<String> {
    let port = fs::read_to_string(paths::root().join("lua-5.4/port/lvm_port.c"))?;
    let heads =
        port.lines().filter(|line| line.starts_with("HELPER ")).filter_map(|line| line.split_once('('));
    let helpers = heads.filter_map(|(head, _)| head.find(HELPERS).map(|at| &head[at..]));
    let names: Vec<String> =
        EXPORTS.iter().copied().chain(helpers).map(|name| format!("\"{name}\"")).collect();
    let mut nodes = vec![format!(r#"{{"name":"host","root":true,"reaches":[{}]}}"#, names.join(","))];
    nodes.extend(names.iter().map(|name| format!(r#"{{"name":{name},"export":{name}}}"#)));
    Ok(format!("[{}]", nodes.join(",\n")))
}
