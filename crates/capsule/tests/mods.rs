//! Mods: what they may rely on, from their installation to the last trace of them.

mod support;

use perilune::Value;
use perilune_capsule::{CapsuleError, ErrorKind, Location, SqlValue};
use std::time::Duration;
use support::{Directory, World};

const USERS: &str = "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT)";

/// A mod that uses everything that belongs to a mod, and notes its life in a table.
const FULL: &str = "
    CREATED = 'global of a mod'
    local function note(what) glyphcase.insert('notes', { what = what }) end
    function on_install() glyphcase.execute('CREATE TABLE IF NOT EXISTS notes(id INTEGER PRIMARY KEY, what TEXT)') note('install') end
    function on_activate()
      note('activate')
      glyphcase.watch('users', function(events) note('watched ' .. #events) end)
      scheduler.every('1s', function() note('timer') end)
      actionbus.register('act', function() note('acted') return 'of the mod' end)
      cache.set('known', 1)
    end
    function on_deactivate() note('deactivate') end
    function before_save(t, row) if t == 'users' then row.name = row.name .. '!' end return row end
    function validate_insert(t, row) if row.name == 'evil!' then error('no evil') end end
    function after_save(t, row) if t == 'users' then note('saved ' .. row.name) end end
    function before_commit() commits = (commits or 0) + 1 end
    function on_data_changed(t, operation) if t == 'users' then note('changed ' .. operation) end end
    function known() return cache.get('known') end";

fn notes(w: &mut World) -> String {
    let text = w.scalar("SELECT group_concat(what, ', ') FROM (SELECT what FROM notes ORDER BY id)");
    text.as_str().unwrap_or_default().to_owned()
}

fn listed(w: &World) -> Vec<String> {
    let one = |it: perilune_capsule::ModInfo| {
        format!("{} {}{}", it.name, it.version, if it.active { "" } else { " (off)" })
    };
    w.capsule.mods().expect("lists").into_iter().map(one).collect()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, CapsuleError>, kind: ErrorKind, text: &str) {
    let error = result.expect_err(text);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text), "{text}: {error}");
}

/// Checks that the VM has nothing of any mod.
#[track_caller]
fn no_trace(w: &mut World) {
    assert_eq!(w.capsule.next_due().expect("answers"), None, "a timer or a batch");
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_watchers"), 0.into());
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_subscriptions"), 0.into());
    assert_eq!(w.value("actionbus.dispatch('act')"), Value::Nil);
    w.sql("INSERT INTO users(name) VALUES('evil!')");
    w.eval("glyphcase.insert('users', { name = 'plain' })");
    assert_eq!(w.scalar("SELECT name FROM users ORDER BY id DESC LIMIT 1"), "plain".into());
    w.capsule.flush();
    assert_eq!(w.told(), []);
}

#[test]
fn the_life_of_a_mod() {
    let mut w = World::new(USERS);
    w.capsule.install_mod("full", "1.0", &[("main.lua", FULL)]).expect("installs");
    assert_eq!(listed(&w), ["full 1.0"]);
    assert_eq!(notes(&mut w), "install, activate");
    w.capsule.flush();
    w.eval("glyphcase.insert('users', { name = 'Ann' })");
    refused(w.capsule.execute("INSERT INTO users(name) VALUES('evil!')", ()), ErrorKind::Veto, "no evil");
    assert_eq!(w.value("actionbus.dispatch('act')"), "of the mod".into());
    w.pass(1000);
    assert_eq!(notes(&mut w), "install, activate, saved Ann!, acted, timer, watched 1, changed INSERT",);
    assert_eq!(w.capsule.call_mod("full", "known", ()).expect("calls"), [1.into()]);
    assert_eq!(w.value("tostring(CREATED) .. tostring(on_install) .. tostring(commits)"), "nilnilnil".into());
    assert_eq!(w.scalar("SELECT group_concat(DISTINCT source) FROM _capsule_events"), "lua".into());
    assert_eq!(w.scalar("SELECT listener_id || listener_type FROM _capsule_subscriptions"), "fulllua".into());
    w.capsule.install_mod("full", "1.0", &[("main.lua", "error('does not run')")]).expect("is there");
    w.capsule.activate_mod("full").expect("is active");
    w.capsule.deactivate_mod("full").expect("deactivates");
    w.capsule.deactivate_mod("full").expect("is not active");
    w.capsule.flush();
    assert!(notes(&mut w).ends_with("changed INSERT, deactivate"), "{}", notes(&mut w));
    assert_eq!(listed(&w), ["full 1.0 (off)"]);
    no_trace(&mut w);
    refused(w.capsule.call_mod("full", "known", ()), ErrorKind::Usage, "no mod of the name full is active");
    w.capsule.install_mod("full", "1.0", &[("main.lua", FULL)]).expect("stays as it is");
    assert_eq!(listed(&w), ["full 1.0 (off)"]);
    w.capsule.activate_mod("full").expect("activates");
    assert_eq!(w.capsule.call_mod("full", "known", ()).expect("calls"), [1.into()]);
    assert!(notes(&mut w).ends_with("deactivate, activate"), "on_install runs once");
    w.capsule.uninstall_mod("full").expect("uninstalls");
    w.capsule.flush();
    assert!(notes(&mut w).ends_with("activate, deactivate"));
    assert_eq!(listed(&w), Vec::<String>::new());
    no_trace(&mut w);
    for result in
        [w.capsule.uninstall_mod("full"), w.capsule.activate_mod("full"), w.capsule.deactivate_mod("full")]
    {
        refused(result, ErrorKind::Usage, "no mod of the name full is installed");
    }
}

