//! Undoing and previewing transactions, and what the log keeps.

use perilune_capsule::{
    Blocker, Database, Durability, Environment, ErrorKind, Location, Retention, Source, SqlValue, Undo,
};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A clock that the test turns.
#[derive(Debug, Clone, Default)]
struct Clock(Rc<Cell<i64>>);

impl Environment for Clock {
    fn now(&mut self) -> i64 {
        self.0.get()
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

fn open(schema: &str) -> (Database, Clock) {
    let clock = Clock::default();
    let db = Database::open(&Location::Memory, Durability::Relaxed, Box::new(clock.clone())).expect("opens");
    db.execute(schema, ()).expect("the schema is right");
    (db, clock)
}

/// The rows of a query, as text.
fn shown(db: &Database, sql: &str) -> String {
    format!("{:?}", db.query(sql, ()).expect(sql).rows)
}

/// Runs statements as one transaction, and returns its number.
fn transact(db: &Database, sql: &str) -> i64 {
    db.execute(&format!("BEGIN; {sql}; COMMIT"), ()).expect(sql);
    db.changes_since(0, 100_000).expect("reads").last().expect("changed something").transaction
}

const SCHEMA: &str = "
CREATE TABLE plain(id INTEGER PRIMARY KEY, a UNIQUE, half REAL AS (a / 2.0) STORED, twice AS (a * 2));
CREATE TABLE pairs(a, b TEXT, v BLOB, PRIMARY KEY(a, b));
CREATE TABLE bare(v);
CREATE TABLE kids(id INTEGER PRIMARY KEY, parent REFERENCES plain ON DELETE CASCADE);
CREATE TABLE counts(id INTEGER PRIMARY KEY, n);
CREATE TRIGGER counted AFTER INSERT ON plain BEGIN INSERT INTO counts VALUES(NEW.id, 1); END;
CREATE VIRTUAL TABLE texts USING fts5(body);
INSERT INTO plain(id, a) VALUES(1, 10), (2, 20);
INSERT INTO pairs VALUES(1, 'x', x'00'), (NULL, 'n', 1), (NULL, 'n', 2);
INSERT INTO bare VALUES(0.5), ('text'), (NULL);
INSERT INTO kids VALUES(1, 1), (2, 2);
INSERT INTO texts(body) VALUES('one'), ('two')";

const TABLES: &[&str] = &[
    "SELECT * FROM plain",
    "SELECT rowid, * FROM pairs ORDER BY rowid",
    "SELECT rowid, * FROM bare ORDER BY rowid",
    "SELECT * FROM kids",
    "SELECT * FROM counts",
    "SELECT rowid, * FROM texts ORDER BY rowid",
];

fn all(db: &Database) -> Vec<String> {
    TABLES.iter().map(|sql| shown(db, sql)).collect()
}

#[test]
fn what_is_undone_is_as_it_was_and_can_be_done_again() {
    let (db, _) = open(SCHEMA);
    for sql in [
        "INSERT INTO plain(id, a) VALUES(3, 30)",
        "UPDATE plain SET a = 15 WHERE id = 1; INSERT INTO kids VALUES(9, 1)",
        "DELETE FROM plain WHERE id = 2",
        "UPDATE plain SET id = 7 WHERE id = 2; UPDATE kids SET parent = 7 WHERE id = 2",
        "DELETE FROM pairs",
        "UPDATE pairs SET v = NULL; UPDATE pairs SET a = 5 WHERE rowid = 2",
        "DELETE FROM bare WHERE v = 'text'; UPDATE bare SET v = -0.0 WHERE v = 0.5; INSERT INTO bare VALUES('new')",
        "DELETE FROM texts WHERE rowid = 1; UPDATE texts SET body = 'three' WHERE rowid = 2",
        "DELETE FROM kids; DELETE FROM counts; DELETE FROM plain; INSERT INTO plain(id, a) VALUES(2, 10)",
    ] {
        let before = all(&db);
        db.execute("PRAGMA defer_foreign_keys = ON", ()).expect("is for the next transaction");
        let transaction = transact(&db, &format!("PRAGMA defer_foreign_keys = ON; {sql}"));
        let after = all(&db);
        assert_ne!(before, after, "{sql}");
        assert!(matches!(db.undo(transaction).expect(sql), Undo::Done { .. }), "{sql}");
        assert_eq!(all(&db), before, "{sql}");
        let undone = db.changes_since(0, 100_000).expect("reads").pop().expect("is there");
        assert_eq!(undone.source, Source::Undo.name());
        assert!(matches!(db.undo(undone.transaction).expect(sql), Undo::Done { .. }));
        assert_eq!(all(&db), after, "again: {sql}");
        let again = db.changes_since(0, 100_000).expect("reads").pop().expect("is there").transaction;
        assert!(matches!(db.undo(again).expect(sql), Undo::Done { .. }));
        assert_eq!(all(&db), before, "and back: {sql}");
    }
}

#[test]
fn who_has_changed_a_row_since_is_told() {
    let (db, _) = open(SCHEMA);
    let first = transact(&db, "UPDATE plain SET a = 11 WHERE id = 1; UPDATE plain SET a = 21 WHERE id = 2");
    let second = transact(&db, "UPDATE plain SET a = 12 WHERE id = 1");
    let before = all(&db);
    let blocker = Blocker { table: "plain".into(), key: vec![1.into()], transaction: Some(second) };
    assert_eq!(db.undo(first).expect("answers"), Undo::Blocked(vec![blocker]));
    assert_eq!(all(&db), before, "nothing was written");
    transact(&db, "UPDATE plain SET a = 11 WHERE id = 1");
    assert!(matches!(db.undo(first).expect("answers"), Undo::Done { rows: 2 }), "it is as it was left");
    // A row that others refer to by now would take theirs along.
    let inserted = transact(&db, "INSERT INTO plain(id, a) VALUES(8, 80)");
    let child = transact(&db, "INSERT INTO kids VALUES(80, 8)");
    let before = all(&db);
    let blocker = Blocker { table: "kids".into(), key: vec![80.into()], transaction: Some(child) };
    assert_eq!(db.undo(inserted).expect("answers"), Undo::Blocked(vec![blocker]));
    assert_eq!(all(&db), before, "nothing was written");
    let nested = db.transaction(|db| db.undo(inserted).map(drop));
    assert_eq!(nested.expect_err("is in another").kind(), ErrorKind::Usage);
    let gone = transact(&db, "DELETE FROM bare");
    db.execute("DROP TABLE bare", ()).expect("drops");
    let Undo::Blocked(blockers) = db.undo(gone).expect("answers") else { panic!("there is no such table") };
    assert_eq!(blockers.len(), 3);
}

#[test]
fn what_cannot_be_undone_says_why() {
    let (db, _) = open("CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE)");
    assert_eq!(db.undo(99).expect_err("unknown").kind(), ErrorKind::Usage);
    let deleted = {
        transact(&db, "INSERT INTO t VALUES(1, 'a')");
        transact(&db, "DELETE FROM t")
    };
    transact(&db, "INSERT INTO t VALUES(2, 'a')");
    assert_eq!(db.undo(deleted).expect_err("is taken").kind(), ErrorKind::Constraint);
    assert_eq!(shown(&db, "SELECT id FROM t"), "[[Integer(2)]]");
    let last = transact(&db, "DELETE FROM t");
    db.execute("DELETE FROM _capsule_events", ()).expect("deletes what was processed");
    assert!(matches!(db.undo(last), Ok(Undo::Done { .. })), "what was not processed is still there");
}

#[test]
fn a_preview_tells_what_would_be_and_leaves_nothing() {
    let (db, _) = open(SCHEMA);
    let before = (all(&db), db.changes_since(0, 100_000).expect("reads").len());
    let changes = db.preview(|db| {
        db.execute("DELETE FROM plain WHERE id = 1; CREATE TABLE more(x); INSERT INTO more VALUES(1)", ())?;
        Ok(())
    });
    let tables: Vec<String> =
        changes.expect("tells").iter().map(|change| change.table().to_owned()).collect();
    assert_eq!(tables, ["plain", "kids", "more"]);
    let error = db.preview(|db| db.execute("no statement", ()).map(drop)).expect_err("fails");
    assert_eq!(error.kind(), ErrorKind::Sql);
    let nested = db.transaction(|db| db.preview(|_| Ok(())).map(drop));
    assert_eq!(nested.expect_err("is in another").kind(), ErrorKind::Usage);
    assert_eq!((all(&db), db.changes_since(0, 100_000).expect("reads").len()), before);
    db.execute("INSERT INTO bare VALUES(9)", ()).expect("goes on");
    assert_eq!(
        shown(&db, "SELECT count(*) FROM _capsule_transactions WHERE status <> 'committed'"),
        "[[Integer(1)]]",
        "the nested one"
    );
}

#[test]
fn the_log_keeps_what_is_young_and_what_somebody_waits_for() {
    let (db, clock) = open("CREATE TABLE a(x); CREATE TABLE b(x)");
    let insert = |sql: &str| db.execute(sql, ()).map(drop).expect(sql);
    let left = || shown(&db, "SELECT new_data FROM _capsule_events ORDER BY id");
    insert("INSERT INTO a VALUES(1); INSERT INTO b VALUES(2)");
    db.with_source(Source::Sync, || insert("INSERT INTO a VALUES(3)"));
    clock.0.set(8 * DAY_MS);
    insert("INSERT INTO a VALUES(4)");
    let retention = Retention { tables: BTreeMap::from([("b".to_owned(), 20)]), ..Retention::default() };
    let sweep = || db.sweep(&retention).expect("sweeps");
    assert_eq!(sweep(), 0, "nothing was delivered yet");
    mark_delivered(&db);
    assert_eq!(sweep(), 1);
    assert!(!left().contains("49"), "the old change of a is gone: {}", left());
    clock.0.set(21 * DAY_MS);
    assert_eq!(sweep(), 2, "b after 20 days, the newer one of a after 7");
    clock.0.set(31 * DAY_MS);
    assert_eq!(sweep(), 1, "what came from elsewhere after 30");
    assert_eq!(
        shown(&db, "SELECT count(*) FROM _capsule_transactions"),
        "[[Integer(1)]]",
        "the last one names the next"
    );
    let last = db.changes_since(0, 10).expect("reads");
    assert!(last.is_empty());
    insert("INSERT INTO a VALUES(5)");
    let next = db.changes_since(0, 10).expect("reads").remove(0);
    assert_eq!(next.seq, 5, "numbers are never used again");
    assert!(next.transaction > 4, "{}", next.transaction);
}

#[test]
fn the_log_has_a_size() {
    let (db, _) = open("CREATE TABLE a(x)");
    for n in 0..20 {
        db.insert("a", &[("x", SqlValue::from("x".repeat(1000 + n)))]).expect("inserts");
    }
    mark_delivered(&db);
    let retention = Retention { bytes: 5 * 1200, ..Retention::default() };
    let deleted = db.sweep(&retention).expect("sweeps");
    let left = db.changes_since(0, 100).expect("reads");
    assert_eq!(deleted as usize + left.len(), 20);
    assert!((3..=6).contains(&left.len()), "{}", left.len());
    assert_eq!(left.last().map(|change| change.seq), Some(20), "the newest are kept");
}

/// Has all changes delivered to nobody.
fn mark_delivered(db: &Database) {
    let last = db.changes_since(0, 100_000).expect("reads").last().map_or(0, |change| change.seq);
    db.mark_delivered(last).expect("is noted");
}
