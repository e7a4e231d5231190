//! Test of yields and errors that return (lua-5.4/port/leave.h): random programs of protected calls,
//! coroutines, closing variables, metamethods and callbacks do what they do where everything is thrown, as
//! in C Lua itself. The same output in the same order, the same errors with the same tracebacks, the same
//! fuel to the tick, also where a limit ends them.
#![cfg(not(target_arch = "wasm32"))]

use perilune::limits::MEMORY_MIN_BYTES;
use perilune::{Error, Limits, Runtime, Value};
use proptest::prelude::*;
use recorder::Recorder;
use std::cell::RefCell;
use std::ffi::c_int;
use std::fmt::Write as _;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

#[path = "support/recorder.rs"]
mod recorder;

unsafe extern "C" {
    // lua-5.4/port/ldo_port.c, for the thread of the process that calls it.
    safe fn perilune_throw_always(whether: c_int);
}

/// The beginning of every program: it tells values without their addresses, and knows the shapes of errors.
const PRELUDE: &str = r#"
local function show(v)
  if type(v) == "table" then return rawget(v, "name") or "table" end
  if type(v) == "string" or type(v) == "number" or type(v) == "boolean" then return tostring(v) end
  return type(v)
end
local function log(...)
  local t = table.pack(...)
  for i = 1, t.n do t[i] = show(t[i]) end
  print(table.concat(t, " "))
end
local budget = 400
local function spent() budget = budget - 1 return budget < 0 end
local function closer(name, method)
  return setmetatable({ name = name }, { __close = function(_, e) log("close", name, e) method(e) end })
end
local thing = { name = "thing" }
local function nothing() end
local function handler(m) log("handler", m) return m end
local function tracer(m) return debug.traceback(show(m), 1) end
local function count(f)
  local n = 0
  local function deeper() n = n + 1 return f(deeper) end
  local ok, e = pcall(deeper)
  log("deep", n > 10, ok, e)
end
"#;

/// Programs from a tape of choices, which proptest can make shorter. Where it ends, statements are simple.
struct Writer<'a> {
    tape: std::slice::Iter<'a, u8>,
    text: String,
    labels: u32,
}

