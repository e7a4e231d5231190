//! Tests of Rust functions in Lua: values, errors and waiting across both languages.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Error, ErrorKind, GcMode, Host, LuaError, NativeHost, Runtime, Stream, Value, Variadic, Vm};
use std::cell::{Cell, RefCell};
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

fn vm() -> Runtime {
    Runtime::builder().build().expect("a VM")
}

fn lua_error(error: &Error) -> &LuaError {
    error.lua().unwrap_or_else(|| panic!("no error of Lua: {error:?}"))
}

/// An error of a Rust program, with a field by which the tests recognise it.
#[derive(Debug)]
struct Refused {
    code: u32,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}", self.code)
    }
}

impl StdError for Refused {}

fn was_refused(error: &Error) -> bool {
    error.source().is_some_and(<dyn StdError>::is::<Refused>)
}

#[test]
fn a_registered_function_has_two_names() {
    let mut lua = vm();
    lua.register("game.hero.move", |_: &mut Vm, (x, y): (i64, i64)| Ok::<_, Error>((x + 1, y + 1)))
        .expect("registers");
    lua.register("twice", |_: &mut Vm, x: f64| Ok::<_, Error>(2.0 * x)).expect("registers");
    let reply = lua
        .eval("local a, b = game.hero.move(1, 2) return a, b, host.game.hero.move == game.hero.move, host.twice(1.5)")
        .expect("runs");
    assert_eq!(reply.values, [2.into(), 3.into(), true.into(), 3.0.into()]);
}

#[test]
fn registering_again_replaces_the_function_behind_every_copy() {
    let mut lua = vm();
    lua.register("f", |_: &mut Vm, ()| Ok::<_, Error>(1)).expect("registers");
    lua.eval("kept = f").expect("runs");
    lua.register("f", |_: &mut Vm, ()| Ok::<_, Error>(2)).expect("registers");
    assert_eq!(lua.eval("return f(), kept()").expect("runs").values, [2.into(), 2.into()]);
}

#[test]
fn invalid_names_are_refused() {
    let mut lua = vm();
    lua.eval("taken = 1").expect("runs");
    for name in ["", ".", "a..b", ".a", "a.", "nul\0"] {
        let error = lua.register(name, |_: &mut Vm, ()| Ok::<_, Error>(())).expect_err(name);
        assert_eq!(error.code(), "usage", "{name:?}: {error}");
    }
    let error = lua.register("taken.x", |_: &mut Vm, ()| Ok::<_, Error>(())).expect_err("is no table");
    assert!(error.to_string().contains("'taken' is no table"), "{error}");
    assert_eq!(lua.eval("return taken").expect("runs").values, [1.into()]);
}

#[test]
fn arguments_of_the_wrong_type_are_errors() {
    let mut lua = vm();
    lua.register("add", |_: &mut Vm, (a, b): (i64, i64)| Ok::<_, Error>(a + b)).expect("registers");
    let error = lua.eval("return add(1, 'x')").expect_err("no number");
    assert_eq!(error.to_string(), "eval:1: bad value #2: expected integer, got string");
    assert_eq!(lua.eval("return add(1, 2.0)").expect("runs").values, [3.into()]);
}

#[test]
fn functions_are_values_in_both_directions() {
    let mut lua = vm();
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let count = lua
        .create_function("count", move |_: &mut Vm, Variadic::<Value>(all)| {
            counted.set(counted.get() + 1);
            Ok::<_, Error>(all.len() as i64)
        })
        .expect("a function");
    lua.eval("function keep(f) kept = f return f end").expect("runs");
    let back: Value = lua.call("keep", count.clone()).expect("calls");
    assert!(
        matches!((&back, &count), (Value::HostFunction { id: a, .. }, Value::HostFunction { id: b, .. }) if a == b)
    );
    lua.call::<()>("keep", back).expect("calls");
    assert_eq!(
        lua.eval("return kept(1, nil, 3), kept == keep(kept), type(kept)").expect("runs").values,
        [3.into(), true.into(), "function".into()]
    );
    assert_eq!(calls.get(), 1);
}

