//! Reactions: `on_data_changed` of the globals and the mods, once for each transaction, whatever happens.

mod support;

use perilune_capsule::{Capsule, ErrorKind, Location, Retention};
use std::time::Duration;
use support::{Directory, World};

const SCHEMA: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v);
    CREATE TABLE seen(id INTEGER PRIMARY KEY, what TEXT)";

/// A hook that writes down each row of `t`, and how many transactions there were.
const NOTES: &str = "function on_data_changed(name, operation, row)
    if name ~= 't' then return end
    if row.v == 'bad' then error('bad row') end
    glyphcase.insert('seen', { what = operation .. row.id .. ':' .. tostring(row.v) })
  end";

fn seen(w: &mut World) -> String {
    let text = w.scalar("SELECT group_concat(what, ' ') FROM (SELECT what FROM seen ORDER BY id)");
    text.as_str().unwrap_or_default().to_owned()
}

#[test]
fn every_change_is_told_once_in_a_transaction_of_its_own() {
    let mut w = World::new(SCHEMA);
    w.eval(NOTES);
    w.sql("INSERT INTO t VALUES(1, 'a'), (2, 'b'); UPDATE t SET v = 'c' WHERE id = 1; DELETE FROM t WHERE id = 2");
    w.sql("BEGIN; INSERT INTO t VALUES(3, 'd'); UPDATE t SET v = 'e' WHERE id = 3; COMMIT");
    w.sql("BEGIN; INSERT INTO t VALUES(4, 'x'); ROLLBACK; UPDATE t SET v = v");
    assert_eq!(seen(&mut w), "", "it waits for its batch");
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_events WHERE processed = 0"), 5.into());
    w.pass(99);
    assert_eq!(seen(&mut w), "");
    w.pass(1);
    assert_eq!(seen(&mut w), "INSERT1:a INSERT2:b UPDATE1:c DELETE2:b INSERT3:e");
    w.capsule.flush();
    w.pass(100_000);
    assert_eq!(seen(&mut w), "INSERT1:a INSERT2:b UPDATE1:c DELETE2:b INSERT3:e");
    assert_eq!(w.scalar("SELECT count(*) FROM _capsule_events WHERE processed = 0"), 0.into());
    // Four transactions with changes, so four of reactions, each caused by its own.
    let causes = w.scalar(
        "SELECT group_concat((r.cause - (SELECT min(cause) FROM _capsule_tx)) || ':' || r.events || r.source, ' ')
         FROM _capsule_tx AS r WHERE r.cause IS NOT NULL",
    );
    assert_eq!(causes, "0:2lua 1:1lua 2:1lua 3:1lua".into());
    assert_eq!(w.told(), []);
}

#[test]
fn a_full_batch_does_not_wait_and_is_never_split() {
    let set = |builder: perilune_capsule::CapsuleBuilder| builder.batch(Duration::from_secs(1), 3);
    let mut w = World::with(&Location::Memory, SCHEMA, set);
    w.eval(NOTES);
    w.sql("INSERT INTO t VALUES(1, 1); INSERT INTO t VALUES(2, 1)");
    assert_eq!(seen(&mut w), "");
    w.sql("INSERT INTO t VALUES(3, 1), (4, 1), (5, 1), (6, 1)");
    assert_eq!(seen(&mut w).split(' ').count(), 6);
    w.sql("BEGIN");
    for id in 7..20 {
        w.sql(&format!("INSERT INTO t VALUES({id}, 1)"));
    }
    assert_eq!(seen(&mut w).split(' ').count(), 6, "nothing is told before the commit");
    w.capsule.flush();
    assert_eq!(seen(&mut w).split(' ').count(), 6, "also not by flush");
    w.sql("COMMIT");
    assert_eq!(seen(&mut w).split(' ').count(), 19);
}

