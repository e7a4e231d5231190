//! `log`, `print` and `warn`: what scripts tell their authors and operators.
//!
//! Keeps true: an event tells a bounded number of lines of bounded length, and what does not fit is counted
//! and told; no secret that the event has seen is in them; in the server's own log a line of a script is one
//! line, and nothing in it reaches a terminal as a command.

use crate::redact::{REDACTED, Redactor, names_a_secret};
use howk_contract::{ConfigId, LogLevel};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most bytes of fields that are read at all.
const FIELDS_BYTES_READ: usize = 256 << 10;

/// Limits of `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// Most lines of an event.
    pub lines: usize,
    /// Most bytes of a message, and of the fields beside it.
    pub line_bytes: usize,
}

impl Default for LogSettings {
    fn default() -> Self {
        LogSettings { lines: 50, line_bytes: 4 << 10 }
    }
}

/// A line that a script told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogLine {
    /// Importance of the line.
    pub level: LogLevel,
    /// The message, without secrets.
    pub message: String,
    /// The fields, without secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Map<String, Value>>,
    /// Time at which it was told.
    pub time: Timestamp,
}

#[derive(Debug, Default)]
struct Lines {
    told: Vec<LogLine>,
    dropped: u64,
}

/// The lines of an event.
#[derive(Debug)]
pub(crate) struct EventLog {
    settings: LogSettings,
    config_id: ConfigId,
    webhook_id: Arc<str>,
    lines: Mutex<Lines>,
}

impl EventLog {
    pub(crate) fn new(settings: LogSettings, config_id: ConfigId, webhook_id: Arc<str>) -> Self {
        EventLog { settings, config_id, webhook_id, lines: Mutex::default() }
    }

    /// Takes a line. One that is too many is counted.
    pub(crate) fn add(&self, level: LogLevel, message: &[u8], fields: Option<&[u8]>, redactor: &Redactor) {
        {
            let mut lines = self.lock();
            if lines.told.len() >= self.settings.lines {
                lines.dropped += 1;
                return;
            }
        }
        let message = self.message(message, redactor);
        let fields = fields.map(|fields| self.fields(fields, redactor)).filter(|fields| !fields.is_empty());
        let line = LogLine { level, message, fields, time: Timestamp::now() };
        self.emit(&line);
        self.lock().told.push(line);
    }

    /// The lines so far, with one at the end that tells how many were dropped.
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        let lines = self.lock();
        let mut told = lines.told.clone();
        told.extend(self.about_dropped(lines.dropped));
        told
    }

    /// The lines, whole even if somebody panicked: they are only ever added.
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn about_dropped(&self, dropped: u64) -> Option<LogLine> {
        let most = self.settings.lines;
        let message = format!("{dropped} more lines were dropped: an event may log {most}");
        let line = LogLine { level: LogLevel::Warn, message, fields: None, time: Timestamp::now() };
        (dropped > 0).then_some(line)
    }

    fn message(&self, message: &[u8], redactor: &Redactor) -> String {
        let most = self.settings.line_bytes;
        let (mut shown, cut) = redactor.show(message, most);
        // Marks are longer than short secrets, and signs for bytes that are no UTF-8 longer than these.
        shown.truncate(shown.floor_char_boundary(most));
        if cut {
            // Writing to a string does not fail.
            let _ = write!(shown, "... [{} bytes in all]", message.len());
        }
        shown
    }

    fn fields(&self, json: &[u8], redactor: &Redactor) -> Map<String, Value> {
        let note = |text: String| Map::from_iter([("log_error".to_owned(), Value::from(text))]);
        let too_large =
            |bytes| note(format!("the fields have {bytes} bytes, and may have {}", self.settings.line_bytes));
        if json.len() > FIELDS_BYTES_READ {
            return too_large(json.len());
        }
        let Ok(fields) = serde_json::from_slice::<Map<String, Value>>(json) else {
            return note("the fields are no JSON object".into());
        };
        let fields = show_fields(fields, redactor);
        match serde_json::to_vec(&fields) {
            Ok(text) if text.len() <= self.settings.line_bytes => fields,
            Ok(text) => too_large(text.len()),
            Err(error) => note(error.to_string()),
        }
    }

    /// Tells a line to the server's own log.
    fn emit(&self, line: &LogLine) {
        let (config_id, webhook_id) = (self.config_id.as_str(), escape(&self.webhook_id));
        let message = escape(&line.message);
        let json = line.fields.as_ref().and_then(|fields| serde_json::to_string(fields).ok());
        let fields = json.as_deref().map(escape);
        let fields = fields.as_deref();
        match line.level {
            LogLevel::Info => {
                tracing::info!(target: "howk::script", config_id, webhook_id, fields, "{message}");
            }
            LogLevel::Warn => {
                tracing::warn!(target: "howk::script", config_id, webhook_id, fields, "{message}");
            }
            LogLevel::Error => {
                tracing::error!(target: "howk::script", config_id, webhook_id, fields, "{message}");
            }
        }
    }
}

