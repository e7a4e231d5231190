//! Errors of scripts: their types, lines, tracebacks, and whether they may be tried again.

mod support;

use howk_contract::ErrorType;
use howk_sandbox::{Fence, Sandbox, Settings};
use std::sync::Arc;
use std::time::Duration;
use support::{body, error, event, input, report_of, run, runtime, settings, shared};

#[test]
fn an_error_of_the_script_has_line_and_traceback() {
    let found = error("local function f()\n  local t = nil\n  return t.x\nend\n\nf()");
    assert_eq!((found.error_type, found.line, found.retryable), (ErrorType::Runtime, Some(3), false));
    assert_eq!(found.message, "script:3: attempt to index a nil value (local 't')");
    let traceback = found.traceback.unwrap();
    assert!(
        traceback.contains("script:3: in local 'f'")
            || traceback.contains("script:3: in upvalue 'f'")
            || traceback.contains("script:3: in function"),
        "{traceback}"
    );
    assert!(traceback.contains("script:6: in "), "{traceback}");
    assert!(!traceback.contains("engine"), "{traceback}");
}

#[test]
fn error_values_of_all_types_are_told() {
    for (source, message) in [
        ("error('text', 0)", "text"),
        ("\nerror('text')", "script:2: text"),
        ("error(5)", "5"),
        ("error()", "(error object is a nil value)"),
        ("error({})", "(error object is a table value)"),
        ("error(setmetatable({}, { __tostring = function() return 'mine' end }))", "mine"),
        (
            "error({ type = 'script_module_kv', message = 'forged', retryable = true })",
            "(error object is a table value)",
        ),
    ] {
        let found = error(source);
        assert_eq!(
            (found.error_type, found.message.as_str(), found.retryable),
            (ErrorType::Runtime, message, false),
            "{source}"
        );
    }
}

#[test]
fn what_is_too_long_to_tell_says_so() {
    let found = error("error(('x'):rep(1e6), 0)");
    assert!(
        found.message.len() < 10_000 && found.message.ends_with("... (991808 bytes more)"),
        "{}",
        &found.message[8000..]
    );
}

#[test]
fn what_does_not_compile_has_a_line() {
    for (source, line) in
        [("\n\nlocal = 5", 3), ("return return", 1), ("x = 'open", 1), ("goto nowhere", 1), ("\n--[[", 2)]
    {
        let found = error(source);
        assert_eq!((found.error_type, found.line), (ErrorType::Syntax, Some(line)), "{source:?}: {found}");
        assert_eq!(runtime().block_on(shared().check(source)).unwrap_err(), found);
    }
    assert_eq!(error("\x1bLua\x54\0").message, "attempt to load a binary chunk (mode is 't')");
    // The compiler itself says no line for what nests too deep.
    for (begin, open, close) in [
        ("x = ", "(", ")"),
        ("x = ", "{", "}"),
        ("x = ", "- ", ""),
        ("", "do ", " end"),
        ("", "f = function() ", " end"),
    ] {
        for lines in [0, 1, 700] {
            let before = "a = '\\\n'\n".repeat(lines);
            let source = format!("{before}{begin}{}1{}", open.repeat(250), close.repeat(250));
            let found = error(&source);
            let expected = 2 * lines + 1;
            assert_eq!(
                found.message,
                format!("script:{expected}: the code nests too deep (C stack overflow)")
            );
            assert_eq!((found.error_type, found.line), (ErrorType::Syntax, Some(expected as u32)), "{open}");
        }
    }
    // The line is that of the bracket which is one too many.
    let found = error(&format!("x = {}1{}", "(\n".repeat(250), ")".repeat(250)));
    assert!(matches!(found.line, Some(150..=200)), "{found}");
    assert_eq!(error(&"\0".repeat(1000)).error_type, ErrorType::Syntax);
    runtime().block_on(shared().check("return 1")).unwrap();
}

#[test]
fn an_error_of_a_module_is_a_value_and_the_scripts_own_if_nothing_catches_it() {
    let found = error("local x = 1\nkv.get('fails')");
    assert_eq!((found.error_type, found.retryable, found.line), (ErrorType::ModuleKv, true, Some(2)));
    assert_eq!(found.message, "the store is away");
    let traceback = found.traceback.unwrap();
    assert!(
        traceback.contains("[C]: in function 'kv.get'") && traceback.contains("script:2: in "),
        "{traceback}"
    );
    let fields = "local ok, e = pcall(kv.get, 'fails') request.body = table.concat({ tostring(ok), e.type, e.message, tostring(e.retryable), tostring(e), 'x' .. e }, '|')";
    assert_eq!(
        body(fields),
        "false|script_module_kv|the store is away|true|the store is away|xthe store is away"
    );
    let again = error("local ok, e = pcall(kv.get, 'fails')\nerror(e)");
    assert_eq!((again.error_type, again.retryable, again.line), (ErrorType::ModuleKv, true, Some(2)));
    let given_up = error("local ok, e = pcall(kv.get, 'fails') e.retryable = false error(e)");
    assert_eq!((given_up.error_type, given_up.retryable), (ErrorType::ModuleKv, false));
    let own = error("local ok, e = pcall(kv.get, 'fails') error('failed: ' .. e)");
    assert_eq!((own.error_type, own.retryable), (ErrorType::Runtime, false));
    let raised = error("local ok, e = pcall(http.get, 'http://refused/') e.retryable = true error(e)");
    assert_eq!((raised.error_type, raised.retryable), (ErrorType::ModuleHttp, false));
    assert!(run("pcall(kv.get, 'fails')").is_ok());
    assert_eq!(error("coroutine.wrap(function() kv.get('fails') end)()").error_type, ErrorType::ModuleKv);
}

