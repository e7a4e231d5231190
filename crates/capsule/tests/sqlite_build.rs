//! Version and compile options of SQLite, which is the same on every target: those of
//! tests/vectors/sqlite.txt, which `web/test/capsule_module.test.ts` compares with the module's.

use perilune_capsule::{Database, Durability, Location, SystemEnvironment};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Options that name the compiler, or what it can do.
const OF_THE_COMPILER: [&str; 2] = ["COMPILER=", "ATOMIC_INTRINSICS="];

#[test]
fn sqlite_is_what_the_vectors_say() {
    let db =
        Database::open(&Location::Memory, Durability::Relaxed, Box::new(SystemEnvironment)).expect("opens");
    let mut found = BTreeSet::new();
    for sql in ["SELECT sqlite_version()", "SELECT sqlite_source_id()", "PRAGMA compile_options"] {
        for row in db.query(sql, ()).expect("a query").rows {
            let text = row[0].as_str().expect("text").to_owned();
            if !OF_THE_COMPILER.iter().any(|prefix| text.starts_with(prefix)) {
                found.insert(text);
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/sqlite.txt");
    let vectors = fs::read_to_string(path).expect("the vectors");
    let native: BTreeSet<String> = vectors
        .lines()
        .filter_map(|line| line.strip_prefix("all ").or_else(|| line.strip_prefix("native ")))
        .map(str::to_owned)
        .collect();
    assert_eq!(found, native);
}
