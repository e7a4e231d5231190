//! Knowledge about registers at a point of a function: tags in memory, and locals that hold the values.

/// Tag of a register that is not known.
pub(super) const UNKNOWN: u8 = 254;

/// Locals that hold a register's value, as bits.
pub(super) mod held {
    pub(crate) const INTEGER: u8 = 1;
    pub(crate) const FLOAT: u8 = 2;
    pub(crate) const POINTER: u8 = 4;
}

/// Knowledge about all registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    tags: Vec<u8>,
    held: Vec<u8>,
}

impl State {
    /// State in which nothing is known of so many registers.
    pub(super) fn unknown(registers: u32) -> Self {
        Self { tags: vec![UNKNOWN; registers as usize], held: vec![0; registers as usize] }
    }

    /// The tag that the register has in memory, or [`UNKNOWN`].
    pub(super) fn tag(&self, register: u32) -> u8 {
        self.tags.get(register as usize).copied().unwrap_or(UNKNOWN)
    }

    /// Locals that hold the register's value: [`held`].
    pub(super) fn held(&self, register: u32) -> u8 {
        self.held.get(register as usize).copied().unwrap_or(0)
    }

    /// Says that the register has this tag in memory, and these locals hold its value.
    pub(super) fn set(&mut self, register: u32, tag: u8, held: u8) {
        if let (Some(tags), Some(holds)) =
            (self.tags.get_mut(register as usize), self.held.get_mut(register as usize))
        {
            *tags = tag;
            *holds = held;
        }
    }

    /// A local now holds the register's value, too.
    pub(super) fn hold(&mut self, register: u32, held: u8) {
        if let Some(holds) = self.held.get_mut(register as usize) {
            *holds |= held;
        }
    }

    /// Forgets what is known of the register.
    pub(super) fn forget(&mut self, register: u32) {
        self.set(register, UNKNOWN, 0);
    }

    /// Forgets what is known of this register and of all above.
    pub(super) fn forget_from(&mut self, register: u32) {
        for above in register as usize..self.tags.len() {
            self.tags[above] = UNKNOWN;
            self.held[above] = 0;
        }
    }

    /// Keeps what the other one knows, too. True if that was less.
    pub(super) fn meet(&mut self, other: &State) -> bool {
        let mut changed = false;
        for register in 0..self.tags.len() {
            let same = self.tags[register] == other.tags[register];
            let tag = if same { self.tags[register] } else { UNKNOWN };
            let held = if tag == UNKNOWN { 0 } else { self.held[register] & other.held[register] };
            changed |= tag != self.tags[register] || held != self.held[register];
            self.tags[register] = tag;
            self.held[register] = held;
        }
        changed
    }
}