#[test]
fn mods_are_there_after_a_restart_and_are_installed_once() {
    let place = Directory::new("restart");
    let path = place.file("app.db");
    let mut w = World::open(&path, USERS);
    w.capsule.install_mod("full", "1.0", &[("main.lua", FULL)]).expect("installs");
    w.capsule
        .install_mod("b", "1", &[("b.lua", "function on_activate() error('not today') end")])
        .expect_err("fails");
    w.capsule.install_mod("off", "1", &[("b.lua", "n = 1")]).expect("installs");
    w.capsule.deactivate_mod("off").expect("deactivates");
    w.capsule
        .install_mod(
            "z",
            "1",
            &[("z.lua", "if not glyphcase.queryOne('SELECT 1 FROM users') then return end error('z fails')")],
        )
        .expect("installs");
    w.capsule.install_mod("after", "1", &[("z.lua", "n = 2")]).expect("installs");
    w.sql("INSERT INTO users(name) VALUES('makes z fail')");
    w.capsule.flush();
    drop(w);
    let mut w = World::open(&path, "");
    let told = w.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, ErrorKind::Lua);
    assert!(told[0].1.contains("the mod z: z/z.lua:1: z fails"), "{told:?}");
    assert_eq!(listed(&w), ["full 1.0", "off 1 (off)", "z 1 (off)", "after 1"]);
    assert_eq!(
        w.scalar("SELECT active FROM _capsule_mods WHERE name = 'z'"),
        1.into(),
        "its row is as it was"
    );
    assert_eq!(w.scalar("SELECT count(*) FROM notes WHERE what = 'install'"), 1.into());
    assert_eq!(w.scalar("SELECT count(*) FROM notes WHERE what = 'activate'"), 2.into());
    assert_eq!(w.capsule.call_mod("full", "known", ()).expect("calls"), [1.into()]);
    w.sql("DELETE FROM users");
    drop(w);
    let w = World::open(&path, "");
    assert_eq!(listed(&w), ["full 1.0", "off 1 (off)", "z 1", "after 1"]);
    assert_eq!(w.told(), []);
}

