//! Tests of the limits of calls that wait: each holds for the whole call, however it waits, and the executor
//! has its turns meanwhile.
#![cfg(not(target_arch = "wasm32"))]

#[path = "support/counted_clock.rs"]
mod counted_clock;

use counted_clock::CountedClock;
use perilune::{Error, Runtime, Value};
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A future that is ready at the second poll.
#[derive(Default)]
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Every way to wait, in programs without end.
const WAYS: [(&str, &str); 7] = [
    ("ready at once", "while true do ready() end"),
    ("ready at the second poll", "while true do once() end"),
    ("an error that is caught", "while true do pcall(fails) end"),
    ("async.all of nothing", "while true do async.all() end"),
    ("async.all", "while true do async.all(function() end, once) end"),
    ("async.all that never ends", "local function f() while true do once() end end async.all(f, f)"),
    ("async.race", "while true do async.race(ready, once) end"),
];

fn vm() -> Runtime {
    let mut lua = Runtime::builder().host(CountedClock::default()).build().expect("a VM");
    lua.register_async("ready", |(): ()| async { Ok::<_, Error>(()) }).expect("registered");
    lua.register_async("once", |(): ()| async {
        Once::default().await;
        Ok::<_, Error>(())
    })
    .expect("registered");
    lua.register_async("fails", |(): ()| async { Err::<(), _>("no") }).expect("registered");
    lua
}

/// Polls until it ends; how often that was, and the error.
fn ends(future: impl Future<Output = perilune::Result<perilune::Reply>>) -> (u32, Error) {
    let mut future = pin!(future);
    for polls in 1..1_000_000 {
        if let Poll::Ready(reply) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return (polls, reply.expect_err("it has no end of its own"));
        }
    }
    panic!("it does not end");
}

#[test]
fn every_limit_ends_a_call_however_it_waits() {
    for (name, source) in WAYS {
        for (timeout, fuel, word) in
            [(Some(Duration::from_secs(5)), None, "timeout"), (None, Some(50_000), "fuel")]
        {
            for usual in [true, false] {
                let mut lua = vm();
                if usual {
                    lua.set_limits(timeout, fuel);
                } else {
                    lua.limit_next(timeout, fuel);
                }
                let (polls, error) = ends(lua.eval_async(source));
                assert_eq!(error.code(), "timeout", "{name}: {error}");
                assert_eq!(error.lua().expect("from Lua").value, word.into(), "{name}");
                assert!(polls > 1, "{name}: the executor had no turn");
                lua.set_limits(None, None);
                assert_eq!(lua.eval("return 1").expect("lives").values, [Value::from(1)], "{name}");
            }
        }
    }
}

#[test]
fn fuel_is_the_sum_of_all_runs() {
    let source = "for i = 1, 200 do once() end";
    let mut fuel = 200;
    let exact = loop {
        let mut lua = vm();
        lua.limit_next(None, Some(fuel));
        let mut future = pin!(lua.eval_async(source));
        let reply = loop {
            if let Poll::Ready(reply) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break reply;
            }
        };
        if reply.is_ok() {
            break fuel;
        }
        fuel += 1;
    };
    assert!(exact > 400, "each round is a step and a call: {exact}");
}

#[test]
fn waiting_is_not_counted_and_messages_name_the_whole_limit() {
    let mut lua = vm();
    let waited = Rc::new(Cell::new(0));
    let polls = Rc::clone(&waited);
    lua.register_async("long", move |(): ()| {
        let polls = Rc::clone(&polls);
        std::future::poll_fn(move |_| {
            polls.set(polls.get() + 1);
            if polls.get() > 10_000 { Poll::Ready(Ok::<_, Error>(())) } else { Poll::Pending }
        })
    })
    .expect("registered");
    lua.set_limits(Some(Duration::from_millis(100)), None);
    let (_, error) = ends(lua.eval_async("long() while true do ready() end"));
    assert!(waited.get() > 10_000);
    assert_eq!(error.lua().expect("from Lua").message, "eval:1: timed out after 100 ms");
}

