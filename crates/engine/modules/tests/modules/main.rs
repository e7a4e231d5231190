//! The modules as scripts meet them: against servers on 127.0.0.1, hostile ones too, made-up names, and
//! OpenSSL.

mod client;
mod crypto;
mod guard;
mod hostile;
mod http;
mod http_cache;
mod kv;
mod log;
mod servers;
mod tls;
