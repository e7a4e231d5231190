//! Explanations, and the rung that each kind of query takes.

use perilune_capsule::{Capsule, Decided, Explanation, LiveOptions, Rung, SqlValue};
use std::cell::RefCell;
use std::rc::Rc;

const SCHEMA: &str = "CREATE TABLE a(id INTEGER PRIMARY KEY, n INTEGER, t TEXT COLLATE NOCASE, u);
    CREATE TABLE b(id INTEGER PRIMARY KEY, a INTEGER, v, g AS (v + 1));
    CREATE TABLE w(k TEXT PRIMARY KEY, n) WITHOUT ROWID;
    CREATE VIEW big AS SELECT id, n FROM a WHERE n > 1;
    CREATE VIRTUAL TABLE ft USING fts5(a, b);
    INSERT INTO a VALUES(1, 1, 'x', 0), (2, 2, 'y', 0), (3, 2, 'Z', 0);
    INSERT INTO b(id, a, v) VALUES(1, 1, 1)";

fn capsule() -> Capsule {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute(SCHEMA, ()).expect("is right");
    capsule
}

fn live(capsule: &mut Capsule, sql: &str, params: &[SqlValue]) -> u64 {
    capsule.live(sql, params, |_| {}).expect(sql).0
}

fn explain(sql: &str) -> Explanation {
    let mut capsule = capsule();
    let live = live(&mut capsule, sql, &[]);
    capsule.explain_live(live).expect("is there")
}

/// Counts of how the commits of some statements were decided.
fn decided(sql: &str, changes: &[&str]) -> Decided {
    let mut capsule = capsule();
    let live = live(&mut capsule, sql, &[]);
    for change in changes {
        capsule.execute(change, ()).expect(change);
    }
    capsule.explain_live(live).expect("is there").decided
}

#[test]
fn every_query_says_its_rung_and_why() {
    let rung = |sql: &str| explain(sql).rung;
    for sql in [
        "SELECT * FROM a",
        "SELECT t, n + 1 AS m FROM a AS x WHERE x.n > 1 ORDER BY m DESC, t COLLATE BINARY NULLS LAST, 1 LIMIT 5",
        "SELECT k FROM w ORDER BY n",
        "SELECT rowid, g FROM b WHERE g IS DISTINCT FROM 1",
    ] {
        assert_eq!(rung(sql), Rung::Keys, "{sql}: {:?}", explain(sql));
    }
    for sql in [
        "SELECT count(*) FROM a WHERE n > 1",
        "SELECT DISTINCT n FROM a WHERE t = 'x'",
        "SELECT n, sum(id) FROM a WHERE u = 0 GROUP BY n",
        "SELECT id, row_number() OVER (ORDER BY n) FROM a WHERE n > 1",
    ] {
        assert_eq!(rung(sql), Rung::Images, "{sql}: {:?}", explain(sql));
    }
    for sql in [
        "SELECT a.id, v FROM a JOIN b ON b.a = a.id",
        "SELECT * FROM big",
        "WITH x AS (SELECT n FROM a) SELECT count(*) FROM x",
        "SELECT n FROM a UNION SELECT v FROM b",
        "SELECT * FROM a WHERE n IN (SELECT v FROM b)",
        "SELECT rowid FROM ft WHERE ft MATCH 'x'",
        "SELECT * FROM a WHERE n > random()",
        "SELECT * FROM a WHERE t < datetime('now')",
        "SELECT count(*) FROM a",
        "SELECT value FROM json_each('[1]'), a",
    ] {
        assert_eq!(rung(sql), Rung::Columns, "{sql}: {:?}", explain(sql));
    }
    for sql in [
        "SELECT changes()",
        "SELECT id FROM a WHERE id = last_insert_rowid()",
        "SELECT count(*) FROM _capsule_events",
        "SELECT count(*) FROM sqlite_sequence",
    ] {
        assert_eq!(rung(sql), Rung::Commits, "{sql}: {:?}", explain(sql));
    }
    let explained = explain("SELECT id, v FROM b WHERE (SELECT max(n) FROM big) > 0");
    let tables: Vec<(&str, String)> =
        explained.tables.iter().map(|(table, columns)| (table.as_str(), columns.join(","))).collect();
    assert_eq!(tables, [("a", "id,n".to_owned()), ("b", "id,v".to_owned())]);
    assert_eq!(explained.reason, "it has a part that is a query itself");
    assert_eq!(explained.last_fall, None);
}