#[test]
fn closing_has_one_budget_for_all_that_a_call_has_open() {
    let source = "local function f()
            local c <close> = setmetatable({}, { __close = function() for i = 1, 1000 do end closed = closed + 1 end })
            never()
        end
        closed = 0
        local fs = {} for i = 1, 100 do fs[i] = f end
        fs[101] = function() while true do end end
        async.all(fs)";
    let vm = || {
        let mut lua = vm();
        lua.register_async("never", |(): ()| std::future::pending::<Result<(), Error>>())
            .expect("registered");
        lua
    };
    let closed = |lua: &mut Runtime| match lua.eval("return closed").expect("runs").values[0] {
        Value::Integer(count) => count,
        ref other => panic!("{other:?}"),
    };

    // Each takes a thousand ticks, and all together have as much as the call.
    let mut lua = vm();
    lua.limit_next(None, Some(40_000));
    let (_, error) = ends(lua.eval_async(source));
    assert_eq!(error.code(), "timeout");
    assert!((20..42).contains(&closed(&mut lua)), "{} were closed", closed(&mut lua));

    // The same of a call that was dropped, at the next call.
    let mut lua = vm();
    lua.set_limits(None, Some(40_000));
    let mut task = lua.start_eval(source.replace("while true do end", "never()"), "task");
    assert!(task.poll(&mut lua, &mut Context::from_waker(Waker::noop())).is_pending());
    drop(task);
    lua.limit_next(None, Some(10));
    assert_eq!(lua.eval("return 1").expect("has its own limits").values, [Value::from(1)]);
    assert!((20..42).contains(&closed(&mut lua)), "{} were closed", closed(&mut lua));
}

