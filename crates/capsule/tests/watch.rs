//! Watchers: who is told of what, when, and what cannot be watched.

mod support;

use perilune_capsule::{Capsule, CapsuleError, ChangeEvent, ErrorKind, Location, SqlValue};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use support::{Clock, World};

const USERS: &str =
    "CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, age INTEGER, status TEXT)";

/// Events as short texts, one list for each delivery.
type Heard = Rc<RefCell<Vec<Vec<String>>>>;

fn value(value: &SqlValue) -> String {
    match value {
        SqlValue::Null => "NULL".into(),
        SqlValue::Integer(integer) => integer.to_string(),
        SqlValue::Real(real) => format!("{real:?}"),
        SqlValue::Text(text) => String::from_utf8_lossy(text).into_owned(),
        SqlValue::Blob(blob) => format!("{blob:?}"),
    }
}

fn image(data: Option<&[(Box<str>, SqlValue)]>) -> String {
    data.map_or("-".into(), |data| data.iter().map(|(_, it)| value(it)).collect::<Vec<_>>().join(","))
}

fn short(event: &ChangeEvent) -> String {
    let row = value(&event.row_id());
    format!("{} {row} {}>{}", event.change().name(), image(event.old_data()), image(event.new_data()))
}

/// Watches, and keeps what is told.
fn watch(capsule: &mut Capsule, target: &str, filter: Option<&str>) -> (Rc<str>, Heard) {
    let heard = Heard::default();
    let id = capsule.watch(target, filter).unwrap_or_else(|error| panic!("{target} {filter:?}: {error}"));
    let kept = Rc::clone(&heard);
    capsule
        .subscribe(&id, move |events| kept.borrow_mut().push(events.iter().map(short).collect()))
        .expect("subscribes");
    (id, heard)
}

fn all(heard: &Heard) -> Vec<String> {
    heard.take().concat()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, CapsuleError>, kind: ErrorKind, text: &str) {
    let error = result.expect_err(text);
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text), "{text}: {error}");
}

#[test]
fn a_table_tells_every_change_with_its_facts() {
    let mut w = World::new(USERS);
    let id = w.capsule.watch("USERS", None).expect("watches");
    let facts: Rc<RefCell<Vec<String>>> = Rc::default();
    let kept = Rc::clone(&facts);
    w.capsule
        .subscribe(&id, move |events| {
            for event in events {
                kept.borrow_mut().push(format!(
                    "{} {} {} {} {} {:?} {:?}",
                    event.operation().name(),
                    event.table_name(),
                    value(&event.row_id()),
                    event.timestamp() - support::START,
                    event.source().name(),
                    event.cause(),
                    event.key(),
                ));
                assert!(event.transaction_id().contains('-'));
            }
        })
        .expect("subscribes");
    w.clock.pass(5);
    w.sql("INSERT INTO users VALUES(7, 'Ann', 20, NULL)");
    w.eval("glyphcase.update('users', 7, { age = 21 })");
    w.sql("DELETE FROM users");
    w.capsule.flush();
    assert_eq!(
        facts.take(),
        [
            "INSERT users 7 5 trigger None [Integer(7)]",
            "UPDATE users 7 5 lua None [Integer(7)]",
            "DELETE users 7 5 trigger None [Integer(7)]"
        ]
    );
}

