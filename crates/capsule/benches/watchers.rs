//! Prints what watchers and live queries cost: medians of interleaved samples. `cargo bench -p
//! perilune-capsule --bench watchers`.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod turns;

use perilune_capsule::{Capsule, Decided, LiveOptions, SqlValue};
use std::cell::Cell;
use std::rc::Rc;
use turns::{medians, timed};

const ROWS: i64 = 10_000;
const SCHEMA: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, n INTEGER, owner INTEGER)";

fn capsule(rows: i64) -> Capsule {
    let mut capsule = Capsule::open(":memory:").expect("opens");
    capsule.execute(SCHEMA, ()).expect("is right");
    capsule
        .execute(
            "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ?)
             INSERT INTO t SELECT n, 'the name of row ' || n, n * 7919 % 10007, n % 1000 FROM c",
            &[SqlValue::from(rows)],
        )
        .expect("inserts");
    capsule.flush();
    capsule
}

/// A line of the table: all are run in turns.
fn row(name: &str, works: &mut [&mut dyn FnMut() -> f64]) {
    let medians: Vec<String> = medians(works).iter().map(|median| format!("{median:.3}")).collect();
    println!("| {name} | {} |", medians.join(" | "));
}

/// A live query that one-row updates concern.
struct Followed {
    capsule: Capsule,
    told: Rc<Cell<usize>>,
    live: u64,
    next: i64,
}

impl Followed {
    fn new(sql: &str) -> Self {
        let mut capsule = capsule(ROWS);
        let told = Rc::new(Cell::new(0));
        let count = Rc::clone(&told);
        let begun = capsule
            .live_with(sql, &[], LiveOptions::default(), move |update| {
                count.set(count.get() + update.patches.len());
            })
            .expect("begins");
        Self { capsule, told, live: begun.live, next: 0 }
    }

    fn update(&mut self, set: &str) -> f64 {
        self.next = (self.next + 4_999) % ROWS;
        let sql = format!("UPDATE t SET {set} WHERE id = ?");
        let id = [SqlValue::from(self.next + 1)];
        let time = timed(|| assert_eq!(self.capsule.execute(&sql, &id).expect("updates"), 1));
        self.capsule.flush();
        time
    }

    fn decided(&self) -> Decided {
        assert!(self.told.get() > 0, "patches were told");
        self.capsule.explain_live(self.live).expect("is there").decided
    }
}

/// Milliseconds of a transaction with a hundred inserts, with its delivery.
fn hundred(capsule: &mut Capsule) -> f64 {
    timed(|| {
        capsule.execute("BEGIN", ()).expect("begins");
        for n in 0..100_i64 {
            capsule
                .execute("INSERT INTO t(name, n, owner) VALUES('x', ?1, ?1 % 1000)", &[SqlValue::from(n)])
                .expect("inserts");
        }
        capsule.execute("COMMIT", ()).expect("commits");
        capsule.flush();
    })
}

/// A capsule with a thousand watchers. They watch `t` where `table` says so, each with its filter.
fn watched(is_filtered: bool) -> Capsule {
    let mut capsule = capsule(1000);
    capsule.execute("CREATE TABLE other(a)", ()).expect("is right");
    for owner in 0..1000 {
        let (table, filter) =
            if is_filtered { ("t", format!("owner = {owner}")) } else { ("other", "a > 1".into()) };
        let watcher = capsule.watch(table, Some(&filter)).expect("watches");
        capsule.subscribe(&watcher, |_| {}).expect("is there");
    }
    capsule
}

/// A capsule with a thousand live queries of one row in a thousand.
fn lively() -> Capsule {
    let mut capsule = capsule(1000);
    for owner in 0..1000_i64 {
        capsule
            .live("SELECT * FROM t WHERE owner = ? ORDER BY n, id", &[SqlValue::from(owner)], |_| {})
            .expect("begins");
    }
    capsule
}

fn main() {
    println!(
        "| 100 inserts and their delivery | no watcher, ms | 1,000 of another table, ms | 1,000 filters, ms | 1,000 live queries, ms |\n|---|---|---|---|---|"
    );
    let (mut none, mut other, mut filtered, mut live) =
        (capsule(1000), watched(false), watched(true), lively());
    row(
        "one transaction",
        &mut [
            &mut || hundred(&mut none),
            &mut || hundred(&mut other),
            &mut || hundred(&mut filtered),
            &mut || hundred(&mut live),
        ],
    );
    println!(
        "\n| one-row update of {ROWS} rows in order | no query, ms | by its key, ms | run again, ms |\n|---|---|---|---|"
    );
    let mut none = capsule(ROWS);
    let mut next = 0;
    let keyed = "SELECT id, name, n FROM t ORDER BY n, id";
    // The same rows, by a query whose rows are not proven to be those of one table.
    let again = "SELECT id, name, n FROM t WHERE (SELECT 1) ORDER BY n, id";
    for (name, set) in
        [("a column that is shown", "name = name || 'x'"), ("the place in the order", "n = n + 777")]
    {
        let (mut keyed, mut again) = (Followed::new(keyed), Followed::new(again));
        row(
            name,
            &mut [
                &mut || {
                    next = (next + 4_999) % ROWS;
                    let sql = format!("UPDATE t SET {set} WHERE id = ?");
                    let time = timed(|| {
                        assert_eq!(none.execute(&sql, &[SqlValue::from(next + 1)]).expect("updates"), 1);
                    });
                    none.flush();
                    time
                },
                &mut || keyed.update(set),
                &mut || again.update(set),
            ],
        );
        assert!(keyed.decided().again == 0 && again.decided().keys == 0);
    }
}
