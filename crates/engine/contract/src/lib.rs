//! Types that the parts of the script engine share: webhooks, scripts, events, errors.
//!
//! Pure types with their rules; nothing here does I/O, and nothing names wasm, HTTP clients or databases.

mod dead_letter;
mod error;
mod event;
mod headers;
mod ids;
mod modules;
mod payload;
mod script;
mod transform;
mod webhook;

pub use dead_letter::{DeadLetter, Reason};
pub use error::{ErrorType, ScriptError};
pub use event::{EventInput, Metadata};
pub use headers::{HeaderError, Headers, names_a_secret};
pub use ids::{ConfigId, InvalidConfigId};
pub use modules::{LogLevel, ModuleCall, ModuleFuture, ModuleReply, Modules};
pub use payload::Payload;
pub use script::{InvalidHash, ScriptConfig, ScriptHash};
pub use transform::{OutputLimits, RawTransform, Transform};
pub use webhook::{PreviousError, Webhook};
