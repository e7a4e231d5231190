//! Declared schemas: what they make, what they add, what they refuse.

#[path = "../exactness/random.rs"]
mod random;

mod random_schemas;

use perilune_capsule::{
    CapsuleError, ColumnDeclaration, ColumnType, Database, Durability, Environment, ErrorKind,
    IndexDeclaration, Location, Migration, ReferenceAction, References, Schema, SchemaAction, SqlValue,
    TableDeclaration,
};

/// A clock that stands still, and no randomness.
#[derive(Debug)]
struct Still;

impl Environment for Still {
    fn now(&mut self) -> i64 {
        0
    }

    fn random(&mut self, buffer: &mut [u8]) {
        buffer.fill(7);
    }
}

fn open() -> Database {
    Database::open(&Location::Memory, Durability::Relaxed, Box::new(Still)).expect("opens")
}

fn with(sql: &str) -> Database {
    let db = open();
    db.execute(sql, ()).expect(sql);
    db
}

fn rows(db: &Database, sql: &str) -> Vec<Vec<SqlValue>> {
    db.query(sql, ()).expect(sql).rows
}

fn value(db: &Database, sql: &str) -> SqlValue {
    rows(db, sql).remove(0).remove(0)
}

/// The text of everything that is in the database but rows.
fn texts(db: &Database) -> Vec<Vec<SqlValue>> {
    rows(db, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
}

fn refusal(db: &Database, schema: &Schema) -> CapsuleError {
    let before = texts(db);
    let error = db.apply_schema(schema).expect_err("is refused");
    assert_eq!(error.kind(), ErrorKind::Schema, "{error}");
    assert_eq!(texts(db), before, "a refusal changes nothing");
    error
}

/// The reasons of a refusal.
fn reasons(error: &CapsuleError) -> Vec<&str> {
    error.message().split("\n- ").skip(1).collect()
}

fn integer(name: &str) -> ColumnDeclaration {
    ColumnDeclaration::new(name, ColumnType::Integer)
}

fn text(name: &str) -> ColumnDeclaration {
    ColumnDeclaration::new(name, ColumnType::Text)
}

fn table(name: &str, columns: impl IntoIterator<Item = ColumnDeclaration>) -> TableDeclaration {
    columns.into_iter().fold(TableDeclaration::new(name), TableDeclaration::column)
}

/// The schema of an application in its first version.
fn users() -> TableDeclaration {
    table(
        "users",
        [
            integer("id").primary(),
            text("email").unique(),
            text("name").not_null(),
            text("status").default("active"),
            integer("created_at"),
        ],
    )
    .watch()
    .retention_days(30)
}

fn created(name: &str) -> SchemaAction {
    SchemaAction::CreatedTable(name.into())
}

#[test]
fn a_schema_is_made_once_and_added_to() {
    let db = open();
    assert_eq!(db.apply_schema(&Schema::new().table(users())).expect("applies"), [created("users")]);
    db.execute("INSERT INTO users(email, name) VALUES('a@b', 'Ann')", ()).expect("inserts");
    let events = db.changes_since(0, 100).expect("reads").len();
    assert_eq!(db.apply_schema(&Schema::new().table(users())).expect("applies"), []);
    assert_eq!(db.changes_since(0, 100).expect("reads").len(), events, "and no event is told");
    let more = Schema::new()
        .table(users().column(text("city").not_null().default("Bonn")).column(text("nick").unique()))
        .table(table(
            "posts",
            [
                integer("id").primary(),
                integer("user")
                    .not_null()
                    .references(References::new("users").on_delete(ReferenceAction::Cascade)),
                ColumnDeclaration::new("tags", ColumnType::Json).default("[]"),
            ],
        ))
        .index(IndexDeclaration::new("posts", ["user"]).only_where("user > 0"))
        .trigger(
            "CREATE TRIGGER greet AFTER INSERT ON users BEGIN INSERT INTO posts(user) VALUES(NEW.id); END",
        );
    let actions = db.apply_schema(&more).expect("applies");
    let shown: Vec<String> = actions.iter().map(ToString::to_string).collect();
    let expected = [
        "users.city",
        "users.nick",
        "the index users_nick_key",
        "the table posts",
        "the index posts_user_idx",
        "the trigger greet",
    ];
    assert_eq!(shown, expected);
    assert_eq!(db.apply_schema(&more).expect("applies"), []);
    let ann = [
        1.into(),
        "a@b".into(),
        "Ann".into(),
        "active".into(),
        SqlValue::Null,
        "Bonn".into(),
        SqlValue::Null,
    ];
    assert_eq!(rows(&db, "SELECT * FROM users"), [ann]);
    db.execute("INSERT INTO users(name, nick) VALUES('Ben', 'b')", ()).expect("inserts");
    let error = db.execute("INSERT INTO users(name, nick) VALUES('Bob', 'b')", ()).expect_err("b is taken");
    assert_eq!(error.kind(), ErrorKind::Constraint);
    assert_eq!(rows(&db, "SELECT user, tags FROM posts"), [[2.into(), "[]".into()]]);
    db.execute("DELETE FROM users", ()).expect("deletes");
    assert_eq!(value(&db, "SELECT count(*) FROM posts"), 0.into());
}

#[test]
fn contradictions_are_listed_all_at_once() {
    let schema = Schema::new()
        .table(table("", [integer("a")]))
        .table(table(
            "t",
            [
                integer("id").primary().default(1),
                text("x"),
                text("X"),
                text(""),
                text("n\0"),
                ColumnDeclaration::new("r", ColumnType::Real).default(f64::NAN),
                ColumnDeclaration::new("j", ColumnType::Json).default("active"),
                text("nn").not_null().default(SqlValue::Null),
                text("d").default_sql("1), evil TEXT DEFAULT (2"),
                text("c").check("c <> 'it''s"),
                integer("f").references(References::new("nowhere")),
                integer("g").references(References::new("t").column("none")),
                integer("h").references(References::new("t").column("x")),
                integer("k").references(References::new("pair")),
            ],
        ))
        .table(table("pair", [integer("a").primary(), integer("b").primary()]))
        .table(table("PAIR", []).batch_size(0))
        .table(table("_capsule_t", [integer("a")]))
        .table(table("SQLITE_t", [integer("a")]))
        .index(IndexDeclaration::new("t", ["x", "X"]))
        .index(IndexDeclaration::new("t", ["zz"]).named("pair"))
        .index(IndexDeclaration::new("none", ["a"]))
        .index(IndexDeclaration::new("pair", Vec::<String>::new()).named("e"))
        .index(IndexDeclaration::new("pair", ["a"]).only_where("a > 1; DROP TABLE t"))
        .index(IndexDeclaration::new("pair", ["a"]))
        .trigger("DROP TABLE t")
        .trigger("CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END")
        .trigger("CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END")
        .trigger("CREATE TRIGGER IF NOT EXISTS main.[X] AFTER DELETE ON t BEGIN SELECT 1; END");
    let db = open();
    let error = refusal(&db, &schema);
    let found = reasons(&error);
    let expected = [
        "the name of a table cannot be \"\": it is empty",
        "the table pair and the table PAIR have one name",
        "_capsule_t belongs to the capsule: names that begin with _capsule_ are reserved",
        "SQLITE_t belongs to SQLite: names that begin with sqlite_ are reserved",
        "the table pair and the index pair have one name: give one of them another name",
        "the index pair_a_idx and the index pair_a_idx have one name: give one of them another name",
        "t.id: an INTEGER primary key numbers its rows, so it has no default",
        "t.X: the table has two columns of this name",
        "a column of t cannot have the name \"\": it is empty",
        "a column of t cannot have the name \"n\\0\": it holds a NUL character",
        "t.r: the default is NaN, which SQL has no literal for",
        "t.nn: the default is NULL, which the column refuses",
        "t.d: the default is no expression: a parenthesis is closed that was not opened",
        "t.c: the check is no expression: a quote is not closed",
        "the table PAIR has no columns",
        "the table PAIR has batches of 0 events: 1 is the least",
        "the index t_x_X_idx has the column X twice",
        "the index e has no columns",
        "the condition of the index pair_a_idx is no expression: it holds a semicolon",
        "the trigger \"DROP TABLE t\" cannot be declared: it is no CREATE TRIGGER statement",
        "the trigger \"CREATE TEMP TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END\" cannot be declared: a temporary trigger ends with the connection",
        "the trigger x and the trigger X have one name",
        "t.f refers to nowhere, and there is no such table",
        "t.g refers to t.none, and there is no such column",
        "t.h refers to t.x, which is neither primary nor unique: it may mean several rows",
        "t.k refers to the primary key of pair, which has 2 columns: name one that is unique",
        "the index pair is of t.zz, and there is no such column",
        "the index none_a_idx is of none, and there is no such table",
        "t.j: the default is no JSON",
    ];
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(*found, expected);
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for versions in [&[0][..], &[-1], &[2, 2], &[3, 1]] {
        let schema = versions.iter().fold(Schema::new(), |schema, version| {
            schema.migration(Migration::sql(*version, "CREATE TABLE never(x)"))
        });
        refusal(&db, &schema);
    }
}

#[test]
fn types_have_names_and_unknown_ones_are_told_the_known() {
    assert_eq!(ColumnType::from_name("integer").expect("is one"), ColumnType::Integer);
    assert_eq!(ColumnType::from_name("JSON").expect("is one"), ColumnType::Json);
    let error = ColumnType::from_name("varchar").expect_err("is none");
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.message().ends_with("the types are INTEGER, TEXT, REAL, BLOB, JSON"), "{error}");
}

