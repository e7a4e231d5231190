//! Tests of the serde support: conversions of types with derived traits, and of values to and from JSON.
#![cfg(all(feature = "serde", not(target_arch = "wasm32")))]

use perilune::value::{FromLua, from_value, to_value};
use perilune::{Runtime, Table, TableData, Value};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

fn list(array: impl Into<Vec<Value>>) -> Value {
    Table::from(TableData { array: array.into(), pairs: vec![] }).into()
}

fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value)).collect();
    Table::from(TableData { array: vec![], pairs }).into()
}

fn value(of: impl Serialize) -> Value {
    to_value(&of).expect("has a value")
}

/// Converts something to a value, and checks that it comes back: directly, and after passing through Lua.
fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(of: &T) -> Value {
    let value = to_value(of).expect("has a value");
    assert_eq!(from_value::<T>(value.clone()).as_ref(), Ok(of), "{value:?}");
    let mut lua = Runtime::builder().build().expect("a VM");
    lua.set_global("v", value.clone()).expect("goes in");
    assert_eq!(from_value::<T>(lua.global("v").expect("comes out")).as_ref(), Ok(of), "{value:?}");
    value
}

fn refused<T: DeserializeOwned + Debug>(value: impl Into<Value>) -> String {
    from_value::<T>(value.into()).expect_err("is no such thing").to_string()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Everything {
    name: String,
    letter: char,
    small: i8,
    large: u64,
    ratio: f32,
    exact: f64,
    on: bool,
    nothing: (),
    unit: Unit,
    missing: Option<i64>,
    there: Option<i64>,
    wrapped: Meters,
    pair: (i64, String),
    triple: Triple,
    options: Vec<Option<bool>>,
    units: Vec<()>,
    nested: Vec<Vec<i64>>,
    named: BTreeMap<String, Option<i64>>,
    numbered: BTreeMap<i64, String>,
    switches: BTreeMap<bool, i64>,
    shapes: Vec<Shape>,
    by_shape: BTreeMap<Color, i64>,
    boxed: Option<Box<Everything>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Meters(f64);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Triple(i64, Option<i64>, String);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Maybe(Option<i64>),
    Nothing(()),
    Line(i64, i64),
    Box { width: i64, depth: Option<i64> },
    Empty {},
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Color {
    Red,
    Blue,
}

fn everything() -> Everything {
    Everything {
        name: "ünï".into(),
        letter: 'é',
        small: -128,
        large: i64::MAX as u64,
        ratio: 0.1,
        exact: 1e300,
        on: true,
        nothing: (),
        unit: Unit,
        missing: None,
        there: Some(1),
        wrapped: Meters(2.0),
        pair: (1, "two".into()),
        triple: Triple(1, None, "three".into()),
        options: vec![None, Some(true), None],
        units: vec![(), ()],
        nested: vec![vec![], vec![1]],
        named: BTreeMap::from([("a".into(), None), ("b".into(), Some(2))]),
        numbered: BTreeMap::from([
            (1, "one".into()),
            (2, "two".into()),
            (-7, "minus".into()),
            (40, "far".into()),
        ]),
        switches: BTreeMap::from([(false, 0), (true, 1)]),
        shapes: vec![
            Shape::Point,
            Shape::Circle(1.5),
            Shape::Maybe(None),
            Shape::Maybe(Some(3)),
            Shape::Nothing(()),
            Shape::Line(1, 2),
            Shape::Box { width: 3, depth: None },
            Shape::Empty {},
        ],
        by_shape: BTreeMap::from([(Color::Red, 1), (Color::Blue, 2)]),
        boxed: None,
    }
}

#[test]
fn derived_types_convert_both_ways() {
    let inner = everything();
    there_and_back(&Everything { boxed: Some(Box::new(inner.clone())), ..inner });
}

#[test]
fn each_kind_of_type_has_its_form() {
    assert_eq!(there_and_back(&None::<i64>), Value::Nil);
    assert_eq!(there_and_back(&()), Value::Nil);
    assert_eq!(there_and_back(&Unit), Value::Nil);
    assert_eq!(there_and_back(&'x'), Value::from("x"));
    assert_eq!(there_and_back(&Meters(1.0)), Value::Float(1.0));
    assert_eq!(there_and_back(&vec![Some(1), None]), list([1.into(), Value::Null]));
    assert_eq!(there_and_back(&Triple(1, None, "c".into())), list([1.into(), Value::Null, "c".into()]));
    assert_eq!(there_and_back(&Shape::Point), Value::from("Point"));
    assert_eq!(there_and_back(&Shape::Circle(1.0)), map([("Circle", 1.0.into())]));
    assert_eq!(there_and_back(&Shape::Maybe(None)), map([("Maybe", Value::Null)]));
    assert_eq!(there_and_back(&Shape::Line(1, 2)), map([("Line", list([1.into(), 2.into()]))]));
    assert_eq!(
        there_and_back(&Shape::Box { width: 1, depth: None }),
        map([("Box", map([("width", 1.into())]))]),
        "a field that is None is left out"
    );
    assert_eq!(there_and_back(&HashMap::from([("k".to_owned(), None::<i64>)])), map([("k", Value::Null)]));
    assert_eq!(there_and_back(&BTreeMap::from([(1, 'a'), (2, 'b')])), list(["a".into(), "b".into()]));
    assert_eq!(value(Bytes(vec![0, 255])), Value::String(vec![0, 255]));
    there_and_back(&Bytes(vec![0, 255]));
    there_and_back(&Bytes(b"text".to_vec()));
}

/// A type that serializes as serde's bytes.
#[derive(Debug, PartialEq)]
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl serde::de::Visitor<'_> for Read {
            type Value = Bytes;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Read)
    }
}

