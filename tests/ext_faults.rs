//! Tests of a store that refuses, at each of its calls in turn: each refusal is an error that Lua can catch,
//! a transaction that is refused changes nothing, and the VM stays usable. The contents of the store are
//! compared with the model in `support/ext_model.lua`.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Error, Limits, Runtime, StoreError, Value};
use store::{Fault, Watched};

#[path = "support/store.rs"]
mod store;

/// Names and programs. They use the operations `M` of the model, and `t` and `u`, two tables with a few
/// entries.
const PROGRAMS: &[(&str, &str)] = &[
    ("reading", "M.get(t, 1) M.get(t, 'none') M.count(t) M.length(t) M.names() M.first(t) M.list(t)"),
    (
        "writing",
        "M.set(t, 1, { 2, { 'three' } }) M.set(t, 'new', 1) M.set(t, 2, nil) M.append(t, true) M.remove_last(t)",
    ),
    (
        "tables",
        "M.open('new') M.clear(t) M.drop('u') M.drop('none') M.open('u') M.names() M.get(u, 1) M.set(u, 1, 2)",
    ),
    ("references", "M.set(t, 1, u.proxy) M.get(t, 1) M.drop('u') M.get(t, 1) M.list(t) M.names()"),
    (
        "an iterator that is held",
        "local it = M.iterate(t) M.advance(it) M.set(t, 2, nil) M.advance(it) M.set(t, 'more', 1) M.clear(t) M.advance(it) \
         M.set(t, 'again', 1) M.advance(it) M.advance(it)",
    ),
    (
        "a transaction that is kept",
        "M.transaction(no, function() M.set(t, 1, 'one') M.set(u, 1, 'two') M.set(t, 2, nil) M.append(u, 3) end, 1, nil)",
    ),
    (
        "a transaction that fails",
        "M.transaction(no, function() M.set(t, 1, nil) M.set(t, 1, 'end') M.clear(u) M.set(u, 'x', 1) error(no) end)",
    ),
    (
        "transactions inside of one",
        "M.transaction(no, function() M.set(t, 1, 1) \
           M.transaction(no, function() M.set(t, 1, 2) M.clear(u) M.list(t) error(no) end) M.list(t) M.list(u) \
           M.transaction(no, function() M.set(u, 5, 2) M.transaction(no, function() M.set(u, 6, 2) end) end) \
           M.set(t, 'last', 1) end)",
    ),
    (
        "tables inside of one",
        "M.transaction(no, function() M.drop('t') M.open('new') local again = M.open('t') if again then M.set(again, 1, 1) end \
           M.clear(u) M.drop('u') M.open('u') M.names() error(no) end) M.names() M.list(t) M.list(u)",
    ),
    (
        "errors caught inside",
        "M.transaction(no, function() pcall(function() M.set(t, 1, 1) error(no) end) \
           local closing <close> = setmetatable({}, { __close = function() M.set(u, 'closed', 1) end }) \
           M.transaction(no, function() local it = M.iterate(t) M.advance(it) error(no) end) M.set(t, 2, 2) end) M.list(u)",
    ),
    (
        "an error that leaves two of them",
        "M.transaction(no, function() M.set(t, 1, 1) \
           if not M.transaction(no, function() M.set(t, 1, 2) M.set(u, 1, 2) error(no) end) then error(no) end end)",
    ),
    (
        "finalizers",
        "M.finalizers() M.transaction(no, function() M.set(t, 1, 1) M.collect() M.set(t, 2, 1) error(no) end) M.collect()",
    ),
];

fn vm(store: &Watched) -> Runtime {
    let mut limits = Limits::default();
    limits.memory_bytes = 16 * 1024 * 1024;
    let builder = Runtime::builder().store(store.clone()).limits(limits);
    builder.module("model", include_str!("support/ext_model.lua")).build().expect("a VM")
}

/// Runs a program on two tables with contents, on a store that fails as `fault` says, and checks the result.
/// Returns true if a call was refused.
fn run(program: &str, fault: Option<Fault>, place: &str) -> bool {
    let store = Watched::default();
    let mut lua = vm(&store);
    let prepared = lua.eval(
        "M, no = require 'model', {} t, u = M.open('t'), M.open('u') \
         for i = 1, 3 do M.set(t, i, i * 10) M.set(u, i, { i }) end M.set(t, 'ref', u.proxy)",
    );
    prepared.unwrap_or_else(|error| panic!("{place}: {error}"));
    store.set_fault(fault);
    let ended = lua.eval(program);
    let refused = store.refused();
    store.set_fault(None);
    if let Err(error) = &ended {
        // Only a refusal at the end of the batch cannot be caught by Lua.
        assert!(refused && error.code() == "storage", "{place}: {error:?}");
    }
    for round in ["then", "in the next eval"] {
        let checked = lua.eval("M.check() return M.refused");
        let found = checked.unwrap_or_else(|error| panic!("{place}, {round}: {error}")).values;
        let reported = found[0] != 0.into() || ended.is_err();
        assert_eq!(reported, refused, "{place}, {round}: each refusal is reported");
    }
    assert!(store.is_settled(), "{place}: a transaction is open");
    refused
}

