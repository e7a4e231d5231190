//! `kv` of scripts over the store in memory, against a model.

use crate::servers::{bytes, config, host_with};
use bytes::Bytes;
use howk_contract::{ConfigId, ErrorType, ModuleCall, ModuleReply, Modules, ScriptError};
use howk_modules::{
    EventModules, KeySource, Keyring, KvError, KvFuture, KvStore, MemoryKv, ModuleHost, Settings,
};
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

async fn get(event: &EventModules, key: &[u8]) -> Result<Option<Bytes>, ScriptError> {
    match event.call(ModuleCall::KvGet { key: bytes(key) }).await? {
        ModuleReply::Nil => Ok(None),
        ModuleReply::Bytes(value) => Ok(Some(value)),
        other @ ModuleReply::Response { .. } => panic!("{other:?}"),
    }
}

async fn set(event: &EventModules, key: &[u8], value: &[u8], ttl: Option<f64>) -> Result<(), ScriptError> {
    let call = ModuleCall::KvSet { key: bytes(key), value: bytes(value), ttl_seconds: ttl };
    event.call(call).await.map(|reply| assert_eq!(reply, ModuleReply::Nil))
}

async fn del(event: &EventModules, key: &[u8]) -> Result<(), ScriptError> {
    event.call(ModuleCall::KvDel { key: bytes(key) }).await.map(|reply| assert_eq!(reply, ModuleReply::Nil))
}

fn host(change: impl FnOnce(&mut Settings)) -> Arc<ModuleHost> {
    host_with(|settings| {
        settings.kv.calls = 1_000_000;
        change(settings);
    })
}

#[tokio::test]
async fn values_are_any_bytes_and_stay_in_their_config() {
    let host = host(|_| {});
    let event = host.event(config("c"), "w");
    let (key, value) = (b"\0\xff:key", b"\xff\0\r\n value");
    assert_eq!(get(&event, key).await.unwrap(), None);
    set(&event, key, value, None).await.unwrap();
    set(&event, b"empty", b"", None).await.unwrap();
    let later = host.event(config("c"), "w2");
    assert_eq!(get(&later, key).await.unwrap(), Some(bytes(value)));
    assert_eq!(get(&later, b"empty").await.unwrap(), Some(Bytes::new()));
    assert_eq!(get(&host.event(config("d"), "w"), key).await.unwrap(), None);
    del(&host.event(config("d"), "w"), key).await.unwrap();
    del(&later, b"nobody").await.unwrap();
    assert_eq!(get(&event, key).await.unwrap(), Some(bytes(value)));
    del(&later, key).await.unwrap();
    assert_eq!(get(&event, key).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_value_ends_with_its_time() {
    let host = host(|settings| settings.kv.ttl_default = Duration::from_mins(1));
    let event = host.event(config("c"), "w");
    set(&event, b"default", b"x", None).await.unwrap();
    set(&event, b"short", b"x", Some(1.0)).await.unwrap();
    set(&event, b"long", b"x", Some(2_592_000.0)).await.unwrap();
    for (seconds, left) in [(0, 3), (1, 2), (58, 2), (1, 1), (2_591_939, 1), (1, 0)] {
        tokio::time::advance(Duration::from_secs(seconds)).await;
        let mut found = 0;
        for key in [&b"default"[..], b"short", b"long"] {
            found += usize::from(get(&event, key).await.unwrap().is_some());
        }
        assert_eq!(found, left, "after {seconds}");
    }
}

#[tokio::test]
async fn bad_arguments_are_errors_that_another_attempt_would_meet_again() {
    let host = host(|_| {});
    let event = host.event(config("c"), "w");
    set(&event, &[0; 512], &vec![0; 65_536], Some(1.0)).await.unwrap();
    for error in [
        set(&event, &[0; 513], b"", None).await.unwrap_err(),
        set(&event, b"", b"", None).await.unwrap_err(),
        set(&event, b"k", &vec![0; 65_537], None).await.unwrap_err(),
        set(&event, b"k", b"", Some(0.5)).await.unwrap_err(),
        set(&event, b"k", b"", Some(f64::NAN)).await.unwrap_err(),
        get(&event, b"").await.unwrap_err(),
        get(&event, &[0; 513]).await.unwrap_err(),
        del(&event, b"").await.unwrap_err(),
    ] {
        assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleKv, false), "{}", error.message);
    }
    assert_eq!(get(&event, b"k").await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_quota_holds_to_the_byte_and_frees_what_is_over() {
    let host = host(|settings| settings.kv.quota_bytes = 20);
    let event = host.event(config("c"), "w");
    set(&event, b"a", &[0; 9], None).await.unwrap();
    set(&event, b"b", &[0; 9], Some(5.0)).await.unwrap();
    let error = set(&event, b"c", b"", None).await.unwrap_err();
    assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleKv, true));
    assert_eq!(error.message, "kv.set: the store would have 21 bytes of this config, and may have 20");
    assert!(!set(&event, b"c", &[0; 20], None).await.unwrap_err().retryable);
    // What was refused changed nothing; a value may be replaced within the quota; others have their own.
    assert_eq!(get(&event, b"b").await.unwrap(), Some(bytes([0; 9])));
    set(&event, b"a", &[1; 9], None).await.unwrap();
    set(&event, b"a", &[1; 10], None).await.unwrap_err();
    assert_eq!(get(&event, b"a").await.unwrap(), Some(bytes([1; 9])));
    set(&host.event(config("d"), "w"), b"a", &[0; 19], None).await.unwrap();
    tokio::time::advance(Duration::from_secs(5)).await;
    set(&event, b"c", &[0; 9], None).await.unwrap();
    del(&event, b"c").await.unwrap();
    set(&event, b"d", &[0; 9], None).await.unwrap();
}

