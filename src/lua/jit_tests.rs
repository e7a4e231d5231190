//! Tests of the compiler (src/jit) with functions of real scripts and random recordings: whatever a recording
//! says, the module is valid. Here because C's side is needed for them.

use super::prototypes::{layout, load, prototypes};
use super::{Memory, State};
use crate::jit::{Compiler, Event, Intrinsics, Knobs, Layout, Module, fact, limits};
use std::fs;
use std::path::{Path, PathBuf};

/// Random numbers that are the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most
    }
}

/// Lua files below a folder.
fn scripts(folder: &str) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lua") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Does something with the prototypes of every function in the scripts of a folder.
fn with_functions(folder: &str, mut with: impl FnMut(&Path, &Layout, &[usize])) {
    for path in scripts(folder) {
        let memory = Memory::new(usize::MAX, usize::MAX, 1_000_000);
        let mut state = State::new(&memory).expect("memory");
        let stack = state.main();
        // Some scripts are errors of syntax.
        if load(stack, &fs::read(&path).expect("a script")) {
            let layout = layout(stack);
            let list = prototypes(stack, &layout);
            with(&path, &layout, &list);
        }
        // SAFETY: nothing uses it any more.
        unsafe { state.close() };
    }
}

fn number_of_instructions(proto: usize, layout: &Layout) -> u32 {
    let size = std::ptr::with_exposed_provenance::<i32>(proto + layout.proto_sizecode as usize);
    // SAFETY: a field of a prototype that is alive.
    unsafe { size.read_unaligned() as u32 }
}

const TAGS: &[u8] = &[3, 19, 69, 68, 70, 22, 0, 1, 17, 84, 102, 255];

/// A recording of some of the functions; `usual` types are mostly integers, floats and tables, as in real
/// ones.
fn record(compiler: &mut Compiler, list: &[usize], layout: &Layout, random: &mut Random) {
    for (at, proto) in list.iter().enumerate() {
        let usual = TAGS[random.below(4)];
        let seen = random.below(4);
        for pc in 0..number_of_instructions(*proto, layout) {
            for _ in 0..=random.below(seen + 1) {
                let mut tag = || if random.below(3) == 0 { TAGS[random.below(TAGS.len())] } else { usual };
                let tags = [tag(), tag(), tag()];
                let callee = random.below(list.len());
                let (fact, numbers) = match random.below(5) {
                    0 => (fact::KEY_HERE, [random.below(18), random.below(9), 0, 0]),
                    1 => (fact::KEY_INHERITED, [random.below(4), 0, random.below(5), random.below(2)]),
                    2 => (fact::LUA_CALLEE, [list[callee], callee + 1, 0, 0]),
                    3 => (fact::C_CALLEE, [random.below(8) + 1, 0, 0, 0]),
                    _ => (fact::NONE, [0; 4]),
                };
                if seen > 0 {
                    let event = Event { proto: *proto, serial: at as u32 + 1, pc, tags, fact, numbers };
                    compiler.record(&event);
                }
            }
            if random.below(40) == 0 {
                compiler.gave_up(at as u32 + 1, pc);
            }
        }
    }
}

const INTRINSICS: Intrinsics = Intrinsics { sqrt: 1, floor: 2, abs: 3, max: 4, min: 5 };

fn compile(compiler: &mut Compiler, layout: &Layout, exit_seed: u32) -> Option<Module> {
    // SAFETY: the state of the functions is alive.
    unsafe { compiler.compile(0x0001_0040, layout, &INTRINSICS, Knobs { exit_seed }) }
}

fn assert_valid(module: &Module, path: &Path) {
    let features = wasmparser::WasmFeatures::WASM1 | wasmparser::WasmFeatures::REFERENCE_TYPES;
    if let Err(error) = wasmparser::Validator::new_with_features(features).validate_all(&module.bytes) {
        panic!("{}: {error}", path.display());
    }
}

#[test]
fn modules_of_random_recordings_are_valid() {
    let mut random = Random(42);
    let (mut modules, mut functions, mut bytes) = (0, 0, 0);
    for folder in ["tests/golden", "bench/workloads"] {
        with_functions(folder, |path, layout, list| {
            for _ in 0..6 {
                let mut compiler = Compiler::default();
                record(&mut compiler, list, layout, &mut random);
                let exit_seed = random.below(2) as u32;
                if let Some(module) = compile(&mut compiler, layout, exit_seed) {
                    assert_valid(&module, path);
                    modules += 1;
                    functions += module.functions.len();
                    bytes += module.bytes.len();
                }
            }
        });
    }
    assert!(modules > 500 && functions > 5000, "{modules} modules of {functions} functions in {bytes} bytes");
}

/// Compiles every function of the workloads and scripts that is not too long.
#[test]
fn every_function_can_be_compiled() {
    for folder in ["tests/golden", "bench/workloads"] {
        with_functions(folder, |path, layout, list| {
            for (at, proto) in list.iter().enumerate() {
                let length = number_of_instructions(*proto, layout);
                if length as usize > limits::INSTRUCTIONS {
                    continue;
                }
                let mut compiler = Compiler::default();
                for n in 0..limits::SEEN.max(length) {
                    let event =
                        Event { proto: *proto, serial: 1, pc: n % length, tags: [3; 3], ..Event::default() };
                    compiler.record(&event);
                }
                let module = compile(&mut compiler, layout, 0);
                let module = module.unwrap_or_else(|| panic!("{}, function {at}: None", path.display()));
                assert_valid(&module, path);
            }
        });
    }
}

#[test]
fn what_is_forgotten_is_not_compiled() {
    with_functions("bench/workloads", |_, layout, list| {
        let mut compiler = Compiler::default();
        record(&mut compiler, list, layout, &mut Random(7));
        (1..=list.len()).for_each(|serial| compiler.forget(serial as u32));
        assert!(compile(&mut compiler, layout, 0).is_none());
    });
}

#[test]
fn a_function_is_compiled_a_few_times_at_most() {
    with_functions("bench/workloads", |_, layout, list| {
        let mut compiler = Compiler::default();
        let mut times = 0;
        for _ in 0..20 {
            for pc in 0..20 {
                compiler.record(&Event { proto: list[0], serial: 1, pc, ..Event::default() });
            }
            times += u32::from(compile(&mut compiler, layout, 0).is_some());
        }
        assert_eq!(times, limits::COMPILATIONS);
    });
}
