//! Settings as text: what counts, and where it comes from.

use super::load::Loaded;
use std::fmt::Write;

/// One line for each key: value and source. Secrets are not shown.
pub fn show(loaded: &Loaded) -> String {
    let lines = loaded.values.iter().map(|(key, value, source)| {
        let text = if key.shape.is_secret() && !value.show().is_empty() && value.show() == plain(value) {
            "[set]".into()
        } else {
            value.show()
        };
        (format!("{} = {text}", key.path), source)
    });
    let lines: Vec<_> = lines.collect();
    let width = lines
        .iter()
        .map(|(line, _)| line.chars().count())
        .filter(|width| *width < 60)
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (line, source) in lines {
        let _ = writeln!(text, "{line:width$}  # {source}");
    }
    for name in loaded.crypto_pems.keys() {
        let _ = writeln!(text, "# key {name} of crypto: in HOWK_LUA_CRYPTO_{name}");
    }
    text
}

/// The text of a text.
fn plain(value: &super::Value) -> String {
    if let super::Value::Text(text) = value { text.clone() } else { String::new() }
}
