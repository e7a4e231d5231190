//! Functions of the VM that compiled code imports, with their signatures in wasm.
//!
//! Each is C (`perilune_jit_...`) that runs PUC's own text, with its ticks. All may raise errors and move the
//! Lua stack unless they say otherwise.

/// Types of wasm values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    I32,
    I64,
    F64,
}

use Kind::{F64, I32, I64};

/// A function that compiled code may import. The order is that of [`HELPERS`].
///
/// `pc` is the address of the instruction at hand. `base` as a result is the address of R[0] as it is then,
/// or 0 if a tick has found no fuel, or an error or a yield is on its way: compiled code then exits at
/// `savedpc`, which the helper has moved on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Helper {
    /// `(L, ci, pc) -> base`: one instruction by PUC's own text, whatever it is.
    Step,
    /// `(L, ci, pc) -> base`: an arithmetic instruction, and the metamethod behind it when numbers did not
    /// do; `savedpc` is then two instructions on.
    Arith,
    /// `(L, ci, pc) -> n`: TAILCALL, whose top is set. `n > 0`: `Proto.jit` of the function whose frame this
    /// is now, with the tick of its start; otherwise `-n` is a status.
    Tail,
    /// `(L, ci, pc, ra, results) -> base`: CALL, whose top is set; `savedpc` is then behind it.
    Call,
    /// `(L, ci, status) -> status`: the interpreter ends the frame of a compiled function that gave up with
    /// this status. The result is `DONE`, maybe with `TRIPPED`, or `LEAVING`.
    Interpret,
    /// `(L, ci, pc) -> out`: FORPREP; not 0 when the loop does not run. `savedpc` is behind it. Moves
    /// nothing.
    ForPrep,
    /// `(L, ci, pc, a, b)`: `a % b` of integers; `pc` for an error. Moves nothing.
    Mod,
    /// `(L, ci, pc, a, b)`: `a // b` of integers; `pc` for an error. Moves nothing.
    IDiv,
    /// `(L, a, b)`: `a % b` of floats. Moves nothing.
    ModFloat,
    /// `(a, b)`: `a ^ b`. Moves nothing.
    Pow,
    /// `(L, table)`: a barrier back, for a black table. Moves nothing.
    BarrierBack,
    /// `(L, owner, value)`: a barrier forward, for a black owner and a white value. Moves nothing.
    Barrier,
    /// `(L, table, key) -> slot`: a short string's value in a table or along tables that are `__index`, which
    /// is not nil; 0 where something else must happen, or there is no fuel. One tick for each `__index`.
    /// Moves nothing.
    Chain,
    /// `(table) -> length`: `#` of a table without `__len`. Moves nothing, no tick.
    Length,
    /// `(a, b) -> order`: two strings, with the ticks for their lengths. Moves nothing.
    CompareStrings,
    /// `(table, key) -> slot`: a short string's place in a table, maybe empty. Moves nothing, no tick.
    GetString,
    /// `(L, ci, pc) -> base`: NEWTABLE, as [`Helper::Step`] does it.
    NewTable,
    /// `(L, ci, pc) -> base`: CLOSURE, as [`Helper::Step`] does it.
    Closure,
    /// `(L, ci, pc) -> base`: CONCAT, as [`Helper::Step`] does it.
    Concat,
    /// `(L, ci, pc) -> base`: GETFIELD, GETTABLE, GETI, SELF or GETTABUP, as [`Helper::Step`] does it.
    Get,
    /// `(L, ci, pc) -> base`: SETFIELD, SETTABLE or SETI, as [`Helper::Step`] does it.
    Set,
}

/// Name of a helper as an import and as an export, and its signature.
#[derive(Debug)]
pub(crate) struct Signature {
    /// Name in the module "m"; the C function is `perilune_jit_` and this.
    pub(crate) name: &'static str,
    pub(crate) parameters: &'static [Kind],
    pub(crate) result: Option<Kind>,
}

const fn helper(name: &'static str, parameters: &'static [Kind], result: Option<Kind>) -> Signature {
    Signature { name, parameters, result }
}

/// All helpers, in the order of [`Helper`].
pub(crate) const HELPERS: &[Signature] = &[
    helper("step", &[I32, I32, I32], Some(I32)),
    helper("arith", &[I32, I32, I32], Some(I32)),
    helper("tail", &[I32, I32, I32], Some(I32)),
    helper("call", &[I32, I32, I32, I32, I32], Some(I32)),
    helper("interpret", &[I32, I32, I32], Some(I32)),
    helper("forprep", &[I32, I32, I32], Some(I32)),
    helper("mod", &[I32, I32, I32, I64, I64], Some(I64)),
    helper("idiv", &[I32, I32, I32, I64, I64], Some(I64)),
    helper("modf", &[I32, F64, F64], Some(F64)),
    helper("pow", &[F64, F64], Some(F64)),
    helper("barrierback", &[I32, I32], None),
    helper("barrier", &[I32, I32, I32], None),
    helper("chain", &[I32, I32, I32], Some(I32)),
    helper("length", &[I32], Some(I64)),
    helper("strcmp", &[I32, I32], Some(I32)),
    helper("getstr", &[I32, I32], Some(I32)),
    helper("newtable", &[I32, I32, I32], Some(I32)),
    helper("closure", &[I32, I32, I32], Some(I32)),
    helper("concat", &[I32, I32, I32], Some(I32)),
    helper("get", &[I32, I32, I32], Some(I32)),
    helper("set", &[I32, I32, I32], Some(I32)),
];
