//! Scripts: changing them, following the log, which version runs.

use crate::support::{World, comes, config, settings, until, webhook};
use bytes::Bytes;
use howk::loader::{IfMatch, PutError, PutScript};
use howk::pipeline::{
    EnqueueError, LoaderSettings, Pipeline, PipelineSettings, Roles, Versions, WebhookState,
};
use howk_contract::{ErrorType, Reason, ScriptConfig, ScriptHash};
use howk_ports::{Append, Embedded, Log, State, Topic};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn put(source: &str, version: Option<&str>, if_match: IfMatch) -> PutScript {
    let version = version.map(str::to_owned);
    PutScript { config_id: config("c"), lua_code: source.into(), version, if_match }
}

fn record(id: &str, source: &str, hash: ScriptHash) -> Append {
    let at = crate::support::BEGIN.parse().unwrap();
    let script = ScriptConfig {
        config_id: config(id),
        lua_code: source.into(),
        hash,
        version: "x".into(),
        created_at: at,
        updated_at: at,
    };
    Append::new(Topic::Scripts, id, serde_json::to_vec(&script).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_are_put_and_deleted_under_conditions() {
    let world = World::new();
    let store = world.memory();
    let running = world.start(&store, settings()).await;
    let scripts = running.pipeline.scripts();
    let any = scripts.put(put("a", None, IfMatch::Any)).await;
    assert_eq!(any, Err(PutError::Condition));
    let first = scripts.put(put("a", None, IfMatch::None)).await.unwrap();
    assert_eq!((first.version.as_str(), first.hash), ("1", ScriptHash::of("a")));
    assert_eq!(scripts.put(put("b", None, IfMatch::None)).await, Err(PutError::Condition));
    world.clock.advance(Duration::from_secs(5));
    let same = scripts.put(put("a", Some("other"), IfMatch::Always)).await.unwrap();
    assert_eq!(same, first, "the same source again changes nothing");
    let second = scripts.put(put("b", None, IfMatch::Hash(first.hash))).await.unwrap();
    assert_eq!((second.version.as_str(), second.created_at), ("2", first.created_at));
    assert!(second.updated_at > first.updated_at);
    assert_eq!(scripts.put(put("c", None, IfMatch::Hash(first.hash))).await, Err(PutError::Condition));
    let named = scripts.put(put("c", Some("spring"), IfMatch::Always)).await.unwrap();
    assert_eq!(named.version, "spring");
    assert_eq!(scripts.put(put("d", None, IfMatch::Always)).await.unwrap().version, "4");
    let syntax = scripts.put(put("syntax error", None, IfMatch::Always)).await.unwrap_err();
    let PutError::Script(error) = syntax else { panic!("{syntax}") };
    assert_eq!((error.error_type, error.line), (ErrorType::Syntax, Some(1)));
    assert_eq!(&*scripts.newest(&config("c")).unwrap().source, "d");
    until("images", async || world.runner.prepared.lock().unwrap().len() == 4).await;

    let mirror = State::get(&store, "script:c".into()).await.unwrap().unwrap();
    let mirror: ScriptConfig = serde_json::from_slice(&mirror).unwrap();
    assert_eq!(mirror.lua_code, "d");
    let wrong = scripts.delete(&config("c"), IfMatch::Hash(first.hash)).await;
    assert_eq!(wrong, Err(PutError::Condition));
    assert!(scripts.delete(&config("c"), IfMatch::Always).await.unwrap());
    assert!(!scripts.delete(&config("c"), IfMatch::Always).await.unwrap());
    assert_eq!((scripts.newest(&config("c")), scripts.is_empty()), (None, true));
    assert_eq!(State::get(&store, "script:c".into()).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_log_has_of_others_is_followed_and_checked() {
    let world = World::new();
    let store = world.memory();
    let fits = |source: &str| record("c", source, ScriptHash::of(source));
    store.append(vec![fits("old"), record("d", "d", ScriptHash::of("other"))]).await.unwrap();
    let running = world.start(&store, settings()).await;
    let scripts = running.pipeline.scripts();
    let source = || scripts.newest(&config("c")).map(|script| script.source.to_string());
    assert_eq!((source().as_deref(), scripts.len()), (Some("old"), 1));
    store.append(vec![fits("new")]).await.unwrap();
    until("the new script", async || source().as_deref() == Some("new")).await;
    // None of these may take its place.
    let mut other = fits("bad");
    other.key = "not a config".into();
    let mut moved = record("e", "e", ScriptHash::of("e"));
    moved.key = "c".into();
    let counts = &world.counts;
    assert_eq!(counts.get("reload wrong_hash"), 1);
    for (refused, word, count) in [
        (record("c", "bad", ScriptHash::of("good")), "reload wrong_hash", 2),
        (fits("syntax error"), "reload does_not_compile", 1),
        (Append::new(Topic::Scripts, "c", "{"), "reload unreadable", 1),
        (moved, "reload unreadable", 2),
        (other, "reload unreadable", 3),
    ] {
        store.append(vec![refused]).await.unwrap();
        until("a refusal", async || counts.get(word) == count).await;
        assert_eq!(source().as_deref(), Some("new"));
    }
    store.append(vec![Append::tombstone(Topic::Scripts, "c")]).await.unwrap();
    until("the deletion", async || source().is_none()).await;
    // One that does not compile is better than none: it says what is wrong, and lets nothing through.
    store.append(vec![fits("syntax error")]).await.unwrap();
    until("the only script", async || source().is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_version_takes_effect_for_the_next_event_and_none_fails() {
    let world = World::new();
    let store = world.memory();
    let running = Arc::new(world.start(&store, settings()).await);
    running.put("c", "mark 0").await;
    let sender = Arc::clone(&running);
    let sending = tokio::spawn(async move {
        let mut ids = Vec::new();
        for _ in 0..300 {
            ids.push(sender.enqueue(webhook("c", "scripted/ok")).await);
        }
        ids
    });
    let mut hashes = vec![ScriptHash::of("mark 0").to_string()];
    for n in 1..20 {
        let script = running.put("c", &format!("mark {n}")).await;
        let id = running.enqueue(webhook("c", "scripted/ok")).await;
        running.ends(&id).await;
        let hash = script.hash.to_string();
        assert_eq!(world.endpoints.of(&id)[0].headers.get("X-Script"), Some(hash.as_str()));
        hashes.push(hash);
    }
    for id in comes("the sender", sending).await.unwrap() {
        assert_eq!(running.ends(&id).await.state, WebhookState::Delivered);
        let arrivals = world.endpoints.of(&id);
        let hash = arrivals[0].headers.get("X-Script").unwrap();
        assert!(hashes.iter().any(|known| known == hash));
    }
    assert!(!world.endpoints.raw.load(Ordering::Relaxed));
}

async fn script_of(world: &World, store: &Embedded, versions: Versions, delete: bool) -> Option<String> {
    let loader = LoaderSettings { versions, ..LoaderSettings::default() };
    let running = world.start(store, PipelineSettings { loader, ..settings() }).await;
    running.put("c", "mark one").await;
    let id = running.enqueue(webhook("c", "scripted/flaky/1")).await;
    running.reaches(&id, WebhookState::Retrying).await;
    running.put("c", "mark two").await;
    if delete {
        running.pipeline.scripts().delete(&config("c"), IfMatch::Always).await.unwrap();
    }
    let status = running.ends(&id).await;
    assert!(running.pipeline.stop(Duration::from_mins(1)).await);
    if delete {
        assert_eq!(status.reason, Some(Reason::ScriptNotFound));
    }
    let arrivals = world.endpoints.of(&id);
    arrivals.get(1).map(|arrival| arrival.headers.get("X-Script").unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_version_runs_or_the_pinned_one() {
    let hash = |source: &str| Some(ScriptHash::of(source).to_string());
    for (versions, delete, expected) in [
        (Versions::Newest, false, hash("mark two")),
        (Versions::Pinned, false, hash("mark one")),
        (Versions::Newest, true, None),
        (Versions::Pinned, true, None),
    ] {
        let world = World::new();
        let found = script_of(&world, &world.memory(), versions, delete).await;
        assert_eq!(found, expected, "{versions:?}, deleted: {delete}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pinned_versions_outlive_the_process() {
    let world = World::new();
    let store = world.memory();
    let loader = LoaderSettings { versions: Versions::Pinned, versions_kept: 3, ..LoaderSettings::default() };
    let settings = PipelineSettings { loader, ..settings() };
    let running = world.start(&store, settings.clone()).await;
    let mut ids = Vec::new();
    for n in 0..5 {
        running.put("c", &format!("mark {n}")).await;
        world.clock.advance(Duration::from_millis(10));
        let id = running.enqueue(webhook("c", "scripted/flaky/1")).await;
        running.reaches(&id, WebhookState::Retrying).await;
        ids.push(id);
    }
    assert!(running.pipeline.stop(Duration::from_mins(1)).await);
    let running = world.start(&store, settings).await;
    for (n, id) in ids.iter().enumerate() {
        let status = running.ends(id).await;
        if n < 2 {
            assert_eq!(status.reason, Some(Reason::ScriptNotFound), "{n}");
        } else {
            let hash = ScriptHash::of(format!("mark {n}")).to_string();
            let arrivals = world.endpoints.of(id);
            assert_eq!(arrivals[1].headers.get("X-Script"), Some(hash.as_str()), "{n}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_accepted_or_changed_before_the_scripts_are_known() {
    let world = World::new();
    let store = world.memory();
    let parts = world.parts(Arc::new(store.clone()), Arc::new(store.clone()));
    let pipeline = Pipeline::new(parts, settings());
    assert_eq!(pipeline.queue().enqueue(webhook("c", "ok")).await, Err(EnqueueError::NotReady));
    assert_eq!(pipeline.scripts().put(put("a", None, IfMatch::Always)).await, Err(PutError::NotReady));
    let deleted = pipeline.scripts().delete(&config("c"), IfMatch::Always).await;
    assert_eq!(deleted, Err(PutError::NotReady));
    assert!(!pipeline.readiness().await.is_ready());
    pipeline.start(Roles { api: true, worker: false, scheduler: false });
    until("the scripts", async || pipeline.readiness().await.is_ready()).await;
    pipeline.queue().enqueue(webhook("c", "ok")).await.unwrap();
}

/// A webhook of a node that is ahead: this one has not read the script yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_is_not_read_yet_is_looked_for() {
    let world = World::new();
    let store = world.memory();
    let running = world.start(&store, settings()).await;
    running.put("c", "mark").await;
    let parked = running.enqueue(webhook("c", "scripted/flaky/1")).await;
    running.reaches(&parked, WebhookState::Retrying).await;
    assert!(running.pipeline.stop(Duration::from_mins(1)).await);
    // The copy in the state serves while the log is read, if it is what its hash says.
    let parts = world.parts(Arc::new(store.clone()), Arc::new(store.clone()));
    let pipeline = Pipeline::new(parts, settings());
    let scripts = pipeline.scripts().clone();
    let record = |record: &howk_ports::Record| crate::support::json(record)["webhook"].clone();
    let retries = crate::support::records(&store, Topic::Retries).await;
    let parked: howk_contract::Webhook = serde_json::from_value(record(&retries[0])).unwrap();
    let hash = parked.script_hash.unwrap();
    assert_eq!(&*scripts.for_webhook(&parked, hash).await.unwrap().source, "mark");
    let forged = State::get(&store, "script:c".into()).await.unwrap().unwrap();
    let forged = String::from_utf8(forged.to_vec()).unwrap().replace("\"mark\"", "\"evil\"");
    store.set("script:c".into(), Bytes::from(forged), None).await.unwrap();
    // It is not: the log is waited for, and time runs out.
    let waiting = tokio::spawn(async move { scripts.for_webhook(&parked, hash).await });
    until("the end of its time", async || {
        world.clock.advance(Duration::from_millis(500));
        waiting.is_finished()
    })
    .await;
    let error = comes("the end of waiting", waiting).await.unwrap().unwrap_err();
    assert_eq!(error.error_type, ErrorType::NotFound);
    assert_eq!(world.counts.get("look-up mirror true"), 1);
}
