//! Shape of a query of one table: where its parts stand in its text.
//!
//! SQLite tells nothing of the parts of a statement. So only what is recognized beyond doubt has a shape; all
//! other queries have none, and run again when their tables change.

use crate::catalog::{Table, Token, TokenKind, Tokens};
use crate::conn::quoted;
use crate::value::SqlValue;
use std::fmt::Write;

/// Bytes of parameters that are written into a text, at most.
const LITERALS_MAX_BYTES: usize = 4096;

/// A query of one table.
#[derive(Debug)]
pub(super) struct Shape {
    /// The columns of the result.
    pub(super) list: String,
    /// The text that follows FROM.
    pub(super) from: String,
    /// The name of the table.
    pub(super) table: String,
    /// The name by which its columns are reached.
    pub(super) name: String,
    /// The condition.
    pub(super) condition: Option<String>,
    /// The text that follows ORDER BY.
    pub(super) order: Option<String>,
    /// The text that follows LIMIT.
    pub(super) limit: Option<String>,
    /// The reason that its rows are not rows of the table, one by one.
    pub(super) grouped: Option<&'static str>,
    /// True if a parameter stands in ORDER BY.
    order_has_parameters: bool,
    /// True if IN or OR stands in the condition.
    pub(super) has_alternatives: bool,
}

/// Window of the rows of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// `None` for no limit.
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
}

/// A term of ORDER BY.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OrderText {
    /// The expression about a row of the table, with its COLLATE.
    pub(super) expression: String,
    pub(super) is_descending: bool,
    pub(super) nulls_last: bool,
}

/// The tokens of a text, with their depth in parentheses.
struct Text<'a> {
    sql: &'a str,
    tokens: Vec<(Token, usize)>,
}

impl<'a> Text<'a> {
    fn of(sql: &'a str) -> Self {
        let mut depth = 0;
        let mut tokens = Vec::new();
        for token in Tokens::of(sql) {
            if token.kind == TokenKind::Close {
                depth -= usize::from(depth > 0);
            }
            tokens.push((token, depth));
            if token.kind == TokenKind::Open {
                depth += 1;
            }
        }
        while tokens.last().is_some_and(|(token, _)| token.text(sql) == ";") {
            tokens.pop();
        }
        Self { sql, tokens }
    }

    fn text(&self, index: usize) -> &'a str {
        self.tokens.get(index).map_or("", |(token, _)| token.text(self.sql))
    }

    fn kind(&self, index: usize) -> Option<TokenKind> {
        self.tokens.get(index).map(|(token, _)| token.kind)
    }

    fn is_word(&self, index: usize, word: &str) -> bool {
        self.kind(index) == Some(TokenKind::Word) && self.text(index).eq_ignore_ascii_case(word)
    }

    /// The text of some tokens, with what is between them.
    fn slice(&self, from: usize, to: usize) -> &'a str {
        if from >= to {
            return "";
        }
        &self.sql[self.tokens[from].0.start..self.tokens[to - 1].0.end]
    }

    /// Tokens that stand outside of parentheses and are this word.
    fn find(&self, word: &str, from: usize) -> Option<usize> {
        (from..self.tokens.len()).find(|&index| self.tokens[index].1 == 0 && self.is_word(index, word))
    }

    /// Parts between the commas that stand outside of parentheses, as indices of tokens.
    fn parts(&self, from: usize, to: usize) -> Vec<(usize, usize)> {
        let mut parts = Vec::new();
        let mut start = from;
        let base = self.tokens.get(from).map_or(0, |(_, depth)| *depth);
        for index in from..to {
            if self.kind(index) == Some(TokenKind::Comma) && self.tokens[index].1 == base {
                parts.push((start, index));
                start = index + 1;
            }
        }
        parts.push((start, to));
        parts
    }
}

/// The name that a token stands for; `None` if it is no name.
fn name_of(text: &str, kind: TokenKind) -> Option<String> {
    let inner = || text.get(1..text.len().checked_sub(1)?);
    match (kind, text.chars().next()?) {
        (TokenKind::Word, first) if !first.is_ascii_digit() && first != '$' => Some(text.to_owned()),
        (TokenKind::Quoted, '"') => Some(inner()?.replace("\"\"", "\"")),
        (TokenKind::Quoted, '`') => Some(inner()?.replace("``", "`")),
        (TokenKind::Quoted, '[') => Some(inner()?.to_owned()),
        _ => None,
    }
}

