//! The id of a tenant's configuration.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Most bytes of a config id.
const MAX_BYTES: usize = 128;

/// The id of a tenant's configuration: `[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}`.
///
/// It has no colon and no slash, so keys and paths that are made of it cannot meet those of another config.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ConfigId(Arc<str>);

/// The error of a text that is no config id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a config id has 1 to 128 characters, letters, digits, '_', '-' and '.', and does not begin with '.'; got {0:?}"
)]
pub struct InvalidConfigId(pub String);

impl ConfigId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConfigId {
    type Err = InvalidConfigId;

    fn from_str(text: &str) -> Result<Self, InvalidConfigId> {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let bytes = text.as_bytes();
        let first = bytes.first().is_some_and(is_word);
        if first && bytes.len() <= MAX_BYTES && bytes.iter().all(|byte| is_word(byte) || *byte == b'.') {
            Ok(ConfigId(text.into()))
        } else {
            // Somebody's megabyte is no part of a message.
            Err(InvalidConfigId(text.chars().take(MAX_BYTES + 1).collect()))
        }
    }
}

impl TryFrom<String> for ConfigId {
    type Error = InvalidConfigId;

    fn try_from(text: String) -> Result<Self, InvalidConfigId> {
        text.parse()
    }
}

impl From<ConfigId> for String {
    fn from(id: ConfigId) -> String {
        id.0.as_ref().into()
    }
}

impl fmt::Display for ConfigId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ConfigId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_words_and_dots() {
        for id in ["a", "9", "_", "-", "a.b", "a..b", "A-b_c.9", &"x".repeat(128)] {
            assert_eq!(id.parse::<ConfigId>().unwrap().as_str(), id);
        }
    }

    #[test]
    fn refuses_what_could_leave_its_namespace() {
        for id in ["", ".", "..", ".a", "a:b", "a/b", "a b", "a%00", "a\0", "ä", "a\n", &"x".repeat(129)] {
            assert!(id.parse::<ConfigId>().is_err(), "{id:?}");
            assert!(serde_json::from_value::<ConfigId>(id.into()).is_err(), "{id:?}");
        }
    }
}
