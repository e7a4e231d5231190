//! Test that everything a script can call is metered: for every function that a fresh VM has, and for what
//! the syntax does by itself, the fuel that is used grows with the input, by at least a tick for 256 bytes or
//! elements, whether the call succeeds or fails, at its beginning or at its end. No clock is asked.
//!
//! The functions are those that are found in the VM. One without a row here fails the test.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Error, Host, Limits, Runtime, Stream, Value, Vm};
use std::cell::RefCell;
use std::rc::Rc;

/// A row of tests/vectors/metering.json, which `cargo xtask bench --ticks` runs, too.
struct Row {
    /// A function by the names that lead to it, or what the syntax does.
    function: String,
    cases: Vec<Case>,
}

/// One way to call a function. The source prepares an input of the size `n`, and returns a function without
/// parameters, whose call is measured.
enum Case {
    /// Uses fuel in proportion to `n`, and succeeds.
    Works(String),
    /// Uses fuel likewise, and raises an error.
    Fails(String),
    /// Does the same work whatever its arguments are: why.
    Constant(String),
}

fn rows() -> Vec<Row> {
    let text = include_str!("vectors/metering.json");
    let rows: serde_json::Value = serde_json::from_str(text).expect("is JSON");
    let case_of = |case: &serde_json::Value| {
        let (kind, text) = case.as_object().and_then(|case| case.iter().next()).expect("has one member");
        let text = text.as_str().expect("is text").to_owned();
        match kind.as_str() {
            "works" => Case::Works(text),
            "fails" => Case::Fails(text),
            "constant" => Case::Constant(text),
            other => panic!("no case is {other}"),
        }
    };
    let rows = rows.as_array().expect("are rows").iter();
    rows.map(|row| Row {
        function: row["function"].as_str().expect("has a name").to_owned(),
        cases: row["cases"].as_array().expect("has cases").iter().map(case_of).collect(),
    })
    .collect()
}

/// The input grows from the first to the second, in bytes or elements.
const SIZES: [u64; 2] = [2_000, 20_000];
const UNITS_PER_TICK: u64 = 256;

/// Names of the functions that a script can reach, by the names that lead to them.
const FIND: &str = r#"
    local found, seen = {}, {}
    local function visit(t, path)
      if seen[t] then return end
      seen[t] = true
      local keys = {}
      for k in next, t do keys[#keys + 1] = k end
      table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
      for _, k in ipairs(keys) do
        local v, name = t[k], path .. tostring(k)
        if type(v) == "function" and not seen[v] then seen[v] = true found[#found + 1] = name end
      end
      for _, k in ipairs(keys) do
        if type(t[k]) == "table" then visit(t[k], path .. tostring(k) .. ".") end
      end
    end
    seen[package.loaded] = true
    visit(_G, "")
    seen[package.loaded] = nil
    visit(package.loaded, "package.loaded.")
    for _, name in ipairs { "close", "flush", "lines", "read", "seek", "setvbuf", "write" } do
      if not seen[io.stdout[name]] then found[#found + 1] = "file:" .. name end
    end
    return table.concat(found, "\n")
"#;

/// A host whose input is what the script has put there, and whose clock stands still.
#[derive(Debug, Default)]
struct World(Rc<RefCell<Vec<u8>>>);

impl Host for World {
    fn write(&mut self, _: Stream, _: &[u8]) {}

    fn read(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(Some(self.0.take()))
    }

    fn clock_ms(&mut self) -> f64 {
        0.0
    }

    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }

    fn random_u64(&mut self) -> u64 {
        7
    }
}

fn vm() -> Runtime {
    let mut limits = Limits::default();
    limits.memory_bytes = 64 << 20;
    limits.stack_slots = Some(1_000_000);
    let input = Rc::default();
    let mut lua = Runtime::builder()
        .limits(limits)
        .host(World(Rc::clone(&input)))
        .files(perilune::Files::new())
        .build()
        .expect("a VM");
    lua.register("input", move |_: &mut Vm, text: String| {
        input.borrow_mut().extend(text.into_bytes());
        Ok::<_, Error>(())
    })
    .expect("registers");
    lua.register("echo", |_: &mut Vm, value: Value| Ok::<_, Error>(value)).expect("registers");
    lua.eval("json, base64 = require 'json', require 'base64'").expect("has them");
    lua
}

/// The fuel that a case uses, for an input of this size; the fault, if it does not end as it should.
fn fuel_of(source: &str, succeeds: bool, size: u64) -> Result<u64, String> {
    let mut lua = vm();
    let prepared = lua.eval(format!("local n = {size} measured = (function(...) {source} end)(n)"));
    prepared.map_err(|error| format!("not prepared: {error}"))?;
    let reply = lua.eval("local ok, e = pcall(measured) return ok, tostring(e):sub(1, 100)");
    let values = reply.map_err(|error| error.to_string())?.values;
    if values[0] != succeeds.into() {
        let Value::String(message) = &values[1] else { return Err("no message".to_owned()) };
        return Err(format!("it does not end as it should: {}", String::from_utf8_lossy(message)));
    }
    Ok(lua.fuel_used())
}

#[test]
fn fuel_grows_with_the_input_of_every_function() {
    let mut faults = Vec::new();
    for Row { function, cases } in rows() {
        for case in cases {
            let (source, succeeds) = match case {
                Case::Works(source) => (source, true),
                Case::Fails(source) => (source, false),
                Case::Constant(_) => continue,
            };
            let wanted = (SIZES[1] - SIZES[0]) / UNITS_PER_TICK;
            match SIZES.map(|size| fuel_of(&source, succeeds, size)) {
                [Ok(less), Ok(more)] if more >= less + wanted => {}
                used => faults.push(format!("{function}: {used:?}, {wanted} more wanted: {source}")),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_function_of_a_vm_has_a_row() {
    let mut lua = vm();
    lua.eval("input, echo, host.input, host.echo = nil").expect("are ours");
    let Value::String(found) = &lua.eval(FIND).expect("finds").values[0] else { panic!("is text") };
    let found = std::str::from_utf8(found).expect("is text");
    let rows = rows();
    let known: Vec<&str> = rows.iter().map(|row| row.function.as_str()).collect();
    let missing: Vec<&str> = found.lines().filter(|name| !known.contains(name)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
    let reasons = rows.iter().flat_map(|row| &row.cases).filter_map(|case| match case {
        Case::Constant(reason) => Some(reason),
        _ => None,
    });
    assert!(reasons.map(String::len).all(|length| length > 20), "a row says why");
    let gone = known
        .iter()
        .filter(|name| {
            name.contains(['.', ':']) && name.starts_with(char::is_alphabetic) && !name.contains(' ')
        })
        .copied();
    let gone: Vec<&str> = gone.filter(|name| !found.lines().any(|line| line == *name)).collect();
    assert!(gone.is_empty(), "rows of functions that are not there: {gone:?}");
}
