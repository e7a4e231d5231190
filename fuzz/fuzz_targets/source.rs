//! Any text as a program. Loops cannot be stopped yet, so what could loop is left out: the compiler, the libraries and the
//! errors are what is looked at.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perilune::{Runtime, Value};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if ["while", "repeat", "for", "goto", "rep", "function", "load"].iter().any(|word| text.contains(word)) {
        return;
    }
    let mut lua = Runtime::builder().build().expect("a VM");
    let _ = lua.eval(bytes);
    assert_eq!(lua.eval("return 1").expect("usable").values, [Value::Integer(1)]);
});
