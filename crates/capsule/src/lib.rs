//! A SQLite database whose changes are exact events.
//!
//! ```
//! use perilune_capsule::{Database, Durability, Location, SqlValue, SystemEnvironment};
//!
//! let db = Database::open(&Location::Memory, Durability::Relaxed, Box::new(SystemEnvironment))?;
//! db.execute("CREATE TABLE tasks(id INTEGER PRIMARY KEY, title TEXT)", ())?;
//! db.execute("INSERT INTO tasks(title) VALUES(?)", &[SqlValue::from("Write it down")])?;
//! let changes = db.changes_since(0, 10)?;
//! assert_eq!(changes[0].table, "tasks");
//! # Ok::<(), perilune_capsule::CapsuleError>(())
//! ```

mod bus;
mod call;
mod capsule;
mod capture;
mod catalog;
mod conn;
mod data;
mod database;
mod environment;
mod error;
mod history;
mod log;
mod operations;
mod rules;
mod schema;
mod script;
mod transaction;
mod transfer;
mod value;
mod watch;

pub use capsule::{Capsule, CapsuleBuilder};
pub use capture::{Operation, Row, RowChange};
pub use catalog::{Column, SchemaChange};
pub use conn::{Durability, Location, Params};
pub use database::{Committed, Database, Rows};
pub use environment::Environment;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
pub use environment::SystemEnvironment;
pub use error::{CapsuleError, ErrorKind, Result};
pub use history::{Blocker, Undo};
pub use log::{LoggedChange, LoggedTransaction, Retention, Source};
pub use operations::{CapsuleLibrary, operation_numbers};
pub use schema::{
    ColumnDeclaration, ColumnType, DefaultValue, IndexDeclaration, Migration, ReferenceAction, References,
    Schema, SchemaAction, TableDeclaration, Up,
};
pub use script::ModInfo;
pub use value::SqlValue;
pub use watch::{
    Change, ChangeEvent, Decided, Explanation, LiveOptions, LiveStart, LiveUpdate, Missed, Patch, Rung,
};

/// Has the samples of the capsule's page compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/capsule.md")]
struct Page;
