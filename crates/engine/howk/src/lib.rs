//! The parts of the binary `howk`: settings, the management API, the pipeline, and the commands that put them
//! together.

pub mod api;
pub mod assembly;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod dev;
pub mod loader;
pub mod logs;
pub mod metrics;
pub mod pipeline;
pub mod scheduler;
pub mod serve;
pub mod traces;
pub mod worker;
