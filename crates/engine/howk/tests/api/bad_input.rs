//! Bad input: each has a clear message, and nothing changes by it.

use crate::server;
use crate::support::{Endpoint, Folder, SETTINGS, Server};
use serde_json::json;

const JSON: &[(&str, &str)] = &[("Content-Type", "application/json")];

#[test]
fn bodies_that_make_no_sense() {
    let server = server();
    let enqueue = "/webhooks/bad.body/enqueue";
    for (body, expected) in [
        (&b""[..], "the body: EOF"),
        (b"{", "the body: EOF"),
        (b"[]", "the body: "),
        (b"{\"endpoint\": \"http://a/\", \"payload\": {\"a\": }}", "the body: expected value"),
        (b"{\"endpoint\": \"http://a/\", \"payload\": 1} x", "the body: trailing characters"),
        (b"{\"endpoint\": \"http://a/\", \"payload\": \"\xff\"}", "not UTF-8"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"{\"endpoint\": 7, \"payload\": 1}", "invalid type: integer `7`"),
        (b"{\"endpoint\": \"http://a/\", \"payload\": 1, \"hedaers\": {}}", "unknown field `hedaers`"),
        (b"{\"endpoint\": \"http://a/\", \"payload\": 1, \"headers\": {\"X\": \"a\\r\\nY: b\"}}", "header X"),
        (b"{\"endpoint\": \"http://a/\", \"payload\": 1, \"headers\": {\"X\\r\\n\": \"a\"}}", "header name"),
        (b"{\"endpoint\": \"http://a/\", \"payload\": 1, \"headers\": {\"Host\": \"a\"}}", "Host"),
        (
            b"{\"endpoint\": \"http://a/\", \"payload\": 1, \"headers\": {\"A\": \"1\", \"a\": \"2\"}}",
            "given twice",
        ),
    ] {
        let text = server.request("POST", enqueue, JSON, body).refusal(400);
        assert!(text.contains(expected), "{}: {text}", String::from_utf8_lossy(body));
    }
    let deep =
        format!("{{\"endpoint\": \"http://a/\", \"payload\": {}1{}}}", "[".repeat(200), "]".repeat(200));
    assert!(
        server
            .request("POST", enqueue, JSON, deep.as_bytes())
            .refusal(400)
            .contains("nests more than 200 deep")
    );
    let fine = format!(
        "{{\"endpoint\": \"http://10.0.0.1/\", \"payload\": {}1{}}}",
        "[".repeat(199),
        "]".repeat(199)
    );
    assert_eq!(server.request("POST", enqueue, JSON, fine.as_bytes()).status, 202);
    for kind in ["text/plain", "application/x-www-form-urlencoded", ""] {
        let text = server.request("POST", enqueue, &[("Content-Type", kind)], b"{}").refusal(415);
        assert!(text.contains("application/json"), "{text}");
    }
    assert_eq!(server.request("POST", enqueue, &[], b"{}").status, 415);
    assert_eq!(server.request("PUT", "/config/bad/script", &[], b"-- x").status, 415);
}

