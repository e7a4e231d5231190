//! Net changes of random transactions equal the difference of the tables before and after, every time; and
//! the log, replayed, gives the tables.
//!
//! `CAPSULE_TRANSACTIONS` sets how many transactions each test runs.

mod fixed;
mod invented;
mod model;
mod random;

use model::Model;
use perilune_capsule::{
    CapsuleError, Committed, Database, Durability, ErrorKind, Location, SchemaChange, SystemEnvironment,
};
use random::Random;
use std::cell::RefCell;
use std::rc::Rc;

/// Transactions of one database, after which the next seed begins.
const EACH: u64 = 500;

fn transactions() -> u64 {
    std::env::var("CAPSULE_TRANSACTIONS").map_or(20_000, |text| text.parse().expect("a number"))
}

fn open() -> (Database, Rc<RefCell<Vec<Committed>>>) {
    let db =
        Database::open(&Location::Memory, Durability::Relaxed, Box::new(SystemEnvironment)).expect("opens");
    let commits: Rc<RefCell<Vec<Committed>>> = Rc::default();
    let heard = Rc::clone(&commits);
    db.on_commit(move |committed| heard.borrow_mut().push(committed.clone()));
    (db, commits)
}

/// True for an error with which a transaction may end: it is gone already, or a deferred key is broken. Or a
/// full-text table that it has made was taken back with a savepoint: SQLite asks it all the same at the next
/// one (3.54.1), and nothing but ROLLBACK is possible then.
fn is_expected(error: &CapsuleError) -> bool {
    let is_of_lost_table = error.code() == Some("SQLITE_ERROR") && error.message() == "SQL logic error";
    matches!(error.kind(), ErrorKind::Usage | ErrorKind::Constraint) || is_of_lost_table
}

/// A boundary within a transaction, or a statement.
fn step(
    random: &mut Random,
    db: &Database,
    statement: &mut dyn FnMut(&mut Random, &Database) -> String,
) -> String {
    let savepoint = random.below(3);
    match random.below(12) {
        0 => format!("SAVEPOINT s{savepoint}"),
        1 => format!("ROLLBACK TO s{savepoint}"),
        2 => format!("RELEASE s{savepoint}"),
        _ => statement(random, db),
    }
}

/// Runs one transaction; returns what was run, for who has to find the fault.
fn transact(
    random: &mut Random,
    db: &Database,
    statement: &mut dyn FnMut(&mut Random, &Database) -> String,
) -> Vec<String> {
    let mut trace = Vec::new();
    let fails = random.one_in(6);
    let steps = random.below(7) + 1;
    let mut work = |random: &mut Random, db: &Database| {
        for _ in 0..steps {
            let sql = step(random, db, statement);
            let result = db.execute(&sql, ());
            assert!(!matches!(&result, Err(error) if error.kind() == ErrorKind::Bug), "{sql}: {result:?}");
            let result = result.map_err(|error| error.message().to_owned());
            trace.push(format!("{sql} -> {result:?}"));
        }
    };
    match random.below(5) {
        // Each statement by itself, with savepoints that may begin a transaction.
        0 => work(random, db),
        1 | 2 => {
            let result = db.transaction(|db| {
                work(random, db);
                if fails { Err(db.execute("no statement", ()).expect_err("fails")) } else { Ok(()) }
            });
            let strange = matches!(&result, Err(error) if !is_expected(error));
            assert!(fails || !strange, "{result:?} after\n{}", trace.join("\n"));
        }
        _ => {
            let _ = db.execute("BEGIN", ());
            work(random, db);
        }
    }
    // A COMMIT that fails leaves the transaction open. There is none to be committed, or a deferred key is
    // broken.
    let ended = if fails { db.execute("ROLLBACK", ()) } else { db.execute("COMMIT", ()) };
    if let Err(error) = ended {
        assert!(is_expected(&error), "{error:?} after\n{}", trace.join("\n"));
        let _ = db.execute("ROLLBACK", ());
    }
    trace
}

fn run(seed: u64, schema: &str, statement: &mut dyn FnMut(&mut Random, &Database) -> String) {
    let (db, commits) = open();
    db.execute(schema, ()).expect("the schema is right");
    let mut random = Random::new(seed);
    let mut model = Model::read(&db);
    commits.take();
    for number in 0..EACH {
        let trace = transact(&mut random, &db, statement);
        let after = Model::read(&db);
        let shown = || {
            let schema =
                db.query("SELECT group_concat(sql, ';\n') FROM main.sqlite_schema", ()).expect("reads").rows;
            let schema = schema[0][0].as_str().unwrap_or_default();
            format!("{schema}\nseed {seed}, transaction {number}:\n{}", trace.join("\n"))
        };
        let applied = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for committed in commits.take() {
                model.apply(&committed);
            }
        }));
        assert!(applied.is_ok(), "{}", shown());
        assert_eq!(model.difference(&after), None, "{}", shown());
        model = after;
        if random.one_in(50) {
            db.execute("VACUUM", ()).expect("there is room");
            let after = Model::read(&db);
            for change in commits.take().into_iter().flat_map(|committed| committed.schema) {
                let SchemaChange::Renumbered(name) = change else { panic!("VACUUM does not do {change:?}") };
                model.tables.insert(name.to_string(), after.tables[&*name].clone());
            }
            assert_eq!(model, after, "VACUUM in seed {seed}, after transaction {number}");
        }
    }
}

#[test]
fn net_changes_are_the_difference_of_the_tables() {
    for seed in 1..=transactions().div_ceil(EACH) {
        run(seed, fixed::SCHEMA, &mut |random, _| fixed::statement(random));
    }
}

#[test]
fn net_changes_are_exact_on_schemas_that_change() {
    for seed in 1..=transactions().div_ceil(EACH) {
        run(seed, "", &mut |random, db| invented::statement(random, db));
    }
}

#[test]
fn the_log_replayed_gives_the_tables() {
    for seed in 1..=10 {
        let (db, _commits) = open();
        db.execute(fixed::SCHEMA, ()).expect("the schema is right");
        let mut replayed = Model::read(&db);
        let mut random = Random::new(seed);
        for _ in 0..EACH {
            transact(&mut random, &db, &mut |random, _| fixed::statement(random));
        }
        let mut seq = 0;
        loop {
            let changes = db.changes_since(seq, 100).expect("reads");
            let Some(last) = changes.last() else { break };
            seq = last.seq;
            for change in &changes {
                replayed.replay(change);
            }
        }
        let there = Model::read(&db);
        assert_eq!(replayed.difference(&there), None, "seed {seed}");
        assert_eq!(replayed, there, "seed {seed}: every column is in the log");
    }
}
