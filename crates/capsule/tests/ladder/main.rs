//! Live queries and watched queries follow random transactions on random schemas: patches, applied to the
//! rows before, give what a fresh run gives, in its order; and events give its rows. Every rung of the ladder
//! takes part, which the test proves by counting.
//!
//! `CAPSULE_TRANSACTIONS` sets how many transactions each test runs.

mod explained;
#[path = "../exactness/invented.rs"]
mod invented;
mod queries;
#[path = "../exactness/random.rs"]
mod random;
mod resumed;

use perilune_capsule::{Capsule, Change, ChangeEvent, Decided, LiveOptions, Rows, SqlValue};
use random::Random;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Transactions of one database, after which the next seed begins.
const EACH: u64 = 150;

/// Live queries of one database at a time, and watched ones.
const QUERIES: usize = 14;

fn transactions() -> u64 {
    std::env::var("CAPSULE_TRANSACTIONS").map_or(3000, |text| text.parse().expect("a number"))
}

/// A live query as its subscriber sees it.
struct Kept {
    live: u64,
    sql: String,
    params: Vec<SqlValue>,
    /// Window of the query, which moves.
    window: Option<(u64, u64)>,
    rows: Rc<RefCell<Rows>>,
}

impl Kept {
    /// The query as SQL has it.
    fn whole(&self) -> String {
        match self.window {
            Some((limit, offset)) => format!("{} LIMIT {limit} OFFSET {offset}", self.sql),
            None => self.sql.clone(),
        }
    }
}

/// A watched query, with what its events make of its rows.
struct Watched {
    id: Rc<str>,
    sql: String,
    rows: Rc<RefCell<BTreeMap<String, usize>>>,
}

/// Rows without an order: how often each is there.
fn counted(rows: &[Vec<SqlValue>]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(format!("{row:?}")).or_default() += 1;
    }
    counts
}

fn text_of(row: &[(Box<str>, SqlValue)]) -> String {
    format!("{:?}", row.iter().map(|(_, value)| value).collect::<Vec<_>>())
}

fn apply(rows: &mut BTreeMap<String, usize>, event: &ChangeEvent) {
    assert_eq!(event.old_data().is_some(), event.change() != Change::Enter);
    assert_eq!(event.new_data().is_some(), event.change() != Change::Leave);
    if let Some(old) = event.old_data() {
        let text = text_of(old);
        let count = rows.get_mut(&text).unwrap_or_else(|| panic!("{text} was not there"));
        *count -= 1;
        if *count == 0 {
            rows.remove(&text);
        }
    }
    if let Some(new) = event.new_data() {
        *rows.entry(text_of(new)).or_default() += 1;
    }
}

fn live(capsule: &mut Capsule, random: &mut Random) -> Option<Kept> {
    let (mut sql, params) = queries::query(random, capsule.database())?;
    let mut window = random.one_in(6).then(|| (random.below(5) as u64, random.below(3) as u64));
    if window.is_some() && sql.contains(" LIMIT ") {
        window = None;
    }
    if random.one_in(5) {
        sql.push_str(" ;");
        window = None;
    }
    let rows: Rc<RefCell<Rows>> = Rc::default();
    let told = Rc::clone(&rows);
    let options = LiveOptions { window, ..LiveOptions::default() };
    let begun = capsule.live_with(&sql, &params, options, move |update| {
        let mut rows = told.borrow_mut();
        for patch in update.patches {
            patch.apply(&mut rows.rows);
        }
        rows.columns.clone_from(&update.rows.columns);
        assert_eq!(*rows, *update.rows);
    });
    let begun = begun.ok()?;
    *rows.borrow_mut() = begun.rows;
    Some(Kept { live: begun.live, sql, params, window, rows })
}

fn watched(capsule: &mut Capsule, random: &mut Random) -> Option<Watched> {
    let (sql, params) = queries::query(random, capsule.database())?;
    if !params.is_empty() {
        return None;
    }
    let id = capsule.watch(&sql, None).ok()?;
    let first = counted(&capsule.query(&sql, ()).ok()?.rows);
    let rows = Rc::new(RefCell::new(first));
    let told = Rc::clone(&rows);
    capsule
        .subscribe(&id, move |events| events.iter().for_each(|event| apply(&mut told.borrow_mut(), event)))
        .expect("the watcher is there");
    Some(Watched { id, sql, rows })
}

