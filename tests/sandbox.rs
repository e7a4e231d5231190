//! Tests of the sandbox: libraries that are removed, and environments, in which a program cannot change what
//! other programs see.
#![cfg(not(target_arch = "wasm32"))]

use perilune::protocol::{Outcome, operation};
use perilune::{Error, FromLua, Host, Runtime, Stream, Table, Value, Vm};

/// A host that drops output and has fixed clocks and seeds.
struct Silent;

impl Host for Silent {
    fn write(&mut self, _: Stream, _: &[u8]) {}
    fn clock_ms(&mut self) -> f64 {
        1e12
    }
    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }
    fn random_u64(&mut self) -> u64 {
        7
    }
}

fn vm() -> Runtime {
    let mut lua = Runtime::builder()
        .host(Silent)
        .module("shared", "return { state = 'clean' }")
        .module("leaky", "leaked = 'by a module' return {}")
        .build()
        .expect("a VM");
    lua.register("plain", |_: &mut Vm, ()| Ok::<_, Error>("host")).expect("registers");
    lua.register("game.move", |_: &mut Vm, ()| Ok::<_, Error>("moved")).expect("registers");
    lua.eval(
        "shared_on_purpose = { n = 1 } \
         json = require 'json' require 'shared' \
         package.preload.app = function() return { app = 'clean' } end \
         function read_global(name) return _G[name] end \
         function a_global_function() return who end \
         who = 'the globals'",
    )
    .expect("runs");
    lua
}

fn set(table: &Table, key: impl Into<Value>, value: Value) {
    table.with_mut(|data| data.pairs.push((key.into(), value)));
}

fn run(lua: &mut Runtime, source: &str) -> Vec<Value> {
    lua.eval_env(source, "env", &Table::new()).unwrap_or_else(|error| panic!("{source}: {error}")).values
}

