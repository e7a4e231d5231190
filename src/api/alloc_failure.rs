//! Every allocation of Lua fails in turn, in every kind of operation: each ends in its result or in "not
//! enough memory", nothing panics, nothing leaks, and the VM still works. Where only the first try fails, or
//! where all that is in the way is garbage, each ends in its result.
//!
//! Not here: allocations of Rust's own, which the host's memory bounds; in the module they share a limit with
//! Lua's, so web/test/memory.test.ts has the like.

use crate::{Error, Result, Runtime, Table, Value, Vm};
use std::cell::Cell;
use std::future::poll_fn;
use std::task::{Context as Waking, Poll, Waker};

type Run = fn(&mut Runtime) -> Result<Vec<Value>>;

fn eval(lua: &mut Runtime, source: &str) -> Result<Vec<Value>> {
    lua.eval(source).map(|reply| reply.values)
}

/// Operations, by name. `{}` in a name: the result depends on what failed, since the script itself deals with
/// it.
const OPERATIONS: &[(&str, Run)] = &[
    ("tables", |lua| {
        eval(
            lua,
            "local t = {} for i = 1, 20 do t[i] = { i, n = i } t['k' .. i] = i end return #t, t[20].n, t.k7",
        )
    }),
    ("strings", |lua| {
        eval(
            lua,
            "local s = '' for i = 1, 20 do s = s .. i .. ('x'):rep(i) end return #s, s:upper():sub(1, 9), ('%5.1f|%q|%s'):format(1.25, 'a\\n', {} ~= nil)",
        )
    }),
    ("closures", |lua| {
        eval(
            lua,
            "local function make(n) return function() n = n + 1 return n end end local all = {} for i = 1, 10 do all[i] = make(i) end local s = 0 for _, f in ipairs(all) do s = s + f() end return s",
        )
    }),
    ("coroutines", |lua| {
        eval(
            lua,
            "local all = {} for i = 1, 5 do all[i] = coroutine.wrap(function(a) local b = coroutine.yield(a .. 'x') return b .. i end) end local r = {} for i, w in ipairs(all) do r[#r + 1] = w(i) r[#r + 1] = w('y') end return table.concat(r, ' ')",
        )
    }),
    ("deep recursion", |lua| {
        eval(lua, "local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(300)")
    }),
    ("pcall {}", |lua| {
        eval(
            lua,
            "local r = {} for i = 1, 5 do local ok, e = pcall(function() error({ code = i, text = 'e' .. i }) end) r[i] = ok and 1 or type(e) == 'table' and e.code or e end return table.unpack(r)",
        )
    }),
    ("xpcall and traceback {}", |lua| {
        eval(
            lua,
            "return xpcall(function() local x = nil; return x.y end, function(m) return m .. #debug.traceback(m) end)",
        )
    }),
    ("__close, __gc {}", |lua| {
        eval(
            lua,
            "local closed = 0 for i = 1, 5 do local c <close> = setmetatable({}, { __close = function() closed = closed + 1 end }) setmetatable({}, { __gc = function() local t = { {} } end }) end collectgarbage() return closed",
        )
    }),
    ("long strings, at the end of the list of calls", |lua| {
        eval(
            lua,
            "local function deep(n) if n == 0 then return #('x'):rep(5000) + #table.concat({ ('y'):rep(3000), 'z' }) end return (deep(n - 1)) end local s = 0 for n = 1, 12 do s = s + coroutine.wrap(deep)(n) end return s",
        )
    }),
    ("gsub", |lua| {
        eval(
            lua,
            "return (('hello world'):gsub('%w+', function(w) return w:reverse() .. #w end)), (('a,b,c'):gsub(',', { [','] = ';' })), ('k=v'):match('(%w+)=(%w+)')",
        )
    }),
    ("sort and concat", |lua| {
        eval(
            lua,
            "local t = {} for i = 1, 30 do t[i] = tostring((i * 7) % 31) end table.sort(t, function(a, b) return #a == #b and a < b or #a < #b end) return table.concat(t, ','), table.unpack(t, 1, 3)",
        )
    }),
    ("load {}", |lua| {
        eval(
            lua,
            "local f = load('local a, b = ... local t = { a = a, [b] = { a, b } } return function() return t.a, t[b][2] end') return f(1, 2)()",
        )
    }),
    ("external tables", |lua| {
        eval(
            lua,
            "local t = ext.table('t') ext.clear(t) t.x = { 1, { 2, deep = { 'three' } }, n = 'm' } t[1] = 'one' local r = {} for k, v in pairs(t) do r[#r + 1] = tostring(k) end return t.x[2].deep[1], table.concat(r, ' '), ext.count(t), ext.tables()[1]",
        )
    }),
    ("transactions", |lua| {
        eval(
            lua,
            "local t = ext.table('t') return ext.transaction(function(n) t.y = n .. 'z' return t.y end, 5)",
        )
    }),
    ("external tables in external tables {}", |lua| {
        eval(
            lua,
            "local a = ext.table('a') ext.clear(a) for i = 1, 5 do local b = ext.table('b' .. i) b.x = ('y'):rep(300) a[b.x .. i] = b end local n = 0 for k, b in pairs(a) do n = n + #b.x end local ok = pcall(function() a.m = setmetatable({}, {}) end) return n, ok, next(a) ~= nil, #a",
        )
    }),
    ("transactions that fail {}", |lua| {
        eval(
            lua,
            "local t, u = ext.table('t'), ext.table('u') t.y = 1 local ok, e = pcall(ext.transaction, function() t.y = 2 ext.clear(t) ext.table('t').y = { 3 } ext.transaction(function() u.x = { u } end) error({ code = 7 }) end) return ok, e.code, t.y",
        )
    }),
    ("json", |lua| {
        eval(
            lua,
            "local json = require 'json' return json.encode(json.decode('{\"a\":[1,2,{\"b\":null}],\"c\":\"text \\\\u00e9\"}'), { sort_keys = true, indent = 1 })",
        )
    }),
    ("json in pieces", |lua| {
        eval(
            lua,
            "local json, t = require 'json', {} for i = 1, 40 do t[i] = { id = i, half = i + 0.5, text = ('x\\n'):rep(i * 5), tags = { 'a', { i } } } end
            local text = json.encode(t) local u = json.decode(text) return #text, #u, u[40].text == t[40].text, u[7].tags[2][1]",
        )
    }),
    ("json of long tables", |lua| {
        eval(
            lua,
            "local json, list, object = require 'json', {}, {} for i = 1, 300 do list[i] = i object['k' .. i] = ('v'):rep(i % 50) end
            local t = json.decode(json.encode({ list = list, object = object })) local n = 0 for _ in pairs(t.object) do n = n + 1 end
            return #t.list, n, t.object.k299",
        )
    }),
    ("json by __pairs", |lua| {
        eval(
            lua,
            "local json = require 'json' local function by_pairs(t) return setmetatable({}, { __pairs = function() return next, t end }) end
            return json.encode({ a = 1, b = by_pairs({ c = { 1, by_pairs({ d = 2 }) } }), e = 'f' }, { sort_keys = true, indent = 2 })",
        )
    }),
    ("base64", |lua| eval(lua, "local b = require 'base64' return b.decode(b.encode(('x'):rep(400)))")),
    ("a module", |lua| eval(lua, "package.loaded.mod = nil return require('mod').name")),
    ("print, io, os", |lua| {
        eval(
            lua,
            "print('x', 1, {} ~= nil) io.write(1, 'y', '\\n') return #os.date('!%Y-%m-%d'), io.type(io.stdout), utf8.char(228)",
        )
    }),
    ("a host function", |lua| {
        eval(lua, "local r = echo({ 1, 2, { x = 'y', z = { 'w' } } }) return r[3].x, r[3].z[1], echo('s')")
    }),
    ("a host function's error", |lua| {
        eval(
            lua,
            "local ok, e = pcall(fails) return (tostring(e):gsub('^not enough memory$', 'no')) ~= '' and 1",
        )
    }),
    ("a host function that calls in", |lua| eval(lua, "return nested('return { 1, \"two\" }')")),
    ("host functions as values", |lua| eval(lua, "local f = giver() return f(20), giver()(f(1))")),
    ("call", |lua| {
        lua.call("string.format", ("%d-%s", 7, "x")).map(|text: String| vec![text.as_str().into()])
    }),
    ("call by handle", |lua| {
        let function = eval(lua, "return function(a) return { a, a .. 'x' } end")?.remove(0);
        let Value::Function(handle) = function else { panic!("{function:?}") };
        let called = lua.call_handle::<Vec<Value>>(handle, "arg");
        lua.release(handle);
        called
    }),
    ("a global", |lua| {
        let inner = Table::new();
        inner.with_mut(|data| data.array.extend([1.into(), "two".into()]));
        let outer = Table::new();
        outer.with_mut(|data| data.pairs.push(("inner".into(), Value::Table(inner))));
        lua.set_global("set", Value::Table(outer))?;
        lua.global("set").map(|set| match set {
            Value::Table(table) => vec![table.get(&"inner".into())],
            other => vec![other],
        })
    }),
    ("a task that waits", |lua| {
        wait_for(
            lua,
            "local n = 0 for i = 1, 2 do n = n + later(i) end return n, coroutine.wrap(function() return later(5) end)()",
        )
    }),
    ("tasks side by side", |lua| {
        wait_for(lua, "return async.all(function() return later(1) end, function() return later(2) end)")
    }),
    ("an environment", |lua| {
        let variables = Table::new();
        variables.with_mut(|data| data.pairs.push(("n".into(), 2.into())));
        let source = "string.x = n local r = { math.random(1, 1), coroutine.running() ~= nil, require('mod').name, io.type(io.stdout) } \
                      function f() return assert(load('return n'))() end return string.x + f(), table.unpack(r)";
        lua.eval_env(source, "env", &variables).map(|reply| reply.values)
    }),
    ("a syntax error {}", |lua| eval(lua, "return pcall(load, 'x = = 1')")),
    ("an error with a table", |lua| match lua.eval("error({ code = 42, list = { 'a' } })") {
        Err(error) if error.code() == "runtime" => {
            Ok(vec![error.lua().map_or(Value::Nil, |error| error.value.clone())])
        }
        other => other.map(|reply| reply.values),
    }),
    ("closing methods that wait {}", |lua| {
        wait_for(
            lua,
            "local n = 0
            local function closer() return setmetatable({}, { __close = function() n = n + later(1) end }) end
            local co = coroutine.create(function() local _ <close> = closer() coroutine.yield() end)
            coroutine.resume(co) coroutine.close(co)
            pcall(coroutine.wrap(function() local _ <close> = closer() error({ n .. 'x' }) end))
            async.race(function() later(1) end, function()
                local _ <close> = closer() coroutine.wrap(function() local _ <close> = closer() later(1) later(1) end)()
            end)
            return n",
        )
    }),
    ("an error of a call whose closing methods wait", |lua| {
        let source = "local _ <close> = setmetatable({}, { __close = function(_, e)
                later(1) error(e .. later(2) .. ('x'):rep(99), 0) end }) error('first', 0)";
        match wait_for(lua, source) {
            Err(error) if error.code() == "runtime" => Ok(vec![error.to_string().as_str().into()]),
            other => other,
        }
    }),
];

