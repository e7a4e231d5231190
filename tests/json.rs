//! JSON beside `serde_json`: texts with random blanks and escapes mean the same, values come back as they
//! went, and both refuse the same texts. What the former implementation gave is in
//! tests/golden/json/recorded-sums.lua.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Runtime, Value};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Number, Value as Json};
use std::cell::RefCell;
use std::fmt::Write as _;

const SCRIPT: &str = "
    local json = require 'json'
    function again(text) return json.encode(json.decode(text), { sort_keys = true }) end
    function again_in_any_order(text) return json.encode(json.decode(text)) end
    function takes(text) return (pcall(json.decode, text)) end
";

fn vm() -> Runtime {
    let mut limits = perilune::Limits::default();
    limits.memory_bytes = 64 << 20;
    let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
    lua.eval(SCRIPT).expect("runs");
    lua
}

/// Texts of all lengths around eight bytes, with escapes and characters of up to four bytes anywhere.
fn texts() -> impl Strategy<Value = String> {
    let pieces =
        prop_oneof![4 => "[ -~]{0,20}", 1 => "[\\x00-\\x1f\"\\\\]{1,3}", 1 => "[\u{7f}-\u{10ffff}]{1,4}"];
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

fn documents() -> impl Strategy<Value = Json> {
    let float = prop_oneof![
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        (-1_000_000_i32..1_000_000, 0..8_i32)
            .prop_map(|(digits, places)| f64::from(digits) / 10_f64.powi(places)),
    ];
    let scalar = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(Json::from),
        (-1000_i64..1000).prop_map(Json::from),
        float.prop_map(|float| Number::from_f64(float).map_or(Json::Null, Json::Number)),
        texts().prop_map(Json::String),
    ];
    scalar.prop_recursive(6, 400, 150, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..150).prop_map(Json::Array),
            prop::collection::vec((texts(), inner), 0..90)
                .prop_map(|pairs| Json::Object(Map::from_iter(pairs))),
        ]
    })
}

/// Writes a document with blanks and escapes as `choices` say.
fn write(document: &Json, choices: &mut dyn FnMut(usize) -> usize, out: &mut String) {
    let mut blank = |out: &mut String| out.push_str(["", "", "", " ", "\n", "\t\r\n "][choices(6)]);
    blank(out);
    match document {
        Json::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write(value, choices, out);
            }
            out.push(']');
        }
        Json::Object(pairs) => {
            out.push('{');
            for (index, (key, value)) in pairs.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                write(&Json::String(key.clone()), choices, out);
                out.push(':');
                write(value, choices, out);
            }
            out.push('}');
        }
        Json::String(text) => {
            out.push('"');
            for character in text.chars() {
                let must = character < ' ' || matches!(character, '"' | '\\');
                match character {
                    '\n' if choices(2) == 0 => out.push_str("\\n"),
                    '"' | '\\' | '/' if choices(2) == 0 => out.extend(['\\', character]),
                    _ if must || choices(40) == 0 => {
                        for unit in character.encode_utf16(&mut [0; 2]) {
                            write!(out, "\\u{unit:04X}").expect("is written");
                        }
                    }
                    _ => out.push(character),
                }
            }
            out.push('"');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
    out.push_str(["", "", " ", "\n"][choices(4)]);
}

fn run(
    cases: u32,
    strategy: impl Strategy<Value = (Json, Vec<usize>)>,
    test: impl Fn(&mut Runtime, &Json, &[usize]),
) {
    let lua = RefCell::new(vm());
    TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) })
        .run(&strategy, |(document, choices)| {
            test(&mut lua.borrow_mut(), &document, &choices);
            Ok(())
        })
        .expect("holds");
}

fn with_choices() -> impl Strategy<Value = (Json, Vec<usize>)> {
    (documents(), prop::collection::vec(any::<usize>(), 1..50))
}

fn chooser(choices: &[usize]) -> impl FnMut(usize) -> usize {
    let mut at = 0;
    move |below| {
        at += 1;
        choices[at % choices.len()].wrapping_add(at * at) % below
    }
}

#[test]
fn texts_mean_what_serde_json_says() {
    run(300, with_choices(), |lua, document, choices| {
        let mut text = String::new();
        write(document, &mut chooser(choices), &mut text);
        // serde_json sorts keys, too.
        assert_eq!(lua.call::<String>("again", text.as_str()).expect(&text), document.to_string(), "{text}");
        let printed: String = lua.call("again_in_any_order", text.as_str()).expect(&text);
        assert_eq!(lua.call::<String>("again", printed).expect(&text), document.to_string(), "{text}");
    });
}

#[test]
fn the_same_texts_are_refused() {
    run(300, with_choices(), |lua, document, choices| {
        let mut text = String::new();
        let mut choose = chooser(choices);
        write(document, &mut choose, &mut text);
        let whole = text.into_bytes();
        for _ in 0..20 {
            let mut text = whole.clone();
            let at = choose(text.len());
            let byte = b"{}[]\",:\\u0 -+.eE1n\n\0\x1F\x7F\xC3\xA9\xFFt"[choose(25)];
            match choose(4) {
                0 => text.truncate(at),
                1 => drop(text.remove(at)),
                2 => text[at] = byte,
                _ => text.insert(at, byte),
            }
            let taken = lua.call::<bool>("takes", (Value::String(text.clone()),)).expect("is asked");
            let parsed = serde_json::from_slice::<Json>(&text);
            assert_eq!(taken, parsed.is_ok(), "{} {parsed:?}", String::from_utf8_lossy(&text));
        }
    });
}

/// Checks that floats are the nearest ones, whichever way their text is read.
#[test]
fn floats_are_the_nearest_ones() {
    let mut lua = vm();
    lua.eval("function float(text) return require('json').decode(text) * 1.0 end").expect("runs");
    let digits = "[1-9][0-9]{0,24}";
    let numerals = (any::<bool>(), digits, prop::option::of("[0-9]{1,24}"), prop::option::of(-330..300_i32));
    let lua = RefCell::new(lua);
    TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(3000) })
        .run(&numerals, |(minus, whole, fraction, exponent)| {
            let mut text = format!("{}{whole}", if minus { "-" } else { "" });
            if let Some(fraction) = fraction {
                write!(text, ".{fraction}").expect("is written");
            }
            if let Some(exponent) = exponent {
                write!(text, "e{exponent}").expect("is written");
            }
            let nearest: f64 = text.parse().expect("is a float");
            match lua.borrow_mut().call::<f64>("float", text.as_str()) {
                Ok(float) => assert_eq!(float.to_bits(), nearest.to_bits(), "{text}"),
                Err(error) => assert!(nearest.is_infinite(), "{text}: {error}"),
            }
            Ok(())
        })
        .expect("holds");
}
