//! Every script of tests/hostile ends, with the type that its first line names, beside a good event that
//! succeeds; with the limits inside of the VM, and by the fences around it alone.

mod support;

use howk_sandbox::{Fence, Sandbox, Settings};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::{event, input, report_of, runtime, settings};

struct Script {
    name: String,
    expected: String,
    source: String,
}

fn scripts() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut scripts: Vec<Script> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let source = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
            let (first, rest) = source.split_once('\n').unwrap();
            let expected = first.strip_prefix("-- ").unwrap().to_owned();
            // Bytecode is none behind a comment.
            let source = if expected == "script_syntax_error" { rest.to_owned() } else { source.clone() };
            Script { name: path.file_stem().unwrap().to_string_lossy().into_owned(), expected, source }
        })
        .collect();
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(scripts.len() >= 60, "{}", scripts.len());
    scripts
}

const GOOD: &str = "local d = json.decode(payload) d.a = nil d.enriched = true request.body = json.encode(d) headers.A = 'b'";

/// The script's end, as its type or `ok`, with a good event at the same time and one after it.
fn end(sandbox: &Sandbox, script: &Script) -> (String, Option<Fence>, String) {
    let good = || event(GOOD, input(b"{\"a\":1}"), Arc::default());
    let beside = {
        let (sandbox, good) = (sandbox.clone(), good());
        runtime().spawn(async move { sandbox.run(good).await })
    };
    let report = report_of(sandbox, event(&script.source, input(b"{\"a\":1}"), Arc::default()));
    let howk_sandbox::Outcome::Done(beside) = runtime().block_on(beside).unwrap() else { panic!("deferred") };
    for good in [beside, report_of(sandbox, good())] {
        let body =
            good.result.unwrap_or_else(|error| panic!("beside {}: {error}", script.name)).body.unwrap();
        assert_eq!(body, r#"{"enriched":true}"#);
    }
    match report.result {
        Ok(_) => ("ok".into(), report.fence, String::new()),
        Err(error) => (error.error_type.as_str().into(), report.fence, error.message),
    }
}

/// Runs all of them; those that would never end get little time, the others as much as a slow machine needs.
fn run_all(inner_limits: bool, check: impl Fn(&Script, Option<Fence>)) {
    let base = Settings { memory_bytes: 32 << 20, max_concurrent: 4, inner_limits, ..settings() };
    let patient = Sandbox::new(base).unwrap();
    let strict = Sandbox::new(Settings { timeout: Duration::from_millis(100), ..base }).unwrap();
    let mut failed = Vec::new();
    for script in scripts() {
        let sandbox = if script.expected == "script_timeout" { &strict } else { &patient };
        let (found, fence, message) = end(sandbox, &script);
        if found == script.expected {
            check(&script, fence);
        } else {
            failed.push(format!("{}: {found} {fence:?} {message}", script.name));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    for sandbox in [patient, strict] {
        let counters = sandbox.counters();
        assert_eq!(
            (counters.traps, counters.panics, counters.slots_in_use, counters.memory_bytes),
            (0, 0, 0, 0)
        );
    }
}

#[test]
fn each_ends_by_the_limits_of_its_vm() {
    run_all(true, |script, fence| assert_eq!(fence, None, "{}", script.name));
}

#[test]
fn each_ends_by_the_fences_alone() {
    run_all(false, |script, fence| match &*script.expected {
        "script_timeout" => assert_eq!(fence, Some(Fence::Deadline), "{}", script.name),
        "script_memory_limit" if script.name != "error_not_enough_memory" && script.name != "memory_rep" => {
            assert_eq!(fence, Some(Fence::Memory), "{}", script.name);
        }
        _ => {}
    });
}