/// Attempts to change what other programs see. They may fail; the tests check what others see afterwards.
const ATTEMPTS: &[(&str, &str)] = &[
    ("a global", "string = nil table = nil print = nil who = 'me' x = 1"),
    ("_G", "_G.who = 'me' _G.print = nil _G.string.upper = nil"),
    ("_ENV", "_ENV.who = 'me' _ENV.string.upper = nil"),
    ("_G of _G", "_G._G._G.who = 'me' _G._G.math.floor = nil"),
    ("rawset", "rawset(_G, 'who', 'me') rawset(string, 'upper', nil) rawset(_G, 'print', nil)"),
    ("string", "string.upper = function() return 'evil' end string.evil = 1"),
    (
        "every library",
        "for _, name in ipairs { 'string', 'table', 'math', 'utf8', 'coroutine', 'os', 'io', 'debug', 'ext', 'async', 'host', 'package' } do for key in pairs(_G[name]) do _G[name][key] = 'evil' end end",
    ),
    (
        "package.loaded",
        "for name in pairs(package.loaded) do package.loaded[name] = 'evil' end package.loaded.json = 'evil' package.loaded.shared = 'evil'",
    ),
    (
        "the libraries in package.loaded",
        "package.loaded.string.upper = nil package.loaded.table.concat = nil package.loaded._G.who = 'me'",
    ),
    (
        "required libraries",
        "require('string').upper = nil require('table').concat = nil require('_G').who = 'me' require('os').time = nil",
    ),
    (
        "package.preload",
        "package.preload.shared = function() return 'evil' end package.preload.json = package.preload.shared package.preload.app = package.preload.shared",
    ),
    (
        "package.searchers",
        "table.insert(package.searchers, 1, function() return function() return 'evil' end end) require 'fresh'",
    ),
    (
        "no searchers",
        "package.searchers = nil package.path = 'evil' package.config = 'evil' package.searchpath = nil",
    ),
    ("an emptied list of searchers", "for i = #package.searchers, 1, -1 do package.searchers[i] = nil end"),
    ("a module of the host", "require('shared').state = 'evil'"),
    ("a module that writes variables", "require 'leaky'"),
    ("a module of the application", "require('app').app = 'evil'"),
    ("json", "require('json').encode = nil require('json').null = 1"),
    ("json as a global", "json.encode = nil json.null = 1"),
    (
        "json's metatables",
        "local j = require 'json' getmetatable(j.array()).__index = function() return 'evil' end getmetatable(j.decode '{}').__jsontype = 'array'",
    ),
    (
        "json's metatables by the global",
        "getmetatable(json.array()).__index = function() return 'evil' end getmetatable(json.decode '{}').__jsontype = 'array'",
    ),
    ("base64", "require('base64').encode = nil"),
    ("the metatable of strings", "getmetatable('').__index = { upper = function() return 'evil' end }"),
    ("the metatable of strings, by rawset", "rawset(getmetatable(''), '__index', {})"),
    ("setmetatable of a string", "setmetatable('', { __index = {} })"),
    ("the environment's metatable", "getmetatable(_ENV).__index.who = 'me'"),
    (
        "setmetatable of _G",
        "setmetatable(_G, { __index = function() return 'evil' end, __newindex = function() end })",
    ),
    (
        "a metatable for a library",
        "setmetatable(string, { __index = function() return 'evil' end }) setmetatable(math, { __newindex = error })",
    ),
    ("load", "load('who = 1 string.upper = nil _G.who = 2')()"),
    ("load with a nil mode", "load('who = 1', 'x', nil)() load('who = 1', nil, 't')()"),
    (
        "load with a reader",
        "local parts = { 'who', ' = ', '1' } local i = 0 load(function() i = i + 1 return parts[i] end)()",
    ),
    ("load in load", "load('load(\"load([[who = 1]])()\")()')()"),
    (
        "load inside pcall and coroutines",
        "coroutine.wrap(function() pcall(load('who = 1')) select(2, pcall(load, 'who = 1'))() end)()",
    ),
    (
        "load as a callback",
        "('who = 1'):gsub('.+', function(s) load(s)() end) table.sort({ 2, 1 }, function() load('who = 1')() end)",
    ),
    ("load in an error's handler", "xpcall(error, function() load('who = 1')() end)"),
    (
        "load in a finalizer",
        "setmetatable({}, { __gc = function() load('who = 1 string.upper = nil')() end }) collectgarbage()",
    ),
    (
        "load in __close",
        "do local c <close> = setmetatable({}, { __close = function() load('who = 1')() end }) end",
    ),
    (
        "an error that runs code",
        "pcall(error, setmetatable({}, { __tostring = function() load('who = 1')() return 'x' end })) print(setmetatable({}, { __tostring = function() who = 2 return '' end }))",
    ),
    ("load from the table string", "local l = package.loaded._G.load l('who = 1')()"),
    (
        "a coroutine",
        "coroutine.wrap(function() who = 'me' string.upper = nil coroutine.yield() _G.who = 1 end)()",
    ),
    (
        "coroutine.running",
        "local co, main = coroutine.running() pcall(coroutine.close, co) pcall(coroutine.resume, co, 1)",
    ),
    (
        "coroutine.running in a finalizer",
        "setmetatable({}, { __gc = function() victim = coroutine.running() end }) collectgarbage() coroutine.resume(victim) pcall(coroutine.close, victim)",
    ),
    ("coroutine", "coroutine.wrap = nil coroutine.create = error"),
    ("debug", "debug.traceback = function() return 'evil' end debug.sethook = error"),
    ("metatables of handles", "getmetatable(io.stdout).__index = {} io.stdout.write = nil"),
    ("the default output", "io.output(io.stderr) io.write('to stderr')"),
    ("the default output as input", "io.input(io.stdout) io.output(io.stdin) io.write('nowhere')"),
    ("host", "host.plain = function() return 'evil' end host.game.move = host.plain host.new = 1"),
    ("registered globals", "plain = 1 game.move = function() return 'evil' end game.new = 1"),
    ("registered globals by _G", "_G.game.move = nil rawset(_G.game, 'move', 1)"),
    ("ext", "ext.table = nil ext.evil = 1"),
    ("async", "async.sleep = nil async.all = error"),
    (
        "the collector",
        "pcall(collectgarbage, 'stop') pcall(collectgarbage, 'generational') pcall(collectgarbage, 'setpause', 1000)",
    ),
    ("warnings", "warn('@on') warn('told')"),
    ("the seed", "math.randomseed(42)"),
    ("utf8", "utf8.charpattern = 'evil' utf8.char = nil"),
    ("os", "os.time = function() return 0 end os.getenv = nil"),
    (
        "table.insert into a library",
        "table.insert(package.searchers, 1, error) table.move({ error }, 1, 1, 1, string)",
    ),
    (
        "next and pairs",
        "for key, value in pairs(_G) do _G[key] = 'evil' end local k = next(_G) if k then _G[k] = nil end",
    ),
    ("a function of the globals", "read_global('nothing') a_global_function = nil"),
    ("an upvalue of the globals' function", "debug.setupvalue(a_global_function, 1, {})"),
    ("a goto over _ENV", "local _ENV = { string = string, _ENV = _ENV } string.upper = nil"),
    ("no _ENV", "local string = string local _ENV <const> = nil string.upper = nil"),
    ("string.dump and binary code", "load(string.dump(function() who = 1 end), 'x', 'b')()"),
    (
        "an external table's metatable",
        "getmetatable(ext.table('t')).__index = nil setmetatable(ext.table('t'), {})",
    ),
    (
        "a host error's metatable",
        "local _, e = pcall(host.plain, 1, 2, setmetatable({}, {})) if e then getmetatable(e).__index = nil end",
    ),
];

