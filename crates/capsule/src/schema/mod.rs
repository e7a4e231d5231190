//! Declared schemas: what is missing is added, what differs is refused, what has to change migrates.
//!
//! All of it is one transaction. A schema that cannot be applied changes nothing.

mod actual;
mod check;
mod compare;
mod declare;
mod render;
mod text;

pub use declare::{
    ColumnDeclaration, ColumnType, DefaultValue, IndexDeclaration, Migration, ReferenceAction, References,
    Schema, TableDeclaration, Up,
};

use crate::database::Database;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::log::{schema_version, set_schema_version};
use actual::Actual;
use check::Complaints;
use compare::{Addition, Comparison};
use std::fmt;

/// Step that has brought a database closer to its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaAction {
    /// The migration to a version has run.
    Migrated(i64),
    /// A table was made.
    CreatedTable(String),
    /// A table got a column.
    AddedColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// An index was made.
    CreatedIndex {
        /// The name.
        name: String,
        /// The table.
        table: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// A trigger was made.
    CreatedTrigger(String),
}

impl fmt::Display for SchemaAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Migrated(version) => write!(f, "the migration to version {version}"),
            Self::CreatedTable(name) => write!(f, "the table {name}"),
            Self::AddedColumn { table, column } => write!(f, "{table}.{column}"),
            Self::CreatedIndex { name, .. } => write!(f, "the index {name}"),
            Self::CreatedTrigger(name) => write!(f, "the trigger {name}"),
        }
    }
}

impl Database {
    /// Brings the database to a schema, in one transaction: runs the migrations that have not run yet, and
    /// adds the tables, columns, indexes and triggers that are missing. Returns what was done, in order.
    ///
    /// What is there and not declared stays: tables, indexes, triggers, and columns that an INSERT can leave
    /// out. UNIQUE, CHECK and references of declared columns are differences: they refuse rows that the
    /// schema takes.
    ///
    /// While migrations run, foreign keys are not enforced, so that a table can be made anew without those
    /// that refer to it losing their rows; all of them must hold at the end.
    ///
    /// ```
    /// use perilune_capsule::{ColumnDeclaration, ColumnType, Schema, TableDeclaration};
    /// # use perilune_capsule::{Database, Durability, Location, SystemEnvironment};
    /// # let db = Database::open(&Location::Memory, Durability::Relaxed, Box::new(SystemEnvironment))?;
    /// let users = TableDeclaration::new("users")
    ///     .column(ColumnDeclaration::new("id", ColumnType::Integer).primary())
    ///     .column(ColumnDeclaration::new("name", ColumnType::Text).not_null());
    /// assert_eq!(db.apply_schema(&Schema::new().table(users.clone()))?.len(), 1);
    /// let more = users.column(ColumnDeclaration::new("email", ColumnType::Text).unique());
    /// let added = db.apply_schema(&Schema::new().table(more))?;
    /// assert_eq!(added[0].to_string(), "users.email");
    /// # Ok::<(), perilune_capsule::CapsuleError>(())
    /// ```
    ///
    /// # Errors
    /// `schema` if the schema contradicts itself, or differs from the database by more than additions; the
    /// message lists every reason. The error of a migration as it is. `usage` if there are migrations to run
    /// within a transaction. The database is as before then.
    pub fn apply_schema(&self, schema: &Schema) -> Result<Vec<SchemaAction>> {
        let pending = match self.begin_upgrade(schema)? {
            Upgrade::Done(actions) => return Ok(actions),
            Upgrade::Begun(pending) => pending,
        };
        let run = || -> Result<Vec<SchemaAction>> {
            let runs = |migration: &&Migration| pending.contains(&migration.version);
            schema.migrations.iter().filter(runs).map(|migration| self.migrate(migration)).collect()
        };
        let mut actions = run().or_else(|error| self.cancel_upgrade().and(Err(error)))?;
        actions.append(&mut self.end_upgrade(schema)?);
        Ok(actions)
    }

    /// Begins to bring the database to a schema. Where migrations have to run, a transaction is open
    /// afterwards, and references are not checked: the migrations run in it, then comes
    /// [`end_upgrade`](Self::end_upgrade) or [`cancel_upgrade`](Self::cancel_upgrade).
    pub(crate) fn begin_upgrade(&self, schema: &Schema) -> Result<Upgrade> {
        let mut contradictions = check::itself(schema);
        let version = schema_version(self.conn())?;
        let versions = schema.migrations.iter().map(|migration| migration.version);
        let pending: Vec<i64> = versions.filter(|known| *known > version).collect();
        if pending.is_empty() {
            return self.transaction(|db| apply(db, schema, contradictions)).map(Upgrade::Done);
        }
        // The tables that it names may be made by a migration yet.
        contradictions.append(&mut check::json_defaults(self, schema)?);
        refuse(CONTRADICTION, &contradictions)?;
        self.suspend_foreign_keys("migrations")?;
        self.begin_part().or_else(|error| self.resume_foreign_keys().and(Err(error)))?;
        Ok(Upgrade::Begun(pending))
    }

