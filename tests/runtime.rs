//! Tests of the runtime through its Rust interface: state, errors, limits, tables.
#![cfg(not(target_arch = "wasm32"))]

use perilune::protocol::{Outcome, operation};
use perilune::{Error, ErrorKind, GcMode, Limits, MemoryStore, Runtime, Table, TableData, Value};

fn lua() -> Runtime {
    Runtime::builder().build().expect("a VM")
}

/// Runs a chunk that must succeed, and returns its results.
fn values(lua: &mut Runtime, source: &str) -> Vec<Value> {
    lua.eval(source).unwrap_or_else(|error| panic!("{source}\n{error:?}")).values
}

fn error(lua: &mut Runtime, source: &str) -> Error {
    lua.eval(source).expect_err(source)
}

#[test]
fn state_persists_from_eval_to_eval() {
    let mut lua = lua();
    values(&mut lua, "x = 1; function add(n) x = x + n; return x end");
    values(&mut lua, "gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end); gen()");
    values(&mut lua, "obj = setmetatable({}, { __index = function(_, k) return k .. '!' end })");
    assert_eq!(values(&mut lua, "return add(2), gen(), obj.hi"), [3.into(), 2.into(), "hi!".into()]);
}

#[test]
fn results_keep_their_types() {
    let mut lua = lua();
    let table = Table::from(TableData {
        array: vec![1.into(), 2.into()],
        pairs: vec![("a".into(), Value::Float(1.0))],
    });
    assert_eq!(
        values(&mut lua, "return nil, true, 1, 1.0, 'a\\0\\xFF', { 1, 2, a = 1.0 }"),
        [Value::Nil, true.into(), 1.into(), 1.0.into(), Value::String(b"a\0\xFF".to_vec()), table.into(),]
    );
    assert_eq!(values(&mut lua, "return"), []);
    assert_eq!(values(&mut lua, "return nil, nil"), [Value::Nil, Value::Nil]);
}

#[test]
fn shared_and_cyclic_tables_keep_their_shape() {
    let mut lua = lua();
    let found = values(&mut lua, "local t = {}; t.me = t; return t, t, { t }");
    let [Value::Table(a), Value::Table(b), Value::Table(c)] = &found[..] else { panic!("{found:?}") };
    assert!(a.is_same(b));
    assert!(matches!(a.get(&"me".into()), Value::Table(me) if me.is_same(a)));
    assert!(matches!(c.get(&1.into()), Value::Table(inner) if inner.is_same(a)));
    // And back into Lua, where it is one table again.
    lua.set_global("back", found[0].clone()).expect("goes in");
    assert_eq!(values(&mut lua, "return back.me == back"), [true.into()]);
}

#[test]
fn errors_have_message_place_and_traceback() {
    let mut lua = lua();
    let failed = error(&mut lua, "local function g() error({ code = 42 }) end\n\ng()");
    let details = failed.lua().expect("from Lua");
    assert_eq!(failed.code(), "runtime");
    assert_eq!(details.message, "(error object is a table value)");
    assert_eq!((details.chunk.as_deref(), details.line), (Some("eval"), Some(1)));
    assert!(matches!(&details.value, Value::Table(t) if t.get(&"code".into()) == 42.into()));
    let traceback = details.traceback.as_deref().expect("a traceback");
    assert!(traceback.contains("in local 'g'") && traceback.contains("eval:3: in main chunk"), "{traceback}");

    let failed = lua.eval_named("return 1 + nil", "sum.lua").expect_err("raises");
    let details = failed.lua().expect("from Lua");
    assert_eq!(details.message, "sum.lua:1: attempt to perform arithmetic on a nil value");
    assert_eq!((details.chunk.as_deref(), details.line), (Some("sum.lua"), Some(1)));
    assert_eq!(details.value, details.message.as_str().into());
}

