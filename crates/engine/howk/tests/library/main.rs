//! Scripts that people read: every example of examples/scripts gives what its cases say, and every block of
//! Lua in docs/engine runs. Both through the binary, which knows cases and made-up webhooks.

mod documents;
mod examples;
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}