#[test]
fn functions_are_dropped_when_lua_collects_them() {
    let mut lua = vm();
    let alive = Rc::new(());
    for _ in 0..1000 {
        let held = Rc::clone(&alive);
        let function = lua
            .create_function("held", move |_: &mut Vm, ()| {
                let _ = &held;
                Ok::<_, Error>(())
            })
            .expect("a function");
        lua.set_global("f", function).expect("sets");
        lua.eval("f() f = nil").expect("runs");
    }
    lua.gc(GcMode::Collect).expect("collects");
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn errors_keep_their_identity_through_lua() {
    let mut lua = vm();
    lua.register("refuse", |_: &mut Vm, code: u32| Err::<(), _>(Refused { code })).expect("registers");
    let error = lua.eval("local x = 1\nrefuse(42)").expect_err("refuses");
    let details = lua_error(&error);
    assert_eq!(details.message, "eval:2: refused with 42");
    assert_eq!((details.chunk.as_deref(), details.line), (Some("eval"), Some(2)));
    assert!(details.traceback.as_deref().is_some_and(|text| text.contains("'refuse'")), "{details:?}");
    let cause = error.source().and_then(|cause| cause.downcast_ref::<Refused>()).expect("the cause");
    assert_eq!(cause.code, 42);
}

#[test]
fn lua_can_catch_inspect_and_raise_an_error_again() {
    let mut lua = vm();
    lua.register("refuse", |_: &mut Vm, ()| Err::<(), _>(Refused { code: 7 })).expect("registers");
    let reply = lua
        .eval(
            "local ok, e = pcall(refuse)
            local ok2, e2 = pcall(function() refuse() end)
            return ok, type(e), e.message, tostring(e), tostring(e2), 'caught: ' .. e, getmetatable(e), e.constructor",
        )
        .expect("runs");
    assert_eq!(
        reply.values[..7],
        [
            false.into(),
            "userdata".into(),
            "refused with 7".into(),
            "refused with 7".into(),
            "eval:2: refused with 7".into(),
            "caught: refused with 7".into(),
            false.into()
        ]
    );
    let error = lua.eval("local ok, e = pcall(refuse) error(e)").expect_err("raises again");
    assert!(was_refused(&error), "{error:?}");
}

#[test]
fn errors_are_dropped_when_lua_collects_them() {
    #[derive(Debug)]
    struct Held(#[allow(dead_code, reason = "counted by its drop")] Rc<()>);
    impl fmt::Display for Held {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("held")
        }
    }
    impl StdError for Held {}
    let mut lua = vm();
    let alive = Rc::new(());
    let held = Rc::clone(&alive);
    lua.register("fail", move |_: &mut Vm, ()| Err::<(), _>(Held(Rc::clone(&held)))).expect("registers");
    lua.eval("for i = 1, 1000 do pcall(fail) end").expect("runs");
    for _ in 0..100 {
        drop(lua.eval("fail()").expect_err("fails"));
    }
    lua.gc(GcMode::Collect).expect("collects");
    assert_eq!(Rc::strong_count(&alive), 2, "one of the test, one of the function");
}

/// Host objects once had finalizers. Lua frees objects with one a cycle later and counts them as live until
/// then: each cycle began later than the one before, until the 68,000th caught error found 2 MiB full of
/// errors that were not referenced.
#[test]
fn errors_that_are_caught_in_a_loop_do_not_fill_the_memory() {
    for mode in ["incremental", "generational"] {
        let mut lua = vm();
        lua.register("fail", |_: &mut Vm, ()| Err::<(), _>(Refused { code: 1 })).expect("registers");
        lua.eval(format!("collectgarbage('{mode}') for i = 1, 200000 do assert(not pcall(fail)) end"))
            .expect(mode);
        assert!(lua.stats().peak_bytes < 512 * 1024, "{mode}: {:?}", lua.stats());
    }
}

#[test]
fn lua_error_values_keep_their_identity_through_rust() {
    let mut lua = vm();
    lua.register("call", |vm: &mut Vm, function: Value| match function {
        Value::Function(handle) => vm.call_handle::<Vec<Value>>(handle, ()),
        _ => Ok(Vec::new()),
    })
    .expect("registers");
    let reply = lua
        .eval(
            "local mine = setmetatable({ code = 42 }, { __tostring = function(e) return 'mine ' .. e.code end })
            local ok, e = pcall(call, function() error(mine) end)
            local ok2, e2 = pcall(call, function() call(function() error('text') end) end)
            return ok, rawequal(e, mine), ok2, e2, call(function() return 1, nil, 3 end)",
        )
        .expect("runs");
    let expected =
        [false.into(), true.into(), false.into(), "eval:3: text".into(), 1.into(), Value::Nil, 3.into()];
    assert_eq!(reply.values, expected);
    let error = lua.eval("call(function() error({ code = 42 }) end)").expect_err("raises");
    let Value::Table(value) = &lua_error(&error).value else { panic!("{error:?}") };
    assert_eq!(value.get(&"code".into()), 42.into());
}

#[test]
fn storage_errors_keep_their_kind_through_rust() {
    let mut lua = vm();
    lua.register("eval", |vm: &mut Vm, source: String| vm.eval(source).map(|reply| reply.values))
        .expect("registers");
    lua.eval("t = ext.table('gone') ext.drop('gone')").expect("runs");
    let error = lua.eval("eval('t.x = 1')").expect_err("is gone");
    assert_eq!(error.code(), "storage", "{error}");
    assert_eq!(lua.eval("pcall(eval, 't.x = 1') error('other')").expect_err("other").code(), "runtime");
}

#[test]
fn rust_and_lua_call_each_other_to_depth_100() {
    let mut lua = vm();
    lua.register("down", |vm: &mut Vm, depth: i64| vm.call::<i64>("step", depth - 1)).expect("registers");
    lua.eval("function step(depth) if depth == 0 then return 0 end return down(depth) + 1 end")
        .expect("runs");
    assert_eq!(lua.call::<i64>("step", 100).expect("calls"), 100);
    let error = lua.call::<i64>("step", 100_000).expect_err("has an end");
    assert!(error.to_string().contains("nest too deep") || error.to_string().contains("overflow"), "{error}");
    assert_eq!(lua.call::<i64>("step", 100).expect("calls"), 100);
}

#[test]
fn rust_and_lua_evaluate_each_other_inside_coroutines() {
    let mut lua = vm();
    lua.register("eval", |vm: &mut Vm, source: String| vm.eval(source).map(|reply| reply.values))
        .expect("registers");
    let reply = lua
        .eval(
            "local co = coroutine.wrap(function(a)
                local b = eval('return 1 + 1')
                local c = coroutine.yield(a + b)
                return eval('x = (x or 0) + 1 return x'), c, pcall(eval, 'return return')
            end)
            return co(1), co('c')",
        )
        .expect("runs");
    assert_eq!(reply.values[..4], [3.into(), 1.into(), "c".into(), false.into()]);
    assert!(
        matches!(&reply.values[4], Value::String(text) if text.starts_with(b"eval:1: unexpected symbol")),
        "{:?}",
        reply.values
    );
}

