//! `test`: runs every suite; the last line is the count of all tests.

use std::fs;
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::run::Run;
use crate::setup::{self, Browser, WASM_TARGET};
use crate::tally::Tally;
use crate::{Result, build, engine, paths};

struct Suite {
    name: &'static str,
    about: &'static str,
    browser: Browser,
    /// True if it tests the built package, not only the sources.
    wants_build: bool,
    run: fn() -> Result<Run>,
}

/// Seconds after which tests in a browser have certainly hung: a safety net, which no slow machine meets.
const HANG_SECS: &str = "3600";
const GUEST_TESTS: &str = "tests/guest/";
const PACKAGING_TESTS: &str = "tests/packaging/";

const SUITES: &[Suite] = &[
    Suite {
        name: "native",
        about: "Rust, on this machine",
        browser: Browser::NotNeeded,
        wants_build: false,
        run: || Ok(Run::cargo().args(["test", "--workspace", "--all-features", "--no-fail-fast"])),
    },
    Suite {
        name: "engine",
        about: "the script engine",
        browser: Browser::NotNeeded,
        wants_build: false,
        run: || {
            engine::guest()?;
            Ok(engine::tests(Vec::new()))
        },
    },
    Suite {
        name: "chrome",
        about: "Rust, as wasm in headless Chrome",
        browser: Browser::Needed,
        wants_build: false,
        run: chrome,
    },
    Suite {
        name: "guest",
        about: "a module that embeds the crate, in Node",
        browser: Browser::NotNeeded,
        wants_build: false,
        run: || {
            build::guest()?;
            Ok(Run::new("node").args(["--test", GUEST_TESTS]))
        },
    },
    Suite {
        name: "web",
        about: "TypeScript, in Node",
        browser: Browser::NotNeeded,
        wants_build: true,
        // Without "test/", the script runs e2e/ as well.
        run: || {
            build::extension()?;
            Ok(Run::npm_script(&paths::web(), "test").args(["--", "test/"]))
        },
    },
    Suite {
        name: "e2e",
        about: "the page, in Chromium",
        browser: Browser::Needed,
        wants_build: true,
        run: || {
            build::exnref()?;
            Ok(Run::npm_script(&paths::web(), "test:e2e"))
        },
    },
    Suite {
        name: "packaging",
        about: "the npm tarball, in projects of users",
        browser: Browser::Needed,
        wants_build: true,
        run: packaging,
    },
];

/// The suite "packaging" with `--all`: not in CI, since it installs a dozen tools from npm.
const ALL_CONSUMERS: Suite = Suite {
    name: "packaging",
    about: "the npm tarball, in projects of every kind, whose tools come from npm",
    browser: Browser::Needed,
    wants_build: true,
    run: || Ok(packaging()?.env("CONSUMERS", "all")),
};

pub(crate) fn command(args: &mut Args) -> Result {
    let only = args.option("--only")?;
    let asan = args.flag("--asan");
    let all = args.flag("--all");
    args.finish()?;
    if asan {
        return address_sanitizer();
    }
    let suites: Vec<&Suite> = SUITES
        .iter()
        .filter(|suite| only.as_ref().is_none_or(|name| suite.name == name))
        .map(|suite| if all && suite.name == ALL_CONSUMERS.name { &ALL_CONSUMERS } else { suite })
        .collect();
    if suites.is_empty() {
        let names: Vec<&str> = SUITES.iter().map(|suite| suite.name).collect();
        return Err(format!("--only knows {}", names.join(", ")).into());
    }
    run(&suites)
}

/// Runs every suite.
pub(crate) fn all() -> Result {
    run(&SUITES.iter().collect::<Vec<_>>())
}

fn run(suites: &[&Suite]) -> Result {
    let browser = suites.iter().map(|suite| suite.browser).find(|&browser| browser == Browser::Needed);
    setup::all(browser.unwrap_or(Browser::NotNeeded))?;
    // A build that fails must not keep the suites that can do without it from running.
    let built = if suites.iter().any(|suite| suite.wants_build) {
        build::all().map_err(|e| e.to_string())
    } else {
        Ok(())
    };

    let mut total = Tally::default();
    let mut lines = Vec::new();
    for suite in suites {
        println!("\n== {}: {}", suite.name, suite.about);
        if suite.name == "packaging" && !paths::root().join(PACKAGING_TESTS).is_dir() {
            lines.push(format!("{:<10} not written yet: {PACKAGING_TESTS} is missing", suite.name));
            continue;
        }
        let (tally, complaint) = match &built {
            Err(error) if suite.wants_build => (failure(), Some(format!("nothing to test: {error}"))),
            _ => result(suite),
        };
        total.add(tally);
        lines.push(line(suite.name, tally, complaint.as_deref()));
    }

    println!("\n{}", lines.join("\n"));
    println!("{} passed, {} failed", total.passed, total.failed);
    // The count must stay the last line, so the exit code alone says the rest.
    if total.failed == 0 { Ok(()) } else { std::process::exit(1) }
}