#[test]
fn references_are_read_as_sql_has_them() {
    let read = |text| References::from_text(text).expect(text);
    assert_eq!(read(" users "), References::new("users"));
    assert_eq!(read("[a b](\"c\"\"d\")"), References::new("a b").column("c\"d"));
    let all = References::new("t").column("c").on_delete(ReferenceAction::SetNull);
    assert_eq!(
        read("t(c) on update no action /* x */ ON DELETE SET NULL ON UPDATE CASCADE"),
        all.on_update(ReferenceAction::Cascade)
    );
    for text in [
        "",
        "'t'",
        "\"t",
        "t(",
        "t()",
        "t(a, b)",
        "t.c",
        "t ON",
        "t ON DELETE",
        "t ON DELETE SET",
        "t ON INSERT CASCADE",
        "t DEFERRABLE",
        "t CASCADE",
        "t); DROP TABLE t",
    ] {
        assert_eq!(References::from_text(text).expect_err(text).kind(), ErrorKind::Schema);
    }
}

#[test]
fn json_is_kept_as_its_text_and_nothing_else_is() {
    let db = open();
    let column = ColumnDeclaration::new("doc", ColumnType::Json);
    let schema = Schema::new().table(table("t", [column]));
    db.apply_schema(&schema).expect("applies");
    for text in ["12345678901234567890", "1.0", "-0", "\"a\"", "null", "{\"a\": 1}"] {
        db.execute("INSERT INTO t VALUES(?1)", &[SqlValue::from(text)]).expect(text);
        assert_eq!(value(&db, "SELECT doc FROM t ORDER BY rowid DESC"), text.into());
    }
    db.execute("INSERT INTO t VALUES(NULL), (5)", ()).expect("are valid");
    assert_eq!(value(&db, "SELECT doc FROM t ORDER BY rowid DESC"), "5".into(), "a number is JSON, too");
    for other in [SqlValue::from("active"), SqlValue::from(""), SqlValue::Blob(vec![1])] {
        let error = db.execute("INSERT INTO t VALUES(?1)", &[other]).expect_err("is no JSON");
        assert_eq!(error.kind(), ErrorKind::Constraint);
    }
    let declared = value(&db, "SELECT type FROM pragma_table_xinfo('t')");
    assert!(ColumnType::is_json(declared.as_str().expect("a text")));
    assert!(ColumnType::is_json("json") && !ColumnType::is_json("TEXT") && !ColumnType::is_json("JSONB"));
    // What others have called JSON is JSON.
    assert_eq!(with("CREATE TABLE t(doc JSON)").apply_schema(&schema).expect("fits"), []);
}

