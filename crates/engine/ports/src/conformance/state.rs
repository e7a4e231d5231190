//! Promises of a state.

use super::{Dice, SubjectFuture, comes};
use crate::{KvSet, State};
use bytes::Bytes;
use howk_contract::ConfigId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Makes the states that are checked.
pub trait StateSubject: Sync {
    /// A state without entries.
    fn fresh(&self) -> SubjectFuture<'_, Arc<dyn State>>;

    /// Lets time pass for the states.
    fn pass(&self, time: Duration) -> SubjectFuture<'_, ()>;
}

/// Checks a state.
///
/// # Panics
/// It does not keep a promise.
pub async fn state(subject: &dyn StateSubject) {
    what_is_set_is_there_until_it_is_deleted(subject).await;
    what_has_a_time_ends_with_it(subject).await;
    one_of_many_exchanges_wins(subject).await;
    keys_are_scanned_in_order(subject).await;
    a_quota_holds_to_the_byte(subject).await;
    random_programs_follow_the_model(subject).await;
}

const LONG: Duration = Duration::from_secs(1_000_000);

fn bytes(text: &[u8]) -> Bytes {
    Bytes::copy_from_slice(text)
}

fn config(id: &str) -> ConfigId {
    id.parse().expect("a config id")
}

async fn get(state: &dyn State, key: &[u8]) -> Option<Bytes> {
    comes("a value", state.get(bytes(key))).await.expect("a value")
}

async fn set(state: &dyn State, key: &[u8], value: &[u8], ttl: Option<Duration>) {
    comes("a write", state.set(bytes(key), bytes(value), ttl)).await.expect("a write");
}

async fn what_is_set_is_there_until_it_is_deleted(subject: &dyn StateSubject) {
    let state = &*subject.fresh().await;
    let (all, long): (Vec<u8>, _) = ((0..=255).collect(), vec![7; 100_000]);
    for key in [&b"a"[..], b"\0", &all, "status:ä".as_bytes()] {
        assert_eq!(get(state, key).await, None);
        for value in [&b"1"[..], b"", &all, &long] {
            set(state, key, value, None).await;
            assert_eq!(get(state, key).await.as_deref(), Some(value));
        }
        assert!(comes("a deletion", state.delete(bytes(key))).await.expect("a deletion"));
        assert!(!comes("a deletion", state.delete(bytes(key))).await.expect("a deletion"));
        assert_eq!(get(state, key).await, None);
    }
}

async fn what_has_a_time_ends_with_it(subject: &dyn StateSubject) {
    let state = &*subject.fresh().await;
    let second = Duration::from_secs(1);
    set(state, b"short", b"1", Some(second)).await;
    set(state, b"long", b"1", Some(100 * second)).await;
    set(state, b"kept", b"1", Some(second)).await;
    set(state, b"kept", b"2", None).await;
    assert_eq!(get(state, b"short").await.as_deref(), Some(&b"1"[..]));
    subject.pass(second + Duration::from_millis(300)).await;
    assert_eq!(get(state, b"short").await, None);
    assert_eq!(get(state, b"long").await.as_deref(), Some(&b"1"[..]));
    assert_eq!(get(state, b"kept").await.as_deref(), Some(&b"2"[..]));
    let keys = comes("a scan", state.scan(Bytes::new(), None, 10)).await.expect("a scan");
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(!comes("a deletion", state.delete(bytes(b"short"))).await.expect("a deletion"));
    let exchanged = state.compare_and_set(bytes(b"short"), None, Some(bytes(b"3")), None).await;
    assert!(exchanged.expect("an exchange"), "what has expired is no value");
}

async fn one_of_many_exchanges_wins(subject: &dyn StateSubject) {
    let state = subject.fresh().await;
    let exchange = |expected: Option<&[u8]>, value: Option<&[u8]>| {
        let (expected, value) = (expected.map(bytes), value.map(bytes));
        let state = Arc::clone(&state);
        async move { state.compare_and_set(bytes(b"k"), expected, value, None).await.expect("an exchange") }
    };
    assert!(!exchange(Some(b"x"), Some(b"y")).await);
    assert!(exchange(None, Some(b"0")).await);
    assert!(!exchange(None, Some(b"1")).await);
    assert!(exchange(Some(b"0"), None).await);
    assert_eq!(get(&*state, b"k").await, None);
    assert!(exchange(None, None).await);
    for round in 0..5 {
        let expected = get(&*state, b"k").await;
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let value = format!("{round}-{n}");
                tokio::spawn(exchange(expected.as_deref(), Some(value.as_bytes())))
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            won += u32::from(comes("an exchange", task).await.expect("an exchange"));
        }
        assert_eq!(won, 1);
    }
}

async fn keys_are_scanned_in_order(subject: &dyn StateSubject) {
    let state = &*subject.fresh().await;
    for key in [&b"p:\xff\xff"[..], b"p:b", b"q", b"p:a", b"p;", b"p:", b"o", b"p:\xff", b"p:a\0"] {
        set(state, key, key, None).await;
    }
    let expected = [&b"p:"[..], b"p:a", b"p:a\0", b"p:b", b"p:\xff", b"p:\xff\xff"];
    for page in [1, 2, 5, 6, 100] {
        let (mut keys, mut after) = (Vec::new(), None);
        loop {
            let some = comes("a scan", state.scan(bytes(b"p:"), after.clone(), page)).await.expect("a scan");
            assert!(some.len() <= page && some.iter().all(|(key, value)| key == value));
            let is_last = some.len() < page;
            keys.extend(some.into_iter().map(|(key, _)| key));
            after = keys.last().cloned();
            if is_last {
                break;
            }
        }
        assert_eq!(keys, expected);
    }
    let high = comes("a scan", state.scan(bytes(b"\xff"), None, 9)).await.expect("a scan");
    assert_eq!(high, []);
}

