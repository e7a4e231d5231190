//! Numbers that a caller of the VM and the VM agree on: operations and the status of a reply (docs/codec.md,
//! sections 2 and 3).

/// Operation numbers of `request`.
#[allow(missing_docs, reason = "docs/codec.md lists them with arguments and results")]
pub mod operation {
    pub const EVAL: u32 = 1;
    pub const CALL: u32 = 2;
    pub const CALL_HANDLE: u32 = 3;
    pub const RELEASE: u32 = 4;
    pub const GLOBAL_GET: u32 = 5;
    pub const GLOBAL_SET: u32 = 6;
    pub const GLOBAL_HAS: u32 = 7;
    pub const GLOBAL_DELETE: u32 = 8;
    pub const GLOBAL_KEYS: u32 = 9;
    pub const GC: u32 = 10;
    pub const STATS: u32 = 11;
    pub const START_EVAL: u32 = 12;
    pub const START_CALL: u32 = 13;
    pub const START_HANDLE: u32 = 14;
    pub const RESUME: u32 = 15;
    pub const CANCEL: u32 = 16;
    pub const REGISTER: u32 = 17;
    pub const LIMIT: u32 = 18;
    pub const LIBRARIES: u32 = 19;
    pub const EVAL_ENV: u32 = 20;
    pub const START_EVAL_ENV: u32 = 21;
    pub const DISOWN: u32 = 22;
    pub const RESEED: u32 = 23;
    pub const FILES: u32 = 24;
}

/// Outcome of an operation: the status byte of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "docs/codec.md lists them")]
pub enum Outcome {
    Ok = 0,
    Runtime = 1,
    Syntax = 2,
    Memory = 3,
    Timeout = 4,
    Interrupt = 5,
    Storage = 6,
    Value = 7,
    Usage = 8,
    Bug = 9,
    Waiting = 10,
    Exit = 11,
}

#[cfg(not(all(feature = "module", target_arch = "wasm32")))]
impl Outcome {
    /// The outcome that a status byte stands for; `Bug` for one that is none.
    pub(crate) fn from_status(status: u8) -> Self {
        const ALL: [Outcome; 12] = [
            Outcome::Ok,
            Outcome::Runtime,
            Outcome::Syntax,
            Outcome::Memory,
            Outcome::Timeout,
            Outcome::Interrupt,
            Outcome::Storage,
            Outcome::Value,
            Outcome::Usage,
            Outcome::Bug,
            Outcome::Waiting,
            Outcome::Exit,
        ];
        ALL.get(usize::from(status)).copied().unwrap_or(Outcome::Bug)
    }
}
