//! Requests of any operation with any bytes as arguments: each gives an error or a result, and leaves a
//! usable VM.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perilune::{Runtime, Value};

fuzz_target!(|bytes: &[u8]| {
    let Some((&op, input)) = bytes.split_first() else { return };
    let mut lua = Runtime::builder().build().expect("a VM");
    lua.request_raw(u32::from(op % 13), input);
    assert_eq!(lua.eval("return 1").expect("usable").values, [Value::Integer(1)]);
});
