//! Limits of time and fuel: nothing in a script gets past them, and the VM goes on afterwards.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Error, Runtime, Vm};
use std::time::{Duration, Instant};

fn vm() -> Runtime {
    Runtime::builder().build().expect("a VM")
}

/// Scripts that would not end, or would go on after their end. Each sets `went_on` if it gets past what ends it.
const ESCAPES: &[(&str, &str)] = &[
    ("a loop", "while true do end went_on = true"),
    ("repeat", "repeat until false"),
    ("goto", "::again:: goto again"),
    ("a numeric for", "for i = 1, math.huge do end"),
    ("a float for", "for i = 1, 2, 1e-300 do end"),
    ("a generic for", "for _ in function() return 1 end do end"),
    ("recursion by tail calls", "local function f() return f() end f()"),
    ("mutual tail calls", "local f, g function f() return g() end function g() return f() end f()"),
    ("pcall", "pcall(function() while true do end end) went_on = true"),
    ("pcall in a loop", "while true do pcall(function() while true do end end) went_on = true end"),
    ("pcall of pcall", "pcall(pcall, pcall, function() while true do end end) went_on = true"),
    ("xpcall", "xpcall(function() while true do end end, function() went_on = true return 1 end) went_on = true"),
    ("a handler that loops", "xpcall(error, function() while true do end end) went_on = true"),
    ("coroutine.wrap", "coroutine.wrap(function() while true do end end)() went_on = true"),
    ("coroutine.resume", "coroutine.resume(coroutine.create(function() while true do end end)) went_on = true"),
    ("coroutines in coroutines", "local function f(n) if n == 0 then while true do end end return coroutine.resume(coroutine.create(f), n - 1) end f(20) went_on = true"),
    ("coroutine.close", "local co = coroutine.create(function() local c <close> = setmetatable({}, { __close = function() while true do end end }) coroutine.yield() end) coroutine.resume(co) coroutine.close(co) went_on = true"),
    ("a coroutine that yields forever", "local f = coroutine.wrap(function() while true do coroutine.yield() end end) while true do f() end"),
    ("pcall in a coroutine that yields", "local co = coroutine.wrap(function() pcall(function() coroutine.yield() while true do end end) went_on = true end) co() co() went_on = true"),
    ("__close", "do local c <close> = setmetatable({}, { __close = function() while true do end end }) end went_on = true"),
    ("__close after a trip", "local c <close> = setmetatable({}, { __close = function() went_on = true end }) while true do end"),
    ("__gc", "setmetatable({}, { __gc = function() while true do end end }) collectgarbage() went_on = true"),
    ("__gc that resurrects", "local function again() setmetatable({}, { __gc = again }) end again() while true do collectgarbage() end"),
    ("__index", "local t t = setmetatable({}, { __index = function(_, k) while true do end end }) local x = t.x went_on = true"),
    ("__index that recurses through pcall", "local t t = setmetatable({}, { __index = function(_, k) return pcall(function() return t[k + 1] end) end }) while true do local x = t[1] end"),
    ("__tostring", "tostring(setmetatable({}, { __tostring = function() while true do end end })) went_on = true"),
    ("__eq, __lt, __concat", "local m = {} m.__lt = function() while true do end end local a = setmetatable({}, m) local x = a < a went_on = true"),
    ("__len of 2^53 and table.concat", "table.concat(setmetatable({}, { __len = function() return 2^53 // 1 | 0 end, __index = function() return '' end }))"),
    ("__len and table.insert", "table.insert(setmetatable({}, { __len = function() return 2^53 // 1 | 0 end }), 1, 1) went_on = true"),
    ("__len and table.remove", "table.remove(setmetatable({}, { __len = function() return 2^53 // 1 | 0 end }), 1) went_on = true"),
    ("table.move", "table.move({}, 1, 2^53 // 1 | 0, 2) went_on = true"),
    ("table.move backwards", "table.move(setmetatable({}, { __newindex = function() end }), 1, 2^53 // 1 | 0, 3) went_on = true"),
    ("sort", "local n = 0 table.sort(setmetatable({}, { __len = function() return 2^30 // 1 | 0 end, __index = function(_, i) return i end, __newindex = function() end })) went_on = true"),
    ("a comparison that loops", "table.sort({ 3, 2, 1 }, function() while true do end end) went_on = true"),
    ("pcall in a comparison", "table.sort({ 3, 2, 1 }, function() pcall(function() while true do end end) went_on = true return false end)"),
    ("gsub's callback", "('x'):gsub('x', function() while true do end end) went_on = true"),
    ("gsub's callback with pcall", "(('x'):rep(99)):gsub('x', function() pcall(function() while true do end end) end) went_on = true"),
    ("a pattern", "(('a'):rep(200000)):find('.-.-.-.-b$') went_on = true"),
    ("a pattern with captures", "(('a'):rep(30000)):find(('(.-)'):rep(10) .. 'b') went_on = true"),
    ("a pattern of optional items", "(('a'):rep(60)):find(('a?'):rep(60) .. ('a'):rep(60) .. 'b') went_on = true"),
    ("a balanced pattern", "(('('):rep(200000)):find('%b()') for i = 1, 1e9 do (('('):rep(200000)):find('%b()') end went_on = true"),
    ("a greedy pattern", "(('a'):rep(200000)):find('.*.*.*b') went_on = true"),
    ("gmatch", "for _ in (('a'):rep(100000)):gmatch('.-.-.-b') do end went_on = true"),
    ("gsub of everything", "(('a'):rep(100000)):gsub('.-.-b', '') went_on = true"),
    ("a plain search", "(('a'):rep(400000)):find(('a'):rep(200000) .. 'b', 1, true) for i = 1, 1e9 do (('a'):rep(400000)):find(('a'):rep(200000) .. 'b', 1, true) end"),
    ("string.rep of nothing", "string.rep('', 1 << 40) went_on = true"),
    ("string.rep with an empty separator", "string.rep('', 1 << 40, '') went_on = true"),
    ("long strings compared", "local a, b = ('a'):rep(400000), ('a'):rep(400000) .. 'b' while true do local x = a < b end"),
    ("long strings made", "local s = ('a'):rep(400000) while true do local x = s .. 'b' end"),
    ("upper", "local s = ('a'):rep(400000) while true do s:upper() end"),
    ("format", "local s = ('a'):rep(200000) while true do ('%s%s'):format(s, s) end"),
    ("utf8.len", "local s = ('a'):rep(400000) while true do utf8.len(s) end"),
    ("utf8.codes", "while true do for _ in utf8.codes('abc') do end end"),
    ("unpack", "while true do table.unpack({}, 1, 5000) end"),
    ("byte and char", "local s = ('a'):rep(4000) while true do string.char(s:byte(1, -1)) end"),
    ("tonumber", "local s = ('1'):rep(100000) while true do tonumber(s) end"),
    ("load", "while true do load('return 1') end"),
    ("load of much", "local s = 'return ' .. ('1+'):rep(100000) .. '1' while true do load(s) end"),
    ("load's reader", "load(function() while true do end end) went_on = true"),
    ("load's reader with pcall", "load(function() pcall(function() while true do end end) went_on = true return nil end) went_on = true"),
    ("require", "package.preload.x = function() while true do end end pcall(require, 'x') went_on = true"),
    ("a searcher", "table.insert(package.searchers, 1, function() while true do end end) pcall(require, 'x') went_on = true"),
    ("next in an emptied table", "local t = {} for i = 1, 30000 do t[i .. ''] = 1 end for k in pairs(t) do t[k] = nil end while true do next(t) end"),
    ("collectgarbage", "while true do collectgarbage() end"),
    ("collectgarbage by steps", "while true do collectgarbage('step', 100) end"),
    ("an external table", "local t = ext.table('t') while true do t.x = 1 end"),
    ("pairs of an external table that grows", "local t = ext.table('g') t[1] = 1 for k in pairs(t) do t[k + 1] = 1 if k > 5000 then t[k] = nil end end"),
    ("ext.transaction", "pcall(ext.transaction, function() while true do end end) went_on = true"),
    ("io.write", "while true do io.write('') end"),
    ("print with a __tostring", "print(setmetatable({}, { __tostring = function() while true do end end })) went_on = true"),
    ("error in a loop", "while true do pcall(error, 'x') end"),
    ("error with a value that loops", "error(setmetatable({}, { __tostring = function() while true do end end }))"),
    ("json", "local json = require 'json' local t = {} for i = 1, 2000 do t[i] = i end while true do json.decode(json.encode(t)) end"),
    ("json over __pairs", "local json = require('json') while true do pcall(json.encode, setmetatable({}, { __pairs = function() return function() return {}, 1 end end })) end"),
    ("base64", "local b = require 'base64' local s = ('x'):rep(300000) while true do b.encode(s) end"),
    ("select", "while true do select('#', table.unpack({}, 1, 5000)) end"),
    ("os.date", "while true do os.date(('%c'):rep(1000)) end"),
    ("string.pack", "while true do string.pack('s4', ('x'):rep(100000)) end"),
    ("math.random", "while true do math.random(1, 10) end"),
    ("async.all without a task", "while true do pcall(async.all, function() while true do end end) end"),
    ("debug.traceback", "while true do debug.traceback() end"),
    ("assert with a message", "while true do pcall(assert, false, ('x'):rep(100000)) end"),
    ("metatable chain", "local t = {} for i = 1, 1000 do t = setmetatable({}, { __index = t }) end while true do local x = t.x end"),
    ("a table that grows and shrinks", "local t = {} while true do for i = 1, 1000 do t[i] = i end for i = 1000, 1, -1 do t[i] = nil end end"),
];