#[tokio::test]
async fn an_event_may_make_a_hundred_calls_of_kv() {
    let host = host_with(|_| {});
    let event = host.event(config("c"), "w");
    for _ in 0..100 {
        get(&event, b"k").await.unwrap();
    }
    for error in [
        get(&event, b"k").await.unwrap_err(),
        set(&event, b"k", b"", None).await.unwrap_err(),
        del(&event, b"k").await.unwrap_err(),
    ] {
        assert_eq!((error.message.as_str(), error.retryable), ("kv: an event may make 100 calls", false));
    }
}

#[tokio::test]
async fn a_test_has_a_store_of_its_own() {
    let host = host(|_| {});
    let real = host.event(config("c"), "w");
    set(&real, b"k", b"real", None).await.unwrap();
    let given = HashMap::from([(bytes("given"), bytes("value"))]);
    let test = host.test_event(config("c"), given, HashMap::new());
    assert_eq!(get(&test, b"k").await.unwrap(), None);
    assert_eq!(get(&test, b"given").await.unwrap(), Some(bytes("value")));
    set(&test, b"k", b"test", None).await.unwrap();
    del(&test, b"given").await.unwrap();
    assert_eq!(get(&real, b"k").await.unwrap(), Some(bytes("real")));
    assert_eq!(get(&real, b"given").await.unwrap(), None);
}

/// A store that fails, or never answers.
#[derive(Debug)]
enum BadStore {
    Fails,
    Hangs,
}

impl BadStore {
    fn answer<T: Send + 'static>(&self) -> KvFuture<'static, T> {
        match self {
            BadStore::Fails => {
                Box::pin(std::future::ready(Err(KvError::Failed("redis://:hunter2@10.0.0.1".into()))))
            }
            BadStore::Hangs => Box::pin(std::future::pending()),
        }
    }
}

impl KvStore for BadStore {
    fn get<'a>(&'a self, _: &'a ConfigId, _: Bytes) -> KvFuture<'a, Option<Bytes>> {
        self.answer()
    }