/// Writes a value as SQL has it.
fn push_literal(text: &mut String, value: &SqlValue) {
    let hex = |text: &mut String, bytes: &[u8]| {
        text.push_str("x'");
        for byte in bytes {
            let _ = write!(text, "{byte:02x}");
        }
        text.push('\'');
    };
    match value {
        SqlValue::Null => text.push_str("NULL"),
        SqlValue::Integer(integer) => drop(write!(text, "({integer})")),
        SqlValue::Real(real) if real.is_nan() => text.push_str("NULL"),
        SqlValue::Real(real) if real.is_infinite() => {
            text.push_str(if *real > 0.0 { "(9e999)" } else { "(-9e999)" });
        }
        SqlValue::Real(real) => drop(write!(text, "({real:e})")),
        SqlValue::Text(bytes) => match str::from_utf8(bytes) {
            Ok(string) if !string.contains('\0') => {
                text.push('\'');
                text.push_str(&string.replace('\'', "''"));
                text.push('\'');
            }
            _ => {
                text.push_str("CAST(");
                hex(text, bytes);
                text.push_str(" AS TEXT)");
            }
        },
        SqlValue::Blob(bytes) => hex(text, bytes),
    }
}

/// A text with the values of its parameters in their places, and whether one of them stands in ORDER BY.
/// `None` if that is not clear.
fn with_values(sql: &str, params: &[SqlValue]) -> Option<(String, bool)> {
    let text = Text::of(sql);
    let (order, limit) = (text.find("ORDER", 0), text.find("LIMIT", 0));
    let mut names: Vec<(&str, usize)> = Vec::new();
    let (mut out, mut copied, mut last, mut in_order) = (String::new(), 0, 0, false);
    let mut index = 0;
    while index < text.tokens.len() {
        let (token, _) = text.tokens[index];
        let (start, mut end) = (token.start, token.end);
        let first = text.text(index);
        let follows = text.tokens.get(index + 1).is_some_and(|(next, _)| next.start == end);
        let number = match first {
            "?" if follows && text.text(index + 1).bytes().all(|byte| byte.is_ascii_digit()) => {
                index += 1;
                end = text.tokens[index].0.end;
                text.text(index).parse().ok()?
            }
            "?" => last + 1,
            ":" | "@" if follows && text.kind(index + 1) == Some(TokenKind::Word) => {
                index += 1;
                end = text.tokens[index].0.end;
                let name = &sql[start..end];
                // A word in two parts with colons, as in Tcl, is no name here.
                if text.text(index + 1) == ":" {
                    return None;
                }
                let known = names.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
                known.unwrap_or_else(|| {
                    names.push((name, last + 1));
                    last + 1
                })
            }
            ":" | "@" | "#" => return None,
            other if other.starts_with('$') => return None,
            _ => {
                index += 1;
                continue;
            }
        };
        last = last.max(number);
        out.push_str(&sql[copied..start]);
        push_literal(&mut out, params.get(number.checked_sub(1)?)?);
        copied = end;
        in_order |= order.is_some_and(|order| index > order) && limit.is_none_or(|limit| index < limit);
        index += 1;
    }
    if out.len() > sql.len() + LITERALS_MAX_BYTES {
        return None;
    }
    out.push_str(&sql[copied..]);
    Some((out, in_order))
}