fn result(suite: &Suite) -> (Tally, Option<String>) {
    match (suite.run)().and_then(Run::watch) {
        Ok(watched) => {
            let (tally, complaint) = Tally::of(&watched);
            (tally, complaint.map(str::to_owned))
        }
        Err(error) => (failure(), Some(error.to_string())),
    }
}

fn failure() -> Tally {
    Tally { failed: 1, ..Tally::default() }
}

fn line(name: &str, tally: Tally, complaint: Option<&str>) -> String {
    let Tally { passed, failed, skipped } = tally;
    let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
    let complaint = complaint.map(|text| format!("  ({})", text.replace('\n', " "))).unwrap_or_default();
    format!("{name:<10} {passed:>6} passed, {failed} failed{skipped}{complaint}")
}

/// Native tests of the public API, which own, drop and lend VMs in every order.
const ASAN_TESTS: [&str; 7] =
    ["ownership", "functions", "mlua", "runtime", "ext_faults", "ext_transactions", "sandbox"];

/// Runs the tests of the public API under `AddressSanitizer`, Rust's code and C's: by hand, with the nightly
/// toolchain.
fn address_sanitizer() -> Result {
    let host = Run::new("rustc").args(["--print", "host-tuple"]).read()?;
    let mut run = Run::new("cargo")
        .env("RUSTUP_TOOLCHAIN", "nightly")
        .env("RUSTFLAGS", "-Zsanitizer=address")
        .env("CFLAGS", "-fsanitize=address -fno-omit-frame-pointer")
        // Errors of Lua jump over frames, which may leave a message behind.
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .args(["test", "--package", "perilune", "--all-features", "--target", host.trim(), "--target-dir"])
        .arg(paths::target().join("asan"));
    for name in ASAN_TESTS {
        run = run.args(["--test", name]);
    }
    run.go()
}

/// Runs the unit tests and the integration tests named for wasm; building the native ones as well would only
/// cost time.
fn chrome() -> Result<Run> {
    let chromedriver = std::env::var_os("CHROMEDRIVER")
        .map(PathBuf::from)
        .or_else(|| paths::on_path("chromedriver"))
        .ok_or("no chromedriver on the PATH")?;
    let mut run = Run::cargo()
        .args(["test", "--package", "perilune", "--target", WASM_TARGET, "--no-fail-fast"])
        .args(["--features", "console_error_panic_hook"])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", paths::tool("wasm-bindgen-test-runner"))
        .env("CHROMEDRIVER", chromedriver)
        // The runner's own ends are 20 seconds for all tests of a file, and 5 for the driver's start.
        .env("WASM_BINDGEN_TEST_TIMEOUT", HANG_SECS)
        .env("WASM_BINDGEN_TEST_DRIVER_TIMEOUT", HANG_SECS);
    if mentions(&paths::root().join("src"), "wasm_bindgen_test")? {
        run = run.arg("--lib");
    }
    for name in wasm_tests(&paths::root().join("tests"))? {
        run = run.args(["--test", &name]);
    }
    Ok(run)
}

/// Returns the integration tests whose name starts with `wasm`: files, or folders with a `main.rs`.
fn wasm_tests(tests: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(tests)? {
        let path = entry?.path();
        let is_test = path.extension().is_some_and(|ext| ext == "rs") || path.join("main.rs").is_file();
        if let Some(name) = path.file_stem().and_then(|stem| stem.to_str())
            && is_test
            && name.starts_with("wasm")
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    if names.is_empty() {
        return Err("tests/ has no wasm*.rs: the tests for headless Chrome are gone".into());
    }
    Ok(names)
}

fn mentions(dir: &Path, word: &str) -> Result<bool> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            mentions(&path, word)?
        } else {
            fs::read(&path)?.windows(word.len()).any(|window| window == word.as_bytes())
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

fn packaging() -> Result<Run> {
    crate::package::pack()?;
    Ok(Run::new("node").args(["--test", PACKAGING_TESTS]))
}
