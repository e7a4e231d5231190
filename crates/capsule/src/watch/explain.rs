//! Explanations: how a query is kept up, and why not cheaper.

use std::collections::BTreeMap;

/// Rung of the ladder by which a watcher or a live query follows its data. Each falls to the next where it
/// cannot tell what has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rung {
    /// Changes of a table are told as they are.
    Table,
    /// Rows are read by the keys that have changed, and put in their places.
    Keys,
    /// A condition is asked about the images of the rows that have changed. What has passed it runs again.
    Images,
    /// The query runs again when a column that it reads has changed.
    Columns,
    /// The query runs again after every commit.
    Commits,
}

impl Rung {
    /// The name: `"table"`, `"keys"`, `"images"`, `"columns"`, `"commits"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Keys => "keys",
            Self::Images => "images",
            Self::Columns => "columns",
            Self::Commits => "commits",
        }
    }
}

/// Commits by the rung that has decided about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decided {
    /// Commits that have changed nothing that the query reads.
    pub columns: u64,
    /// Commits whose rows its condition leaves out, before and after.
    pub images: u64,
    /// Commits whose rows were read by their keys.
    pub keys: u64,
    /// Commits after which the query ran again.
    pub again: u64,
}

/// Explanation of a watcher or a live query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The cheapest rung that can be used.
    pub rung: Rung,
    /// The reason that no cheaper one can be, or what this one does.
    pub reason: String,
    /// The tables that it depends on, with their columns. A table without columns is one whose rows count.
    pub tables: BTreeMap<String, Vec<String>>,
    /// The commits so far, by the rung that has decided. All are 0 for a table.
    pub decided: Decided,
    /// The reason that the query ran again after the last commit for which it did; `None` if it never has.
    pub last_fall: Option<String>,
}
