//! Settings: one table of keys ([`KEYS`]), three sources (a YAML file, the environment, flags), one result
//! ([`Settings`]).
//!
//! A key that nobody knows is refused, whatever its source, and the nearest known one is named. All faults
//! are told at once, each with its source.

mod docs;
mod error;
mod keys;
mod load;
mod nearest;
mod settings;
mod shape;
mod show;
mod yaml;

pub use docs::{HEADING, table};
pub use error::{ConfigError, Fault, Source};
pub use keys::{KEYS, Key};
pub use load::{Loaded, Sources, load};
pub use settings::{
    Api, Data, DeadLetters, Delivery, Kafka, Kv, Logging, Lua, Redis, Retry, Scheduler, Settings, Shutdown,
    Tracing, Worker,
};
pub use shape::{CryptoKey, LogFormat, Scope, Shape, Token, Value};
pub use show::show;
