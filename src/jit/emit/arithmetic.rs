//! Arithmetic and bitwise operations.
//!
//! Operands whose type is known or was always the same are computed inline; all others by PUC's own text,
//! which also calls metamethods. The instruction behind each, which calls the metamethod, is skipped.

use super::super::helpers::Helper;
use super::super::state::UNKNOWN;
use super::{Constant, Emitter, Instruction, Label, Op, Operand, Then, is_number, local, op, tag};

/// An operand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Number {
    Register(u32, Operand),
    Integer(i64),
    Float(f64),
}

/// A constant as an operand.
fn number(constant: Constant) -> Number {
    if constant.tag == tag::FLOAT {
        Number::Float(constant.float())
    } else {
        Number::Integer(constant.integer())
    }
}

impl Emitter<'_> {
    /// An instruction with two operands.
    pub(super) fn arithmetic(&mut self, i: Instruction) {
        let left = Number::Register(i.b(), Operand::B);
        let right = Number::Register(i.c(), Operand::C);
        let constant = number(self.function.constant(i.c()));
        let (operation, x, y) = match i.op() {
            Op::AddI => (Op::Add, left, Number::Integer(i.sc())),
            Op::ShrI => (Op::Shr, left, Number::Integer(i.sc())),
            Op::ShlI => (Op::Shl, Number::Integer(i.sc()), left),
            Op::AddK => (Op::Add, left, constant),
            Op::SubK => (Op::Sub, left, constant),
            Op::MulK => (Op::Mul, left, constant),
            Op::ModK => (Op::Mod, left, constant),
            Op::PowK => (Op::Pow, left, constant),
            Op::DivK => (Op::Div, left, constant),
            Op::IDivK => (Op::IDiv, left, constant),
            Op::BAndK => (Op::BAnd, left, constant),
            Op::BOrK => (Op::BOr, left, constant),
            Op::BXorK => (Op::BXor, left, constant),
            other => (other, left, right),
        };
        self.then = Then::At(self.pc + 2);
        let (a, tx, ty) = (i.a(), self.tag_of_number(x), self.tag_of_number(y));
        let bitwise = matches!(operation, Op::BAnd | Op::BOr | Op::BXor | Op::Shl | Op::Shr);
        let floats_only = matches!(operation, Op::Div | Op::Pow);
        if tx == tag::INTEGER && ty == tag::INTEGER && !floats_only {
            self.push_integer_operation(operation, x, y);
            self.define_integer(a);
        } else if is_number(tx) && is_number(ty) && !bitwise {
            self.push_float_operation(operation, x, y);
            self.define_float(a);
        } else if bitwise && (tx == tag::FLOAT || ty == tag::FLOAT) {
            self.by_helper(a);
        } else if (tx == UNKNOWN || is_number(tx)) && (ty == UNKNOWN || is_number(ty)) {
            self.by_tags(operation, a, (x, tx), (y, ty), bitwise, floats_only);
        } else {
            self.by_helper(a);
        }
    }

    /// The tag of an operand, which is guarded if it was always a number.
    pub(super) fn tag_of_number(&mut self, number: Number) -> u8 {
        match number {
            Number::Register(register, operand) => self.number_tag(register, operand),
            Number::Integer(_) => tag::INTEGER,
            Number::Float(_) => tag::FLOAT,
        }
    }

    /// The instruction at hand and, if it wants it, the metamethod behind it.
    fn by_helper(&mut self, a: u32) {
        self.helper_step(Helper::Arith);
        self.state.forget(a);
    }

    /// Operands whose types are not known: both integers, both floats, or the long way.
    fn by_tags(
        &mut self,
        operation: Op,
        a: u32,
        (x, tx): (Number, u8),
        (y, ty): (Number, u8),
        bitwise: bool,
        floats_only: bool,
    ) {
        self.preload_number(x);
        self.preload_number(y);
        self.two_ways(
            |e| {
                let known = e.state.clone();
                if !floats_only && tx != tag::FLOAT && ty != tag::FLOAT {
                    e.push_are(x, y, tag::INTEGER);
                    if bitwise {
                        e.asm.op(op::I32_EQZ);
                        e.asm.br_if(Label::Slow);
                    } else {
                        e.asm.open(op::IF, Label::If);
                    }
                    e.assume(x, tag::INTEGER);
                    e.assume(y, tag::INTEGER);
                    e.push_integer_operation(operation, x, y);
                    e.define_unknown_integer(a);
                    e.state = known;
                    if !bitwise {
                        e.asm.br(Label::Join);
                        e.asm.close();
                    }
                }
                if !bitwise {
                    for (operand, tag) in [(x, tx), (y, ty)] {
                        if let Number::Register(register, _) = operand
                            && tag == UNKNOWN
                        {
                            e.push_tag(register);
                            e.asm.i32(i32::from(tag::FLOAT));
                            e.asm.op(op::I32_NE);
                            e.asm.br_if(Label::Slow);
                            e.assume(operand, tag::FLOAT);
                        }
                    }
                    e.push_float_operation(operation, x, y);
                    e.define_unknown_float(a);
                }
                e.state.forget(a);
            },
            |e| e.by_helper(a),
        );
    }

    fn preload_number(&mut self, number: Number) {
        if let Number::Register(register, _) = number {
            self.preload(register);
        }
    }

    /// Pushes 1 if both operands have this tag.
    fn push_are(&mut self, x: Number, y: Number, tag: u8) {
        let mut pushed = 0;
        for operand in [x, y] {
            if let Number::Register(register, _) = operand
                && self.known(register) != tag
            {
                self.push_tag(register);
                self.asm.i32(i32::from(tag));
                self.asm.op(op::I32_EQ);
                pushed += 1;
            }
        }
        match pushed {
            0 => self.asm.i32(1),
            1 => {}
            _ => self.asm.op(op::I32_AND),
        }
    }

    /// An operand whose tag was checked just now.
    fn assume(&mut self, number: Number, tag: u8) {
        if let Number::Register(register, _) = number
            && self.known(register) != tag
        {
            self.state.set(register, tag, 0);
        }
    }

    /// Makes R[a] the integer on wasm's stack. Its tag is stored whatever is known of it, as is right on a
    /// way where types were only assumed.
    fn define_unknown_integer(&mut self, a: u32) {
        self.asm.set(local::INTEGER);
        self.base();
        self.asm.get(local::INTEGER);
        self.asm.memory(op::I64_STORE, a * 16);
        self.base();
        self.asm.i32(i32::from(tag::INTEGER));
        self.asm.memory(op::I32_STORE8, a * 16 + 8);
    }

    fn define_unknown_float(&mut self, a: u32) {
        self.asm.set(local::FLOAT);
        self.base();
        self.asm.get(local::FLOAT);
        self.asm.memory(op::F64_STORE, a * 16);
        self.base();
        self.asm.i32(i32::from(tag::FLOAT));
        self.asm.memory(op::I32_STORE8, a * 16 + 8);
    }

    pub(super) fn push_as_integer(&mut self, number: Number) {
        match number {
            Number::Register(register, _) => self.push_integer(register),
            Number::Integer(value) => self.asm.i64(value),
            Number::Float(_) => self.unfit = true,
        }
    }

    pub(super) fn push_as_float(&mut self, number: Number) {
        match number {
            Number::Register(register, _) if self.known(register) == tag::INTEGER => {
                self.push_integer(register);
                self.asm.op(op::F64_CONVERT_I64_S);
            }
            Number::Register(register, _) => self.push_float(register),
            Number::Integer(value) => self.asm.f64(value as f64),
            Number::Float(value) => self.asm.f64(value),
        }
    }

    /// Pushes the result of an operation on two integers.
    fn push_integer_operation(&mut self, operation: Op, x: Number, y: Number) {
        let simple = match operation {
            Op::Add => op::I64_ADD,
            Op::Sub => op::I64_SUB,
            Op::Mul => op::I64_MUL,
            Op::BAnd => op::I64_AND,
            Op::BOr => op::I64_OR,
            Op::BXor => op::I64_XOR,
            Op::Shl | Op::Shr => return self.push_shift(operation == Op::Shl, x, y),
            Op::Mod | Op::IDiv => return self.push_division(operation == Op::Mod, x, y),
            _ => {
                self.unfit = true;
                return;
            }
        };
        self.push_as_integer(x);
        self.push_as_integer(y);
        self.asm.op(simple);
    }

    /// Pushes x shifted by y: negative the other way, and 0 by 64 or more.
    fn push_shift(&mut self, left: bool, x: Number, y: Number) {
        if let Number::Integer(by) = y {
            let to_left = left == (by >= 0);
            if by.unsigned_abs() >= 64 {
                self.asm.i64(0);
            } else {
                self.push_as_integer(x);
                self.asm.i64(by.abs());
                self.asm.op(if to_left { op::I64_SHL } else { op::I64_SHR_U });
            }
            return;
        }
        let (forth, back) = if left { (op::I64_SHL, op::I64_SHR_U) } else { (op::I64_SHR_U, op::I64_SHL) };
        self.push_as_integer(x);
        self.asm.set(local::INTEGER);
        self.push_as_integer(y);
        self.asm.set(local::INTEGER_B);
        // y < 64 ? x << y : -y < 64 ? x >> -y : 0, unsigned.
        self.asm.get(local::INTEGER);
        self.asm.get(local::INTEGER_B);
        self.asm.op(forth);
        self.asm.get(local::INTEGER);
        self.asm.i64(0);
        self.asm.get(local::INTEGER_B);
        self.asm.ops(&[op::I64_SUB, back]);
        self.asm.i64(0);
        self.asm.i64(0);
        self.asm.get(local::INTEGER_B);
        self.asm.op(op::I64_SUB);
        self.asm.i64(64);
        self.asm.ops(&[op::I64_LT_U, op::SELECT]);
        self.asm.get(local::INTEGER_B);
        self.asm.i64(64);
        self.asm.ops(&[op::I64_LT_U, op::SELECT]);
    }

    /// Pushes x % y or x // y, rounded down.
    fn push_division(&mut self, remainder: bool, x: Number, y: Number) {
        if let Number::Integer(by) = y
            && by > 0
        {
            if remainder && by & (by - 1) == 0 {
                self.push_as_integer(x);
                self.asm.i64(by - 1);
                self.asm.op(op::I64_AND);
                return;
            }
            self.push_as_integer(x);
            self.asm.set(local::INTEGER);
            self.push_positive_division(remainder, |e| e.asm.i64(by));
            return;
        }
        self.push_as_integer(x);
        self.asm.set(local::INTEGER);
        self.push_as_integer(y);
        self.asm.tee(local::INTEGER_B);
        self.asm.i64(0);
        self.asm.op(op::I64_GT_S);
        self.asm.open(op::IF, Label::If);
        self.push_positive_division(remainder, |e| e.asm.get(local::INTEGER_B));
        self.asm.set(local::INTEGER);
        self.asm.op(op::ELSE);
        self.push_place();
        self.asm.get(local::INTEGER);
        self.asm.get(local::INTEGER_B);
        self.asm.call(if remainder { Helper::Mod } else { Helper::IDiv });
        self.asm.set(local::INTEGER);
        self.asm.close();
        self.asm.get(local::INTEGER);
    }

    /// Pushes the local `INTEGER` divided by what `by` pushes, which is positive.
    fn push_positive_division(&mut self, remainder: bool, by: impl Fn(&mut Self)) {
        self.asm.get(local::INTEGER);
        by(self);
        if remainder {
            self.asm.op(op::I64_REM_S);
            self.asm.tee(local::INTEGER);
            self.asm.get(local::INTEGER);
            self.asm.i64(63);
            self.asm.op(op::I64_SHR_S);
            by(self);
            self.asm.ops(&[op::I64_AND, op::I64_ADD]);
        } else {
            self.asm.op(op::I64_DIV_S);
            self.asm.get(local::INTEGER);
            by(self);
            self.asm.op(op::I64_REM_S);
            self.asm.i64(63);
            self.asm.ops(&[op::I64_SHR_S, op::I64_ADD]);
        }
    }

    /// Pushes the result of an operation on two numbers that are not both integers, or are taken as floats.
    fn push_float_operation(&mut self, operation: Op, x: Number, y: Number) {
        if operation == Op::Mod {
            self.asm.get(local::STATE);
        }
        let square = operation == Op::Pow
            && match y {
                Number::Integer(value) => value == 2,
                Number::Float(value) => value == 2.0,
                Number::Register(..) => false,
            };
        self.push_as_float(x);
        if square {
            self.asm.tee(local::FLOAT_B);
            self.asm.get(local::FLOAT_B);
            self.asm.op(op::F64_MUL);
            // As the interpreter does, without a look at what is left.
            self.spend();
            return;
        }
        self.push_as_float(y);
        match operation {
            Op::Add => self.asm.op(op::F64_ADD),
            Op::Sub => self.asm.op(op::F64_SUB),
            Op::Mul => self.asm.op(op::F64_MUL),
            Op::Div => self.asm.op(op::F64_DIV),
            Op::IDiv => self.asm.ops(&[op::F64_DIV, op::F64_FLOOR]),
            Op::Mod => self.asm.call(Helper::ModFloat),
            Op::Pow => self.asm.call(Helper::Pow),
            _ => self.unfit = true,
        }
    }

    /// R[A] := -R[B], ~R[B]
    pub(super) fn unary(&mut self, i: Instruction) {
        let (a, b) = (i.a(), i.b());
        match (i.op(), self.number_tag(b, Operand::B)) {
            (Op::Unm, tag::INTEGER) => {
                self.asm.i64(0);
                self.push_integer(b);
                self.asm.op(op::I64_SUB);
                self.define_integer(a);
            }
            (Op::Unm, tag::FLOAT) => {
                self.push_float(b);
                self.asm.op(op::F64_NEG);
                self.define_float(a);
            }
            (Op::BNot, tag::INTEGER) => {
                self.push_integer(b);
                self.asm.i64(-1);
                self.asm.op(op::I64_XOR);
                self.define_integer(a);
            }
            _ => self.step_to(a, None),
        }
    }
}