impl Shape {
    /// Recognizes a query; or says why it has no shape.
    pub(super) fn of(sql: &str, params: &[SqlValue]) -> Result<Self, &'static str> {
        let Some((sql, order_has_parameters)) = with_values(sql, params) else {
            return Err("its parameters are too many or of another kind");
        };
        let text = Text::of(&sql);
        let count = text.tokens.len();
        if !text.is_word(0, "SELECT") {
            return Err("it does not begin with SELECT");
        }
        let mut grouped = None;
        let mut list_from = 1;
        if text.is_word(1, "DISTINCT") {
            grouped = Some("it is DISTINCT");
            list_from = 2;
        } else if text.is_word(1, "ALL") {
            list_from = 2;
        }
        for index in 1..count {
            if ["SELECT", "VALUES"].iter().any(|word| text.is_word(index, word)) {
                return Err("it has a part that is a query itself");
            }
            if text.text(index) == ";" {
                return Err("it is more than one statement");
            }
            if text.is_word(index, "IN") && text.kind(index + 1) != Some(TokenKind::Open) {
                return Err("it has a part that is a query itself");
            }
        }
        let clause = |word: &str, from: usize| text.find(word, from);
        // `a IS DISTINCT FROM b` is an expression.
        let from = (list_from..count).find(|&index| {
            text.tokens[index].1 == 0 && text.is_word(index, "FROM") && !text.is_word(index - 1, "DISTINCT")
        });
        let Some(from) = from else { return Err("it reads no table") };
        for word in ["JOIN", "UNION", "INTERSECT", "EXCEPT", "WINDOW"] {
            if clause(word, from).is_some() {
                return Err("it has more parts than one table, a condition, an order and a limit");
            }
        }
        let after_from = |word: &str| clause(word, from);
        let (condition, group, having) = (after_from("WHERE"), after_from("GROUP"), after_from("HAVING"));
        let (order, limit) = (after_from("ORDER"), after_from("LIMIT"));
        if group.is_some() || having.is_some() {
            grouped = Some("it has groups");
        }
        let places = [Some(from), condition, group, having, order, limit, Some(count)];
        let there: Vec<usize> = places.into_iter().flatten().collect();
        if !there.is_sorted() {
            return Err("its parts are in another order than usual");
        }
        let end_of = |start: usize| there.iter().copied().find(|place| *place > start).unwrap_or(count);
        let part = |start: Option<usize>, words: usize| {
            start.map(|start| text.slice(start + words, end_of(start)).to_owned())
        };
        let (table, name) = table_of(&text, from + 1, end_of(from))?;
        if order.is_some_and(|order| !text.is_word(order + 1, "BY")) {
            return Err("its parts are in another order than usual");
        }
        let has_alternatives = condition.is_some_and(|start| {
            (start..end_of(start)).any(|index| text.is_word(index, "IN") || text.is_word(index, "OR"))
        });
        Ok(Self {
            list: text.slice(list_from, from).to_owned(),
            from: text.slice(from + 1, end_of(from)).to_owned(),
            table,
            name,
            condition: part(condition, 1),
            order: part(order, 2),
            limit: part(limit, 1),
            grouped,
            order_has_parameters,
            has_alternatives,
        })
    }

    /// The condition as the row of an image is asked: without the name before its columns.
    pub(super) fn condition_of_image(&self) -> Option<String> {
        let condition = self.condition.as_deref()?;
        let text = Text::of(condition);
        let (mut out, mut copied) = (String::new(), 0);
        for index in 0..text.tokens.len() {
            let (token, _) = text.tokens[index];
            let is_name = name_of(token.text(condition), token.kind)
                .is_some_and(|name| name.eq_ignore_ascii_case(&self.name));
            if is_name && text.text(index + 1) == "." {
                out.push_str(&condition[copied..token.start]);
                copied = text.tokens[index + 1].0.end;
            }
        }
        out.push_str(&condition[copied..]);
        Some(out)
    }

    /// The window; `None` if its numbers are no plain numbers.
    pub(super) fn window(&self) -> Option<Window> {
        let Some(limit) = self.limit.as_deref() else { return Some(Window { limit: None, offset: 0 }) };
        let text = Text::of(limit);
        let number = |from: usize, to: usize| -> Option<i64> {
            let text: String = (from..to).map(|index| text.text(index)).collect();
            text.trim_matches(['(', ')']).parse().ok()
        };
        let count = text.tokens.len();
        let comma = (0..count).find(|&index| text.kind(index) == Some(TokenKind::Comma));
        let (limit, offset) = if let Some(comma) = comma {
            (number(comma + 1, count)?, number(0, comma)?)
        } else if let Some(word) = text.find("OFFSET", 0) {
            (number(0, word)?, number(word + 1, count)?)
        } else {
            (number(0, count)?, 0)
        };
        Some(Window { limit: usize::try_from(limit).ok(), offset: usize::try_from(offset).unwrap_or(0) })
    }

    /// The terms of ORDER BY as expressions about rows of the table; or the reason that one of them is not.
    pub(super) fn order_terms(&self, table: &Table) -> Result<Vec<OrderText>, &'static str> {
        let Some(order) = self.order.as_deref() else { return Ok(Vec::new()) };
        if self.order_has_parameters {
            return Err("a parameter stands in its ORDER BY");
        }
        let text = Text::of(order);
        text.parts(0, text.tokens.len()).into_iter().map(|part| self.term(table, &text, part)).collect()
    }

    fn term(
        &self,
        table: &Table,
        text: &Text<'_>,
        (from, mut to): (usize, usize),
    ) -> Result<OrderText, &'static str> {
        let mut nulls = None;
        if to >= from + 3 && text.is_word(to - 2, "NULLS") {
            nulls = Some(text.is_word(to - 1, "LAST"));
            to -= 2;
        }
        let is_descending = to > from + 1 && text.is_word(to - 1, "DESC");
        if is_descending || (to > from + 1 && text.is_word(to - 1, "ASC")) {
            to -= 1;
        }
        let nulls_last = nulls.unwrap_or(is_descending);
        let whole = text.slice(from, to);
        let mut collation = String::new();
        while to >= from + 3 && text.is_word(to - 2, "COLLATE") {
            collation = format!(" {}{collation}", text.slice(to - 2, to));
            to -= 2;
        }
        let unclear = Err("a term of its ORDER BY may mean a column of the result or of the table");
        let term = |expression: String| {
            Ok(OrderText { expression: format!("{expression}{collation}"), is_descending, nulls_last })
        };
        let signs = |index: &usize| !matches!(text.text(*index), "(" | ")" | "+" | "-");
        let core: Vec<usize> = (from..to).filter(signs).collect();
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if let [one] = core.as_slice() {
            let single = to == from + 1;
            let word = text.text(*one);
            if is_digits(word) {
                let place: usize = if single { word.parse().unwrap_or(0) } else { 0 };
                return self.result_column(place).map_or(unclear, term);
            }
            let kind = text.kind(*one).unwrap_or(TokenKind::Other);
            let Some(name) = name_of(word, kind) else { return unclear };
            let aliases = self.aliases();
            let known: Vec<_> =
                aliases.iter().filter(|(alias, _)| alias.eq_ignore_ascii_case(&name)).collect();
            return match known.as_slice() {
                [] if is_column(table, &name) => term(text.slice(from, to).to_owned()),
                [(_, Some(expression))] if single => term(format!("({expression})")),
                // Within an expression a column of the table comes before a name of the result.
                _ if !single && is_column(table, &name) => term(text.slice(from, to).to_owned()),
                _ => unclear,
            };
        }
        // A name in quotes that is none of the table's would be a text here.
        let is_clear = |index: usize| {
            let word = text.text(index);
            !word.starts_with(['"', '`', '['])
                || name_of(word, TokenKind::Quoted)
                    .is_some_and(|name| is_column(table, &name) || name.eq_ignore_ascii_case(&self.name))
        };
        if whole.is_empty() || !(from..to).all(is_clear) {
            return unclear;
        }
        Ok(OrderText { expression: format!("({whole})"), is_descending, nulls_last })
    }

    /// The columns of the result that have a name of their own, and what they are; `None` if that is not
    /// clear.
    fn aliases(&self) -> Vec<(String, Option<String>)> {
        let text = Text::of(&self.list);
        let mut found = Vec::new();
        for (from, to) in text.parts(0, text.tokens.len()) {
            let Some(last) = to.checked_sub(1).filter(|last| *last > from) else { continue };
            let Some(name) = name_of(text.text(last), text.kind(last).unwrap_or(TokenKind::Other)) else {
                // A text can be a name, too.
                if text.text(last).starts_with('\'') {
                    found.push((text.text(last).trim_matches('\'').to_owned(), None));
                }
                continue;
            };
            if text.is_word(last - 1, "AS") {
                found.push((name, (last - 1 > from).then(|| text.slice(from, last - 1).to_owned())));
            } else if matches!(
                text.kind(last - 1),
                Some(TokenKind::Word | TokenKind::Quoted | TokenKind::Close)
            ) {
                found.push((name, None));
            }
        }
        found
    }

    /// The expression of the column of the result at a place, from 1.
    fn result_column(&self, place: usize) -> Option<String> {
        let text = Text::of(&self.list);
        let parts = text.parts(0, text.tokens.len());
        let has_star = |&(from, to): &(usize, usize)| to > from && text.text(to - 1) == "*";
        let index = place.checked_sub(1)?;
        if parts.get(..=index)?.iter().any(has_star) {
            return None;
        }
        let (from, to) = parts[index];
        let last = to.checked_sub(1)?;
        if last > from && text.is_word(last - 1, "AS") {
            return Some(format!("({})", text.slice(from, last - 1)));
        }
        let before = (last > from).then(|| text.kind(last - 1)).flatten();
        let may_be_alias = matches!(before, Some(TokenKind::Word | TokenKind::Quoted | TokenKind::Close))
            && matches!(text.kind(last), Some(TokenKind::Word | TokenKind::Quoted));
        (!may_be_alias && last >= from).then(|| format!("({})", text.slice(from, to)))
    }
}

