//! Events share nothing: neither values nor slots nor memory; and what is dropped gives back what it had.

mod support;

use howk_contract::ErrorType;
use howk_sandbox::{Event, Outcome, Sandbox, Settings};
use std::sync::Arc;
use std::time::Duration;
use support::{Fake, body, event, input, report_of, runtime, settings, shared};
use tokio::time::timeout;

fn event_of(config: &str, source: &str, modules: &Arc<Fake>) -> Event {
    let mut input = input(b"{\"a\":1}");
    input.metadata.config_id = config.parse().unwrap();
    event(source, input, Arc::clone(modules))
}

fn small(settings: Settings) -> Sandbox {
    Sandbox::new(Settings { max_concurrent: 4, ..settings }).unwrap()
}

/// Waits until nothing of the sandbox is in use.
fn at_rest(sandbox: &Sandbox) {
    for _ in 0..600 {
        let counters = sandbox.counters();
        if (counters.slots_in_use, counters.waiting, counters.memory_bytes) == (0, 0, 0) {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("never at rest: {:?}", sandbox.counters());
}

#[test]
fn nothing_stays_from_one_event_to_the_next() {
    let source = "request.body = tostring(mine) .. tostring(string.mine) .. tostring(json.mine) \
        mine, string.mine, json.mine = 1, 2, 3 getmetatable(setmetatable({}, {})).x = 1";
    for config in ["a", "b", "a"] {
        let report = report_of(shared(), event_of(config, source, &Arc::default()));
        assert_eq!(report.result.unwrap().body.unwrap(), "nilnilnil");
    }
    let other = "request.body = tostring(mine) .. tostring(string.mine) .. tostring(json.mine)";
    assert_eq!(
        report_of(shared(), event_of("b", other, &Arc::default())).result.unwrap().body.unwrap(),
        "nilnilnil"
    );
}

#[test]
fn random_numbers_are_new_at_each_event() {
    let source = "request.body = math.random(0) .. ' ' .. math.random(0)";
    let (first, second) = (body(source), body(source));
    assert_ne!(first, second);
    let seeded = "math.randomseed(7) request.body = math.random(0) .. ' ' .. math.random(0)";
    assert_eq!(body(seeded), body(seeded));
}

#[test]
fn a_thousand_events_at_once_take_turns() {
    let sandbox = small(settings());
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            let (sandbox, source) = (sandbox.clone(), format!("request.body = '{}' .. #payload", n % 7));
            runtime().spawn(async move { sandbox.run(event(&source, input(b"xyz"), Arc::default())).await })
        })
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let Outcome::Done(report) = runtime().block_on(task).unwrap() else { panic!("deferred") };
        assert_eq!(report.result.unwrap().body.unwrap(), format!("{}3", n % 7));
    }
    at_rest(&sandbox);
    let counters = sandbox.counters();
    assert_eq!((counters.images, counters.image_hits + counters.image_misses), (7, 1000));
}

#[test]
fn ten_thousand_events_leave_nothing() {
    let sandbox = small(settings());
    let source = "local t = {} for i = 1, 100 do t[i] = { i } end request.body = payload if #payload > 1 then error('x') end";
    runtime().block_on(async {
        for n in 0..10_000u32 {
            let payload = if n % 3 == 0 { &b"ab"[..] } else { b"a" };
            let Outcome::Done(report) = sandbox.run(event(source, input(payload), Arc::default())).await
            else {
                panic!("deferred")
            };
            assert_eq!(report.result.is_err(), n % 3 == 0, "{n}: {:?}", report.result);
        }
    });
    at_rest(&sandbox);
}

