//! Random queries about whatever tables there are, and tables and changes that are likely to concern them.

use crate::random::Random;
use perilune_capsule::{Database, SqlValue};

/// A table with columns, key and indexes of any kind. The name may be taken.
pub(crate) fn table(random: &mut Random) -> String {
    let name = random.pick(&["u0", "u1", "u2", "u3"]);
    let columns = "n INTEGER, t TEXT COLLATE NOCASE, r REAL, x, \"q r\" TEXT";
    let definition = match random.below(6) {
        0 | 1 => format!("CREATE TABLE {name}(id INTEGER PRIMARY KEY, {columns})"),
        2 => format!(
            "CREATE TABLE {name}(id TEXT PRIMARY KEY, {columns}, v AS (n + 1), s AS (t || 'x') STORED)"
        ),
        3 => format!("CREATE TABLE {name}({columns}, PRIMARY KEY(t, n DESC)) WITHOUT ROWID"),
        4 => format!("CREATE TABLE {name}({columns})"),
        _ => format!("CREATE TABLE {name}({columns}, id PRIMARY KEY) WITHOUT ROWID"),
    };
    let more = match random.below(6) {
        0 => format!("; CREATE INDEX IF NOT EXISTS i_{name} ON {name}(n, t)"),
        1 => format!("; CREATE INDEX IF NOT EXISTS i_{name} ON {name}(t) WHERE n > 1"),
        2 => format!("; CREATE INDEX IF NOT EXISTS i_{name} ON {name}(n DESC)"),
        3 => format!(
            "; CREATE VIEW IF NOT EXISTS v_{name} AS SELECT n, count(*) AS c, max(t) AS m FROM {name} GROUP BY n"
        ),
        4 => format!("; CREATE VIEW IF NOT EXISTS v_{name} AS SELECT * FROM {name} WHERE n > 1"),
        _ => String::new(),
    };
    let full_text = "CREATE VIRTUAL TABLE IF NOT EXISTS ft USING fts5(a, b)";
    if random.one_in(5) { format!("{definition}{more}; {full_text}") } else { format!("{definition}{more}") }
}

fn text(value: &SqlValue) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A table or view, with its columns.
fn source(random: &mut Random, db: &Database, kinds: &str) -> Option<(String, Vec<String>)> {
    let list = format!(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ({kinds}) \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_capsule\\_%' ESCAPE '\\' ORDER BY name"
    );
    let tables = db.query(&list, ()).ok()?.rows;
    let name = text(&tables.get(random.below(tables.len().max(1)))?[0]);
    let columns = "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1";
    let columns = db.query(columns, &[SqlValue::from(name.as_str())]).ok()?.rows;
    let columns: Vec<String> = columns.iter().map(|row| quoted(&text(&row[0]))).collect();
    (!columns.is_empty()).then(|| (quoted(&name), columns))
}

fn literal(random: &mut Random) -> &'static str {
    random.pick(&["0", "1", "2", "3", "1.5", "'a'", "'A'", "'1'", "''", "NULL", "x'01'", "-0.5"])
}

fn column(random: &mut Random, columns: &[String]) -> String {
    columns[random.below(columns.len())].clone()
}

/// A condition about one row.
fn condition(random: &mut Random, columns: &[String], params: &mut Vec<SqlValue>) -> String {
    let one = column(random, columns);
    let value = if random.one_in(4) {
        params.push(match random.below(4) {
            0 => SqlValue::Null,
            1 => "a".into(),
            2 => 1.into(),
            _ => 2.5.into(),
        });
        "?"
    } else {
        literal(random)
    };
    match random.below(14) {
        0 | 1 => format!("{one} = {value}"),
        2 => format!("{one} > {value}"),
        3 => format!("{one} <= {value}"),
        4 => format!("{one} IS NOT {value}"),
        5 => format!("{one} IS DISTINCT FROM {value}"),
        6 => format!("{one} LIKE 'a%' OR {one} = {value}"),
        7 => format!("{one} IN ({value}, 1, 'a')"),
        8 => format!("typeof({one}) IN ('text', 'integer') AND {one} >= {value}"),
        9 => format!("NOT ({one} < {value}) /* ( */"),
        10 => format!("rowid > {value}"),
        11 => {
            let left = condition(random, columns, params);
            let right = condition(random, columns, params);
            // The parameter of the first part stands in front.
            if value == "?" {
                format!("{one} IS {value} AND ({left}) AND {right}")
            } else {
                format!("({left}) AND {right}")
            }
        }
        12 => format!("{one} BETWEEN {value} AND 3"),
        _ => format!("({one} || '') COLLATE NOCASE = {value}"),
    }
}

fn order(random: &mut Random, columns: &[String]) -> String {
    let mut terms = Vec::new();
    for _ in 0..=random.below(3) {
        let one = column(random, columns);
        terms.push(match random.below(10) {
            0..=2 => one,
            3 | 4 => format!("{one} DESC"),
            5 => format!("{one} COLLATE {}", random.pick(&["NOCASE", "RTRIM", "BINARY DESC"])),
            6 => format!("{one} {} NULLS {}", random.pick(&["ASC", "DESC"]), random.pick(&["FIRST", "LAST"])),
            7 => format!("-{one}"),
            8 => random.pick(&["1", "2 DESC", "rowid", "rowid DESC", "z"]).to_owned(),
            _ => format!("{one} || 'x'"),
        });
    }
    format!(" ORDER BY {}", terms.join(", "))
}

