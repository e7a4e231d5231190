//! The table of keys as a page has it.

use super::keys::KEYS;
use std::fmt::Write;

/// Heading of the table in the page on operating.
pub const HEADING: &str = "| key | shape | default | |\n|---|---|---|---|\n";

/// The table of all keys, in Markdown.
pub fn table() -> String {
    let mut text = HEADING.to_owned();
    for key in KEYS {
        let default = match key.default {
            "" => "none".into(),
            default => format!("`{default}`"),
        };
        let _ = writeln!(text, "| `{}` | {} | {default} | {} |", key.path, key.shape.name(), key.doc);
    }
    text
}
