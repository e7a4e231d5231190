//! Tests of the byte format: the vectors that both Rust and TypeScript must pass, round trips of random
//! values, and random bytes.
#![cfg(not(target_arch = "wasm32"))]

use perilune::value::{decode_list, decode_value, encode_list, encode_value};
use perilune::{Runtime, Table, TableData, Value, protocol};
use proptest::prelude::*;

struct Vector {
    name: String,
    lua: Option<String>,
    bytes: Vec<u8>,
}

fn vectors(section: &str) -> Vec<Vector> {
    let text = include_str!("vectors/codec.json");
    let all: serde_json::Value = serde_json::from_str(text).expect("valid JSON");
    let list = all[section].as_array().expect("a list of vectors");
    list.iter()
        .map(|vector| Vector {
            name: vector["name"].as_str().expect("a name").to_owned(),
            lua: vector["lua"].as_str().map(str::to_owned),
            bytes: unhex(vector["hex"].as_str().expect("bytes")),
        })
        .collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pair =
        |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex digits");
    digits.chunks(2).map(pair).collect()
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode_value(value, &mut out).expect("can be encoded");
    out
}

#[test]
fn vectors_are_read_and_written_byte_by_byte() {
    for vector in vectors("values").into_iter().chain(vectors("keys")) {
        let value = decode_value(&vector.bytes).unwrap_or_else(|e| panic!("{}: {e}", vector.name));
        assert_eq!(encoded(&value), vector.bytes, "{}", vector.name);
    }
}

#[test]
fn lua_encodes_the_values_of_the_vectors() {
    let mut lua = Runtime::builder().build().expect("a VM");
    for vector in vectors("values") {
        let Some(expression) = &vector.lua else { continue };
        let reply =
            lua.eval(format!("return {expression}")).unwrap_or_else(|e| panic!("{}: {e}", vector.name));
        assert_eq!(encoded(&reply.values[0]), vector.bytes, "{}: {expression}", vector.name);
        // Through a table of Lua's and back.
        let value = decode_value(&vector.bytes).expect("decodes");
        lua.set_global("there", value).expect("goes in");
        let back = lua.global("there").expect("comes out");
        assert_eq!(encoded(&back), vector.bytes, "{} and back", vector.name);
    }
}

#[test]
fn invalid_vectors_are_refused_by_every_decoder() {
    let mut lua = Runtime::builder().build().expect("a VM");
    for vector in vectors("invalid") {
        assert!(decode_value(&vector.bytes).is_err(), "{} was accepted", vector.name);
        // The bytes are the value of a global, after its name.
        let mut list = Vec::new();
        encode_list(&["x".into(), Value::Nil], &mut list).expect("encodes");
        list.pop();
        list.extend_from_slice(&vector.bytes);
        assert_eq!(
            lua.request_raw(protocol::operation::GLOBAL_SET, &list),
            protocol::Outcome::Value,
            "{}",
            vector.name
        );
        assert_eq!(lua.eval("return x").expect("usable").values, [Value::Nil], "{}", vector.name);
    }
}

/// Tables that contain themselves leaked, and untrusted bytes could make one.
#[test]
fn dismantle_frees_cyclic_tables() {
    // A table that contains itself.
    let value = decode_value(&unhex("05 01000000 00000000 06 00000000")).expect("decodes");
    let Value::Table(table) = value else { panic!("{value:?}") };
    assert!(matches!(table.get(&1.into()), Value::Table(inner) if inner.is_same(&table)));
    table.dismantle();
    assert_eq!(table, Table::new());
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan()).prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::String),
        "[a-z]{0,6}".prop_map(|text| Value::from(text.as_str())),
    ]
}

/// A key in the form that Lua normalises it to, and outside of the array part.
fn key() -> impl Strategy<Value = Value> {
    scalar().prop_map(|key| match key {
        Value::Integer(i) if i > 0 => Value::Integer(-i),
        Value::Float(n) if n.fract() == 0.0 => Value::Boolean(n > 0.0),
        other => other,
    })
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(6, 64, 8, |inner| {
        let array = prop::collection::vec(inner.clone(), 0..8);
        let pairs = prop::collection::vec((key(), inner), 0..8);
        (array, pairs, any::<bool>()).prop_map(|(array, mut pairs, is_list)| {
            pairs.sort_by_cached_key(|(key, _)| encoded(key));
            pairs.dedup_by(|(a, _), (b, _)| a == b);
            table(array, pairs, is_list).into()
        })
    })
}

/// A table of these contents; without any, `is_list` says what it is.
fn table(array: Vec<Value>, pairs: Vec<(Value, Value)>, is_list: bool) -> Table {
    if pairs.is_empty() && is_list { Table::from(array) } else { Table::from(TableData { array, pairs }) }
}

/// The same value with the pairs of every table in the order of their bytes, because Lua's order varies.
fn sorted(value: &Value) -> Value {
    let Value::Table(table) = value else { return value.clone() };
    let (array, pairs) = table.with(|data| {
        let mut pairs: Vec<_> = data.pairs.iter().map(|(k, v)| (sorted(k), sorted(v))).collect();
        pairs.sort_by_cached_key(|(key, _)| encoded(key));
        (data.array.iter().map(sorted).collect(), pairs)
    });
    self::table(array, pairs, table.is_list()).into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn encoded_values_decode_to_themselves(value in tree()) {
        prop_assert_eq!(decode_value(&encoded(&value)).expect("decodes"), value);
    }

    #[test]
    fn accepted_random_bytes_encode_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = decode_value(&bytes) {
            // Every value has exactly one encoding.
            prop_assert_eq!(encoded(&value), bytes.clone());
        }
        let _ = decode_list(&bytes);
    }

    #[test]
    fn damaged_bytes_do_not_panic(value in tree(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encoded(&value);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = decode_value(&bytes);
        bytes.truncate(at);
        prop_assert!(decode_value(&bytes).is_err(), "truncated bytes were accepted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_pass_through_lua_and_a_store_unchanged(value in tree()) {
        let mut lua = Runtime::builder().build().expect("a VM");
        let value = sorted(&value);
        lua.set_global("v", value.clone()).expect("goes in");
        prop_assert_eq!(sorted(&lua.global("v").expect("comes out")), value.clone());
        let stored = lua.eval("local t = ext.table('t'); t.v = v; return t.v").expect("is kept").values;
        prop_assert_eq!(sorted(&stored[0]), value);
    }

    #[test]
    fn random_requests_leave_the_vm_usable(op in 0..14_u32, bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let mut lua = Runtime::builder().build().expect("a VM");
        lua.request_raw(op, &bytes);
        // Most random bytes are refused at once; a small count and small tags get further.
        let gentle: Vec<u8> = bytes.iter().enumerate().map(|(i, b)| if i % 4 == 0 { b % 10 } else { b % 3 }).collect();
        lua.request_raw(op, &gentle);
        prop_assert_eq!(lua.eval("return 1").expect("usable").values, [1.into()]);
    }
}
