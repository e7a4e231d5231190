//! Conversions between Rust types and Lua values, by type: which values fit, which are refused, and the error
//! messages.
#![cfg(not(target_arch = "wasm32"))]

use perilune::value::{Bytes, ConvertError, FromLua, FromLuaMulti, IntoLua, IntoLuaMulti, Variadic};
use perilune::{Runtime, Table, TableData, Value};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

fn into(value: impl IntoLua) -> Value {
    value.into_lua().expect("has a value")
}

fn from<T: FromLua>(value: impl Into<Value>) -> T {
    T::from_lua(value.into()).expect("fits")
}

/// The message of the error when a value is converted to a `T`.
fn refused<T: FromLua + Debug>(value: impl Into<Value>) -> String {
    T::from_lua(value.into()).expect_err("does not fit").to_string()
}

fn list(array: impl Into<Vec<Value>>) -> Value {
    Table::from(TableData { array: array.into(), pairs: vec![] }).into()
}

fn round<T: IntoLua + FromLua + Clone + PartialEq + Debug>(value: &T) {
    assert_eq!(from::<T>(into(value.clone())), *value);
}

#[test]
fn scalars_convert_both_ways() {
    assert_eq!(into(true), Value::Boolean(true));
    assert_eq!(into(7_u8), Value::Integer(7));
    assert_eq!(into(0.5_f32), Value::Float(0.5));
    assert_eq!(into("text"), Value::from("text"));
    let text = String::from("text");
    assert_eq!(into(&text), into(text));
    assert_eq!(into(Bytes(vec![0, 255])), Value::String(vec![0, 255]));
    round(&String::from("ünï"));
    round(&Bytes(vec![0, 255]));
    round(&Some(1_u16));
    round(&None::<bool>);
    round(&i64::MIN);
    round(&u64::from(u32::MAX));
    assert_eq!(into(None::<i64>), Value::Nil);
    assert_eq!(from::<Option<i64>>(Value::Null), None);
    assert_eq!(from::<Value>(1), Value::Integer(1));
}

#[test]
fn integers_fit_or_are_refused() {
    assert_eq!(from::<i64>(3.0), 3);
    assert_eq!(from::<u8>(255.0), 255);
    assert_eq!(from::<i64>(-9_223_372_036_854_775_808.0), i64::MIN);
    assert_eq!(refused::<i64>(3.5), "bad value: expected integer, got 3.5");
    assert_eq!(
        refused::<i64>(9_223_372_036_854_775_808.0),
        "bad value: expected integer, got 9.223372036854776e18"
    );
    assert_eq!(refused::<i64>(f64::NAN), "bad value: expected integer, got NaN");
    assert_eq!(refused::<i64>(f64::INFINITY), "bad value: expected integer, got inf");
    assert_eq!(refused::<u8>(256), "bad value: 256 is out of range for u8");
    assert_eq!(refused::<u64>(-1), "bad value: -1 is out of range for u64");
    assert_eq!(refused::<usize>(-1.0), "bad value: -1 is out of range for usize");
    assert_eq!(refused::<i32>("1"), "bad value: expected integer, got string");
    let failed = u64::MAX.into_lua().expect_err("does not fit");
    assert_eq!(failed.to_string(), "bad value: 18446744073709551615 is out of range for Lua's integers");
}

#[test]
fn types_are_not_converted_into_each_other() {
    assert_eq!(from::<Option<f64>>(1), Some(1.0));
    assert_eq!(refused::<f64>("1"), "bad value: expected number, got string");
    assert_eq!(refused::<String>(1), "bad value: expected string, got integer");
    assert_eq!(
        refused::<String>(Value::String(vec![255])),
        "bad value: expected text, got a string that is not UTF-8"
    );
    assert_eq!(refused::<Bytes>(true), "bad value: expected string, got boolean");
    assert_eq!(refused::<bool>(Value::Nil), "bad value: expected boolean, got nil");
    assert_eq!(refused::<Table>(Value::Function(7)), "bad value: expected table, got function");
    assert_eq!(refused::<bool>(Value::Null), "bad value: expected boolean, got null");
    assert_eq!(
        refused::<bool>(Value::Reference { lua_type: 8, handle: 1 }),
        "bad value: expected boolean, got thread"
    );
    assert_eq!(
        refused::<Vec<i64>>(Value::ExternalTable(b"t".to_vec())),
        "bad value: expected list, got external table"
    );
}

#[test]
fn lists_are_tables_with_an_array_and_nothing_else() {
    assert_eq!(into(vec![1, 2]), list([1.into(), 2.into()]));
    assert_eq!(into([1.5, 2.0]), list([1.5.into(), 2.0.into()]));
    assert_eq!(into(vec![1_u8]), list([1.into()]), "bytes are a list, Bytes are a string");
    assert_eq!(from::<Vec<i64>>(Table::new()), []);
    assert_eq!(from::<[i64; 2]>(list([1.into(), 2.0.into()])), [1, 2]);
    assert_eq!(refused::<[i64; 2]>(list([1.into()])), "bad value: expected 2 in a list, got 1");
    round(&vec![vec![Some(1), None], vec![]]);
    assert_eq!(into(vec![Some(1), None]), list([1.into(), Value::Null]), "nothing moves");
    let mixed = TableData { array: vec![1.into()], pairs: vec![("n".into(), 1.into())] };
    assert_eq!(
        refused::<Vec<i64>>(Table::from(mixed)),
        "bad value: expected list, got table with the key \"n\""
    );
    assert_eq!(refused::<Vec<i64>>("text"), "bad value: expected list, got string");
}