#[test]
fn an_event_may_be_dropped_at_any_moment() {
    let sandbox = small(settings());
    let sources = [
        "while true do end",
        "kv.get('waits')",
        "for i = 1, 1e9 do kv.get('k') end",
        "local t = {} for i = 1, 1e5 do t[i] = { i } end kv.get('sleeps')",
        "local x <close> = setmetatable({}, { __close = function() while true do end end }) kv.get('waits')",
    ];
    runtime().block_on(async {
        for n in 0..400u64 {
            let source = sources[n as usize % sources.len()];
            let event = event(source, input(b"x"), Arc::default());
            let _ = timeout(Duration::from_micros(n * n % 9000), sandbox.run(event)).await;
        }
    });
    at_rest(&sandbox);
    // All slots can be used at the same time.
    let fakes: Vec<Arc<Fake>> = (0..4).map(|_| Arc::default()).collect();
    runtime().block_on(async {
        let tasks: Vec<_> = fakes
            .iter()
            .map(|fake| {
                let (sandbox, event) =
                    (sandbox.clone(), event("kv.get('gate')", input(b""), Arc::clone(fake)));
                tokio::spawn(async move { sandbox.run(event).await })
            })
            .collect();
        for fake in &fakes {
            fake.arrived.notified().await;
        }
        assert_eq!(sandbox.counters().slots_in_use, 4);
        for (fake, task) in fakes.iter().zip(tasks) {
            fake.open.notify_one();
            assert!(matches!(task.await.unwrap(), Outcome::Done(report) if report.result.is_ok()));
        }
    });
    at_rest(&sandbox);
}

#[test]
fn memory_that_others_have_defers_and_fails_nobody() {
    let sandbox = small(Settings { memory_bytes: 32 << 20, total_memory_bytes: 128 << 20, ..settings() });
    let holds = "local s = ('x'):rep(9 << 20) kv.get('gate') request.body = 'held'";
    // Whatever the script makes of it: it is not its fault.
    let wants = "local ok, e = pcall(string.rep, 'x', 9 << 20) request.body = tostring(ok)";
    runtime().block_on(async {
        let (fake, second) = (Arc::<Fake>::default(), sandbox.clone());
        let event = event_of("a", holds, &fake);
        let first = tokio::spawn(async move { second.run(event).await });
        fake.arrived.notified().await;
        let held_bytes = sandbox.counters().memory_bytes;
        let same = sandbox.run(event_of("a", wants, &Arc::default())).await;
        assert!(matches!(same, Outcome::Deferred), "{same:?}");
        assert_eq!(sandbox.counters().deferred, 1);
        let Outcome::Done(other) = sandbox.run(event_of("b", wants, &Arc::default())).await else {
            panic!("deferred")
        };
        assert_eq!(other.result.unwrap().body.unwrap(), "true");
        fake.open.notify_one();
        let Outcome::Done(report) = first.await.unwrap() else { panic!("deferred") };
        assert_eq!(report.result.unwrap().body.unwrap(), "held");
        assert_eq!(report.memory_bytes as u64, held_bytes, "what is counted is what there was");
        let Outcome::Done(again) = sandbox.run(event_of("a", wants, &Arc::default())).await else {
            panic!("deferred")
        };
        assert!(again.result.is_ok());
    });
    at_rest(&sandbox);
}

#[test]
fn images_that_were_not_used_for_longest_go_first() {
    let sandbox = small(Settings { image_cache_bytes: 40 << 10, ..settings() });
    let script = |n: u32| format!("local s = '{}' request.body = '{n}'", "x".repeat(4000));
    for round in 0..2 {
        for n in 0..20 {
            let report = report_of(&sandbox, event(&script(n), input(b""), Arc::default()));
            assert_eq!(report.result.unwrap().body.unwrap(), n.to_string(), "{round}");
        }
    }
    let counters = sandbox.counters();
    assert!(counters.image_bytes <= 40 << 10 && counters.image_evictions >= 30, "{counters:?}");
    report_of(&sandbox, event(&script(19), input(b""), Arc::default()));
    assert_eq!(sandbox.counters().image_hits, counters.image_hits + 1);
}

#[test]
fn a_source_that_is_not_its_hash_is_not_run() {
    let mut wrong = event("request.body = 'x'", input(b""), Arc::default());
    wrong.source = "request.body = 'y'".into();
    wrong.hash = howk_contract::ScriptHash::of("request.body = 'z'");
    assert_eq!(report_of(shared(), wrong).result.unwrap_err().error_type, ErrorType::NotFound);
}

#[test]
fn it_runs_without_a_runtime_and_ends_inside_of_one() {
    let sandbox = small(settings());
    let waited = std::thread::scope(|scope| {
        let runs = scope.spawn(|| {
            futures_executor(sandbox.run(event("request.body = 'on'", input(b""), Arc::default())))
        });
        runs.join().unwrap()
    });
    assert!(matches!(waited, Outcome::Done(report) if report.result.is_ok()));
    runtime().block_on(async move { drop(sandbox) });
}

/// Waits for a future without any runtime.
fn futures_executor<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(value) => return value,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}
