//! Tests of the files, arguments and exit of programs: `io`, `os`, `loadfile` and `require` over files in the
//! VM, what is there without them, and that they are kept with the tables.
//!
//! Random programs are compared with what a native Lua printed for them (tests/vectors/files.json); with
//! `PERILUNE_NATIVE_LUA=lua5.4` with that of the system, and its output is recorded.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{ErrorKind, Files, Limits, MemoryStore, Runtime, StoreError, TableId, TableStore, Value};
use recorder::Recorder;
use std::cell::RefCell;
use std::rc::Rc;

#[path = "support/recorder.rs"]
mod recorder;

fn with(files: Files) -> Runtime {
    Runtime::builder().files(files).build().expect("a VM")
}

/// Runs a program, and gives its results as `print` would show them.
fn shown(lua: &mut Runtime, program: &str) -> String {
    let program = format!(
        "local r = table.pack((function() {program} end)()) for i = 1, r.n do r[i] = tostring(r[i]) end
         return table.concat(r, ' ')"
    );
    let reply = lua.eval(program).expect("runs");
    match reply.values.as_slice() {
        [Value::String(text)] => String::from_utf8_lossy(text).into_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_files_nothing_of_them_is_there() {
    let mut lua = Runtime::builder().build().expect("a VM");
    let names = "return io.open, io.close, io.tmpfile, loadfile, dofile, os.remove, os.rename, os.tmpname, os.exit, arg";
    assert_eq!(shown(&mut lua, names), ["nil"; 10].join(" "));
    assert_eq!(shown(&mut lua, "return #package.searchers"), "3");
    let refused = "return pcall(io.lines, 'a')";
    assert_eq!(shown(&mut lua, refused), "false cannot open file 'a' (files are not available)");
    let error = lua.read_file("a").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Usage(message) if message == "this VM has no files"),
        "{error}"
    );
}

#[test]
fn files_are_read_in_all_formats() {
    let mut lua = with(Files::new().file("a.txt", "12 0x1F -3e1 x\nsecond\n\nlast"));
    let read = "local f = io.open('a.txt') return f:read('n', 'n', 'n', 'n')";
    assert_eq!(shown(&mut lua, read), "12 31 -30.0 nil");
    assert_eq!(
        shown(&mut lua, "local f = io.open 'a.txt' return f:read('l', 'L', 'l', 3, 'a', 'a', 'l')"),
        { "12 0x1F -3e1 x second\n  las t  nil" }
    );
    let lines =
        "local t = {} for l in io.lines('a.txt', 'L') do t[#t + 1] = l end return #t, table.concat(t)";
    assert_eq!(shown(&mut lua, lines), "4 12 0x1F -3e1 x\nsecond\n\nlast");
    assert_eq!(
        shown(&mut lua, "io.input('a.txt') local l = io.read() io.input():close() return l"),
        "12 0x1F -3e1 x"
    );
    assert_eq!(shown(&mut lua, "return pcall(io.read)"), "false default input file is closed");
}

#[test]
fn files_are_written_in_all_modes() {
    let mut lua = with(Files::new());
    let write = |mode: &str, text: &str| {
        format!(
            "local f = assert(io.open('a', '{mode}')) f:write('{text}') f:close() return io.open('a'):read('a')"
        )
    };
    assert_eq!(shown(&mut lua, &write("w", "hello")), "hello");
    assert_eq!(shown(&mut lua, &write("a", "!")), "hello!");
    assert_eq!(shown(&mut lua, &write("r+b", "J")), "Jello!");
    assert_eq!(shown(&mut lua, &write("a+", "?")), "Jello!?");
    assert_eq!(shown(&mut lua, &write("w+", "")), "");
    let gap = "local f = io.open('a', 'w') f:seek('end', 3) f:write 'x' return f:seek 'cur', #io.open('a'):read 'a'";
    assert_eq!(shown(&mut lua, gap), "4 4");
    assert_eq!(shown(&mut lua, "return io.open('a', 'w'):read()"), "nil Bad file descriptor 9");
    assert_eq!(shown(&mut lua, "return io.open('a', 'r'):write('x')"), "nil Bad file descriptor 9");
    assert_eq!(shown(&mut lua, "return pcall(io.open, 'a', 'rw')"), {
        "false bad argument #2 to 'io.open' (invalid mode)"
    });
    assert_eq!(shown(&mut lua, "return io.open('a'):seek('set', -1)"), "nil Invalid argument 22");
}

