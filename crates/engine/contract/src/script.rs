//! Scripts as they are stored.

use crate::ConfigId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// The SHA-256 of a script's source: the name of a version.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ScriptHash([u8; 32]);

/// The error of a text that is no hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits")]
pub struct InvalidHash;

impl ScriptHash {
    /// The hash of a source.
    pub fn of(source: impl AsRef<[u8]>) -> Self {
        ScriptHash(Sha256::digest(source).into())
    }

    /// The hash as bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for ScriptHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidHash)?;
        Ok(ScriptHash(bytes))
    }
}

impl TryFrom<String> for ScriptHash {
    type Error = InvalidHash;

    fn try_from(text: String) -> Result<Self, InvalidHash> {
        text.parse()
    }
}

impl From<ScriptHash> for String {
    fn from(hash: ScriptHash) -> String {
        hash.to_string()
    }
}

impl fmt::Display for ScriptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ScriptHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A script of a config, as the log, the mirror and the API have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptConfig {
    /// Id of the config whose script it is.
    pub config_id: ConfigId,
    /// The source, as it was given.
    pub lua_code: String,
    /// SHA-256 of the source, in hexadecimal digits.
    pub hash: ScriptHash,
    /// A name that the author gave, or a number that counts the changes.
    pub version: String,
    /// Time of the config's first script.
    pub created_at: Timestamp,
    /// Time at which this one was stored.
    pub updated_at: Timestamp,
}

impl ScriptConfig {
    /// True if the source is the one that the hash names. What does not fit is never run.
    pub fn fits_its_hash(&self) -> bool {
        ScriptHash::of(&self.lua_code) == self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_names_of_the_contract() {
        let at = "2026-01-02T03:04:05Z".parse().unwrap();
        let script = ScriptConfig {
            config_id: "c".parse().unwrap(),
            lua_code: "x".into(),
            hash: ScriptHash::of("x"),
            version: "1".into(),
            created_at: at,
            updated_at: at,
        };
        let json = serde_json::to_value(&script).unwrap();
        let names: Vec<_> = json.as_object().unwrap().keys().collect();
        assert_eq!(names, ["config_id", "lua_code", "hash", "version", "created_at", "updated_at"]);
        assert_eq!(json["hash"], "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
        assert_eq!(json["created_at"], "2026-01-02T03:04:05Z");
        let back: ScriptConfig = serde_json::from_value(json).unwrap();
        assert!(back == script && back.fits_its_hash());
    }

    #[test]
    fn tells_a_source_that_is_not_its_hash() {
        let json = r#"{"config_id":"c","lua_code":"y","version":"1",
            "hash":"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
            "created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}"#;
        assert!(!serde_json::from_str::<ScriptConfig>(json).unwrap().fits_its_hash());
    }
}
