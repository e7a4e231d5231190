//! Instructions of Lua 5.4: their operations and operands (lopcodes.h), and what each reads and writes.

/// The operation of an instruction, in the order of `OpCode` in lopcodes.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[rustfmt::skip]
#[allow(clippy::enum_variant_names, reason = "`Self` is a word of Rust")]
pub(super) enum Op {
    Move, LoadI, LoadF, LoadK, LoadKX, LoadFalse, LFalseSkip, LoadTrue, LoadNil, GetUpval, SetUpval, GetTabUp,
    GetTable, GetI, GetField, SetTabUp, SetTable, SetI, SetField, NewTable, SelfOp, AddI, AddK, SubK, MulK, ModK,
    PowK, DivK, IDivK, BAndK, BOrK, BXorK, ShrI, ShlI, Add, Sub, Mul, Mod, Pow, Div, IDiv, BAnd, BOr, BXor, Shl,
    Shr, MmBin, MmBinI, MmBinK, Unm, BNot, Not, Len, Concat, Close, Tbc, Jmp, Eq, Lt, Le, EqK, EqI, LtI, LeI, GtI,
    GeI, Test, TestSet, Call, TailCall, Return, Return0, Return1, ForLoop, ForPrep, TForPrep, TForCall, TForLoop,
    SetList, Closure, VarArg, VarArgPrep, ExtraArg,
}

#[rustfmt::skip]
#[allow(clippy::wildcard_imports, clippy::enum_glob_use, reason = "all of them")]
const OPS: [Op; 83] = {
    use Op::*;
    [
        Move, LoadI, LoadF, LoadK, LoadKX, LoadFalse, LFalseSkip, LoadTrue, LoadNil, GetUpval, SetUpval, GetTabUp,
        GetTable, GetI, GetField, SetTabUp, SetTable, SetI, SetField, NewTable, SelfOp, AddI, AddK, SubK, MulK, ModK,
        PowK, DivK, IDivK, BAndK, BOrK, BXorK, ShrI, ShlI, Add, Sub, Mul, Mod, Pow, Div, IDiv, BAnd, BOr, BXor, Shl,
        Shr, MmBin, MmBinI, MmBinK, Unm, BNot, Not, Len, Concat, Close, Tbc, Jmp, Eq, Lt, Le, EqK, EqI, LtI, LeI, GtI,
        GeI, Test, TestSet, Call, TailCall, Return, Return0, Return1, ForLoop, ForPrep, TForPrep, TForCall, TForLoop,
        SetList, Closure, VarArg, VarArgPrep, ExtraArg,
    ]
};

/// An instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Instruction(pub(super) u32);

/// Operand that a recording tells the tag of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    A,
    B,
    C,
}

impl Instruction {
    /// Operation; EXTRAARG for a number that is none.
    pub(super) fn op(self) -> Op {
        OPS.get((self.0 & 127) as usize).copied().unwrap_or(Op::ExtraArg)
    }

    pub(super) fn a(self) -> u32 {
        self.0 >> 7 & 255
    }

    pub(super) fn b(self) -> u32 {
        self.0 >> 16 & 255
    }

    pub(super) fn c(self) -> u32 {
        self.0 >> 24
    }

    /// The bit k.
    pub(super) fn k(self) -> bool {
        self.0 >> 15 & 1 != 0
    }

    pub(super) fn bx(self) -> u32 {
        self.0 >> 15
    }

    pub(super) fn sbx(self) -> i32 {
        self.bx() as i32 - 65_535
    }

    pub(super) fn sb(self) -> i64 {
        i64::from(self.b()) - 127
    }

    pub(super) fn sc(self) -> i64 {
        i64::from(self.c()) - 127
    }

    pub(super) fn ax(self) -> u32 {
        self.0 >> 7
    }

    /// Distance of a jump, from the instruction behind it.
    pub(super) fn sj(self) -> i64 {
        i64::from(self.0 >> 7) - 16_777_215
    }

    /// True for a test, whose jump is the instruction behind it.
    pub(super) fn is_test(self) -> bool {
        (Op::Eq as u8..=Op::TestSet as u8).contains(&(self.op() as u8))
    }

    /// True if control does not simply go on at the next instruction, or goes elsewhere, too.
    pub(super) fn ends_block(self) -> bool {
        self.is_test()
            || matches!(
                self.op(),
                Op::Jmp
                    | Op::LFalseSkip
                    | Op::TailCall
                    | Op::Return
                    | Op::Return0
                    | Op::Return1
                    | Op::ForLoop
                    | Op::ForPrep
                    | Op::TForPrep
                    | Op::TForCall
                    | Op::TForLoop
            )
    }

    /// True if the register is the one that the instruction writes, or may be among those.
    pub(super) fn writes(self, register: u32) -> bool {
        let a = self.a();
        match self.op() {
            Op::Call | Op::TForCall | Op::VarArg | Op::Concat | Op::Closure | Op::NewTable => register >= a,
            Op::LoadNil => (a..=a + self.b()).contains(&register),
            Op::SelfOp => register == a || register == a + 1,
            Op::ForPrep | Op::ForLoop => (a..=a + 3).contains(&register),
            Op::SetUpval
            | Op::SetTabUp
            | Op::SetTable
            | Op::SetI
            | Op::SetField
            | Op::MmBin
            | Op::MmBinI
            | Op::MmBinK
            | Op::Close
            | Op::Tbc
            | Op::SetList => false,
            _ => !self.is_test() && register == a,
        }
    }

    /// The registers that the instruction reads and that a recording has tags of.
    pub(super) fn reads(self) -> [Option<(Operand, u32)>; 3] {
        let (a, b) = (Some((Operand::A, self.a())), Some((Operand::B, self.b())));
        let c = Some((Operand::C, self.c()));
        match self.op() {
            Op::Move
            | Op::GetI
            | Op::GetField
            | Op::SelfOp
            | Op::AddI
            | Op::AddK
            | Op::SubK
            | Op::MulK
            | Op::ModK
            | Op::PowK
            | Op::DivK
            | Op::IDivK
            | Op::BAndK
            | Op::BOrK
            | Op::BXorK
            | Op::ShrI
            | Op::ShlI
            | Op::Unm
            | Op::BNot
            | Op::Not
            | Op::Len
            | Op::TestSet => [None, b, None],
            Op::GetTable
            | Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Mod
            | Op::Pow
            | Op::Div
            | Op::IDiv
            | Op::BAnd
            | Op::BOr
            | Op::BXor
            | Op::Shl
            | Op::Shr => [None, b, c],
            Op::Eq | Op::Lt | Op::Le => [a, b, None],
            Op::EqK
            | Op::EqI
            | Op::LtI
            | Op::LeI
            | Op::GtI
            | Op::GeI
            | Op::Test
            | Op::SetUpval
            | Op::Call
            | Op::TailCall
            | Op::Return1
            | Op::SetList => [a, None, None],
            Op::SetTabUp => [None, None, if self.k() { None } else { c }],
            Op::SetI | Op::SetField => [a, None, if self.k() { None } else { c }],
            Op::SetTable => [a, b, if self.k() { None } else { c }],
            // The tags are those of R[A], R[A + 1] and R[A + 2].
            Op::ForPrep | Op::ForLoop | Op::TForPrep | Op::TForCall => {
                let register = self.a();
                [a, Some((Operand::B, register + 1)), Some((Operand::C, register + 2))]
            }
            _ => [None; 3],
        }
    }
}
