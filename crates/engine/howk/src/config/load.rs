//! Settings from their sources: a YAML file, then the environment, then flags; the last one that names a key
//! counts.

use super::error::{ConfigError, Fault, Source};
use super::keys::{KEYS, Key};
use super::nearest::nearest;
use super::settings::Settings;
use super::shape::Value;
use super::yaml::{self, Node, Tree};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Prefix of the variables.
const PREFIX: &str = "HOWK_";
/// Prefix of the variables that hold private keys.
const CRYPTO_PREFIX: &str = "HOWK_LUA_CRYPTO_";
/// Variables with this prefix that are no settings: the file, and what the build reads.
const OTHERS: [&str; 2] = ["HOWK_CONFIG", "HOWK_GUEST"];

/// Everything that settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The YAML file.
    pub file: Option<PathBuf>,
    /// Variables of the environment; those without the prefix are ignored.
    pub environment: Vec<(String, String)>,
    /// Flags, in order: how the flag was written, key, value.
    pub flags: Vec<(String, String, String)>,
    /// Defaults that a command changes.
    pub defaults: Vec<(&'static str, &'static str)>,
}

impl Sources {
    /// The environment of this process. A variable that is not UTF-8 keeps its readable part, and is refused
    /// by its shape.
    pub fn environment() -> Vec<(String, String)> {
        let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }
}

/// Settings, each with its source.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Value and source of each key, in the order of the table.
    pub values: Vec<(&'static Key, Value, Source)>,
    /// Private keys of the environment: name and PEM.
    pub crypto_pems: BTreeMap<String, String>,
}

/// Reads all sources.
///
/// # Errors
/// Every fault that was found, with its source.
pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut reader = Reader::default();
    reader.defaults(&sources.defaults);
    if let Some(path) = &sources.file {
        reader.file(path);
    }
    for (name, value) in &sources.environment {
        reader.variable(name, value);
    }
    for (flag, key, value) in &sources.flags {
        reader.text(Source::Flag(flag.clone()), key, value);
    }
    reader.finish()
}

#[derive(Default)]
struct Reader {
    values: HashMap<&'static str, (Value, Source)>,
    crypto_pems: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

impl Reader {
    fn defaults(&mut self, changed: &[(&'static str, &'static str)]) {
        for key in KEYS {
            let text =
                changed.iter().find(|(path, _)| *path == key.path).map_or(key.default, |(_, text)| text);
            self.take(key, Source::Default, key.shape.read_text(text));
        }
    }

    fn file(&mut self, path: &PathBuf) {
        let at = |line: Option<u64>| Source::File { path: path.clone(), line };
        let text = match std::fs::read(path).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => return self.fault(at(None), "", "the file is not UTF-8"),
            Err(error) => return self.fault(at(None), "", &format!("cannot be read: {error}")),
        };
        let sections = match yaml::parse(&text) {
            Ok(Node { tree: Tree::Map(pairs), .. }) => pairs,
            Ok(Node { tree: Tree::Null, .. }) => return,
            Ok(Node { line, .. }) => {
                return self.fault(at(Some(line)), "", "expected sections, such as `lua:`, with their keys");
            }
            Err(error) => return self.fault(at(error.line), "", &error.message),
        };
        for (section, node) in sections {
            let known = KEYS.iter().any(|key| key.path.split('.').next() == Some(section.as_str()));
            let line = Some(node.line).filter(|line| *line > 0);
            match node.tree {
                _ if !known => {
                    let names: Vec<_> = KEYS.iter().filter_map(|key| key.path.split('.').next()).collect();
                    let meant = nearest(&section, names).map(|name| format!("; did you mean {name}?"));
                    let problem = format!("there is no such section{}", meant.unwrap_or_default());
                    self.fault(at(line), &section, &problem);
                }
                Tree::Map(pairs) => {
                    for (name, node) in pairs {
                        let source = at(Some(node.line).filter(|line| *line > 0));
                        let path = format!("{section}.{name}");
                        if let Some(key) = self.known(&source, &path) {
                            self.take(key, source, key.shape.read_tree(&node));
                        }
                    }
                }
                Tree::Null => {}
                other => {
                    let problem = format!("expected keys and their values, found {}", other.describe());
                    self.fault(at(line), &section, &problem);
                }
            }
        }
    }

    fn variable(&mut self, name: &str, value: &str) {
        if !name.starts_with(PREFIX) || OTHERS.contains(&name) || is_of_a_service(name) {
            return;
        }
        let source = Source::Variable(name.to_owned());
        if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
            return self.take(key, source, key.shape.read_text(value));
        }
        if let Some(key_name) = name.strip_prefix(CRYPTO_PREFIX).filter(|key_name| !key_name.is_empty()) {
            self.crypto_pems.insert(key_name.to_owned(), value.to_owned());
            return;
        }
        let variables: Vec<String> = KEYS.iter().map(Key::variable).collect();
        let meant =
            nearest(name, variables.iter().map(String::as_str)).map(|name| format!("; did you mean {name}?"));
        self.fault(source, "", &format!("there is no such setting{}", meant.unwrap_or_default()));
    }

    fn text(&mut self, source: Source, path: &str, value: &str) {
        if let Some(key) = self.known(&source, path) {
            self.take(key, source, key.shape.read_text(value));
        }
    }

    fn known(&mut self, source: &Source, path: &str) -> Option<&'static Key> {
        let key = KEYS.iter().find(|key| key.path == path);
        if key.is_none() {
            let meant =
                nearest(path, KEYS.iter().map(|key| key.path)).map(|name| format!("; did you mean {name}?"));
            self.fault(source.clone(), path, &format!("there is no such key{}", meant.unwrap_or_default()));
        }
        key
    }

    fn take(&mut self, key: &'static Key, source: Source, value: Result<Value, String>) {
        match value {
            Ok(value) => {
                self.values.insert(key.path, (value, source));
            }
            Err(problem) => self.fault(source, key.path, &problem),
        }
    }

    fn fault(&mut self, source: Source, key: &str, problem: &str) {
        self.faults.push(Fault { source, key: key.to_owned(), problem: problem.to_owned() });
    }

    fn finish(mut self) -> Result<Loaded, ConfigError> {
        let settings = Settings::of(&|path| self.values.get(path).map(|(value, _)| value));
        for (path, problem) in settings.faults() {
            let source = self.values.get(path).map_or(Source::Default, |(_, source)| source.clone());
            self.fault(source, path, &problem);
        }
        if !self.faults.is_empty() {
            return Err(ConfigError(self.faults));
        }
        let values = KEYS
            .iter()
            .filter_map(|key| self.values.remove(key.path).map(|(value, source)| (key, value, source)));
        Ok(Loaded { settings, values: values.collect(), crypto_pems: self.crypto_pems })
    }
}

/// True for a variable that an orchestrator sets for a service named `howk` or `howk-...`.
fn is_of_a_service(name: &str) -> bool {
    let port = name.rsplit_once("_PORT").map(|(_, rest)| rest);
    let is_port = port.is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('_').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    });
    is_port || name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT")
}

#[cfg(test)]
mod tests;