/// Errors of closing methods, in every way that a call can end: what `eval` says, `eval_async` says too.
#[test]
fn errors_of_closing_methods_are_those_of_eval() {
    const CLOSERS: [&str; 4] = [
        "function(_, e) log[#log + 1] = tostring(e) end",
        "function(_, e) log[#log + 1] = tostring(e) error('closing', 0) end",
        "function(_, e) log[#log + 1] = tostring(e) error({ code = 7 }) end",
        "function(_, e) log[#log + 1] = tostring(e) local _ <close> = setmetatable({}, { __close = function(_, e)
            log[#log + 1] = tostring(e) error('inner', 0) end }) error('closing') end",
    ];
    const ENDS: [&str; 6] = [
        "return 1",
        "error('first', 0)",
        "error('first')",
        "error({})",
        "local t = nil; t.x = 1",
        "coroutine.wrap(function() error('first', 0) end)()",
    ];
    let mut pairs = 0;
    for first in CLOSERS {
        for second in CLOSERS {
            for end in ENDS {
                let source = format!(
                    "log = {{}}
                    local a <close> = setmetatable({{}}, {{ __close = {first} }})
                    local b <close> = setmetatable({{}}, {{ __close = {second} }})
                    {end}"
                );
                let mut lua = vm();
                let outcome = |lua: &mut Runtime, reply: perilune::Result<perilune::Reply>| {
                    let told = match reply {
                        Ok(reply) => format!("{:?}", reply.values),
                        Err(error) => {
                            let of_lua = error.lua().expect("from Lua");
                            let value = match &of_lua.value {
                                Value::Table(_) => "a table".to_owned(),
                                other => format!("{other:?}"),
                            };
                            format!("{}: {} {value} {:?}", error.code(), of_lua.message, of_lua.line)
                        }
                    };
                    let log = lua.eval("return table.concat(log, ' ')").expect("runs").values;
                    // Addresses differ.
                    let log = format!("{log:?}")
                        .split("table: ")
                        .map(|part| part.trim_start_matches("0x"))
                        .collect::<Vec<_>>()
                        .join("table ");
                    let log: String = log.chars().filter(|c| !c.is_ascii_hexdigit()).collect();
                    (told, log)
                };
                let reply = lua.eval(&source);
                let expected = outcome(&mut lua, reply);
                let mut future = Box::pin(lua.eval_async(&source));
                let reply = loop {
                    if let Poll::Ready(reply) = future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
                    {
                        break reply;
                    }
                };
                drop(future);
                let found = outcome(&mut lua, reply);
                assert_eq!(found.1, expected.1, "{source}");
                // Where a call waits the place of an error without one in its message is not known any more.
                let known = |told: &str| told.rsplit_once(' ').map(|(told, _)| told.to_owned());
                assert_eq!(known(&found.0), known(&expected.0), "{source}");
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 96);
}

/// Tells what a VM makes of a program: outcome and log, without addresses, and without the line, which is not
/// always known where a call waits.
fn told(lua: &mut Runtime, reply: perilune::Result<perilune::Reply>) -> String {
    let told = match reply {
        Ok(reply) => format!("{:?}", reply.values),
        Err(error) => {
            let value = match error.lua().map(|of_lua| &of_lua.value) {
                Some(Value::Table(_)) => "a table".to_owned(),
                other => format!("{other:?}"),
            };
            format!("{}: {error} {value}", error.code())
        }
    };
    format!("{told} {:?}", lua.eval("return table.concat(log, ' ')").expect("runs").values)
}

fn poll_to_end<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..100_000 {
        if let Poll::Ready(ended) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return ended;
        }
    }
    panic!("it does not end");
}

/// Bodies of closing methods: `say` writes into the log, `once` waits.
const CLOSINGS: [&str; 10] = [
    "say(n, e)",
    "say(n, e) error('closing ' .. n, 0)",
    "say(n, e) once() say(n, 'waited')",
    "say(n, e) once() error('waited ' .. n)",
    "once() once() error({})",
    "say(n, pcall(function() once() error(e, 0) end))",
    "local _ <close> = closer('inner ' .. n, function(n, e) say(n, e) once() error(n, 0) end) once() say(n, e)",
    "say(pcall(coroutine.yield, 1)) say(coroutine.isyieldable(), select(2, coroutine.running())) once() say(n, e)",
    "say(pcall(function() once() error(e, 0) end)) say(coroutine.wrap(function() once() return n end)()) error(e, 0)",
    "local co = suspended(function(n, e) say(n, e) once() error(n, 0) end) say(coroutine.close(co))
        say(coroutine.status(co)) once() say(n, e)",
];

/// Ways to leave the block that has two variables to close.
const EXITS: [&str; 6] = [
    "return 'returned'",
    "error('first', 0)",
    "once() error({})",
    "once() local t = nil; t.x = 1",
    "coroutine.wrap(function() once() error('first', 0) end)()",
    "break",
];

/// Places of the block, `body`.
const PLACES: [&str; 10] = [
    "return body()",
    "return pcall(body)",
    "return xpcall(body, function(e) return 'handled ' .. type(e) end)",
    "return coroutine.wrap(body)()",
    "return pcall(coroutine.wrap(body))",
    "local co = coroutine.create(body) say(coroutine.resume(co)) say(coroutine.status(co))
        say(coroutine.close(co)) say(coroutine.status(co), coroutine.close(co))",
    "local co = coroutine.create(function() return coroutine.wrap(body)() end) say(coroutine.resume(co))
        return coroutine.close(co)",
    "local c <close> = closer('outer', function(n, e) say(n, e) once() end) return body()",
    "for _ in coroutine.wrap(body), nil, nil, closer('loop', function(n, e) once() say(n, e) end) do break end",
    "return (setmetatable({}, { __index = function() return body() end })).x",
];

/// The two variables of the block stay open in a coroutine that has yielded, and that is closed.
const SUSPENDED: [&str; 4] = [
    "local co = coroutine.create(body) coroutine.resume(co) return coroutine.close(co)",
    "local co = coroutine.create(body) coroutine.resume(co)
        return coroutine.wrap(function() say(coroutine.close(co)) once() return coroutine.status(co) end)()",
    "local co = coroutine.create(body) coroutine.resume(co)
        local _ <close> = closer('last', function(n, e) say(n, e) say(coroutine.close(co)) end) error('first', 0)",
    "local co = coroutine.create(body) coroutine.resume(co)
        local t = setmetatable({}, { __close = function() return coroutine.close(co) end })
        do local _ <close> = t end return coroutine.status(co), coroutine.close(co)",
];

fn closing_program(place: &str, first: &str, second: &str, exit: &str) -> String {
    format!(
        "log = {{}}
        local function say(...)
            for i = 1, select('#', ...) do
                local value = select(i, ...)
                log[#log + 1] = type(value) == 'table' and 'a table' or tostring(value)
            end
        end
        local function closer(n, f)
            return setmetatable({{}}, {{ __close = function(_, e) f(n, e) end }})
        end
        local function suspended(f)
            local co = coroutine.create(function() local _ <close> = closer('suspended', f) coroutine.yield() end)
            coroutine.resume(co)
            return co
        end
        local function first(n, e) {first} end
        local function second(n, e) {second} end
        local function body()
            repeat
                local a <close> = closer('a', first)
                local b <close> = closer('b', second)
                {exit}
            until true
            return 'left'
        end
        {place}"
    )
}

/// A program ends as it does where waiting takes no time, whatever closing methods do, where, and why they
/// run.
#[test]
fn waits_in_closing_methods_change_nothing() {
    let mut programs = Vec::new();
    for first in CLOSINGS {
        for second in CLOSINGS {
            for place in PLACES {
                programs.extend(EXITS.map(|exit| closing_program(place, first, second, exit)));
            }
            programs
                .extend(SUSPENDED.map(|place| closing_program(place, first, second, "coroutine.yield()")));
        }
    }
    assert_eq!(programs.len(), 100 * (60 + 4));
    let mut at_once = Runtime::builder().host(CountedClock::default()).build().expect("a VM");
    at_once.register("once", |_, (): ()| Ok::<_, Error>(())).expect("registered");
    let mut lua = vm();
    let mut waited = 0;
    for source in programs {
        let reply = at_once.eval(&source);
        let expected = told(&mut at_once, reply);
        let mut polls = 0;
        let reply = {
            let mut future = pin!(lua.eval_async(&source));
            poll_to_end(std::future::poll_fn(|waker| {
                polls += 1;
                future.as_mut().poll(waker)
            }))
        };
        assert_eq!(told(&mut lua, reply), expected, "{source}");
        waited += u32::from(polls > 1);
    }
    assert!(waited > 5000, "{waited} have waited");
    // Nothing is left of them.
    assert_eq!(lua.eval("return 1").expect("lives").values, [Value::from(1)]);
}

/// The record of an error waits as long as its call, whatever else runs and fails meanwhile.
#[test]
fn an_error_keeps_its_place_while_closing_methods_wait() {
    let closing =
        |body: &str| format!("local _ <close> = setmetatable({{}}, {{ __close = function() {body} end }})");
    for (body, message, line, has_traceback) in [
        ("once() once()", "first:3: first", 3, true),
        ("once() pcall(error, 'other') once()", "first:3: first", 3, true),
        ("once() error('second') end, __gc = function()", "first:1: second", 1, false),
    ] {
        let mut lua = vm();
        let source = format!("{}\nlocal function fails()\nerror('first') end\nfails()", closing(body));
        let mut one = lua.start_eval(source, "first");
        let mut other = lua.start_eval(format!("{} error('another')", closing("once() once()")), "other");
        let mut replies = [None, None];
        for _ in 0..100 {
            for (task, reply) in [&mut one, &mut other].into_iter().zip(&mut replies) {
                if reply.is_none()
                    && let Poll::Ready(ended) = task.poll(&mut lua, &mut Context::from_waker(Waker::noop()))
                {
                    *reply = Some(ended.expect_err("fails"));
                }
            }
            lua.eval("error('a third', 0)").expect_err("fails");
        }
        let [Some(one), Some(other)] = replies else { panic!("{body}: it does not end") };
        let one = one.lua().expect("from Lua");
        assert_eq!((one.message.as_str(), one.line), (message, Some(line)), "{body}");
        assert_eq!(
            one.traceback.as_ref().is_some_and(|text| text.contains("fails")),
            has_traceback,
            "{body}"
        );
        let other = other.lua().expect("from Lua");
        assert_eq!((other.message.as_str(), other.line), ("other:1: another", Some(1)));
    }
}

/// Bodies of closing methods of the variable `n`, and what they say where they can wait, and where not.
const SAYINGS: [(&str, &[&str], &[&str]); 5] = [
    ("say(n)", &["N"], &["N"]),
    ("say(n) once() say(n .. '!')", &["N", "N!"], &["N"]),
    ("once() say(n) once() error(n)", &["N"], &[]),
    ("say(n .. tostring(pcall(once)))", &["Ntrue"], &["Nfalse"]),
    ("async.all(once, function() once() say(n) end) say(n .. '!')", &["N", "N!"], &[]),
];

fn saying_program(body: &str, code: &str) -> String {
    format!(
        "log = {{}}
        local function say(text) log[#log + 1] = text end
        local function closer(n) return setmetatable({{}}, {{ __close = function() {body} end }}) end
        local function work()
            local a <close> = closer('a')
            local b <close> = closer('b')
            coroutine.wrap(function() local c <close> = closer('c') never() end)()
        end
        {code}"
    )
}

fn vm_with_never() -> Runtime {
    let mut lua = vm();
    lua.register_async("never", |(): ()| std::future::pending::<Result<(), Error>>()).expect("registered");
    lua
}

fn said(lua: &mut Runtime) -> String {
    match lua.eval("return table.concat(log, ' ')").expect("runs").values.remove(0) {
        Value::String(text) => String::from_utf8(text).expect("text"),
        other => panic!("{other:?}"),
    }
}

fn of_variables(said: &[&str]) -> String {
    let all = ["c", "b", "a"].iter().flat_map(|n| said.iter().map(|text| text.replace('N', n)));
    all.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_call_goes_on_when_those_that_it_has_cancelled_are_closed() {
    const ENDS: [&str; 5] = [
        "return async.race(function() return 'ended' end, work)",
        "return async.race(function() once() return 'ended' end, work)",
        "return select(2, pcall(async.all, work, function() once() error('ended', 0) end))",
        "return async.all(function() return async.race(function() once() return 'ended' end, work) end)",
        "local _ <close> = setmetatable({}, { __close = function()
            async.race(function() once() end, work) say('.') end }) return 'ended'",
    ];
    for (body, waiting, _) in SAYINGS {
        for end in ENDS {
            let mut lua = vm_with_never();
            let source = saying_program(body, end);
            let reply = poll_to_end(lua.eval_async(&source)).expect("ends");
            assert_eq!(reply.values, [Value::from("ended")], "{source}");
            let expected = of_variables(waiting);
            let expected = if end.contains("'.'") { format!("{expected} .") } else { expected };
            // One that was ended before it began to work has nothing open.
            assert_eq!(
                said(&mut lua),
                if end.contains("function() return 'ended'") { String::new() } else { expected }
            );
        }
    }
}

#[test]
fn closing_methods_of_a_call_that_was_dropped_cannot_wait() {
    for (body, _, now) in SAYINGS {
        let mut lua = vm_with_never();
        let mut task = lua.start_eval(saying_program(body, "work()"), "task");
        assert!(task.poll(&mut lua, &mut Context::from_waker(Waker::noop())).is_pending());
        drop(task);
        assert_eq!(said(&mut lua), of_variables(now), "{body}");
    }
    // Nor can those of one that was dropped while they waited: that one is cut off.
    let mut lua = vm_with_never();
    let source = saying_program("say(n) pcall(never) say(n .. '!')", "async.race(once, work)");
    let mut task = lua.start_eval(source, "task");
    for _ in 0..5 {
        assert!(task.poll(&mut lua, &mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(said(&mut lua), "c");
    drop(task);
    assert_eq!(said(&mut lua), "c b b! a a!");
}

#[test]
fn closing_methods_that_wait_for_ever_end_with_the_fuel_for_closing() {
    for body in
        ["while true do once() end", "while true do pcall(once) end", "while true do async.all(once) end"]
    {
        let mut lua = vm_with_never();
        lua.limit_next(None, Some(50_000));
        let source = saying_program(body, "async.all(work, function() while true do once() end end)");
        let (_, error) = ends(lua.eval_async(source));
        assert_eq!(error.code(), "timeout", "{body}");
        assert_eq!(lua.eval("return 1").expect("lives").values, [Value::from(1)], "{body}");
    }
}

/// A coroutine that waits in a closing method, and in which somebody else has a hand.
#[test]
fn a_coroutine_that_is_being_closed_belongs_to_who_closes_it() {
    let mut lua = vm_with_never();
    let source = "local log = {}
        local co = coroutine.create(function()
            local a <close> = setmetatable({}, { __close = function() log[#log + 1] = tostring(pcall(once)) end })
            local b <close> = setmetatable({}, { __close = function() never() end })
            coroutine.yield()
        end)
        coroutine.resume(co)
        async.race(
            function() return coroutine.close(co) end,
            function()
                log[#log + 1] = select(2, coroutine.resume(co))
                log[#log + 1] = coroutine.status(co)
                -- It is cut off where it waits, and nothing in it can wait any more.
                local ok = coroutine.close(co)
                log[#log + 1] = tostring(ok)
                log[#log + 1] = coroutine.status(co)
            end)
        return table.concat(log, ', ')";
    let reply = poll_to_end(lua.eval_async(source)).expect("ends");
    let expected = "cannot resume a coroutine that waits for the host, suspended, false, true, dead";
    assert_eq!(reply.values, [Value::from(expected)]);
}

#[test]
fn closing_nests_as_deep_as_calls() {
    let source = "local function close(n)
            local co = coroutine.create(function()
                local _ <close> = setmetatable({}, { __close = function() once() if n > 0 then close(n - 1) end end })
                coroutine.yield()
            end)
            coroutine.resume(co)
            local ok, message = coroutine.close(co)
            if not ok then error(message, 0) end
            return n
        end
        return pcall(close, ...)";
    for (depth, works) in [(20, true), (10_000, false)] {
        let mut lua = vm();
        let reply = poll_to_end(lua.eval_async(source.replace("...", &depth.to_string()))).expect("ends");
        assert_eq!(reply.values[0], Value::from(works), "{:?}", reply.values);
    }
}
