//! Knowledge about the functions of a VM from their recordings, and modules made of it.
//!
//! Not here: where recordings come from, and where modules go.

use super::emit;
use super::layout::{FIELDS, Layout};
use super::profile::Profile;
use super::proto::Function;
use super::sorted::Map;
use super::{Compiled, Event, Intrinsics, Module, limits, wasm};

/// Settings for tests.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Knobs {
    /// Seed with which guards fail at random, about one of 64; 0 for none.
    pub(crate) exit_seed: u32,
}

/// Everything that is known of the functions that were recorded.
#[derive(Debug, Default)]
pub(crate) struct Compiler {
    profiles: Map<Profile>,
    /// Serial numbers of the functions that were recorded since the last compilation.
    fresh: Vec<u32>,
}

impl Compiler {
    /// An instruction of a recording. They come in the order in which they ran.
    pub(crate) fn record(&mut self, event: &Event) {
        if self.profiles.len() >= limits::PROFILES && !self.profiles.has(event.serial) {
            self.forget_all();
        }
        if !self.fresh.contains(&event.serial) {
            self.fresh.push(event.serial);
        }
        self.profiles.get_or_insert(event.serial, || Profile::new(event.proto)).note(event);
    }

    /// Compiled code of this function has given up at this instruction: it speculates there no more.
    pub(crate) fn gave_up(&mut self, serial: u32, pc: u32) {
        if let Some(profile) = self.profiles.get_mut(serial) {
            profile.gave_up(pc);
        }
    }

    /// Forgets a function that is freed: its address may soon be another's.
    pub(crate) fn forget(&mut self, serial: u32) {
        self.profiles.remove(serial);
        self.fresh.retain(|known| *known != serial);
    }

    /// Forgets all functions, as after an image of another VM was laid into memory.
    pub(crate) fn forget_all(&mut self) {
        self.profiles.clear();
        self.fresh.clear();
    }

    /// A module of the functions that were recorded since the last call of this and are worth it.
    /// `first`: the `Proto.jit` of the first function in it (see [`Compiled`]).
    ///
    /// `None` if there is none that the compiler can do. Functions that are not in the result stay as they
    /// are.
    ///
    /// # Safety
    ///
    /// Every function that was recorded and not forgotten is alive, and is at the address that the event
    /// said; `layout` is that of this VM.
    pub(crate) unsafe fn compile(
        &mut self,
        first: i32,
        layout: &Layout,
        intrinsics: &Intrinsics,
        knobs: Knobs,
    ) -> Option<Module> {
        let fresh = std::mem::take(&mut self.fresh);
        if layout.fields != FIELDS || first <= 0 {
            return None;
        }
        let mut functions = Vec::new();
        let mut instructions = 0;
        for serial in fresh {
            let Some(profile) = self.profiles.get_mut(serial) else { continue };
            if !profile.take_worthy() || functions.len() == limits::FUNCTIONS {
                continue;
            }
            // SAFETY: the caller says that recorded functions are alive at these addresses.
            let Some(function) = (unsafe { Function::read(profile.proto(), layout) }) else { continue };
            instructions += function.code.len();
            if instructions > limits::MODULE_INSTRUCTIONS {
                instructions -= function.code.len();
                continue;
            }
            functions.push((serial, function));
        }
        // A function that cannot be compiled is left out, and the others again: they may call it directly.
        loop {
            if functions.is_empty() {
                return None;
            }
            let serials: Vec<u32> = functions.iter().map(|(serial, _)| *serial).collect();
            let place = emit::Place { first, serials: &serials, layout, intrinsics, knobs };
            let mut module = wasm::ModuleWriter::new(knobs.exit_seed);
            let mut unfit = None;
            for (at, (serial, function)) in functions.iter().enumerate() {
                let Some(body) = emit::function(function, *serial, &self.profiles, &place, &mut module)
                else {
                    unfit = Some(at);
                    break;
                };
                module.push(body);
            }
            let Some(at) = unfit else {
                let compiled = functions
                    .iter()
                    .map(|(serial, function)| Compiled { proto: function.address, serial: *serial });
                return Some(module.finish(compiled.collect()));
            };
            let (serial, _) = functions.remove(at);
            if let Some(profile) = self.profiles.get_mut(serial) {
                profile.set_hopeless();
            }
        }
    }
}