#[test]
fn numbers_fit_or_are_refused() {
    assert_eq!(value(u64::MAX / 2), Value::Integer(i64::MAX));
    assert_eq!(value(i128::from(i64::MIN)), Value::Integer(i64::MIN));
    for failed in [to_value(&u64::MAX), to_value(&u128::MAX), to_value(&i128::MIN), to_value(&(1_u64 << 63))]
    {
        assert!(failed.expect_err("past 64 bits").to_string().contains("out of range"));
    }
    assert_eq!(from_value::<u8>(255.0.into()), Ok(255));
    assert_eq!(from_value::<u64>(1e19.into()), Ok(10_000_000_000_000_000_000));
    assert_eq!(from_value::<i128>(7.into()), Ok(7));
    assert_eq!(from_value::<f32>(7.into()), Ok(7.0));
    assert_eq!(from_value::<f64>(0.5.into()), Ok(0.5));
    assert!(refused::<u8>(256).contains("256"));
    assert!(refused::<u8>(-1.0).contains("-1"));
    assert!(refused::<i64>(3.5).contains("3.5"));
    assert!(refused::<i64>(1e300).contains("floating point"));
    assert!(refused::<i64>(f64::NAN).contains("floating point"));
    assert!(refused::<i64>("1").contains("string"));
    assert!(refused::<String>(1).contains("integer `1`"));
    assert!(refused::<String>(Value::String(vec![255])).contains("expected a string"));
    assert!(refused::<char>("two").contains("expected a character"));
}

#[test]
fn tables_are_read_as_the_requested_type() {
    let empty: Value = Table::new().into();
    assert_eq!(from_value::<Vec<i64>>(empty.clone()), Ok(vec![]));
    assert_eq!(from_value::<BTreeMap<String, i64>>(empty.clone()), Ok(BTreeMap::new()));
    assert_eq!(from_value::<()>(Value::Null), Ok(()));
    assert_eq!(
        from_value::<serde_json::Value>(empty),
        Ok(serde_json::json!({})),
        "where the type leaves it open"
    );
    assert_eq!(from_value::<serde_json::Value>(Table::from(vec![]).into()), Ok(serde_json::json!([])));
    assert_eq!(from_value::<serde_json::Value>(list([1.into()])), Ok(serde_json::json!([1])));
    let mixed = Table::from(TableData {
        array: vec!["one".into()],
        pairs: vec![("width".into(), 1.into()), (7.into(), "seven".into())],
    });
    assert_eq!(
        from_value::<Shape>(map([("Box", mixed.clone().into())])),
        Ok(Shape::Box { width: 1, depth: None }),
        "other keys are unknown fields"
    );
    assert_eq!(
        refused::<serde_json::Value>(mixed.clone()),
        "bad value: invalid type: integer `1`, expected a string key (at [1])",
        "keys keep their type"
    );
    assert_eq!(refused::<Vec<String>>(mixed), "bad value: expected list, got table with the key \"width\"");
    assert_eq!(
        refused::<(i64, i64)>(list([1.into(), 2.into(), 3.into()])),
        "bad value: expected 2 in a list, got 1 more"
    );
    assert!(refused::<(i64, i64)>(list([1.into()])).contains("invalid length 1"));
    assert_eq!(refused::<Color>(map([])), "bad value: expected a variant, got table without exactly one key");
    assert_eq!(refused::<Color>(1), "bad value: expected a variant, got integer");
    assert!(refused::<Color>("Green").contains("unknown variant `Green`"));
}

