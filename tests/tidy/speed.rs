//! Speed: no test depends on how fast the machine is.
//!
//! None compares times, and none lets some time go by and then expects that something has happened. Tests
//! count (turns of the event loop, records, ticks of fuel), turn a clock by hand (`ManualClock` in
//! web/test/time.ts, a `Host` with a clock of its own), or wait for the event itself (`until`). Measurements
//! belong in `bench/`.
use super::{File, files};

/// Calls that read a clock, or let time go by.
const WORDS: &[&str] = &[
    "performance.now()",
    "Date.now()",
    "hrtime",
    "longtask",
    "setTimeout(",
    "setInterval(",
    "pause(",
    "sleep(",
    "waitForTimeout(",
    "Instant::now",
    "SystemTime::now",
    "elapsed()",
    "recv_timeout(",
    "wait_timeout(",
];

/// Reason: nothing must happen in this time. A slower machine sees less of it, and fails no more often.
const NOTHING_HAPPENS: &str = "nothing happens meanwhile";
/// Reason: what comes next is right at any moment; what must have happened before it was waited for.
const ANY_MOMENT: &str = "any moment is right";
/// Reason: the test waits for what the timer does, however long that takes.
const AWAITED: &str = "is waited for";
/// Reason: the safety net for what hangs, `HANG_MS`.
const HANGS: &str = "ends what hangs";
/// Reason: no time is measured, and none is waited for.
const NO_CLOCK: &str = "measures nothing";

/// Places where such a call is right: the file, the call, how often it is there, and the reason.
const ALLOWED: &[(&str, &str, usize, &str)] = &[
    ("crates/engine/howk/tests/pipeline/support.rs", "sleep(", 2, AWAITED),
    ("crates/engine/modules/tests/modules/crypto.rs", "sleep(", 1, AWAITED),
    ("crates/engine/modules/tests/modules/hostile.rs", "sleep(", 1, AWAITED),
    ("crates/engine/modules/tests/modules/http_cache.rs", "sleep(", 2, AWAITED),
    ("crates/engine/sandbox/src/machine.rs", "sleep(", 1, NO_CLOCK),
    ("crates/engine/sandbox/tests/isolation.rs", "sleep(", 1, ANY_MOMENT),
    ("crates/engine/sandbox/tests/support/mod.rs", "sleep(", 1, AWAITED),
    ("tests/functions.rs", "sleep(", 1, NO_CLOCK),
    ("tests/guest/guest.test.mjs", "performance.now()", 1, NO_CLOCK),
    ("web/e2e/browser.ts", "Date.now()", 1, NO_CLOCK),
    ("web/e2e/crash.test.ts", "pause(", 2, ANY_MOMENT),
    ("web/e2e/crash_page.ts", "setTimeout(", 1, ANY_MOMENT),
    ("web/e2e/demo_living.test.ts", "waitForTimeout(", 4, NOTHING_HAPPENS),
    ("web/e2e/indexeddb.test.ts", "pause(", 4, ANY_MOMENT),
    ("web/e2e/indexeddb.test.ts", "setTimeout(", 1, NO_CLOCK),
    ("web/e2e/refusals.test.ts", "setTimeout(", 1, AWAITED),
    ("web/e2e/resume.test.ts", "pause(", 3, ANY_MOMENT),
    ("web/e2e/resume.test.ts", "performance.now()", 1, NO_CLOCK),
    ("web/e2e/resume.test.ts", "setTimeout(", 4, AWAITED),
    ("web/e2e/resume_page.ts", "setTimeout(", 1, ANY_MOMENT),
    ("web/e2e/storage.test.ts", "setTimeout(", 5, AWAITED),
    ("web/test/async.test.ts", "setTimeout(", 2, AWAITED),
    ("web/test/file_follow.test.ts", "pause(", 3, NOTHING_HAPPENS),
    ("web/test/file_kill.test.ts", "pause(", 2, ANY_MOMENT),
    ("web/test/file_lock.test.ts", "Date.now()", 1, NO_CLOCK),
    ("web/test/file_lock.test.ts", "pause(", 1, ANY_MOMENT),
    ("web/test/file_lock.test.ts", "setInterval(", 1, NO_CLOCK),
    ("web/test/host_functions.test.ts", "pause(", 2, NO_CLOCK),
    ("web/test/outputs.ts", "setTimeout(", 1, ANY_MOMENT),
    ("web/test/resume.test.ts", "pause(", 9, ANY_MOMENT),
    ("web/test/snapshot_cases.test.ts", "Date.now()", 2, NO_CLOCK),
    ("web/test/snapshot_untrusted.test.ts", "pause(", 2, ANY_MOMENT),
    ("web/test/tables.test.ts", "setInterval(", 1, NO_CLOCK),
    ("web/test/tasks.test.ts", "setTimeout(", 1, AWAITED),
    ("web/test/time.ts", "Date.now()", 1, NO_CLOCK),
    ("web/test/time.ts", "pause(", 2, HANGS),
    ("web/test/waits.test.ts", "setInterval(", 1, AWAITED),
    ("web/test/waits.ts", "setInterval(", 1, AWAITED),
    ("web/test/waits.ts", "setTimeout(", 1, ANY_MOMENT),
];