/// Runs one transaction; returns what was run.
fn transact(capsule: &mut Capsule, random: &mut Random) -> Vec<String> {
    let mut trace = Vec::new();
    let is_one = random.one_in(2);
    let mut run = |capsule: &mut Capsule, sql: String| {
        let result = capsule.execute(&sql, ()).map_err(|error| error.message().to_owned());
        trace.push(format!("{sql} -> {result:?}"));
    };
    if !is_one {
        run(capsule, "BEGIN".into());
    }
    for _ in 0..=random.below(if is_one { 1 } else { 5 }) {
        let sql = if random.one_in(3) {
            queries::change(random, capsule.database())
        } else {
            invented::statement(random, capsule.database())
        };
        run(capsule, sql);
    }
    if !is_one {
        let end = if random.one_in(6) { "ROLLBACK" } else { "COMMIT" };
        run(capsule, end.into());
        if end == "COMMIT" {
            // A deferred key may be broken.
            run(capsule, "ROLLBACK".into());
        }
    }
    trace
}

fn add(sum: &mut Decided, one: Decided) {
    sum.columns += one.columns;
    sum.images += one.images;
    sum.keys += one.keys;
    sum.again += one.again;
}

fn check(capsule: &mut Capsule, kept: &[Kept], watched: &[Watched], shown: &dyn Fn() -> String) {
    for one in kept {
        let sql = one.whole();
        let Ok(fresh) = capsule.query(&sql, &one.params) else { continue };
        let explained = capsule.explain_live(one.live).expect("is there");
        assert_eq!(*one.rows.borrow(), fresh, "{sql} with {:?}\n{explained:?}\n{}", one.params, shown());
    }
    capsule.flush();
    for one in watched {
        let Ok(fresh) = capsule.query(&one.sql, ()) else { continue };
        let explained = capsule.explain(&one.id).expect("is there");
        assert_eq!(*one.rows.borrow(), counted(&fresh.rows), "{}\n{explained:?}\n{}", one.sql, shown());
    }
}

fn run(seed: u64, sum: &mut Decided) {
    let mut random = Random::new(seed);
    let mut capsule = Capsule::open(":memory:").expect("opens");
    // Queries that a change of the schema breaks tell so.
    capsule.on_error(|_| {});
    for _ in 0..4 {
        let sql = queries::table(&mut random);
        let _ = capsule.execute(&sql, ());
    }
    let (mut kept, mut watchers): (Vec<Kept>, Vec<Watched>) = (Vec::new(), Vec::new());
    for number in 0..EACH {
        while kept.len() < QUERIES {
            match live(&mut capsule, &mut random) {
                Some(one) => kept.push(one),
                None => {
                    let _ = capsule.execute(&queries::table(&mut random), ());
                }
            }
        }
        if watchers.len() < QUERIES / 2 {
            watchers.extend(watched(&mut capsule, &mut random));
        }
        let trace = transact(&mut capsule, &mut random);
        let schema = capsule.query_scalar("SELECT group_concat(sql, ';\n') FROM main.sqlite_schema", ());
        let schema = schema.ok().flatten().unwrap_or_default();
        let shown = || {
            let schema = schema.as_str().unwrap_or_default();
            format!("{schema}\nseed {seed}, transaction {number}:\n{}", trace.join("\n"))
        };
        check(&mut capsule, &kept, &watchers, &shown);
        let at = random.below(kept.len());
        if let Some((limit, offset)) = kept[at].window {
            let window = (limit + random.below(3) as u64, random.below(4) as u64 * offset.min(2));
            if let Ok(patches) = capsule.move_live(kept[at].live, window.0, window.1) {
                kept[at].window = Some(window);
                for patch in &patches {
                    patch.apply(&mut kept[at].rows.borrow_mut().rows);
                }
                check(&mut capsule, &kept[at..=at], &[], &shown);
            }
        }
        if random.one_in(3) {
            let gone = kept.swap_remove(at);
            add(sum, capsule.explain_live(gone.live).expect("is there").decided);
            assert!(capsule.end_live(gone.live));
        }
        if random.one_in(5) && !watchers.is_empty() {
            let gone = watchers.swap_remove(random.below(watchers.len()));
            add(sum, capsule.explain(&gone.id).expect("is there").decided);
            assert!(capsule.unwatch(&gone.id));
        }
    }
}

#[test]
fn rows_are_those_of_a_fresh_run_on_every_rung() {
    let mut sum = Decided::default();
    for seed in 1..=transactions().div_ceil(EACH) {
        run(seed, &mut sum);
    }
    let Decided { columns, images, keys, again } = sum;
    assert!(columns > 100 && images > 100 && keys > 100 && again > 100, "{sum:?}");
}