/// Assertions that must hold in the globals and in every environment after the attempts.
const INTACT: &str = r#"
  assert(("x"):upper() == "X" and string.upper("x") == "X" and string.evil == nil, "string")
  assert(table.concat { 1, 2 } == "12" and math.floor(1.5) == 1 and utf8.char(65) == "A", "table, math, utf8")
  assert(utf8.charpattern ~= "evil" and utf8.len("ä") == 1, "utf8")
  assert(coroutine.wrap(function() return 1 end)() == 1 and coroutine.create(print), "coroutine")
  assert(type(os.time()) == "number" and os.time() > 0 and type(os.getenv) == "function", "os")
  assert(type(debug.traceback()) == "string" and debug.traceback("m"):find("stack traceback") and not debug.sethook, "debug")
  assert(io.type(io.stdout) == "file" and io.output() == io.stdout and io.input() == io.stdin and io.stdout.write, "io")
  assert(type(ext.table) == "function" and ext.evil == nil and type(async.sleep) == "function", "ext, async")
  assert(host.plain() == "host" and host.game.move() == "moved" and plain() == "host" and game.move() == "moved", "host")
  assert(host.new == nil and game.new == nil, "host's tables")
  assert(require("json").encode { 1 } == "[1]" and json.encode { 1 } == "[1]" and type(json.null) == "userdata", "json")
  assert(json.array()[1] == nil and json.encode(json.decode "{}") == "{}", "json's metatables")
  assert(require("json").array().x == nil and require("json").encode(require("json").decode "{}") == "{}", "json's metatables")
  assert(require("base64").encode("x") == "eA==", "base64")
  assert(require("shared").state == "clean" and require("app").app == "clean", "modules")
  assert(#package.searchers == 3 and package.path ~= "evil" and package.config ~= "evil" and package.searchpath, "package")
  assert(package.loaded.string == string and package.loaded._G == _G and require("string") == string, "loaded")
  assert(not pcall(require, "missing"), "searchers")
  assert(who == "the globals" and a_global_function() == "the globals" and leaked == nil and x == nil, "globals")
  assert(shared_on_purpose.n == 1 and load("return who")() == "the globals" and evil == nil, "load")
  assert(getmetatable("") == false and getmetatable(string) == nil and getmetatable(math) == nil, "metatables")
  assert(collectgarbage("isrunning") and type(print) == "function" and getmetatable(io.stdout) == false, "base")
"#;

#[test]
fn programs_cannot_change_what_others_see() {
    assert!(ATTEMPTS.len() >= 40);
    for (name, attempt) in ATTEMPTS {
        let mut lua = vm();
        for step in ["pcall(error)", *attempt] {
            // The result of the attempt does not matter.
            let _ = lua.eval_env(step, "attempt", &Table::new());
        }
        if let Err(error) = lua.eval_env(INTACT, "another", &Table::new()) {
            panic!("{name}: from another environment: {error}");
        }
        if let Err(error) = lua.eval(INTACT) {
            panic!("{name}: from the globals: {error}");
        }
        if let Err(error) = lua.eval_env(INTACT, "another", &Table::new()) {
            panic!("{name}: from another environment, after the globals: {error}");
        }
        assert_eq!(lua.eval("return getmetatable(_G)").expect("runs").values, [Value::Nil], "{name}");
        assert_eq!(lua.gc(perilune::GcMode::Incremental).ok(), Some(()), "{name}");
    }
}

/// Runs each statement of the attempts separately, because an error in one would hide the next.
#[test]
fn single_statements_cannot_change_what_others_see() {
    let mut lua = vm();
    for (_, attempt) in ATTEMPTS {
        for part in attempt.split(' ').scan(String::new(), |line, word| {
            line.push_str(word);
            line.push(' ');
            Some(line.clone())
        }) {
            let _ = lua.eval_env(&part, "attempt", &Table::new());
        }
    }
    lua.eval_env(INTACT, "another", &Table::new()).expect("intact in another");
    lua.eval(INTACT).expect("intact in the globals");
}

/// Evaluates expressions in an environment that must not give a shared table: each result is compared with
/// that of the globals.
#[test]
fn no_expression_leads_to_the_shared_tables() {
    let mut lua = vm();
    lua.eval("local real = {} for k, v in pairs(package.loaded) do if type(v) == 'table' then real[v] = k end end real[host] = 'host' real[host.game] = 'host.game' real[game] = 'game' real[ext] = 'ext' real[package.loaded] = 'loaded' real[package.preload] = 'preload' real[package.searchers] = 'searchers' function is_real(v) return real[v] end").expect("runs");
    assert_eq!(
        lua.eval("return is_real(_G), is_real(string)").expect("runs").values,
        ["_G".into(), "string".into()]
    );
    let walk = "local seen, found = {}, {} \
        local function walk(v, path) \
          if type(v) ~= 'table' or seen[v] then return end seen[v] = true \
          if is_real(v) then found[#found + 1] = path .. ' is ' .. is_real(v) end \
          for k, w in next, v do walk(k, path .. '.key') walk(w, path .. '.' .. tostring(k)) end \
          local mt = getmetatable(v) if mt then walk(mt, path .. '!') end \
        end ";
    for name in [
        "_G",
        "_ENV",
        "string",
        "table",
        "math",
        "utf8",
        "coroutine",
        "os",
        "io",
        "debug",
        "ext",
        "async",
        "host",
        "package",
        "game",
        "json",
        "require('json')",
        "require('shared')",
        "require('string')",
        "require('_G')",
        "require('package')",
        "getmetatable('')",
        "load('return _ENV')()",
        "load('return _G')()",
        "load('return _ENV', 'x')()",
        "load('return _ENV', 'x', 't')()",
        "getmetatable(_ENV)",
        "coroutine.wrap(function() return _G end)()",
        "select(2, pcall(load, 'return _ENV'))()",
        "package.loaded._G",
        "package.loaded.package.loaded",
        "(package.searchers[3]('json'))()",
        "(package.searchers[2]('shared'))()",
        "{ package.searchers[1]('app') }",
        "{ debug.traceback(_G) }",
    ] {
        let found =
            run(&mut lua, &format!("{walk} walk({name}, [[{name}]]) return table.concat(found, ', ')"));
        assert_eq!(found, ["".into()], "{name}");
    }
}

#[test]
fn an_environment_is_variables_over_the_globals() {
    let mut lua = vm();
    let variables = Table::new();
    set(&variables, "answer", 42.into());
    set(&variables, "who", "the environment".into());
    set(&variables, 10, "no variable".into());
    let mut env = |source: &str| lua.eval_env(source, "env", &variables).map(|reply| reply.values);
    assert_eq!(
        env("return answer, who, a_global_function(), _G[10]").expect("runs"),
        [42.into(), "the environment".into(), "the globals".into(), Value::Nil]
    );
    // It has its own fields, and no others.
    assert_eq!(
        env("made = 1 local names = {} for k in pairs(_G) do names[#names + 1] = k end table.sort(names) \
             return table.concat(names, ' '), rawget(_G, 'print'), _G == _ENV, _G._G == _G, next({}) == nil")
        .expect("runs"),
        ["answer made who".into(), Value::Nil, true.into(), true.into(), true.into()]
    );
    // Each environment is fresh.
    assert_eq!(env("return made, answer").expect("runs"), [Value::Nil, 42.into()]);
    // Functions keep their environment.
    assert_eq!(
        env("shared_on_purpose.f = function() made = (made or 0) + 1 return made, who end").expect("runs"),
        []
    );
    assert_eq!(
        lua.eval("shared_on_purpose.f() return shared_on_purpose.f()").expect("runs").values,
        [2.into(), "the environment".into()]
    );
    assert_eq!(lua.eval("return made").expect("runs").values, [Value::Nil]);
    // It sees later changes of the globals.
    lua.eval("later = 1 function print() return 'mine' end").expect("runs");
    assert_eq!(run(&mut lua, "return later, print()"), [1.into(), "mine".into()]);
}

#[test]
fn libraries_work_in_an_environment() {
    let mut lua = vm();
    for (source, expected) in [
        (
            "string.trim = function(s) return (s:match('^%s*(.-)%s*$')) end return string.trim('  y ')",
            Value::from("y"),
        ),
        ("return pcall(load)", false.into()),
        ("return load('return ...', 'n', 't', { x = 1 })(7)", 7.into()),
        ("return load('return x', 'n', 't', { x = 1 })()", 1.into()),
        ("return pcall(load('return x', 'n', 't', nil))", false.into()),
        ("x = 5 return load('return x')()", 5.into()),
        ("return require('shared') == require('shared')", true.into()),
        ("require 'leaky' return leaked", "by a module".into()),
        (
            "package.preload.mine = function(name, data) return name .. data end return require 'mine'",
            "mine:preload:".into(),
        ),
        ("return require('app').app", "clean".into()),
        (
            "return select(2, pcall(require, 'none')):match(\"no built%-in module 'none'\") ~= nil",
            true.into(),
        ),
        ("return json == require 'json'", true.into()),
        (
            "local co = coroutine.create(function(c) return coroutine.running() == c end) return select(2, coroutine.resume(co, co))",
            true.into(),
        ),
        (
            "return coroutine.wrap(function() local c = coroutine.running() return coroutine.status(c) end)()",
            "running".into(),
        ),
        ("return select(2, coroutine.running())", true.into()),
        ("return coroutine.running() == coroutine.running()", true.into()),
        ("return pcall(coroutine.wrap, 1)", false.into()),
        (
            "local w = coroutine.wrap(function(...) local n = select('#', ...) coroutine.yield(n) error('end', 0) end) w(1, nil) return select(2, pcall(w))",
            "end".into(),
        ),
        (
            "math.randomseed(7) local a = math.random(1 << 40) math.randomseed(7) return a == math.random(1 << 40)",
            true.into(),
        ),
        ("local a, b = math.randomseed() return math.type(a)", "integer".into()),
        (
            "return io.output() == io.stdout and io.output(io.stderr) == io.stderr and io.output() == io.stderr",
            true.into(),
        ),
        ("return select(2, pcall(io.output, 'file')):match('files are not available') ~= nil", true.into()),
        ("return type(collectgarbage('count'))", "number".into()),
        (
            "return select(2, pcall(collectgarbage, 'stop'))",
            "collectgarbage 'stop' is not available in an environment".into(),
        ),
        ("ext.table('t').x = 1 return ext.table('t').x", 1.into()),
        ("return host.game.move() .. game.move() .. plain()", "movedmovedhost".into()),
        ("return getmetatable(_G)", false.into()),
        ("return select(2, pcall(setmetatable, _G, {}))", "cannot change a protected metatable".into()),
        ("return #package.searchers", 3.into()),
    ] {
        let values = lua
            .eval_env(source, "env", &Table::new())
            .unwrap_or_else(|error| panic!("{source}: {error}"))
            .values;
        // The first result of pcall is false; everything else has one result.
        assert!(values.first() == Some(&expected) || expected == Value::Nil, "{source}: {values:?}");
    }
    let error = lua.eval_env("local x = 1\nerror('here')", "user.lua", &Table::new()).expect_err("fails");
    assert_eq!(error.to_string(), "user.lua:2: here");
    assert_eq!(lua.eval_env("x = ", "user.lua", &Table::new()).expect_err("fails").code(), "syntax");
    let error = lua.eval_env("nothing()", "user.lua", &Table::new()).expect_err("fails");
    assert_eq!(error.to_string(), "user.lua:1: attempt to call a nil value (global 'nothing')");
}

#[test]
fn variables_can_be_functions_and_refer_to_themselves() {
    let mut lua = vm();
    let variables = Table::new();
    set(&variables, "me", Value::Table(variables.clone()));
    let function =
        lua.create_function("double", |_: &mut Vm, n: i64| Ok::<_, Error>(n * 2)).expect("a function");
    set(&variables, "double", function);
    assert_eq!(
        lua.eval_env("return me == _ENV, double(21)", "env", &variables).expect("runs").values,
        [true.into(), 42.into()]
    );
    variables.dismantle();
}

/// Checks that a seed, warnings and the default output that are set in an environment have no effect on
/// others.
#[test]
fn an_environment_sets_no_seed_for_others() {
    let numbers = |attempt: &str| {
        let mut lua = vm();
        run(&mut lua, attempt);
        let mut all = Vec::new();
        for _ in 0..4 {
            all.extend(lua.eval("return math.random(0)").expect("runs").values);
        }
        all
    };
    assert_eq!(numbers("math.randomseed(42)"), numbers("math.randomseed(43)"));
    assert_eq!(numbers("for i = 1, 9 do math.random() end"), numbers("math.randomseed()"));
}

#[test]
fn an_external_table_is_no_environment() {
    let mut lua = vm();
    let mut input = Vec::new();
    let arguments = ["return 1".into(), "env".into(), Value::ExternalTable(b"t".to_vec())];
    perilune::value::encode_list(&arguments, &mut input).expect("encodes");
    assert_eq!(lua.request_raw(operation::EVAL_ENV, &input), Outcome::Usage);
    for arguments in [vec![], vec!["return 1".into()], vec!["return 1".into(), "env".into(), 1.into()]] {
        input.clear();
        perilune::value::encode_list(&arguments, &mut input).expect("encodes");
        assert_eq!(lua.request_raw(operation::EVAL_ENV, &input), Outcome::Usage);
    }
    assert_eq!(run(&mut lua, "return 1"), [1.into()]);
}

#[test]
fn removed_functions_stay_removed_in_environments() {
    let mut lua = vm();
    lua.eval("require = nil package = nil io.write = nil load = nil function string.twice(s) return s .. s end strings = string").expect("runs");
    let source = "local j = json.encode { 1 } return require, package, io.write, load, strings == string, string.twice('x'), j";
    for _ in 0..2 {
        assert_eq!(
            run(&mut lua, source),
            [Value::Nil, Value::Nil, Value::Nil, Value::Nil, true.into(), "xx".into(), "[1]".into()]
        );
    }
}

#[test]
fn running_out_of_memory_leaves_no_partial_library() {
    let mut lua = vm();
    // The memory is full at first, then a little less in each step.
    let source = "local count = 0 for _ in pairs(string) do count = count + 1 end \
        local fill, n = {}, 0 \
        pcall(function() local s = 1 while true do fill[n + 1] = ('x'):rep(200) .. n n = n + 1 end end) \
        local N = n local function try() local c = 0 for _ in pairs(math) do c = c + 1 end for _ in pairs(package) do c = c + 1 end return c end \
        local ok, c = pcall(try) while not ok do if n == 0 then error(N .. ' ' .. tostring(c) .. collectgarbage('count') .. debug.traceback()) end fill[n] = nil n = n - 1 ok, c = pcall(try) end \
        fill = nil return c, try(), math == _G.math, require('package') == package";
    let found = run(&mut lua, source);
    let whole = lua.eval("local c = 0 for _ in pairs(math) do c = c + 1 end for _ in pairs(package) do c = c + 1 end return c").expect("runs").values;
    assert_eq!(found, [whole[0].clone(), whole[0].clone(), true.into(), true.into()]);
}

#[test]
fn thousands_of_environments_do_not_leak() {
    let mut lua = vm();
    let mut after = Vec::new();
    for round in 0..2000 {
        run(&mut lua, "x = { string.upper('x'), require 'shared', math.random(), io, coroutine.running() }");
        if round % 500 == 499 {
            lua.gc(perilune::GcMode::Collect).expect("collects");
            after.push(lua.stats().used_bytes);
        }
    }
    // The order of keys in hashes decides whether one table more or less has room to spare.
    assert!(after.iter().all(|used| used.abs_diff(after[0]) < 1024), "{after:?}");
}

// ---- libraries ----

const ALL: [&str; 14] = [
    "string",
    "table",
    "math",
    "utf8",
    "coroutine",
    "os",
    "io",
    "debug",
    "package",
    "ext",
    "async",
    "host",
    "json",
    "base64",
];

/// Names of the libraries, each with an expression that is true if the library is present, and false or an
/// error if not.
const PRESENT: [(&str, &str); 14] = [
    ("string", "string and ('x'):upper() == 'X'"),
    ("table", "table.concat and true"),
    ("math", "math.pi > 3"),
    ("utf8", "utf8.char(65) == 'A'"),
    ("coroutine", "coroutine.create(print) and true"),
    ("os", "os.time() > 0"),
    ("io", "io.stdout and true"),
    ("debug", "debug.traceback() and true"),
    ("package", "package.path and require and true"),
    ("ext", "ext.table and true"),
    ("async", "async.all and true"),
    ("host", "host and true"),
    ("json", "require('json') and true"),
    ("base64", "require('base64') and true"),
];

#[test]
fn each_library_can_be_removed() {
    for absent in ALL {
        let kept: Vec<&str> = ALL.into_iter().filter(|name| *name != absent).collect();
        let mut lua = Runtime::builder().libraries(&kept).build().expect("a VM");
        for (name, there) in PRESENT {
            let expected = name != absent && !(absent == "package" && ["json", "base64"].contains(&name));
            let source =
                format!("local ok, there = pcall(function() return {there} end) return ok and there == true");
            for found in [lua.eval(&source).expect("runs").values, run(&mut lua, &source)] {
                assert_eq!(found, [expected.into()], "{name} without {absent}");
            }
        }
        let loaded = format!("return not package or package.loaded['{absent}'] == nil");
        assert_eq!(lua.eval(&loaded).expect("runs").values, [true.into()], "{absent}");
    }
}

#[test]
fn without_any_library_the_base_works() {
    let mut lua = Runtime::builder().libraries(&[]).build().expect("a VM");
    let names = lua.eval("local n = {} for k in next, _G do n[k] = true end return n").expect("runs").values;
    let Some(Value::Table(names)) = names.first() else { panic!("{names:?}") };
    let mut names: Vec<String> = names.with(|table| {
        table
            .pairs
            .iter()
            .map(|(name, _)| {
                String::from_utf8_lossy(match name {
                    Value::String(text) => text,
                    _ => b"?",
                })
                .into_owned()
            })
            .collect()
    });
    names.sort();
    assert_eq!(
        names.join(" "),
        "_G _VERSION assert collectgarbage error getmetatable ipairs load next pairs pcall print rawequal rawget rawlen rawset select setmetatable tonumber tostring type warn xpcall"
    );
    let error = lua.eval("return ('x'):upper()").expect_err("strings have no methods");
    assert_eq!(error.to_string(), "eval:1: attempt to index a string value (constant 'x')");
    assert_eq!(
        lua.eval("return '10' + 1, 'a' .. 1, #'abc', load('return 2')()").expect("runs").values,
        [11.into(), "a1".into(), 3.into(), 2.into()]
    );
    lua.register("f.g", |_: &mut Vm, ()| Ok::<_, Error>(1)).expect("registers");
    assert_eq!(lua.eval("return f.g(), host").expect("runs").values, [1.into(), Value::Nil]);
    assert_eq!(
        run(&mut lua, "return f.g(), host, string, load('return _G')() == _G"),
        [1.into(), Value::Nil, Value::Nil, true.into()]
    );
    lua.gc(perilune::GcMode::Collect).expect("collects");
    assert_eq!(
        lua.eval("error(setmetatable({}, { __tostring = function() return 'e' end }))")
            .expect_err("fails")
            .to_string(),
        "e"
    );
}

#[test]
fn an_unknown_library_is_named() {
    let error = Runtime::builder().libraries(&["string", "strng"]).build().expect_err("there is none");
    assert_eq!((error.code(), error.to_string().as_str()), ("usage", "no library 'strng'"));
}

/// Checks that what the host has taken from an environment, or put in its place, is so wherever a program
/// could find it.
#[test]
fn what_an_environment_does_not_have_its_require_does_not_give() {
    let mut lua = vm();
    let mut values = lua
        .eval(
            "local list = '' for name in pairs(package.loaded) do list = list .. name .. ' ' end return list",
        )
        .expect("runs")
        .values;
    let list = String::from_lua(values.remove(0)).expect("text");
    let mut names: Vec<&str> = list.split_whitespace().filter(|name| *name != "shared").collect();
    names.extend(["json", "base64"]);
    assert!(names.len() > 12, "{names:?}");
    for name in &names {
        // Every way to a library that there is in an environment.
        let ways = format!(
            "local name = '{name}' \
             local found = {{}} \
             local function try(way, f) local ok, value = pcall(f) if ok and value then found[#found + 1] = way end end \
             local require, package = require, package \
             try('the variable', function() return _ENV[name] end) \
             try('_G', function() return _G[name] end) \
             if load then try('load', function() return load('return ' .. name)() end) end \
             if require then try('require', function() return require(name) end) end \
             if package then \
               try('loaded', function() return package.loaded[name] end) \
               try('loaded._G', function() return package.loaded._G[name] end) \
               try('loaded.package', function() return package.loaded.package.loaded[name] end) \
               for i, searcher in ipairs(package.searchers) do \
                 try('searcher ' .. i, function() local loader, data = searcher(name) return type(loader) == 'function' and loader(name, data) end) \
               end \
               if require then try('cleared', function() package.loaded[name] = nil return require(name) end) end \
             end \
             local list = '' for i = 1, #found do list = list .. found[i] .. ' ' end return list"
        );
        let with = |value: Value| {
            let variables = Table::new();
            set(&variables, *name, value);
            variables
        };
        let hidden = lua.eval_env(&ways, "env", &with(false.into()));
        assert_eq!(hidden.expect("runs").values, ["".into()], "{name} = false");
        if ["package", "_G"].contains(name) {
            continue;
        }
        let own = format!("return require '{name}', package.loaded['{name}'], {name}");
        let values = lua.eval_env(&own, "env", &with("the host's".into())).expect("runs").values;
        assert_eq!(values, ["the host's".into(), "the host's".into(), "the host's".into()], "{name}");
    }
    // The globals, and environments without it, have everything as before.
    for name in &names {
        let source = format!("return require '{name}' ~= nil");
        assert_eq!(lua.eval(&source).expect("runs").values, [true.into()], "{name}");
        assert_eq!(run(&mut lua, &source), [true.into()], "{name}");
    }
}

/// Checks that a registered function whose name the host has hidden is not in `host` either, and that a
/// module under another name stays what it is.
#[test]
fn hidden_functions_are_hidden_in_host_too() {
    let mut lua = vm();
    let variables = Table::new();
    for name in ["game", "plain", "json"] {
        set(&variables, name, false.into());
    }
    lua.eval("JSON = json").expect("runs");
    let values = lua
        .eval_env("return game, plain, host.game, host.plain, JSON and JSON.encode({ 1 })", "env", &variables)
        .expect("runs")
        .values;
    assert_eq!(values, [false.into(), false.into(), Value::Nil, Value::Nil, "[1]".into()]);
    assert_eq!(run(&mut lua, "return host.game.move() .. host.plain()"), ["movedhost".into()]);
    assert_eq!(
        lua.eval("return host.game.move() .. host.plain()").expect("runs").values,
        ["movedhost".into()]
    );
}

/// All functions and tables of the libraries of Lua 5.1 to 5.4 and of `LuaJIT` that a program may look for,
/// and the modules that are no globals here.
const NAMES_OF_OTHER_LUAS: &str = "assert collectgarbage dofile error gcinfo getfenv getmetatable ipairs load loadfile \
    loadstring module newproxy next pairs pcall print rawequal rawget rawlen rawset require select setfenv setmetatable \
    tonumber tostring type unpack warn xpcall bit bit32 json base64 \
    coroutine.close coroutine.create coroutine.isyieldable coroutine.resume coroutine.running coroutine.status \
    coroutine.wrap coroutine.yield \
    debug.debug debug.getfenv debug.gethook debug.getinfo debug.getlocal debug.getmetatable debug.getregistry \
    debug.getupvalue debug.getuservalue debug.setfenv debug.sethook debug.setlocal debug.setmetatable \
    debug.setupvalue debug.setuservalue debug.traceback debug.upvalueid debug.upvaluejoin \
    io.close io.flush io.input io.lines io.open io.output io.popen io.read io.tmpfile io.type io.write \
    math.abs math.acos math.asin math.atan math.atan2 math.ceil math.cos math.cosh math.deg math.exp math.floor \
    math.fmod math.frexp math.ldexp math.log math.log10 math.max math.min math.mod math.modf math.pow math.rad \
    math.random math.randomseed math.sin math.sinh math.sqrt math.tan math.tanh math.tointeger math.type math.ult \
    os.clock os.date os.difftime os.execute os.exit os.getenv os.remove os.rename os.setlocale os.time os.tmpname \
    package.loaded package.loaders package.loadlib package.preload package.searchers package.searchpath package.seeall \
    string.byte string.char string.dump string.find string.format string.gfind string.gmatch string.gsub string.len \
    string.lower string.match string.pack string.packsize string.rep string.reverse string.sub string.unpack \
    string.upper \
    table.concat table.foreach table.foreachi table.getn table.insert table.maxn table.move table.pack table.remove \
    table.setn table.sort table.unpack \
    utf8.char utf8.codepoint utf8.codes utf8.len utf8.offset";

#[test]
fn what_other_luas_have_gets_a_hint_that_only_the_host_sees() {
    let mut lua = vm();
    let mut hints = 0;
    for name in NAMES_OF_OTHER_LUAS.split_whitespace() {
        let is_table = ["bit", "bit32", "json", "base64", "package.loaders"].contains(&name);
        let used = if is_table { format!("local _ = {name}.x") } else { format!("{name}()") };
        let is_there = lua.eval(format!("return {name} ~= nil")).expect("runs").values[0] == true.into();
        let last = name.rsplit('.').next().unwrap_or_default();
        let kind = if last == name { "global" } else { "field" };
        let verb = if is_table { "index" } else { "call" };
        let plain = format!("x:1: attempt to {verb} a nil value ({kind} '{last}')");
        let caught = lua.eval(format!("return select(2, pcall(load([[{used}]], '=x')))")).expect("runs");
        if is_there {
            assert_ne!(caught.values.first(), Some(&plain.as_str().into()));
            continue;
        }
        assert_eq!(caught.values[0], plain.as_str().into());
        let of_library = if last == name || last.ends_with("fenv") { "; " } else { &format!("; {name} is ") };
        for source in [
            used.clone(),
            format!("local it = {name} coroutine.wrap(function() {} end)()", used.replace(name, "it")),
        ] {
            let error = lua.eval(&*source).map(drop).expect_err(&source);
            let details = error.lua().expect("an error of Lua");
            let told = details.message.split_once("')").expect("names it").1;
            if source == used {
                assert!(told.starts_with(of_library) && told.len() > 10, "{source}: {}", details.message);
            }
            assert_eq!(details.line, Some(1));
            // The value is Lua's own message.
            let value = String::from_lua(details.value.clone()).expect("text");
            assert!(
                value.ends_with("')") && details.message.starts_with(&value),
                "{value}: {}",
                details.message
            );
        }
        hints += 1;
    }
    assert!(hints > 50, "{hints}");
    for (source, kind) in [
        ("open()", "global 'open'"),
        ("local t = {} t.x()", "field 'x'"),
        ("local t = {} local _ = t.getn.x", "field 'getn'"),
        ("error(\"attempt to call a nil value (global 'x')\", 0)", "global 'x'"),
        ("error(\"no (global 'unpack')\", 0)", "global 'unpack'"),
        ("error(\"')\", 0)", "')"),
    ] {
        let error = lua.eval(source).map(drop).expect_err(source);
        let message = &error.lua().expect("an error of Lua").message;
        assert!(message.trim_end_matches(')').ends_with(kind.trim_end_matches(')')), "{source}: {message}");
    }
    let error = lua.eval("('x'):gfind('y')").map(drop).expect_err("no method");
    assert!(
        error.to_string().contains("(method 'gfind'); string.gfind is string.gmatch in Lua 5.4"),
        "{error}"
    );
}