#[test]
fn watchers_are_explained() {
    let mut capsule = capsule();
    let table = capsule.watch("a", Some("n > 1")).expect("watches");
    let explained = capsule.explain(&table).expect("is there");
    assert_eq!((explained.rung, explained.rung.name()), (Rung::Table, "table"));
    assert!(explained.reason.contains("n > 1"), "{explained:?}");
    let query = capsule.watch("SELECT t FROM a WHERE n > 1", None).expect("watches");
    assert_eq!(capsule.explain(&query).expect("is there").rung, Rung::Keys);
    assert!(capsule.explain("nobody").is_err() && capsule.explain_live(77).is_err());
}

#[test]
fn what_a_query_does_not_read_runs_nothing() {
    let columns = |columns| Decided { columns, ..Decided::default() };
    let others = &["UPDATE a SET u = u + 1", "UPDATE a SET t = t || 'x' WHERE id = 1"];
    assert_eq!(decided("SELECT id, n FROM a", others), columns(2));
    assert_eq!(decided("SELECT count(*) FROM a", others), columns(2));
    assert_eq!(decided("SELECT n, count(*) FROM a GROUP BY n", others), columns(2));
    assert_eq!(decided("SELECT max(n) FROM big", others), columns(2));
    // What does not concern the tables of a query is not even counted.
    assert_eq!(decided("SELECT v FROM b", others), Decided::default());
    // A generated column follows those that it is made of.
    let of_generated = decided("SELECT g FROM b", &["UPDATE b SET v = 7", "UPDATE b SET a = 7"]);
    assert_eq!(of_generated, Decided { columns: 1, keys: 1, ..Decided::default() });
    let counted = decided("SELECT count(*) FROM a", &["INSERT INTO a(n) VALUES(1)"]);
    assert_eq!(counted, Decided { again: 1, ..Decided::default() });
}

#[test]
fn rows_outside_of_the_condition_run_nothing() {
    let changes =
        &["UPDATE a SET n = n - 10 WHERE id = 1", "INSERT INTO a(n) VALUES(0)", "DELETE FROM a WHERE id = 1"];
    let expected = Decided { images: 3, ..Decided::default() };
    assert_eq!(decided("SELECT count(*), sum(n) FROM a WHERE n > 1", changes), expected);
    let enters = decided("SELECT sum(n) FROM a WHERE n > 1", &["UPDATE a SET n = 9 WHERE id = 1"]);
    assert_eq!(enters, Decided { again: 1, ..Decided::default() });
}

#[test]
fn rows_in_a_window_are_patched_where_that_is_sure() {
    let sql = "SELECT id, n FROM a ORDER BY n DESC, id LIMIT 2";
    // The window is full of rows 2 and 3.
    let keys = |keys, again| Decided { keys, again, ..Decided::default() };
    assert_eq!(decided(sql, &["UPDATE a SET n = 5 WHERE id = 3"]), keys(1, 0));
    assert_eq!(decided(sql, &["INSERT INTO a(n) VALUES(9)", "UPDATE a SET n = 0 WHERE id = 1"]), keys(2, 0));
    // Row 1 comes in, which is not known.
    assert_eq!(decided(sql, &["DELETE FROM a WHERE id = 2"]), keys(0, 1));
    let offset = "SELECT id, n FROM a ORDER BY n DESC, id LIMIT 2 OFFSET 1";
    assert_eq!(decided(offset, &["UPDATE a SET n = 9 WHERE id = 1"]), keys(0, 1));
}

#[test]
fn a_change_of_a_view_is_seen_at_once() {
    let mut capsule = capsule();
    let told: Rc<RefCell<Vec<usize>>> = Rc::default();
    let heard = Rc::clone(&told);
    capsule
        .live("SELECT * FROM big", &[], move |update| heard.borrow_mut().push(update.rows.rows.len()))
        .expect("begins");
    capsule
        .execute("BEGIN; DROP VIEW big; CREATE VIEW big AS SELECT id FROM a WHERE n = 1; COMMIT", ())
        .expect("runs");
    capsule.execute("CREATE INDEX i ON b(v)", ()).expect("runs");
    assert_eq!(*told.borrow(), [1]);
}