#[test]
fn failures_are_those_of_the_system() {
    let files = Files::new().file("dir/a", "1").fixed("b", "2");
    let mut lua = with(files);
    for (program, failure) in [
        ("io.open('none')", "nil none: No such file or directory 2"),
        ("io.open('dir')", "nil dir: Is a directory 21"),
        ("io.open('dir/a/b', 'w')", "nil dir/a/b: Not a directory 20"),
        ("io.open('b', 'w')", "nil b: Permission denied 13"),
        ("io.open('b', 'r+')", "nil b: Permission denied 13"),
        ("os.remove('b')", "nil b: Permission denied 13"),
        ("os.remove('none')", "nil none: No such file or directory 2"),
        ("os.remove('dir')", "nil dir: Directory not empty 39"),
        ("os.rename('none', 'x')", "nil No such file or directory 2"),
        ("os.rename('dir/a', 'b')", "nil Permission denied 13"),
        ("io.open('a\\0b')", "nil a\0b: Invalid argument 22"),
        ("loadfile('none')", "nil cannot open none: No such file or directory"),
        ("pcall(dofile, 'none')", "false cannot open none: No such file or directory"),
        ("pcall(io.lines, 'none')", "false cannot open file 'none' (No such file or directory)"),
        ("os.rename('dir/a', '../../c'), io.open('/c'):read()", "true 1"),
        ("io.open('dir')", "nil dir: No such file or directory 2"),
    ] {
        assert_eq!(shown(&mut lua, &format!("return {program}")), failure, "{program}");
    }
    let mut lua = with(Files::new().file("a", "1").read_only());
    assert_eq!(shown(&mut lua, "return io.open('x', 'w')"), "nil x: Read-only file system 30");
    assert_eq!(
        shown(&mut lua, "return io.open('a'):read('n'), os.remove('a')"),
        "1 nil a: Read-only file system 30"
    );
}

#[test]
fn a_removed_file_lives_on_while_it_is_open() {
    let mut lua = with(Files::new().file("a", "old"));
    let program = "local f = io.open('a', 'r+') os.remove('a') io.open('a', 'w'):write('new'):close()
        f:write('O') f:seek('set') return f:read('a'), io.open('a'):read('a')";
    assert_eq!(shown(&mut lua, program), "Old new");
    let program =
        "local f = io.open('a') os.rename('a', 'b') return f:read('a'), io.open('a'), io.open('b'):read()";
    assert_eq!(shown(&mut lua, program), "new nil new");
}

#[test]
fn handles_close_once_and_say_so() {
    let mut lua = with(Files::new().file("a", "1\n2\n"));
    let program = "local f = io.open('a') local before = io.type(f) f:close()
        return before, io.type(f), tostring(f), pcall(f.read, f)";
    assert_eq!(shown(&mut lua, program), "file closed file file (closed) false attempt to use a closed file");
    let program = "local f do local g <close> = io.open('a') f = g end return io.type(f)";
    assert_eq!(shown(&mut lua, program), "closed file");
    let program = "local next, _, _, f = io.lines('a') while next() do end return io.type(f), pcall(next)";
    assert_eq!(shown(&mut lua, program), "closed file false file is already closed");
    let program = "for i = 1, 1000 do io.open('a') end collectgarbage() return #io.open('a'):read('a')";
    assert_eq!(shown(&mut lua, program), "4");
    let program = "local f = io.tmpfile() f:write('x', 1, 2.0) f:seek('set') return f:read('a')";
    assert_eq!(shown(&mut lua, program), "x12");
    let program = "local n = os.tmpname() local r = io.open(n):read('a') return n, #r, os.remove(n)";
    assert_eq!(shown(&mut lua, program), "/tmp/lua_0000000001 0 true");
}

