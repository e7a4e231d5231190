//! Operations that a library adds to those of the VM.

use crate::lua::Stack;
use std::fmt;

/// Operations from `EXTENSION_OPERATION_FIRST` on.
pub(crate) trait Extension {
    /// Runs an operation on the list `input`, and writes a list of results or an error record into `reply`,
    /// which comes empty. Returns the status of the reply (docs/codec.md, section 2); None when there is no
    /// such operation.
    #[cfg_attr(
        all(feature = "module", target_arch = "wasm32"),
        allow(dead_code, reason = "the npm package's own module has no such operations")
    )]
    fn run(&self, stack: Stack, operation: u32, input: &[u8], reply: &mut Vec<u8>) -> Option<u8>;
}

impl fmt::Debug for dyn Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn Extension")
    }
}
