//! Bodies in JSON documents.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// The bytes of a body. In a JSON document they are a text where they are UTF-8, else `{ "base64": "..." }`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload(pub Bytes);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Document {
    Text(String),
    Binary { base64: String },
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => Document::Binary { base64: STANDARD.encode(&self.0) }.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match Document::deserialize(deserializer)? {
            Document::Text(text) => text.into_bytes(),
            Document::Binary { base64 } => STANDARD.decode(base64).map_err(D::Error::custom)?,
        };
        Ok(Payload(bytes.into()))
    }
}

impl<T: Into<Bytes>> From<T> for Payload {
    fn from(bytes: T) -> Self {
        Payload(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_text_and_the_rest_base64() {
        let json = |bytes: &[u8]| serde_json::to_string(&Payload(bytes.to_vec().into())).unwrap();
        assert_eq!(json("{\"ä\": 1}".as_bytes()), r#""{\"ä\": 1}""#);
        assert_eq!(json(b"\xff\x00"), r#"{"base64":"/wA="}"#);
        assert!(serde_json::from_str::<Payload>(r#"{"base64":"?"}"#).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes: Vec<u8>) {
            let payload = Payload(bytes.into());
            let json = serde_json::to_vec(&payload).unwrap();
            prop_assert_eq!(serde_json::from_slice::<Payload>(&json).unwrap(), payload);
        }
    }
}