#[test]
fn the_place_is_the_one_in_the_message() {
    let mut lua = lua();
    for (source, line) in [
        ("\n\nerror('here')", Some(3)),
        ("local function f() error('the caller', 2) end\n\nf()\n", Some(3)),
        ("error('nowhere', 0)", Some(1)),
        ("x = 1\nx()", Some(2)),
        ("\nstring.rep()", Some(2)),
        ("local ok, e = pcall(error, 'kept: 7: odd') error(e, 0)", Some(1)),
    ] {
        let failed = error(&mut lua, source);
        assert_eq!(failed.lua().expect("from Lua").line, line, "{source}: {failed:?}");
    }
    let failed = error(&mut lua, "error(setmetatable({}, { __tostring = function() return 'shown' end }))");
    assert_eq!(failed.to_string(), "shown");
    let failed = error(&mut lua, "error(setmetatable({}, { __tostring = function() error('no') end }))");
    assert_eq!(failed.to_string(), "(error object is a table value)");
    assert_eq!(error(&mut lua, "error()").to_string(), "(error object is a nil value)");
    assert_eq!(error(&mut lua, "error(42)").to_string(), "42");
}

#[test]
fn a_syntax_error_points_at_its_line() {
    let mut lua = lua();
    for (source, line) in
        [("x = = 1", 1), ("\n\nx = 'open", 3), ("for", 1), ("goto nowhere", 1), ("\nbreak", 2)]
    {
        let failed = error(&mut lua, source);
        assert_eq!(failed.code(), "syntax", "{source}");
        let details = failed.lua().expect("from Lua");
        assert_eq!(
            (details.chunk.as_deref(), details.line),
            (Some("eval"), Some(line)),
            "{source}: {details:?}"
        );
    }
}

#[test]
fn a_source_nested_too_deep_names_its_chunk() {
    let failed = error(&mut lua(), &["return ", &"(".repeat(5000), "1", &")".repeat(5000)].concat());
    assert_eq!((failed.code(), failed.to_string().as_str()), ("syntax", "C stack overflow"));
    assert_eq!(failed.lua().expect("from Lua").chunk.as_deref(), Some("eval"));
}

#[test]
fn random_numbers_come_from_the_host() {
    let draw = "return math.random(0), math.random(0)";
    assert_ne!(values(&mut lua(), draw), values(&mut lua(), draw));
    let seeded = values(&mut lua(), &format!("math.randomseed(7) {draw}"));
    assert_eq!(seeded, values(&mut lua(), &format!("math.randomseed(7) {draw}")));
    let again = values(
        &mut lua(),
        "math.randomseed() local a = math.random(0) math.randomseed() return a ~= math.random(0)",
    );
    assert_eq!(again, [true.into()]);
}

#[test]
fn a_hundred_thousand_failures_do_not_leak() {
    let mut lua = lua();
    values(&mut lua, "n = 0");
    let mut settled = 0;
    for round in 0..100_000 {
        assert_eq!(error(&mut lua, "n = n + 1; local t; return t.x").code(), "runtime");
        if round == 1000 {
            lua.gc(GcMode::Collect).expect("collects");
            settled = lua.stats().used_bytes;
        }
    }
    lua.gc(GcMode::Collect).expect("collects");
    assert_eq!(values(&mut lua, "return n"), [100_000.into()]);
    let used = lua.stats().used_bytes;
    assert!(used <= settled + 1024, "{used} bytes after, {settled} bytes before");
}

#[test]
fn bad_input_is_a_typed_error() {
    let mut lua = lua();
    for (source, code) in [
        (b"return \0".to_vec(), "syntax"),
        (b"\x1bLua\x54\0\x19\x93".to_vec(), "syntax"),
        (b"\xFF\xFE".to_vec(), "syntax"),
        ([b"return ".as_slice(), &vec![b'('; 100_000]].concat(), "syntax"),
        (vec![b'-'; 10_000_000], "ok"),
        ([b"x = '".as_slice(), &vec![b'x'; 10_000_000]].concat(), "memory"),
    ] {
        let found = lua.eval(&source).map_or_else(|error| error.code(), |_| "ok");
        assert_eq!(found, code, "{:?}...", String::from_utf8_lossy(&source[..source.len().min(20)]));
        assert_eq!(values(&mut lua, "return 'usable'"), ["usable".into()]);
    }
    assert_eq!(lua.eval_named("return 1", "with\0nul").expect_err("NUL").code(), "usage");
    assert_eq!(Runtime::builder().limits(tiny(1000)).build().expect_err("too small").code(), "usage");
}

