//! SQL text: parts of statements that applications write, and whether two of them say the same.

use super::declare::{ReferenceAction, References};
use crate::catalog::{Token, TokenKind, Tokens, is_closed};
use std::collections::BTreeSet;

/// Names of tables and columns, in lower case: a word in double quotes is one of these, or else a string.
pub(super) type Names = BTreeSet<String>;

/// The words of a text, each as all its spellings have it: without blanks, comments, the case of names and
/// the parentheses around everything.
pub(super) fn words(text: &str, names: &Names) -> Vec<String> {
    let mut words: Vec<String> = Tokens::of(text).map(|token| word(token, text, names)).collect();
    while is_wrapped(&words) {
        words.pop();
        words.remove(0);
    }
    words
}

fn word(token: Token, text: &str, names: &Names) -> String {
    let part = token.text(text);
    match token.kind {
        TokenKind::Word => part.to_ascii_lowercase(),
        TokenKind::Quoted if !part.starts_with('\'') => {
            let name = unquoted(part);
            let lower = name.to_ascii_lowercase();
            if names.contains(&lower) { lower } else { format!("\"{name}") }
        }
        _ => part.to_owned(),
    }
}

/// True if the first parenthesis is closed by the last.
fn is_wrapped(words: &[String]) -> bool {
    if words.first().is_none_or(|word| word != "(") {
        return false;
    }
    let mut depth = 0;
    for (index, word) in words.iter().enumerate() {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1 == words.len();
        }
    }
    false
}

/// A name without its quotes.
fn unquoted(part: &str) -> String {
    let Some(quote) = part.chars().next().filter(|quote| "\"`['".contains(*quote)) else {
        return part.to_owned();
    };
    let inside = part.get(1..part.len() - 1).unwrap_or_default();
    if quote == '[' {
        inside.to_owned()
    } else {
        inside.replace(&format!("{quote}{quote}"), &quote.to_string())
    }
}

/// True if a text is a number, a string, a blob, NULL, TRUE or FALSE: it may be computed without harm.
pub(super) fn is_literal(text: &str) -> bool {
    Tokens::of(text).all(|token| {
        let part = token.text(text);
        match token.kind {
            TokenKind::Quoted => true,
            TokenKind::Word => {
                part.starts_with(|c: char| c.is_ascii_digit())
                    || ["x", "null", "true", "false"].iter().any(|word| part.eq_ignore_ascii_case(word))
            }
            TokenKind::Other => matches!(part, "+" | "-" | "."),
            _ => false,
        }
    })
}

/// The expressions of the CHECKs in a definition of a column or of a constraint.
pub(super) fn checks(definition: &str, is_column: bool) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut start, mut after_check) = (0, None, false);
    // The name of a column comes first, whatever it is.
    for token in Tokens::of(definition).skip(usize::from(is_column)) {
        match token.kind {
            TokenKind::Open => {
                if depth == 0 && after_check {
                    start = Some(token.end);
                }
                depth += 1;
            }
            TokenKind::Close => {
                depth -= 1;
                if depth == 0
                    && let Some(start) = start.take()
                {
                    found.push(&definition[start..token.start]);
                }
            }
            _ => {}
        }
        after_check = depth == 0
            && token.kind == TokenKind::Word
            && token.text(definition).eq_ignore_ascii_case("check");
    }
    found
}

/// The rows of a partial index, from its CREATE INDEX.
pub(super) fn condition(sql: &str) -> Option<&str> {
    let mut depth = 0;
    for token in Tokens::of(sql) {
        match token.kind {
            TokenKind::Open => depth += 1,
            TokenKind::Close => depth -= 1,
            TokenKind::Word if depth == 0 && token.text(sql).eq_ignore_ascii_case("where") => {
                return Some(&sql[token.end..]);
            }
            _ => {}
        }
    }
    None
}

/// A CREATE TRIGGER statement in two parts: the name, and what follows it.
///
/// # Errors
/// The reason that it is none that a schema can have.
pub(super) fn trigger(sql: &str) -> Result<(String, &str), &'static str> {
    if sql.contains('\0') {
        return Err("it holds a NUL character");
    }
    let mut tokens = Tokens::of(sql).peekable();
    let is = |token: Option<&Token>, word: &str| {
        token.is_some_and(|token| token.text(sql).eq_ignore_ascii_case(word))
    };
    if !is(tokens.next().as_ref(), "create") {
        return Err("it is no CREATE TRIGGER statement");
    }
    if is(tokens.peek(), "temp") || is(tokens.peek(), "temporary") {
        return Err("a temporary trigger ends with the connection");
    }
    if !is(tokens.next().as_ref(), "trigger") {
        return Err("it is no CREATE TRIGGER statement");
    }
    if is(tokens.peek(), "if") {
        tokens.nth(2);
    }
    let mut name = tokens.next();
    if is(tokens.peek(), ".") {
        if !name.is_some_and(|schema| unquoted(schema.text(sql)).eq_ignore_ascii_case("main")) {
            return Err("it is in another schema than main");
        }
        tokens.next();
        name = tokens.next();
    }
    let Some(name) = name else { return Err("it has no name") };
    let end = Tokens::of(sql).filter(|token| token.text(sql) != ";").last().map_or(name.end, |last| last.end);
    Ok((unquoted(name.text(sql)), &sql[name.end..end.max(name.end)]))
}

/// A reference as it stands after REFERENCES.
pub(super) fn references(text: &str) -> Result<References, &'static str> {
    let parts: Vec<(TokenKind, &str)> =
        Tokens::of(text).map(|token| (token.kind, token.text(text))).collect();
    let Some(((kind, table), mut rest)) = parts.split_first() else { return Err("it is empty") };
    let mut references = References::new(name(*kind, table)?);
    if let [(TokenKind::Open, _), (kind, column), (TokenKind::Close, _), after @ ..] = rest {
        references.column = Some(name(*kind, column)?);
        rest = after;
    }
    while let [(_, on), (_, event), after @ ..] = rest {
        let is_delete = event.eq_ignore_ascii_case("delete");
        if !on.eq_ignore_ascii_case("on") || !is_delete && !event.eq_ignore_ascii_case("update") {
            return Err("after the table and one column there is only ON DELETE and ON UPDATE");
        }
        let begins = |action: &ReferenceAction| {
            let words: Vec<&str> = action.name().split(' ').collect();
            words.len() <= after.len()
                && words.iter().zip(after).all(|(word, (_, part))| part.eq_ignore_ascii_case(word))
        };
        let Some(action) = ReferenceAction::ALL.into_iter().find(begins) else {
            return Err("the actions are NO ACTION, RESTRICT, SET NULL, SET DEFAULT and CASCADE");
        };
        if is_delete {
            references.on_delete = action;
        } else {
            references.on_update = action;
        }
        rest = &after[action.name().split(' ').count()..];
    }
    if rest.is_empty() { Ok(references) } else { Err("it has a part that means nothing") }
}

/// A name, in quotes or not.
fn name(kind: TokenKind, part: &str) -> Result<String, &'static str> {
    match kind {
        TokenKind::Word => Ok(part.to_owned()),
        TokenKind::Quoted if is_closed(part) && !part.starts_with('\'') => Ok(unquoted(part)),
        _ => Err("a name is missing"),
    }
}
