//! `howk dev`: scripts from a folder, stored again whenever they are saved.
//!
//! `NAME.lua` and `NAME/script.lua` are the script of the config `NAME`. One that cannot be stored is told
//! with file and line, and the one before it stays. A file that is gone takes its script with it.

use crate::cli::without_place;
use crate::loader::{IfMatch, PutError, PutScript, Scripts};
use howk_contract::{ConfigId, ScriptHash};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// Time for which the folder must be quiet before it is read: editors write a file in several steps.
const QUIET: Duration = Duration::from_millis(100);
/// Wait before a store that is not ready is asked again.
const AGAIN: Duration = Duration::from_millis(20);
/// Time between two looks at the folder where the system does not tell of changes.
const POLL: Duration = Duration::from_secs(1);

/// Event of a file, as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A script is stored.
    Stored {
        /// Config of the script.
        config: ConfigId,
        /// File of the script.
        file: PathBuf,
    },
    /// A script is gone.
    Removed {
        /// Config of the script.
        config: ConfigId,
    },
    /// A file is no script; the one before it stays.
    Refused {
        /// The file.
        file: PathBuf,
        /// The line.
        line: Option<u32>,
        /// A sentence.
        why: String,
    },
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Stored { config, file } => write!(f, "{config}: stored from {}", file.display()),
            Told::Removed { config } => write!(f, "{config}: removed"),
            Told::Refused { file, line: Some(line), why } => write!(f, "{}:{line}: {why}", file.display()),
            Told::Refused { file, line: None, why } => write!(f, "{}: {why}", file.display()),
        }
    }
}

/// A folder of scripts, and what is known of it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    script_max_bytes: usize,
    /// The last text of each file that was looked at, refused ones too.
    seen: BTreeMap<ConfigId, Seen>,
}

#[derive(Debug)]
struct Seen {
    file: PathBuf,
    hash: ScriptHash,
}

impl Folder {
    /// A folder of which nothing is known yet.
    pub fn new(path: PathBuf, script_max_bytes: usize) -> Self {
        Folder { path, script_max_bytes, seen: BTreeMap::new() }
    }

    /// Reads the folder, and stores what has changed.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub async fn sync(&mut self, scripts: &Scripts, mut tell: impl FnMut(Told)) -> io::Result<()> {
        let files = files(&self.path, &mut tell)?;
        let gone: Vec<ConfigId> =
            self.seen.keys().filter(|config| !files.contains_key(config)).cloned().collect();
        for config in gone {
            match retry(|| scripts.delete(&config, IfMatch::Always)).await {
                Ok(_) => {
                    self.seen.remove(&config);
                    tell(Told::Removed { config });
                }
                Err(error) => {
                    tell(Told::Refused { file: self.path.clone(), line: None, why: error.to_string() });
                }
            }
        }
        for (config, file) in files {
            self.sync_file(scripts, config, file, &mut tell).await;
        }
        Ok(())
    }

    async fn sync_file(
        &mut self,
        scripts: &Scripts,
        config: ConfigId,
        file: PathBuf,
        tell: &mut impl FnMut(Told),
    ) {
        let bytes = match std::fs::read(&file) {
            Ok(bytes) => bytes,
            // It is gone since the folder was read; the next reading tells.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return tell(Told::Refused { file, line: None, why: error.to_string() }),
        };
        let hash = ScriptHash::of(&bytes);
        if self.seen.get(&config).is_some_and(|seen| seen.hash == hash && seen.file == file) {
            return;
        }
        self.seen.insert(config.clone(), Seen { file: file.clone(), hash });
        let (len, most) = (bytes.len(), self.script_max_bytes);
        let refuse = |line, why| Told::Refused { file: file.clone(), line, why };
        if len > most {
            return tell(refuse(
                None,
                format!("the script has {len} bytes, and may have {most} (lua.script_max_bytes)"),
            ));
        }
        let Ok(lua_code) = String::from_utf8(bytes) else {
            return tell(refuse(None, "the script is not UTF-8".into()));
        };
        let put = PutScript { config_id: config.clone(), lua_code, version: None, if_match: IfMatch::Always };
        match retry(|| scripts.put(put.clone())).await {
            Ok(_) => tell(Told::Stored { config, file }),
            Err(PutError::Script(error)) => {
                tell(refuse(error.line, without_place(&error.message).to_owned()));
            }
            Err(error) => {
                // It is not the file's fault: the next reading tries again.
                self.seen.remove(&config);
                tell(refuse(None, error.to_string()));
            }
        }
    }

    /// Stores what is there, and then whatever changes, until the future is dropped.
    ///
    /// # Errors
    /// The folder cannot be read at the beginning.
    pub async fn follow(mut self, scripts: Scripts, mut tell: impl FnMut(Told)) -> io::Result<()> {
        let (changed, mut changes) = mpsc::unbounded_channel();
        // Watched before it is read: no change falls between.
        let watcher = watch(&self.path, changed);
        if let Err(error) = &watcher {
            tracing::warn!(%error, "the system does not tell of changes; the folder is read every second");
        }
        self.sync(&scripts, &mut tell).await?;
        loop {
            if watcher.is_ok() {
                if changes.recv().await.is_none() {
                    return Ok(());
                }
                while let Ok(Some(())) = tokio::time::timeout(QUIET, changes.recv()).await {}
            } else {
                tokio::time::sleep(POLL).await;
            }
            if let Err(error) = self.sync(&scripts, &mut tell).await {
                tell(Told::Refused { file: self.path.clone(), line: None, why: error.to_string() });
            }
        }
    }
}

/// Watches a folder; each change sends a word. The watcher ends with its value.
fn watch(path: &Path, changed: mpsc::UnboundedSender<()>) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let only_read = event.as_ref().is_ok_and(|event| event.kind.is_access());
        if !only_read {
            // Nobody listens any more: the process ends.
            let _ = changed.send(());
        }
    })?;
    watcher.watch(path, RecursiveMode::Recursive)?;
    Ok(watcher)
}

/// Does something again while the scripts are still being read.
async fn retry<T, F: Future<Output = Result<T, PutError>>>(work: impl Fn() -> F) -> Result<T, PutError> {
    loop {
        match work().await {
            Err(PutError::NotReady) => tokio::time::sleep(AGAIN).await,
            done => return done,
        }
    }
}

/// Files of scripts by their configs.
fn files(folder: &Path, tell: &mut impl FnMut(Told)) -> io::Result<BTreeMap<ConfigId, PathBuf>> {
    let mut files = BTreeMap::new();
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let (name, file) = if path.is_dir() {
            (path.file_name(), path.join("script.lua"))
        } else {
            (path.file_stem(), path.clone())
        };
        let is_lua = file.extension() == Some(OsStr::new("lua")) && file.is_file();
        if is_hidden || !is_lua {
            continue;
        }
        let config = name.and_then(OsStr::to_str).unwrap_or_default().parse::<ConfigId>();
        match config {
            Err(error) => tell(Told::Refused { file, line: None, why: error.to_string() }),
            Ok(config) => {
                if let Some(other) = files.get(&config) {
                    let other: &PathBuf = other;
                    let why = format!("config {config} has its script in {}", other.display());
                    tell(Told::Refused { file, line: None, why });
                } else {
                    files.insert(config, file);
                }
            }
        }
    }
    Ok(files)
}
