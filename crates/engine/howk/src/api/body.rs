//! Bodies of requests: their type, their size, their depth, and what they say.

use super::error::ApiError;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Type of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// JSON.
    Json,
    /// A script.
    Lua,
}

/// The type that the headers name.
pub(super) fn kind(headers: &HeaderMap) -> Option<Kind> {
    let text = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => Some(Kind::Json),
        "text/x-lua" | "application/x-lua" => Some(Kind::Lua),
        other if other.starts_with("application/") && other.ends_with("+json") => Some(Kind::Json),
        _ => None,
    }
}

/// Refuses a body whose type is not understood.
pub(super) fn wants(expected: &str) -> ApiError {
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, format!("the header Content-Type must be {expected}"))
}

/// Reads a body of at most `limit` bytes.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::too_large(format!("the body may have {limit} bytes (api.max_body_bytes)"));
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|bytes| bytes > limit as u64) {
        return Err(too_large());
    }
    let mut stream = body.into_data_stream();
    let mut bytes = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| ApiError::bad_request("the body was cut off"))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
}

/// Reads JSON that nests at most `depth` deep.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8], depth: usize) -> Result<T, ApiError> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(ApiError::bad_request("the body is not UTF-8"));
    };
    if is_deeper(bytes, depth) {
        return Err(ApiError::bad_request(format!(
            "the body nests more than {depth} deep (api.max_json_depth)"
        )));
    }
    serde_json::from_str(text).map_err(|error| ApiError::bad_request(format!("the body: {error}")))
}

/// True if arrays and objects nest deeper than `most`.
fn is_deeper(json: &[u8], most: usize) -> bool {
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    for byte in json {
        match (in_text, byte) {
            (true, _) if is_escaped => is_escaped = false,
            (true, b'\\') => is_escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > most {
                    return true;
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The payload of a request: JSON, whose text is kept byte for byte, or bytes in base64.
pub(super) fn payload(
    payload: Option<Box<RawValue>>,
    payload_base64: Option<String>,
    limit: usize,
) -> Result<Bytes, ApiError> {
    let bytes: Bytes = match (payload, payload_base64) {
        (Some(json), None) => Box::<str>::from(json).into_string().into(),
        (None, Some(text)) => STANDARD
            .decode(text)
            .map_err(|error| ApiError::bad_request(format!("payload_base64: {error}")))?
            .into(),
        (None, None) => return Err(ApiError::bad_request("payload or payload_base64 is missing")),
        (Some(_), Some(_)) => return Err(ApiError::bad_request("give payload or payload_base64, not both")),
    };
    if bytes.len() > limit {
        let len = bytes.len();
        return Err(ApiError::too_large(format!(
            "the payload has {len} bytes, and may have {limit} (api.max_payload_bytes)"
        )));
    }
    Ok(bytes)
}

/// Declares a body that has a payload, as JSON or in base64, beside its own fields.
macro_rules! with_payload {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($fields:tt)* }) => {
        $(#[$meta])*
        $vis struct $name {
            #[serde(default, deserialize_with = "crate::api::body::given")]
            payload: Option<Box<serde_json::value::RawValue>>,
            #[serde(default)]
            payload_base64: Option<String>,
            $($fields)*
        }

        impl $name {
            /// Takes the payload, which has at most so many bytes.
            fn take_payload(&mut self, limit: usize) -> Result<bytes::Bytes, crate::api::error::ApiError> {
                crate::api::body::payload(self.payload.take(), self.payload_base64.take(), limit)
            }
        }
    };
}

pub(super) use with_payload;

/// Deserializes a value that is there, also when it is `null`.
pub(super) fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_of_texts() {
        assert!(!is_deeper(br#"[{"a":"[[[[{{{\"[["}]"#, 2));
        assert!(is_deeper(br#"[{"a":[]}]"#, 2));
        assert!(is_deeper(&[b'['; 201], 200) && !is_deeper(&[b'['; 200], 200));
    }

    #[test]
    fn a_payload_is_kept_to_the_byte() {
        with_payload! {
            #[derive(Deserialize)]
            struct Body {}
        }
        for text in
            ["{ \"a\" : 1.0e2,\n \"a\": \"\\u00e4\" }", "null", "\"x\"", "12345678901234567890.0", "[ ]"]
        {
            let mut body: Body = json(format!("{{\"payload\": {text} }}").as_bytes(), 9).unwrap();
            assert_eq!(body.take_payload(100).unwrap(), text);
        }
    }

    #[test]
    fn types_are_told_by_their_name() {
        let of = |value: &str| kind(&HeaderMap::from_iter([(header::CONTENT_TYPE, value.parse().unwrap())]));
        assert_eq!(of("application/json; charset=utf-8"), Some(Kind::Json));
        assert_eq!(of("Application/CloudEvents+JSON"), Some(Kind::Json));
        assert_eq!(of("text/x-lua"), Some(Kind::Lua));
        assert_eq!((of("text/plain"), of(""), kind(&HeaderMap::new())), (None, None, None));
    }
}
