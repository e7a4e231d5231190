//! The file of the embedded store: kills, full disks, files of others, what is removed.

use howk_ports::embedded::OpenError;
use howk_ports::{
    Append, Embedded, EmbeddedSettings, Log, PortError, State, SystemClock, TailEvent, TailScope, TestClock,
    Topic,
};
use rusqlite::Connection;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use howk_testing::Folder;

/// The variable by which this test program knows that it is to write until it is killed.
const WRITER: &str = "HOWK_TEST_WRITER";

fn open(path: &Path, settings: EmbeddedSettings) -> Result<Embedded, OpenError> {
    Embedded::open(path, settings, Arc::new(SystemClock::new()))
}

fn text(topic: Topic, key: &str, value: impl std::fmt::Display) -> Append {
    Append::new(topic, key, value.to_string())
}

async fn read_all(log: &Embedded, topic: Topic) -> Vec<(String, Option<String>)> {
    let mut tail = log.tail(topic, TailScope::All).await.unwrap();
    let mut all = Vec::new();
    loop {
        match tail.next().await.unwrap() {
            TailEvent::Record(record) => {
                let value = record.value.map(|value| String::from_utf8(value.to_vec()).unwrap());
                all.push((record.key.to_string(), value));
            }
            _ => return all,
        }
    }
}