const SIMPLE: &[&str] = &[
    "error('plain')",
    "error('zero', 0)",
    "error('two', 2)",
    "error('three', 3)",
    "error(thing)",
    "error(nil)",
    "error(setmetatable({}, { __tostring = function() return 'text' end }))",
    "error(42)",
    "error()",
    "assert(false)",
    "assert(nil, 'asserted')",
    "assert(false, thing)",
    "assert()",
    "log(assert(1, 2, 3))",
    "local x = nil; log(x.y)",
    "local x = nil; x.y = 1",
    "local x = nil; x.y.z = 1",
    "local x = nil; x:y()",
    "log(undefined.field)",
    "undefined.field = 1",
    "log(thing.a.b)",
    "log(#(nil))",
    "local x; log(#x)",
    "local x; log(x + 1)",
    "log({} + 1)",
    "log(1 + {})",
    "log(-{})",
    "log(2 ^ {})",
    "log('a' + 1)",
    "log(1 & 1.5)",
    "log(1 | {})",
    "log(~'x')",
    "log(1 // 0)",
    "log(1 % 0)",
    "log('a' .. {})",
    "local x; log('a' .. x .. 'b')",
    "log(1 < 'x')",
    "log({} < {})",
    "log({} <= 1)",
    "log(nil > 1)",
    "if thing < 1 then log('less') end",
    "while not (thing >= 1.5) do log('never') end",
    "undefined()",
    "log(undefined())",
    "local x = 5; x()",
    "thing.missing()",
    "thing:missing(1)",
    "do return undefined() end",
    "do return thing.missing(1) end",
    "for i = 1, {} do log(i) end",
    "for i = 1, 2, 0 do log(i) end",
    "for k in nil do log(k) end",
    "for k in pairs(nil) do log(k) end",
    "local c <close> = 5",
    "('x'):rep(-1, {})",
    "('x'):bad()",
    "string.rep()",
    "setmetatable(1)",
    "tonumber({}, 99)",
    "ipairs()",
    "log(select(0))",
    "log(string.format('%d', 'x'))",
    "table.concat({ {} })",
    "table.unpack({}, 1, 1e7)",
    "log(pcall(error, 'direct'))",
    "log(pcall(error, thing))",
    "log(pcall(error))",
    "log(pcall(pcall, error, 'inner'))",
    "log(pcall(pcall))",
    "log(pcall(pcall, pcall, pcall, nothing))",
    "log(pcall(xpcall, error, handler, 'x'))",
    "log(pcall(assert, false, 'm'))",
    "log(pcall(assert, 1, 2))",
    "log(pcall(nil))",
    "log(pcall())",
    "log(pcall(string.rep, 'x', 3))",
    "log(pcall(string.rep))",
    "log(pcall(select, '#', 1, 2))",
    "log((pcall(nothing)))",
    "log(select('#', pcall(nothing)))",
    "local a, b, c = pcall(function() return 1, 2 end); log(a, b, c)",
    "log(pcall(setmetatable({}, { __call = function(_, x) return x, 'called' end }), 7))",
    "log(pcall(setmetatable({}, { __call = function(_, x) error('called', 2) end }), 7))",
    "log(pcall(setmetatable({}, { __call = 5 }), 7))",
    "log(xpcall(error, handler, 'direct'))",
    "log(xpcall(nil, handler))",
    "log(xpcall(nothing))",
    "log(xpcall(nothing, nil))",
    "log(xpcall(string.rep, handler, 'x', 2))",
    "log(xpcall(string.rep, tracer))",
    "log(xpcall(error, error, 'x'))",
    "log(xpcall(error, function(m) error(m) end, 'again'))",
    "log(xpcall(error, pcall, 'x'))",
    "log(xpcall(function() local x = nil; return x.y end, tracer))",
    "log(xpcall(function() undefined() end, tracer))",
    "log(xpcall(function() return undefined() end, tracer))",
    "log(xpcall(function() error('traced') end, tracer))",
    "log(pcall(coroutine.yield, 'yielded'))",
    "log(coroutine.yield('value', 2))",
    "log(coroutine.yield())",
    "if coroutine.isyieldable() then log(coroutine.yield('may')) end",
    "do return coroutine.yield('tail') end",
    "do return pcall(nothing) end",
    "do return pcall(error, 'tail') end",
    "do return error('tail error') end",
    "do return assert(false, 'tail assert') end",
    "do return pcall(string.rep, 'x', 2) end",
    "do return xpcall(error, tracer, 'tail x') end",
    "log(coroutine.wrap(error)('in wrap'))",
    "log(coroutine.wrap(pcall)(error, 'in wrapped pcall'))",
    "log(coroutine.resume(coroutine.create(pcall), error, 'x'))",
    "log(coroutine.resume(coroutine.create(coroutine.yield), 1, 2))",
    "local w = coroutine.wrap(pcall); log(w(coroutine.yield, 1)); log(w(2))",
    "local w = coroutine.wrap(function(...) return pcall(coroutine.yield, ...) end); log(w(1)); log(w(2, 3))",
    "log(coroutine.close(coroutine.create(nothing)))",
    "log(coroutine.running() ~= nil, coroutine.isyieldable())",
    "log(load('return +'))",
    "log(pcall(load, function() error('reader') end))",
    "log(debug.traceback('here'))",
    "log(xpcall(error, handler, 'not enough memory'))",
    "log(xpcall(error, handler, 'not enough memory', 0))",
    "log(xpcall(function() error('not enough memory', 0) end, handler))",
    "count(function(f) return f() + 1 end)",
    "count(function(f) local ok, e = pcall(f); return ok and e or 0 end)",
    "count(function(f) return pcall(f) end)",
    "count(function(f) return (select(2, pcall(f))) end)",
    "count(function(f) local ok, e = xpcall(f, handler); error(e, 0) end)",
    "count(function(f) return coroutine.wrap(f)() end)",
    "count(function(f) return (('x'):gsub('x', f)) end)",
    "collectgarbage()",
    "setmetatable({}, { __gc = function() log('gc', pcall(error, 'in gc')) error('gc') end })",
    "once()",
    "log(pcall(once))",
    "log(pcall(fails))",
    "fails()",
    "log(pcall(refuses))",
    "refuses()",
    "log(now())",
    "async.all(once, function() log('all') once() end)",
    "log(pcall(async.all, once, function() once() error('in all') end))",
    "log(ext.transaction(function() error('in transaction') end))",
    "log(pcall(ext.transaction, function() local ok = pcall(error, 1); error('after') end))",
];