#[test]
fn no_test_depends_on_speed() {
    let sources = sources();
    let mut wrong = Vec::new();
    for File { path, text } in &sources {
        for word in WORDS {
            let allowed = ALLOWED.iter().find(|(file, known, ..)| file == path && known == word);
            let (found, allowed) = (count(text, word), allowed.map_or(0, |&(_, _, count, _)| count));
            if found != allowed {
                wrong.push(format!("{path}: {found} times `{word}`, not {allowed}"));
            }
        }
    }
    for (file, word, _, reason) in ALLOWED {
        if !sources.iter().any(|source| source.path == *file) {
            wrong.push(format!("{file} is gone, and its `{word}` ({reason}) is still listed"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nCount, turn a clock by hand, or wait for the event: {} says how.",
        wrong.join("\n"),
        file!()
    );
}

#[test]
fn calls_are_found_and_nothing_else() {
    let text = "const t = performance.now();\nawait pause(5);\nlua.pause();\n// pause(5)\nasync.sleep(5); idb.pause(5)";
    assert_eq!(count(text, "performance.now()"), 1);
    assert_eq!(count(text, "pause("), 2, "neither another object's method nor a comment");
    assert_eq!(count(text, "sleep("), 0, "Lua's own");
    assert_eq!(count("std::thread::sleep(LONG); start.elapsed()", "sleep("), 1);
}

/// Number of these calls in a file, without comments and methods of other objects.
fn count(text: &str, word: &str) -> usize {
    let is_comment = |line: &str| ["//", "*", "/*"].iter().any(|mark| line.trim_start().starts_with(mark));
    let is_call = |before: &str| {
        let method =
            before.ends_with('.') && !["idb.", "page.", "globalThis."].iter().any(|of| before.ends_with(of));
        let part = before.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        !part && (!method || word.ends_with("()"))
    };
    let code = text.lines().filter(|line| !is_comment(line));
    code.map(|line| line.match_indices(word).filter(|&(at, _)| is_call(&line[..at])).count()).sum()
}

/// True for a file of a crate, whose tests stand below its code.
fn holds_what_it_tests(path: &str) -> bool {
    path.starts_with("src/")
        || path.starts_with("lua-5.4/")
        || path.starts_with("crates/") && path.contains("/src/")
}

/// Files of all tests. Tests that stand beside what they test are taken from `#[cfg(test)]` on.
fn sources() -> Vec<File> {
    let mut all = Vec::new();
    for (folder, extension) in
        [("tests", "rs"), ("tests", "mjs"), ("crates", "rs"), ("web/test", "ts"), ("web/e2e", "ts")]
    {
        all.extend(files(folder, extension));
    }
    all.extend(files("src", "rs").into_iter().chain(files("lua-5.4/port", "rs")));
    for file in all.iter_mut().filter(|file| holds_what_it_tests(&file.path)) {
        file.text =
            file.text.split_once("#[cfg(test)]").map(|(_, tests)| tests.to_owned()).unwrap_or_default();
    }
    // This file has all of these words, and a benchmark is none without a clock.
    let measures =
        |path: &str| path.contains("/benches/") || path.starts_with("crates/engine/sandbox/examples/");
    all.retain(|file| file.path != "tests/tidy/speed.rs" && !measures(&file.path));
    all
}
