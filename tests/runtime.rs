//! The runtime as a Rust program sees it.

use perilune::{ErrorKind, Runtime, Value};

fn lua() -> Runtime {
    Runtime::builder().build().expect("a VM")
}

#[test]
fn state_persists() {
    let mut lua = lua();
    lua.eval("x = 1; function f(a) x = x + a; return x, 'é', 1.0, {1,2,a=3} end").expect("eval");
    let reply = lua.eval("return f(2)").expect("eval");
    println!("{reply:?}");
    let reply = lua.eval("co = coroutine.wrap(function() for i=1,3 do coroutine.yield(i) end end) return co()").expect("e");
    println!("{reply:?}");
    assert_eq!(lua.eval("return co()").expect("e").values, [Value::Integer(2)]);
    let error = lua.eval("local t = {}\nlocal function g() error({code=42}) end\ng()").expect_err("raises");
    println!("{error:?}");
    let error = lua.eval("return nil + 1").expect_err("raises");
    println!("{error:?}");
    let error = lua.eval("x = = 1").expect_err("raises");
    println!("{error:?}");
    let error = lua.eval("local function f() return 1 + f() end f()").expect_err("raises");
    println!("{}", error);
    let error = lua.eval("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end").expect_err("raises");
    assert!(matches!(error.kind(), ErrorKind::Memory(_)), "{error:?}");
    println!("{:?}", lua.eval("local t = ext.table('a'); t.x = 1; t[1] = 'one'; t[2] = {1,2,3}; for k,v in pairs(t) do print(k,v) end return #t, t.x, t[2], t"));
    println!("{:?}", lua.eval("local t = ext.table('a'); return pcall(ext.transaction, function() t.x = 9 error('no') end), t.x"));
    println!("{:?}", lua.stats());
}

#[test]
fn runaway_recursion_is_a_stack_overflow_with_a_traceback() {
    let mut lua = lua();
    for _ in 0..3 {
        let error = lua.eval("depth = 0 local function f() depth = depth + 1 return 1 + f() end f()").expect_err("raises");
        println!("{:?} {:?}", lua.eval("return depth"), lua.stats());
        let told = error.lua().expect("from Lua");
        assert!(told.message.contains("stack overflow"), "{error:?}");
        assert!(told.traceback.is_some());
    }
}

#[test]
fn after_running_out_of_memory_everything_is_usable_again() {
    let mut lua = lua();
    for _ in 0..20 {
        let error = lua.eval("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end").expect_err("raises");
        assert!(matches!(error.kind(), ErrorKind::Memory(_)), "{error:?}");
        assert_eq!(lua.eval("return #('x'):rep(100000)").expect("collected").values, [Value::Integer(100_000)]);
    }
}

/// Allocating can run a finalizer, and a finalizer can use `ext`: it then wrote to the buffer that a value was being
/// decoded from.
#[test]
fn finalizers_that_use_ext_do_not_disturb_what_they_interrupt() {
    let mut lua = lua();
    let reply = lua.eval(
        r#"
        for i = 1, 300 do ext.table(("n"):rep(100) .. i).x = 1 end
        local big = {}
        for i = 1, 200 do big[i] = { name = ("v%d-"):format(i):rep(4), { i } } end
        local t = ext.table("t")
        t.big = big
        local small = ext.table("small")
        for i = 1, 100 do small["key" .. i] = { i, tostring(i):rep(i) } end
        local hits, bad = 0, 0
        local function again()
            setmetatable({}, { __gc = function()
                hits = hits + 1
                local x = ext.table("u")
                x.a = ("Z"):rep(3000)
                local y = x.a
                ext.tables()
                pcall(function() local q = t[{}] t[nil] = 1 end)
                again()
            end })
        end
        again()
        collectgarbage("incremental", 100, 1000)
        for round = 1, 20 do
            local names = ext.tables()
            for j = 1, 300 do if names[j] ~= ("n"):rep(100) .. j then bad = bad + 1 break end end
            local v = t.big
            for j = 1, 200 do if v[j].name ~= ("v%d-"):format(j):rep(4) or v[j][1][1] ~= j then bad = bad + 1 break end end
            local n = 0
            for k, v in pairs(small) do
                n = n + 1
                if k ~= "key" .. n or v[1] ~= n or v[2] ~= tostring(n):rep(n) then bad = bad + 1 break end
            end
        end
        return bad, hits > 20
        "#,
    );
    assert_eq!(reply.expect("runs").values, [Value::Integer(0), Value::Boolean(true)]);
}
