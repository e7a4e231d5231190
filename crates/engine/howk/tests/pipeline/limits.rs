//! Shares, idempotency, clocks that jump, disks that are full.

use crate::support::{Folder, World, comes, config, meanwhile, now, settings, until, webhook};
use howk::pipeline::{EnqueueError, EnqueueRequest, PipelineSettings, WebhookState, WorkerSettings};
use howk_ports::{Embedded, EmbeddedSettings, Log, PortError, State, Topic};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_runs_few_scripts_at_once_and_others_go_on() {
    let world = World::new();
    let worker = WorkerSettings { in_flight: 40, max_concurrent_per_config: 3, ..WorkerSettings::default() };
    let running = world.start(&world.memory(), PipelineSettings { worker, ..settings() }).await;
    running.put("busy", "gate").await;
    running.put("calm", "mark").await;
    let mut busy = Vec::new();
    for _ in 0..60 {
        busy.push(running.enqueue(webhook("busy", "scripted/ok")).await);
    }
    until("three that run", async || world.runner.running.load(Ordering::Relaxed) == 3).await;
    let calm = running.enqueue(webhook("calm", "scripted/ok")).await;
    assert_eq!(running.ends(&calm).await.state, WebhookState::Delivered);
    assert!(world.runner.most.load(Ordering::Relaxed) <= 4);
    // What waits is put off, and comes back without having used an attempt.
    until("what is put off", async || {
        world.clock.advance(Duration::from_millis(100));
        world.counts.get("deferred concurrency") + world.counts.get("deferred share") > 20
    })
    .await;
    for id in &busy {
        until("the end of a busy one", async || {
            world.runner.gate.notify_waiters();
            world.clock.advance(Duration::from_millis(200));
            running.status(id).await.state == WebhookState::Delivered
        })
        .await;
        assert_eq!(running.status(id).await.attempts, 1);
    }
    assert!(world.runner.most.load(Ordering::Relaxed) <= 4, "three of one config, and one of the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_config_whose_endpoint_hangs_leaves_room() {
    let world = World::new();
    let worker = WorkerSettings { in_flight: 20, ..WorkerSettings::default() };
    let running = world.start(&world.memory(), PipelineSettings { worker, ..settings() }).await;
    for _ in 0..50 {
        running.enqueue(webhook("slow", "hang")).await;
    }
    for _ in 0..5 {
        let id = running.enqueue(webhook("quick", "ok")).await;
        assert_eq!(running.ends(&id).await.state, WebhookState::Delivered);
    }
    let open = world.endpoints.arrivals.lock().unwrap().len() - 5;
    assert!((5..=19).contains(&open), "{open}");
    assert!(!running.pipeline.stop(Duration::from_millis(100)).await, "what hangs is cut off");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idempotency_key_is_one_webhook() {
    let world = World::new();
    let store = world.memory();
    let running = world.start(&store, settings()).await;
    let keyed =
        |id: &str, key: &str| EnqueueRequest { idempotency_key: Some(key.into()), ..webhook(id, "ok") };
    let queue = running.pipeline.queue().clone();
    let first = queue.enqueue(keyed("a", "k")).await.unwrap();
    let again = queue.enqueue(keyed("a", "k")).await.unwrap();
    assert_eq!((first.is_new, again.is_new, &again.webhook_id), (true, false, &first.webhook_id));
    let other = queue.enqueue(keyed("b", "k")).await.unwrap();
    assert!(other.is_new && other.webhook_id != first.webhook_id);
    // Many at once are one, too.
    let many = queue.enqueue_all((0..20).map(|_| keyed("a", "many")).collect()).await;
    let ids: BTreeSet<_> =
        many.iter().filter_map(|one| one.as_ref().ok().map(|one| &one.webhook_id)).collect();
    let new = many.iter().filter(|one| one.as_ref().is_ok_and(|one| one.is_new)).count();
    let busy = many.iter().filter(|one| **one == Err(EnqueueError::InProgress)).count();
    let known = many.iter().filter(|one| one.as_ref().is_ok_and(|one| !one.is_new)).count();
    assert_eq!((ids.len(), new, busy + known), (1, 1, 19));
    until("three webhooks", async || running.records(Topic::Results).await.len() == 3).await;
    // It is forgotten after its time.
    world.clock.advance(Duration::from_hours(25));
    assert!(queue.enqueue(keyed("a", "k")).await.unwrap().is_new);

    // A server that died between the key and the log: its id is taken over after a while.
    let reserved = format!(r#"{{"webhook_id":"01DEAD","accepted":false,"at":"{}"}}"#, now(&world));
    store.set("idempotency:a:dead".into(), reserved.into(), None).await.unwrap();
    assert_eq!(queue.enqueue(keyed("a", "dead")).await, Err(EnqueueError::InProgress));
    world.clock.advance(Duration::from_secs(11));
    let taken = queue.enqueue(keyed("a", "dead")).await.unwrap();
    assert_eq!((taken.is_new, taken.webhook_id.as_str()), (true, "01DEAD"));
    assert_eq!(running.ends("01DEAD").await.state, WebhookState::Delivered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_moves_no_attempt() {
    let world = World::new();
    let store = world.memory();
    let running = world.start(&store, settings()).await;
    let id = running.enqueue(webhook("c", "flaky/1")).await;
    running.reaches(&id, WebhookState::Retrying).await;
    until("its place in the scheduler", async || world.counts.get("waiting 1") == 1).await;
    for jump in ["2036-01-01T00:00:00Z", "1999-01-01T00:00:00Z"] {
        world.clock.jump(jump.parse().unwrap());
        world.clock.advance(Duration::from_secs(1));
        meanwhile().await;
        assert_eq!(world.endpoints.of(&id).len(), 1, "{jump}");
    }
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(running.reaches(&id, WebhookState::Delivered).await.attempts, 2);

    // A start after the clock was set back by years: the wait is as long as it was meant to be, and no
    // longer.
    let id = running.enqueue(webhook("c", "flaky/1")).await;
    running.reaches(&id, WebhookState::Retrying).await;
    assert!(running.pipeline.stop(Duration::from_mins(1)).await);
    world.clock.jump("1980-01-01T00:00:00Z".parse().unwrap());
    let known = world.counts.get("waiting 1");
    let running = world.start(&store, settings()).await;
    until("its place in the scheduler", async || world.counts.get("waiting 1") > known).await;
    world.clock.advance(Duration::from_secs(11));
    assert_eq!(running.reaches(&id, WebhookState::Delivered).await.attempts, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_webhooks_and_loses_none() {
    let (world, folder) = (World::new(), Folder::new());
    let store_settings = EmbeddedSettings { max_bytes: Some(4 << 20), ..EmbeddedSettings::default() };
    let path = folder.path().join("howk.db");
    let store = Embedded::open(&path, store_settings, world.clock.clone()).unwrap();
    let running = world.start(&store, settings()).await;
    running.put("c", "gate").await;
    let mut accepted = Vec::new();
    let refused = loop {
        let request =
            EnqueueRequest { payload: vec![b'x'; 20_000].into(), ..webhook("c", "scripted/flaky/1") };
        match running.pipeline.queue().enqueue(request).await {
            Ok(enqueued) => accepted.push(enqueued.webhook_id),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, EnqueueError::Log(PortError::Full(_))), "{refused}");
    let put = howk::loader::PutScript {
        config_id: config("d"),
        lua_code: "mark".into(),
        version: None,
        if_match: howk::loader::IfMatch::Always,
    };
    assert!(running.pipeline.scripts().put(put).await.is_err(), "scripts are new work, too");
    assert_eq!(running.pipeline.scripts().newest(&config("d")), None);
    assert!(accepted.len() > 50, "{}", accepted.len());
    // Each of them fails once and waits for another attempt, in the room that is kept and made.
    for id in &accepted {
        until("the end of an accepted one", async || {
            // Where there is no room for tidying there is some a little later.
            let _ = store.tidy().await;
            world.runner.gate.notify_waiters();
            world.clock.advance(Duration::from_millis(500));
            running.status(id).await.state == WebhookState::Delivered
        })
        .await;
    }
    let again = running.enqueue(webhook("other", "ok")).await;
    assert_eq!(running.ends(&again).await.state, WebhookState::Delivered);
    assert!(!world.endpoints.raw.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_finishes_what_is_open() {
    let world = World::new();
    let store = world.memory();
    let running = Arc::new(world.start(&store, settings()).await);
    running.put("c", "gate").await;
    let id = running.enqueue(webhook("c", "scripted/ok")).await;
    until("one that runs", async || world.runner.running.load(Ordering::Relaxed) == 1).await;
    let stopping = Arc::clone(&running);
    let stopping = tokio::spawn(async move { stopping.pipeline.stop(Duration::from_secs(100)).await });
    meanwhile().await;
    assert!(!stopping.is_finished());
    until("the end of what is open", async || {
        world.runner.gate.notify_waiters();
        stopping.is_finished()
    })
    .await;
    assert!(comes("the end", stopping).await.unwrap());
    assert_eq!(running.status(&id).await.state, WebhookState::Delivered);
    until("no lag", async || Log::lag(&store, Topic::Pending, howk::worker::GROUP).await.unwrap() == 0).await;
}
