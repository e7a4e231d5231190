//! Tests of the limits of time and fuel: no script gets past them, and the VM stays usable.
#![cfg(not(target_arch = "wasm32"))]

#[path = "support/counted_clock.rs"]
mod counted_clock;

use counted_clock::CountedClock;
use perilune::{Error, Runtime, Vm};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

fn vm() -> Runtime {
    Runtime::builder().build().expect("a VM")
}

/// A row of tests/vectors/escapes.json, which Node and Chromium run, too: a script that would not end, or
/// would continue after a limit ended it. It sets `went_on` if it gets past the limit. With `fuel` it does
/// end, and uses this many ticks on every platform.
struct Escape {
    name: String,
    lua: String,
    fuel: Option<u64>,
}

fn escapes() -> Vec<Escape> {
    let text = include_str!("vectors/escapes.json");
    let rows: serde_json::Value = serde_json::from_str(text).expect("is JSON");
    let text_of = |row: &serde_json::Value, key: &str| row[key].as_str().expect("text").to_owned();
    let rows = rows.as_array().expect("rows").iter();
    rows.map(|row| Escape {
        name: text_of(row, "name"),
        lua: text_of(row, "lua"),
        fuel: row["fuel"].as_u64(),
    })
    .collect()
}

/// Time ends a script after the same number of readings of the clock on every machine, and few ticks lie
/// between two of them. `cargo xtask bench --ticks` measures how long that takes.
#[test]
fn time_ends_every_script() {
    const LIMIT_MS: u32 = 30;
    const TICKS_MAX: u64 = 1000 * LIMIT_MS as u64;
    for Escape { name, lua: script, fuel } in escapes() {
        let readings = Rc::new(Cell::new(0));
        let host = CountedClock(Rc::clone(&readings));
        let mut lua = Runtime::builder().host(host).build().expect("a VM");
        lua.limit_next(Some(Duration::from_millis(LIMIT_MS.into())), None);
        match lua.eval(script) {
            Err(error) => {
                assert_eq!(error.code(), "timeout", "{name}: {error}");
                // The first reading is the beginning.
                assert_eq!(readings.get(), 1 + LIMIT_MS, "{name}");
                assert!(lua.fuel_used() < TICKS_MAX, "{name}: {} ticks", lua.fuel_used());
            }
            Ok(_) => assert!(fuel.is_some(), "{name} was not ended"),
        }
        assert_eq!(
            lua.eval("return went_on").expect("lives").values,
            [perilune::Value::Nil],
            "{name} went on"
        );
        assert_eq!(lua.eval("return 1").expect("lives").values, [1.into()], "{name}");
    }
}

#[test]
fn fuel_ends_every_script_with_the_same_count() {
    for Escape { name, lua: script, .. } in escapes() {
        let used: Vec<u64> = (0..2)
            .map(|_| {
                // Enough that no collection is forced, which would be charged when it happens.
                let mut limits = perilune::Limits::default();
                limits.memory_bytes = 64 << 20;
                let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
                lua.limit_next(None, Some(200_000));
                match lua.eval(script.clone()) {
                    Err(error) => {
                        assert_eq!(error.code(), "timeout", "{name}: {error}");
                        assert_eq!(error.lua().expect("from Lua").value, "fuel".into(), "{name}");
                    }
                    Ok(_) => assert!(lua.fuel_used() <= 200_000, "{name}"),
                }
                let used = lua.fuel_used();
                assert_eq!(
                    lua.eval("return went_on").expect("lives").values,
                    [perilune::Value::Nil],
                    "{name} went on"
                );
                used
            })
            .collect();
        assert_eq!(used[0], used[1], "{name}");
    }
}

#[test]
fn fuel_is_the_same_everywhere() {
    for Escape { name, lua: script, fuel } in escapes() {
        let Some(fuel) = fuel else { continue };
        let mut lua = vm();
        lua.eval(script).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(lua.fuel_used(), fuel, "{name}");
    }
}

#[test]
fn errors_of_limits_name_the_reason_and_the_place() {
    let mut lua = vm();
    lua.set_limits(Some(Duration::from_millis(20)), None);
    let error = lua.eval("local function spin()\n  while true do end\nend\nspin()").expect_err("never ends");
    let details = error.lua().expect("of Lua");
    assert_eq!(details.message, "eval:2: timed out after 20 ms");
    assert_eq!((details.chunk.as_deref(), details.line), (Some("eval"), Some(2)));
    assert!(details.traceback.as_deref().is_some_and(|text| text.contains("'spin'")), "{details:?}");
    assert_eq!(details.value, "timeout".into());
    lua.set_limits(None, Some(1000));
    let error = lua.eval("for i = 1, 1e9 do end").expect_err("too long");
    assert_eq!(error.to_string(), "eval:1: out of fuel after 1000 ticks");
}

