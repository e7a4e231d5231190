//! Facts about a statement, as SQLite's compiler tells them to the authorizer: what it is, what it reads and
//! writes, and whether the capsule lets it run at all.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization, TransactionOperation};
use std::collections::BTreeSet;

/// Prefix of the names that belong to the capsule.
pub(crate) const RESERVED: &str = "_capsule_";

/// The trigger through which `DELETE FROM _capsule_events` reaches the log.
pub(crate) const EVENTS_DELETE_TRIGGER: &str = "_capsule_events_delete";

/// Meaning of a statement for the transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Role {
    /// Reads or writes within a transaction.
    #[default]
    Work,
    /// A pragma that cannot run within one.
    Outside,
    /// VACUUM, which cannot either.
    Vacuum,
    Begin,
    Commit,
    Rollback,
    Savepoint(String),
    Release(String),
    RollbackTo(String),
}

/// Facts about one statement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) role: Role,
    /// True if it changes the schema.
    pub(crate) schema: bool,
    /// Columns that it reads.
    pub(crate) reads: BTreeSet<Read>,
    /// Functions that it calls, in lower case. Operators like LIKE and words like `CURRENT_TIME` are some,
    /// too.
    pub(crate) functions: BTreeSet<Box<str>>,
    /// Tables that it writes, each with the trigger that does; an empty name for none, or one of a reference.
    pub(super) writes: BTreeSet<(String, String)>,
}

impl Facts {
    /// True if it writes the last numbers of tables with AUTOINCREMENT, of which the log is one.
    pub(crate) fn writes_sequences(&self) -> bool {
        self.writes.iter().any(|(table, _)| table.eq_ignore_ascii_case("sqlite_sequence"))
    }
}

/// Column that a statement reads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Read {
    /// The schema of the table; `None` where SQLite does not say.
    pub(crate) database: Option<Box<str>>,
    /// The table, or view, or part of a query that has a name.
    pub(crate) table: Box<str>,
    /// The column. Empty for a table of which no column is read, `ROWID` for a rowid that is no column.
    pub(crate) column: Box<str>,
}

/// Tables that one statement may write by triggers and references, one setting off the next. SQLite's
/// compiler goes down a level of the stack for each.
const WRITES_MAX: usize = 200;

/// Author of the statements that are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Trust {
    /// Authors outside of the capsule: the application, scripts.
    #[default]
    User,
    /// The capsule's own modules.
    Own,
}

/// Collects the facts of the statement that is compiled at the moment, and refuses what nobody may do.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) trust: Trust,
    /// True while VACUUM runs, which attaches a database of its own.
    pub(crate) vacuum: bool,
    pub(crate) facts: Facts,
    /// Reason that the statement was refused. SQLite itself says no more than "not authorized".
    pub(crate) refusal: Option<String>,
}

/// Pragmas that tell something and change nothing, with or without an argument.
const READING_PRAGMAS: &[&str] = &[
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "page_count",
    "pragma_list",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Pragmas that may be read, and not set.
const FIXED_PRAGMAS: &[&str] = &[
    "auto_vacuum",
    "cache_size",
    "encoding",
    "foreign_keys",
    "journal_mode",
    "locking_mode",
    "max_page_count",
    "page_size",
    "recursive_triggers",
    "schema_version",
    "secure_delete",
    "synchronous",
    "temp_store",
    "trusted_schema",
];

/// Pragmas that applications may set, too.
const FREE_PRAGMAS: &[&str] = &["analysis_limit", "application_id", "defer_foreign_keys", "user_version"];

/// Pragmas that do work on the file, outside of a transaction.
const OUTSIDE_PRAGMAS: &[&str] = &["incremental_vacuum", "optimize", "wal_checkpoint"];

pub(crate) fn is_reserved(name: &str) -> bool {
    name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
}

impl Recorder {
    /// Judges one action of the statement that is compiled.
    pub(crate) fn judge(&mut self, context: &AuthContext<'_>) -> Authorization {
        self.note(context);
        if self.vacuum {
            return Authorization::Allow;
        }
        // What a trigger of the application does is the application's, whoever has fired it.
        let own_accessor = context.accessor.is_some_and(is_reserved);
        if own_accessor || (self.trust == Trust::Own && context.accessor.is_none()) {
            return Authorization::Allow;
        }
        match refusal(&context.action).or_else(|| self.too_many(context)) {
            Some(reason) => {
                self.refusal.get_or_insert(reason);
                Authorization::Deny
            }
            None => Authorization::Allow,
        }
    }

    /// Returns the reason to refuse a statement that sets off too many triggers.
    fn too_many(&mut self, context: &AuthContext<'_>) -> Option<String> {
        let (AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }) = context.action
        else {
            return None;
        };
        self.facts.writes.insert((table_name.to_owned(), context.accessor.unwrap_or_default().to_owned()));
        (self.facts.writes.len() > WRITES_MAX)
            .then(|| format!("the statement writes more than {WRITES_MAX} tables by triggers and references"))
    }

    /// Notes what an action says about its statement.
    fn note(&mut self, context: &AuthContext<'_>) {
        match &context.action {
            AuthAction::Transaction { operation } => {
                self.facts.role = match operation {
                    TransactionOperation::Begin => Role::Begin,
                    TransactionOperation::Rollback => Role::Rollback,
                    // COMMIT and END: rusqlite knows no name for them.
                    _ => Role::Commit,
                };
            }
            AuthAction::Savepoint { operation, savepoint_name } => {
                let name = (*savepoint_name).to_owned();
                self.facts.role = match operation {
                    TransactionOperation::Begin => Role::Savepoint(name),
                    TransactionOperation::Rollback => Role::RollbackTo(name),
                    _ => Role::Release(name),
                };
            }
            AuthAction::Pragma { pragma_name, .. } if listed(OUTSIDE_PRAGMAS, pragma_name) => {
                self.facts.role = Role::Outside;
            }
            AuthAction::Read { table_name, column_name } => {
                let database = context.database_name.map(Into::into);
                let (table, column) = ((*table_name).into(), (*column_name).into());
                self.facts.reads.insert(Read { database, table, column });
            }
            AuthAction::Function { function_name } => {
                self.facts.functions.insert(function_name.to_ascii_lowercase().into());
            }
            AuthAction::CreateIndex { .. }
            | AuthAction::CreateTable { .. }
            | AuthAction::CreateTrigger { .. }
            | AuthAction::CreateView { .. }
            | AuthAction::CreateTempTrigger { .. }
            | AuthAction::CreateVtable { .. }
            | AuthAction::DropIndex { .. }
            | AuthAction::DropTable { .. }
            | AuthAction::DropTrigger { .. }
            | AuthAction::DropView { .. }
            | AuthAction::DropVtable { .. }
            | AuthAction::AlterTable { .. } => self.facts.schema = true,
            _ => {}
        }
    }
}