#[test]
fn programs_are_files() {
    let files = Files::new()
        .fixed("main.lua", "#!/usr/bin/lua\nlocal lib = require 'pkg.lib' return lib.twice(...)")
        .fixed("pkg/lib.lua", "local name, file = ... return { name = name, file = file, twice = function(x) return 2 * x end }")
        .fixed("pkg/init.lua", "return 'init'")
        .fixed("bad.lua", "x =");
    let mut lua = with(files);
    assert_eq!(shown(&mut lua, "return loadfile('main.lua')(21)"), "42");
    assert_eq!(
        shown(&mut lua, "local lib = require 'pkg.lib' return lib.name, lib.file"),
        "pkg.lib ./pkg/lib.lua"
    );
    assert_eq!(shown(&mut lua, "return require 'pkg'"), "init ./pkg/init.lua");
    assert_eq!(shown(&mut lua, "return loadfile('main.lua', 'b')"), {
        "nil attempt to load a text chunk (mode is 'b')"
    });
    assert_eq!(
        shown(
            &mut lua,
            "io.open('e.lua', 'w'):write('return x'):close() return loadfile('e.lua', 't', { x = 5 })()"
        ),
        "5"
    );
    assert_eq!(shown(&mut lua, "return package.searchpath('pkg.lib', '?.lua')"), "pkg/lib.lua");
    assert_eq!(shown(&mut lua, "return select(2, pcall(require, 'none')):match('no file.*')"), {
        "no file './none.lua'\n\tno file './none/init.lua'"
    });
    let error = lua.eval("require 'bad'").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Syntax(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("error loading module 'bad' from file './bad.lua':"), "{text}");
}

#[test]
fn an_environment_has_its_own_defaults_and_loads_for_itself() {
    let mut lua = with(Files::new().file("a", "one\n").file("set.lua", "y = 7 return y"));
    let program =
        "io.input('a') local line = io.read() dofile('set.lua') io.output('out') io.write('w') io.close()
        return line, y, require('set')";
    let reply = lua.eval_env(program, "env", &perilune::Table::new()).expect("runs");
    assert_eq!(reply.values[..3], ["one".into(), 7.into(), 7.into()]);
    assert_eq!(
        shown(&mut lua, "return y, io.input() == io.stdin, io.output() == io.stdout"),
        "nil true true"
    );
    assert_eq!(lua.read_file("out").expect("is there").as_deref(), Some(&b"w"[..]));
}

#[test]
fn bytes_count_as_memory_and_against_the_limit() {
    let mut lua = with(Files::new().limit(100));
    let program = "local f = io.open('a', 'w') return f:write(('x'):rep(100)) == f, f:write('y')";
    assert_eq!(shown(&mut lua, program), "true nil No space left on device 28");
    assert_eq!(shown(&mut lua, "return io.open('b', 'w'):write('y')"), "nil No space left on device 28");
    assert_eq!(
        shown(&mut lua, "os.remove('a') collectgarbage() return io.type(io.open('b', 'w'):write('y'))"),
        "file"
    );

    let mut limits = Limits::default();
    limits.memory_bytes = 1 << 20;
    let mut lua = Runtime::builder().limits(limits).files(Files::new()).build().expect("a VM");
    let before = lua.stats().used_bytes;
    lua.write_file("a", vec![0; 300_000], false).expect("fits");
    assert!(lua.stats().used_bytes >= before + 300_000);
    let program = "local f, s = io.open('b', 'w'), ('x'):rep(10000) for i = 1, 1000 do
        local ok, message, code = f:write(s) if not ok then return i > 10, message, code end end";
    assert_eq!(shown(&mut lua, program), "true Cannot allocate memory 12");
    assert_eq!(
        shown(&mut lua, "return os.remove('b'), os.remove('a'), io.open('c', 'w'):write('ok') ~= nil"),
        { "true true true" }
    );
    lua.gc(perilune::GcMode::Collect).expect("collects");
    assert!(lua.stats().used_bytes < before + 100_000);
    let refused = lua.write_file("big", vec![0; 2 << 20], false).unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::Usage(message) if message.contains("allocate")), "{refused}");
}