#[test]
fn scripts_cannot_replace_the_hosts_collector() {
    let mut lua = lua();
    lua.eval("collectgarbage = function() error('mine') end").expect("runs");
    lua.gc(GcMode::Collect).expect("collects");
}

/// The encoded list of the arguments of an operation.
fn list(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    perilune::value::encode_list(values, &mut bytes).expect("encodes");
    bytes
}

#[test]
fn disown_releases_all_other_handles() {
    let mut lua = lua();
    let mut handles = Vec::new();
    for _ in 0..10 {
        let Value::Function(handle) = values(&mut lua, "return function() return 'here' end")[0] else {
            panic!("a function")
        };
        handles.push(handle);
    }
    assert!(lua.release(handles[4]), "a hole");
    let kept = [Value::from(i64::from(handles[2])), Value::from(i64::from(handles[7]))];
    assert_eq!(lua.request_raw(operation::DISOWN, &list(&kept)), Outcome::Ok);
    assert_eq!(lua.stats().handles, 2);
    for (at, &handle) in handles.iter().enumerate() {
        let called = lua.call_handle::<String>(handle, ()).ok();
        assert_eq!(called.as_deref(), [2, 7].contains(&at).then_some("here"), "{at}");
    }
    // The handles are free again, and none is used twice.
    let mut again: Vec<u32> = Vec::new();
    for _ in 0..10 {
        let Value::Function(handle) = values(&mut lua, "return print")[0] else { panic!("a function") };
        assert!(!again.contains(&handle) && handle != handles[2] && handle != handles[7], "{handle} twice");
        again.push(handle);
    }
    assert_eq!(lua.stats().handles, 12);
    assert_eq!(lua.request_raw(operation::DISOWN, &list(&[])), Outcome::Ok);
    assert_eq!(lua.stats().handles, 0);
}

#[test]
fn reseed_restarts_random_numbers() {
    let mut lua = lua();
    lua.eval("math.randomseed(1) first = math.random(0)").expect("runs");
    lua.eval("math.randomseed(1) math.randomseed = nil").expect("runs");
    assert_eq!(lua.request_raw(operation::RESEED, &list(&[])), Outcome::Ok);
    assert_eq!(values(&mut lua, "return math.random(0) == first")[0], Value::from(false));
}

#[test]
fn functions_are_called_by_name_and_by_handle() {
    let mut lua = lua();
    assert_eq!(lua.call::<i64>("math.max", (1, 7, 3.5)).expect("calls"), 7);
    for name in ["", "nope", "math.nope", "math.max.deeper", "math..max"] {
        let failed = lua.call::<()>(name, ()).expect_err(name);
        assert!(failed.to_string().contains("no function"), "{name}: {failed}");
    }
    let found = values(&mut lua, "local n = 0; return function(step) n = n + step; return n end");
    let Value::Function(handle) = found[0] else { panic!("{found:?}") };
    assert_eq!(lua.call_handle::<i64>(handle, 2).expect("calls"), 2);
    assert_eq!(lua.call_handle::<i64>(handle, 3).expect("calls"), 5);
    assert_eq!(lua.stats().handles, 1);
    assert!(lua.release(handle));
    assert!(!lua.release(handle), "released twice");
    assert!(lua.call_handle::<()>(handle, ()).is_err());
    assert_eq!(lua.stats().handles, 0);
    for handle in [0, 1, 2, 3, u32::MAX] {
        assert!(lua.call_handle::<()>(handle, ()).is_err(), "{handle} is no function's handle");
        assert!(!lua.release(handle), "{handle}");
    }
}

#[test]
fn globals_are_read_and_written_without_metamethods() {
    let mut lua = lua();
    values(&mut lua, "setmetatable(_G, { __index = function() error('no') end, __newindex = error })");
    assert_eq!(lua.global("missing").expect("reads"), Value::Nil);
    lua.set_global("answer", 42.into()).expect("writes");
    assert_eq!(lua.global("answer").expect("reads"), 42.into());
    assert_eq!(values(&mut lua, "return answer"), [42.into()]);
}

