//! One webhook: transformed, delivered, tried again, given up.

use crate::support::{World, config, json, meanwhile, now, settings, until, webhook};
use howk::pipeline::{EnqueueError, EnqueueRequest, PipelineSettings, RetrySettings, WebhookState};
use howk_contract::{Reason, ScriptHash};
use howk_ports::{Append, Log, Topic};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_without_a_script_is_sent_as_it_is() {
    let world = World::new();
    let running = world.start(&world.memory(), settings()).await;
    let mut request = webhook("c", "ok");
    request.headers.set(b"X-Own", b"1").unwrap();
    request.signing_secret = Some("key".into());
    let id = running.enqueue(request).await;
    let status = running.ends(&id).await;
    assert_eq!((status.state, status.attempts, status.status_code), (WebhookState::Delivered, 1, Some(200)));
    let arrivals = world.endpoints.of(&id);
    assert_eq!((arrivals.len(), &arrivals[0].body[..]), (1, &b"payload"[..]));
    let header = |name| arrivals[0].headers.get(name).unwrap_or_default();
    assert_eq!((header("x-own"), header("content-type")), ("1", "application/json"));
    assert_eq!((header("X-Webhook-Attempt"), header("X-Webhook-ID")), ("1", id.as_str()));
    assert_eq!(
        header("X-Webhook-Signature"),
        "5d98b45c90a207fa998ce639fea6f02ecc8cc3f36fef81d694fb856b4d0a28ca"
    );
    let results = running.records(Topic::Results).await;
    assert_eq!((results.len(), json(&results[0])["webhook_id"].as_str()), (1, Some(id.as_str())));
    assert_eq!(running.records(Topic::Retries).await, []);
    assert!(running.pipeline.stop(Duration::from_mins(1)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_makes_what_is_sent_at_every_attempt() {
    let world = World::new();
    let running = world.start(&world.memory(), settings()).await;
    let script = running.put("c", "mark").await;
    let id = running.enqueue(webhook("c", "scripted/flaky/2")).await;
    let status = running.ends(&id).await;
    assert_eq!((status.state, status.attempts, status.last_error), (WebhookState::Delivered, 3, None));
    let arrivals = world.endpoints.of(&id);
    assert_eq!(arrivals.iter().map(|arrival| arrival.attempt).collect::<Vec<_>>(), [0, 1, 2]);
    for arrival in &arrivals {
        assert_eq!(arrival.body, "!payload");
        assert_eq!(arrival.headers.get("X-Script"), Some(script.hash.to_string().as_str()));
    }
    let results = running.records(Topic::Results).await;
    assert_eq!(json(&results[0])["script_hash"], script.hash.to_string());
    until("the end of its story", async || {
        running.records(Topic::Retries).await.iter().all(|record| record.value.is_none())
    })
    .await;
    assert!(!world.endpoints.raw.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waits_double_and_end_with_a_dead_letter() {
    let world = World::new();
    let retry = RetrySettings { jitter: 0.0, max_attempts: 4, ..RetrySettings::default() };
    let running = world.start(&world.memory(), PipelineSettings { retry, ..settings() }).await;
    let id = running.enqueue(webhook("c", "status/500")).await;
    for (attempts, wait) in [(1, 10), (2, 20), (3, 40)] {
        until("an attempt", async || running.status(&id).await.attempts == attempts).await;
        let status = running.status(&id).await;
        assert_eq!(status.state, WebhookState::Retrying);
        let due = status.next_attempt_at.unwrap();
        assert_eq!(due.duration_since(now(&world)).as_secs(), wait);
        assert_eq!(status.last_error.as_deref(), Some("the endpoint answered 500"));
        until("its record", async || running.records(Topic::Retries).await.len() == 1).await;
        meanwhile().await;
        world.clock.advance(Duration::from_secs(wait as u64 - 1));
        meanwhile().await;
        assert_eq!(world.endpoints.of(&id).len(), attempts as usize, "too early");
        world.clock.advance(Duration::from_secs(2));
    }
    let status = running.reaches(&id, WebhookState::Dead).await;
    assert_eq!((status.attempts, status.reason), (4, Some(Reason::Exhausted)));
    let letters = running.records(Topic::DeadLetter).await;
    let letter = json(&letters[0]);
    assert_eq!(
        (letter["reason"].as_str(), letter["reason_type"].as_str()),
        (Some("exhausted"), Some("delivery"))
    );
    assert_eq!(
        (letter["status_code"].as_u64(), letter["response_body"].as_str()),
        (Some(500), Some("answer 500"))
    );
    assert_eq!(letter["webhook"]["payload"], "payload");
    assert_eq!(letter["webhook"]["previous_error"]["attempt"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_failure_has_its_end() {
    let world = World::new();
    let running = world.start(&world.memory(), settings()).await;
    for (id, source) in [("fail", "fail"), ("kv", "kv"), ("panics", "panic"), ("once", "kv 1")] {
        running.put(id, source).await;
    }
    let ends = [
        ("c", "status/404", Reason::Unrecoverable, "delivery"),
        ("c", "status/301", Reason::Unrecoverable, "delivery"),
        ("c", "guarded", Reason::Unrecoverable, "delivery"),
        ("c", "status/503", Reason::Exhausted, "delivery"),
        ("c", "status/408", Reason::Exhausted, "delivery"),
        ("c", "status/429", Reason::Exhausted, "delivery"),
        ("c", "lost", Reason::Exhausted, "delivery"),
        ("c", "panic", Reason::Exhausted, "internal"),
        ("fail", "scripted/ok", Reason::ScriptRuntimeError, "script_runtime_error"),
        ("kv", "scripted/ok", Reason::Exhausted, "script_module_kv"),
        ("panics", "scripted/ok", Reason::Exhausted, "internal"),
    ];
    for (config, path, reason, reason_type) in ends {
        let request = EnqueueRequest { max_attempts: Some(3), ..webhook(config, path) };
        let id = running.enqueue(request).await;
        let status = running.ends(&id).await;
        assert_eq!(status.reason, Some(reason), "{config} {path}");
        let attempts = if reason == Reason::Exhausted { 3 } else { 1 };
        assert_eq!(status.attempts, attempts, "{config} {path}");
        let letters = running.records(Topic::DeadLetter).await;
        assert_eq!(json(letters.last().unwrap())["reason_type"], reason_type, "{config} {path}");
    }
    let id = running.enqueue(webhook("once", "scripted/ok")).await;
    assert_eq!(running.ends(&id).await.state, WebhookState::Delivered);
    assert_eq!(world.counts.get("panic"), 6);
    let letters = running.records(Topic::DeadLetter).await;
    assert!(letters.iter().any(|letter| json(letter)["last_error"] == "line 3: no"));
    assert!(!world.endpoints.raw.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_says_when_to_come_back() {
    let world = World::new();
    let running = world.start(&world.memory(), settings()).await;
    let id = running.enqueue(webhook("c", "after/3600")).await;
    let status = running.reaches(&id, WebhookState::Retrying).await;
    assert_eq!(status.next_attempt_at.unwrap().duration_since(now(&world)).as_secs(), 3600);
    assert_eq!(running.ends(&id).await.state, WebhookState::Delivered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn switched_off_scripts_let_nothing_through() {
    let world = World::new();
    let store = world.memory();
    let running = world.start(&store, PipelineSettings::default()).await;
    running.put("c", "mark").await;
    let id = running.enqueue(webhook("c", "scripted/ok")).await;
    assert_eq!(running.ends(&id).await.reason, Some(Reason::ScriptDisabled));
    let plain = running.enqueue(webhook("other", "ok")).await;
    assert_eq!(running.ends(&plain).await.state, WebhookState::Delivered);
    assert_eq!(world.endpoints.of(&id).len(), 0);
    assert_eq!(world.runner.runs.load(Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_put_off_uses_no_attempt() {
    let world = World::new();
    let running = world.start(&world.memory(), settings()).await;
    running.put("c", "defer 3").await;
    let id = running.enqueue(EnqueueRequest { max_attempts: Some(1), ..webhook("c", "scripted/ok") }).await;
    let status = running.ends(&id).await;
    assert_eq!((status.state, status.attempts), (WebhookState::Delivered, 1));
    assert_eq!(world.counts.get("deferred memory"), 3);
    assert_eq!(world.endpoints.of(&id)[0].attempt, 0);
    until("the end of its story", async || {
        running.records(Topic::Retries).await.iter().all(|record| record.value.is_none())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_is_refused_for_what_is_wrong_with_it() {
    let world = World::new();
    let running = world.start(&world.memory(), settings()).await;
    let enqueue = async |request| running.pipeline.queue().enqueue(request).await.unwrap_err();
    let endpoint = EnqueueRequest { endpoint: "ftp://a".into(), ..webhook("c", "ok") };
    assert!(matches!(enqueue(endpoint).await, EnqueueError::Endpoint(_)));
    for attempts in [0, 21] {
        let request = EnqueueRequest { max_attempts: Some(attempts), ..webhook("c", "ok") };
        assert_eq!(enqueue(request).await, EnqueueError::MaxAttempts(20));
    }
    let required = EnqueueRequest { require_script: true, ..webhook("c", "ok") };
    assert_eq!(enqueue(required.clone()).await, EnqueueError::NoScript(config("c")));
    for key in [String::new(), "x".repeat(256)] {
        let request = EnqueueRequest { idempotency_key: Some(key), ..webhook("c", "ok") };
        assert_eq!(enqueue(request).await, EnqueueError::IdempotencyKey);
    }
    running.put("c", "mark").await;
    let id = running.enqueue(required).await;
    assert_eq!(running.ends(&id).await.state, WebhookState::Delivered);
    assert_eq!(running.records(Topic::Results).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_webhook_is_set_aside() {
    let world = World::new();
    let store = world.memory();
    let running = world.start(&store, settings()).await;
    let bad = [&b"{}"[..], b"\xff\xfe", b"", br#"{"webhook_id":1}"#];
    let appends = bad.iter().map(|value| Append::new(Topic::Pending, "k", value.to_vec())).collect();
    store.append(appends).await.unwrap();
    store.append(vec![Append::tombstone(Topic::Pending, "k")]).await.unwrap();
    let id = running.enqueue(webhook("c", "ok")).await;
    assert_eq!(running.ends(&id).await.state, WebhookState::Delivered);
    until("five dead letters", async || running.records(Topic::DeadLetter).await.len() == 5).await;
    let letters = running.records(Topic::DeadLetter).await;
    let unreadable: Vec<_> = letters.iter().map(|letter| json(letter)["unreadable"].clone()).collect();
    assert!(unreadable.contains(&"{}".into()), "{unreadable:?}");
    assert!(unreadable.contains(&serde_json::json!({ "base64": "//4=" })), "{unreadable:?}");
    until("their counts", async || world.counts.get("unreadable") == 5).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_keeps_the_hash_that_it_was_accepted_with() {
    let world = World::new();
    let running = world.start(&world.memory(), settings()).await;
    running.put("c", "mark").await;
    let id = running.enqueue(webhook("c", "scripted/lost")).await;
    running.reaches(&id, WebhookState::Retrying).await;
    let retries = running.records(Topic::Retries).await;
    let webhook = &json(&retries[0])["webhook"];
    assert_eq!(webhook["script_hash"], ScriptHash::of("mark").to_string());
    assert_eq!(webhook["previous_error"]["type"], "delivery");
    assert_eq!(webhook["attempt"], 1);
}
