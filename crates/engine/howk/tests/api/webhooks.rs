//! Webhooks: handed in, delivered, tried again, given up, replayed.

use crate::server;
use crate::support::Endpoint;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};

#[test]
fn a_webhook_arrives_transformed_and_signed() {
    let (server, endpoint) = (server(), Endpoint::new());
    assert_eq!(
        server.put_script("hooks.a", "request.body = payload .. '!'\nheaders['X-Two'] = '2'").status,
        200
    );
    let id = server.enqueue(
        "hooks.a",
        &json!({
            "endpoint": endpoint.url("/200"),
            "payload": { "id": 7 },
            "headers": { "X-One": "1" },
            "signing_secret": "s3cret",
            "require_script": true,
        }),
    );
    let request = &endpoint.wait(server, "/200", 1)[0];
    assert_eq!(request.text(), "{\"id\":7}!");
    let header = |name| request.header(name).unwrap_or_default();
    assert_eq!((header("x-one"), header("x-two"), header("content-type")), ("1", "2", "application/json"));
    assert_eq!((header("x-webhook-id"), header("x-webhook-attempt")), (id.as_str(), "1"));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(&request.body);
    let signature = hex::encode(mac.finalize().into_bytes());
    assert!(header("x-webhook-signature").ends_with(&signature), "{request:?}");
    let status = server.until_state(&id, "delivered");
    assert_eq!((&status["attempts"], &status["config_id"]), (&json!(1), &json!("hooks.a")));
    assert!(!server.log().contains("s3cret"));
}

#[test]
fn an_idempotency_key_is_one_webhook() {
    let (server, endpoint) = (server(), Endpoint::new());
    let webhook = json!({ "endpoint": endpoint.url("/200"), "payload": 1, "idempotency_key": "order-7" });
    let first = server.enqueue("hooks.once", &webhook);
    assert_eq!(server.enqueue("hooks.once", &webhook), first);
    assert_ne!(server.enqueue("hooks.other", &webhook), first, "keys are of their config");
    server.until_state(&first, "delivered");
    endpoint.wait(server, "/200", 2);
    assert_eq!(endpoint.all().len(), 2);
}

#[test]
fn a_batch_answers_for_each_webhook() {
    let (server, endpoint) = (server(), Endpoint::new());
    let good = json!({ "endpoint": endpoint.url("/200"), "payload": 1 });
    let webhooks = json!([
        good,
        { "endpoint": "ftp://x", "payload": 1 },
        { "endpoint": "http://a/" },
        { "endpoint": "http://a/", "payload": 1, "require_script": true },
        { "endpoint": "http://a/", "payload": 1, "colour": "red" },
        "what",
        good,
    ]);
    let reply = server.post("/webhooks/hooks.batch/enqueue/batch", &json!({ "webhooks": webhooks }));
    assert_eq!(reply.status, 207);
    let results = reply.json()["results"].as_array().unwrap().clone();
    let code = |result: &Value| result["code"].as_u64().unwrap_or(202);
    assert_eq!(results.iter().map(code).collect::<Vec<_>>(), [202, 400, 400, 422, 400, 400, 202]);
    for result in &results {
        assert!(result["status"] == "pending" || result["error"].is_string(), "{result}");
    }
    assert_eq!(endpoint.wait(server, "/200", 2).len(), 2);
    let many = |count: usize| json!({ "webhooks": vec![good.clone(); count] });
    assert_eq!(server.post("/webhooks/hooks.batch/enqueue/batch", &many(100)).status, 207);
    assert!(server.post("/webhooks/hooks.batch/enqueue/batch", &many(101)).refusal(400).contains("1 to 100"));
    assert_eq!(server.post("/webhooks/hooks.batch/enqueue/batch", &many(0)).status, 400);
}

#[test]
fn what_is_required_is_there_or_the_webhook_is_refused() {
    let server = server();
    let post = |webhook: Value| server.post("/webhooks/hooks.refused/enqueue", &webhook);
    let refused = post(json!({ "endpoint": "http://a/", "payload": 1, "require_script": true }));
    assert_eq!((refused.status, &refused.json()["type"]), (422, &json!("script_not_found")));
    for (webhook, expected) in [
        (json!({ "payload": 1 }), "missing field `endpoint`"),
        (json!({ "endpoint": "http://a/" }), "payload or payload_base64 is missing"),
        (json!({ "endpoint": "http://a/", "payload": 1, "payload_base64": "" }), "not both"),
        (json!({ "endpoint": "http://a/", "payload_base64": "?" }), "payload_base64: "),
        (json!({ "endpoint": "http://u:p@a/", "payload": 1 }), "user name"),
        (json!({ "endpoint": "http://a/", "payload": 1, "max_attempts": 0 }), "max_attempts"),
        (json!({ "endpoint": "http://a/", "payload": 1, "max_attempts": 21 }), "1 to 20"),
        (json!({ "endpoint": "http://a/", "payload": 1, "idempotency_key": "" }), "idempotency_key"),
        (json!({ "endpoint": "http://a/", "payload": 1, "signing_secret": "" }), "signing_secret"),
    ] {
        let text = post(webhook.clone()).refusal(400);
        assert!(text.contains(expected), "{webhook}: {text}");
    }
}

