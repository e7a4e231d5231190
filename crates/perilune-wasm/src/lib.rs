//! The wasm module of the npm package: the exports of a VM with the libraries `json` and `base64`.
//!
//! A crate of its own for two reasons. The size of its stack (build.rs) must not reach the modules of
//! programs that embed `perilune`. And cargo leaves out whole-program optimisation for a cdylib that is a
//! library for Rust as well. Not here: what the exports do (`perilune::js::exports`).
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]

use perilune::{Base64, Json};

perilune::exports!(libraries = [Json, Base64]);
