//! Tests of `os`, `io` and `package` on a host whose clock, zone, environment variables and input are fixed.
//!
//! The expected results are those of PUC-Rio Lua 5.4.9 on glibc, with TZ at the same offset.

use perilune::{Error, ErrorKind, Host, Runtime, Stream, Value};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

// ---- os ----

#[test]
fn clocks_are_the_hosts() {
    let mut lua = World::default().lua();
    check(&mut lua, "os.time(), os.clock()", "1700000000 12.5");
    check(&mut lua, "os.date()", "Tue Nov 14 23:43:20 2023");
    check(&mut lua, "os.difftime(5, 7), os.difftime(2^40 | 0, -2^40 | 0)", "-2.0 2199023255552.0");
}

#[test]
fn dates_have_the_formats_of_the_c_locale() {
    let mut lua = World::default().lua();
    let all = "%a|%A|%b|%B|%c|%C|%d|%D|%e|%F|%g|%G|%h|%H|%I|%j|%m|%M|%p|%r|%R|%S|%T|%u|%U|%V|%w|%W|%x|%X|%y|%Y|%z|%%";
    let shown = "Sun|Sunday|Sep|September|Sun Sep  9 03:16:40 2001|20|09|09/09/01| 9|2001-09-09|01|2001|Sep|03|03|252|09|16|\
        AM|03:16:40 AM|03:16|40|03:16:40|7|36|36|0|36|09/09/01|03:16:40|01|2001|+0130|%";
    check(&mut lua, &format!("os.date('{all}', 1000000000)"), shown);
    check(&mut lua, "os.date('!%c %z %Z', -1)", "Wed Dec 31 23:59:59 1969 +0000 GMT");
    check(&mut lua, "os.date('!%n%t%Ec|%EY|%Od|%OV', 0)", "\n\tThu Jan  1 00:00:00 1970|1970|01|01");
    check(&mut lua, "os.date('!%F %C %y %G', -62167219201)", "-1-12-31 -1 99 -1");
    check(&mut lua, "os.date('!%F %j %V', 2^50 | 0)", "35680317-09-25 268 39");
    check(&mut lua, "os.date('!%G-W%V %F', 1230768000)", "2009-W01 2009-01-01");
    check(&mut lua, "#os.date('a\\0b%%', 0), os.date('!', 0)", "4 ");
    check(&mut lua, "os.date('*tx', 0), type(os.date('*t\\0x', 0))", "*tx table");
}

#[test]
fn invalid_dates_are_refused_in_c_luas_words() {
    let mut lua = World::default().lua();
    for (call, message) in [
        ("os.date('%Ez abc')", "bad argument #1 to 'date' (invalid conversion specifier '%Ez abc')"),
        ("os.date('%')", "bad argument #1 to 'date' (invalid conversion specifier '%')"),
        ("os.date('%E')", "bad argument #1 to 'date' (invalid conversion specifier '%E')"),
        ("os.date('x%Q\\0y')", "bad argument #1 to 'date' (invalid conversion specifier '%Q')"),
        ("os.date('*t', 2^60 | 0)", "date result cannot be represented in this installation"),
        ("os.date('%c', math.maxinteger)", "date result cannot be represented in this installation"),
        ("os.date('%c', 1.5)", "bad argument #2 to 'date' (number has no integer representation)"),
        ("os.time(1)", "bad argument #1 to 'time' (table expected, got number)"),
        ("os.time({})", "field 'year' missing in date table"),
        ("os.time({year=2020, month=1})", "field 'day' missing in date table"),
        ("os.time({year=2020, month='x', day=1})", "field 'month' is not an integer"),
        ("os.time({year=2020, month=1.5, day=1})", "field 'month' is not an integer"),
        ("os.time({year=2^40, month=1, day=1})", "field 'year' is out-of-bound"),
        ("os.time({year=math.mininteger, month=1, day=1})", "field 'year' is out-of-bound"),
        (
            "os.time({year=2^31+1899, month=13, day=1})",
            "time result cannot be represented in this installation",
        ),
        ("os.difftime(1)", "bad argument #2 to 'difftime' (number expected, got no value)"),
        ("os.setlocale('C', 'x')", "bad argument #2 to 'setlocale' (invalid option 'x')"),
        ("os.getenv()", "bad argument #1 to 'getenv' (string expected, got no value)"),
    ] {
        check_error(&mut lua, call, message);
    }
}

