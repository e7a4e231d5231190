//! The modules of all events: what they share.

use crate::client::{ClientError, ClientSettings, GuardedClient};
use crate::counts::{CallCount, Counts};
use crate::crypto::{CryptoSettings, Keyring};
use crate::event::EventModules;
use crate::guard::Guard;
use crate::http::{Fetcher, HttpSettings, MadeUpAnswer};
use crate::kv::{KvSettings, KvStore};
use crate::kv_memory::MemoryKv;
use crate::log::LogSettings;
use crate::resolver::{Resolver, SystemResolver};
use bytes::Bytes;
use howk_contract::ConfigId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Settings of all modules.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Settings of `http`.
    pub http: HttpSettings,
    /// Settings of `kv`.
    pub kv: KvSettings,
    /// Settings of `crypto`.
    pub crypto: CryptoSettings,
    /// Settings of `log`.
    pub log: LogSettings,
}

/// The modules of all events: one client, one cache, one store, one keyring.
#[derive(Debug)]
pub struct ModuleHost {
    pub(crate) settings: Settings,
    pub(crate) fetcher: Fetcher,
    pub(crate) kv: Arc<dyn KvStore>,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) decryptions: Arc<Semaphore>,
    pub(crate) counts: Counts,
    /// Time at which a failure of the store was last told.
    pub(crate) store_failure_told: Mutex<Option<Instant>>,
}

impl ModuleHost {
    /// The modules over a store and a keyring. Keys are read when they are needed: [`Keyring::reload`] tells
    /// at start which cannot be.
    ///
    /// # Errors
    /// A certificate of the settings is none.
    pub fn new(
        settings: Settings,
        kv: Arc<dyn KvStore>,
        keys: Arc<Keyring>,
    ) -> Result<Arc<Self>, ClientError> {
        ModuleHost::with_resolver(settings, kv, keys, Arc::new(SystemResolver::default()))
    }

    /// The same with somebody else to look names up.
    ///
    /// # Errors
    /// A certificate of the settings is none.
    pub fn with_resolver(
        settings: Settings,
        kv: Arc<dyn KvStore>,
        keys: Arc<Keyring>,
        resolver: Arc<dyn Resolver>,
    ) -> Result<Arc<Self>, ClientError> {
        let http = &settings.http;
        let guard = Guard::new(http.allowed_hosts.iter().cloned(), http.allow_cidrs.iter().copied());
        let client_settings =
            ClientSettings { extra_roots: http.extra_roots.clone(), ..ClientSettings::new(guard) };
        let fetcher = Fetcher::new(GuardedClient::with_resolver(client_settings, resolver)?, http);
        let decryptions = Arc::new(Semaphore::new(settings.crypto.concurrency.max(1)));
        let (counts, store_failure_told) = (Counts::default(), Mutex::default());
        Ok(Arc::new(ModuleHost { settings, fetcher, kv, keys, decryptions, counts, store_failure_told }))
    }

    /// The modules of one event.
    pub fn event(self: &Arc<Self>, config_id: ConfigId, webhook_id: impl Into<Arc<str>>) -> EventModules {
        EventModules::new(self.clone(), config_id, webhook_id.into(), self.kv.clone(), None)
    }

    /// The modules of an event of the test endpoint: `kv` is a store of its own that begins with these
    /// entries; URLs of `http` have their made-up answers, and others are requested behind the guard, without
    /// the cache.
    pub fn test_event(
        self: &Arc<Self>,
        config_id: ConfigId,
        kv: HashMap<Bytes, Bytes>,
        http: HashMap<String, MadeUpAnswer>,
    ) -> EventModules {
        let store = Arc::new(MemoryKv::of(config_id.clone(), kv));
        EventModules::new(self.clone(), config_id, "test".into(), store, Some(http))
    }

    /// The keys of `crypto`, to read them again.
    pub fn keys(&self) -> &Arc<Keyring> {
        &self.keys
    }

    /// Counts of the calls of modules so far, by result.
    pub fn counts(&self) -> Vec<CallCount> {
        self.counts.snapshot()
    }

    /// True once a second: a store that is down fails for every event, and one line says so.
    pub(crate) fn may_tell_store_failure(&self) -> bool {
        let mut told = self.store_failure_told.lock().unwrap_or_else(PoisonError::into_inner);
        let due = told.is_none_or(|at| at.elapsed() >= Duration::from_secs(1));
        if due {
            *told = Some(Instant::now());
        }
        due
    }
}