#[test]
fn what_others_wrote_in_another_way_is_the_same() {
    let db = with(
        "CREATE TABLE \"Users\"(id INTEGER PRIMARY KEY AUTOINCREMENT, email VARCHAR(50) COLLATE NOCASE, extra,
           Name CHARACTER(9) not  null -- (a name,
           , status CLOB DEFAULT \"active\", created_at BIGINT DEFAULT NULL, n NUMERIC(3,1) NOT NULL DEFAULT 1,
           score INT DEFAULT +5.0 /* ) */ constraint c CHECK((\"score\"   >= 0 And [SCORE] < 10)),
           boss INT REFERENCES users(id) DEFERRABLE INITIALLY DEFERRED,
           CHECK (length(status) > 0)) ",
    );
    db.execute(
        "CREATE UNIQUE INDEX by_email ON users(email); CREATE INDEX other ON users(score DESC) WHERE score>1;
         CREATE INDEX extra ON users(extra); CREATE TABLE more(x); CREATE VIEW v AS SELECT * FROM gone;
         CREATE TRIGGER IF NOT EXISTS t AFTER INSERT ON users BEGIN\n  SELECT 1 ; END",
        (),
    )
    .expect("is right");
    let schema = Schema::new()
        .table(table(
            "users",
            [
                integer("ID").primary(),
                text("email").unique(),
                text("name").not_null(),
                text("status").default("active").check("LENGTH(status) > 0"),
                integer("created_at"),
                integer("score").default(5).check("score >= 0 and score < 10"),
                integer("boss").references(References::new("users")),
            ],
        ))
        .index(IndexDeclaration::new("users", ["score"]).only_where("(score > 1)"))
        .trigger("create trigger T after insert on \"users\" begin select 1; end;");
    assert_eq!(db.apply_schema(&schema).expect("fits"), []);
    // Names that a migration changes are quoted by SQLite wherever they are used.
    db.execute(
        "DROP VIEW v; ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME COLUMN score TO points",
        (),
    )
    .expect("renames");
    let renamed = Schema::new()
        .table(table(
            "people",
            [
                integer("id").primary(),
                text("email").unique(),
                text("name").not_null(),
                text("status").default("active").check("length(status) > 0"),
                integer("created_at"),
                integer("points").default(5).check("points >= 0 and points < 10"),
                integer("boss").references(References::new("people")),
            ],
        ))
        .index(IndexDeclaration::new("people", ["points"]).only_where("points > 1"))
        .trigger("CREATE TRIGGER t AFTER INSERT ON people BEGIN SELECT 1; END");
    assert_eq!(db.apply_schema(&renamed).expect("fits"), []);
}

#[test]
fn differences_are_listed_all_at_once() {
    let db = with(
        "CREATE TABLE p(a TEXT PRIMARY KEY, b UNIQUE);
         CREATE TABLE t(id INT PRIMARY KEY, a BLOB, b TEXT, c TEXT NOT NULL, d TEXT DEFAULT 'x', e INT DEFAULT 1,
           f TEXT CHECK(f > 1), g TEXT REFERENCES p, h TEXT REFERENCES p ON DELETE CASCADE, i TEXT REFERENCES p(b),
           j TEXT UNIQUE, k AS (a) STORED, m TEXT NOT NULL, n TEXT NOT NULL DEFAULT 'n', o TEXT, UNIQUE(o, b));
         CREATE VIEW v AS SELECT 1 AS a; CREATE VIRTUAL TABLE ft USING fts5(a);
         CREATE INDEX i ON t(a); CREATE INDEX elsewhere ON p(b); CREATE INDEX t_a_b_idx ON t(a, b) WHERE a > 1;
         CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END; INSERT INTO t(c, m) VALUES('c', 'm');",
    );
    let schema = Schema::new()
        .table(table(
            "t",
            [
                integer("id").primary(),
                text("a"),
                text("b").not_null(),
                text("c"),
                text("d"),
                integer("e").default(2),
                text("f").check("f > 2"),
                text("g"),
                text("h").references(References::new("p")),
                text("i").references(References::new("p")),
                text("j"),
                text("k"),
                text("l").primary(),
                text("o").unique(),
                text("q").references(References::new("p")).not_null(),
                text("s").default_sql("lower('A')"),
                text("u").check("no such thing"),
            ],
        ))
        .table(table("v", [text("a")]))
        .table(table("ft", [text("a")]))
        .table(table("ft_data", [text("a")]))
        .index(IndexDeclaration::new("t", ["b"]).named("i"))
        .index(IndexDeclaration::new("t", ["b"]).named("elsewhere"))
        .index(IndexDeclaration::new("t", ["a", "b"]))
        .index(IndexDeclaration::new("t", ["s"]))
        .index(IndexDeclaration::new("t", ["a"]).only_where("missing > 1").named("w"))
        .trigger("CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 2; END")
        .trigger("CREATE TRIGGER r2 AFTER INSERT ON t BEGIN SELECT 2; END; DROP TABLE t");
    let error = refusal(&db, &schema);
    let found = reasons(&error);
    let expected = [
        "t.a: the type is BLOB, not TEXT",
        "t.b: it may be NULL, and is declared NOT NULL",
        "t.c: it is NOT NULL, and is declared without",
        "t.d: the default is 'x', not none",
        "t.e: the default is 1, not 2",
        "t.g: it refers to p, and is declared without",
        "t.h: the reference is ON DELETE CASCADE ON UPDATE NO ACTION, not ON DELETE NO ACTION ON UPDATE NO ACTION",
        "t.i: it refers to p.b, not p.a",
        "t.k: the database computes this column",
        "t.l: it is missing, and a table that exists cannot get another key",
        "t.o: it is declared unique, and has no UNIQUE constraint nor a unique index",
        "t: the primary key is (id), not (id, l)",
        "t.f: the check (f > 2) is not in the database",
        "t: the database has the check (f > 1), and it is not declared",
        "t.m: the database has this column, which is NOT NULL and has no default",
        "t: the database has unique (o, b), and it is not declared",
        "t: the database has unique (j), and it is not declared",
        "v: in the database it is a view",
        "ft: in the database it is a virtual table",
        "ft_data: in the database it is a shadow table",
        "the index i: it is \"CREATE INDEX i ON t(a)\", not \"CREATE INDEX main.\\\"i\\\" ON \\\"t\\\" (\\\"b\\\")\"",
        "the index elsewhere: it is one of p, not of t",
        "the index t_a_b_idx: it is",
        "the trigger r: it is another one in the database: \"CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END\"",
        "t.q cannot be added: Cannot add a NOT NULL column with default value NULL",
        "t.s cannot be added: Cannot add a column with non-constant default",
        "t.u cannot be added: near \"such\": syntax error",
        "the index w cannot be added: no such column: missing",
        "the trigger r2 cannot be added: one statement is expected, and here are several",
    ];
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}\n{found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    assert_eq!(value(&db, "SELECT count(*) FROM t"), 1.into());
}

#[test]
fn an_index_that_rows_contradict_is_refused() {
    let db = with("CREATE TABLE t(a INTEGER, b TEXT); INSERT INTO t VALUES(1, 'x'), (1, 'y')");
    let t = || table("t", [integer("a"), text("b")]);
    let error = refusal(&db, &Schema::new().table(t()).index(IndexDeclaration::new("t", ["a"]).unique()));
    assert_eq!(reasons(&error), ["the index t_a_key cannot be added: UNIQUE constraint failed: t.a"]);
    refusal(&db, &Schema::new().table(t().column(text("c").unique().default("same"))));
    refusal(&db, &Schema::new().table(t().column(text("c").check("c = 1").default(2))));
}

#[test]
fn create_table_makes_and_adds_as_a_schema_does() {
    let db = open();
    db.create_table(&users()).expect("makes it");
    db.create_table(&users().column(text("more"))).expect("adds to it");
    db.execute("INSERT INTO users(name, more) VALUES('a', 'b')", ()).expect("is there");
    let error = db.create_table(&table("users", [text("id").primary()])).expect_err("differs");
    assert_eq!(error.kind(), ErrorKind::Schema);
    let hostile = table("a\"; DROP TABLE users; --", [text("b\") DEFAULT 1; --").default("it's")]);
    db.create_table(&hostile).expect("is a name like others");
    db.create_table(&hostile).expect("and found again");
    assert_eq!(value(&db, "SELECT count(*) FROM users"), 1.into());
    db.transaction(|db| {
        db.create_table(&table("inner", [text("x")]))?;
        db.execute("INSERT INTO \"inner\" VALUES('x')", ())
    })
    .expect("works within a transaction");
}

#[test]
fn migrations_run_once_in_order_and_before_additions() {
    let db =
        with("CREATE TABLE users(id INTEGER PRIMARY KEY, mail TEXT); INSERT INTO users(mail) VALUES('a')");
    let runs = std::rc::Rc::new(std::cell::Cell::new(0));
    let counted = std::rc::Rc::clone(&runs);
    let count = move |db: &Database| {
        counted.set(counted.get() + 1);
        db.execute("UPDATE users SET email = upper(email); CREATE TABLE parents(id INTEGER PRIMARY KEY)", ())
            .map(drop)
    };
    let schema = |extra: Option<Migration>| {
        let schema = Schema::new()
            .table(table("users", [integer("id").primary(), text("email"), text("new")]))
            .table(table("c", [integer("p").references(References::new("parents"))]))
            .migration(Migration::sql(3, "ALTER TABLE users RENAME COLUMN mail TO email; SELECT 1"))
            .migration(Migration::function(7, count.clone()));
        extra.into_iter().fold(schema, Schema::migration)
    };
    let actions = db.apply_schema(&schema(None)).expect("applies");
    let shown: Vec<String> = actions.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        ["the migration to version 3", "the migration to version 7", "users.new", "the table c"]
    );
    assert_eq!(rows(&db, "SELECT email, new FROM users"), [["A".into(), SqlValue::Null]]);
    assert_eq!(db.apply_schema(&schema(None)).expect("applies"), []);
    let more = schema(Some(Migration::sql(8, "INSERT INTO parents DEFAULT VALUES")));
    assert_eq!(db.apply_schema(&more).expect("applies"), [SchemaAction::Migrated(8)]);
    assert_eq!(db.apply_schema(&more).expect("applies"), []);
    assert_eq!(runs.get(), 1);
    assert_eq!(value(&db, "SELECT count(*) FROM parents"), 1.into());
}

#[test]
fn a_migration_that_fails_or_leads_nowhere_changes_nothing() {
    let db = with("CREATE TABLE t(a TEXT); INSERT INTO t VALUES('1')");
    let before = texts(&db);
    let declared = || Schema::new().table(table("t", [integer("b")]));
    let first = || Migration::sql(1, "ALTER TABLE t RENAME COLUMN a TO b; UPDATE t SET b = 2");
    let attempts = [
        (declared().migration(first()).migration(Migration::sql(2, "SELEC 1")), ErrorKind::Sql),
        (declared().migration(first()).migration(Migration::sql(2, "COMMIT")), ErrorKind::Usage),
        (declared().migration(first()).migration(Migration::sql(2, "DELETE FROM _capsule_meta")), ErrorKind::Usage),
        (
            declared().migration(first()).migration(Migration::function(2, |db| {
                db.execute("CREATE TABLE x(y PRIMARY KEY); INSERT INTO x VALUES(1); INSERT OR ROLLBACK INTO x VALUES(1)", ())
                    .map(drop)
            })),
            ErrorKind::Constraint,
        ),
        // It runs well, but b is TEXT after it, and the schema says INTEGER.
        (declared().migration(first()), ErrorKind::Schema),
    ];
    for (schema, kind) in attempts {
        let error = db.apply_schema(&schema).expect_err("fails");
        assert_eq!(error.kind(), kind, "{error}");
        assert!(
            kind == ErrorKind::Schema || error.message().starts_with("the migration to version 2: "),
            "{error}"
        );
        assert_eq!(texts(&db), before);
        assert_eq!(rows(&db, "SELECT a FROM t"), [["1".into()]]);
        assert_eq!(value(&db, "SELECT count(*) FROM _capsule_meta WHERE key = 'schema_version'"), 0.into());
    }
    let whole =
        "CREATE TABLE u(b INTEGER); INSERT INTO u SELECT a FROM t; DROP TABLE t; ALTER TABLE u RENAME TO t";
    assert_eq!(
        db.apply_schema(&declared().migration(Migration::sql(1, whole))).expect("fits now"),
        [SchemaAction::Migrated(1)]
    );
    assert_eq!(rows(&db, "SELECT b FROM t"), [[1.into()]]);
}

#[test]
fn a_table_is_made_anew_and_those_that_refer_to_it_keep_their_rows() {
    let db = with(
        "CREATE TABLE p(id INTEGER PRIMARY KEY, n TEXT); CREATE TABLE c(p INTEGER REFERENCES p ON DELETE CASCADE);
         INSERT INTO p VALUES(1, '5'); INSERT INTO c VALUES(1)",
    );
    let schema = |sql: &str| {
        Schema::new()
            .table(table("p", [integer("id").primary(), integer("n")]))
            .table(table(
                "c",
                [integer("p").references(References::new("p").on_delete(ReferenceAction::Cascade))],
            ))
            .migration(Migration::sql(1, sql))
    };
    let anew =
        "CREATE TABLE p2(id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO p2 SELECT * FROM p; DROP TABLE p;
                ALTER TABLE p2 RENAME TO p";
    let error = refusal(&db, &schema(&format!("{anew}; DELETE FROM p")));
    assert_eq!(reasons(&error), ["1 rows of c refer to rows of p that are not there"]);
    let within = db.transaction(|db| db.apply_schema(&schema(anew)));
    assert_eq!(within.expect_err("is in a transaction").kind(), ErrorKind::Usage);
    assert_eq!(db.apply_schema(&schema(anew)).expect("applies"), [SchemaAction::Migrated(1)]);
    assert_eq!(rows(&db, "SELECT * FROM p JOIN c ON p = id"), [[1.into(), 5.into(), 1.into()]]);
    let error = db.execute("INSERT INTO c VALUES(2)", ()).expect_err("is enforced again");
    assert_eq!(error.kind(), ErrorKind::Constraint);
}

#[test]
fn an_integer_key_that_does_not_number_the_rows_is_another_one() {
    let schema = Schema::new().table(table("t", [integer("id").primary(), text("a")]));
    for sql in [
        "CREATE TABLE t(id INT PRIMARY KEY, a TEXT)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY DESC, a TEXT)",
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT) WITHOUT ROWID",
    ] {
        assert_eq!(
            reasons(&refusal(&with(sql), &schema)).len(),
            2 - usize::from(!sql.contains("INT ")),
            "{sql}"
        );
    }
}

