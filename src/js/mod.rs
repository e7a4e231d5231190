//! Exports and host imports of the module: the only folder that names JavaScript.
//!
//! Numbers only: addresses, lengths, ids. No `JsValue` outlives a call, so a VM is nothing but its linear
//! memory, and any number of instances of the one compiled module live in a page. What answers the imports is
//! `imports.js`; what keeps the tables is `table_store.js` with `write_behind.js` and `indexeddb/backend.js`
//! - the same files in the npm package, in the tests, and in a Rust program that embeds this crate.

#[cfg(feature = "exports")]
pub(crate) use self::functions::JsFunctions;
pub use self::host::JsHost;
pub use self::open::{OpenStore, open_store};
pub use self::store::JsStore;

#[cfg(feature = "exports")]
pub mod exports;
#[cfg(feature = "exports")]
mod functions;
mod host;
mod imports;
#[cfg(feature = "exports")]
mod io_buffer;
#[cfg(feature = "jit")]
pub mod jit;
mod open;
#[cfg(feature = "exports")]
mod panic;
#[cfg(feature = "exports")]
pub mod snapshot;
mod store;

/// Prints every later panic to the page's console, with its message and stack trace. Idempotent.
///
/// For programs that embed the crate (feature `console_error_panic_hook`). The npm module sets a hook of its
/// own, over the same imports as everything else.
#[cfg(feature = "console_error_panic_hook")]
pub fn set_panic_hook() {
    console_error_panic_hook::set_once();
}