#[test]
fn bodies_that_are_too_large_or_cut_off() {
    let server = server();
    let enqueue = "/webhooks/bad.size/enqueue";
    let webhook = |bytes: usize| {
        let body =
            format!("{{\"endpoint\": \"http://10.0.0.1/\", \"payload\": \"{}\"}}", "x".repeat(bytes - 2));
        server.request("POST", enqueue, JSON, body.as_bytes())
    };
    assert_eq!(webhook(5 << 20).status, 202);
    assert!(
        webhook((5 << 20) + 1).refusal(413).contains("the payload has 5242881 bytes, and may have 5242880")
    );
    assert!(webhook(10 << 20).refusal(413).contains("api.max_body_bytes"));
    // One that says its length, and ends before: nothing is answered to nobody, and the server goes on.
    let head =
        "POST /webhooks/bad.size/enqueue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    drop(std::net::TcpStream::connect(server.address).map(|mut stream| {
        use std::io::Write;
        stream.write_all(format!("{head}Content-Length: 100\r\n\r\n{{\"endpoint\"").as_bytes())
    }));
    let reply =
        server.raw(format!("{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n").as_bytes());
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(server.raw(b"\0\0\0\r\n\r\n").status, 400);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn config_ids_that_could_leave_their_namespace() {
    let server = server();
    let long = "x".repeat(129);
    let ids = ["a:b", "a%2Fb", "..", "%2e%2e", ".a", "%00", "a%00b", "a%20b", "%C3%A4", &long];
    for id in ids {
        for (method, path) in [
            ("GET", format!("/config/{id}/script")),
            ("PUT", format!("/config/{id}/script")),
            ("DELETE", format!("/config/{id}/script")),
            ("POST", format!("/config/{id}/script/test")),
            ("POST", format!("/webhooks/{id}/enqueue")),
            ("POST", format!("/webhooks/{id}/enqueue/batch")),
        ] {
            let text = server.request(method, &path, JSON, b"{}").refusal(400);
            assert!(text.contains("a config id has 1 to 128 characters"), "{method} {path}: {text}");
        }
        assert_eq!(server.get(&format!("/deadletters?config_id={id}")).status, 400);
    }
    assert!(server.get("/config/%ff/script").refusal(400).contains("not UTF-8"));
    assert_eq!(server.get("/config/a/b/script").status, 404);
    assert_eq!(server.get("/config//script").status, 400);
    let most = "x".repeat(128);
    assert!(server.get(&format!("/config/{most}/script")).refusal(404).contains("has no script"));
}

#[test]
fn scripts_that_are_none() {
    let server = server();
    let put = |bytes: &[u8]| {
        server.request("PUT", "/config/bad.script/script", &[("Content-Type", "text/x-lua")], bytes)
    };
    let most = 256 << 10;
    let comment = |bytes: usize| format!("--{}", "x".repeat(bytes - 2)).into_bytes();
    assert!(put(&comment(most + 1)).refusal(413).contains("262145 bytes, and may have 262144"));
    assert!(put(b"-- \xff").refusal(400).contains("not UTF-8"));
    assert!(put(b"\x1bLua\x54\x00\x19\x93\r\n\x1a\n").refusal(400).contains("UTF-8"));
    for bytes in [&b"\x1bLuaT\0"[..], b"\0\0\0\0", b"x", "(".repeat(200).as_bytes(), "[[".as_bytes()] {
        let reply = put(bytes);
        assert_eq!(
            (reply.status, &reply.json()["type"]),
            (400, &json!("script_syntax_error")),
            "{}",
            reply.text()
        );
    }
    let nested = format!("return {}1{}", "(".repeat(250), ")".repeat(250));
    let reply = put(nested.as_bytes());
    assert_eq!(
        (reply.status, &reply.json()["type"]),
        (400, &json!("script_syntax_error")),
        "{}",
        reply.text()
    );
    assert_eq!(server.get("/config/bad.script/script").status, 404, "nothing was stored");
    assert_eq!(put(&comment(most)).status, 200);
    let body = json!({ "lua_code": "", "version": "x".repeat(129) }).to_string();
    let reply = server.request("PUT", "/config/bad.script/script", JSON, body.as_bytes());
    assert!(reply.refusal(400).contains("version"));
}

