//! Files that somebody has prepared with another program: nothing in them has the rights of the capsule, or
//! changes rows behind it.

mod support;

use perilune_capsule::{Capsule, ErrorKind};
use rusqlite::Connection;
use support::Directory;

/// Makes a capsule, and lets another program change its file.
fn prepare(directory: &Directory, sql: &str) -> String {
    let path = directory.file("a.db");
    let name = path.to_str().expect("UTF-8").to_owned();
    for end in ["", "-wal", "-lock"] {
        drop(std::fs::remove_file(format!("{name}{end}")));
    }
    let mut capsule = Capsule::open(&name).expect("opens");
    capsule
        .execute(
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v); CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT);
             INSERT INTO t(v) VALUES('one'), ('two'); INSERT INTO counted DEFAULT VALUES",
            (),
        )
        .expect("is right");
    capsule.flush();
    drop(capsule);
    let sqlite = Connection::open(&path).expect("opens");
    sqlite.execute_batch(sql).expect(sql);
    sqlite.close().expect("closes");
    name
}

#[test]
fn what_would_have_the_rights_of_the_capsule_is_refused() {
    let directory = Directory::new("prepared");
    let device = "UPDATE _capsule_meta SET value = ";
    for (sql, kind) in [
        ("CREATE TRIGGER x AFTER INSERT ON _capsule_log BEGIN DELETE FROM t; END", ErrorKind::Unsupported),
        ("CREATE TRIGGER x AFTER INSERT ON _capsule_tx BEGIN DELETE FROM t; END", ErrorKind::Unsupported),
        (
            "CREATE TRIGGER _capsule_x AFTER INSERT ON t BEGIN DELETE FROM _capsule_log; END",
            ErrorKind::Unsupported,
        ),
        ("CREATE VIEW \"_CAPSULE_x\" AS SELECT * FROM t", ErrorKind::Unsupported),
        ("CREATE UNIQUE INDEX x ON _capsule_log(seq)", ErrorKind::Unsupported),
        ("CREATE TABLE c(x REFERENCES [_capsule_log](seq) ON DELETE CASCADE)", ErrorKind::Unsupported),
        ("DROP TABLE _capsule_requests", ErrorKind::Corrupt),
        ("INSERT INTO _capsule_mods VALUES('m', '1', 'nonsense', 1, 0)", ErrorKind::Corrupt),
        ("ALTER TABLE _capsule_log DROP COLUMN source", ErrorKind::Corrupt),
        (&format!("{device} 'x''; DELETE FROM t; --' WHERE key = 'device'"), ErrorKind::Corrupt),
        (&format!("{device} 99 WHERE key = 'format'"), ErrorKind::Unsupported),
        (&format!("{device} 'none' WHERE key = 'format'"), ErrorKind::Corrupt),
        (
            &format!("{device} 0 WHERE key = 'delivered'; UPDATE _capsule_log SET key = 'x'"),
            ErrorKind::Corrupt,
        ),
        ("DROP TABLE _capsule_meta", ErrorKind::Unsupported),
        ("DROP TABLE _capsule_meta; CREATE TABLE _capsule_meta(a)", ErrorKind::Unsupported),
    ] {
        let name = prepare(&directory, sql);
        let before = std::fs::read(&name).expect("is there");
        let error = Capsule::open(&name).expect_err(sql);
        assert_eq!(error.kind(), kind, "{sql}: {error}");
        assert!(std::fs::read(&name).expect("is there") == before, "{sql}: the file is as it was");
    }
}

#[test]
fn what_is_harmless_works() {
    let directory = Directory::new("harmless");
    for sql in [
        "CREATE TRIGGER noted AFTER INSERT ON t BEGIN UPDATE t SET v = '_capsule_' WHERE id = NEW.id; END",
        "CREATE VIEW events AS SELECT * FROM _capsule_log",
        "INSERT INTO t(v) VALUES('three')",
    ] {
        let name = prepare(&directory, sql);
        let mut capsule = Capsule::open(&name).expect(sql);
        capsule.execute("INSERT INTO t(v) VALUES('four')", ()).expect(sql);
        assert_eq!(
            capsule.query_scalar("PRAGMA integrity_check", ()).expect(sql),
            Some("ok".into()),
            "{sql}"
        );
    }
}

#[test]
fn no_table_refers_to_those_of_the_capsule() {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute("CREATE TABLE t(a)", ()).expect("is right");
    for sql in [
        "CREATE TABLE c(x REFERENCES _capsule_log(seq) ON DELETE CASCADE)",
        "CREATE TABLE c(x, FOREIGN KEY(x) REFERENCES /* the log */ \"_CAPSULE_log\"(seq))",
        "ALTER TABLE t ADD COLUMN x REFERENCES [_capsule_tx]",
    ] {
        let error = capsule.execute(sql, ()).expect_err(sql);
        assert_eq!(error.kind(), ErrorKind::Usage, "{sql}: {error}");
        assert!(error.message().contains("reserved"), "{sql}: {error}");
    }
    capsule
        .execute("CREATE TABLE c(x DEFAULT 'references _capsule_log' REFERENCES t(a))", ())
        .expect("is a text");
}

/// Numbers of changes go on, whatever becomes of the numbers of the application's tables.
#[test]
fn numbers_of_changes_are_never_given_twice() {
    let directory = Directory::new("numbers");
    let last = |capsule: &mut Capsule| {
        let last = capsule.query_scalar("SELECT max(id) FROM _capsule_events", ()).expect("reads");
        last.and_then(|last| last.as_i64()).expect("there is one")
    };
    let forget = "DELETE FROM sqlite_sequence; DELETE FROM _capsule_events";
    let name = prepare(&directory, "DELETE FROM sqlite_sequence");
    let mut capsule = Capsule::open(&name).expect("opens");
    let before = last(&mut capsule);
    for (round, sql) in [
        forget,
        "UPDATE sqlite_sequence SET seq = 0; DELETE FROM _capsule_events",
        "UPDATE sqlite_sequence SET name = 'x'; DELETE FROM _capsule_events",
        "INSERT INTO sqlite_sequence VALUES('_capsule_log', 9223372036854775807)",
        "BEGIN; DELETE FROM sqlite_sequence; ROLLBACK",
        "CREATE TABLE more(id INTEGER PRIMARY KEY AUTOINCREMENT); ALTER TABLE more RENAME TO most; DROP TABLE most",
    ]
    .into_iter()
    .enumerate()
    {
        capsule.execute(sql, ()).expect(sql);
        if round % 2 == 0 {
            drop(capsule);
            capsule = Capsule::open(&name).expect("opens");
        }
        capsule.execute("INSERT INTO t(v) VALUES('more')", ()).expect("inserts");
        assert_eq!(last(&mut capsule), before + 1 + round as i64, "{sql}");
        let waiting = "SELECT count(*) FROM _capsule_events WHERE NOT processed";
        assert_ne!(capsule.query_scalar(waiting, ()).expect("reads"), Some(0.into()), "{sql}");
        capsule.flush();
    }
    // An application counts its own rows anew.
    capsule
        .execute("DELETE FROM counted; DELETE FROM sqlite_sequence WHERE name = 'counted'", ())
        .expect("is right");
    capsule.execute("INSERT INTO counted DEFAULT VALUES", ()).expect("inserts");
    assert_eq!(capsule.query_scalar("SELECT id FROM counted", ()).expect("reads"), Some(1.into()));
}
