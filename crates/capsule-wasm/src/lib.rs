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
mod stand_in;

use perilune::{Base64, Json};

perilune::exports!(libraries = [Json, Base64, files::Files, stand_in::StandIn]);