fn wait_for(lua: &mut Runtime, source: &str) -> Result<Vec<Value>> {
    let mut task = lua.start_eval(source, "task");
    for _ in 0..100 {
        if let Poll::Ready(ended) = task.poll(lua, &mut Waking::from_waker(Waker::noop())) {
            return ended.map(|reply| reply.values);
        }
    }
    panic!("{source} waits for ever");
}

fn vm() -> Runtime {
    let mut lua =
        Runtime::builder().module("mod", "return { name = ... }").host(Silent).build().expect("a VM");
    lua.register("echo", |_: &mut Vm, value: Value| Ok::<_, Error>(value)).expect("registers");
    lua.register("fails", |_: &mut Vm, ()| Err::<(), _>("refused")).expect("registers");
    lua.register("nested", |vm: &mut Vm, source: String| {
        vm.eval(source).map(|reply| reply.values[0].clone())
    })
    .expect("registers");
    lua.register("giver", |vm: &mut Vm, ()| {
        vm.create_function("double", |_: &mut Vm, n: i64| Ok::<_, Error>(2 * n))
    })
    .expect("registers");
    lua.register_async("later", |n: i64| async move {
        let polled = Cell::new(false);
        poll_fn(|_| if polled.replace(true) { Poll::Ready(()) } else { Poll::Pending }).await;
        Ok::<_, Error>(n)
    })
    .expect("registers");
    lua
}