/// Statements around blocks; `@` is a block, `$` a number of its own.
const NESTED: &[&str] = &[
    "log('pcall$', pcall(function(...) @ return 'ok', ... end, $, 2))",
    "local ok, e = pcall(function() @ end) log('result$', ok, e)",
    "pcall(function() @ end)",
    "local a, b, c = pcall(function() @ return $ end) log(a, b, c)",
    "log('tail$', (function() return pcall(function() @ return 1, 2 end) end)())",
    "log('tails$', pcall(function() return pcall(function() return pcall(function() @ end) end) end))",
    "log('f$', (function() @ return $ end)())",
    "log(pcall(function() local function g() @ return 'g' end return g() end))",
    "log('xpcall$', xpcall(function(...) @ return ... end, handler, $))",
    "log('traced$', xpcall(function() @ end, tracer))",
    "log('xtail$', (function() return xpcall(function() @ return $ end, handler) end)())",
    "log('handled$', xpcall(function() @ end, function(m) @ return 'handled' end))",
    "log(xpcall(function() @ end, function(m) log(pcall(function() @ end)) return m end))",
    "do local c <close> = closer('c$', function() @ end) @ end",
    "do local a <close> = closer('a$', function() @ end) local b <close> = closer('b$', nothing) @ end",
    "log('closed$', pcall(function() local c <close> = closer('p$', function() @ end) @ return $ end))",
    "log(pcall(function() local c <close> = closer('t$', function() @ end) return pcall(function() @ end) end))",
    "for i = 1, 2 do @ log('i', i) end",
    "while true do @ break end",
    "for k in pairs({ 1, 2 }) do @ end",
    "for v in (function(_, v) if not v then return $ elseif v < $ + 2 then @ return v + 1 end end) do if v > $ + 5 then break end @ end",
    "do local n = 0 for v in function() n = n + 1 if n < 3 then @ return n end end, nil, nil, closer('for$', function() @ end) do @ end end",
    "do local w = coroutine.wrap(function(...) @ return ... end) log('wrap$', w(1)) log('wrap again$', w(2)) end",
    "log('wrapped$', pcall(coroutine.wrap(function() @ return $ end)))",
    "for v in coroutine.wrap(function() @ coroutine.yield($) @ end) do log('for$', v) if spent() then break end end",
    "do local co = coroutine.create(function(...) @ return ... end) for i = 1, 3 do log('resume$', coroutine.resume(co, i)) end log(coroutine.status(co), coroutine.close(co)) end",
    "do local co = coroutine.create(function() local c <close> = closer('co$', function() @ end) @ end) log(coroutine.resume(co)) log('close$', coroutine.close(co)) end",
    "do local co co = coroutine.create(function() @ log(coroutine.close(co)) end) log('self$', coroutine.resume(co)) end",
    "do local co = coroutine.wrap(function() local ok, e = pcall(function() @ coroutine.yield($) @ end) log('inside$', ok, e) return 'end' end) log(co()) log(co()) log(co()) end",
    "log(setmetatable({}, { __index = function(_, k) @ return k end }).x)",
    "setmetatable({}, { __newindex = function(_, k) @ end }).x = 1",
    "log(setmetatable({}, { __add = function() @ return 'sum' end }) + 1)",
    "log('c' .. setmetatable({}, { __concat = function() @ return 'cat' end }) .. 'd')",
    "log(setmetatable({}, { __lt = function() @ return true end }) < 1)",
    "log(setmetatable({}, { __eq = function() @ return true end }) == setmetatable({}, {}))",
    "log(#setmetatable({}, { __len = function() @ return $ end }))",
    "log(setmetatable({}, { __call = function(_, x) @ return x end })($))",
    "log(tostring(setmetatable({}, { __tostring = function() @ return 'str' end })))",
    "log(pcall(setmetatable({}, { __call = function(_, x) @ return x end }), $))",
    "do local t = { 3, 1, 2 } table.sort(t, function(a, b) @ return a < b end) log('sorted$', t[1], t[3]) end",
    "log(('ab'):gsub('.', function(c) @ return c:upper() end))",
    "log(pcall(string.gsub, 'ab', '.', function(c) @ end))",
    "log(load(function() @ return nil end))",
    "if coroutine.isyieldable() then @ else @ end",
    "async.all(function() @ end, function() @ end)",
    "log(pcall(async.race, function() @ end, function() @ return 'race' end))",
    "log(pcall(ext.transaction, function() @ return $ end))",
    "setmetatable({}, { __gc = function() @ log('gc$') end }) collectgarbage()",
    "log(call(function() @ return $ end))",
    "log(pcall(call, function() @ end))",
];

