//! Order of rows as SQLite sorts them.

use crate::value::SqlValue;
use std::cmp::Ordering;

/// Collation that the capsule can repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Collation {
    Binary,
    Nocase,
    Rtrim,
}

impl Collation {
    /// The collation of a name.
    pub(super) fn of(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "BINARY" => Some(Self::Binary),
            "NOCASE" => Some(Self::Nocase),
            "RTRIM" => Some(Self::Rtrim),
            _ => None,
        }
    }

    fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Binary => a.cmp(b),
            Self::Nocase => nocase(a, b),
            Self::Rtrim => trimmed(a).cmp(trimmed(b)),
        }
    }
}

/// Letters of ASCII count as small ones. A NUL ends the comparison; of two that are equal up to there the
/// shorter text comes first.
fn nocase(a: &[u8], b: &[u8]) -> Ordering {
    for (x, y) in a.iter().zip(b) {
        let (low_x, low_y) = (x.to_ascii_lowercase(), y.to_ascii_lowercase());
        if low_x != low_y {
            return low_x.cmp(&low_y);
        }
        if *x == 0 {
            break;
        }
    }
    a.len().cmp(&b.len())
}

fn trimmed(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &text[..end]
}

/// Term of an ORDER BY.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    pub(super) collation: Collation,
    pub(super) is_descending: bool,
    /// True if NULLs come after all other values.
    pub(super) nulls_last: bool,
}

impl Term {
    fn compare(self, a: &SqlValue, b: &SqlValue) -> Ordering {
        let null = |value: &SqlValue| *value == SqlValue::Null;
        match (null(a), null(b)) {
            (true, true) => return Ordering::Equal,
            (true, false) => return if self.nulls_last { Ordering::Greater } else { Ordering::Less },
            (false, true) => return if self.nulls_last { Ordering::Less } else { Ordering::Greater },
            (false, false) => {}
        }
        let order = compare(a, b, self.collation);
        if self.is_descending { order.reverse() } else { order }
    }
}

/// Compares two values that are not NULL: numbers before text before blobs.
fn compare(a: &SqlValue, b: &SqlValue, collation: Collation) -> Ordering {
    match (a, b) {
        (SqlValue::Integer(a), SqlValue::Integer(b)) => a.cmp(b),
        (SqlValue::Real(a), SqlValue::Real(b)) => a.partial_cmp(b).unwrap_or(Ordering::Equal),
        (SqlValue::Integer(a), SqlValue::Real(b)) => integer_and_real(*a, *b),
        (SqlValue::Real(a), SqlValue::Integer(b)) => integer_and_real(*b, *a).reverse(),
        (SqlValue::Text(a), SqlValue::Text(b)) => collation.compare(a, b),
        (SqlValue::Blob(a), SqlValue::Blob(b)) => a.cmp(b),
        _ => class(a).cmp(&class(b)),
    }
}

fn class(value: &SqlValue) -> u8 {
    match value {
        SqlValue::Null => 0,
        SqlValue::Integer(_) | SqlValue::Real(_) => 1,
        SqlValue::Text(_) => 2,
        SqlValue::Blob(_) => 3,
    }
}

/// Compares exactly: not every integer is a float.
fn integer_and_real(a: i64, b: f64) -> Ordering {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0;
    if b >= BEYOND {
        return Ordering::Less;
    }
    if b < -BEYOND {
        return Ordering::Greater;
    }
    let whole = b.trunc();
    a.cmp(&(whole as i64)).then_with(|| whole.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

/// Compares the values of two rows by some terms.
pub(super) fn compare_rows(a: &[SqlValue], b: &[SqlValue], terms: &[Term]) -> Ordering {
    let pairs = a.iter().zip(b).zip(terms);
    pairs.map(|((a, b), term)| term.compare(a, b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_the_order_in_which_sqlite_sorts_them() {
        let sqlite = rusqlite::Connection::open_in_memory().expect("opens");
        let values: Vec<SqlValue> = vec![
            SqlValue::Null,
            i64::MIN.into(),
            (i64::MIN + 1).into(),
            (-3).into(),
            0.into(),
            3.into(),
            9_007_199_254_740_993_i64.into(),
            i64::MAX.into(),
            f64::NEG_INFINITY.into(),
            (-9_223_372_036_854_775_808.0).into(),
            (-2.5).into(),
            (-0.0).into(),
            0.5.into(),
            2.5.into(),
            9_007_199_254_740_992.0.into(),
            9_223_372_036_854_775_808.0.into(),
            f64::INFINITY.into(),
            "".into(),
            " ".into(),
            "a".into(),
            "A".into(),
            "a ".into(),
            "A  ".into(),
            "ab".into(),
            "B".into(),
            "[".into(),
            "\u{e9}".into(),
            "a\0b".into(),
            "A\0c".into(),
            "a\0".into(),
            SqlValue::Blob(vec![]),
            SqlValue::Blob(vec![1]),
            SqlValue::Blob(vec![1, 0]),
        ];
        for (collation, name) in
            [(Collation::Binary, "BINARY"), (Collation::Nocase, "NOCASE"), (Collation::Rtrim, "RTRIM")]
        {
            let sql = format!("SELECT ?1 < ?2 COLLATE {name}, ?1 > ?2 COLLATE {name}");
            let mut select = sqlite.prepare(&sql).expect("compiles");
            for a in &values[1..] {
                for b in &values[1..] {
                    let (less, more): (bool, bool) =
                        select.query_row([a, b], |row| Ok((row.get(0)?, row.get(1)?))).expect("has a row");
                    let expected = more.cmp(&less);
                    assert_eq!(compare(a, b, collation), expected, "{a:?} and {b:?}, {name}");
                }
            }
        }
    }
}
