//! A test that the deepest recursion fits the module's stack: past its end the module would trap.

use crate::reset_tests::{event, sandbox};
use crate::settings::Settings;
use std::path::Path;
use std::time::Duration;

/// Bytes that the deepest recursion is to leave. What it takes was 113 KiB (`gsub` that calls itself).
const SPARE_BYTES: usize = 16 * 1024;

/// Ways to nest calls of C in one another as deep as Lua lets them.
const DEEP: &[&str] = &[
    "local function f() (('x'):rep(99)):gsub('.', f) end f()",
    "local function f() for _ in ('x'):gmatch('()(.)') do pcall(f) end end f()",
    "local function f() table.sort({ 3, 2, 1 }, function(a, b) pcall(f) return a < b end) end f()",
    "local function f() return coroutine.wrap(f)() end f()",
    "local function f() return coroutine.wrap(function() (('x'):rep(9)):gsub('.', f) end)() end f()",
    "local m = {} m.__tostring = function(x) return string.format('%-99s %s', 'a', x) end tostring(setmetatable({}, m))",
    "local m = {} m.__index = function(t, k) return t[k .. 'x'] end return setmetatable({}, m).a",
    "local m = {} m.__concat = function(a, b) return a .. b end return setmetatable({}, m) .. 'x'",
    "local m = {} m.__pairs = function(t) return pairs(t) end json.encode(setmetatable({}, m))",
    "local t = {} for i = 1, 5000 do t = { t } end json.encode(t)",
    "json.decode(('['):rep(5000))",
    "(('('):rep(30) .. 'x'):find(('(.-'):rep(30) .. (')'):rep(30) .. 'y')",
    "('x'):rep(200000):find(('x?'):rep(2000) .. 'y')",
    "local function f(e) return xpcall(error, f, e) end f('x')",
    "local function f() local x <close> = setmetatable({}, { __close = f }) error('x') end f()",
    "local function f() print(setmetatable({}, { __tostring = f })) end f()",
    "string.pack(('!16 i16'):rep(300), 1)",
    "local function f() return select('#', table.unpack({}, 1, 250), pcall(f)) end f()",
];

fn all() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let hostile = std::fs::read_dir(folder).unwrap();
    let hostile =
        hostile.filter_map(|entry| String::from_utf8(std::fs::read(entry.unwrap().path()).unwrap()).ok());
    let nested = ["(", "{", "- ", "not ", "f{", "a[", "function() return "]
        .map(|open| format!("x = {}", open.repeat(195)));
    hostile.chain(DEEP.iter().map(|source| (*source).to_owned())).chain(nested).collect()
}

#[test]
fn the_deepest_recursion_fits_the_stack() {
    let sandbox = sandbox(Settings {
        timeout: Duration::from_millis(50),
        memory_bytes: 32 << 20,
        ..Settings::default()
    });
    let shared = sandbox.shared();
    let stack_bytes = shared.machine().stack_bytes();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut deepest = (0, String::new());
    for source in all() {
        let event = event(source.clone());
        let used = runtime.block_on(async {
            // Where it does not compile, what the compiler has used is no less deep.
            let vm = if let Some(mut vm) = shared.vm_of(&event).await {
                let run = tokio::time::timeout(Duration::from_mins(1), vm.run(&event.input)).await;
                assert!(run.is_ok_and(|reply| reply.is_ok()), "traps, or does not end: {source}");
                vm
            } else {
                let mut vm = shared.new_vm().await;
                vm.load(&source).await.unwrap_or_else(|error| panic!("{error:#}: {source}"));
                vm
            };
            let stack = &vm.memory_data()[..stack_bytes];
            stack_bytes - stack.iter().position(|byte| *byte != 0).unwrap_or(stack_bytes)
        });
        if used > deepest.0 {
            deepest = (used, source);
        }
    }
    let (used, source) = deepest;
    assert!(used > 8 * 1024, "the deepest has used {used} bytes, which is none");
    assert!(used + SPARE_BYTES <= stack_bytes, "{used} of {stack_bytes} bytes: {source}");
}
