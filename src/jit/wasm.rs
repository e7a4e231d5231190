//! Bytes of WebAssembly: instructions into a function's code, functions into a module.

use super::helpers::{HELPERS, Helper, Kind};
use super::{Compiled, Module};

/// Instructions, by their bytes.
#[rustfmt::skip]
pub(super) mod op {
    pub(crate) const UNREACHABLE: u8 = 0x00;
    pub(crate) const BLOCK: u8 = 0x02;
    pub(crate) const LOOP: u8 = 0x03;
    pub(crate) const IF: u8 = 0x04;
    pub(crate) const ELSE: u8 = 0x05;
    pub(crate) const END: u8 = 0x0b;
    pub(crate) const BR: u8 = 0x0c;
    pub(crate) const BR_IF: u8 = 0x0d;
    pub(crate) const RETURN: u8 = 0x0f;
    pub(crate) const CALL: u8 = 0x10;
    pub(crate) const CALL_INDIRECT: u8 = 0x11;
    pub(crate) const DROP: u8 = 0x1a;
    pub(crate) const SELECT: u8 = 0x1b;
    pub(crate) const LOCAL_GET: u8 = 0x20;
    pub(crate) const LOCAL_SET: u8 = 0x21;
    pub(crate) const LOCAL_TEE: u8 = 0x22;
    pub(crate) const GLOBAL_GET: u8 = 0x23;
    pub(crate) const GLOBAL_SET: u8 = 0x24;
    pub(crate) const I32_LOAD: u8 = 0x28;
    pub(crate) const I64_LOAD: u8 = 0x29;
    pub(crate) const F64_LOAD: u8 = 0x2b;
    pub(crate) const I32_LOAD8_U: u8 = 0x2d;
    pub(crate) const I32_LOAD16_S: u8 = 0x2e;
    pub(crate) const I32_LOAD16_U: u8 = 0x2f;
    pub(crate) const I64_LOAD8_U: u8 = 0x31;
    pub(crate) const I64_LOAD32_U: u8 = 0x35;
    pub(crate) const I32_STORE: u8 = 0x36;
    pub(crate) const I64_STORE: u8 = 0x37;
    pub(crate) const F64_STORE: u8 = 0x39;
    pub(crate) const I32_STORE8: u8 = 0x3a;
    pub(crate) const I32_CONST: u8 = 0x41;
    pub(crate) const I64_CONST: u8 = 0x42;
    pub(crate) const F64_CONST: u8 = 0x44;
    pub(crate) const I32_EQZ: u8 = 0x45;
    pub(crate) const I32_EQ: u8 = 0x46;
    pub(crate) const I32_NE: u8 = 0x47;
    pub(crate) const I32_LT_S: u8 = 0x48;
    pub(crate) const I32_LT_U: u8 = 0x49;
    pub(crate) const I32_LE_S: u8 = 0x4c;
    pub(crate) const I32_LE_U: u8 = 0x4d;
    pub(crate) const I32_GE_S: u8 = 0x4e;
    pub(crate) const I64_EQZ: u8 = 0x50;
    pub(crate) const I64_EQ: u8 = 0x51;
    pub(crate) const I64_LT_S: u8 = 0x53;
    pub(crate) const I64_LT_U: u8 = 0x54;
    pub(crate) const I64_GT_S: u8 = 0x55;
    pub(crate) const I64_LE_S: u8 = 0x57;
    pub(crate) const I64_GE_S: u8 = 0x59;
    pub(crate) const I64_GE_U: u8 = 0x5a;
    pub(crate) const F64_EQ: u8 = 0x61;
    pub(crate) const F64_LT: u8 = 0x63;
    pub(crate) const F64_GT: u8 = 0x64;
    pub(crate) const F64_LE: u8 = 0x65;
    pub(crate) const F64_GE: u8 = 0x66;
    pub(crate) const I32_ADD: u8 = 0x6a;
    pub(crate) const I32_SUB: u8 = 0x6b;
    pub(crate) const I32_MUL: u8 = 0x6c;
    pub(crate) const I32_AND: u8 = 0x71;
    pub(crate) const I32_OR: u8 = 0x72;
    pub(crate) const I32_SHL: u8 = 0x74;
    pub(crate) const I32_SHR_U: u8 = 0x76;
    pub(crate) const I64_ADD: u8 = 0x7c;
    pub(crate) const I64_SUB: u8 = 0x7d;
    pub(crate) const I64_MUL: u8 = 0x7e;
    pub(crate) const I64_DIV_S: u8 = 0x7f;
    pub(crate) const I64_DIV_U: u8 = 0x80;
    pub(crate) const I64_REM_S: u8 = 0x81;
    pub(crate) const I64_AND: u8 = 0x83;
    pub(crate) const I64_OR: u8 = 0x84;
    pub(crate) const I64_XOR: u8 = 0x85;
    pub(crate) const I64_SHL: u8 = 0x86;
    pub(crate) const I64_SHR_S: u8 = 0x87;
    pub(crate) const I64_SHR_U: u8 = 0x88;
    pub(crate) const F64_ABS: u8 = 0x99;
    pub(crate) const F64_NEG: u8 = 0x9a;
    pub(crate) const F64_FLOOR: u8 = 0x9c;
    pub(crate) const F64_SQRT: u8 = 0x9f;
    pub(crate) const F64_ADD: u8 = 0xa0;
    pub(crate) const F64_SUB: u8 = 0xa1;
    pub(crate) const F64_MUL: u8 = 0xa2;
    pub(crate) const F64_DIV: u8 = 0xa3;
    pub(crate) const I32_WRAP_I64: u8 = 0xa7;
    pub(crate) const I64_TRUNC_F64_S: u8 = 0xb0;
    pub(crate) const F64_CONVERT_I64_S: u8 = 0xb9;
}

