//! The kind of an error says who must act: operations with every kind of misuse, and programs that fail in
//! every way, each with its kind.
#![cfg(not(target_arch = "wasm32"))]

use perilune::protocol::{Outcome, operation};
use perilune::value::encode_list;
use perilune::{Error, Host, Runtime, Stream, Table, Value, Vm};

fn list(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_list(values, &mut bytes).expect("plain values");
    bytes
}

fn vm() -> Runtime {
    let mut lua = Runtime::builder()
        .module("bad", "\nlocal x = = 1")
        .module("fails", "\n\nerror('in it')")
        .module("large", format!("return {{ {} }}", "{1},".repeat(60_000)))
        .host(Silent)
        .build()
        .expect("a VM");
    lua.register("give", |_: &mut Vm, value: Value| Ok::<_, Error>(value)).expect("registers");
    lua.register("released", |_: &mut Vm, ()| Ok::<_, Error>(Value::Function(4_000_000))).expect("registers");
    lua.register("nested", |vm: &mut Vm, source: String| vm.eval(source).map(|_| ())).expect("registers");
    lua
}

#[derive(Debug)]
struct Silent;

impl Host for Silent {
    fn write(&mut self, _: Stream, _: &[u8]) {}
    fn clock_ms(&mut self) -> f64 {
        0.0
    }
    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }
    fn random_u64(&mut self) -> u64 {
        7
    }
}

/// Every operation with arguments that it does not take, or that name nothing.
#[test]
#[allow(clippy::cloned_ref_to_slice_refs, reason = "rows of one form")]
fn misuse_of_an_operation_is_usage() {
    let long = "x".repeat(1025);
    let (nothing, table, handle) = (Value::Nil, Value::Table(Table::new()), Value::Integer(4_000_000));
    let misuses: &[(u32, &[Value])] = &[
        (operation::EVAL, &[]),
        (operation::EVAL, &["return 1".into()]),
        (operation::EVAL, &["return 1".into(), 7.into()]),
        (operation::EVAL, &["return 1".into(), long.as_str().into()]),
        (operation::EVAL, &["return 1".into(), "a\0b".into()]),
        (operation::START_EVAL, &["return 1".into()]),
        (operation::EVAL_ENV, &["return 1".into(), "name".into()]),
        (operation::EVAL_ENV, &["return 1".into(), "name".into(), 7.into()]),
        (operation::EVAL_ENV, &["return 1".into(), long.as_str().into(), table.clone()]),
        (operation::START_EVAL_ENV, &["return 1".into(), "name".into(), nothing.clone()]),
        (operation::CALL, &[]),
        (operation::CALL, &[nothing.clone()]),
        (operation::CALL, &[table.clone()]),
        (operation::CALL, &["no.such".into()]),
        (operation::CALL, &["print.x".into()]),
        (operation::START_CALL, &["no.such".into()]),
        (operation::CALL_HANDLE, &[]),
        (operation::CALL_HANDLE, &[handle.clone()]),
        (operation::CALL_HANDLE, &["print".into()]),
        (operation::START_HANDLE, &[handle.clone()]),
        (operation::CALL, &["print".into(), Value::Function(4_000_000)]),
        (operation::CALL, &["print".into(), Value::Reference { lua_type: 8, handle: 4_000_000 }]),
        (operation::RELEASE, &[]),
        (operation::RELEASE, &[handle.clone()]),
        (operation::RELEASE, &["x".into()]),
        (operation::GLOBAL_SET, &[]),
        (operation::GLOBAL_SET, &[nothing.clone(), 1.into()]),
        (operation::GLOBAL_SET, &["x".into(), Value::Function(4_000_000)]),
        (operation::RESUME, &[]),
        (operation::RESUME, &[handle.clone(), true.into()]),
        (operation::CANCEL, &[]),
        (operation::CANCEL, &[handle.clone()]),
        (operation::GC, &[]),
        (operation::GC, &[7.into()]),
        (operation::GC, &["all".into()]),
        (operation::REGISTER, &[]),
        (operation::REGISTER, &["x".into(), 1.into()]),
        (operation::REGISTER, &[3.into(), "service".into()]),
        (operation::REGISTER, &[20.into(), "a..b".into()]),
        (operation::REGISTER, &[20.into(), long.as_str().into()]),
        (operation::LIMIT, &[]),
        (operation::LIMIT, &[true.into(), "x".into(), nothing.clone()]),
        (operation::LIMIT, &[true.into(), nothing.clone(), (-1).into()]),
        (operation::LIBRARIES, &["no such library".into()]),
        (operation::LIBRARIES, &[7.into()]),
        (24, &[]),
        (255, &[]),
        (256, &[]),
        (u32::MAX, &[]),
    ];
    let mut lua = vm();
    for (op, args) in misuses {
        assert_eq!(lua.request_raw(*op, &list(args)), Outcome::Usage, "operation {op} with {args:?}");
        assert_eq!(lua.eval("return 1").expect("works").values, [1.into()]);
    }
}

