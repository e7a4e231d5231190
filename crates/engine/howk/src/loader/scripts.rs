//! Scripts for the other modules: the newest, the one for a webhook, whether all are known.

use super::mirror::Mirror;
use super::table::{Known, StoredScript, Table};
use crate::pipeline::{LoaderSettings, Observed, Observer, Parts, ScriptRunner, Versions};
use howk_contract::{ConfigId, ErrorType, ScriptError, ScriptHash, Webhook};
use howk_ports::{Clock, Log, Topic};
use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::{Mutex, watch};

/// Locks that writes of scripts share out: two of one config are never at work at once.
const WRITE_LOCKS: usize = 64;

/// Part of the log that has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Progress {
    /// Everything below is known.
    pub(super) next: u64,
    /// True once the end was reached.
    pub(super) caught_up: bool,
}

/// The scripts of all configs. Its clones share them.
#[derive(Debug, Clone)]
pub struct Scripts {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    table: RwLock<Table>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) log: Arc<dyn Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) runner: Arc<dyn ScriptRunner>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) mirror: Mirror,
    pub(super) settings: LoaderSettings,
    pub(super) writes: Vec<Mutex<()>>,
}

fn not_found(config: &ConfigId) -> ScriptError {
    ScriptError::new(ErrorType::NotFound, format!("config {config} has no script by now"))
}

impl Scripts {
    /// Scripts of which nothing is known yet: [`super::follow`] reads them.
    pub fn new(parts: &Parts, settings: LoaderSettings) -> Self {
        let mirror = Mirror::new(Arc::clone(&parts.state), settings.mirror_ttl, settings.versions_kept);
        Scripts {
            inner: Arc::new(Inner {
                table: RwLock::new(Table::new(settings.versions_kept)),
                progress: watch::Sender::default(),
                log: Arc::clone(&parts.log),
                clock: Arc::clone(&parts.clock),
                runner: Arc::clone(&parts.runner),
                observer: Arc::clone(&parts.observer),
                mirror,
                settings,
                writes: (0..WRITE_LOCKS).map(|_| Mutex::default()).collect(),
            }),
        }
    }

    /// True once the whole log has been read: only then is a config without a script one that has none.
    pub fn is_caught_up(&self) -> bool {
        self.inner.progress.borrow().caught_up
    }

    /// The newest script of a config.
    pub fn newest(&self, config: &ConfigId) -> Option<Arc<StoredScript>> {
        match self.inner.table().newest(config) {
            Known::Script(script) => Some(script),
            Known::Nothing | Known::Deleted => None,
        }
    }

    /// Number of configs that have a script.
    pub fn len(&self) -> usize {
        self.inner.table().len()
    }

    /// True if no config has a script.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The script that is to run on a webhook that was accepted for one: from memory, then from the copy in
    /// the state, then from the log, which is waited for.
    ///
    /// # Errors
    /// `script_not_found`: it was deleted, or nobody has it.
    pub async fn for_webhook(
        &self,
        webhook: &Webhook,
        hash: ScriptHash,
    ) -> Result<Arc<StoredScript>, ScriptError> {
        let config = &webhook.config_id;
        if let Some(known) = self.in_memory(config, hash, "memory") {
            return known;
        }
        if let Some(script) = self.in_mirror(config, hash).await {
            return Ok(Arc::new(script));
        }
        self.wait_for_log().await;
        self.in_memory(config, hash, "log").unwrap_or_else(|| Err(not_found(config)))
    }

    /// Looks in memory; none if it does not know.
    fn in_memory(
        &self,
        config: &ConfigId,
        hash: ScriptHash,
        tier: &'static str,
    ) -> Option<Result<Arc<StoredScript>, ScriptError>> {
        let known = match self.inner.settings.versions {
            Versions::Newest => self.inner.table().newest(config),
            Versions::Pinned => self.inner.table().version(config, hash),
        };
        let found = matches!(known, Known::Script(_));
        self.inner.observer.observe(Observed::ScriptLookUp { tier, found });
        match known {
            Known::Script(script) => Some(Ok(script)),
            Known::Deleted => Some(Err(not_found(config))),
            Known::Nothing => None,
        }
    }

    /// Looks in the state's copy. While the log is read any copy may be the newest; once it is read, a copy
    /// that memory does not know is believed only if it is the one that the webhook was accepted with.
    async fn in_mirror(&self, config: &ConfigId, hash: ScriptHash) -> Option<StoredScript> {
        let pinned = self.inner.settings.versions == Versions::Pinned;
        let needs_hash = pinned || self.is_caught_up();
        let found = self.inner.mirror.find(config, hash, pinned).await;
        let found = found.filter(|script| !needs_hash || script.hash == hash);
        self.inner.observer.observe(Observed::ScriptLookUp { tier: "mirror", found: found.is_some() });
        found.map(StoredScript::from)
    }

    /// Waits until everything is known that the log has now, at most `sync_timeout`.
    async fn wait_for_log(&self) {
        let inner = &*self.inner;
        let reach = async {
            let Ok(ends) = inner.log.ends(Topic::Scripts).await else { return };
            let end = ends.iter().map(|end| end.offset).max().unwrap_or(0);
            let mut progress = inner.progress.subscribe();
            // It fails only when the sender is gone, which this borrows.
            let _ = progress.wait_for(|progress| progress.caught_up && progress.next >= end).await;
        };
        tokio::select! {
            () = reach => {}
            () = inner.clock.sleep(inner.settings.sync_timeout) => {
                tracing::warn!("the log of scripts was not read in time");
            }
        }
    }
}

impl Inner {
    pub(super) fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that everything below `next` is known.
    pub(super) fn reached(&self, next: u64) {
        self.progress.send_modify(|progress| progress.next = progress.next.max(next));
    }

    /// Notes that the end was reached, and what was there on the way.
    pub(super) fn caught_up(&self, next: u64, seen: Option<&HashSet<ConfigId>>) {
        if let Some(seen) = seen {
            self.table_mut().keep_only(seen);
        }
        self.progress.send_modify(|progress| {
            progress.next = progress.next.max(next);
            progress.caught_up = true;
        });
    }
}