    /// Runs one migration, and notes that it has run.
    fn migrate(&self, migration: &Migration) -> Result<SchemaAction> {
        let done = match &migration.up {
            Up::Sql(sql) => self.execute(sql, ()).map(drop),
            Up::Function(work) => work(self),
        };
        let action = SchemaAction::Migrated(migration.version);
        done.map_err(|error| error.within(&action))?;
        self.note_migration(migration.version)
    }

    /// Notes that a migration has run.
    pub(crate) fn note_migration(&self, version: i64) -> Result<SchemaAction> {
        set_schema_version(self.conn(), version)?;
        Ok(SchemaAction::Migrated(version))
    }

    /// Adds what the schema has and the migrations have not made, and commits. After an error everything is
    /// as it was before.
    pub(crate) fn end_upgrade(&self, schema: &Schema) -> Result<Vec<SchemaAction>> {
        let end = || {
            let actions = apply(self, schema, Complaints::new())?;
            refuse("the migrations leave references to rows that are not there", &dangling(self)?)?;
            self.commit_part()?;
            Ok(actions)
        };
        let ended = end();
        self.cancel_upgrade()?;
        ended
    }

    /// Takes back what an upgrade has done, if it has not ended.
    pub(crate) fn cancel_upgrade(&self) -> Result<()> {
        self.cut(0)?;
        self.resume_foreign_keys()
    }

    /// Makes a table, or adds to it what is declared and missing.
    ///
    /// # Errors
    /// `schema` as [`apply_schema`](Self::apply_schema).
    pub fn create_table(&self, table: &TableDeclaration) -> Result<()> {
        self.apply_schema(&Schema::new().table(table.clone())).map(drop)
    }
}

/// State of a database that is brought to a schema.
pub(crate) enum Upgrade {
    /// End: there were no migrations to run.
    Done(Vec<SchemaAction>),
    /// Beginning: migrations have to run, by their versions.
    Begun(Vec<i64>),
}

const CONTRADICTION: &str = "the schema contradicts itself";

/// Makes what is missing, if nothing is wrong.
fn apply(db: &Database, schema: &Schema, mut contradictions: Complaints) -> Result<Vec<SchemaAction>> {
    let actual = Actual::read(db)?;
    contradictions.append(&mut check::unknown_names(schema, &actual));
    contradictions.append(&mut check::json_defaults(db, schema)?);
    refuse(CONTRADICTION, &contradictions)?;
    let Comparison { additions, mut differences, .. } = Comparison::of(db, schema, &actual);
    let actions = add(db, additions, &mut differences)?;
    refuse("the database differs from the schema, and only a migration can change that", &differences)?;
    Ok(actions)
}

/// References to rows that are not there.
fn dangling(db: &Database) -> Result<Complaints> {
    let found = db.query(
        "SELECT format('%d rows of %s refer to rows of %s that are not there', count(*), \"table\", parent)
         FROM pragma_foreign_key_check GROUP BY \"table\", parent",
        (),
    )?;
    Ok(found.rows.iter().filter_map(|row| row[0].as_str().map(str::to_owned)).collect())
}

/// Fails if there is something on the list.
fn refuse(headline: &str, complaints: &Complaints) -> Result<()> {
    if complaints.is_empty() {
        return Ok(());
    }
    let list = complaints.join("\n- ");
    Err(CapsuleError::new(ErrorKind::Schema, format!("{headline}:\n- {list}")))
}

/// Makes what is missing. What SQLite refuses is a difference: the rows are against it, or it is no SQL.
fn add(db: &Database, additions: Vec<Addition>, differences: &mut Complaints) -> Result<Vec<SchemaAction>> {
    let mut actions = Vec::new();
    let mut failed: Vec<SchemaAction> = Vec::new();
    for addition in additions {
        // Its error would only repeat that of what it needs.
        if failed.iter().any(|failed| addition.needs(failed)) {
            continue;
        }
        let Addition { action, sql } = addition;
        match db.query(&sql, ()) {
            Ok(_) => actions.push(action),
            Err(error) if is_about_schema(error.kind()) => {
                differences.push(format!("{action} cannot be added: {error}"));
                failed.push(action);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(actions)
}

fn is_about_schema(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Sql | ErrorKind::Constraint | ErrorKind::Schema | ErrorKind::Usage)
}
