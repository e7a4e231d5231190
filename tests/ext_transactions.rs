//! Tests of `ext.transaction` and everything that can end one: errors, limits, lack of memory, calls of the
//! host. A transaction is all or nothing, and passes errors through unchanged.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Error, Host, NativeHost, Runtime, Stream, TableStore, Value, Vm};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use store::Watched;

#[path = "support/store.rs"]
#[allow(dead_code, reason = "nothing is refused here")]
mod store;

fn vm(store: &Watched) -> Runtime {
    vm_on(store, NativeHost::default())
}

fn vm_on(store: &Watched, host: impl Host + 'static) -> Runtime {
    let mut lua = Runtime::builder().store(store.clone()).host(host).build().expect("a VM");
    // After a call of the host the clock is read at the next tick.
    lua.register("tick", |_: &mut Vm, ()| Ok::<_, Error>(())).expect("registers");
    lua
}

fn values(lua: &mut Runtime, source: &str) -> Vec<Value> {
    lua.eval(source).unwrap_or_else(|error| panic!("{source}\n{error:?}")).values
}

/// Two tables with contents.
const PREPARE: &str = "t, u = ext.table('t'), ext.table('u') \
    for i = 1, 5 do t[i] = i u['k' .. i] = { i } end";

/// One transaction over several tables, with others inside of it, that takes a while.
const LONG: &str = "ext.transaction(function() \
      for i = 1, 5 do t[i] = nil tick() end \
      pcall(ext.transaction, function() ext.clear(u) for i = 1, 5 do u[i] = i tick() end error('inner') end) \
      xpcall(function() ext.drop('u') local again = ext.table('u') again.x = 1 tick() error('caught') end, function(e) tick() t.handler = e return e end) tick() \
      local closing <close> = setmetatable({}, { __close = function() tick() t.closed = true tick() end }) \
      coroutine.wrap(function() t.co = 1 tick() coroutine.yield() end)() tick() \
      table.insert(t, 'last') table.sort(t, function(a, b) return a == b end) \
      for k, v in pairs(t) do t[k] = { v } tick() end \
      ext.table('new').x = #t \
    end)";

/// Tries every place where fuel can run out, and some past the end.
#[test]
fn running_out_of_fuel_rolls_back() {
    check_limit(|lua, place| lua.limit_next(None, Some(place)));
}

#[test]
fn running_out_of_time_rolls_back() {
    check_limit(|lua, place| lua.limit_next(Some(Duration::from_millis(place)), Some(1_000_000)));
}

/// Runs a transaction with a limit at each place in turn. A call that is ended changes nothing; one that
/// completes has its usual result.
fn check_limit(limit: impl Fn(&mut Runtime, u64)) {
    let reference = Watched::default();
    let mut lua = vm(&reference);
    values(&mut lua, PREPARE);
    values(&mut lua, LONG);
    let expected = reference.contents();
    let mut ended = 0;
    for place in 0.. {
        let store = Watched::default();
        let mut lua = vm_on(&store, Hurried::default());
        values(&mut lua, PREPARE);
        let before = store.contents();
        limit(&mut lua, place);
        let result = lua.eval(LONG);
        assert!(store.is_settled(), "{place}");
        match result {
            Ok(_) => {
                assert_eq!(store.contents(), expected, "{place}");
                break;
            }
            Err(error) => {
                assert_eq!(error.code(), "timeout", "{place}: {error:?}");
                ended += 1;
                // The limit may be met after the commit, while returning.
                let found = store.contents();
                assert!(found == before || found == expected, "{place}: {error:?}");
                values(&mut lua, LONG);
                assert_eq!(store.contents().len(), expected.len(), "{place}: it stays usable");
            }
        }
    }
    assert!(ended > 10, "only {ended} calls were ended");
}

