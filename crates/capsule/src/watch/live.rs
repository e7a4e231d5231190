//! Live queries: the rows of a query, and patches that bring them to the next state.

use super::explain::Explanation;
use super::follow::Followers;
use super::ladder::{Ladder, Wanted};
use super::missed::{MISSED_MAX, is_known};
use super::patch::Patch;
use super::shape::with_window;
use crate::database::{Committed, Database, Rows};
use crate::error::{CapsuleError, Result};
use crate::value::SqlValue;
use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

/// Update of a live query, after a commit that has changed its rows.
#[derive(Debug, Clone, Copy)]
pub struct LiveUpdate<'a> {
    /// The columns and the rows as they are now.
    pub rows: &'a Rows,
    /// The steps from the rows before to these.
    pub patches: &'a [Patch],
    /// The number of the last change of the commit.
    pub seq: i64,
}

/// Options of a live query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveOptions {
    /// The rows that are kept, of all that the query has: at most so many, after so many others. `None` for
    /// all of them. The query must have no LIMIT of its own then.
    pub window: Option<(u64, u64)>,
    /// The names of columns whose values tell the rows apart, where they are no rows of one table.
    pub key: Option<Vec<String>>,
    /// The number of the last change that the subscriber has seen: [`LiveUpdate::seq`] of its last update, or
    /// [`LiveStart::seq`].
    pub since: Option<i64>,
}

/// State of a live query when it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveStart {
    /// The number of the live query.
    pub live: u64,
    /// The rows now.
    pub rows: Rows,
    /// The number of the last change before them.
    pub seq: i64,
    /// True if the rows are proven to be those that the subscriber had at [`LiveOptions::since`]. If not, the
    /// subscriber begins again with these.
    pub is_unchanged: bool,
}

type Listener = Box<dyn Fn(u64, LiveUpdate<'_>)>;

/// A live query.
struct Live {
    id: u64,
    /// The query without its window.
    sql: Box<str>,
    has_window: bool,
    ladder: Ladder,
    listener: Listener,
}

/// The live queries of a capsule.
#[derive(Default)]
pub(crate) struct LiveQueries {
    followers: Followers<Live>,
    last: Cell<u64>,
}

impl fmt::Debug for LiveQueries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} live queries", self.followers.len())
    }
}

impl AsRef<Ladder> for Live {
    fn as_ref(&self) -> &Ladder {
        &self.ladder
    }
}

impl LiveQueries {
    /// Adds a query, whose listener gets its number with each update.
    pub(crate) fn add(
        &self,
        db: &Database,
        sql: &str,
        params: Vec<SqlValue>,
        options: LiveOptions,
        listener: impl Fn(u64, LiveUpdate<'_>) + 'static,
    ) -> Result<LiveStart> {
        db.check_events("a live query")?;
        if db.is_in_transaction() {
            return Err(CapsuleError::usage(
                "a live query begins outside of a transaction, which may be taken back",
            ));
        }
        let text = windowed(sql, options.window)?;
        let ladder = Ladder::new(db, text, params, options.key)?;
        let seq = db.last_change()?;
        let is_unchanged = match options.since {
            Some(since) => is_unchanged(db, &ladder, since)?,
            None => false,
        };
        let live = self.last.get() + 1;
        self.last.set(live);
        let rows = ladder.rows().clone();
        let has_window = options.window.is_some();
        let (sql, listener) = (sql.into(), Box::new(listener));
        let live = Live { id: live, sql, has_window, ladder, listener };
        self.followers.add(Rc::new(live), db.schema_number());
        Ok(LiveStart { live: self.last.get(), rows, seq, is_unchanged })
    }

    /// The number of live queries.
    pub(crate) fn len(&self) -> usize {
        self.followers.len()
    }

    /// Ends a query; false if there is none of this number.
    pub(crate) fn remove(&self, id: u64) -> bool {
        self.followers.remove(|live| live.id == id)
    }

    fn find(&self, id: u64) -> Result<Rc<Live>> {
        let found = self.followers.find(|live| live.id == id);
        found.ok_or_else(|| CapsuleError::usage(format!("there is no live query {id}")))
    }

    /// Moves the window of a query, and returns the steps from the rows before to those now.
    pub(crate) fn set_window(&self, db: &Database, id: u64, window: (u64, u64)) -> Result<Vec<Patch>> {
        let live = self.find(id)?;
        if !live.has_window {
            return Err(CapsuleError::usage("this live query has begun without a window"));
        }
        if db.is_in_transaction() {
            return Err(CapsuleError::usage("a window is moved outside of a transaction"));
        }
        let moved = live.ladder.set_query(db, windowed(&live.sql, Some(window))?)?;
        Ok(moved.patches)
    }

    /// The names of the columns of a query.
    pub(crate) fn columns(&self, id: u64) -> Result<Vec<String>> {
        Ok(self.find(id)?.ladder.rows().columns.clone())
    }

    /// Explains how a query is kept up.
    pub(crate) fn explain(&self, id: u64) -> Result<Explanation> {
        Ok(self.find(id)?.ladder.explain())
    }

    /// Tells the queries whose rows a commit has changed. Errors are those of single queries.
    pub(crate) fn committed(&self, db: &Database, committed: &Committed) -> Vec<CapsuleError> {
        self.followers.committed(db, committed, Wanted::Patches, |live, steps, columns_before| {
            if steps.patches.is_empty() && columns_before.is_none() {
                return;
            }
            let seq = committed.last_seq().or_else(|| db.last_change().ok()).unwrap_or_default();
            let rows = live.ladder.rows();
            (live.listener)(live.id, LiveUpdate { rows: &rows, patches: &steps.patches, seq });
        })
    }
}

fn windowed(sql: &str, window: Option<(u64, u64)>) -> Result<Rc<str>> {
    let Some((limit, offset)) = window else { return Ok(sql.into()) };
    let text = with_window(sql, Some(limit), offset);
    Ok(text.map_err(|reason| CapsuleError::usage(reason).in_sql(sql))?.into())
}

/// True if the log proves that nothing has changed the rows of a query since a number.
fn is_unchanged(db: &Database, ladder: &Ladder, since: i64) -> Result<bool> {
    if !ladder.is_steady() || !is_known(db, since)? {
        return Ok(false);
    }
    let missed = db.changes_since(since, MISSED_MAX)?;
    Ok(!missed.iter().any(|change| ladder.sees_logged(change)))
}
