//! Tests that the refusal of something inside a value names its path: every leaf that a border refuses, at a
//! random place of a random tree. The path is worked out here anew, from the tree; without the leaf the same
//! tree passes. A border, or a leaf, that is new belongs in the lists.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{ConvertError, IntoLua, Runtime, Table, TableData, Value};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;

/// Numbers that only look random: the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % below
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

#[derive(Debug, Clone)]
enum Key {
    Text(Vec<u8>),
    /// A number or a boolean: what it is in Lua, and in a path.
    Other(&'static str, &'static str),
}

const TEXTS: &[&[u8]] = &[
    b"ore",
    b"_tracker1",
    b"end",
    b"",
    b"two words",
    b"1a",
    b"quo\"te\\",
    b"line\nbreak\r\t\x08\x0c\x01\x1f\x7f",
    b"nul\0",
    "größe".as_bytes(),
    "\u{1F600}".as_bytes(),
    b"(at .x)",
    b"]['\"",
    b"exactly_forty_characters_of_an_identifie_",
    b"exactly_forty_characters_of_an_identifie_r",
];
const BYTES: &[&[u8]] = &[b"\xff", b"a\x80b", b"\xff\xfe\"\n", b"ok\xc3"];
const OTHERS: &[(&str, &str)] = &[
    ("0", "0"),
    ("-7", "-7"),
    ("math.mininteger", "-9223372036854775808"),
    ("math.maxinteger", "9223372036854775807"),
    ("2^53", "9007199254740992"),
    ("0.5", "0.5"),
    ("-1e300", "-1e+300"),
    ("math.huge", "inf"),
    ("-math.huge", "-inf"),
    ("true", "true"),
    ("false", "false"),
];

/// Step of a path, as it should be.
fn step(key: &Key) -> String {
    let text = match key {
        Key::Other(_, text) => return format!("[{text}]"),
        Key::Text(text) => String::from_utf8_lossy(text).into_owned(),
    };
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    let named = |c: char| c == '_' || c.is_ascii_alphanumeric();
    if shown.chars().all(named) && shown.chars().next().is_some_and(|c| !c.is_ascii_digit()) {
        return format!(".{shown}");
    }
    let mut escaped = String::new();
    for c in shown.chars() {
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\u{8}' => escaped.push_str("\\b"),
            '\u{c}' => escaped.push_str("\\f"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if c < ' ' => write!(escaped, "\\u{:04x}", c as u32).expect("is written"),
            c => escaped.push(c),
        }
    }
    format!("[\"{escaped}\"]")
}

/// The words with the path behind them, as they should be.
fn located(words: &str, steps: &[String]) -> String {
    let path: Vec<char> = steps.concat().chars().collect();
    if path.is_empty() {
        return words.to_string();
    }
    let text: String = if path.len() <= 200 {
        path.iter().collect()
    } else {
        let (head, tail) = (&path[..80], &path[path.len() - 117..]);
        head.iter().chain(&['.', '.', '.']).chain(tail).collect()
    };
    format!("{words} (at {text})")
}

