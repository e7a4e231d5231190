//! `http.get` of scripts: errors, limits, and answers of tests.

use crate::servers::{bytes, config, host_with, http_get, raw_server, serve};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::any;
use bytes::Bytes;
use howk_contract::{ErrorType, ModuleCall, Modules};
use howk_modules::MadeUpAnswer;
use std::collections::HashMap;
use std::time::Duration;

#[tokio::test]
async fn any_status_is_a_result() {
    let route = |axum::extract::Path(status): axum::extract::Path<u16>, headers: HeaderMap| async move {
        let token = headers.get("authorization").map_or("none", |value| value.to_str().unwrap()).to_owned();
        (StatusCode::from_u16(status).unwrap(), [("X-Reply", "Yes")], token)
    };
    let base = serve(Router::new().route("/{status}", any(route))).await;
    let host = host_with(|_| {});
    let event = host.event(config("c"), "w");
    for status in [200, 302, 404, 500] {
        let (code, headers, body) =
            http_get(&event, &format!("{base}/{status}"), &[("Authorization", "Bearer x1")]).await.unwrap();
        assert_eq!((code, body), (status, bytes("Bearer x1")));
        assert!(headers.contains(&("x-reply".into(), bytes("Yes"))), "{headers:?}");
    }
}

#[tokio::test]
async fn what_may_not_be_requested_is_an_error_that_another_attempt_would_meet_again() {
    let host = host_with(|settings| settings.http.allowed_hosts = vec!["*.example.com".parse().unwrap()]);
    for (url, word) in [
        ("http://127.0.0.1/", "host 127.0.0.1 is not allowed"),
        ("https://example.org/", "host example.org is not allowed"),
        ("ftp://example.com/", "scheme"),
        ("https://u:p@example.com/", "credentials"),
        ("nonsense", "bad URL"),
    ] {
        let error = http_get(&host.event(config("c"), "w"), url, &[]).await.unwrap_err();
        assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleHttp, false));
        assert!(error.message.starts_with("http.get: ") && error.message.contains(word), "{}", error.message);
    }
    let host = host_with(|_| {});
    let error = http_get(&host.event(config("c"), "w"), "http://[::1]/", &[]).await.unwrap_err();
    assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleHttp, false));
    let call = ModuleCall::HttpGet { url: Bytes::from_static(b"http://\xff/"), headers: Vec::new() };
    assert!(host.event(config("c"), "w").call(call).await.unwrap_err().message.contains("not UTF-8"));
}

#[tokio::test]
async fn headers_that_http_forbids_are_errors() {
    let host = host_with(|_| {});
    let url = "http://127.0.0.1:1/";
    let large = "x".repeat(9000);
    let many: Vec<(String, &str)> = (0..65).map(|number| (format!("X-{number}"), "y")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    for headers in [
        &[("Host", "evil.example")][..],
        &[("Content-Length", "5")],
        &[("Transfer-Encoding", "chunked")],
        &[("Connection", "close")],
        &[("Upgrade", "x")],
        &[("TE", "x")],
        &[("Trailer", "x")],
        &[("", "x")],
        &[("a b", "x")],
        &[("X", "a\r\nEvil: b")],
        &[("X", "a\0")],
        &[("X", large.as_str())],
        &[("X-Twice", "1"), ("x-twice", "2")],
        &many,
    ] {
        let error = http_get(&host.event(config("c"), "w"), url, headers).await.unwrap_err();
        assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleHttp, false), "{}", error.message);
        assert!(!error.message.contains("connect"), "{}", error.message);
    }
}

#[tokio::test]
async fn failures_of_the_network_are_worth_another_attempt() {
    let host = host_with(|settings| settings.http.timeout = Duration::from_millis(100));
    let silent = raw_server("127.0.0.1", |stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let late = silent.url("127.0.0.1") + "path?token=hunter2";
    for (url, word) in [(late, "in time"), (format!("http://{closed}/?token=hunter2"), "")] {
        let error = http_get(&host.event(config("c"), "w"), &url, &[]).await.unwrap_err();
        assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleHttp, true), "{}", error.message);
        assert!(error.message.contains(word) && !error.message.contains("hunter2"), "{}", error.message);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_an_error_that_another_attempt_would_meet_again() {
    let base = serve(Router::new().route(
        "/{size}",
        any(|axum::extract::Path(size): axum::extract::Path<usize>| async move { "x".repeat(size) }),
    ))
    .await;
    let host = host_with(|_| {});
    let event = host.event(config("c"), "w");
    let most = 1 << 20;
    assert_eq!(http_get(&event, &format!("{base}/{most}"), &[]).await.unwrap().2.len(), most);
    let error = http_get(&event, &format!("{base}/{}", most + 1), &[]).await.unwrap_err();
    assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleHttp, false));
    assert!(error.message.contains("more than 1048576 bytes"), "{}", error.message);
}

#[tokio::test]
async fn an_event_may_make_ten_calls_of_http() {
    let base = serve(Router::new().route("/", any(|| async { "x" }))).await;
    let host = host_with(|_| {});
    let event = host.event(config("c"), "w");
    // Those that fail count, too.
    http_get(&event, "nonsense", &[]).await.unwrap_err();
    for _ in 0..9 {
        http_get(&event, &base, &[]).await.unwrap();
    }
    let error = http_get(&event, &base, &[]).await.unwrap_err();
    assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleHttp, false));
    assert_eq!(error.message, "http: an event may make 10 calls");
    http_get(&host.event(config("c"), "w"), &base, &[]).await.unwrap();
    let count = |result| {
        let counts = host.counts();
        counts
            .iter()
            .find(|count| (count.module, count.op, count.result) == ("http", "get", result))
            .unwrap()
            .count
    };
    assert_eq!((count("ok"), count("error")), (10, 2));
}

#[tokio::test]
async fn a_test_has_made_up_answers_and_else_the_network() {
    let base = serve(Router::new().route("/", any(|| async { "from the network" }))).await;
    let made_up: MadeUpAnswer = serde_json::from_str(
        r#"{ "status_code": 404, "headers": { "X-Made-Up": "Yes" }, "body": { "base64": "/w==" } }"#,
    )
    .unwrap();
    let short: MadeUpAnswer = serde_json::from_str(r#"{ "body": "short" }"#).unwrap();
    assert!(serde_json::from_str::<MadeUpAnswer>(r#"{ "status": 404 }"#).is_err());
    let answers = HashMap::from([
        ("https://API.example.com:443/a?b".to_owned(), made_up),
        ("nonsense".to_owned(), short),
    ]);
    let host = host_with(|_| {});
    let event = host.test_event(config("c"), HashMap::new(), answers);
    for url in ["https://API.example.com:443/a?b", "https://api.example.com/a?b"] {
        let (status, headers, body) = http_get(&event, url, &[]).await.unwrap();
        assert_eq!((status, body), (404, Bytes::from_static(b"\xff")));
        assert_eq!(headers, [("x-made-up".to_owned(), bytes("Yes"))]);
    }
    assert_eq!(http_get(&event, "nonsense", &[]).await.unwrap().0, 200);
    assert_eq!(http_get(&event, &base, &[]).await.unwrap().2, "from the network");
    assert!(!http_get(&event, "http://127.0.0.2/", &[]).await.unwrap_err().retryable);
}
