//! Promises of a log.

use super::{Dice, SubjectFuture, comes, stays_away};
use crate::{Append, Consumer, Delivery, Log, Position, Record, Tail, TailEvent, TailScope, Topic};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Makes the logs that are checked.
pub trait LogSubject: Sync {
    /// A log without records.
    fn fresh(&self) -> SubjectFuture<'_, Arc<dyn Log>>;

    /// Ends a log as roughly as can be, and opens what it leaves behind; none where nothing is left by
    /// nature.
    fn reopen(&self, log: Arc<dyn Log>) -> SubjectFuture<'_, Option<Arc<dyn Log>>>;
}

/// Checks a log.
///
/// # Panics
/// It does not keep a promise.
pub async fn log(subject: &dyn LogSubject) {
    readers_hear_everything_and_when_they_have_caught_up(subject).await;
    any_bytes_come_back(subject).await;
    each_group_gets_each_record(subject).await;
    few_records_are_open(subject).await;
    the_lowest_unfinished_record_is_kept(subject).await;
    what_is_dropped_comes_again(subject).await;
    a_call_that_is_dropped_loses_nothing(subject).await;
    the_last_record_of_a_key_stays(subject).await;
    readers_share_partitions(subject).await;
    appends_beside_each_other_keep_their_order(subject).await;
    a_record_can_be_read_again(subject).await;
    what_was_acknowledged_is_there_again(subject).await;
    for seed in 0..8 {
        random_programs_lose_nothing(subject, seed).await;
    }
}

fn text(topic: Topic, key: &str, value: impl std::fmt::Display) -> Append {
    Append::new(topic, key, value.to_string())
}

async fn append(log: &dyn Log, records: Vec<Append>) -> Vec<Position> {
    comes("an append", log.append(records)).await.expect("an append")
}

async fn subscribe(log: &dyn Log, group: &str, in_flight: usize) -> Box<dyn Consumer> {
    comes("a consumer", log.subscribe(Topic::Pending, group, in_flight)).await.expect("a consumer")
}

async fn take(consumer: &mut dyn Consumer) -> Delivery {
    comes("a delivery", consumer.next()).await.expect("a delivery")
}

fn value_of(record: &Record) -> String {
    String::from_utf8(record.value.clone().expect("a value").to_vec()).expect("a text")
}

async fn tail(log: &dyn Log, topic: Topic) -> Box<dyn Tail> {
    comes("a reader", log.tail(topic, TailScope::All)).await.expect("a reader")
}

/// Everything that is told until the end is reached.
async fn read_all(tail: &mut dyn Tail) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        match comes("an event", tail.next()).await.expect("an event") {
            TailEvent::Record(record) => records.push(record),
            TailEvent::CaughtUp { .. } => return records,
            TailEvent::Lost { .. } => panic!("nobody else reads here"),
        }
    }
}

