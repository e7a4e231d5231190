//! A test of a script as JSON has it: for the test endpoint, and for cases in files.

use super::body::with_payload;
use super::error::ApiError;
use super::tester::{TestEvent, TestReport};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use howk_contract::{ConfigId, ErrorType, EventInput, Headers, Metadata, Payload, PreviousError};
use howk_modules::{LogLine, MadeUpAnswer};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// Most bytes of a made-up webhook id.
const WEBHOOK_ID_BYTES_MAX: usize = 128;

with_payload! {
    /// A test that is asked for.
    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(crate) struct TestRequest {
        /// The source; none is the stored script.
        #[serde(default)]
        pub(crate) lua_code: Option<String>,
        #[serde(default)]
        headers: Headers,
        #[serde(default)]
        metadata: MadeUpMetadata,
        #[serde(default)]
        previous_error: Option<MadeUpError>,
        #[serde(default)]
        kv: HashMap<String, Payload>,
        #[serde(default)]
        http: HashMap<String, MadeUpAnswer>,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeUpMetadata {
    /// The script sees it; modules keep to the config of the path.
    config_id: Option<ConfigId>,
    webhook_id: Option<String>,
    attempt: Option<u32>,
    max_attempts: Option<u32>,
    created_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeUpError {
    #[serde(rename = "type", default = "delivery")]
    error_type: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    status_code: Option<u16>,
    #[serde(default)]
    attempt: Option<u32>,
    #[serde(default = "yes")]
    retryable: bool,
}

fn delivery() -> String {
    "delivery".into()
}

fn yes() -> bool {
    true
}

/// Bounds of a test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestLimits {
    pub(crate) payload_bytes: usize,
    pub(crate) script_bytes: usize,
    pub(crate) max_attempts: u32,
}

impl TestRequest {
    /// The event, of a script that was given or is stored.
    pub(crate) fn event(
        mut self,
        config_id: ConfigId,
        stored: impl FnOnce() -> Result<Arc<str>, ApiError>,
        limits: TestLimits,
    ) -> Result<TestEvent, ApiError> {
        let payload = self.take_payload(limits.payload_bytes);
        let source = match self.lua_code {
            Some(code) if code.len() > limits.script_bytes => {
                let (len, most) = (code.len(), limits.script_bytes);
                let text = format!("the script has {len} bytes, and may have {most} (lua.script_max_bytes)");
                return Err(ApiError::too_large(text));
            }
            Some(code) => code.into(),
            None => stored()?,
        };
        let payload = payload?;
        let made_up = self.metadata;
        let webhook_id = made_up.webhook_id.unwrap_or_else(|| ulid::Ulid::generate().to_string());
        if webhook_id.len() > WEBHOOK_ID_BYTES_MAX {
            return Err(ApiError::bad_request("metadata.webhook_id is too long"));
        }
        let attempt = made_up.attempt.unwrap_or(0);
        let metadata = Metadata {
            webhook_id,
            config_id: made_up.config_id.unwrap_or_else(|| config_id.clone()),
            attempt,
            max_attempts: made_up.max_attempts.unwrap_or(limits.max_attempts),
            created_at: made_up.created_at.unwrap_or_else(Timestamp::now),
        };
        let previous_error = self.previous_error.map(|error| PreviousError {
            error_type: error.error_type,
            message: error.message,
            status_code: error.status_code,
            attempt: error.attempt.unwrap_or(attempt.saturating_sub(1)),
            retryable: error.retryable,
        });
        let input = EventInput { payload, headers: self.headers, metadata, previous_error };
        let kv = self.kv.into_iter().map(|(key, Payload(value))| (Bytes::from(key), value)).collect();
        Ok(TestEvent { config_id, source, input, kv, http: self.http })
    }
}

/// A result of a test. `transformed_payload` is the body as text; one that is not UTF-8 is in base64.
#[derive(Debug, Serialize)]
pub(crate) struct TestAnswer {
    pub(crate) success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transformed_payload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transformed_payload_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transformed_headers: Option<Headers>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opt_out_default_headers: Option<bool>,
    pub(crate) logs: Vec<LogLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_type: Option<ErrorType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) traceback: Option<String>,
    pub(crate) execution_time_ms: f64,
    pub(crate) fuel: u64,
    pub(crate) memory_bytes: u64,
}

impl TestAnswer {
    /// The answer to a report on a payload.
    pub(crate) fn of(report: TestReport, payload: &Bytes) -> Self {
        let mut answer = TestAnswer {
            success: report.result.is_ok(),
            transformed_payload: None,
            transformed_payload_base64: None,
            transformed_headers: None,
            opt_out_default_headers: None,
            logs: report.logs,
            error: None,
            error_type: None,
            line: None,
            traceback: None,
            execution_time_ms: report.wall.as_secs_f64() * 1000.0,
            fuel: report.fuel,
            memory_bytes: report.memory_bytes,
        };
        match report.result {
            Ok(transform) => {
                let body = transform.body.as_ref().unwrap_or(payload);
                match std::str::from_utf8(body) {
                    Ok(text) => answer.transformed_payload = Some(text.to_owned()),
                    Err(_) => answer.transformed_payload_base64 = Some(STANDARD.encode(body)),
                }
                answer.transformed_headers = Some(transform.headers);
                answer.opt_out_default_headers = Some(transform.opt_out_default_headers);
            }
            Err(error) => {
                answer.error = Some(error.message);
                answer.error_type = Some(error.error_type);
                answer.line = error.line;
                answer.traceback = error.traceback;
            }
        }
        answer
    }
}