#[derive(Debug, Clone)]
enum Tree {
    Number(i64),
    Text(&'static [u8]),
    List(Vec<Tree>),
    Map(Vec<(Key, Tree)>),
    /// The place of the leaf.
    Leaf,
}

/// Keys that a border takes.
#[derive(Clone, Copy, PartialEq)]
enum Keys {
    All,
    /// Text only.
    OfJson,
}

fn random_key(random: &mut Random, keys: Keys) -> Key {
    match random.below(if keys == Keys::All { 5 } else { 3 }) {
        3 => Key::Text(random.pick(BYTES).to_vec()),
        4 => {
            let (lua, text) = random.pick(OTHERS);
            Key::Other(lua, text)
        }
        0 if random.below(4) == 0 => {
            let long = random.pick::<&[u8]>(&[b"x", "é".as_bytes(), b"\"", b"\x01"]);
            Key::Text(long.repeat(30 + random.below(40)))
        }
        _ => Key::Text(random.pick(TEXTS).to_vec()),
    }
}

fn identity(key: &Key) -> Vec<u8> {
    match key {
        Key::Text(text) => [b"t", &text[..]].concat(),
        Key::Other(lua, _) => [b"o", lua.as_bytes()].concat(),
    }
}

/// A value without the leaf.
fn sibling(random: &mut Random, keys: Keys, depth: usize) -> Tree {
    match random.below(if depth == 0 { 2 } else { 4 }) {
        0 => Tree::Number(random.below(1000) as i64 - 500),
        1 => Tree::Text(random.pick(TEXTS)),
        2 => Tree::List((0..random.below(4)).map(|_| sibling(random, keys, depth - 1)).collect()),
        _ => Tree::Map(map_with(random, keys, None, depth - 1)),
    }
}

fn map_with(random: &mut Random, keys: Keys, inner: Option<(Key, Tree)>, depth: usize) -> Vec<(Key, Tree)> {
    let mut entries: Vec<(Key, Tree)> = inner.into_iter().collect();
    for _ in 0..random.below(4) {
        let key = random_key(random, keys);
        if entries.iter().all(|(other, _)| identity(other) != identity(&key)) {
            let value = sibling(random, keys, depth);
            let at = random.below(entries.len() + 1);
            entries.insert(at, (key, value));
        }
    }
    entries
}

/// A tree with the leaf at a random place, and the path there.
fn random_tree(random: &mut Random, keys: Keys) -> (Tree, Vec<String>) {
    let depth = if random.below(5) == 0 { 20 + random.below(40) } else { random.below(6) };
    let mut tree = Tree::Leaf;
    let mut steps = Vec::new();
    for _ in 0..depth {
        if random.below(2) == 0 {
            let mut list: Vec<Tree> = (0..random.below(4)).map(|_| sibling(random, keys, 1)).collect();
            let at = random.below(list.len() + 1);
            list.insert(at, tree);
            steps.push(format!("[{}]", at + 1));
            tree = Tree::List(list);
        } else {
            let key = random_key(random, keys);
            steps.push(step(&key));
            tree = Tree::Map(map_with(random, keys, Some((key, tree)), 1));
        }
    }
    steps.reverse();
    (tree, steps)
}

fn quoted(text: &[u8]) -> String {
    let escaped: Vec<String> = text.iter().map(|byte| format!("\\{byte:03}")).collect();
    format!("\"{}\"", escaped.concat())
}

/// The tree as an expression of Lua.
fn lua_of(tree: &Tree, leaf: &str) -> String {
    match tree {
        Tree::Number(n) => n.to_string(),
        Tree::Text(text) => quoted(text),
        Tree::Leaf => leaf.to_string(),
        Tree::List(list) => {
            format!("{{{}}}", list.iter().map(|of| lua_of(of, leaf)).collect::<Vec<_>>().join(","))
        }
        Tree::Map(map) => {
            let entry = |(key, of): &(Key, Tree)| {
                let key = match key {
                    Key::Text(text) => quoted(text),
                    Key::Other(lua, _) => (*lua).to_string(),
                };
                format!("[{key}]={}", lua_of(of, leaf))
            };
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(","))
        }
    }
}

fn value_of_key(key: &Key) -> Value {
    match key {
        Key::Text(text) => Value::String(text.clone()),
        Key::Other("true", _) => true.into(),
        Key::Other("false", _) => false.into(),
        Key::Other(_, "inf") => f64::INFINITY.into(),
        Key::Other(_, "-inf") => f64::NEG_INFINITY.into(),
        Key::Other(_, text) => match text.parse::<i64>() {
            Ok(n) => n.into(),
            Err(_) => text.parse::<f64>().expect("a number").into(),
        },
    }
}

/// The tree as a value of Rust's.
fn value_of(tree: &Tree, leaf: &Value) -> Value {
    match tree {
        Tree::Number(n) => (*n).into(),
        Tree::Text(text) => Value::String(text.to_vec()),
        Tree::Leaf => leaf.clone(),
        Tree::List(list) => {
            let array = list.iter().map(|of| value_of(of, leaf)).collect();
            Table::from(TableData { array, pairs: Vec::new() }).into()
        }
        Tree::Map(map) => {
            let pairs = map.iter().map(|(key, of)| (value_of_key(key), value_of(of, leaf))).collect();
            Table::from(TableData { array: Vec::new(), pairs }).into()
        }
    }
}

/// The tree as a type of a user's, whose leaf does not fit.
struct Own<'a>(&'a Tree, u64);