#[test]
fn a_panic_is_an_error_of_lua() {
    let mut lua = vm();
    lua.register("boom", |_: &mut Vm, ()| -> Result<(), Error> { panic!("went {}", "wrong") })
        .expect("registers");
    let error = lua.eval("boom()").expect_err("panics");
    assert!(error.to_string().contains("host function 'boom' panicked: went wrong"), "{error}");
    assert_eq!(lua.eval("return 1").expect("lives").values, [1.into()]);
}

#[test]
fn finalizers_may_call_host_functions_anywhere() {
    let mut lua = vm();
    let calls = Rc::new(Cell::new(0_u32));
    let counted = Rc::clone(&calls);
    lua.register("gone", move |vm: &mut Vm, name: String| {
        counted.set(counted.get() + 1);
        // The finalizer overwrites every buffer that a call in progress might still need.
        vm.eval(format!("local t = {{}} for i = 1, 20 do t[i] = '{name}' .. i end return t, '{name}'"))
            .map(|reply| reply.values)
    })
    .expect("registers");
    lua.register("echo", |_: &mut Vm, Variadic::<Value>(all)| Ok::<_, Error>(all)).expect("registers");
    lua.eval(
        "collectgarbage('setpause', 100)
        local function litter() setmetatable({}, { __gc = function() gone('finalized') end }) end
        for round = 1, 2000 do
            litter()
            local list = {}
            for i = 1, 20 do list[i] = 'text ' .. round .. ' ' .. i end
            local back, f = echo(list, function() return round end, 'end')
            for i = 1, 20 do assert(back[i] == 'text ' .. round .. ' ' .. i, back[i]) end
            assert(f() == round)
        end",
    )
    .expect("nothing gets mixed up");
    assert!(calls.get() > 100, "{} finalizers ran", calls.get());
}

