//! The one error of the capsule, and the kinds that callers tell apart.

use rusqlite::ffi;
use std::error;
use std::fmt;
use std::rc::Rc;

/// Result of everything that can fail in a capsule.
pub type Result<T> = std::result::Result<T, CapsuleError>;

/// Kind of a [`CapsuleError`]: what a program can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// SQLite refused the statement: syntax, an unknown table or column, a wrong type, interrupted work.
    Sql,
    /// A constraint of the schema would be violated: UNIQUE, NOT NULL, CHECK, a foreign key.
    Constraint,
    /// A declared schema contradicts itself or the database, or the database cannot be captured as it is.
    Schema,
    /// No room is left where the database is kept, or in memory.
    Full,
    /// The file is not a database, or it is damaged.
    Corrupt,
    /// A database that somebody else has. Worth another attempt.
    Locked,
    /// This place cannot do it: a file that cannot be opened, a function that SQLite was built without.
    Unsupported,
    /// A hook refused what was to be written. [`CapsuleError::cause`] is its error.
    Veto,
    /// A Lua script failed. [`CapsuleError::cause`] is its error.
    Lua,
    /// A script, or what it set off, used up its time or its fuel, or was interrupted.
    Timeout,
    /// A limit of the capsule: depth, rounds, length.
    Limit,
    /// The call itself is wrong: parameters that do not match, two statements in a query, a protected table.
    Usage,
    /// The database has been closed.
    Closed,
    /// A fault of the capsule itself.
    Bug,
}

impl ErrorKind {
    const ALL: [Self; 14] = [
        Self::Sql,
        Self::Constraint,
        Self::Schema,
        Self::Full,
        Self::Corrupt,
        Self::Locked,
        Self::Unsupported,
        Self::Veto,
        Self::Lua,
        Self::Timeout,
        Self::Limit,
        Self::Usage,
        Self::Closed,
        Self::Bug,
    ];

    /// The kind with this name.
    pub(crate) fn by_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().as_bytes() == name)
    }

    /// The name of the kind on every side: `"sql"`, `"constraint"`, ...
    pub fn name(self) -> &'static str {
        match self {
            Self::Sql => "sql",
            Self::Constraint => "constraint",
            Self::Schema => "schema",
            Self::Full => "full",
            Self::Corrupt => "corrupt",
            Self::Locked => "locked",
            Self::Unsupported => "unsupported",
            Self::Veto => "veto",
            Self::Lua => "lua",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Usage => "usage",
            Self::Closed => "closed",
            Self::Bug => "bug",
        }
    }
}

/// Failure of a call of the capsule. It says what failed, of which kind it is, and in which statement.
#[derive(Debug, Clone)]
pub struct CapsuleError(Box<Details>);

#[derive(Debug, Clone)]
struct Details {
    kind: ErrorKind,
    code: Option<&'static str>,
    cause: Option<Rc<perilune::Error>>,
    message: String,
    sql: Option<String>,
    offset: Option<usize>,
}

impl CapsuleError {
    /// An error of a kind, with its message.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            kind,
            code: None,
            cause: None,
            message: message.into(),
            sql: None,
            offset: None,
        }))
    }

    /// A call that cannot be right, whatever the database holds.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// Notes the statement that failed, unless one is noted.
    #[must_use]
    pub(crate) fn in_sql(mut self, sql: &str) -> Self {
        if self.0.sql.is_none() {
            self.0.sql = Some(sql.to_owned());
        }
        self
    }

    /// Notes the part of the work that failed, before the message.
    #[must_use]
    pub(crate) fn within(mut self, part: impl fmt::Display) -> Self {
        self.0.message = format!("{part}: {}", self.0.message);
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// SQLite's name of the result, extended: `"SQLITE_CONSTRAINT_UNIQUE"`. `None` where SQLite was not
    /// asked.
    pub fn code(&self) -> Option<&'static str> {
        self.0.code
    }

    /// Notes the error of a script that is the reason.
    #[must_use]
    pub(crate) fn caused_by(mut self, cause: Rc<perilune::Error>) -> Self {
        self.0.cause = Some(cause);
        self
    }

    /// The same error as one of another kind.
    #[must_use]
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Notes the code of SQLite by its name.
    #[must_use]
    pub(crate) fn with_code(mut self, name: &[u8]) -> Self {
        self.0.code = NAMES.iter().map(|(_, known)| *known).find(|known| known.as_bytes() == name);
        self
    }

    /// The error of Lua that is the reason, if there is one.
    pub fn cause(&self) -> Option<&perilune::Error> {
        self.0.cause.as_deref()
    }

    /// The message, without kind and statement.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The statement that failed.
    pub fn sql(&self) -> Option<&str> {
        self.0.sql.as_deref()
    }

    /// The place in [`sql`](Self::sql) that SQLite could not make sense of, in bytes.
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// True if the same call may succeed later although nothing was changed about it.
    pub fn retryable(&self) -> bool {
        self.0.kind == ErrorKind::Locked
    }
}

