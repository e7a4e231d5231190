//! Values with parts: tokens of the API, and keys of `crypto`.

use super::config_ids;
use crate::config::nearest::nearest;
use crate::config::yaml::{Node, Tree};
use howk_contract::ConfigId;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// A right that a token gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Reading scripts, status and dead letters.
    Read,
    /// Storing, deleting and testing scripts.
    Write,
    /// Handing in webhooks.
    Enqueue,
    /// Every right, with replays and metrics.
    Admin,
}

impl Scope {
    /// The word of the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Enqueue => "enqueue",
            Scope::Admin => "admin",
        }
    }

    const ALL: [Scope; 4] = [Scope::Read, Scope::Write, Scope::Enqueue, Scope::Admin];
}

/// A token of the API. Its text is not kept: only its SHA-256 is.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// A name for logs.
    pub name: String,
    /// SHA-256 of the token.
    pub sha256: [u8; 32],
    /// Rights that it gives.
    pub scopes: Vec<Scope>,
    /// Configs that it is for; none is all.
    pub configs: Option<Vec<ConfigId>>,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes: Vec<_> = self.scopes.iter().map(|scope| scope.as_str()).collect();
        write!(f, "{} ({})", self.name, scopes.join(" "))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({self})")
    }
}

/// A private key of `crypto`: its file, and the configs that may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CryptoKey {
    /// File with the PEM.
    pub path: PathBuf,
    /// Configs that may use it; none is all.
    pub configs: Option<Vec<ConfigId>>,
}

/// Least characters of a token: shorter ones can be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// Fields of a mapping, each known and of its type.
struct Fields<'a> {
    of: String,
    known: &'static [&'static str],
    pairs: &'a [(String, Node)],
}

impl<'a> Fields<'a> {
    fn of(of: String, known: &'static [&'static str], pairs: &'a [(String, Node)]) -> Result<Self, String> {
        let wrong = pairs.iter().find(|(name, _)| !known.contains(&name.as_str()));
        if let Some((name, node)) = wrong {
            let meant = nearest(name, known.iter().copied()).map(|name| format!("; did you mean {name}?"));
            let meant = meant.unwrap_or_else(|| format!("; there are {}", known.join(", ")));
            return Err(format!("{of}: no field {name:?} (line {}){meant}", node.line));
        }
        Ok(Fields { of, known, pairs })
    }

    fn get(&self, name: &str) -> Option<&'a Tree> {
        debug_assert!(self.known.contains(&name), "{name} is a field");
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, node)| &node.tree)
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Tree::Text(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{}: {name} must be a text (put it into quotes)", self.of)),
        }
    }

    fn texts(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        let refusal = || format!("{}: {name} must be a list of texts", self.of);
        match self.get(name) {
            None => Ok(None),
            Some(Tree::List(nodes)) => nodes
                .iter()
                .map(|node| match &node.tree {
                    Tree::Text(text) => Ok(text.clone()),
                    _ => Err(refusal()),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(refusal()),
        }
    }

    fn configs(&self) -> Result<Option<Vec<ConfigId>>, String> {
        let Some(texts) = self.texts("configs")? else { return Ok(None) };
        config_ids(&texts).map_err(|problem| format!("{}: {problem}", self.of))
    }
}

/// Reads `api.tokens`.
pub(super) fn tokens(nodes: &[Node]) -> Result<Vec<Token>, String> {
    let tokens: Vec<Token> =
        nodes.iter().enumerate().map(|(at, node)| token(at, node)).collect::<Result<_, _>>()?;
    for (at, token) in tokens.iter().enumerate() {
        if let Some(twin) = tokens[..at].iter().find(|other| other.sha256 == token.sha256) {
            return Err(format!("tokens {} and {} are the same text", twin.name, token.name));
        }
    }
    Ok(tokens)
}

fn token(at: usize, node: &Node) -> Result<Token, String> {
    const KNOWN: &[&str] = &["name", "token", "token_file", "token_sha256", "scopes", "configs"];
    let of = format!("token {}", at + 1);
    let Tree::Map(pairs) = &node.tree else {
        return Err(format!("{of}: expected a mapping with token, scopes and configs"));
    };
    let fields = Fields::of(of.clone(), KNOWN, pairs)?;
    let hash = |text: &str| -> Result<[u8; 32], String> {
        let sendable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.len() < TOKEN_CHARS_MIN || !sendable {
            return Err(format!(
                "{of}: a token has at least {TOKEN_CHARS_MIN} characters of ASCII and no space"
            ));
        }
        Ok(Sha256::digest(text).into())
    };
    let sha256 = match (fields.text("token")?, fields.text("token_file")?, fields.text("token_sha256")?) {
        (Some(text), None, None) => hash(text)?,
        (None, Some(path), None) => {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{of}: {path}: {error}"))?;
            hash(text.trim())?
        }
        (None, None, Some(digits)) => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(digits, &mut bytes)
                .map_err(|_| format!("{of}: token_sha256 must have 64 hexadecimal digits"))?;
            bytes
        }
        _ => return Err(format!("{of}: give one of token, token_file and token_sha256")),
    };
    let scopes = fields.texts("scopes")?.unwrap_or_default();
    if scopes.is_empty() {
        return Err(format!("{of}: scopes is missing: some of read, write, enqueue, admin"));
    }
    let scope = |word: &String| {
        let known = Scope::ALL.into_iter().find(|scope| scope.as_str() == word);
        known.ok_or_else(|| format!("{of}: no scope {word:?}; there are read, write, enqueue, admin"))
    };
    let scopes = scopes.iter().map(scope).collect::<Result<_, _>>()?;
    let name = fields.text("name")?.map_or(of.clone(), str::to_owned);
    Ok(Token { name, sha256, scopes, configs: fields.configs()? })
}

