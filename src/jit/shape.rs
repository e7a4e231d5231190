//! Structured control flow from jumps: loops, and the blocks that wasm wants around what jumps over them.
//!
//! Loops are contiguous in Lua's bytecode: from the target of a jump back to the jump. All blocks of a loop
//! (or of the function) open at its beginning and close at their targets, so they always nest. Entries from
//! outside at a loop's beginning are such jumps, too: from the beginning of the loop around it.

use super::limits;
use super::opcode::Op;
use super::proto::Function;
use super::sorted;

/// A region of wasm's structured control flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Region {
    /// A loop that begins here.
    Loop { end: u32 },
    /// A block whose end is the target of jumps forward.
    Block { end: u32 },
    /// A block whose end is where the loop at `end` is entered.
    Entry { end: u32 },
}

impl Region {
    pub(super) fn end(self) -> u32 {
        let (Region::Loop { end } | Region::Block { end } | Region::Entry { end }) = self;
        end
    }
}

/// The loops of a function, and where regions open.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Loops: the first instruction, and the one behind the last; in the order of the first.
    pub(super) loops: Vec<Loop>,
    /// Instructions that jumps go to, in order.
    pub(super) targets: Vec<u32>,
    /// Blocks in the order in which they open: where, `u32::MAX` less their end (those that end later are
    /// around others), and whether it is an entry.
    opens: Vec<(Level, u32, bool)>,
}

/// Beginning of what a region is directly in: a loop, or (first of all) the function.
type Level = Option<u32>;

/// A jump: the first instruction that belongs to it, and its target.
type Jump = (u32, u32);

/// A loop: its first instruction, and the one behind its last.
type Loop = (u32, u32);

impl Shape {
    /// The shape of a function; `None` if it is not one that wasm can have.
    pub(super) fn of(function: &Function) -> Option<Self> {
        let (forward, mut loops) = jumps(function)?;
        merge_loops(&mut loops);
        let mut shape = Shape { loops, ..Self::default() };
        for at in 0..shape.loops.len() {
            let header = shape.loops[at].0;
            sorted::insert(&mut shape.targets, header);
            if header > 0 {
                let level = shape.parent(header);
                shape.open(level, header, true);
            }
        }
        for &(source, target) in &forward {
            // The innermost loop that has both.
            let mut level = None;
            for &(header, end) in &shape.loops {
                let has = |pc: u32| header <= pc && pc < end;
                if has(target) && target != header {
                    if !has(source) {
                        return None; // into a loop
                    }
                    level = Some(header);
                }
            }
            sorted::insert(&mut shape.targets, target);
            shape.open(level, target, false);
        }
        (shape.opens.len() <= limits::REGIONS).then_some(shape)
    }

    fn open(&mut self, level: Level, end: u32, entry: bool) {
        sorted::insert(&mut self.opens, (level, u32::MAX - end, entry));
    }

    /// True if jumps go to this instruction.
    pub(super) fn is_target(&self, pc: u32) -> bool {
        self.targets.binary_search(&pc).is_ok()
    }

    /// The innermost loop around the loop at `header`.
    pub(super) fn parent(&self, header: u32) -> Option<u32> {
        let around = |(start, end): &&(u32, u32)| *start < header && header < *end;
        self.loops.iter().rev().find(around).map(|(start, _)| *start)
    }

    /// True if the loop at `inner` is the one at `outer`, or inside of it.
    pub(super) fn is_within(&self, inner: u32, outer: u32) -> bool {
        let mut at = Some(inner);
        while let Some(header) = at {
            if header == outer {
                return true;
            }
            at = self.parent(header);
        }
        false
    }

    /// The blocks that open in a loop, at its beginning (or in the function), the outermost first.
    pub(super) fn opening(&self, level: Option<u32>) -> impl Iterator<Item = Region> + '_ {
        let here = self.opens.iter().filter(move |(known, ..)| *known == level);
        here.map(|&(_, end, entry)| {
            let end = u32::MAX - end;
            if entry { Region::Entry { end } } else { Region::Block { end } }
        })
    }

    /// The end of the loop that begins at `header`.
    pub(super) fn loop_end(&self, header: u32) -> Option<u32> {
        let at = self.loops.binary_search_by_key(&header, |(start, _)| *start).ok()?;
        Some(self.loops[at].1)
    }
}

/// All jumps: those forward, and of those back the loops that they make.
fn jumps(function: &Function) -> Option<(Vec<Jump>, Vec<Loop>)> {
    let (mut forward, mut loops) = (Vec::new(), Vec::<Loop>::new());
    let length = i64::from(function.len());
    let mut jump = |from: u32, pc: u32, to: i64| {
        if to < 0 || to > length {
            return None;
        }
        let to = to as u32;
        if to <= pc {
            match loops.binary_search_by_key(&to, |(header, _)| *header) {
                Ok(at) => loops[at].1 = loops[at].1.max(pc + 1),
                Err(at) => loops.insert(at, (to, pc + 1)),
            }
        } else {
            forward.push((from, to));
        }
        Some(())
    };
    for pc in 0..function.len() {
        let instruction = function.at(pc);
        let (here, bx) = (i64::from(pc), i64::from(instruction.bx()));
        match instruction.op() {
            Op::Jmp => {
                // A jump behind a test belongs to it.
                let test = pc > 0 && function.at(pc - 1).is_test();
                jump(if test { pc - 1 } else { pc }, pc, here + 1 + instruction.sj())?;
            }
            Op::LFalseSkip => jump(pc, pc, here + 2)?,
            Op::ForLoop => jump(pc, pc, here + 1 - bx)?,
            Op::ForPrep => jump(pc, pc, here + 2 + bx)?,
            Op::TForPrep => jump(pc, pc, here + 3 + bx)?,
            Op::TForCall => jump(pc, pc + 1, here + 2 - i64::from(function.at(pc + 1).bx()))?,
            _ => {}
        }
    }
    (loops.len() <= limits::LOOPS).then_some((forward, loops))
}

/// Lets a loop that would end inside another one end with it.
fn merge_loops(loops: &mut [Loop]) {
    let mut changed = true;
    while std::mem::take(&mut changed) {
        for outer in 0..loops.len() {
            for inner in outer + 1..loops.len() {
                let (begin, end) = loops[inner];
                if begin < loops[outer].1 && loops[outer].1 < end {
                    loops[outer].1 = end;
                    changed = true;
                }
            }
        }
    }
}