#[test]
fn running_out_of_memory_is_an_error_in_every_conversion() {
    let mut lua = vm();
    lua.register("big", |_: &mut Vm, bytes: usize| Ok::<_, Error>("x".repeat(bytes))).expect("registers");
    for bytes in [100, 100_000, 1_000_000, 3_000_000] {
        let result = lua.eval(format!("return #big({bytes})"));
        match result {
            Ok(reply) => assert_eq!(reply.values, [i64::from(bytes).into()]),
            Err(error) => assert_eq!(error.code(), "memory", "{error}"),
        }
        assert_eq!(lua.eval("return #big(10)").expect("lives").values, [10.into()]);
    }
}

#[test]
fn output_reaches_the_host_before_a_host_function_runs() {
    struct Seen(Rc<RefCell<String>>);
    impl perilune::Host for Seen {
        fn write(&mut self, _stream: perilune::Stream, bytes: &[u8]) {
            self.0.borrow_mut().push_str(&String::from_utf8_lossy(bytes));
        }
        fn clock_ms(&mut self) -> f64 {
            0.0
        }
        fn monotonic_ms(&mut self) -> f64 {
            0.0
        }
        fn random_u64(&mut self) -> u64 {
            1
        }
    }
    let seen = Rc::new(RefCell::new(String::new()));
    let mut lua = Runtime::builder().host(Seen(Rc::clone(&seen))).build().expect("a VM");
    let at_call = Rc::clone(&seen);
    lua.register("look", move |_: &mut Vm, ()| Ok::<_, Error>(at_call.borrow().clone())).expect("registers");
    let reply =
        lua.eval("io.write('before') local text = look() io.write(' after') return text").expect("runs");
    assert_eq!(reply.values, ["before".into()]);
    assert_eq!(*seen.borrow(), "before after");
}

#[test]
fn modules_are_found_by_name_and_loaded_once() {
    let mut lua = Runtime::builder()
        .module(
            "app.util",
            "loads = (loads or 0) + 1 return { name = ..., double = function(x) return 2 * x end }",
        )
        .module("broken", "return return")
        .module("fails", "error('no luck')")
        .build()
        .expect("a VM");
    let reply = lua
        .eval("local u, where = require 'app.util' return u.double(21), u.name, where, require 'app.util' == u, loads")
        .expect("runs");
    assert_eq!(reply.values, [42.into(), "app.util".into(), "app.util".into(), true.into(), 1.into()]);
    let error = lua.eval("require 'broken'").expect_err("does not compile");
    assert!(
        error.to_string().contains("error loading module 'broken' from 'broken':\n\tbroken:1:"),
        "{error}"
    );
    let error = lua.eval("require 'fails'").expect_err("fails");
    assert_eq!(error.to_string(), "fails:1: no luck");
    let error = lua.eval("require 'absent'").expect_err("is not there");
    assert!(error.to_string().contains("no module 'absent' of the host"), "{error}");
}

/// A future that is pending as often as its number says, and wakes its task each time at once.
struct Later(u32);

impl Future for Later {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A minimal executor.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn asynchronous() -> Runtime {
    let mut lua = vm();
    lua.register_async("later", |(polls, value): (u32, Value)| async move {
        Later(polls).await;
        Ok::<_, Error>(value)
    })
    .expect("registers");
    lua.register_async("fails", |polls: u32| async move {
        Later(polls).await;
        Err::<(), _>(Refused { code: polls })
    })
    .expect("registers");
    lua
}

#[test]
fn lua_waits_for_a_future_wherever_it_was_called() {
    let mut lua = asynchronous();
    let reply = block_on(lua.eval_async(
        "local t = setmetatable({}, { __index = function(_, k) return later(2, k .. '!') end,
                                      __add = function(a, b) return later(1, 'sum') end,
                                      __close = function() later(1) end })
        local in_pcall = select(2, pcall(later, 3, 'pcall'))
        local in_coroutine = coroutine.wrap(function()
            local x = later(1, 'first')
            local y = coroutine.yield(x)
            return later(1, y)
        end)
        local a, b = in_coroutine(), in_coroutine('second')
        local list = {}
        for v in function(_, last) last = later(1, (last or 0) + 1) if last <= 3 then return last end end do list[#list + 1] = v end
        do local c <close> = t end
        return later(0, 'zero'), in_pcall, t.key, t + 1, a, b, table.concat(list, ',')",
    ))
    .expect("runs");
    let expected = ["zero", "pcall", "key!", "sum", "first", "second", "1,2,3"].map(Value::from);
    assert_eq!(reply.values, expected);
}

