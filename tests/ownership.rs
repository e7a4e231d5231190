//! Ownership of a VM: what a safe program may do with it in the worst order, and from the worst places, ends
//! in a result, an error or a panic of the program's own.
//!
//! What must not compile is in the documentation of `Vm`. `cargo xtask test --asan` runs this file under
//! `AddressSanitizer`.
#![cfg(not(target_arch = "wasm32"))]

use perilune::store::{Cursor, Transaction};
use perilune::{
    Error, GcMode, Host, MemoryStore, Raise, Runtime, StoreError, Stream, Table, TableId, TableStore, Value,
    Vm,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

fn vm() -> Runtime {
    Runtime::builder().build().expect("a VM")
}

fn values(lua: &mut Vm, source: &str) -> Vec<Value> {
    lua.eval(source).unwrap_or_else(|error| panic!("{source}\n{error:?}")).values
}

#[test]
fn two_runtimes_may_be_swapped_and_dropped_in_any_order() {
    let (mut a, mut b) = (vm(), vm());
    values(&mut a, "name = 'a'");
    values(&mut b, "name = 'b'");
    std::mem::swap(&mut a, &mut b);
    assert_eq!(values(&mut a, "return name"), ["b".into()]);
    drop(b);
    assert_eq!(values(&mut a, "return name"), ["b".into()]);
    let c = std::mem::replace(&mut a, vm());
    drop(c);
    assert_eq!(values(&mut a, "return name"), [Value::Nil]);
}

#[test]
fn a_function_may_drop_and_make_other_vms_while_it_runs() {
    let other = Rc::new(RefCell::new(Some(vm())));
    values(
        other.borrow_mut().as_mut().expect("is there"),
        "setmetatable({}, { __gc = function() x = {} end })",
    );
    let mut lua = vm();
    let kept = Rc::clone(&other);
    lua.register("replace", move |vm: &mut Vm, source: String| {
        drop(kept.borrow_mut().take());
        let mut fresh = Runtime::builder().build()?;
        let inner = fresh.eval(&source)?.values.remove(0);
        *kept.borrow_mut() = Some(fresh);
        // The limits of the call go on counting: the counter of ticks is one for each thread.
        let outer = vm.eval(&source)?.values.remove(0);
        Ok::<_, Error>((inner, outer))
    })
    .expect("registers");
    lua.set_limits(None, Some(100_000));
    for _ in 0..5 {
        assert_eq!(values(&mut lua, "return replace('return 1 + 1')"), [2.into(), 2.into()]);
    }
    let endless = lua.eval("replace('return 1') while true do end").expect_err("out of fuel");
    assert_eq!(endless.code(), "timeout", "{endless:?}");
    assert_eq!(values(&mut lua, "return 3"), [3.into()]);
}

#[test]
fn a_runtime_that_owns_itself_is_not_entered_twice() {
    let cell = Rc::new(RefCell::new(vm()));
    let inside = Rc::clone(&cell);
    let seen = Rc::new(Cell::new(false));
    let told = Rc::clone(&seen);
    cell.borrow_mut()
        .register("again", move |_: &mut Vm, ()| {
            told.set(inside.try_borrow_mut().is_err());
            Ok::<_, Error>(())
        })
        .expect("registers");
    values(&mut cell.borrow_mut(), "again()");
    assert!(seen.get(), "the runtime is borrowed while it runs");
}

#[test]
fn functions_are_called_while_a_vm_is_closed() {
    let calls = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&calls);
    let mut lua = vm();
    lua.register("note", move |vm: &mut Vm, text: String| {
        let doubled = vm.eval(format!("return '{text}' .. '{text}'"))?.values.remove(0);
        noted.borrow_mut().push(doubled);
        Ok::<_, Error>(())
    })
    .expect("registers");
    values(&mut lua, "kept = setmetatable({}, { __gc = function() note('x') error('lost') end })");
    drop(lua);
    assert_eq!(*calls.borrow(), [Value::from("xx")]);
}

/// Panics when it is dropped, if it is armed.
struct Bomb(bool);

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.0, "a bomb");
    }
}

#[test]
fn closures_that_panic_when_the_collector_drops_them_do_no_harm() {
    let mut lua = vm();
    for round in 0..3 {
        let bomb = Bomb(true);
        let function = lua
            .create_function("bomb", move |_: &mut Vm, ()| {
                let _ = &bomb;
                Ok::<_, Error>(1)
            })
            .expect("a function");
        lua.set_global("f", function).expect("is set");
        assert_eq!(values(&mut lua, "return f()"), [1.into()]);
        lua.set_global("f", Value::Nil).expect("is set");
        for _ in 0..3 {
            lua.gc(GcMode::Collect).expect("collects");
        }
        assert_eq!(values(&mut lua, "return 1 + 1"), [2.into()], "round {round}");
    }
}

