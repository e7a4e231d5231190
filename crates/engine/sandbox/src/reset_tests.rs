//! Tests that no byte of an event is seen by the next one in its slot, however the first one has ended.

use crate::sandbox::{Sandbox, Shared};
use crate::settings::{PAGE_BYTES, Settings};
use crate::{Event, Fence, Outcome};
use howk_contract::{
    EventInput, Headers, Metadata, ModuleCall, ModuleFuture, ModuleReply, Modules, ScriptHash,
};
use std::sync::Arc;
use std::time::Duration;

/// Answer behind which the memory of the VM is overwritten, as a fault of the guest might do: what runs next
/// there traps.
pub(crate) const BREAKS: &[u8] = b"\0breaks";

/// Overwrites the memory behind the stack if the answer is [`BREAKS`].
pub(crate) fn break_memory(answer: Option<&ModuleReply>, memory: &mut [u8]) {
    if matches!(answer, Some(ModuleReply::Bytes(bytes)) if bytes == BREAKS) {
        memory[192 * 1024..].fill(0xEE);
    }
}

/// Modules whose keys are ways to end.
#[derive(Debug)]
struct Ends;

impl Modules for Ends {
    fn call(&self, call: ModuleCall) -> ModuleFuture<'_> {
        Box::pin(async move {
            match call {
                ModuleCall::KvGet { key } if &key[..] == b"waits" => std::future::pending().await,
                ModuleCall::KvGet { key } if &key[..] == b"panics" => panic!("a fault of the host"),
                ModuleCall::KvGet { key } if &key[..] == b"breaks" => Ok(ModuleReply::Bytes(BREAKS.into())),
                _ => Ok(ModuleReply::Nil),
            }
        })
    }
}

/// Fills the memory with a mark that only the payload has, to the last page, and then ends in some way.
const FILL: &str = "local t = {} \
    while true do \
      local ok, s = pcall(string.rep, payload, 4096) \
      if not ok then break end \
      t[#t + 1] = s \
    end \
    for n = 11, 0, -1 do while pcall(function() t[#t + 1] = payload:rep(1 << n) .. #t end) do end end \
    t = #t > 100 and { t[1], t[#t] } ";

pub(crate) fn event(source: String) -> Event {
    let input = EventInput {
        // A run of its own bytes: no pointer, no code, no length.
        payload: vec![0xA7; 64].into(),
        headers: Headers::new(),
        metadata: Metadata {
            webhook_id: "w".into(),
            config_id: "c".parse().unwrap(),
            attempt: 0,
            max_attempts: 1,
            created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
        },
        previous_error: None,
    };
    Event {
        config_id: input.metadata.config_id.clone(),
        hash: ScriptHash::of(&source),
        source: source.into(),
        input,
        modules: Arc::new(Ends),
    }
}

/// The address of a new VM's memory. Fails if it is not the base's, or not zeros in the pages that it may
/// grow by.
async fn clean_slot(shared: &Shared) -> usize {
    let mut vm = shared.new_vm().await;
    let base_bytes = shared.machine().base().len();
    assert!(vm.memory_data() == shared.machine().base(), "the memory of a new VM is not the base's");
    let more = (shared.settings().memory_bytes - base_bytes) / PAGE_BYTES;
    vm.grow(more as u64);
    let grown = &vm.memory_data()[base_bytes..];
    assert_eq!(grown.len(), more * PAGE_BYTES);
    let dirty = grown.iter().position(|byte| *byte != 0);
    assert_eq!(dirty, None, "memory that a new VM has grown by is not zeros");
    vm.memory_data().as_ptr().addr()
}

pub(crate) fn sandbox(settings: Settings) -> Sandbox {
    Sandbox::new(Settings {
        memory_bytes: 8 << 20,
        total_memory_bytes: 64 << 20,
        max_concurrent: 1,
        threads: 1,
        ..settings
    })
    .unwrap()
}

