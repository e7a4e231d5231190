//! Compiler of hot Lua functions: from bytecode and a recording of it to one wasm module.
//!
//! The interpreter records some hundred instructions ([`Event`]): types, callees, places of keys. From that
//! [`Compiler::compile`] makes a function `(L, ci, entry) -> status` for each Lua function that was seen.
//! What it keeps true:
//!
//! - *Written through*: memory is exact at every instruction. Locals only save loads and type checks, so
//!   collector, errors, tracebacks, coroutines and exits see what the interpreter would have left.
//! - *The same ticks*: compiled code takes from the counter of fuel at the places where the interpreter does,
//!   and every jump back does.
//! - *Exits are always allowed*: a guard stores the instruction that is next, and the interpreter goes on.
//! - *Whatever the compiler does not know stays interpreted*: the result is `None`, never a panic. Sizes and
//!   recursion are bounded ([`limits`]).
//!
//! Nothing here calls C or JavaScript: addresses come in events and in [`Layout`], bytes go out.
//!
//! ## Knobs
//!
//! The raw export `jit_tune(threshold, length, exit_seed)` is for tests: samples until a function is hot,
//! instructions in a recording, and a seed with which about one guard of 64 fails at random ([`Knobs`]).

#![cfg_attr(
    not(all(target_arch = "wasm32", target_os = "unknown")),
    allow(dead_code, unused_imports, reason = "natively Lua is interpreted, and only tests compile it")
)]
#![allow(
    clippy::cast_precision_loss,
    clippy::float_cmp,
    clippy::verbose_bit_mask,
    reason = "integers become floats as in C, and masks are written as C writes them"
)]

pub(crate) use self::compiler::{Compiler, Knobs};
#[cfg(test)]
pub(crate) use self::helpers::HELPERS;
pub(crate) use self::layout::Layout;

mod compiler;
mod emit;
mod helpers;
mod layout;
mod opcode;
mod profile;
mod proto;
mod shape;
mod sorted;
mod state;
mod wasm;

/// Statuses of a compiled function.
#[allow(dead_code, reason = "the C side names most of them")]
pub(crate) mod status {
    /// Return of the function; `L->ci` is its caller.
    pub(crate) const DONE: i32 = 0;
    /// The interpreter goes on at `savedpc`, in the same frame, without another tick for its start.
    pub(crate) const INTERPRET: i32 = 1;
    /// Refusal, before anything was done: there is no entry at this instruction.
    pub(crate) const REFUSED: i32 = 2;
    /// Tail call: the frame is another function's, and the interpreter starts it at `savedpc`, with the tick
    /// of a start.
    pub(crate) const REPLACED: i32 = 3;
    /// Everything returns up to the one who protects or resumes (yield, error). Compiled code that gives up
    /// for that may also say [`INTERPRET`].
    pub(crate) const LEAVING: i32 = 4;
    /// Bits that are one of these.
    pub(crate) const KIND: i32 = 7;
    /// Bit beside [`DONE`], [`INTERPRET`] and [`REPLACED`]: the last tick has found no fuel. Fuel that
    /// something else has used up is looked at where the next tick is.
    pub(crate) const TRIPPED: i32 = 8;
    /// Bit beside [`REPLACED`]: the function has begun, with the tick of its start.
    pub(crate) const BEGUN: i32 = 16;
}

/// Facts of an [`Event`] beyond tags.
pub(crate) mod fact {
    /// None, or none that is told.
    pub(crate) const NONE: u8 = 0;
    /// GETFIELD, SETFIELD, SELF, GETTABUP, SETTABUP: the key is in the table itself. `numbers`: `lsizenode`,
    /// index of its node.
    pub(crate) const KEY_HERE: u8 = 1;
    /// Key that is not in the table, but in the table that is `__index` of its metatable. `numbers`:
    /// `lsizenode` of the metatable, index of the node of `__index` in it, `lsizenode` of that table, index
    /// of the key's node in it.
    pub(crate) const KEY_INHERITED: u8 = 2;
    /// CALL, TAILCALL, TFORCALL: the callee is a function of Lua. `numbers`: address of its `Proto`, its
    /// serial number.
    pub(crate) const LUA_CALLEE: u8 = 3;
    /// Callee that is a light C function. `numbers`: its address.
    pub(crate) const C_CALLEE: u8 = 4;
}