/// Waits until a group has finished everything.
async fn wait_for_no_lag(log: &dyn Log, group: &str) {
    let none = async {
        while log.lag(Topic::Pending, group).await.expect("a lag") > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    comes("the end of the lag", none).await;
}

async fn readers_hear_everything_and_when_they_have_caught_up(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    for topic in Topic::ALL {
        let mut early = tail(&*log, topic).await;
        assert_eq!(read_all(&mut *early).await, [], "{topic} is empty");
        assert!(append(&*log, Vec::new()).await.is_empty());
        let first = append(&*log, vec![text(topic, "a", 1), text(topic, "b", 2)]).await;
        let second = append(&*log, vec![text(topic, "c", 3)]).await;
        let mut late = tail(&*log, topic).await;
        let told = read_all(&mut *late).await;
        assert_eq!(told.iter().map(value_of).collect::<Vec<_>>(), ["1", "2", "3"]);
        assert_eq!(told.iter().map(|record| record.position).collect::<Vec<_>>(), [first, second].concat());
        let mut heard = Vec::new();
        while heard.len() < 3 {
            heard.extend(read_all(&mut *early).await);
        }
        assert_eq!(heard, told);
        assert!(stays_away(early.next()).await, "the end was told twice");
        let ends = comes("ends", log.ends(topic)).await.expect("ends");
        for record in &told {
            let end =
                ends.iter().find(|end| end.partition == record.position.partition).expect("its partition");
            assert!(end.offset > record.position.offset);
        }
    }
}

async fn any_bytes_come_back(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    let all: Vec<u8> = (0..=255).collect();
    let long = vec![b'x'; 300_000];
    let values: [&[u8]; 5] = [b"", &all, b"\0", "ä\0ö".as_bytes(), &long];
    for value in values {
        let value = Bytes::copy_from_slice(value);
        append(&*log, vec![Append::new(Topic::DeadLetter, "kä:\u{7f}", value)]).await;
    }
    append(&*log, vec![Append::tombstone(Topic::DeadLetter, "")]).await;
    let told = read_all(&mut *tail(&*log, Topic::DeadLetter).await).await;
    assert_eq!(told.len(), 6);
    for (record, value) in told.iter().zip(values) {
        assert_eq!((&*record.key, record.value.as_deref()), ("kä:\u{7f}", Some(value)));
    }
    assert_eq!((&*told[5].key, &told[5].value), ("", &None));
}

async fn each_group_gets_each_record(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    append(&*log, (0..10).map(|n| text(Topic::Pending, &n.to_string(), n)).collect()).await;
    // Both have joined before anything is finished: what all groups have finished may be gone.
    let (one, two) = (subscribe(&*log, "one", 100).await, subscribe(&*log, "two", 100).await);
    for (group, mut consumer) in [("one", one), ("two", two)] {
        let mut seen = BTreeSet::new();
        for _ in 0..10 {
            let delivery = take(&mut *consumer).await;
            assert!(seen.insert(value_of(delivery.record())), "given out twice");
            delivery.finish();
        }
        assert!(stays_away(consumer.next()).await);
        wait_for_no_lag(&*log, group).await;
    }
}

async fn few_records_are_open(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    append(&*log, (0..5).map(|n| text(Topic::Pending, "same", n)).collect()).await;
    let mut consumer = subscribe(&*log, "g", 2).await;
    let (first, second) = (take(&mut *consumer).await, take(&mut *consumer).await);
    assert!(stays_away(consumer.next()).await, "a third record is open");
    second.finish();
    let third = take(&mut *consumer).await;
    assert!(stays_away(consumer.next()).await);
    assert_eq!((value_of(first.record()), value_of(third.record())), ("0".into(), "2".into()));
    assert!(comes("a lag", log.lag(Topic::Pending, "g")).await.expect("a lag") >= 4);
}

async fn the_lowest_unfinished_record_is_kept(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    append(&*log, (0..4).map(|n| text(Topic::Pending, "same", n)).collect()).await;
    let mut consumer = subscribe(&*log, "g", 10).await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(take(&mut *consumer).await);
    }
    let kept = open.remove(1);
    open.into_iter().rev().for_each(Delivery::finish);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let Some(log) = subject.reopen(log).await else { return };
    drop((kept, consumer));
    let mut consumer = subscribe(&*log, "g", 10).await;
    let mut seen = BTreeSet::new();
    while !seen.contains("1") {
        let delivery = take(&mut *consumer).await;
        seen.insert(value_of(delivery.record()));
        delivery.finish();
    }
    while log.lag(Topic::Pending, "g").await.expect("a lag") > 0 {
        if let Ok(delivery) = tokio::time::timeout(Duration::from_millis(50), consumer.next()).await {
            delivery.expect("a delivery").finish();
        }
    }
    drop(consumer);
    let Some(log) = subject.reopen(log).await else { return };
    let mut consumer = subscribe(&*log, "g", 10).await;
    assert!(stays_away(consumer.next()).await, "a finished record came again");
}

async fn what_is_dropped_comes_again(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    append(&*log, (0..3).map(|n| text(Topic::Pending, "same", n)).collect()).await;
    let mut consumer = subscribe(&*log, "g", 3).await;
    let (first, second) = (take(&mut *consumer).await, take(&mut *consumer).await);
    drop(first);
    second.finish();
    let mut seen = Vec::new();
    for _ in 0..2 {
        let delivery = take(&mut *consumer).await;
        seen.push(value_of(delivery.record()));
        delivery.finish();
    }
    seen.sort();
    assert_eq!(seen, ["0", "2"]);
    append(&*log, vec![text(Topic::Pending, "same", 3)]).await;
    let open = take(&mut *consumer).await;
    drop(consumer);
    drop(open);
    let mut next = subscribe(&*log, "g", 3).await;
    let delivery = take(&mut *next).await;
    assert_eq!(value_of(delivery.record()), "3");
    delivery.finish();
    wait_for_no_lag(&*log, "g").await;
}

