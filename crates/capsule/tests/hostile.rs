//! Scripts and statements that mean harm, and what they do not get: after each the capsule works as before.
//! The attacks are a line each, and the module of the npm package goes through the same.

use perilune_capsule::{Capsule, CapsuleError, ErrorKind, Location};

/// Fuel of one call: much for what is right, little for what has no end.
const FUEL: u64 = 2_000_000;

const SCHEMA: &str = "
    CREATE TABLE t(id INTEGER PRIMARY KEY, v);
    CREATE TABLE log(line TEXT);
    INSERT INTO t VALUES(1, 'one'), (2, 'two');";

/// Hooks that stay in force through every attack.
const HOOKS: &str = "
    function validate_insert(name, row) if row.v == 'bad' then error('is bad') end end";

fn capsule() -> Capsule {
    with_fuel(FUEL)
}

fn with_fuel(fuel: u64) -> Capsule {
    let builder = Capsule::builder(Location::Memory).fuel(Some(fuel)).timeout(None);
    let mut capsule = builder.memory_bytes(32 * 1024 * 1024).open().expect("opens");
    capsule.on_error(|_| {});
    capsule.execute(SCHEMA, ()).expect("is right");
    capsule.eval(HOOKS).expect("is right");
    capsule
}

/// Checks that nothing of an attack is left.
#[track_caller]
fn check(capsule: &mut Capsule, attack: &str) {
    #[track_caller]
    fn works<T>(attack: &str, what: &str, done: Result<T, CapsuleError>) -> T {
        done.unwrap_or_else(|error| panic!("{what} after {attack}: {error}"))
    }
    let rows = works(attack, "a query", capsule.query("SELECT id, v FROM t ORDER BY id", ()));
    assert_eq!(rows.rows, [vec![1.into(), "one".into()], vec![2.into(), "two".into()]], "after {attack}");
    let damage = works(attack, "integrity_check", capsule.query_scalar("PRAGMA integrity_check", ()));
    assert_eq!(damage, Some("ok".into()), "after {attack}");
    let error = capsule.execute("INSERT INTO t VALUES(3, 'bad')", ()).expect_err("the hook is in force");
    assert_eq!(error.kind(), ErrorKind::Veto, "after {attack}: {error}");
    works(attack, "a transaction", capsule.execute("BEGIN; INSERT INTO log VALUES('x'); ROLLBACK", ()));
    let seq = |capsule: &mut Capsule| {
        capsule
            .query_scalar("SELECT max(id) FROM _capsule_events", ())
            .expect("reads")
            .and_then(|n| n.as_i64())
    };
    let before = seq(capsule);
    works(attack, "a write", capsule.execute("INSERT INTO log VALUES('x'); DELETE FROM log", ()));
    assert_eq!(seq(capsule), before.map(|n| n + 2), "two events after {attack}");
    capsule.flush();
}

#[test]
fn hostile_scripts_leave_everything_as_it_was() {
    let attacks: Vec<&str> = include_str!("../../../tests/vectors/hostile/scripts.txt").lines().collect();
    assert!(attacks.len() > 70);
    let mut refused = 0;
    for attack in &attacks {
        let mut capsule = capsule();
        // What a watcher, a message or a timer would do comes later, and belongs to it.
        let done = capsule.eval(attack);
        capsule.flush();
        let _ = capsule.run_due();
        // A hook of its own may stand in the way of what is checked.
        let undone = capsule.eval("before_insert, before_commit, after_save = nil, nil, nil");
        if done.is_ok() || undone.is_err() {
            // It was allowed, or has made its own globals useless; both are its right.
            continue;
        }
        capsule.eval(HOOKS).expect("can be set again");
        check(&mut capsule, attack);
        let kind = done.expect_err("has failed").kind();
        assert_ne!(kind, ErrorKind::Bug, "{attack}");
        refused += 1;
    }
    assert!(refused + 6 >= attacks.len(), "only {refused} of {} attacks were refused", attacks.len());
}