/// An error whose text panics.
#[derive(Debug)]
struct Unspeakable;

impl std::fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        panic!("no words")
    }
}

impl std::error::Error for Unspeakable {}

#[test]
fn errors_whose_text_panics_are_errors() {
    let mut lua = vm();
    lua.register("fail", |_: &mut Vm, ()| Err::<(), _>(Unspeakable)).expect("registers");
    let failed = lua.eval("fail()").expect_err("fails");
    assert!(failed.to_string().contains("panicked: no words"), "{failed}");
    assert_eq!(values(&mut lua, "return (pcall(fail))"), [false.into()]);
}

/// A host and a store that panic at the call with a given number, counted together.
#[derive(Debug, Clone, Default)]
struct Fuse {
    calls: Rc<Cell<usize>>,
    at: Rc<Cell<Option<usize>>>,
}

impl Fuse {
    fn burn(&self) {
        self.calls.set(self.calls.get() + 1);
        assert!(self.at.get() != Some(self.calls.get()), "the fuse has burnt");
    }
}

impl Host for Fuse {
    fn write(&mut self, _: Stream, _: &[u8]) {
        self.burn();
    }

    fn clock_ms(&mut self) -> f64 {
        self.burn();
        1e12
    }

    fn monotonic_ms(&mut self) -> f64 {
        self.burn();
        1.0
    }

    fn time_zone_minutes(&mut self, _: f64) -> i32 {
        self.burn();
        0
    }

    fn random_u64(&mut self) -> u64 {
        self.burn();
        7
    }

    fn interrupted(&mut self) -> bool {
        self.burn();
        false
    }

    fn environment(&mut self, _: &[u8]) -> Option<Vec<u8>> {
        self.burn();
        None
    }

    fn module(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        self.burn();
        (name == b"mod").then(|| b"return 'mod'".to_vec())
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>, String> {
        self.burn();
        Ok(Some(b"line\n".to_vec()))
    }
}

#[derive(Debug, Default)]
struct FusedStore {
    fuse: Fuse,
    inner: MemoryStore,
}

impl TableStore for FusedStore {
    fn open(&mut self, name: &[u8]) -> Result<TableId, StoreError> {
        self.fuse.burn();
        self.inner.open(name)
    }

    fn get(&mut self, table: TableId, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.fuse.burn();
        self.inner.get(table, key, out)
    }

    fn contains(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        self.fuse.burn();
        self.inner.contains(table, key)
    }

    fn set(&mut self, table: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.fuse.burn();
        self.inner.set(table, key, value)
    }

    fn remove(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        self.fuse.burn();
        self.inner.remove(table, key)
    }

