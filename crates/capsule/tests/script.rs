//! Abilities of scripts in a capsule, and effects of their hooks on what is written.

use perilune::{Host, Stream, Value};
use perilune_capsule::{
    Capsule, CapsuleError, ColumnDeclaration, ColumnType, Environment, ErrorKind, Location, Migration,
    Schema, SqlValue, TableDeclaration,
};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// A clock that the test turns.
#[derive(Debug, Clone, Default)]
struct Clock(Rc<Cell<i64>>);

impl Environment for Clock {
    fn now(&mut self) -> i64 {
        self.0.get()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            self.0.set(self.0.get());
            *byte = 0xa7;
        }
    }
}

/// Keeps what Lua prints.
#[derive(Debug, Clone, Default)]
struct Printed(Rc<RefCell<String>>);

impl Host for Printed {
    fn write(&mut self, _: Stream, bytes: &[u8]) {
        self.0.borrow_mut().push_str(&String::from_utf8_lossy(bytes));
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

struct World {
    capsule: Capsule,
    clock: Clock,
    errors: Rc<RefCell<Vec<CapsuleError>>>,
}

fn world(schema: &str) -> World {
    let clock = Clock::default();
    let mut capsule = Capsule::builder(Location::Memory).environment(clock.clone()).open().expect("opens");
    capsule.execute(schema, ()).expect("the schema is right");
    let errors: Rc<RefCell<Vec<CapsuleError>>> = Rc::default();
    let heard = Rc::clone(&errors);
    capsule.on_error(move |error| heard.borrow_mut().push(error.clone()));
    World { capsule, clock, errors }
}

fn eval(world: &mut World, source: &str) -> Vec<Value> {
    world.capsule.eval(source).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn scalar(world: &mut World, sql: &str) -> SqlValue {
    world.capsule.query_scalar(sql, ()).expect(sql).unwrap_or_default()
}

const USERS: &str =
    "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, email TEXT, age INTEGER, status TEXT,
    password_hash TEXT, slug TEXT, photo BLOB)";

#[test]
fn queries_take_parameters_in_every_form() {
    let mut w = world(USERS);
    let values = eval(
        &mut w,
        "glyphcase.execute('INSERT INTO users(name, age) VALUES(?, ?), (?, ?)', 'a', 10, 'b', json.null)
         local q = glyphcase.query
         assert(#q('SELECT * FROM users') == 2)
         assert(q('SELECT * FROM users WHERE age = ?', 10)[1].name == 'a')
         assert(q('SELECT * FROM users WHERE age = ?', { 10 })[1].name == 'a')
         assert(q('SELECT * FROM users WHERE age = :age', { age = 10 })[1].name == 'a')
         assert(q('SELECT * FROM users WHERE name = ?1 AND ?2 IS NULL', { 'b', n = 2 })[1].age == nil)
         assert(#q('SELECT * FROM users WHERE age IS ?', nil) == 1)
         assert(glyphcase.queryOne('SELECT name FROM users WHERE id = ?', 1).name == 'a')
         assert(glyphcase.queryOne('SELECT name FROM users WHERE id = ?', 99) == nil)
         assert(glyphcase.queryScalar('SELECT count(*) FROM users') == 2)
         assert(glyphcase.queryScalar('SELECT ?', 9007199254740993) == 9007199254740993)
         assert(math.type(glyphcase.queryScalar('SELECT ?', 2.0)) == 'float')
         assert(glyphcase.queryScalar('SELECT typeof(?)', '\\xff') == 'blob')
         assert(glyphcase.queryScalar('SELECT typeof(?)', 'text') == 'text')
         assert(glyphcase.queryScalar('SELECT ?', true) == 1)
         assert(glyphcase.queryScalar('SELECT json_extract(?, ?)', { { a = { 1, 2 } }, '$.a[1]' }) == 2)
         return glyphcase.execute('UPDATE users SET age = 1')",
    );
    assert_eq!(values, [2.into()]);
}

#[test]
fn rows_are_written_by_the_name_of_their_table() {
    let mut w = world(&format!("{USERS}; CREATE TABLE pairs(a, b, v, PRIMARY KEY(a, b)) WITHOUT ROWID"));
    eval(
        &mut w,
        "local id = glyphcase.insert('users', { name = 'Alice', photo = 'bytes', age = true })
         assert(id == 1)
         assert(glyphcase.queryScalar('SELECT typeof(photo) FROM users') == 'blob')
         assert(glyphcase.update('users', id, { name = 'Bob', age = json.null }) == true)
         assert(glyphcase.queryOne('SELECT * FROM users').age == nil)
         assert(glyphcase.update('users', 99, { name = 'x' }) == false)
         local ids = glyphcase.insertMultiple('users', { { name = 'c' }, { name = 'd', status = 'old' } })
         assert(#ids == 2 and ids[2] == 3)
         assert(glyphcase.updateWhere('users', 'status = ?', { 'old' }, { age = 7 }) == 1)
         assert(glyphcase.deleteWhere('users', 'age < ?', { 18 }) == 1)
         assert(glyphcase.delete('users', 1) == true and glyphcase.delete('users', 1) == false)
         local key = glyphcase.insert('pairs', { a = 1, b = 'x', v = { n = 1 } })
         assert(key[1] == 1 and key[2] == 'x')
         assert(glyphcase.update('pairs', key, { v = 2 }))
         assert(glyphcase.delete('pairs', { 1, 'x' }))",
    );
    let sources = scalar(&mut w, "SELECT group_concat(DISTINCT source) FROM _capsule_events");
    assert_eq!(sources, "lua".into());
}

#[test]
fn a_transaction_is_all_or_nothing_and_its_error_is_the_same_value() {
    let mut w = world(USERS);
    eval(
        &mut w,
        "local a, b = glyphcase.transaction(function()
           glyphcase.insert('users', { name = 'a' })
           return 1, nil
         end)
         assert(a == 1 and b == nil)
         local problem = setmetatable({}, { __tostring = function() return 'mine' end })
         local ok, e = pcall(glyphcase.transaction, function()
           glyphcase.insert('users', { name = 'b' })
           error(problem)
         end)
         assert(not ok and rawequal(e, problem))
         glyphcase.transaction(function()
           glyphcase.insert('users', { name = 'c' })
           pcall(glyphcase.transaction, function() glyphcase.insert('users', { name = 'd' }); error('no') end)
         end)
         assert(glyphcase.queryScalar('SELECT group_concat(name) FROM users') == 'a,c')
         local co = coroutine.wrap(function() glyphcase.transaction(coroutine.yield) end)
         assert(not pcall(co))
         assert(not pcall(glyphcase.transaction, 1))",
    );
    assert!(
        w.capsule
            .eval("glyphcase.execute('BEGIN'); glyphcase.insert('users', {}); error('left open')")
            .is_err()
    );
    assert_eq!(scalar(&mut w, "SELECT count(*) FROM users"), 2.into());
    w.capsule.execute("BEGIN; ROLLBACK", ()).expect("no transaction is left open");
}

#[test]
fn errors_can_be_tested_by_scripts_and_hosts() {
    let mut w = world("CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE); INSERT INTO t(u) VALUES(1)");
    eval(
        &mut w,
        "local function refused(fn, ...) local ok, e = pcall(fn, ...) assert(not ok) return e end
         local e = refused(glyphcase.insert, 't', { u = 1 })
         assert(e.kind == 'constraint' and e.code == 'SQLITE_CONSTRAINT_UNIQUE', e.kind)
         assert(tostring(e):find('UNIQUE') and e.sql:find('INSERT'))
         assert(refused(glyphcase.query, 'SELEC').kind == 'sql')
         assert(refused(glyphcase.query, 'SELECT ?').kind == 'usage')
         assert(refused(glyphcase.query, 'SELECT ?', print).kind == 'usage')
         assert(refused(glyphcase.query, 'SELECT 1; SELECT 2').kind == 'usage')
         assert(tostring(refused(glyphcase.insert, 'nothing', {})):find('nothing'))
         assert(refused(glyphcase.insert, 't', { 'x' }).kind == 'usage')
         assert(refused(glyphcase.insert, 't', 5).kind == 'usage')
         assert(refused(glyphcase.query, 5).kind == 'usage')",
    );
    let error = w.capsule.eval("glyphcase.insert('t', { u = 1 })").expect_err("is there");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Constraint, Some("SQLITE_CONSTRAINT_UNIQUE")));
    let error = w.capsule.eval("error({ code = 1 })").expect_err("fails");
    assert_eq!(error.kind(), ErrorKind::Lua);
    assert!(error.cause().is_some());
    for missing in ["io", "debug", "package", "require", "loadfile", "dofile", "_capsule"] {
        assert_eq!(eval(&mut w, &format!("return {missing}")), [Value::Nil], "{missing}");
    }
    assert_eq!(eval(&mut w, "return host._capsule"), [Value::Nil]);
}

#[test]
fn hooks_change_rows_of_both_sides() {
    let mut w = world(USERS);
    eval(
        &mut w,
        "function before_save(t, row) row.slug = row.name and row.name:lower():gsub('%s+', '-') return row end
         function before_insert(t, row) if row.password then row.password_hash = 'hash of ' .. row.password
           row.password = nil end return row end
         function before_update(t, row, old) row.status = 'was ' .. old.name return row end
         function before_delete(t, row) if row.name == 'Keep Me' then return false end end",
    );
    eval(
        &mut w,
        "given = { name = 'Alice A', password = 'x' } glyphcase.insert('users', given) assert(given.password)",
    );
    let key =
        w.capsule.insert("users", &[("name", "Keep Me".into()), ("password", "y".into())]).expect("inserts");
    assert_eq!(key, [SqlValue::from(2)]);
    assert_eq!(
        scalar(&mut w, "SELECT group_concat(slug || ':' || password_hash) FROM users"),
        "alice-a:hash of x,keep-me:hash of y".into()
    );
    assert!(w.capsule.update("users", &key, &[("age", 3.into())]).expect("updates"));
    assert_eq!(scalar(&mut w, "SELECT status FROM users WHERE id = 2"), "was Keep Me".into());
    let error = w.capsule.delete("users", &key).expect_err("is kept");
    assert_eq!(error.kind(), ErrorKind::Veto);
    assert!(w.capsule.delete("users", &[1.into()]).expect("deletes"));
    assert_eq!(eval(&mut w, "return pcall(glyphcase.deleteWhere, 'users', 'TRUE', {})")[0], false.into());
    assert_eq!(scalar(&mut w, "SELECT count(*) FROM users"), 1.into());
    // What has never been a column is in no table, no event and no log.
    assert_eq!(
        scalar(&mut w, "SELECT count(*) FROM _capsule_events WHERE new_data LIKE '%password\"%'"),
        0.into()
    );
}

#[test]
fn a_hook_that_raises_an_error_refuses_the_row() {
    let mut w = world("CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES(1, 2)");
    for hook in ["before_save", "before_insert", "before_update", "before_delete"] {
        eval(&mut w, &format!("{hook} = function() error({{ code = 7 }}) end"));
        let done = match hook {
            "before_update" => w.capsule.update("t", &[1.into()], &[("v", 3.into())]).map(drop),
            "before_delete" => w.capsule.delete("t", &[1.into()]).map(drop),
            _ => w.capsule.insert("t", &[("v", 3.into())]).map(drop),
        };
        assert_eq!(done.expect_err(hook).kind(), ErrorKind::Veto, "{hook}");
        let script = match hook {
            "before_update" => "glyphcase.update('t', 1, { v = 3 })",
            "before_delete" => "glyphcase.delete('t', 1)",
            _ => "glyphcase.insert('t', { v = 3 })",
        };
        let seen = eval(
            &mut w,
            &format!("local ok, e = pcall(function() {script} end) return e.kind, e.cause.code"),
        );
        assert_eq!(seen, ["veto".into(), 7.into()], "{hook}");
        // An error of the capsule stays what it is.
        eval(&mut w, &format!("{hook} = function() glyphcase.query('SELECT nothing') end"));
        let seen = eval(&mut w, &format!("local ok, e = pcall(function() {script} end) return e.kind"));
        assert_eq!(seen, ["sql".into()], "{hook}");
        eval(&mut w, &format!("{hook} = nil"));
    }
    assert_eq!(scalar(&mut w, "SELECT group_concat(id || v) FROM t"), "12".into());
}

#[test]
fn no_path_gets_around_a_validation() {
    let mut w = world(&format!(
        "{USERS};
         CREATE TABLE kids(id INTEGER PRIMARY KEY, parent REFERENCES users ON DELETE CASCADE);
         CREATE TRIGGER copies AFTER INSERT ON kids BEGIN INSERT INTO users(name) VALUES('of a trigger'); END"
    ));
    eval(
        &mut w,
        "function validate_insert(t, row) if t == 'users' and not row.email then error('no address') end return true end
         function validate_update(t, row, old) if t == 'users' and row.age < old.age then error('younger') end end
         function validate_delete(t, row) if t == 'kids' and row.id == 13 then return false end end",
    );
    let c = &mut w.capsule;
    c.execute("INSERT INTO users(name, email, age) VALUES('a', 'a@b', 5)", ()).expect("is right");
    let veto = |result: Result<u64, CapsuleError>, text: &str| {
        let error = result.expect_err(text);
        assert_eq!(error.kind(), ErrorKind::Veto, "{error}");
        assert!(error.message().contains(text), "{error}");
    };
    veto(c.execute("INSERT INTO users(name) VALUES('b')", ()), "no address");
    veto(c.execute("INSERT OR IGNORE INTO users(name) VALUES('b')", ()), "no address");
    veto(c.execute("INSERT OR REPLACE INTO users(id, name) VALUES(1, 'b')", ()), "no address");
    veto(c.execute("INSERT INTO users(email, name) VALUES('x', 'b'), (NULL, 'c')", ()), "no address");
    veto(c.execute("UPDATE users SET age = 4", ()), "younger");
    veto(c.execute("INSERT INTO kids VALUES(1, 1)", ()), "no address");
    veto(
        c.execute(
            "INSERT INTO users(id, email, age) VALUES(1, 'x', 1) ON CONFLICT DO UPDATE SET age = 1",
            (),
        ),
        "younger",
    );
    c.execute("DROP TRIGGER copies; INSERT INTO kids VALUES(13, 1)", ()).expect("is right");
    veto(c.execute("DELETE FROM kids", ()), "validate_delete");
    veto(c.execute("DELETE FROM users", ()), "validate_delete");
    veto(c.execute("INSERT OR REPLACE INTO kids VALUES(13, NULL)", ()), "validate_delete");
    // The statement is undone, not the transaction.
    c.execute("BEGIN; INSERT INTO users(name, email, age) VALUES('d', 'd@d', 1)", ()).expect("is right");
    veto(c.execute("INSERT INTO users(name) VALUES('e')", ()), "no address");
    c.execute("COMMIT", ()).expect("goes on");
    assert_eq!(
        c.query_scalar("SELECT group_concat(name) FROM users", ()).expect("reads"),
        Some("a,d".into())
    );
    let error = c.eval("glyphcase.insert('users', { name = 'f' })").expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Veto);
    eval(&mut w, "validate_insert, validate_update, validate_delete = nil, nil, nil");
    w.capsule.execute("INSERT INTO users(name) VALUES('g'); DELETE FROM users", ()).expect("no hook is left");
}

#[test]
fn triggers_of_hooks_follow_the_schema() {
    let mut w = world("CREATE TABLE a(x, y); CREATE TABLE b(x)");
    eval(
        &mut w,
        "seen = {} function validate_insert(t, row) seen[#seen + 1] = t .. tostring(row.x) .. tostring(row.z) end",
    );
    let c = &mut w.capsule;
    c.execute("INSERT INTO a VALUES(1, 2)", ()).expect("inserts");
    c.execute("ALTER TABLE a DROP COLUMN y", ()).expect("no trigger is in the way");
    c.execute("ALTER TABLE a RENAME COLUMN x TO z; INSERT INTO a VALUES(3)", ()).expect("renames");
    c.execute("ALTER TABLE a RENAME TO c; INSERT INTO c VALUES(4)", ()).expect("renames");
    c.execute("CREATE TABLE d(x); INSERT INTO d VALUES(5)", ()).expect("is right");
    c.execute("BEGIN; CREATE TABLE e(x); INSERT INTO e VALUES(6); ROLLBACK; INSERT INTO b VALUES(7)", ())
        .expect("is right");
    c.execute("SAVEPOINT s; INSERT INTO b VALUES(8); ROLLBACK TO s; INSERT INTO b VALUES(9); RELEASE s", ())
        .expect("is right");
    assert_eq!(
        eval(&mut w, "return table.concat(seen, ' ')"),
        ["a1nil anil3 cnil4 d5nil e6nil b7nil b8nil b9nil".into()]
    );
}

#[test]
fn a_validation_reads_and_cannot_write() {
    let mut w = world("CREATE TABLE a(x); CREATE TABLE b(x)");
    eval(
        &mut w,
        "function validate_insert(t, row)
           assert(glyphcase.queryScalar('SELECT count(*) FROM a') >= 0)
           for _, sql in ipairs { 'INSERT INTO b VALUES(1)', 'BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT s', 'CREATE TABLE c(x)', 'VACUUM' } do
             local ok, e = pcall(glyphcase.execute, sql)
             assert(not ok and e.kind == 'usage', sql)
           end
           assert(not pcall(glyphcase.transaction, function() end))
         end",
    );
    w.capsule.execute("INSERT INTO a VALUES(1)", ()).expect("inserts");
    w.capsule.execute("BEGIN; INSERT INTO a VALUES(2); COMMIT", ()).expect("inserts");
    assert_eq!(scalar(&mut w, "SELECT count(*) FROM a"), 2.into());
}

#[test]
fn what_is_saved_is_shown_before_the_commit_until_nothing_changes() {
    let mut w = world("CREATE TABLE a(id INTEGER PRIMARY KEY, n); CREATE TABLE log(t)");
    eval(
        &mut w,
        "rounds = {}
         function after_save(t, row)
           if t == 'a' and row.n < 3 then glyphcase.update('a', row.id, { n = row.n + 1 }) end
         end
         function before_commit(events)
           rounds[#rounds + 1] = #events
           if glyphcase.queryScalar('SELECT count(*) FROM a WHERE n = 100') > 0 then error('too much') end
         end",
    );
    w.capsule.execute("INSERT INTO a VALUES(1, 0), (2, 9)", ()).expect("inserts");
    assert_eq!(scalar(&mut w, "SELECT n FROM a WHERE id = 1"), 3.into());
    assert_eq!(eval(&mut w, "return table.concat(rounds, ' ')"), ["2 1 1 1".into()]);
    assert_eq!(scalar(&mut w, "SELECT count(*) FROM _capsule_events"), 2.into(), "one event for each row");
    let error = w.capsule.execute("INSERT INTO a VALUES(3, 100)", ()).expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::Veto);
    w.capsule.execute("BEGIN; INSERT INTO a VALUES(4, 100)", ()).expect("is not asked yet");
    assert_eq!(w.capsule.execute("COMMIT", ()).expect_err("refused").kind(), ErrorKind::Veto);
    w.capsule.execute("DELETE FROM a WHERE n = 100; COMMIT", ()).expect("goes on");
    eval(
        &mut w,
        "function before_commit() pcall(glyphcase.execute, 'COMMIT') pcall(glyphcase.execute, 'ROLLBACK') end",
    );
    w.capsule.execute("INSERT INTO a VALUES(5, 7)", ()).expect("who begins a transaction ends it");
    eval(&mut w, "function after_save(t, row) glyphcase.update('a', row.id, { n = row.n + 1 }) end");
    let error = w.capsule.execute("INSERT INTO a VALUES(6, 50)", ()).expect_err("has no end");
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert_eq!(scalar(&mut w, "SELECT group_concat(id) FROM a"), "1,2,5".into());
}

#[test]
fn limits_end_scripts_sql_and_hooks_and_take_back_what_they_did() {
    let mut w = World {
        capsule: Capsule::builder(Location::Memory)
            .fuel(Some(2_000_000))
            .timeout(None)
            .open()
            .expect("opens"),
        ..world("")
    };
    w.capsule.execute("CREATE TABLE t(x)", ()).expect("is right");
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    for source in [
        "glyphcase.insert('t', {}) while true do end".to_owned(),
        format!("glyphcase.insert('t', {{}}) glyphcase.query('{endless}')"),
        "glyphcase.transaction(function() glyphcase.insert('t', {}) while true do pcall(error) end end)"
            .to_owned(),
        "glyphcase.execute('BEGIN') glyphcase.insert('t', {}) while true do end".to_owned(),
        "crypto.bcrypt('x', 16)".to_owned(),
    ] {
        let error = w.capsule.eval(&source).expect_err(&source);
        assert_eq!(error.kind(), ErrorKind::Timeout, "{source}: {error}");
        assert!(error.message().contains("out of fuel after 2000000 ticks"), "{source}: {error}");
    }
    let error = w.capsule.query(endless, ()).expect_err("ends");
    assert_eq!((error.kind(), error.message()), (ErrorKind::Timeout, "out of fuel after 2000000 ticks"));
    // Statements by themselves are committed before the end.
    assert_eq!(scalar(&mut w, "SELECT count(*) FROM t"), 2.into());
    w.capsule.execute("BEGIN; ROLLBACK", ()).expect("no transaction is left open");
    eval(&mut w, "function validate_insert() while true do end end");
    let error = w.capsule.execute("INSERT INTO t VALUES(1)", ()).expect_err("ends");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.message().contains("out of fuel"), "{error}");
    eval(
        &mut w,
        "validate_insert = nil function before_commit() glyphcase.execute('SAVEPOINT s') while true do end end",
    );
    let error = w.capsule.execute("INSERT INTO t VALUES(1)", ()).expect_err("ends");
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(scalar(&mut w, "SELECT count(*) FROM t"), 2.into());
    eval(&mut w, "before_commit = nil glyphcase.insert('t', {})");
}

