//! Declarations: tables, indexes, triggers and migrations as an application writes them down.

use crate::database::Database;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::value::SqlValue;
use std::fmt;

/// Tables that a database shall have, and how to get there from earlier ones.
#[derive(Debug, Default)]
pub struct Schema {
    /// The tables.
    pub tables: Vec<TableDeclaration>,
    /// Indexes beside those of keys and UNIQUE columns.
    pub indexes: Vec<IndexDeclaration>,
    /// Triggers, each one CREATE TRIGGER statement.
    pub triggers: Vec<String>,
    /// Changes that are no additions, in the order of their versions.
    pub migrations: Vec<Migration>,
}

impl Schema {
    /// A schema with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table.
    #[must_use]
    pub fn table(mut self, table: TableDeclaration) -> Self {
        self.tables.push(table);
        self
    }

    /// Adds an index.
    #[must_use]
    pub fn index(mut self, index: IndexDeclaration) -> Self {
        self.indexes.push(index);
        self
    }

    /// Adds a trigger: a CREATE TRIGGER statement.
    #[must_use]
    pub fn trigger(mut self, sql: impl Into<String>) -> Self {
        self.triggers.push(sql.into());
        self
    }

    /// Adds a migration.
    #[must_use]
    pub fn migration(mut self, migration: Migration) -> Self {
        self.migrations.push(migration);
        self
    }
}

/// Table of a schema.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableDeclaration {
    /// The name.
    pub name: String,
    /// The columns. Those that are `primary` are the key, in this order.
    pub columns: Vec<ColumnDeclaration>,
    /// True if it has a watcher from the start.
    pub watch: bool,
    /// Events of one batch for that watcher, at most.
    pub batch_size: Option<u32>,
    /// Days that its events stay in the log.
    pub retention_days: Option<u32>,
}

impl TableDeclaration {
    /// A table without columns.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a column.
    #[must_use]
    pub fn column(mut self, column: ColumnDeclaration) -> Self {
        self.columns.push(column);
        self
    }

    /// Gives it a watcher from the start.
    #[must_use]
    pub fn watch(mut self) -> Self {
        self.watch = true;
        self
    }

    /// Limits the events of one batch.
    #[must_use]
    pub fn batch_size(mut self, events: u32) -> Self {
        self.batch_size = Some(events);
        self
    }

    /// Sets how long its events stay in the log.
    #[must_use]
    pub fn retention_days(mut self, days: u32) -> Self {
        self.retention_days = Some(days);
        self
    }

    /// The columns of the key, in its order.
    pub(super) fn key(&self) -> impl Iterator<Item = &ColumnDeclaration> {
        self.columns.iter().filter(|column| column.primary)
    }

    /// True if a column is the whole key.
    pub(super) fn is_key(&self, column: &ColumnDeclaration) -> bool {
        column.primary && self.key().count() == 1
    }

    /// True if a column is another name of the rowid.
    pub(super) fn is_rowid(&self, column: &ColumnDeclaration) -> bool {
        column.kind == ColumnType::Integer && self.is_key(column)
    }
}

/// Type of a declared column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnType {
    /// INTEGER.
    Integer,
    /// TEXT.
    Text,
    /// REAL.
    Real,
    /// BLOB: any value, as it is.
    Blob,
    /// JSON, kept as its text. What is no JSON is refused.
    Json,
}

impl ColumnType {
    /// Every type.
    pub const ALL: [Self; 5] = [Self::Integer, Self::Text, Self::Real, Self::Blob, Self::Json];

