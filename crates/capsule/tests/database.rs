//! Statements, transactions and the log as an application meets them.

use perilune_capsule::{
    CapsuleError, Committed, Database, Durability, Environment, ErrorKind, Location, SchemaChange, Source,
    SqlValue,
};
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

/// A clock that goes on by one millisecond whenever somebody looks at it.
#[derive(Debug, Default)]
struct Clock(i64);

impl Environment for Clock {
    fn now(&mut self) -> i64 {
        self.0 += 1;
        self.0
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

fn open() -> Database {
    Database::open(&Location::Memory, Durability::Relaxed, Box::<Clock>::default()).expect("opens")
}

fn with_items() -> Database {
    let db = open();
    db.execute("CREATE TABLE items(id INTEGER PRIMARY KEY, name TEXT UNIQUE, n DEFAULT 0)", ())
        .expect("is right");
    db
}

fn value(db: &Database, sql: &str) -> SqlValue {
    db.query(sql, ()).expect(sql).rows.remove(0).remove(0)
}

fn integer(db: &Database, sql: &str) -> i64 {
    value(db, sql).as_i64().expect("an integer")
}

fn refusal(db: &Database, sql: &str) -> CapsuleError {
    db.execute(sql, ()).expect_err(sql)
}

fn heard(db: &Database) -> Rc<RefCell<Vec<Committed>>> {
    let commits: Rc<RefCell<Vec<Committed>>> = Rc::default();
    let heard = Rc::clone(&commits);
    db.on_commit(move |committed| heard.borrow_mut().push(committed.clone()));
    commits
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("can be made");
        Self(path)
    }

    fn file(&self, name: &str) -> Location {
        Location::File(self.0.join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_log_does_not_count_among_the_changes_of_the_application() {
    let db = with_items();
    db.execute("INSERT INTO items(id, name) VALUES(41, 'a'), (42, 'b')", ()).expect("inserts");
    assert_eq!(integer(&db, "SELECT changes()"), 2);
    assert_eq!(integer(&db, "SELECT total_changes()"), 2);
    assert_eq!(integer(&db, "SELECT last_insert_rowid()"), 42);
    db.execute(
        "CREATE TRIGGER t AFTER UPDATE OF name ON items BEGIN UPDATE items SET n = changes() WHERE id = NEW.id; END",
        (),
    )
    .expect("a trigger may ask");
    assert_eq!(db.execute("UPDATE items SET name = name || 'x'", ()).expect("updates"), 2);
    assert_eq!(integer(&db, "SELECT changes()"), 2);
    let _ = db.execute("SELECT 1", ());
    assert_eq!(integer(&db, "SELECT changes()"), 2, "a query changes nothing");
    assert_eq!(db.execute("DELETE FROM items WHERE id > 100", ()).expect("deletes none"), 0);
    assert_eq!(integer(&db, "SELECT changes()"), 0);
}

#[test]
fn parameters_must_match() {
    let db = with_items();
    let insert = "INSERT INTO items(name, n) VALUES(:name, @n)";
    assert_eq!(db.execute(insert, &[("name", "a".into()), ("n", 1.into())]).expect("inserts"), 1);
    assert_eq!(db.execute(insert, &["b".into(), SqlValue::from(2)]).expect("inserts"), 1);
    for error in [
        db.execute(insert, &[SqlValue::from("c")]).expect_err("one too few"),
        db.execute(insert, &["c".into(), 1.into(), SqlValue::from(2)]).expect_err("one too many"),
        db.execute(insert, &[("name", SqlValue::from("c"))]).expect_err("no value"),
        db.execute(insert, &[("name", "c".into()), ("n", 1.into()), ("m", 2.into())])
            .expect_err("no such name"),
        db.query("SELECT 1; SELECT 2", ()).expect_err("two statements"),
    ] {
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
    }
    assert_eq!(integer(&db, "SELECT count(*) FROM items"), 2);
    assert_eq!(value(&db, "SELECT NULL"), SqlValue::Null);
}

#[test]
fn errors_have_kind_code_and_statement() {
    let db = with_items();
    db.execute("INSERT INTO items(name) VALUES('a')", ()).expect("inserts");
    let error = refusal(&db, "INSERT INTO items(name) VALUES('a')");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Constraint, Some("SQLITE_CONSTRAINT_UNIQUE")));
    let error = refusal(&db, "SELEC 1");
    assert_eq!((error.kind(), error.code(), error.offset()), (ErrorKind::Sql, Some("SQLITE_ERROR"), Some(0)));
    assert_eq!(error.sql(), Some("SELEC 1"));
    let error = refusal(&db, "SELECT nothing FROM items");
    assert!(error.message().contains("nothing"), "{error}");
}

#[test]
fn the_capsule_keeps_what_is_its_own() {
    let db = with_items();
    db.execute("INSERT INTO items(name) VALUES('a')", ()).expect("inserts");
    for sql in [
        "INSERT INTO _capsule_log(tx, op, tbl, key, at, source) VALUES(1, 'INSERT', 't', '[1]', 0, 'lua')",
        "UPDATE _capsule_tx SET status = 'x'",
        "DELETE FROM _capsule_meta",
        "DELETE FROM main._CAPSULE_log",
        "DROP TABLE _capsule_log",
        "ALTER TABLE _capsule_log ADD COLUMN x",
        "ALTER TABLE items RENAME TO _capsule_items",
        "CREATE TABLE _capsule_mine(x)",
        "CREATE TEMP TABLE _capsule_mine(x)",
        "CREATE VIEW _capsule_mine AS SELECT 1",
        "CREATE INDEX mine ON _capsule_log(tbl)",
        "CREATE TRIGGER mine AFTER INSERT ON _capsule_log BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER mine AFTER INSERT ON main._capsule_log BEGIN SELECT 1; END",
        "DROP VIEW temp._capsule_events",
        "DROP TRIGGER temp._capsule_events_delete",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "VACUUM INTO 'other.db'",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = 1",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA no_such_pragma",
        "SELECT * FROM pragma_foreign_keys(0)",
        "CREATE TRIGGER mine AFTER INSERT ON items BEGIN DELETE FROM _capsule_log; END; INSERT INTO items(n) VALUES(1)",
    ] {
        let error = refusal(&db, sql);
        assert!(matches!(error.kind(), ErrorKind::Usage | ErrorKind::Sql), "{sql}: {error}");
    }
    assert_eq!(integer(&db, "SELECT count(*) FROM _capsule_events"), 1);
    assert_eq!(integer(&db, "SELECT foreign_keys FROM pragma_foreign_keys"), 1);
    // Whatever it was that was refused, the database goes on.
    db.execute("DROP TRIGGER mine", ()).expect("is the application's");
    db.execute("INSERT INTO items(name) VALUES('b')", ()).expect("inserts");
}

#[test]
fn the_views_show_events_and_transactions() {
    let db = with_items();
    db.execute("INSERT INTO items(id, name) VALUES(1, 'a')", ()).expect("inserts");
    db.with_source(Source::Lua, || db.execute("UPDATE items SET name = 'b'", ())).expect("updates");
    let rows = db
        .query(
            "SELECT operation, table_name, row_id, old_data, new_data, source, transaction_id, timestamp, processed
             FROM _capsule_events ORDER BY id",
            (),
        )
        .expect("reads")
        .rows;
    let text = |value: &SqlValue| value.as_str().map(str::to_owned);
    assert_eq!(text(&rows[0][4]).as_deref(), Some(r#"{"id":1,"name":"a","n":0}"#));
    assert_eq!(rows[0][3], SqlValue::Null);
    assert_eq!(text(&rows[1][3]).as_deref(), Some(r#"{"id":1,"name":"a","n":0}"#));
    assert_eq!(text(&rows[1][4]).as_deref(), Some(r#"{"id":1,"name":"b","n":0}"#));
    assert_eq!((text(&rows[0][5]).as_deref(), text(&rows[1][5]).as_deref()), (Some("trigger"), Some("lua")));
    assert!(text(&rows[0][6]).is_some_and(|id| id.starts_with(db.device())));
    assert!(
        text(&rows[0][7]).is_some_and(|time| time.starts_with("1970-01-01 00:00:00.0") && time.len() == 23)
    );
    assert_eq!(rows[0][8], SqlValue::Integer(0));
    let error = db.transaction(|db| {
        db.execute("DELETE FROM items", ())?;
        Err::<(), _>(refusal(db, "no statement"))
    });
    assert!(error.is_err());
    assert_eq!(integer(&db, "SELECT count(*) FROM _capsule_transactions WHERE status = 'rolled_back'"), 0);
    db.execute("INSERT INTO items(name) VALUES('c')", ()).expect("inserts");
    let statuses = db.query("SELECT status, event_count FROM _capsule_transactions ORDER BY started_at", ());
    let statuses: Vec<_> =
        statuses.expect("reads").rows.iter().map(|row| (text(&row[0]), row[1].as_i64())).collect();
    let last = &statuses[statuses.len() - 2..];
    assert_eq!(last, [(Some("rolled_back".into()), Some(0)), (Some("committed".into()), Some(1))]);
    db.execute("INSERT INTO items(name) VALUES('d')", ()).expect("what was rolled back is written once");
}

#[test]
fn a_commit_tells_what_changed_and_a_rollback_nothing() {
    let db = with_items();
    let commits = heard(&db);
    db.transaction(|db| {
        db.execute("INSERT INTO items(id, name) VALUES(1, 'a')", ())?;
        db.execute("UPDATE items SET n = 5 WHERE id = 1", ())?;
        db.execute("INSERT INTO items(id, name) VALUES(2, 'b')", ())?;
        db.execute("DELETE FROM items WHERE id = 2", ())
    })
    .expect("commits");
    let committed = commits.take();
    assert_eq!(committed.len(), 1);
    assert_eq!(committed[0].changes.len(), 1, "what was there for a while is no change");
    assert_eq!(committed[0].changes[0].new_row().and_then(|row| row.get("N")), Some(5.into()));
    db.execute("UPDATE items SET n = n", ()).expect("updates");
    db.execute("BEGIN", ()).expect("begins");
    db.execute("DELETE FROM items", ()).expect("deletes");
    db.execute("ROLLBACK", ()).expect("rolls back");
    assert!(commits.take().is_empty());
    let listed = db.changes_since(0, 10).expect("reads");
    assert_eq!(listed.len(), 1);
    assert_eq!(
        db.logged_transaction(listed[0].transaction).expect("reads").map(|logged| logged.events),
        Some(1)
    );
}

#[test]
fn who_begins_a_transaction_ends_it() {
    let db = with_items();
    db.transaction(|db| {
        assert_eq!(refusal(db, "COMMIT").kind(), ErrorKind::Usage);
        assert_eq!(refusal(db, "ROLLBACK").kind(), ErrorKind::Usage);
        assert_eq!(refusal(db, "BEGIN").kind(), ErrorKind::Usage);
        assert_eq!(refusal(db, "VACUUM").kind(), ErrorKind::Usage);
        db.execute("SAVEPOINT mine; INSERT INTO items(n) VALUES(1)", ())?;
        // The savepoint of SQL lies around the function: it is not the function's to end.
        db.transaction(|db| {
            assert_eq!(refusal(db, "RELEASE mine").kind(), ErrorKind::Usage);
            db.execute("INSERT INTO items(n) VALUES(2)", ())
        })?;
        db.execute("ROLLBACK TO mine", ())
    })
    .expect("commits");
    assert_eq!(integer(&db, "SELECT count(*) FROM items"), 0);
    assert_eq!(refusal(&db, "COMMIT").kind(), ErrorKind::Usage);
    assert_eq!(refusal(&db, "RELEASE mine").kind(), ErrorKind::Usage);
}

#[test]
fn a_commit_that_fails_leaves_the_transaction_open() {
    let db = open();
    db.execute(
        "CREATE TABLE p(id INTEGER PRIMARY KEY);
         CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)",
        (),
    )
    .expect("is right");
    db.execute("BEGIN; INSERT INTO c VALUES(1)", ()).expect("is deferred");
    assert_eq!(refusal(&db, "COMMIT").kind(), ErrorKind::Constraint);
    db.execute("INSERT INTO p VALUES(1); COMMIT", ()).expect("is there now");
    assert_eq!(db.changes_since(0, 10).expect("reads").len(), 2);
    let error = db.transaction(|db| db.execute("INSERT INTO c VALUES(2)", ())).expect_err("no such p");
    assert_eq!(error.kind(), ErrorKind::Constraint);
    assert_eq!(integer(&db, "SELECT count(*) FROM c"), 1, "a function's transaction is taken back");
}

#[test]
fn work_in_a_transaction_that_sqlite_took_back_is_refused() {
    let db = with_items();
    db.execute("INSERT INTO items(id) VALUES(1)", ()).expect("inserts");
    let result = db.transaction(|db| {
        db.execute("INSERT INTO items(id) VALUES(2)", ())?;
        assert_eq!(refusal(db, "INSERT OR ROLLBACK INTO items(id) VALUES(1)").kind(), ErrorKind::Constraint);
        assert_eq!(
            refusal(db, "INSERT INTO items(id) VALUES(3)").kind(),
            ErrorKind::Usage,
            "half of it is gone"
        );
        Ok::<_, CapsuleError>(())
    });
    assert_eq!(result.expect_err("was rolled back").kind(), ErrorKind::Usage);
    let result = db.transaction(|db| {
        let inner = db.transaction(|db| db.execute("INSERT OR ROLLBACK INTO items(id) VALUES(1)", ()));
        assert_eq!(inner.expect_err("is there").kind(), ErrorKind::Constraint);
        assert_eq!(
            refusal(db, "INSERT INTO items(id) VALUES(4)").kind(),
            ErrorKind::Usage,
            "nor is it committed alone"
        );
        Ok::<_, CapsuleError>(())
    });
    assert_eq!(result.expect_err("was rolled back").kind(), ErrorKind::Usage);
    db.execute("BEGIN; INSERT INTO items(id) VALUES(5)", ()).expect("begins");
    let inner = db.transaction(|db| db.execute("INSERT OR ROLLBACK INTO items(id) VALUES(1)", ()));
    assert_eq!(inner.expect_err("is there").kind(), ErrorKind::Constraint);
    assert_eq!(
        refusal(&db, "COMMIT").kind(),
        ErrorKind::Usage,
        "SQLite has ended it, and nobody waits for that"
    );
    assert_eq!(integer(&db, "SELECT count(*) FROM items"), 1);
}

#[test]
fn changes_of_the_schema_are_told() {
    let db = open();
    let commits = heard(&db);
    let schema = |sql: &str| {
        db.execute(sql, ()).expect(sql);
        commits.take().into_iter().flat_map(|committed| committed.schema).collect::<Vec<_>>()
    };
    assert_eq!(schema("CREATE TABLE a(x)"), [SchemaChange::Created("a".into())]);
    assert_eq!(schema("ALTER TABLE a ADD COLUMN y"), [SchemaChange::Altered("a".into())]);
    let renamed = SchemaChange::Renamed { from: "a".into(), to: "b".into() };
    assert_eq!(schema("ALTER TABLE a RENAME TO b"), [renamed]);
    assert_eq!(schema("CREATE INDEX i ON b(x)"), []);
    assert_eq!(schema("VACUUM"), [SchemaChange::Renumbered("b".into())]);
    assert_eq!(schema("DROP TABLE b"), [SchemaChange::Dropped("b".into())]);
    assert_eq!(schema("BEGIN; CREATE TABLE c(x); ROLLBACK"), []);
}

#[test]
fn virtual_columns_are_in_images_of_rows_that_are_gone() {
    let db = open();
    db.execute("CREATE TABLE t(a TEXT COLLATE NOCASE, v AS (a = 'X')); INSERT INTO t VALUES('x'), ('7')", ())
        .expect("inserts");
    db.execute("ALTER TABLE t ADD COLUMN w AS (json_extract(a, '$'))", ()).expect("computes nothing yet");
    db.execute("DELETE FROM t", ()).expect("deletes");
    let changes = db.changes_since(0, 10).expect("reads");
    let old = |index: usize| changes[index].old.clone().expect("was there");
    assert_eq!(old(2), [("a".to_owned(), "x".into())], "x is no JSON, so the row cannot be read as a whole");
    assert_eq!(
        old(3),
        [("a".to_owned(), "7".into()), ("v".to_owned(), 0.into()), ("w".to_owned(), 7.into())]
    );
    assert_eq!(changes[0].new, Some(vec![("a".to_owned(), "x".into()), ("v".to_owned(), 1.into())]));
}

#[test]
fn a_file_is_one_of_sqlite_and_is_opened_again() {
    let folder = Folder::new("capsule_file");
    let place = folder.file("file:odd name?mode=ro.db");
    let device = {
        let db = Database::open(&place, Durability::Strict, Box::<Clock>::default()).expect("opens");
        db.execute("CREATE TABLE t(x); INSERT INTO t VALUES(1)", ()).expect("is right");
        let error =
            Database::open(&place, Durability::Relaxed, Box::<Clock>::default()).expect_err("is open");
        assert_eq!((error.kind(), error.retryable()), (ErrorKind::Locked, true));
        let device = db.device().to_owned();
        db.close().expect("closes");
        device
    };
    let files: Vec<_> =
        std::fs::read_dir(&folder.0).expect("reads").map(|entry| entry.expect("reads").file_name()).collect();
    assert_eq!(files, ["file:odd name?mode=ro.db"], "nothing is left beside it");
    let db = Database::open(&place, Durability::Relaxed, Box::<Clock>::default()).expect("opens");
    assert_eq!(db.device(), device);
    assert_eq!(db.changes_since(0, 10).expect("reads").len(), 1);
    db.execute("INSERT INTO t VALUES(2)", ()).expect("inserts");
    let transactions: Vec<_> =
        db.changes_since(0, 10).expect("reads").iter().map(|change| change.transaction).collect();
    assert!(transactions[0] < transactions[1], "{transactions:?}");
}

#[test]
fn what_is_no_database_is_refused_and_left_as_it_is() {
    let folder = Folder::new("capsule_foreign");
    std::fs::write(
        folder.0.join("text"),
        "no database, but a text that is long enough to have a header of one".repeat(9),
    )
    .expect("writes");
    std::fs::write(folder.0.join("newer"), "").expect("writes");
    let open = |name| Database::open(&folder.file(name), Durability::Relaxed, Box::<Clock>::default());
    assert_eq!(open("text").expect_err("is none").kind(), ErrorKind::Corrupt);
    assert!(std::fs::read_to_string(folder.0.join("text")).expect("reads").starts_with("no database"));
    assert_eq!(open("missing/file").expect_err("no folder").kind(), ErrorKind::Unsupported);
    assert_eq!(open("").expect_err("a folder").kind(), ErrorKind::Unsupported);
    let empty = Location::File(PathBuf::new());
    let error = Database::open(&empty, Durability::Relaxed, Box::<Clock>::default()).expect_err("no name");
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn a_table_whose_rows_cannot_be_told_apart_is_refused() {
    let db = open();
    let error = refusal(&db, "CREATE TABLE t(rowid, oid, _rowid_)");
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert_eq!(
        integer(&db, "SELECT count(*) FROM pragma_table_list WHERE name = 't'"),
        0,
        "and is not there"
    );
    db.execute("BEGIN; CREATE TABLE u(x)", ()).expect("is right");
    refusal(&db, "CREATE TABLE t(rowid, oid, _rowid_)");
    db.execute("INSERT INTO u VALUES(1); COMMIT", ()).expect("the transaction goes on");
    assert_eq!(
        integer(&db, "SELECT count(*) FROM pragma_table_list WHERE name = 't'"),
        0,
        "and is not there"
    );
}

#[test]
fn columns_stay_themselves_when_others_come_and_go() {
    let db = open();
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a, b, c); INSERT INTO t VALUES(1, 2, 3, 4)", ())
        .expect("is right");
    let commits = heard(&db);
    let changes = |sql: &str| {
        db.execute(&format!("BEGIN; {sql}; COMMIT"), ()).expect(sql);
        commits.take().into_iter().flat_map(|committed| committed.changes).collect::<Vec<_>>()
    };
    assert_eq!(
        changes("UPDATE t SET b = b; ALTER TABLE t DROP COLUMN a"),
        [],
        "nothing of the row has changed"
    );
    assert_eq!(changes("UPDATE t SET b = b; ALTER TABLE t RENAME COLUMN b TO d"), []);
    let changed = changes("UPDATE t SET d = 30; ALTER TABLE t RENAME COLUMN d TO e");
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].old_row().and_then(|row| row.get("d")), Some(3.into()));
    assert_eq!(changed[0].new_row().and_then(|row| row.get("e")), Some(30.into()));
    // A column that comes after one that is gone is not that one.
    let changed =
        changes("UPDATE t SET c = 5; ALTER TABLE t DROP COLUMN c; ALTER TABLE t ADD COLUMN c DEFAULT 4");
    assert_eq!(changed, [], "what was changed is gone with its column");
}

#[test]
fn the_settings_are_those_of_every_capsule() {
    let folder = Folder::new("capsule_settings");
    let settings = |place: &Location, durability| {
        let db = Database::open(place, durability, Box::<Clock>::default()).expect("opens");
        let read = |name: &str| match value(&db, &format!("PRAGMA {name}")) {
            SqlValue::Integer(integer) => integer.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        ["page_size", "foreign_keys", "recursive_triggers", "trusted_schema", "journal_mode", "synchronous"]
            .map(read)
    };
    assert_eq!(settings(&Location::Memory, Durability::Relaxed)[..4], ["8192", "1", "1", "0"]);
    let file = folder.file("a.db");
    assert_eq!(settings(&file, Durability::Relaxed), ["8192", "1", "1", "0", "wal", "1"]);
    assert_eq!(settings(&file, Durability::Strict), ["8192", "1", "1", "0", "wal", "2"]);
}

#[test]
fn a_real_column_that_was_added_is_real_in_rows_that_were_there() {
    let db = open();
    db.execute("CREATE TABLE t(a); INSERT INTO t VALUES(1)", ()).expect("is right");
    db.execute("ALTER TABLE t ADD COLUMN b REAL DEFAULT '2'; DELETE FROM t", ()).expect("is right");
    let deleted = db.changes_since(1, 10).expect("reads").remove(0).old.expect("was there");
    assert_eq!(deleted[1], ("b".to_owned(), 2.0.into()));
}

/// Fault of SQLite itself (3.54.1): it asks a full-text table at every savepoint that follows in its
/// transaction, also when it is gone with the savepoint in which it was made. So the transaction can only be
/// rolled back, and is exact.
#[test]
fn a_full_text_table_that_is_taken_back_leaves_a_transaction_that_can_only_be_rolled_back() {
    let db = open();
    db.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, text)", ()).expect("it is made");
    for end in ["COMMIT", "ROLLBACK"] {
        for sql in ["BEGIN", "INSERT INTO notes(text) VALUES('lost')", "SAVEPOINT part"] {
            db.execute(sql, ()).expect(sql);
        }
        db.execute("CREATE VIRTUAL TABLE words USING fts5(text)", ()).expect("it is made");
        db.execute("INSERT INTO words(text) VALUES('one')", ()).expect("it is written");
        db.execute("ROLLBACK TO part", ()).expect("it is taken back");
        let ended = db.execute(end, ());
        assert_eq!(ended.is_err(), end == "COMMIT", "{ended:?}");
        if ended.is_err() {
            db.execute("ROLLBACK", ()).expect("it ends");
        }
        assert_eq!(db.query_scalar("SELECT count(*) FROM notes", ()).expect("reads"), Some(0.into()));
    }
    db.transaction(|db| db.execute("INSERT INTO notes(text) VALUES('kept')", ())).expect("it works again");
    assert_eq!(db.query_scalar("SELECT count(*) FROM _capsule_events", ()).expect("reads"), Some(1.into()));
}
