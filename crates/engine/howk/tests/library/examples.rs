//! Every case of every folder in examples/scripts.

use crate::runs::{Given, Ran, root, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// The outcome that a case asks for: what it does not name may be anything.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    success: bool,
    /// Body that is expected: as text the body itself; anything else is the document that it must be.
    transformed_payload: Option<Value>,
    transformed_payload_base64: Option<String>,
    /// Headers that must be there; null for one that must not.
    #[serde(default)]
    transformed_headers: BTreeMap<String, Option<String>>,
    opt_out_default_headers: Option<bool>,
    logs: Option<Vec<String>>,
    error: Option<String>,
    error_type: Option<String>,
    line: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    given: Given,
    expect: Expected,
}

fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples/scripts")).expect("the examples are there");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("can be read").path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

fn check(name: &str, ran: &Ran, expected: &Expected) {
    let Ran { result, payload, messages } = ran;
    assert_eq!(result.is_ok(), expected.success, "{name}: {result:?}");
    if let Some(logs) = &expected.logs {
        assert_eq!(messages, logs, "{name}");
    }
    match result {
        Ok(transform) => {
            let body = transform.body.as_ref().unwrap_or(payload);
            match &expected.transformed_payload {
                Some(Value::String(text)) => assert_eq!(String::from_utf8_lossy(body), *text, "{name}"),
                Some(document) => {
                    let body: Value = serde_json::from_slice(body).expect("the body is JSON");
                    assert_eq!(body, *document, "{name}");
                }
                None => {}
            }
            if let Some(text) = &expected.transformed_payload_base64 {
                assert_eq!(STANDARD.encode(body), *text, "{name}");
            }
            for (header, value) in &expected.transformed_headers {
                assert_eq!(transform.headers.get(header), value.as_deref(), "{name}: {header}");
            }
            if let Some(opt_out) = expected.opt_out_default_headers {
                assert_eq!(transform.opt_out_default_headers, opt_out, "{name}");
            }
        }
        Err(error) => {
            if let Some(word) = &expected.error_type {
                assert_eq!(error.error_type.as_str(), word, "{name}: {error}");
            }
            if let Some(text) = &expected.error {
                assert!(error.message.contains(text), "{name}: {}", error.message);
            }
            if let Some(line) = expected.line {
                assert_eq!(error.line, Some(line), "{name}: {error}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn examples_give_what_their_cases_say() {
    let folders = folders();
    assert!(folders.len() >= 12, "only {} examples", folders.len());
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let source = fs::read_to_string(folder.join("script.lua")).expect("a script");
        let page = fs::read_to_string(folder.join("README.md")).expect("a page");
        assert!(page.starts_with("# ") && page.len() > 100, "{name}: the page says what the script is for");
        let mut cases = 0;
        for entry in fs::read_dir(folder.join("cases")).expect("cases") {
            let path = entry.expect("can be read").path();
            let text = fs::read_to_string(&path).expect("a case");
            let Case { given, expect } =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let case = format!("{name}/{}", path.file_stem().unwrap_or_default().to_string_lossy());
            check(&case, &run(&source, given).await, &expect);
            cases += 1;
        }
        assert!(cases >= 2, "{name}: at least a case that is well and one that is not");
    }
}
