//! One table: its columns, and what tells its rows apart.

use super::read::Source;
use std::rc::Rc;

/// Number of a table within one capsule. Never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub(crate) struct TableId(pub(crate) u32);

impl TableId {
    /// This number; the next one is left.
    pub(crate) fn take(&mut self) -> Self {
        let taken = *self;
        self.0 += 1;
        taken
    }
}

/// Conversion that SQLite applies to a value that is stored in a column (section 3 of its page on data
/// types).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affinity {
    Blob,
    Text,
    Numeric,
    Integer,
    Real,
}

impl Affinity {
    /// The affinity of a declared type. In a strict table `ANY` has none.
    pub(crate) fn of(declared: &str, strict: bool) -> Self {
        let declared = declared.to_ascii_uppercase();
        let has = |part: &str| declared.contains(part);
        if has("INT") {
            Self::Integer
        } else if has("CHAR") || has("CLOB") || has("TEXT") {
            Self::Text
        } else if has("BLOB") || declared.is_empty() || (strict && declared == "ANY") {
            Self::Blob
        } else if has("REAL") || has("FLOA") || has("DOUB") {
            Self::Real
        } else {
            Self::Numeric
        }
    }

    /// A type that has this affinity.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Blob => "BLOB",
            Self::Text => "TEXT",
            Self::Numeric => "NUMERIC",
            Self::Integer => "INTEGER",
            Self::Real => "REAL",
        }
    }
}

/// Column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Number within the table, which a column keeps when it gets another name or place.
    pub(crate) id: u32,
    pub(crate) name: Rc<str>,
    pub(crate) declared: Box<str>,
    pub(crate) affinity: Affinity,
    /// Position among all columns of the table, as the hook counts them.
    pub(crate) position: i32,
    /// True for a generated column that is computed whenever it is read.
    pub(crate) is_virtual: bool,
    /// True for a generated column, stored or not.
    pub(crate) is_generated: bool,
}

impl Column {
    /// The name, as it is declared.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The declared type; empty if there is none.
    pub fn declared_type(&self) -> &str {
        &self.declared
    }
}

/// Columns by which the rows of a table are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyColumns {
    /// The rowid, which is the column with this index, or none.
    Rowid(Option<usize>),
    /// The declared primary key: indices of its columns, in its order. A row of a table with rowids that has
    /// NULL in one of them is told apart by its rowid.
    Declared(Box<[usize]>),
}

/// A temporary table with the same columns and no constraints, for rows that are not in their table any more:
/// it computes their virtual columns, and expressions about them mean what they mean in the table.
#[derive(Debug)]
pub(crate) struct Shadow {
    /// The columns, as CREATE TABLE has them in its parentheses.
    pub(crate) definitions: Box<str>,
    /// The names of the stored columns, with commas.
    pub(crate) stored: Box<str>,
    /// A `?` for each of them.
    pub(crate) marks: Box<str>,
    /// The names of the virtual columns, with commas.
    pub(crate) computed: Box<str>,
    /// Indices of the virtual columns among those of the table.
    pub(crate) virtuals: Box<[usize]>,
}

/// A table whose rows are captured.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) id: TableId,
    /// The name that the application knows.
    pub(crate) name: Rc<str>,
    /// The table that keeps the rows: the same, or the shadow table of a virtual one.
    pub(crate) storage: Box<str>,
    /// First page in the file, which stays where it is when the table is renamed.
    pub(crate) root: i64,
    /// The text that made it.
    pub(crate) sql: Box<str>,
    pub(crate) columns: Box<[Column]>,
    /// Number of the next column that is added. Those of dropped ones are not used again.
    pub(super) next_column: u32,
    pub(crate) shadow: Shadow,
    pub(crate) key: KeyColumns,
    /// A name by which SQL reaches the rowid; `None` for a table without rowids, or if columns hide them all.
    pub(crate) rowid: Option<Box<str>>,
    /// Reads one row by its declared key, or by its rowid: first the rowid, if there is one, then the
    /// columns.
    pub(crate) select_by_key: Box<str>,
    pub(crate) select_by_rowid: Box<str>,
}

impl Table {
    /// True if reading the source again would give the same table.
    pub(super) fn is_read_from(&self, source: &Source) -> bool {
        *self.sql == *source.sql && *self.storage == *source.storage && self.root == source.root
    }

    /// True if the rowids are a column of their own, which VACUUM does not touch.
    pub(super) fn keeps_rowids(&self) -> bool {
        // The contents of a full-text table have one.
        matches!(self.key, KeyColumns::Rowid(Some(_))) || self.is_virtual()
    }

    /// The name of the rowid, where it is no column of the table.
    pub(crate) fn hidden_rowid(&self) -> Option<&str> {
        self.rowid.as_deref().filter(|_| !matches!(self.key, KeyColumns::Rowid(Some(_))))
    }

    /// A name that means the rowid in every table with these columns.
    pub(crate) fn free_rowid(&self) -> Option<&str> {
        // In quotes it is a column that was declared as the rowid.
        self.rowid.as_deref().filter(|name| !name.starts_with('"'))
    }

    /// True for a virtual table, whose rows another table keeps.
    pub(crate) fn is_virtual(&self) -> bool {
        *self.name != *self.storage
    }

    /// Index of a column by its name.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
    }
}
