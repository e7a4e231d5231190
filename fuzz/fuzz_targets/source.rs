//! Running any text as a program, in a small VM with little fuel.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perilune::{Limits, Runtime, Value};
use std::time::Duration;

fuzz_target!(|bytes: &[u8]| {
    let mut limits = Limits::default();
    limits.memory_bytes = perilune::limits::MEMORY_MIN_BYTES;
    let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
    lua.set_limits(Some(Duration::from_secs(5)), Some(50_000));
    let _ = lua.eval(bytes);
    lua.set_limits(None, None);
    assert_eq!(lua.eval("return 1").expect("usable").values, [Value::Integer(1)]);
});
