//! Shapes of values: how each is written as text (environment, flags, defaults) and in YAML, and what it must
//! be.

use super::yaml::{self, Node, Tree};
use howk_contract::ConfigId;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

mod structured;

pub use structured::{CryptoKey, Scope, Token};

/// Shape of a key's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// `true` or `false`.
    Flag,
    /// A whole number within bounds.
    Integer(u64, u64),
    /// A number from 0 to 1.
    Share,
    /// A time, such as `500ms`, within bounds in milliseconds.
    Time(u64, u64),
    /// A number of bytes, such as `256KiB`, within bounds.
    Size(u64, u64),
    /// Any text; true if it is secret.
    Text(bool),
    /// A path of the file system.
    Path,
    /// An IP address and a port.
    Address,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Patterns of host names.
    Hosts,
    /// Ranges of addresses.
    Networks,
    /// Texts.
    Texts,
    /// Tokens of the API.
    Tokens,
    /// Names of private keys and their files.
    CryptoKeys,
}

/// A value of one of the shapes.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Value of [`Shape::Flag`].
    Flag(bool),
    /// Value of [`Shape::Integer`] and [`Shape::Size`].
    Integer(u64),
    /// Value of [`Shape::Share`].
    Share(f64),
    /// Value of [`Shape::Time`].
    Time(Duration),
    /// Value of [`Shape::Text`] and [`Shape::Choice`].
    Text(String),
    /// Value of [`Shape::Path`].
    Path(PathBuf),
    /// Value of [`Shape::Address`].
    Address(SocketAddr),
    /// Value of [`Shape::Hosts`] and [`Shape::Texts`].
    Texts(Vec<String>),
    /// Value of [`Shape::Networks`].
    Networks(Vec<IpNet>),
    /// Value of [`Shape::Tokens`].
    Tokens(Vec<Token>),
    /// Value of [`Shape::CryptoKeys`].
    CryptoKeys(BTreeMap<String, CryptoKey>),
}