#[test]
fn maps_are_tables_whose_keys_keep_their_type() {
    round(&HashMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
    round(&BTreeMap::from([(-1, true), (1, false), (2, true), (9, true)]));
    round(&BTreeMap::from([(false, "no".to_owned())]));
    round(&BTreeMap::from([("none".to_owned(), None), ("some".to_owned(), Some(1))]));
    // The keys 1..n become the array part.
    assert_eq!(into(BTreeMap::from([(1, "x"), (2, "y")])), list(["x".into(), "y".into()]));
    assert_eq!(from::<BTreeMap<i64, String>>(list(["x".into()])), BTreeMap::from([(1, "x".to_owned())]));
    let failed = BTreeMap::from([(None::<bool>, 1)]).into_lua().expect_err("nil is no key");
    assert_eq!(failed.to_string(), "bad value: nil cannot be a key");
    assert_eq!(
        refused::<BTreeMap<String, i64>>(list([1.into()])),
        "bad value: expected string, got integer (at [1])"
    );
}

#[test]
fn errors_name_the_path() {
    let people = vec![BTreeMap::from([("name".to_owned(), vec!["Ada".to_owned()])]); 3];
    let Value::Table(table) = into(people) else { panic!("a table") };
    table.with_mut(|data| {
        let Value::Table(third) = &data.array[2] else { panic!("a table") };
        third.with_mut(|data| data.pairs[0].1 = list(["Bo".into(), 5.into()]));
    });
    let failed = Vec::<BTreeMap<String, Vec<String>>>::from_lua(table.into()).expect_err("a number");
    assert_eq!(failed.to_string(), "bad value: expected string, got integer (at [3].name[2])");
    assert_eq!((failed.position(), failed.path()), (None, "[3].name[2]"));
    let failed = ConvertError::new("no").at(&"two words".into()).at(&"first".into());
    assert_eq!(failed.to_string(), r#"bad value: no (at .first["two words"])"#);
    assert_eq!(ConvertError::new("no").at(&true.into()).to_string(), "bad value: no (at [true])");
    let error: Box<dyn std::error::Error> = failed.into();
    assert!(error.to_string().contains("no"));
}

fn args(args: impl IntoLuaMulti) -> Vec<Value> {
    args.into_lua_multi().expect("arguments")
}

fn results<R: FromLuaMulti>(values: &[Value]) -> Result<R, ConvertError> {
    R::from_lua_multi(values.to_vec())
}

#[test]
fn arguments_are_tuples_single_values_or_lists_of_values() {
    assert_eq!(args(()), []);
    assert_eq!(args(1), [1.into()]);
    assert_eq!(args((1,)), [1.into()]);
    assert_eq!(args((1, "two", None::<bool>, 4.0)), [1.into(), "two".into(), Value::Nil, 4.0.into()]);
    assert_eq!(args((1, 2, 3, 4, 5, 6, 7, "8")).len(), 8);
    assert_eq!(args(vec![1, 2]), [list([1.into(), 2.into()])], "one list");
    assert_eq!(args(("all", Variadic(vec![1, 2]))), ["all".into(), 1.into(), 2.into()]);
    // Lists of values are accepted in every form, without type annotations.
    let values = [Value::Nil, 2.into()];
    assert_eq!(args(values.clone()), values);
    assert_eq!(args(&values), values);
    assert_eq!(args(&values[..]), values);
    assert_eq!(args(values.to_vec()), values);
    let owned = values.to_vec();
    assert_eq!(args(&owned), args(owned));
    assert_eq!(args(&[1.into(), "two".into()]), [1.into(), "two".into()]);
    assert_eq!(args(&[]), []);
    assert_eq!(args(("f", values.to_vec())), ["f".into(), Value::Nil, 2.into()]);
    assert_eq!(args((vec![Value::from(1)], 2)), [list([1.into()]), 2.into()], "only the last is several");
}

#[test]
fn results_are_adjusted_as_lua_does() {
    let values = [1.into(), "two".into(), Value::Nil];
    assert_eq!(results::<()>(&values), Ok(()));
    assert_eq!(results::<i64>(&values), Ok(1));
    assert_eq!(results::<(i64, String)>(&values), Ok((1, "two".to_owned())));
    assert_eq!(
        results::<(u8, String, Option<i64>, Option<i64>)>(&values),
        Ok((1, "two".to_owned(), None, None))
    );
    assert_eq!(results::<Vec<Value>>(&values), Ok(values.to_vec()));
    assert_eq!(results::<[Value; 3]>(&values), Ok(values.clone()));
    assert_eq!(results::<(i64, Vec<Value>)>(&values), Ok((1, values[1..].to_vec())));
    assert_eq!(results::<Option<i64>>(&[]), Ok(None));
    assert_eq!(results::<Vec<i64>>(&[list([3.into()]), 4.into()]), Ok(vec![3]));
    assert_eq!(results::<Variadic<i64>>(&[3.into(), 4.into()]), Ok(Variadic(vec![3, 4])));
    assert_eq!(results::<(i64, Variadic<i64>)>(&[3.into()]), Ok((3, Variadic(vec![]))));
}

#[test]
fn errors_name_the_position() {
    let message = |failed: ConvertError| failed.to_string();
    let values = [1.into(), "two".into(), list([3.into(), "x".into()])];
    assert_eq!(
        results::<String>(&values).map_err(message),
        Err("bad value #1: expected string, got integer".into())
    );
    assert_eq!(
        results::<(i64, i64)>(&values).map_err(message),
        Err("bad value #2: expected integer, got string".into())
    );
    assert_eq!(
        results::<(i64, String, Vec<i64>)>(&values).map_err(message),
        Err("bad value #3: expected integer, got string (at [2])".into())
    );
    assert_eq!(
        results::<(i64, Variadic<String>)>(&values).map_err(message),
        Err("bad value #3: expected string, got table".into())
    );
    assert_eq!(
        results::<(i64, String, Vec<i64>, i64)>(&values[..2]).map_err(message),
        Err("bad value #3: expected list, got nil".into())
    );
    let failed = (1, u64::MAX, 3).into_lua_multi().expect_err("does not fit");
    assert_eq!(failed.position(), Some(2));
    let failed = (1, Variadic(vec![1, u64::MAX])).into_lua_multi().expect_err("does not fit");
    assert_eq!(failed.position(), Some(3));
}

/// A user-defined type, which two methods make an argument and a result.
#[derive(Debug, Clone, PartialEq)]
struct Point {
    x: i64,
    y: i64,
}

impl IntoLua for Point {
    fn into_lua(self) -> Result<Value, ConvertError> {
        HashMap::from([("x", self.x), ("y", self.y)]).into_lua()
    }
}

impl FromLua for Point {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        let table = Table::from_lua(value)?;
        let field = |name: &str| i64::from_lua(table.get(&name.into())).map_err(|e| e.at(&name.into()));
        Ok(Point { x: field("x")?, y: field("y")? })
    }
}

#[test]
fn user_defined_types_convert() {
    let mut lua = Runtime::builder().build().expect("a VM");
    let points = vec![Point { x: 1, y: 2 }, Point { x: 3, y: 4 }];
    lua.set_global("points", into(points.clone())).expect("goes in");
    lua.set_global("options", into(vec![Some(1), None])).expect("goes in");
    let reply = lua
        .eval("points[2].x = points[2].x + #options return points, points[1].y, #options, { [1] = 'a', [3] = 'c' }")
        .expect("runs");
    let (back, y, count, map): (Vec<Point>, u8, i64, BTreeMap<i64, String>) =
        FromLuaMulti::from_lua_multi(reply.values).expect("fits");
    assert_eq!((back[0].clone(), back[1].x, y, count), (points[0].clone(), 5, 2, 2));
    assert_eq!(map, BTreeMap::from([(1, "a".to_owned()), (3, "c".to_owned())]));
    let failed =
        lua.eval("return { { x = 1, y = 'far' } }").map(|reply| results::<Vec<Point>>(&reply.values));
    let failed = failed.expect("runs").expect_err("is no point");
    assert_eq!(failed.to_string(), "bad value #1: expected integer, got string (at [1].y)");
    assert_eq!(args((Point { x: 1, y: 2 }, 3)).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_convert_back_to_themselves(
        integers in prop::collection::vec(any::<i64>(), 0..8),
        map in prop::collection::btree_map(-5_i64..5, prop::option::of("[a-zé]{0,4}"), 0..8),
        floats in prop::collection::vec(prop::option::of(-1e300..1e300), 0..8),
        bytes in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        round(&integers);
        round(&map);
        round(&floats);
        round(&Bytes(bytes));
    }

    #[test]
    fn only_floats_equal_to_an_integer_convert_to_one(n in any::<f64>(), i in any::<i64>()) {
        match i64::from_lua(n.into()) {
            #[allow(clippy::cast_precision_loss, reason = "exact when it is the same number again")]
            Ok(taken) => prop_assert_eq!(Some(taken as f64), Some(n)),
            Err(_) => prop_assert!(n.fract() != 0.0 || n.is_nan() || n.abs() >= 2_f64.powi(63)),
        }
        prop_assert_eq!(u8::from_lua(i.into()).ok(), u8::try_from(i).ok());
        prop_assert_eq!(u64::from_lua(i.into()).ok(), u64::try_from(i).ok());
    }
}