    fn set<'a>(&'a self, _: &'a ConfigId, _: Bytes, _: Bytes, _: Duration, _: u64) -> KvFuture<'a, ()> {
        self.answer()
    }

    fn del<'a>(&'a self, _: &'a ConfigId, _: Bytes) -> KvFuture<'a, ()> {
        self.answer()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_hangs_is_worth_another_attempt() {
    for store in [BadStore::Fails, BadStore::Hangs] {
        let keys = Arc::new(Keyring::new(std::iter::empty::<(String, KeySource)>()));
        let host = ModuleHost::new(Settings::default(), Arc::new(store), keys).unwrap();
        let event = host.event(config("c"), "w");
        for error in [
            get(&event, b"k").await.unwrap_err(),
            set(&event, b"k", b"", None).await.unwrap_err(),
            del(&event, b"k").await.unwrap_err(),
        ] {
            assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleKv, true));
            assert_eq!(error.message, "kv: the store failed");
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Get(usize, u8),
    Set(usize, u8, usize, u64),
    Del(usize, u8),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..3usize, 0..5u8).prop_map(|(id, key)| Step::Get(id, key)),
        (0..3usize, 0..5u8, 0..40usize, 1..50u64)
            .prop_map(|(id, key, size, ttl)| Step::Set(id, key, size, ttl)),
        (0..3usize, 0..5u8).prop_map(|(id, key)| Step::Del(id, key)),
        (1..20u64).prop_map(Step::Wait),
    ]
}

/// Values with the second in which each ends, by config and key; and the time of now.
#[derive(Default)]
struct Model {
    entries: HashMap<(usize, u8), (Vec<u8>, u64)>,
    now: u64,
}

async fn check(event: &EventModules, model: &mut Model, step: Step, number: u8, quota: usize) {
    let now = model.now;
    model.entries.retain(|_, (_, until)| *until > now);
    match step {
        Step::Wait(seconds) => {
            model.now += seconds;
            tokio::time::advance(Duration::from_secs(seconds)).await;
        }
        Step::Get(id, key) => {
            let expected = model.entries.get(&(id, key)).map(|(value, _)| bytes(value));
            assert_eq!(get(event, &[key]).await.unwrap(), expected);
        }
        Step::Del(id, key) => {
            model.entries.remove(&(id, key));
            del(event, &[key]).await.unwrap();
        }
        Step::Set(id, key, size, ttl) => {
            let others = model.entries.iter().filter(|((of, other), _)| *of == id && *other != key);
            let used: usize = others.map(|(_, (value, _))| value.len() + 1).sum();
            let done = set(event, &[key], &vec![number; size], Some(ttl as f64)).await;
            assert_eq!(done.is_ok(), used + size < quota, "{used} and {size}: {done:?}");
            if done.is_ok() {
                model.entries.insert((id, key), (vec![number; size], now + ttl));
            }
        }
    }
}

proptest! {
    #[test]
    fn the_store_does_what_a_model_does(steps in proptest::collection::vec(step(), 1..200)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let quota = 100;
            let keys = Arc::new(Keyring::new(std::iter::empty::<(String, KeySource)>()));
            let mut settings = Settings::default();
            settings.kv.calls = 1_000_000;
            settings.kv.quota_bytes = quota as u64;
            let host = ModuleHost::new(settings, Arc::new(MemoryKv::new()), keys).unwrap();
            let events = ["a", "b", "a.b"].map(|id| host.event(config(id), "w"));
            let mut model = Model::default();
            for (number, step) in steps.into_iter().enumerate() {
                let id = match step {
                    Step::Get(id, _) | Step::Set(id, ..) | Step::Del(id, _) => id,
                    Step::Wait(_) => 0,
                };
                check(&events[id], &mut model, step, number as u8, quota).await;
            }
        });
    }
}