#[test]
fn a_filter_tells_what_enters_leaves_and_changes_as_sql_compares_it() {
    let mut w = World::new(USERS);
    let filters = [
        "WHERE status = 'premium'",
        "age > '18'",
        "name = 'ANN'",
        "status = \"premium\"",
        "age + 0 > '9' -- all",
    ];
    let heard: Vec<Heard> =
        filters.iter().map(|filter| watch(&mut w.capsule, "users", Some(filter)).1).collect();
    w.sql("INSERT INTO users VALUES(1, 'ann', 9, 'free')");
    w.sql("UPDATE users SET age = 100");
    w.sql("UPDATE users SET status = 'premium', age = 101");
    w.sql("UPDATE users SET status = 'premium', name = 'Bob'");
    w.sql("UPDATE users SET status = NULL, name = 'ANN'");
    w.sql("DELETE FROM users");
    w.capsule.flush();
    let changes = |heard: &Heard| {
        let events = all(heard);
        events.iter().map(|event| event.split(' ').next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(changes(&heard[0]), "enter change leave");
    assert_eq!(changes(&heard[1]), "enter change change change leave", "the column makes the text a number");
    assert_eq!(changes(&heard[2]), "enter change change leave enter leave", "the column ignores case");
    assert_eq!(changes(&heard[3]), "enter change leave");
    assert_eq!(changes(&heard[4]), "", "an expression has no affinity, and every number is below every text");
    assert_eq!(w.told(), []);
}

#[test]
fn a_query_tells_how_its_rows_change() {
    let mut w = World::new(&format!(
        "{USERS}; CREATE TABLE tasks(id INTEGER PRIMARY KEY, user_id, done); CREATE TABLE other(x)"
    ));
    let sql = "SELECT u.id, u.name, COUNT(t.id) AS n FROM users u LEFT JOIN tasks t ON u.id = t.user_id GROUP BY u.id";
    let (_, counts) = watch(&mut w.capsule, sql, None);
    let (_, total) =
        watch(&mut w.capsule, " with a AS (SELECT sum(age) AS s FROM users) SELECT s FROM a", None);
    let (_, view) = {
        w.sql("CREATE VIEW adults AS SELECT name FROM users WHERE age >= 18");
        watch(&mut w.capsule, "SELECT * FROM adults", None)
    };
    w.sql("INSERT INTO users(id, name, age) VALUES(1, 'Ann', 20), (2, 'Bob', 10)");
    w.sql("INSERT INTO tasks(user_id) VALUES(1), (1), (NULL)");
    w.sql("INSERT INTO other VALUES(1); UPDATE users SET status = 'x'");
    w.sql("BEGIN; DELETE FROM users WHERE id = 2; INSERT INTO users(id, name) VALUES(2, 'Bob'); COMMIT");
    w.sql("DELETE FROM users WHERE id = 1");
    w.capsule.flush();
    assert_eq!(
        all(&counts),
        ["enter 1 ->1,Ann,0", "enter 2 ->2,Bob,0", "change 1 1,Ann,0>1,Ann,2", "leave 1 1,Ann,2>-"]
    );
    // Nothing tells its one row apart from another.
    assert_eq!(
        all(&total),
        [
            "enter 30 ->30",
            "leave NULL NULL>-",
            "enter 20 ->20",
            "leave 30 30>-",
            "enter NULL ->NULL",
            "leave 20 20>-"
        ]
    );
    assert_eq!(all(&view), ["enter Ann ->Ann", "leave Ann Ann>-"]);
    // A change of the schema may change the rows; a query that cannot run any more is told.
    w.sql("DROP TABLE tasks");
    let told = w.told();
    assert!(told.len() == 1 && told[0].1.contains("tasks"), "{told:?}");
    w.eval(
        "glyphcase.watch('SELECT sum(age) AS s FROM users', function(events) keys = events end)
         glyphcase.insert('users', { age = 20 })",
    );
    w.capsule.flush();
    w.eval("assert(#keys == 2 and keys[1].key[1] == 20 and keys[1].row_id == 20 and keys[2].key[1] == json.null and keys[2].row_id == nil)");
}

#[test]
fn watchers_follow_the_schema() {
    let mut w = World::new(
        "CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(id INTEGER PRIMARY KEY); CREATE VIEW v AS SELECT id FROM a",
    );
    let (_, view) = watch(&mut w.capsule, "SELECT id FROM v", None);
    let (_, table) = watch(&mut w.capsule, "a", None);
    w.sql("INSERT INTO a VALUES(1); DROP VIEW v; CREATE VIEW v AS SELECT id FROM b; INSERT INTO b VALUES(2)");
    w.capsule.flush();
    assert_eq!(w.told().len(), 1, "there was no view for a while");
    assert_eq!(all(&view), ["enter 1 ->1", "leave 1 1>-", "enter 2 ->2"]);
    w.sql("DROP VIEW v; INSERT INTO b VALUES(3)");
    assert_eq!(w.told().len(), 1, "once");
    w.sql("INSERT INTO b VALUES(4); CREATE VIEW v AS SELECT id FROM b WHERE id > 3; INSERT INTO b VALUES(5)");
    w.capsule.flush();
    assert_eq!(w.told(), []);
    assert_eq!(all(&view), ["enter 4 ->4", "leave 2 2>-", "enter 5 ->5"]);
    assert_eq!(all(&table), ["enter 1 ->1"]);
    w.sql("ALTER TABLE a ADD COLUMN x; INSERT INTO a VALUES(2, 'x')");
    w.sql("BEGIN; CREATE TABLE c(id INTEGER PRIMARY KEY, x); INSERT INTO c SELECT * FROM a; DROP TABLE a; ALTER TABLE c RENAME TO a; COMMIT");
    w.sql("INSERT INTO a VALUES(3, 'y')");
    w.capsule.flush();
    assert_eq!(w.told(), [], "a table of that name is there");
    assert_eq!(all(&table).last().map(String::as_str), Some("enter 3 ->3,y"));
    w.sql("ALTER TABLE a RENAME TO d");
    let told = w.told();
    assert!(
        told.len() == 1 && told[0].0 == ErrorKind::Schema && told[0].1.contains("watches a,"),
        "{told:?}"
    );
}

#[test]
fn keys_of_every_kind_name_their_row() {
    let mut w = World::new(
        "CREATE TABLE texts(id TEXT PRIMARY KEY, v) WITHOUT ROWID;
         CREATE TABLE pairs(a, b, v, PRIMARY KEY(a, b));
         CREATE TABLE bare(v);
         CREATE TABLE big(id INTEGER PRIMARY KEY)",
    );
    let texts = watch(&mut w.capsule, "texts", None).1;
    let pairs = watch(&mut w.capsule, "pairs", None).1;
    let bare = watch(&mut w.capsule, "bare", None).1;
    let big = watch(&mut w.capsule, "big", None).1;
    w.eval(
        "rows = {} for _, t in ipairs { 'texts', 'pairs', 'bare', 'big' } do
           glyphcase.watch(t, function(events) for _, e in ipairs(events) do rows[#rows + 1] = e.row_id end end)
         end",
    );
    w.sql(
        "INSERT INTO texts VALUES('k', 1); INSERT INTO pairs VALUES(1, 'x', 1); INSERT INTO bare VALUES(5)",
    );
    w.sql("INSERT INTO big VALUES(9007199254740993)");
    w.sql("UPDATE texts SET id = 'l'; UPDATE pairs SET v = 2");
    w.capsule.flush();
    let sorted = |heard: &Heard| {
        let mut events = all(heard);
        events.sort();
        events
    };
    assert_eq!(sorted(&texts), ["enter k ->k,1", "enter l ->l,1", "leave k k,1>-"]);
    assert_eq!(all(&pairs), ["enter [1,\"x\"] ->1,x,1", "change [1,\"x\"] 1,x,1>1,x,2"]);
    assert_eq!(all(&bare), ["enter 1 ->5"]);
    assert_eq!(all(&big), ["enter 9007199254740993 ->9007199254740993"]);
    w.eval("assert(rows[1] == 'k' and rows[4] == '[1,\"x\"]' and rows[6] == 1 and rows[7] == 9007199254740993, table.concat(rows, ' '))");
}

#[test]
fn batches_go_out_by_time_and_by_size_and_are_never_split() {
    let set = |builder: perilune_capsule::CapsuleBuilder| builder.batch(Duration::from_millis(200), 4);
    let mut w = World::with(&Location::Memory, USERS, set);
    let (_, heard) = watch(&mut w.capsule, "users", None);
    let sizes = |heard: &Heard| heard.take().iter().map(Vec::len).collect::<Vec<_>>();
    w.sql("INSERT INTO users(age) VALUES(1)");
    assert_eq!(w.capsule.next_due().expect("answers"), Some(support::START + 200));
    w.pass(199);
    w.sql("INSERT INTO users(age) VALUES(2)");
    assert_eq!(sizes(&heard), []);
    w.pass(1);
    assert_eq!(sizes(&heard), [2], "the time counts from the first");
    assert_eq!(w.capsule.next_due().expect("answers"), None);
    w.sql("INSERT INTO users(age) VALUES(1), (2), (3)");
    assert_eq!(sizes(&heard), []);
    w.sql("INSERT INTO users(age) VALUES(4), (5), (6)");
    assert_eq!(sizes(&heard), [6]);
    w.sql("INSERT INTO users(age) VALUES(7)");
    w.capsule.flush();
    w.capsule.flush();
    assert_eq!(sizes(&heard), [1]);
    w.sql("BEGIN; INSERT INTO users(age) VALUES(1), (2), (3), (4), (5)");
    w.capsule.flush();
    w.pass(1000);
    assert_eq!(sizes(&heard), []);
    w.sql("INSERT INTO users(age) VALUES(1); COMMIT");
    assert_eq!(sizes(&heard), [6]);
    w.sql("BEGIN; INSERT INTO users(age) VALUES(1), (2), (3), (4), (5); ROLLBACK");
    w.capsule.flush();
    assert_eq!(sizes(&heard), []);
}

#[test]
fn nobody_is_told_who_is_gone() {
    let mut w = World::new(USERS);
    let (id, heard) = watch(&mut w.capsule, "users", None);
    let second: Rc<RefCell<usize>> = Rc::default();
    let kept = Rc::clone(&second);
    let subscription =
        w.capsule.subscribe(&id, move |events| *kept.borrow_mut() += events.len()).expect("subscribes");
    assert_eq!(w.scalar("SELECT subscription_count FROM _capsule_watchers"), 2.into());
    w.sql("INSERT INTO users(age) VALUES(1)");
    assert!(w.capsule.unsubscribe(&subscription) && !w.capsule.unsubscribe(&subscription));
    w.capsule.flush();
    assert_eq!((all(&heard).len(), second.take()), (1, 0));
    w.sql("INSERT INTO users(age) VALUES(2)");
    assert!(w.capsule.unwatch(&id) && !w.capsule.unwatch(&id));
    w.capsule.flush();
    assert_eq!(all(&heard).len(), 0);
    refused(w.capsule.subscribe(&id, |_| {}), ErrorKind::Usage, "no watcher");
    assert!(!w.capsule.unwatch("nothing") && !w.capsule.unsubscribe("nothing"));
    w.eval(
        "n = 0 id = glyphcase.watch('users', function(events) n = n + #events end)
         assert(glyphcase.unwatch('nothing') == false)",
    );
    w.sql("INSERT INTO users(age) VALUES(3)");
    w.eval(
        "assert(glyphcase.unwatch(id) == true and glyphcase.unwatch(id) == false) glyphcase.unwatch_all()",
    );
    w.capsule.flush();
    assert_eq!(w.value("n"), 0.into());
    w.eval("glyphcase.watch('users', function() n = n + 1 end) glyphcase.watch('users', function() n = n + 1 end)");
    w.sql("INSERT INTO users(age) VALUES(3)");
    w.eval("glyphcase.unwatch_all()");
    w.capsule.flush();
    assert_eq!(w.value("n"), 0.into());
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_watchers"), 0.into());
}

#[test]
fn what_cannot_be_watched_is_refused() {
    let mut w = World::new(USERS);
    w.capsule.execute("CREATE VIEW adults AS SELECT * FROM users WHERE age >= 18", ()).expect("makes it");
    for (target, filter, kind, text) in [
        ("nothing", None, ErrorKind::Usage, "no table nothing"),
        ("", None, ErrorKind::Usage, "no table"),
        ("sqlite_master", None, ErrorKind::Usage, "no table"),
        ("_capsule_log", None, ErrorKind::Usage, "no table"),
        ("users; DROP TABLE users", None, ErrorKind::Usage, "no table"),
        ("users", Some(""), ErrorKind::Usage, ""),
        ("users", Some("WHERE"), ErrorKind::Usage, ""),
        ("users", Some("nothing = 1"), ErrorKind::Sql, "nothing"),
        ("users", Some("age >"), ErrorKind::Sql, ""),
        ("users", Some("age > ?"), ErrorKind::Usage, ""),
        ("users", Some("age > :age"), ErrorKind::Usage, ""),
        ("users", Some("age, name"), ErrorKind::Usage, ""),
        ("users", Some("1) FROM users; DELETE FROM users; SELECT (1"), ErrorKind::Usage, ""),
        ("users", Some("sum(age) > 1"), ErrorKind::Sql, "misuse"),
        ("users", Some("row_number() OVER () > 1"), ErrorKind::Sql, "misuse"),
        ("users", Some("1) UNION SELECT (2"), ErrorKind::Usage, ""),
        ("users", Some("1), (2"), ErrorKind::Usage, ""),
        ("users", Some("1) OR (1"), ErrorKind::Usage, "no expression"),
        ("adults", None, ErrorKind::Usage, "watch a query"),
        ("users", Some("1) IS TRUE FROM users /*"), ErrorKind::Usage, ""),
        ("SELECT * FROM users", Some("age > 1"), ErrorKind::Usage, "a filter is for tables"),
        ("SELECT * FROM nothing", None, ErrorKind::Sql, "nothing"),
        ("SELECT * FROM users WHERE id = ?", None, ErrorKind::Usage, ""),
        ("SELECT 1; SELECT 2", None, ErrorKind::Usage, ""),
        ("WITH a AS (SELECT 1) DELETE FROM users", None, ErrorKind::Usage, "only a query"),
    ] {
        let result = w.capsule.watch(target, filter);
        let error = result.expect_err(&format!("{target} / {filter:?}"));
        assert!(
            error.kind() == kind || error.kind() == ErrorKind::Sql,
            "{target} / {filter:?}: {:?} {error}",
            error.kind()
        );
        assert!(error.to_string().contains(text), "{target} / {filter:?}: {error}");
    }
    w.eval(
        "for _, wrong in ipairs { { 'users' }, { 'users', 5 }, { 'users', {}, print }, { 5, print }, { 'users', 'age > ?', print }, { 'users', '\\xff', print } } do
           local ok, e = pcall(glyphcase.watch, table.unpack(wrong, 1, 3))
           assert(not ok and e.kind, tostring(e))
         end",
    );
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_watchers"), 0.into());
}

#[test]
fn sql_shows_watchers_subscriptions_and_events() {
    let mut w = World::new(USERS);
    w.sql("INSERT INTO users(age) VALUES(1)");
    assert_eq!(w.scalar("SELECT watcher_id IS NULL FROM _capsule_events"), 1.into());
    let (id, _) = watch(&mut w.capsule, "users", Some("WHERE age > 18"));
    w.eval("glyphcase.watch('users', print)");
    assert_eq!(w.scalar("SELECT watcher_id FROM _capsule_events").as_str(), Some(&*id), "the first");
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_events WHERE processed"), 0.into());
    w.capsule.flush();
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_events WHERE NOT processed"), 0.into());
    let watcher = w.scalar(
        "SELECT table_or_query || '|' || filter_expression || '|' || created_at || '|' || (updated_at = created_at) || is_active
           || subscription_count || length(id) || ifnull(description, '')
         FROM _capsule_watchers WHERE filter_expression IS NOT NULL",
    );
    assert_eq!(watcher, "users|age > 18|2026-11-29 12:00:00.000|11136".into());
    assert_eq!(
        w.scalar("SELECT subscription_count FROM _capsule_watchers WHERE filter_expression IS NULL"),
        1.into()
    );
    let subscriptions = w.scalar(
        "SELECT group_concat(listener_type || ':' || (watcher_id IN (SELECT id FROM _capsule_watchers)) || is_active
           || ifnull(filter_json, '') || (listener_id <> '') || created_at, ' ')
         FROM _capsule_subscriptions",
    );
    assert_eq!(subscriptions, "lua:1112026-11-29 12:00:00.000 custom:1112026-11-29 12:00:00.000".into());
}

#[test]
fn watchers_that_fail_write_or_unwatch_leave_the_others_alone() {
    let mut w = World::new(&format!("{USERS}; CREATE TABLE log(t)"));
    w.eval(
        "told = {}
         glyphcase.watch('users', function() error('mine') end)
         first = glyphcase.watch('users', function() told[#told + 1] = 'first' glyphcase.unwatch(second) end)
         second = glyphcase.watch('users', function() told[#told + 1] = 'second' end)
         glyphcase.watch('users', function(events) told[#told + 1] = 'third'
           glyphcase.watch('users', function() told[#told + 1] = 'new' end)
           for _, e in ipairs(events) do glyphcase.insert('log', { t = e.operation }) end end)",
    );
    w.sql("INSERT INTO users(age) VALUES(1)");
    w.capsule.flush();
    assert_eq!(w.value("table.concat(told, ' ')"), "first third".into());
    let told = w.told();
    assert!(told.len() == 1 && told[0].1.contains("a watcher: ") && told[0].1.contains("mine"), "{told:?}");
    assert_eq!(w.scalar("SELECT group_concat(t) FROM log"), "INSERT".into());
    assert_eq!(w.scalar("SELECT cause IS NOT NULL FROM _capsule_tx ORDER BY tx DESC LIMIT 1"), 1.into());
    w.sql("INSERT INTO users(age) VALUES(2)");
    w.capsule.flush();
    assert_eq!(w.value("table.concat(told, ' ')"), "first third first third new".into());
}

#[test]
fn a_chain_of_watchers_has_an_end_that_is_told() {
    let mut w = World::new(USERS);
    w.eval("runs = 0 glyphcase.watch('users', function() runs = runs + 1 glyphcase.insert('users', { age = runs }) end)");
    w.sql("INSERT INTO users(age) VALUES(0)");
    w.capsule.flush();
    assert_eq!(w.value("runs"), 17.into());
    let told = w.told();
    assert!(told.len() == 1 && told[0].0 == ErrorKind::Limit, "{told:?}");
    assert!(told[0].1.contains("users") && told[0].1.contains("16 links"), "{told:?}");
    w.sql("INSERT INTO users(age) VALUES(0)");
    w.capsule.flush();
    assert_eq!(w.value("runs"), 34.into(), "the next chain is another one");
}

#[test]
fn a_query_that_is_watched_in_a_transaction_begins_with_its_end() {
    let mut w = World::new(USERS);
    w.eval(
        "told = {} query = 'SELECT id FROM users'
         function note(events) for _, e in ipairs(events) do told[#told + 1] = e.change .. e.new_data.id end end
         pcall(glyphcase.transaction, function()
           glyphcase.insert('users', { age = 1 }) glyphcase.watch(query, note) error('taken back')
         end)
         glyphcase.transaction(function()
           pcall(glyphcase.transaction, function()
             glyphcase.insert('users', { id = 5 }) glyphcase.watch(query, note) error('a part is taken back')
           end)
           glyphcase.insert('users', { id = 6 })
         end)",
    );
    w.sql("INSERT INTO users(id) VALUES(7)");
    w.capsule.flush();
    assert_eq!(w.value("table.concat(told, ' ')"), "enter6 enter7 enter7".into());
    assert_eq!(w.told(), []);
}

/// Rows of the model: id, name, age.
type Rows = BTreeMap<i64, (Option<String>, Option<i64>)>;

/// A filter, and what it means for a row.
type Filter = (&'static str, fn(&(Option<String>, Option<i64>)) -> bool);

const FILTERS: &[Filter] = &[
    ("age > '5'", |row| row.1.is_some_and(|age| age > 5)),
    ("age IS NULL", |row| row.1.is_none()),
    ("name = 'ANN'", |row| row.0.as_ref().is_some_and(|name| name.eq_ignore_ascii_case("ann"))),
    ("name IN ('ann', 'bob') AND NOT age = 3", |row| {
        let named = row.0.as_ref().is_some_and(|name| ["ann", "bob"].contains(&&*name.to_ascii_lowercase()));
        named && row.1.is_some_and(|age| age != 3)
    }),
    ("coalesce(age, 0) % 2 = 0 OR name > 'B'", |row| {
        row.1.unwrap_or(0) % 2 == 0
            || row.0.as_ref().is_some_and(|name| name.to_ascii_lowercase().as_str() > "b")
    }),
];

#[test]
fn random_changes_are_told_as_a_model_says() {
    let mut w = World::new("CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, age INTEGER)");
    let random = w.clock.clone();
    let heard: Vec<Heard> =
        FILTERS.iter().map(|(filter, _)| watch(&mut w.capsule, "t", Some(filter)).1).collect();
    let query = watch(&mut w.capsule, "SELECT id, name, age FROM t WHERE age > '5'", None).1;
    let mut rows = Rows::new();
    let mut told = 0;
    for round in 0..400 {
        let before = rows.clone();
        w.sql("BEGIN");
        for _ in 0..=random.next_random() % 6 {
            let id = (random.next_random() % 6) as i64;
            let name = ["ann", "ANN", "Bob", "c", ""].get((random.next_random() % 6) as usize);
            let age = Some((random.next_random() % 9) as i64).filter(|age| *age < 8);
            let row = (name.map(|name| (*name).to_owned()), age);
            let values = [SqlValue::from(id), name.copied().into(), age.into()];
            match random.next_random() % 4 {
                0 => {
                    w.capsule.execute("DELETE FROM t WHERE id = ?", &values[..1]).expect("deletes");
                    rows.remove(&id);
                }
                1 if rows.contains_key(&id) => {
                    w.capsule
                        .execute("UPDATE t SET name = ?2, age = ?3 WHERE id = ?1", &values[..])
                        .expect("updates");
                    rows.insert(id, row);
                }
                2 => {
                    w.sql("SAVEPOINT s");
                    w.capsule
                        .execute("INSERT OR REPLACE INTO t VALUES(?, ?, ?)", &values[..])
                        .expect("inserts");
                    w.sql("ROLLBACK TO s; RELEASE s");
                }
                _ => {
                    w.capsule
                        .execute("INSERT OR REPLACE INTO t VALUES(?, ?, ?)", &values[..])
                        .expect("inserts");
                    rows.insert(id, row);
                }
            }
        }
        if random.next_random().is_multiple_of(5) {
            w.sql("ROLLBACK");
            rows.clone_from(&before);
        } else {
            w.sql("COMMIT");
        }
        w.capsule.flush();
        let expected = |matches: fn(&(Option<String>, Option<i64>)) -> bool, whole: bool| {
            let mut events = Vec::new();
            for id in 0..6 {
                let (old, new) = (before.get(&id), rows.get(&id));
                if old == new {
                    continue;
                }
                let change = match (old.is_some_and(matches), new.is_some_and(matches)) {
                    (false, true) => "enter",
                    (true, false) => "leave",
                    (true, true) => "change",
                    (false, false) => continue,
                };
                // A query knows nothing of rows that it does not have.
                let show = |row: Option<&(Option<String>, Option<i64>)>| {
                    row.filter(|row| whole || matches(row)).map_or("-".to_owned(), |(name, age)| {
                        let name = name.clone().unwrap_or("NULL".into());
                        format!("{id},{name},{}", age.map_or("NULL".into(), |age| age.to_string()))
                    })
                };
                events.push(format!("{change} {id} {}>{}", show(old), show(new)));
            }
            events
        };
        for (at, (filter, matches)) in FILTERS.iter().enumerate() {
            let mut events = all(&heard[at]);
            events.sort_by_key(|event| event.split(' ').nth(1).map(str::to_owned));
            assert_eq!(events, expected(*matches, true), "round {round}: {filter}");
            told += events.len();
        }
        let mut events = all(&query);
        events.sort_by_key(|event| event.split(' ').nth(1).map(str::to_owned));
        assert_eq!(events, expected(FILTERS[0].1, false), "round {round}: the query");
    }
    assert!(told > 500, "{told}");
    assert_eq!(w.told(), []);
}

/// Values of a column that is named as the constant have changed what filters meant, which asked `IS TRUE`.
#[test]
fn a_filter_means_the_same_beside_a_column_that_is_named_true() {
    let mut w = World::new("CREATE TABLE t(id INTEGER PRIMARY KEY, n, \"true\", \"false\")");
    let (_, heard) = watch(&mut w.capsule, "t", Some("n > 1"));
    w.sql("INSERT INTO t(n) VALUES(NULL), (0), (2)");
    w.capsule.flush();
    assert_eq!(all(&heard), ["enter 3 ->3,2,NULL,NULL"]);
}

/// Comparisons with a literal are looked up by the values of a row. In parentheses they are not: both tell
/// the same, whatever types, collations and changes of the schema there are.
#[test]
fn filters_that_are_looked_up_tell_what_those_that_are_asked_tell() {
    const LITERALS: &[&str] = &["1", "2", "-1", "'1'", "'a'", "'A'", "'1.0'", "''", "\"a\"", "1.0", "x'61'"];
    const VALUES: &[&str] =
        &["1", "2", "-1", "'1'", "'a'", "'A'", "1.0", "1.5", "NULL", "x'61'", "''", "'2 '"];
    let mut w = World::new(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, i INTEGER, t TEXT, n TEXT COLLATE NOCASE, r REAL, b BLOB, x,
           g AS (i + 1), \"true\" INTEGER)",
    );
    let mut heard = Vec::new();
    for column in ["id", "i", "t", "n", "r", "b", "x", "g", "true", "rowid", "TRUE", "I"] {
        for literal in LITERALS {
            let filter = format!("{column} = {literal}");
            let asked = watch(&mut w.capsule, "t", Some(&format!("({filter})"))).1;
            heard.push((filter.clone(), watch(&mut w.capsule, "t", Some(&filter)).1, asked));
        }
    }
    let random = Clock::default();
    let pick = |of: &[&'static str]| of[random.next_random() as usize % of.len()];
    let mut told = 0;
    for round in 0..120 {
        if round == 60 {
            w.sql("ALTER TABLE t ADD COLUMN a TEXT DEFAULT 'a'");
        }
        w.sql("BEGIN");
        for _ in 0..3 {
            let id = pick(&["1", "2", "3"]);
            let row = ["i", "t", "n", "r", "b", "x", "\"true\""].map(|name| (name, pick(VALUES)));
            if pick(&["insert", "insert", "update", "delete"]) == "delete" {
                w.sql(&format!("DELETE FROM t WHERE id = {id}"));
                continue;
            }
            let (names, values): (Vec<_>, Vec<_>) = row.into_iter().unzip();
            let (names, values) = (names.join(","), values.join(","));
            w.sql(&format!("INSERT OR REPLACE INTO t(id,{names}) VALUES({id},{values})"));
        }
        w.sql("COMMIT");
        w.capsule.flush();
        for (filter, looked_up, asked) in &heard {
            let (looked_up, asked) = (all(looked_up), all(asked));
            assert_eq!(looked_up, asked, "round {round}: {filter}");
            told += asked.len();
        }
    }
    assert!(told > 500, "{told}");
    assert_eq!(w.told(), []);
}