#[test]
fn time_normalises_fields() {
    let mut lua = World { zone: Zone::Fixed(0), ..World::default() }.lua();
    lua.eval("t = {year=2020, month=14, day=-3, hour=25, min='61', sec=3600.0, extra=1}").expect("a table");
    check(&mut lua, "os.time(t)", "1611889260");
    let fields = "t.year, t.month, t.day, t.hour, t.min, t.sec, t.wday, t.yday, t.isdst, t.extra";
    check(&mut lua, fields, "2021 1 29 3 1 0 6 29 false 1");
    check(&mut lua, "os.time {year=1970, month=1, day=1}", "43200");
    check(&mut lua, "os.time {year=1, month=1, day=1, hour=0}", "-62135596800");
    check(&mut lua, "os.time {year=-2^31+1900 | 0, month=1, day=1, hour=0}", "-67768040609740800");
    let latest = "os.time {year=2^31+1899, month=12, day=31, hour=23, min=59, sec=59}";
    check(&mut lua, latest, "67768036191676799");
}

#[test]
fn time_undoes_date_in_every_zone() {
    for minutes in [0, 90, -600, 840, -12 * 60, 345, 1, -1] {
        let mut lua = World { zone: Zone::Fixed(minutes), ..World::default() }.lua();
        lua.eval(ROUND_TRIPS).unwrap_or_else(|error| panic!("{minutes} minutes: {error}"));
    }
}