#[derive(Debug, PartialEq, Deserialize)]
struct Shapes {
    shapes: Vec<Shape>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Ignores {}

#[test]
fn values_that_are_not_data_are_errors_with_a_path() {
    let function = || map([("shapes", list(["Point".into(), Value::Function(1)]))]);
    assert_eq!(refused::<Shapes>(function()), "bad value: expected a variant, got function (at .shapes[2])");
    assert_eq!(from_value::<Ignores>(function()), Ok(Ignores {}), "it is ignored");
    assert_eq!(
        refused::<serde_json::Value>(function()),
        "bad value: a value of type function is not data (at .shapes[2])"
    );
    for value in [Value::ExternalTable(b"t".to_vec()), Value::Reference { lua_type: 7, handle: 1 }] {
        assert!(refused::<String>(value.clone()).contains("is not data"));
        assert!(serde_json::to_string(&value).expect_err("is no data").to_string().contains("is not data"));
    }
    assert!(refused::<Shapes>(map([])).contains("missing field `shapes`"));
    let failed =
        to_value(&BTreeMap::from([("deep", vec![BTreeMap::from([(None::<i64>, 1)])])])).expect_err("nil key");
    assert_eq!(failed.to_string(), "bad value: nil cannot be a key (at .deep[1])");
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Chain {
    End,
    Link(Box<Chain>),
}

#[test]
fn depth_has_a_limit_in_every_direction() {
    let nest = |depth| (1..depth).fold(Nest(vec![]), |inner, _| Nest(vec![inner]));
    there_and_back(&nest(200));
    assert!(to_value(&nest(201)).expect_err("too deep").to_string().contains("200 tables deep"));
    let chain = |links| (0..links).fold(Chain::End, |inner, _| Chain::Link(Box::new(inner)));
    there_and_back(&chain(200));
    assert!(to_value(&chain(201)).expect_err("too deep").to_string().contains("200 tables deep"));

    let deep = |depth: usize| (1..depth).fold(list([]), |inner, _| list([inner]));
    assert!(from_value::<Nest>(deep(200)).is_ok());
    assert!(refused::<Nest>(deep(201)).contains("nested more than 200 tables deep (at "));
    assert_eq!(from_value::<Value>(deep(200)), Ok(deep(200)));
    assert!(refused::<Value>(deep(201)).contains("nested more than 200 tables deep (at "));
    assert!(serde_json::to_string(&deep(200)).is_ok());
    assert!(serde_json::to_string(&deep(201)).is_err());
}

#[test]
fn a_cycle_is_an_error() {
    let table = Table::new();
    table.with_mut(|data| {
        data.array.push(table.clone().into());
        data.pairs.push(("me".into(), table.clone().into()));
    });
    let cyclic = Value::Table(table.clone());
    assert!(serde_json::to_string(&cyclic).is_err());
    assert!(to_value(&cyclic).is_err());
    assert!(from_value::<Value>(cyclic.clone()).is_err());
    assert!(from_value::<serde_json::Value>(cyclic.clone()).is_err());
    assert!(from_value::<Ignores>(map([("a", cyclic)])).is_ok());
    table.dismantle();
}

#[test]
fn json_becomes_values_and_values_json() {
    let text = r#"{"a":[1,2.5,"three",null,true,{}],"b":{"c":null},"d":-1}"#;
    let value: Value = serde_json::from_str(text).expect("a value");
    let array = [1.into(), 2.5.into(), "three".into(), Value::Null, true.into(), map([])];
    assert_eq!(value, map([("a", list(array)), ("b", map([("c", Value::Null)])), ("d", (-1).into())]));
    assert_eq!(serde_json::to_string(&value).expect("JSON"), text);
    assert_eq!(serde_json::from_str::<Value>("null").expect("a value"), Value::Nil);
    assert_eq!(serde_json::to_string(&Value::Nil).expect("JSON"), "null");
    assert_eq!(serde_json::to_string(&Value::String(vec![255, 0])).expect("JSON"), "[255,0]");
    assert_eq!(to_value(&serde_json::json!({ "n": null })).expect("a value"), map([("n", Value::Null)]));
    assert!(serde_json::from_str::<Value>("18446744073709551615").is_err(), "past 64 bits");
    // Integer keys become strings in JSON, and stay strings on the way back.
    let mixed = Table::from(TableData { array: vec![1.into()], pairs: vec![("x".into(), 2.into())] });
    assert_eq!(serde_json::to_string(&Value::Table(mixed)).expect("JSON"), r#"{"1":1,"x":2}"#);
}

#[derive(Debug, PartialEq, Deserialize)]
struct Item {
    name: String,
    tags: Vec<String>,
    size: (u8, u8),
    shape: Shape,
    #[serde(default)]
    count: i64,
}

#[test]
fn a_lua_program_fills_a_struct() {
    let mut lua = Runtime::builder().build().expect("a VM");
    let reply = lua
        .eval("return { name = 'box', tags = {}, size = { 1, 2.0 }, shape = { Line = { 3, 4 } }, extra = print }")
        .expect("runs");
    let item: Item = from_value(reply.values[0].clone()).expect("is one");
    let expected =
        Item { name: "box".into(), tags: vec![], size: (1, 2), shape: Shape::Line(3, 4), count: 0 };
    assert_eq!(item, expected);
    // The typed conversion and serde agree where both know a type.
    let names = HashMap::from([("a".to_owned(), vec![Some(1), None])]);
    assert_eq!(HashMap::from_lua(value(&names)), Ok(names));
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("NaN is not equal to itself", |n| !n.is_nan()).prop_map(Value::from),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Value::String),
        "[a-z]{0,6}".prop_map(|text| Value::from(text.as_str())),
        Just(Value::Null),
    ]
}

fn tree(key: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    scalar().prop_recursive(5, 48, 6, move |inner| {
        let array = prop::collection::vec(inner.clone(), 0..6);
        let pairs = prop::collection::vec((key.clone(), inner), 0..6);
        (array, pairs, any::<bool>()).prop_map(|(array, mut pairs, is_list)| {
            if is_list && pairs.is_empty() {
                return Table::from(array).into();
            }
            pairs.sort_by_cached_key(|(key, _)| format!("{key:?}"));
            pairs.dedup_by(|(a, _), (b, _)| a == b);
            Table::from(TableData { array, pairs }).into()
        })
    })
}

fn name() -> BoxedStrategy<Value> {
    "[a-z]{1,3}".prop_map(|text| Value::from(text.as_str())).boxed()
}

/// Keys of all types, in the form and the order of a table that was made from entries: numbers last.
fn key() -> BoxedStrategy<Value> {
    prop_oneof![name(), any::<bool>().prop_map(Value::from), (-9_i64..0).prop_map(Value::from)].boxed()
}

/// The JSON that a value becomes: bytes are lists of numbers, and integer keys are text.
fn as_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Boolean(b) => (*b).into(),
        Value::Integer(i) => (*i).into(),
        Value::Float(n) => (*n).into(),
        Value::String(bytes) => {
            std::str::from_utf8(bytes).map_or_else(|_| bytes.clone().into(), serde_json::Value::from)
        }
        Value::Table(table) => table.with(|data| {
            if table.is_list() {
                return data.array.iter().map(as_json).collect();
            }
            let numbered =
                data.array.iter().enumerate().map(|(i, value)| ((i + 1).to_string(), as_json(value)));
            let text = |key: &Value| match key {
                Value::String(name) => String::from_utf8_lossy(name).into_owned(),
                Value::Boolean(b) => b.to_string(),
                Value::Integer(i) => i.to_string(),
                other => panic!("{other:?}"),
            };
            numbered.chain(data.pairs.iter().map(|(key, value)| (text(key), as_json(value)))).collect()
        }),
        _ => serde_json::Value::Null,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_serialize_to_themselves(value in tree(key())) {
        let expected = if value == Value::Null { Value::Nil } else { value.clone() };
        prop_assert_eq!(to_value(&value).expect("is data"), expected.clone());
        prop_assert_eq!(from_value::<Value>(value).expect("is data"), expected);
    }

    #[test]
    fn values_become_the_expected_json(value in tree(key())) {
        let expected = as_json(&value);
        prop_assert_eq!(serde_json::to_value(&value).expect("is data"), expected.clone());
        // The same through the deserializer, where keys keep their types.
        let back: Value = serde_json::from_value(expected.clone()).expect("a value");
        prop_assert_eq!(serde_json::to_value(&back).expect("is data"), expected);
    }

    #[test]
    fn json_survives_conversion_to_a_value(value in tree(name())) {
        let json = as_json(&value);
        let value = to_value(&json).expect("a value");
        prop_assert_eq!(from_value::<serde_json::Value>(value).expect("JSON"), json);
    }

    #[test]
    fn values_read_as_any_type_do_not_panic(value in tree(key())) {
        let _ = from_value::<Everything>(value.clone());
        let _ = from_value::<Shape>(value.clone());
        let _ = from_value::<BTreeMap<Color, Vec<Option<u8>>>>(value.clone());
        let _ = from_value::<(i64, Triple, char)>(value);
    }
}
