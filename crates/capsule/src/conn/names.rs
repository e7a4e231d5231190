//! Names and first words of SQL text.

/// Quotes a name, so that it is one whatever is in it.
pub(crate) fn quoted(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 2);
    push_quoted(&mut text, name);
    text
}

/// Appends a name in quotes.
pub(crate) fn push_quoted(text: &mut String, name: &str) {
    text.push('"');
    for character in name.chars() {
        if character == '"' {
            text.push('"');
        }
        text.push(character);
    }
    text.push('"');
}

/// The first word of a statement, after blanks, comments and semicolons; empty if there is none.
pub(crate) fn first_word(sql: &str) -> &str {
    let mut rest = sql;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ';' || c == '\u{feff}');
        rest = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map_or("", |(_, after)| after)
        } else {
            break;
        };
    }
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
    &rest[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_double() {
        assert_eq!(quoted(r#"a"b"#), r#""a""b""#);
    }

    #[test]
    fn comments_come_before_words() {
        assert_eq!(first_word(" ;-- VACUUM\n/* BEGIN */ select 1"), "select");
        assert_eq!(first_word("/* no end"), "");
        assert_eq!(first_word("VACUUM;"), "VACUUM");
    }
}