/// Host that discards what the scripts print.
#[derive(Debug)]
struct Silent;

impl crate::Host for Silent {
    fn write(&mut self, _: crate::Stream, _: &[u8]) {}
    fn clock_ms(&mut self) -> f64 {
        0.0
    }
    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }
    fn random_u64(&mut self) -> u64 {
        7
    }
}

/// Everything that can be collected is.
fn used(lua: &mut Runtime) -> usize {
    for _ in 0..3 {
        lua.gc(crate::GcMode::Collect).expect("collects");
    }
    lua.stats().used_bytes
}

/// Bytes by which memory may differ after any number of operations: a Lua stack keeps the size that some
/// operation once gave it, within bounds.
const STACK_SLACK: usize = 128;

/// One allocation, it and the second try after a collection, and all from it on.
fn every_allocation_fails(refused: usize) {
    for (name, run) in OPERATIONS {
        let mut lua = vm();
        let expected = run(&mut lua).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(run(&mut lua).ok().as_ref(), Some(&expected), "{name}: a second time");
        let before = used(&mut lua);
        for passed in 0.. {
            let place = format!("{name}, allocation {passed}");
            lua.context().memory.fail_allocations(passed, refused);
            let ended = run(&mut lua);
            let refused_any = lua.context().memory.reset_failures();
            match ended {
                // A collection has run, and the second try succeeds, whoever asked.
                ended if refused == 1 => {
                    assert_eq!(
                        ended.unwrap_or_else(|error| panic!("{place}: {error:?}")),
                        expected,
                        "{place}"
                    );
                }
                Ok(values) => assert!(values == expected || name.ends_with("{}"), "{place}: {values:?}"),
                Err(error) => {
                    assert!(refused_any, "{place}: {error:?}");
                    let out_of_memory = error.to_string().contains("not enough memory");
                    assert!(out_of_memory || name.ends_with("{}"), "{place}: {error:?}");
                }
            }
            assert_eq!(eval(&mut lua, "return 1").expect(&place), [1.into()], "{place}");
            assert_eq!(run(&mut lua).unwrap_or_else(|error| panic!("{place}: {error}")), expected, "{place}");
            let after = used(&mut lua);
            assert!(after <= before + STACK_SLACK, "{place}: {before} bytes became {after}");
            if !refused_any {
                assert!(passed > 1, "{name} allocates nothing");
                break;
            }
        }
    }
}

