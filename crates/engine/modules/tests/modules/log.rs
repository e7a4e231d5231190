//! `log` of scripts: what the server's own log has of it.

use crate::servers::{bytes, config, host_with, http_get, serve};
use axum::Router;
use axum::routing::any;
use howk_contract::{Headers, LogLevel, ModuleCall, Modules};
use howk_modules::{EventModules, LogLine};
use std::io::Write;
use std::sync::{Arc, Mutex};
use tracing_subscriber::fmt::MakeWriter;

/// Sink that a log is written to in a test.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Sink {
    type Writer = Sink;

    fn make_writer(&self) -> Sink {
        self.clone()
    }
}

async fn log(event: &EventModules, level: LogLevel, message: &str, fields: Option<&str>) {
    let call = ModuleCall::Log { level, message: bytes(message), fields: fields.map(bytes) };
    event.call(call).await.unwrap();
}

/// Lines that the server's log has of an event. The event ends in it, too.
async fn told(event: EventModules, work: impl AsyncFnOnce(&EventModules)) -> (Vec<String>, Vec<LogLine>) {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt().with_writer(sink.clone()).with_ansi(false).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    work(&event).await;
    let lines = event.logs();
    drop(event);
    drop(guard);
    let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    (text.lines().map(str::to_owned).collect(), lines)
}

#[tokio::test]
async fn a_line_names_its_webhook_and_is_one_line() {
    let event = host_with(|_| {}).event(config("my-config"), "my-webhook");
    let forged = "done\n2026-01-01T00:00:00Z ERROR howk: forged\r\u{1b}[2J\u{9b}31m\u{202e}";
    let (told, lines) = told(event, async |event| {
        log(event, LogLevel::Info, forged, Some(r#"{"a":"x\ny\u001b[2J"}"#)).await;
        log(event, LogLevel::Warn, "second", None).await;
        log(event, LogLevel::Error, "third", None).await;
    })
    .await;
    assert_eq!(told.len(), 3, "{told:?}");
    for (line, (level, message)) in
        told.iter().zip([("INFO", "done\\n2026"), ("WARN", "second"), ("ERROR", "third")])
    {
        assert!(line.contains(level) && line.contains(message), "{line}");
        assert!(line.contains("my-config") && line.contains("my-webhook"), "{line}");
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
    // Who tests a script sees what it said: JSON keeps it apart.
    assert_eq!(lines[0].message, forged);
    assert_eq!(lines[0].fields.as_ref().unwrap()["a"], "x\ny\u{1b}[2J");
    let json = serde_json::to_value(&lines[1]).unwrap();
    assert_eq!((&json["level"], &json["message"]), (&"warn".into(), &"second".into()));
    assert!(json["time"].is_string() && json.get("fields").is_none());
}

#[tokio::test]
async fn lines_are_capped_and_the_rest_is_told() {
    let event = host_with(|_| {}).event(config("c"), "w");
    let (told, lines) = told(event, async |event| {
        for number in 0..60 {
            log(event, LogLevel::Info, &format!("line {number}"), None).await;
        }
    })
    .await;
    let last = "10 more lines were dropped: an event may log 50";
    assert_eq!((told.len(), lines.len()), (51, 51));
    assert!(told[50].contains(last), "{}", told[50]);
    assert_eq!(lines[50].message, last);
}

#[tokio::test]
async fn credentials_that_the_event_has_seen_are_hidden() {
    let base = serve(Router::new().route("/", any(|| async { "x" }))).await;
    let event = host_with(|_| {}).event(config("c"), "w");
    let mut headers = Headers::new();
    headers.set(b"Authorization", b"Bearer of-the-webhook").unwrap();
    headers.set(b"X-Api-Key", b"key-of-the-webhook").unwrap();
    let (told, lines) = told(event, async |event| {
        event.hide_headers(&headers);
        http_get(event, &base, &[("authorization", "Basic c29tZW9uZTpwYXNzd29yZDE=")]).await.unwrap();
        for text in [
            "of-the-webhook",
            "key-of-the-webhook",
            "password1",
            "c29tZW9uZTpwYXNzd29yZDE=",
            "Bearer%20of-the-webhook",
            // "x" and the token in base64.
            "eG9mLXRoZS13ZWJob29r",
        ] {
            let fields = format!(r#"{{"field":"<{text}>","{text}":1,"password":"short"}}"#);
            log(event, LogLevel::Info, &format!("seen {text}"), Some(&fields)).await;
        }
        assert_eq!(event.redact("error: password1"), "error: [redacted]");
    })
    .await;
    let all = told.join("\n") + &serde_json::to_string(&lines).unwrap();
    for word in ["of-the-webhook", "password1", "c29tZW9uZTpw", "9mLXRoZS13ZWJob29r", "short"] {
        assert!(!all.contains(word), "{word}: {all}");
    }
    assert_eq!(lines.len(), 6);
}

#[tokio::test]
async fn what_was_decrypted_is_hidden() {
    let (host, call) = crate::crypto::sealed(br#"{"user":"deploy-bot","password":"pa$$\"w0rd"}"#);
    let event = host.event(config("c"), "w");
    let (told, lines) = told(event, async |event| {
        event.call(call).await.unwrap();
        log(event, LogLevel::Info, "whole: {\"user\":\"deploy-bot\",\"password\":\"pa$$\\\"w0rd\"}", None)
            .await;
        log(event, LogLevel::Info, "part: pa$$\"w0rd", Some(r#"{"x":"pa$$\"w0rd"}"#)).await;
        log(event, LogLevel::Info, "base64: cGEkJCJ3MHJk", None).await;
        log(event, LogLevel::Info, "long: ", Some(&format!(r#"{{"x":"{}pa$$\"w0rd"}}"#, "x".repeat(3000))))
            .await;
    })
    .await;
    let all = told.join("\n") + &serde_json::to_string(&lines).unwrap();
    for word in ["w0rd", "deploy-bot", "cGEkJCJ3MHJk"] {
        assert!(!all.contains(word), "{word}: {all}");
    }
    assert_eq!(lines[1].message, "part: [redacted]");
}