#[test]
fn what_fails_at_any_step_leaves_nothing() {
    let mut w = World::new(USERS);
    let traces =
        "scheduler.every('1s', print) glyphcase.watch('users', print) actionbus.register('act', print)
        glyphcase.insert('users', { name = 'of a mod' }) glyphcase.execute('CREATE TABLE made(x)')
        function validate_insert() error('of a mod that is gone') end ";
    let after = [
        "error('stop')".to_owned(),
        "function on_install() error('stop') end".to_owned(),
        "function on_activate() error('stop') end".to_owned(),
        "function on_install() glyphcase.execute('COMMIT') end -- stop".to_owned(),
        "function on_activate() glyphcase.execute('BEGIN') end -- stop".to_owned(),
        "function before_commit() error('stop') end".to_owned(),
        "function on_install() glyphcase.insert('users', { nothing = 1 }) end -- stop".to_owned(),
        "function on_install() setmetatable(_G, nil) end".to_owned(),
        "local function deep() return deep() + 1 end deep()".to_owned(),
        "function on_install() local s = ('x'):rep(1 << 40) end".to_owned(),
    ];
    for source in &after {
        let source = format!("{traces}\n{source}");
        let error = w.capsule.install_mod("bad", "1", &[("a.lua", &source)]).expect_err(&source);
        assert!(error.message().starts_with("the mod bad: "), "{error}");
        assert_eq!(listed(&w), Vec::<String>::new());
        assert_eq!(w.scalar("SELECT count(*) FROM users"), 0.into(), "{source}");
        assert_eq!(w.scalar("SELECT count(*) FROM sqlite_master WHERE name = 'made'"), 0.into());
        no_trace(&mut w);
        w.sql("DELETE FROM users; BEGIN; ROLLBACK");
        w.capsule.flush();
    }
    // A file that does not compile keeps the others from running.
    for files in [[("a.lua", traces), ("b.lua", "x =\n= 1")], [("b.lua", "x =\n= 1"), ("a.lua", traces)]] {
        refused(w.capsule.install_mod("bad", "1", &files), ErrorKind::Lua, "bad/b.lua:2:");
        assert_eq!(w.scalar("SELECT count(*) FROM _capsule_mods"), 0.into());
        no_trace(&mut w);
        w.sql("DELETE FROM users");
        w.capsule.flush();
    }
    w.capsule.install_mod("bad", "1", &[("a.lua", "n = 1")]).expect("the name is free");
}

#[test]
fn limits_end_every_step() {
    let mut w = World::with(&Location::Memory, USERS, |builder| builder.fuel(Some(3_000_000)).timeout(None));
    for source in [
        "while true do end",
        "function on_install() glyphcase.insert('users', {}) while true do pcall(error) end end",
        "function on_activate() glyphcase.query('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n') end",
    ] {
        let source = format!("scheduler.every('1s', print) {source}");
        refused(
            w.capsule.install_mod("slow", "1", &[("a.lua", &source)]),
            ErrorKind::Timeout,
            "the mod slow",
        );
        assert_eq!(listed(&w), Vec::<String>::new());
        no_trace(&mut w);
        w.sql("DELETE FROM users");
        w.capsule.flush();
    }
    let source = "glyphcase.watch('users', print) function on_deactivate() glyphcase.insert('users', {}) while true do end end";
    w.capsule.install_mod("slow", "1", &[("a.lua", source)]).expect("installs");
    w.capsule.uninstall_mod("slow").expect("is gone, whatever it does");
    let told = w.told();
    assert_eq!(told.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [ErrorKind::Timeout]);
    assert_eq!(w.scalar("SELECT count(*) FROM users"), 0.into());
    no_trace(&mut w);
}

#[test]
fn a_mod_that_has_taken_all_the_memory_goes_like_others() {
    let mut w = World::with(&Location::Memory, USERS, |builder| builder.memory_bytes(6 << 20));
    let hoard = "hoard = {} scheduler.every('1s', print) glyphcase.watch('users', print) actionbus.register('act', print)
        function fill() for i = 1, math.huge do hoard[i] = ('x'):rep(1000) .. i cache.set(i, hoard[i]) end end";
    let source = format!("{hoard} function on_activate() fill() end");
    refused(w.capsule.install_mod("big", "1", &[("a.lua", &source)]), ErrorKind::Limit, "the mod big");
    no_trace(&mut w);
    w.sql("DELETE FROM users");
    w.capsule.flush();
    w.capsule.install_mod("big", "1", &[("a.lua", hoard)]).expect("installs");
    refused(w.capsule.call_mod("big", "fill", ()), ErrorKind::Limit, "memory");
    w.capsule.uninstall_mod("big").expect("goes");
    no_trace(&mut w);
}

#[test]
fn more_than_a_call_may_do_is_taken_away() {
    let mut w = World::with(&Location::Memory, USERS, |builder| builder.fuel(Some(200_000)).timeout(None));
    let source = "function more() for _ = 1, 5000 do scheduler.every('1d', print) end end";
    w.capsule.install_mod("m", "1", &[("a.lua", source)]).expect("installs");
    for _ in 0..50 {
        w.capsule.call_mod("m", "more", ()).expect("is within the limits");
    }
    assert_eq!(w.capsule.next_due().expect_err("too many for one call").kind(), ErrorKind::Timeout);
    w.capsule.uninstall_mod("m").expect("goes");
    no_trace(&mut w);
}