fn check(sandbox: &Sandbox, ways: &[(&str, &str)]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shared = sandbox.shared();
    let mut same_slots = 0;
    for (way, end) in ways {
        runtime.block_on(async {
            let before = clean_slot(shared).await;
            let event = event(format!("{FILL} {end}"));
            let outcome = if *way == "dropped" {
                tokio::time::timeout(Duration::from_secs(3), sandbox.run(event)).await.ok()
            } else {
                Some(sandbox.run(event).await)
            };
            let found = match &outcome {
                None => "dropped",
                Some(Outcome::Deferred) => "deferred",
                Some(Outcome::Done(report)) => {
                    assert_eq!(report.memory_bytes.max(8 << 20), 8 << 20, "{way}");
                    report.result.as_ref().map_or_else(|error| error.error_type.as_str(), |_| "ok")
                }
            };
            let filled = matches!(&outcome, Some(Outcome::Done(report)) if report.memory_bytes == 8 << 20);
            assert!(
                filled
                    || !matches!(found, "ok" | "script_runtime_error" | "script_memory_limit")
                    || matches!(*way, "panic" | "trap"),
                "{way} {found}"
            );
            assert_eq!(
                found,
                way.split(' ')
                    .next()
                    .unwrap()
                    .replace("panic", "script_runtime_error")
                    .replace("trap", "script_runtime_error"),
                "{outcome:?}"
            );
            // What was dropped may take a moment to go.
            while shared.slots_in_use() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            same_slots += usize::from(clean_slot(shared).await == before);
        });
    }
    assert!(same_slots > 0, "no event was followed by another in the same slot");
}

#[test]
fn nothing_is_left_after_an_event() {
    let settings = Settings {
        timeout: Duration::from_secs(20),
        wall_timeout: Duration::from_secs(20),
        ..Settings::default()
    };
    let ways = [
        ("ok", "request.body = 'x'"),
        ("script_runtime_error", "t = nil error('x')"),
        ("script_memory_limit", "local u = {} while true do u[#u + 1] = payload .. #u end"),
        ("panic", "t = nil kv.get('panics')"),
        ("trap", "t = nil kv.get('breaks')"),
        ("dropped", "t = nil kv.get('waits')"),
        ("ok", ""),
    ];
    let sandbox = sandbox(settings);
    check(&sandbox, &ways);
    assert_eq!((sandbox.counters().traps, sandbox.counters().panics), (1, 1));
}

#[test]
fn a_trap_of_the_module_ends_one_event() {
    let sandbox = sandbox(Settings {
        timeout: Duration::from_secs(20),
        wall_timeout: Duration::from_secs(20),
        ..Settings::default()
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |source: &str| match runtime.block_on(sandbox.run(event(source.into()))) {
        Outcome::Done(report) => report,
        Outcome::Deferred => panic!("deferred"),
    };
    for n in 1..=3 {
        let report = run("local x = 1 kv.get('breaks') request.body = 'not here'");
        let error = report.result.unwrap_err();
        assert_eq!((error.error_type, report.fence), (howk_contract::ErrorType::Runtime, Some(Fence::Trap)));
        assert!(error.message.starts_with("the engine has failed: wasm trap: "), "{}", error.message);
        assert!(!error.retryable && report.memory_bytes > 0 && report.fuel > 0, "{n}");
        assert_eq!(sandbox.counters().traps, n);
        assert_eq!(run("request.body = 'well'").result.unwrap().body.unwrap(), "well");
    }
}

#[test]
fn nothing_is_left_after_a_time_limit() {
    let settings = Settings {
        timeout: Duration::from_millis(1500),
        wall_timeout: Duration::from_secs(4),
        ..Settings::default()
    };
    let ways = [
        ("script_timeout running", "while true do end"),
        ("script_timeout waiting", "t = nil kv.get('waits')"),
    ];
    check(&sandbox(settings), &ways);
    check(&sandbox(Settings { inner_limits: false, ..settings }), &ways[..1]);
}
