//! Functions of Lua as the compiler sees them, read from the VM's memory.

use super::layout::Layout;
use super::limits;
use super::opcode::Instruction;

/// Tags of values, as C Lua has them in a slot (lua-5.4/port/jit_layout.c asserts them).
pub(super) mod tag {
    pub(crate) const NIL: u8 = 0;
    pub(crate) const FALSE: u8 = 1;
    pub(crate) const TRUE: u8 = 17;
    pub(crate) const INTEGER: u8 = 3;
    pub(crate) const FLOAT: u8 = 19;
    /// A light C function.
    pub(crate) const C_FUNCTION: u8 = 22;
    pub(crate) const SHORT_STRING: u8 = 68;
    pub(crate) const LONG_STRING: u8 = 84;
    pub(crate) const TABLE: u8 = 69;
    pub(crate) const LUA_FUNCTION: u8 = 70;
    /// The bit of all that the collector collects.
    pub(crate) const COLLECTABLE: u8 = 64;
}

/// A constant.
#[derive(Debug, Clone, Copy)]
pub(super) struct Constant {
    pub(super) tag: u8,
    /// The value's eight bytes. Of a string the low four are its address.
    pub(super) bits: u64,
    /// Hash of a short string.
    pub(super) hash: u32,
}

impl Constant {
    pub(super) fn integer(&self) -> i64 {
        self.bits as i64
    }

    pub(super) fn float(&self) -> f64 {
        f64::from_bits(self.bits)
    }

    /// Address of a string.
    pub(super) fn address(&self) -> u32 {
        self.bits as u32
    }
}

/// A function to be compiled.
#[derive(Debug)]
pub(super) struct Function {
    /// Address of its `Proto`.
    pub(super) address: usize,
    /// Address of its first instruction.
    pub(super) code_address: u32,
    pub(super) code: Vec<Instruction>,
    pub(super) constants: Vec<Constant>,
    pub(super) parameters: u32,
    pub(super) is_vararg: bool,
    /// Registers of a frame.
    pub(super) registers: u32,
    /// Registers that closures made by this function share: others may write them.
    pub(super) captured: Vec<u32>,
}

/// Facts of a function that compiled code calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Callee {
    pub(super) code_address: u32,
    pub(super) parameters: u32,
    pub(super) is_vararg: bool,
    pub(super) registers: u32,
    /// `Proto.jit`.
    pub(super) jit: i32,
}

/// Reads a number of C's.
///
/// # Safety
///
/// There is one at `address`.
unsafe fn read<T: Copy>(address: usize) -> T {
    // SAFETY: the caller says so; unaligned reads ask for nothing more.
    unsafe { std::ptr::with_exposed_provenance::<T>(address).read_unaligned() }
}

impl Function {
    /// The function whose `Proto` is at `address`; `None` if it is larger than the compiler does.
    ///
    /// # Safety
    ///
    /// A `Proto` that is alive is there, and `layout` is that of its VM.
    pub(super) unsafe fn read(address: usize, layout: &Layout) -> Option<Self> {
        let at = |offset: u32| address + offset as usize;
        // SAFETY: all of these are fields of a `Proto` (`layout`), or arrays of as many elements as the
        // fields beside them say, complete since the parser or undump has closed the function.
        unsafe {
            let size = read::<i32>(at(layout.proto_sizecode));
            let constants = read::<i32>(at(layout.proto_sizek));
            let most = i32::try_from(limits::INSTRUCTIONS).ok()?;
            if size <= 0 || size > most || constants < 0 || constants > most {
                return None;
            }
            let code_address = read::<usize>(at(layout.proto_code));
            let mut code = Vec::new();
            code.try_reserve_exact(size as usize).ok()?;
            code.extend((0..size as usize).map(|n| Instruction(read(code_address + 4 * n))));
            let k = read::<usize>(at(layout.proto_k));
            let mut list = Vec::new();
            list.try_reserve_exact(constants as usize).ok()?;
            for n in 0..constants as usize {
                let slot = k + 16 * n;
                let tag = read::<u8>(slot + 8) & 127;
                let bits = match tag {
                    tag::INTEGER | tag::FLOAT => read::<u64>(slot),
                    tag::SHORT_STRING | tag::LONG_STRING => read::<usize>(slot) as u64,
                    _ => 0,
                };
                let hash = match tag {
                    tag::SHORT_STRING => read::<u32>(read::<usize>(slot) + layout.string_hash as usize),
                    _ => 0,
                };
                list.push(Constant { tag, bits, hash });
            }
            let registers = u32::from(read::<u8>(at(layout.proto_maxstacksize)));
            let captured = captured(address, registers, layout);
            Some(Self {
                address,
                code_address: code_address as u32,
                code,
                constants: list,
                parameters: u32::from(read::<u8>(at(layout.proto_numparams))),
                is_vararg: read::<u8>(at(layout.proto_is_vararg)) != 0,
                registers,
                captured,
            })
        }
    }

    /// The instruction at `pc`; an EXTRAARG beyond the end.
    pub(super) fn at(&self, pc: u32) -> Instruction {
        self.code.get(pc as usize).copied().unwrap_or(Instruction(82))
    }

    pub(super) fn len(&self) -> u32 {
        self.code.len() as u32
    }

    /// Address of the instruction at `pc`.
    pub(super) fn pc_address(&self, pc: u32) -> i32 {
        self.code_address.wrapping_add(4 * pc) as i32
    }

    /// A constant; nil beyond the end.
    pub(super) fn constant(&self, n: u32) -> Constant {
        let none = Constant { tag: tag::NIL, bits: 0, hash: 0 };
        self.constants.get(n as usize).copied().unwrap_or(none)
    }
}

/// Registers of a function that the functions in it have as upvalues.
///
/// # Safety
///
/// As for [`Function::read`].
unsafe fn captured(address: usize, registers: u32, layout: &Layout) -> Vec<u32> {
    let mut found = Vec::new();
    // SAFETY: fields and arrays of a `Proto` that is alive, and of those that it holds.
    unsafe {
        let children = read::<i32>(address + layout.proto_sizep as usize).max(0) as usize;
        let list = read::<usize>(address + layout.proto_p as usize);
        for n in 0..children {
            let child = read::<usize>(list + n * size_of::<usize>());
            let count = read::<i32>(child + layout.proto_sizeupvalues as usize).max(0) as usize;
            let upvalues = read::<usize>(child + layout.proto_upvalues as usize);
            for u in 0..count {
                let entry = upvalues + u * layout.upvaldesc_size as usize;
                let register = u32::from(read::<u8>(entry + layout.upvaldesc_idx as usize));
                let in_stack = read::<u8>(entry + layout.upvaldesc_instack as usize) != 0;
                if in_stack && register < registers && !found.contains(&register) {
                    found.push(register);
                }
            }
        }
    }
    found
}

impl Callee {
    /// Facts of the function whose `Proto` is at `address`.
    ///
    /// # Safety
    ///
    /// As for [`Function::read`].
    pub(super) unsafe fn read(address: usize, layout: &Layout) -> Self {
        // SAFETY: fields of a `Proto` that is alive.
        unsafe {
            Self {
                code_address: read::<usize>(address + layout.proto_code as usize) as u32,
                parameters: u32::from(read::<u8>(address + layout.proto_numparams as usize)),
                is_vararg: read::<u8>(address + layout.proto_is_vararg as usize) != 0,
                registers: u32::from(read::<u8>(address + layout.proto_maxstacksize as usize)),
                jit: read::<i32>(address + layout.proto_jit as usize),
            }
        }
    }
}
