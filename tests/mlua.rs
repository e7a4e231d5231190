//! Tests of a VM that is used through mlua, too: two interfaces to one Lua state, and their effects on each
//! other.
#![cfg(all(feature = "mlua", not(target_arch = "wasm32")))]

use mlua::{Error as LuaError, Function, Lua, MultiValue, StdLib, Table, Thread, UserData, UserDataMethods};
use perilune::{
    Error, GcMode, Host, Limits, MemoryStore, MluaHandle, NativeHost, Runtime, Stream, Value, Vm,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

/// A runtime, and the mlua interface to the same VM.
fn both() -> (Runtime, MluaHandle) {
    let mut runtime = Runtime::builder().build().expect("a VM");
    let lua = lent(&mut runtime);
    (runtime, lua)
}

fn lent(runtime: &mut Runtime) -> MluaHandle {
    // SAFETY: no test uses it inside of a host or a store, or while it has a reference to one of the two;
    // handles are the runtime's own; no destructor here makes a `Lua`.
    unsafe { runtime.mlua() }.expect("room for mlua")
}

fn values(runtime: &mut Runtime, source: &str) -> Vec<Value> {
    runtime.eval(source).unwrap_or_else(|error| panic!("{source}\n{error:?}")).values
}

#[test]
fn both_see_the_same_globals() {
    let (mut runtime, lua) = both();
    values(&mut runtime, "x = { 1, 2, name = 'n' }");
    let table: Table = lua.globals().get("x").expect("is there");
    assert_eq!(table.get::<String>("name").expect("text"), "n");
    table.set(3, "three").expect("is set");
    lua.load("y = #x + 39").exec().expect("runs");
    assert_eq!(values(&mut runtime, "return x[3], y"), ["three".into(), 42.into()]);
    assert_eq!(lent(&mut runtime).globals().get::<i64>("y").expect("the same again"), 42);
    // json.null is mlua's null.
    lua.globals().set("none", mlua::Value::NULL).expect("is set");
    assert_eq!(runtime.global("none").expect("is there"), Value::Null);
}

#[test]
fn a_rust_function_is_called_from_an_eval() {
    let (mut runtime, lua) = both();
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let add = lua.create_function(move |_, (a, b): (i64, i64)| {
        counted.set(counted.get() + 1);
        Ok(a + b)
    });
    lua.globals().set("add", add.expect("a function")).expect("is set");
    drop(lua);
    assert_eq!(values(&mut runtime, "return add(add(1, 2), 3)"), [6.into()]);
    runtime.gc(GcMode::Collect).expect("collects");
    assert_eq!(runtime.call::<i64>("add", (40, 2)).expect("calls"), 42);
    assert_eq!(values(&mut runtime, "return coroutine.wrap(function() return add(1, 1) end)()"), [2.into()]);
    assert_eq!(calls.get(), 4);
}

#[test]
fn an_error_of_a_callback_is_an_error_of_the_eval() {
    let (mut runtime, lua) = both();
    let fail = lua.create_function(|_, ()| Err::<(), _>(LuaError::runtime("no luck")));
    lua.globals().set("fail", fail.expect("a function")).expect("is set");
    let failed = runtime.eval("local x = 1\nfail()").expect_err("fails");
    assert_eq!(failed.code(), "runtime");
    assert!(failed.to_string().contains("no luck"), "{failed}");
    assert_eq!(failed.lua().and_then(|details| details.line), Some(2), "{failed:?}");
    let caught = values(&mut runtime, "local ok, e = pcall(fail) return ok, tostring(e):match('no luck')");
    assert_eq!(caught, [false.into(), "no luck".into()]);
    // Arguments of the wrong type are errors of the same kind.
    let half = lua.create_function(|_, n: i64| Ok(n / 2)).expect("a function");
    lua.globals().set("half", half).expect("is set");
    assert!(runtime.eval("return half('x')").expect_err("fails").to_string().contains("number"));
    // Through mlua it is the original Rust error.
    let failed = lua.load("fail()").exec().expect_err("fails");
    assert!(
        matches!(&failed, LuaError::CallbackError { cause, .. } if cause.to_string().contains("no luck")),
        "{failed:?}"
    );
}

#[test]
fn a_panic_of_a_callback_is_an_error_of_the_eval() {
    let (mut runtime, lua) = both();
    let panics = lua.create_function(|_, ()| -> mlua::Result<()> { panic!("on purpose") });
    lua.globals().set("panics", panics.expect("a function")).expect("is set");
    let failed = runtime.eval("panics()").expect_err("fails");
    assert!(failed.to_string().contains("on purpose"), "{failed}");
    assert_eq!(values(&mut runtime, "return 1"), [1.into()]);
    // Through mlua it continues as a panic.
    let payload = catch_unwind(AssertUnwindSafe(|| lua.load("panics()").exec())).expect_err("panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
    assert_eq!(values(&mut runtime, "return 2"), [2.into()]);
}

#[test]
fn errors_of_lua_reach_mlua() {
    let (mut runtime, lua) = both();
    assert!(matches!(lua.load("x = = 1").exec(), Err(LuaError::SyntaxError { .. })));
    assert!(
        matches!(lua.load("error('e')").exec(), Err(LuaError::RuntimeError(text)) if text.contains("e\nstack traceback"))
    );
    assert!(matches!(
        lua.load("local function f() return 1 + f() end f()").exec(),
        Err(LuaError::RuntimeError(_))
    ));
    assert_eq!(values(&mut runtime, "return 1"), [1.into()]);
}

#[test]
fn coroutines_of_mlua_find_the_store_and_the_host() {
    let (mut runtime, lua) = both();
    let body: Function = lua
        .load("return function(n) for i = 1, n do ext.table('t')[i] = i; print(i); coroutine.yield(i) end return 'end' end")
        .eval()
        .expect("a function");
    let thread: Thread = lua.create_thread(body).expect("a thread");
    assert_eq!(thread.resume::<i64>(2).expect("runs"), 1);
    assert_eq!(values(&mut runtime, "return ext.table('t')[1]"), [1.into()], "between its steps");
    assert_eq!(thread.resume::<i64>(()).expect("runs"), 2);
    assert_eq!(thread.resume::<String>(()).expect("runs"), "end");
    assert!(thread.resume::<()>(()).is_err(), "is dead");
    assert_eq!(values(&mut runtime, "return ext.count(ext.table('t'))"), [2.into()]);
    let failing: Thread =
        lua.load("return coroutine.create(function() error('inside') end)").eval().expect("a thread");
    assert!(failing.resume::<()>(()).expect_err("fails").to_string().contains("inside"));
    assert_eq!(values(&mut runtime, "return 1"), [1.into()]);
}

struct Account {
    cents: i64,
    closed: Rc<Cell<bool>>,
}

impl UserData for Account {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method("cents", |_, account, ()| Ok(account.cents));
        methods.add_method_mut("add", |_, account, cents: i64| {
            account.cents += cents;
            Ok(account.cents)
        });
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.closed.set(true);
    }
}

#[test]
fn userdata_is_dropped_with_the_vm() {
    let (mut runtime, lua) = both();
    let closed = Rc::new(Cell::new(false));
    lua.globals().set("account", Account { cents: 1, closed: Rc::clone(&closed) }).expect("is set");
    assert_eq!(values(&mut runtime, "account:add(41) return account:cents()"), [42.into()]);
    let there = runtime.global("account").expect("is there");
    let Value::Reference { handle, .. } = there else { panic!("{there:?}") };
    runtime.set_global("again", there).expect("goes back in");
    assert_eq!(values(&mut runtime, "return rawequal(account, again)"), [true.into()]);
    assert!(runtime.release(handle));
    drop(lua);
    runtime.gc(GcMode::Collect).expect("collects");
    assert!(!closed.get());
    drop(runtime);
    assert!(closed.get(), "the VM was closed");
}

#[test]
fn running_out_of_memory_is_an_error_and_the_runtime_stays_usable() {
    let (mut runtime, lua) = both();
    let fill = "t = {} while true do t[#t + 1] = ('x'):rep(100) .. #t end";
    for _ in 0..3 {
        let failed = lua.load(fill).exec().expect_err("does not fit");
        assert!(matches!(failed, LuaError::MemoryError(_)), "{failed:?}");
        // mlua returns an error, and does not panic.
        assert!(lua.create_string(vec![b'x'; 100_000]).is_err());
        // The runtime has kept its reserve for the call that clears it, also when a call was in between.
        assert_eq!(values(&mut runtime, "return #t > 1000"), [true.into()]);
        assert!(lua.load(fill.replace("t = {}", "")).exec().is_err());
        assert_eq!(values(&mut runtime, "t = nil return 1"), [1.into()]);
        runtime.gc(GcMode::Collect).expect("collects");
    }
    assert_eq!(lua.load("return 1").eval::<i64>().expect("runs"), 1);
    let limit = runtime.stats().limit_bytes;
    assert!(runtime.stats().peak_bytes <= limit);
    assert!(lua.set_memory_limit(1).is_err(), "the limit is the runtime's");
}

#[test]
fn a_vm_without_memory_for_mlua_is_an_error() {
    let mut limits = Limits::default();
    limits.memory_bytes = 512 * 1024;
    let mut runtime = Runtime::builder().limits(limits).build().expect("a VM");
    // To the brim: there is the reserve of the host, which is larger than what mlua needs.
    assert_eq!(runtime.eval("t = {} while true do t[#t + 1] = {} end").expect_err("full").code(), "memory");
    let lua = lent(&mut runtime);
    assert!(lua.load("return {}").eval::<Table>().is_err() || lua.load("t = nil").exec().is_ok());
    values(&mut runtime, "t = nil");
    runtime.gc(GcMode::Collect).expect("collects");
    assert_eq!(lua.load("return #{ 1, 2 }").eval::<i64>().expect("runs"), 2);
}

#[test]
fn the_sandbox_is_the_same() {
    let (mut runtime, lua) = both();
    lua.load_std_libs(StdLib::ALL).expect("all there already");
    let found = values(
        &mut runtime,
        "return os.execute, io.popen, package.loadlib, debug.getregistry, string.dump, os ~= nil",
    );
    assert_eq!(found, [Value::Nil, Value::Nil, Value::Nil, Value::Nil, Value::Nil, true.into()]);
    let function: Function = lua.load("return function() end").eval().expect("a function");
    assert!(function.dump(true).is_empty(), "nothing is dumped");
    let binary = b"\x1bLua\x54\0\x19\x93\r\n\x1a\n".to_vec();
    assert!(lua.load(binary).exec().expect_err("is refused").to_string().contains("binary"));
}

#[test]
fn another_lua_is_refused_with_a_reason() {
    let payload = catch_unwind(Lua::new).expect_err("panics");
    let payload = payload.downcast_ref::<String>().expect("text");
    assert!(payload.contains("make VMs with perilune::Runtime"), "{payload}");
}

#[test]
fn a_running_runtime_cannot_be_entered_again() {
    let runtime = Rc::new(RefCell::new(Runtime::builder().build().expect("a VM")));
    let lua = lent(&mut runtime.borrow_mut());
    let again = Rc::downgrade(&runtime);
    let nested = lua.create_function(move |_, ()| {
        let runtime = again.upgrade().expect("is alive");
        let Ok(mut runtime) = runtime.try_borrow_mut() else { return Ok("borrowed".to_owned()) };
        let failed = runtime.eval("return 1").map(|_| ()).expect_err("runs already");
        assert!(runtime.call::<()>("print", ()).is_err());
        assert!(!runtime.release(1));
        Ok(failed.to_string())
    });
    lua.globals().set("nested", nested.expect("a function")).expect("is set");
    let refusal = "the runtime was called from inside of mlua";
    assert_eq!(lua.load("return nested()").eval::<String>().expect("runs"), refusal);
    let in_thread = "return coroutine.wrap(function() return nested() end)()";
    assert_eq!(lua.load(in_thread).eval::<String>().expect("runs"), refusal);
    assert_eq!(values(&mut runtime.borrow_mut(), "return nested()"), ["borrowed".into()]);
    assert_eq!(values(&mut runtime.borrow_mut(), "return 1"), [1.into()]);
}

#[test]
fn the_order_of_drops_does_not_matter() {
    // The runtime first, then a table of mlua's, then mlua: the VM stays, and all of it works.
    let (runtime, lua) = both();
    let table = lua.create_table().expect("a table");
    drop(runtime);
    table.set("x", 1).expect("is set");
    lua.globals().set("t", &table).expect("is set");
    assert_eq!(
        lua.load("print(t.x) ext.table('e').x = 1 return t.x + ext.table('e').x")
            .eval::<i64>()
            .expect("runs"),
        2
    );
    drop(table);
    drop(lua);

    // mlua first: what is left of it knows that the VM is gone.
    let (runtime, lua) = both();
    let table = lua.create_table().expect("a table");
    let function: Function = lua.load("return function() end").eval().expect("a function");
    let (weak, thread) = (lua.weak(), lua.create_thread(function.clone()).expect("a thread"));
    drop(lua);
    drop(runtime);
    assert!(weak.try_upgrade().is_none());
    assert!(catch_unwind(AssertUnwindSafe(|| function.call::<()>(()))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| table.set(1, 1))).is_err());
    drop((thread, function, table));

    // A callback that has captured one keeps the VM, as it does in mlua itself.
    let (runtime, lua) = both();
    let captured = lua.clone();
    let function = lua.create_function(move |_, ()| captured.globals().get::<i64>("n")).expect("a function");
    lua.globals().set("f", &function).expect("is set");
    lua.globals().set("n", 5).expect("is set");
    drop(runtime);
    drop(lua);
    assert_eq!(function.call::<i64>(()).expect("runs"), 5);
}