fn listed(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Returns the reason that a name is refused.
pub(crate) fn reserved(name: &str) -> String {
    format!("{name} belongs to the capsule: names that begin with {RESERVED} are reserved")
}

/// Returns the reason that an action of the application is refused; `None` if it is not.
fn refusal(action: &AuthAction<'_>) -> Option<String> {
    let protected = |name: &str| is_reserved(name).then(|| reserved(name));
    match action {
        // The view of the log: its trigger decides.
        AuthAction::Delete { table_name } if table_name.eq_ignore_ascii_case("_capsule_events") => None,
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::CreateTable { table_name }
        | AuthAction::CreateTempTable { table_name }
        | AuthAction::CreateVtable { table_name, .. }
        | AuthAction::DropTable { table_name }
        | AuthAction::DropTempTable { table_name }
        | AuthAction::DropVtable { table_name, .. }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::Delete { table_name } => protected(table_name),
        AuthAction::CreateIndex { index_name, table_name }
        | AuthAction::CreateTempIndex { index_name, table_name }
        | AuthAction::DropIndex { index_name, table_name }
        | AuthAction::DropTempIndex { index_name, table_name } => {
            protected(index_name).or_else(|| protected(table_name))
        }
        AuthAction::CreateTrigger { trigger_name, table_name }
        | AuthAction::CreateTempTrigger { trigger_name, table_name }
        | AuthAction::DropTrigger { trigger_name, table_name }
        | AuthAction::DropTempTrigger { trigger_name, table_name } => {
            protected(trigger_name).or_else(|| protected(table_name))
        }
        AuthAction::CreateView { view_name }
        | AuthAction::CreateTempView { view_name }
        | AuthAction::DropView { view_name }
        | AuthAction::DropTempView { view_name } => protected(view_name),
        AuthAction::Attach { .. } => {
            Some("ATTACH is refused: one capsule is one database, whose changes are all events".to_owned())
        }
        AuthAction::Detach { .. } => Some("DETACH is refused: nothing can be attached".to_owned()),
        AuthAction::Function { function_name } => protected(function_name),
        AuthAction::Pragma { pragma_name, pragma_value } => {
            pragma_refusal(pragma_name, pragma_value.is_some())
        }
        AuthAction::Unknown { code, .. } => {
            Some(format!("an action that the capsule does not know (number {code})"))
        }
        _ => None,
    }
}

fn pragma_refusal(name: &str, sets: bool) -> Option<String> {
    if listed(READING_PRAGMAS, name) || listed(FREE_PRAGMAS, name) || listed(OUTSIDE_PRAGMAS, name) {
        return None;
    }
    if listed(FIXED_PRAGMAS, name) {
        return sets.then(|| format!("PRAGMA {name} is set by the capsule and cannot be changed"));
    }
    Some(format!("PRAGMA {name} is not available"))
}