#[test]
fn waiting_goes_through_coroutines_in_coroutines() {
    let mut lua = asynchronous();
    let reply = block_on(lua.eval_async(
        "local function nest(depth)
            if depth == 0 then return later(2, 'deep') end
            local co = coroutine.create(nest)
            local ok, value = coroutine.resume(co, depth - 1)
            assert(ok, value)
            assert(coroutine.status(co) == 'dead')
            return value .. depth
        end
        local thread, main = coroutine.running()
        return nest(5), main, coroutine.isyieldable(), pcall(coroutine.yield, 1)",
    ))
    .expect("runs");
    assert_eq!(reply.values[..4], ["deep12345".into(), true.into(), false.into(), false.into()]);
}

#[test]
fn a_failed_future_is_an_error_that_lua_can_catch() {
    let mut lua = asynchronous();
    let reply =
        block_on(lua.eval_async("local ok, e = pcall(fails, 2)\nreturn ok, tostring(e), later(1, 'on')"))
            .expect("runs");
    assert_eq!(reply.values, [false.into(), "refused with 2".into(), "on".into()]);
    let error = block_on(lua.eval_async("local x\nfails(3)")).expect_err("fails");
    assert_eq!(error.to_string(), "eval:2: refused with 3");
    assert_eq!(lua_error(&error).line, Some(2));
    assert!(was_refused(&error), "{error:?}");
}

#[test]
fn waiting_where_impossible_is_an_error_that_names_the_function() {
    let mut lua = asynchronous();
    for source in [
        "later(1, 2)",
        "coroutine.wrap(function() later(1, 2) end)()",
        "table.sort({ 1, 2, 3 }, function(a, b) return later(0, a < b) end)",
    ] {
        let error = lua.eval(source).expect_err(source);
        assert!(error.to_string().contains("'later' waits, and nothing here can"), "{error}");
    }
    let error = block_on(lua.eval_async("return ('x'):gsub('.', function() return later(1, 'y') end)"))
        .expect_err("gsub cannot be suspended");
    assert!(error.to_string().contains("'later' waits, and nothing here can"), "{error}");
    assert_eq!(block_on(lua.eval_async("return later(1, 2)")).expect("runs").values, [2.into()]);
}

#[test]
fn tasks_run_concurrently() {
    let mut lua = asynchronous();
    lua.eval("log = {} function note(x) log[#log + 1] = x end").expect("runs");
    let mut tasks: Vec<_> = (1..=3)
        .map(|n| {
            lua.start_eval(format!("for i = 1, 3 do note('{n}' .. i) later({n}, i) end return {n}"), "task")
        })
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut ended = Vec::new();
    while !tasks.is_empty() {
        tasks.retain_mut(|task| match task.poll(&mut lua, &mut context) {
            Poll::Ready(reply) => {
                ended.push(reply.expect("runs").values[0].clone());
                false
            }
            Poll::Pending => true,
        });
        lua.eval("return 1").expect("synchronous calls go between them");
    }
    assert_eq!(ended, [1.into(), 2.into(), 3.into()]);
    let log: String =
        lua.eval("return table.concat(log, ' ')").map(|reply| format!("{:?}", reply.values)).expect("runs");
    assert!(log.starts_with(&format!("{:?}", [Value::from("11 21 31 12 22 13 32 23 33")])[..4]), "{log}");
}