/// Garbage that no step of the collector frees, and no memory beside it: whatever an operation allocates, the
/// first that finds nothing has to collect. Returns what ends that.
fn fill_with_garbage(lua: &mut Runtime) -> impl FnOnce(&mut Runtime) + use<> {
    eval(lua, "collectgarbage('stop') for i = 1, 900 do local t = { ('x'):rep(i) .. i, function() return i end } end")
        .expect("fits");
    let capacity = lua.context().memory.fill();
    move |lua| {
        lua.context().memory.unfill(capacity);
        eval(lua, "collectgarbage('restart')").expect("runs");
    }
}

#[test]
fn a_heap_full_of_garbage_is_as_good_as_an_empty_one() {
    for mode in ["incremental", "generational"] {
        for (name, run) in OPERATIONS {
            let mut lua = vm();
            eval(&mut lua, &format!("collectgarbage('{mode}')")).expect("runs");
            let expected = run(&mut lua).unwrap_or_else(|error| panic!("{name}: {error}"));
            for _ in 0..3 {
                let empty = fill_with_garbage(&mut lua);
                let ended = run(&mut lua);
                empty(&mut lua);
                assert_eq!(
                    ended.unwrap_or_else(|error| panic!("{mode}, {name}: {error:?}")),
                    expected,
                    "{name}"
                );
            }
        }
    }
}

/// Checks that memory which is partly in use is all that an operation needs to go on for ever: the collector
/// keeps up, and where it does not, whoever runs out of memory collects.
#[test]
fn nothing_fails_while_a_good_part_of_the_memory_is_live() {
    for mode in ["incremental", "generational"] {
        for (kilobytes, source) in [
            (700, "live = {} for i = 1, 700 do live[i] = ('x'):rep(1000) .. i end"),
            (1200, "live = {} for i = 1, 14000 do live[i] = { i } end"),
        ] {
            let mut lua = vm();
            eval(&mut lua, &format!("collectgarbage('{mode}')")).expect("runs");
            eval(&mut lua, source).expect("fits");
            assert!(lua.stats().used_bytes > kilobytes * 1000, "{:?}", lua.stats());
            for (name, run) in OPERATIONS {
                let expected = run(&mut lua).unwrap_or_else(|error| panic!("{name}: {error}"));
                for round in 0..200 {
                    let ended = run(&mut lua);
                    let place = || format!("{mode}, {kilobytes} KB, {name}, round {round}");
                    assert_eq!(
                        ended.unwrap_or_else(|error| panic!("{}: {error:?}", place())),
                        expected,
                        "{}",
                        place()
                    );
                }
            }
        }
    }
}

