//! Retention: the time for which the log keeps what was changed.

use crate::conn::Conn;
use crate::error::Result;
use std::collections::BTreeMap;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Changes that the log keeps. What was not delivered yet is always kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// Days for changes, unless something else is said of their table: 7.
    pub days: u32,
    /// Days for changes that came from another device: 30.
    pub sync_days: u32,
    /// Days for the changes of single tables.
    pub tables: BTreeMap<String, u32>,
    /// Bytes of the log, about: 100 MiB. The oldest changes go first.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: 7, sync_days: 30, tables: BTreeMap::new(), bytes: 100 * 1024 * 1024 }
    }
}

/// Milliseconds between two sweeps.
pub(crate) const SWEEP_INTERVAL_MS: i64 = DAY_MS;

/// The number of the last change that nobody waits for any more: neither reactions nor, where changes are
/// sent to others, those who send them.
pub(crate) fn lowest_cursor(conn: &Conn) -> Result<i64> {
    let mut statement = conn.own_statement(
        "SELECT min(CAST(value AS INTEGER)) FROM main._capsule_meta WHERE key IN ('delivered', 'pushed')",
    )?;
    Ok(conn.own(|| statement.query_row([], |row| row.get::<_, Option<i64>>(0)))?.unwrap_or_default())
}

/// True if the log may have more bytes than are kept: the file has.
fn may_be_too_large(conn: &Conn, bytes: u64) -> Result<bool> {
    let mut statement =
        conn.own_statement("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")?;
    let size: i64 = conn.own(|| statement.query_row([], |row| row.get(0)))?;
    Ok(u64::try_from(size).unwrap_or_default() > bytes)
}

/// Deletes what need not be kept, up to the number of the last change that nobody waits for. Returns how many
/// changes that were.
pub(crate) fn sweep(conn: &Conn, retention: &Retention, now: i64, delivered: i64) -> Result<u64> {
    let before = |days: u32| now.saturating_sub(i64::from(days) * DAY_MS);
    conn.own(|| {
        let mut deleted = 0;
        let mut delete = conn.own_statement(
            "DELETE FROM main._capsule_log WHERE seq <= ?1 AND source <> 'sync' AND tbl = ?2 AND at < ?3",
        )?;
        for (table, days) in &retention.tables {
            deleted += delete.execute((delivered, table, before(*days)))?;
        }
        let mut delete = conn.own_statement(
            "DELETE FROM main._capsule_log WHERE seq <= ?1
             AND at < iif(source = 'sync', ?3, ?2) AND (source = 'sync' OR tbl NOT IN (SELECT value FROM json_each(?4)))",
        )?;
        let named: Vec<String> = retention.tables.keys().map(|table| super::json_text(table)).collect();
        let named = format!("[{}]", named.join(","));
        deleted += delete.execute((delivered, before(retention.days), before(retention.sync_days), named))?;
        // The newest changes that fit are kept. To add up their sizes reads the whole log.
        if may_be_too_large(conn, retention.bytes)? {
            let mut delete = conn.own_statement(
            "DELETE FROM main._capsule_log WHERE seq <= ?1 AND seq <= (
               SELECT max(seq) FROM (
                 SELECT seq, sum(64 + length(tbl) + length(key) + coalesce(length(old), 0) + coalesce(length(new), 0))
                   OVER (ORDER BY seq DESC) AS bytes
                 FROM main._capsule_log
               ) WHERE bytes > ?2
             )",
        )?;
            deleted += delete.execute((delivered, i64::try_from(retention.bytes).unwrap_or(i64::MAX)))?;
        }
        // The numbers of transactions go on from the last one, which stays.
        conn.own_statement(
            "DELETE FROM main._capsule_tx WHERE tx < (SELECT max(tx) FROM main._capsule_tx)
             AND completed < ?1 AND NOT EXISTS (SELECT 1 FROM main._capsule_log l WHERE l.seq >= first AND l.seq < first + events)",
        )?
        .execute([before(retention.days.min(retention.sync_days))])?;
        Ok(deleted as u64)
    })
}