impl IntoLua for Own<'_> {
    fn into_lua(self) -> Result<Value, ConvertError> {
        match self.0 {
            Tree::Leaf => self.1.into_lua(),
            Tree::List(list) => list.iter().map(|of| Own(of, self.1)).collect::<Vec<_>>().into_lua(),
            Tree::Map(map) => {
                for (key, of) in map {
                    Own(of, self.1).into_lua().map_err(|error| error.at(&value_of_key(key)))?;
                }
                Ok(Value::Nil)
            }
            tree => Ok(value_of(tree, &Value::Nil)),
        }
    }
}

fn lua() -> Runtime {
    let mut lua = Runtime::builder().build().expect("a VM");
    lua.eval("json, e = require 'json', ext.table('t')").expect("runs");
    lua.register("take", |_: &mut perilune::Vm, _: Value| Ok::<(), ConvertError>(())).expect("is registered");
    lua
}

/// A table of which the innermost is `levels` deep.
const DEEP: &str = "(function() local t = {} for i = 1, 250 do t = {t} end return t end)()";
const TOO_DEEP: &str = "value is nested more than 200 tables deep";

/// Path to the table that is one too many, where the leaf is `DEEP`.
fn deep_steps(steps: &[String]) -> Vec<String> {
    let mut all = steps.to_vec();
    all.resize(200, "[1]".to_string());
    all
}

const SEEDS: u64 = 300;

/// Tries each leaf of a border in Lua: `run` has `TREE` in place of the value; a leaf is an expression, and
/// its refusal.
fn try_in_lua(run: &str, keys: Keys, prefix: &str, leaves: &[(&str, &str)]) {
    let mut lua = lua();
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let (tree, steps) = random_tree(&mut random, keys);
        for (leaf, words) in leaves {
            let source = run.replace("TREE", &lua_of(&tree, leaf));
            let failed = lua.eval(&source).expect_err(&source);
            let steps = if *words == TOO_DEEP { deep_steps(&steps) } else { steps.clone() };
            assert_eq!(failed.to_string(), located(&format!("{prefix}{words}"), &steps), "{source}");
            assert_eq!(lua.eval("return e.k").expect("runs").values, [Value::Nil], "{source}");
        }
        let source = run.replace("TREE", &lua_of(&tree, "7"));
        lua.eval(&source).expect(&source);
        lua.eval("e.k = nil").expect("runs");
    }
}

#[test]
fn what_lua_stores() {
    try_in_lua(
        "e.k = TREE",
        Keys::All,
        "eval:1: ",
        &[
            ("print", "a function cannot be stored"),
            ("take", "a function cannot be stored"),
            ("function() end", "a function cannot be stored"),
            ("coroutine.create(print)", "a thread cannot be stored"),
            ("io.stdout", "a userdata cannot be stored"),
            ("json.null", "json.null cannot be stored"),
            ("setmetatable({1}, {})", "a table with a metatable cannot be stored"),
            (DEEP, TOO_DEEP),
            // A key that is refused: the path leads to its table, whatever is in the key.
            ("{[print]=1}", "a function cannot be stored"),
            ("{1, 2, [coroutine.create(print)]=1, a=1}", "a thread cannot be stored"),
            ("{[{x={y=print}}]=1}", "a function cannot be stored"),
            ("{[setmetatable({}, {})]=1}", "a table with a metatable cannot be stored"),
        ],
    );
}

#[test]
fn what_is_under_keys_of_other_types() {
    let mut lua = lua();
    for (source, path) in [
        ("e.k = {[{}]=print}", "[table]"),
        ("e.k = {{[{}]={a={print}}}}", "[1][table].a[1]"),
        ("local t = {} for i = 1, 9 do t[i] = i end t[11] = print t[10] = 10 e.k = t", "[11]"),
        ("local t = {n = 1} t.me = t t.list = {t, {t, f = print}} e.k = t", ".list[2].f"),
    ] {
        let failed = lua.eval(source).expect_err(source);
        assert_eq!(
            failed.to_string(),
            format!("eval:1: a function cannot be stored (at {path})"),
            "{source}"
        );
    }
}

