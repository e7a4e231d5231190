//! Calls and returns.
//!
//! A callee that the recording saw is recognised by its `Proto.jit`, which no other function ever has; its
//! frame is then filled as `luaD_precall` does, and it is called directly or through the table. Returns of
//! one value or none are inline.

use super::super::SLOT_MASK;
use super::super::helpers::Helper;
use super::super::profile::Target;
use super::super::proto::Callee;
use super::{Emitter, Instruction, Label, Op, Operand, Then, limits, local, op, status, tag};

/// Bits of `callstatus`, which lies behind the 16 bits of `nresults`: `CIST_FRESH`, and that compiled code
/// waits for the end of the frame (`PERILUNE_CIST_COMPILED`).
const FRESH: i32 = (1 << 2 | 1 << 15) << 16;

/// A callee that is compiled.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// One function, always.
    One {
        callee: Callee,
        /// Number in this module.
        inside: Option<u32>,
        /// `Proto.jit`.
        jit: i32,
    },
    /// Any function of Lua, looked at when it is called: its `Proto` is the local `PROTO`.
    Any,
}

impl Emitter<'_> {
    #[inline(never)]
    pub(super) fn call(&mut self, a: u32, b: u32, c: u32) {
        let target = self.profile.at(self.pc).and_then(|observed| observed.target.one());
        if let Some(Target::C(function)) = target
            && self.intrinsic(function, a, b, c)
        {
            return;
        }
        let layout = self.place.layout;
        // The two are filled with one store.
        let together =
            layout.call_callstatus == layout.call_nresults + 2 && layout.call_nresults.is_multiple_of(4);
        let known = match target {
            _ if b == 0 || !together => None,
            Some(Target::Lua(serial)) => self.known_callee(serial),
            _ if self.tag_of(a, Operand::A) == Some(tag::LUA_FUNCTION) => Some(Known::Any),
            _ => None,
        };
        match known {
            Some(known) => {
                self.asm.open(op::BLOCK, Label::Join);
                self.asm.open(op::BLOCK, Label::Slow);
                self.call_known(known, a, b, c);
                self.asm.br(Label::Join);
                self.asm.close();
                self.call_any(a, b, c);
                self.asm.close();
            }
            None => self.call_any(a, b, c),
        }
        self.state.forget_from(a);
    }

    /// The compiled function of this serial number, if it is one that compiled code can call.
    #[inline(never)]
    fn known_callee(&self, serial: u32) -> Option<Known> {
        let profile = self.profiles.get(serial)?;
        // SAFETY: functions that are not forgotten are alive: `Compiler::compile` asks for it.
        let callee = unsafe { Callee::read(profile.proto(), self.place.layout) };
        let inside = self.place.serials.iter().position(|known| *known == serial).map(|at| at as u32);
        let jit = inside.map_or(callee.jit, |at| self.place.first + at as i32);
        if callee.is_vararg {
            return None;
        }
        Some(if jit > 0 { Known::One { callee, inside, jit } } else { Known::Any })
    }

    /// Any call, by a helper.
    #[inline(never)]
    fn call_any(&mut self, a: u32, b: u32, c: u32) {
        self.guard_depth();
        self.set_top(a, b);
        self.push_place();
        self.register_address(a);
        self.asm.i32(c as i32 - 1);
        self.asm.call(Helper::Call);
        self.take_base();
    }

    /// Exits at the call if there are too many compiled frames. Leaves their number in `A`.
    #[inline(never)]
    fn guard_depth(&mut self) {
        self.guard(self.pc, |e| {
            e.asm.i32(e.place.layout.depth as i32);
            e.asm.memory(op::I32_LOAD, 0);
            e.asm.tee(local::A);
            e.asm.i32(limits::DEPTH);
            e.asm.op(op::I32_GE_S);
        });
    }

    /// L->top := R[a + b], unless b is 0: then the instruction before has set it.
    #[inline(never)]
    fn set_top(&mut self, a: u32, b: u32) {
        if b != 0 {
            self.asm.get(local::STATE);
            self.register_address(a + b);
            self.asm.memory(op::I32_STORE, self.place.layout.state_top);
        }
    }

    /// Stores `A` and so many as the number of compiled frames.
    #[inline(never)]
    fn set_depth(&mut self, more: i32) {
        self.asm.i32(self.place.layout.depth as i32);
        self.asm.get(local::A);
        if more != 0 {
            self.asm.i32(more);
            self.asm.op(op::I32_ADD);
        }
        self.asm.memory(op::I32_STORE, 0);
    }

    #[allow(clippy::too_many_lines, reason = "one call from its beginning to its end")]
    /// A call of a compiled function, if R[a] is it; otherwise the long way.
    #[inline(never)]
    fn call_known(&mut self, known: Known, a: u32, b: u32, c: u32) {
        let layout = self.place.layout;
        if self.known(a) != tag::LUA_FUNCTION {
            self.push_tag(a);
            self.asm.i32(i32::from(tag::LUA_FUNCTION));
            self.asm.op(op::I32_NE);
            self.asm.br_if(Label::Slow);
        }
        self.base();
        self.asm.memory(op::I32_LOAD, a * 16);
        self.asm.memory(op::I32_LOAD, layout.closure_p);
        self.asm.tee(local::PROTO);
        self.asm.memory(op::I32_LOAD, layout.proto_jit);
        if let Known::One { jit, .. } = known {
            self.asm.i32(jit);
            self.asm.op(op::I32_NE);
            self.asm.br_if(Label::Slow);
        } else {
            self.asm.i32(0);
            self.asm.op(op::I32_LE_S);
            self.asm.br_if(Label::Slow);
            self.asm.get(local::PROTO);
            self.asm.memory(op::I32_LOAD8_U, layout.proto_is_vararg);
            self.asm.br_if(Label::Slow);
        }
        self.guard_depth();
        self.asm.get(local::CALL_INFO);
        self.asm.memory(op::I32_LOAD, layout.call_next);
        self.asm.tee(local::B);
        self.asm.op(op::I32_EQZ);
        self.asm.br_if(Label::Slow);
        // Room for its frame.
        self.asm.get(local::STATE);
        self.asm.memory(op::I32_LOAD, layout.state_stack_last);
        self.register_address(a + b);
        self.asm.op(op::I32_SUB);
        self.push_frame_bytes(known);
        self.asm.op(op::I32_LE_S);
        self.asm.br_if(Label::Slow);
        self.fill_missing(known, a + 1, b - 1);
        self.asm.get(local::B);
        self.register_address(a);
        self.asm.memory(op::I32_STORE, layout.call_func);
        self.asm.get(local::B);
        self.register_address(a + 1);
        self.push_frame_bytes(known);
        self.asm.op(op::I32_ADD);
        self.asm.memory(op::I32_STORE, layout.call_top);
        self.asm.get(local::B);
        match known {
            Known::One { callee, .. } => self.asm.i32(callee.code_address as i32),
            Known::Any => {
                self.asm.get(local::PROTO);
                self.asm.memory(op::I32_LOAD, layout.proto_code);
            }
        }
        self.asm.memory(op::I32_STORE, layout.call_savedpc);
        self.asm.get(local::B);
        self.asm.i32((c as i32 - 1) & 0xffff | FRESH);
        self.asm.memory(op::I32_STORE, layout.call_nresults);
        self.asm.get(local::STATE);
        self.asm.get(local::B);
        self.asm.memory(op::I32_STORE, layout.state_ci);
        self.save_pc(self.pc + 1);
        // The tick of its start. Without fuel the interpreter starts it, which asks for more.
        self.push_tick();
        self.asm.i32(0);
        self.asm.op(op::I32_LT_S);
        self.asm.open(op::IF, Label::If);
        self.asm.i32(status::INTERPRET | status::TRIPPED);
        self.asm.set(local::C);
        self.asm.op(op::ELSE);
        self.enter_frame(local::B, |e| match known {
            Known::One { inside: Some(index), .. } => e.asm.call_function(index),
            Known::One { jit, .. } => {
                e.asm.i32(jit & SLOT_MASK);
                e.call_slot();
            }
            Known::Any => {
                e.asm.get(local::PROTO);
                e.asm.memory(op::I32_LOAD, layout.proto_jit);
                e.take_slot_number();
                e.call_slot();
            }
        });
        self.asm.close();
        self.asm.get(local::C);
        self.asm.open(op::IF, Label::If);
        self.asm.get(local::C);
        self.asm.i32(status::KIND);
        self.asm.op(op::I32_AND);
        self.asm.open(op::IF, Label::If);
        self.asm.get(local::STATE);
        self.asm.get(local::B);
        self.asm.get(local::C);
        self.asm.call(Helper::Interpret);
        self.asm.set(local::C);
        self.asm.close();
        self.asm.get(local::C);
        self.asm.i32(status::TRIPPED);
        self.asm.op(op::I32_EQ);
        self.asm.br_if(Label::ExitSaved);
        self.asm.get(local::C);
        self.asm.open(op::IF, Label::If);
        self.asm.i32(status::LEAVING);
        self.asm.op(op::RETURN);
        self.asm.close();
        self.asm.close();
        self.reload_base();
    }

    /// Enters compiled code at its start, for the frame in this local, by the call that `call` writes. `A` is
    /// the number of compiled frames; the status is then in `C`.
    fn enter_frame(&mut self, frame: u32, call: impl FnOnce(&mut Self)) {
        self.set_depth(1);
        self.asm.get(local::STATE);
        self.asm.get(frame);
        self.asm.i32(0);
        call(self);
        self.asm.set(local::C);
        self.set_depth(0);
    }

    /// Makes the slot of a `Proto.jit` on wasm's stack.
    fn take_slot_number(&mut self) {
        self.asm.i32(SLOT_MASK);
        self.asm.op(op::I32_AND);
    }

    /// Calls the compiled function whose slot is on wasm's stack.
    #[inline(never)]
    fn call_slot(&mut self) {
        self.asm.call_slot();
        self.needs_table = true;
    }

    /// Pushes the bytes of the registers of a callee.
    #[inline(never)]
    fn push_frame_bytes(&mut self, known: Known) {
        match known {
            Known::One { callee, .. } => self.asm.i32(callee.registers as i32 * 16),
            Known::Any => {
                self.asm.get(local::PROTO);
                self.asm.memory(op::I32_LOAD8_U, self.place.layout.proto_maxstacksize);
                self.asm.i32(4);
                self.asm.op(op::I32_SHL);
            }
        }
    }

    /// Makes the parameters nil that have no arguments.
    #[inline(never)]
    fn fill_missing(&mut self, known: Known, first: u32, arguments: u32) {
        let nil = |e: &mut Self, at: u32| {
            e.base();
            e.asm.i32(i32::from(tag::NIL));
            e.asm.memory(op::I32_STORE8, (first + at) * 16 + 8);
        };
        match known {
            Known::One { callee, .. } => (arguments..callee.parameters).for_each(|at| nil(self, at)),
            Known::Any => {
                const MOST: u32 = 3;
                self.asm.open(op::BLOCK, Label::If);
                for at in arguments..=arguments + MOST {
                    self.asm.get(local::PROTO);
                    self.asm.memory(op::I32_LOAD8_U, self.place.layout.proto_numparams);
                    self.asm.i32(at as i32);
                    self.asm.op(op::I32_LE_U);
                    self.asm.br_if(Label::If);
                    if at < arguments + MOST {
                        nil(self, at);
                    }
                }
                self.asm.br(Label::Slow);
                self.asm.close();
            }
        }
    }

    /// The base anew: the stack may have moved.
    #[inline(never)]
    fn reload_base(&mut self) {
        self.asm.get(local::CALL_INFO);
        self.asm.memory(op::I32_LOAD, self.place.layout.call_func);
        self.asm.i32(16);
        self.asm.op(op::I32_ADD);
        self.asm.set(local::BASE);
    }

    // ---- Tail calls and returns ----

    /// A C function: done. One of Lua: its frame is this one; it is called, not jumped to, so that the depth
    /// is bounded.
    #[inline(never)]
    pub(super) fn tail_call(&mut self, a: u32, b: u32) {
        self.set_top(a, b);
        self.push_place();
        self.asm.call(Helper::Tail);
        self.asm.tee(local::B);
        self.asm.i32(0);
        self.asm.op(op::I32_LE_S);
        self.asm.open(op::IF, Label::If);
        self.asm.i32(0);
        self.asm.get(local::B);
        self.asm.ops(&[op::I32_SUB, op::RETURN]);
        self.asm.close();
        self.asm.i32(self.place.layout.depth as i32);
        self.asm.memory(op::I32_LOAD, 0);
        self.asm.set(local::A);
        self.enter_frame(local::CALL_INFO, |e| {
            e.asm.get(local::B);
            e.take_slot_number();
            e.call_slot();
        });
        // Where it gave up, whoever entered this function must not go on with what it knows of the frame: it
        // is another function's.
        self.asm.get(local::C);
        self.asm.i32(status::KIND);
        self.asm.op(op::I32_AND);
        self.asm.i32(status::INTERPRET);
        self.asm.op(op::I32_EQ);
        self.asm.open(op::IF, Label::If);
        self.asm.get(local::C);
        self.asm.i32(status::REPLACED + status::BEGUN - status::INTERPRET);
        self.asm.op(op::I32_ADD);
        self.asm.op(op::RETURN);
        self.asm.close();
        self.asm.get(local::C);
        self.asm.op(op::RETURN);
        self.then = Then::Gone;
    }

    /// A return by the interpreter's own code.
    #[inline(never)]
    pub(super) fn return_by_step(&mut self) {
        self.push_place();
        self.asm.call(Helper::Step);
        self.asm.op(op::I32_EQZ);
        self.asm.i32(3);
        self.asm.op(op::I32_SHL);
        const { assert!(status::DONE == 0 && status::TRIPPED == 1 << 3) };
        self.asm.op(op::RETURN);
        self.then = Then::Gone;
    }

    /// A return of one value or none, where as many are wanted.
    #[inline(never)]
    pub(super) fn return_short(&mut self, i: Instruction) {
        let layout = self.place.layout;
        let (a, one) = (i.a(), i.op() == Op::Return1);
        self.asm.get(local::CALL_INFO);
        self.asm.memory(op::I32_LOAD16_S, layout.call_nresults);
        self.asm.i32(i32::from(one));
        self.asm.op(op::I32_EQ);
        self.asm.open(op::IF, Label::If);
        let before = self.state.clone();
        self.base();
        self.asm.i32(16);
        self.asm.op(op::I32_SUB);
        self.asm.set(local::B);
        if one {
            self.asm.get(local::B);
            match self.known(a) {
                tag::INTEGER => {
                    self.push_integer(a);
                    self.asm.memory(op::I64_STORE, 0);
                }
                tag::FLOAT => {
                    self.push_float(a);
                    self.asm.memory(op::F64_STORE, 0);
                }
                _ => {
                    self.base();
                    self.asm.memory(op::I64_LOAD, a * 16);
                    self.asm.memory(op::I64_STORE, 0);
                }
            }
            self.asm.get(local::B);
            self.push_tag(a);
            self.asm.memory(op::I32_STORE8, 8);
        }
        self.asm.get(local::STATE);
        self.asm.get(local::CALL_INFO);
        self.asm.memory(op::I32_LOAD, layout.call_previous);
        self.asm.memory(op::I32_STORE, layout.state_ci);
        self.asm.get(local::STATE);
        self.asm.get(if one { local::BASE } else { local::B });
        self.asm.memory(op::I32_STORE, layout.state_top);
        self.asm.i32(status::DONE);
        self.asm.op(op::RETURN);
        self.asm.close();
        self.state = before;
        self.return_by_step();
    }

    // ---- C functions that compiled code does itself ----

    /// True if the call was done: of a function of the library, with arguments of the usual kind.
    #[inline(never)]
    fn intrinsic(&mut self, function: usize, a: u32, b: u32, c: u32) -> bool {
        let known = self.place.intrinsics;
        let is = |of: usize| of != 0 && of == function;
        let one = b == 2 && c == 2;
        let two = b == 3 && c == 2;
        let argument = if one || two { self.argument_tag(a + 1) } else { None };
        let (next, float) = (self.pc + 1, argument == Some(tag::FLOAT));
        let integer = argument == Some(tag::INTEGER);
        if is(known.sqrt) && one && float {
            self.guard_intrinsic(function, a, tag::FLOAT, b);
            self.push_float(a + 1);
            self.asm.op(op::F64_SQRT);
            self.define_float(a);
        } else if is(known.abs) && one && (float || integer) {
            self.guard_intrinsic(function, a, if float { tag::FLOAT } else { tag::INTEGER }, b);
            if float {
                self.push_float(a + 1);
                self.asm.op(op::F64_ABS);
                self.define_float(a);
            } else {
                self.asm.i64(0);
                self.push_integer(a + 1);
                self.asm.op(op::I64_SUB);
                self.push_integer(a + 1);
                self.push_integer(a + 1);
                self.asm.i64(0);
                self.asm.ops(&[op::I64_LT_S, op::SELECT]);
                self.define_integer(a);
            }
        } else if is(known.floor) && one && (float || integer) {
            self.guard_intrinsic(function, a, if float { tag::FLOAT } else { tag::INTEGER }, b);
            if integer {
                self.push_integer(a + 1);
            } else {
                // A float that does not fit stays one: the interpreter does that.
                self.push_float(a + 1);
                self.asm.op(op::F64_FLOOR);
                self.asm.set(local::FLOAT);
                self.guard(self.pc, |e| {
                    e.asm.get(local::FLOAT);
                    e.asm.f64(-9_223_372_036_854_775_808.0);
                    e.asm.op(op::F64_GE);
                    e.asm.get(local::FLOAT);
                    e.asm.f64(9_223_372_036_854_775_808.0);
                    e.asm.ops(&[op::F64_LT, op::I32_AND, op::I32_EQZ]);
                });
                self.asm.get(local::FLOAT);
                self.asm.op(op::I64_TRUNC_F64_S);
            }
            self.define_integer(a);
        } else if (is(known.max) || is(known.min))
            && two
            && (float || integer)
            && self.argument_tag(a + 2) == argument
        {
            self.guard_intrinsic(function, a, if float { tag::FLOAT } else { tag::INTEGER }, b);
            // math.max takes the second one if the first is less, math.min if it is less than the first.
            let (left, right) = if is(known.max) { (a + 1, a + 2) } else { (a + 2, a + 1) };
            if float {
                self.push_float(a + 2);
                self.push_float(a + 1);
                self.push_float(left);
                self.push_float(right);
                self.asm.ops(&[op::F64_LT, op::SELECT]);
                self.define_float(a);
            } else {
                self.push_integer(a + 2);
                self.push_integer(a + 1);
                self.push_integer(left);
                self.push_integer(right);
                self.asm.ops(&[op::I64_LT_S, op::SELECT]);
                self.define_integer(a);
            }
        } else {
            return false;
        }
        self.state.forget_from(a + 1);
        self.tick(next);
        true
    }

    /// The tag of an argument, as far as it is known.
    #[inline(never)]
    fn argument_tag(&self, register: u32) -> Option<u8> {
        Some(self.known(register)).filter(|tag| super::is_number(*tag))
    }

    /// Exits at the call unless R[a] is this C function and its arguments have this tag.
    #[inline(never)]
    fn guard_intrinsic(&mut self, function: usize, a: u32, tag: u8, b: u32) {
        for argument in a + 1..a + b {
            self.guard_tag(argument, tag);
        }
        self.guard_tag(a, tag::C_FUNCTION);
        self.guard(self.pc, |e| {
            e.base();
            e.asm.memory(op::I32_LOAD, a * 16);
            e.asm.i32(function as i32);
            e.asm.op(op::I32_NE);
        });
    }
}