/// The limit, and when a script has certainly not been ended by it. How much later it ends is measured by the lab, not here.
const LIMIT: Duration = Duration::from_millis(30);
const FAR_TOO_LATE: Duration = Duration::from_secs(2);

#[test]
fn time_ends_every_script() {
    for (name, script) in ESCAPES {
        let mut lua = vm();
        lua.limit_next(Some(LIMIT), None);
        let start = Instant::now();
        let ended = lua.eval(script);
        let took = start.elapsed();
        assert!(took < FAR_TOO_LATE, "{name}: {took:?}");
        match ended {
            Err(error) => assert_eq!(error.code(), "timeout", "{name}: {error}"),
            // Some are only slow, and end by themselves on a fast machine.
            Ok(_) => assert!(took < 2 * LIMIT, "{name} was not ended"),
        }
        assert_eq!(lua.eval("return went_on").expect("lives").values, [perilune::Value::Nil], "{name} went on");
        assert_eq!(lua.eval("return 1").expect("lives").values, [1.into()], "{name}");
    }
}

#[test]
fn fuel_ends_every_script_with_the_same_count() {
    for (name, script) in ESCAPES {
        let used: Vec<u64> = (0..2)
            .map(|_| {
                let mut lua = vm();
                lua.limit_next(Some(Duration::from_secs(20)), Some(200_000));
                match lua.eval(script) {
                    Err(error) => {
                        assert_eq!(error.code(), "timeout", "{name}: {error}");
                        assert_eq!(error.lua().expect("told").value, "fuel".into(), "{name}");
                    }
                    Ok(_) => assert!(lua.fuel_used() <= 200_000, "{name}"),
                }
                let used = lua.fuel_used();
                assert_eq!(lua.eval("return went_on").expect("lives").values, [perilune::Value::Nil], "{name} went on");
                used
            })
            .collect();
        assert_eq!(used[0], used[1], "{name}");
    }
}

