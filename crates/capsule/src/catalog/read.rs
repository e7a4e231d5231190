//! Reads the tables of a database from its schema.

use super::definition::{definitions, generated_expression};
use super::table::{Affinity, Column, KeyColumns, Shadow, Table, TableId};
use crate::conn::{Conn, is_reserved, push_quoted, quoted};
use crate::error::{CapsuleError, ErrorKind, Result};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::rc::Rc;

/// A table as the schema lists it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) storage: String,
    pub(super) root: i64,
    pub(super) sql: String,
    without_rowid: bool,
    strict: bool,
}

/// Every table whose rows are captured, and the names of the capsule's own. SQLite's are among neither. Of a
/// full-text table it is the shadow table with the contents, under the name of the full-text table; its other
/// shadow tables follow from that.
pub(super) fn sources(conn: &Conn) -> Result<(Vec<Source>, BTreeSet<String>)> {
    let mut statement = conn.own_statement(
        "SELECT s.name, s.rootpage, s.sql, l.type, l.wr, l.strict FROM main.sqlite_schema s
         JOIN pragma_table_list l ON l.schema = 'main' AND l.name = s.name WHERE s.type = 'table' ORDER BY s.rowid",
    )?;
    let rows = conn.own(|| {
        let rows = statement.query_map([], |row| {
            Ok((
                Source {
                    name: row.get(0)?,
                    storage: row.get(0)?,
                    root: row.get(1)?,
                    sql: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                    without_rowid: row.get(4)?,
                    strict: row.get(5)?,
                },
                row.get::<_, String>(3)?,
            ))
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let virtual_tables: Vec<String> =
        rows.iter().filter(|(_, kind)| kind == "virtual").map(|(source, _)| source.name.clone()).collect();
    let (mut sources, mut own) = (Vec::new(), BTreeSet::new());
    for (mut source, kind) in rows {
        match kind.as_str() {
            "table" if is_reserved(&source.name) => {
                own.insert(source.name);
                continue;
            }
            "table" if !is_of_sqlite(&source.name) => {}
            "shadow" => {
                let Some(owner) = source.name.strip_suffix("_content") else { continue };
                let Some(owner) = virtual_tables.iter().find(|name| *name == owner) else { continue };
                source.name.clone_from(owner);
            }
            _ => continue,
        }
        sources.push(source);
    }
    Ok((sources, own))
}

fn is_of_sqlite(name: &str) -> bool {
    const PREFIX: &str = "sqlite_";
    name.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}

/// Gives columns their numbers: those that they had before the last statement, which has added, dropped or
/// renamed one. Returns the number of the next one.
fn number(columns: &mut [Column], before: Option<&Table>) -> u32 {
    let (before, mut next) = before.map_or((&[][..], 0), |before| (&before.columns[..], before.next_column));
    let dropped = columns.len() < before.len();
    for (index, column) in columns.iter_mut().enumerate() {
        let known =
            if dropped { before.iter().find(|known| known.name == column.name) } else { before.get(index) };
        column.id = known.map_or(next, |known| known.id);
        next = next.max(column.id + 1);
    }
    next
}

/// `hidden` of a virtual generated column.
const VIRTUAL: i64 = 2;
/// `hidden` of a stored generated column.
const STORED: i64 = 3;

/// A column as `PRAGMA table_xinfo` tells it.
struct Info {
    position: i32,
    name: String,
    declared: String,
    /// Place in the primary key, from 1; 0 if it is not part of it.
    key: i64,
    /// Kind of a column that is not an ordinary one.
    hidden: i64,
}

fn columns_of(conn: &Conn, table: &str) -> Result<Vec<Info>> {
    let mut statement = conn.own_statement(
        "SELECT cid, name, type, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid",
    )?;
    let columns = conn.own(|| {
        let rows = statement.query_map([table], |row| {
            Ok(Info {
                position: row.get(0)?,
                name: row.get(1)?,
                declared: row.get(2)?,
                key: row.get(3)?,
                hidden: row.get(4)?,
            })
        })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    })?;
    Ok(columns)
}

/// Reads one table. `before` is the same table before the last statement.
pub(super) fn table(conn: &Conn, id: TableId, source: &Source, before: Option<&Table>) -> Result<Table> {
    let all = columns_of(conn, &source.storage)?;
    let contents = if source.name == source.storage { None } else { Some(columns_of(conn, &source.name)?) };
    let rowid = rowid_name(source, &all);
    let mut columns = Vec::new();
    let mut key: Vec<(i64, usize)> = Vec::new();
    let mut integer_key = None;
    for info in &all {
        let index = columns.len();
        let shown = match &contents {
            None => Some(info.name.as_str()),
            Some(contents) => full_text_column(info, contents),
        };
        if info.key > 0 {
            key.push((info.key, index));
            if info.declared.eq_ignore_ascii_case("INTEGER") {
                integer_key = Some(index);
            }
        }
        let Some(shown) = shown else { continue };
        columns.push(Column {
            id: 0,
            name: shown.into(),
            declared: info.declared.as_str().into(),
            affinity: Affinity::of(&info.declared, source.strict),
            position: info.position,
            is_virtual: info.hidden == VIRTUAL,
            is_generated: info.hidden == VIRTUAL || info.hidden == STORED,
        });
    }
    let next_column = number(&mut columns, before);
    key.sort_unstable();
    let key = if contents.is_some() || key.is_empty() {
        KeyColumns::Rowid(None)
    } else if !source.without_rowid
        && key.len() == 1
        && integer_key.is_some()
        && is_rowid_alias(conn, source)?
    {
        KeyColumns::Rowid(integer_key)
    } else {
        KeyColumns::Declared(key.into_iter().map(|(_, index)| index).collect())
    };
    if rowid.is_none() && (!source.without_rowid) {
        return Err(CapsuleError::new(
            ErrorKind::Schema,
            format!(
                "the columns of {} hide its rowid by all of its names: changes of it cannot be told apart",
                source.name
            ),
        ));
    }
    let shadow = shadow(conn, source, &columns)?;
    let (select_by_key, select_by_rowid) = selects(source, &all, &columns, &key, rowid.as_deref());
    Ok(Table {
        id,
        name: Rc::from(source.name.as_str()),
        storage: source.storage.as_str().into(),
        root: source.root,
        sql: source.sql.as_str().into(),
        columns: columns.into(),
        next_column,
        shadow,
        key,
        rowid: rowid.map(Into::into),
        select_by_key: select_by_key.into(),
        select_by_rowid: select_by_rowid.into(),
    })
}

/// The table that takes rows which are not in their table.
fn shadow(conn: &Conn, source: &Source, columns: &[Column]) -> Result<Shadow> {
    let declared = definitions(&source.sql);
    let (mut defined, mut stored, mut computed) = (String::new(), String::new(), String::new());
    let mut virtuals = Vec::new();
    for (index, column) in columns.iter().enumerate() {
        let expression = if column.is_virtual {
            let found = declared.get(column.position as usize).copied().and_then(generated_expression);
            let Some(expression) = found else { continue };
            virtuals.push(index);
            push_separated(&mut computed, &column.name);
            Some(expression)
        } else {
            push_separated(&mut stored, &column.name);
            None
        };
        push_separated(&mut defined, &column.name);
        // ANY of a strict table converts nothing, but elsewhere numbers.
        if column.affinity != Affinity::Blob {
            let _ = write!(defined, " {}", column.affinity.name());
        }
        if let Some(collation) = conn.collation(&source.name, &column.name)? {
            let _ = write!(defined, " COLLATE {}", quoted(&collation));
        }
        if let Some(expression) = expression {
            let _ = write!(defined, " AS {expression}");
        }
    }
    let marks = vec!["?"; columns.iter().filter(|column| !column.is_virtual).count()].join(",");
    Ok(Shadow {
        definitions: defined.into(),
        stored: stored.into(),
        marks: marks.into(),
        computed: computed.into(),
        virtuals: virtuals.into(),
    })
}

/// Appends a name, after a comma if it is not the first.
fn push_separated(list: &mut String, name: &str) {
    if !list.is_empty() {
        list.push(',');
    }
    push_quoted(list, name);
}

/// The column of a full-text table that a column of its contents keeps; `None` if it keeps something else.
fn full_text_column<'a>(info: &Info, contents: &'a [Info]) -> Option<&'a str> {
    let digits = info.name.strip_prefix('c')?;
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let index: usize = digits[..end].parse().ok()?;
    contents.get(index).map(|column| column.name.as_str())
}

/// A name of the rowid that no column has taken.
fn rowid_name(source: &Source, all: &[Info]) -> Option<String> {
    if source.without_rowid {
        return None;
    }
    let free = |name: &&str| !all.iter().any(|info| info.name.eq_ignore_ascii_case(name));
    if let Some(name) = ["rowid", "_rowid_", "oid"].into_iter().find(free) {
        return Some(name.to_owned());
    }
    // All three are taken: the alias that was declared is a name of it, too.
    let alias = |info: &&Info| info.key == 1 && info.declared.eq_ignore_ascii_case("INTEGER");
    all.iter().find(alias).map(|info| quoted(&info.name))
}

/// True if the one INTEGER column of the key is the rowid. `INTEGER PRIMARY KEY DESC` is not: it has an
/// index.
fn is_rowid_alias(conn: &Conn, source: &Source) -> Result<bool> {
    let mut statement =
        conn.own_statement("SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'")?;
    Ok(!conn.own(|| statement.exists([&source.storage]))?)
}

/// The statements that read one row: by the key, and by the rowid.
fn selects(
    source: &Source,
    all: &[Info],
    columns: &[Column],
    key: &KeyColumns,
    rowid: Option<&str>,
) -> (String, String) {
    let stored_name = |column: &Column| {
        let info = all.iter().find(|info| info.position == column.position);
        info.map_or("", |info| info.name.as_str())
    };
    let mut select = format!("SELECT {}", rowid.unwrap_or("NULL"));
    for column in columns.iter().filter(|column| !column.is_virtual) {
        select.push(',');
        push_quoted(&mut select, stored_name(column));
    }
    select.push_str(" FROM main.");
    push_quoted(&mut select, &source.storage);
    select.push_str(" WHERE ");
    let by_rowid = rowid.map_or_else(String::new, |rowid| format!("{select}{rowid}=?1"));
    let by_key = match key {
        KeyColumns::Rowid(_) => by_rowid.clone(),
        KeyColumns::Declared(indices) => {
            let mut by_key = select;
            for (place, index) in indices.iter().enumerate() {
                if place > 0 {
                    by_key.push_str(" AND ");
                }
                push_quoted(&mut by_key, stored_name(&columns[*index]));
                let _ = write!(by_key, "=?{}", place + 1);
            }
            by_key
        }
    };
    (by_key, by_rowid)
}
