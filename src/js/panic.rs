//! Panic hook: reports the message of a Rust panic to the host before the module traps.
//!
//! The crate `console_error_panic_hook` does the same, but with values of JavaScript, and no such value may
//! live inside the module, whose imports take numbers only.

use super::imports;
use std::fmt::{self, Write};

/// Longer messages are cut here, in a place where nothing can be allocated any more.
const MESSAGE_BYTES: usize = 512;

struct Message {
    bytes: [u8; MESSAGE_BYTES],
    len: usize,
}

impl Write for Message {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MESSAGE_BYTES - self.len;
        let part = &text.as_bytes()[..text.floor_char_boundary(room)];
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
        Ok(())
    }
}

/// Makes panics visible. Idempotent.
pub(super) fn set_hook() {
    std::panic::set_hook(Box::new(|info| {
        let mut message = Message { bytes: [0; MESSAGE_BYTES], len: 0 };
        // `Message` never fails.
        let _ = write!(message, "{info}");
        imports::report_panic(message.bytes.as_ptr(), message.len);
    }));
}