impl fmt::Display for CapsuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl error::Error for CapsuleError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.cause().map(|cause| cause as &dyn error::Error)
    }
}

impl From<rusqlite::Error> for CapsuleError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(failure, message) => from_code(failure.extended_code, message),
            rusqlite::Error::SqlInputError { error, msg, sql, offset } => {
                let mut converted = from_code(error.extended_code, Some(msg)).in_sql(&sql);
                converted.0.offset = usize::try_from(offset).ok();
                converted
            }
            rusqlite::Error::MultipleStatement => {
                Self::usage("one statement is expected, and here are several")
            }
            // Only of what the capsule itself reads: names, and its own tables.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
            | rusqlite::Error::QueryReturnedNoRows => Self::new(
                ErrorKind::Corrupt,
                format!("the tables of the capsule, or names of the schema, are damaged: {error}"),
            ),
            rusqlite::Error::NulError(_) => Self::usage("SQL cannot hold a NUL character"),
            other => Self::new(ErrorKind::Bug, other.to_string()),
        }
    }
}

/// An error of SQLite by its extended result code.
fn from_code(extended: i32, message: Option<String>) -> CapsuleError {
    let kind = match extended & 0xff {
        ffi::SQLITE_CONSTRAINT => ErrorKind::Constraint,
        ffi::SQLITE_FULL | ffi::SQLITE_NOMEM => ErrorKind::Full,
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => ErrorKind::Corrupt,
        ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED | ffi::SQLITE_PROTOCOL => ErrorKind::Locked,
        ffi::SQLITE_CANTOPEN | ffi::SQLITE_READONLY | ffi::SQLITE_PERM => ErrorKind::Unsupported,
        ffi::SQLITE_TOOBIG => ErrorKind::Limit,
        ffi::SQLITE_MISUSE | ffi::SQLITE_INTERNAL => ErrorKind::Bug,
        _ => ErrorKind::Sql,
    };
    let message = message.unwrap_or_else(|| ffi::code_to_str(extended).to_owned());
    let mut error = CapsuleError::new(kind, message);
    error.0.code = Some(code_name(extended));
    error
}

/// Pairs of code and name from a list of names.
macro_rules! names {
    ($($name:ident),* $(,)?) => { &[$((ffi::$name, stringify!($name))),*] };
}
/// Result codes with their names.
const NAMES: &[(i32, &str)] = names![
    SQLITE_ERROR,
    SQLITE_INTERNAL,
    SQLITE_PERM,
    SQLITE_ABORT,
    SQLITE_BUSY,
    SQLITE_LOCKED,
    SQLITE_NOMEM,
    SQLITE_READONLY,
    SQLITE_INTERRUPT,
    SQLITE_IOERR,
    SQLITE_CORRUPT,
    SQLITE_NOTFOUND,
    SQLITE_FULL,
    SQLITE_CANTOPEN,
    SQLITE_PROTOCOL,
    SQLITE_EMPTY,
    SQLITE_SCHEMA,
    SQLITE_TOOBIG,
    SQLITE_CONSTRAINT,
    SQLITE_MISMATCH,
    SQLITE_MISUSE,
    SQLITE_NOLFS,
    SQLITE_AUTH,
    SQLITE_FORMAT,
    SQLITE_RANGE,
    SQLITE_NOTADB,
    SQLITE_CONSTRAINT_CHECK,
    SQLITE_CONSTRAINT_COMMITHOOK,
    SQLITE_CONSTRAINT_DATATYPE,
    SQLITE_CONSTRAINT_FOREIGNKEY,
    SQLITE_CONSTRAINT_FUNCTION,
    SQLITE_CONSTRAINT_NOTNULL,
    SQLITE_CONSTRAINT_PINNED,
    SQLITE_CONSTRAINT_PRIMARYKEY,
    SQLITE_CONSTRAINT_ROWID,
    SQLITE_CONSTRAINT_TRIGGER,
    SQLITE_CONSTRAINT_UNIQUE,
    SQLITE_CONSTRAINT_VTAB,
    SQLITE_ABORT_ROLLBACK,
    SQLITE_BUSY_RECOVERY,
    SQLITE_BUSY_SNAPSHOT,
    SQLITE_CORRUPT_INDEX,
    SQLITE_CORRUPT_SEQUENCE,
    SQLITE_CORRUPT_VTAB,
    SQLITE_IOERR_READ,
    SQLITE_IOERR_SHORT_READ,
    SQLITE_IOERR_WRITE,
    SQLITE_IOERR_FSYNC,
    SQLITE_IOERR_TRUNCATE,
    SQLITE_IOERR_NOMEM,
    SQLITE_READONLY_DBMOVED,
    SQLITE_READONLY_DIRECTORY,
    SQLITE_CANTOPEN_ISDIR,
    SQLITE_CANTOPEN_FULLPATH,
];

/// The name that SQLite's header has for a result code: for the extended one where it has one, else for its
/// primary code.
fn code_name(extended: i32) -> &'static str {
    let named = |code| NAMES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name);
    named(extended).or_else(|| named(extended & 0xff)).unwrap_or("SQLITE_ERROR")
}
