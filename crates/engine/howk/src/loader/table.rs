//! The table of scripts, by config.

use howk_contract::{ConfigId, ScriptConfig, ScriptHash};
use jiff::Timestamp;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// A script, with a source that events share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredScript {
    /// Config of the script.
    pub config_id: ConfigId,
    /// The source.
    pub source: Arc<str>,
    /// Hash of the script.
    pub hash: ScriptHash,
    /// Name or number of the version.
    pub version: String,
    /// Time at which the config had its first script.
    pub created_at: Timestamp,
    /// Time at which this one was stored.
    pub updated_at: Timestamp,
}

impl StoredScript {
    /// The script as the log, the mirror and the API have it.
    pub fn to_config(&self) -> ScriptConfig {
        ScriptConfig {
            config_id: self.config_id.clone(),
            lua_code: self.source.to_string(),
            hash: self.hash,
            version: self.version.clone(),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

impl From<ScriptConfig> for StoredScript {
    fn from(config: ScriptConfig) -> Self {
        StoredScript {
            config_id: config.config_id,
            source: config.lua_code.into(),
            hash: config.hash,
            version: config.version,
            created_at: config.created_at,
            updated_at: config.updated_at,
        }
    }
}

#[derive(Debug)]
struct Entry {
    /// The record that the entry is of.
    offset: u64,
    /// The newest version; none once it is deleted.
    newest: Option<Arc<StoredScript>>,
    /// Versions before it, the newest last.
    before: VecDeque<Arc<StoredScript>>,
}

/// Knowledge of a config's script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Known {
    /// No knowledge.
    Nothing,
    /// The script was deleted.
    Deleted,
    /// The script.
    Script(Arc<StoredScript>),
}

/// The scripts by config.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: HashMap<ConfigId, Entry>,
    versions_kept: usize,
}

impl Table {
    pub(super) fn new(versions_kept: usize) -> Self {
        Table { entries: HashMap::new(), versions_kept }
    }

    pub(super) fn newest(&self, config: &ConfigId) -> Known {
        match self.entries.get(config) {
            None => Known::Nothing,
            Some(Entry { newest: None, .. }) => Known::Deleted,
            Some(Entry { newest: Some(script), .. }) => Known::Script(Arc::clone(script)),
        }
    }

    /// A version by its hash, while the config has a script.
    pub(super) fn version(&self, config: &ConfigId, hash: ScriptHash) -> Known {
        let Some(entry) = self.entries.get(config) else { return Known::Nothing };
        let Some(newest) = &entry.newest else { return Known::Deleted };
        let found = std::iter::once(newest).chain(&entry.before).find(|script| script.hash == hash);
        found.map_or(Known::Nothing, |script| Known::Script(Arc::clone(script)))
    }

    /// Number of versions of a config that are known.
    pub(super) fn versions(&self, config: &ConfigId) -> usize {
        self.entries.get(config).map_or(0, |entry| entry.before.len() + usize::from(entry.newest.is_some()))
    }

    /// True if the record at `offset` is newer than what is known of the config.
    pub(super) fn is_news(&self, config: &ConfigId, offset: u64) -> bool {
        self.entries.get(config).is_none_or(|entry| offset > entry.offset)
    }

    pub(super) fn put(&mut self, script: StoredScript, offset: u64) {
        let script = Arc::new(script);
        let config = script.config_id.clone();
        let entry = self.entries.entry(config).or_insert_with(|| Entry {
            offset,
            newest: None,
            before: VecDeque::new(),
        });
        entry.offset = offset;
        let before = entry.newest.replace(Arc::clone(&script));
        entry.before.retain(|version| version.hash != script.hash);
        entry.before.extend(before.filter(|before| before.hash != script.hash));
        while entry.before.len() >= self.versions_kept.max(1) {
            entry.before.pop_front();
        }
    }

    pub(super) fn delete(&mut self, config: ConfigId, offset: u64) {
        self.entries.insert(config, Entry { offset, newest: None, before: VecDeque::new() });
    }

    /// Deletes what a whole reading of the log has not named: its tombstones were gone by then.
    pub(super) fn keep_only(&mut self, seen: &HashSet<ConfigId>) {
        self.entries.retain(|config, _| seen.contains(config));
    }

    /// Number of configs that have a script.
    pub(super) fn len(&self) -> usize {
        self.entries.values().filter(|entry| entry.newest.is_some()).count()
    }

    /// The newest version of every config.
    pub(super) fn all(&self) -> Vec<Arc<StoredScript>> {
        self.entries.values().filter_map(|entry| entry.newest.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(source: &str) -> StoredScript {
        StoredScript {
            config_id: "c".parse().unwrap(),
            source: source.into(),
            hash: ScriptHash::of(source),
            version: "1".into(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn as_many_versions_are_kept_as_were_asked_for() {
        let (mut table, config) = (Table::new(3), "c".parse().unwrap());
        for (offset, source) in ["a", "b", "c", "d", "b"].into_iter().enumerate() {
            table.put(script(source), offset as u64);
        }
        let has = |table: &Table, source: &str| {
            matches!(table.version(&config, ScriptHash::of(source)), Known::Script(_))
        };
        assert_eq!(["a", "b", "c", "d"].map(|source| has(&table, source)), [false, true, true, true]);
        assert_eq!(table.newest(&config), Known::Script(Arc::new(script("b"))));
        assert!(table.is_news(&config, 5) && !table.is_news(&config, 4));
        table.delete(config.clone(), 5);
        assert_eq!(table.newest(&config), Known::Deleted);
        assert_eq!(table.version(&config, ScriptHash::of("b")), Known::Deleted);
        table.put(script("e"), 6);
        assert!(!has(&table, "b") && has(&table, "e"));
        table.keep_only(&HashSet::new());
        assert_eq!(table.newest(&config), Known::Nothing);
    }
}
