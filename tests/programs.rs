//! Test that random programs do natively what tests/vectors/programs.json says of each: the same output, the
//! same error with its traceback, the same fuel to the tick. Node and Chromium compare with the same file.
//!
//! `PROGRAMS=1-2000 PROGRAMS_FILE=FILE cargo test --test programs` writes such a file of other seeds, for
//! `PROGRAMS_FILE=FILE npm test -- programs`.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{ErrorKind, Host, Limits, Runtime, Stream, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// The seed of hashes and of `math.random`, as web/test/programs.ts has it.
const SEED: u64 = 7;

/// Bytes that a program may use: enough for all of them.
const MEMORY_BYTES: usize = 16 << 20;

/// Ticks that a program may use; a few of them need more.
const FUEL: u64 = 2_000_000;

/// Record of what a program did.
struct Record {
    /// Output, and the error if it ended with one.
    log: String,
    fuel: u64,
}

#[test]
fn random_programs_do_what_they_do_everywhere() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/programs.json");
    let path = std::env::var("PROGRAMS_FILE").unwrap_or_else(|_| path.to_owned());
    let Ok(seeds) = std::env::var("PROGRAMS") else {
        let text = std::fs::read_to_string(&path).expect("the vectors are there");
        let rows: Vec<[u64; 4]> = serde_json::from_str(&text).expect("rows of four numbers");
        assert!(!rows.is_empty(), "programs");
        let generator = Generator::new();
        let differ: String = rows.into_iter().filter_map(|row| generator.problem(row)).collect();
        assert!(differ.is_empty(), "{differ}");
        return;
    };
    let (first, last) = seeds.split_once('-').unwrap_or((&seeds, &seeds));
    let (first, last): (u64, u64) = (first.parse().expect("a seed"), last.parse().expect("a seed"));
    let generator = Generator::new();
    let rows: Vec<String> = (first..=last).map(|seed| format!("  {:?}", generator.row(seed))).collect();
    std::fs::write(Path::new(&path), format!("[\n{}\n]\n", rows.join(",\n"))).expect("can be written");
}

/// Scripts that trip an assertion of C Lua in debug builds (tests/golden.rs), and so are run there only by
/// others.
const TRIP_ASSERTIONS: &[&str] = &["tests/golden/language/close-attrib.lua"];

/// Scripts whose fuel is not the same everywhere. It is charged for the work of the collector where a script
/// asks for collections or fills the memory, and that depends on the size of pointers; `string.pack` has a
/// format of that size; and where a key that is a table lies in another is a matter of its address.
const OF_THIS_MACHINE: &[&str] = &[
    "tests/golden/ext/proxies.lua",
    "tests/golden/gc/collectgarbage.lua",
    "tests/golden/gc/finalizers.lua",
    "tests/golden/gc/generational-and-stress.lua",
    "tests/golden/json/encode-changes.lua",
    "tests/golden/sandbox/memory-limit.lua",
    "tests/golden/string/pack-integers.lua",
];

/// Golden scripts and examples use as much fuel as tests/vectors/fuel.json says. `FUEL=write` writes that
/// file.
#[test]
fn scripts_use_the_fuel_that_they_use_everywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("tests/vectors/fuel.json");
    let mut scripts = Vec::new();
    find_scripts(&root.join("tests/golden"), &mut scripts);
    find_scripts(&root.join("examples"), &mut scripts);
    let mut found = BTreeMap::new();
    for script in scripts {
        let name = script.strip_prefix(root).expect("below it").to_string_lossy().into_owned();
        if OF_THIS_MACHINE.contains(&name.as_str()) || TRIP_ASSERTIONS.contains(&name.as_str()) {
            continue;
        }
        let source = std::fs::read_to_string(&script).expect("a script that was just listed");
        let mut lua = vm(Rc::default());
        lua.set_limits(Some(Duration::from_mins(5)), None);
        // Some fail on purpose.
        let _ = lua.eval_named(source, "golden");
        found.insert(name, lua.fuel_used());
    }
    if std::env::var("FUEL").is_ok_and(|what| what == "write") {
        let text = serde_json::to_string_pretty(&found).expect("is JSON");
        std::fs::write(&path, text + "\n").expect("can be written");
        return;
    }
    let text = std::fs::read_to_string(&path).expect("the vectors are there");
    let expected: BTreeMap<String, u64> = serde_json::from_str(&text).expect("names and numbers");
    assert_eq!(found, expected);
}

