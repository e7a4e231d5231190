//! Changing scripts: into the log, and answered when the log has acknowledged.

use super::scripts::Scripts;
use super::table::StoredScript;
use howk_contract::{ConfigId, ScriptConfig, ScriptError, ScriptHash};
use howk_ports::{Append, PortError, Topic};
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::MutexGuard;

/// Longest wait of an acknowledged change to be read back. Longer, and it takes effect a little after its
/// answer.
const READ_BACK: Duration = Duration::from_secs(5);

/// Condition under which a script is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfMatch {
    /// No condition.
    #[default]
    Always,
    /// The config has a script.
    Any,
    /// The config has no script.
    None,
    /// The script is this one.
    Hash(ScriptHash),
}

/// A script that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutScript {
    /// Config of the script.
    pub config_id: ConfigId,
    /// The source.
    pub lua_code: String,
    /// A name for the version; without it the changes are counted.
    pub version: Option<String>,
    /// Condition under which it is stored.
    pub if_match: IfMatch,
}

/// Reason for which a script was not stored. Nothing has changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PutError {
    /// The condition does not hold.
    #[error("the script is not the one that `If-Match` names")]
    Condition,
    /// The script does not compile.
    #[error(transparent)]
    Script(ScriptError),
    /// The log of scripts has not been read yet.
    #[error("the scripts are still being read")]
    NotReady,
    /// The log has not acknowledged.
    #[error("the log has not acknowledged: {0}")]
    Log(#[from] PortError),
}

impl Scripts {
    /// Stores a script, once it compiles. The same source again changes nothing.
    ///
    /// # Errors
    /// It does not compile, the condition does not hold, or the log has not acknowledged.
    pub async fn put(&self, put: PutScript) -> Result<Arc<StoredScript>, PutError> {
        if !self.is_caught_up() {
            return Err(PutError::NotReady);
        }
        let inner = &*self.inner;
        let _alone = self.alone(&put.config_id).await;
        let current = self.newest(&put.config_id);
        let hash = ScriptHash::of(&put.lua_code);
        self.check_condition(put.if_match, current.as_deref())?;
        if let Some(same) = current.as_ref().filter(|current| current.hash == hash) {
            return Ok(Arc::clone(same));
        }
        inner.runner.check(put.lua_code.as_str().into()).await.map_err(PutError::Script)?;
        let now = inner.clock.now();
        let counted = || self.next_version(&put.config_id, current.as_deref());
        let script = ScriptConfig {
            hash,
            version: put.version.unwrap_or_else(counted),
            created_at: current.as_ref().map_or(now, |current| current.created_at),
            // Newer than the one before it, also by a clock that was set back.
            updated_at: current.as_ref().map_or(now, |current| current.updated_at.max(now)),
            config_id: put.config_id,
            lua_code: put.lua_code,
        };
        let json = serde_json::to_vec(&script).map_err(|error| PortError::Damaged(error.to_string()))?;
        let append = Append::new(Topic::Scripts, script.config_id.as_str(), json).new_work();
        self.append_and_read_back(append).await?;
        inner.mirror.put(&script, true).await;
        Ok(Arc::new(script.into()))
    }

    /// Deletes the script of a config; false if there was none.
    ///
    /// # Errors
    /// The condition does not hold, or the log has not acknowledged.
    pub async fn delete(&self, config: &ConfigId, if_match: IfMatch) -> Result<bool, PutError> {
        if !self.is_caught_up() {
            return Err(PutError::NotReady);
        }
        let _alone = self.alone(config).await;
        let current = self.newest(config);
        self.check_condition(if_match, current.as_deref())?;
        if current.is_none() {
            return Ok(false);
        }
        self.append_and_read_back(Append::tombstone(Topic::Scripts, config.as_str())).await?;
        self.inner.mirror.delete(config).await;
        Ok(true)
    }

    #[expect(clippy::unused_self, reason = "it reads as a question to the scripts")]
    fn check_condition(&self, if_match: IfMatch, current: Option<&StoredScript>) -> Result<(), PutError> {
        let holds = match if_match {
            IfMatch::Always => true,
            IfMatch::Any => current.is_some(),
            IfMatch::None => current.is_none(),
            IfMatch::Hash(hash) => current.is_some_and(|current| current.hash == hash),
        };
        holds.then_some(()).ok_or(PutError::Condition)
    }

    /// The number after the last one; behind a version that has a name, the number of versions that are
    /// known.
    fn next_version(&self, config: &ConfigId, current: Option<&StoredScript>) -> String {
        let last = match current {
            None => 0,
            Some(current) => match current.version.parse::<u64>() {
                Ok(number) => number,
                Err(_) => self.inner.table().versions(config) as u64,
            },
        };
        last.saturating_add(1).to_string()
    }

    async fn append_and_read_back(&self, append: Append) -> Result<(), PortError> {
        let inner = &*self.inner;
        let positions = inner.log.append(vec![append]).await?;
        let Some(at) = positions.first() else { return Ok(()) };
        let mut progress = inner.progress.subscribe();
        let read_back = progress.wait_for(|progress| progress.next > at.offset);
        if tokio::time::timeout(READ_BACK, read_back).await.is_err() {
            tracing::warn!("a change of a script was acknowledged, and is not read back yet");
        }
        Ok(())
    }

    async fn alone(&self, config: &ConfigId) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        config.hash(&mut hasher);
        let locks = &self.inner.writes;
        locks[(hasher.finish() % locks.len() as u64) as usize].lock().await
    }
}
