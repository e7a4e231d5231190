//! Prints how hostile scripts end, and what a good event beside them notices: `cargo xtask engine bench
//! --hostile`. The scripts are those of the tests; the clock is the wall's, so the machine must have nothing
//! else to do.
#![allow(clippy::print_stdout, reason = "it prints figures")]

use bytes::Bytes;
use howk_contract::{
    EventInput, Headers, Metadata, ModuleCall, ModuleFuture, ModuleReply, Modules, ScriptHash,
};
use howk_sandbox::{Event, Outcome, Sandbox, Settings};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Running time that a script may have.
const LIMIT: Duration = Duration::from_millis(100);
/// Times that each script runs alone.
const RUNS: usize = 3;
/// Good events that are timed in a round, and rounds.
const GOOD: usize = 400;
const ROUNDS: usize = 6;
/// Hostile scripts that run at a time beside the good events.
const BESIDE: [usize; 4] = [0, 1, 2, 8];

const TRANSFORM: &str =
    "local data = json.decode(payload) data.enriched = true request.body = json.encode(data)";

/// Modules that answer at once.
#[derive(Debug)]
struct AtOnce;

impl Modules for AtOnce {
    fn call(&self, call: ModuleCall) -> ModuleFuture<'_> {
        Box::pin(async move {
            Ok(match call {
                ModuleCall::HttpGet { .. } => {
                    ModuleReply::Response { status_code: 200, headers: Vec::new(), body: Bytes::new() }
                }
                ModuleCall::Decrypt { .. } => ModuleReply::Bytes(Bytes::from_static(b"text")),
                _ => ModuleReply::Nil,
            })
        })
    }
}

struct Script {
    name: String,
    expected: String,
    source: String,
}

fn scripts() -> Vec<Script> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut scripts: Vec<Script> = std::fs::read_dir(folder)
        .expect("the scripts of the tests")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a script");
            let (first, _) = text.split_once('\n').expect("a line that says how it ends");
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Script { name, expected: first.trim_start_matches("-- ").into(), source: text.clone() }
        })
        .collect();
    scripts.sort_by(|a, b| a.name.cmp(&b.name));
    scripts
}

fn event(config: &str, source: &str) -> Event {
    let config_id: howk_contract::ConfigId = config.parse().expect("an id");
    Event {
        config_id: config_id.clone(),
        hash: ScriptHash::of(source),
        source: source.into(),
        input: EventInput {
            payload: br#"{"a":1,"list":[1,2,3],"text":"some text"}"#.to_vec().into(),
            headers: Headers::new(),
            metadata: Metadata {
                webhook_id: "01HZX3".into(),
                config_id,
                attempt: 0,
                max_attempts: 20,
                created_at: "2026-11-28T01:02:03Z".parse().expect("a time"),
            },
            previous_error: None,
        },
        modules: Arc::new(AtOnce),
    }
}

fn percentile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * part) as usize]
}

/// Milliseconds that each script takes, and the worst of them.
async fn alone(sandbox: &Sandbox, scripts: &[Script]) {
    let mut rows: Vec<(f64, f64, &str, &str)> = Vec::new();
    for script in scripts {
        sandbox.prepare(&script.source).await;
        let (mut wall, mut cpu) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let began = Instant::now();
            let Outcome::Done(report) = sandbox.run(event("hostile", &script.source)).await else {
                panic!("deferred")
            };
            wall.push(began.elapsed().as_secs_f64() * 1e3);
            cpu.push(report.cpu.as_secs_f64() * 1e3);
        }
        rows.push((percentile(&mut wall, 0.5), percentile(&mut cpu, 0.5), &script.name, &script.expected));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let limit = LIMIT.as_secs_f64() * 1e3;
    let late = rows.iter().filter(|row| row.0 > limit + 15.0).count();
    println!("{} scripts, limit {limit} ms; {late} end later than 15 ms after it. The slowest:", rows.len());
    for (wall, cpu, name, expected) in rows.iter().take(8) {
        println!("  {name:32} {expected:22} {wall:7.1} ms, of which it ran {cpu:7.1}");
    }
}

/// Milliseconds of good events, while so many hostile scripts run at a time, each in a config of its own.
async fn beside(sandbox: &Sandbox, scripts: &Arc<Vec<Script>>, count: usize, round: usize) -> Vec<f64> {
    let stop = Arc::new(AtomicBool::new(false));
    let hostile: Vec<_> = (0..count)
        .map(|stream| {
            let (sandbox, scripts, stop) = (sandbox.clone(), Arc::clone(scripts), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut next = round * 29 + stream * 17;
                while !stop.load(Ordering::Relaxed) {
                    let script = &scripts[next % scripts.len()];
                    drop(sandbox.run(event(&format!("hostile{stream}"), &script.source)).await);
                    next += 1;
                }
            })
        })
        .collect();
    let good = event("good", TRANSFORM);
    let mut times = Vec::with_capacity(GOOD);
    for _ in 0..GOOD {
        let began = Instant::now();
        let Outcome::Done(report) = sandbox.run(good.clone()).await else { panic!("deferred") };
        report.result.expect("the good script succeeds");
        times.push(began.elapsed().as_secs_f64() * 1e3);
        // Events do not come one upon the other.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for stream in hostile {
        stream.await.expect("a stream of hostile scripts");
    }
    times
}

#[tokio::main]
async fn main() {
    let settings = Settings { timeout: LIMIT, total_memory_bytes: 4 << 30, ..Settings::default() };
    let sandbox = Sandbox::new(settings).expect("a sandbox");
    let scripts = Arc::new(scripts());
    alone(&sandbox, &scripts).await;
    println!("\na good event, {} threads    p50        p99", settings.threads);
    let mut times: Vec<Vec<f64>> = BESIDE.iter().map(|_| Vec::new()).collect();
    for round in 0..ROUNDS {
        for (at, count) in BESIDE.iter().enumerate() {
            times[at].extend(beside(&sandbox, &scripts, *count, round).await);
        }
    }
    for (count, times) in BESIDE.iter().zip(&mut times) {
        let (middle, late) = (percentile(times, 0.5), percentile(times, 0.99));
        println!("  beside {count} hostile scripts   {middle:6.2} ms   {late:6.2} ms");
    }
    let counters = sandbox.counters();
    println!(
        "ended by the outer fences: {}",
        counters.fence_deadline + counters.fence_memory + counters.traps
    );
}