#[test]
fn fuel_ends_a_program_that_moves_bytes() {
    let mut lua = with(Files::new().file("a", vec![b'x'; 100_000]));
    lua.set_limits(None, Some(10_000));
    let endless = "local f = io.open('a', 'r+') while true do f:seek('set') f:read('a') end";
    assert!(matches!(lua.eval(endless).unwrap_err().kind(), ErrorKind::Timeout(_)));
    lua.eval("local f = io.open('a') f:read(10)").expect("is cheap");
    let used = lua.fuel_used();
    lua.eval("local f = io.open('a') f:read(50000)").expect("is dearer");
    assert!(lua.fuel_used() > used + 50_000 / 256);
}

#[test]
fn exit_ends_the_call_past_everything() {
    let mut lua = Runtime::builder().arguments(["a", "b"]).build().expect("a VM");
    for (program, code) in [
        ("os.exit()", 0),
        ("os.exit(true)", 0),
        ("os.exit(false)", 1),
        ("pcall(os.exit, 7) error('went on')", 7),
        ("coroutine.wrap(function() pcall(os.exit, -3) end)() error('went on')", -3),
        ("table.sort({ 3, 2, 1 }, function() os.exit(9) end)", 9),
        (
            "setmetatable({}, { __close = error }) local x <close> = setmetatable({}, { __close = function() z = 1 end }) os.exit(4)",
            4,
        ),
    ] {
        let error = lua.eval(program).unwrap_err();
        let ErrorKind::Exit(exit) = error.kind() else { panic!("{program}: {error}") };
        assert_eq!(exit.value, code.into(), "{program}");
    }
    assert_eq!(shown(&mut lua, "return z, 'usable'"), "nil usable");
    let closing = "local a <close> = setmetatable({}, { __close = function() log = log .. 'a' end })
        local b <close> = setmetatable({}, { __close = function() log = log .. 'b' error('x') end })
        log = '' pcall(function() local c <close> = setmetatable({}, { __close = function() log = log .. 'c' end }) os.exit(2, true) end)
        log = log .. ' went on'";
    let error = lua.eval(closing).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Exit(exit) if exit.value == 2.into()), "{error}");
    assert_eq!(shown(&mut lua, "return log"), "cba");
    lua.set_limits(None, Some(100_000));
    let endless =
        "local a <close> = setmetatable({}, { __close = function() while true do end end }) os.exit(0, true)";
    assert!(matches!(lua.eval(endless).unwrap_err().kind(), ErrorKind::Timeout(_)));
}

#[test]
fn arguments_are_those_of_each_program() {
    let mut lua = Runtime::builder().arguments(["x", "y z"]).build().expect("a VM");
    let reply = lua.eval("arg[3] = 'own' return #arg, arg[1], ...").expect("runs");
    assert_eq!(reply.values, [3.into(), "x".into(), "x".into(), "y z".into()]);
    let reply = lua.eval("return ...").expect("runs");
    assert_eq!(reply.values, ["x".into(), "y z".into()]);
    let reply = lua.eval_env("return ...", "env", &perilune::Table::new()).expect("runs");
    assert_eq!(reply.values, ["x".into(), "y z".into()]);
}

/// A store that several VMs use, one after the other.
#[derive(Debug, Clone, Default)]
struct Shared(Rc<RefCell<MemoryStore>>, Rc<RefCell<bool>>);

