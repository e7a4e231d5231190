//! Tokens: who may do what, and what a server without them is careful about.

use crate::support::{Endpoint, Folder, SETTINGS, Server, howk, run, set};
use serde_json::json;

const TOKENS: &str = r"api.tokens=[
  {name: reader, token: reader-token-0123456789, scopes: [read], configs: [shop]},
  {name: writer, token: writer-token-0123456789, scopes: [write, read], configs: [shop]},
  {name: client, token: client-token-0123456789, scopes: [enqueue], configs: [shop]},
  {name: boss, token: boss-token-0123456789, scopes: [admin], configs: ['*']}]";

/// A call: method, path, content type, body, and the status for nobody, reader, writer, client and boss.
type Call<'a> = (&'a str, &'a str, (&'a str, &'a str), &'a str, [u16; 5]);

#[test]
fn each_token_may_do_what_it_says() {
    let (data, endpoint) = (Folder::new(), Endpoint::new());
    let settings: Vec<&str> = SETTINGS.into_iter().chain([TOKENS]).collect();
    let dir = format!("data.dir={}", data.path().display());
    let all: Vec<&str> = settings.iter().copied().chain([dir.as_str()]).collect();
    let server = Server::spawn(&[&["serve"][..], &set(&all)].concat(), &[]);
    let webhook = json!({ "endpoint": endpoint.url("/200"), "payload": 1 }).to_string();
    let lua = ("Content-Type", "text/x-lua");
    let as_json = ("Content-Type", "application/json");
    let calls: &[Call<'_>] = &[
        ("PUT", "/config/shop/script", lua, "-- x", [401, 403, 200, 403, 200]),
        ("GET", "/config/shop/script", lua, "", [401, 200, 200, 403, 200]),
        ("GET", "/config/other/script", lua, "", [401, 403, 403, 403, 404]),
        ("PUT", "/config/other/script", lua, "-- x", [401, 403, 403, 403, 200]),
        ("POST", "/config/shop/script/test", as_json, "{\"payload\":1}", [401, 403, 200, 403, 200]),
        ("POST", "/webhooks/shop/enqueue", as_json, &webhook, [401, 403, 403, 202, 202]),
        ("POST", "/webhooks/other/enqueue", as_json, &webhook, [401, 403, 403, 403, 202]),
        ("GET", "/deadletters", as_json, "", [401, 200, 200, 403, 200]),
        ("GET", "/deadletters?config_id=shop", as_json, "", [401, 200, 200, 403, 200]),
        ("GET", "/deadletters?config_id=other", as_json, "", [401, 403, 403, 403, 200]),
        ("POST", "/deadletters/01X/replay", as_json, "", [401, 403, 403, 403, 404]),
        ("GET", "/metrics", as_json, "", [401, 403, 403, 403, 200]),
        ("DELETE", "/config/shop/script", lua, "", [401, 403, 204, 403, 204]),
        ("GET", "/health", lua, "", [200; 5]),
        ("GET", "/ready", lua, "", [200; 5]),
    ];
    for (method, path, kind, body, expected) in calls {
        for (caller, expected) in ["nobody", "reader", "writer", "client", "boss"].iter().zip(expected) {
            let bearer = format!("Bearer {caller}-token-0123456789");
            let headers: &[(&str, &str)] = match *caller {
                "nobody" => &[*kind],
                _ => &[*kind, ("Authorization", &bearer)],
            };
            let reply = server.request(method, path, headers, body.as_bytes());
            assert_eq!(reply.status, *expected, "{caller} {method} {path}: {}", reply.text());
        }
    }
    let reply = server.request(
        "GET",
        "/config/shop/script",
        &[("Authorization", "Bearer not-a-token-of-anybody")],
        b"",
    );
    assert_eq!(reply.refusal(401), "the token is not known");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    // A status is its config's: others do not learn that there is one.
    let boss = server.with_token("boss-token-0123456789");
    let id = boss.enqueue("other", &json!({ "endpoint": endpoint.url("/200"), "payload": 1 }));
    boss.until_state(&id, "delivered");
    let reader = boss.with_token("reader-token-0123456789");
    assert_eq!(reader.get(&format!("/webhooks/{id}/status")).status, 404);
    assert!(!reader.log().contains("-token-0123456789"), "no token is logged");
}

#[test]
fn without_tokens_nobody_else_is_served() {
    for address in ["0.0.0.0:0", "[::]:0", "10.0.0.1:80"] {
        let (code, _, complaints) = run(&["serve", "--listen", address], &[]);
        assert_eq!(code, 2);
        assert!(
            complaints.starts_with("--listen: api.listen: this address is reached by others"),
            "{complaints}"
        );
    }
    // A page of a stranger, in the browser of whoever runs the server, is no caller.
    let server = crate::server();
    for host in ["example.com", "127.0.0.1.example.com"] {
        let reply = server.raw(
            format!("GET /config/a/script HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
        );
        assert!(reply.refusal(403).contains("without tokens"));
    }
    let reply = server.request("POST", "/deadletters/01X/replay", &[("Origin", "https://example.com")], b"");
    assert_eq!(reply.status, 403);
}

#[test]
fn an_address_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let data = Folder::new();
    let address = taken.local_addr().unwrap().to_string();
    let output =
        howk().args(["serve", "--listen", &address, "--data-dir"]).arg(data.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("howk: api.listen {address}: ")));
}
