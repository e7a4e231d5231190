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