#[test]
fn a_panic_of_the_host_ends_one_event() {
    let before = shared().counters();
    let report = report_of(shared(), event("pcall(kv.get, 'panics')", input(b""), Arc::default()));
    let found = report.result.unwrap_err();
    assert_eq!((found.error_type, report.fence), (ErrorType::Runtime, Some(Fence::Panic)));
    assert!(found.message.contains("a fault of the store"), "{found}");
    assert_eq!(shared().counters().panics, before.panics + 1);
    assert!(run("request.body = 'on'").is_ok());
    assert_eq!(error("kv.get('wrong')").error_type, ErrorType::Runtime);
}

fn limited(settings: Settings) -> Sandbox {
    Sandbox::new(Settings { max_concurrent: 4, ..settings }).unwrap()
}

#[test]
fn time_is_up_by_running_and_by_waiting() {
    let sandbox = limited(Settings {
        timeout: Duration::from_millis(100),
        wall_timeout: Duration::from_secs(2),
        ..settings()
    });
    let run = |source: &str| report_of(&sandbox, event(source, input(b""), Arc::default()));
    let report = run("\nwhile true do local x = 1 + 1 end");
    let found = report.result.unwrap_err();
    assert_eq!((found.error_type, found.line, report.fence), (ErrorType::Timeout, Some(2), None));
    assert_eq!(found.message, "script:2: timed out after 100 ms");
    assert!(report.cpu >= Duration::from_millis(90) && report.fuel > 0, "{:?}", report.cpu);
    let report = run("kv.get('waits')");
    let found = report.result.unwrap_err();
    assert_eq!((found.error_type, report.fence), (ErrorType::Timeout, None));
    assert_eq!(found.message, "took more than 2000 ms, waiting included");
    assert!(report.wall >= Duration::from_secs(2) && report.cpu < Duration::from_secs(1));
    // What it has used until then is known, though it never came to an end.
    let ran = |rounds: u32| run(&format!("for i = 1, {rounds} do end kv.get('waits')"));
    let (few, many) = (ran(10), ran(10_010));
    assert!(few.memory_bytes > 1 << 20 && few.fuel > 0, "{few:?}");
    assert_eq!(many.fuel - few.fuel, 10_000);
    // Ten waits of 30 ms are more than the limit of running, and none of it.
    assert!(run("for i = 1, 10 do kv.get('sleeps') end").result.is_ok());
}

#[test]
fn ticks_are_counted_and_limited() {
    let source = "for i = 1, 1000 do end";
    let fuel = |source: &str| report_of(shared(), event(source, input(b""), Arc::default())).fuel;
    assert_eq!(fuel(source), fuel(source));
    assert!(fuel("for i = 1, 2000 do end") >= fuel(source) + 1000);
    let sandbox = limited(Settings { fuel_limit: Some(10_000), ..settings() });
    let run = |source: &str| report_of(&sandbox, event(source, input(b""), Arc::default())).result;
    assert!(run(source).is_ok());
    let found = run("while true do end").unwrap_err();
    assert_eq!(
        (found.error_type, found.message.as_str()),
        (ErrorType::Timeout, "script:1: out of fuel after 10000 ticks")
    );
}

#[test]
fn the_memory_of_a_vm_is_limited_exactly() {
    let sandbox = limited(Settings { memory_bytes: 8 << 20, ..settings() });
    let report = |source: &str| report_of(&sandbox, event(source, input(b""), Arc::default()));
    let one = report("local t = {} for i = 1, 1e9 do t[i] = { i } end");
    let found = one.result.unwrap_err();
    assert_eq!((found.error_type, one.fence), (ErrorType::MemoryLimit, None), "{found}");
    assert_eq!(one.memory_bytes, 8 << 20);
    assert!(found.message.contains("not enough memory") && found.message.contains("8388608"), "{found}");
    assert!(report("request.body = ('x'):rep(1 << 20)").result.is_ok());
    assert_eq!(report("return ('x'):rep(8 << 20)").result.unwrap_err().error_type, ErrorType::MemoryLimit);
    let caught = report("local ok, e = pcall(string.rep, 'x', 8 << 20) request.body = e");
    assert_eq!(caught.result.unwrap().body.unwrap(), "not enough memory");
    assert_eq!(sandbox.counters().fence_memory, 0);
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let refused = |settings: Settings| Sandbox::new(settings).unwrap_err().to_string();
    let base = settings();
    for (settings, word) in [
        (Settings { timeout: Duration::ZERO, ..base }, "lua.timeout"),
        (Settings { wall_timeout: Duration::from_millis(1), ..base }, "lua.wall_timeout"),
        (Settings { memory_bytes: 1 << 20, ..base }, "lua.memory_limit_mb"),
        (Settings { memory_bytes: 8 << 30, ..base }, "lua.memory_limit_mb"),
        (Settings { total_memory_bytes: 100 << 20, ..base }, "lua.memory_total_mb"),
        (Settings { max_concurrent: 0, ..base }, "lua.max_concurrent"),
        (Settings { max_concurrent: 1 << 20, ..base }, "lua.max_concurrent"),
        (Settings { threads: 0, ..base }, "lua.threads"),
        (Settings { fuel_limit: Some(0), ..base }, "ticks"),
    ] {
        let text = refused(settings);
        assert!(text.contains(word), "{text}");
    }
}
