//! Registers: loads and stores of values and tags, and what is known of them.

use super::super::helpers::Kind;
use super::super::state::{UNKNOWN, held};
use super::{Constant, Emitter, is_pointer, local, op, tag};

impl Emitter<'_> {
    /// Pushes the address of R[0].
    #[inline(never)]
    pub(super) fn base(&mut self) {
        self.asm.get(local::BASE);
    }

    /// Pushes the address of a register.
    #[inline(never)]
    pub(super) fn register_address(&mut self, register: u32) {
        self.base();
        self.asm.i32(register as i32 * 16);
        self.asm.op(op::I32_ADD);
    }

    /// Pushes a register's tag.
    #[inline(never)]
    pub(super) fn push_tag(&mut self, register: u32) {
        match self.known(register) {
            UNKNOWN => {
                self.base();
                self.asm.memory(op::I32_LOAD8_U, register * 16 + 8);
            }
            known => self.asm.i32(i32::from(known)),
        }
    }

    #[inline(never)]
    pub(super) fn known(&self, register: u32) -> u8 {
        self.state.tag(register)
    }

    /// The local of a register for values of this kind: 0 integers, 1 floats, 2 pointers.
    #[inline(never)]
    fn register_local(&mut self, register: u32, kind: usize) -> u32 {
        let Some(locals) = self.register_locals.get_mut(register as usize) else {
            self.unfit = true;
            return local::A;
        };
        if locals[kind] == 0 {
            locals[kind] = local::BASE + self.locals.len() as u32;
            self.locals.push([Kind::I64, Kind::F64, Kind::I32][kind]);
        }
        locals[kind]
    }

    #[inline(never)]
    fn push_value(&mut self, register: u32, kind: usize, bit: u8, load: u8) {
        let at = self.register_local(register, kind);
        if self.state.held(register) & bit != 0 {
            self.asm.get(at);
        } else {
            self.base();
            self.asm.memory(load, register * 16);
            self.asm.tee(at);
            self.state.hold(register, bit);
        }
    }

    /// Pushes the value of a register that is an integer.
    #[inline(never)]
    pub(super) fn push_integer(&mut self, register: u32) {
        self.push_value(register, 0, held::INTEGER, op::I64_LOAD);
    }

    /// Pushes the value of a register that is a float.
    #[inline(never)]
    pub(super) fn push_float(&mut self, register: u32) {
        self.push_value(register, 1, held::FLOAT, op::F64_LOAD);
    }

    /// Pushes the address of the object in a register.
    #[inline(never)]
    pub(super) fn push_pointer(&mut self, register: u32) {
        self.push_value(register, 2, held::POINTER, op::I32_LOAD);
    }

    /// Loads a register's value into its local, if its tag says which that is.
    #[inline(never)]
    pub(super) fn preload(&mut self, register: u32) {
        match self.known(register) {
            tag::INTEGER => self.push_integer(register),
            tag::FLOAT => self.push_float(register),
            known if is_pointer(known) => self.push_pointer(register),
            _ => return,
        }
        self.asm.op(op::DROP);
    }

    /// Stores a register's tag, unless it is there.
    #[inline(never)]
    fn store_tag(&mut self, register: u32, tag: u8) {
        if self.known(register) != tag {
            self.base();
            self.asm.i32(i32::from(tag));
            self.asm.memory(op::I32_STORE8, register * 16 + 8);
        }
    }

    #[inline(never)]
    fn define(&mut self, register: u32, kind: usize, bit: u8, store: u8, tag: u8) {
        let at = self.register_local(register, kind);
        self.asm.set(at);
        self.base();
        self.asm.get(at);
        self.asm.memory(store, register * 16);
        self.store_tag(register, tag);
        self.state.set(register, tag, bit);
    }

    /// Makes the register the integer on wasm's stack.
    #[inline(never)]
    pub(super) fn define_integer(&mut self, register: u32) {
        self.define(register, 0, held::INTEGER, op::I64_STORE, tag::INTEGER);
    }

    /// Makes the register the float on wasm's stack.
    #[inline(never)]
    pub(super) fn define_float(&mut self, register: u32) {
        self.define(register, 1, held::FLOAT, op::F64_STORE, tag::FLOAT);
    }

    /// Makes the register the object on wasm's stack.
    #[inline(never)]
    pub(super) fn define_pointer(&mut self, register: u32, tag: u8) {
        self.define(register, 2, held::POINTER, op::I32_STORE, tag);
    }

    /// Gives the register this tag; its value is not looked at or already there.
    #[inline(never)]
    pub(super) fn define_tag(&mut self, register: u32, tag: u8) {
        self.store_tag(register, tag);
        self.state.set(register, tag, 0);
    }

    #[inline(never)]
    pub(super) fn load_constant(&mut self, register: u32, constant: Constant) {
        match constant.tag {
            tag::INTEGER => {
                self.asm.i64(constant.integer());
                self.define_integer(register);
            }
            tag::FLOAT => {
                self.asm.f64(constant.float());
                self.define_float(register);
            }
            tag::SHORT_STRING | tag::LONG_STRING => {
                self.base();
                self.asm.i32(constant.address() as i32);
                self.asm.memory(op::I32_STORE, register * 16);
                self.define_tag(register, constant.tag);
            }
            other => self.define_tag(register, other),
        }
    }

    /// R[to] := R[from].
    #[inline(never)]
    pub(super) fn copy(&mut self, to: u32, from: u32) {
        if to == from {
            return;
        }
        match self.known(from) {
            tag::INTEGER => {
                self.push_integer(from);
                self.define_integer(to);
            }
            tag::FLOAT => {
                self.push_float(from);
                self.define_float(to);
            }
            known if is_pointer(known) => {
                self.push_pointer(from);
                self.define_pointer(to, known);
            }
            known => {
                self.base();
                self.base();
                self.asm.memory(op::I64_LOAD, from * 16);
                self.asm.memory(op::I64_STORE, to * 16);
                if known == UNKNOWN {
                    self.base();
                    self.push_tag(from);
                    self.asm.memory(op::I32_STORE8, to * 16 + 8);
                    self.state.forget(to);
                } else {
                    self.define_tag(to, known);
                }
            }
        }
    }

    /// Exits at the instruction at hand unless the register has this tag.
    #[inline(never)]
    pub(super) fn guard_tag(&mut self, register: u32, tag: u8) {
        if self.known(register) == tag {
            return;
        }
        self.guard_register(self.pc, register, tag);
        self.state.set(register, tag, 0);
    }

    /// Pushes 1 if the register is nil or false, otherwise 0.
    #[inline(never)]
    pub(super) fn push_is_false(&mut self, register: u32) {
        match self.known(register) {
            UNKNOWN => {
                // The tags of nil end in 0, and false is 1.
                self.push_tag(register);
                self.asm.tee(local::A);
                self.asm.i32(15);
                self.asm.op(op::I32_AND);
                self.asm.op(op::I32_EQZ);
                self.asm.get(local::A);
                self.asm.i32(i32::from(tag::FALSE));
                self.asm.op(op::I32_EQ);
                self.asm.op(op::I32_OR);
            }
            known => self.asm.i32(i32::from(known & 15 == 0 || known == tag::FALSE)),
        }
    }
}
