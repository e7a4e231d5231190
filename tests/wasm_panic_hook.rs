//! The feature `console_error_panic_hook`, in headless Chrome. By itself, since no test can follow a panic.
#![cfg(all(target_arch = "wasm32", target_os = "unknown", feature = "console_error_panic_hook"))]

use js_sys::{Function, Reflect, global};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::{Closure, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// A panic ends in a trap, which stops the whole module. So `console.error` notes what it is given and
/// throws: the exception passes through the hook and the closure that panics, to whoever called the closure.
#[wasm_bindgen_test]
fn panics_reach_the_console() {
    perilune::js::set_panic_hook();
    let console = Reflect::get(&global(), &"console".into()).expect("a page has one");
    let original = Reflect::get(&console, &"error".into()).expect("it has the method");
    let throw = Function::new_with_args("message", "globalThis.panicMessage ??= message; throw message");
    Reflect::set(&console, &"error".into(), &throw).expect("can be replaced");

    let panicking = Closure::<dyn Fn()>::new(|| panic!("the moon is late"));
    let function: &Function = panicking.as_ref().unchecked_ref();
    let thrown = function.call0(&JsValue::UNDEFINED);

    Reflect::set(&console, &"error".into(), &original).expect("can be put back");
    // For the module the closure is running still.
    std::mem::forget(panicking);
    assert!(thrown.is_err(), "console.error was not called");
    // The first text: wasm-bindgen's own code reports there that its import throws.
    let message = Reflect::get(&global(), &"panicMessage".into()).expect("is readable").as_string();
    let message = message.expect("console.error was called with a text");
    assert!(
        message.contains("the moon is late") && message.contains("tests/wasm_panic_hook.rs"),
        "{message}"
    );
}
