//! The cache of `http.get`, and requests that many wait for.

use crate::servers::{PATIENCE, config, host_with, http_get, serve};
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::any;
use howk_contract::ScriptError;
use howk_modules::ModuleHost;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// A server that counts: its answers are the numbers of its requests, with what the path says of the cache.
struct Counting {
    base: String,
    requests: Arc<AtomicUsize>,
    /// A request of `/slow` waits for a permit.
    gate: Arc<Semaphore>,
}

impl Counting {
    async fn new() -> Self {
        let (requests, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let (counted, waits) = (requests.clone(), gate.clone());
        let answer = move |path: axum::extract::Path<String>, sent: HeaderMap| {
            let (counted, waits) = (counted.clone(), waits.clone());
            async move {
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let words: Vec<&str> = path.split('/').collect();
                if words[0] == "slow" {
                    waits.acquire().await.unwrap().forget();
                }
                let (status, name, value) = match words[..] {
                    [_, "status", status] => (status.parse().unwrap(), "x", "y".to_owned()),
                    [_, "large", size] => return "x".repeat(size.parse().unwrap()).into_response(),
                    [_, name, value] => (200, name, value.to_owned()),
                    _ => (200, "x", "y".to_owned()),
                };
                let asker = sent.get("x-asker").map_or("", |value| value.to_str().unwrap()).to_owned();
                let name = axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
                (StatusCode::from_u16(status).unwrap(), [(name, value)], format!("{number} {asker}"))
                    .into_response()
            }
        };
        let base = serve(Router::new().route("/{*path}", any(answer))).await;
        Counting { base, requests, gate }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    async fn until_requests(&self, count: usize) {
        let all_came = async {
            while self.requests() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, all_came).await.expect("too few requests came");
    }
}

async fn ask(
    host: &Arc<ModuleHost>,
    id: &str,
    url: &str,
    headers: &[(&str, &str)],
) -> Result<(u16, String), ScriptError> {
    let (status, _, body) = http_get(&host.event(config(id), "w"), url, headers).await?;
    Ok((status, String::from_utf8(body.to_vec()).unwrap()))
}

fn cache_count(host: &ModuleHost, result: &str) -> u64 {
    let counts = host.counts();
    counts.iter().find(|count| count.op == "cache" && count.result == result).map_or(0, |count| count.count)
}

#[tokio::test]
async fn an_answer_is_given_again_to_who_asks_the_same() {
    let server = Counting::new().await;
    let host = host_with(|_| {});
    let url = server.url("a");
    let first = ask(&host, "c", &url, &[("X-One", "1"), ("X-Two", "2")]).await.unwrap();
    for headers in [[("x-two", "2"), ("X-ONE", "1")], [("X-One", "1"), ("X-Two", "2")]] {
        assert_eq!(ask(&host, "c", &format!("{url}#fragment"), &headers).await.unwrap(), first);
    }
    assert_eq!((server.requests(), cache_count(&host, "hit"), cache_count(&host, "miss")), (1, 2, 1));
    for (id, url, headers) in [
        ("d", url.clone(), &[("X-One", "1"), ("X-Two", "2")][..]),
        ("c", url.clone() + "?", &[("X-One", "1"), ("X-Two", "2")]),
        ("c", url.clone(), &[("X-One", "1")]),
        ("c", url.clone(), &[("X-One", "2"), ("X-Two", "1")]),
        ("c", url.clone(), &[("X-One", "1"), ("X-Two", "2"), ("Authorization", "Bearer a")]),
        ("c", url.clone(), &[("X-One", "1"), ("X-Two", "2"), ("Authorization", "Bearer b")]),
    ] {
        assert_ne!(ask(&host, id, &url, headers).await.unwrap(), first);
    }
}

#[tokio::test]
async fn what_is_not_to_be_kept_is_asked_again() {
    let server = Counting::new().await;
    let host = host_with(|_| {});
    for path in [
        "x/status/404",
        "x/status/500",
        "x/status/302",
        "x/cache-control/no-store",
        "x/cache-control/private",
        "x/cache-control/no-cache",
        "x/cache-control/max-age=0",
        "x/vary/*",
    ] {
        let first = ask(&host, "c", &server.url(path), &[]).await.unwrap();
        assert_ne!(ask(&host, "c", &server.url(path), &[]).await.unwrap(), first, "{path}");
    }
    let kept = server.url("x/cache-control/max-age=60");
    let first = ask(&host, "c", &kept, &[]).await.unwrap();
    for (name, value) in
        [("Cache-Control", "no-cache"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")]
    {
        assert_ne!(ask(&host, "c", &kept, &[(name, value)]).await.unwrap(), first, "{value}");
    }
    assert_eq!(ask(&host, "c", &kept, &[]).await.unwrap(), first);
}

#[tokio::test]
async fn an_answer_ends_with_its_time() {
    let server = Counting::new().await;
    let host = host_with(|settings| settings.http.cache_ttl = Duration::from_millis(200));
    for (host, path) in [(host, "a"), (host_with(|_| {}), "x/cache-control/max-age=1")] {
        let first = ask(&host, "c", &server.url(path), &[]).await.unwrap();
        let is_over = async {
            while ask(&host, "c", &server.url(path), &[]).await.unwrap() == first {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, is_over).await.expect("the answer is kept for ever");
    }
}

#[tokio::test]
async fn the_cache_has_a_bound_in_bytes() {
    let server = Counting::new().await;
    let host = host_with(|settings| settings.http.cache_bytes = 100_000);
    for number in 0..100 {
        ask(&host, "c", &server.url(&format!("{number}/large/50000")), &[]).await.unwrap();
    }
    let before = server.requests();
    for number in 0..100 {
        ask(&host, "c", &server.url(&format!("{number}/large/50000")), &[]).await.unwrap();
    }
    // It holds one of them, or none; its housekeeping may lag behind by a few.
    assert!(server.requests() - before >= 50, "{}", server.requests() - before);
}

#[tokio::test]
async fn without_the_cache_each_call_is_a_request() {
    let server = Counting::new().await;
    let host = host_with(|settings| settings.http.cache_enabled = false);
    for number in 0..3 {
        assert_eq!(ask(&host, "c", &server.url("a"), &[]).await.unwrap().1, format!("{number} "));
    }
    let host = host_with(|_| {});
    for number in 3..6 {
        let event = host.test_event(config("c"), HashMap::new(), HashMap::new());
        let (_, _, body) = http_get(&event, &server.url("a"), &[]).await.unwrap();
        assert_eq!(body, format!("{number} "));
    }
}

#[tokio::test]
async fn equal_requests_at_the_same_time_are_one() {
    let server = Counting::new().await;
    let host = host_with(|_| {});
    let tasks: Vec<_> = (0..40)
        .map(|number| {
            let (host, url) = (host.clone(), server.url("slow"));
            tokio::spawn(async move { ask(&host, ["c", "d"][number % 2], &url, &[]).await.unwrap().1 })
        })
        .collect();
    server.until_requests(2).await;
    server.gate.add_permits(100);
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    assert_eq!(server.requests(), 2);
    assert!(answers.iter().step_by(2).all(|answer| *answer == answers[0]));
    assert!(answers.iter().skip(1).step_by(2).all(|answer| *answer == answers[1]));
    assert_ne!(answers[0], answers[1]);
    assert_eq!(cache_count(&host, "miss"), 2);
}

#[tokio::test]
async fn who_leaves_first_takes_nobody_along() {
    let server = Counting::new().await;
    let host = host_with(|_| {});
    let start = || {
        let (host, url) = (host.clone(), server.url("slow"));
        tokio::spawn(async move { ask(&host, "c", &url, &[]).await.unwrap().1 })
    };
    let first = start();
    server.until_requests(1).await;
    let (second, third) = (start(), start());
    // On one thread, those that are ready run before this one does again: both wait by then.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    server.gate.add_permits(100);
    assert_eq!(third.await.unwrap(), "0 ");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_ends_and_leaves_room_for_the_next() {
    let server = Counting::new().await;
    let host = host_with(|_| {});
    let start = || {
        let (host, url) = (host.clone(), server.url("slow"));
        tokio::spawn(async move { ask(&host, "c", &url, &[]).await.unwrap().1 })
    };
    for number in 1..4 {
        let task = start();
        server.until_requests(number).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }
    let last = start();
    server.until_requests(4).await;
    server.gate.add_permits(100);
    assert_eq!(last.await.unwrap(), "3 ");
}

#[tokio::test]
async fn a_failure_is_told_to_who_waits_and_to_nobody_later() {
    let host = host_with(|_| {});
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let (host, url) = (host.clone(), url.clone());
            tokio::spawn(async move { ask(&host, "c", &url, &[]).await.unwrap_err() })
        })
        .collect();
    let (first, _) = listener.accept().await.unwrap();
    drop(first);
    // Those that came late make a request of their own.
    let late = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream);
        }
    });
    for task in tasks {
        assert!(task.await.unwrap().retryable);
    }
    assert!(ask(&host, "c", &url, &[]).await.unwrap_err().retryable);
    late.abort();
    let server = Counting::new().await;
    let failed = ask(&host, "c", &server.url("x/status/503"), &[]).await.unwrap();
    assert_eq!(failed.0, 503);
    assert_ne!(ask(&host, "c", &server.url("x/status/503"), &[]).await.unwrap(), failed);
}

