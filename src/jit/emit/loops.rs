//! `for`: numerical and generic.

use super::super::helpers::Helper;
use super::super::state::UNKNOWN;
use super::{Emitter, Label, Op, Operand, Then, is_number, local, op, tag};

impl Emitter<'_> {
    /// FORPREP. `out`: the instruction behind the loop.
    pub(super) fn for_prepare(&mut self, a: u32, out: u32) {
        let tags = [(a, Operand::A), (a + 1, Operand::B), (a + 2, Operand::C)]
            .map(|(register, operand)| self.number_tag(register, operand));
        if tags == [tag::INTEGER; 3]
            && let Some(step) = self.constant_step(a)
        {
            return self.for_prepare_inline(a, step, out);
        }
        self.push_place();
        self.asm.call(Helper::ForPrep);
        for register in a..=a + 3 {
            self.state.forget(register);
        }
        self.asm.open(op::IF, Label::If);
        self.jump(out);
        self.asm.close();
        let prepared = if tags[0] == tag::INTEGER && tags[2] == tag::INTEGER {
            tag::INTEGER
        } else if tags[0] == tag::FLOAT && is_number(tags[2]) || is_number(tags[0]) && tags[2] == tag::FLOAT {
            tag::FLOAT
        } else {
            UNKNOWN
        };
        for register in a..=a + 3 {
            self.state.set(register, prepared, 0);
        }
    }

    /// The step, where the instruction before loads a positive one.
    fn constant_step(&self, a: u32) -> Option<i64> {
        let before = self.pc.checked_sub(1).map(|pc| self.function.at(pc))?;
        let step = i64::from(before.sbx());
        (before.op() == Op::LoadI && before.a() == a + 2 && step > 0 && !self.shape.is_target(self.pc))
            .then_some(step)
    }

    /// Prepares a loop over integers with a positive constant step.
    fn for_prepare_inline(&mut self, a: u32, step: i64, out: u32) {
        self.push_integer(a);
        self.define_integer(a + 3);
        self.push_integer(a);
        self.push_integer(a + 1);
        self.asm.op(op::I64_GT_S);
        self.asm.open(op::IF, Label::If);
        let before = self.state.clone();
        self.jump(out);
        self.state = before;
        self.asm.close();
        // How often it runs again, as PUC's loops count, in place of the limit.
        self.push_integer(a + 1);
        self.push_integer(a);
        self.asm.op(op::I64_SUB);
        if step > 1 {
            self.asm.i64(step);
            self.asm.op(op::I64_DIV_U);
        }
        self.define_integer(a + 1);
    }

    /// FORLOOP. `body`: the first instruction of the loop.
    pub(super) fn for_loop(&mut self, a: u32, body: u32) {
        let next = self.pc + 1;
        match self.number_tag(a + 2, Operand::C) {
            tag::INTEGER => {
                // The three are of one kind: so FORPREP has left them.
                for register in [a, a + 1] {
                    if self.known(register) == UNKNOWN {
                        self.state.set(register, tag::INTEGER, 0);
                    }
                }
                self.push_integer(a + 1);
                self.asm.ops(&[op::I64_EQZ, op::I32_EQZ]);
                self.asm.open(op::IF, Label::If);
                let before = self.state.clone();
                self.push_integer(a + 1);
                self.asm.i64(1);
                self.asm.op(op::I64_SUB);
                self.define_integer(a + 1);
                self.push_integer(a);
                self.push_integer(a + 2);
                self.asm.op(op::I64_ADD);
                self.define_integer(a);
                self.push_integer(a);
                self.define_integer(a + 3);
                self.jump_with_tick(body);
                self.state = before;
                self.asm.close();
                self.tick(next);
            }
            tag::FLOAT => {
                for register in [a, a + 1] {
                    if self.known(register) == UNKNOWN {
                        self.state.set(register, tag::FLOAT, 0);
                    }
                }
                self.push_float(a);
                self.push_float(a + 2);
                self.asm.op(op::F64_ADD);
                self.asm.set(local::FLOAT);
                // 0 < step ? index <= limit : limit <= index
                self.asm.get(local::FLOAT);
                self.push_float(a + 1);
                self.asm.op(op::F64_LE);
                self.push_float(a + 1);
                self.asm.get(local::FLOAT);
                self.asm.op(op::F64_LE);
                self.asm.f64(0.0);
                self.push_float(a + 2);
                self.asm.ops(&[op::F64_LT, op::SELECT]);
                self.asm.open(op::IF, Label::If);
                let before = self.state.clone();
                self.asm.get(local::FLOAT);
                self.define_float(a);
                self.push_float(a);
                self.define_float(a + 3);
                self.jump_with_tick(body);
                self.state = before;
                self.asm.close();
                self.tick(next);
            }
            _ => {
                self.step();
                for register in [a, a + 1, a + 3] {
                    self.state.forget(register);
                }
                self.jump_if_saved(body);
            }
        }
        self.then = Then::At(next);
    }

    /// TFORPREP and TFORCALL, each with the TFORLOOP behind it.
    pub(super) fn generic_for(&mut self, a: u32, first: bool) {
        let (body, out) = if first {
            (self.pc + 1, self.pc + 3 + self.function.at(self.pc).bx())
        } else {
            (self.pc + 2 - self.function.at(self.pc + 1).bx().min(self.pc + 2), self.pc + 2)
        };
        self.step();
        self.state.forget_from(a + 2);
        if first {
            self.jump_if_saved(out);
            self.then = Then::At(body);
        } else {
            self.jump_if_saved(body);
            self.then = Then::At(out);
        }
    }
}