#[test]
fn paths_and_methods_that_do_not_exist() {
    let server = server();
    for path in ["/", "/config", "/config/a", "/config/a/script/", "/webhooks/a", "/nothing?x=1"] {
        assert!(server.get(path).refusal(404).contains("there is nothing at"), "{path}");
    }
    for (method, path) in [
        ("POST", "/config/a/script"),
        ("PATCH", "/config/a/script"),
        ("GET", "/config/a/script/test"),
        ("GET", "/webhooks/a/enqueue"),
        ("DELETE", "/deadletters"),
        ("POST", "/health"),
    ] {
        let reply = server.request(method, path, &[], b"");
        assert!(reply.refusal(405).contains(method), "{method} {path}");
        assert!(reply.header("allow").is_some(), "{method} {path}");
    }
    assert!(server.get("/webhooks/a.b/status").refusal(400).contains("no id of a webhook"));
    for query in ["limit=0", "limit=x", "reason=unknown", "after=x", "colour=red"] {
        assert_eq!(server.get(&format!("/deadletters?{query}")).status, 400, "{query}");
    }
}

#[test]
fn a_request_has_an_id() {
    let server = server();
    let given = server.request("GET", "/health", &[("X-Request-Id", "abc-1")], b"");
    assert_eq!(given.header("x-request-id"), Some("abc-1"));
    let made = server.request("GET", "/nothing", &[("X-Request-Id", "a b")], b"");
    assert_eq!(made.header("x-request-id").map(str::len), Some(26));
}

#[test]
fn too_many_requests_at_once_are_told_when_to_come_back() {
    let data = Folder::new();
    let settings: Vec<&str> =
        SETTINGS.into_iter().chain(["api.max_requests=1", "api.retry_after=7s"]).collect();
    let server = Server::start(data.path(), &settings);
    let mut slow = std::net::TcpStream::connect(server.address).unwrap();
    let head = "POST /webhooks/a/enqueue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    std::io::Write::write_all(&mut slow, format!("{head}Content-Length: 10\r\n\r\n").as_bytes()).unwrap();
    let refused = server.until("/config/a/script", |reply| reply.status == 429);
    assert!(refused.refusal(429).contains("api.max_requests"));
    assert_eq!(refused.header("retry-after"), Some("7"));
    assert_eq!(server.get("/health").status, 200, "probes pass");
    drop(slow);
    server.until("/config/a/script", |reply| reply.status == 404);
}

#[test]
fn a_slow_request_ends() {
    let data = Folder::new();
    let settings: Vec<&str> =
        SETTINGS.into_iter().chain(["api.request_timeout=200ms", "api.header_timeout=200ms"]).collect();
    let server = Server::start(data.path(), &settings);
    let head = "POST /webhooks/a/enqueue HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let reply = server.raw(format!("{head}Content-Length: 10\r\nConnection: close\r\n\r\n").as_bytes());
    assert!(reply.refusal(503).contains("api.request_timeout"));
    // Headers that never end: the connection is closed.
    let reply = server.raw(b"GET /health HTTP/1.1\r\nX: y\r\n");
    assert!(matches!(reply.status, 0 | 408), "{reply:?}");
}

#[test]
fn a_full_disk_loses_nothing_that_was_acknowledged() {
    let (data, endpoint) = (Folder::new(), Endpoint::new());
    let settings: Vec<&str> = SETTINGS.into_iter().chain(["data.max_bytes=4MiB"]).collect();
    let server = Server::start(data.path(), &settings);
    let hold = endpoint.hold();
    let webhook = json!({ "endpoint": endpoint.url("/hold"), "payload": "x".repeat(200_000) });
    let mut accepted = 0;
    let refused = loop {
        let reply = server.post("/webhooks/full/enqueue", &webhook);
        match reply.status {
            202 => accepted += 1,
            _ => break reply,
        }
        assert!(accepted < 100, "the disk is never full");
    };
    assert!(refused.refusal(503).contains("not accepted"), "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    let script = server.put_script("full", &format!("--{}", "x".repeat(200_000)));
    assert!(script.refusal(503).contains("nothing has changed"), "{}", script.text());
    assert_eq!(server.get("/config/full/script").status, 404);
    drop(hold);
    let arrived = endpoint.wait(&server, "/hold", accepted);
    assert_eq!(arrived.len(), accepted);
    server.until("/health", |_| server.put_script("full", "-- small").status == 200);
}
