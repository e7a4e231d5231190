//! Errors of scripts.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The nine types of a script's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ErrorType {
    /// The config has a script by name, and nobody has its source.
    #[serde(rename = "script_not_found")]
    NotFound,
    /// The source does not compile.
    #[serde(rename = "script_syntax_error")]
    Syntax,
    /// The script raised an error.
    #[serde(rename = "script_runtime_error")]
    Runtime,
    /// The script ran, or waited, longer than it may.
    #[serde(rename = "script_timeout")]
    Timeout,
    /// The script needed more memory than it may have.
    #[serde(rename = "script_memory_limit")]
    MemoryLimit,
    /// The output of the script is no body, or no header.
    #[serde(rename = "script_invalid_output")]
    InvalidOutput,
    /// The store of keys and values failed.
    #[serde(rename = "script_module_kv")]
    ModuleKv,
    /// A request failed, or was refused.
    #[serde(rename = "script_module_http")]
    ModuleHttp,
    /// A decryption failed, or its key is missing.
    #[serde(rename = "script_module_crypto")]
    ModuleCrypto,
}

impl ErrorType {
    /// Every type.
    pub const ALL: [ErrorType; 9] = [
        ErrorType::NotFound,
        ErrorType::Syntax,
        ErrorType::Runtime,
        ErrorType::Timeout,
        ErrorType::MemoryLimit,
        ErrorType::InvalidOutput,
        ErrorType::ModuleKv,
        ErrorType::ModuleHttp,
        ErrorType::ModuleCrypto,
    ];

    /// The word that programs see.
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorType::NotFound => "script_not_found",
            ErrorType::Syntax => "script_syntax_error",
            ErrorType::Runtime => "script_runtime_error",
            ErrorType::Timeout => "script_timeout",
            ErrorType::MemoryLimit => "script_memory_limit",
            ErrorType::InvalidOutput => "script_invalid_output",
            ErrorType::ModuleKv => "script_module_kv",
            ErrorType::ModuleHttp => "script_module_http",
            ErrorType::ModuleCrypto => "script_module_crypto",
        }
    }
}

impl fmt::Display for ErrorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The failure of a script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct ScriptError {
    /// Kind of failure.
    #[serde(rename = "type")]
    pub error_type: ErrorType,
    /// Description of the failure for the script's author. It holds nothing secret.
    pub message: String,
    /// Line of the script, from 1, where one is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub line: Option<u32>,
    /// The calls that led there, the outermost last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traceback: Option<String>,
    /// True if another attempt may succeed.
    pub retryable: bool,
    /// True for a key of `crypto` that no setting names; such a webhook's dead letter says so.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub unknown_key: bool,
}

impl ScriptError {
    /// An error with a message alone, which another attempt would meet again.
    pub fn new(error_type: ErrorType, message: impl Into<String>) -> Self {
        let message = message.into();
        ScriptError { error_type, message, line: None, traceback: None, retryable: false, unknown_key: false }
    }

    /// The same error, worth another attempt.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_wire() {
        for word in ErrorType::ALL {
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
            assert_eq!(serde_json::from_value::<ErrorType>(word.as_str().into()).unwrap(), word);
        }
    }

    #[test]
    fn an_error_says_type_message_and_line() {
        let error = ScriptError { line: Some(3), ..ScriptError::new(ErrorType::Runtime, "no") };
        let json = serde_json::json!({ "type": "script_runtime_error", "message": "no", "line": 3, "retryable": false });
        assert_eq!(serde_json::to_value(&error).unwrap(), json);
        assert_eq!(serde_json::from_value::<ScriptError>(json).unwrap(), error);
    }
}
