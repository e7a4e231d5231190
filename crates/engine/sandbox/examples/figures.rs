//! Prints what an event costs, as multiples of `serde_json` doing the same natively: `cargo xtask engine
//! bench`. All numbers are medians of this one run; what is compared runs by turns.
#![allow(clippy::print_stdout, reason = "it prints figures")]

use bytes::Bytes;
use futures_util::future::join_all;
use howk_contract::{
    EventInput, Headers, Metadata, ModuleCall, ModuleFuture, ModuleReply, Modules, ScriptHash,
};
use howk_sandbox::{Event, Outcome, Sandbox, Settings};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The transform: decode, set a field, encode, a header.
const TRANSFORM: &str = "local json = require('json')\nlocal data = json.decode(payload)\ndata.enriched = true\n\
    request.body = json.encode(data)\nrequest.headers['X-Config'] = metadata.config_id\n";

const ROUNDS: usize = 60;
const PER_ROUND: usize = 50;
/// VMs that are alive at a time, for their memory.
const LIVE: u32 = 100;

/// Modules that answer at once, and a key that waits.
#[derive(Debug)]
struct Instant {
    arrived: Semaphore,
    open: Semaphore,
}

impl Modules for Instant {
    fn call(&self, call: ModuleCall) -> ModuleFuture<'_> {
        Box::pin(async move {
            if matches!(&call, ModuleCall::KvGet { key } if &key[..] == b"gate") {
                self.arrived.add_permits(1);
                let _ = self.open.acquire().await;
            }
            Ok(ModuleReply::Bytes(Bytes::from_static(b"value")))
        })
    }
}

/// An order of 1.3 KB.
fn payload() -> Vec<u8> {
    let item = |i: u32| {
        let price = 9.99 + f64::from(i) * 1.25;
        serde_json::json!({ "sku": format!("SKU-{:05}", i * 37), "name": format!("Item number {i}"), "qty": i + 1,
            "price": price, "tags": ["a", "b"] })
    };
    let order = serde_json::json!({ "id": "ord_01HZX3", "type": "order.created", "created": 1_732_795_200,
        "customer": { "id": 42, "name": "Ada Lovelace", "email": "ada@example.com",
            "address": { "street": "12 St James Sq", "city": "London", "zip": "SW1Y" } },
        "items": (0..12).map(item).collect::<Vec<_>>(), "total": 312.75, "currency": "EUR", "note": null, "paid": true });
    order.to_string().into_bytes()
}

fn event(source: &str, payload: &[u8], modules: &Arc<Instant>) -> Event {
    let mut headers = Headers::new();
    for (name, value) in
        [("Content-Type", "application/json"), ("User-Agent", "client/1"), ("X-Request-Id", "abc")]
    {
        headers.set(name.as_bytes(), value.as_bytes()).expect("a header");
    }
    Event {
        config_id: "cfg".parse().expect("an id"),
        hash: ScriptHash::of(source),
        source: source.into(),
        input: EventInput {
            payload: payload.to_vec().into(),
            headers,
            metadata: Metadata {
                webhook_id: "01HZX3".into(),
                config_id: "cfg".parse().expect("an id"),
                attempt: 0,
                max_attempts: 20,
                created_at: "2026-11-28T01:02:03Z".parse().expect("a time"),
            },
            previous_error: None,
        },
        modules: modules.clone(),
    }
}

/// Thread time, in microseconds.
fn thread_us() -> f64 {
    clock_us(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Time of all threads, in microseconds.
fn process_us() -> f64 {
    clock_us(libc::CLOCK_PROCESS_CPUTIME_ID)
}

#[expect(clippy::cast_precision_loss, reason = "2^53 nanoseconds are a hundred days")]
fn clock_us(clock: libc::clockid_t) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one `timespec`, which is a local of ours.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Microseconds of each of some events, one after another.
async fn events(sandbox: &Sandbox, event: &Event, count: usize) -> Vec<f64> {
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let Outcome::Done(report) = sandbox.run(event.clone()).await else { panic!("deferred") };
        report.result.expect("the script succeeds");
        times.push(report.cpu.as_secs_f64() * 1e6);
    }
    times
}

/// Microseconds that `serde_json` takes for the same.
fn native(payload: &[u8]) -> f64 {
    let began = thread_us();
    let mut value: serde_json::Value = serde_json::from_slice(payload).expect("JSON");
    value["enriched"] = true.into();
    std::hint::black_box(serde_json::to_vec(&value).expect("JSON"));
    thread_us() - began
}

/// Bytes of private memory of this process.
fn private_bytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let of = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(f64::NAN)
    };
    (of("Private_Dirty:") + of("Private_Clean:")) * 1024.0
}

