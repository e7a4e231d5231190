//! Scripts: stored, read, deleted, tested.

use crate::server;
use crate::support::{Folder, Server};
use serde_json::json;

const LUA: &[(&str, &str)] = &[("Content-Type", "text/x-lua")];

#[test]
fn a_script_is_stored_read_and_deleted() {
    let server = server();
    let path = "/config/scripts.a/script";
    assert!(server.get(path).refusal(404).contains("scripts.a has no script"));
    let put = |body: serde_json::Value| {
        server.request("PUT", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    };
    let first = put(json!({ "lua_code": "-- one", "version": "v1" }));
    assert_eq!(first.status, 200);
    let first = first.json();
    let names: Vec<_> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["config_id", "hash", "version", "created_at", "updated_at"]);
    assert_eq!((&first["config_id"], &first["version"]), (&json!("scripts.a"), &json!("v1")));
    // The same source again changes nothing, whatever the version is called.
    assert_eq!(put(json!({ "lua_code": "-- one", "version": "v9" })).json(), first);
    let second = server.request("PUT", path, LUA, b"-- two").json();
    assert_eq!(second["created_at"], first["created_at"]);
    assert_ne!(second["hash"], first["hash"]);
    let got = server.get(path);
    assert_eq!(got.header("etag"), Some(format!("\"{}\"", second["hash"].as_str().unwrap()).as_str()));
    assert_eq!((&got.json()["lua_code"], &got.json()["hash"]), (&json!("-- two"), &second["hash"]));
    for _ in 0..2 {
        let gone = server.request("DELETE", path, &[], b"");
        assert_eq!((gone.status, gone.body.len()), (204, 0));
    }
    assert_eq!(server.get(path).status, 404);
}

#[test]
fn versions_are_counted() {
    let server = server();
    for (number, source) in [("1", "-- a"), ("2", "-- b"), ("2", "-- b"), ("3", "-- a")] {
        assert_eq!(server.put_script("scripts.counted", source).json()["version"], number);
    }
}

#[test]
fn conditions_hold_or_nothing_changes() {
    let server = server();
    let path = "/config/scripts.if/script";
    let put = |name: &str, value: &str, source: &str| {
        server.request("PUT", path, &[LUA[0], (name, value)], source.as_bytes())
    };
    assert!(put("If-Match", "*", "-- a").refusal(412).contains("If-Match"));
    assert_eq!(put("If-None-Match", "*", "-- a").status, 200);
    assert_eq!(put("If-None-Match", "*", "-- b").status, 412);
    let hash = server.get(path).json()["hash"].as_str().unwrap().to_owned();
    let other = "0".repeat(64);
    assert_eq!(put("If-Match", &other, "-- b").status, 412);
    assert_eq!(put("If-Match", "nonsense", "-- b").status, 400);
    assert_eq!(server.get(path).json()["lua_code"], "-- a");
    assert_eq!(put("If-Match", &format!("\"{hash}\""), "-- b").status, 200);
    assert_eq!(server.request("DELETE", path, &[("If-Match", &hash)], b"").status, 412);
    assert_eq!(server.get(path).json()["lua_code"], "-- b");
}

#[test]
fn what_does_not_compile_is_refused_with_its_line_and_the_one_before_stays() {
    let server = server();
    assert_eq!(server.put_script("scripts.bad", "-- good").status, 200);
    let refusal = server.put_script("scripts.bad", "local a = 1\nlocal b = (\nreturn");
    assert_eq!(refusal.status, 400);
    let json = refusal.json();
    assert_eq!(json["type"], "script_syntax_error");
    assert_eq!(json["line"], 3, "{json}");
    assert_eq!(server.get("/config/scripts.bad/script").json()["lua_code"], "-- good");
}

