//! Webhooks that were given up.

use crate::{ErrorType, ScriptError, Webhook};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Reason for which a webhook was given up: eight reasons of its script, two of its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Script that is gone.
    ScriptNotFound,
    /// Script that does not compile.
    ScriptSyntaxError,
    /// Error raised by the script.
    ScriptRuntimeError,
    /// Script that ran too long.
    ScriptTimeout,
    /// Script that needed too much memory.
    ScriptMemoryLimit,
    /// Output of the script that is no body, or no header.
    ScriptInvalidOutput,
    /// Key of `crypto` that is not configured.
    CryptoKeyNotFound,
    /// Webhook that was accepted for a script, while scripts are switched off.
    ScriptDisabled,
    /// Last attempt that failed.
    Exhausted,
    /// Refusal by the endpoint for good: an answer of 3xx or 4xx.
    Unrecoverable,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 10] = [
        Reason::ScriptNotFound,
        Reason::ScriptSyntaxError,
        Reason::ScriptRuntimeError,
        Reason::ScriptTimeout,
        Reason::ScriptMemoryLimit,
        Reason::ScriptInvalidOutput,
        Reason::CryptoKeyNotFound,
        Reason::ScriptDisabled,
        Reason::Exhausted,
        Reason::Unrecoverable,
    ];

    /// The word that programs see.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::ScriptNotFound => "script_not_found",
            Reason::ScriptSyntaxError => "script_syntax_error",
            Reason::ScriptRuntimeError => "script_runtime_error",
            Reason::ScriptTimeout => "script_timeout",
            Reason::ScriptMemoryLimit => "script_memory_limit",
            Reason::ScriptInvalidOutput => "script_invalid_output",
            Reason::CryptoKeyNotFound => "crypto_key_not_found",
            Reason::ScriptDisabled => "script_disabled",
            Reason::Exhausted => "exhausted",
            Reason::Unrecoverable => "unrecoverable",
        }
    }

    /// The reason of a script's error that ends a webhook: one that is not retryable, or the last attempt's.
    pub fn of(error: &ScriptError) -> Reason {
        if error.retryable {
            return Reason::Exhausted;
        }
        match error.error_type {
            ErrorType::NotFound => Reason::ScriptNotFound,
            ErrorType::Syntax => Reason::ScriptSyntaxError,
            ErrorType::Timeout => Reason::ScriptTimeout,
            ErrorType::MemoryLimit => Reason::ScriptMemoryLimit,
            ErrorType::InvalidOutput => Reason::ScriptInvalidOutput,
            ErrorType::ModuleCrypto if error.unknown_key => Reason::CryptoKeyNotFound,
            ErrorType::Runtime | ErrorType::ModuleKv | ErrorType::ModuleHttp | ErrorType::ModuleCrypto => {
                Reason::ScriptRuntimeError
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A webhook that was given up, with what is known of why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The webhook as it was accepted. Where people see it, headers of credentials are redacted
    /// ([`crate::Headers::redacted`]); in the log it is whole, so that it can be replayed.
    pub webhook: Webhook,
    /// Reason for which it was given up.
    pub reason: Reason,
    /// The type of the last error: a script's, or `delivery`.
    pub reason_type: String,
    /// The last error, in words.
    pub last_error: String,
    /// Status of the endpoint's last answer, if it answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status_code: Option<u16>,
    /// Beginning of the endpoint's last answer, at most 1 KiB.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response_body: Option<String>,
    /// Time at which it was given up.
    pub time: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_wire() {
        for word in Reason::ALL {
            assert_eq!(serde_json::to_value(word).unwrap(), word.as_str());
        }
    }

    #[test]
    fn each_type_has_its_reason() {
        let reason = |error_type| Reason::of(&ScriptError::new(error_type, ""));
        for error_type in ErrorType::ALL {
            let word = error_type.as_str();
            let expected = if word.starts_with("script_module") { "script_runtime_error" } else { word };
            assert_eq!(reason(error_type).as_str(), expected);
            let retryable = ScriptError::new(error_type, "").retryable();
            assert_eq!(Reason::of(&retryable), Reason::Exhausted);
        }
        let unknown = ScriptError { unknown_key: true, ..ScriptError::new(ErrorType::ModuleCrypto, "") };
        assert_eq!(Reason::of(&unknown), Reason::CryptoKeyNotFound);
    }
}
