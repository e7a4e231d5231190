//! Live queries: patches, applied to the rows before, give what a fresh run gives.

use perilune_capsule::{Capsule, CapsuleError, ErrorKind, Rows, SqlValue};
use std::cell::RefCell;
use std::rc::Rc;

/// Random numbers that a seed repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
}

const SCHEMA: &str = "CREATE TABLE a(id INTEGER PRIMARY KEY, n, t TEXT COLLATE NOCASE);
    CREATE TABLE b(id INTEGER PRIMARY KEY, a INTEGER REFERENCES a ON DELETE CASCADE, v);
    CREATE VIEW sums AS SELECT a.t, sum(v) AS s FROM a LEFT JOIN b ON b.a = a.id GROUP BY a.t";

const QUERIES: &[&str] = &[
    "SELECT * FROM a ORDER BY n, id",
    "SELECT n, t FROM a ORDER BY t DESC, n LIMIT 5 OFFSET 1",
    "SELECT DISTINCT n FROM a",
    "SELECT t, count(*) FROM a GROUP BY t ORDER BY 2, 1",
    "SELECT * FROM sums ORDER BY s",
    "SELECT a.id, b.v FROM a JOIN b ON b.a = a.id WHERE b.v > 2 ORDER BY b.v DESC",
    "WITH big AS (SELECT * FROM b WHERE v > 3) SELECT count(*), max(v) FROM big",
    "SELECT id, (SELECT max(v) FROM b WHERE b.a = a.id) AS m FROM a WHERE n IN (SELECT v FROM b)",
    "VALUES (1), (2)",
];

fn change(random: &mut Random) -> String {
    let (id, n, v) = (random.below(9), random.below(5), random.below(6));
    let t = ["'x'", "'X'", "'y'", "NULL"][random.below(4) as usize];
    match random.below(8) {
        0 | 1 => format!("INSERT OR REPLACE INTO a VALUES({id}, {n}, {t})"),
        2 | 3 => format!("INSERT OR IGNORE INTO b(a, v) VALUES({id}, {v})"),
        4 => format!("UPDATE a SET n = {n} WHERE id = {id}"),
        5 => format!("UPDATE b SET v = v + 1 WHERE a = {id}"),
        6 => format!("DELETE FROM a WHERE id = {id}"),
        _ => format!(
            "BEGIN; UPDATE a SET t = {t}; DELETE FROM b WHERE v = {v}; {}",
            ["COMMIT", "ROLLBACK"][random.below(2) as usize]
        ),
    }
}

#[test]
fn patched_rows_are_those_of_a_fresh_run() {
    let mut random = Random(11);
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute(SCHEMA, ()).expect("is right");
    let mut kept = Vec::new();
    for sql in QUERIES {
        let rows: Rc<RefCell<Option<Rows>>> = Rc::default();
        let told = Rc::clone(&rows);
        let (_, first) = capsule
            .live(sql, &[], move |update| {
                let mut rows = told.borrow_mut();
                let rows = rows.as_mut().expect("has begun");
                for patch in update.patches {
                    patch.apply(&mut rows.rows);
                }
                assert_eq!(rows, update.rows);
                assert!(!update.patches.is_empty() && update.seq > 0);
            })
            .expect(sql);
        *rows.borrow_mut() = Some(first);
        kept.push((sql, rows));
    }
    for _ in 0..3000 {
        let sql = change(&mut random);
        // A key may be missing.
        let _: Result<u64, CapsuleError> = capsule.execute(&sql, ());
        for (query, rows) in &kept {
            let fresh = capsule.query(query, ()).expect("reads");
            assert_eq!(rows.borrow().as_ref(), Some(&fresh), "{query} after {sql}");
        }
    }
}

#[test]
fn nothing_is_told_of_what_did_not_change() {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute(SCHEMA, ()).expect("is right");
    let told: Rc<RefCell<usize>> = Rc::default();
    let count = Rc::clone(&told);
    let (live, rows) = capsule
        .live("SELECT id FROM a WHERE n > ?", &[SqlValue::from(2)], move |_| *count.borrow_mut() += 1)
        .expect("begins");
    assert_eq!((rows.columns.as_slice(), rows.rows.len()), (["id".to_owned()].as_slice(), 0));
    capsule.execute("INSERT INTO a VALUES(1, 1, 'x'); INSERT INTO b(v) VALUES(1)", ()).expect("inserts");
    assert_eq!(*told.borrow(), 0);
    capsule.execute("UPDATE a SET n = 3; UPDATE a SET t = 'y'", ()).expect("updates");
    assert_eq!(*told.borrow(), 1);
    assert!(capsule.end_live(live) && !capsule.end_live(live));
    capsule.execute("DELETE FROM a", ()).expect("deletes");
    assert_eq!(*told.borrow(), 1);
}