#[test]
fn versions_stay_in_the_file_and_a_death_leaves_all_or_nothing() {
    let folder = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("capsule_schema");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("can be made");
    let place = Location::File(folder.join("app.db"));
    let schema = || {
        Schema::new()
            .table(users())
            .table(table("seeds", [integer("n")]))
            .migration(Migration::sql(1, "CREATE TABLE seeds(n INTEGER); INSERT INTO seeds VALUES(1)"))
    };
    for expected in [2, 0, 0] {
        let db = Database::open(&place, Durability::Strict, Box::new(Still)).expect("opens");
        assert_eq!(db.apply_schema(&schema()).expect("applies").len(), expected);
        assert_eq!(value(&db, "SELECT count(*) FROM seeds"), 1.into());
        db.close().expect("closes");
    }
    // A process that dies within a migration leaves what is in its files at the moment.
    let (files, died) = (folder.clone(), folder.join("died"));
    std::fs::create_dir_all(&died).expect("can be made");
    let copy = move || {
        for name in ["app.db", "app.db-wal"] {
            std::fs::copy(files.join(name), died.join(name)).expect("can be copied");
        }
    };
    let copy_within = copy.clone();
    let dies = schema().migration(Migration::function(2, move |db| {
        db.execute("UPDATE seeds SET n = n + 1", ())?;
        copy_within();
        Ok(())
    }));
    let place_of_dead = Location::File(folder.join("died").join("app.db"));
    let seed = |expected: i64| {
        let db = Database::open(&place_of_dead, Durability::Strict, Box::new(Still)).expect("opens");
        assert_eq!(value(&db, "SELECT n FROM seeds"), expected.into());
        let again = schema().migration(Migration::sql(2, "UPDATE seeds SET n = n + 1"));
        db.apply_schema(&again).expect("applies");
        assert_eq!(value(&db, "SELECT n FROM seeds"), 2.into(), "it has run once");
        db.close().expect("closes");
    };
    let db = Database::open(&place, Durability::Strict, Box::new(Still)).expect("opens");
    db.apply_schema(&dies).expect("applies");
    seed(1);
    copy();
    seed(2);
    drop(db);
    let _ = std::fs::remove_dir_all(&folder);
}
