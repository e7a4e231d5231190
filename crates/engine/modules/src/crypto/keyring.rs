//! The private keys that scripts may name.
//!
//! A key is read at `reload`, and again when somebody needs one that could not be read; so a file that comes
//! late, or is being replaced, mends itself. A key that was there and cannot be read any more is not used any
//! more: taking a file away takes the key away.

use super::pem::{KeyError, private_key};
use howk_contract::ConfigId;
use rsa::PrivateKey;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Most bytes of a file of a key.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// Time for which a failure is believed before the key is read again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Origin of a key.
#[derive(Clone)]
pub enum KeyFrom {
    /// A file of PEM.
    File(PathBuf),
    /// The PEM itself, as a variable of the environment has it.
    Pem(Zeroizing<String>),
}

impl fmt::Debug for KeyFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFrom::File(path) => f.debug_tuple("File").field(path).finish(),
            KeyFrom::Pem(_) => f.write_str("Pem([redacted])"),
        }
    }
}

/// A key of the settings.
#[derive(Debug, Clone)]
pub struct KeySource {
    /// Origin of the key.
    pub from: KeyFrom,
    /// The configs whose scripts may use it; none stands for all.
    pub configs: Option<BTreeSet<ConfigId>>,
}

impl KeySource {
    /// A key in a file, for every config.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        KeySource { from: KeyFrom::File(path.into()), configs: None }
    }

    /// A key in PEM, for every config.
    pub fn pem(text: impl Into<String>) -> Self {
        KeySource { from: KeyFrom::Pem(Zeroizing::new(text.into())), configs: None }
    }

    /// The same key for these configs alone.
    #[must_use]
    pub fn only_for(mut self, configs: impl IntoIterator<Item = ConfigId>) -> Self {
        self.configs = Some(configs.into_iter().collect());
        self
    }
}

/// Reason for which a script gets no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyFailure {
    /// A name that no setting gives to this config.
    #[error("no key has this name")]
    Unknown,
    /// A key that is named, and cannot be read now.
    #[error(transparent)]
    Unreadable(KeyError),
}

#[derive(Debug)]
enum State {
    Unread,
    Ready(Arc<PrivateKey>),
    Failed { error: KeyError, at: Instant },
}

#[derive(Debug)]
struct Slot {
    source: KeySource,
    state: Mutex<State>,
}

/// The private keys that scripts may name.
#[derive(Debug, Default)]
pub struct Keyring {
    slots: BTreeMap<String, Slot>,
}

impl Keyring {
    /// A keyring of these keys, by name. Nothing is read yet: see [`Keyring::reload`].
    pub fn new(sources: impl IntoIterator<Item = (String, KeySource)>) -> Self {
        let slot = |source| Slot { source, state: Mutex::new(State::Unread) };
        Keyring { slots: sources.into_iter().map(|(name, source)| (name, slot(source))).collect() }
    }

    /// The names of all keys.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.slots.keys().map(String::as_str)
    }

    /// Reads every key again, and gives those that could not be read. It blocks on files.
    pub fn reload(&self) -> Vec<(String, KeyError)> {
        let mut failed = Vec::new();
        for (name, slot) in &self.slots {
            if let Err(error) = slot.read(&mut slot.lock()) {
                failed.push((name.clone(), error));
            }
        }
        failed
    }

    /// True if a script of the config may use a key of that name, whether or not it can be read.
    pub fn has(&self, name: &str, config: &ConfigId) -> bool {
        self.slot(name, config).is_some()
    }

    /// The key of a name. It may block on a file.
    pub(crate) fn key(&self, name: &str, config: &ConfigId) -> Result<Arc<PrivateKey>, KeyFailure> {
        let slot = self.slot(name, config).ok_or(KeyFailure::Unknown)?;
        let mut state = slot.lock();
        match &*state {
            State::Ready(key) => Ok(key.clone()),
            State::Failed { error, at } if at.elapsed() < RETRY_AFTER => {
                Err(KeyFailure::Unreadable(error.clone()))
            }
            State::Failed { .. } | State::Unread => slot.read(&mut state).map_err(KeyFailure::Unreadable),
        }
    }

    fn slot(&self, name: &str, config: &ConfigId) -> Option<&Slot> {
        let may = |slot: &&Slot| slot.source.configs.as_ref().is_none_or(|configs| configs.contains(config));
        self.slots.get(name).filter(may)
    }
}

impl Slot {
    /// The state, whole even after a panic of who held it: it is only ever replaced.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, state: &mut State) -> Result<Arc<PrivateKey>, KeyError> {
        let read = match &self.source.from {
            KeyFrom::File(path) => read_file(path).and_then(|text| private_key(&text)),
            KeyFrom::Pem(text) => private_key(text),
        };
        match read {
            Ok(key) => {
                let key = Arc::new(key);
                *state = State::Ready(key.clone());
                Ok(key)
            }
            Err(error) => {
                *state = State::Failed { error: error.clone(), at: Instant::now() };
                Err(error)
            }
        }
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let fail = |why: String| KeyError::Read { path: path.display().to_string(), why };
    let file = std::fs::File::open(path).map_err(|error| fail(error.to_string()))?;
    // Room for all of it at once: a buffer that grew would leave pieces of the key behind.
    let mut text = Zeroizing::new(String::with_capacity(FILE_BYTES_MAX as usize + 1));
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| fail(error.to_string()))?;
    match text.len() as u64 {
        0..=FILE_BYTES_MAX => Ok(text),
        _ => Err(fail(format!("it has more than {FILE_BYTES_MAX} bytes"))),
    }
}