impl TableStore for Shared {
    fn open(&mut self, name: &[u8]) -> Result<TableId, StoreError> {
        self.0.borrow_mut().open(name)
    }
    fn get(&mut self, table: TableId, key: &[u8], out: &mut Vec<u8>) -> Result<bool, StoreError> {
        self.0.borrow_mut().get(table, key, out)
    }
    fn contains(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        self.0.borrow_mut().contains(table, key)
    }
    fn set(&mut self, table: TableId, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        if *self.1.borrow() {
            return Err(StoreError::Full);
        }
        self.0.borrow_mut().set(table, key, value)
    }
    fn remove(&mut self, table: TableId, key: &[u8]) -> Result<bool, StoreError> {
        self.0.borrow_mut().remove(table, key)
    }
    fn next(
        &mut self,
        table: TableId,
        after: u64,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Result<bool, StoreError> {
        self.0.borrow_mut().next(table, after, room, out)
    }
    fn count(&mut self, table: TableId) -> Result<u64, StoreError> {
        self.0.borrow_mut().count(table)
    }
    fn clear(&mut self, table: TableId) -> Result<(), StoreError> {
        self.0.borrow_mut().clear(table)
    }
    fn drop_table(&mut self, name: &[u8]) -> Result<bool, StoreError> {
        self.0.borrow_mut().drop_table(name)
    }
    fn names(&mut self, out: &mut Vec<u8>) -> Result<(), StoreError> {
        self.0.borrow_mut().names(out)
    }
    fn transaction(&mut self, what: perilune::store::Transaction) -> Result<(), StoreError> {
        self.0.borrow_mut().transaction(what)
    }
    fn end_batch(&mut self) -> Result<(), StoreError> {
        self.0.borrow_mut().end_batch()
    }
}

#[test]
fn files_are_kept_in_a_table() {
    let store = Shared::default();
    let vm = || {
        let files = Files::new().file("first", "given").fixed("code.lua", "return 1").kept_in("files");
        Runtime::builder().store(store.clone()).files(files).build().expect("a VM")
    };
    let mut lua = vm();
    lua.eval("io.open('first', 'w'):write('changed'):close() io.open('x/y', 'w'):write('new'):close() os.tmpname()")
        .expect("runs");
    lua.eval("io.open('gone', 'w'):close()").expect("runs");
    lua.eval("os.remove('gone') os.rename('x/y', 'z')").expect("runs");
    let mut lua = vm();
    let paths: Vec<_> = lua.list_files().expect("lists").into_iter().map(|file| file.path).collect();
    assert_eq!(paths, [&b"code.lua"[..], b"first", b"z"]);
    assert_eq!(lua.read_file("first").expect("reads").as_deref(), Some(&b"changed"[..]));
    assert_eq!(
        shown(&mut lua, "local t = ext.table 'files' return t.z, t.first, t['code.lua']"),
        "new changed nil"
    );
    // What the store refuses is the end of the call, and tried again with the next.
    *store.1.borrow_mut() = true;
    let error = lua.eval("io.open('z', 'a'):write('er'):close()").unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Storage(_)), "{error}");
    *store.1.borrow_mut() = false;
    lua.eval("return 1").expect("runs");
    assert_eq!(vm().read_file("z").expect("reads").as_deref(), Some(&b"newer"[..]));
}

