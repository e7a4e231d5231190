//! Prints what capture, log and hooks cost, as a ratio to the same statements of SQLite alone: medians of
//! interleaved samples. `cargo bench -p perilune-capsule`.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod turns;

use perilune_capsule::{Capsule, Database, Durability, Location, SqlValue, SystemEnvironment};
use std::path::{Path, PathBuf};
use turns::{medians, timed};

const ROWS: i64 = 10_000;
const SCHEMA: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INTEGER)";
const INSERT: &str = "INSERT INTO t(name, n) VALUES(?, ?)";

fn row(n: i64) -> [SqlValue; 2] {
    [format!("the name of row {n}").into(), n.into()]
}

/// SQLite alone, with the settings of a capsule.
fn plain(file: Option<&Path>) -> rusqlite::Connection {
    let sqlite = match file {
        Some(path) => rusqlite::Connection::open(path),
        None => rusqlite::Connection::open_in_memory(),
    };
    let sqlite = sqlite.expect("opens");
    sqlite
        .execute_batch(
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;
             PRAGMA foreign_keys=ON; PRAGMA wal_autocheckpoint=500",
        )
        .expect("sets");
    sqlite.execute_batch(SCHEMA).expect("is right");
    sqlite
}

fn database(file: Option<&Path>) -> Database {
    let location = file.map_or(Location::Memory, |path| Location::File(path.to_owned()));
    let db = Database::open(&location, Durability::Relaxed, Box::new(SystemEnvironment)).expect("opens");
    db.execute(SCHEMA, ()).expect("is right");
    db
}

fn capsule(hook: &str) -> Capsule {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute(SCHEMA, ()).expect("is right");
    capsule.eval(hook).expect("runs");
    capsule
}

/// A line of the table: both are run in turns.
fn compare(name: &str, mut base: impl FnMut() -> f64, mut other: impl FnMut() -> f64) {
    let medians = medians(&mut [&mut base, &mut other]);
    let (of_base, of_other) = (medians[0], medians[1]);
    println!("| {name} | {of_base:.1} | {of_other:.1} | {:.2} |", of_other / of_base);
}

fn plain_in_one(sqlite: &rusqlite::Connection) -> f64 {
    timed(|| {
        sqlite.execute_batch("BEGIN IMMEDIATE").expect("begins");
        for n in 0..ROWS {
            let [name, n] = row(n);
            sqlite.prepare_cached(INSERT).expect("compiles").execute([&name, &n]).expect("inserts");
        }
        sqlite.execute_batch("COMMIT").expect("commits");
    })
}

fn logged_in_one(db: &Database) -> f64 {
    timed(|| {
        db.transaction(|db| (0..ROWS).try_for_each(|n| db.execute(INSERT, &row(n)).map(drop)))
            .expect("commits");
    })
}

fn main() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("capsule_bench");
    let fresh = |name: &str| {
        let _ = std::fs::remove_dir_all(folder.join(name));
        std::fs::create_dir_all(folder.join(name)).expect("can be made");
        folder.join(name).join("a.db")
    };
    println!("| {ROWS} rows | base, ms | capsule, ms | ratio |\n|---|---|---|---|");
    compare(
        "one transaction in memory, logged / SQLite alone",
        || plain_in_one(&plain(None)),
        || logged_in_one(&database(None)),
    );
    compare(
        "one transaction in a file, logged / SQLite alone",
        || plain_in_one(&plain(Some(&fresh("plain")))),
        || logged_in_one(&database(Some(&fresh("logged")))),
    );
    compare(
        "a commit for each row in a file, logged / SQLite alone",
        || {
            let sqlite = plain(Some(&fresh("plain")));
            timed(|| {
                for n in 0..ROWS {
                    let [name, n] = row(n);
                    sqlite.prepare_cached(INSERT).expect("compiles").execute([&name, &n]).expect("inserts");
                }
            })
        },
        || {
            let db = database(Some(&fresh("logged")));
            timed(|| {
                for n in 0..ROWS {
                    db.execute(INSERT, &row(n)).expect("inserts");
                }
            })
        },
    );
    let insert = |capsule: &mut Capsule| {
        timed(|| {
            capsule.execute("BEGIN", ()).expect("begins");
            for n in 0..ROWS {
                capsule.execute(INSERT, &row(n)).expect("inserts");
            }
            capsule.execute("COMMIT", ()).expect("commits");
        })
    };
    compare(
        "one transaction in memory, validated by Lua / without hook",
        || insert(&mut capsule("")),
        || insert(&mut capsule("function validate_insert(t, row) return row.n >= 0 end")),
    );
    let _ = std::fs::remove_dir_all(&folder);
}
