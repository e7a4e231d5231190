//! Random schemas that change on the way, and random statements about whatever tables there are at the
//! moment.

use crate::random::Random;
use perilune_capsule::{Database, SqlValue};
use std::fmt::Write;

const TYPES: &[&str] =
    &["", " INTEGER", " INT", " TEXT", " REAL", " BLOB", " NUMERIC", " TEXT COLLATE NOCASE"];
const NAMES: &[&str] = &["t0", "t1", "\"T 2\"", "\"t\"\"3\"", "[t(4]", "\u{e9}5"];
const COLUMNS: &[&str] = &["a", "b", "\"c d\"", "rowid", "\"e,(\"", "f"];

/// A value as SQL writes it.
fn value(random: &mut Random) -> String {
    let number = random.below(5);
    match random.below(9) {
        0 => "NULL".to_owned(),
        1 => format!("{number}.0"),
        2 => format!("-{number}.5"),
        3 => format!("'{number}'"),
        4 => random.pick(&["'a'", "'A'", "'a '", "''", "CAST(x'ff' AS TEXT)"]).to_owned(),
        5 => format!("x'0{number}'"),
        6 => random.pick(&["9223372036854775807", "1e300", "-0.0", "9007199254740993"]).to_owned(),
        _ => number.to_string(),
    }
}

fn column(random: &mut Random, name: &str, earlier: &[&str]) -> String {
    let mut text = format!("{name}{}", random.pick(TYPES));
    if !earlier.is_empty() && random.one_in(6) {
        let of = random.pick(earlier);
        let expression = match random.below(4) {
            0 => format!("{of} || '/' || typeof({of})"),
            1 => format!("{of} = 'A'"),
            2 => format!("json_extract({of}, '$')"),
            _ => format!("{of} + 1"),
        };
        let _ = write!(text, " AS ({expression}) {}", random.pick(&["", "VIRTUAL", "STORED"]));
        return text;
    }
    if random.one_in(6) {
        let _ = write!(text, " DEFAULT ({})", value(random));
    }
    if random.one_in(10) {
        text.push_str(" UNIQUE");
    }
    if random.one_in(12) {
        let _ = write!(text, " CHECK ({name} IS NOT 3)");
    }
    if random.one_in(10) {
        text.push_str(" REFERENCES t0 ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED");
    }
    text
}

/// CREATE TABLE with a name that may be taken.
fn create(random: &mut Random) -> String {
    let name = random.pick(NAMES);
    if random.one_in(10) {
        return format!("CREATE VIRTUAL TABLE {name} USING fts5(a, b)");
    }
    if random.one_in(12) {
        return format!("CREATE TABLE {name} AS SELECT * FROM {}", random.pick(NAMES));
    }
    let mut names = Vec::new();
    let mut columns = Vec::new();
    // Generated columns are not part of a key.
    let mut keys = Vec::new();
    for _ in 0..=random.below(4) {
        let name = random.pick(COLUMNS);
        if names.contains(&name) {
            continue;
        }
        let text = column(random, name, &names);
        if !text.contains(" AS (") {
            keys.push(name);
        }
        names.push(name);
        columns.push(text);
    }
    let mut end = "";
    match random.below(5) {
        0 => columns
            .insert(0, format!("id INTEGER PRIMARY KEY {}", random.pick(&["", "", "AUTOINCREMENT", "DESC"]))),
        1 | 2 => {
            let (first, second) = (random.below(keys.len()), random.below(keys.len()));
            let mut key = keys[first].to_owned();
            if first != second {
                let _ = write!(key, ", {}", keys[second]);
            }
            columns.push(format!("PRIMARY KEY({key})"));
            end = random.pick(&["", " WITHOUT ROWID", " WITHOUT ROWID"]);
        }
        3 => columns.insert(0, "id TEXT PRIMARY KEY".to_owned()),
        _ => {}
    }
    format!(
        "CREATE TABLE {name}({}){end}",
        columns.join(random.pick(&[", ", ",\n  -- (,\n  ", " /* ) */, "]))
    )
}

