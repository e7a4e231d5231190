//! Observations of one function in its recordings.

use super::opcode::Operand;
use super::sorted::{self, Map};
use super::{Event, fact, limits};

/// Sightings of something: none yet, one thing always, or different ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Seen<T> {
    #[default]
    Nothing,
    One(T),
    Many,
}

impl<T: PartialEq + Copy> Seen<T> {
    fn add(&mut self, thing: T) {
        *self = match *self {
            Seen::Nothing => Seen::One(thing),
            Seen::One(before) if before == thing => return,
            _ => Seen::Many,
        };
    }

    pub(super) fn one(self) -> Option<T> {
        match self {
            Seen::One(thing) => Some(thing),
            _ => None,
        }
    }
}

/// Place of a short string in a table's nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) lsizenode: u8,
    pub(super) index: u32,
}

/// Place of a key in the table that is `__index` of a table's metatable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Inherited {
    /// Place of `__index` in the metatable.
    pub(super) index: Place,
    /// Place of the key in that table.
    pub(super) key: Place,
}

/// A function that was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    /// The serial number of a function of Lua.
    Lua(u32),
    /// The address of a light C function.
    C(usize),
    /// Any other.
    Other,
}

/// Everything seen of one instruction.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Observation {
    tags: [Seen<u8>; 3],
    /// Places of its key, at most two.
    pub(super) places: [Option<Place>; 2],
    /// True if a key was at more places, or elsewhere.
    pub(super) elsewhere: bool,
    pub(super) inherited: Seen<Inherited>,
    pub(super) target: Seen<Target>,
}

/// Recordings of one function.
#[derive(Debug)]
pub(super) struct Profile {
    proto: usize,
    observations: Map<Observation>,
    /// Instructions where compiled code has given up, in order.
    given_up: Vec<u32>,
    /// Instructions recorded since the last compilation.
    recorded: u32,
    compilations: u32,
    hopeless: bool,
}

impl Profile {
    pub(super) fn new(proto: usize) -> Self {
        Self {
            proto,
            observations: Map::default(),
            given_up: Vec::new(),
            recorded: 0,
            compilations: 0,
            hopeless: false,
        }
    }

    /// Address of the `Proto`.
    pub(super) fn proto(&self) -> usize {
        self.proto
    }

    pub(super) fn note(&mut self, event: &Event) {
        if event.pc as usize >= limits::INSTRUCTIONS {
            return;
        }
        self.recorded += 1;
        let seen = self.observations.get_or_insert(event.pc, Observation::default);
        for (known, tag) in seen.tags.iter_mut().zip(event.tags) {
            known.add(tag);
        }
        let place = |lsizenode: usize, index: usize| match u8::try_from(lsizenode) {
            Ok(lsizenode) if lsizenode <= 16 && index < 1 << lsizenode => {
                Some(Place { lsizenode, index: index as u32 })
            }
            _ => None,
        };
        let [first, second, third, fourth] = event.numbers;
        match event.fact {
            fact::KEY_HERE => match place(first, second) {
                Some(found) if seen.places.contains(&Some(found)) => {}
                Some(found) => match seen.places.iter_mut().find(|known| known.is_none()) {
                    Some(free) => *free = Some(found),
                    None => seen.elsewhere = true,
                },
                None => seen.elsewhere = true,
            },
            fact::KEY_INHERITED => match (place(first, second), place(third, fourth)) {
                (Some(index), Some(key)) => seen.inherited.add(Inherited { index, key }),
                _ => seen.elsewhere = true,
            },
            fact::LUA_CALLEE => seen.target.add(Target::Lua(second as u32)),
            fact::C_CALLEE => seen.target.add(Target::C(first)),
            _ => {
                seen.elsewhere = true;
                seen.target.add(Target::Other);
            }
        }
    }

    pub(super) fn gave_up(&mut self, pc: u32) {
        if self.given_up.len() < limits::INSTRUCTIONS {
            sorted::insert(&mut self.given_up, pc);
        }
    }

    /// True if compiled code has given up at this instruction.
    pub(super) fn has_given_up(&self, pc: u32) -> bool {
        self.given_up.binary_search(&pc).is_ok()
    }

    /// True, once for each recording, if the function is worth compiling (again).
    pub(super) fn take_worthy(&mut self) -> bool {
        let recorded = std::mem::take(&mut self.recorded);
        let worthy = !self.hopeless && recorded >= limits::SEEN && self.compilations < limits::COMPILATIONS;
        self.compilations += u32::from(worthy);
        worthy
    }

    /// Takes note that the compiler cannot do this function.
    pub(super) fn set_hopeless(&mut self) {
        self.hopeless = true;
    }

    /// Observation of an instruction, if it was seen.
    pub(super) fn at(&self, pc: u32) -> Option<&Observation> {
        self.observations.get(pc)
    }

    /// The one tag that an operand had, where speculation on it may go on.
    pub(super) fn tag(&self, pc: u32, operand: Operand) -> Option<u8> {
        if self.has_given_up(pc) {
            return None;
        }
        self.at(pc)?.tags[operand as usize].one().filter(|tag| *tag != Event::NO_REGISTER)
    }
}