#[test]
fn host_functions_are_called_from_mlua_and_may_call_back() {
    let (mut runtime, lua) = both();
    let back = |vm: &mut Vm, (n, text): (i64, String)| {
        vm.eval(format!("seen = '{text}'"))?;
        let doubled: i64 = vm.call("math.max", (n * 2, 0))?;
        Ok::<_, Error>((doubled, text))
    };
    runtime.register("back", back).expect("is registered");
    runtime.register("refuse", |_: &mut Vm, ()| Err::<(), _>("no")).expect("is registered");
    let script = "local t = ext.table('t') \
        ext.transaction(function() t.x = select(1, back(21, 'a')) end) return t.x, select('#', back(1, 'b')), seen";
    assert_eq!(lua.load(script).eval::<(i64, i64, String)>().expect("runs"), (42, 2, "b".into()));
    let in_thread = "return coroutine.wrap(function(...) return back(...) end)(4, 'c')";
    assert_eq!(lua.load(in_thread).eval::<(i64, String)>().expect("runs"), (8, "c".into()));
    assert!(lua.load("refuse()").exec().expect_err("fails").to_string().contains("no"));
    assert_eq!(values(&mut runtime, "return ext.table('t').x, seen"), [42.into(), "c".into()]);
    // An asynchronous host function cannot wait in a call from mlua.
    runtime.register_async("wait", |()| std::future::pending::<Result<(), Error>>()).expect("is registered");
    assert!(lua.load("wait()").exec().is_err());
    assert_eq!(values(&mut runtime, "return 1"), [1.into()]);
}