#[test]
fn a_task_that_is_dropped_is_closed() {
    let mut lua = asynchronous();
    let source =
        "local c <close> = setmetatable({}, { __close = function() closed = true end }) later(1000, 1)";
    let mut task = lua.start_eval(source, "task");
    assert!(task.poll(&mut lua, &mut Context::from_waker(Waker::noop())).is_pending());
    drop(task);
    lua.call::<()>("print", ()).expect("the next call closes it");
    assert_eq!(lua.eval("return closed").expect("runs").values, [true.into()]);
}

#[test]
fn all_waits_for_all_and_race_for_the_first() {
    let mut lua = asynchronous();
    let reply = block_on(lua.eval_async(
        "local order = {}
        local function job(n, value) return function() later(n, 1) order[#order + 1] = value return value, 'second' end end
        local a, b, c = async.all(job(3, 'a'), job(1, 'b'), function() return 'now' end)
        local list = async.all { job(2, 'x'), job(1, nil) }
        local r1, r2 = async.race(job(5, 'slow'), job(2, 'fast'))
        local shared = {}
        local same = async.all(function() later(1) return shared end)
        return a, b, c, list[1], list[2], list.n, r1, r2, table.concat(order, ','), same == shared",
    ))
    .expect("runs");
    let expected: [Value; 10] = [
        "a".into(),
        "b".into(),
        "now".into(),
        "x".into(),
        Value::Nil,
        2.into(),
        "fast".into(),
        "second".into(),
        "b,a,x,fast".into(),
        true.into(),
    ];
    assert_eq!(reply.values, expected);
}

#[test]
fn an_error_in_one_cancels_the_others() {
    let mut lua = asynchronous();
    let source = "local function job(n)
            return function()
                local c <close> = setmetatable({}, { __close = function() closed = (closed or 0) + 1 end })
                later(n, 1)
                done = (done or 0) + 1
            end
        end
        return pcall(async.all, job(10), function() fails(2) end, job(20))";
    let reply = block_on(lua.eval_async(source)).expect("runs");
    assert_eq!(reply.values[0], false.into());
    assert_eq!(lua.eval("return done, closed").expect("runs").values, [Value::Nil, 2.into()]);
    let error = block_on(lua.eval_async("async.race(function() fails(1) end, function() later(9, 1) end)"))
        .expect_err("the first one failed");
    assert!(was_refused(&error), "{error:?}");
}

#[test]
fn scripts_cannot_resume_a_waiting_coroutine() {
    let mut lua = asynchronous();
    let mut task = lua.start_eval(
        "co = coroutine.create(function() return later(2, 'mine') end) return coroutine.resume(co)",
        "t",
    );
    let mut context = Context::from_waker(Waker::noop());
    assert!(task.poll(&mut lua, &mut context).is_pending());
    let reply = lua.eval("return coroutine.status(co), coroutine.resume(co, 1, 2)").expect("runs");
    assert_eq!(reply.values[..2], ["suspended".into(), false.into()]);
    assert_eq!(reply.values[2], "cannot resume a coroutine that waits for the host".into());
    let reply = loop {
        if let Poll::Ready(reply) = task.poll(&mut lua, &mut context) {
            break reply.expect("runs");
        }
    };
    assert_eq!(reply.values, [true.into(), "mine".into()]);
}

#[test]
fn a_coroutine_that_was_closed_meanwhile_is_dead() {
    let mut lua = asynchronous();
    let mut task =
        lua.start_eval("co = coroutine.create(function() later(3, 1) end) return coroutine.resume(co)", "t");
    let mut context = Context::from_waker(Waker::noop());
    assert!(task.poll(&mut lua, &mut context).is_pending());
    assert_eq!(lua.eval("return coroutine.close(co)").expect("runs").values, [true.into()]);
    let reply = loop {
        if let Poll::Ready(reply) = task.poll(&mut lua, &mut context) {
            break reply.expect("runs");
        }
    };
    assert_eq!(reply.values, [false.into(), "cannot resume dead coroutine".into()]);
}

#[test]
fn a_transaction_cannot_wait() {
    let mut lua = asynchronous();
    let source = "local t = ext.table('t') t.x = 1
        local ok, e = pcall(ext.transaction, function() t.x = 2 later(1, 1) end)
        return ok, tostring(e), t.x";
    let reply = block_on(lua.eval_async(source)).expect("runs");
    assert_eq!((&reply.values[0], &reply.values[2]), (&false.into(), &1.into()));
}

#[test]
fn modules_may_wait_while_they_load() {
    let mut lua = Runtime::builder()
        .module("slow", "loads = (loads or 0) + 1 return later(3, 'slow module')")
        .module("a", "later(1) return require 'b'")
        .module("b", "later(1) return require 'a'")
        .build()
        .expect("a VM");
    lua.register_async("later", |(polls, value): (u32, Value)| async move {
        Later(polls).await;
        Ok::<_, Error>(value)
    })
    .expect("registers");
    let reply = block_on(lua.eval_async("return require 'slow', loads")).expect("runs");
    assert_eq!(reply.values, ["slow module".into(), 1.into()]);
    let error = block_on(lua.eval_async("require 'a'")).expect_err("is a cycle");
    assert!(error.to_string().contains("module 'a' requires itself: a -> b -> a"), "{error}");
}

/// Host whose timer is over when it is polled for the second time.
#[derive(Debug, Default)]
struct Timers(NativeHost);

impl Host for Timers {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.0.write(stream, bytes);
    }

    fn clock_ms(&mut self) -> f64 {
        self.0.clock_ms()
    }

    fn monotonic_ms(&mut self) -> f64 {
        self.0.monotonic_ms()
    }

    fn random_u64(&mut self) -> u64 {
        self.0.random_u64()
    }

    fn sleep(&mut self, _ms: f64) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        Some(Box::pin(Later(2)))
    }
}

