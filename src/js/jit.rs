//! The compiler of hot functions in a module: from a recording of C's to a wasm module that JavaScript makes,
//! and which functions of Lua are in which.
//!
//! Keeps true: all that lives here between two calls can be taken out of memory (`park`) and put back
//! (`unpark`), so that no image has any of it. Whatever fails in the compiler, traps included, fails inside
//! of an import that catches it, and the function stays interpreted. Not here: what is recorded
//! (lua-5.4/port/jit.c), what is made of it (`jit`), how modules are made (imports.js).

use super::imports;
use crate::heap;
use crate::jit::{Compiler, Event, Intrinsics, Knobs, Layout, Module, SLOT_MASK, limits};
use crate::lua::jit as c;
use crate::lua::{Stack, emergency, raw::lua_State};
use std::cell::UnsafeCell;
use std::ptr;
use std::slice;

/// Most compiled modules of a VM: engines take more and more time for each.
const MODULES_MAX: usize = 64;
/// Slots in the table for each module.
const SLOTS: i32 = limits::FUNCTIONS as i32;
/// Bytes that must be free for a recording and what is made of it.
const ROOM_BYTES: usize = 256 * 1024;
/// Bits of `Proto.jit` below the generation of its slot.
const GENERATION_BIT: i32 = SLOT_MASK + 1;
/// Last generation of a slot.
const GENERATION_MAX: i32 = i32::MAX / GENERATION_BIT;

/// Place where compiled code has given up: `exit_at` of lua-5.4/port/jit.c.
#[repr(C)]
struct Exit {
    serial: u32,
    pc: u32,
}

/// A compiled module that lives, or the place of one that did.
#[derive(Debug, Clone)]
struct Place {
    /// `Proto.jit` of its first function.
    first: i32,
    /// Number of the compilation; 0 for a place that is free.
    made: u32,
    /// Serial numbers and addresses of its functions; 0 for one that is gone.
    functions: Vec<(u32, usize)>,
}

/// Recording that is to be compiled, for `build`.
#[derive(Clone, Copy)]
struct Order {
    state: *mut lua_State,
    events: *const Event,
    events_len: usize,
    exits: *const Exit,
    exits_len: usize,
}

/// Answer of `build`, which JavaScript reads: five words.
#[repr(C)]
struct Built {
    bytes: *const u8,
    len: u32,
    /// Slot of the first function, and how many there are.
    first: u32,
    count: u32,
    needs_table: u32,
}

struct State {
    compiler: Option<Compiler>,
    places: Vec<Place>,
    /// First slot of all; 0 before there is one.
    slots: i32,
    compilations: u32,
    /// Buffer of the recording under way.
    events: Vec<Event>,
    /// Functions that were freed while it is.
    freed: Vec<u32>,
    layout: Option<Box<Layout>>,
    intrinsics: Intrinsics,
    order: Option<Order>,
    module: Option<Module>,
    built: Built,
    exit_seed: u32,
}

struct Global(UnsafeCell<State>);

// SAFETY: wasm32-unknown-unknown without atomics has one thread.
unsafe impl Sync for Global {}

static STATE: Global = Global(UnsafeCell::new(State {
    compiler: None,
    places: Vec::new(),
    slots: 0,
    compilations: 0,
    events: Vec::new(),
    freed: Vec::new(),
    layout: None,
    intrinsics: Intrinsics { sqrt: 0, floor: 0, abs: 0, max: 0, min: 0 },
    order: None,
    module: None,
    built: Built { bytes: ptr::null(), len: 0, first: 0, count: 0, needs_table: 0 },
    exit_seed: 0,
}));

#[allow(clippy::mut_from_ref, reason = "each use is one statement, or ends before an import is called")]
fn state() -> &'static mut State {
    // SAFETY: one thread, and no two of these references live at the same time (see the reason).
    unsafe { &mut *STATE.0.get() }
}

