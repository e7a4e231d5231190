//! Runner of one golden script: checks its output and its outcome (tests/golden/README.md). Used natively and
//! on wasm.

use perilune::{Host, Runtime, Stream};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

/// The expectations in a script's header.
struct Expected {
    /// A part of the message of the error that must end the script.
    failure: Option<String>,
    output: Vec<u8>,
}

/// Runs a script in a fresh VM, with limits of time and fuel that it does not reach. The error is a report of
/// the differences.
pub(crate) fn run(script: &[u8]) -> Result<(), String> {
    run_in(script, |lua| lua.set_limits(Some(Duration::from_mins(1)), Some(1 << 40)))
}

/// Runs a script without limits of time and fuel.
#[allow(dead_code, reason = "the tests on wasm run them with limits only")]
pub(crate) fn run_unlimited(script: &[u8]) -> Result<(), String> {
    run_in(script, |_| {})
}

fn run_in(script: &[u8], prepare: impl FnOnce(&mut Runtime)) -> Result<(), String> {
    let expected = header(script)?;
    let output = Rc::new(RefCell::new(Vec::new()));
    let mut lua = Runtime::builder().host(Capture(Rc::clone(&output))).build().expect("a VM");
    prepare(&mut lua);
    let ended = lua.eval_named(script, "golden");
    drop(lua);
    let outcome = match (ended, expected.failure) {
        (Ok(_), None) => String::new(),
        (Err(error), Some(text)) if error.to_string().contains(&text) => String::new(),
        (Ok(_), Some(text)) => format!("did not fail, and should with: {text}\n"),
        (Err(error), None) => format!("failed: {error}\n"),
        (Err(error), Some(text)) => format!("failed with: {error}\nand should with: {text}\n"),
    };
    let problem = difference(&expected.output, &output.borrow()) + &outcome;
    if problem.is_empty() { Ok(()) } else { Err(problem) }
}

fn header(script: &[u8]) -> Result<Expected, String> {
    let mut lines = script.split(|&byte| byte == b'\n');
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let failure = match first.strip_prefix("--- fail: ") {
        Some(text) => Some(text.to_owned()),
        None if first == "--- pass" => None,
        None => return Err(format!("first line is neither `--- pass` nor `--- fail: TEXT`: {first}\n")),
    };
    let mut output = Vec::new();
    for line in lines {
        if line == b"---" {
            return Ok(Expected { failure, output });
        }
        let Some(text) = line.strip_prefix(b"--- ") else {
            return Err(format!("not a line of a header: {}\n", String::from_utf8_lossy(line)));
        };
        output.extend_from_slice(text);
        output.push(b'\n');
    }
    Err("the header has no end (`---`)\n".to_owned())
}

/// The differences line by line, with line numbers of the output; empty if there is none.
fn difference(expected: &[u8], found: &[u8]) -> String {
    let mut text = String::new();
    if expected == found {
        return text;
    }
    let mut expected = expected.split_inclusive(|&byte| byte == b'\n');
    let mut found = found.split_inclusive(|&byte| byte == b'\n');
    for number in 1.. {
        match (expected.next(), found.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                for (mark, line) in [('-', a), ('+', b)] {
                    if let Some(line) = line {
                        writeln!(text, "{number:4} {mark} {}", line.escape_ascii())
                            .expect("a String takes all");
                    }
                }
            }
        }
    }
    text
}

/// A host that keeps standard output, and has no input and no environment variables.
struct Capture(Rc<RefCell<Vec<u8>>>);

impl Host for Capture {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stdout {
            self.0.borrow_mut().extend_from_slice(bytes);
        }
    }

    fn clock_ms(&mut self) -> f64 {
        1_700_000_000_000.0
    }

    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }

    fn random_u64(&mut self) -> u64 {
        7
    }
}