fn is_column(table: &Table, name: &str) -> bool {
    let is_rowid = ["rowid", "_rowid_", "oid"].iter().any(|known| known.eq_ignore_ascii_case(name));
    table.column(name).is_some() || (is_rowid && table.rowid.is_some())
}

/// The table between FROM and what follows, and the name by which its columns are reached.
fn table_of(text: &Text<'_>, mut from: usize, mut to: usize) -> Result<(String, String), &'static str> {
    const NOT_ONE: &str = "it reads more than one table";
    if to >= from + 3 && text.is_word(to - 3, "INDEXED") && text.is_word(to - 2, "BY") {
        to -= 3;
    } else if to >= from + 3 && text.is_word(to - 2, "NOT") && text.is_word(to - 1, "INDEXED") {
        to -= 2;
    }
    if to >= from + 3 {
        let schema = name_of(text.text(from), text.kind(from).unwrap_or(TokenKind::Other));
        if text.text(from + 1) == "." {
            if schema.is_none_or(|schema| !schema.eq_ignore_ascii_case("main")) {
                return Err(NOT_ONE);
            }
            from += 2;
        }
    }
    let name = |index: usize| name_of(text.text(index), text.kind(index).unwrap_or(TokenKind::Other));
    let Some(table) = name(from) else { return Err(NOT_ONE) };
    let alias = match to - from {
        1 => Some(table.clone()),
        2 => name(from + 1),
        3 if text.is_word(from + 1, "AS") => name(from + 2),
        _ => None,
    };
    alias.map(|alias| (table, alias)).ok_or(NOT_ONE)
}

/// A query with a window of its own; or the reason that it cannot have one.
pub(super) fn with_window(sql: &str, limit: Option<u64>, offset: u64) -> Result<String, &'static str> {
    let text = Text::of(sql);
    if text.find("LIMIT", 0).is_some() {
        return Err("the query has a LIMIT of its own");
    }
    let whole = text.slice(0, text.tokens.len());
    let limit = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let offset = i64::try_from(offset).unwrap_or(i64::MAX);
    Ok(format!("{whole}\nLIMIT {limit} OFFSET {offset}"))
}

