//! Dead letters: pages of them, and trying them again.

use crate::support::{World, config, settings, until, webhook};
use howk::loader::IfMatch;
use howk::pipeline::{EnqueueRequest, PageOf, PipelineSettings, ReplayError, WebhookState};
use howk_contract::Reason;
use howk_ports::Topic;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn page(limit: usize) -> PageOf {
    PageOf { limit, ..PageOf::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_listed_by_config_and_reason_page_by_page() {
    let world = World::new();
    let store = world.memory();
    let running = world.start(&store, settings()).await;
    running.put("script", "fail").await;
    let mut ids = Vec::new();
    for n in 0..30 {
        let name = ["a", "b", "script"][n % 3];
        let mut request = webhook(name, "scripted/status/410");
        request.headers.set(b"Authorization", b"Bearer x").unwrap();
        request.signing_secret = Some("hidden".into());
        ids.push(running.enqueue(request).await);
        world.clock.advance(Duration::from_secs(1));
        running.ends(&ids[n]).await;
    }
    let letters = running.pipeline.dead_letters();
    until("the index", async || {
        letters.list(&page(100)).await.is_ok_and(|page| page.letters.len() == 30 && page.is_complete)
    })
    .await;
    let all = async |of: PageOf| {
        let (mut found, mut of) = (Vec::new(), of);
        loop {
            let page = letters.list(&of).await.unwrap();
            assert!(page.letters.len() <= of.limit);
            found.extend(page.letters.into_iter().map(|letter| letter.webhook.webhook_id));
            let Some(next) = page.next else { return found };
            of.after = Some(next.to_string().parse().unwrap());
        }
    };
    let newest_first = |of: &[&str]| -> Vec<String> {
        let mine = ids.iter().enumerate().filter(|(n, _)| of.contains(&["a", "b", "script"][n % 3]));
        mine.map(|(_, id)| id.clone()).rev().collect()
    };
    for limit in [1, 7, 10, 30, 31] {
        assert_eq!(all(page(limit)).await, newest_first(&["a", "b", "script"]));
        let configs = Some(vec![config("a")]);
        assert_eq!(all(PageOf { configs, ..page(limit) }).await, newest_first(&["a"]));
        let configs = Some(vec![config("script"), config("b"), config("nobody")]);
        assert_eq!(all(PageOf { configs, ..page(limit) }).await, newest_first(&["b", "script"]));
        let reason = Some(Reason::ScriptRuntimeError);
        assert_eq!(all(PageOf { reason, ..page(limit) }).await, newest_first(&["script"]));
        let configs = Some(vec![config("a")]);
        assert_eq!(all(PageOf { reason, configs, ..page(limit) }).await, [""; 0]);
    }
    let shown = letters.list(&page(1)).await.unwrap().letters.remove(0).webhook;
    assert_eq!(shown.headers.get("authorization"), Some("[redacted]"));
    assert_eq!(shown.signing_secret.as_deref(), Some("[redacted]"));
    assert_eq!((letters.config_of(&ids[1]), letters.config_of("x")), (Some(config("b")), None));
    // In the log they are whole, and they are there after a start.
    assert!(running.pipeline.stop(Duration::from_mins(1)).await);
    let running = world.start(&store, settings()).await;
    let letters = running.pipeline.dead_letters();
    until("the index", async || letters.list(&page(100)).await.is_ok_and(|page| page.letters.len() == 30))
        .await;
    let replayed = letters.replay(&ids[0]).await.unwrap();
    assert_eq!(replayed.signing_secret.as_deref(), Some("hidden"));
    // They end with their time.
    world.clock.advance(Duration::from_hours(31 * 24));
    store.tidy().await.unwrap();
    let page = letters.list(&page(100)).await.unwrap();
    assert!(page.letters.len() <= 1, "{}", page.letters.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_is_sent_again_with_the_newest_script() {
    let world = World::new();
    let running = world.start(&world.memory(), settings()).await;
    running.put("c", "fail").await;
    let id =
        running.enqueue(EnqueueRequest { max_attempts: Some(2), ..webhook("c", "scripted/flaky/1") }).await;
    assert_eq!(running.ends(&id).await.reason, Some(Reason::ScriptRuntimeError));
    let letters = running.pipeline.dead_letters();
    until("the index", async || letters.config_of(&id).is_some()).await;
    assert_eq!(letters.replay("nobody").await, Err(ReplayError::NotFound));

    running.pipeline.scripts().delete(&config("c"), IfMatch::Always).await.unwrap();
    assert_eq!(letters.replay(&id).await, Err(ReplayError::NoScript(config("c"))));
    let script = running.put("c", "mark").await;
    let replayed = letters.replay(&id).await.unwrap();
    let previous = replayed.previous_error.unwrap();
    assert_eq!((previous.error_type.as_str(), previous.retryable), ("script_runtime_error", false));
    assert_eq!((replayed.attempt, replayed.script_hash), (0, Some(script.hash)));
    let status = running.ends(&id).await;
    assert_eq!((status.state, status.attempts), (WebhookState::Delivered, 2));
    assert_eq!(letters.replay(&id).await, Err(ReplayError::NotFound), "it is sent once");
    until("the index", async || letters.list(&page(10)).await.unwrap().letters.is_empty()).await;
    let left: Vec<_> = running.records(Topic::DeadLetter).await;
    assert_eq!(left.iter().filter(|record| record.value.is_none()).count(), 1);
    assert!(!world.endpoints.raw.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_replay_one_send_it_once() {
    let world = World::new();
    let running = world.start(&world.memory(), settings()).await;
    let id = running.enqueue(webhook("c", "status/404")).await;
    running.ends(&id).await;
    let letters = running.pipeline.dead_letters().clone();
    until("the index", async || letters.config_of(&id).is_some()).await;
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let (letters, id) = (letters.clone(), id.clone());
            tokio::spawn(async move { letters.replay(&id).await.is_ok() })
        })
        .collect();
    let mut sent = 0;
    for task in tasks {
        sent += u32::from(task.await.unwrap());
    }
    // A second one may come when it has failed again.
    until("its end", async || {
        running.status(&id).await.state == WebhookState::Dead
            && world.endpoints.of(&id).len() == 1 + sent as usize
    })
    .await;
    assert!(sent >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_says_that_older_ones_are_not_listed() {
    let world = World::new();
    let mut settings = PipelineSettings { ..settings() };
    settings.dead_letters.listed = 5;
    let running = world.start(&world.memory(), settings).await;
    let mut ids = BTreeSet::new();
    for _ in 0..8 {
        let id = running.enqueue(webhook("c", "status/404")).await;
        running.ends(&id).await;
        ids.insert(id);
    }
    let letters = running.pipeline.dead_letters();
    until("the index", async || {
        let page = letters.list(&page(100)).await.unwrap();
        page.letters.len() == 5 && !page.is_complete
    })
    .await;
}