    /// The name in a declaration: `"INTEGER"`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Text => "TEXT",
            Self::Real => "REAL",
            Self::Blob => "BLOB",
            Self::Json => "JSON",
        }
    }

    /// The type with a name, in any case.
    ///
    /// # Errors
    /// `schema` if there is none. The message lists those that there are.
    pub fn from_name(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            CapsuleError::new(ErrorKind::Schema, format!("there is no type {name:?}: the types are {known}"))
        })
    }

    /// The type as CREATE TABLE has it. A type `JSON` alone would make SQLite turn JSON text that is a number
    /// into that number, with as many digits as fit.
    pub(super) fn in_sql(self) -> &'static str {
        if self == Self::Json { "JSON TEXT" } else { self.name() }
    }

    /// True if a type that CREATE TABLE has declared says that its column holds JSON: one of this module, or
    /// `JSON` as SQL of other authors has it.
    pub fn is_json(declared: &str) -> bool {
        let mut words = declared.split_ascii_whitespace();
        let is = |word: Option<&str>, expected| word.is_some_and(|word| word.eq_ignore_ascii_case(expected));
        let json = is(words.next(), "JSON");
        match words.next() {
            None => json,
            word => json && is(word, "TEXT") && words.next().is_none(),
        }
    }
}

/// Value that a column has in a row which is inserted without one.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultValue {
    /// A value, the same for every row.
    Value(SqlValue),
    /// An SQL expression, which is computed for each row.
    Sql(String),
}

/// Answer of a foreign key to the row that it refers to going away, or getting another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReferenceAction {
    /// Refuses it at the end of the statement.
    #[default]
    NoAction,
    /// Refuses it at once.
    Restrict,
    /// Sets the reference to NULL.
    SetNull,
    /// Sets the reference to its default.
    SetDefault,
    /// Deletes or changes the referring row, too.
    Cascade,
}

impl ReferenceAction {
    /// Every action.
    pub const ALL: [Self; 5] =
        [Self::NoAction, Self::Restrict, Self::SetNull, Self::SetDefault, Self::Cascade];

    /// The action in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoAction => "NO ACTION",
            Self::Restrict => "RESTRICT",
            Self::SetNull => "SET NULL",
            Self::SetDefault => "SET DEFAULT",
            Self::Cascade => "CASCADE",
        }
    }
}

/// Reference of a column to a row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct References {
    /// The table.
    pub table: String,
    /// The column of it; `None` for its primary key.
    pub column: Option<String>,
    /// The answer to a DELETE of the row.
    pub on_delete: ReferenceAction,
    /// The answer to a change of its key.
    pub on_update: ReferenceAction,
}

impl References {
    /// A reference to the primary key of a table.
    pub fn new(table: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            column: None,
            on_delete: ReferenceAction::default(),
            on_update: ReferenceAction::default(),
        }
    }

    /// A reference as SQL has it after REFERENCES: `users`, `users(id) ON DELETE CASCADE`.
    ///
    /// # Errors
    /// `schema` if it is none, or says more than this type can.
    pub fn from_text(text: &str) -> Result<Self> {
        super::text::references(text).map_err(|reason| {
            CapsuleError::new(ErrorKind::Schema, format!("{text:?} is no reference: {reason}"))
        })
    }

    /// Refers to a column of it.
    #[must_use]
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// Sets what happens when the row is deleted.
    #[must_use]
    pub fn on_delete(mut self, action: ReferenceAction) -> Self {
        self.on_delete = action;
        self
    }

    /// Sets what happens when its key changes.
    #[must_use]
    pub fn on_update(mut self, action: ReferenceAction) -> Self {
        self.on_update = action;
        self
    }
}

/// Column of a declared table.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnDeclaration {
    /// The name.
    pub name: String,
    /// The type.
    pub kind: ColumnType,
    /// True if it is the primary key, or a part of it. It is never NULL then.
    pub primary: bool,
    /// True if no two rows may have the same value.
    pub unique: bool,
    /// True if NULL is refused.
    pub not_null: bool,
    /// Value for rows that are inserted without one. A function of the host is the host's affair.
    pub default: Option<DefaultValue>,
    /// A table that it refers to.
    pub references: Option<References>,
    /// An SQL expression that must not be false.
    pub check: Option<String>,
}