/// Checks that the collector begins while there is memory left: an emergency collection would run no
/// finalizers, and free none of what has one.
#[test]
fn finalizers_run_before_memory_runs_out() {
    for mode in ["incremental", "generational"] {
        for live in (2000..18_000).step_by(500) {
            let place = format!("{mode}, {live} live tables");
            let mut lua = vm();
            eval(&mut lua, &format!("collectgarbage('{mode}')")).expect("runs");
            let source = format!("live = {{}} for i = 1, {live} do live[i] = {{ i }} end collectgarbage()");
            eval(&mut lua, &source).expect("fits");
            let source = "local n, finalized = 0, { __gc = function() N = (N or 0) + 1 end }
                          for i = 1, 60000 do setmetatable({ i }, finalized) end return N > 40000";
            assert_eq!(
                eval(&mut lua, source).unwrap_or_else(|error| panic!("{place}: {error}")),
                [true.into()]
            );
        }
    }
}

/// Checks that the finalizers which an emergency collection leaves run at the next occasion: what they keep
/// is needed, or there would have been no emergency.
#[test]
fn finalizers_run_soon_after_an_emergency() {
    for mode in ["incremental", "generational"] {
        let mut lua = vm();
        eval(&mut lua, &format!("collectgarbage('{mode}') collectgarbage()")).expect("runs");
        let source = "N = 0 local finalized = { __gc = function() N = N + 1 end }
                      for i = 1, 50 do setmetatable({}, finalized) end return N";
        assert_eq!(eval(&mut lua, source).expect("runs"), [0.into()], "{mode}: no collection has begun");
        lua.context().memory.fail_allocations(0, 1);
        eval(&mut lua, "return 1").expect("runs after a collection");
        assert!(lua.context().memory.reset_failures(), "{mode}: one allocation was refused");
        eval(&mut lua, "return {}").expect("runs");
        assert_eq!(eval(&mut lua, "return N").expect("runs"), [50.into()], "{mode}");
    }
}

/// Tables in order, with their entries in order.
fn contents(lua: &mut Runtime) -> Vec<(Value, Vec<u8>)> {
    let store = &mut lua.context_mut().store;
    let mut names = Vec::new();
    store.names(&mut names).expect("names");
    let names = crate::value::decode_list(&names).expect("a list");
    let entries = |name: Value| {
        let Value::String(bytes) = &name else { panic!("{name:?} is a name") };
        let table = store.open(bytes).expect("is there");
        let mut entries = Vec::new();
        store.next(table, 0, usize::MAX, &mut entries).expect("entries");
        (name, entries)
    };
    names.into_iter().map(entries).collect()
}

/// Checks that a transaction is kept as a whole or leaves nothing, order included, whatever fails; also one
/// inside of another.
#[test]
fn transactions_are_all_or_nothing() {
    for refused in [1, 2, usize::MAX] {
        for keeps in [true, false] {
            for passed in 0.. {
                let mut lua = vm();
                let prepare =
                    "t, u = ext.table('t'), ext.table('u') for i = 1, 4 do t[i] = i u['k' .. i] = { i } end";
                eval(&mut lua, prepare).expect("runs");
                // Compiled ahead, and with what it prints: what fails is the transaction.
                let source = "function run(keep) ext.transaction(function() t[1] = nil ext.clear(u) u.new = { t } \
                     pcall(ext.transaction, function() t[1] = ('a'):rep(50) ext.drop('u') error({}) end) \
                     for k, v in pairs(t) do t[k] = { v } end ext.table('more').x = ('b'):rep(5000) \
                     setmetatable({}, { __gc = function() t.finalized = {} end }) \
                     table.insert(t, 1, 'first') table.sort(t, function() return false end) t.done = next(u) \
                     assert(keep, 'not kept') end) end";
                eval(&mut lua, source).expect("runs");
                let before = contents(&mut lua);
                lua.context().memory.fail_allocations(passed, refused);
                let ended = lua.call::<()>("run", keeps);
                let refused_any = lua.context().memory.reset_failures();
                let place = format!("{refused} refused after {passed}, {keeps}: {ended:?}");
                let after = contents(&mut lua);
                if ended.is_err() {
                    assert!(after == before, "{place}");
                } else {
                    assert!(after.len() == 3 && after != before, "{place}");
                }
                let done = eval(
                    &mut lua,
                    "return t.done, ext.transaction(function() t.again = 1 return t.again end)",
                )
                .expect(&place);
                assert_eq!(
                    done,
                    [if ended.is_ok() { "new".into() } else { Value::Nil }, 1.into()],
                    "{place}"
                );
                if !refused_any {
                    assert!(ended.is_ok() == keeps && passed > 10, "{place}");
                    break;
                }
            }
        }
    }
}

#[test]
fn one_allocation_fails() {
    every_allocation_fails(1);
}

#[test]
fn one_allocation_fails_for_good() {
    every_allocation_fails(2);
}

#[test]
fn every_allocation_from_one_on_fails() {
    every_allocation_fails(usize::MAX);
}
