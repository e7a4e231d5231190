//! Decoding any bytes: they are refused, or are the bytes of the value that is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perilune::Value;
use perilune::value::{decode_list, decode_value, encode_value};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = decode_value(bytes) {
        let mut again = Vec::new();
        encode_value(&value, &mut again).expect("what was decoded can be encoded");
        assert_eq!(again, bytes);
        free(value);
    }
    if let Ok(values) = decode_list(bytes) {
        values.into_iter().for_each(free);
    }
});

/// Frees a value: bytes can make a table that contains itself, which dropping alone would leak.
fn free(value: Value) {
    if let Value::Table(table) = value {
        table.dismantle();
    }
}