/// Tokens of one asker: another that asked at the same time must not get them.
#[tokio::test]
async fn an_answer_for_one_is_not_shared() {
    let server = Counting::new().await;
    let host = host_with(|_| {});
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let (host, url) = (host.clone(), server.url("slow/cache-control/no-store"));
            tokio::spawn(async move { ask(&host, "c", &url, &[]).await.unwrap().1 })
        })
        .collect();
    server.until_requests(1).await;
    server.gate.add_permits(100);
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap());
    }
    answers.sort();
    answers.dedup();
    assert_eq!((answers.len(), server.requests()), (5, 5));
}

/// Model of the cache: the number that an answer has.
type Model = HashMap<(usize, usize, Vec<usize>), String>;

fn step() -> impl Strategy<Value = (usize, usize, Vec<usize>, bool)> {
    (0..3usize, 0..4usize, proptest::collection::vec(0..2usize, 0..3), proptest::bool::ANY)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Configs, URLs and headers at random, one after the other and at the same time: an answer always names
    /// the config that it was asked for, and is a former one's exactly where the model has it.
    #[test]
    fn no_answer_crosses_configs(steps in proptest::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let server = Counting::new().await;
            let host = host_with(|_| {});
            let configs = ["a", "b", "a.b"];
            let paths = ["p", "q", "x/cache-control/no-store", "x/status/404"];
            let mut model = Model::new();
            for (id, path, mut values, reversed) in steps {
                // The header names the asker, so that an answer tells whose it was; equal for all configs
                // where it is not sent.
                let names = ["X-A", "X-B"];
                let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
                let mut headers: Vec<(&str, &str)> =
                    names.iter().copied().zip(texts.iter().map(String::as_str)).collect();
                if reversed {
                    headers.reverse();
                }
                let url = server.url(paths[path]);
                let together = async || {
                    tokio::join!(
                        ask(&host, configs[id], &url, &headers),
                        ask(&host, configs[(id + 1) % 3], &url, &headers),
                    )
                };
                let (own, other) = together().await;
                let answers = [(id, own.unwrap().1), ((id + 1) % 3, other.unwrap().1)];
                assert_ne!(answers[0].1, answers[1].1);
                values.push(usize::MAX);
                for (id, answer) in answers {
                    let key = (id, path, values.clone());
                    let crosses = model.iter().any(|(known, text)| *text == answer && *known != key);
                    assert!(!crosses, "{key:?} got {answer} of another");
                    if path < 2 {
                        let kept = model.entry(key).or_insert_with(|| answer.clone());
                        assert_eq!(*kept, answer);
                    } else {
                        assert_ne!(model.insert(key, answer.clone()), Some(answer));
                    }
                }
            }
        });
    }
}
