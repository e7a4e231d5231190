//! Hooks that scripts have at the moment, as far as that is known without asking Lua.
//!
//! A script can set and clear a hook at any time, by a global or in the environment of its mod. So what was
//! found holds until code of Lua may have run again ([`perilune::Vm::runs`]), and no longer.

use crate::rules::Judged;
use std::cell::Cell;

/// Bits in the answer of the prelude, in the order of its list `HOOKS`.
mod bit {
    pub(super) const VALIDATE_INSERT: i64 = 1;
    pub(super) const VALIDATE_UPDATE: i64 = 1 << 1;
    pub(super) const VALIDATE_DELETE: i64 = 1 << 2;
    /// `after_save`, `before_commit`.
    pub(super) const ROUNDS: i64 = 0b11 << 3;
    /// `before_save`, `before_insert`, `before_update`, `before_delete`.
    pub(super) const TRANSFORMS: i64 = 0b1111 << 5;
}

/// The hooks that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Present(i64);

impl Present {
    /// All of them: what has to be taken for true where Lua cannot be asked.
    pub(super) const ALL: Self = Self(i64::MAX);

    /// The hooks in an answer of the prelude.
    pub(super) fn of_bits(bits: i64) -> Self {
        Self(bits)
    }

    fn has(self, bits: i64) -> bool {
        self.0 & bits != 0
    }

    /// Operations of which each row is judged.
    pub(super) fn judged(self) -> Judged {
        Judged {
            insert: self.has(bit::VALIDATE_INSERT),
            update: self.has(bit::VALIDATE_UPDATE),
            delete: self.has(bit::VALIDATE_DELETE),
        }
    }

    /// True if one wants to see a transaction before its commit.
    pub(super) fn see_rounds(self) -> bool {
        self.has(bit::ROUNDS)
    }

    /// True if one changes rows before they are written.
    pub(super) fn transform(self) -> bool {
        self.has(bit::TRANSFORMS)
    }
}

/// Hooks that were found, and the moment at which they were.
#[derive(Debug, Default)]
pub(super) struct Hooks(Cell<Option<(u64, i64)>>);

impl Hooks {
    /// The hooks, if nothing of Lua has run since they were found.
    pub(super) fn known(&self, runs: u64) -> Option<Present> {
        self.0.get().filter(|(found_at, _)| *found_at == runs).map(|(_, bits)| Present::of_bits(bits))
    }

    /// Notes what Lua has answered last. `runs`: the number after that.
    pub(super) fn note(&self, runs: u64, bits: i64) {
        self.0.set(Some((runs, bits)));
    }
}