#[test]
fn a_mod_that_fails_to_leave_is_gone() {
    let mut w = World::new(USERS);
    let source =
        "glyphcase.watch('users', print) scheduler.every('1s', print) actionbus.register('act', print)
        function on_deactivate() glyphcase.insert('users', { name = 'taken back' }) error('I stay') end";
    w.capsule.install_mod("clingy", "1", &[("a.lua", source)]).expect("installs");
    w.capsule.deactivate_mod("clingy").expect("is deactivated");
    assert_eq!(w.told(), [(ErrorKind::Lua, "the mod clingy: clingy/a.lua:2: I stay".to_owned())]);
    assert_eq!(listed(&w), ["clingy 1 (off)"]);
    assert_eq!(w.scalar("SELECT count(*) FROM users"), 0.into());
    no_trace(&mut w);
}

#[test]
fn an_update_replaces_the_files_without_another_installation() {
    let mut w = World::new(&format!("{USERS}; CREATE TABLE notes(what)"));
    let version = |n: u32| {
        format!(
            "local function note(what) glyphcase.execute('INSERT INTO notes VALUES(?)', what .. {n}) end
             function on_install() note('install') end
             function on_activate() note('activate') scheduler.every('1s', print) if fails then error('fails') end end
             function on_deactivate() note('deactivate') end
             function version() return {n} end"
        )
    };
    let mut all = String::new();
    let mut check = |w: &mut World, more: &str, number: Option<i64>| {
        all.push_str(more);
        assert_eq!(w.scalar("SELECT group_concat(what, '') FROM notes").as_str(), Some(&*all));
        let answer = w.capsule.call_mod("m", "version", ()).ok();
        assert_eq!(answer, number.map(|number| vec![number.into()]));
    };
    w.capsule.install_mod("m", "1", &[("a.lua", &version(1))]).expect("installs");
    check(&mut w, "install1activate1", Some(1));
    w.capsule.install_mod("m", "2", &[("b.lua", &version(2))]).expect("updates");
    check(&mut w, "deactivate1activate2", Some(2));
    refused(w.capsule.install_mod("m", "3", &[("c.lua", "function")]), ErrorKind::Lua, "m/c.lua:1:");
    check(&mut w, "", Some(2));
    let bad = format!("fails = true {}", version(3));
    refused(w.capsule.install_mod("m", "3", &[("c.lua", &bad)]), ErrorKind::Lua, "fails");
    check(&mut w, "deactivate2activate2", Some(2));
    assert_eq!(listed(&w), ["m 2"]);
    w.capsule.deactivate_mod("m").expect("deactivates");
    check(&mut w, "deactivate2", None);
    w.capsule.install_mod("m", "4", &[("d.lua", &version(4))]).expect("stays inactive");
    check(&mut w, "", None);
    assert_eq!(listed(&w), ["m 4 (off)"]);
    refused(w.capsule.install_mod("m", "5", &[("c.lua", "function")]), ErrorKind::Lua, "m/c.lua:1:");
    w.capsule.activate_mod("m").expect("activates");
    check(&mut w, "activate4", Some(4));
    assert_eq!(
        w.scalar("SELECT files ->> '$.\"d.lua\"' FROM _capsule_mods").as_str(),
        Some(&*version(4)),
        "any SQLite can read them"
    );
}