#[test]
fn an_end_says_why_and_where() {
    let mut lua = vm();
    lua.set_limits(Some(Duration::from_millis(20)), None);
    let error = lua.eval("local function spin()\n  while true do end\nend\nspin()").expect_err("never ends");
    let told = error.lua().expect("of Lua");
    assert_eq!(told.message, "eval:2: timed out after 20 ms");
    assert_eq!((told.chunk.as_deref(), told.line), (Some("eval"), Some(2)));
    assert!(told.traceback.as_deref().is_some_and(|text| text.contains("'spin'")), "{told:?}");
    assert_eq!(told.value, "timeout".into());
    lua.set_limits(None, Some(1000));
    let error = lua.eval("for i = 1, 1e9 do end").expect_err("too long");
    assert_eq!(error.to_string(), "eval:1: out of fuel after 1000 ticks");
}

#[test]
fn an_interrupt_from_another_thread_ends_the_call() {
    let mut lua = vm();
    let interrupt = lua.interrupter();
    let other = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(30));
        interrupt.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let error = lua.eval("while true do pcall(function() while true do end end) end").expect_err("never ends");
    assert_eq!(error.code(), "interrupt");
    other.join().expect("ends");
    assert_eq!(lua.eval("return 1").expect("lives").values, [1.into()]);
}

#[test]
fn a_call_inside_a_host_function_ends_with_the_one_around_it() {
    let mut lua = vm();
    lua.register("swallow", |vm: &mut Vm, source: String| {
        // Whatever becomes of it.
        let ended = vm.eval(source).is_err();
        Ok::<_, Error>(ended)
    })
    .expect("registers");
    lua.limit_next(None, Some(50_000));
    let error = lua.eval("swallow('while true do end') went_on = true while true do end").expect_err("has an end");
    assert_eq!(error.code(), "timeout");
    assert_eq!(lua.eval("return went_on").expect("lives").values, [perilune::Value::Nil]);
}

#[test]
fn a_call_inside_may_have_less() {
    let mut lua = vm();
    lua.register("try", |vm: &mut Vm, source: String| {
        vm.limit_next(None, Some(1000));
        Ok::<_, Error>(vm.eval(source).map_err(|error| error.to_string()).err())
    })
    .expect("registers");
    let reply = lua.eval("return try('while true do end'), try('return 1'), 'on'").expect("the outer one has no limit");
    assert_eq!(reply.values[1..], [perilune::Value::Nil, "on".into()]);
}

#[test]
fn ten_thousand_ends_leave_memory_as_it_was() {
    let mut lua = vm();
    lua.set_limits(None, Some(500));
    let mut after = Vec::new();
    for round in 0..10_000 {
        let error = lua.eval("local co = coroutine.wrap(function() pcall(function() while true do end end) end) co()");
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
