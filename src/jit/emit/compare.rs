//! Comparisons, each with the jump behind it.

use super::super::helpers::Helper;
use super::super::state::UNKNOWN;
use super::arithmetic::Number;
use super::{Constant, Emitter, Instruction, Label, Op, Operand, Then, local, op, tag};

/// Relations of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    fn of_integers(self) -> u8 {
        match self {
            Order::Less => op::I64_LT_S,
            Order::LessOrEqual => op::I64_LE_S,
            Order::Greater => op::I64_GT_S,
            Order::GreaterOrEqual => op::I64_GE_S,
        }
    }

    fn of_floats(self) -> u8 {
        match self {
            Order::Less => op::F64_LT,
            Order::LessOrEqual => op::F64_LE,
            Order::Greater => op::F64_GT,
            Order::GreaterOrEqual => op::F64_GE,
        }
    }
}

impl Emitter<'_> {
    pub(super) fn comparison(&mut self, i: Instruction) {
        let left = Number::Register(i.a(), Operand::A);
        let right = Number::Register(i.b(), Operand::B);
        let number = Number::Integer(i.sb());
        match i.op() {
            Op::Eq => self.equal(i.a(), i.b(), i.k()),
            Op::EqK => self.equal_constant(i.a(), self.function.constant(i.b()), i.k()),
            Op::EqI => self.equal_integer(i.a(), i.sb(), i.k()),
            Op::Lt => self.ordered(Order::Less, left, right, i.k()),
            Op::Le => self.ordered(Order::LessOrEqual, left, right, i.k()),
            Op::LtI => self.ordered(Order::Less, left, number, i.k()),
            Op::LeI => self.ordered(Order::LessOrEqual, left, number, i.k()),
            Op::GtI => self.ordered(Order::Greater, left, number, i.k()),
            _ => self.ordered(Order::GreaterOrEqual, left, number, i.k()),
        }
    }

    /// Numbers (and strings) by their order.
    fn ordered(&mut self, order: Order, x: Number, y: Number, wanted: bool) {
        if self.are_strings(x, y) {
            return self.ordered_strings(order, x, y, wanted);
        }
        let (tx, ty) = (self.tag_of_number(x), self.tag_of_number(y));
        if tx == tag::INTEGER && ty == tag::INTEGER {
            self.push_as_integer(x);
            self.push_as_integer(y);
            self.asm.op(order.of_integers());
            return self.branch_if(wanted);
        }
        // The constants of comparisons are small: as floats they are exactly the same.
        let constant = matches!(y, Number::Integer(_));
        if tx == tag::FLOAT && (ty == tag::FLOAT || constant) {
            self.push_as_float(x);
            self.push_as_float(y);
            self.asm.op(order.of_floats());
            return self.branch_if(wanted);
        }
        if tx != UNKNOWN && ty != UNKNOWN {
            return self.branch_by_step();
        }
        let target = self.jump_target(self.pc + 1);
        self.two_ways(
            |e| {
                let is = |e: &mut Self, number: Number, tag: u8| match number {
                    Number::Register(register, _) => {
                        e.push_tag(register);
                        e.asm.i32(i32::from(tag));
                        e.asm.op(op::I32_EQ);
                    }
                    _ => e.asm.i32(1),
                };
                is(e, x, tag::INTEGER);
                is(e, y, tag::INTEGER);
                e.asm.op(op::I32_AND);
                e.asm.open(op::IF, Label::If);
                e.push_raw(x, op::I64_LOAD);
                e.push_raw(y, op::I64_LOAD);
                e.asm.op(order.of_integers());
                e.asm.set(local::B);
                e.asm.op(op::ELSE);
                is(e, x, tag::FLOAT);
                is(e, y, tag::FLOAT);
                e.asm.ops(&[op::I32_AND, op::I32_EQZ]);
                e.asm.br_if(Label::Slow);
                e.push_raw(x, op::F64_LOAD);
                e.push_raw(y, op::F64_LOAD);
                e.asm.op(order.of_floats());
                e.asm.set(local::B);
                e.asm.close();
                e.asm.get(local::B);
                e.jump_when(wanted, target);
            },
            |e| {
                e.step();
                e.jump_if_saved(target);
            },
        );
        self.then = Then::At(self.pc + 2);
    }

    /// Pushes a register's value as it is in memory, or a constant as a number of that kind.
    fn push_raw(&mut self, number: Number, load: u8) {
        match number {
            Number::Register(register, _) => {
                self.base();
                self.asm.memory(load, register * 16);
            }
            Number::Integer(value) if load == op::I64_LOAD => self.asm.i64(value),
            Number::Integer(value) => self.asm.f64(value as f64),
            Number::Float(value) => self.asm.f64(value),
        }
    }

    /// Jumps, with its tick, if the condition on wasm's stack is what was wanted.
    fn jump_when(&mut self, wanted: bool, target: u32) {
        if !wanted {
            self.asm.op(op::I32_EQZ);
        }
        self.asm.open(op::IF, Label::If);
        let before = self.state.clone();
        self.jump_with_tick(target);
        self.state = before;
        self.asm.close();
    }

    fn are_strings(&self, x: Number, y: Number) -> bool {
        let is = |number: Number| match number {
            Number::Register(register, operand) => self.tag_of(register, operand) == Some(tag::SHORT_STRING),
            _ => false,
        };
        is(x) && is(y)
    }

    fn ordered_strings(&mut self, order: Order, x: Number, y: Number, wanted: bool) {
        let (Number::Register(left, _), Number::Register(right, _)) = (x, y) else {
            self.unfit = true;
            return;
        };
        self.guard_tag(left, tag::SHORT_STRING);
        self.guard_tag(right, tag::SHORT_STRING);
        self.push_pointer(left);
        self.push_pointer(right);
        self.asm.call(Helper::CompareStrings);
        self.asm.i32(0);
        self.asm.op(if order == Order::Less { op::I32_LT_S } else { op::I32_LE_S });
        self.asm.set(local::B);
        // The interpreter looks at the fuel behind the comparison, with or without the jump.
        self.spend();
        self.asm.get(local::B);
        self.branch_checked(wanted);
    }

    /// Branches as [`Self::branch_if`] does, after a tick that must be looked at where no jump does that.
    fn branch_checked(&mut self, wanted: bool) {
        self.branch_if(wanted);
        self.look_at_tick(self.pc + 2);
    }

    /// R[a] == R[b], which uses a tick beside the one of its jump.
    fn equal(&mut self, a: u32, b: u32, wanted: bool) {
        let tags = (self.tag_of(a, Operand::A), self.tag_of(b, Operand::B));
        let number = |tag| tag == tag::INTEGER || tag == tag::FLOAT;
        if let (Some(left), Some(right)) = tags
            && left == right
            && (number(left) || left == tag::SHORT_STRING)
        {
            self.guard_tag(a, left);
            self.guard_tag(b, left);
            self.spend();
            match left {
                tag::INTEGER => {
                    self.push_integer(a);
                    self.push_integer(b);
                    self.asm.op(op::I64_EQ);
                }
                tag::FLOAT => {
                    self.push_float(a);
                    self.push_float(b);
                    self.asm.op(op::F64_EQ);
                }
                _ => {
                    self.push_pointer(a);
                    self.push_pointer(b);
                    self.asm.op(op::I32_EQ);
                }
            }
            return self.branch_checked(wanted);
        }
        let (target, next) = (self.jump_target(self.pc + 1), self.pc + 2);
        self.two_ways(
            |e| {
                // Of one tag, they are equal if their bits are: only floats and long strings, tables and
                // userdata may be otherwise.
                e.push_tag(a);
                e.asm.tee(local::A);
                e.push_tag(b);
                e.asm.op(op::I32_NE);
                e.asm.br_if(Label::Slow);
                e.asm.get(local::A);
                e.asm.i32(i32::from(tag::INTEGER));
                e.asm.op(op::I32_EQ);
                e.asm.open(op::IF, Label::If);
                e.push_bits(a, op::I64_LOAD);
                e.push_bits(b, op::I64_LOAD);
                e.asm.op(op::I64_EQ);
                e.asm.set(local::B);
                e.asm.op(op::ELSE);
                e.asm.get(local::A);
                e.asm.i32(i32::from(tag::COLLECTABLE));
                e.asm.ops(&[op::I32_AND, op::I32_EQZ]);
                e.asm.br_if(Label::Slow);
                e.push_bits(a, op::I32_LOAD);
                e.push_bits(b, op::I32_LOAD);
                e.asm.op(op::I32_EQ);
                e.asm.tee(local::B);
                e.asm.get(local::A);
                e.asm.i32(i32::from(tag::SHORT_STRING));
                e.asm.ops(&[op::I32_EQ, op::I32_OR, op::I32_EQZ]);
                e.asm.br_if(Label::Slow);
                e.asm.close();
                e.spend();
                e.asm.get(local::B);
                e.jump_when(wanted, target);
                e.look_at_tick(next);
            },
            |e| {
                e.step();
                e.jump_if_saved(target);
            },
        );
        self.then = Then::At(next);
    }

    fn push_bits(&mut self, register: u32, load: u8) {
        self.base();
        self.asm.memory(load, register * 16);
    }

    /// R[a] == a small integer
    fn equal_integer(&mut self, a: u32, number: i64, wanted: bool) {
        match self.number_tag(a, Operand::A) {
            tag::INTEGER => {
                self.push_integer(a);
                self.asm.i64(number);
                self.asm.op(op::I64_EQ);
            }
            tag::FLOAT => {
                self.push_float(a);
                self.asm.f64(number as f64);
                self.asm.op(op::F64_EQ);
            }
            UNKNOWN => {
                self.push_tag(a);
                self.asm.i32(i32::from(tag::INTEGER));
                self.asm.op(op::I32_EQ);
                self.push_bits(a, op::I64_LOAD);
                self.asm.i64(number);
                self.asm.ops(&[op::I64_EQ, op::I32_AND]);
                self.push_tag(a);
                self.asm.i32(i32::from(tag::FLOAT));
                self.asm.op(op::I32_EQ);
                self.push_bits(a, op::F64_LOAD);
                self.asm.f64(number as f64);
                self.asm.ops(&[op::F64_EQ, op::I32_AND, op::I32_OR]);
            }
            _ => self.asm.i32(0),
        }
        self.branch_if(wanted);
    }

    /// R[a] == a constant, without metamethods
    fn equal_constant(&mut self, a: u32, constant: Constant, wanted: bool) {
        match constant.tag {
            tag::SHORT_STRING => {
                self.push_tag(a);
                self.asm.i32(i32::from(tag::SHORT_STRING));
                self.asm.op(op::I32_EQ);
                self.push_bits(a, op::I32_LOAD);
                self.asm.i32(constant.address() as i32);
                self.asm.ops(&[op::I32_EQ, op::I32_AND]);
            }
            tag::NIL => {
                self.push_tag(a);
                self.asm.i32(15);
                self.asm.ops(&[op::I32_AND, op::I32_EQZ]);
            }
            tag::FALSE | tag::TRUE => {
                self.push_tag(a);
                self.asm.i32(i32::from(constant.tag));
                self.asm.op(op::I32_EQ);
            }
            tag::INTEGER if self.tag_of(a, Operand::A) == Some(tag::INTEGER) => {
                self.guard_tag(a, tag::INTEGER);
                self.push_integer(a);
                self.asm.i64(constant.integer());
                self.asm.op(op::I64_EQ);
            }
            tag::FLOAT if self.tag_of(a, Operand::A) == Some(tag::FLOAT) => {
                self.guard_tag(a, tag::FLOAT);
                self.push_float(a);
                self.asm.f64(constant.float());
                self.asm.op(op::F64_EQ);
            }
            _ => return self.branch_by_step(),
        }
        self.branch_if(wanted);
    }
}