/// Runs as the program that the next test kills; by itself it is no test. It appends, takes and finishes, and
/// says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writer() {
    let Ok(path) = std::env::var(WRITER) else { return };
    let log = open(&PathBuf::from(path), EmbeddedSettings::default()).unwrap();
    let say = |word: &str, value: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{word} {value}").unwrap();
        out.flush().unwrap();
    };
    let writers = (0..4).map(|writer| {
        let log = log.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let value = format!("{}-{writer}-{n}", std::process::id());
                log.append(vec![text(Topic::Pending, &value, &value)]).await.unwrap();
                say("appended", &value);
            }
        })
    });
    let _writers: Vec<_> = writers.collect();
    let mut consumer = log.subscribe(Topic::Pending, "g", 10).await.unwrap();
    loop {
        let delivery = consumer.next().await.unwrap();
        let key = delivery.record().key.to_string();
        log.append(vec![text(Topic::Results, &key, &key)]).await.unwrap();
        say("finished", &key);
        delivery.finish();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_has_lost_nothing_that_it_acknowledged() {
    let folder = Folder::new();
    let path = folder.path().join("howk.db");
    let (mut appended, mut finished) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..4_usize {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env(WRITER, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut take = |line: String| match line.split_once(' ') {
            Some(("appended", value)) => appended.insert(value.to_owned()),
            Some(("finished", value)) => finished.insert(value.to_owned()),
            _ => false,
        };
        for _ in 0..150 + 37 * round {
            take(lines.next().expect("the writer goes on").unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        lines.map_while(Result::ok).for_each(|line| {
            take(line);
        });
    }
    assert!(appended.len() > 50 && finished.len() > 50);
    let log = open(&path, EmbeddedSettings::default()).unwrap();
    let results: BTreeSet<_> = read_all(&log, Topic::Results).await.into_iter().map(|(key, _)| key).collect();
    assert!(finished.is_subset(&results));
    // What is not finished comes again.
    let mut consumer = log.subscribe(Topic::Pending, "g", 100_000).await.unwrap();
    let mut again = BTreeSet::new();
    while log.lag(Topic::Pending, "g").await.unwrap() > 0 {
        // Nothing comes while the last ones are being noted.
        if let Ok(delivery) = tokio::time::timeout(Duration::from_millis(50), consumer.next()).await {
            let delivery = delivery.unwrap();
            again.insert(delivery.record().key.to_string());
            delivery.finish();
        }
    }
    let lost: Vec<_> =
        appended.iter().filter(|key| !results.contains(*key) && !again.contains(*key)).collect();
    assert_eq!(lost, [""; 0]);
}

#[tokio::test]
async fn files_of_others_are_refused_and_stay_as_they_are() {
    let folder = Folder::new();
    let file = |name: &str| folder.path().join(name);
    let connection = Connection::open(file("other.db")).unwrap();
    connection.execute_batch("CREATE TABLE t (x); PRAGMA user_version = 1").unwrap();
    drop(connection);
    let before = std::fs::read(file("other.db")).unwrap();
    assert!(matches!(open(&file("other.db"), EmbeddedSettings::default()), Err(OpenError::NotOurs(_))));
    assert_eq!(std::fs::read(file("other.db")).unwrap(), before);

    drop(open(&file("newer.db"), EmbeddedSettings::default()).unwrap());
    Connection::open(file("newer.db")).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    let error = open(&file("newer.db"), EmbeddedSettings::default()).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 2, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("version 2"), "{error}");

    std::fs::write(file("text.db"), "This is no database, and it is longer than a header. ".repeat(100))
        .unwrap();
    assert!(matches!(open(&file("text.db"), EmbeddedSettings::default()), Err(OpenError::Database(_))));
    let error = open(&file("no/folder.db"), EmbeddedSettings::default()).unwrap_err();
    assert!(matches!(error, OpenError::File { .. }), "{error}");
}

#[tokio::test]
async fn one_process_has_a_file_at_a_time() {
    let folder = Folder::new();
    let path = folder.path().join("howk.db");
    let store = open(&path, EmbeddedSettings::default()).unwrap();
    assert!(matches!(open(&path, EmbeddedSettings::default()), Err(OpenError::InUse(_))));
    let waiting = store.clone();
    let mut tail = waiting.tail(Topic::Results, TailScope::All).await.unwrap();
    tail.next().await.unwrap();
    let waiting = tokio::spawn(async move { tail.next().await });
    store.close().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err(), PortError::Closed);
    assert_eq!(store.append(vec![text(Topic::Results, "k", 1)]).await, Err(PortError::Closed));
    assert_eq!(State::get(&store, "k".into()).await, Err(PortError::Closed));
    open(&path, EmbeddedSettings::default()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_loses_nothing() {
    let folder = Folder::new();
    let settings = EmbeddedSettings { max_bytes: Some(2 << 20), ..EmbeddedSettings::default() };
    let log = open(&folder.path().join("howk.db"), settings).unwrap();
    let body = "x".repeat(20_000);
    let mut taken = Vec::new();
    let refused = loop {
        let key = taken.len().to_string();
        match log.append(vec![text(Topic::Pending, &key, &body).new_work()]).await {
            Ok(_) => taken.push(key),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, PortError::Full(_)) && refused.is_transient(), "{refused}");
    assert!(taken.len() > 50, "{}", taken.len());
    // What finishes old work has room when new work has none.
    log.append(vec![text(Topic::Results, "r", 1)]).await.unwrap();
    log.set("k".into(), "v".into(), None).await.unwrap();
    // Until there is none at all; many at once are each answered for themselves.
    let huge = text(Topic::Results, "huge", "y".repeat(3 << 20));
    let (huge, small) = tokio::join!(
        log.append(vec![text(Topic::Results, "first", 1), huge]),
        log.append(vec![text(Topic::Results, "small", 1)])
    );
    assert!(matches!(huge, Err(PortError::Full(_))), "{huge:?}");
    small.unwrap();
    let results: Vec<_> = read_all(&log, Topic::Results).await.into_iter().map(|(key, _)| key).collect();
    assert_eq!(results, ["r", "small"]);
    assert_eq!(read_all(&log, Topic::Pending).await.len(), taken.len());
    // Results make room first.
    log.tidy().await.unwrap();
    assert_eq!(read_all(&log, Topic::Results).await, []);
    assert_eq!(read_all(&log, Topic::Pending).await.len(), taken.len());
    // Finished, webhooks do.
    let mut consumer = log.subscribe(Topic::Pending, "g", 10_000).await.unwrap();
    for key in &taken {
        let delivery = consumer.next().await.unwrap();
        assert_eq!(&*delivery.record().key, key);
        delivery.finish();
    }
    log.tidy().await.unwrap();
    log.append(vec![text(Topic::Pending, "new", &body).new_work()]).await.unwrap();
    assert_eq!(read_all(&log, Topic::Pending).await.len(), 1);
}

#[tokio::test]
async fn a_record_may_be_too_large() {
    let clock = Arc::new(SystemClock::new());
    let settings = EmbeddedSettings { max_value_bytes: 10, ..EmbeddedSettings::default() };
    let log = Embedded::in_memory(settings, clock).unwrap();
    let too_large = PortError::TooLarge { what: "a record", bytes: 11, limit: 10 };
    let two = vec![text(Topic::Results, "a", 1), text(Topic::Results, "b", "12345678901")];
    assert_eq!(log.append(two).await, Err(too_large));
    log.append(vec![text(Topic::Results, "b", "1234567890")]).await.unwrap();
    assert_eq!(read_all(&log, Topic::Results).await.len(), 1);
    assert!(log.set("k".into(), "12345678901".into(), None).await.is_err());
}

#[tokio::test]
async fn what_nobody_needs_is_removed() {
    let folder = Folder::new();
    let path = folder.path().join("howk.db");
    let clock = Arc::new(TestClock::new("2026-01-02T03:04:05Z".parse().unwrap()));
    let log = Embedded::open(&path, EmbeddedSettings::default(), clock.clone()).unwrap();
    for n in 0..700 {
        let key = n.to_string();
        let mut records = vec![text(Topic::Results, &key, n), text(Topic::DeadLetter, &key, n)];
        records.push(Append::tombstone(Topic::Retries, key.as_str()));
        log.append(records).await.unwrap();
    }
    log.set("short".into(), "v".into(), Some(Duration::from_secs(1))).await.unwrap();
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM \"{table}\"");
        Connection::open(&path).unwrap().query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    let reader = log.tail(Topic::Retries, TailScope::All).await.unwrap();
    log.tidy().await.unwrap();
    assert_eq!(["howk.results", "howk.deadletter", "howk.retries", "state"].map(count), [700, 700, 700, 1]);
    drop(reader);
    // A clock that jumps ages nothing.
    clock.jump("2036-01-01T00:00:00Z".parse().unwrap());
    log.tidy().await.unwrap();
    assert_eq!(["howk.results", "howk.deadletter", "howk.retries", "state"].map(count), [700, 700, 0, 1]);
    clock.advance(Duration::from_hours(8 * 24));
    log.tidy().await.unwrap();
    assert_eq!(["howk.results", "howk.deadletter", "state"].map(count), [0, 700, 0]);
    clock.advance(Duration::from_hours(23 * 24));
    log.tidy().await.unwrap();
    assert_eq!(count("howk.deadletter"), 0);
}

#[tokio::test]
async fn operators_can_read_the_file_while_it_is_used() {
    let folder = Folder::new();
    let path = folder.path().join("howk.db");
    let log = open(&path, EmbeddedSettings::default()).unwrap();
    let json = r#"{"reason":"exhausted"}"#;
    log.append(vec![text(Topic::DeadLetter, "01J", json)]).await.unwrap();
    log.set("status:01J".into(), "x".into(), None).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    let sql = r#"SELECT json_extract(value, '$.reason') FROM "howk.deadletter" WHERE key = '01J'"#;
    let reason: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(reason, "exhausted");
    let sql = "SELECT value FROM state_text WHERE key LIKE 'status:%'";
    let value: String = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(value, "x");
}