fn sandbox(change: impl FnOnce(&mut Settings)) -> Sandbox {
    let mut settings = Settings { timeout: Duration::from_secs(5), threads: 1, ..Settings::default() };
    change(&mut settings);
    Sandbox::new(settings).expect("a sandbox")
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let began = std::time::Instant::now();
    let plain = sandbox(|_| {});
    println!("a sandbox starts in {:.2} s", began.elapsed().as_secs_f64());
    // What is compared with an event has a pool of its own, as the others have.
    let other = sandbox(|_| {});
    let no_epoch = sandbox(|settings| settings.epoch = false);
    let scanned = sandbox(|settings| settings.pagemap_scan = true);
    let two = sandbox(|settings| settings.threads = 2);
    let payload = payload();
    let modules = Arc::new(Instant { arrived: Semaphore::new(0), open: Semaphore::new(0) });
    let transform = event(TRANSFORM, &payload, &modules);
    let empty = event("request.body = nil", &payload, &modules);
    let calls = event("for i = 1, 1000 do kv.get('k') end", &payload, &modules);
    let no_calls = event("local f = tostring for i = 1, 1000 do f('k') end", &payload, &modules);

    let mut all: [Vec<f64>; 9] = Default::default();
    let [floor, fresh, wake, nothing, without, scan, asked, idle, whole] = &mut all;
    let compared = [&plain, &no_epoch, &scanned];
    for round in 0..ROUNDS {
        floor.extend((0..PER_ROUND).map(|_| native(&payload)));
        // Whoever comes after the others finds other caches: each is the first as often.
        for turn in 0..compared.len() {
            let which = (round + turn) % compared.len();
            let before = process_us();
            let times = events(compared[which], &transform, PER_ROUND).await;
            let in_all = (process_us() - before) / PER_ROUND as f64;
            match which {
                0 => {
                    fresh.extend(times);
                    whole.push(in_all);
                }
                1 => without.extend(times),
                _ => scan.extend(times),
            }
        }
        for _ in 0..PER_ROUND {
            wake.push(other.wake_only(TRANSFORM).await.map_or(f64::NAN, |time| time.as_secs_f64() * 1e6));
        }
        nothing.extend(events(&other, &empty, PER_ROUND).await);
        asked.extend(events(&other, &calls, 4).await);
        idle.extend(events(&other, &no_calls, 4).await);
    }
    let [floor, fresh, wake, nothing, without, scan, asked, idle, whole] = all.map(median);
    println!("serde_json, natively                  {floor:8.1} us");
    let row = |name: &str, us: f64| println!("{name:37} {us:8.1} us  {:6.2} x", us / floor);
    row("an event, fresh VM", fresh);
    row("  with all that the process does for it", whole);
    row("an event whose script does nothing", nothing);
    row("waking and dropping", wake);
    row("an event without the epoch", without);
    row("an event with pagemap_scan", scan);
    println!("the epoch costs                       {:8.1} %", (fresh / without - 1.0) * 100.0);
    println!("memset / pagemap_scan                 {:8.2}", fresh / scan);
    println!("a call of a module                    {:8.2} us", (asked - idle) / 1000.0);

    let streams = async |sandbox: &Sandbox| {
        let streams = (0..4).map(|_| events(sandbox, &transform, 500));
        median(join_all(streams).await.concat())
    };
    let (mut one_thread, mut two_threads) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        one_thread.push(streams(&plain).await);
        two_threads.push(streams(&two).await);
    }
    println!("an event with two threads / with one  {:8.2}", median(two_threads) / median(one_thread));

    // Live VMs, each in the middle of its event.
    let held = event(&format!("{TRANSFORM} kv.get('gate')"), &payload, &modules);
    events(&plain, &empty, 10).await;
    let before = private_bytes();
    let run = async {
        let held: Vec<_> = (0..LIVE).map(|_| plain.run(held.clone())).collect();
        join_all(held).await
    };
    let look = async {
        let _ = modules.arrived.acquire_many(LIVE).await;
        let bytes = private_bytes() - before;
        modules.open.add_permits(LIVE as usize);
        bytes
    };
    let (outcomes, bytes) = tokio::join!(run, look);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Done(report) if report.result.is_ok())));
    println!("private memory of a live VM           {:8.0} KB", bytes / f64::from(LIVE) / 1024.0);
}
