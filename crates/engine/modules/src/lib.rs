//! Modules of scripts on the host: `http` behind a guard, `kv`, `crypto`, `log`.
//!
//! [`ModuleHost`] is what all events share, [`EventModules`] what one of them sees. [`Guard`] and
//! [`GuardedClient`] stand for themselves: webhooks are delivered behind the same guard. Nothing here knows
//! of wasm, and where keys and values are stored is somebody else's: [`KvStore`].

mod client;
mod counts;
mod crypto;
mod event;
mod guard;
mod host;
mod http;
mod http_error;
mod keep_alive;
mod kv;
mod kv_memory;
mod log;
mod redact;
mod resolver;

pub use ::http::Method;
pub use client::{BodyLimit, ClientError, ClientSettings, GuardedClient, Response};
pub use counts::CallCount;
pub use crypto::{CryptoSettings, KeyError, KeyFrom, KeySource, Keyring};
pub use event::EventModules;
pub use guard::{Guard, GuardError, HostPattern, InvalidHostPattern, URL_BYTES_MAX, effective, is_public};
pub use host::{ModuleHost, Settings};
pub use http::{HttpSettings, MadeUpAnswer};
pub use http_error::HttpError;
pub use ipnet::IpNet;
pub use kv::{KEY_BYTES_MAX, KvError, KvFuture, KvSettings, KvStore, TTL_MAX, VALUE_BYTES_MAX};
pub use kv_memory::MemoryKv;
pub use log::{LogLine, LogSettings};
pub use redact::REDACTED;
pub use resolver::{Lookup, Resolver, SystemResolver};
pub use rustls::pki_types::CertificateDer;