/// Refuses `count` calls, starting at each call in turn.
fn every_place(name: &str, program: &str, count: u64, error: &StoreError) {
    for first in 0.. {
        let place = format!("{name}, call {first}, {error:?} {count} times");
        if !run(program, Some(Fault { first, count, error: error.clone() }), &place) {
            assert!(first > 1, "{name} asks for nothing");
            break;
        }
    }
}

fn injected() -> StoreError {
    StoreError::Host("injected".into())
}

#[test]
fn one_call_is_refused() {
    for (name, program) in PROGRAMS {
        assert!(!run(program, None, name));
        for error in [injected(), StoreError::OutOfMemory] {
            every_place(name, program, 1, &error);
        }
    }
}

#[test]
fn a_few_calls_are_refused() {
    for (name, program) in PROGRAMS {
        every_place(name, program, 2, &injected());
        every_place(name, program, 5, &injected());
    }
}

#[test]
fn every_call_from_one_on_is_refused() {
    for (name, program) in PROGRAMS {
        for error in [injected(), StoreError::OutOfMemory] {
            every_place(name, program, u64::MAX, &error);
        }
    }
}

#[test]
fn random_programs_survive_refusals() {
    for seed in 0..20 {
        let program = format!("M.run({seed}, 25)");
        every_place(&format!("seed {seed}"), &program, 1, &injected());
    }
    for seed in 20..40 {
        let program = format!("M.run({seed}, 25)");
        every_place(&format!("seed {seed}"), &program, 3, &StoreError::OutOfMemory);
    }
}

fn failed(lua: &mut Runtime, source: &str) -> Error {
    lua.eval(source).expect_err(source)
}

#[test]
fn refusals_are_storage_errors() {
    let store = Watched::default();
    let mut lua = vm(&store);
    lua.eval("t = ext.table('t') t.x = 1 n = 0").expect("runs");
    for (source, first) in [
        ("return t.x", 0),
        ("t.x = 2", 0),
        ("t.x = nil", 0),
        ("return #t", 0),
        ("return next(t)", 0),
        ("for k in pairs(t) do end", 0),
        ("ext.clear(t)", 0),
        ("ext.drop('t')", 0),
        ("ext.tables()", 0),
        ("ext.table('u')", 0),
        ("ext.count(t)", 0),
        // The store refuses to begin, to commit, and to roll back.
        ("ext.transaction(function() n = n + 1 end)", 0),
        ("ext.transaction(function() n = n + 1 end)", 1),
        ("ext.transaction(error, 'theirs')", 1),
        // The store refuses the end of the batch.
        ("return 1", 0),
    ] {
        let before = store.contents();
        for (error, kind) in [(injected(), "storage"), (StoreError::OutOfMemory, "memory")] {
            store.set_fault(Some(Fault { first, count: 1, error }));
            let refused = failed(&mut lua, source);
            let kind = if source == "return 1" { "storage" } else { kind };
            assert_eq!(refused.code(), kind, "{source}: {refused}");
            assert!(store.refused());
            store.set_fault(None);
            assert_eq!(store.contents(), before, "{source}");
            assert!(store.is_settled(), "{source}");
        }
    }
    assert_eq!(
        lua.eval("return n, t.x").expect("is usable").values,
        [2.into(), 1.into()],
        "what begins not, does not run"
    );
}

/// Checks that a roll back which was refused is done before any other operation.
#[test]
fn refused_roll_backs_run_before_other_operations() {
    let store = Watched::default();
    let mut lua = vm(&store);
    lua.eval("t = ext.table('t') t.x = 'before'").expect("runs");
    // Calls 0 and 1 are begin and set; the next ones, the roll back and the read, are refused.
    store.set_fault(Some(Fault { first: 2, count: 2, error: injected() }));
    let seen = lua.eval(
        "local ok, e = pcall(ext.transaction, function() t.x = 'half' error('theirs') end) \
         local read, why = pcall(function() return t.x end) \
         return ok, (e:find('injected')) ~= nil, read, (why:find('injected')) ~= nil, t.x, \
           ext.transaction(function() t.x = t.x .. ', after' return t.x end)",
    );
    let expected: [Value; 6] =
        [false.into(), true.into(), false.into(), true.into(), "before".into(), "before, after".into()];
    assert_eq!(seen.expect("is usable").values, expected);
    assert!(store.is_settled());
}
