//! Rows by the name of their table, as an application meets them.

use perilune_capsule::{
    CapsuleError, Database, Durability, ErrorKind, Location, SqlValue, SystemEnvironment,
};

fn open(schema: &str) -> Database {
    let db =
        Database::open(&Location::Memory, Durability::Relaxed, Box::new(SystemEnvironment)).expect("opens");
    db.execute(schema, ()).expect("the schema is right");
    db
}

fn kind<T: std::fmt::Debug>(result: Result<T, CapsuleError>, names: &str) -> ErrorKind {
    let error = result.expect_err(names);
    assert!(error.message().contains(names), "{names}: {error}");
    error.kind()
}

fn count(db: &Database, table: &str) -> i64 {
    let count = db.query_scalar(&format!("SELECT count(*) FROM {table}"), ()).expect("reads");
    count.and_then(|count| count.as_i64()).expect("a number")
}

#[test]
fn the_key_of_an_insert_is_of_its_own_row() {
    let db = open(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, v UNIQUE ON CONFLICT IGNORE);
         CREATE TABLE other(id INTEGER PRIMARY KEY, v);
         CREATE TRIGGER skip BEFORE INSERT ON t WHEN NEW.v = 'skip' BEGIN
           INSERT INTO other(id, v) VALUES(70, 'before'); SELECT RAISE(IGNORE);
         END;
         CREATE TRIGGER more AFTER INSERT ON t BEGIN INSERT INTO other(v) VALUES(NEW.v); END;
         INSERT INTO other(id, v) VALUES(500, 'first');",
    );
    let insert = |v: &str| db.insert("t", &[("v", v.into())]).expect("runs");
    assert_eq!(insert("a"), [SqlValue::Integer(1)], "and not that of the row that the trigger has inserted");
    assert_eq!(insert("skip"), [], "a trigger has left it out, and has inserted another");
    assert_eq!(insert("a"), [], "a constraint has left it out");
    assert_eq!(insert("b"), [SqlValue::Integer(2)]);
}

#[test]
fn keys_of_every_kind_name_their_row() {
    let db = open(
        "CREATE TABLE numbers(id INTEGER PRIMARY KEY, v);
         CREATE TABLE texts(id TEXT PRIMARY KEY, v);
         CREATE TABLE pairs(v, b, a, PRIMARY KEY(a, b)) WITHOUT ROWID;
         CREATE TABLE bare(v);
         CREATE TABLE hidden(rowid, v);
         CREATE TABLE \"o\"\"dd, (name\"(\"k\"\"ey\" INTEGER PRIMARY KEY, v);
         CREATE VIRTUAL TABLE found USING fts5(v)",
    );
    let cases: &[(&str, &[(&str, SqlValue)])] = &[
        ("numbers", &[("v", SqlValue::Integer(1))]),
        ("NUMBERS", &[("ID", SqlValue::Integer(i64::MIN))]),
        ("texts", &[("id", SqlValue::Integer(5))]),
        ("pairs", &[("a", SqlValue::Integer(1)), ("b", SqlValue::Blob(vec![0]))]),
        ("bare", &[("v", SqlValue::Null)]),
        ("hidden", &[("rowid", SqlValue::Null)]),
        ("o\"dd, (name", &[("v", SqlValue::Integer(1))]),
        ("found", &[("v", SqlValue::Integer(1))]),
        ("numbers", &[]),
    ];
    for (table, row) in cases {
        let key = db.insert(table, row).expect(table);
        assert!(db.update(table, &key, &[("v", "new".into())]).expect(table), "{table} {key:?}");
        let found = db.query_scalar(
            &format!("SELECT count(*) FROM \"{}\" WHERE v = 'new'", table.replace('"', "\"\"")),
            (),
        );
        assert_eq!(found.expect("reads"), Some(1.into()), "{table}");
        assert!(db.update(table, &key, &[]).expect(table), "it is there");
        assert!(db.delete(table, &key).expect(table));
        assert!(!db.update(table, &key, &[("v", 1.into())]).expect(table), "it is gone");
        assert!(!db.update(table, &key, &[]).expect(table));
        assert!(!db.delete(table, &key).expect(table));
    }
    assert_eq!(
        db.insert("texts", &[("id", 5.into())]).expect("inserts"),
        [SqlValue::from("5")],
        "as it is stored"
    );
    let key = db.insert("pairs", &[("a", 1.into()), ("b", 2.into())]).expect("inserts");
    assert_eq!(key, [SqlValue::from(1), SqlValue::from(2)], "in the order of the key");
    assert_eq!(kind(db.update("pairs", &[1.into()], &[]), "\"a\", \"b\""), ErrorKind::Usage);
    assert_eq!(kind(db.delete("numbers", &[]), "0 values"), ErrorKind::Usage);
}

