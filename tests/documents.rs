//! The blocks of Rust in docs/rust-api.md: each is here word for word, with what it lacks, and so compiles
//! and runs.
#![cfg(not(target_arch = "wasm32"))]

#[cfg(any(feature = "serde", feature = "mlua"))]
use std::error::Error as AnyError;

use perilune::value::{Decoder, FormatError};
use perilune::{ConvertError, Error, FromLua, Library, Raise, Runtime, Table, Value, Vm};

/// Blocks that are for other targets: a page, a guest of another host, a module of one's own. Programs like
/// them are compiled and run by tests/wasm.rs, tests/guest and tests/extension.
const ELSEWHERE: &[&str] =
    &["use perilune::js::{JsHost, open_store};", "mod imports {", "perilune::exports!("];

/// Lines without what rustfmt decides.
fn words(text: &str) -> Vec<String> {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(line).filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_block_of_rust_is_here() {
    let here = words(include_str!("documents.rs"));
    let document = include_str!("../docs/rust-api.md");
    let blocks: Vec<&str> =
        document.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 10, "{}", blocks.len());
    let mut elsewhere = 0;
    for block in blocks {
        if ELSEWHERE.iter().any(|first| block.contains(first)) {
            elsewhere += 1;
            continue;
        }
        // Imports stand at the top, and `main` is a function like the others.
        let lines: Vec<String> = words(block).into_iter().filter(|line| !line.starts_with("use ")).collect();
        let found = here.windows(lines.len()).any(|window| window == lines.as_slice());
        assert!(found, "this block is not in tests/documents.rs:\n{block}");
    }
    assert_eq!(elsewhere, ELSEWHERE.len(), "a block is gone, and is still listed");
}

mod first {
    use super::{Runtime, Value};

    #[rustfmt::skip]
fn main() -> Result<(), perilune::Error> {
    let mut lua = Runtime::builder().build()?;
    let reply = lua.eval("x = (x or 0) + 1; return x, 'two'")?;
    assert_eq!(reply.values, [Value::Integer(1), Value::from("two")]);
    Ok(())
}

    #[test]
    fn runs() {
        main().expect("runs");
    }
}

fn find_price(name: &str) -> Result<f64, Error> {
    if name == "oil" { Ok(1.5) } else { Err(ConvertError::expected("thing", &name.into()).into()) }
}

#[expect(clippy::unused_async, reason = "stands for one that waits")]
async fn get(url: String) -> Result<String, Error> {
    Ok(url.to_uppercase())
}

#[test]
#[rustfmt::skip]
fn functions() -> Result<(), Error> {
    let mut lua = Runtime::builder().build()?;
lua.register("prices.of", |_: &mut Vm, name: String| find_price(&name))?;      // Result<f64, YourError>
lua.register("each", |vm: &mut Vm, (f, n): (Value, i64)| -> Result<(), Error> {
    let Value::Function(handle) = f else { return Err(ConvertError::expected("function", &f).into()) };
    for i in 1..=n { vm.call_handle::<()>(handle, i)?; }
    vm.release(handle);
    Ok(())
})?;
lua.register_async("fetch", |url: String| async move { get(url).await })?;
    let values = lua.eval("local sum = 0 each(function(i) sum = sum + i end, 4) return sum, prices.of('oil')")?.values;
    assert_eq!(values, [10.into(), 1.5.into()]);
lua.register("refuse", |_: &mut Vm, code: i64| Err::<(), _>(Raise::value(code)))?;
    assert_eq!(lua.eval("return select(2, pcall(refuse, 42))")?.values, [42.into()]);
lua.register_raw("row", |_, args: &mut Decoder<'_>, results| {
    let _first = args.token()?;
    results.table(1, 1)?; // one value at 1, then one pair
    results.integer(7)?;
    results.string(b"name")?;
    results.string(b"moon")?;
    Ok::<_, FormatError>(())
})?;
    assert_eq!(lua.eval("local r = row(1) return r[1], r.name")?.values, [7.into(), "moon".into()]);
    Ok(())
}

#[test]
#[rustfmt::skip]
#[expect(clippy::unnecessary_literal_bound, reason = "as the trait has it")]
fn libraries() -> Result<(), Error> {
struct Geometry;

impl Library for Geometry {
    fn name(&self) -> &str {
        "geometry"
    }
    fn open(&self, vm: &mut Vm) -> perilune::Result<()> {
        vm.register("geometry.area", |_: &mut Vm, (w, h): (f64, f64)| Ok::<_, Error>(w * h))
    }
}
let mut lua = Runtime::builder().library(Geometry).build()?;
    assert_eq!(lua.eval("return geometry.area(2, 3)")?.values, [6.0.into()]);
    Ok(())
}

#[test]
#[rustfmt::skip]
fn calls() -> Result<(), Error> {
    let mut lua = Runtime::builder().build()?;
let largest: i64 = lua.call("math.max", (1, 7, 3))?;
let (whole, rest): (i64, f64) = lua.call("math.modf", 3.5)?;
let all: Vec<Value> = lua.call("table.unpack", vec![1, 2, 3])?;
    assert_eq!((largest, whole, all.len()), (7, 3, 3));
    assert!((rest - 0.5).abs() < f64::EPSILON);
    Ok(())
}

struct Point {
    x: i64,
    y: i64,
}

#[rustfmt::skip]
impl FromLua for Point {
    fn from_lua(value: Value) -> Result<Self, ConvertError> {
        let table = Table::from_lua(value)?;
        let field = |name: &str| i64::from_lua(table.get(&name.into())).map_err(|e| e.at(&name.into()));
        Ok(Point { x: field("x")?, y: field("y")? })
    }
}

#[test]
fn own_types() -> Result<(), Error> {
    let mut lua = Runtime::builder().build()?;
    lua.eval("function point() return { x = 1, y = 2 } end")?;
    let Point { x, y } = lua.call("point", ())?;
    assert_eq!((x, y), (1, 2));
    Ok(())
}

#[cfg(feature = "serde")]
#[test]
#[rustfmt::skip]
fn with_serde() -> Result<(), Box<dyn AnyError>> {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    struct Order { name: String }
    let config = Order { name: "oil".to_owned() };
    let mut lua = Runtime::builder().build()?;
    lua.eval("order = { name = 'oil' }")?;
lua.set_global("config", perilune::to_value(&config)?)?;
let order: Order = perilune::from_value(lua.eval("return order")?.values.remove(0))?;
    assert_eq!(order, config);
    Ok(())
}

#[cfg(feature = "mlua")]
#[test]
#[rustfmt::skip]
fn with_mlua() -> Result<(), Box<dyn AnyError>> {
    let mut runtime = Runtime::builder().build()?;
// SAFETY: it is used between calls of the runtime only, and in functions that Lua calls.
let lua = unsafe { runtime.mlua() }?;
lua.globals().set("add", lua.create_function(|_, (a, b): (i64, i64)| Ok(a + b))?)?;
runtime.eval("print(add(1, 2))")?;
    Ok(())
}