impl Writer<'_> {
    fn choice(&mut self, most: usize) -> Option<usize> {
        self.tape.next().map(|&byte| usize::from(byte) % most)
    }

    fn block(&mut self, depth: usize) {
        let statements = 1 + self.choice(3).unwrap_or(0);
        for _ in 0..statements {
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: usize) {
        self.labels += 1;
        let label = self.labels;
        let nested = if depth < 7 { self.choice(5).is_some_and(|n| n > 1) } else { false };
        if nested {
            let Some(which) = self.choice(NESTED.len()) else { return };
            self.text.push_str("if not spent() then ");
            for piece in NESTED[which].split_inclusive(['@', '$']) {
                let (text, mark) = piece.split_at(piece.len() - usize::from(piece.ends_with(['@', '$'])));
                self.text.push_str(text);
                match mark {
                    "@" => self.block(depth + 1),
                    "$" => write!(self.text, "{label}").expect("a String takes all"),
                    _ => {}
                }
            }
            self.text.push_str(" end\n");
        } else {
            // Half of them only log.
            match self.choice(2 * SIMPLE.len()) {
                Some(which) if which < SIMPLE.len() => {
                    writeln!(self.text, "if not spent() then {} end", SIMPLE[which])
                }
                _ => writeln!(self.text, "log('at', {label})"),
            }
            .expect("a String takes all");
        }
    }
}

fn program(tape: &[u8]) -> String {
    let mut writer = Writer { tape: tape.iter(), text: PRELUDE.to_owned(), labels: 0 };
    while !writer.tape.as_slice().is_empty() {
        writer.statement(0);
    }
    writer.text
}

#[derive(Default)]
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// All that a program does: what it writes, how it ends, the fuel, and whether the VM is usable afterwards.
#[derive(Debug, PartialEq)]
struct Run {
    output: String,
    end: Result<Vec<Value>, String>,
    fuel: u64,
    after: String,
}

#[derive(Debug, Clone, Copy)]
struct Way {
    is_task: bool,
    fuel: Option<u64>,
    memory: Option<usize>,
}