#[test]
fn names_and_files_are_checked() {
    let mut w = World::new("");
    let long = "x".repeat(129);
    let one = [("a.lua", "")];
    for name in ["", "a\nb", "a\0b", long.as_str()] {
        refused(w.capsule.install_mod(name, "1", &one), ErrorKind::Usage, "name of a mod");
        refused(w.capsule.install_mod("m", name, &one), ErrorKind::Usage, "version of a mod");
        refused(w.capsule.install_mod("m", "1", &[(name, "")]), ErrorKind::Usage, "name of a file");
    }
    refused(w.capsule.install_mod("m", "1", &[]), ErrorKind::Usage, "at least one file");
    refused(w.capsule.install_mod("m", "1", &[("a", ""), ("a", "")]), ErrorKind::Usage, "two files");
    assert_eq!(listed(&w), Vec::<String>::new());
    let name = "ü\"'; %s 名".to_owned() + &"y".repeat(80);
    let source = "text = 'quotes \\\" \\\\ and \0 NUL, \u{7f} \u{2028}' where = 1 + nil";
    refused(w.capsule.install_mod(&name, "1", &[("deep/ü.lua", source)]), ErrorKind::Lua, "deep/ü.lua:1:");
    let source = "-- \0 NUL, \u{7f} \u{2028} \\u0041\nfunction text() return 'quotes \" \\\\ \0' end";
    w.capsule.install_mod(&name, "1", &[("z.lua", source), ("a.lua", "assert(text)")]).expect("installs");
    w.capsule.deactivate_mod(&name).expect("deactivates");
    w.capsule.activate_mod(&name).expect("its files are what they were, in their order");
    assert_eq!(w.capsule.call_mod(&name, "text", ()).expect("calls"), ["quotes \" \\ \0".into()]);
    refused(w.capsule.execute("DELETE FROM _capsule_mods", ()), ErrorKind::Usage, "_capsule_");
    refused(
        w.capsule.eval("glyphcase.execute('UPDATE _capsule_mods SET active = 0')"),
        ErrorKind::Usage,
        "_capsule_",
    );
}

