//! `setup`: installs what a machine with only Rust, Node and a C compiler lacks.
//!
//! Invariant: a step that finds its thing present does nothing, so every command may call `all` first.
//! Where it may not install, the error is the line to type.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::args::Args;
use crate::run::Run;
use crate::{Result, paths};

pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";
const WASM_PACK_VERSION: &str = "0.15.1";
pub(crate) const CARGO_DENY_VERSION: &str = "0.20.2";
/// Major and minor version that the tests need; the package itself runs on 20.0.
const NODE_MIN: (u32, u32) = (20, 11);

/// Programs that come as system packages: the command, and the Debian package that contains it.
const COMPILERS: &[(&str, &str)] = &[("clang-19", "clang-19"), ("llvm-ar-19", "llvm-19")];
/// Programs that tests of the script engine call; small ones, which most machines have.
const TOOLS: &[(&str, &str)] = &[("curl", "curl"), ("kill", "procps"), ("openssl", "openssl")];
const BROWSERS: &[(&str, &str)] = &[("chromium", "chromium"), ("chromedriver", "chromium-driver")];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Browser {
    Needed,
    NotNeeded,
}

pub(crate) fn command(args: &mut Args) -> Result {
    let browser = if args.flag("--browser") { Browser::Needed } else { Browser::NotNeeded };
    let wasm_pack = args.flag("--wasm-pack");
    args.finish()?;
    all(browser)?;
    if wasm_pack {
        cargo_tool("wasm-pack", "wasm-pack", WASM_PACK_VERSION)?;
    }
    println!("setup: everything is in place");
    Ok(())
}

/// Installs what Rust programs and wasm modules are compiled with.
pub(crate) fn native() -> Result {
    system_packages(Browser::NotNeeded)?;
    wasm_target()
}

/// Installs everything that `build`, `test` and `demo` need.
pub(crate) fn all(browser: Browser) -> Result {
    node()?;
    system_packages(browser)?;
    wasm_target()?;
    // The build script reads Lua's sources from the registry; offline metadata wants every package at hand.
    for workspace in [paths::root(), paths::engine()] {
        Run::cargo().args(["fetch", "--quiet"]).dir(workspace).read()?;
    }
    wasm_bindgen()?;
    npm_packages(&paths::web())?;
    npm_packages(&paths::playground())
}

/// Installs rustfmt and clippy, which a minimal toolchain lacks.
pub(crate) fn lint_components() -> Result {
    for (probe, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !Run::cargo().args([probe, "--version"]).succeeds() {
            rustup(&["component", "add", component])?;
        }
    }
    Ok(())
}

/// Runs `npm ci` in `dir` if its lock file is not the one installed last.
pub(crate) fn npm_packages(dir: &Path) -> Result {
    let lock = fs::read(dir.join("package-lock.json"))
        .map_err(|error| format!("{}/package-lock.json: {error}", paths::shown(dir)))?;
    let installed = dir.join("node_modules/.installed-package-lock.json");
    if fs::read(&installed).is_ok_and(|bytes| bytes == lock) {
        return Ok(());
    }
    Run::new("npm").args(["ci", "--no-audit", "--no-fund"]).dir(dir).go()?;
    fs::write(installed, lock)?;
    Ok(())
}

fn node() -> Result {
    let (major, minor) = NODE_MIN;
    let advice =
        format!("install Node {major}.{minor} or newer (https://nodejs.org) with npm, and run this again");
    let version = Run::new("node").arg("--version").read().map_err(|_| format!("no node here: {advice}"))?;
    if node_version(&version).is_none_or(|found| found < NODE_MIN) {
        return Err(format!("node is {}: {advice}", version.trim()).into());
    }
    if paths::on_path("npm").is_none() {
        return Err(format!("no npm here: {advice}").into());
    }
    Ok(())
}

/// Major and minor of `v20.11.1`.
fn node_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn system_packages(browser: Browser) -> Result {
    let mut wanted = vec![("cc", "gcc")];
    wanted.extend(COMPILERS);
    wanted.extend(TOOLS);
    if browser == Browser::Needed {
        wanted.extend(BROWSERS);
    }
    let missing: Vec<&str> = wanted
        .into_iter()
        .filter(|(program, _)| paths::on_path(program).is_none())
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() { Ok(()) } else { apt_install(&missing) }
}

fn apt_install(packages: &[&str]) -> Result {
    let list = packages.join(" ");
    if paths::on_path("apt-get").is_none() {
        return Err(format!(
            "this machine lacks {list} (names of Debian packages), and has no apt-get to install them with.\n\
             Install clang 19, llvm 19 (on the PATH as clang-19 and llvm-ar-19) and, for the tests, Chromium and its \
             chromedriver; then run this again"
        )
        .into());
    }
    if !is_root() {
        return Err(format!(
            "this machine lacks {list}, and only root may install. Run\n\n    \
             sudo apt-get install --no-install-recommends {list}\n\nand then this again"
        )
        .into());
    }
    Run::new("apt-get").args(["update", "--quiet"]).go()?;
    Run::new("apt-get")
        .args(["install", "--quiet", "--yes", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .go()
        .map_err(|error| format!("{error}\nDebian 12 or newer has all of: {list}").into())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn wasm_target() -> Result {
    let libraries = Run::new("rustc").args(["--print", "target-libdir", "--target", WASM_TARGET]).read()?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    rustup(&["target", "add", WASM_TARGET])
}

pub(crate) fn rustup(args: &[&str]) -> Result {
    if paths::on_path("rustup").is_none() {
        return Err(format!(
            "this needs `rustup {}`, and there is no rustup here: install Rust from https://rustup.rs",
            args.join(" ")
        )
        .into());
    }
    Run::new("rustup").args(args).go()
}

/// Installs wasm-bindgen's command line tool in the version of the crate, which the lock file has.
fn wasm_bindgen() -> Result {
    let lock = fs::read_to_string(paths::root().join("Cargo.lock"))?;
    let version = locked_version(&lock, "wasm-bindgen")
        .ok_or("Cargo.lock names no wasm-bindgen: the command line tool's version follows from it")?;
    cargo_tool("wasm-bindgen-cli", "wasm-bindgen", version)
}

pub(crate) fn cargo_tool(package: &str, program: &str, version: &str) -> Result {
    let installed = Run::new(paths::tool(program)).arg("--version").read().unwrap_or_default();
    if installed.split_whitespace().nth(1) == Some(version) {
        return Ok(());
    }
    // Without --locked: the lock files these tools ship with pull yanked or outdated packages.
    Run::cargo()
        .args(["install", package, "--quiet", "--version", version, "--root"])
        .arg(paths::target().join("tools"))
        .go()
}

fn locked_version<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{package}\"\n")))?;
    entry.lines().find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
}

#[cfg(test)]
mod tests {
    use super::{NODE_MIN, locked_version, node_version};

    #[test]
    fn reads_the_version_of_node() {
        assert_eq!(node_version("v20.9.1\n"), Some((20, 9)));
        assert!(node_version("v20.9.1").is_some_and(|version| version < NODE_MIN));
        assert!(node_version("v22.0.0").is_some_and(|version| version > NODE_MIN));
        assert_eq!(node_version("20"), None);
    }

    #[test]
    fn reads_a_version_from_a_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"wasm-bindgen-macro\"\nversion = \"0.2.1\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\n";
        assert_eq!(locked_version(lock, "wasm-bindgen"), Some("0.2.130"));
        assert_eq!(locked_version(lock, "bindgen"), None);
    }
}