#[test]
fn what_cannot_be_live_is_refused() {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute(SCHEMA, ()).expect("is right");
    let kind = |capsule: &mut Capsule, sql: &str| capsule.live(sql, &[], |_| {}).expect_err(sql).kind();
    assert_eq!(kind(&mut capsule, "SELECT * FROM nothing"), ErrorKind::Sql);
    assert_eq!(kind(&mut capsule, "DELETE FROM a"), ErrorKind::Usage);
    assert_eq!(kind(&mut capsule, "DELETE FROM a RETURNING id"), ErrorKind::Usage);
    assert_eq!(kind(&mut capsule, "SELECT ?"), ErrorKind::Usage);
    assert_eq!(kind(&mut capsule, "SELECT 1; SELECT 2"), ErrorKind::Usage);
    capsule.execute("BEGIN", ()).expect("begins");
    assert_eq!(kind(&mut capsule, "SELECT * FROM a"), ErrorKind::Usage);
}

#[test]
fn what_the_capsule_keeps_for_itself_is_heard() {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute("CREATE TABLE t(x)", ()).expect("is right");
    let queries = [
        "SELECT name, version, active FROM _capsule_mods ORDER BY installed",
        "SELECT id, table_name, processed FROM _capsule_events ORDER BY id",
        "SELECT status, event_count FROM _capsule_transactions",
        "SELECT key, value FROM _capsule_meta",
        "SELECT client, last FROM _capsule_requests",
        "SELECT id, table_or_query, subscription_count FROM _capsule_watchers",
        "SELECT watcher_id, listener_type FROM _capsule_subscriptions",
        "SELECT count(*) FROM _capsule_log",
    ];
    let mut kept = Vec::new();
    for sql in queries {
        let rows: Rc<RefCell<Option<Rows>>> = Rc::default();
        let told = Rc::clone(&rows);
        let (_, first) =
            capsule.live(sql, &[], move |update| *told.borrow_mut() = Some(update.rows.clone())).expect(sql);
        *rows.borrow_mut() = Some(first);
        kept.push((sql, rows));
    }
    let mut changed = vec![0; queries.len()];
    let mut watcher = String::new();
    let mut subscription = String::new();
    let file = |source| [("main.lua", source)];
    let hook = "function on_data_changed() end glyphcase.watch('t', function() end)";
    for step in 0..13 {
        match step {
            0 => capsule.install_mod("m", "1", &file(hook)).expect("installs"),
            1 => capsule.deactivate_mod("m").expect("ends"),
            2 => capsule.activate_mod("m").expect("begins"),
            3 => capsule.install_mod("m", "2", &file(hook)).expect("is replaced"),
            4 => watcher = capsule.watch("t", None).expect("watches").to_string(),
            5 => subscription = capsule.subscribe(&watcher, |_| {}).expect("subscribes").to_string(),
            6 => drop(capsule.execute("INSERT INTO t VALUES(1)", ()).expect("inserts")),
            // The reactions to it have run.
            7 => capsule.flush(),
            8 => drop(capsule.execute("DELETE FROM _capsule_events WHERE processed", ()).expect("deletes")),
            9 => assert!(capsule.unsubscribe(&subscription)),
            10 => assert!(capsule.unwatch(&watcher)),
            11 => capsule.uninstall_mod("m").expect("goes"),
            // What is in memory is not taken back with a transaction.
            _ => {
                let taken_back: Result<(), CapsuleError> = capsule.transaction(|capsule| {
                    capsule.watch("t", None)?;
                    Err(capsule.query("nonsense", ()).expect_err("is none"))
                });
                taken_back.expect_err("was taken back");
            }
        }
        for ((query, rows), changed) in kept.iter().zip(&mut changed) {
            let fresh = capsule.query(query, ()).expect("reads");
            assert_eq!(rows.borrow().as_ref(), Some(&fresh), "{query} after step {step}");
            *changed += usize::from(!fresh.rows.is_empty());
        }
    }
    // None of them has been empty all the time, but the one that tabs write.
    assert!(changed.iter().enumerate().all(|(index, times)| *times > 0 || index == 4), "{changed:?}");
}

#[test]
fn a_watcher_that_writes_when_its_writes_are_delivered_comes_to_an_end() {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute("CREATE TABLE t(x)", ()).expect("is right");
    capsule
        .eval(
            "function on_data_changed() end
             glyphcase.watch(\"SELECT value FROM _capsule_meta WHERE key = 'delivered'\", function()
               glyphcase.insert('t', { x = 1 })
             end)
             glyphcase.insert('t', { x = 0 })",
        )
        .expect("runs");
    for _ in 0..100 {
        capsule.flush();
    }
    let count = capsule.query_scalar("SELECT count(*) FROM t", ()).expect("counts").and_then(|n| n.as_i64());
    assert!((2..=40).contains(&count.unwrap_or_default()), "{count:?}");
}