#[test]
fn dispatches_are_heard_after_the_commit_only() {
    let mut w = world("CREATE TABLE t(x)");
    let heard: Rc<RefCell<Vec<Value>>> = Rc::default();
    let listener = Rc::clone(&heard);
    let id = w.capsule.on("done", move |payload| listener.borrow_mut().push(payload.clone()));
    eval(
        &mut w,
        "handled = {}
         actionbus.register('done', function(payload) handled[#handled + 1] = payload return 'first' end)
         actionbus.register('done', function() return 'second' end)
         glyphcase.transaction(function()
           glyphcase.dispatch('done', 1)
           assert(#handled == 0)
           pcall(glyphcase.transaction, function() glyphcase.dispatch('done', 2) error() end)
         end)
         assert(#handled == 1 and handled[1] == 1)
         pcall(glyphcase.transaction, function() glyphcase.dispatch('done', 3) error() end)
         assert(actionbus.dispatch('done', 4) == 'first' and handled[2] == 4)
         assert(actionbus.dispatch('nobody', 5) == nil)",
    );
    assert_eq!(*heard.borrow(), [1.into(), 4.into()]);
    assert!(w.capsule.off(id) && !w.capsule.off(id));
    eval(
        &mut w,
        "actionbus.register('again', function(n) count = n glyphcase.dispatch('again', n + 1) end)
         actionbus.register('fails', function() error('of a handler') end)
         glyphcase.dispatch('again', 1)
         glyphcase.dispatch('fails')",
    );
    assert_eq!(eval(&mut w, "return count"), [16.into()], "a chain has an end");
    let kinds: Vec<ErrorKind> = w.errors.borrow().iter().map(CapsuleError::kind).collect();
    assert_eq!(kinds, [ErrorKind::Limit, ErrorKind::Lua]);
}

#[test]
fn timers_run_by_the_clock_of_the_capsule() {
    let mut w = world("");
    eval(
        &mut w,
        "runs = {} local function note(name) return function() runs[#runs + 1] = name end end
         scheduler.every('5m', note('five'))
         scheduler.every('1.5h', note('ninety'))
         scheduler.after('10s', note('once'))
         scheduler.after(10, function() error('of a timer') end)
         local id = scheduler.after(20, note('never'))
         assert(scheduler.cancel(id) == true and scheduler.cancel(id) == false)
         for _, wrong in ipairs { 'soon', '5', '5 parsecs', 9, -1, 0/0, {}, '9ms', 2^60 } do
           assert(not pcall(scheduler.after, wrong, print), tostring(wrong))
         end
         assert(not pcall(scheduler.every, '1s'))",
    );
    assert_eq!(w.capsule.next_due().expect("answers"), Some(10));
    w.clock.0.set(10_000);
    w.capsule.run_due().expect("runs");
    assert_eq!(w.errors.borrow().len(), 1);
    w.clock.0.set(17 * 60_000);
    w.capsule.run_due().expect("runs");
    assert_eq!(eval(&mut w, "return table.concat(runs, ' ')"), ["once five".into()], "late is once");
    assert_eq!(w.capsule.next_due().expect("answers"), Some(22 * 60_000));
    eval(&mut w, "scheduler.stop_all()");
    assert_eq!(w.capsule.next_due().expect("answers"), None);
}

#[test]
fn a_cache_forgets_in_time() {
    let mut w = world("");
    eval(
        &mut w,
        "value = {} cache.set('a', value, '10m') cache.set('b', 1) assert(rawequal(cache.get('a'), value))
         assert(cache.delete('b') == true and cache.delete('b') == false and cache.get('b') == nil)
         cache.set('c', false) assert(cache.get('c') == false) cache.clear() assert(cache.get('c') == nil)
         cache.set('a', value, '10m')",
    );
    w.clock.0.set(599_999);
    eval(&mut w, "assert(cache.get('a'))");
    w.clock.0.set(600_000);
    eval(&mut w, "assert(cache.get('a') == nil)");
}

#[test]
fn passwords_and_identifiers() {
    let mut w = world("");
    eval(
        &mut w,
        "local id = crypto.uuid() assert(#id == 36 and id:match('^%x+%-%x+%-4%x+%-[89ab]%x+%-%x+$'), id)
         local hash = crypto.bcrypt('password123', 4)
         assert(#hash == 60 and crypto.verify('password123', hash) and not crypto.verify('password124', hash))
         assert(#crypto.bcrypt(('x'):rep(72), 4) == 60)
         for _, wrong in ipairs { { ('x'):rep(73), 4 }, { 'x', 3 }, { 'x', 17 }, { 'x', 31 } } do
           local ok, e = pcall(crypto.bcrypt, table.unpack(wrong))
           assert(not ok and e.kind == 'usage')
         end
         assert(not pcall(crypto.verify, 'x', 'no hash') and not pcall(crypto.verify, ('x'):rep(73), hash))
         assert(not pcall(crypto.verify, 'x', '$2b$31$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234'))",
    );
}

#[test]
fn schemas_are_applied_with_the_hooks() {
    let mut w = world("");
    eval(
        &mut w,
        "function validate_insert(t, row) if row.id == 13 then error('unlucky') end end
         function after_save(t, row) if t == 'rows' then glyphcase.insert('saved', { id = row.id }) end end",
    );
    let table = |name: &str| {
        TableDeclaration::new(name).column(ColumnDeclaration::new("id", ColumnType::Integer).primary())
    };
    w.capsule.create_table(&table("saved")).expect("is made");
    let schema = |id: u32| {
        let migration = Migration::sql(
            1,
            format!("CREATE TABLE rows(id INTEGER PRIMARY KEY); INSERT INTO rows VALUES({id})"),
        );
        Schema::new().table(table("rows")).migration(migration)
    };
    let error = w.capsule.apply_schema(&schema(13)).expect_err("is refused");
    assert_eq!(error.kind(), ErrorKind::Veto, "{error}");
    assert_eq!(scalar(&mut w, "SELECT count(*) FROM sqlite_master WHERE name = 'rows'"), 0.into());
    w.capsule.apply_schema(&schema(7)).expect("is applied");
    assert_eq!(scalar(&mut w, "SELECT id FROM saved"), 7.into());
}

#[test]
fn lua_in_sql_in_lua_has_an_end() {
    let mut w = world("CREATE TABLE t(x)");
    eval(
        &mut w,
        "depth = 0
         function after_save(t, row)
           depth = depth + 1
           glyphcase.transaction(function() glyphcase.insert('t', { x = row.x + 1 }) end)
         end",
    );
    let error = w.capsule.execute("INSERT INTO t VALUES(1)", ()).expect_err("ends");
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert_eq!(scalar(&mut w, "SELECT count(*) FROM t"), 0.into());
    eval(
        &mut w,
        "after_save = nil function validate_insert(t, row) local x = glyphcase.query('SELECT * FROM t') glyphcase.query('SELECT 1') end",
    );
    w.capsule.execute("INSERT INTO t VALUES(1)", ()).expect("reads");
}

#[test]
fn scripts_print_to_the_host() {
    let printed = Printed::default();
    let builder = Capsule::builder(Location::Memory).host(printed.clone());
    let mut capsule =
        builder.timeout(Some(Duration::from_mins(1))).memory_bytes(4 << 20).open().expect("opens");
    capsule.eval("print('hello', 1)").expect("prints");
    assert_eq!(*printed.0.borrow(), "hello\t1\n");
    assert_eq!(capsule.call("math.max", (1, 3, 2)).expect("calls"), [3.into()]);
    assert_eq!(capsule.eval("local s = ('x'):rep(8 << 20)").expect_err("too large").kind(), ErrorKind::Limit);
}
