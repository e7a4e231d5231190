//! Tests of `json` and `base64` when memory is short: data that is too large ends in a memory error of the
//! script, and the VM stays usable. All other tests of them are in tests/golden/json and tests/golden/base64.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Limits, Runtime, Value};

const LIBRARIES: &str = "json, base64 = require 'json', require 'base64'";

fn lua(memory_bytes: usize) -> Runtime {
    let mut limits = Limits::default();
    limits.memory_bytes = memory_bytes;
    let mut lua = Runtime::builder().limits(limits).build().expect("a VM");
    lua.eval(LIBRARIES).expect("both are there");
    lua
}

fn values(lua: &mut Runtime, source: &str) -> Vec<Value> {
    lua.eval(source).unwrap_or_else(|error| panic!("{source}\n{error:?}")).values
}

#[test]
fn large_inputs_end_as_memory_errors() {
    let mut lua = lua(2 * 1024 * 1024);
    for source in [
        // The text fits in memory; its value does not.
        r#"return json.decode('"' .. ("\\u0041"):rep(140000) .. ("x"):rep(500000) .. '"')"#,
        r#"return json.decode('"' .. ("x"):rep(850000) .. '\\n"')"#,
        r#"return json.decode("[" .. ("[],"):rep(100000) .. "1]")"#,
        r#"return json.decode("[" .. ("1,"):rep(300000) .. "1]")"#,
        r#"return json.encode(("\n"):rep(800000))"#,
        r#"local s = ("x"):rep(100000) return json.encode { s, s, s, s, s, s, s, s, s, s, s, s, s }"#,
        r#"local t = {} for i = 1, 20000 do t["key" .. i] = i end return json.encode(t, { sort_keys = true, indent = 16 })"#,
        r"local t = {} for i = 1, 60000 do t[i] = 1e300 end return json.encode(t, { indent = 16 })",
        r"return json.encode(setmetatable({}, { __pairs = function() return tostring, 1, 1 end }))",
        r#"return base64.encode(("x"):rep(800000))"#,
        r#"return base64.decode(("AAAA"):rep(250000))"#,
    ] {
        for _ in 0..3 {
            let failed = lua.eval(source).expect_err(source);
            assert!(
                failed.code() == "memory" && failed.to_string().starts_with("not enough memory ("),
                "{source}: {failed}"
            );
        }
        assert_eq!(
            values(&mut lua, "return json.decode('[1,2]')[2], json.encode { 1 }"),
            [2.into(), "[1]".into()]
        );
    }
    assert!(lua.stats().peak_bytes <= lua.stats().limit_bytes);
}

/// Checks that conversions succeed in memory of little more than twice the size of the text.
#[test]
fn texts_of_half_a_megabyte_fit_in_two_megabytes() {
    let mut lua = lua(2 * 1024 * 1024);
    for _ in 0..5 {
        values(
            &mut lua,
            r#"
            local n = 400000
            local text = json.encode(("x"):rep(n))
            assert(#text == n + 2 and #json.decode(text) == n)
            text = nil
            assert(#json.decode('"' .. ("\\n"):rep(n // 2) .. '"') == n // 2)
            assert(#base64.decode(base64.encode(("x"):rep(n))) == n)
            "#,
        );
    }
}

/// Runs each function with so little memory left that one of its allocations fails, with every amount in
/// turn.
#[test]
fn every_function_survives_a_full_memory() {
    let mut lua = lua(512 * 1024);
    values(
        &mut lua,
        r#"
        local function add(size) ballast[#ballast + 1] = ("b"):rep(size) .. #ballast end
        function fill(free)
            local hole = ("h"):rep(free)
            ballast = {}
            for _, size in ipairs { 65536, 8192, 1024, 128, 40 } do while pcall(add, size) do end end
        end
        local text = '{"a":[1,2.5,"x",null,true],"b":{"c":"' .. ("\\n"):rep(300) .. '"},"d":' .. ("9"):rep(280) .. '}'
        local value = json.decode(text)
        local shown = setmetatable({}, { __pairs = function() return next, value, nil end })
        local bytes = ("b"):rep(400)
        local letters = base64.encode(bytes)
        local sorted, pretty = { sort_keys = true }, { indent = 2 }
        local deep = ("["):rep(100) .. ("]"):rep(100)
        functions = {
            function() return json.decode(text) end,
            function() return json.decode(deep) end,
            function() return json.decode("[1,") end,
            function() return json.encode(value) end,
            function() return json.encode(value, sorted) end,
            function() return json.encode(shown, pretty) end,
            function() return json.encode { a = { 1, print } } end,
            function() return json.array(), json.object() end,
            function() return base64.encode(bytes), base64.decode(letters) end,
            function() return base64.decode("?") end,
        }
        "#,
    );
    let mut failures = 0;
    for free in (0..6000).step_by(40) {
        for index in 1..=10_i64 {
            values(&mut lua, &format!("operation = functions[{index}]"));
            // Filling the memory may itself fail.
            let _ = lua.eval(format!("fill({free})"));
            if let Err(failed) = lua.eval("operation()") {
                failures += usize::from(failed.code() == "memory");
                assert!(["memory", "runtime"].contains(&failed.code()), "{index}: {failed:?}");
            }
            values(&mut lua, "ballast = nil; collectgarbage()");
        }
    }
    assert!(failures > 100, "only {failures} calls met a full memory: the test does not bite");
}