#[test]
fn an_interrupt_rolls_back() {
    let mut ended = 0;
    for asked in 0..400 {
        let store = Watched::default();
        let host = Hurried { interrupt: Rc::new(Cell::new(None)), ..Hurried::default() };
        let interrupt = Rc::clone(&host.interrupt);
        let mut lua = vm_on(&store, host);
        values(&mut lua, PREPARE);
        let before = store.contents();
        interrupt.set(Some(asked));
        let result = lua.eval(LONG);
        interrupt.set(None);
        let Err(error) = result else { break };
        assert_eq!(error.code(), "interrupt", "{error:?}");
        assert_eq!(store.contents(), before, "{asked}");
        ended += 1;
    }
    assert!(ended > 3, "only {ended} calls were interrupted");
}

/// Checks functions that catch the error of a limit in their last steps: they did not complete, so the
/// transaction is rolled back.
#[test]
fn a_limit_that_was_caught_inside_rolls_back() {
    let store = Watched::default();
    let mut lua = vm(&store);
    lua.register("swallow", |vm: &mut Vm, ()| Ok::<_, Error>(vm.eval("t.x = 1 while true do end").is_err()))
        .expect("registers");
    values(&mut lua, PREPARE);
    let before = store.contents();
    for function in [
        "function() t.x = 1 pcall(f) end",
        "function() t.x = 1 coroutine.resume(coroutine.create(f)) end",
        "function() t.x = 1 return xpcall(f, print) end",
        "function() t.x = 1 pcall(table.sort, { 1, 2 }, f) end",
        "function() t.x = 1 setmetatable({}, { __gc = f }) collectgarbage() end",
        "function() t.x = 1 swallow() end",
        // No Lua code follows.
        "swallow",
    ] {
        let source =
            format!("local function f() while true do end end ext.transaction({function}) went_on = true");
        lua.limit_next(None, Some(10_000));
        assert_eq!(lua.eval(&source).expect_err(function).code(), "timeout", "{function}");
        assert_eq!(store.contents(), before, "{function}");
        assert_eq!(lua.global("went_on").expect("reads"), Value::Nil, "{function}");
    }
}

#[test]
fn running_out_of_memory_rolls_back() {
    let store = Watched::default();
    let mut lua = vm(&store);
    values(&mut lua, PREPARE);
    let before = store.contents();
    for fill in [
        "local all = {} for i = 1, 1e9 do all[i] = ('x'):rep(1000) .. i end",
        "local s = 'x' while true do s = s .. s end",
        "local function f() return 1 + f() end f()",
        "for i = 1, 1e9 do t[('key'):rep(100) .. i] = ('x'):rep(1000) local a <const> = t[('key'):rep(100) .. i] keep = { keep, a } end",
    ] {
        let source = format!("ext.transaction(function() t.x = 1 ext.clear(u) ext.drop('u') {fill} end)");
        let error = lua.eval(&source).expect_err(fill);
        assert!(["memory", "runtime"].contains(&error.code()), "{fill}: {error:?}");
        assert_eq!(store.contents(), before, "{fill}");
        let source = format!("keep = nil return pcall(ext.transaction, function() t.x = 1 {fill} end)");
        assert_eq!(values(&mut lua, &source)[0], false.into());
        assert_eq!(store.contents(), before, "{fill}");
        values(&mut lua, "keep = nil collectgarbage()");
    }
}