/// Numbers that are random enough, and the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// A program of random operations that prints what each has given.
fn random_program(seed: u64) -> String {
    let mut random = Random(seed);
    let mut program = String::from(
        "local h, at, show = {}, {}, function(...)
           local r = table.pack(...)
           for i = 1, r.n do r[i] = io.type(r[i]) or (type(r[i]) == 'string' and ('%q'):format(r[i])) or tostring(r[i]) end
           print(table.concat(r, ' '))
         end
         local function open(i, name, mode)
           for j, other in pairs(at) do if other == name then if h[j] then h[j]:close() end h[j], at[j] = nil, nil end end
           local f, m, c = io.open(name, mode)
           h[i], at[i] = f, name
           show(f, m, c)
         end
         local function with(i, what) if h[i] and io.type(h[i]) == 'file' then h[i]:seek('cur', 0) show(what(h[i])) h[i]:flush() end end\n",
    );
    let names = ["'a'", "'b'", "'./c'"];
    for _ in 0..60 {
        let (slot, name) = (random.below(2) + 1, random.of(&names));
        let line = match random.below(10) {
            0 | 1 => {
                let mode = random.of(&["r", "w", "a", "r+", "w+", "a+", "rb", "wb", "r+b"]);
                format!("open({slot}, {name}, '{mode}')")
            }
            2..=4 => {
                let text = random.of(&[
                    "''",
                    "'hello\\n'",
                    "'12 -0x1p4\\n'",
                    "7, 1.5, 2.0, 'x'",
                    "'\\n\\n'",
                    "' 1e+ 2'",
                ]);
                format!("with({slot}, function(f) return f:write({text}) end)")
            }
            5 | 6 => {
                let formats =
                    random.of(&["'l'", "'L'", "'a'", "'n'", "0", "3", "'n', 'l'", "'l', 'a', 'l'", "100"]);
                format!("with({slot}, function(f) return f:read({formats}) end)")
            }
            7 => {
                let (whence, offset) = (random.of(&["set", "cur", "end"]), random.below(12) as i64 - 4);
                format!("with({slot}, function(f) return f:seek('{whence}', {offset}) end)")
            }
            8 => match random.below(4) {
                0 => format!("at[1], at[2] = nil, nil h = {{}} show(os.remove({name}))"),
                1 => format!(
                    "h, at = {{}}, {{}} collectgarbage() show(os.rename({name}, {}))",
                    random.of(&names)
                ),
                _ => format!("if h[{slot}] then show(h[{slot}]:close()) h[{slot}] = nil end"),
            },
            _ => format!(
                "for i = 1, 2 do if h[i] then h[i]:flush() end end show(pcall(function() local t = {{}} for l in io.lines({name}) do t[#t + 1] = l end return table.concat(t, '|') end))"
            ),
        };
        program.push_str(&line);
        program.push('\n');
    }
    program
}

fn our_output(program: &str) -> String {
    let recorder = Recorder::default();
    let mut lua = Runtime::builder().host(recorder.clone()).files(Files::new()).build().expect("a VM");
    lua.eval_named(program, "program.lua").expect("runs");
    String::from_utf8_lossy(&recorder.0.borrow()).into_owned()
}

/// The output of a native Lua in an empty folder.
fn native_output(interpreter: &str, program: &str) -> String {
    let folder = std::env::temp_dir().join(format!("perilune-files-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("program.lua"), program).expect("writes");
    let ended = std::process::Command::new(interpreter).arg("program.lua").current_dir(&folder).output();
    let ended = ended.expect("the interpreter is installed");
    let _ = std::fs::remove_dir_all(&folder);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

/// Programs whose output is recorded, and those that are compared while it is.
const RECORDED: u64 = 24;
const COMPARED: u64 = 500;

#[test]
fn random_programs_do_what_native_lua_did() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/files.json");
    if let Ok(interpreter) = std::env::var("PERILUNE_NATIVE_LUA") {
        let native = |seed| native_output(&interpreter, &random_program(seed));
        for seed in 0..COMPARED {
            assert_eq!(our_output(&random_program(seed)), native(seed), "seed {seed}");
        }
        let outputs: Vec<String> = (0..RECORDED).map(native).collect();
        let text = serde_json::to_string_pretty(&outputs).expect("is JSON");
        std::fs::write(path, text + "\n").expect("writes");
    }
    let outputs: Vec<String> =
        serde_json::from_str(&std::fs::read_to_string(path).expect("is there")).expect("is JSON");
    assert_eq!(outputs.len() as u64, RECORDED);
    for (seed, output) in (0..).zip(outputs) {
        assert_eq!(our_output(&random_program(seed)), output, "seed {seed}");
    }
}
