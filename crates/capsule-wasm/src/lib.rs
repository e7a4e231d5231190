//! The wasm module of the capsule: the exports of a VM with the libraries `json` and `base64`, SQLite, and
//! files that are numbers to it.
//!
//! A crate of its own, so that `perilune.wasm` does not grow, and for a stack that SQLite has room on
//! (build.rs). Not here: what the exports do (`perilune::js::exports`), what answers the imports
//! (web/src/capsule).
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]

mod environment;
mod files;
mod imports;
mod joined_writes;

use perilune::{Base64, Json};
use perilune_capsule::{CapsuleLibrary, Environment};

/// The surroundings of a database.
fn environment() -> Box<dyn Environment> {
    Box::new(environment::HostEnvironment)
}

/// Tells the host that so many messages wait.
fn notify(count: u32) {
    imports::capsule_notify(count);
}

perilune::exports!(libraries = [Json, Base64, files::Files, CapsuleLibrary::new(environment, notify)]);