const VOID: u8 = 0x40;
const FUNCTION_TYPE: u8 = 0x60;

/// The type of compiled functions: `(L, ci, entry) -> status`.
const FUNCTION: u32 = 0;

fn byte_of(kind: Kind) -> u8 {
    match kind {
        Kind::I32 => 0x7f,
        Kind::I64 => 0x7e,
        Kind::F64 => 0x7c,
    }
}

/// Writes an unsigned number.
fn unsigned(to: &mut Vec<u8>, mut number: u32) {
    while number >= 128 {
        to.push(number as u8 & 127 | 128);
        number >>= 7;
    }
    to.push(number as u8);
}

/// Writes a signed number.
fn signed(to: &mut Vec<u8>, mut number: i64) {
    loop {
        let low = number as u8 & 127;
        number >>= 7;
        if number == 0 && low & 64 == 0 || number == -1 && low & 64 != 0 {
            to.push(low);
            return;
        }
        to.push(low | 128);
    }
}

/// A point that branches go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// The interpreter goes on at the local `NEXT_PC`.
    Exit,
    /// The interpreter goes on at `savedpc`, as it is.
    ExitSaved,
    /// The instruction where a block ends.
    At(u32),
    /// The beginning of a loop.
    Loop(u32),
    /// The point before a loop, for entries from outside.
    Entry(u32),
    /// The end of an instruction.
    Join,
    /// The long way of an instruction.
    Slow,
    /// The end of an `if` or of a small block within an instruction.
    If,
}

/// The code of one function, as it is written.
///
/// Its methods are called from a thousand places, so none is inlined: that is half of the compiler's size.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    bytes: Vec<u8>,
    labels: Vec<Label>,
    /// True while nothing is written, to find out what is known only.
    pub(super) muted: bool,
    /// True after a branch to a label that is not open.
    pub(super) broken: bool,
}

impl Assembler {
    /// Begins anew.
    #[inline(never)]
    pub(super) fn restart(&mut self, muted: bool) {
        self.bytes.clear();
        self.labels.clear();
        self.muted = muted;
    }