async fn a_call_that_is_dropped_loses_nothing(subject: &dyn LogSubject) {
    const COUNT: usize = 200;
    let log = subject.fresh().await;
    let (mut consumer, mut reader) = (subscribe(&*log, "g", COUNT).await, tail(&*log, Topic::Pending).await);
    let writer = Arc::clone(&log);
    let writing = tokio::spawn(async move {
        for n in 0..COUNT {
            append(&*writer, vec![text(Topic::Pending, &n.to_string(), n)]).await;
        }
    });
    let (mut consumed, mut read) = (BTreeSet::new(), BTreeSet::new());
    let mut dice = Dice(1);
    let all = async {
        while consumed.len() < COUNT || read.len() < COUNT {
            let patience = Duration::from_micros(dice.roll(300));
            if let Ok(delivery) = tokio::time::timeout(patience, consumer.next()).await {
                let delivery = delivery.expect("a delivery");
                assert!(consumed.insert(value_of(delivery.record())), "given out twice");
                delivery.finish();
            }
            if let Ok(event) = tokio::time::timeout(patience, reader.next()).await
                && let TailEvent::Record(record) = event.expect("an event")
            {
                assert!(read.insert(value_of(&record)), "told twice");
            }
            tokio::task::yield_now().await;
        }
    };
    comes("every record", all).await;
    comes("the writer's end", writing).await.expect("the writer");
}

/// Reads what a reader knows of the keys of a topic.
async fn keys(log: &dyn Log, topic: Topic) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for record in read_all(&mut *tail(log, topic).await).await {
        match &record.value {
            Some(_) => known.insert(record.key.to_string(), value_of(&record)),
            None => known.remove(&*record.key),
        };
    }
    known
}

async fn the_last_record_of_a_key_stays(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    let mut dice = Dice(2);
    for topic in [Topic::Scripts, Topic::Retries] {
        let mut model = BTreeMap::new();
        for n in 0..200 {
            let key = dice.roll(10).to_string();
            if dice.roll(4) == 0 {
                append(&*log, vec![Append::tombstone(topic, key.as_str())]).await;
                model.remove(&key);
            } else {
                append(&*log, vec![text(topic, &key, n)]).await;
                model.insert(key, n.to_string());
            }
        }
        assert_eq!(keys(&*log, topic).await, model);
    }
    let before = keys(&*log, Topic::Retries).await;
    if let Some(log) = subject.reopen(log).await {
        assert_eq!(keys(&*log, Topic::Retries).await, before);
    }
}

async fn readers_share_partitions(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    append(&*log, (0..20).map(|n| text(Topic::Retries, &n.to_string(), n)).collect()).await;
    let scope = TailScope::Share("g".into());
    let join = || async { log.tail(Topic::Retries, scope.clone()).await.expect("a reader") };
    let (mut one, mut two) = (join().await, join().await);
    let mut seen: BTreeMap<String, u8> = BTreeMap::new();
    let all = async {
        while seen.len() < 20 {
            let event = tokio::select! {
                event = one.next() => (1, event),
                event = two.next() => (2, event),
            };
            if let (member, Ok(TailEvent::Record(record))) = event {
                let before = seen.insert(value_of(&record), member);
                assert_eq!(before, None, "a partition has two owners");
            }
        }
    };
    comes("every record", all).await;
    // What one owned is read by the other from its beginning.
    let owned: BTreeSet<_> =
        seen.iter().filter(|(_, member)| **member == 1).map(|(value, _)| value.clone()).collect();
    drop(one);
    let mut again = BTreeSet::new();
    let rest = async {
        while !owned.is_subset(&again) {
            if let TailEvent::Record(record) = two.next().await.expect("an event") {
                again.insert(value_of(&record));
            }
        }
    };
    comes("the other's records", rest).await;
}