/// Form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Shape {
    /// A word for the shape, as the documents have it.
    pub fn name(self) -> String {
        match self {
            Shape::Flag => "flag".into(),
            Shape::Integer(..) => "integer".into(),
            Shape::Share => "0 to 1".into(),
            Shape::Time(..) => "time".into(),
            Shape::Size(..) => "size".into(),
            Shape::Text(_) => "text".into(),
            Shape::Path => "path".into(),
            Shape::Address => "address".into(),
            Shape::Choice(words) => words.join(", "),
            Shape::Hosts => "host patterns".into(),
            Shape::Networks => "networks".into(),
            Shape::Texts => "texts".into(),
            Shape::Tokens => "tokens".into(),
            Shape::CryptoKeys => "keys".into(),
        }
    }

    /// A description of what is expected, with an example.
    fn expected(self) -> String {
        let bounds = |least: String, most: String, is_open: bool| {
            if is_open { format!(", at least {least}") } else { format!(", {least} to {most}") }
        };
        match self {
            Shape::Flag => "true or false".into(),
            Shape::Integer(least, most) => {
                format!("a whole number{}", bounds(least.to_string(), most.to_string(), most == u64::MAX))
            }
            Shape::Share => "a number from 0 to 1".into(),
            Shape::Time(least, most) => {
                let show = |ms| show_time(Duration::from_millis(ms));
                format!("a time such as 500ms, 5s or 24h{}", bounds(show(least), show(most), most == u64::MAX))
            }
            Shape::Size(least, most) => {
                format!(
                    "a size such as 4096, 256KiB or 5MiB{}",
                    bounds(show_size(least), show_size(most), most == u64::MAX)
                )
            }
            Shape::Text(_) => "a text (in YAML, put it into quotes)".into(),
            Shape::Path => "a path".into(),
            Shape::Address => "an IP address and a port, such as 127.0.0.1:8080 or [::]:8080".into(),
            Shape::Choice(words) => format!("one of {}", words.join(", ")),
            Shape::Hosts => "names of hosts: *, *.example.com or api.example.com".into(),
            Shape::Networks => "addresses or ranges, such as 10.1.0.0/16 or ::1".into(),
            Shape::Texts => "a list of texts".into(),
            Shape::Tokens => {
                "a list of { token | token_file | token_sha256, scopes: [read, write, enqueue, admin], configs: [..] }"
                    .into()
            }
            Shape::CryptoKeys => "names and their files: { NAME: PATH } or { NAME: { path: .., configs: [..] } }".into(),
        }
    }

    /// True if the value must not be shown.
    pub fn is_secret(self) -> bool {
        matches!(self, Shape::Text(true) | Shape::Tokens)
    }

    /// The value of a text: of a variable, a flag or a default.
    pub(super) fn read_text(self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        let items =
            || text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect();
        match self {
            Shape::Hosts | Shape::Texts | Shape::Networks => self.list(items()),
            Shape::Tokens | Shape::CryptoKeys => {
                let node = yaml::parse(text).map_err(|_| self.refusal("a text that is no YAML"))?;
                self.read_tree(&node)
            }
            Shape::Path if text.is_empty() => Err(self.refusal("an empty text")),
            _ => self.scalar(text).ok_or_else(|| {
                let shown = if self.is_secret() { "something else".into() } else { shown(text) };
                self.refusal(&shown)
            }),
        }
    }

    /// The value of a node of YAML.
    pub(super) fn read_tree(self, node: &Node) -> Result<Value, String> {
        let refuse =
            || self.refusal(&if self.is_secret() { "something else".into() } else { node.tree.describe() });
        match (self, &node.tree) {
            (Shape::Tokens, Tree::List(nodes)) => structured::tokens(nodes).map(Value::Tokens),
            (Shape::Tokens, Tree::Null) => Ok(Value::Tokens(Vec::new())),
            (Shape::CryptoKeys, Tree::Map(pairs)) => structured::crypto_keys(pairs).map(Value::CryptoKeys),
            (Shape::CryptoKeys, Tree::Null) => Ok(Value::CryptoKeys(BTreeMap::new())),
            (Shape::Tokens | Shape::CryptoKeys, _) | (Shape::Flag, Tree::Text(_)) => Err(refuse()),
            (Shape::Hosts | Shape::Texts | Shape::Networks, Tree::List(nodes)) => {
                let texts = nodes.iter().map(|node| match &node.tree {
                    Tree::Text(text) => Ok(text.clone()),
                    other => Err(self.refusal(&other.describe())),
                });
                self.list(texts.collect::<Result<_, _>>()?)
            }
            (Shape::Hosts | Shape::Texts | Shape::Networks | Shape::Path, Tree::Text(text)) => {
                self.read_text(text)
            }
            (Shape::Flag, Tree::Bool(value)) => Ok(Value::Flag(*value)),
            (Shape::Share, Tree::Float(value)) => self.scalar(&value.to_string()).ok_or_else(refuse),
            (Shape::Integer(..) | Shape::Size(..) | Shape::Share, Tree::Integer(value)) => {
                self.scalar(&value.to_string()).ok_or_else(refuse)
            }
            (_, Tree::Text(text)) => self.scalar(text.trim()).ok_or_else(refuse),
            _ => Err(refuse()),
        }
    }

    fn scalar(self, text: &str) -> Option<Value> {
        match self {
            Shape::Flag => match text {
                "true" => Some(Value::Flag(true)),
                "false" => Some(Value::Flag(false)),
                _ => None,
            },
            Shape::Integer(least, most) => {
                text.parse().ok().filter(|value| (least..=most).contains(value)).map(Value::Integer)
            }
            Shape::Size(least, most) => {
                parse_size(text).filter(|value| (least..=most).contains(value)).map(Value::Integer)
            }
            Shape::Share => text.parse().ok().filter(|value| (0.0..=1.0).contains(value)).map(Value::Share),
            Shape::Time(least, most) => {
                let most = Duration::from_millis(most);
                let within = |value: &Duration| *value >= Duration::from_millis(least) && *value <= most;
                humantime::parse_duration(text).ok().filter(within).map(Value::Time)
            }
            Shape::Text(_) => Some(Value::Text(text.into())),
            Shape::Path => Some(Value::Path(text.into())),
            Shape::Address => text.parse().ok().map(Value::Address),
            Shape::Choice(words) => words.contains(&text).then(|| Value::Text(text.into())),
            _ => None,
        }
    }

    fn list(self, texts: Vec<String>) -> Result<Value, String> {
        let refuse = |text: &String| self.refusal(&shown(text));
        match self {
            Shape::Networks => {
                let network = |text: &String| {
                    text.parse::<IpNet>()
                        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                        .map_err(|_| refuse(text))
                };
                texts.iter().map(network).collect::<Result<_, _>>().map(Value::Networks)
            }
            Shape::Hosts => match texts.iter().find(|text| !is_host_pattern(text)) {
                Some(text) => Err(refuse(text)),
                None => Ok(Value::Texts(texts)),
            },
            _ => Ok(Value::Texts(texts)),
        }
    }

    fn refusal(self, found: &str) -> String {
        format!("expected {}, found {found}", self.expected())
    }
}

/// True for `*`, a name, or `*.` and a name.
fn is_host_pattern(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '[' | ']');
    text == "*" || (!name.is_empty() && !name.starts_with('.') && name.chars().all(is_name))
}