/// A host that collects standard output, for tests to inspect.
#[derive(Debug, Clone, Default)]
struct Screen(Rc<RefCell<Vec<u8>>>);

impl Host for Screen {
    fn write(&mut self, _stream: Stream, bytes: &[u8]) {
        self.0.borrow_mut().extend_from_slice(bytes);
    }

    fn clock_ms(&mut self) -> f64 {
        NativeHost::default().clock_ms()
    }

    fn monotonic_ms(&mut self) -> f64 {
        NativeHost::default().monotonic_ms()
    }

    fn random_u64(&mut self) -> u64 {
        1
    }
}

#[test]
fn output_keeps_its_order_and_is_handed_over_with_the_next_call() {
    let screen = Screen::default();
    let mut runtime =
        Runtime::builder().host(screen.clone()).store(MemoryStore::new()).build().expect("a VM");
    let lua = lent(&mut runtime);
    values(&mut runtime, "print('one')");
    lua.load("print('two')").exec().expect("runs");
    values(&mut runtime, "print('three')");
    assert_eq!(*screen.0.borrow(), b"one\ntwo\nthree\n");
}

/// Runs many callbacks, errors, references and collections through both interfaces in turn.
#[test]
fn a_long_run_through_both_interfaces() {
    let (mut runtime, lua) = both();
    let echo = lua.create_function(|_, all: MultiValue| Ok(all)).expect("a function");
    let fail = lua.create_function(|_, n: i64| if n % 3 == 0 { Err(LuaError::runtime(n)) } else { Ok(n) });
    lua.globals().set("echo", echo).expect("is set");
    lua.globals().set("fail", fail.expect("a function")).expect("is set");
    let mut kept = Vec::new();
    for round in 0..300_i64 {
        let sum = values(
            &mut runtime,
            "local n = 0 for i = 1, 30 do n = n + select('#', echo(i, {}, 'x')) if not pcall(fail, i) then n = n + 1 end end return n",
        );
        assert_eq!(sum, [100.into()]);
        let table = lua.create_sequence_from(0..round % 7).expect("a table");
        lua.globals().set("t", &table).expect("is set");
        kept.push(table);
        if round % 20 == 0 {
            kept.clear();
            runtime.gc(GcMode::Collect).expect("collects");
            lua.gc_collect().expect("collects");
        }
        assert_eq!(values(&mut runtime, "return #t"), [(round % 7).into()]);
        assert!(runtime.eval("fail(3)").is_err());
    }
    drop(kept);
    lua.gc_collect().expect("collects");
    runtime.gc(GcMode::Collect).expect("collects");
    assert!(runtime.stats().used_bytes < 200_000, "{:?}", runtime.stats());
}