#[test]
fn conditions_keep_their_parameters() {
    let db = open(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); CREATE TABLE w(k, l, a, PRIMARY KEY(k, l)) WITHOUT ROWID",
    );
    for n in 1..=4 {
        db.insert("t", &[("a", n.into()), ("b", 0.into())]).expect("inserts");
        db.insert("w", &[("k", n.into()), ("l", n.into()), ("a", 0.into())]).expect("inserts");
    }
    let sum = |sql: &str| db.query_scalar(sql, ()).expect(sql).and_then(|sum| sum.as_i64());
    let set = [("b", SqlValue::from(7)), ("a", SqlValue::from(9))];
    assert_eq!(
        db.update_where("t", "where a = ?2 or a = ?1", &[1.into(), SqlValue::from(2)], &set)
            .expect("updates"),
        2
    );
    assert_eq!(sum("SELECT sum(b) FROM t WHERE a = 9"), Some(14));
    assert_eq!(
        db.update_where("t", "a = :x -- the end", &[("x", SqlValue::from(3))], &set).expect("updates"),
        1
    );
    assert_eq!(
        db.update_where("w", "k > ? AND k < ?", &[1.into(), SqlValue::from(4)], &[("a", 1.into())])
            .expect("updates"),
        2
    );
    assert_eq!(sum("SELECT sum(k) FROM w WHERE a = 1"), Some(5));
    assert_eq!(
        db.update_where("w", "TRUE", (), &[]).expect("counts"),
        4,
        "nothing is set, and all are meant"
    );
    assert_eq!(db.delete_where("t", "WHERE a = ?", &[SqlValue::from(9)]).expect("deletes"), 3);
    assert_eq!(db.delete_where("w", "k IN (SELECT a + 1 FROM w)", ()).expect("deletes"), 2);
    for condition in ["", "  ", "WHERE", "where\n"] {
        assert_eq!(kind(db.delete_where("t", condition, ()), "empty"), ErrorKind::Usage);
        assert_eq!(kind(db.update_where("t", condition, (), &set), "empty"), ErrorKind::Usage);
    }
    for condition in ["a =", "1) OR (", "1); DELETE FROM t; --", "nothing = 1", "?1", "a = ?"] {
        let error = db.delete_where("t", condition, ()).expect_err(condition);
        assert!(matches!(error.kind(), ErrorKind::Sql | ErrorKind::Usage), "{condition}: {error}");
        let error = db.update_where("t", condition, (), &set).expect_err(condition);
        assert!(matches!(error.kind(), ErrorKind::Sql | ErrorKind::Usage), "{condition}: {error}");
    }
    assert_eq!(count(&db, "t"), 1);
}

#[test]
fn what_is_not_there_is_named() {
    let db = open("CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE VIEW v AS SELECT a FROM t");
    let row = [("a", SqlValue::from(1))];
    assert_eq!(kind(db.insert("nothing", &row), "nothing"), ErrorKind::Sql);
    assert_eq!(kind(db.update("nothing", &[1.into()], &row), "nothing"), ErrorKind::Sql);
    assert_eq!(kind(db.delete("nothing", &[1.into()]), "nothing"), ErrorKind::Sql);
    assert_eq!(kind(db.update_where("nothing", "TRUE", (), &row), "nothing"), ErrorKind::Sql);
    assert_eq!(kind(db.delete_where("nothing", "TRUE", ()), "nothing"), ErrorKind::Sql);
    assert_eq!(kind(db.insert("t", &[("nowhere", 1.into())]), "nowhere"), ErrorKind::Sql);
    assert_eq!(kind(db.update("t", &[1.into()], &[("nowhere", 1.into())]), "nowhere"), ErrorKind::Sql);
    assert_eq!(kind(db.insert("t", &[("a", 1.into()), ("A", 2.into())]), "twice"), ErrorKind::Usage);
    assert_eq!(kind(db.update("v", &[1.into()], &row), "no key"), ErrorKind::Usage);
    assert_eq!(kind(db.insert("_capsule_log", &row), "reserved"), ErrorKind::Usage);
    assert_eq!(kind(db.delete_where("_capsule_log", "TRUE", ()), "reserved"), ErrorKind::Usage);
    assert_eq!(count(&db, "t"), 0);
}

