//! A schema with what SQLite has to offer, and statements about it that meet each other.

use crate::random::Random;

pub(crate) const SCHEMA: &str = "
CREATE TABLE plain(id INTEGER PRIMARY KEY, a INTEGER, b TEXT UNIQUE, c REAL);
CREATE TABLE kids(id INTEGER PRIMARY KEY,
  parent INTEGER REFERENCES plain(id) ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, x BLOB);
CREATE TABLE pairs(a INT, b TEXT COLLATE NOCASE, v, w REAL, PRIMARY KEY(a, b)) WITHOUT ROWID;
CREATE TABLE words(word TEXT PRIMARY KEY, n REAL, twice AS (n * 2), half REAL AS (n / 2) STORED);
CREATE TABLE reals(k REAL PRIMARY KEY, v CHECK(v IS NULL OR v < 4)) WITHOUT ROWID;
CREATE TABLE bare(v);
CREATE TABLE counts(id INTEGER PRIMARY KEY DESC, n);
CREATE TRIGGER counted AFTER INSERT ON plain BEGIN INSERT INTO counts(id, n) VALUES(NEW.id, 1)
  ON CONFLICT DO UPDATE SET n = n + 1; END;
CREATE VIRTUAL TABLE texts USING fts5(title, body);
";

pub(crate) fn statement(random: &mut Random) -> String {
    let (id, other, v) = (random.below(12), random.below(12), random.below(6));
    let conflict = random.pick(&["", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ROLLBACK"]);
    match random.below(28) {
        0 => format!("INSERT {conflict} INTO plain VALUES({id}, {v}, 't{v}', {v})"),
        1 => format!("UPDATE {conflict} plain SET id = {other}, b = 't{v}' WHERE id = {id}"),
        2 => format!("UPDATE plain SET a = a, c = c + {v}.5 WHERE id <= {id}"),
        3 => "UPDATE plain SET b = 'u' || a".to_owned(),
        4 if v == 0 => "DELETE FROM plain".to_owned(),
        4 => format!("DELETE FROM plain WHERE id = {id}"),
        5 | 6 => format!("INSERT {conflict} INTO kids VALUES({id}, {other}, x'0{v}')"),
        7 => format!("DELETE FROM kids WHERE parent = {other}"),
        8 | 9 => {
            let text = random.pick(&["a", "A", "b", "\u{e9}"]);
            format!("INSERT {conflict} INTO pairs VALUES({v}, '{text}', {id}, {id})")
        }
        10 => format!("UPDATE {conflict} pairs SET b = upper(b), a = a + {} WHERE a = {v}", id % 2),
        11 => format!("UPDATE {conflict} pairs SET v = {v}.0 WHERE v = {v}"),
        12 => format!("DELETE FROM pairs WHERE a = {v}"),
        13 if v == 5 => format!("INSERT {conflict} INTO words(word, n) VALUES(NULL, {id})"),
        13 | 14 => format!("INSERT {conflict} INTO words(word, n) VALUES('w{id}', {v})"),
        15 if id == 0 => format!("UPDATE {conflict} words SET word = NULL WHERE n = {v}"),
        15 => format!("UPDATE {conflict} words SET word = 'w{other}' WHERE n = {v}"),
        16 => format!("UPDATE {conflict} words SET rowid = {id} + 100 WHERE rowid = {other} + 100"),
        17 => format!(
            "INSERT INTO words(word, n) VALUES('w{id}', {v}) ON CONFLICT(word) DO UPDATE SET n = n + 1"
        ),
        18 => format!("INSERT {conflict} INTO reals VALUES({v}, {})", id % 6),
        19 => format!("UPDATE {conflict} reals SET k = k + 1 WHERE k >= {v}"),
        20 => format!("UPDATE reals SET v = {} WHERE k = {other}", id % 6),
        21 => format!("INSERT INTO bare VALUES({v}), ('{v}'), (NULL)"),
        22 => format!("UPDATE bare SET v = {v}.0 WHERE v = {v}"),
        23 => "DELETE FROM bare WHERE rowid % 3 = 1".to_owned(),
        24 => format!("INSERT {conflict} INTO counts VALUES({id}, {v})"),
        25 => format!("INSERT INTO texts(rowid, title, body) VALUES({id}, 'title {v}', 'body')"),
        26 => format!("UPDATE texts SET body = 'b{v}' WHERE rowid = {id}"),
        _ => format!("DELETE FROM texts WHERE texts MATCH 'b{v}' OR rowid = {id}"),
    }
}
