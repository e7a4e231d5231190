//! Calls of a script to its host while it runs.

use crate::ScriptError;
use bytes::Bytes;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// A level of `log`, or where else a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// `log.info`, `print`.
    Info,
    /// `log.warn`, `warn`.
    Warn,
    /// `log.error`.
    Error,
}

/// A call of a module. Strings are Lua's: any bytes. Their types were checked in the VM, and nothing else.
#[derive(Debug, Clone, PartialEq)]
pub enum ModuleCall {
    /// `http.get(url, headers)`.
    HttpGet {
        /// The URL as it was written.
        url: Bytes,
        /// Headers of the request.
        headers: Vec<(Bytes, Bytes)>,
    },
    /// `kv.get(key)`.
    KvGet {
        /// The key.
        key: Bytes,
    },
    /// `kv.set(key, value, ttl_seconds)`.
    KvSet {
        /// The key.
        key: Bytes,
        /// The value.
        value: Bytes,
        /// Seconds for which it is kept; none is the setting's default.
        ttl_seconds: Option<f64>,
    },
    /// `kv.del(key)`.
    KvDel {
        /// The key.
        key: Bytes,
    },
    /// `crypto.decrypt_credential(key_name, symmetric_key_b64, encrypted_data_b64)`.
    Decrypt {
        /// Name of the private key, in the settings.
        key_name: Bytes,
        /// The wrapped key in base64; none if `data` holds both.
        symmetric_key: Option<Bytes>,
        /// The encrypted data in base64.
        data: Bytes,
    },
    /// `log.info(message, fields)` and its like.
    Log {
        /// Importance.
        level: LogLevel,
        /// The message.
        message: Bytes,
        /// The fields, as a JSON object.
        fields: Option<Bytes>,
    },
}

/// The answer to a call of a module.
#[derive(Debug, Clone, PartialEq)]
pub enum ModuleReply {
    /// The absence of a value, nil in Lua.
    Nil,
    /// A string.
    Bytes(Bytes),
    /// The answer of a server.
    Response {
        /// Status code.
        status_code: u16,
        /// Headers, in lower case, each once.
        headers: Vec<(String, Bytes)>,
        /// Body.
        body: Bytes,
    },
}

/// A future of a call.
pub type ModuleFuture<'a> = Pin<Box<dyn Future<Output = Result<ModuleReply, ScriptError>> + Send + 'a>>;

/// The modules as one event sees them: its config's namespace, its counts of calls, its log.
pub trait Modules: Send + Sync + fmt::Debug {
    /// Answers a call. While it waits, the event holds its VM and no thread.
    ///
    /// # Errors
    /// A value that the script can catch: of a module's type, with a message that holds no secret.
    fn call(&self, call: ModuleCall) -> ModuleFuture<'_>;
}