/// Takes note of the libraries, before a script runs.
pub(super) fn begin(stack: Stack) {
    state().intrinsics = stack.intrinsics();
    emergency::set_giver(give_back);
}

/// Gives back the memory of all that is only needed to compile more; false if there is none, or the compiler
/// has it in its hands.
fn give_back() -> bool {
    let state = state();
    if state.order.is_some() || state.compiler.is_none() && state.events.capacity() == 0 {
        return false;
    }
    c::drop_recording();
    state.compiler = None;
    state.events = Vec::new();
    state.freed = Vec::new();
    true
}

/// Sets what the compiler does from now on: see `exports!`.
#[doc(hidden)]
pub fn tune(threshold: u32, length: u32, exit_seed: u32) {
    state().exit_seed = exit_seed;
    c::switch(threshold.min(200) as i32, length.clamp(16, 4096));
}

/// Times that compiled code gave up.
#[doc(hidden)]
pub fn exits() -> u32 {
    c::exits()
}

/// Returns a buffer for so many events; null if there is no memory for them.
// SAFETY: the symbol is declared in lua-5.4/port/jit.c with this signature, and defined nowhere else.
#[unsafe(no_mangle)]
extern "C" fn perilune_jit_buffer(events: u32) -> *mut Event {
    let wanted = events as usize;
    if !heap::has_room(wanted * size_of::<Event>() + ROOM_BYTES) {
        return ptr::null_mut();
    }
    let buffer = &mut state().events;
    buffer.clear();
    if emergency::prevent(|| buffer.try_reserve_exact(wanted)).is_err() {
        return ptr::null_mut();
    }
    state().freed.clear();
    buffer.as_mut_ptr()
}

/// Compiles what C has recorded: so many events, in the buffer.
// SAFETY: as above.
#[unsafe(no_mangle)]
extern "C" fn perilune_jit_recorded(
    l: *mut lua_State,
    events: *const Event,
    events_len: u32,
    exits: *const Exit,
    exits_len: u32,
) {
    let (events_len, exits_len) = (events_len as usize, exits_len as usize);
    state().order = Some(Order { state: l, events, events_len, exits, exits_len });
    // Nothing is collected meanwhile: what was recorded stays where it is.
    let answer =
        emergency::prevent(|| imports::jit_compile(build as extern "C" fn() -> *const Built as usize as u32));
    let state = state();
    state.order = None;
    state.events = Vec::new();
    let module = state.module.take();
    if answer < 0 {
        // Never again in this VM: it is not allowed, or the compiler has failed in the middle of something.
        c::switch(0, 0);
        return;
    }
    if answer > 0
        && let (Some(module), Some(layout)) = (module, &state.layout)
    {
        let place = (state.built.first as i32 & SLOT_MASK) - state.slots;
        let Some(place) = state.places.get_mut((place / SLOTS) as usize) else { return };
        place.made = state.compilations;
        place.functions = module.functions.iter().map(|compiled| (compiled.serial, compiled.proto)).collect();
        let first = place.first;
        for (at, compiled) in module.functions.iter().enumerate() {
            // SAFETY: recorded functions are alive: nothing was collected since, and none of `freed` is among
            // them.
            let before = unsafe { c::replace_compiled(compiled.proto, layout, first + at as i32) };
            leave_place(compiled.serial, before);
        }
    }
}