impl Drop for EventLog {
    fn drop(&mut self) {
        let dropped = self.lock().dropped;
        if let Some(line) = self.about_dropped(dropped) {
            self.emit(&line);
        }
    }
}

fn show(text: &str, redactor: &Redactor) -> String {
    redactor.show(text.as_bytes(), text.len()).0
}

fn show_fields(fields: Map<String, Value>, redactor: &Redactor) -> Map<String, Value> {
    let show_field = |(name, value): (String, Value)| {
        let value = if names_a_secret(&name) { REDACTED.into() } else { show_value(value, redactor) };
        (show(&name, redactor), value)
    };
    fields.into_iter().map(show_field).collect()
}

fn show_value(value: Value, redactor: &Redactor) -> Value {
    match value {
        Value::String(text) => show(&text, redactor).into(),
        Value::Array(values) => values.into_iter().map(|value| show_value(value, redactor)).collect(),
        Value::Object(fields) => show_fields(fields, redactor).into(),
        Value::Number(number) => {
            let text = number.to_string();
            if show(&text, redactor) == text { Value::Number(number) } else { REDACTED.into() }
        }
        Value::Null | Value::Bool(_) => value,
    }
}

/// A text as one line without anything that a terminal obeys: control characters, line separators, and what
/// changes the direction of text or is not seen.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c if c.is_control() || is_unseen(c) => {
                // Writing to a string does not fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// True for line separators, and for what changes the direction of text or has no width.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: usize, line_bytes: usize) -> EventLog {
        EventLog::new(LogSettings { lines, line_bytes }, "c".parse().unwrap(), "w".into())
    }

    fn fields(json: &str) -> Value {
        let log = log(1, 200);
        let redactor = Redactor::default();
        redactor.hide(b"hunter22");
        redactor.hide(b"123456");
        log.add(LogLevel::Info, b"m", Some(json.as_bytes()), &redactor);
        log.lines().remove(0).fields.map_or(Value::Null, Value::Object)
    }

    #[test]
    fn lines_beyond_the_limit_are_counted() {
        let log = log(2, 100);
        for number in 0..5 {
            log.add(LogLevel::Info, format!("line {number}").as_bytes(), None, &Redactor::default());
        }
        let lines = log.lines();
        let told: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(told, ["line 0", "line 1", "3 more lines were dropped: an event may log 2"]);
        assert_eq!(lines[2].level, LogLevel::Warn);
    }

    #[test]
    fn a_long_message_says_how_long_it_was() {
        let log = log(9, 10);
        let redactor = Redactor::default();
        for message in ["0123456789", "0123456789a", "012345678\u{e4}", "\u{1f600}\u{1f600}\u{1f600}"] {
            log.add(LogLevel::Warn, message.as_bytes(), None, &redactor);
        }
        log.add(LogLevel::Warn, b"\xff\xfe", None, &redactor);
        let told: Vec<_> = log.lines().into_iter().map(|line| line.message).collect();
        assert_eq!(told[0], "0123456789");
        assert_eq!(told[1], "0123456789... [11 bytes in all]");
        assert!(
            told[2].starts_with("012345678") && told[2].ends_with("... [11 bytes in all]"),
            "{}",
            told[2]
        );
        assert!(
            told[3].starts_with("\u{1f600}\u{1f600}") && told[3].ends_with("[12 bytes in all]"),
            "{}",
            told[3]
        );
        assert_eq!(told[4], "\u{fffd}\u{fffd}");
    }

    #[test]
    fn fields_are_structured_and_hold_no_secret() {
        let shown = fields(
            r#"{"a":[1,"hunter22",{"hunter22":123456}],"Api_Key":"x","authorization":{"y":1},"n":null}"#,
        );
        let expected = serde_json::json!({
            "a": [1, "[redacted]", { "[redacted]": "[redacted]" }],
            "Api_Key": "[redacted]",
            "authorization": "[redacted]",
            "n": null,
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn bad_fields_are_told_and_not_lost_silently() {
        for json in ["", "1", "[]", "{", "{\"a\":\"\\ud800\"}", &"{\"a\":".repeat(1000)] {
            assert_eq!(fields(json)["log_error"], "the fields are no JSON object", "{json}");
        }
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(193));
        assert_eq!(fields(&long)["log_error"], "the fields have 201 bytes, and may have 200");
        assert_eq!(fields("{}"), Value::Null);
    }

    #[test]
    fn a_line_is_one_line_and_commands_no_terminal() {
        assert_eq!(escape("a\nb\r\t\u{1b}[2J\0\u{7f}\u{9b}"), "a\\nb\\r\\t\\u001b[2J\\u0000\\u007f\\u009b");
        assert_eq!(
            escape("\u{2028}\u{202e}\u{2066}\u{feff}\u{e4}\u{1f600}"),
            "\\u2028\\u202e\\u2066\\ufeff\u{e4}\u{1f600}"
        );
    }
}