fn find_scripts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of this repository") {
        let path = entry.expect("an entry").path();
        // Scripts of the engine are no programs of their own.
        if path.is_dir() && !path.ends_with("examples/scripts") {
            find_scripts(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "lua") {
            found.push(path);
        }
    }
}

/// Makes programs of seeds.
struct Generator {
    generator: String,
    frame: String,
}

impl Generator {
    fn new() -> Generator {
        let read = |name: &str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name);
            std::fs::read_to_string(path).expect("a file of this repository")
        };
        Generator { generator: read("generate.lua"), frame: read("frame.lua") }
    }

    /// The program that belongs to a seed.
    fn program(&self, seed: u64) -> String {
        let mut lua = vm(Rc::default());
        lua.set_global("frame", Value::from(self.frame.as_str())).expect("is set");
        let made = lua.eval(format!(
            "local generate = (function(...) {} end)() return generate({seed}, frame)",
            self.generator
        ));
        match made.expect("makes a program").values.as_slice() {
            [Value::String(text)] => String::from_utf8(text.clone()).expect("UTF-8"),
            other => panic!("no program: {other:?}"),
        }
    }

    /// Seed, hash of the program, hash of its log, fuel.
    fn row(&self, seed: u64) -> [u64; 4] {
        let program = self.program(seed);
        let record = run(&program);
        [seed, hash(&program), hash(&record.log), record.fuel]
    }

    /// Returns what differs from a row of the vectors.
    fn problem(&self, row: [u64; 4]) -> Option<String> {
        let found = self.row(row[0]);
        (found != row).then(|| {
            let program = self.program(row[0]);
            let log = run(&program).log;
            format!("seed {}: {found:?}, not {row:?}\n{program}\n--- log\n{log}\n", row[0])
        })
    }
}

fn vm(output: Rc<RefCell<Vec<u8>>>) -> Runtime {
    let mut limits = Limits::default();
    limits.memory_bytes = MEMORY_BYTES;
    let host = Seeded { output, random: Random::new(SEED) };
    Runtime::builder().limits(limits).host(host).build().expect("a VM")
}

/// Runs a program in a VM of its own.
fn run(program: &str) -> Record {
    let output = Rc::default();
    let mut lua = vm(Rc::clone(&output));
    lua.set_limits(Some(Duration::from_mins(5)), Some(FUEL));
    let ended = lua.eval_named(program, "p");
    let fuel = lua.fuel_used();
    drop(lua);
    let mut log = String::from_utf8_lossy(&output.borrow()).into_owned();
    if let Err(error) = ended {
        let lua = error.lua().expect("a program's own error");
        let traceback = lua.traceback.as_deref().unwrap_or_default();
        // Where the fuel ends is the same; the message tells no more than that.
        let line = lua.line.unwrap_or_default();
        write!(log, "{} {} {line}\n{traceback}\n", error.code(), lua.message).expect("a String takes all");
        assert!(!matches!(error.kind(), ErrorKind::Bug(_)), "{log}");
    }
    Record { log, fuel }
}

/// FNV-1a of the bytes of a text.
fn hash(text: &str) -> u64 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step).into()
}

/// sfc32, which the option `seed` of JavaScript's VMs is, too.
struct Random([u32; 4]);

impl Random {
    fn new(seed: u64) -> Random {
        let mut random = Random([0, seed as u32, (seed >> 32) as u32, 1]);
        for _ in 0..12 {
            random.next();
        }
        random
    }

    fn next(&mut self) -> u32 {
        let [a, b, c, counter] = self.0;
        let result = a.wrapping_add(b).wrapping_add(counter);
        let mixed = c.rotate_left(21).wrapping_add(result);
        self.0 = [b ^ (b >> 9), c.wrapping_add(c << 3), mixed, counter.wrapping_add(1)];
        result
    }
}

/// A host that keeps standard output, whose clock stands still and whose chance is a seed.
struct Seeded {
    output: Rc<RefCell<Vec<u8>>>,
    random: Random,
}

impl Host for Seeded {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stdout {
            self.output.borrow_mut().extend_from_slice(bytes);
        }
    }

    fn clock_ms(&mut self) -> f64 {
        1_700_000_000_000.0
    }

    fn monotonic_ms(&mut self) -> f64 {
        0.0
    }

    fn random_u64(&mut self) -> u64 {
        u64::from(self.random.next()) << 32 | u64::from(self.random.next())
    }
}
