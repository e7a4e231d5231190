//! Results of a script.

use crate::{ErrorType, HeaderError, Headers, ScriptError};
use bytes::Bytes;

/// Limits of a script's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLimits {
    /// Most bytes of a body.
    pub body_bytes: usize,
    /// Most headers of a request, without those that the engine adds.
    pub headers: usize,
    /// Most bytes of a header: name and value.
    pub header_bytes: usize,
}

impl Default for OutputLimits {
    fn default() -> Self {
        OutputLimits { body_bytes: 5 << 20, headers: 64, header_bytes: 8 << 10 }
    }
}

/// Output of a script as it came out of its VM: nothing of it is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawTransform {
    /// `request.body`; none keeps the payload.
    pub body: Option<Bytes>,
    /// Fields that were written to `headers`; none removes.
    pub header_changes: Vec<(Bytes, Option<Bytes>)>,
    /// `request.headers`.
    pub request_headers: Vec<(Bytes, Bytes)>,
    /// `config.opt_out_default_headers`.
    pub opt_out_default_headers: bool,
}

/// A request, but for the headers that the engine adds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transform {
    /// The body; none is the payload as it was accepted.
    pub body: Option<Bytes>,
    /// The webhook's headers, with what the script changed.
    pub headers: Headers,
    /// True if no header `X-Webhook-*` is sent.
    pub opt_out_default_headers: bool,
}

impl RawTransform {
    /// The request that this makes of a webhook's headers.
    ///
    /// # Errors
    /// `script_invalid_output`: a header that HTTP forbids, or more than the limits allow.
    pub fn check(self, webhook: &Headers, limits: &OutputLimits) -> Result<Transform, ScriptError> {
        let invalid = |text: String| ScriptError::new(ErrorType::InvalidOutput, text);
        if let Some(body) = self.body.as_ref().filter(|body| body.len() > limits.body_bytes) {
            let (len, most) = (body.len(), limits.body_bytes);
            return Err(invalid(format!("request.body has {len} bytes, and may have {most}")));
        }
        let mut headers = webhook.clone();
        let mut set = |from: &str, name: &[u8], value: &[u8]| {
            if name.len() + value.len() > limits.header_bytes {
                let most = limits.header_bytes;
                return Err(invalid(format!("{from}: a header has more than {most} bytes")));
            }
            headers.set(name, value).map_err(|error: HeaderError| invalid(format!("{from}: {error}")))
        };
        for (name, value) in &self.header_changes {
            set("headers", name, value.as_deref().unwrap_or_default())?;
        }
        for (name, value) in &self.request_headers {
            set("request.headers", name, value)?;
        }
        if headers.len() > limits.headers {
            let (count, most) = (headers.len(), limits.headers);
            return Err(invalid(format!("the request has {count} headers, and may have {most}")));
        }
        Ok(Transform { body: self.body, headers, opt_out_default_headers: self.opt_out_default_headers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    fn webhook() -> Headers {
        let mut headers = Headers::new();
        headers.set(b"Content-Type", b"text/plain").unwrap();
        headers.set(b"X-Gone", b"1").unwrap();
        headers
    }

    fn changed(name: &str, value: Option<&str>) -> RawTransform {
        RawTransform { header_changes: vec![(bytes(name), value.map(bytes))], ..RawTransform::default() }
    }

    #[test]
    fn request_headers_override_headers_override_the_webhook() {
        let raw = RawTransform {
            header_changes: vec![
                (bytes("content-type"), Some(bytes("a"))),
                (bytes("x-gone"), None),
                (bytes("X-Two"), Some(bytes("2"))),
            ],
            request_headers: vec![(bytes("CONTENT-TYPE"), bytes("b"))],
            ..RawTransform::default()
        };
        let request = raw.check(&webhook(), &OutputLimits::default()).unwrap();
        assert_eq!(request.headers.iter().collect::<Vec<_>>(), [("CONTENT-TYPE", "b"), ("X-Two", "2")]);
        assert_eq!(request.body, None);
    }

    #[test]
    fn what_http_forbids_is_an_error_of_the_script() {
        for (name, value) in
            [("X", Some("a\nb")), ("Host", Some("h")), ("", Some("v")), ("a b", None), ("te", None)]
        {
            let error = changed(name, value).check(&webhook(), &OutputLimits::default()).unwrap_err();
            assert_eq!((error.error_type, error.retryable), (ErrorType::InvalidOutput, false));
            assert!(error.message.starts_with("headers: "), "{}", error.message);
        }
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let limits = OutputLimits { body_bytes: 3, headers: 3, header_bytes: 4 };
        let body = |text| RawTransform { body: Some(bytes(text)), ..RawTransform::default() };
        body("123").check(&webhook(), &limits).unwrap();
        assert!(
            body("1234").check(&webhook(), &limits).unwrap_err().message.contains("4 bytes, and may have 3")
        );
        changed("ab", Some("cd")).check(&webhook(), &limits).unwrap();
        changed("ab", Some("cde")).check(&webhook(), &limits).unwrap_err();
        let mut two = changed("a", Some("1"));
        two.request_headers.push((bytes("b"), bytes("1")));
        let error = two.check(&webhook(), &limits).unwrap_err();
        assert_eq!(error.message, "the request has 4 headers, and may have 3");
    }
}
