//! Crashes: at each append of a webhook's story, and at random under load. Whatever was acknowledged ends as
//! delivered or as a dead letter, and nothing waits for nobody.

use crate::faults::{Death, Fate, Mortal};
use crate::support::{Dice, Folder, World, comes, config, json, records, settings, step, webhook};
use howk::loader::{IfMatch, PutScript};
use howk::pipeline::{EnqueueRequest, Pipeline, PipelineSettings, RetrySettings, Roles};
use howk::worker::GROUP;
use howk_ports::{Embedded, EmbeddedSettings, Log, Topic};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn open(world: &World, path: &Path) -> Embedded {
    Embedded::open(path, EmbeddedSettings::default(), world.clock.clone()).unwrap()
}

/// A process: its store and its pipeline.
struct Process {
    store: Embedded,
    pipeline: Pipeline,
    fate: Arc<Fate>,
}

impl Process {
    fn start(world: &World, path: &Path, fate: Arc<Fate>, settings: PipelineSettings) -> Self {
        let store = open(world, path);
        let log = Arc::new(Mortal::new(store.clone(), &fate));
        let state = Arc::new(Mortal::new(store.clone(), &fate));
        let pipeline = Pipeline::new(world.parts(log, state), settings);
        pipeline.start(Roles::ALL);
        Process { store, pipeline, fate }
    }

    /// Waits for scripts, unless death is sooner.
    async fn is_ready(&self) -> bool {
        let ready = async {
            while !self.pipeline.scripts().is_caught_up() {
                step().await;
            }
        };
        tokio::select! {
            () = self.fate.death() => false,
            () = comes("the scripts", ready) => true,
        }
    }

    /// True if nothing waits: all of `howk.pending` is finished, and all stories of `howk.retries` have
    /// ended.
    async fn is_idle(&self) -> bool {
        if self.store.lag(Topic::Pending, GROUP).await.unwrap() > 0 {
            return false;
        }
        records(&self.store, Topic::Retries).await.iter().all(|record| record.value.is_none())
            && self.store.lag(Topic::Pending, GROUP).await.unwrap() == 0
    }

    /// Runs until nothing waits, or death.
    async fn run(&self, world: &World) -> bool {
        let idle = async {
            while !self.is_idle().await {
                world.clock.advance(Duration::from_secs(2));
                step().await;
            }
        };
        tokio::select! {
            () = self.fate.death() => false,
            () = comes("the end of all stories", idle) => true,
        }
    }

    /// The end of the process: nothing of it happens any more.
    async fn end(self) {
        self.store.kill().await;
        self.pipeline.stop(Duration::ZERO).await;
        drop(self.pipeline);
        drop(self.store);
    }
}

fn never() -> Arc<Fate> {
    Fate::new(Death::Before, u32::MAX)
}

fn few_attempts() -> PipelineSettings {
    let retry = RetrySettings { max_attempts: 3, ..RetrySettings::default() };
    PipelineSettings { retry, ..settings() }
}

/// Counts by webhook, of the results, and of the dead letters that were not replayed.
async fn ends(store: &Embedded) -> (BTreeMap<String, u32>, BTreeMap<String, u32>) {
    let count = async |topic| {
        let mut ids = BTreeMap::new();
        for record in records(store, topic).await {
            if record.value.is_some() {
                *ids.entry(record.key.to_string()).or_default() += 1;
            }
        }
        ids
    };
    (count(Topic::Results).await, count(Topic::DeadLetter).await)
}