#[test]
fn errors_of_the_function_are_raised_unchanged() {
    let mut lua = vm(&Watched::default());
    let found = values(
        &mut lua,
        r"
        local function deep() local t; return t.x end
        local function outer() local ok = 1; deep() return ok end
        local _, plain = xpcall(function() outer() end, debug.traceback)
        local _, inside = xpcall(function() ext.transaction(outer) end, debug.traceback)
        local object = setmetatable({}, { __tostring = function() return 'shown' end })
        local ok, same = pcall(ext.transaction, error, object)
        local calls = 0
        local handled = { xpcall(ext.transaction, function(e) calls = calls + 1 return e .. '!' end, error, 'once', 0) }
        local nested = { pcall(ext.transaction, ext.transaction, ext.transaction, error) }
        return plain:match('^(.-)\n.-\n(.-)\n'), inside:match('^(.-)\n.-\n(.-)\n'), ok, rawequal(same, object),
          calls, handled[2], #nested, nested[2], select('#', pcall(ext.transaction, error))
        ",
    );
    assert_eq!(found[0], found[1]);
    assert_eq!(
        found[1..],
        [
            found[1].clone(),
            false.into(),
            true.into(),
            1.into(),
            "once!".into(),
            1.into(),
            Value::Nil,
            2.into()
        ]
    );
    let error = lua
        .eval("local function inner() error('why') end\next.transaction(function()\ninner()\nend)")
        .expect_err("raises");
    let details = error.lua().expect("from Lua");
    assert_eq!((details.message.as_str(), details.line), ("eval:1: why", Some(1)));
    let traceback = details.traceback.as_deref().expect("a traceback");
    assert!(
        traceback.contains("in upvalue 'inner'") && traceback.contains("eval:3: in function"),
        "{traceback}"
    );
    // An error that was caught has no effect on the next transaction.
    let error = lua.eval("pcall(ext.transaction, error, 'first') error('second', 0)").expect_err("raises");
    assert_eq!(error.to_string(), "second");
}

#[test]
fn arguments_and_results_are_passed_through() {
    let mut lua = vm(&Watched::default());
    for (source, count) in [
        ("return ext.transaction(function(...) return ... end)", 0),
        ("return ext.transaction(function(...) return ... end, nil, nil)", 2),
        ("return select('#', ext.transaction(table.unpack, {}, 1, 10000)) == 10000", 1),
        ("return ext.transaction(ext.transaction, ext.transaction, math.max, 1, 2)", 1),
        ("return (ext.transaction(function() return 1, 2 end))", 1),
    ] {
        assert_eq!(values(&mut lua, source).len(), count, "{source}");
    }
    let refused = "bad argument #1 to 'transaction' (function expected, got ";
    for (source, got) in [("ext.transaction()", "no value)"), ("ext.transaction({})", "table)")] {
        let error = lua.eval(source).expect_err(source);
        assert!(error.to_string().ends_with(&[refused, got].concat()), "{source}: {error}");
    }
}

#[test]
fn coroutines_cannot_yield_out_of_a_transaction() {
    let store = Watched::default();
    let mut lua = vm(&store);
    values(&mut lua, PREPARE);
    let before = store.contents();
    let found = values(
        &mut lua,
        "local co = coroutine.create(function() ext.transaction(function() t.x = 1 coroutine.yield() end) end) \
         local ok, e = coroutine.resume(co) return ok, e, coroutine.status(co)",
    );
    assert_eq!(found, [false.into(), "attempt to yield across a C-call boundary".into(), "dead".into()]);
    assert_eq!(store.contents(), before);
    // A coroutine inside of a transaction may yield, and continue later, outside.
    let found = values(
        &mut lua,
        "local co = coroutine.wrap(function() t.x = 1 coroutine.yield() t.y = 2 end) \
         pcall(ext.transaction, function() co() error() end) co() return t.x, t.y",
    );
    assert_eq!(found, [Value::Nil, 2.into()]);
}

#[test]
fn host_functions_inside_see_uncommitted_changes() {
    let store = Watched::default();
    let mut lua = vm(&store);
    lua.register("look", |vm: &mut Vm, ()| vm.eval("return t.x").map(|reply| reply.values[0].clone()))
        .expect("registers");
    lua.register("write", |vm: &mut Vm, value: Value| {
        vm.set_global("given", value)?;
        vm.eval("t.x = given u.added = given").map(drop)
    })
    .expect("registers");
    lua.register("fails", |vm: &mut Vm, ()| vm.eval("t.x = 'failed' error('inside')").map(drop))
        .expect("registers");
    lua.register("aborts", |vm: &mut Vm, ()| {
        Ok::<_, Error>(vm.eval("ext.transaction(function() t.x = 'aborted' error('inside') end)").is_err())
    })
    .expect("registers");
    values(&mut lua, PREPARE);
    let before = store.contents();
    let found = values(
        &mut lua,
        "local seen = {} \
         local ok, e = pcall(ext.transaction, function() \
           t.x = 1 seen[1] = look() write(2) seen[2] = t.x seen[3] = look() \
           seen[4] = aborts() seen[5] = look() pcall(fails) seen[6] = look() fails() end) \
         seen[7] = look() == nil \
         return seen, ok, tostring(e):find('inside') ~= nil",
    );
    let Value::Table(seen) = &found[0] else { panic!("{found:?}") };
    let seen: Vec<Value> = (1..=7).map(|i| seen.get(&i.into())).collect();
    let expected: [Value; 7] =
        [1.into(), 2.into(), 2.into(), true.into(), 2.into(), "failed".into(), true.into()];
    assert_eq!(seen, expected);
    assert_eq!(found[1..], [false.into(), true.into()]);
    assert_eq!(store.contents(), before);
}