#[test]
fn bytes_that_are_no_list_are_a_value_error() {
    let mut lua = vm();
    for op in [operation::CALL, operation::CALL_HANDLE, operation::GLOBAL_SET, operation::RELEASE] {
        for bytes in [&[1, 0, 0, 0][..], &[1, 0, 0, 0, 0xFF], &[1, 0, 0, 0, 4, 9, 0, 0, 0], &[0, 0, 0, 0, 0]]
        {
            assert_eq!(lua.request_raw(op, bytes), Outcome::Value, "operation {op} with {bytes:?}");
        }
    }
}

const BIG: &str = "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end";
const DEEP: &str = "local t = {} for i = 1, 300 do t = { t } end";

#[test]
fn programs_fail_with_the_kind_of_what_ended_them() {
    let mut lua = vm();
    let source = format!("return {{ {} }}", "{1},".repeat(60_000));
    for (code, kind) in [
        ("x = = 1".to_string(), "syntax"),
        ("return".repeat(3), "syntax"),
        ("error('x')".to_string(), "runtime"),
        ("error()".to_string(), "runtime"),
        ("assert(load('x = = 1'))".to_string(), "runtime"),
        ("require('bad')".to_string(), "syntax"),
        ("pcall(require, 'bad') error('x')".to_string(), "runtime"),
        ("local ok, e = pcall(require, 'bad') error(e)".to_string(), "syntax"),
        ("require('fails')".to_string(), "runtime"),
        ("require('none')".to_string(), "runtime"),
        (BIG.to_string(), "memory"),
        (source, "memory"),
        ("require('large')".to_string(), "memory"),
        (format!("coroutine.wrap(function() coroutine.wrap(function() {BIG} end)() end)()"), "memory"),
        (format!("nested([[{BIG}]])"), "memory"),
        (format!("pcall(function() {BIG} end) error('x')"), "runtime"),
        (format!("local ok, e = pcall(function() {BIG} end) error(e, 0)"), "memory"),
        (format!("{DEEP} return t"), "value"),
        (format!("{DEEP} give(t)"), "value"),
        (format!("{DEEP} pcall(give, t) error('x')"), "runtime"),
        ("released()".to_string(), "usage"),
        ("pcall(released) error('x')".to_string(), "runtime"),
        ("error('not enough memory', 0)".to_string(), "memory"),
        ("nested('x = = 1')".to_string(), "runtime"),
    ] {
        let error = lua.eval(&code).expect_err(&code);
        assert_eq!(error.code(), kind, "{}: {error:?}", &code[..code.len().min(200)]);
    }
}

/// Checks that a place is found by the chunk's name, and not by what looks like one.
#[test]
fn chunk_and_line_are_right_whatever_the_chunk_is_called() {
    let mut lua = vm();
    let names = ["app.lua", "cell:3", "cell:3:", ":1:", "a:1: b:2:", &"é".repeat(512), &"long/".repeat(100)];
    for name in names {
        for (code, line, kind) in [
            ("\nerror('x')", 2, "runtime"),
            ("local function f()\nerror('x', 2)\nend\n\nf()\nlocal x", 5, "runtime"),
            ("\n\nlocal x = nil .. 1", 3, "runtime"),
            ("\nx = = 1", 2, "syntax"),
            ("\n\nx = 'unfinished", 3, "syntax"),
        ] {
            let error = lua.eval_named(code, name).expect_err(code);
            let details = error.lua().expect("of Lua");
            assert_eq!(error.code(), kind, "{name}: {error:?}");
            assert_eq!((details.chunk.as_deref(), details.line), (Some(name), Some(line)), "{error:?}");
            assert!(details.message.starts_with(&format!("{name}:{line}:")), "{error:?}");
            if kind == "runtime" {
                let traceback = details.traceback.as_deref().unwrap_or_default();
                assert!(traceback.contains(&format!("{name}:{line}:")), "{traceback}");
            }
        }
    }
    let error = lua.eval("\n\nrequire('bad')").expect_err("does not compile");
    let details = error.lua().expect("of Lua");
    assert_eq!((details.chunk.as_deref(), details.line), (Some("bad"), Some(2)), "{error:?}");
}

/// Checks that programs and modules are read as files are, and that `load` is C Lua's.
#[test]
fn marks_and_first_lines_for_shells_are_skipped() {
    let mut lua =
        Runtime::builder().module("marked", "\u{FEFF}#!/usr/bin/lua\nreturn 'marked'").build().expect("a VM");
    for (source, result) in [
        ("\u{FEFF}return 1", Some(1)),
        ("#!/usr/bin/lua\nreturn 2", Some(2)),
        ("\u{FEFF}# a comment\r\nreturn 3", Some(3)),
        ("#", None),
        ("\u{FEFF}", None),
    ] {
        let found = lua.eval(source).expect(source).values;
        assert_eq!(found, result.map(Value::from).into_iter().collect::<Vec<_>>(), "{source:?}");
        lua.set_global("source", source.into()).expect("is set");
        let loaded = lua.eval("return load(source) == nil").expect("runs").values;
        assert_eq!(loaded, [true.into()], "load({source:?})");
    }
    assert_eq!(lua.eval("return (require 'marked')").expect("runs").values, ["marked".into()]);
    let error = lua.eval("#!lua\n\nerror('x')").expect_err("fails");
    assert_eq!(error.lua().and_then(|error| error.line), Some(3));
}
