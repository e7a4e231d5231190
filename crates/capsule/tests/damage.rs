//! Files that are damaged: every call ends, with an error or a result, and none of them is a fault of the
//! capsule.

mod support;

use perilune_capsule::{Capsule, CapsuleError, ErrorKind, Location, SqlValue};
use std::fs;
use std::path::Path;
use support::{Clock, Directory};

/// Ways in which a file comes to harm.
const WAYS: [&str; 5] = ["bytes", "bits", "cut", "pages", "zeros"];

const PAGE: usize = 8192;

fn open(path: &Path, clock: &Clock) -> Result<Capsule, CapsuleError> {
    // Fuel, so that a loop in damaged pages has an end on every machine.
    let builder = Capsule::builder(Location::File(path.into())).environment(clock.clone());
    let capsule = builder.timeout(None).fuel(Some(5_000_000)).open()?;
    capsule.on_error(|error| assert_ne!(error.kind(), ErrorKind::Bug, "{error}"));
    Ok(capsule)
}

type Call = Box<dyn Fn(&mut Capsule) -> Result<(), CapsuleError>>;

/// Works with a database as a program does.
fn work(path: &Path, clock: &Clock) -> Result<(), CapsuleError> {
    let mut capsule = open(path, clock)?;
    let calls: Vec<Call> = vec![
        Box::new(|capsule| capsule.query("SELECT * FROM notes ORDER BY title", ()).map(drop)),
        Box::new(|capsule| capsule.query("SELECT * FROM words WHERE words MATCH 'moon'", ()).map(drop)),
        Box::new(|capsule| capsule.query("SELECT * FROM _capsule_events", ()).map(drop)),
        Box::new(|capsule| capsule.query("SELECT * FROM _capsule_transactions", ()).map(drop)),
        Box::new(|capsule| capsule.watch("notes", Some("id > 3")).map(drop)),
        Box::new(|capsule| capsule.live("SELECT count(*) FROM notes", &[], |_| {}).map(drop)),
        Box::new(|capsule| capsule.insert("notes", &[("title", "new".into())]).map(drop)),
        Box::new(|capsule| capsule.execute("UPDATE notes SET body = body || 'x'", ()).map(drop)),
        Box::new(|capsule| capsule.execute("DELETE FROM notes WHERE id % 3 = 0", ()).map(drop)),
        Box::new(|capsule| capsule.execute("INSERT INTO words VALUES('more words')", ()).map(drop)),
        Box::new(|capsule| capsule.undo(7).map(drop)),
        Box::new(|capsule| capsule.install_mod("new", "1", &[("main.lua", "function on_activate() end")])),
        Box::new(|capsule| capsule.mods().map(drop)),
        Box::new(|capsule| capsule.execute("VACUUM", ()).map(drop)),
        Box::new(|capsule| capsule.export().map(drop)),
        Box::new(Capsule::run_due),
    ];
    let mut last = Ok(());
    for call in &calls {
        let done = call(&mut capsule);
        if let Err(error) = &done {
            assert_ne!(error.kind(), ErrorKind::Bug, "{error} ({:?})", error.sql());
            last = done;
        }
    }
    capsule.flush();
    last
}

#[test]
fn damage_is_an_error_or_harmless() {
    let directory = Directory::new("damage");
    let clock = Clock::default();
    let whole = directory.file("whole.db");
    let mut capsule = open(&whole, &clock).expect("opens");
    capsule
        .execute(
            "CREATE TABLE notes(id INTEGER PRIMARY KEY, title TEXT UNIQUE, body TEXT);
             CREATE INDEX by_body ON notes(body);
             CREATE VIRTUAL TABLE words USING fts5(text);
             CREATE TABLE refers(note REFERENCES notes ON DELETE CASCADE, PRIMARY KEY(note)) WITHOUT ROWID",
            (),
        )
        .expect("is right");
    for n in 0..120 {
        let sql = "INSERT INTO notes(title, body) VALUES('t' || ?1, hex(randomblob(?1 * 3)))";
        capsule.execute(sql, &[SqlValue::from(n)]).expect("is right");
    }
    capsule.execute("INSERT INTO words SELECT 'the moon ' || body FROM notes", ()).expect("is right");
    capsule.execute("INSERT INTO refers SELECT id FROM notes WHERE id < 20", ()).expect("is right");
    capsule.install_mod("old", "1", &[("main.lua", "function validate_insert() end")]).expect("is installed");
    capsule.flush();
    drop(capsule);
    let bytes = fs::read(&whole).expect("is there");
    let mut refused = 0;
    for round in 0..150 {
        let mut damaged = bytes.clone();
        let below = |n: usize| (clock.next_random() >> 20) as usize % n;
        match WAYS[round % WAYS.len()] {
            "bytes" => (0..=below(40)).for_each(|_| damaged[below(bytes.len())] = below(256) as u8),
            "bits" => (0..=below(8)).for_each(|_| damaged[below(bytes.len())] ^= 1 << below(8)),
            "cut" => damaged.truncate(below(bytes.len())),
            "pages" => {
                let (from, to) = (below(bytes.len() / PAGE) * PAGE, below(bytes.len() / PAGE) * PAGE);
                damaged.copy_within(from..from + PAGE, to);
            }
            _ => {
                let at = below(bytes.len() / PAGE) * PAGE;
                damaged[at..at + PAGE].fill(0);
            }
        }
        let path = directory.file("damaged.db");
        for end in ["", "-wal", "-journal"] {
            drop(fs::remove_file(directory.file(&format!("damaged.db{end}"))));
        }
        fs::write(&path, &damaged).expect("is written");
        if let Err(error) = work(&path, &clock) {
            refused += 1;
            assert_ne!(error.kind(), ErrorKind::Bug, "{error}");
        }
    }
    assert!(refused > 30, "the damage was seen");
    work(&whole, &clock).expect("the whole one is as it was");
}
