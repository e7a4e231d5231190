//! Tables, indexes and triggers as they are in the database.

use super::text::{self, Names};
use crate::catalog::{Affinity, definitions};
use crate::database::Database;
use crate::error::Result;
use crate::value::SqlValue;

/// Column of a table.
#[derive(Debug)]
pub(super) struct ActualColumn {
    pub(super) name: String,
    /// The declared type; empty if there is none.
    pub(super) declared: String,
    pub(super) affinity: Affinity,
    pub(super) not_null: bool,
    pub(super) default: Option<String>,
    /// Place in the primary key, from 1; 0 if it is not part of it.
    pub(super) key: i64,
    pub(super) is_generated: bool,
    /// Expressions of its own CHECKs.
    pub(super) checks: Vec<String>,
}

/// Index of a table, made by itself or by a constraint.
#[derive(Debug)]
pub(super) struct ActualIndex {
    pub(super) name: String,
    pub(super) unique: bool,
    /// True if a PRIMARY KEY has made it.
    pub(super) is_key: bool,
    /// True if CREATE INDEX has made it.
    pub(super) is_own: bool,
    /// The columns; `None` for an expression.
    pub(super) columns: Vec<Option<String>>,
    /// The rows that it holds; `None` for all.
    pub(super) condition: Option<String>,
}

/// Foreign key of one column.
#[derive(Debug)]
pub(super) struct ActualReference {
    pub(super) from: String,
    pub(super) table: String,
    /// `None` for the primary key.
    pub(super) column: Option<String>,
    pub(super) on_delete: String,
    pub(super) on_update: String,
}

/// Table, or what else has a name of the same kind.
#[derive(Debug, Default)]
pub(super) struct ActualTable {
    pub(super) name: String,
    /// `table`, `view`, `virtual` or `shadow`.
    pub(super) kind: String,
    pub(super) columns: Vec<ActualColumn>,
    pub(super) indexes: Vec<ActualIndex>,
    pub(super) references: Vec<ActualReference>,
    /// Expressions of the CHECKs that belong to no column.
    pub(super) checks: Vec<String>,
}

impl ActualTable {
    /// A column by its name.
    pub(super) fn column(&self, name: &str) -> Option<&ActualColumn> {
        self.columns.iter().find(|column| same(&column.name, name))
    }

    /// The names of the key's columns, in its order.
    pub(super) fn key(&self) -> Vec<&str> {
        let mut key: Vec<_> = self.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        key.iter().map(|column| column.name.as_str()).collect()
    }
}

impl ActualIndex {
    /// True if it is one of these columns, in this order.
    pub(super) fn is_of<N: AsRef<str>>(&self, columns: &[N]) -> bool {
        self.columns.len() == columns.len()
            && self
                .columns
                .iter()
                .zip(columns)
                .all(|(actual, column)| actual.as_deref().is_some_and(|actual| same(actual, column.as_ref())))
    }
}

/// Trigger, or an index by its name alone.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) name: String,
    /// The kind in SQLite's own table: `index`, `trigger`.
    pub(super) kind: String,
    pub(super) table: String,
    pub(super) sql: String,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Actual {
    pub(super) tables: Vec<ActualTable>,
    pub(super) named: Vec<Named>,
    /// Names of all tables and columns.
    pub(super) names: Names,
}

/// True if SQLite takes two names for the same.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

impl Actual {
    /// Reads what is there.
    pub(super) fn read(db: &Database) -> Result<Self> {
        let listed = db.query(
            "SELECT l.name, l.type, l.strict, s.sql FROM pragma_table_list l
             LEFT JOIN main.sqlite_schema s ON s.name = l.name AND s.type IN ('table', 'view')
             WHERE l.schema = 'main' AND lower(substr(l.name, 1, 7)) <> 'sqlite_' ORDER BY l.name",
            (),
        )?;
        let mut tables = Vec::new();
        let mut names = Names::new();
        for row in &listed.rows {
            let [name, kind, strict, sql] = row.as_slice() else { continue };
            let name = string(name);
            if crate::conn::is_reserved(&name) {
                continue;
            }
            let table = read_table(db, name, string(kind), strict.as_i64() == Some(1), &string(sql))?;
            names.insert(table.name.to_ascii_lowercase());
            names.extend(table.columns.iter().map(|column| column.name.to_ascii_lowercase()));
            tables.push(table);
        }
        let named = db.query(
            "SELECT name, type, tbl_name, sql FROM main.sqlite_schema WHERE type IN ('index', 'trigger')",
            (),
        )?;
        let named = named.rows.iter().filter_map(|row| match row.as_slice() {
            [name, kind, table, sql] => {
                Some(Named { name: string(name), kind: string(kind), table: string(table), sql: string(sql) })
            }
            _ => None,
        });
        Ok(Self { tables, named: named.collect(), names })
    }

