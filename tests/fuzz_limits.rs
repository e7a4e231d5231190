//! Tests of random programs, and of random sequences of calls, in small VMs with little fuel: each ends,
//! errors are of a known kind, and the VM stays usable. The number of cases is fixed; fuzz/ has targets for
//! longer runs.
#![cfg(not(target_arch = "wasm32"))]

use perilune::limits::MEMORY_MIN_BYTES;
use perilune::{GcMode, Limits, Runtime, Value, protocol};
use proptest::prelude::*;
use std::time::Duration;

const FUEL: u64 = 20_000;

fn small() -> Runtime {
    let mut limits = Limits::default();
    limits.memory_bytes = MEMORY_MIN_BYTES;
    let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
    lua.set_limits(Some(Duration::from_secs(10)), Some(FUEL));
    lua
}

/// Pieces of programs, which make valid programs more often than random characters. Some loop until a limit
/// ends them.
const PIECES: &[&str] = &[
    "while true do ",
    "repeat ",
    "until false ",
    "for i = 1, 1e18 do ",
    "for k, v in pairs(t) do ",
    "end ",
    "do ",
    "if x then ",
    "else ",
    "function f(...) ",
    "local function g(a, b) ",
    "return ",
    "local x = ",
    "t = ",
    "t[#t + 1] = ",
    "t.x = ",
    "x, y = ",
    "f() ",
    "g(f, t) ",
    "(f)",
    "t",
    "x",
    "y",
    "nil ",
    "true ",
    "1 ",
    "0x7fffffffffffffff ",
    "-1.5 ",
    "1e308 ",
    "'a' ",
    "'%b()' ",
    "('x'):rep(1e5) ",
    "{} ",
    "{ 1, 2, x = t } ",
    "+ ",
    "- ",
    "* ",
    "// ",
    "% ",
    ".. ",
    "== ",
    "< ",
    "and ",
    "or ",
    "not ",
    "# ",
    "~ ",
    "<< ",
    ", ",
    "; ",
    "( ",
    ") ",
    "[ ",
    "] ",
    "{ ",
    "} ",
    "= ",
    "pcall(f) ",
    "pcall(error, t) ",
    "error(t) ",
    "xpcall(f, g) ",
    "coroutine.wrap(f)() ",
    "coroutine.create(f) ",
    "coroutine.yield(x) ",
    "coroutine.close(x) ",
    "setmetatable(t, { __index = f, __gc = f, __close = g, __len = g }) ",
    "setmetatable(t, t) ",
    "t.__index = t ",
    "local c <close> = t ",
    "goto l ",
    "::l:: ",
    "table.sort(t, f) ",
    "table.concat(t) ",
    "table.move(t, 1, 1e15, 2) ",
    "table.unpack(t, 1, 1e6) ",
    "table.insert(t, 1, t) ",
    "string.rep('', 1e15) ",
    "(('a'):rep(9999)):find('.-.-.-b') ",
    "('x'):gsub('', f) ",
    "string.format('%99.99f', x) ",
    "load(f) ",
    "load('return ' .. ('('):rep(1e4)) ",
    "collectgarbage() ",
    "collectgarbage('generational') ",
    "ext.table('a') ",
    "ext.transaction(f) ",
    "ext.clear(ext.table('a')) ",
    "require 'json'.encode(t) ",
    "require 'json'.decode(x) ",
    "print(t, x) ",
    "tostring(t) ",
    "next(t) ",
    "select(-1, ...) ",
    "async.all(f, g) ",
    "debug.traceback() ",
    "utf8.len(x) ",
    "os.date(x) ",
    "io.read(x) ",
];

/// The kinds of errors that may occur.
const CODES: &[&str] = &["runtime", "syntax", "memory", "timeout", "storage", "value", "usage"];

fn survives(lua: &mut Runtime) {
    lua.set_limits(None, None);
    // This clears a limit that was set for a next call which did not come.
    lua.limit_next(None, None);
    assert_eq!(lua.eval("return 1 + 1").expect("is usable").values, [Value::Integer(2)]);
    lua.set_limits(Some(Duration::from_secs(10)), Some(FUEL));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_programs_end(pieces in prop::collection::vec(prop::sample::select(PIECES), 1..40)) {
        let mut lua = small();
        lua.eval("t, x, y = { 1, 2, 3 }, 'x', 2 function f(...) return ... end").expect("runs");
        for source in [pieces.concat(), format!("{} {}", pieces.concat(), "end ".repeat(pieces.len().min(9)))] {
            if let Err(error) = lua.eval(&source) {
                prop_assert!(CODES.contains(&error.code()), "{}: {source}", error.code());
            }
            prop_assert!(lua.fuel_used() <= FUEL + 200_000, "{}: {source}", lua.fuel_used());
            survives(&mut lua);
        }
    }

    #[test]
    fn random_bytes_as_source_are_harmless(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut lua = small();
        let _ = lua.eval(&bytes);
        survives(&mut lua);
    }

    #[test]
    fn random_calls_leave_the_vm_usable(calls in prop::collection::vec((0..24_u32, prop::sample::select(PIECES), any::<i64>(), prop::collection::vec(any::<u8>(), 0..40)), 1..30)) {
        let mut lua = small();
        lua.eval("t, x, y = { 1, 2, 3 }, 'x', 2 function f(...) return ... end function g() return f end").expect("runs");
        for (op, piece, number, bytes) in calls {
            match op {
                0 => drop(lua.eval(piece)),
                1 => drop(lua.call::<Vec<Value>>("f", (piece, number))),
                2 => drop(lua.call_handle::<Vec<Value>>(number as u32 % 8, piece)),
                3 => drop(lua.set_global("x", Value::String(bytes))),
                4 => drop(lua.gc(if number % 2 == 0 { GcMode::Collect } else { GcMode::Generational })),
                5 => drop(lua.start_eval(piece, "task")),
                6 => lua.limit_next(None, Some(number.unsigned_abs() % 1000)),
                // Any operation on any bytes, after the head of a list, so that some are decoded further.
                op => {
                    let mut list = vec![(op % 4) as u8, 0, 0, 0];
                    list.extend_from_slice(&bytes);
                    lua.request_raw(op, &list);
                }
            }
        }
        survives(&mut lua);
        prop_assert!(lua.request_raw(protocol::operation::STATS, &[0; 4]) == protocol::Outcome::Ok);
    }
}