#[test]
fn a_failure_is_tried_again_and_given_up_and_replayed() {
    let (server, endpoint) = (server(), Endpoint::new());
    let source =
        "request.body = metadata.attempt .. ':' .. (previous_error and previous_error.status_code or 'none')";
    assert_eq!(server.put_script("hooks.retry", source).status, 200);
    let id = server.enqueue(
        "hooks.retry",
        &json!({
            "endpoint": endpoint.url("/503"),
            "payload": 1,
            "max_attempts": 3,
            "headers": { "Authorization": "Bearer hidden", "X-Plain": "seen" },
            "signing_secret": "hidden-too",
        }),
    );
    let status = server.until_state(&id, "dead");
    assert_eq!((&status["reason"], &status["attempts"]), (&json!("exhausted"), &json!(3)));
    let bodies: Vec<_> = endpoint.all().iter().map(crate::support::Reply::text).collect();
    assert_eq!(bodies, ["0:none", "1:503", "2:503"]);
    let list = |query: &str| server.get(&format!("/deadletters?{query}")).json();
    let query = "config_id=hooks.retry&reason=exhausted";
    let found = server.until(&format!("/deadletters?{query}"), |reply| {
        reply.json()["dead_letters"].as_array().is_some_and(|letters| !letters.is_empty())
    });
    let letters = found.json()["dead_letters"].clone();
    assert_eq!(letters[0]["webhook"]["webhook_id"], id.as_str());
    assert_eq!(
        (&letters[0]["status_code"], &letters[0]["response_body"]),
        (&json!(503), &json!("answer 503"))
    );
    assert_eq!(letters[0]["webhook"]["headers"], json!({ "Authorization": "[redacted]", "X-Plain": "seen" }));
    assert!(!found.text().contains("hidden"));
    assert_eq!(list("config_id=hooks.retry&reason=script_timeout")["dead_letters"], json!([]));
    assert_eq!(list("config_id=nobody")["dead_letters"], json!([]));
    // It is tried again from its first attempt, with the newest script.
    assert_eq!(server.put_script("hooks.retry", "request.body = 'again ' .. metadata.attempt").status, 200);
    let replay = format!("/deadletters/{id}/replay");
    assert_eq!(server.request("POST", &replay, &[], b"").status, 202);
    let requests = endpoint.wait(server, "/503", 4);
    assert_eq!(requests[3].text(), "again 0");
    assert_eq!(requests[3].header("authorization"), Some("Bearer hidden"));
    assert_eq!(server.request("POST", "/deadletters/01UNKNOWN/replay", &[], b"").status, 404);
    assert_eq!(server.get("/webhooks/01UNKNOWN/status").status, 404);
}

#[test]
fn an_answer_for_good_is_no_reason_to_try_again() {
    let (server, endpoint) = (server(), Endpoint::new());
    for code in ["301", "404"] {
        let id = server
            .enqueue("hooks.final", &json!({ "endpoint": endpoint.url(&format!("/{code}")), "payload": 1 }));
        let status = server.until_state(&id, "dead");
        assert_eq!((&status["reason"], &status["attempts"]), (&json!("unrecoverable"), &json!(1)), "{code}");
    }
}

#[test]
fn a_new_version_reaches_the_next_event() {
    let (server, endpoint) = (server(), Endpoint::new());
    for version in 0..20 {
        assert_eq!(server.put_script("hooks.reload", &format!("request.body = 'v{version}'")).status, 200);
        server.enqueue("hooks.reload", &json!({ "endpoint": endpoint.url("/200"), "payload": 1 }));
        let requests = endpoint.wait(server, "/200", version + 1);
        assert_eq!(requests[version].text(), format!("v{version}"));
    }
}

#[test]
fn a_payload_of_no_bytes_is_a_payload() {
    let (server, endpoint) = (server(), Endpoint::new());
    assert_eq!(server.put_script("hooks.empty", "assert(payload == '')").status, 200);
    server.enqueue("hooks.empty", &json!({ "endpoint": endpoint.url("/200"), "payload_base64": "" }));
    assert_eq!(endpoint.wait(server, "/200", 1)[0].body, b"");
}
