//! Code of one function of Lua in wasm.
//!
//! The emission of an instruction is at the same time the transfer function of the analysis: it runs muted
//! until what is known at each jump's target does not change any more, and then writes. Knowledge is only
//! ever taken away at a target, so that ends.

mod arithmetic;
mod calls;
mod compare;
mod control;
mod loops;
mod registers;
mod tables;

use super::helpers::{Helper, Kind};
use super::layout::Layout;
use super::opcode::{Instruction, Op, Operand};
use super::profile::Profile;
use super::proto::{Constant, Function, tag};
use super::shape::{Region, Shape};
use super::sorted::Map;
use super::state::{State, UNKNOWN};
use super::wasm::{Assembler, Label, ModuleWriter, op};
use super::{Intrinsics, Knobs, limits, status};

/// The module that functions are compiled into, and their VM.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// `Proto.jit` of the first function of the module.
    pub(super) first: i32,
    /// Serial numbers of the module's functions.
    pub(super) serials: &'a [u32],
    pub(super) layout: &'a Layout,
    pub(super) intrinsics: &'a Intrinsics,
    pub(super) knobs: Knobs,
}

/// Locals that every function has: its parameters, and scratch.
mod local {
    pub(super) const STATE: u32 = 0;
    pub(super) const CALL_INFO: u32 = 1;
    /// The loop at which the function is entered; 0 for its beginning.
    pub(super) const ENTRY: u32 = 2;
    /// Address of R[0].
    pub(super) const BASE: u32 = 3;
    pub(super) const CLOSURE: u32 = 4;
    /// The instruction where the interpreter goes on; its highest bit ([`super::TRIPPED`]) where a tick has
    /// found no fuel.
    pub(super) const NEXT_PC: u32 = 5;
    /// Scratch. In table accesses `A` is the table, `B` the slot and `C` its tag.
    pub(super) const A: u32 = 6;
    pub(super) const B: u32 = 7;
    pub(super) const C: u32 = 8;
    pub(super) const D: u32 = 9;
    pub(super) const INTEGER: u32 = 10;
    pub(super) const INTEGER_B: u32 = 11;
    pub(super) const FLOAT: u32 = 12;
    pub(super) const FLOAT_B: u32 = 13;
    /// The `Proto` of a callee.
    pub(super) const PROTO: u32 = 14;
    pub(super) const COUNT: u32 = 15;
}

/// Bit of [`local::NEXT_PC`] that becomes [`status::TRIPPED`].
const TRIPPED: i32 = i32::MIN;

const FIXED_LOCALS: [Kind; (local::COUNT - local::BASE) as usize] = {
    use Kind::{F64, I32, I64};
    [I32, I32, I32, I32, I32, I32, I32, I64, I64, F64, F64, I32]
};

/// Way of control behind an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Instruction at which it goes on.
    At(u32),
    /// Elsewhere, by a branch.
    Gone,
}

struct Emitter<'a> {
    function: &'a Function,
    profile: &'a Profile,
    profiles: &'a Map<Profile>,
    place: &'a Place<'a>,
    shape: Shape,
    asm: Assembler,
    /// Kinds of the locals behind the parameters.
    locals: Vec<Kind>,
    /// Locals of registers: integer, float, pointer; 0 for none yet.
    register_locals: Vec<[u32; 3]>,
    state: State,
    /// Knowledge at the targets of jumps.
    incoming: Map<State>,
    changed: bool,
    /// The instruction at hand.
    pc: u32,
    then: Then,
    needs_table: bool,
    /// True after something that the compiler does not do.
    unfit: bool,
}

/// The body of a function; `None` if the compiler does not do it.
pub(super) fn function(
    function: &Function,
    serial: u32,
    profiles: &Map<Profile>,
    place: &Place<'_>,
    module: &mut ModuleWriter,
) -> Option<Vec<u8>> {
    let profile = profiles.get(serial)?;
    let shape = Shape::of(function)?;
    let states = (shape.targets.len() + 4) * function.registers as usize * 2;
    if states > limits::STATE_BYTES {
        return None;
    }
    let mut emitter = Emitter {
        function,
        profile,
        profiles,
        place,
        shape,
        asm: Assembler::default(),
        locals: FIXED_LOCALS.to_vec(),
        register_locals: vec![[0; 3]; function.registers as usize],
        state: State::unknown(function.registers),
        incoming: Map::default(),
        changed: false,
        pc: 0,
        then: Then::At(0),
        needs_table: false,
        unfit: false,
    };
    let fit = emitter.run();
    module.needs_table |= emitter.needs_table;
    fit.then(|| emitter.asm.body(&emitter.locals))
}

/// Rounds until the analysis must have ended.
const ROUNDS: usize = 40;

