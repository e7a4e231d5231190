//! Cases in files: what a script is given, and what must come of it.

use crate::api::{TestAnswer, TestRequest};
use howk_contract::ErrorType;
use howk_modules::LogLine;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A case.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    /// The event, as the test endpoint takes it.
    pub(super) given: TestRequest,
    /// The result: what is not named is not looked at.
    pub(super) expect: Expectation,
}

/// A result that is expected.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectation {
    success: Option<bool>,
    /// Body that is expected. Text is compared as it is, also with JSON as text; any other value with the
    /// JSON of the body.
    transformed_payload: Option<Value>,
    transformed_payload_base64: Option<String>,
    /// All headers, whatever the case of their names; null is one that must not be there.
    transformed_headers: Option<Map<String, Value>>,
    opt_out_default_headers: Option<bool>,
    /// Messages in their order.
    logs: Option<Vec<String>>,
    /// A part of the message.
    error: Option<String>,
    error_type: Option<String>,
    line: Option<u32>,
}

impl Expectation {
    /// A body that is expected, as text or JSON.
    pub(super) fn of_body(text: &str) -> Self {
        let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.into()));
        Expectation { success: Some(true), transformed_payload: Some(value), ..Expectation::default() }
    }

    /// Everything in which an answer differs.
    pub(super) fn differences(&self, answer: &TestAnswer) -> Vec<String> {
        let mut differences = Vec::new();
        let mut check = |name: &str, expected: Option<Value>, found: Value| {
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                differences.push(format!("{name}: expected {expected}, found {found}"));
            }
        };
        check("success", self.success.map(Value::from), answer.success.into());
        check("transformed_payload", self.transformed_payload.clone(), self.found_payload(answer));
        let base64 = answer.transformed_payload_base64.clone().or_else(|| {
            use base64::Engine;
            let text = answer.transformed_payload.as_ref()?;
            Some(base64::engine::general_purpose::STANDARD.encode(text))
        });
        check(
            "transformed_payload_base64",
            self.transformed_payload_base64.clone().map(Value::from),
            base64.into(),
        );
        let sorted = |pairs: &mut dyn Iterator<Item = (String, String)>| -> Value {
            let sorted: BTreeMap<String, String> =
                pairs.map(|(name, value)| (name.to_lowercase(), value)).collect();
            sorted.into_iter().map(|(name, value)| (name, Value::from(value))).collect::<Map<_, _>>().into()
        };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let expected = self.transformed_headers.as_ref();
        let expected = expected.map(|all| {
            let there = all.iter().filter(|(_, value)| !value.is_null());
            sorted(&mut there.map(|(name, value)| (name.clone(), text(value))))
        });
        let found = answer.transformed_headers.as_ref();
        let found =
            found.map(|all| sorted(&mut all.iter().map(|(name, value)| (name.to_owned(), value.to_owned()))));
        check("transformed_headers", expected, found.unwrap_or_default());
        check(
            "opt_out_default_headers",
            self.opt_out_default_headers.map(Value::from),
            answer.opt_out_default_headers.into(),
        );
        let messages =
            |lines: &[LogLine]| lines.iter().map(|line| Value::from(&*line.message)).collect::<Vec<_>>();
        check("logs", self.logs.clone().map(Value::from), messages(&answer.logs).into());
        let word = answer.error_type.map(ErrorType::as_str);
        check("error_type", self.error_type.clone().map(Value::from), word.into());
        check("line", self.line.map(Value::from), answer.line.into());
        if let Some(part) = &self.error {
            let found = answer.error.as_deref().unwrap_or_default();
            if !found.contains(part.as_str()) {
                differences.push(format!("error: expected {part:?} in it, found {found:?}"));
            }
        }
        differences
    }

    fn found_payload(&self, answer: &TestAnswer) -> Value {
        let Some(text) = &answer.transformed_payload else { return Value::Null };
        let as_json = || serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
        match &self.transformed_payload {
            Some(Value::String(expected)) if expected != text => as_json(),
            Some(Value::String(_)) => Value::from(text.as_str()),
            _ => as_json(),
        }
    }
}