fn end(random: &mut Random, columns: &[String]) -> String {
    let mut end = String::new();
    if !random.one_in(4) {
        end.push_str(&order(random, columns));
    }
    match random.below(6) {
        0 => end.push_str(random.pick(&[" LIMIT 3", " LIMIT 5", " LIMIT 1"])),
        1 => end.push_str(random.pick(&[" LIMIT 3 OFFSET 1", " LIMIT 2, 4", " LIMIT -1 OFFSET 2"])),
        _ => {}
    }
    end
}

/// A query of the rows of one table.
fn simple(random: &mut Random, db: &Database) -> Option<(String, Vec<SqlValue>)> {
    let (table, columns) = source(random, db, "'table', 'view'")?;
    let mut params = Vec::new();
    let list = match random.below(6) {
        0 | 1 => "*".to_owned(),
        2 => format!("{}, {} AS z", column(random, &columns), column(random, &columns)),
        3 => format!("{}, -{} z", column(random, &columns), column(random, &columns)),
        4 => format!("rowid, {}", column(random, &columns)),
        _ => format!("{} || 'y', {}", column(random, &columns), column(random, &columns)),
    };
    let filter = random.below(3);
    let filter = if filter == 0 {
        String::new()
    } else {
        format!(" WHERE {}", condition(random, &columns, &mut params))
    };
    let alias = random.pick(&["", "", " AS w", " w"]);
    Some((format!("SELECT {list} FROM {table}{alias}{filter}{}", end(random, &columns)), params))
}

/// A query, with its parameters; `None` if there is no table for it.
pub(crate) fn query(random: &mut Random, db: &Database) -> Option<(String, Vec<SqlValue>)> {
    if random.below(5) < 3 {
        return simple(random, db);
    }
    let (table, columns) = source(random, db, "'table', 'view'")?;
    let (other, others) = source(random, db, "'table', 'view', 'virtual'")?;
    let mut params = Vec::new();
    let (a, b) = (column(random, &columns), column(random, &others));
    let c = column(random, &columns);
    let filter = condition(random, &columns, &mut params);
    let sql = match random.below(13) {
        0 => format!("SELECT count(*), sum({a}) FROM {table} WHERE {filter}"),
        1 => format!("SELECT {a}, count(*) AS z FROM {table} WHERE {filter} GROUP BY {a} ORDER BY 2, 1"),
        2 => format!("SELECT DISTINCT {a} FROM {table} WHERE {filter}"),
        3 => format!("SELECT l.*, r.{b} FROM {table} l JOIN {other} r ON l.{a} = r.{b}"),
        4 => format!(
            "SELECT l.{a}, r.{b} FROM {table} l LEFT JOIN {other} r ON l.{a} = r.{b} ORDER BY 2, 1 LIMIT 7"
        ),
        5 => format!("SELECT {a} FROM {table} UNION SELECT {b} FROM {other}"),
        6 => format!(
            "WITH p AS (SELECT {a} AS k FROM {table}) SELECT count(*) FROM p WHERE k IN (SELECT {b} FROM {other})"
        ),
        7 => format!("SELECT {a}, (SELECT max({b}) FROM {other}) FROM {table} ORDER BY 1"),
        8 => format!("SELECT {a}, row_number() OVER (ORDER BY {c}, {a}) FROM {table}"),
        9 => format!("SELECT {a} FROM {table} WHERE EXISTS (SELECT 1 FROM {other} WHERE {b} = {a})"),
        10 => format!("WITH p AS (SELECT * FROM {table}) SELECT count(*) FROM p"),
        11 => format!("SELECT max({a}), min({c}) FROM {table}"),
        _ => "SELECT rowid, a FROM ft WHERE ft MATCH 'a OR b' ORDER BY rowid".to_owned(),
    };
    let params = if sql.contains('?') { params } else { Vec::new() };
    Some((sql, params))
}

/// A change of a row or a few.
pub(crate) fn change(random: &mut Random, db: &Database) -> String {
    let Some((table, _)) = source(random, db, "'table', 'virtual'") else { return self::table(random) };
    let writable = "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0";
    let name = SqlValue::from(table.trim_matches('"').replace("\"\"", "\""));
    let columns = db.query(writable, &[name]).map(|rows| rows.rows).unwrap_or_default();
    let columns: Vec<String> = columns.iter().map(|row| quoted(&text(&row[0]))).collect();
    if columns.is_empty() {
        return self::table(random);
    }
    let one = column(random, &columns);
    match random.below(10) {
        0..=3 => {
            let values: Vec<&str> = columns.iter().map(|_| literal(random)).collect();
            let conflict = random.pick(&["", "OR REPLACE", "OR IGNORE"]);
            format!("INSERT {conflict} INTO {table}({}) VALUES({})", columns.join(", "), values.join(", "))
        }
        4..=6 => format!(
            "UPDATE OR IGNORE {table} SET {one} = {} WHERE {} IS {}",
            literal(random),
            column(random, &columns),
            literal(random)
        ),
        7 => format!("UPDATE OR IGNORE {table} SET rowid = rowid + 100 WHERE {one} IS {}", literal(random)),
        8 => format!("UPDATE OR REPLACE {table} SET {one} = {one} WHERE {one} IS {}", literal(random)),
        _ => format!("DELETE FROM {table} WHERE {one} IS {}", literal(random)),
    }
}