#[test]
fn a_text_without_a_statement_is_none() {
    let db = open("CREATE TABLE t(id INTEGER PRIMARY KEY)");
    for text in ["", " ", ";", "-- SELECT 1", "/* SELECT 1", "/**/;\n", "\u{feff}"] {
        assert_eq!(db.execute(text, ()).expect("does nothing"), 0, "{text:?}");
        assert_eq!(kind(db.query(text, ()), "no statement"), ErrorKind::Usage, "{text:?}");
        // The second time it could have been found compiled.
        assert_eq!(kind(db.query(text, ()), "no statement"), ErrorKind::Usage, "{text:?}");
        assert_eq!(kind(db.query_one(text, ()), "no statement"), ErrorKind::Usage, "{text:?}");
        assert_eq!(
            kind(db.execute(text, &[SqlValue::from(1)]), "no statement"),
            ErrorKind::Usage,
            "{text:?}"
        );
    }
}

#[test]
fn a_condition_is_one_expression() {
    let db = open("CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t(a) VALUES(1), (2)");
    let row = [("a", SqlValue::from(9))];
    for condition in ["1) OR (1", "id = 5) OR (TRUE", "(1", "'", "1; DELETE FROM t", "1 /*) */)", ")("] {
        assert_eq!(kind(db.update_where("t", condition, (), &row), "no expression"), ErrorKind::Usage);
        assert_eq!(kind(db.update_where("t", condition, (), &[]), "no expression"), ErrorKind::Usage);
        assert_eq!(kind(db.delete_where("t", condition, ()), "no expression"), ErrorKind::Usage);
    }
    assert_eq!(db.delete_where("t", "where a = 1 -- the first", ()).expect("deletes"), 1);
    assert_eq!(count(&db, "t"), 1);
}

#[test]
fn a_condition_finds_rows_whose_key_is_null() {
    let db = open(
        "CREATE TABLE t(k TEXT PRIMARY KEY, a); INSERT INTO t VALUES(NULL, 1), (NULL, 2), ('x', 3);
         CREATE TABLE pairs(rowid, k, PRIMARY KEY(rowid, k)); INSERT INTO pairs VALUES(NULL, 1), (2, NULL)",
    );
    let row = [("a", SqlValue::from(9))];
    assert_eq!(db.update_where("t", "k IS NULL", (), &row).expect("updates"), 2);
    assert_eq!(db.query_scalar("SELECT group_concat(a) FROM t", ()).expect("reads"), Some("9,9,3".into()));
    assert_eq!(db.update_where("pairs", "TRUE", (), &[("k", 5.into())]).expect("updates"), 2);
    assert_eq!(db.delete_where("t", "k IS NULL", ()).expect("deletes"), 2);
}

#[test]
fn several_rows_are_inserted_together_or_not_at_all() {
    let db = open("CREATE TABLE t(id INTEGER PRIMARY KEY, a UNIQUE)");
    let (one, two) = ([("a", SqlValue::from(1))], [("a", SqlValue::from(2)), ("id", SqlValue::from(9))]);
    assert_eq!(db.insert_multiple("t", &[&one, &two]).expect("inserts"), [[SqlValue::from(1)], [9.into()]]);
    let three = [("a", SqlValue::from(3))];
    assert_eq!(kind(db.insert_multiple("t", &[&three, &one]), "UNIQUE"), ErrorKind::Constraint);
    assert_eq!(count(&db, "t"), 2);
    assert_eq!(
        db.changes_since(0, 10).expect("reads").iter().filter(|change| change.transaction == 2).count(),
        2
    );
    assert_eq!(db.insert_multiple("t", &[]).expect("inserts none").len(), 0);
}

#[test]
fn one_row_is_enough() {
    let db = open("CREATE TABLE t(id INTEGER PRIMARY KEY)");
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, i * 2 FROM n";
    assert_eq!(db.query_one(endless, ()).expect("ends").rows, [[SqlValue::from(1), 2.into()]]);
    assert_eq!(db.query_scalar(endless, ()).expect("ends"), Some(1.into()));
    assert_eq!(db.query_scalar("SELECT id FROM t", ()).expect("reads"), None);
    let inserted = db.query_one("INSERT INTO t VALUES(1), (2), (3) RETURNING id", ()).expect("inserts");
    assert_eq!((inserted.rows.len(), count(&db, "t")), (1, 3), "what is not read is inserted, too");
}
