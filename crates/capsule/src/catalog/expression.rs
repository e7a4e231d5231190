//! Expressions that applications write and the capsule puts into statements of its own.

use super::definition::{Token, TokenKind, Tokens};
use crate::conn::first_word;
use crate::error::{CapsuleError, Result};

/// An expression that stands in a statement, without blanks and comments around it.
///
/// # Errors
/// The reason that the text cannot be one expression, whatever SQLite would make of it: it would end what it
/// stands in.
pub(crate) fn expression(text: &str) -> std::result::Result<&str, &'static str> {
    if text.contains('\0') {
        return Err("it holds a NUL character");
    }
    let tokens: Vec<Token> = Tokens::of(text).collect();
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return Err("it is empty") };
    let mut depth = 0;
    for token in &tokens {
        let part = token.text(text);
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close if depth == 0 => return Err("a parenthesis is closed that was not opened"),
            TokenKind::Close => depth -= 1,
            TokenKind::Quoted if !is_closed(part) => return Err("a quote is not closed"),
            TokenKind::Other if part == ";" => return Err("it holds a semicolon"),
            _ => {}
        }
    }
    if depth > 0 {
        return Err("a parenthesis is not closed");
    }
    Ok(&text[first.start..last.end])
}

/// A condition about the rows of a table, without the word WHERE before it.
///
/// # Errors
/// `usage` if the text is empty, or would end what it stands in.
pub(crate) fn condition(text: &str) -> Result<&str> {
    let word = first_word(text);
    let bare = if word.eq_ignore_ascii_case("WHERE") {
        let start = word.as_ptr().addr() - text.as_ptr().addr() + word.len();
        &text[start..]
    } else {
        text
    };
    if Tokens::of(bare).next().is_none() {
        return Err(CapsuleError::usage("the condition is empty: TRUE holds for all rows"));
    }
    expression(bare).map_err(|reason| {
        CapsuleError::usage(format!("the condition is no expression: {reason}")).in_sql(text)
    })
}

/// True if a text in quotes has its last one, too.
pub(crate) fn is_closed(quoted: &str) -> bool {
    match quoted.as_bytes()[0] {
        b'[' => quoted.ends_with(']'),
        quote => quoted.bytes().filter(|byte| *byte == quote).count() % 2 == 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_one_expression() {
        for (text, bare) in [
            ("id = 1", "id = 1"),
            (" where (a OR b) -- both", "(a OR b)"),
            ("/* WHERE */ whereabouts = ')'", "whereabouts = ')'"),
            ("\"a;b\" IN (SELECT [)] FROM t)", "\"a;b\" IN (SELECT [)] FROM t)"),
        ] {
            assert_eq!(condition(text).expect(text), bare);
        }
        for (text, reason) in [
            ("", "is empty"),
            ("WHERE /* all */", "is empty"),
            ("1) OR (1", "closed that was not opened"),
            ("(1", "is not closed"),
            ("a = 'b", "a quote is not closed"),
            ("1; DROP TABLE t", "semicolon"),
            ("a\0", "NUL"),
        ] {
            let error = condition(text).expect_err(text);
            assert!(error.message().contains(reason), "{text}: {error}");
        }
    }
}
