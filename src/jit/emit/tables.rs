//! Fields, elements, globals and methods.
//!
//! A key's place is compared with where the recording saw it; the array part is inline. The local `A` is the
//! table, `B` the slot, `C` its tag.

use super::super::helpers::Helper;
use super::super::profile::{Inherited, Observation, Place, Seen};
use super::super::state::UNKNOWN;
use super::{Constant, Emitter, Instruction, Label, Operand, Then, local, op, tag};

/// Key of an element.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    Register(u32),
    Constant(i64),
}

/// Value that is stored.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value {
    Register(u32),
    Constant(Constant),
}

/// Bit of a black object, and bits of a white one, in `marked`.
const BLACK: i32 = 32;
const WHITE: i32 = 24;

/// Bits of a table's `flags` that say which metamethods it has not.
const METHODS_ABSENT: i32 = 63;

impl Emitter<'_> {
    // ---- Upvalues ----

    /// Pushes the address of an upvalue's value.
    #[inline(never)]
    fn push_upvalue(&mut self, upvalue: u32) {
        self.asm.get(local::CLOSURE);
        self.asm.memory(op::I32_LOAD, self.place.layout.closure_upvals + 4 * upvalue);
        self.asm.memory(op::I32_LOAD, self.place.layout.upval_v);
    }

    #[inline(never)]
    pub(super) fn get_upvalue(&mut self, a: u32, upvalue: u32) {
        self.push_upvalue(upvalue);
        self.asm.tee(local::B);
        self.asm.memory(op::I32_LOAD8_U, 8);
        self.asm.set(local::C);
        let expected = self.expected_value(a);
        self.take_slot(a, expected, false);
    }

    #[inline(never)]
    pub(super) fn set_upvalue(&mut self, a: u32, upvalue: u32) {
        self.preload(a);
        self.push_upvalue(upvalue);
        self.asm.set(local::B);
        self.put_slot(Value::Register(a));
        self.if_collectable(Value::Register(a), |e| {
            let owner = e.place.layout.closure_upvals + 4 * upvalue;
            e.asm.get(local::CLOSURE);
            e.asm.memory(op::I32_LOAD, owner);
            e.asm.set(local::A);
            e.barrier(Value::Register(a), Helper::Barrier);
        });
    }

    // ---- Reading ----

    /// `R[a] := UpValue[upvalue][key]`
    #[inline(never)]
    pub(super) fn get_global(&mut self, a: u32, upvalue: u32, key: Constant) {
        let expected = self.expected_value(a);
        self.two_ways(
            |e| {
                e.push_upvalue(upvalue);
                e.table_in_slot();
                e.find_key(key);
                e.take_slot(a, expected, true);
            },
            |e| e.get_slowly(a, expected),
        );
    }

    /// Makes the local `A` the table in the slot on wasm's stack; the long way if it has none.
    #[inline(never)]
    fn table_in_slot(&mut self) {
        self.asm.tee(local::A);
        self.asm.memory(op::I32_LOAD8_U, 8);
        self.asm.i32(i32::from(tag::TABLE));
        self.asm.op(op::I32_NE);
        self.asm.br_if(Label::Slow);
        self.asm.get(local::A);
        self.asm.memory(op::I32_LOAD, 0);
        self.asm.set(local::A);
    }

    /// R[a] := R[b][key]
    #[inline(never)]
    pub(super) fn get_field(&mut self, a: u32, b: u32, key: Constant) {
        let expected = self.expected_value(a);
        let inherited = self.observed().inherited != Seen::Nothing;
        if self.is_absent() && !inherited || !self.is_table(b, Operand::B) {
            return self.get_slowly(a, expected);
        }
        self.take_key(a, b, key, expected);
    }

    /// R[a + 1] := R[b]; R[a] := R[b][key]
    #[inline(never)]
    pub(super) fn get_method(&mut self, a: u32, b: u32, i: Instruction) {
        let key = self.function.constant(i.c());
        if !i.k() || key.tag != tag::SHORT_STRING || !self.is_table(b, Operand::B) {
            self.helper_step(Helper::Get);
            self.state.forget(a);
            self.state.forget(a + 1);
            return;
        }
        let expected = self.expected_value(a);
        self.copy(a + 1, b);
        // The long way does the copy again, from R[b]: it may be R[a + 1], but not what the copy has changed.
        self.take_key(a, a + 1, key, expected);
    }

    /// R[a] := R[table][key], where R[table] is a table
    #[inline(never)]
    fn take_key(&mut self, a: u32, table: u32, key: Constant, expected: Option<u8>) {
        self.push_pointer(table);
        self.asm.set(local::A);
        self.two_ways(
            |e| {
                let ticks = e.find_key_or_inherited(key);
                e.take_slot(a, expected, true);
                if ticks {
                    e.check_fuel();
                }
            },
            |e| e.get_slowly(a, expected),
        );
    }

    /// R[a] := R[b][key], for any key
    #[inline(never)]
    pub(super) fn get_element(&mut self, a: u32, b: u32, key: Key) {
        let expected = self.expected_value(a);
        if let Key::Register(register) = key
            && self.tag_of(register, Operand::C) == Some(tag::SHORT_STRING)
            && self.is_table(b, Operand::B)
        {
            return self.get_by_string(a, b, register, expected);
        }
        if !self.is_index(key, Operand::C) || !self.is_table(b, Operand::B) {
            return self.get_slowly(a, expected);
        }
        self.guard_index(key);
        self.push_pointer(b);
        self.asm.set(local::A);
        self.preload_key(key);
        self.two_ways(
            |e| {
                e.find_element(key);
                e.asm.get(local::B);
                e.asm.memory(op::I32_LOAD8_U, 8);
                e.asm.set(local::C);
                e.take_slot(a, expected, true);
            },
            |e| e.get_slowly(a, expected),
        );
    }

    /// R[a] := R[b][R[key]], a short string
    #[inline(never)]
    fn get_by_string(&mut self, a: u32, b: u32, key: u32, expected: Option<u8>) {
        self.guard_tag(key, tag::SHORT_STRING);
        self.preload(key);
        self.push_pointer(b);
        self.asm.set(local::A);
        self.two_ways(
            |e| {
                e.asm.get(local::A);
                e.push_pointer(key);
                e.asm.call(Helper::GetString);
                e.asm.tee(local::B);
                e.asm.memory(op::I32_LOAD8_U, 8);
                e.asm.set(local::C);
                e.take_slot(a, expected, true);
            },
            |e| e.get_slowly(a, expected),
        );
    }

    /// R[a] := the slot `B`, whose tag is `C`. A nil goes the long way if it `may_be_elsewhere`. Exits behind
    /// the instruction if the tag is not the one that is expected.
    #[inline(never)]
    fn take_slot(&mut self, a: u32, expected: Option<u8>, may_be_elsewhere: bool) {
        let Some(expected) = expected else {
            if may_be_elsewhere {
                self.slow_if_nil();
            }
            self.copy_slot(a);
            self.state.forget(a);
            return;
        };
        self.asm.get(local::C);
        self.asm.i32(i32::from(expected));
        self.asm.op(op::I32_NE);
        self.or_at_random();
        self.asm.open(op::IF, Label::If);
        if may_be_elsewhere {
            self.slow_if_nil();
        }
        self.copy_slot(a);
        self.exit(self.pc + 1);
        self.asm.close();
        self.asm.get(local::B);
        match expected {
            tag::INTEGER => {
                self.asm.memory(op::I64_LOAD, 0);
                self.define_integer(a);
            }
            tag::FLOAT => {
                self.asm.memory(op::F64_LOAD, 0);
                self.define_float(a);
            }
            pointer => {
                self.asm.memory(op::I32_LOAD, 0);
                self.define_pointer(a, pointer);
            }
        }
    }

    #[inline(never)]
    fn slow_if_nil(&mut self) {
        self.asm.get(local::C);
        self.asm.i32(15);
        self.asm.ops(&[op::I32_AND, op::I32_EQZ]);
        self.asm.br_if(Label::Slow);
    }

    /// Copies the slot `B`, whose tag is `C`, into R[a].
    #[inline(never)]
    fn copy_slot(&mut self, a: u32) {
        self.base();
        self.asm.get(local::B);
        self.asm.memory(op::I64_LOAD, 0);
        self.asm.memory(op::I64_STORE, a * 16);
        self.base();
        self.asm.get(local::C);
        self.asm.memory(op::I32_STORE8, a * 16 + 8);
    }

    /// The instruction at hand by PUC's functions, whose result in R[a] has the tag `expected`; else exits
    /// behind it.
    #[inline(never)]
    fn get_slowly(&mut self, a: u32, expected: Option<u8>) {
        self.helper_step(Helper::Get);
        self.state.forget(a);
        if let Some(tag) = expected {
            self.expect(a, tag, self.pc + 1);
        }
    }

    // ---- Writing ----

    /// `UpValue[upvalue][key] := value`
    #[inline(never)]
    pub(super) fn set_global(&mut self, upvalue: u32, key: Constant, value: Value) {
        if self.is_absent() {
            return self.step(); // a new global is rare
        }
        self.preload_value(value);
        self.two_ways(
            |e| {
                e.push_upvalue(upvalue);
                e.table_in_slot();
                e.find_key(key);
                e.slow_if_nil();
                e.put_into_table(value);
            },
            Self::step,
        );
    }

    /// R[a][key] := value
    #[inline(never)]
    pub(super) fn set_field(&mut self, a: u32, key: Constant, value: Value) {
        if !self.is_table(a, Operand::A) {
            return self.helper_step(Helper::Set);
        }
        if self.is_absent() {
            return self.insert_field(a, key, value);
        }
        self.preload_value(value);
        self.push_pointer(a);
        self.asm.set(local::A);
        self.two_ways(
            |e| {
                e.find_key(key);
                e.slow_if_nil();
                e.put_into_table(value);
            },
            |e| e.helper_step(Helper::Set),
        );
    }

    /// R[a][key] := value, where the key was not there: into its main position, if that is free and has no
    /// next node. That is what `luaH_newkey` does; the table is not black, and has no metatable.
    #[inline(never)]
    fn insert_field(&mut self, a: u32, key: Constant, value: Value) {
        let (layout, next) = (self.place.layout, self.pc + 1);
        self.preload_value(value);
        self.push_pointer(a);
        self.asm.set(local::A);
        self.two_ways(
            |e| {
                e.slow_if_black();
                e.asm.get(local::A);
                e.asm.memory(op::I32_LOAD, layout.table_metatable);
                e.asm.br_if(Label::Slow);
                // The one node of all tables that have none.
                e.asm.get(local::A);
                e.asm.memory(op::I32_LOAD, layout.table_lastfree);
                e.asm.op(op::I32_EQZ);
                e.asm.br_if(Label::Slow);
                e.push_main_position(key);
                e.asm.tee(local::B);
                e.asm.memory(op::I32_LOAD8_U, 8);
                e.asm.i32(15);
                e.asm.op(op::I32_AND);
                e.asm.get(local::B);
                e.asm.memory(op::I32_LOAD, layout.node_next);
                e.asm.op(op::I32_OR);
                e.asm.br_if(Label::Slow);
                // A nil is not inserted.
                match (e.tag_of_value(value), value) {
                    (UNKNOWN, Value::Register(register)) => {
                        e.push_tag(register);
                        e.asm.i32(15);
                        e.asm.ops(&[op::I32_AND, op::I32_EQZ]);
                        e.asm.br_if(Label::Slow);
                    }
                    (tag, _) if tag & 15 == 0 => e.asm.br(Label::Slow),
                    _ => {}
                }
                e.asm.get(local::B);
                e.asm.i32(key.address() as i32);
                e.asm.memory(op::I32_STORE, layout.node_key);
                e.asm.get(local::B);
                e.asm.i32(i32::from(tag::SHORT_STRING));
                e.asm.memory(op::I32_STORE8, 9);
                e.put_slot(value);
                // No metamethod is known to be absent any more.
                e.asm.get(local::A);
                e.asm.get(local::A);
                e.asm.memory(op::I32_LOAD8_U, layout.table_flags);
                e.asm.i32(!METHODS_ABSENT);
                e.asm.op(op::I32_AND);
                e.asm.memory(op::I32_STORE8, layout.table_flags);
                e.tick(next);
            },
            |e| e.helper_step(Helper::Set),
        );
    }

    /// The tag of a value, if it is known.
    #[inline(never)]
    fn tag_of_value(&self, value: Value) -> u8 {
        match value {
            Value::Constant(constant) => constant.tag,
            Value::Register(register) => self.known(register),
        }
    }

    /// The long way if the table `A` is black: there a barrier may be needed.
    #[inline(never)]
    fn slow_if_black(&mut self) {
        self.asm.get(local::A);
        self.asm.memory(op::I32_LOAD8_U, self.place.layout.object_marked);
        self.asm.i32(BLACK);
        self.asm.op(op::I32_AND);
        self.asm.br_if(Label::Slow);
    }

    /// SETLIST: R[a][from + i] := R[a + i] for 1 <= i <= count, into an array part that is long enough.
    #[inline(never)]
    pub(super) fn set_list(&mut self, a: u32, count: u32, from: u32) {
        const MOST: u32 = 16;
        if count == 0 || count > MOST || self.known(a) != tag::TABLE {
            return self.step();
        }
        (1..=count).for_each(|at| self.preload(a + at));
        self.push_pointer(a);
        self.asm.set(local::A);
        self.two_ways(
            |e| {
                e.slow_if_black();
                e.asm.get(local::A);
                e.asm.memory(op::I32_LOAD, e.place.layout.table_alimit);
                e.asm.i32((from + count) as i32);
                e.asm.op(op::I32_LT_U);
                e.asm.br_if(Label::Slow);
                e.asm.get(local::A);
                e.asm.memory(op::I32_LOAD, e.place.layout.table_array);
                e.asm.i32(from as i32 * 16);
                e.asm.op(op::I32_ADD);
                e.asm.set(local::B);
                for at in 1..=count {
                    e.put_slot_at((at - 1) * 16, Value::Register(a + at));
                }
            },
            Self::step,
        );
    }

    /// R[a][key] := value, for any key
    #[inline(never)]
    pub(super) fn set_element(&mut self, a: u32, key: Key, value: Value) {
        if let Key::Register(register) = key
            && self.tag_of(register, Operand::B) == Some(tag::SHORT_STRING)
            && self.is_table(a, Operand::A)
        {
            return self.set_by_string(a, register, value);
        }
        if !self.is_index(key, Operand::B) || !self.is_table(a, Operand::A) {
            return self.helper_step(Helper::Set);
        }
        self.guard_index(key);
        self.preload_value(value);
        self.preload_key(key);
        self.push_pointer(a);
        self.asm.set(local::A);
        let next = self.pc + 1;
        self.two_ways(
            |e| {
                e.find_element(key);
                e.asm.get(local::B);
                e.asm.memory(op::I32_LOAD8_U, 8);
                e.asm.i32(15);
                e.asm.ops(&[op::I32_AND, op::I32_EQZ]);
                e.asm.open(op::IF, Label::If);
                // An empty place of a table without a metatable takes it, too, with the tick of the long way.
                e.asm.get(local::A);
                e.asm.memory(op::I32_LOAD, e.place.layout.table_metatable);
                e.asm.br_if(Label::Slow);
                e.put_into_table(value);
                e.tick(next);
                e.asm.br(Label::Join);
                e.asm.close();
                e.put_into_table(value);
            },
            |e| e.helper_step(Helper::Set),
        );
    }

    /// R[a][R[key]] := value, where the key is a short string that is there
    #[inline(never)]
    fn set_by_string(&mut self, a: u32, key: u32, value: Value) {
        self.guard_tag(key, tag::SHORT_STRING);
        self.preload(key);
        self.preload_value(value);
        self.push_pointer(a);
        self.asm.set(local::A);
        self.two_ways(
            |e| {
                e.asm.get(local::A);
                e.push_pointer(key);
                e.asm.call(Helper::GetString);
                e.asm.tee(local::B);
                e.asm.memory(op::I32_LOAD8_U, 8);
                e.asm.set(local::C);
                e.slow_if_nil();
                e.put_into_table(value);
            },
            |e| e.helper_step(Helper::Set),
        );
    }

    /// Stores into the slot `B` of the table `A`.
    #[inline(never)]
    fn put_into_table(&mut self, value: Value) {
        self.put_slot(value);
        self.if_collectable(value, |e| e.barrier(value, Helper::BarrierBack));
    }

    /// Stores into the slot `B`. Leaves the tag in `C` where it is not known.
    #[inline(never)]
    fn put_slot(&mut self, value: Value) {
        self.put_slot_at(0, value);
    }

    /// Stores into the slot that is so far behind `B`.
    #[inline(never)]
    fn put_slot_at(&mut self, offset: u32, value: Value) {
        self.asm.get(local::B);
        match value {
            Value::Constant(constant) => {
                self.asm.i64(constant.bits as i64);
                self.asm.memory(op::I64_STORE, offset);
                self.asm.get(local::B);
                self.asm.i32(i32::from(constant.tag));
            }
            Value::Register(register) => {
                match self.known(register) {
                    tag::INTEGER => {
                        self.push_integer(register);
                        self.asm.memory(op::I64_STORE, offset);
                    }
                    tag::FLOAT => {
                        self.push_float(register);
                        self.asm.memory(op::F64_STORE, offset);
                    }
                    known if super::is_pointer(known) => {
                        self.push_pointer(register);
                        self.asm.memory(op::I32_STORE, offset);
                    }
                    _ => {
                        self.base();
                        self.asm.memory(op::I64_LOAD, register * 16);
                        self.asm.memory(op::I64_STORE, offset);
                    }
                }
                self.asm.get(local::B);
                self.push_tag(register);
                self.asm.tee(local::C);
            }
        }
        self.asm.memory(op::I32_STORE8, offset + 8);
    }

    /// Does `then` if the value, which was just stored, is one of the collector's.
    #[inline(never)]
    fn if_collectable(&mut self, value: Value, then: impl FnOnce(&mut Self)) {
        let tag = match value {
            Value::Constant(constant) => constant.tag,
            Value::Register(register) => self.known(register),
        };
        if tag != UNKNOWN {
            if super::is_pointer(tag) {
                then(self);
            }
            return;
        }
        self.asm.get(local::C);
        self.asm.i32(i32::from(tag::COLLECTABLE));
        self.asm.op(op::I32_AND);
        self.asm.open(op::IF, Label::If);
        then(self);
        self.asm.close();
    }

    /// The collector's barrier, where the object `A` is black and the value white.
    #[inline(never)]
    fn barrier(&mut self, value: Value, helper: Helper) {
        let marked = self.place.layout.object_marked;
        self.asm.get(local::A);
        self.asm.memory(op::I32_LOAD8_U, marked);
        self.asm.i32(BLACK);
        self.asm.op(op::I32_AND);
        self.asm.open(op::IF, Label::If);
        self.push_object(value);
        self.asm.memory(op::I32_LOAD8_U, marked);
        self.asm.i32(WHITE);
        self.asm.op(op::I32_AND);
        self.asm.open(op::IF, Label::If);
        self.asm.get(local::STATE);
        self.asm.get(local::A);
        if helper == Helper::Barrier {
            self.push_object(value);
        }
        self.asm.call(helper);
        self.asm.close();
        self.asm.close();
    }

    /// Pushes the address of a value that is one of the collector's.
    #[inline(never)]
    fn push_object(&mut self, value: Value) {
        match value {
            Value::Constant(constant) => self.asm.i32(constant.address() as i32),
            Value::Register(register) => {
                self.base();
                self.asm.memory(op::I32_LOAD, register * 16);
            }
        }
    }

    #[inline(never)]
    pub(super) fn preload_value(&mut self, value: Value) {
        if let Value::Register(register) = value {
            self.preload(register);
        }
    }

    // ---- Where a key is ----

    /// True if the register is a table: known, or seen and guarded.
    #[inline(never)]
    fn is_table(&mut self, register: u32, operand: Operand) -> bool {
        if self.tag_of(register, operand) != Some(tag::TABLE) {
            return false;
        }
        self.guard_tag(register, tag::TABLE);
        true
    }

    /// The tag of an operand, known or seen.
    #[inline(never)]
    pub(super) fn tag_of(&self, register: u32, operand: Operand) -> Option<u8> {
        match self.known(register) {
            UNKNOWN => self.seen(operand),
            known => Some(known),
        }
    }

    /// True if the key is an integer, known or seen.
    #[inline(never)]
    fn is_index(&self, key: Key, operand: Operand) -> bool {
        match key {
            Key::Constant(_) => true,
            Key::Register(register) => self.tag_of(register, operand) == Some(tag::INTEGER),
        }
    }

    #[inline(never)]
    fn guard_index(&mut self, key: Key) {
        if let Key::Register(register) = key {
            self.guard_tag(register, tag::INTEGER);
        }
    }

    #[inline(never)]
    fn preload_key(&mut self, key: Key) {
        if let Key::Register(register) = key {
            self.preload(register);
        }
    }

    /// Finds the place of an integer in the array part of the table `A`: `B`. Otherwise the long way.
    #[inline(never)]
    fn find_element(&mut self, key: Key) {
        let layout = self.place.layout;
        match key {
            Key::Register(register) => {
                self.push_integer(register);
                self.asm.i64(1);
                self.asm.op(op::I64_SUB);
                self.asm.tee(local::INTEGER);
                self.asm.get(local::A);
                self.asm.memory(op::I64_LOAD32_U, layout.table_alimit);
                self.asm.op(op::I64_GE_U);
                self.asm.br_if(Label::Slow);
                self.asm.get(local::A);
                self.asm.memory(op::I32_LOAD, layout.table_array);
                self.asm.get(local::INTEGER);
                self.asm.op(op::I32_WRAP_I64);
                self.asm.i32(4);
                self.asm.ops(&[op::I32_SHL, op::I32_ADD]);
            }
            Key::Constant(number) if number > 0 => {
                self.asm.get(local::A);
                self.asm.memory(op::I32_LOAD, layout.table_alimit);
                self.asm.i32(number as i32);
                self.asm.op(op::I32_LT_U);
                self.asm.br_if(Label::Slow);
                self.asm.get(local::A);
                self.asm.memory(op::I32_LOAD, layout.table_array);
                self.asm.i32((number as i32 - 1) * 16);
                self.asm.op(op::I32_ADD);
            }
            Key::Constant(_) => {
                self.asm.br(Label::Slow);
                // Nothing comes here; the type is what wasm wants.
                self.asm.i32(0);
            }
        }
        self.asm.set(local::B);
    }

    /// Finds a short string's node in the table `A`: `B`, the tag of its value: `C`, which may be nil.
    /// Otherwise the long way.
    #[inline(never)]
    fn find_key(&mut self, key: Constant) {
        let observed = self.observed();
        match observed.places {
            [Some(one), None] if !observed.elsewhere => self.find_at(key, one),
            [Some(one), Some(other)] => self.find_at_either(key, one, other),
            _ => self.find_anywhere(key),
        }
    }

    /// Finds a key as [`Self::find_key`] does, or along tables that are `__index`. True if that has used a
    /// tick which must be looked at.
    #[inline(never)]
    fn find_key_or_inherited(&mut self, key: Constant) -> bool {
        let observed = self.observed();
        match (observed.places[0], observed.inherited) {
            (None, Seen::One(inherited)) if !observed.elsewhere => {
                self.find_inherited(key, inherited);
                true
            }
            (_, Seen::Nothing) => {
                self.find_key(key);
                false
            }
            _ => {
                self.asm.get(local::STATE);
                self.asm.get(local::A);
                self.asm.i32(key.address() as i32);
                self.asm.call(Helper::Chain);
                self.asm.tee(local::B);
                self.asm.op(op::I32_EQZ);
                self.asm.br_if(Label::Slow);
                self.asm.get(local::B);
                self.asm.memory(op::I32_LOAD8_U, 8);
                self.asm.set(local::C);
                false
            }
        }
    }

    /// Observation of the instruction at hand.
    #[inline(never)]
    fn observed(&self) -> Observation {
        self.profile.at(self.pc).copied().unwrap_or_default()
    }

    /// True if the key was seen only where it is not in the table: the long way is the only one.
    #[inline(never)]
    fn is_absent(&self) -> bool {
        let observed = self.observed();
        observed.places[0].is_none() && observed.elsewhere
    }

    /// The long way unless the nodes of the table in `table` are as many as there were at this place; then
    /// pushes the address of the node.
    #[inline(never)]
    fn push_node(&mut self, table: u32, place: Place) {
        let layout = self.place.layout;
        self.asm.get(table);
        self.asm.memory(op::I32_LOAD8_U, layout.table_lsizenode);
        self.asm.i32(i32::from(place.lsizenode));
        self.asm.op(op::I32_NE);
        self.asm.br_if(Label::Slow);
        self.push_node_address(table, place);
    }

    #[inline(never)]
    fn push_node_address(&mut self, table: u32, place: Place) {
        self.asm.get(table);
        self.asm.memory(op::I32_LOAD, self.place.layout.table_node);
        if place.index > 0 {
            self.asm.i32((place.index * self.place.layout.node_size) as i32);
            self.asm.op(op::I32_ADD);
        }
    }

    #[inline(never)]
    fn find_at(&mut self, key: Constant, place: Place) {
        self.push_node(local::A, place);
        self.asm.set(local::B);
        self.check_node(key.address());
    }

    #[inline(never)]
    fn find_at_either(&mut self, key: Constant, one: Place, other: Place) {
        let layout = self.place.layout;
        let lsizenode = |e: &mut Self, place: Place| {
            e.asm.get(local::A);
            e.asm.memory(op::I32_LOAD8_U, layout.table_lsizenode);
            e.asm.i32(i32::from(place.lsizenode));
        };
        lsizenode(self, one);
        self.asm.op(op::I32_EQ);
        self.asm.open(op::IF, Label::If);
        self.push_node_address(local::A, one);
        self.asm.set(local::B);
        if one.lsizenode == other.lsizenode {
            self.asm.get(local::B);
            self.asm.memory(op::I32_LOAD, layout.node_key);
            self.asm.i32(key.address() as i32);
            self.asm.op(op::I32_NE);
            self.asm.open(op::IF, Label::If);
            self.push_node_address(local::A, other);
            self.asm.set(local::B);
            self.asm.close();
            self.asm.op(op::ELSE);
            self.asm.br(Label::Slow);
        } else {
            self.asm.op(op::ELSE);
            self.push_node(local::A, other);
            self.asm.set(local::B);
        }
        self.asm.close();
        self.check_node(key.address());
    }

    /// The long way unless the node `B` has this short string as its key. Leaves the value's tag in `C`.
    #[inline(never)]
    fn check_node(&mut self, key: u32) {
        self.asm.get(local::B);
        self.asm.memory(op::I32_LOAD, self.place.layout.node_key);
        self.asm.i32(key as i32);
        self.asm.op(op::I32_NE);
        self.asm.br_if(Label::Slow);
        // Tag of the value and, above it, of the key.
        self.asm.get(local::B);
        self.asm.memory(op::I32_LOAD16_U, 8);
        self.asm.tee(local::C);
        self.asm.i32(8);
        self.asm.op(op::I32_SHR_U);
        self.asm.i32(i32::from(tag::SHORT_STRING));
        self.asm.op(op::I32_NE);
        self.asm.br_if(Label::Slow);
        self.asm.get(local::C);
        self.asm.i32(255);
        self.asm.op(op::I32_AND);
        self.asm.set(local::C);
    }

    #[inline(never)]
    fn find_anywhere(&mut self, key: Constant) {
        self.asm.get(local::A);
        self.asm.i32(key.address() as i32);
        self.asm.call(Helper::GetString);
        self.asm.tee(local::B);
        self.asm.memory(op::I32_LOAD8_U, 8);
        self.asm.set(local::C);
    }

    /// Pushes the address of the node in the table `A` at which a key is looked for first.
    #[inline(never)]
    fn push_main_position(&mut self, key: Constant) {
        let layout = self.place.layout;
        self.asm.get(local::A);
        self.asm.memory(op::I32_LOAD, layout.table_node);
        self.asm.i32(key.hash as i32);
        self.asm.i32(1);
        self.asm.get(local::A);
        self.asm.memory(op::I32_LOAD8_U, layout.table_lsizenode);
        self.asm.op(op::I32_SHL);
        self.asm.i32(1);
        self.asm.ops(&[op::I32_SUB, op::I32_AND]);
        self.asm.i32(layout.node_size as i32);
        self.asm.ops(&[op::I32_MUL, op::I32_ADD]);
    }

    /// A key that is not in the table `A`, but in the table that is `__index` of its metatable. It is not in
    /// the table if the node at its main position has another key and no next one.
    #[inline(never)]
    fn find_inherited(&mut self, key: Constant, inherited: Inherited) {
        let layout = self.place.layout;
        self.push_main_position(key);
        self.asm.tee(local::B);
        self.asm.memory(op::I32_LOAD, layout.node_key);
        self.asm.i32(key.address() as i32);
        self.asm.op(op::I32_EQ);
        self.asm.get(local::B);
        self.asm.memory(op::I32_LOAD, layout.node_next);
        self.asm.op(op::I32_OR);
        self.asm.br_if(Label::Slow);
        self.asm.get(local::A);
        self.asm.memory(op::I32_LOAD, layout.table_metatable);
        self.asm.tee(local::C);
        self.asm.op(op::I32_EQZ);
        self.asm.br_if(Label::Slow);
        self.push_node(local::C, inherited.index);
        self.asm.set(local::B);
        self.check_node(layout.index_name);
        self.asm.get(local::C);
        self.asm.i32(i32::from(tag::TABLE));
        self.asm.op(op::I32_NE);
        self.asm.br_if(Label::Slow);
        self.asm.get(local::B);
        self.asm.memory(op::I32_LOAD, 0);
        self.asm.set(local::C);
        self.push_node(local::C, inherited.key);
        self.asm.set(local::B);
        self.check_node(key.address());
        self.slow_if_nil();
        self.spend();
    }

    /// Exits behind the instruction at hand if what found its key has used the last tick.
    #[inline(never)]
    fn check_fuel(&mut self) {
        self.look_at_tick(self.pc + 1);
    }

    // ---- Length ----

    /// R[a] := #R[b]
    #[inline(never)]
    pub(super) fn length(&mut self, a: u32, b: u32) {
        let next = self.pc + 1;
        match self.tag_of(b, Operand::B) {
            Some(tag::SHORT_STRING) => {
                self.guard_tag(b, tag::SHORT_STRING);
                self.push_pointer(b);
                self.asm.memory(op::I64_LOAD8_U, self.place.layout.string_shrlen);
                self.define_integer(a);
                self.tick(next);
            }
            Some(tag::TABLE) => {
                self.guard_tag(b, tag::TABLE);
                self.push_pointer(b);
                self.asm.set(local::A);
                self.two_ways(
                    |e| {
                        e.asm.get(local::A);
                        e.asm.memory(op::I32_LOAD, e.place.layout.table_metatable);
                        e.asm.br_if(Label::Slow);
                        e.asm.get(local::A);
                        e.asm.call(Helper::Length);
                        e.define_integer(a);
                        e.tick(next);
                    },
                    |e| e.step_to(a, Some(tag::INTEGER)),
                );
            }
            _ => self.step_to(a, None),
        }
        self.then = Then::At(next);
    }
}
