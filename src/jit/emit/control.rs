//! Control: guards and exits, ticks, jumps, entries, and instructions that PUC's own text does.

use super::super::helpers::Helper;
use super::super::shape::Region;
use super::super::state::{State, UNKNOWN, held};
use super::{Emitter, Instruction, Label, Op, Operand, Then, local, op, status, tag};

impl Emitter<'_> {
    // ---- Exits ----

    /// Exits if the condition that `condition` pushes is not 0; the interpreter goes on at `pc`.
    #[inline]
    pub(super) fn guard(&mut self, pc: u32, condition: impl FnOnce(&mut Self)) {
        self.begin_guard(pc);
        condition(self);
        self.end_guard();
    }

    #[inline(never)]
    fn begin_guard(&mut self, pc: u32) {
        self.asm.i32(pc as i32);
        self.asm.set(local::NEXT_PC);
    }

    #[inline(never)]
    fn end_guard(&mut self) {
        self.or_at_random();
        self.asm.br_if(Label::Exit);
    }

    /// Exits unless the register has this tag; the interpreter goes on at `pc`.
    #[inline(never)]
    pub(super) fn guard_register(&mut self, pc: u32, register: u32, tag: u8) {
        self.guard(pc, |e| {
            e.push_tag(register);
            e.asm.i32(i32::from(tag));
            e.asm.op(op::I32_NE);
        });
    }

    /// Makes about one condition of 64 true, by a generator in global 0, if a test wants that.
    #[inline(never)]
    pub(super) fn or_at_random(&mut self) {
        if self.place.knobs.exit_seed == 0 {
            return;
        }
        self.asm.global_get(0);
        self.asm.i32(1_664_525);
        self.asm.op(op::I32_MUL);
        self.asm.i32(1_013_904_223);
        self.asm.op(op::I32_ADD);
        self.asm.global_set(0);
        self.asm.global_get(0);
        self.asm.i32(26);
        self.asm.ops(&[op::I32_SHR_U, op::I32_EQZ, op::I32_OR]);
    }

    /// Exits; the interpreter goes on at `pc`.
    #[inline(never)]
    pub(super) fn exit(&mut self, pc: u32) {
        self.asm.i32(pc as i32);
        self.asm.set(local::NEXT_PC);
        self.asm.br(Label::Exit);
    }

    /// Stores where the interpreter would be: before everything that may raise or be looked at.
    pub(super) fn save_pc(&mut self, pc: u32) {
        self.asm.get(local::CALL_INFO);
        self.asm.i32(self.function.pc_address(pc));
        self.asm.memory(op::I32_STORE, self.place.layout.call_savedpc);
    }

    // ---- Ticks ----

    /// Uses a tick, and pushes what is left.
    #[inline(never)]
    pub(super) fn push_tick(&mut self) {
        let fuel = self.place.layout.fuel;
        self.asm.i32(fuel as i32);
        self.asm.i32(fuel as i32);
        self.asm.memory(op::I32_LOAD, 0);
        self.asm.i32(1);
        self.asm.op(op::I32_SUB);
        self.asm.tee(local::D);
        self.asm.memory(op::I32_STORE, 0);
        self.asm.get(local::D);
    }

    /// Uses a tick; exits to `pc` if none was left.
    #[inline(never)]
    pub(super) fn tick(&mut self, pc: u32) {
        self.begin_tripping(pc);
        self.push_tick();
        self.end_tripping();
    }

    /// Exits to `pc` if the tick before has found no fuel left.
    #[inline(never)]
    pub(super) fn look_at_tick(&mut self, pc: u32) {
        self.begin_tripping(pc);
        self.asm.i32(self.place.layout.fuel as i32);
        self.asm.memory(op::I32_LOAD, 0);
        self.end_tripping();
    }

    #[inline(never)]
    fn begin_tripping(&mut self, pc: u32) {
        self.asm.i32(pc as i32 | super::TRIPPED);
        self.asm.set(local::NEXT_PC);
    }

    #[inline(never)]
    fn end_tripping(&mut self) {
        self.asm.i32(0);
        self.asm.op(op::I32_LT_S);
        self.end_guard();
    }

    /// Uses a tick that is looked at with the next one.
    #[inline(never)]
    pub(super) fn spend(&mut self) {
        self.push_tick();
        self.asm.op(op::DROP);
    }

    // ---- PUC's own text ----

    /// Pushes `L`, `ci` and the address of the instruction at hand.
    #[inline(never)]
    pub(super) fn push_place(&mut self) {
        self.asm.get(local::STATE);
        self.asm.get(local::CALL_INFO);
        self.asm.i32(self.function.pc_address(self.pc));
    }

    /// The instruction at hand, by a helper that gives the base.
    #[inline(never)]
    pub(super) fn helper_step(&mut self, helper: Helper) {
        self.push_place();
        self.asm.call(helper);
        self.take_base();
    }

    /// Takes the base from wasm's stack; exits at `savedpc` if it is 0.
    pub(super) fn take_base(&mut self) {
        self.asm.tee(local::BASE);
        self.asm.op(op::I32_EQZ);
        self.asm.br_if(Label::ExitSaved);
    }

    /// The instruction at hand, by the interpreter's own code.
    #[inline(never)]
    pub(super) fn step(&mut self) {
        self.helper_step(Helper::Step);
    }

    /// A fast way that may branch to [`Label::Slow`] before it has changed anything, the slow way, and what
    /// both know afterwards.
    #[inline]
    pub(super) fn two_ways(&mut self, fast: impl FnOnce(&mut Self), slow: impl FnOnce(&mut Self)) {
        let before = self.begin_fast();
        fast(self);
        let known = self.begin_slow(before);
        slow(self);
        self.asm.close();
        self.state.meet(&known);
    }

    #[inline(never)]
    fn begin_fast(&mut self) -> State {
        self.asm.open(op::BLOCK, Label::Join);
        self.asm.open(op::BLOCK, Label::Slow);
        self.state.clone()
    }

    /// Closes the first way; returns what is known after it.
    #[inline(never)]
    fn begin_slow(&mut self, before: State) -> State {
        self.asm.br(Label::Join);
        self.asm.close();
        std::mem::replace(&mut self.state, before)
    }

    /// The instruction at hand by the interpreter's own code, whose result in R[a] has the tag `expected`;
    /// else exits behind it.
    #[inline(never)]
    pub(super) fn step_to(&mut self, a: u32, expected: Option<u8>) {
        self.step();
        self.state.forget(a);
        if let Some(tag) = expected {
            self.expect(a, tag, self.pc + 1);
        }
    }

    /// Exits at `pc` unless the register has this tag, and loads its value.
    #[inline(never)]
    pub(super) fn expect(&mut self, register: u32, tag: u8, pc: u32) {
        self.guard_register(pc, register, tag);
        self.state.set(register, tag, 0);
        self.preload(register);
    }

    // ---- Jumps ----

    /// Lets what is known here flow to the target of a jump.
    #[inline(never)]
    pub(super) fn flow(&mut self, target: u32) {
        if !self.asm.muted {
            return;
        }
        if let Some(known) = self.incoming.get_mut(target) {
            self.changed |= known.meet(&self.state);
        } else {
            self.incoming.get_or_insert(target, || self.state.clone());
            self.changed = true;
        }
    }

    /// A jump without a tick.
    #[inline(never)]
    pub(super) fn jump(&mut self, target: u32) {
        self.flow(target);
        self.asm.br(if target <= self.pc { Label::Loop(target) } else { Label::At(target) });
    }

    /// A jump, which uses a tick.
    #[inline(never)]
    pub(super) fn jump_with_tick(&mut self, target: u32) {
        self.tick(target);
        self.jump(target);
    }

    /// Target of the JMP at `pc`; beyond the end for one that is not in the function.
    pub(super) fn jump_target(&self, pc: u32) -> u32 {
        let target = i64::from(pc) + 1 + self.function.at(pc).sj();
        u32::try_from(target).unwrap_or(u32::MAX)
    }

    /// Jumps as the JMP behind the test at hand says, if the condition on wasm's stack is what was wanted.
    #[inline(never)]
    pub(super) fn branch_if(&mut self, wanted: bool) {
        if !wanted {
            self.asm.op(op::I32_EQZ);
        }
        let target = self.jump_target(self.pc + 1);
        self.asm.open(op::IF, Label::If);
        let before = self.state.clone();
        self.jump_with_tick(target);
        self.state = before;
        self.asm.close();
        self.then = Then::At(self.pc + 2);
    }

    /// The test at hand by the interpreter's own code, and where it went.
    #[inline(never)]
    pub(super) fn branch_by_step(&mut self) {
        self.step();
        let target = self.jump_target(self.pc + 1);
        self.jump_if_saved(target);
        self.then = Then::At(self.pc + 2);
    }

    /// Jumps to `target` if `savedpc` is there.
    #[inline(never)]
    pub(super) fn jump_if_saved(&mut self, target: u32) {
        self.asm.get(local::CALL_INFO);
        self.asm.memory(op::I32_LOAD, self.place.layout.call_savedpc);
        self.asm.i32(self.function.pc_address(target));
        self.asm.op(op::I32_EQ);
        self.asm.open(op::IF, Label::If);
        self.jump(target);
        self.asm.close();
    }

    pub(super) fn test(&mut self, a: u32, wanted: bool) {
        self.push_is_false(a);
        self.asm.op(op::I32_EQZ);
        self.branch_if(wanted);
    }

    pub(super) fn test_and_set(&mut self, a: u32, b: u32, wanted: bool) {
        self.push_is_false(b);
        if wanted {
            self.asm.op(op::I32_EQZ);
        }
        let target = self.jump_target(self.pc + 1);
        self.asm.open(op::IF, Label::If);
        let before = self.state.clone();
        self.copy(a, b);
        self.jump_with_tick(target);
        self.state = before;
        self.asm.close();
        self.then = Then::At(self.pc + 2);
    }

    pub(super) fn not(&mut self, a: u32, b: u32) {
        self.push_is_false(b);
        self.asm.set(local::B);
        self.base();
        self.asm.i32(i32::from(tag::TRUE));
        self.asm.i32(i32::from(tag::FALSE));
        self.asm.get(local::B);
        self.asm.op(op::SELECT);
        self.asm.memory(op::I32_STORE8, a * 16 + 8);
        self.state.forget(a);
    }

    // ---- Entries ----

    pub(super) fn open_blocks(&mut self, level: Option<u32>, open: &mut Vec<Region>) {
        let regions: Vec<Region> = self.shape.opening(level).collect();
        for region in regions {
            let label = match region {
                Region::Entry { end } => Label::Entry(end),
                Region::Block { end } | Region::Loop { end } => Label::At(end),
            };
            self.asm.open(op::BLOCK, label);
            open.push(region);
        }
    }

    /// Writes the top of the function: branches to the loop that is entered, or checks of parameters.
    pub(super) fn dispatch_at_top(&mut self) {
        self.asm.get(local::ENTRY);
        self.asm.open(op::IF, Label::If);
        self.dispatch(None);
        if self.shape.loop_end(0).is_none() {
            self.asm.i32(status::REFUSED);
            self.asm.op(op::RETURN);
        }
        self.asm.close();
        if !self.function.is_vararg && !self.profile.has_given_up(0) {
            for register in 0..self.function.parameters.min(self.function.registers) {
                let Some(tag) = self.parameter_tag(register) else { continue };
                self.guard(0, |e| {
                    e.push_tag(register);
                    e.asm.i32(i32::from(tag));
                    e.asm.op(op::I32_NE);
                    if e.shape.loop_end(0).is_some() {
                        // On the way to a loop inside of this one, whose entry checks for itself.
                        e.asm.get(local::ENTRY);
                        e.asm.ops(&[op::I32_EQZ, op::I32_AND]);
                    }
                });
                self.state.set(register, tag, 0);
            }
        }
    }

    /// The tag that a parameter has, as seen where it is read first.
    fn parameter_tag(&self, register: u32) -> Option<u8> {
        for pc in 0..self.function.len() {
            let i: Instruction = self.function.at(pc);
            for (operand, read) in i.reads().into_iter().flatten() {
                if read != register || matches!(i.op(), Op::MmBin | Op::MmBinI | Op::MmBinK) {
                    continue;
                }
                // Not seen there means that this way was not taken: the next reader tells.
                if let Some(observed) = self.profile.at(pc).and_then(|_| self.profile.tag(pc, operand)) {
                    return Some(observed).filter(|tag| Self::worth(*tag));
                }
                if self.profile.at(pc).is_some() {
                    return None;
                }
            }
            if i.writes(register) || matches!(i.op(), Op::Jmp | Op::ForLoop | Op::TForCall) {
                return None;
            }
        }
        None
    }

    /// Branches to the entries of the loops that are directly in this one (or in the function), for the loop
    /// at `ENTRY` or one around it.
    #[inline(never)]
    fn dispatch(&mut self, level: Option<u32>) {
        let headers: Vec<u32> = self.shape.loops.iter().map(|(header, _)| *header).collect();
        for &outer in &headers {
            if outer == 0 || self.shape.parent(outer) != level || !self.incoming.has(outer) {
                continue;
            }
            for &inner in &headers {
                if self.incoming.has(inner) && self.shape.is_within(inner, outer) {
                    self.asm.get(local::ENTRY);
                    self.asm.i32(inner as i32);
                    self.asm.op(op::I32_EQ);
                    self.asm.br_if(Label::Entry(outer));
                }
            }
        }
    }

    /// Opens the loop at `pc`, if one begins there, and the blocks in it.
    pub(super) fn open_loop(&mut self, pc: u32, open: &mut Vec<Region>) {
        if let Some(end) = self.shape.loop_end(pc) {
            self.asm.open(op::LOOP, Label::Loop(pc));
            open.push(Region::Loop { end });
            self.open_blocks(Some(pc), open);
        }
    }

    /// Opens the loop at `pc`, if one begins there. Where it is entered from outside, the types that it takes
    /// for granted are checked before.
    pub(super) fn enter_loop(&mut self, pc: u32, open: &mut Vec<Region>) {
        if self.shape.loop_end(pc).is_none() {
            return;
        }
        if pc > 0 {
            self.check_entry(pc);
        }
        self.open_loop(pc, open);
        let inner = |header: u32| self.shape.parent(header) == Some(pc) && self.incoming.has(header);
        // At the start of the function an entry that nobody knows comes here, too.
        if pc == 0 || self.shape.loops.iter().any(|(header, _)| inner(*header)) {
            self.asm.get(local::ENTRY);
            self.asm.open(op::IF, Label::If);
            self.dispatch(Some(pc));
            if pc == 0 {
                self.asm.i32(status::REFUSED);
                self.asm.op(op::RETURN);
            }
            self.asm.close();
        }
    }

    /// The types that the loop at `pc` takes for granted, checked if it is the one that is entered.
    #[inline(never)]
    fn check_entry(&mut self, pc: u32) {
        let expected: State = self.state.clone();
        self.asm.get(local::ENTRY);
        self.asm.i32(pc as i32);
        self.asm.op(op::I32_EQ);
        self.asm.open(op::IF, Label::If);
        for register in 0..self.function.registers {
            let tag = expected.tag(register);
            if tag == UNKNOWN {
                continue;
            }
            self.state.forget(register);
            self.guard_register(pc, register, tag);
            self.state.set(register, tag, 0);
            let holds = expected.held(register);
            if holds & held::INTEGER != 0 {
                self.push_integer(register);
                self.asm.op(op::DROP);
            }
            if holds & held::FLOAT != 0 {
                self.push_float(register);
                self.asm.op(op::DROP);
            }
            if holds & held::POINTER != 0 {
                self.push_pointer(register);
                self.asm.op(op::DROP);
            }
        }
        self.asm.i32(0);
        self.asm.set(local::ENTRY);
        self.asm.close();
        self.state = expected;
    }

    /// The tag of a numeric operand: known, or seen and guarded; [`UNKNOWN`] otherwise.
    #[inline(never)]
    pub(super) fn number_tag(&mut self, register: u32, operand: Operand) -> u8 {
        let known = self.known(register);
        if known != UNKNOWN {
            return known;
        }
        match self.seen(operand) {
            Some(seen) if super::is_number(seen) => {
                self.guard_tag(register, seen);
                seen
            }
            _ => UNKNOWN,
        }
    }
}
