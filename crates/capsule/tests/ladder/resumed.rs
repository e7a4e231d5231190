//! Subscribers that come back with the number of the last change that they have seen.

use perilune_capsule::{Capsule, Change, ChangeEvent, LiveOptions, LiveStart, Missed, SqlValue};
use std::cell::RefCell;
use std::rc::Rc;

const SCHEMA: &str = "CREATE TABLE a(id INTEGER PRIMARY KEY, n, u); CREATE TABLE b(id INTEGER PRIMARY KEY);
    CREATE VIEW v AS SELECT n FROM a; INSERT INTO a VALUES(1, 1, 1), (2, 2, 2)";

fn capsule() -> Capsule {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute(SCHEMA, ()).expect("is right");
    capsule
}

fn begin(capsule: &mut Capsule, sql: &str, since: Option<i64>) -> LiveStart {
    let options = LiveOptions { since, ..LiveOptions::default() };
    capsule.live_with(sql, &[], options, |_| {}).expect(sql)
}

/// True if a query that began before some changes is proven to have missed nothing.
fn is_unchanged(sql: &str, changes: &str) -> bool {
    let mut capsule = capsule();
    let seq = begin(&mut capsule, sql, None).seq;
    capsule.execute(changes, ()).expect(changes);
    begin(&mut capsule, sql, Some(seq)).is_unchanged
}

#[test]
fn who_has_missed_nothing_is_told_so() {
    let sql = "SELECT id, n FROM a ORDER BY n";
    assert!(is_unchanged(sql, "SELECT 1"));
    assert!(is_unchanged(sql, "INSERT INTO b DEFAULT VALUES; UPDATE a SET u = u + 1"));
    assert!(!is_unchanged(sql, "UPDATE a SET n = n + 1"));
    assert!(!is_unchanged(sql, "DELETE FROM a WHERE id = 1"));
    assert!(!is_unchanged("SELECT count(*) FROM a", "INSERT INTO a(n) VALUES(1)"));
    assert!(is_unchanged("SELECT count(*) FROM a", "UPDATE a SET n = 7"));
    // Whatever changes the schema can change the rows.
    assert!(!is_unchanged(sql, "CREATE INDEX i ON a(n)"));
    assert!(!is_unchanged(sql, "ALTER TABLE a ADD COLUMN more"));
    assert!(!is_unchanged("SELECT * FROM v", "DROP VIEW v; CREATE VIEW v AS SELECT id AS n FROM a"));
    assert!(!is_unchanged(sql, "VACUUM"));
    assert!(!is_unchanged("SELECT random(), n FROM a", "SELECT 1"));
}

#[test]
fn a_log_that_does_not_reach_back_proves_nothing() {
    let mut capsule = capsule();
    let sql = "SELECT id, n FROM a";
    let begun = begin(&mut capsule, sql, None);
    assert!(!begun.is_unchanged && begun.seq == 2);
    capsule.execute("INSERT INTO b DEFAULT VALUES; INSERT INTO b DEFAULT VALUES", ()).expect("inserts");
    capsule.flush();
    assert!(begin(&mut capsule, sql, Some(2)).is_unchanged);
    assert!(!begin(&mut capsule, sql, Some(99)).is_unchanged, "a number of another database");
    assert!(!begin(&mut capsule, sql, Some(-1)).is_unchanged);
    capsule.execute("DELETE FROM _capsule_events WHERE id = 3", ()).expect("deletes");
    assert!(!begin(&mut capsule, sql, Some(2)).is_unchanged);
    let later = begin(&mut capsule, sql, Some(3));
    assert!(later.is_unchanged);
    assert_eq!(
        (later.seq, later.rows.rows),
        (4, vec![vec![1.into(), 1.into()], vec![2.into(), SqlValue::from(2)]])
    );
}

/// An event as text, with all that it tells.
fn shown(event: &ChangeEvent) -> String {
    format!(
        "{} {} {:?} {} {:?} {:?} {:?} {:?} {} {} {}",
        event.seq(),
        event.watcher_id(),
        event.change(),
        event.operation().name(),
        event.key(),
        event.row_id(),
        event.old_data(),
        event.new_data(),
        event.timestamp(),
        event.transaction_id(),
        event.source().name(),
    )
}

#[test]
fn who_comes_back_hears_of_all_events_that_were_missed() {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    let schema = "CREATE TABLE t(k TEXT PRIMARY KEY, n, v AS (n + 1), b BLOB); CREATE TABLE other(x)";
    capsule.execute(schema, ()).expect("is right");
    let heard: Rc<RefCell<Vec<String>>> = Rc::default();
    let told = Rc::clone(&heard);
    let watcher = capsule.watch("t", Some("v > 2 AND rowid < 100")).expect("watches");
    let listen = move |events: &[ChangeEvent]| told.borrow_mut().extend(events.iter().map(shown));
    capsule.subscribe(&watcher, listen).expect("is there");
    let start = 0;
    for sql in [
        "CREATE TABLE later(x)",
        "INSERT INTO t VALUES('a', 1, x'00'), ('b', 2, NULL), ('c', 2.5, 'text'); INSERT INTO other VALUES(1)",
        "BEGIN; UPDATE t SET n = n + 1; DELETE FROM t WHERE k = 'b'; COMMIT",
        "UPDATE t SET n = 0 WHERE k = 'c'",
    ] {
        capsule.execute(sql, ()).expect(sql);
    }
    assert!(
        matches!(capsule.events_since(&watcher, start), Ok(Missed::Reset)),
        "the schema has changed since"
    );
    let missed = |capsule: &Capsule, since| match capsule.events_since(&watcher, since).expect("is there") {
        Missed::Events(events) => events.iter().map(shown).collect::<Vec<_>>(),
        Missed::Reset => panic!("the log reaches back"),
    };
    assert_eq!(missed(&capsule, 1), Vec::<String>::new(), "they wait for their delivery");
    capsule.flush();
    let all = heard.take();
    assert_eq!(all.len(), 6, "{all:?}");
    for since in 1..=8 {
        let later = |event: &&String| event.split(' ').next().and_then(|seq| seq.parse().ok()) > Some(since);
        assert_eq!(missed(&capsule, since), all.iter().filter(later).cloned().collect::<Vec<_>>());
    }
    assert!(capsule.events_since("nobody", 0).is_err());
    let query = capsule.watch("SELECT count(*) FROM t WHERE n > 0", None).expect("watches");
    let seq = capsule.database().last_change().expect("reads");
    capsule.execute("INSERT INTO other VALUES(2); UPDATE t SET b = 1", ()).expect("runs");
    capsule.flush();
    assert!(matches!(capsule.events_since(&query, seq), Ok(Missed::Events(events)) if events.is_empty()));
    capsule.execute("UPDATE t SET n = n + 1", ()).expect("runs");
    capsule.flush();
    assert!(matches!(capsule.events_since(&query, seq), Ok(Missed::Reset)));
    let entered = Change::Enter;
    assert!(all[0].contains(&format!("{entered:?}")));
}