/// Stories: the script, the endpoint, and whether it arrives.
const STORIES: [(&str, &str, bool); 6] = [
    ("mark", "scripted/ok", true),
    ("mark", "scripted/flaky/2", true),
    ("mark", "scripted/status/503", false),
    ("mark", "scripted/status/404", false),
    ("fail", "scripted/ok", false),
    ("defer 2", "scripted/flaky/1", true),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_any_append_loses_no_webhook() {
    for (script, path, arrives) in STORIES {
        for death in [Death::Before, Death::Within, Death::After] {
            let mut at = 0;
            while crash_at(script, path, arrives, death, at).await {
                at += 1;
            }
            assert!(at >= 2, "{script} {path}: {at} appends");
        }
    }
}

/// Runs a story with a death at one append; false if the story has fewer.
async fn crash_at(script: &str, path: &str, arrives: bool, death: Death, at: u32) -> bool {
    let (world, folder) = (World::new(), Folder::new());
    let file = folder.path().join("howk.db");
    let process = Process::start(&world, &file, Fate::new(death, at), few_attempts());
    let put = |source: &str| PutScript {
        config_id: config("c"),
        lua_code: source.into(),
        version: None,
        if_match: IfMatch::Always,
    };
    let mut acknowledged = None;
    let mut died = !process.is_ready().await;
    if !died {
        let (scripts, queue) = (process.pipeline.scripts().clone(), process.pipeline.queue().clone());
        let accept = async {
            scripts.put(put(script)).await.unwrap();
            queue.enqueue(webhook("c", path)).await.unwrap().webhook_id
        };
        tokio::select! {
            () = process.fate.death() => died = true,
            id = comes("an acknowledgement", accept) => acknowledged = Some(id),
        }
    }
    if !died {
        died = !process.run(&world).await;
    }
    process.end().await;
    let process = Process::start(&world, &file, never(), few_attempts());
    assert!(process.is_ready().await);
    assert!(process.run(&world).await);
    let (results, letters) = ends(&process.store).await;
    let story = format!("{script} {path} {death:?} {at}");
    if let Some(id) = acknowledged {
        let here = if arrives { &results } else { &letters };
        assert!(here.contains_key(&id), "{story}: {id} is lost");
    }
    // One that was not acknowledged may be there all the same; it has come to its end then.
    assert!(results.len() + letters.len() <= 1, "{story}");
    assert!(!world.endpoints.raw.load(Ordering::Relaxed), "{story}");
    process.end().await;
    died
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_while_a_dead_letter_is_replayed_loses_it_not() {
    for death in [Death::Before, Death::Within, Death::After] {
        for at in 0..4 {
            let (world, folder) = (World::new(), Folder::new());
            let file = folder.path().join("howk.db");
            let process = Process::start(&world, &file, never(), few_attempts());
            assert!(process.is_ready().await);
            let id = process.pipeline.queue().enqueue(webhook("c", "status/404")).await.unwrap().webhook_id;
            assert!(process.run(&world).await);
            process.end().await;
            let process = Process::start(&world, &file, Fate::new(death, at), few_attempts());
            assert!(process.is_ready().await);
            let letters = process.pipeline.dead_letters().clone();
            let replay = async {
                while letters.config_of(&id).is_none() {
                    step().await;
                }
                letters.replay(&id).await.unwrap();
            };
            tokio::select! {
                () = process.fate.death() => {}
                () = comes("a replay", replay) => {}
            }
            process.run(&world).await;
            process.end().await;
            let process = Process::start(&world, &file, never(), few_attempts());
            assert!(process.is_ready().await);
            assert!(process.run(&world).await);
            // The last record is a dead letter: as it was, or as it has become again.
            let letters = records(&process.store, Topic::DeadLetter).await;
            let last = letters.iter().rfind(|record| *record.key == *id).unwrap();
            assert_eq!(json(last)["webhook"]["webhook_id"], id, "{death:?} {at}");
            process.end().await;
        }
    }
}

/// A webhook of the model: what it must become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    Delivered,
    Dead,
}

fn random_request(dice: &mut Dice) -> (EnqueueRequest, Becomes) {
    let (id, path, becomes) = match dice.roll(12) {
        0..4 => ("plain", "ok", Becomes::Delivered),
        4 => ("plain", "flaky/1", Becomes::Delivered),
        5 => ("plain", "status/503", Becomes::Dead),
        6 => ("plain", "status/410", Becomes::Dead),
        7 => ("marks", "scripted/ok", Becomes::Delivered),
        8 => ("marks", "scripted/flaky/2", Becomes::Delivered),
        9 => ("fails", "scripted/ok", Becomes::Dead),
        10 => ("defers", "scripted/ok", Becomes::Delivered),
        _ => ("kvs", "scripted/ok", Becomes::Delivered),
    };
    (webhook(id, path), becomes)
}

/// Thousands of webhooks, a dozen crashes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_crashes_lose_no_webhook() {
    for seed in 0..2 {
        random_crashes(seed, 1500).await;
    }
}