fn run(source: &str, way: Way, throws: bool) -> Run {
    perilune_throw_always(c_int::from(throws));
    let output = Rc::new(RefCell::new(Vec::new()));
    let mut limits = Limits::default();
    limits.memory_bytes = way.memory.unwrap_or(limits.memory_bytes);
    let mut lua = Runtime::builder().host(Recorder(Rc::clone(&output))).limits(limits).build().expect("a VM");
    lua.register_async("once", |(): ()| async {
        Once::default().await;
        Ok::<_, Error>(())
    })
    .expect("registered");
    lua.register_async("fails", |(): ()| async {
        Once::default().await;
        Err::<(), _>("failed")
    })
    .expect("registered");
    lua.register("refuses", |_, (): ()| Err::<(), _>("refused")).expect("registered");
    lua.register("now", |_, (): ()| Ok::<_, Error>(1)).expect("registered");
    lua.eval("function call(f) return f() end").expect("defined");
    lua.limit_next(None, Some(way.fuel.unwrap_or(3_000_000)));
    let reply = if way.is_task {
        let mut future = pin!(lua.eval_async(source));
        loop {
            if let Poll::Ready(reply) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break reply;
            }
        }
    } else {
        lua.eval(source)
    };
    let fuel = lua.fuel_used();
    let end = match reply {
        Ok(reply) => Ok(reply.values),
        Err(error) => Err(format!("{error}\n{:?}", error.lua().and_then(|lua| lua.traceback.clone()))),
    };
    let after = format!("{:?}", lua.eval("return pcall(error, 'alive')").map(|reply| reply.values));
    drop(lua);
    perilune_throw_always(0);
    let output = String::from_utf8_lossy(&output.borrow()).into_owned();
    Run { output, end, fuel, after }
}

fn same(source: &str, way: Way) -> Result<(), TestCaseError> {
    let (thrown, returned) = (run(source, way, true), run(source, way, false));
    prop_assert_eq!(&thrown, &returned, "{:?} of\n{}", way, source);
    Ok(())
}

/// Number of programs: a few seconds of them, or what `PERILUNE_LEAVING` says.
fn cases() -> u32 {
    std::env::var("PERILUNE_LEAVING").ok().and_then(|text| text.parse().ok()).unwrap_or(1500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_returns_is_what_is_thrown(
        tape in prop::collection::vec(any::<u8>(), 4..160),
        is_task: bool,
        fuel in 1..20_000_u64,
        memory in 0..200_000_usize,
    ) {
        let source = program(&tape);
        same(&source, Way { is_task, fuel: None, memory: None })?;
        same(&source, Way { is_task, fuel: Some(fuel), memory: None })?;
        same(&source, Way { is_task, fuel: None, memory: Some(MEMORY_MIN_BYTES + memory) })?;
    }
}

/// Each statement alone, at the top, in a protected call, in a coroutine and in a callback of C.
#[test]
fn every_statement_in_every_place() {
    for statement in SIMPLE.iter().copied().chain(NESTED.iter().copied()) {
        for inner in
            ["error('inner')", "coroutine.yield('inner')", "log('inner')", "local x; x.y = 1", "fails()"]
        {
            if !statement.contains('@') && inner != "error('inner')" {
                continue;
            }
            let statement =
                statement.replace('@', &format!(" if not spent() then {inner} end ")).replace('$', "1");
            for place in [
                "@",
                "pcall(function() @ end) log('after')",
                "log(pcall(function() local c <close> = closer('c', nothing) @ end))",
                "local w = coroutine.wrap(function() @ return 'end' end) log(w()) log(w())",
                "local w = coroutine.wrap(function() log(pcall(function() @ end)) end) log(w()) log(w())",
                "log(pcall(string.gsub, 'a', '.', function() log(pcall(function() @ end)) @ end))",
                "log((function() return pcall(function() @ end) end)())",
            ] {
                let source = format!("{PRELUDE}{}", place.replace('@', &format!(" do {statement} end ")));
                for is_task in [false, true] {
                    same(&source, Way { is_task, fuel: None, memory: None }).expect("the same");
                }
            }
        }
    }
}
