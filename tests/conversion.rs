//! The conversion table (tests/vectors/conversion.json) in Rust: the same rows as in Node and in Chromium.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Runtime, Value};
use serde_json::Value as Json;

fn rows() -> Vec<Json> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/conversion.json"));
    let table: Json = serde_json::from_str(&text.expect("is there")).expect("is JSON");
    table["rows"].as_array().expect("rows").clone()
}

#[test]
fn every_row_arrives_and_comes_back() {
    let mut lua = Runtime::builder().build().expect("a VM");
    let rows = rows();
    assert!(rows.len() > 25, "only {} rows", rows.len());
    for row in &rows {
        let name = row["name"].as_str().expect("a name");
        let source = format!("return {}", row["lua"].as_str().expect("an expression"));
        let value = lua.eval(source).unwrap_or_else(|error| panic!("{name}: {error}")).values.remove(0);
        assert!(is(&value, &row["js"]), "{name}: {value:?} is not {}", row["js"]);
        lua.set_global("x", value).expect("sets");
        let holds = row.get("exact").unwrap_or(&row["back"]).as_str().expect("an expression");
        let reply = lua.eval(format!("return {holds}")).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(reply.values, [true.into()], "{name}: {holds}");
    }
}

/// True if the value is the one that the row describes in terms of JavaScript.
fn is(value: &Value, description: &Json) -> bool {
    let content = &description[1];
    let text = || content.as_str().unwrap_or_default();
    match (description[0].as_str().unwrap_or_default(), value) {
        ("undefined", Value::Nil) | ("null", Value::Null) => true,
        ("boolean", Value::Boolean(b)) => content == b,
        ("number" | "bigint", Value::Integer(n)) => text() == n.to_string(),
        ("number", Value::Float(n)) => {
            let described: f64 = text().parse().expect("a number");
            described.to_bits() == n.to_bits() || described.is_nan() && n.is_nan()
        }
        ("string", Value::String(bytes)) => text().as_bytes() == bytes,
        ("bytes", Value::String(bytes)) => {
            let described = content.as_array().expect("a list").iter().filter_map(Json::as_u64);
            described.eq(bytes.iter().map(|&byte| u64::from(byte)))
        }
        ("array", Value::Table(table)) => table.with(|data| {
            let described = content.as_array().expect("a list");
            table.is_list()
                && data.array.len() == described.len()
                && data.array.iter().zip(described).all(|(value, described)| is(value, described))
        }),
        ("object" | "map", Value::Table(table)) if !table.is_list() => table.with(|data| {
            let described = content.as_array().expect("a list");
            let array = data.array.iter().zip(1..).map(|(value, key)| (Value::Integer(key), value.clone()));
            let all: Vec<(Value, Value)> = array.chain(data.pairs.iter().cloned()).collect();
            all.len() == described.len()
                && described
                    .iter()
                    .all(|pair| all.iter().any(|(key, value)| is_key(key, &pair[0]) && is(value, &pair[1])))
        }),
        _ => false,
    }
}

/// True if the key is the described one. Names of objects are plain text; keys of maps are described like
/// values.
fn is_key(key: &Value, described: &Json) -> bool {
    match described.as_str() {
        Some(name) => *key == Value::from(name),
        None => is(key, described),
    }
}