#[test]
fn mods_are_apart_from_each_other_and_from_the_globals() {
    let mut w = World::new(USERS);
    w.eval("shared = 1 function of_globals() return shared end");
    let first = "shared = 'of first' _G.other = 'of first' rawset(_G, 'raw', 'of first') load('loaded = 1')()
        glyphcase.query = function() return 'changed' end
        string.upper, table.extra, json.encode, cache.get = nil, 1, nil, nil
        function math.floor() return 'changed' end
        function names() return shared, other, raw, loaded end
        cache.set('k', 'first')";
    let second = "function names() return shared, other, raw, loaded, table.extra end
        function works() return #glyphcase.query('SELECT 1'), ('x'):upper() .. string.upper('y'), math.floor(1.5), json.encode({}) ~= nil, cache.get('k') end
        function meta() return getmetatable(_G), pcall(setmetatable, _G, {}), on_data_changed, of_globals() end";
    w.capsule.install_mod("first", "1", &[("a.lua", first)]).expect("installs");
    w.capsule.install_mod("second", "1", &[("a.lua", second)]).expect("installs");
    let of = "of first";
    assert_eq!(
        w.capsule.call_mod("first", "names", ()).expect("calls"),
        [of.into(), of.into(), of.into(), 1.into()]
    );
    let names = w.capsule.call_mod("second", "names", ()).expect("calls");
    assert_eq!(names[0], 1.into());
    assert!(names[1..].iter().all(|name| *name == Value::Nil), "{names:?}");
    let works = w.capsule.call_mod("second", "works", ()).expect("calls");
    assert_eq!(works[..4], [1.into(), "XY".into(), 1.into(), true.into()]);
    let meta = w.capsule.call_mod("second", "meta", ()).expect("calls");
    assert_eq!((&meta[0], &meta[1]), (&Value::Boolean(false), &Value::Boolean(false)));
    w.eval(
        "assert(shared == 1 and other == nil and raw == nil and loaded == nil and table.extra == nil)
         assert(#glyphcase.query('SELECT 1') == 1 and string.upper('y') == 'Y' and math.floor(1.5) == 1)
         assert(json.encode({}) and cache.get('k') == nil)
         shared = 2",
    );
    assert_eq!(
        w.capsule.call_mod("second", "names", ()).expect("calls")[0],
        2.into(),
        "globals are read as they are"
    );
    refused(w.capsule.call_mod("second", "nothing", ()), ErrorKind::Usage, "no function nothing");
    refused(w.capsule.call_mod("second", "of_globals", ()), ErrorKind::Usage, "no function of_globals");
    refused(w.capsule.call_mod("second", "", ()), ErrorKind::Usage, "no function");
    refused(w.capsule.call_mod("second", "names.x", ()), ErrorKind::Usage, "no function");
    assert_eq!(w.capsule.call_mod("second", "glyphcase.queryScalar", "SELECT 3").ok(), Some(vec![3.into()]));
}

#[test]
fn hooks_run_in_the_order_of_installation_after_the_globals() {
    let mut w = World::new(USERS);
    let source = |name: &str| {
        format!(
            "function before_save(t, row) row.name = row.name .. '{name}' return row end
             function on_data_changed(t, o, row) glyphcase.dispatch('order', '{name}') end"
        )
    };
    w.eval(&source("g"));
    for name in ["z", "a", "m"] {
        w.capsule.install_mod(name, "1", &[("x.lua", &source(name))]).expect("installs");
    }
    w.capsule.deactivate_mod("z").expect("deactivates");
    w.capsule.activate_mod("z").expect("activates");
    w.capsule.install_mod("a", "2", &[("x.lua", &source("A"))]).expect("updates");
    w.capsule.insert("users", &[("name", ">".into())]).expect("inserts");
    assert_eq!(w.scalar("SELECT name FROM users"), ">gzAm".into());
    w.hear("order");
    w.capsule.flush();
    let order: Vec<Value> = w.heard.take().into_iter().map(|(_, payload)| payload).collect();
    assert_eq!(order, ["g".into(), "z".into(), "A".into(), "m".into()]);
    assert_eq!(
        w.scalar("SELECT group_concat(source) FROM _capsule_events"),
        "trigger".into(),
        "the host has written it"
    );
}

#[test]
fn mods_are_not_changed_within_a_transaction() {
    let mut w = World::new(USERS);
    w.capsule.install_mod("m", "1", &[("a.lua", "n = 1")]).expect("installs");
    w.sql("BEGIN");
    refused(w.capsule.install_mod("n", "1", &[("a.lua", "n = 1")]), ErrorKind::Usage, "within a transaction");
    refused(w.capsule.install_mod("m", "2", &[("a.lua", "n = 1")]), ErrorKind::Usage, "within a transaction");
    refused(w.capsule.deactivate_mod("m"), ErrorKind::Usage, "within a transaction");
    refused(w.capsule.activate_mod("m"), ErrorKind::Usage, "within a transaction");
    refused(w.capsule.uninstall_mod("m"), ErrorKind::Usage, "within a transaction");
    w.sql("ROLLBACK");
    assert_eq!(listed(&w), ["m 1"]);
}

#[test]
fn functions_that_a_mod_has_left_elsewhere_add_nothing_when_it_is_gone() {
    let mut w = World::new(USERS);
    w.eval("given = {}");
    let source = "function given.timer() scheduler.every('1s', print) end
        function given.watch() glyphcase.watch('users', print) end
        function given.handler() actionbus.register('act', print) end
        function given.cache() cache.set('k', 1) end
        function given.query() return glyphcase.queryScalar('SELECT 7') end";
    w.capsule.install_mod("m", "1", &[("a.lua", source)]).expect("installs");
    w.capsule.uninstall_mod("m").expect("uninstalls");
    w.eval(
        "for _, name in ipairs { 'timer', 'watch', 'handler', 'cache' } do
           local ok, e = pcall(given[name]) assert(not ok and e.kind == 'usage' and tostring(e):find('not active'), name)
         end
         assert(given.query() == 7)",
    );
    no_trace(&mut w);
}

#[test]
fn a_crash_leaves_all_of_an_installation_or_nothing() {
    let place = Directory::new("crash");
    let mut w = World::open(&place.file("app.db"), USERS);
    let before = place.crash("app.db", "before.db");
    w.capsule.install_mod("full", "1.0", &[("main.lua", FULL)]).expect("installs");
    let after = place.crash("app.db", "after.db");
    let mut w = World::open(&before, "");
    assert_eq!(listed(&w), Vec::<String>::new());
    w.capsule.install_mod("full", "1.0", &[("main.lua", FULL)]).expect("installs");
    assert_eq!(notes(&mut w), "install, activate");
    let mut w = World::open(&after, "");
    assert_eq!(
        (listed(&w), notes(&mut w)),
        (vec!["full 1.0".to_owned()], "install, activate, activate".to_owned())
    );
    w.capsule.install_mod("full", "1.0", &[("main.lua", FULL)]).expect("is there");
    assert_eq!(w.scalar("SELECT count(*) FROM notes WHERE what = 'install'"), 1.into());
}

#[test]
fn reactions_of_a_mod_that_wait_over_a_crash_are_run_by_it() {
    let place = Directory::new("waiting");
    let location = Location::File(place.file("app.db"));
    let schema = format!("{USERS}; CREATE TABLE seen(name)");
    let mut w = World::with(&location, &schema, |builder| builder.batch(Duration::from_millis(100), 1000));
    let source = "function on_data_changed(t, o, row)
        if t == 'users' then glyphcase.execute('INSERT INTO seen VALUES(?)', row.name) end end";
    w.capsule.install_mod("m", "1", &[("a.lua", source)]).expect("installs");
    for id in 1..=150 {
        w.sql(&format!("INSERT INTO users(name) VALUES('{id}')"));
    }
    let again = place.crash("app.db", "again.db");
    drop(w);
    let mut w = World::open(&again, "");
    w.eval("glyphcase.execute('CREATE TABLE other(x)')");
    assert_eq!(
        w.scalar("SELECT count(*) FROM seen"),
        0.into(),
        "scripts have the time to define their hooks"
    );
    w.pass(100);
    assert_eq!(w.scalar("SELECT count(*) || ',' || sum(name) FROM seen"), "150,11325".into());
}

#[test]
fn a_mod_is_asked_to_go_by_a_message_of_its_own() {
    let mut w = World::new(USERS);
    let source = "scheduler.every('1s', function() glyphcase.dispatch('uninstall', 'm') end)
        function on_data_changed() glyphcase.dispatch('uninstall', 'm') end";
    w.capsule.install_mod("m", "1", &[("a.lua", source)]).expect("installs");
    w.hear("uninstall");
    w.sql("INSERT INTO users(name) VALUES('x')");
    w.pass(1000);
    assert_eq!(w.heard(), ["uninstall", "uninstall"]);
    w.capsule.uninstall_mod("m").expect("goes");
    no_trace(&mut w);
}

#[test]
fn three_mods_side_by_side() {
    let mut w = World::new(
        "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE orders(id INTEGER PRIMARY KEY, user_id INTEGER, total REAL)",
    );
    let statistics = "function on_install() glyphcase.execute('CREATE TABLE stats(name TEXT PRIMARY KEY, n INTEGER)') end
        function on_data_changed(t, o) glyphcase.execute('INSERT INTO stats VALUES(?, 1) ON CONFLICT DO UPDATE SET n = n + 1', t .. o) end
        function of(name) return glyphcase.queryScalar('SELECT n FROM stats WHERE name = ?', name) end";
    let user = "function validate_insert(t, row) if t == 'users' and #row.name < 2 then error('Name too short') end end";
    let order = "function on_data_changed(t, o, row) if t == 'orders' and o == 'INSERT' then glyphcase.update('orders', row.id, { total = row.total * 2 }) end end";
    w.capsule.install_mod("User", "1", &[("u.lua", user)]).expect("installs");
    w.capsule.install_mod("Order", "1", &[("o.lua", order)]).expect("installs");
    w.capsule.install_mod("statistics", "1", &[("s.lua", statistics)]).expect("installs");
    refused(w.capsule.execute("INSERT INTO users(name) VALUES('x')", ()), ErrorKind::Veto, "Name too short");
    w.sql("INSERT INTO users(name) VALUES('xy'); INSERT INTO orders(user_id, total) VALUES(1, 2)");
    w.capsule.flush();
    assert_eq!(w.scalar("SELECT total FROM orders"), SqlValue::Real(4.0));
    for (name, count) in [("usersINSERT", 1), ("ordersINSERT", 1), ("ordersUPDATE", 1)] {
        assert_eq!(w.capsule.call_mod("statistics", "of", name).expect("calls"), [count.into()], "{name}");
    }
}

/// The file and the line that the cause of an error names.
#[track_caller]
fn place(error: &CapsuleError) -> (String, u32) {
    let lua = error.cause().and_then(perilune::Error::lua).unwrap_or_else(|| panic!("no cause: {error}"));
    (lua.chunk.clone().unwrap_or_default(), lua.line.unwrap_or_default())
}

#[test]
fn errors_have_their_place_in_the_mod() {
    let mut w = World::new("CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT UNIQUE)");
    w.sql("INSERT INTO users VALUES(1, 'Ann')");
    // Each function fails in the line behind its name.
    let source = "
        function constraint()
            glyphcase.insert('users', { id = 1 })
        end
        function statement()
            glyphcase.query('nonsense')
        end
        function parameters()
            glyphcase.insert('users', 5)
        end
        function libraries()
            scheduler.every('soon', print)
        end
        function many()
            glyphcase.insertMultiple('users', { { id = 1 } })
        end
        function inside() glyphcase.transaction(function()
            glyphcase.insert('users', { id = 1 })
        end) end
        function text() glyphcase.transaction(function()
            error('plain')
        end) end
        function nested() local ok, problem = pcall(glyphcase.transaction, function()
            glyphcase.execute('nonsense')
        end) error(problem, 0) end
        function refused()
            glyphcase.insert('users', { name = 'veto' })
        end
        function action() actionbus.register('act', function()
            error('no act')
        end) end
        function timer() scheduler.after('1s', function()
            glyphcase.insert('users', { id = 1 })
        end) end
        function before_insert(t, row) if row.name == 'veto' then
            error('never')
        end return row end
        function validate_insert(t, row) if row.name == 'evil' then
            error('never')
        end end
        function after_save(t, row) if row.name == 'late' then
            glyphcase.update('users', 1, { name = 'late' })
        end end
        function on_data_changed(t, operation, row) if row.name == 'react' then
            glyphcase.insert('users', { id = 1 })
        end end";
    w.capsule.install_mod("m", "1", &[("main.lua", source)]).expect("installs");
    let line_behind = |name: &str| -> u32 {
        let line = source.lines().position(|line| line.contains(&format!("function {name}("))).expect(name);
        line as u32 + 2
    };
    for name in ["constraint", "statement", "parameters", "libraries", "many", "inside", "text", "nested"] {
        let error = w.capsule.call_mod("m", name, ()).expect_err(name);
        assert_eq!(place(&error), ("m/main.lua".into(), line_behind(name)), "{name}: {error}");
    }
    // A hook has its own place, whoever has written the row.
    let error = w.capsule.call_mod("m", "refused", ()).expect_err("is refused");
    assert_eq!(place(&error), ("m/main.lua".into(), line_behind("before_insert")), "{error}");
    for (value, hook) in [("veto", "before_insert"), ("evil", "validate_insert"), ("late", "after_save")] {
        let error = w.capsule.insert("users", &[("name", value.into())]).expect_err(hook);
        assert_eq!(place(&error), ("m/main.lua".into(), line_behind(hook)), "{hook}: {error}");
    }
    // And errors that nobody waits for.
    w.capsule.call_mod("m", "action", ()).expect("registers");
    w.capsule.call_mod("m", "timer", ()).expect("begins");
    w.eval("glyphcase.dispatch('act')");
    w.sql("INSERT INTO users(name) VALUES('react')");
    w.capsule.flush();
    w.pass(1000);
    let told: Vec<_> = w.errors.take().iter().map(place).collect();
    let expected =
        ["action", "on_data_changed", "timer"].map(|name| ("m/main.lua".into(), line_behind(name)));
    assert_eq!(told, expected);
    // The script of a console, too.
    let error = w.capsule.eval("local x\nglyphcase.insert('users', { id = 1 })").expect_err("is refused");
    assert_eq!(place(&error), ("capsule".into(), 2));
    assert_eq!(w.value("select(2, pcall(glyphcase.insert, 'users', { id = 1 })).kind"), "constraint".into());
}

#[test]
fn a_mod_that_does_not_compile_says_where() {
    let mut w = World::new(USERS);
    let files = [("a.lua", "x = 1"), ("sub/b.lua", "y = 1\nz = = 2\n")];
    let refused = |error: CapsuleError| {
        assert_eq!(place(&error), ("m/sub/b.lua".into(), 2), "{error}");
        let cause = error.cause().expect("has a cause");
        assert_eq!((error.kind(), cause.code()), (ErrorKind::Lua, "syntax"));
        assert!(error.to_string().starts_with("the mod m: m/sub/b.lua:2: unexpected symbol"), "{error}");
        let lua = cause.lua().expect("is one of Lua");
        assert_eq!(lua.value, lua.message.as_str().into());
    };
    refused(w.capsule.install_mod("m", "1", &files).expect_err("does not compile"));
    w.capsule.install_mod("m", "1", &files[..1]).expect("compiles");
    // The next version is refused in the same way, and the first goes on.
    refused(w.capsule.install_mod("m", "2", &files).expect_err("does not compile"));
    assert_eq!(listed(&w), ["m 1"]);
}