    #[inline(never)]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[inline(never)]
    pub(super) fn op(&mut self, code: u8) {
        if !self.muted {
            self.bytes.push(code);
        }
    }

    #[inline(never)]
    pub(super) fn ops(&mut self, codes: &[u8]) {
        for code in codes {
            self.op(*code);
        }
    }

    #[inline(never)]
    fn with(&mut self, code: u8, number: u32) {
        if !self.muted {
            self.bytes.push(code);
            unsigned(&mut self.bytes, number);
        }
    }

    #[inline(never)]
    pub(super) fn get(&mut self, local: u32) {
        self.with(op::LOCAL_GET, local);
    }

    #[inline(never)]
    pub(super) fn set(&mut self, local: u32) {
        self.with(op::LOCAL_SET, local);
    }

    #[inline(never)]
    pub(super) fn tee(&mut self, local: u32) {
        self.with(op::LOCAL_TEE, local);
    }

    #[inline(never)]
    pub(super) fn global_get(&mut self, global: u32) {
        self.with(op::GLOBAL_GET, global);
    }

    #[inline(never)]
    pub(super) fn global_set(&mut self, global: u32) {
        self.with(op::GLOBAL_SET, global);
    }

    #[inline(never)]
    pub(super) fn i32(&mut self, number: i32) {
        if !self.muted {
            self.bytes.push(op::I32_CONST);
            signed(&mut self.bytes, i64::from(number));
        }
    }

    #[inline(never)]
    pub(super) fn i64(&mut self, number: i64) {
        if !self.muted {
            self.bytes.push(op::I64_CONST);
            signed(&mut self.bytes, number);
        }
    }

    #[inline(never)]
    pub(super) fn f64(&mut self, number: f64) {
        if !self.muted {
            self.bytes.push(op::F64_CONST);
            self.bytes.extend(number.to_bits().to_le_bytes());
        }
    }

    /// A load or a store, aligned as its width is.
    #[inline(never)]
    pub(super) fn memory(&mut self, code: u8, offset: u32) {
        if self.muted {
            return;
        }
        let alignment = match code {
            op::I64_LOAD | op::F64_LOAD | op::I64_STORE | op::F64_STORE => 3,
            op::I32_LOAD | op::I32_STORE | op::I64_LOAD32_U => 2,
            op::I32_LOAD16_S | op::I32_LOAD16_U => 1,
            _ => 0,
        };
        self.bytes.extend([code, alignment]);
        unsigned(&mut self.bytes, offset);
    }

    /// A call of a helper.
    #[inline(never)]
    pub(super) fn call(&mut self, helper: Helper) {
        self.with(op::CALL, helper as u32);
    }

    /// A call of the function of this number in the same module.
    #[inline(never)]
    pub(super) fn call_function(&mut self, index: u32) {
        self.with(op::CALL, HELPERS.len() as u32 + index);
    }

    /// A call of a compiled function by its slot, which is on the stack.
    #[inline(never)]
    pub(super) fn call_slot(&mut self) {
        if !self.muted {
            self.bytes.extend([op::CALL_INDIRECT, FUNCTION as u8, 0]);
        }
    }

    /// Opens a block, a loop or an `if`, without results.
    #[inline(never)]
    pub(super) fn open(&mut self, code: u8, label: Label) {
        self.labels.push(label);
        if !self.muted {
            self.bytes.extend([code, VOID]);
        }
    }

    /// Closes what was opened last.
    #[inline(never)]
    pub(super) fn close(&mut self) {
        self.labels.pop();
        self.op(op::END);
    }

    /// A branch to the innermost of these labels.
    #[inline(never)]
    pub(super) fn branch(&mut self, code: u8, label: Label) {
        match self.labels.iter().rev().position(|open| *open == label) {
            Some(depth) => self.with(code, depth as u32),
            None => self.broken = true,
        }
    }