#[test]
fn rowids_count_where_they_are_read() {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule
        .execute("CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES('a', 1), ('b', 2)", ())
        .expect("runs");
    let told: Rc<RefCell<Vec<SqlValue>>> = Rc::default();
    let heard = Rc::clone(&told);
    capsule
        .live("SELECT rowid FROM t WHERE k = 'a'", &[], move |update| {
            heard.borrow_mut().push(update.rows.rows[0][0].clone());
        })
        .expect("begins");
    capsule.execute("UPDATE t SET rowid = 9 WHERE k = 'a'", ()).expect("runs");
    capsule.execute("UPDATE t SET rowid = 10, v = 3 WHERE k = 'a'", ()).expect("runs");
    capsule.execute("REPLACE INTO t VALUES('a', 3)", ()).expect("runs");
    assert_eq!(*told.borrow(), [SqlValue::from(9), 10.into(), 11.into()]);
    // A filter knows the rowid, too.
    let watcher = capsule.watch("t", Some("rowid > 11")).expect("watches");
    let events: Rc<RefCell<usize>> = Rc::default();
    let count = Rc::clone(&events);
    capsule.subscribe(&watcher, move |events| *count.borrow_mut() += events.len()).expect("is there");
    capsule.execute("UPDATE t SET v = 4; INSERT INTO t VALUES('c', 5)", ()).expect("runs");
    capsule.flush();
    assert_eq!(*events.borrow(), 1);
}

#[test]
fn a_key_may_be_declared() {
    let mut capsule = capsule();
    capsule.execute("INSERT INTO b(id, a, v) VALUES(2, 1, 1)", ()).expect("inserts");
    let ops: Rc<RefCell<Vec<String>>> = Rc::default();
    let heard = Rc::clone(&ops);
    let options = LiveOptions { key: Some(vec!["v".into(), "n".into()]), ..LiveOptions::default() };
    let sql = "SELECT v, n, max(t) AS t FROM a JOIN b ON b.a >= 0 GROUP BY v, n ORDER BY n";
    capsule
        .live_with(sql, &[], options, move |update| {
            heard.borrow_mut().extend(update.patches.iter().map(|patch| format!("{patch:?}")));
        })
        .expect("begins");
    capsule.execute("UPDATE a SET t = 'zz' WHERE id = 3", ()).expect("updates");
    let [only] = &ops.borrow()[..] else { panic!("{ops:?}") };
    assert!(only.starts_with("Update"), "{only}");
    let options = LiveOptions { key: Some(vec!["none".into()]), ..LiveOptions::default() };
    assert!(capsule.live_with("SELECT * FROM a", &[], options, |_| {}).is_err());
}

#[test]
fn a_window_moves() {
    let mut capsule = capsule();
    let options = LiveOptions { window: Some((1, 1)), ..LiveOptions::default() };
    let begun = capsule.live_with("SELECT id FROM a ORDER BY id; -- all", &[], options.clone(), |_| {});
    let mut begun = begun.expect("begins");
    assert_eq!(begun.rows.rows, [[2.into()]]);
    let patches = capsule.move_live(begun.live, 2, 0).expect("moves");
    for patch in &patches {
        patch.apply(&mut begun.rows.rows);
    }
    assert_eq!((patches.len(), begun.rows.rows), (1, vec![vec![1.into()], vec![2.into()]]));
    let refused =
        |capsule: &mut Capsule, sql: &str| capsule.live_with(sql, &[], options.clone(), |_| {}).is_err();
    assert!(refused(&mut capsule, "SELECT id FROM a LIMIT 3"));
    let whole = live(&mut capsule, "SELECT id FROM a", &[]);
    assert!(capsule.move_live(whole, 1, 1).is_err() && capsule.move_live(99, 1, 1).is_err());
    capsule.execute("BEGIN", ()).expect("begins");
    assert!(capsule.move_live(begun.live, 1, 1).is_err());
}
