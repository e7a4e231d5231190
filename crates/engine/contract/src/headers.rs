//! Headers of webhooks.

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Headers that frame a message or belong to one connection. Nobody but the deliverer sets them.
const RESERVED: [&str; 7] =
    ["host", "content-length", "transfer-encoding", "connection", "te", "upgrade", "trailer"];

/// Most bytes of a name that is shown in a message.
const SHOWN_BYTES: usize = 64;

/// Headers in the order in which they came, each name once, whatever its case.
///
/// A name is a token of RFC 9110, section 5.6.2, and none that frames a message. A value is UTF-8 without
/// control characters but tabs, and without space around it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, String)>);

/// Reason for which a header cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The name is no token.
    #[error("header name {0:?} is empty or has a character that HTTP forbids in names")]
    Name(String),
    /// The name is one that only the deliverer sets.
    #[error("header {0} is set by the sender of the request and by nobody else")]
    Reserved(String),
    /// The value has a character that HTTP forbids, such as a line break.
    #[error("value of header {0} has a control character, space around it, or is not UTF-8")]
    Value(String),
    /// The name stands twice in one document.
    #[error("header {0} is given twice")]
    Twice(String),
}

/// True if headers, or fields, of this name carry credentials.
pub fn names_a_secret(name: &str) -> bool {
    const WORDS: [&str; 7] =
        ["authorization", "cookie", "token", "secret", "password", "signature", "api-key"];
    let name = name.to_ascii_lowercase().replace('_', "-");
    name.ends_with("apikey") || WORDS.iter().any(|word| name.contains(word))
}

/// Checks a name, and gives it as text.
fn checked_name(name: &[u8]) -> Result<&str, HeaderError> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let text = std::str::from_utf8(name).ok().filter(|_| !name.is_empty() && name.iter().all(is_token));
    let Some(text) = text else {
        let shown = String::from_utf8_lossy(&name[..name.len().min(SHOWN_BYTES)]);
        return Err(HeaderError::Name(shown.into_owned()));
    };
    if RESERVED.iter().any(|reserved| text.eq_ignore_ascii_case(reserved)) {
        return Err(HeaderError::Reserved(text.into()));
    }
    Ok(text)
}

impl Headers {
    /// No headers.
    pub fn new() -> Self {
        Headers::default()
    }

    /// Number of headers.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Value of a header, whatever the case of its name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.position(name).map(|at| self.0[at].1.as_str())
    }

    /// Adds a header, or replaces the one of that name. An empty value removes it.
    ///
    /// # Errors
    /// HTTP forbids the name or the value, or the name is the deliverer's.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeaderError> {
        let name = checked_name(name)?;
        let is_fine = |c: char| !c.is_control() || c == '\t';
        let space = |c: char| matches!(c, ' ' | '\t');
        let value = std::str::from_utf8(value)
            .ok()
            .filter(|text| text.chars().all(is_fine) && text.trim_matches(space).len() == text.len())
            .ok_or_else(|| HeaderError::Value(name.into()))?;
        if value.is_empty() {
            self.remove(name);
            return Ok(());
        }
        match self.position(name) {
            Some(at) => self.0[at] = (name.into(), value.into()),
            None => self.0.push((name.into(), value.into())),
        }
        Ok(())
    }

    /// Removes a header, whatever the case of its name. One that is not there is no error.
    pub fn remove(&mut self, name: &str) {
        if let Some(at) = self.position(name) {
            self.0.remove(at);
        }
    }

    /// The same headers with the values of those that carry credentials as `[redacted]`.
    #[must_use]
    pub fn redacted(&self) -> Headers {
        let show = |(name, value): &(String, String)| {
            (name.clone(), if names_a_secret(name) { "[redacted]".into() } else { value.clone() })
        };
        Headers(self.0.iter().map(show).collect())
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of header names and their values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
        let mut headers = Headers::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            if headers.position(&name).is_some() {
                return Err(A::Error::custom(HeaderError::Twice(name)));
            }
            headers.set(name.as_bytes(), value.as_bytes()).map_err(A::Error::custom)?;
        }
        Ok(headers)
    }
}

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadersVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::new();
        for (name, value) in pairs {
            headers.set(name.as_bytes(), value.as_bytes()).unwrap();
        }
        headers
    }

    #[test]
    fn case_of_a_name_does_not_matter() {
        let mut headers = headers(&[("Content-Type", "a"), ("X-One", "1")]);
        headers.set(b"content-TYPE", b"b").unwrap();
        assert_eq!((headers.get("CONTENT-type"), headers.len()), (Some("b"), 2));
        headers.set(b"x-one", b"").unwrap();
        headers.remove("nobody");
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("content-TYPE", "b")]);
    }

    #[test]
    fn what_http_forbids_is_refused() {
        let set = |name: &str, value: &[u8]| Headers::new().set(name.as_bytes(), value);
        for name in ["", "a b", "a:", "a\r\n", "ä", "a\0", "(a)"] {
            assert!(matches!(set(name, b"v"), Err(HeaderError::Name(_))), "{name:?}");
        }
        for value in [&b"a\r\nX: y"[..], b"\n", b"a\0", b"\x7f", b" a", b"a\t", b"\xff"] {
            assert!(matches!(set("X", value), Err(HeaderError::Value(_))), "{value:?}");
        }
        for name in ["Host", "content-LENGTH", "Transfer-Encoding", "Connection", "TE", "Upgrade", "trailer"]
        {
            assert!(matches!(set(name, b"v"), Err(HeaderError::Reserved(_))), "{name}");
        }
        set("X", "grün\tblau".as_bytes()).unwrap();
    }

    #[test]
    fn a_document_has_each_name_once() {
        let read = |json: &str| serde_json::from_str::<Headers>(json).map_err(|error| error.to_string());
        assert_eq!(read(r#"{"A":"1","b":"2"}"#).unwrap(), headers(&[("A", "1"), ("b", "2")]));
        assert!(read(r#"{"A":"1","a":"2"}"#).unwrap_err().contains("given twice"));
        assert!(read(r#"{"A":1}"#).is_err());
        assert!(read(r#"{"A":"1\n"}"#).is_err());
        assert_eq!(serde_json::to_string(&headers(&[("A", "1")])).unwrap(), r#"{"A":"1"}"#);
    }

    #[test]
    fn credentials_are_not_shown() {
        let names =
            ["Authorization", "Cookie", "X-Api-Key", "X-Webhook-Signature", "x_auth_token", "X-Plain"];
        let all = headers(&names.map(|name| (name, "v"))).redacted();
        let shown: Vec<_> = all.iter().filter(|(_, value)| *value == "v").map(|(name, _)| name).collect();
        assert_eq!(shown, ["X-Plain"]);
    }
}