/// A column with the name of its table.
pub(super) fn qualified(name: &str, column: &str) -> String {
    format!("{}.{}", quoted(name), quoted(column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(sql: &str) -> Result<Shape, &'static str> {
        Shape::of(sql, &[7.into(), "it's".into(), SqlValue::Null])
    }

    #[test]
    fn parts_of_a_query_are_found() {
        let found = shape(
            "SELECT a, (b + 1) AS c FROM main.\"T\" x WHERE a = ? AND b IS NOT DISTINCT FROM :n -- end\n \
             ORDER BY c DESC, 1 LIMIT 5 OFFSET 2;",
        )
        .expect("has a shape");
        assert_eq!((found.table.as_str(), found.name.as_str()), ("T", "x"));
        assert_eq!(found.condition.as_deref(), Some("a = (7) AND b IS NOT DISTINCT FROM 'it''s'"));
        assert_eq!(found.order.as_deref(), Some("c DESC, 1"));
        assert_eq!(found.window(), Some(Window { limit: Some(5), offset: 2 }));
        let found = shape("SELECT * FROM t LIMIT 3, -1").expect("has a shape");
        assert_eq!(found.window(), Some(Window { limit: None, offset: 3 }));
        assert_eq!(shape("SELECT * FROM t LIMIT 1 + 1").expect("has a shape").window(), None);
        assert_eq!(shape("SELECT DISTINCT a FROM t").expect("has a shape").grouped, Some("it is DISTINCT"));
        let found = shape("SELECT 1 FROM t AS u WHERE u.a = \"u\".b AND c.u = 'u.a'").expect("has a shape");
        assert_eq!(found.condition_of_image().as_deref(), Some("a = b AND c.u = 'u.a'"));
    }

    #[test]
    fn other_queries_have_no_shape() {
        for sql in [
            "VALUES (1)",
            "WITH x AS (SELECT 1) SELECT * FROM x",
            "SELECT 1",
            "SELECT * FROM a, b",
            "SELECT * FROM a JOIN b",
            "SELECT * FROM a UNION SELECT * FROM a",
            "SELECT * FROM a WHERE x IN b",
            "SELECT * FROM a WHERE x IN (SELECT 1)",
            "SELECT * FROM json_each('[]')",
            "SELECT * FROM temp.a",
            "SELECT * FROM (a)",
            "SELECT * FROM a WHERE x = $y",
            "SELECT * FROM a WHERE x = ?4",
        ] {
            assert!(shape(sql).is_err(), "{sql}");
        }
    }
}
