//! Runs scripts of strangers: each event in a fresh VM inside wasmtime, with limits in the VM and around it.
//!
//! A [`Sandbox`] has one compiled module, whose initial memory is a VM that is ready to compile a script.
//! What a script adds to that memory once it is compiled is its image, made once. An event is: a copy of
//! both, the input, one call, the output, and the end of all of it. Nothing of an event is seen by another.
//!
//! Keeps true: an event ends, whatever its script does, and takes nobody else with it. The VM's own limits
//! (time, ticks, memory) end a script with a message and a line; the fences around it end it when those fail,
//! and are counted.
//!
//! Not here: what the modules of a script do (a trait of `howk-contract`), where scripts come from, networks,
//! files.

mod bake;
mod budget;
mod clock;
mod counters;
mod errors;
mod event;
mod host_call;
mod image;
mod images;
mod imports;
mod input;
mod machine;
#[cfg(test)]
mod module_tests;
mod output;
#[cfg(test)]
mod reset_tests;
mod sandbox;
mod settings;
#[cfg(test)]
mod stack_tests;
mod timed;

pub use counters::Counters;
pub use event::{Event, Fence, Outcome, Report};
pub use sandbox::Sandbox;
pub use settings::{Settings, StartError};