    #[inline(never)]
    pub(super) fn br(&mut self, label: Label) {
        self.branch(op::BR, label);
    }

    #[inline(never)]
    pub(super) fn br_if(&mut self, label: Label) {
        self.branch(op::BR_IF, label);
    }

    /// The code, with its locals behind the three parameters.
    #[inline(never)]
    pub(super) fn body(&self, locals: &[Kind]) -> Vec<u8> {
        let mut head = Vec::new();
        let runs = locals.chunk_by(|one, next| one == next);
        unsigned(&mut head, runs.clone().count() as u32);
        for run in runs {
            unsigned(&mut head, run.len() as u32);
            head.push(byte_of(run[0]));
        }
        let mut body = Vec::with_capacity(head.len() + self.bytes.len() + 6);
        unsigned(&mut body, (head.len() + self.bytes.len() + 1) as u32);
        body.extend(head);
        body.extend(&self.bytes);
        body.push(op::END);
        body
    }
}

/// A module, as it is written.
#[derive(Debug)]
pub(super) struct ModuleWriter {
    bodies: Vec<Vec<u8>>,
    /// Seed of the guards that fail at random, kept in a global; 0 for none.
    exit_seed: u32,
    /// True if a function calls by a slot.
    pub(super) needs_table: bool,
}

impl ModuleWriter {
    pub(super) fn new(exit_seed: u32) -> Self {
        Self { bodies: Vec::new(), exit_seed, needs_table: false }
    }

    /// The next function.
    pub(super) fn push(&mut self, body: Vec<u8>) {
        self.bodies.push(body);
    }

    pub(super) fn finish(self, functions: Vec<Compiled>) -> Module {
        let count = self.bodies.len() as u32;
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        section(&mut bytes, 1, |to| {
            unsigned(to, 1 + HELPERS.len() as u32);
            to.extend([FUNCTION_TYPE, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f]);
            for helper in HELPERS {
                to.extend([FUNCTION_TYPE, helper.parameters.len() as u8]);
                to.extend(helper.parameters.iter().map(|kind| byte_of(*kind)));
                to.push(u8::from(helper.result.is_some()));
                to.extend(helper.result.map(byte_of));
            }
        });
        section(&mut bytes, 2, |to| {
            unsigned(to, 1 + u32::from(self.needs_table) + HELPERS.len() as u32);
            import(to, "memory", &[2, 0, 1]);
            if self.needs_table {
                import(to, "table", &[1, 0x70, 0, 1]);
            }
            for (at, helper) in HELPERS.iter().enumerate() {
                import(to, helper.name, &[0]);
                unsigned(to, 1 + at as u32);
            }
        });
        section(&mut bytes, 3, |to| {
            unsigned(to, count);
            to.extend(self.bodies.iter().map(|_| FUNCTION as u8));
        });
        if self.exit_seed != 0 {
            section(&mut bytes, 6, |to| {
                to.extend([1, 0x7f, 1, op::I32_CONST]);
                signed(to, i64::from(self.exit_seed as i32));
                to.push(op::END);
            });
        }
        section(&mut bytes, 7, |to| {
            unsigned(to, count);
            for at in 0..count {
                name(to, &at.to_string());
                to.push(0);
                unsigned(to, HELPERS.len() as u32 + at);
            }
        });
        section(&mut bytes, 10, |to| {
            unsigned(to, count);
            for body in &self.bodies {
                to.extend(body);
            }
        });
        Module { bytes, functions, needs_table: self.needs_table }
    }
}

fn section(to: &mut Vec<u8>, id: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let mut content = Vec::new();
    write(&mut content);
    to.push(id);
    unsigned(to, content.len() as u32);
    to.extend(content);
}

fn name(to: &mut Vec<u8>, text: &str) {
    unsigned(to, text.len() as u32);
    to.extend(text.as_bytes());
}

fn import(to: &mut Vec<u8>, field: &str, what: &[u8]) {
    name(to, "m");
    name(to, field);
    to.extend(what);
}