/// Compiles what `perilune_jit_recorded` has ordered. JavaScript calls it, by its slot in the table, and
/// catches what it throws. Null if there is nothing to be made a module of.
extern "C" fn build() -> *const Built {
    let Some(order) = state().order else { return ptr::null() };
    if state().layout.is_none() {
        // SAFETY: C has said that this state runs.
        state().layout = Some(Box::new(unsafe { c::layout(order.state) }));
    }
    let Some(at) = free_place() else { return ptr::null() };
    let state = state();
    let compiler = state.compiler.get_or_insert_default();
    // SAFETY: C has written so many events and exits there.
    let (events, exits) = unsafe {
        (
            slice::from_raw_parts(order.events, order.events_len),
            slice::from_raw_parts(order.exits, order.exits_len),
        )
    };
    for exit in exits {
        compiler.gave_up(exit.serial, exit.pc);
    }
    for event in events {
        let is_gone = |serial: u32| state.freed.contains(&serial);
        if is_gone(event.serial) {
            continue;
        }
        let mut event = *event;
        if event.fact == crate::jit::fact::LUA_CALLEE && is_gone(event.numbers[1] as u32) {
            event.fact = crate::jit::fact::NONE;
        }
        compiler.record(&event);
    }
    let Some(layout) = &state.layout else { return ptr::null() };
    let first = state.places[at].first;
    let knobs = Knobs { exit_seed: state.exit_seed };
    // SAFETY: functions that were freed were forgotten (`perilune_jit_forget`), or left out above; the layout
    // is of this VM.
    let Some(module) = (unsafe { compiler.compile(first, layout, &state.intrinsics, knobs) }) else {
        return ptr::null();
    };
    state.compilations += 1;
    state.built = Built {
        bytes: module.bytes.as_ptr(),
        len: module.bytes.len() as u32,
        first: first as u32 & SLOT_MASK as u32,
        count: module.functions.len() as u32,
        needs_table: u32::from(module.needs_table),
    };
    state.module = Some(module);
    &raw const state.built
}

/// A place for one more module: a free one, a new one, or that of the oldest.
fn free_place() -> Option<usize> {
    if let Some(at) = state().places.iter().position(|place| place.made == 0) {
        return next_generation(at);
    }
    if state().places.len() < MODULES_MAX {
        let slot = imports::jit_grow(SLOTS as u32);
        let state = state();
        if state.slots == 0 {
            state.slots = slot;
        }
        let expected = state.slots + SLOTS * state.places.len() as i32;
        // Somebody else has grown the table, or it cannot grow.
        if slot <= 0 || slot != expected || slot + SLOTS > SLOT_MASK {
            return None;
        }
        state.places.push(Place { first: slot, made: 0, functions: Vec::new() });
        return Some(state.places.len() - 1);
    }
    let oldest = (0..state().places.len()).min_by_key(|at| state().places[*at].made)?;
    drop_place(oldest);
    next_generation(oldest)
}

/// Gives a free place other numbers than it had: what calls the old ones finds them no more.
fn next_generation(at: usize) -> Option<usize> {
    let place = &mut state().places[at];
    if place.first / GENERATION_BIT >= GENERATION_MAX {
        return None;
    }
    place.first += GENERATION_BIT;
    Some(at)
}

/// Drops a module. Code of it that runs stays until it has ended.
fn drop_place(at: usize) {
    let state = state();
    let Some(layout) = &state.layout else { return };
    let place = &mut state.places[at];
    for (_, proto) in place.functions.iter().filter(|function| function.1 != 0) {
        // SAFETY: a function that is freed, or is compiled again, is taken out of its place (`leave_place`).
        unsafe { c::replace_compiled(*proto, layout, 0) };
    }
    let (slot, count) = (place.first & SLOT_MASK, place.functions.len());
    place.made = 0;
    place.functions = Vec::new();
    imports::jit_drop(slot as u32, count as u32);
}

/// C frees a function.
// SAFETY: the symbol is declared in lua-5.4/port/jit.h with this signature, and defined nowhere else.
#[unsafe(no_mangle)]
extern "C" fn perilune_jit_forget(serial: u32, jit: i32) {
    let state = state();
    if let Some(compiler) = &mut state.compiler {
        compiler.forget(serial);
    }
    if state.events.capacity() > 0 {
        if emergency::prevent(|| state.freed.try_reserve(1)).is_ok() {
            state.freed.push(serial);
        } else {
            c::drop_recording();
            state.events = Vec::new();
        }
    }
    leave_place(serial, jit);
}