#[test]
fn runaway_recursion_is_a_stack_overflow_with_a_traceback() {
    let mut lua = lua();
    for _ in 0..3 {
        let failed = error(&mut lua, "local function f() return 1 + f() end f()");
        let details = failed.lua().expect("from Lua");
        assert!(details.message.contains("stack overflow"), "{failed:?}");
        assert!(details.traceback.is_some());
    }
}

#[test]
fn after_running_out_of_memory_everything_is_usable_again() {
    let mut lua = lua();
    for _ in 0..20 {
        let failed = error(&mut lua, "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end");
        assert!(matches!(failed.kind(), ErrorKind::Memory(_)), "{failed:?}");
        let message = failed.to_string();
        assert!(message.starts_with("not enough memory (memory_bytes is 2097152 bytes: "), "{message}");
        assert_eq!(failed.lua().map(|error| &error.value), Some(&"not enough memory".into()));
        // Lua's stack, its threads and its calls, before anything else has collected.
        let source = "local function f(n) return n == 0 and 0 or 1 + f(n - 1) end
                      return f(100), f(3000), coroutine.wrap(f)(100)";
        assert_eq!(values(&mut lua, source), [100.into(), 3000.into(), 100.into()]);
        // A string buffer that cannot grow collects first (lua-5.4/port/lauxlib_port.c).
        assert_eq!(values(&mut lua, "return #('x'):rep(100000)"), [100_000.into()]);
    }
    assert!(lua.stats().peak_bytes <= lua.stats().limit_bytes);
}