#[test]
fn a_test_runs_the_stored_script_or_a_given_one() {
    let server = server();
    let path = "/config/scripts.test/script/test";
    let refusal = server.post(path, &json!({ "payload": 1 }));
    assert_eq!((refusal.status, &refusal.json()["type"]), (404, &json!("script_not_found")));
    assert_eq!(server.put_script("scripts.test", "request.body = 'stored'").status, 200);
    assert_eq!(server.post(path, &json!({ "payload": 1 })).json()["transformed_payload"], "stored");
    let answer = server.test(
        "scripts.test",
        json!({
            "payload_base64": "/w==",
            "headers": { "A": "1" },
            "metadata": { "webhook_id": "w", "attempt": 2, "max_attempts": 5, "created_at": "2026-01-02T03:04:05Z" },
            "previous_error": { "message": "503", "status_code": 503 },
            "kv": { "text": "x", "bytes": { "base64": "/w==" } },
            "http": { "https://a.example/": { "status_code": 201, "body": { "base64": "/w==" } } },
        }),
        r#"assert(payload == "\xff" and headers.a == "1")
assert(metadata.webhook_id == "w" and metadata.attempt == 2 and metadata.max_attempts == 5)
assert(metadata.created_at:sub(1, 19) == "2026-01-02T03:04:05")
assert(previous_error.message == "503" and previous_error.status_code == 503 and previous_error.attempt == 1)
assert(kv.get("text") == "x" and kv.get("bytes") == "\xff")
kv.set("text", "y")
local answer = http.get("https://a.example/")
assert(answer.status_code == 201 and answer.body == "\xff")
print("seen")"#,
    );
    assert_eq!(answer["success"], true, "{answer}");
    assert_eq!(
        (&answer["logs"][0]["level"], &answer["logs"][0]["message"]),
        (&json!("info"), &json!("seen"))
    );
    assert_eq!(answer["transformed_payload_base64"], "/w==");
    for name in ["fuel", "memory_bytes", "execution_time_ms"] {
        assert!(answer[name].as_f64().is_some_and(|number| number > 0.0), "{name}: {answer}");
    }
    // The scratch copy is gone.
    let answer = server.test("scripts.test", json!({}), "request.body = tostring(kv.get('text'))");
    assert_eq!(answer["transformed_payload"], "nil");
}

#[test]
fn a_payload_keeps_every_byte_of_its_text() {
    let body = br#"{ "lua_code": "", "payload": { "a" : 1.50e2,  "b":"\u00e4", "a":[ ] }}"#;
    let reply = server().request(
        "POST",
        "/config/scripts.bytes/script/test",
        &[("Content-Type", "application/json")],
        body,
    );
    assert_eq!(reply.json()["transformed_payload"], r#"{ "a" : 1.50e2,  "b":"\u00e4", "a":[ ] }"#);
}

#[test]
fn a_failing_test_says_type_and_line() {
    for (source, word, line) in [
        ("\nerror('no')", "script_runtime_error", 2),
        ("\n\nlocal x = = 1", "script_syntax_error", 3),
        ("request.body = {}", "script_invalid_output", 0),
        ("headers['X'] = 'a\\nb'", "script_invalid_output", 0),
        ("return ('x'):rep(1 << 30)", "script_memory_limit", 0),
        ("http.get('http://10.0.0.1/')", "script_module_http", 1),
        ("crypto.decrypt_credential('nobody', 'AAAA')", "script_module_crypto", 1),
        ("kv.get(('x'):rep(513))", "script_module_kv", 1),
    ] {
        let answer = server().test("scripts.fail", json!({}), source);
        assert_eq!(
            (&answer["success"], &answer["error_type"]),
            (&json!(false), &json!(word)),
            "{source}: {answer}"
        );
        assert!(answer["error"].as_str().is_some_and(|text| !text.is_empty()), "{answer}");
        if line > 0 {
            assert_eq!(answer["line"], line, "{source}: {answer}");
        }
        assert!(answer.get("transformed_payload").is_none());
    }
}

#[test]
fn an_error_shows_no_credential() {
    let given = json!({ "headers": { "Authorization": "Bearer very-secret-token" } });
    let answer = server().test("scripts.secret", given, "error('refused: ' .. headers.authorization)");
    let text = answer["error"].as_str().unwrap_or_default();
    assert!(text.contains("refused: ") && !text.contains("very-secret-token"), "{answer}");
}

#[test]
fn a_disabled_engine_stores_scripts_and_runs_none() {
    let data = Folder::new();
    let server = Server::start(data.path(), &["lua.enabled=false", "delivery.allow_cidrs=127.0.0.0/8"]);
    assert_eq!(server.put_script("off", "-- x").status, 200);
    let reply = server.post("/config/off/script/test", &json!({ "payload": 1 }));
    assert!(reply.refusal(503).contains("lua.enabled"));
    assert!(reply.header("retry-after").is_some());
    // A webhook that was accepted for a script is not sent without it.
    let endpoint = crate::support::Endpoint::new();
    let id = server.enqueue("off", &json!({ "endpoint": endpoint.url("/200"), "payload": 1 }));
    assert_eq!(server.until_state(&id, "dead")["reason"], "script_disabled");
    assert!(endpoint.all().is_empty());
    // One of a config without a script goes as it is.
    server.enqueue("plain", &json!({ "endpoint": endpoint.url("/200"), "payload": { "a": 1 } }));
    assert_eq!(endpoint.wait(&server, "/200", 1)[0].text(), "{\"a\":1}");
}