/// Takes a function out of the place that its `jit` says; drops the module if it was the last.
fn leave_place(serial: u32, jit: i32) {
    let state = state();
    if jit <= 0 {
        return;
    }
    let at = (((jit & SLOT_MASK) - state.slots) / SLOTS) as usize;
    let Some(place) = state.places.get_mut(at).filter(|place| place.made != 0) else { return };
    for function in place.functions.iter_mut().filter(|function| function.0 == serial) {
        function.1 = 0;
    }
    if place.functions.iter().all(|function| function.1 == 0) {
        drop_place(at);
    }
}

/// Words of the head of what `park` writes, and of that of each place.
const HEAD: usize = 4;

const _: () =
    assert!(4 * (HEAD + MODULES_MAX * (HEAD + 2 * limits::FUNCTIONS)) <= crate::limits::IO_BUFFER_BYTES);

/// True if there is nothing of the compiler in memory.
pub(super) fn is_parked() -> bool {
    let state = state();
    state.places.is_empty() && state.compiler.is_none() && state.slots == 0
}

/// Takes everything out of memory, and writes what `unpark` needs to the IO buffer: the number of pairs of
/// words. Only between two calls.
pub(super) fn park(stack: Stack, io: u32) -> u32 {
    let exits = c::exits();
    stack.clear_compiled();
    let state = state();
    let mut words = Writer { at: ptr::with_exposed_provenance_mut(io as usize), len: 0 };
    let places = std::mem::take(&mut state.places);
    if !places.is_empty() {
        words.put([state.slots as u32, places.len() as u32, state.compilations, exits]);
        for place in &places {
            words.put([place.first as u32, place.functions.len() as u32, place.made, 0]);
            for (serial, proto) in &place.functions {
                words.put([*serial, *proto as u32]);
            }
        }
    }
    state.slots = 0;
    state.compilations = 0;
    state.compiler = None;
    state.layout = None;
    state.events = Vec::new();
    state.freed = Vec::new();
    state.built = Built { bytes: ptr::null(), len: 0, first: 0, count: 0, needs_table: 0 };
    (words.len / 2) as u32
}

/// Puts back what `park` has written. Nothing has run since.
pub(super) fn unpark(stack: Stack, io: u32, pairs: u32) {
    // SAFETY: JavaScript has written so many words into the IO buffer, which `park` had filled: it was long
    // enough.
    let words = unsafe {
        slice::from_raw_parts(ptr::with_exposed_provenance::<u32>(io as usize), 2 * pairs as usize)
    };
    let Some(([slots, places, compilations, exits], mut rest)) = words.split_first_chunk::<HEAD>() else {
        return;
    };
    // SAFETY: the state is alive.
    let layout = unsafe { c::layout(stack.as_ptr()) };
    c::set_exits(*exits);
    let state = state();
    (state.slots, state.compilations) = (*slots as i32, *compilations);
    for _ in 0..*places {
        let Some(([first, len, made, _], after)) = rest.split_first_chunk::<HEAD>() else { return };
        let Some((functions, after)) = after.split_at_checked(2 * *len as usize) else { return };
        rest = after;
        let functions: Vec<(u32, usize)> =
            functions.chunks_exact(2).map(|pair| (pair[0], pair[1] as usize)).collect();
        for (index, (_, proto)) in functions.iter().enumerate().filter(|(_, function)| function.1 != 0) {
            // SAFETY: it was there when all was parked, and nothing has run since.
            unsafe { c::replace_compiled(*proto, &layout, *first as i32 + index as i32) };
        }
        state.places.push(Place { first: *first as i32, made: *made, functions });
    }
    state.layout = Some(Box::new(layout));
}

/// Writes words one behind the other.
struct Writer {
    at: *mut u32,
    len: usize,
}

impl Writer {
    fn put<const N: usize>(&mut self, words: [u32; N]) {
        for word in words {
            // SAFETY: the IO buffer has room for all that `park` writes, as is asserted above.
            unsafe { self.at.add(self.len).write(word) };
            self.len += 1;
        }
    }
}
