//! `kv`: keys and values of a config.
//!
//! The store is somebody else's, behind `KvStore`; the rules for keys, values and times to live are here.

use bytes::Bytes;
use howk_contract::{ConfigId, ErrorType, ScriptError};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// Most bytes of a key.
pub const KEY_BYTES_MAX: usize = 512;
/// Most bytes of a value.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// Longest time to live.
pub const TTL_MAX: Duration = Duration::from_hours(30 * 24);

/// Limits of `kv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvSettings {
    /// Time for which a value is kept if the script does not say.
    pub ttl_default: Duration,
    /// Most bytes of a config's keys and values together.
    pub quota_bytes: u64,
    /// Longest time that the store may take.
    pub timeout: Duration,
    /// Most calls of an event.
    pub calls: u32,
}

impl Default for KvSettings {
    fn default() -> Self {
        KvSettings {
            ttl_default: Duration::from_hours(24),
            quota_bytes: 16 << 20,
            timeout: Duration::from_secs(5),
            calls: 100,
        }
    }
}

/// Reason for which a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// The value would take the config over its quota. Nothing was stored.
    #[error("the store would have {needed} bytes of this config, and may have {quota}")]
    Quota {
        /// Bytes of keys and values that there would be.
        needed: u64,
        /// Bytes that there may be.
        quota: u64,
    },
    /// The store cannot be reached, or failed. The text is for operators: scripts do not see it.
    #[error("the store failed: {0}")]
    Failed(String),
}

/// A future of a store.
pub type KvFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KvError>> + Send + 'a>>;

/// A store of keys and values, each in the namespace of a config.
///
/// Keys and values are any bytes. A value whose time has passed is gone: `get` does not find it, and it
/// counts no more.
pub trait KvStore: Send + Sync + fmt::Debug {
    /// The value of a key.
    fn get<'a>(&'a self, config: &'a ConfigId, key: Bytes) -> KvFuture<'a, Option<Bytes>>;

    /// Stores a value for a time, instead of the one before, if the config's keys and values then have at
    /// most `quota_bytes` bytes. Two calls at once do not exceed the quota together.
    fn set<'a>(
        &'a self,
        config: &'a ConfigId,
        key: Bytes,
        value: Bytes,
        ttl: Duration,
        quota_bytes: u64,
    ) -> KvFuture<'a, ()>;

    /// Removes a key. One that is not there is no error.
    fn del<'a>(&'a self, config: &'a ConfigId, key: Bytes) -> KvFuture<'a, ()>;
}

fn bad(message: String) -> ScriptError {
    ScriptError::new(ErrorType::ModuleKv, message)
}

/// Checks a key.
pub(crate) fn check_key(key: &[u8]) -> Result<(), ScriptError> {
    match key.len() {
        1..=KEY_BYTES_MAX => Ok(()),
        bytes => Err(bad(format!("kv: a key has 1 to {KEY_BYTES_MAX} bytes; this one has {bytes}"))),
    }
}

/// Checks a value.
pub(crate) fn check_value(value: &[u8]) -> Result<(), ScriptError> {
    match value.len() {
        0..=VALUE_BYTES_MAX => Ok(()),
        bytes => Err(bad(format!("kv: a value has at most {VALUE_BYTES_MAX} bytes; this one has {bytes}"))),
    }
}

/// The time to live that a script asks for.
pub(crate) fn check_ttl(seconds: Option<f64>, default: Duration) -> Result<Duration, ScriptError> {
    let Some(seconds) = seconds else { return Ok(default) };
    let most = TTL_MAX.as_secs();
    if seconds.fract() == 0.0 && (1.0..=most as f64).contains(&seconds) {
        Ok(Duration::from_secs(seconds as u64))
    } else {
        Err(bad(format!("kv.set: ttl_seconds is a whole number from 1 to {most} (30 days); got {seconds}")))
    }
}

/// Error that a script gets for a store's.
pub(crate) fn script_error(error: &KvError, stored_bytes: u64) -> ScriptError {
    match error {
        // A value that alone exceeds the quota will not fit later; else something may have expired by then.
        KvError::Quota { quota, .. } if stored_bytes > *quota => bad(format!("kv.set: {error}")),
        KvError::Quota { .. } => bad(format!("kv.set: {error}")).retryable(),
        KvError::Failed(_) => bad("kv: the store failed".into()).retryable(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_to_live_is_whole_seconds_up_to_30_days() {
        let ttl = |seconds| check_ttl(Some(seconds), Duration::from_secs(9)).map(|ttl| ttl.as_secs());
        assert_eq!(check_ttl(None, Duration::from_secs(9)).unwrap().as_secs(), 9);
        assert_eq!((ttl(1.0).unwrap(), ttl(2_592_000.0).unwrap()), (1, 2_592_000));
        for seconds in [
            0.0,
            -0.0,
            -1.0,
            0.5,
            1.5,
            2_592_001.0,
            1e300,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            -f64::NAN,
        ] {
            let error = ttl(seconds).unwrap_err();
            assert!(error.message.contains("whole number from 1 to 2592000"), "{}", error.message);
            assert_eq!((error.error_type, error.retryable), (ErrorType::ModuleKv, false));
        }
    }

    #[test]
    fn keys_and_values_have_limits_to_the_byte() {
        assert!(check_key(b"").is_err() && check_key(&[0; 513]).is_err());
        assert!(check_key(b"\0").is_ok() && check_key(&[255; 512]).is_ok());
        assert!(check_value(b"").is_ok() && check_value(&vec![0; 65_536]).is_ok());
        assert!(check_value(&vec![0; 65_537]).unwrap_err().message.contains("this one has 65537"));
    }

    #[test]
    fn failures_of_the_store_are_worth_another_attempt_and_say_nothing_of_it() {
        let failed = script_error(&KvError::Failed("redis://:hunter2@10.0.0.1".into()), 1);
        assert!(failed.retryable && !failed.message.contains("hunter2"));
        assert!(script_error(&KvError::Quota { needed: 11, quota: 10 }, 10).retryable);
        assert!(!script_error(&KvError::Quota { needed: 11, quota: 10 }, 11).retryable);
    }

    proptest! {
        #[test]
        fn no_number_makes_a_time_to_live_outside_of_the_limits(seconds: f64) {
            if let Ok(ttl) = check_ttl(Some(seconds), Duration::ZERO) {
                prop_assert!(ttl >= Duration::from_secs(1) && ttl <= TTL_MAX && ttl.as_secs_f64().total_cmp(&seconds).is_eq());
            }
        }
    }
}