/// A text for a message: quoted, and cut if somebody wrote a novel.
fn shown(text: &str) -> String {
    const MOST_CHARS: usize = 60;
    let cut: String = text.chars().take(MOST_CHARS).collect();
    if cut.len() < text.len() { format!("{cut:?} and more") } else { format!("{text:?}") }
}

const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("B", 1),
];

fn parse_size(text: &str) -> Option<u64> {
    let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
    let (digits, factor) =
        unit.map_or((text, 1), |(unit, factor)| (&text[..text.len() - unit.len()], *factor));
    digits.trim_end().parse::<u64>().ok()?.checked_mul(factor)
}

fn show_size(bytes: u64) -> String {
    let unit = UNITS[..4].iter().rev().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    unit.map_or_else(|| bytes.to_string(), |(unit, factor)| format!("{}{unit}", bytes / factor))
}

/// A time as it would be written: in the largest unit that gives a whole number, up to hours.
fn show_time(time: Duration) -> String {
    let ms = time.as_millis();
    let unit = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find(|(_, factor)| ms > 0 && ms.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{ms}ms"), |(unit, factor)| format!("{}{unit}", ms / factor))
}

impl Value {
    /// The value as it would be written in a variable; secrets are not shown.
    pub fn show(&self) -> String {
        let join = |texts: Vec<String>| texts.join(",");
        match self {
            Value::Flag(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Share(value) => value.to_string(),
            Value::Time(value) => show_time(*value),
            Value::Text(value) => value.clone(),
            Value::Path(value) => value.display().to_string(),
            Value::Address(value) => value.to_string(),
            Value::Texts(values) => values.join(","),
            Value::Networks(values) => join(values.iter().map(ToString::to_string).collect()),
            Value::Tokens(tokens) => join(tokens.iter().map(ToString::to_string).collect()),
            Value::CryptoKeys(keys) => {
                join(keys.iter().map(|(name, key)| format!("{name}={}", key.path.display())).collect())
            }
        }
    }
}

/// Reads ids of configs; `*` alone is all of them.
fn config_ids(texts: &[String]) -> Result<Option<Vec<ConfigId>>, String> {
    if texts.iter().any(|text| text == "*") {
        return Ok(None);
    }
    texts
        .iter()
        .map(|text| text.parse().map_err(|error| format!("configs: {error}")))
        .collect::<Result<_, _>>()
        .map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_read_and_shown() {
        for (text, bytes) in
            [("0", 0), ("4096", 4096), ("256KiB", 262_144), ("5 MiB", 5 << 20), ("1GB", 1_000_000_000)]
        {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "KiB", "-1", "1.5MiB", "99999999999TiB", "5 mib", "1 KiB KiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        assert_eq!(
            (show_size(262_144), show_size(5 << 20), show_size(1000)),
            ("256KiB".into(), "5MiB".into(), "1000".into())
        );
        for text in ["500ms", "5s", "24h", "15m", "0ms"] {
            assert_eq!(show_time(humantime::parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn a_wrong_value_says_what_is_expected() {
        for (shape, text, expected) in [
            (Shape::Flag, "yes", "expected true or false, found \"yes\""),
            (Shape::Integer(1, 9), "10", "expected a whole number, 1 to 9, found \"10\""),
            (Shape::Integer(0, u64::MAX), "-1", "expected a whole number, at least 0, found \"-1\""),
            (
                Shape::Time(1, 60_000),
                "500",
                "expected a time such as 500ms, 5s or 24h, 1ms to 1m, found \"500\"",
            ),
            (
                Shape::Size(0, 1024),
                "2KiB",
                "expected a size such as 4096, 256KiB or 5MiB, 0 to 1KiB, found \"2KiB\"",
            ),
            (Shape::Share, "1.5", "expected a number from 0 to 1, found \"1.5\""),
            (Shape::Share, "NaN", "expected a number from 0 to 1, found \"NaN\""),
            (Shape::Choice(&["a", "b"]), "c", "expected one of a, b, found \"c\""),
            (Shape::Hosts, "a,b c", "names of hosts: *, *.example.com or api.example.com, found \"b c\""),
            (Shape::Networks, "10.0.0.0/33", "found \"10.0.0.0/33\""),
            (Shape::Address, "localhost", "an IP address and a port"),
        ] {
            let problem = shape.read_text(text).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn lists_are_cut_at_commas() {
        assert_eq!(
            Shape::Hosts.read_text("*.a.com, b.com,"),
            Ok(Value::Texts(vec!["*.a.com".into(), "b.com".into()]))
        );
        assert_eq!(Shape::Texts.read_text(""), Ok(Value::Texts(Vec::new())));
        let networks = Shape::Networks.read_text("10.0.0.0/8,::1").unwrap();
        assert_eq!(networks.show(), "10.0.0.0/8,::1/128");
    }
}