#[test]
fn an_error_takes_back_its_reaction_alone_and_is_told() {
    let mut w = World::new(SCHEMA);
    w.eval(NOTES);
    w.sql("INSERT INTO t VALUES(1, 'a'); INSERT INTO t VALUES(2, 'b'), (3, 'bad'), (4, 'c'); INSERT INTO t VALUES(5, 'd')");
    w.capsule.flush();
    assert_eq!(seen(&mut w), "INSERT1:a INSERT5:d");
    let told = w.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].0 == ErrorKind::Lua && told[0].1.contains("bad row"), "{told:?}");
    assert_eq!(
        w.scalar("SELECT count(*) FROM _capsule_events WHERE processed = 0 AND table_name = 't'"),
        0.into()
    );
    w.capsule.flush();
    assert_eq!(w.told(), []);
    // A refusal at the end is an error like others, and so is a boundary that is left open.
    w.eval("function before_commit(events) if events[1].table_name == 'seen' then error('no notes') end end");
    w.sql("INSERT INTO t VALUES(6, 'e')");
    w.capsule.flush();
    assert_eq!(w.told().into_iter().map(|(kind, _)| kind).collect::<Vec<_>>(), [ErrorKind::Veto]);
    w.eval("before_commit = nil function on_data_changed() glyphcase.execute('SAVEPOINT s') glyphcase.insert('seen', {}) end");
    w.sql("INSERT INTO t VALUES(7, 'f')");
    w.capsule.flush();
    assert!(w.told().iter().all(|(kind, _)| *kind != ErrorKind::Bug));
    w.eval("on_data_changed = nil");
    w.capsule.flush();
    w.sql("BEGIN; ROLLBACK");
}

#[test]
fn a_crash_before_or_after_runs_it_exactly_once() {
    let place = Directory::new("reactions");
    let mut w = World::open(&place.file("app.db"), SCHEMA);
    w.eval(NOTES);
    w.sql("INSERT INTO t VALUES(1, 'a'); INSERT INTO t VALUES(2, 'bad'); BEGIN; INSERT INTO t VALUES(3, 'b'), (4, 'c'); COMMIT");
    let before = place.crash("app.db", "before.db");
    w.capsule.flush();
    let after = place.crash("app.db", "after.db");
    let all = "INSERT1:a INSERT3:b INSERT4:c";
    assert_eq!(seen(&mut w), all);
    for path in [before, after] {
        for _ in 0..2 {
            let mut w = World::open(&path, "");
            w.eval(NOTES);
            w.pass(100);
            w.pass(100);
            assert_eq!(seen(&mut w), all, "{}", path.display());
            assert_eq!(
                w.scalar("SELECT count(*) FROM _capsule_events WHERE processed = 0 AND table_name = 't'"),
                0.into()
            );
        }
    }
}

#[test]
fn a_crash_between_two_reactions_goes_on_with_the_second() {
    let place = Directory::new("between");
    let mut w = World::open(&place.file("app.db"), SCHEMA);
    // The listener hears of the first of three reactions when it is committed, and copies the files.
    w.eval(NOTES);
    w.sql("INSERT INTO t VALUES(1, 'a'); INSERT INTO t VALUES(2, 'b'); INSERT INTO t VALUES(3, 'c')");
    let place = std::rc::Rc::new(place);
    w.eval("function after_save(t, row) if t == 'seen' then glyphcase.dispatch('saved', row.what) end end");
    let (copies, from) = (std::rc::Rc::clone(&place), "app.db");
    w.capsule.on("saved", move |what| {
        if *what == "INSERT1:a".into() {
            copies.crash(from, "second.db");
        }
    });
    w.capsule.flush();
    assert_eq!(seen(&mut w), "INSERT1:a INSERT2:b INSERT3:c");
    let mut w = World::open(&place.file("second.db"), "");
    w.eval(NOTES);
    w.capsule.flush();
    assert_eq!(seen(&mut w), "INSERT1:a INSERT2:b INSERT3:c");
}

#[test]
fn a_chain_of_reactions_has_an_end_that_is_told() {
    let mut w = World::new(SCHEMA);
    w.eval(
        "function on_data_changed(t, o, row)
           if t == 't' then glyphcase.insert('seen', { what = 'from t' }) else glyphcase.insert('t', { v = 1 }) end
         end",
    );
    w.sql("INSERT INTO t VALUES(1, 0)");
    w.capsule.flush();
    let rows = w.scalar("SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM seen)");
    assert_eq!(rows, 18.into(), "the first, 16 links, and the one that is told no further");
    let told = w.told();
    assert!(told.len() == 1 && told[0].0 == ErrorKind::Limit && told[0].1.contains("16 links"), "{told:?}");
    assert_eq!(w.capsule.next_due().expect("answers"), None);
    w.capsule.flush();
    assert_eq!(w.told(), []);
}

