//! The pipeline over the embedded log, with made-up scripts and endpoints, and a clock that the tests move.

mod crashes;
mod dead_letters;
mod faults;
mod flow;
mod limits;
mod scripts;
mod support;