/// A loop kept entries that it had read ahead when a host function changed the table in the store directly.
#[test]
fn pairs_sees_writes_of_the_host() {
    let store = Watched::default();
    let mut lua = vm(&store);
    values(&mut lua, "t = ext.table('t') for i = 1, 100 do t[i] = i end");
    let behind = RefCell::new(store.clone());
    lua.register("remove_next", move |_: &mut Vm, now: i64| {
        if now % 10 == 0 {
            let mut store = behind.borrow_mut();
            let table = store.open(b"t").map_err(|error| error.to_string())?;
            for gone in now + 1..now + 10 {
                let mut key = vec![2];
                key.extend_from_slice(&gone.to_le_bytes());
                store.remove(table, &key).map_err(|error| error.to_string())?;
            }
        }
        Ok::<_, String>(())
    })
    .expect("registers");
    let found = values(
        &mut lua,
        "local n = 0 for k in pairs(t) do n = n + 1 remove_next(k) end return n, ext.count(t)",
    );
    assert_eq!(found, [19.into(), 19.into()]);
}

/// Checks that a table which is dropped and created again in a transaction has its old identity after a roll
/// back.
#[test]
fn a_roll_back_restores_the_identity_of_tables() {
    let mut lua = vm(&Watched::default());
    let found = values(
        &mut lua,
        r"
        local t, made, remade = ext.table('t')
        t.x = 1
        local marks = { [t] = 'mine' }
        pcall(ext.transaction, function()
            ext.drop('t')
            remade, made = ext.table('t'), ext.table('made')
            remade.x = 2
            error()
        end)
        collectgarbage()
        return rawequal(t, ext.table('t')), t.x, marks[ext.table('t')], pcall(function() return remade.x end)
        ",
    );
    assert_eq!(found[..4], [true.into(), 1.into(), "mine".into(), false.into()]);
    // Proxies that no script holds any more take no memory.
    let grown = values(
        &mut lua,
        "collectgarbage() local before = collectgarbage('count') \
         for i = 1, 5000 do ext.table('temporary' .. i).x = 1 ext.drop('temporary' .. i) end \
         collectgarbage() return collectgarbage('count') - before",
    );
    assert!(matches!(grown[0], Value::Float(kib) if kib < 64.0), "{grown:?}");
}

/// A host whose clock advances by a millisecond each time it is read, and which interrupts after a number of
/// queries.
#[derive(Debug, Default)]
struct Hurried {
    native: NativeHost,
    now_ms: f64,
    interrupt: Rc<Cell<Option<u32>>>,
}

impl Host for Hurried {
    fn write(&mut self, _: Stream, _: &[u8]) {}
    fn clock_ms(&mut self) -> f64 {
        0.0
    }
    fn monotonic_ms(&mut self) -> f64 {
        self.native.monotonic_ms()
    }
    fn timer_ms(&mut self) -> f64 {
        self.now_ms += 2.0;
        self.now_ms
    }
    fn random_u64(&mut self) -> u64 {
        7
    }
    fn interrupted(&mut self) -> bool {
        match self.interrupt.get() {
            Some(0) => true,
            Some(n) => {
                self.interrupt.set(Some(n - 1));
                false
            }
            None => false,
        }
    }
}