#[test]
fn what_json_encodes() {
    try_in_lua(
        "json.encode(TREE, {depth = 200})",
        Keys::OfJson,
        "eval:1: ",
        &[
            ("print", "json: cannot encode a function"),
            ("coroutine.create(print)", "json: cannot encode a thread"),
            ("io.stdout", "json: cannot encode a userdata"),
            ("0/0", "json: cannot encode NaN"),
            ("math.huge", "json: cannot encode an infinite number"),
            ("'\\xff'", "json: cannot encode a string that is not valid UTF-8"),
            ("{1, 2, [4] = 4}", "json: cannot encode a list with holes"),
            ("{1, a = 1}", "json: cannot encode a table with both list and named keys"),
            ("{[0.5] = 1}", "json: cannot encode a table with a float as key"),
            ("{[print] = 1}", "json: cannot encode a table with a function as key"),
            ("{['\\xff'] = 1}", "json: cannot encode a key that is not valid UTF-8"),
        ],
    );
    let mut lua = lua();
    for seed in 0..SEEDS {
        let (tree, mut steps) = random_tree(&mut Random(seed), Keys::OfJson);
        let source = format!("json.encode({}, {{depth = 200}})", lua_of(&tree, DEEP));
        steps.resize(200, "[1]".to_string());
        let words = "eval:1: json: cannot encode tables nested deeper than option 'depth' allows";
        assert_eq!(lua.eval(&source).expect_err(&source).to_string(), located(words, &steps), "{source}");
    }
}

#[test]
fn results_and_arguments() {
    try_in_lua("return TREE", Keys::All, "", &[(DEEP, TOO_DEEP)]);
    try_in_lua("take(TREE)", Keys::All, "eval:1: ", &[(DEEP, TOO_DEEP)]);
}

#[test]
fn what_rust_gives() {
    let mut lua = lua();
    let given = Rc::new(RefCell::new(Value::Nil));
    let gives = Rc::clone(&given);
    lua.register("give", move |_: &mut perilune::Vm, ()| Ok::<_, ConvertError>((gives.borrow().clone(),)))
        .expect("is registered");
    let bad = "encoded table has a nil or NaN key, or a nil value";
    let pair = |key: Value, value: Value| -> Value {
        Table::from(TableData { array: vec![1.into()], pairs: vec![(key, value)] }).into()
    };
    let inner = pair("x".into(), pair(f64::NAN.into(), 1.into()));
    let deep = (0..250).fold(Table::new(), |inner, _| {
        Table::from(TableData { array: vec![inner.into()], pairs: Vec::new() })
    });
    for seed in 0..SEEDS {
        let (tree, steps) = random_tree(&mut Random(seed), Keys::All);
        let beyond = |more: &str| [&steps[..], &[more.to_string()]].concat();
        for (leaf, words, steps) in [
            (deep.clone().into(), TOO_DEEP, deep_steps(&steps)),
            (pair(f64::NAN.into(), 1.into()), bad, steps.clone()),
            (pair(Value::Nil, 1.into()), bad, steps.clone()),
            (pair(inner.clone(), 1.into()), bad, steps.clone()),
            (pair("a".into(), Value::Nil), bad, beyond(".a")),
        ] {
            let value = value_of(&tree, &leaf);
            let failed = lua.call::<()>("take", (value.clone(),)).expect_err("is refused");
            assert_eq!(failed.to_string(), located(words, &steps));
            assert_eq!(failed.code(), "value");
            *given.borrow_mut() = value;
            let failed = lua.eval("return give()").expect_err("is refused");
            assert_eq!(failed.to_string(), located(&format!("eval:1: {words}"), &steps));
        }
        let value = value_of(&tree, &7.into());
        lua.call::<()>("take", (value.clone(),)).expect("passes");
        *given.borrow_mut() = value;
        lua.eval("give()").expect("passes");
    }
}

#[test]
fn what_rust_converts() {
    for seed in 0..SEEDS {
        let (tree, steps) = random_tree(&mut Random(seed), Keys::All);
        let failed = Own(&tree, u64::MAX).into_lua().expect_err("is refused");
        let words = "bad value: 18446744073709551615 is out of range for Lua's integers";
        assert_eq!(failed.to_string(), located(words, &steps));
        let shown = located("", &steps);
        let path = shown.strip_prefix(" (at ").and_then(|path| path.strip_suffix(")")).unwrap_or("");
        assert_eq!(failed.path(), path);
        Own(&tree, 7).into_lua().expect("passes");
    }
}