/// Statements that lead SQLite deep into itself, a link at a time. Each is refused, or works.
#[test]
fn chains_in_a_schema_have_an_end() {
    let chain = |links: usize, table: &dyn Fn(usize) -> String| (1..links).map(table).collect::<String>();
    for links in [50, 190, 600] {
        let mut capsule = with_fuel(100 * FUEL);
        let small = links <= 190;
        let mut run = |what: &str, setup: String, sql: &str| {
            let made = capsule.execute(&setup, ());
            let done = made.and_then(|_| capsule.query(sql, ()).map(drop));
            match done {
                Ok(()) => {}
                Err(error) => {
                    assert!(!small, "{what} of {links}: {error}");
                    assert_ne!(error.kind(), ErrorKind::Bug, "{what} of {links}: {error}");
                }
            }
        };
        let tables = chain(links + 1, &|n| format!("CREATE TABLE a{n}(v);"));
        let triggers = chain(links, &|n| {
            format!("CREATE TRIGGER r{n} AFTER INSERT ON a{n} BEGIN INSERT INTO a{} VALUES(1); END;", n + 1)
        });
        run("triggers", tables + &triggers, "INSERT INTO a1 VALUES(1)");
        let references = chain(links, &|n| {
            format!("CREATE TABLE f{n}(v PRIMARY KEY REFERENCES f{} ON DELETE CASCADE);", n - 1)
        });
        run("references", format!("CREATE TABLE f0(v PRIMARY KEY);{references}"), "DELETE FROM f0");
        let columns = chain(links, &|n| format!(", c{n} AS (c{} + 1)", n - 1));
        run("columns", format!("CREATE TABLE g(c0{columns})"), &format!("SELECT c{} FROM g", links - 1));
        let views = chain(links, &|n| format!("CREATE VIEW v{n} AS SELECT max(v) AS v FROM v{};", n - 1));
        run(
            "views",
            format!("CREATE VIEW v0 AS SELECT 1 AS v;{views}"),
            &format!("SELECT * FROM v{}", links - 1),
        );
        for (open, close) in
            [("(", ")"), ("abs(", ")"), ("NOT ", ""), ("CASE WHEN 1 THEN ", " END"), ("~", "")]
        {
            let sql = format!("SELECT {}1{}", open.repeat(links), close.repeat(links));
            run(open, String::new(), &sql);
        }
        for between in [" OR ", " + ", " || ", " UNION ALL SELECT ", " UNION SELECT "] {
            run(between, String::new(), &format!("SELECT 1{}", format!("{between}1").repeat(links)));
        }
        let nested =
            format!("{}SELECT 1 AS v{}", "SELECT max(v) AS v FROM (".repeat(links), ")".repeat(links));
        run("subqueries", String::new(), &nested);
        let pattern = format!("SELECT '{}' LIKE '{}b'", "a".repeat(links + 5), "%a".repeat(links));
        run("LIKE", String::new(), &pattern);
        let json = format!("SELECT json('{}{}')", "[".repeat(links), "]".repeat(links));
        run("JSON", String::new(), &json);
        let ctes = chain(links, &|n| format!(", c{n} AS (SELECT max(v) AS v FROM c{})", n - 1));
        run("CTEs", String::new(), &format!("WITH c0 AS (SELECT 1 AS v){ctes} SELECT * FROM c{}", links - 1));
    }
}

#[test]
fn hostile_statements_leave_everything_as_it_was() {
    let mut capsule = capsule();
    let attacks = include_str!("../../../tests/vectors/hostile/statements.txt");
    for attack in attacks.lines().chain(["\0"]) {
        let before = capsule.query_scalar("SELECT count(*) FROM sqlite_schema", ()).expect("reads");
        let error = capsule.execute(attack, ()).expect_err(attack);
        assert_ne!(error.kind(), ErrorKind::Bug, "{attack}: {error}");
        capsule.execute("DROP TRIGGER IF EXISTS main.x", ()).expect("is right");
        let after = capsule.query_scalar("SELECT count(*) FROM sqlite_schema", ()).expect("reads");
        assert_eq!(before, after, "{attack}");
        check(&mut capsule, attack);
    }
}