async fn a_quota_holds_to_the_byte(subject: &dyn StateSubject) {
    let state = &*subject.fresh().await;
    let (one, two) = (config("one"), config("on"));
    let put = |config: &ConfigId, key: &'static [u8], value: &'static [u8], ttl: Duration, quota: u64| {
        let config = config.clone();
        async move {
            comes("a write", state.kv_set(&config, key, bytes(value), ttl, quota)).await.expect("a write")
        }
    };
    let used = |config: &ConfigId| {
        let config = config.clone();
        async move { comes("a usage", state.kv_usage(&config)).await.expect("a usage") }
    };
    assert_eq!(used(&one).await, 0);
    assert_eq!(put(&one, b"k", b"12345", LONG, 1000).await, KvSet::Stored);
    let size = used(&one).await;
    assert!((6..200).contains(&size), "{size}");
    assert_eq!(put(&one, b"k", b"123456", LONG, size).await, KvSet::OverQuota { needed: size + 1 });
    assert_eq!(get(state, b"lua:kv:one:k").await.as_deref(), Some(&b"12345"[..]));
    assert_eq!(put(&one, b"k", b"54321", LONG, size).await, KvSet::Stored);
    assert_eq!(put(&two, b"k", b"x", LONG, 1000).await, KvSet::Stored);
    assert_eq!(used(&one).await, size, "another's entry was counted");
    let second = Duration::from_secs(1);
    assert_eq!(put(&one, b"s", b"12345", second, 2 * size).await, KvSet::Stored);
    assert_eq!(put(&one, b"t", b"12345", LONG, 2 * size).await, KvSet::OverQuota { needed: 3 * size });
    subject.pass(second + Duration::from_millis(300)).await;
    assert_eq!(put(&one, b"t", b"12345", LONG, 2 * size).await, KvSet::Stored, "what has expired counts");
    assert_eq!(comes("a value", state.kv_get(&one, b"k")).await.expect("a value"), Some(bytes(b"54321")));
    assert!(comes("a deletion", state.kv_delete(&one, b"k")).await.expect("a deletion"));
    assert_eq!(comes("a value", state.kv_get(&two, b"k")).await.expect("a value"), Some(bytes(b"x")));
    assert_eq!(used(&one).await, size);
    assert!(comes("a deletion", state.kv_delete(&one, b"t")).await.expect("a deletion"));
    assert_eq!(used(&one).await, 0);
}

async fn random_programs_follow_the_model(subject: &dyn StateSubject) {
    let state = &*subject.fresh().await;
    let (mut dice, mut model) = (Dice(3), BTreeMap::<Bytes, Bytes>::new());
    let (owner, quota) = (config("c"), 400);
    let size = |model: &BTreeMap<Bytes, Bytes>| -> usize {
        let mine = model.iter().filter(|(key, _)| key.starts_with(b"lua:kv:c:"));
        mine.map(|(key, value)| key.len() + value.len()).sum()
    };
    let exact = {
        // Where keys are counted with more than their bytes, the quota alone is checked.
        comes("a write", state.kv_set(&owner, b"0", bytes(b"1"), LONG, 1000)).await.expect("a write");
        let counted = comes("a usage", state.kv_usage(&owner)).await.expect("a usage");
        comes("a deletion", state.kv_delete(&owner, b"0")).await.expect("a deletion");
        counted == "lua:kv:c:01".len() as u64
    };
    for _ in 0..400 {
        let short = dice.roll(12).to_string();
        let key = crate::kv_key(&owner, short.as_bytes());
        let value = bytes(&vec![b'v'; dice.roll(60) as usize]);
        match dice.roll(6) {
            0 | 1 if exact => {
                let mut then = model.clone();
                then.insert(key, value.clone());
                let done = state.kv_set(&owner, short.as_bytes(), value, LONG, quota).await.expect("a write");
                if size(&then) as u64 > quota {
                    assert_eq!(done, KvSet::OverQuota { needed: size(&then) as u64 });
                } else {
                    assert_eq!(done, KvSet::Stored);
                    model = then;
                }
            }
            2 => {
                state.set(key.clone(), value.clone(), None).await.expect("a write");
                model.insert(key, value);
            }
            3 => {
                let was_there = state.delete(key.clone()).await.expect("a deletion");
                assert_eq!(was_there, model.remove(&key).is_some());
            }
            4 => {
                let expected = model.get(&key).cloned().filter(|_| dice.roll(2) == 0);
                let fits = model.get(&key) == expected.as_ref();
                let next = Some(value.clone()).filter(|_| dice.roll(3) > 0);
                let exchanged = state.compare_and_set(key.clone(), expected, next.clone(), None).await;
                assert_eq!(exchanged.expect("an exchange"), fits);
                if fits {
                    match next {
                        Some(value) => model.insert(key, value),
                        None => model.remove(&key),
                    };
                }
            }
            _ => assert_eq!(state.get(key.clone()).await.expect("a value"), model.get(&key).cloned()),
        }
        if exact {
            let counted = state.kv_usage(&owner).await.expect("a usage");
            assert_eq!(counted, size(&model) as u64);
        }
    }
    let all = comes("a scan", state.scan(Bytes::new(), None, 1000)).await.expect("a scan");
    assert_eq!(all, model.into_iter().collect::<Vec<_>>());
}