    fn next(
        &mut self,
        table: TableId,
        after: Cursor,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, StoreError> {
        self.fuse.burn();
        self.inner.next(table, after, room, out)
    }

    fn count(&mut self, table: TableId) -> Result<u64, StoreError> {
        self.fuse.burn();
        self.inner.count(table)
    }

    fn clear(&mut self, table: TableId) -> Result<(), StoreError> {
        self.fuse.burn();
        self.inner.clear(table)
    }

    fn drop_table(&mut self, name: &[u8]) -> Result<bool, StoreError> {
        self.fuse.burn();
        self.inner.drop_table(name)
    }

    fn names(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.fuse.burn();
        self.inner.names(out)
    }

    fn transaction(&mut self, what: Transaction) -> Result<(), StoreError> {
        self.fuse.burn();
        self.inner.transaction(what)
    }

    fn end_batch(&mut self) -> Result<(), StoreError> {
        self.fuse.burn();
        self.inner.end_batch()
    }
}

/// Uses every method of host and store that Lua code can reach.
const EVERYTHING: &str = "
    print('x') io.stderr:write('y') io.read() os.time() os.clock() os.getenv('HOME') os.date('*t') require('mod')
    package.loaded.mod = nil
    math.randomseed()
    local t = ext.table('t') t.a, t[1] = 1, { 2 } local _ = t.a, t.missing, #t
    for k, v in pairs(t) do print(k, v) end
    ext.transaction(function() t.b = 1 end) pcall(ext.transaction, function() t.c = 1 error('back') end)
    t.a = nil ext.count(t) ext.tables() ext.clear(t) ext.drop('t')
    for i = 1, 3000 do local x = i end
    return callback('print(1) return ext.table(\"u\").x')
";

fn fused(fuse: &Fuse) -> Runtime {
    let store = FusedStore { fuse: fuse.clone(), inner: MemoryStore::new() };
    let mut lua = Runtime::builder().host(fuse.clone()).store(store).build().expect("a VM");
    lua.register("callback", |vm: &mut Vm, source: String| vm.eval(source).map(|reply| reply.values))
        .expect("registers");
    lua
}

#[test]
fn hosts_and_stores_may_panic_at_every_call() {
    let fuse = Fuse::default();
    let mut lua = fused(&fuse);
    fuse.calls.set(0);
    values(&mut lua, EVERYTHING);
    let calls = fuse.calls.get();
    assert!(calls > 50, "only {calls} calls are tried");
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut panics = 0;
    for at in 1..=calls {
        let fuse = Fuse::default();
        let mut lua = fused(&fuse);
        fuse.calls.set(0);
        fuse.at.set(Some(at));
        match catch_unwind(AssertUnwindSafe(|| lua.eval(EVERYTHING))) {
            Err(panic) => {
                panics += 1;
                assert_eq!(panic.downcast_ref::<&str>(), Some(&"the fuse has burnt"), "call {at}");
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => assert!(error.to_string().contains("panicked"), "call {at}: {error:?}"),
        }
        fuse.at.set(None);
        assert_eq!(values(&mut lua, "return 1 + 1"), [2.into()], "call {at}");
        values(&mut lua, EVERYTHING);
    }
    std::panic::set_hook(hook);
    assert!(panics > 10, "only {panics} panics of the host came out");
}

#[test]
fn a_task_goes_on_in_its_own_vm_only() {
    let (mut a, mut b) = (vm(), vm());
    for lua in [&mut a, &mut b] {
        lua.register_async("later", |n: i64| async move { Ok::<_, Error>(n) }).expect("registers");
    }
    let mut waker = Context::from_waker(Waker::noop());
    let mut of_a = a.start_eval("return later(1)", "a");
    let mut of_b = b.start_eval("return later(2)", "b");
    let Poll::Ready(Err(refused)) = of_a.poll(&mut b, &mut waker) else { panic!("the other VM is refused") };
    assert_eq!(refused.code(), "usage");
    let done = |polled: Poll<perilune::Result<perilune::Reply>>| match polled {
        Poll::Ready(reply) => reply.expect("runs").values,
        Poll::Pending => panic!("is ready"),
    };
    assert_eq!(done(of_a.poll(&mut a, &mut waker)), [1.into()]);
    assert_eq!(done(of_b.poll(&mut b, &mut waker)), [2.into()]);
}

#[test]
fn values_are_raised_as_they_are_and_as_lua_makes_them() {
    let mut lua = vm();
    lua.register("refuse", |_: &mut Vm, code: i64| {
        let error = Table::new();
        error.with_mut(|data| data.pairs.push(("code".into(), code.into())));
        Err::<(), _>(Raise::value(error))
    })
    .expect("registers");
    assert_eq!(
        values(&mut lua, "local ok, e = pcall(refuse, 7) return ok, e.code, type(e)"),
        [false.into(), 7.into(), "table".into()]
    );
    let made = values(
        &mut lua,
        "local Error = { __tostring = function(e) return 'code ' .. e.code end }
         return function(code) return setmetatable({ code = code }, Error) end",
    );
    let Value::Function(make) = made[0] else { panic!("{made:?}") };
    lua.register("fail", move |_: &mut Vm, code: i64| Err::<(), _>(Raise::result_of(make, code)))
        .expect("registers");
    lua.register_async(
        "fail_later",
        move |code: i64| async move { Err::<(), _>(Raise::result_of(make, code)) },
    )
    .expect("registers");
    let told = values(&mut lua, "local ok, e = pcall(fail, 42) return ok, e.code, tostring(e)");
    assert_eq!(told, [false.into(), 42.into(), "code 42".into()]);
    let failed = lua.eval("fail(5)").expect_err("fails");
    assert_eq!(failed.to_string(), "code 5");
    let mut task = lua.start_eval("local ok, e = pcall(fail_later, 6) return ok, tostring(e)", "later");
    let Poll::Ready(Ok(reply)) = task.poll(&mut lua, &mut Context::from_waker(Waker::noop())) else {
        panic!("is ready")
    };
    assert_eq!(reply.values, [false.into(), "code 6".into()]);
    // A handle that is no more is an error of Lua's, like any other.
    lua.release(make);
    assert!(lua.eval("fail(1)").expect_err("fails").to_string().contains("released"));
}

#[test]
fn work_of_rust_is_charged_to_the_script() {
    let mut lua = vm();
    let done = Rc::new(Cell::new(0_u64));
    let counted = Rc::clone(&done);
    lua.register("work", move |vm: &mut Vm, ticks: u64| {
        while vm.charge(ticks) {
            counted.set(counted.get() + 1);
        }
        Ok::<_, Error>(())
    })
    .expect("registers");
    assert!(lua.charge(u64::MAX), "nothing limits what is not a call");
    for ticks in [1, 7, 1000, u64::from(u32::MAX), u64::MAX] {
        done.set(0);
        lua.limit_next(None, Some(10_000));
        let ended =
            lua.eval("pcall(work, ...) work(1)".replace("...", &format!("{}", ticks.min(i64::MAX as u64))));
        assert_eq!(ended.expect_err("is over").code(), "timeout", "{ticks}");
        assert!(done.get() <= 10_000 / ticks.min(10_000) + 1, "{ticks}: {} rounds", done.get());
        assert_eq!(values(&mut lua, "return 1"), [1.into()]);
    }
    // What is charged is what is used.
    lua.register("charge", |vm: &mut Vm, ticks: u64| Ok::<_, Error>(vm.charge(ticks))).expect("registers");
    values(&mut lua, "return charge(0)");
    let before = lua.fuel_used();
    values(&mut lua, "return charge(123456)");
    assert_eq!(lua.fuel_used() - before, 123_456);
}

#[test]
fn operations_of_a_library_answer_in_bytes() {
    use perilune::protocol::Outcome;
    use perilune::value::{Decoder, Token, decode_list, encode_list};
    let mut lua = vm();
    lua.set_operations(|vm, number, input, results| match number {
        256 => Some((|| {
            let mut args = Decoder::new(input);
            for _ in 0..args.count()? {
                if let Token::Integer(n) = args.token()? {
                    results.table(2, 0)?;
                    results.integer(n)?;
                    results.value(&vm.eval(format!("return {n} * 2"))?.values[0])?;
                }
            }
            Ok(())
        })()),
        257 => Some(vm.eval("error({ code = 9 })").map(drop)),
        258 => {
            while vm.charge(1) {}
            Some(Ok(()))
        }
        259 => Some(results.table(3, 0).map_err(Error::from)),
        260 => panic!("at once"),
        _ => None,
    })
    .expect("the first");
    assert_eq!(lua.set_operations(|_, _, _, _| None).expect_err("the second").code(), "usage");
    let mut input = Vec::new();
    encode_list(&[1.into(), 2.into()], &mut input).expect("encodes");
    assert_eq!(lua.request_raw(256, &input), Outcome::Ok);
    let rows = decode_list(lua.reply_list()).expect("a list");
    let Value::Table(second) = &rows[1] else { panic!("{rows:?}") };
    assert_eq!((rows.len(), second.get(&1.into()), second.get(&2.into())), (2, 2.into(), 4.into()));
    assert_eq!(lua.request_raw(257, &input), Outcome::Runtime);
    let record = decode_list(lua.reply_list()).expect("a record");
    assert_eq!(record.len(), 6);
    assert!(matches!(&record[4], Value::Table(value) if value.get(&"code".into()) == 9.into()), "{record:?}");
    lua.limit_next(None, Some(1000));
    assert_eq!(lua.request_raw(258, &input), Outcome::Timeout);
    assert_eq!(lua.request_raw(259, &input), Outcome::Value, "a table without its entries");
    assert_eq!(lua.request_raw(260, &input), Outcome::Bug);
    assert_eq!(lua.request_raw(261, &input), Outcome::Usage);
    assert_eq!(lua.request_raw(24, &input), Outcome::Usage);
    assert_eq!(values(&mut lua, "return 1"), [1.into()]);
}

#[test]
fn results_are_written_without_a_tree() {
    let mut lua = vm();
    lua.register_raw("rows", |vm, args, results| {
        let perilune::value::Token::Integer(count) = args.token()? else {
            return Err(Error::from(perilune::value::FormatError::Truncated));
        };
        let count = u32::try_from(count).unwrap_or(0);
        results.table(count, 0)?;
        for n in 0..count {
            results.table(0, 2)?;
            results.string(b"id")?;
            results.integer(i64::from(n))?;
            results.string(b"half")?;
            results.float(f64::from(n) / 2.0)?;
        }
        results.value(&vm.eval("return { 1, { 2 } }")?.values[0])?;
        results.nil()?;
        results.boolean(true)?;
        Ok(())
    })
    .expect("registers");
    let source = "local r, t, none, yes = rows(3) return #r, r[3].id, r[2].half, t[2][1], none, yes, select('#', rows(0))";
    assert_eq!(
        values(&mut lua, source),
        [3.into(), 2.into(), 0.5.into(), 2.into(), Value::Nil, true.into(), 4.into()]
    );
    assert_eq!(lua.eval("rows('x')").expect_err("is refused").code(), "runtime");
    lua.register_raw("short", |_, _, results| results.table(2, 0)).expect("registers");
    assert!(lua.eval("short()").expect_err("is refused").to_string().contains("fewer entries"));
    lua.register_raw("deep", |_, _, results| {
        for _ in 0..300 {
            results.table(1, 0)?;
        }
        Ok::<_, perilune::value::FormatError>(())
    })
    .expect("registers");
    assert!(lua.eval("deep()").expect_err("is refused").to_string().contains("200"));
}