#[test]
fn a_chain_through_messages_has_an_end_too() {
    for handler in ["glyphcase.dispatch", "actionbus.dispatch"] {
        let mut w = World::new(SCHEMA);
        w.eval(&format!(
            "actionbus.register('again', function() glyphcase.insert('t', {{ v = 1 }}) end)
             function on_data_changed() {handler}('again') end"
        ));
        w.sql("INSERT INTO t VALUES(1, 0)");
        w.capsule.flush();
        assert_eq!(w.scalar("SELECT count(*) FROM t"), 18.into(), "{handler}");
        let told = w.told();
        assert!(told.len() == 1 && told[0].0 == ErrorKind::Limit, "{told:?}");
    }
}

#[test]
fn work_that_nobody_waits_for_leaves_no_transaction_open() {
    let mut w = World::new(SCHEMA);
    w.eval(
        "local function bad(fails) return function()
           glyphcase.execute('BEGIN') glyphcase.insert('seen', { what = 'left open' }) if fails then error('x') end
         end end
         for _, fails in ipairs { true, false } do
           scheduler.after(10, bad(fails))
           actionbus.register('act', bad(fails))
           glyphcase.watch('t', bad(fails))
         end",
    );
    w.pass(10);
    w.eval("glyphcase.dispatch('act')");
    w.sql("INSERT INTO t VALUES(1, 1)");
    w.capsule.flush();
    assert_eq!(w.told().len(), 5, "two timers, two watchers, and the first handler, which ends the others");
    assert_eq!(w.scalar("SELECT count(*) FROM seen"), 0.into());
    w.sql("BEGIN; ROLLBACK");
}

#[test]
fn the_author_of_a_write_is_who_began_it() {
    let mut w = World::new(SCHEMA);
    w.eval("function before_save(t, row) return row end function before_delete() end");
    let key = w.capsule.insert("t", &[("v", 1.into())]).expect("inserts");
    w.capsule.update("t", &key, &[("v", 2.into())]).expect("updates");
    w.capsule.update_where("t", "v = 2", (), &[("v", 3.into())]).expect("updates");
    w.capsule.delete("t", &key).expect("deletes");
    assert_eq!(w.scalar("SELECT group_concat(DISTINCT source) FROM _capsule_events"), "trigger".into());
    w.eval("glyphcase.insert('t', { v = 1 })");
    assert_eq!(w.scalar("SELECT source FROM _capsule_events ORDER BY id DESC LIMIT 1"), "lua".into());
}

#[test]
fn the_log_is_swept_at_open_and_once_a_day() {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let directory = Directory::new("sweeps");
    let path = directory.file("a.db");
    let mut w = World::open(&path, "CREATE TABLE a(x); INSERT INTO a VALUES(1)");
    let left = |w: &mut World| w.scalar("SELECT count(*) FROM _capsule_events");
    w.pass(200);
    w.pass(8 * DAY_MS);
    assert_eq!(left(&mut w), 0.into(), "it is older than a week");
    w.sql("INSERT INTO a VALUES(2)");
    w.pass(200);
    w.pass(DAY_MS / 2);
    assert_eq!(left(&mut w), 1.into());
    // What nobody was told of yet stays.
    w.sql("INSERT INTO a VALUES(3)");
    drop(w.capsule);
    let clock = w.clock;
    clock.pass(30 * DAY_MS);
    let builder = Capsule::builder(Location::File(path)).environment(clock.clone());
    let retention = Retention { days: 60, ..Retention::default() };
    let capsule = builder.retention(retention).open().expect("opens");
    assert_eq!(capsule.database().changes_since(0, 10).expect("reads").len(), 2, "it keeps 60 days");
    drop(capsule);
    let path = directory.file("a.db");
    let capsule = Capsule::builder(Location::File(path)).environment(clock).open().expect("opens");
    let kept = capsule.database().changes_since(0, 10).expect("reads");
    assert_eq!(kept.len(), 1, "only the one that waits");
}