/// A table that is there, quoted, and the columns that can be written.
fn table(random: &mut Random, db: &Database) -> Option<(String, Vec<String>)> {
    let text = |value: &SqlValue| value.as_str().expect("a name").to_owned();
    let list = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') \
                AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_capsule\\_%' ESCAPE '\\' ORDER BY name";
    let tables = db.query(list, ()).ok()?.rows;
    let name = text(&tables.get(random.below(tables.len().max(1)))?[0]);
    let columns = db
        .query(
            "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0",
            &[SqlValue::from(name.as_str())],
        )
        .expect("reads")
        .rows;
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    Some((quoted(&name), columns.iter().map(|row| quoted(&text(&row[0]))).collect()))
}

fn change_schema(random: &mut Random, db: &Database) -> String {
    let Some((table, columns)) = table(random, db) else { return create(random) };
    let column_name = columns[random.below(columns.len())].clone();
    match random.below(10) {
        0 => format!("ALTER TABLE {table} RENAME TO {}", random.pick(NAMES)),
        // Rows before and after are compared by the names of columns, so no name comes back.
        1 => format!("ALTER TABLE {table} RENAME COLUMN {column_name} TO n{}", random.below(1_000_000)),
        2 => {
            let name = format!("n{}", random.below(1_000_000));
            let of: Vec<&str> = columns.iter().map(String::as_str).collect();
            format!("ALTER TABLE {table} ADD COLUMN {}", column(random, &name, &of))
        }
        3 => format!("ALTER TABLE {table} DROP COLUMN {column_name}"),
        4 => format!("DROP TABLE {table}"),
        5 => format!("CREATE UNIQUE INDEX i{} ON {table}({column_name})", random.below(4)),
        6 => format!("DROP INDEX IF EXISTS i{}", random.below(4)),
        7 => {
            let (other, value) = (random.pick(NAMES), value(random));
            let body = random.pick(&["DELETE FROM", "UPDATE", "INSERT OR IGNORE INTO"]);
            let body = match body {
                "UPDATE" => format!("UPDATE OR IGNORE {other} SET a = {value} WHERE b IS NULL"),
                "DELETE FROM" => format!("DELETE FROM {other} WHERE a = {value}"),
                insert => format!("{insert} {other} DEFAULT VALUES"),
            };
            let when = random.pick(&["AFTER INSERT", "BEFORE DELETE", "AFTER UPDATE"]);
            format!("CREATE TRIGGER tr{} {when} ON {table} BEGIN {body}; END", random.below(4))
        }
        8 => format!("DROP TRIGGER IF EXISTS tr{}", random.below(4)),
        _ => create(random),
    }
}

fn change_rows(random: &mut Random, db: &Database) -> String {
    let Some((table, columns)) = table(random, db) else { return create(random) };
    let conflict = random.pick(&["", "", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK"]);
    let one = &columns[random.below(columns.len())];
    match random.below(12) {
        0..=5 => {
            let values: Vec<String> = columns.iter().map(|_| value(random)).collect();
            format!("INSERT {conflict} INTO {table}({}) VALUES({})", columns.join(", "), values.join(", "))
        }
        6 | 7 => {
            format!("UPDATE {conflict} {table} SET {one} = {} WHERE {one} = {}", value(random), value(random))
        }
        8 => format!("UPDATE {conflict} {table} SET {one} = {one} + 1"),
        9 => format!("DELETE FROM {table} WHERE {one} IS {}", value(random)),
        10 if random.one_in(4) => format!("DELETE FROM {table}"),
        10 => format!("INSERT {conflict} INTO {table} SELECT * FROM {}", random.pick(NAMES)),
        11 if random.one_in(2) => format!("INSERT {conflict} INTO {table} DEFAULT VALUES"),
        _ => {
            format!("UPDATE {conflict} {table} SET {one} = (SELECT max({one}) FROM {table}) WHERE {one} > 1")
        }
    }
}

pub(crate) fn statement(random: &mut Random, db: &Database) -> String {
    if random.one_in(8) { change_schema(random, db) } else { change_rows(random, db) }
}