async fn appends_beside_each_other_keep_their_order(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    let writers: Vec<_> = (0..16)
        .map(|writer| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for n in 0..25 {
                    append(&*log, vec![text(Topic::Results, &format!("k{writer}"), n)]).await;
                }
            })
        })
        .collect();
    for writer in writers {
        comes("a writer's end", writer).await.expect("a writer");
    }
    let mut heard: BTreeMap<Arc<str>, Vec<String>> = BTreeMap::new();
    for record in read_all(&mut *tail(&*log, Topic::Results).await).await {
        heard.entry(Arc::clone(&record.key)).or_default().push(value_of(&record));
    }
    let order: Vec<_> = (0..25).map(|n: i32| n.to_string()).collect();
    assert_eq!(heard.len(), 16);
    assert!(heard.values().all(|values| *values == order), "{heard:?}");
}

async fn a_record_can_be_read_again(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    append(&*log, (0..50).map(|n| text(Topic::Retries, &n.to_string(), n)).collect()).await;
    let mut reader = tail(&*log, Topic::Retries).await;
    for record in read_all(&mut *reader).await {
        let again = comes("a record", reader.read(record.position)).await.expect("a record");
        assert_eq!(again, Some(record));
    }
}

async fn what_was_acknowledged_is_there_again(subject: &dyn LogSubject) {
    let log = subject.fresh().await;
    let before = append(&*log, (0..10).map(|n| text(Topic::Pending, "same", n)).collect()).await;
    let mut consumer = subscribe(&*log, "g", 100).await;
    for _ in 0..10 {
        take(&mut *consumer).await.finish();
    }
    wait_for_no_lag(&*log, "g").await;
    drop(consumer);
    let Some(log) = subject.reopen(log).await else { return };
    let after = append(&*log, vec![text(Topic::Pending, "same", 10)]).await;
    assert!(after[0].offset > before[9].offset, "an offset was used twice");
    let mut consumer = subscribe(&*log, "g", 100).await;
    assert_eq!(value_of(take(&mut *consumer).await.record()), "10");
}

/// Appends, takes, finishes, drops and crashes at random: in the end each record was finished, and none that
/// was noted as finished came again.
async fn random_programs_lose_nothing(subject: &dyn LogSubject, seed: u64) {
    let (mut dice, mut log) = (Dice(seed), subject.fresh().await);
    let mut consumer = subscribe(&*log, "g", 8).await;
    let (mut appended, mut finished, mut noted) = (0_u32, BTreeSet::new(), BTreeSet::new());
    let mut open = Vec::new();
    for _ in 0..150 {
        match dice.roll(20) {
            0..6 => {
                let count = 1 + dice.roll(4) as u32;
                let records = (appended..appended + count).map(|n| text(Topic::Pending, &n.to_string(), n));
                append(&*log, records.collect()).await;
                appended += count;
            }
            6..13 => {
                let soon = tokio::time::timeout(Duration::from_millis(5), consumer.next()).await;
                let Ok(delivery) = soon.map(|delivery| delivery.expect("a delivery")) else { continue };
                let value = value_of(delivery.record());
                assert!(!noted.contains(&value), "seed {seed}: {value} came again");
                open.push(delivery);
            }
            13..18 if !open.is_empty() => {
                let delivery = open.swap_remove(dice.roll(open.len() as u64) as usize);
                finished.insert(value_of(delivery.record()));
                delivery.finish();
            }
            18 if !open.is_empty() => drop(open.swap_remove(dice.roll(open.len() as u64) as usize)),
            19 if dice.roll(3) == 0 => {
                if open.is_empty() && log.lag(Topic::Pending, "g").await.expect("a lag") == 0 {
                    noted.extend((0..appended).map(|n| n.to_string()));
                }
                let Some(next) = subject.reopen(log).await else { return };
                open.clear();
                log = next;
                consumer = subscribe(&*log, "g", 8).await;
            }
            _ => {}
        }
    }
    open.clear();
    let all = async {
        while log.lag(Topic::Pending, "g").await.expect("a lag") > 0 {
            if let Ok(delivery) = tokio::time::timeout(Duration::from_millis(20), consumer.next()).await {
                let delivery = delivery.expect("a delivery");
                finished.insert(value_of(delivery.record()));
                delivery.finish();
            }
        }
    };
    comes("the end", all).await;
    assert_eq!(finished, (0..appended).map(|n| n.to_string()).collect(), "seed {seed}");
}
