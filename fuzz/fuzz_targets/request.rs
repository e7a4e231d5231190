//! Any operation with any bytes as its arguments: an error or a result, and a VM that goes on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perilune::{Runtime, Value};

fuzz_target!(|bytes: &[u8]| {
    let Some((&op, input)) = bytes.split_first() else { return };
    let mut lua = Runtime::builder().build().expect("a VM");
    lua.request_raw(u32::from(op % 13), input);
    assert_eq!(lua.eval("return 1").expect("usable").values, [Value::Integer(1)]);
});
