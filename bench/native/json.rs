//! `json.encode` and `json.decode` natively beside `serde_json`, which prints and parses the same values.
//!
//! `cargo bench --profile native --bench json`, with the number of rounds and a word of the names to measure
//! as optional arguments. The sides take turns, a sample of about a millisecond each; a figure is the median
//! of all samples. Not here: the same in a module of wasm (bench/workloads).

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use perilune::{Error, Limits, Runtime};
use serde_json::{Value as Json, json};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Time of one sample, about.
const SAMPLE: Duration = Duration::from_millis(1);

const SCRIPT: &str = r#"
    local json = require "json"
    local texts, values = {}, {}
    function keep(name, text) texts[name], values[name] = text, json.decode(text) end
    function decode(name, count) local text = texts[name] for _ = 1, count do json.decode(text) end end
    function encode(name, count) local value = values[name] for _ = 1, count do json.encode(value) end end
    function text_of(name) return json.encode(values[name], { sort_keys = true }) end
"#;

/// An order with twelve items: what a webhook carries.
fn order() -> Json {
    let item = |i: u32| {
        json!({
            "sku": format!("SKU-{:05}", i * 37), "name": format!("Item number {i}"), "qty": i + 1,
            "price": 9.99 + f64::from(i) * 1.25, "tags": ["a", "b"],
        })
    };
    json!({
        "id": "ord_01HZX3", "type": "order.created", "created": 1_732_795_200,
        "customer": {
            "id": 42, "name": "Ada Lovelace", "email": "ada@example.com",
            "address": { "street": "12 St James Sq", "city": "London", "zip": "SW1Y" },
        },
        "items": (0..12).map(item).collect::<Vec<_>>(),
        "total": 312.75, "currency": "EUR", "note": null, "paid": true,
    })
}

/// Documents of one shape each, by name.
fn documents() -> Vec<(&'static str, Json)> {
    let words = "The quick brown fox jumps over the lazy dog. ";
    let fraction = |i: u32| f64::from(i * 7919 % 10_007) / 97.0;
    let wide = (0..500).map(|i| (format!("field_{i:03}"), json!(i))).collect::<serde_json::Map<_, _>>();
    vec![
        ("order, 1.3 KB", order()),
        ("100 orders", json!((0..100).map(|_| order()).collect::<Vec<_>>())),
        ("a long string", json!(words.repeat(200))),
        ("a long string, escapes", json!(words.replace(' ', "\n\"").repeat(200))),
        ("a long string, not ASCII", json!("Größe: 5 µm, naïve façade, 東京 ".repeat(200))),
        ("2,000 short strings", json!((0..2000).map(|i| format!("string {i}")).collect::<Vec<_>>())),
        ("2,000 integers", json!((0..2000_i64).map(|i| i * i * 31 - 500).collect::<Vec<_>>())),
        ("2,000 prices", json!((0..2000).map(|i| f64::from(i) * 1.25 + 9.99).collect::<Vec<_>>())),
        ("2,000 floats of 17 digits", json!((0..2000).map(fraction).collect::<Vec<_>>())),
        ("an object of 500 fields", Json::Object(wide)),
        (
            "100 levels",
            (0..100)
                .fold(json!(1), |inner, i| if i % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) }),
        ),
    ]
}

/// Median time of a run in microseconds, for each side. Sides take turns, in an order that rotates.
fn medians(rounds: usize, sides: &mut [&mut dyn FnMut(u32)]) -> Vec<f64> {
    let mut runs = Vec::new();
    for side in &mut *sides {
        let mut count = 1;
        // The last doubling has warmed it up.
        runs.push(loop {
            let start = Instant::now();
            side(count);
            if start.elapsed() >= SAMPLE {
                break count;
            }
            count *= 2;
        });
    }
    let mut samples = vec![Vec::new(); sides.len()];
    for round in 0..rounds {
        for turn in 0..sides.len() {
            let at = (round + turn) % sides.len();
            let start = Instant::now();
            sides[at](runs[at]);
            samples[at].push(start.elapsed().as_secs_f64() * 1e6 / f64::from(runs[at]));
        }
    }
    for side in &mut samples {
        side.sort_by(f64::total_cmp);
    }
    samples.iter().map(|side| side[side.len() / 2]).collect()
}

/// A VM that keeps a text and its value under a name.
fn vm_with(name: &str, text: &str) -> Result<Runtime, Error> {
    let mut limits = Limits::default();
    limits.memory_bytes = 50 << 20;
    let mut lua = Runtime::builder().limits(limits).build()?;
    lua.eval_named(SCRIPT, "json")?;
    lua.call::<()>("keep", (name, text))?;
    Ok(lua)
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let rounds = arguments.iter().find_map(|word| word.parse().ok()).unwrap_or(200);
    let filter = arguments.iter().find(|word| word.parse::<usize>().is_err());
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load: {}", load.trim_end());
    println!("| json, in us | bytes | encode | serde_json | ratio | decode | serde_json | ratio |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for (name, document) in documents() {
        if filter.is_some_and(|word| !name.contains(word.as_str())) {
            continue;
        }
        let text = document.to_string();
        let (mut lua, mut other) = (vm_with(name, &text)?, vm_with(name, &text)?);
        // serde_json sorts keys, too.
        assert_eq!(lua.call::<String>("text_of", name)?, text, "{name}");
        let times = medians(
            rounds,
            &mut [
                &mut |count| lua.call("encode", (name, count)).expect("encodes"),
                &mut |count| {
                    for _ in 0..count {
                        black_box(serde_json::to_string(black_box(&document)).expect("prints"));
                    }
                },
                &mut |count| other.call("decode", (name, count)).expect("decodes"),
                &mut |count| {
                    for _ in 0..count {
                        black_box(
                            serde_json::from_slice::<Json>(black_box(text.as_bytes())).expect("parses"),
                        );
                    }
                },
            ],
        );
        let [encode, print, decode, parse] = times[..] else { unreachable!("four sides") };
        println!(
            "| {name} | {} | {encode:.2} | {print:.2} | {:.2} | {decode:.2} | {parse:.2} | {:.2} |",
            text.len(),
            encode / print,
            decode / parse
        );
    }
    Ok(())
}
