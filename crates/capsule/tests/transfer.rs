//! Databases that other programs have written, as bytes: they are imported whatever their pages are like.

mod support;

use perilune_capsule::{Database, Durability, Location, SystemEnvironment};
use rusqlite::Connection;
use support::Directory;

const SCHEMA: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE);
    CREATE TABLE loose(a);
    CREATE VIRTUAL TABLE words USING fts5(text);
    INSERT INTO words VALUES('to be found');
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i, hex(i) FROM n;
    INSERT INTO loose(rowid, a) SELECT id * 3, randomblob(50) FROM t;
    DELETE FROM t WHERE id > 200;";

/// The bytes of a file of SQLite's own with these settings.
fn foreign(directory: &Directory, settings: &str) -> Vec<u8> {
    let path = directory.file("foreign.db");
    let _ = std::fs::remove_file(&path);
    let sqlite = Connection::open(&path).expect("opens");
    sqlite.execute_batch(&format!("{settings}; {SCHEMA}")).expect("is right");
    sqlite.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").expect("has no log");
    sqlite.close().expect("closes");
    std::fs::read(&path).expect("is there")
}

fn check(db: &Database, settings: &str) {
    let scalar = |sql: &str| db.query_scalar(sql, ()).expect(sql);
    assert_eq!(scalar("PRAGMA integrity_check"), Some("ok".into()), "{settings}");
    assert_eq!(scalar("SELECT count(*) FROM t"), Some(200.into()), "{settings}");
    assert_eq!(scalar("SELECT max(rowid) FROM loose"), Some(900.into()), "{settings}");
    assert_eq!(scalar("SELECT rowid FROM words WHERE words MATCH 'found'"), Some(1.into()), "{settings}");
    assert_eq!(db.insert("loose", &[("a", 1.into())]).expect("inserts"), [901.into()], "{settings}");
    assert_eq!(db.changes_since(0, 10).expect("reads").len(), 1, "{settings}");
}

#[test]
fn files_of_every_kind_take_the_place_of_files_of_every_kind() {
    let directory = Directory::new("transfer");
    let all = [512, 1024, 4096, 8192, 65536].into_iter().flat_map(|size| {
        ["", "PRAGMA journal_mode=WAL", "PRAGMA auto_vacuum=1", "PRAGMA auto_vacuum=2"]
            .map(|more| format!("PRAGMA page_size={size}; {more}"))
    });
    for (number, settings) in all.enumerate() {
        let bytes = foreign(&directory, &settings);
        let open = |location: &Location| {
            Database::open(location, Durability::Relaxed, Box::new(SystemEnvironment)).expect("opens")
        };
        let is_there = Location::File(directory.file("target.db"));
        let is_new = Location::File(directory.file(&format!("new{number}.db")));
        for location in [&is_there, &is_new] {
            Database::import(location, &bytes, &mut SystemEnvironment).expect(&settings);
            let db = open(location);
            check(&db, &settings);
            let journal = db.query_scalar("PRAGMA journal_mode", ()).expect("says it");
            assert_eq!(journal, Some("wal".into()), "{settings}");
            db.close().expect("closes");
        }
        let names: Vec<_> = std::fs::read_dir(directory.file(""))
            .expect("is there")
            .map(|entry| entry.expect("is one").file_name().to_string_lossy().into_owned())
            .filter(|name| name.contains('-'))
            .collect();
        assert_eq!(names, Vec::<String>::new(), "{settings}");

        // What is exported comes in, too.
        let bytes = open(&is_new).export().expect("exports");
        Database::import(&is_there, &bytes, &mut SystemEnvironment).expect(&settings);
        let db = open(&is_there);
        assert_eq!(db.query_scalar("SELECT max(rowid) FROM loose", ()).expect("reads"), Some(901.into()));
    }
}

#[test]
fn what_is_refused_leaves_the_file_as_it_was() {
    let directory = Directory::new("refused-transfer");
    let location = Location::File(directory.file("target.db"));
    let mut bytes = foreign(&directory, "PRAGMA page_size=1024");
    Database::import(&location, &bytes, &mut SystemEnvironment).expect("imports");
    let before = std::fs::read(directory.file("target.db")).expect("is there");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2000].fill(0xff);
    Database::import(&location, &bytes, &mut SystemEnvironment).expect_err("is damaged");
    assert!(std::fs::read(directory.file("target.db")).expect("is there") == before);
}
