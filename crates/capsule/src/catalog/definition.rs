//! Column definitions in the text of a CREATE TABLE: SQLite tells the expressions of generated columns
//! nowhere else.

use crate::conn::is_reserved;

/// Part of SQL text that matters here. Blanks and comments are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Word,
    Quoted,
    Open,
    Close,
    Comma,
    Other,
}

/// One of these parts, and its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Token {
    /// The part of the text.
    pub(crate) fn text(self, sql: &str) -> &str {
        &sql[self.start..self.end]
    }
}

/// The tokens of a text. Quotes that are not closed go to its end.
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    /// Begins at the start of a text.
    pub(crate) fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn skip_blanks(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let skipped = if rest.starts_with("--") {
                rest.find('\n').map_or(rest.len(), |end| end + 1)
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).len()
            };
            if skipped == 0 {
                return;
            }
            self.at += skipped;
        }
    }

    /// The end of quoted text that begins at the current place. A doubled quote is a part of it.
    fn quoted_end(&self, close: char) -> usize {
        let mut from = self.at + 1;
        while let Some(at) = self.text[from..].find(close) {
            let end = from + at + 1;
            if close == ']' || !self.text[end..].starts_with(close) {
                return end;
            }
            from = end + 1;
        }
        self.text.len()
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        self.skip_blanks();
        let start = self.at;
        let first = self.text[start..].chars().next()?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii();
        let (kind, end) = match first {
            '(' => (TokenKind::Open, start + 1),
            ')' => (TokenKind::Close, start + 1),
            ',' => (TokenKind::Comma, start + 1),
            '\'' | '"' | '`' => (TokenKind::Quoted, self.quoted_end(first)),
            '[' => (TokenKind::Quoted, self.quoted_end(']')),
            first if is_word(first) => {
                let rest = &self.text[start..];
                (TokenKind::Word, start + rest.find(|c| !is_word(c)).unwrap_or(rest.len()))
            }
            other => (TokenKind::Other, start + other.len_utf8()),
        };
        self.at = end;
        Some(Token { kind, start, end })
    }
}

/// The definitions of columns, and after them those of constraints, in the order of a CREATE TABLE.
pub(crate) fn definitions(sql: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut depth = 0;
    let mut start = 0;
    for token in Tokens::of(sql) {
        match token.kind {
            TokenKind::Open => {
                depth += 1;
                if depth == 1 {
                    start = token.end;
                }
            }
            TokenKind::Close => {
                depth -= 1;
                if depth == 0 {
                    found.push(&sql[start..token.start]);
                    break;
                }
            }
            TokenKind::Comma if depth == 1 => {
                found.push(&sql[start..token.start]);
                start = token.end;
            }
            _ => {}
        }
    }
    found
}

/// The first table of the capsule's own that a definition refers to, as it is written. Rows would go with
/// those of the log, in nobody's transaction.
pub(crate) fn reserved_reference(sql: &str) -> Option<&str> {
    let mut is_after = false;
    Tokens::of(sql).find_map(|token| {
        let text = token.text(sql);
        let name = text.trim_matches(['"', '`', '\'', '[', ']']);
        let found = (is_after && is_reserved(name)).then_some(name);
        is_after = token.kind == TokenKind::Word && text.eq_ignore_ascii_case("references");
        found
    })
}

/// The expression of a generated column, in its parentheses; `None` if the definition has none.
pub(super) fn generated_expression(definition: &str) -> Option<&str> {
    let mut depth = 0;
    let mut start = None;
    let mut after_as = false;
    // The name comes first, whatever it is.
    for token in Tokens::of(definition).skip(1) {
        match token.kind {
            TokenKind::Open => {
                if depth == 0 && after_as {
                    start = Some(token.start);
                }
                depth += 1;
            }
            TokenKind::Close => {
                depth -= 1;
                if depth == 0
                    && let Some(start) = start
                {
                    return Some(&definition[start..token.end]);
                }
            }
            _ => {}
        }
        after_as =
            depth == 0 && token.kind == TokenKind::Word && token.text(definition).eq_ignore_ascii_case("as");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_end_at_commas_outside_of_everything() {
        let sql = "CREATE TABLE \"a(b\"\"\"(x DEFAULT (max(1, 2)), [y,(] TEXT -- , (\n, `z``` DECIMAL(10, 5) \
                   CHECK(z <> ',)'), PRIMARY KEY(x, y)) WITHOUT ROWID";
        let found: Vec<_> = definitions(sql).iter().map(|text| text.trim()).collect();
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "x DEFAULT (max(1, 2))");
        assert_eq!(found[3], "PRIMARY KEY(x, y)");
    }

    #[test]
    fn only_a_generated_column_has_an_expression() {
        assert_eq!(generated_expression("v INT DEFAULT (CAST(1 AS TEXT)) CHECK (v > 1)"), None);
        assert_eq!(generated_expression("v AS (a || ')')"), Some("(a || ')')"));
        assert_eq!(
            generated_expression(
                "\"as\" REAL CHECK (v > 1) GENERATED ALWAYS AS /* ( */ (CAST(a AS REAL)) STORED"
            ),
            Some("(CAST(a AS REAL))")
        );
        assert_eq!(generated_expression("as"), None);
        assert_eq!(generated_expression("v AS"), None);
    }
}