#[test]
fn modules_that_wait_for_each_other_side_by_side_are_an_error() {
    for count in [1, 2, 3, 5] {
        for way in ["require(next)", "async.all(function() return require(next) end)"] {
            let mut builder = Runtime::builder().host(Timers::default());
            for i in 0..count {
                let source = format!("local next = 'm{}' async.sleep(1) return {way}", (i + 1) % count);
                builder = builder.module(format!("m{i}"), source);
            }
            let mut lua = builder.build().expect("a VM");
            let source = format!(
                "local ends, sides = {{}}, {{}}
                for i = 1, {count} do sides[i] = function() ends[i] = {{ pcall(require, 'm' .. i - 1) }} end end
                async.all(sides)
                for i = 1, {count} do
                  local _, chain = ends[i][2]:match(\"module '(m%d)' requires itself: (%1 .*%1)$\")
                  assert(chain and select(2, chain:gsub('m', '')) == 1 + {count}, ends[i][2])
                end
                return #ends"
            );
            // A wait for good would be polled for good: what each turn costs is counted.
            lua.limit_next(None, Some(10_000_000));
            let reply = block_on(lua.eval_async(&source)).unwrap_or_else(|error| panic!("{way}: {error}"));
            assert_eq!(reply.values, [count.into()], "{way}");
        }
    }
}

#[test]
fn sleep_needs_a_timer_of_the_host() {
    let mut lua = vm();
    let error = block_on(lua.eval_async("async.sleep(1)")).expect_err("no timer");
    assert!(error.to_string().contains("the host has no timer"), "{error}");
    assert!(matches!(error.kind(), ErrorKind::Runtime(_)));
}

/// An error of a host function shows the traceback that a handler asked for, and keeps its cause.
#[test]
fn errors_of_the_host_have_tracebacks() {
    for handler in ["debug.traceback", "function(e) return debug.traceback(debug.traceback(e), 1) end"] {
        let mut lua = Runtime::builder().build().expect("a VM");
        lua.register("fails", |_: &mut Vm, (): ()| Err::<(), _>(std::fmt::Error)).expect("registers");
        let source = format!(
            "local ok, e = xpcall(function() fails() return 1 end, {handler}) caught = e return tostring(e)"
        );
        let reply = lua.eval(source).expect("is caught");
        let [Value::String(shown)] = &reply.values[..] else { panic!("{:?}", reply.values) };
        let shown = String::from_utf8_lossy(shown);
        assert!(shown.starts_with(&format!("eval:1: {}\nstack traceback:\n", std::fmt::Error)), "{shown}");
        assert_eq!(shown.matches("stack traceback:").count(), 1, "{shown}");
        let again = lua.eval("error(caught, 0)").expect_err("is raised again");
        let source = std::error::Error::source(&again).expect("has a cause");
        assert!(source.is::<std::fmt::Error>(), "{source:?}");
    }
}
