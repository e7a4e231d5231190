//! Places for webhooks, scripts and state: three traits, an embedded implementation of each, and the suites
//! that every implementation passes.
//!
//! - [`Log`]: topics of records. What was acknowledged is not lost.
//! - [`State`]: keys, values and the time for which they live. What is lost here loses no webhook and no
//!   script.
//! - [`Clock`]: the time of the wall, the time that passes, and waiting.
//!
//! [`embedded`] keeps log and state in one SQLite file; [`conformance`] says what the traits promise, as
//! tests.

mod clock;
pub mod conformance;
pub mod embedded;
mod error;
mod log;
mod state;

pub use clock::{Clock, SystemClock, TestClock};
pub use embedded::{Embedded, EmbeddedSettings};
pub use error::{PortError, PortFuture};
pub use log::{Append, Consumer, Delivery, Finish, Log, Position, Record, Tail, TailEvent, TailScope, Topic};
pub use state::{KvSet, State, kv_key, kv_owner};