const ROUND_TRIPS: &str = r"
    local x = 12345
    local function random() x = (x * 1103515245 + 12345) % 2147483648 return x end
    local function try(t)
        local fields = os.date('*t', t)
        if t ~= -1 then assert(os.time(fields) == t, t) end
        fields = os.date('!*t', t)
        assert(fields.sec == t % 60 and fields.hour == t // 3600 % 24, t)
        assert(fields.wday == (t // 86400 + 4) % 7 + 1, t)
        assert(os.date('!%Y-%m-%d', t) == ('%d-%02d-%02d'):format(fields.year, fields.month, fields.day), t)
    end
    for i = 1, 4000 do
        local t = ((random() << 20) ~ random()) % (1 << (random() % 41))
        try(t) try(-t)
    end
    -- every day around the turns of years and centuries
    for _, year in ipairs { -401, -1, 0, 1, 4, 1600, 1700, 1899, 1900, 1970, 1999, 2000, 2004, 2100, 10000 } do
        local t = os.time { year = year, month = 12, day = 25 }
        for day = 0, 80 do try(t + day * 86400) end
    end";

#[test]
fn summer_time_is_the_difference_of_july_and_january() {
    let mut lua = World { zone: Zone::Summer, ..World::default() }.lua();
    check(
        &mut lua,
        "os.date('%c %z', 1700000000), os.date('*t', 1700000000).isdst",
        "Tue Nov 14 23:13:20 2023 +0100 false",
    );
    check(
        &mut lua,
        "os.date('%c %z', 1690000000), os.date('*t', 1690000000).isdst",
        "Sat Jul 22 06:26:40 2023 +0200 true",
    );
    // The clocks go from 02:00 to 03:00 (START), and from 03:00 to 02:00 (END).
    lua.eval("function at(month, day, hour, dst) return os.time {year=2023, month=month, day=day, hour=hour, isdst=dst} end")
        .expect("a function");
    check(&mut lua, "at(3, 26, 1), at(3, 26, 3)", &format!("{} {}", SUMMER_START - 3600, SUMMER_START));
    check(&mut lua, "at(3, 26, 2), at(3, 26, 2, false)", &format!("{SUMMER_START} {SUMMER_START}"));
    check(
        &mut lua,
        "at(10, 29, 2, true), at(10, 29, 2, false)",
        &format!("{} {}", SUMMER_END - 3600, SUMMER_END),
    );
    // Noon of winter time in July is one o'clock in summer time.
    check(&mut lua, "at(7, 1, 12, false) - at(7, 1, 12), at(1, 9, 12) - at(1, 9, 12, true)", "3600 3600");
    for turn in [SUMMER_START, SUMMER_END] {
        let round = "do assert(os.time(os.date('*t', t)) == t, t) end";
        lua.eval(format!("for t = {turn} - 9000, {turn} + 9000, 50 {round}"))
            .expect("every moment is its own");
    }
}

#[test]
fn extreme_clocks_and_zones_do_not_break_dates() {
    for minutes in [i32::MIN, i32::MAX] {
        let mut lua = World { zone: Zone::Fixed(minutes), ..World::default() }.lua();
        lua.eval("for _, t in ipairs { 0, math.maxinteger, math.mininteger, 1 << 55 } do pcall(os.date, '%c%z', t) end")
            .expect("no panic");
        lua.eval("pcall(os.time, {year=2^31 | 0, month=2^31 | 0, day=-2^31 | 0, sec=2^31 | 0})")
            .expect("no panic");
    }
    for clock_ms in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        let mut lua = World { clock_ms, ..World::default() }.lua();
        lua.eval("pcall(os.date) pcall(os.time) pcall(os.date, '*t')").expect("no panic");
    }
}

#[test]
fn a_date_larger_than_memory_is_a_memory_error() {
    let mut lua = World::default().lua();
    let error = lua.eval("return os.date(('%c'):rep(400000), 0)").expect_err("too large");
    assert!(matches!(error.kind(), ErrorKind::Memory(_)), "{error:?}");
    check(&mut lua, "#os.date(('%% '):rep(200000), 0)", "400000");
}

#[test]
fn getenv_reads_variables_of_the_host() {
    let mut lua = World::default().lua();
    check(&mut lua, "os.getenv('HOME'), os.getenv('PATH'), os.getenv('BYTES')", "/home nil a\0b");
    check(
        &mut lua,
        "os.setlocale(), os.setlocale(''), os.setlocale('C', 'time'), os.setlocale('de_DE')",
        "C C C nil",
    );
    check(&mut lua, "os.execute, os.exit, os.remove, os.rename, os.tmpname", "nil nil nil nil nil");
}

// ---- io ----

#[test]
fn output_is_any_bytes_in_order() {
    let world = World::default();
    let (out, err) = (Rc::clone(&world.out), Rc::clone(&world.err));
    let mut lua = world.lua();
    lua.eval("io.write('a', 1, '\\0\\255') print('b') io.stdout:write('c'):write(2.5, '\\n') io.stderr:write('e', 1)").expect("output");
    assert_eq!(*out.borrow(), b"a1\0\xffb\nc2.5\n");
    assert_eq!(*err.borrow(), b"e1");
    out.borrow_mut().clear();
    // C Lua writes numbers with "%d" and "%.14g".
    lua.eval("io.write(1.0, ' ', -0.0, ' ', 2^53, ' ', 2^63, ' ', 1/0, ' ', math.mininteger, ' ', 0.1)")
        .expect("output");
    assert_eq!(*out.borrow(), b"1 -0 9.007199254741e+15 9.2233720368548e+18 inf -9223372036854775808 0.1");
    out.borrow_mut().clear();
    lua.eval("io.output(io.stderr) io.write('x') io.output(io.stdout) io.write(('y'):rep(100000))")
        .expect("output");
    assert_eq!(*err.borrow(), b"e1x");
    assert_eq!(out.borrow().len(), 100_000);
    // Arguments before a bad one are written.
    out.borrow_mut().clear();
    check_error(&mut lua, "io.write('x', {})", "bad argument #2 to 'write' (string expected, got table)");
    assert_eq!(*out.borrow(), b"x");
}

#[test]
fn handles_behave_as_in_c_lua() {
    let mut lua = World::default().lua();
    check(&mut lua, "io.type(io.stdout), io.type(1), io.type({}), type(io.stdin)", "file nil nil userdata");
    check(
        &mut lua,
        "io.write('') == io.stdout, io.output() == io.stdout, io.input() == io.stdin",
        "true true true",
    );
    check(&mut lua, "tostring(io.stdout):find('^file %(0x%x+%)$'), io.stdout.nothing", "1 nil");
    check(&mut lua, "io.stdout:close()", "nil cannot close standard file");
    check(&mut lua, "io.stdout:seek('set', 0)", "nil Illegal seek 29");
    check(&mut lua, "io.stdout:setvbuf('full', 100), io.stdout:flush(), io.flush()", "true true true");
    check(&mut lua, "io.stdin:write('x')", "nil Bad file descriptor 9");
    check(&mut lua, "io.stdout:read()", "nil Bad file descriptor 9");
    check(&mut lua, "io.open, io.popen, io.tmpfile, io.close", "nil nil nil nil");
    check(&mut lua, "getmetatable(io.stdout)", "false");
    lua.eval("do local f <close> = io.stdout end io.write('still open')").expect("closing does nothing");
    for (call, message) in [
        ("io.stdout.write()", "bad argument #1 to 'write' (FILE* expected, got no value)"),
        ("io.stdout.read({})", "bad argument #1 to 'read' (FILE* expected, got table)"),
        ("io.stdout:seek('x')", "bad argument #1 to 'seek' (invalid option 'x')"),
        ("io.stdout:setvbuf()", "bad argument #1 to 'setvbuf' (string expected, got no value)"),
        ("io.type()", "bad argument #1 to 'type' (value expected)"),
        ("io.lines('name')", "cannot open file 'name' (files are not available)"),
        ("io.input('name')", "cannot open file 'name' (files are not available)"),
        ("io.output({})", "bad argument #1 to 'output' (FILE* expected, got table)"),
        ("io.lines({})", "bad argument #1 to 'lines' (string expected, got table)"),
        ("io.lines(nil, table.unpack({}, 1, 251))", "bad argument #252 to 'lines' (too many arguments)"),
        ("setmetatable(io.stdout, {})", "bad argument #1 to 'setmetatable' (table expected, got FILE*)"),
        ("#io.stdout", "attempt to get length of a FILE* value (field 'stdout')"),
        ("io.read('x')", "bad argument #1 to 'read' (invalid format)"),
        ("io.read('a', 'x')", "bad argument #2 to 'read' (invalid format)"),
        ("io.read(1.5)", "bad argument #1 to 'read' (number has no integer representation)"),
        ("io.read(nil)", "bad argument #1 to 'read' (string expected, got nil)"),
        ("(function() for line in io.stdout:lines() do end end)()", "Bad file descriptor"),
    ] {
        check_error(&mut lua, call, message);
    }
}

#[test]
fn read_follows_its_formats() {
    // The size of the host's pieces must have no effect.
    for piece in [1, 2, 7, 4096] {
        let mut lua = World::default()
            .input(b"one\ntwo\n\nthree\0\xff\n12 0x1F -1.5e1x\n7up\nrest\nof it", piece)
            .lua();
        check(&mut lua, "io.read()", "one");
        check(&mut lua, "io.read('L')", "two\n");
        check(&mut lua, "#io.read('*l'), io.read(0), io.read(5)", "0  three");
        check(&mut lua, "io.read('l') == '\\0\\255'", "true");
        check(&mut lua, "io.read('n', 'n', 'n', 1)", "12 31 -15.0 x");
        check(&mut lua, "io.read('n', 'l')", "7 up");
        // A failure ends the results; the text that looked like a numeral is consumed.
        check(&mut lua, "io.read('n', 'l')", "nil");
        check(&mut lua, "io.read('l', 'a', 'l')", "rest of it nil");
        check(&mut lua, "io.read('a')", "");
        check(&mut lua, "io.read()", "nil");
        check(&mut lua, "io.read(0)", "nil");
        check(&mut lua, "io.read('n')", "nil");
    }
}

#[test]
fn numerals_are_read_as_c_lua_does() {
    for (input, number, rest) in [
        ("1 x", "1", " x"),
        ("  -2x", "-2", "x"),
        ("+3.5.", "3.5", "."),
        (".5", "0.5", "nil"),
        ("5.", "5.0", "nil"),
        ("0x.8p1,", "1.0", ","),
        ("0xAp-2", "2.5", "nil"),
        ("1e", "nil", "nil"),
        ("1e+ ", "nil", " "),
        ("--1", "nil", "-1"),
        ("0xg", "nil", "g"),
        ("nan", "nil", "nan"),
        ("1_000", "1", "_000"),
        ("9223372036854775808", "9.2233720368548e+18", "nil"),
        ("\u{b}\u{c}\r\n\t 8", "8", "nil"),
    ] {
        let mut lua = World::default().input(input.as_bytes(), 2).lua();
        check(&mut lua, "io.read('n')", number);
        check(&mut lua, "io.read('L')", rest);
    }
    // At most 200 characters are a numeral.
    let mut lua = World::default().input(&[b'1'; 250], 64).lua();
    check(&mut lua, "io.read('n')", "nil");
    check(&mut lua, "#io.read('a')", "50");
}

#[test]
fn lines_iterate() {
    let mut lua = World::default().input(b"a\nb\n\nabcdef\n1 2 3\nx\ny", 3).lua();
    check(&mut lua, "io.lines()(), io.lines()()", "a b");
    lua.eval("s = '' for l in io.lines(nil, 'L') do s = s .. l if l:find('d') then break end end")
        .expect("lines");
    check(&mut lua, "s", "\nabcdef\n");
    lua.eval("s = 0 for n in io.stdin:lines('n') do s = s + n end").expect("lines");
    check(&mut lua, "s, io.read()", "6 x");
    lua.eval("s = '' for c, d in io.lines(nil, 1, 0) do s = s .. c .. tostring(d) end").expect("lines");
    check(&mut lua, "s", "ynil");
}

#[test]
fn output_is_flushed_before_input_is_read() {
    let world = World::default().input(b"me\n", 100);
    let seen = Rc::clone(&world.seen_at_read);
    let mut lua = world.lua();
    check(&mut lua, "io.write('who? ') and io.read()", "me");
    assert_eq!(*seen.borrow(), [b"who? ".to_vec()]);
}

#[test]
fn input_larger_than_memory_is_a_memory_error_and_lines_of_it_are_not() {
    let text = b"0123456789abcde\n".repeat(256 * 1024);
    let mut lua = World::default().input(&text, text.len()).lua();
    lua.eval("n = 0 for l in io.lines() do n = n + #l end").expect("line by line");
    check(&mut lua, "n", &(text.len() / 16 * 15).to_string());
    for piece in [1000, text.len()] {
        let mut lua = World::default().input(&text, piece).lua();
        let error = lua.eval("return io.read('a')").expect_err("too large");
        assert!(matches!(error.kind(), ErrorKind::Memory(_)), "{error:?}");
        check(&mut lua, "1", "1");
    }
}

/// Pushing a value may run the collector, which may run a finalizer that reads as well.
#[test]
fn finalizers_may_read_between_the_values() {
    let text: Vec<u8> =
        (0..20_000).flat_map(|n| format!("line {n} {}\n", "x".repeat(n % 90)).into_bytes()).collect();
    let mut lua = World::default().input(&text, 999).lua();
    lua.eval(
        r"local function again() setmetatable({}, { __gc = function() taken = (taken or 0) + #(io.read('L') or '') again() end }) end
        again()
        total = 0
        for a, b, c in io.lines(nil, 'L', 'l', 3) do
            total = total + #a + (b and #b + 1 or 0) + (c and #c or 0)
            os.date(('%c'):rep(50)) os.getenv('HOME')
        end",
    )
    .expect("it reads to the end");
    check(&mut lua, "taken > 0, total + taken", &format!("true {}", text.len()));
}

// ---- package ----

#[test]
fn require_finds_what_is_loaded_or_preloaded() {
    let mut lua = World::default().lua();
    check(
        &mut lua,
        "require 'io' == io and require 'os' == os and require '_G' == _G and require 'package' == package",
        "true",
    );
    for name in ["string", "table", "math", "utf8", "coroutine", "debug"] {
        check(&mut lua, &format!("package.loaded.{name} == {name} and {name} ~= nil"), "true");
    }
    lua.eval("package.preload.m = function(...) args = table.pack(...) return { n = 1 } end")
        .expect("a preload");
    check(&mut lua, "select(2, require 'm'), args[1], args[2], args.n", ":preload: m :preload: 2");
    check(&mut lua, "require('m') == package.loaded.m, select('#', require('m'))", "true 1");
    lua.eval("package.preload.empty = function() end package.preload.no = function() return false end")
        .expect("preloads");
    check(&mut lua, "require 'empty', package.loaded.empty", "true true");
    check(&mut lua, "require 'no', package.loaded.no", "false false");
    lua.eval("package.preload.own = function(name) package.loaded[name] = 'own' end").expect("a preload");
    check(&mut lua, "require 'own'", "own :preload:");
    lua.eval("package.preload.bad = function() error('inside', 0) end").expect("a preload");
    check_error(&mut lua, "require 'bad'", "inside");
    check(&mut lua, "package.loaded.bad", "nil");
    lua.eval("package.preload['5'] = function(name) return math.type(name) or type(name) end")
        .expect("a preload");
    check(&mut lua, "(require(5))", "string");
}

#[test]
fn a_module_that_requires_itself_is_an_error() {
    let mut lua = World::default().lua();
    lua.eval(
        "package.preload.a = function() return require 'b' end
        package.preload.b = function() return require 'a' end
        package.preload.c = function() package.loaded.c = 'half' return require 'd' .. '!' end
        package.preload.d = function() return require 'c' .. ' d' end",
    )
    .expect("preloads");
    check_error(&mut lua, "require 'a'", "module 'a' requires itself: a -> b -> a");
    // The failed attempt has no effect on later ones.
    check_error(&mut lua, "require 'b'", "module 'b' requires itself: b -> a -> b");
    check(&mut lua, "(require 'c')", "half d!");
}

#[test]
fn searchers_are_asked_in_order() {
    let mut lua = World::default().lua();
    check_error(&mut lua, "require 'x.y'", "module 'x.y' not found:\n\tno field package.preload['x.y']");
    lua.eval(
        "table.insert(package.searchers, function(name)
            if name:find('^v%.') then return function(...) return table.pack(...) end, 'data' end
            return 'no virtual ' .. name
        end)",
    )
    .expect("a searcher");
    check(
        &mut lua,
        "select(2, require 'v.1'), package.loaded['v.1'][1], package.loaded['v.1'][2]",
        "data v.1 data",
    );
    check_error(
        &mut lua,
        "require 'x'",
        "module 'x' not found:\n\tno field package.preload['x']\n\tno module 'x' of the host\n\t\
         no built-in module 'x'\n\tno virtual x",
    );
    lua.eval("package.searchers = { function() return 12 end, function() end, function() return true end }")
        .expect("searchers");
    check_error(&mut lua, "require 'x'", "module 'x' not found:\n\t12");
    lua.eval("package.searchers = {}").expect("none");
    check_error(&mut lua, "require 'x'", "module 'x' not found:");
    lua.eval("package.searchers = { 1 }").expect("no function");
    check_error(&mut lua, "require 'x'", "attempt to call a number value");
    lua.eval("package.searchers = 'x'").expect("no table");
    check_error(&mut lua, "require 'x'", "'package.searchers' must be a table");
    check_error(&mut lua, "require()", "bad argument #1 to 'require' (string expected, got no value)");
}

#[test]
fn package_has_paths_and_no_libraries() {
    let mut lua = World::default().lua();
    check(&mut lua, "package.config", "/\n;\n?\n!\n-\n");
    check(&mut lua, "package.path, package.cpath, package.loadlib", "./?.lua;./?/init.lua nil nil");
    check(
        &mut lua,
        "package.searchpath('a.b', './?.lua;x/?;;?')",
        "nil no file './a/b.lua'\n\tno file 'x/a/b'\n\tno file ''\n\tno file 'a/b'",
    );
    check(&mut lua, "package.searchpath('a', '')", "nil no file ''");
    check(&mut lua, "package.searchpath('a.b', '?', '')", "nil no file 'a.b'");
    check(&mut lua, "package.searchpath('a-b', '?', '-', '+')", "nil no file 'a+b'");
    check_error(
        &mut lua,
        "package.searchpath('a')",
        "bad argument #2 to 'searchpath' (string expected, got no value)",
    );
}

// ---- the world ----

/// Start and end of summer time in Paris in 2023, in seconds since 1970.
const SUMMER_START: i64 = 1_679_792_400;
const SUMMER_END: i64 = 1_698_541_200;

enum Zone {
    /// A fixed offset, in minutes ahead of UTC.
    Fixed(i32),
    /// One hour ahead of UTC, two in the summer of 2023.
    Summer,
}

struct World {
    clock_ms: f64,
    zone: Zone,
    input: VecDeque<Vec<u8>>,
    out: Rc<RefCell<Vec<u8>>>,
    err: Rc<RefCell<Vec<u8>>>,
    /// Standard output so far, at each call of `read`.
    seen_at_read: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl Default for World {
    fn default() -> Self {
        World {
            clock_ms: 1_700_000_000_999.0,
            zone: Zone::Fixed(90),
            input: VecDeque::new(),
            out: Rc::default(),
            err: Rc::default(),
            seen_at_read: Rc::default(),
        }
    }
}

impl World {
    fn input(mut self, text: &[u8], piece: usize) -> Self {
        self.input = text.chunks(piece).map(<[u8]>::to_vec).collect();
        self
    }

    fn lua(self) -> Runtime {
        Runtime::builder().host(self).build().expect("a VM")
    }
}

impl Host for World {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let to = if stream == Stream::Stdout { &self.out } else { &self.err };
        to.borrow_mut().extend_from_slice(bytes);
    }

    fn clock_ms(&mut self) -> f64 {
        self.clock_ms
    }

    fn monotonic_ms(&mut self) -> f64 {
        12_500.0
    }

    fn time_zone_minutes(&mut self, clock_ms: f64) -> i32 {
        let summer = SUMMER_START..SUMMER_END;
        match self.zone {
            Zone::Fixed(minutes) => minutes,
            Zone::Summer if summer.contains(&((clock_ms / 1000.0) as i64)) => 120,
            Zone::Summer => 60,
        }
    }

    fn random_u64(&mut self) -> u64 {
        42
    }

    fn environment(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        match name {
            b"HOME" => Some(b"/home".to_vec()),
            b"BYTES" => Some(b"a\0b".to_vec()),
            _ => None,
        }
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>, String> {
        self.seen_at_read.borrow_mut().push(self.out.borrow().clone());
        Ok(self.input.pop_front())
    }
}

/// Checks the results of `return expressions`, as text with blanks between them.
#[track_caller]
fn check(lua: &mut Runtime, expressions: &str, expected: &str) {
    let code = format!(
        "local t = table.pack({expressions}) for i = 1, t.n do t[i] = tostring(t[i]) end return table.concat(t, ' ')"
    );
    let reply = lua.eval(&code).unwrap_or_else(|error| panic!("{expressions}: {error}"));
    assert_eq!(reply.values, [Value::from(expected)], "{expressions}");
}

/// Checks that the call fails with this text in its message.
#[track_caller]
fn check_error(lua: &mut Runtime, call: &str, message: &str) {
    let error: Error = lua.eval(format!("local _ = {call}")).map(|_| ()).expect_err(call);
    let found = error.lua().map(|details| details.message.clone()).unwrap_or_default();
    assert!(found.contains(message), "{call}: {found}");
}