    /// A table by its name.
    pub(super) fn table(&self, name: &str) -> Option<&ActualTable> {
        self.tables.iter().find(|table| same(&table.name, name))
    }

    /// An index or a trigger by its name.
    pub(super) fn named(&self, kind: &str, name: &str) -> Option<&Named> {
        self.named.iter().find(|named| named.kind == kind && same(&named.name, name))
    }
}

fn read_table(db: &Database, name: String, kind: String, strict: bool, sql: &str) -> Result<ActualTable> {
    if kind != "table" {
        // SQLite could not even tell the columns of a view whose tables are gone.
        return Ok(ActualTable { name, kind, ..ActualTable::default() });
    }
    let definitions = definitions(sql);
    let checks = |definition: &str, is_column| {
        text::checks(definition, is_column).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let parameter = [SqlValue::from(name.as_str())];
    let rows = db.query(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
        &parameter,
    )?;
    let mut columns = Vec::new();
    for (index, row) in rows.rows.iter().enumerate() {
        let [name, declared, not_null, default, key, hidden] = row.as_slice() else { continue };
        let declared = string(declared);
        columns.push(ActualColumn {
            name: string(name),
            affinity: Affinity::of(&declared, strict),
            declared,
            not_null: not_null.as_i64() == Some(1),
            default: text_of(default),
            key: key.as_i64().unwrap_or_default(),
            is_generated: hidden.as_i64() != Some(0),
            checks: definitions.get(index).map(|definition| checks(definition, true)).unwrap_or_default(),
        });
    }
    let constraints = definitions.iter().skip(columns.len()).flat_map(|definition| checks(definition, false));
    Ok(ActualTable {
        kind,
        checks: constraints.collect(),
        columns,
        indexes: read_indexes(db, &parameter)?,
        references: read_references(db, &parameter)?,
        name,
    })
}

fn read_indexes(db: &Database, table: &[SqlValue; 1]) -> Result<Vec<ActualIndex>> {
    let rows = db.query(
        "SELECT l.name, l.\"unique\", l.origin, l.partial, s.sql FROM pragma_index_list(?1, 'main') l
         LEFT JOIN main.sqlite_schema s ON s.type = 'index' AND s.name = l.name ORDER BY l.seq",
        table,
    )?;
    let mut indexes = Vec::new();
    for row in &rows.rows {
        let [name, unique, origin, partial, sql] = row.as_slice() else { continue };
        let columns = db.query(
            "SELECT name FROM pragma_index_info(?1, 'main') ORDER BY seqno",
            std::slice::from_ref(name),
        )?;
        let (origin, sql) = (string(origin), string(sql));
        let condition = text::condition(&sql).filter(|_| partial.as_i64() == Some(1));
        indexes.push(ActualIndex {
            name: string(name),
            unique: unique.as_i64() == Some(1),
            is_key: origin == "pk",
            is_own: origin == "c",
            columns: columns.rows.iter().map(|row| text_of(&row[0])).collect(),
            condition: condition.map(str::to_owned),
        });
    }
    Ok(indexes)
}

/// The foreign keys of one column. Those of several cannot be declared, and are left as they are.
fn read_references(db: &Database, table: &[SqlValue; 1]) -> Result<Vec<ActualReference>> {
    let rows = db.query(
        "SELECT \"from\", \"table\", \"to\", on_delete, on_update FROM pragma_foreign_key_list(?1, 'main')
         GROUP BY id HAVING count(*) = 1 ORDER BY id",
        table,
    )?;
    let references = rows.rows.iter().filter_map(|row| match row.as_slice() {
        [from, table, to, on_delete, on_update] => Some(ActualReference {
            from: string(from),
            table: string(table),
            column: text_of(to),
            on_delete: string(on_delete),
            on_update: string(on_update),
        }),
        _ => None,
    });
    Ok(references.collect())
}

/// A text of SQLite's own tables; `None` for NULL.
fn text_of(value: &SqlValue) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn string(value: &SqlValue) -> String {
    text_of(value).unwrap_or_default()
}