async fn random_crashes(seed: u64, count: usize) {
    let (world, folder, mut dice) = (World::new(), Folder::new(), Dice(seed));
    let file = folder.path().join("howk.db");
    let acknowledged = Mutex::new(BTreeMap::new());
    let mut deaths = 0;
    // The scripts first, by a process that ends well.
    let process = Process::start(&world, &file, never(), few_attempts());
    assert!(process.is_ready().await);
    for (id, source) in [("marks", "mark"), ("fails", "fail"), ("defers", "defer 1"), ("kvs", "kv 1")] {
        let (config_id, lua_code) = (config(id), source.into());
        let put = PutScript { config_id, lua_code, version: None, if_match: IfMatch::Always };
        process.pipeline.scripts().put(put).await.unwrap();
    }
    process.end().await;
    while acknowledged.lock().unwrap().len() < count {
        let death = [Death::Before, Death::Within, Death::After][dice.roll(3) as usize];
        let at = dice.roll(400) as u32;
        let process = Process::start(&world, &file, Fate::new(death, at), few_attempts());
        if process.is_ready().await {
            let queue = process.pipeline.queue().clone();
            let load = async {
                while acknowledged.lock().unwrap().len() < count {
                    let (requests, becomes): (Vec<_>, Vec<_>) =
                        (0..=dice.roll(20)).map(|_| random_request(&mut dice)).unzip();
                    // What is acknowledged counts, also when the process dies before the others are.
                    let answers = requests.into_iter().zip(becomes).map(async |(request, becomes)| {
                        let id = queue.enqueue(request).await.unwrap().webhook_id;
                        acknowledged.lock().unwrap().insert(id, becomes);
                    });
                    futures_util::future::join_all(answers).await;
                    world.clock.advance(Duration::from_millis(dice.roll(3000)));
                    if dice.roll(2) == 0 {
                        step().await;
                    }
                }
            };
            tokio::select! {
                () = process.fate.death() => deaths += 1,
                () = comes("the load", load) => {}
            }
        }
        process.end().await;
    }
    // And some more, while only old work is done.
    for _ in 0..5 {
        let process =
            Process::start(&world, &file, Fate::new(Death::After, dice.roll(100) as u32), few_attempts());
        let idle = process.run(&world).await;
        deaths += u32::from(!idle);
        process.end().await;
    }
    let process = Process::start(&world, &file, never(), few_attempts());
    assert!(process.run(&world).await);
    let (results, letters) = ends(&process.store).await;
    let accepted = acknowledged.into_inner().unwrap();
    let mut twice = 0;
    for (id, becomes) in &accepted {
        let (delivered, dead) =
            (results.get(id).copied().unwrap_or(0), letters.get(id).copied().unwrap_or(0));
        let fits = match becomes {
            Becomes::Delivered => delivered >= 1 && dead == 0,
            Becomes::Dead => dead >= 1 && delivered == 0,
        };
        assert!(fits, "seed {seed}: {id} should be {becomes:?}: {delivered} results, {dead} dead letters");
        twice += u32::from(delivered + dead > 1);
    }
    let ids: BTreeSet<_> = results.keys().chain(letters.keys()).collect();
    assert!(ids.len() >= accepted.len());
    assert!(deaths > 3, "seed {seed}: {deaths} deaths");
    // A crash repeats what was open, and no more.
    assert!(twice as usize <= accepted.len() / 2, "seed {seed}: {twice} of {} twice", accepted.len());
    assert!(!world.endpoints.raw.load(Ordering::Relaxed));
    process.end().await;
}