impl Emitter<'_> {
    fn run(&mut self) -> bool {
        for _ in 0..ROUNDS {
            self.changed = false;
            self.pass(true);
            if self.unfit || self.asm.broken {
                return false;
            }
            if !self.changed {
                self.pass(false);
                return !self.unfit && !self.asm.broken;
            }
        }
        false
    }

    /// Passes once over the function.
    fn pass(&mut self, muted: bool) {
        self.asm.restart(muted);
        self.asm.open(op::BLOCK, Label::ExitSaved);
        self.asm.open(op::BLOCK, Label::Exit);
        self.asm.get(local::CALL_INFO);
        self.asm.memory(op::I32_LOAD, self.place.layout.call_func);
        self.asm.tee(local::BASE);
        self.asm.memory(op::I32_LOAD, 0);
        self.asm.set(local::CLOSURE);
        self.asm.get(local::BASE);
        self.asm.i32(16);
        self.asm.op(op::I32_ADD);
        self.asm.set(local::BASE);
        self.state = State::unknown(self.function.registers);
        let mut open: Vec<Region> = Vec::new();
        self.open_blocks(None, &mut open);
        self.dispatch_at_top();
        self.then = Then::At(0);
        for pc in 0..self.function.len() {
            while open.last().is_some_and(|region| region.end() == pc) {
                open.pop();
                self.asm.close();
            }
            if self.shape.is_target(pc) {
                if self.then == Then::At(pc) {
                    self.flow(pc);
                }
                let Some(known) = self.incoming.get(pc) else {
                    self.then = Then::Gone;
                    self.open_loop(pc, &mut open);
                    continue;
                };
                self.state = known.clone();
                self.then = Then::At(pc);
                self.enter_loop(pc, &mut open);
            }
            if self.then != Then::At(pc) {
                continue;
            }
            for at in 0..self.function.captured.len() {
                self.state.forget(self.function.captured[at]);
            }
            self.pc = pc;
            self.then = Then::At(pc + 1);
            self.instruction(pc);
            if let Then::At(next) = self.then {
                // Nothing may jump between the halves of an instruction.
                self.unfit |= (pc + 1..next).any(|half| self.shape.is_target(half));
            }
            if self.unfit || self.asm.len() > limits::CODE_BYTES {
                self.unfit = true;
                return;
            }
        }
        // A function ends with a return.
        self.unfit |= self.then != Then::Gone;
        while open.pop().is_some() {
            self.asm.close();
        }
        self.asm.op(op::UNREACHABLE);
        self.asm.close();
        self.asm.get(local::CALL_INFO);
        self.asm.get(local::NEXT_PC);
        self.asm.i32(2);
        self.asm.op(op::I32_SHL);
        self.asm.i32(self.function.code_address as i32);
        self.asm.op(op::I32_ADD);
        self.asm.memory(op::I32_STORE, self.place.layout.call_savedpc);
        self.asm.get(local::NEXT_PC);
        self.asm.i32(31);
        self.asm.op(op::I32_SHR_U);
        self.asm.i32(3);
        self.asm.op(op::I32_SHL);
        self.asm.i32(status::INTERPRET);
        self.asm.op(op::I32_OR);
        self.asm.op(op::RETURN);
        self.asm.close();
        self.asm.i32(status::INTERPRET | status::TRIPPED);
    }

    /// One instruction.
    fn instruction(&mut self, pc: u32) {
        let i = self.function.at(pc);
        let (a, b, c) = (i.a(), i.b(), i.c());
        match i.op() {
            Op::Move => self.copy(a, b),
            Op::LoadI => {
                self.asm.i64(i64::from(i.sbx()));
                self.define_integer(a);
            }
            Op::LoadF => {
                self.asm.f64(f64::from(i.sbx()));
                self.define_float(a);
            }
            Op::LoadK => self.load_constant(a, self.function.constant(i.bx())),
            Op::LoadKX => {
                self.load_constant(a, self.function.constant(self.function.at(pc + 1).ax()));
                self.then = Then::At(pc + 2);
            }
            Op::LoadFalse => self.define_tag(a, tag::FALSE),
            Op::LoadTrue => self.define_tag(a, tag::TRUE),
            Op::LFalseSkip => {
                self.define_tag(a, tag::FALSE);
                self.jump(pc + 2);
                self.then = Then::Gone;
            }
            Op::LoadNil => (a..=a + b).for_each(|register| self.define_tag(register, tag::NIL)),
            Op::GetUpval => self.get_upvalue(a, b),
            Op::SetUpval => self.set_upvalue(a, b),
            Op::GetTabUp => self.get_global(a, b, self.function.constant(c)),
            Op::GetField => self.get_field(a, b, self.function.constant(c)),
            Op::GetTable => self.get_element(a, b, tables::Key::Register(c)),
            Op::GetI => self.get_element(a, b, tables::Key::Constant(i64::from(c))),
            Op::SelfOp => self.get_method(a, b, i),
            Op::SetTabUp => self.set_global(a, self.function.constant(b), self.value_operand(i)),
            Op::SetField => self.set_field(a, self.function.constant(b), self.value_operand(i)),
            Op::SetTable => self.set_element(a, tables::Key::Register(b), self.value_operand(i)),
            Op::SetI => self.set_element(a, tables::Key::Constant(i64::from(b)), self.value_operand(i)),
            Op::NewTable => {
                self.helper_step(Helper::NewTable);
                self.state.forget_from(a);
                self.state.set(a, tag::TABLE, 0);
                self.then = Then::At(pc + 2);
            }
            Op::Closure => {
                self.helper_step(Helper::Closure);
                self.state.forget_from(a);
                self.state.set(a, tag::LUA_FUNCTION, 0);
            }
            Op::Concat => {
                self.helper_step(Helper::Concat);
                self.state.forget_from(a);
            }
            Op::SetList if i.k() => {
                self.step();
                self.then = Then::At(pc + 2);
            }
            Op::SetList => self.set_list(a, b, c),
            Op::VarArg => {
                self.step();
                self.state.forget_from(a);
            }
            Op::Close => {
                self.step();
                // Closing methods are called from here on, and a nil is laid down for an error.
                self.state.forget_from(i.a());
            }
            Op::Tbc | Op::VarArgPrep => self.step(),
            Op::MmBin | Op::MmBinI | Op::MmBinK => {
                self.step();
                if pc > 0 {
                    self.state.forget(self.function.at(pc - 1).a());
                }
            }
            Op::Unm | Op::BNot => self.unary(i),
            Op::Not => self.not(a, b),
            Op::Len => self.length(a, b),
            Op::Jmp => {
                let target = self.jump_target(pc);
                self.jump_with_tick(target);
                self.then = Then::Gone;
            }
            Op::Eq | Op::Lt | Op::Le | Op::EqK | Op::EqI | Op::LtI | Op::LeI | Op::GtI | Op::GeI => {
                self.comparison(i);
            }
            Op::Test => self.test(a, i.k()),
            Op::TestSet => self.test_and_set(a, b, i.k()),
            Op::Call => self.call(a, b, c),
            Op::TailCall => self.tail_call(a, b),
            Op::Return => self.return_by_step(),
            Op::Return0 | Op::Return1 => self.return_short(i),
            Op::ForPrep => self.for_prepare(a, pc + 2 + i.bx()),
            Op::ForLoop => self.for_loop(a, (pc + 1).wrapping_sub(i.bx())),
            Op::TForPrep => self.generic_for(a, true),
            Op::TForCall => self.generic_for(a, false),
            Op::TForLoop | Op::ExtraArg => self.unfit = true,
            _ => self.arithmetic(i),
        }
    }

    /// The value that an instruction stores: RK(C).
    fn value_operand(&self, i: Instruction) -> tables::Value {
        if i.k() {
            tables::Value::Constant(self.function.constant(i.c()))
        } else {
            tables::Value::Register(i.c())
        }
    }

    /// The one tag that the recording saw of an operand of the instruction at hand.
    fn seen(&self, operand: Operand) -> Option<u8> {
        self.profile.tag(self.pc, operand)
    }

    /// Tag of the register where it is read next, if the recording says that and nothing else writes it
    /// before.
    fn expected(&self, register: u32, from: u32) -> Option<u8> {
        const FAR: u32 = 24;
        if self.profile.has_given_up(from) || self.function.captured.contains(&register) {
            return None;
        }
        for pc in from..(from + FAR).min(self.function.len()) {
            let i = self.function.at(pc);
            if matches!(i.op(), Op::MmBin | Op::MmBinI | Op::MmBinK) {
                continue;
            }
            for (operand, read) in i.reads().into_iter().flatten() {
                if read == register {
                    return self.profile.tag(pc, operand);
                }
            }
            if i.ends_block() || i.writes(register) || pc > from && self.shape.is_target(pc) {
                return None;
            }
        }
        None
    }

    /// The kinds of types of which a value is kept in a local.
    fn worth(tag: u8) -> bool {
        matches!(tag, tag::INTEGER | tag::FLOAT | tag::TABLE | tag::LUA_FUNCTION)
    }

    /// The tag of a value that is loaded into a register, to be guarded there.
    fn expected_value(&self, register: u32) -> Option<u8> {
        self.expected(register, self.pc + 1).filter(|tag| Self::worth(*tag))
    }
}

/// True if it is the tag of a number.
fn is_number(tag: u8) -> bool {
    tag == tag::INTEGER || tag == tag::FLOAT
}

/// True if a value of this tag can be kept as a pointer.
fn is_pointer(tag: u8) -> bool {
    tag != UNKNOWN && tag & tag::COLLECTABLE != 0
}