impl ColumnDeclaration {
    /// A column of a type.
    pub fn new(name: impl Into<String>, kind: ColumnType) -> Self {
        Self {
            name: name.into(),
            kind,
            primary: false,
            unique: false,
            not_null: false,
            default: None,
            references: None,
            check: None,
        }
    }

    /// Makes it the primary key, or a part of it.
    #[must_use]
    pub fn primary(mut self) -> Self {
        self.primary = true;
        self
    }

    /// Refuses a value that another row has.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Refuses NULL.
    #[must_use]
    pub fn not_null(mut self) -> Self {
        self.not_null = true;
        self
    }

    /// Sets the value for rows that are inserted without one.
    #[must_use]
    pub fn default(mut self, value: impl Into<SqlValue>) -> Self {
        self.default = Some(DefaultValue::Value(value.into()));
        self
    }

    /// Sets the SQL expression for rows that are inserted without a value.
    #[must_use]
    pub fn default_sql(mut self, expression: impl Into<String>) -> Self {
        self.default = Some(DefaultValue::Sql(expression.into()));
        self
    }

    /// Refers to a table.
    #[must_use]
    pub fn references(mut self, references: References) -> Self {
        self.references = Some(references);
        self
    }

    /// Refuses rows for which an SQL expression is false.
    #[must_use]
    pub fn check(mut self, expression: impl Into<String>) -> Self {
        self.check = Some(expression.into());
        self
    }
}

/// Index of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDeclaration {
    /// The name; `None` for one that is made of table and columns.
    pub name: Option<String>,
    /// The table.
    pub table: String,
    /// The columns, in the order of the index.
    pub columns: Vec<String>,
    /// True if no two rows may have the same values.
    pub unique: bool,
    /// The rows that it holds, as an SQL expression; `None` for all.
    pub where_: Option<String>,
}

impl IndexDeclaration {
    /// An index of columns of a table.
    pub fn new<C: Into<String>>(table: impl Into<String>, columns: impl IntoIterator<Item = C>) -> Self {
        Self {
            name: None,
            table: table.into(),
            columns: columns.into_iter().map(Into::into).collect(),
            unique: false,
            where_: None,
        }
    }

    /// Gives it a name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Refuses values that another row has.
    #[must_use]
    pub fn unique(mut self) -> Self {
        self.unique = true;
        self
    }

    /// Limits it to rows for which an SQL expression is true.
    #[must_use]
    pub fn only_where(mut self, expression: impl Into<String>) -> Self {
        self.where_ = Some(expression.into());
        self
    }

    /// True if no two rows at all may have the same value in a column.
    pub(super) fn is_unique_of(&self, column: &str) -> bool {
        let is_of_column = matches!(self.columns.as_slice(), [one] if one.eq_ignore_ascii_case(column));
        self.unique && self.where_.is_none() && is_of_column
    }

    /// The name that it has, or would get. It depends on nothing but the declaration.
    pub fn effective_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let end = if self.unique { "key" } else { "idx" };
            format!("{}_{}_{end}", self.table, self.columns.join("_"))
        })
    }
}

type Work = dyn Fn(&Database) -> Result<()>;

/// Work that brings a database to a version.
pub enum Up {
    /// SQL statements.
    Sql(String),
    /// A function, within the transaction of all the migrations.
    Function(Box<Work>),
}

impl fmt::Debug for Up {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sql(sql) => f.debug_tuple("Sql").field(sql).finish(),
            Self::Function(_) => f.write_str("Function"),
        }
    }
}

/// Change of a database that is no addition. It runs once.
#[derive(Debug)]
pub struct Migration {
    /// The version that the database has after it, from 1 on.
    pub version: i64,
    /// The work.
    pub up: Up,
}

impl Migration {
    /// A migration by SQL statements.
    pub fn sql(version: i64, sql: impl Into<String>) -> Self {
        Self { version, up: Up::Sql(sql.into()) }
    }

    /// A migration by a function.
    pub fn function(version: i64, work: impl Fn(&Database) -> Result<()> + 'static) -> Self {
        Self { version, up: Up::Function(Box::new(work)) }
    }
}