#[test]
fn an_interrupt_from_another_thread_ends_the_call() {
    let mut lua = vm();
    let (started, has_started) = std::sync::mpsc::channel();
    lua.register("started", move |_: &mut Vm, (): ()| {
        started.send(()).expect("the other thread waits for it");
        Ok::<_, Error>(())
    })
    .expect("registers");
    let interrupt = lua.interrupter();
    let other = std::thread::spawn(move || {
        // One that came earlier would be of the call before.
        has_started.recv().expect("the script says so");
        interrupt.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let error = lua
        .eval("started() while true do pcall(function() while true do end end) end")
        .expect_err("never ends");
    assert_eq!(error.code(), "interrupt");
    other.join().expect("ends");
    assert_eq!(lua.eval("return 1").expect("lives").values, [1.into()]);
}

#[test]
fn nested_calls_end_with_the_outer_call() {
    let mut lua = vm();
    lua.register("swallow", |vm: &mut Vm, source: String| {
        // The result does not matter.
        let ended = vm.eval(source).is_err();
        Ok::<_, Error>(ended)
    })
    .expect("registers");
    lua.limit_next(None, Some(50_000));
    let error =
        lua.eval("swallow('while true do end') went_on = true while true do end").expect_err("has an end");
    assert_eq!(error.code(), "timeout");
    // It is told as the inner one was, where it happened.
    assert_eq!(error.to_string(), "eval:1: out of fuel after 50000 ticks");
    assert_eq!(lua.eval("return went_on").expect("lives").values, [perilune::Value::Nil]);
    lua.limit_next(None, Some(50_000));
    let error = lua.within_limits(|vm| vm.eval("while true do end").is_err()).expect_err("has an end");
    assert_eq!(error.to_string(), "eval:1: out of fuel after 50000 ticks");
    lua.limit_next(None, Some(50_000));
    let error = lua
        .within_limits(|vm| {
            let _ = vm.within_limits(|vm| while vm.charge(1000) {});
        })
        .expect_err("has an end");
    assert_eq!(error.to_string(), "out of fuel after 50000 ticks");
}

#[test]
fn nested_calls_may_have_smaller_limits() {
    let mut lua = vm();
    lua.register("try", |vm: &mut Vm, source: String| {
        vm.limit_next(None, Some(1000));
        Ok::<_, Error>(vm.eval(source).map_err(|error| error.to_string()).err())
    })
    .expect("registers");
    let reply = lua
        .eval("return try('while true do end'), try('return 1'), 'on'")
        .expect("the outer one has no limit");
    assert_eq!(reply.values[1..], [perilune::Value::Nil, "on".into()]);
}

#[test]
fn ten_thousand_timeouts_do_not_leak() {
    let mut lua = vm();
    lua.set_limits(None, Some(500));
    let mut after = Vec::new();
    for round in 0..10_000 {
        let error = lua
            .eval("local co = coroutine.wrap(function() pcall(function() while true do end end) end) co()");
        assert_eq!(error.expect_err("has an end").code(), "timeout");
        if round % 1000 == 999 {
            lua.set_limits(None, None);
            lua.gc(perilune::GcMode::Collect).expect("collects");
            after.push(lua.stats().used_bytes);
            lua.set_limits(None, Some(500));
        }
    }
    assert_eq!(after.first(), after.last(), "{after:?}");
}

/// Checks that results and arguments use fuel by their size, and that a call may end in the middle of them;
/// what the host asks for by itself uses none.
#[test]
fn conversion_uses_fuel() {
    let mut lua = vm();
    lua.register("give", |_: &mut perilune::Vm, value: perilune::Value| Ok::<_, perilune::Error>(value))
        .expect("registers");
    lua.eval("numbers, nested = {}, {} for i = 1, 8000 do numbers[i] = i end for i = 1, 3000 do nested[i] = {} end")
        .expect("runs");
    for (source, bytes) in [
        ("return numbers", 72_000),
        ("return nested", 27_000 + 3000 * 32),
        ("return ('x'):rep(100000)", 100_000),
        ("give(numbers)", 2 * 72_000),
        ("local n = give(nested)", 2 * 27_000),
    ] {
        lua.eval(source).expect(source);
        let used = lua.fuel_used();
        assert!(used >= bytes / 32, "{source}: {used} ticks for {bytes} bytes");
        lua.limit_next(None, Some(bytes / 64));
        let error = lua.eval(source).expect_err(source);
        assert_eq!(error.code(), "timeout", "{source}: {error}");
        assert_eq!(error.lua().expect("from Lua").value, "fuel".into(), "{source}");
        lua.limit_next(None, Some(10));
        lua.global("numbers").expect("is the host's own affair");
    }
}

/// A table that holds itself twice, 40 deep, has a text of 2^40 bytes.
#[test]
fn json_of_a_table_that_is_shared_ends_with_the_right_error() {
    const SHARED: &str = "local t = {} for i = 1, 40 do t = { t, t } end return require 'json'.encode(t)";
    let mut lua = vm();
    lua.limit_next(None, Some(20_000));
    let error = lua.eval(SHARED).expect_err("is too long");
    assert_eq!((error.code(), lua.fuel_used() < 30_000), ("timeout", true), "{error}");
    lua.limit_next(None, None);
    assert_eq!(lua.eval(SHARED).expect_err("is too large").code(), "memory");
    // More pieces than the stack has room for.
    let text = lua.eval("return #require 'json'.encode(('x'):rep(300000))").expect("fits");
    assert_eq!(text.values, [300_002.into()]);
    assert_eq!(lua.eval("return 1").expect("lives").values, [1.into()]);
}

/// Collections that a script asks for or makes necessary are charged; the collector's own work is no fuel,
/// until the script has set how it works.
#[test]
fn the_collector_is_charged_for_what_scripts_ask() {
    let used = |before: &str, source: &str| {
        let mut lua = vm();
        lua.eval(format!("{before} kept = {{}} for i = 1, 5000 do kept[i] = {{}} end")).expect("runs");
        lua.eval(source).expect("runs");
        lua.fuel_used()
    };
    assert!(used("", "collectgarbage()") > 500);
    assert!(used("", "pcall(string.rep, 'x', 1e8)") > 500, "an emergency collection");
    let loops = "for i = 1, 20000 do local t = {} end";
    let by_itself = used("", loops);
    assert!(by_itself < 41_000, "{by_itself}: a tick for each step, and one for each table");
    assert!(used("collectgarbage('incremental', 100)", loops) > by_itself + 1000);
}

/// A traceback once walked along all calls for each step of a search for the outermost one, and again for
/// each of the last lines: in a runaway recursion that took half a second, past every limit of time.
#[test]
fn a_traceback_counts_the_calls_once() {
    let mut limits = perilune::Limits::default();
    limits.memory_bytes = 50 << 20;
    let ticks = |what: &str, depth: u32| {
        let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
        let source = format!(
            "local function f(n) if n == 0 then return {what} end local t = f(n - 1) return t end local t = f({depth}) return t"
        );
        let reply = lua.eval(source).expect("runs");
        (lua.fuel_used(), reply.values)
    };
    for depth in [10_000, 100_000] {
        let ((with, text), (without, _)) = (ticks("debug.traceback()", depth), ticks("''", depth));
        // 16 calls are a tick.
        assert!(with - without < u64::from(depth) / 16 + 2_000, "{depth} calls: {with} and {without} ticks");
        let perilune::Value::String(text) = &text[0] else { panic!("{text:?}") };
        let text = String::from_utf8_lossy(text);
        assert!(text.contains(&format!("(skipping {} levels)", depth - 20)), "{text}");
        assert!(text.ends_with("in main chunk"), "{text}");
    }
}

/// A request for more slots than a stack may have once made it as long as it may be, which took milliseconds
/// for the one tick of the call.
#[test]
fn a_stack_does_not_grow_for_what_it_refuses() {
    let mut limits = perilune::Limits::default();
    limits.memory_bytes = 50 << 20;
    let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
    let source = "local s = ('x'):rep(1e6) for _ = 1, 10 do
            assert(not pcall(table.unpack, {}, 1, 1e6)) assert(not pcall(string.byte, s, 1, -1))
        end";
    lua.eval(source).expect("runs");
    assert!(lua.stats().peak_bytes < 2 << 20, "{:?}", lua.stats());
    // Where it is almost full, there is still room for the message.
    let source = "local n = 0 local function f() n = n + 1 local ok, e = pcall(table.unpack, {}, 1, 409000)
            if not ok then error(e, 0) end return 1 + f() end
        local ok, e = pcall(f) return ok, e, n > 0";
    let values = lua.eval(source).expect("runs").values;
    assert_eq!(values, [false.into(), "too many results to unpack".into(), true.into()]);
}