/// Reads `lua.crypto_keys`.
pub(super) fn crypto_keys(pairs: &[(String, Node)]) -> Result<BTreeMap<String, CryptoKey>, String> {
    pairs
        .iter()
        .map(|(name, node)| {
            let key = match &node.tree {
                Tree::Text(path) => CryptoKey { path: path.into(), configs: None },
                Tree::Map(pairs) => {
                    let fields = Fields::of(format!("key {name}"), &["path", "configs"], pairs)?;
                    let path = fields.text("path")?.ok_or_else(|| format!("key {name}: path is missing"))?;
                    CryptoKey { path: path.into(), configs: fields.configs()? }
                }
                _ => return Err(format!("key {name}: expected a path, or {{ path: .., configs: [..] }}")),
            };
            Ok((name.clone(), key))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::config::shape::{Shape, Value};

    fn tokens(yaml: &str) -> Result<Value, String> {
        Shape::Tokens.read_text(yaml)
    }

    #[test]
    fn a_token_is_kept_as_its_hash() {
        let value = tokens("[{token: a-long-random-text, scopes: [read, admin], configs: [a, b]}]").unwrap();
        let Value::Tokens(list) = &value else { panic!("{value:?}") };
        assert_eq!(list[0].configs.as_ref().map(Vec::len), Some(2));
        assert_eq!(value.show(), "token 1 (read admin)");
        assert!(!format!("{value:?}").contains("a-long-random"));
        let digits = hex::encode(list[0].sha256);
        let same =
            tokens(&format!("[{{token_sha256: \"{digits}\", scopes: [read, admin], configs: [a, b]}}]"));
        assert_eq!(same.unwrap(), value);
    }

    #[test]
    fn a_wrong_token_is_told_without_its_text() {
        for (yaml, expected) in [
            ("[{token: short-one, scopes: [read]}]", "at least 16 characters"),
            ("[{token: a-long-random-text}]", "scopes is missing"),
            ("[{token: a-long-random-text, scopes: [write, owner]}]", "no scope \"owner\""),
            ("[{token: a-long-random-text, scope: [read]}]", "did you mean scopes?"),
            ("[{token: a-long-random-text, scopes: [read], configs: [\"a:b\"]}]", "configs: a config id has"),
            ("[{scopes: [read]}]", "give one of token"),
            ("[{token: 1234567890123456789, scopes: [read]}]", "must be a text"),
            ("[{token_sha256: abc, scopes: [read]}]", "64 hexadecimal digits"),
            ("[{token_file: /nowhere/at/all, scopes: [read]}]", "/nowhere/at/all: "),
            ("{a-long-random-text: 1}", "expected a list of { token"),
            ("[a-long-random-text]", "expected a mapping"),
            (
                "[{token: a-long-random-text, scopes: [read]}, {token: a-long-random-text, scopes: [write]}]",
                "token 1 and token 2 are the same",
            ),
        ] {
            let problem = tokens(yaml).unwrap_err();
            assert!(problem.contains(expected), "{yaml}: {problem}");
            assert!(!problem.contains("a-long-random"), "{problem}");
        }
    }

    #[test]
    fn keys_have_a_path_and_perhaps_configs() {
        let read = |yaml| Shape::CryptoKeys.read_text(yaml);
        let value = read("{a: /k/a.pem, b: {path: /k/b.pem, configs: [shop]}}").unwrap();
        assert_eq!(value.show(), "a=/k/a.pem,b=/k/b.pem");
        for (yaml, expected) in [
            ("{a: {file: x}}", "no field \"file\""),
            ("{a: {configs: [x]}}", "path is missing"),
            ("{a: 1}", "expected a path"),
            ("[a]", "names and their files"),
        ] {
            let problem = read(yaml).unwrap_err();
            assert!(problem.contains(expected), "{yaml}: {problem}");
        }
    }
}
