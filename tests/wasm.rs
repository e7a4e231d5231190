//! Tests of the crate in a Rust program in a page: headless Chrome, through wasm-bindgen.
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]

use perilune::js::{JsHost, open_store};
use perilune::store::conformance::check_table_store;
use perilune::{Error, Runtime, Vm};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

async fn page(address: &str) -> Result<(perilune::js::OpenStore, Runtime), Error> {
    let store = open_store(address).await?;
    let runtime = Runtime::builder().host(JsHost::default()).store(store.tables()).build()?;
    Ok((store, runtime))
}

#[wasm_bindgen_test]
fn errors_are_caught_and_coroutines_run() {
    let mut lua = Runtime::builder().build().expect("a VM");
    let reply = lua.eval(
        r"
        local ok, e = pcall(error, { code = 42 })
        local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i * 10) end end)
        return ok, e.code, co() + co() + co(), select('#', pcall(string.rep)), ('%.3f'):format(1 / 3)
        ",
    );
    let expected = [false.into(), 42_i64.into(), 60_i64.into(), 2_i64.into(), "0.333".into()];
    assert_eq!(reply.expect("runs").values, expected);
}

#[wasm_bindgen_test]
fn a_failing_eval_leaves_the_vm_usable_many_times() {
    let mut lua = Runtime::builder().build().expect("a VM");
    for round in 0..10_000 {
        assert_eq!(
            lua.eval("local t = nil; return t.x").expect_err("raises").code(),
            "runtime",
            "round {round}"
        );
    }
    assert_eq!(lua.eval("return 1").expect("usable").values, [1_i64.into()]);
}

#[wasm_bindgen_test]
fn clocks_are_the_pages() {
    let mut lua = Runtime::builder().host(JsHost::default()).build().expect("a VM");
    let reply = lua.eval("return os.time() > 1700000000, os.clock() >= 0, os.date('!%Y') >= '2023'");
    assert_eq!(reply.expect("runs").values, [true.into(), true.into(), true.into()]);
}

#[wasm_bindgen_test]
async fn the_javascript_store_keeps_the_contract() {
    // Each check needs a fresh store. Opening one is asynchronous, so they are opened ahead.
    let mut ready = Vec::new();
    for _ in 0..32 {
        ready.push(open_store("memory://").await.expect("memory"));
    }
    let ready = std::cell::RefCell::new(ready.into_iter());
    let held = std::cell::RefCell::new(Vec::new());
    check_table_store(|| {
        let store = ready.borrow_mut().next().expect("enough stores");
        let tables = Box::new(store.tables());
        held.borrow_mut().push(store);
        tables
    });
}

#[wasm_bindgen_test]
async fn tables_come_back_with_their_types() {
    let name = "idb://tables-come-back";
    let fill = r#"
        local t = ext.table("kept")
        t.int, t.float, t.yes, t.text = 9007199254740993, 1.0, true, "a\0b\xFF"
        t[1], t["1"], t[1.5], t[true] = "int", "string", "float", "boolean"
        t.nested = { 1, 2, { deep = "x" } }
        return #t
    "#;
    let check = r#"
        local t = ext.table("kept")
        assert(math.type(t.int) == "integer" and t.int == 9007199254740993)
        assert(math.type(t.float) == "float" and t.yes == true and t.text == "a\0b\xFF")
        assert(t[1] == "int" and t["1"] == "string" and t[1.5] == "float" and t[true] == "boolean")
        assert(t.nested[3].deep == "x")
        local keys = {}
        for k in pairs(t) do keys[#keys + 1] = tostring(k) end
        return table.concat(keys, " ")
    "#;
    let (store, mut lua) = page(name).await.expect("opens");
    lua.eval(fill).expect("fills");
    let before = lua.eval(check).expect("is there");
    store.flush().await.expect("commits");
    drop(lua);
    store.close().await.expect("closes");

    let (store, mut lua) = page(name).await.expect("opens again");
    assert_eq!(lua.eval(check).expect("is still there"), before);
    lua.eval("ext.drop('kept')").expect("drops");
    drop(lua);
    store.close().await.expect("closes");
}

#[wasm_bindgen_test]
async fn a_database_has_one_owner() {
    let first = open_store("idb://one-owner").await.expect("opens");
    let second = open_store("idb://one-owner").await.expect_err("is held");
    assert_eq!(second.code(), "storage");
    assert!(second.to_string().contains("locked"), "{second}");
    first.close().await.expect("closes");
    open_store("idb://one-owner").await.expect("is free again").close().await.expect("closes");
}

#[wasm_bindgen_test]
async fn addresses_that_name_no_storage_are_refused() {
    for address in ["", "idb", "idb://", "nonsense://x", "file:x"] {
        let error = open_store(address).await.expect_err(address);
        assert_eq!(error.code(), "storage", "{address}: {error}");
    }
}

#[wasm_bindgen_test]
async fn a_closed_store_is_an_error_not_a_loss() {
    let (store, mut lua) = page("memory://").await.expect("opens");
    lua.eval("t = ext.table('t') t.x = 1").expect("runs");
    store.close().await.expect("closes");
    let error = lua.eval("t.x = 2").expect_err("is closed");
    assert_eq!(error.code(), "storage", "{error}");
}

#[wasm_bindgen_test]
async fn functions_of_a_rust_program_run_and_wait_in_a_page() {
    let mut lua = Runtime::builder().host(JsHost::default()).build().expect("a VM");
    lua.register("add", |_: &mut Vm, (a, b): (f64, f64)| Ok::<_, Error>(a + b)).expect("registers");
    lua.register("again", |vm: &mut Vm, source: String| vm.eval(source).map(|reply| reply.values))
        .expect("registers");
    lua.register_async("later", |value: f64| async move {
        let promise = js_sys::Promise::resolve(&wasm_bindgen::JsValue::from_f64(value));
        let settled = wasm_bindgen_futures::JsFuture::from(promise).await;
        settled.map(|value| value.as_f64()).map_err(|_| "rejected")
    })
    .expect("registers");
    let reply = lua
        .eval_async(
            "local co = coroutine.wrap(function() return later(2) end)
            local ok, e = pcall(add, 'x')
            return add(1, 2), again('return add(2, 0.5)'), later(1) + co(), ok, (tostring(e))",
        )
        .await
        .expect("runs");
    assert_eq!(
        reply.values,
        [
            3.0.into(),
            2.5.into(),
            3.0.into(),
            false.into(),
            "bad value #1: expected number, got string".into()
        ]
    );
}

/// Runs the same scripts as tests/golden.rs does natively, with the same expectations.
#[wasm_bindgen_test]
fn golden_scripts_print_the_same_on_wasm() {
    let mut ran = 0;
    for (name, source) in GOLDEN {
        let problem = golden::run(source).err();
        assert!(problem.is_none(), "{name}: {}", problem.unwrap_or_default());
        ran += 1;
    }
    assert!(ran > 100, "only {ran} golden scripts were found");
}

#[path = "support/golden.rs"]
mod golden;

include!(concat!(env!("OUT_DIR"), "/golden_files.rs"));