/// Runs each operation with so little memory left that one of its allocations fails, with every amount in
/// turn.
#[test]
fn every_operation_survives_a_full_memory() {
    let mut lua = Runtime::builder().limits(tiny(512 * 1024)).build().expect("a VM");
    let operations = [
        "return { { 1, 2 }, a = 'b' }",
        "error({ code = 42 })",
        "error(setmetatable({}, { __tostring = function() return ('x'):rep(100) end }))",
        "local t = ext.table('t'); t.a = { 1, 2, 3 }; t[1] = ('y'):rep(200); return t.a, #t",
        "for k, v in pairs(ext.table('t')) do end return ext.tables()",
        "return pcall(ext.transaction, function() ext.table('t').b = 1; error('back') end)",
        "return string.format('%s %5.2f %q', 'a', 1.5, 'b'), ('a'):rep(100), ('a,b'):gsub(',', '-')",
        "return coroutine.wrap(function() return 1 end)(), load('return 1')(), tostring({})",
        "print('some', 'output'); io.write('more'); return os.date('!%c', 0)",
        "return function() end, coroutine.create(print)",
        "x = = 1",
    ];
    // The functions are created once, because a chunk compiled each time would leave garbage of its own.
    values(
        &mut lua,
        r#"
        local function add(size) ballast[#ballast + 1] = ("b"):rep(size) .. #ballast end
        function fill(free)
            local hole = ("h"):rep(free)
            ballast = {}
            for _, size in ipairs { 65536, 8192, 1024, 128, 40 } do while pcall(add, size) do end end
        end
        "#,
    );
    let mut failures = 0;
    for free in (0..1200).step_by(8) {
        for operation in operations {
            values(
                &mut lua,
                &format!("function operation() {operation} end").replace("x = = 1", "return load('x = = 1')"),
            );
            // Filling the memory may itself fail.
            let _ = lua.call::<()>("fill", free);
            if let Err(failed) = lua.call::<()>("operation", ()) {
                failures += usize::from(failed.code() == "memory");
                assert!(["memory", "runtime"].contains(&failed.code()), "{operation}: {failed:?}");
            }
            // This compiles a chunk and collects garbage while the memory is full.
            values(&mut lua, "ballast = nil; collectgarbage()");
        }
    }
    assert!(failures > 100, "only {failures} operations met a full memory: the test does not bite");
}

#[test]
fn values_too_deep_are_refused_not_truncated() {
    let mut lua = lua();
    let deep = "local t = {} for _ = 1, N do t = { t } end return t";
    values(&mut lua, &deep.replace('N', "199"));
    let failed = error(&mut lua, &deep.replace('N', "200"));
    assert_eq!(failed.code(), "value", "{failed:?}");
    let mut value = Value::Nil;
    for _ in 0..201 {
        value = Table::from(TableData { array: vec![value], pairs: vec![] }).into();
    }
    assert_eq!(lua.set_global("x", value).expect_err("too deep").code(), "value");
}

#[test]
fn tables_outlive_the_vm_that_filled_them() {
    let mut first = Runtime::builder().store(MemoryStore::new()).build().expect("a VM");
    let filled = values(
        &mut first,
        r#"
        local t = ext.table("t")
        t[1] = "one"
        t[2] = { deep = { 1 } }
        t.name = "x\0\xFF"
        t[1.5] = true
        t[2^53] = 1.0
        local order = {}
        for k in pairs(t) do order[#order + 1] = tostring(k) end
        return #t, t[1.0], t[2].deep[1], t.name, t[1.5], math.type(t[2^53]), table.concat(order, " "), ext.count(t)
        "#,
    );
    let expected: [Value; 8] = [
        2.into(),
        "one".into(),
        1.into(),
        Value::String(b"x\0\xFF".to_vec()),
        true.into(),
        "float".into(),
        "1 2 name 1.5 9007199254740992".into(),
        5.into(),
    ];
    assert_eq!(filled, expected);
}

#[test]
fn table_functions_work_on_external_tables() {
    let mut lua = lua();
    let found = values(
        &mut lua,
        r#"
        local t = ext.table("list")
        for i = 1, 5 do table.insert(t, i * 10) end
        table.insert(t, 1, 5)
        table.remove(t)
        table.sort(t, function(a, b) return a > b end)
        local sum = 0
        for i, v in ipairs(t) do sum = sum + i * v end
        return table.concat(t, ","), #t, sum, select('#', table.unpack(t)), type(t), (next(t)), rawlen(t)
        "#,
    );
    let expected: [Value; 7] =
        ["40,30,20,10,5".into(), 5.into(), 225.into(), 5.into(), "table".into(), 1.into(), 0.into()];
    assert_eq!(found, expected);
}

#[test]
fn borders_are_right_whatever_was_removed() {
    let mut lua = lua();
    let found = values(
        &mut lua,
        r#"
        local t, seed, wrong = ext.table("holes"), 7, 0
        for step = 1, 3000 do
            seed = (seed * 1103515245 + 12345) % 2^31
            local i = seed // 65536 % 40 + 1
            t[i] = (seed // 7 % 3 > 0) and step or nil
            local n = #t
            if not ((n == 0 or t[n] ~= nil) and t[n + 1] == nil) then wrong = wrong + 1 end
        end
        return wrong
        "#,
    );
    assert_eq!(found, [0.into()]);
}

#[test]
fn external_tables_refuse_what_they_cannot_keep() {
    let mut lua = lua();
    for (source, message) in [
        ("t[nil] = 1", "eval:1: table index is nil"),
        ("t[0/0] = 1", "eval:1: table index is NaN"),
        ("t[{}] = 1", "an external table cannot have a table as key"),
        ("t[print] = 1", "an external table cannot have a function as key"),
        ("t.f = print", "a function cannot be stored"),
        ("t.x = { { print } }", "a function cannot be stored"),
        ("t.c = coroutine.create(print)", "a thread cannot be stored"),
        ("t.io = io.stdout", "a userdata cannot be stored"),
        ("t.o = setmetatable({}, {})", "eval:1: a table with a metatable cannot be stored"),
        ("t.o = { { setmetatable({}, { __index = t }) } }", "a table with a metatable cannot be stored"),
        ("rawset(t, 'x', 1)", "rawset on an external table"),
        ("setmetatable(t, {})", "cannot change a protected metatable"),
        ("ext.table('')", "must not be empty"),
        ("ext.table(('x'):rep(1025))", "longer than 1024"),
        ("ext.table('\\xFF')", "valid UTF-8"),
        ("ext.table()", "string expected"),
        ("ext.count({})", "external table expected"),
        ("ext.clear('t')", "external table expected"),
        ("ext.transaction()", "function expected"),
    ] {
        let failed = error(&mut lua, &format!("local t = ext.table('t'); {source}"));
        assert!(failed.to_string().contains(message), "{source}: {failed}");
        assert_eq!(failed.code(), "runtime", "{source}");
    }
    assert_eq!(
        values(&mut lua, "return ext.count(ext.table('t')), getmetatable(ext.table('t'))"),
        [0.into(), false.into()]
    );
    assert_eq!(
        values(&mut lua, "local t = ext.table('t') return t[nil], t[{}], t[0/0]"),
        [Value::Nil, Value::Nil, Value::Nil]
    );
}

#[test]
fn transactions_are_all_or_nothing() {
    let mut lua = lua();
    let found = values(
        &mut lua,
        r#"
        local a, b = ext.table("a"), ext.table("b")
        a.x, b.y = 1, 1
        local ok, e = pcall(ext.transaction, function()
            a.x, a.new = 2, 3
            ext.clear(b)
            ext.drop("b")
            ext.table("c").z = 1
            error({ why = "no" })
        end)
        local kept = { ext.transaction(function(...) a.x = a.x + 10; return ..., "done" end, "arg") }
        local inner = pcall(ext.transaction, function()
            a.outer = 1
            pcall(ext.transaction, function() a.inner = 1; error() end)
            assert(a.inner == nil and a.outer == 1)
        end)
        return ok, e.why, a.x, a.new, b.y, table.concat(ext.tables(), ","), kept[1], kept[2], inner, a.outer, b == ext.table("b")
        "#,
    );
    let expected: [Value; 11] = [
        false.into(),
        "no".into(),
        11.into(),
        Value::Nil,
        1.into(),
        "a,b".into(),
        "arg".into(),
        "done".into(),
        true.into(),
        1.into(),
        true.into(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn dropped_tables_raise_errors() {
    let mut lua = lua();
    values(&mut lua, "old = ext.table('t'); old.x = 1; ext.drop('t')");
    let failed = error(&mut lua, "return old.x");
    assert_eq!(failed.code(), "storage", "{failed:?}");
    assert_eq!(
        values(&mut lua, "return ext.table('t') == old, ext.count(ext.table('t'))"),
        [false.into(), 0.into()]
    );
    // The refusal was caught, so the next error is not of the kind "storage".
    assert_eq!(error(&mut lua, "pcall(function() return old.x end) error('other')").code(), "runtime");
}

#[test]
fn changes_during_a_traversal_are_seen() {
    let mut lua = lua();
    let found = values(
        &mut lua,
        r#"
        local t = ext.table("walk")
        for i = 1, 200 do t["k" .. i] = i end
        local seen, changed = 0, 0
        for k, v in pairs(t) do
            seen = seen + 1
            if v % 2 == 1 then t["k" .. v + 1] = nil end
            if v == 5 then t.k199 = "changed" end
            if v == "changed" then changed = changed + 1 elseif v < 50 then t[k] = v end
            if v == 100 then error("removed entries are not visited") end
            if type(v) == "number" and v >= 197 then break end
        end
        return seen, changed, ext.count(t)
        "#,
    );
    assert_eq!(found[1..], [0.into(), 101.into()]);
    let all = values(&mut lua, "local n = 0 for k, v in pairs(ext.table('walk')) do n = n + 1 end return n");
    assert_eq!(all, [101.into()]);
}

/// A past bug: allocating can run a finalizer, and a finalizer can use `ext`, which wrote to the buffer that
/// a value was being decoded from.
#[test]
fn finalizers_that_use_ext_do_not_disturb_what_they_interrupt() {
    let mut lua = lua();
    let found = values(
        &mut lua,
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
    assert_eq!(found, [0.into(), true.into()]);
}

/// A past bug: the collector was paused while tables were decoded, and did not catch up afterwards, so that a
/// loop over records filled the memory with garbage until an emergency collection.
#[test]
fn reading_many_records_does_not_accumulate_garbage() {
    let mut lua = lua();
    values(
        &mut lua,
        "local o = ext.table('o') for i = 1, 10000 do o[i] = { customer = 'c' .. i % 7, quantity = i, cents = 5 } end",
    );
    lua.gc(GcMode::Collect).expect("collects");
    let settled = lua.stats().used_bytes;
    let sum = values(
        &mut lua,
        "local n, most = 0, 0 for _, r in pairs(ext.table('o')) do n = n + r.quantity \
         most = math.max(most, collectgarbage('count')) end return n, math.floor(most * 1024)",
    );
    let Value::Integer(most) = sum[1] else { panic!("{sum:?}") };
    assert_eq!(sum[0], 50_005_000.into());
    assert!(usize::try_from(most).expect("positive") < 4 * settled, "{most} bytes at most, {settled} before");
}

fn tiny(memory_bytes: usize) -> Limits {
    let mut limits = Limits::default();
    limits.memory_bytes = memory_bytes;
    limits
}

#[test]
fn lua_may_have_less_than_all_memory() {
    let mut limits = Limits::default();
    limits.lua_bytes = Some(600 * 1024);
    let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
    let full = lua.eval("t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end").expect_err("is full");
    assert_eq!(full.code(), "memory");
    let stats = lua.stats();
    assert!(stats.peak_bytes <= 600 * 1024, "{stats:?}");
    assert_eq!(stats.limit_bytes, limits.memory_bytes, "what is told is the whole");
    assert_eq!(lua.eval("t = nil return 1").expect("goes on").values, [1.into()]);
}

#[test]
fn a_stack_has_as_many_slots_as_it_is_given() {
    let depth = |slots: Option<usize>| {
        let mut limits = Limits::default();
        limits.stack_slots = slots;
        let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
        let source = "local n = 0 local function f() n = n + 1 f() end local ok, e = pcall(f) return n, e";
        let values = lua.eval(source).expect("ends").values;
        let [Value::Integer(n), Value::String(message)] = &values[..] else { panic!("{values:?}") };
        assert!(String::from_utf8_lossy(message).contains("stack overflow"), "{values:?}");
        *n
    };
    let (few, some, all) = (depth(Some(1)), depth(Some(8000)), depth(None));
    assert!(few < some && some < all, "{few}, {some}, {all}");
    assert_eq!(few, depth(Some(1000)), "there is a least number");
}

#[test]
fn sources_that_are_not_finished_say_so() {
    let mut lua = Runtime::builder().build().expect("a VM");
    for (source, incomplete) in [
        ("for i = 1, 3 do", true),
        ("x = [[", true),
        ("x = = 1", false),
        ("break", false),
        ("error('near <eof>', 0)", false),
    ] {
        assert_eq!(lua.eval(source).map(drop).expect_err(source).is_incomplete(), incomplete, "{source}");
    }
    for (source, token) in [
        ("x = = 1", Some("=")),
        ("x = 'a\n", Some("'a")),
        ("x =", None),
        ("break", None),
        ("error(\" near 'x'\")", None),
    ] {
        let error = lua.eval_named(source, "a near 'b' chunk").map(drop).expect_err(source);
        assert_eq!(error.syntax_token(), token, "{source}");
    }
}

/// Buffers of strings that could not grow in a full heap leave nothing behind.
#[test]
fn buffers_that_fail_in_a_full_heap_are_freed() {
    let mut lua = lua();
    let script = "
        local function used() collectgarbage() collectgarbage() return math.floor(collectgarbage('count') * 1024) end
        local pieces = { ('a'):rep(100), ('b'):rep(3000), ('c'):rep(20000) }
        local ballast
        local function fill(round) for i = 1, 1e9 do ballast[#ballast + 1] = ('x'):rep(17 * round) .. i end end
        local function fail()
            for i, piece in ipairs(pieces) do
                pcall(string.gsub, piece, '.', '%0%0%0%0')
                pcall(string.rep, piece, 1000)
                pcall(table.concat, { piece, piece, piece, piece }, piece)
                pcall(string.format, '%s %q', piece, piece)
                pcall(function()
                    local c <close> = setmetatable({}, { __close = function() return piece:upper() .. piece:gsub('.', 'zz') end })
                    return piece:gsub('.', function() error('no') end)
                end)
            end
        end
        for round = 1, 40 do
            ballast = {}
            pcall(fill, round)
            pcall(fail)
            ballast = nil
        end
        return used()";
    let counted = match lua.eval(script).expect("runs").values[0] {
        Value::Integer(bytes) => usize::try_from(bytes).expect("is positive"),
        ref other => panic!("{other:?}"),
    };
    let used = lua.stats().used_bytes;
    assert!(used < counted + 20_000, "{used} bytes are in use, and Lua knows of {counted}");
}