/// An instruction that the interpreter was about to run.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Event {
    /// Address of the function's `Proto`.
    pub(crate) proto: usize,
    /// Number that no other `Proto` of this VM ever has: addresses are used again.
    pub(crate) serial: u32,
    /// Index of the instruction in the function's code.
    pub(crate) pc: u32,
    /// Tags of R[A], R[B], R[C]; of FORPREP, FORLOOP, TFORPREP and TFORCALL those of R[A], R[A + 1],
    /// R[A + 2]. [`Event::NO_REGISTER`] for a register that the frame has not.
    pub(crate) tags: [u8; 3],
    /// Meaning of `numbers`: a constant of [`fact`].
    pub(crate) fact: u8,
    /// See [`fact`].
    pub(crate) numbers: [usize; 4],
}

impl Event {
    pub(crate) const NO_REGISTER: u8 = 255;
}

/// Addresses of C functions that compiled code does itself; 0 for one that is unknown.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(crate) struct Intrinsics {
    /// `math.sqrt`.
    pub(crate) sqrt: usize,
    /// `math.floor`.
    pub(crate) floor: usize,
    /// `math.abs`.
    pub(crate) abs: usize,
    /// `math.max`.
    pub(crate) max: usize,
    /// `math.min`.
    pub(crate) min: usize,
}

/// A compiled module. It imports from "m": `memory`, `table` (only where `needs_table`), and the helpers that
/// it calls, by their names. Its exports are "0", "1", ...: the functions, in their order.
#[derive(Debug)]
pub(crate) struct Module {
    /// The module.
    pub(crate) bytes: Vec<u8>,
    /// The functions of Lua that are in it.
    pub(crate) functions: Vec<Compiled>,
    /// True if it imports the table.
    pub(crate) needs_table: bool,
}

/// A function of Lua in a compiled module. Its `Proto.jit` is to be `first + index`, where `first` is what
/// [`Compiler::compile`] was told; the low bits ([`SLOT_MASK`]) are the slot in the table, those above a
/// generation, so that a slot that is used again is not taken for what it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compiled {
    /// Address of the `Proto`.
    pub(crate) proto: usize,
    /// Serial number of the `Proto`.
    pub(crate) serial: u32,
}

/// Bits of `Proto.jit` that are the slot in the table.
pub(crate) const SLOT_MASK: i32 = 0xffff;

/// Bounds of the compiler.
pub(crate) mod limits {
    /// Most functions in a module: slots that must be free behind `first`.
    pub(crate) const FUNCTIONS: usize = 32;
    /// Most instructions of a function.
    pub(crate) const INSTRUCTIONS: usize = 2000;
    /// Most instructions of all functions of a module.
    pub(crate) const MODULE_INSTRUCTIONS: usize = 4000;
    /// Most loops of a function.
    pub(crate) const LOOPS: usize = 64;
    /// Most blocks and loops that a function's code is made of.
    pub(crate) const REGIONS: usize = 600;
    /// Most bytes of a function's code in wasm.
    pub(crate) const CODE_BYTES: usize = 256 * 1024;
    /// Most bytes of what is known about registers, at all jumps of a function.
    pub(crate) const STATE_BYTES: usize = 64 * 1024;
    /// Most functions that are known by their recordings; beyond, all are forgotten.
    pub(crate) const PROFILES: usize = 512;
    /// Instructions of a function in a recording from which on it is worth compiling.
    pub(crate) const SEEN: u32 = 8;
    /// Most times that a function is compiled.
    pub(crate) const COMPILATIONS: u32 = 5;
    /// Most compiled frames on the wasm stack: then calls exit to the interpreter.
    pub(crate) const DEPTH: i32 = 160;
}
