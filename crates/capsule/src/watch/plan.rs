//! Plan of a query: which of its rungs can be used, and why not the others.

use super::depends::{Columns, Dependencies, program};
use super::held::Arrangement;
use super::identity::{Entry, encode};
use super::order::{Collation, Term};
use super::shape::{Shape, qualified};
use crate::catalog::{KeyColumns, Table};
use crate::conn::Params;
use crate::database::{Database, Rows};
use crate::error::Result;
use crate::value::SqlValue;
use std::fmt::Write as _;
use std::rc::Rc;

/// Reason that a rung cannot be used.
pub(super) type Reason = &'static str;

/// Condition that images of rows are asked.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) table: Rc<str>,
    pub(super) condition: Rc<str>,
}

/// Statements that read the rows of a query with their keys: all of them, or that of one key.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) table: Rc<str>,
    /// The names of the columns that are shown.
    columns: Vec<String>,
    /// The number of values of a key.
    key: usize,
    all: String,
    one: String,
    /// True if the key is the rowid.
    pub(super) by_rowid: bool,
    pub(super) arrangement: Arrangement,
    /// True if no two rows are equal in the order.
    pub(super) is_total: bool,
}

/// Rungs of a query.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) depends: Dependencies,
    pub(super) filter: std::result::Result<Filter, Reason>,
    pub(super) probe: std::result::Result<Probe, Reason>,
}

/// Rows, and what is kept beside each of them.
pub(super) type KeyedRows = (Rows, Vec<Rc<Entry>>);

/// A row, and what is kept beside it.
pub(super) type KeyedRow = (Vec<SqlValue>, Rc<Entry>);

impl Plan {
    /// Finds the rungs of a query.
    pub(super) fn of(db: &Database, sql: &str, params: &[SqlValue]) -> Result<Self> {
        let facts = db.facts_of_query(sql)?;
        let program = program(db, sql, params).ok();
        let depends = Dependencies::of(db, &facts, program.as_ref())?;
        let shape = shape(&depends, sql, params);
        let (filter, probe) = match (&shape, depends.only_table()) {
            (Ok(shape), Some(columns)) => {
                let probe = probe(db, sql, params, shape, columns, program.as_ref());
                (filter(shape, columns), probe)
            }
            (Err(reason), _) => (Err(*reason), Err(*reason)),
            (Ok(_), None) => (Err("it does not read one table"), Err("it does not read one table")),
        };
        Ok(Self { depends, filter, probe })
    }

    /// The plan of a query that cannot be compiled: it waits for another schema.
    pub(super) fn none() -> Self {
        const FAILS: Reason = "it cannot be compiled with the schema as it is";
        Self { depends: Dependencies::default(), filter: Err(FAILS), probe: Err(FAILS) }
    }
}

fn shape(depends: &Dependencies, sql: &str, params: &[SqlValue]) -> std::result::Result<Shape, Reason> {
    if depends.always.is_some() {
        return Err("it reads what changes without events");
    }
    if depends.unsteady.is_some() {
        return Err("a function in it may have another result each time");
    }
    let shape = Shape::of(sql, params)?;
    let is_of_shape = |columns: &Columns| {
        columns.table.name.eq_ignore_ascii_case(&shape.table) && !columns.table.is_virtual()
    };
    match depends.only_table() {
        Some(columns) if is_of_shape(columns) => Ok(shape),
        Some(columns) if columns.table.is_virtual() => Err("it reads a virtual table"),
        Some(_) => Err("it reads a view"),
        None => Err("it does not read one table"),
    }
}

fn filter(shape: &Shape, columns: &Columns) -> std::result::Result<Filter, Reason> {
    let Some(condition) = shape.condition_of_image() else { return Err("it has no condition") };
    Ok(Filter { table: Rc::clone(&columns.table.name), condition: condition.into() })
}

/// The columns of a key, as SQL reaches them in a query that calls the table by a name.
fn key_of(name: &str, table: &Table) -> Option<(Vec<String>, bool)> {
    if let Some(rowid) = &table.rowid {
        return Some((vec![format!("{}.{rowid}", crate::conn::quoted(name))], true));
    }
    let KeyColumns::Declared(indices) = &table.key else { return None };
    let columns = indices.iter().map(|&index| qualified(name, table.columns[index].name()));
    Some((columns.collect(), false))
}

/// Finds the statements of the keyed probe.
fn probe(
    db: &Database,
    sql: &str,
    params: &[SqlValue],
    shape: &Shape,
    columns: &Columns,
    program: Option<&Rows>,
) -> std::result::Result<Probe, Reason> {
    const OTHER: Reason = "SQLite does not take it with its keys";
    let table = &columns.table;
    if let Some(grouped) = shape.grouped {
        return Err(grouped);
    }
    let Some(program) = program else { return Err("its plan is not known") };
    let has = |name: &str| program.rows.iter().any(|step| step[1].as_str() == Some(name));
    if ["AggStep", "AggStep1", "AggInverse", "AggValue", "AggFinal", "Count"].into_iter().any(has) {
        return Err("its rows are sums over rows of the table");
    }
    let Some(window) = shape.window() else { return Err("its LIMIT is no plain number") };
    let Some((key, by_rowid)) = key_of(&shape.name, table) else { return Err("its table has no key") };
    let order = shape.order_terms(table)?;
    let mut expressions = Vec::new();
    let mut terms = Vec::new();
    for term in order {
        let Some(collation) = collation(db, shape, &term.expression) else {
            return Err("the collation of its ORDER BY cannot be repeated");
        };
        terms.push(Term { collation, is_descending: term.is_descending, nulls_last: term.nulls_last });
        expressions.push(term.expression);
    }
    let ties = tie_breakers(db, sql, params, shape, table, program);
    for (column, term) in ties.iter().flatten() {
        expressions.push(qualified_or_rowid(&shape.name, table, column.as_deref()));
        terms.push(*term);
    }
    let Shape { list, from, condition, .. } = shape;
    let beside: Vec<&str> = key.iter().chain(&expressions).map(String::as_str).collect();
    let head = format!("SELECT {list}\n,{} FROM {from}\n", beside.join(","));
    let is_key: Vec<String> =
        key.iter().enumerate().map(|(index, column)| format!("{column}=?{}", index + 1)).collect();
    let is_key = is_key.join(" AND ");
    let (all, one) = match condition {
        Some(condition) => (
            format!("{head}WHERE {condition}\n{}", tail(shape)),
            format!("{head}WHERE ({condition}\n) AND {is_key}"),
        ),
        None => (format!("{head}{}", tail(shape)), format!("{head}WHERE {is_key}")),
    };
    let names = db.columns_of_query(sql).map_err(|_| OTHER)?;
    let width = names.len() + key.len() + expressions.len();
    let is_taken = |sql: &str| db.columns_of_query(sql).is_ok_and(|columns| columns.len() == width);
    if !is_taken(&all) || !is_taken(&one) {
        return Err(OTHER);
    }
    // Rows that are equal in the order come as the plan has them.
    if details(db, sql, params) != details(db, &all, &[]) {
        return Err("with its keys SQLite reads it by another plan");
    }
    Ok(Probe {
        table: Rc::clone(&table.name),
        columns: names,
        key: key.len(),
        all,
        one,
        by_rowid,
        arrangement: Arrangement { terms, window },
        is_total: ties.is_some(),
    })
}

/// ORDER BY and LIMIT as they stand in the query.
fn tail(shape: &Shape) -> String {
    let mut tail = String::new();
    if let Some(order) = &shape.order {
        let _ = writeln!(tail, " ORDER BY {order}");
    }
    if let Some(limit) = &shape.limit {
        let _ = write!(tail, " LIMIT {limit}");
    }
    tail
}

fn qualified_or_rowid(name: &str, table: &Table, column: Option<&str>) -> String {
    match column {
        Some(column) => qualified(name, column),
        None => format!("{}.{}", crate::conn::quoted(name), table.rowid.as_deref().unwrap_or("rowid")),
    }
}

/// The collation by which SQLite orders an expression; `None` for one that the capsule does not know.
fn collation(db: &Database, shape: &Shape, expression: &str) -> Option<Collation> {
    let sql = format!("SELECT ({expression})<({expression}) FROM {}", shape.from);
    let steps = program(db, &sql, &[]).ok()?;
    let mut comparisons = steps
        .rows
        .iter()
        .filter(|step| matches!(step[1].as_str(), Some("Lt" | "Le" | "Gt" | "Ge" | "Eq" | "Ne")));
    let step = comparisons.next()?;
    if comparisons.next().is_some() {
        return None;
    }
    match step[5].as_str() {
        None | Some("") => Some(Collation::Binary),
        Some(name) => Collation::of(name.rsplit_once('-').map_or(name, |(name, _)| name)),
    }
}

/// The plan of a query in SQLite's words.
fn details(db: &Database, sql: &str, params: &[SqlValue]) -> Option<Vec<String>> {
    let plan = db.query(&format!("EXPLAIN QUERY PLAN {sql}"), Params::List(params)).ok()?;
    let detail = |row: &Vec<SqlValue>| row[3].as_str().unwrap_or_default().replace("COVERING ", "");
    Some(plan.rows.iter().map(detail).collect())
}

/// The order in which the plan gives rows that are equal in ORDER BY, as columns of the key, or `None` for
/// the rowid; nothing if it is not known.
fn tie_breakers(
    db: &Database,
    sql: &str,
    params: &[SqlValue],
    shape: &Shape,
    table: &Table,
    program: &Rows,
) -> Option<Vec<(Option<Rc<str>>, Term)>> {
    const SORTER: &str = "USE TEMP B-TREE FOR ORDER BY";
    let details = details(db, sql, params)?;
    let sorts = details.iter().any(|detail| detail == SORTER);
    let scans: Vec<&String> = details.iter().filter(|detail| *detail != SORTER).collect();
    let [scan] = scans.as_slice() else { return None };
    let name = &shape.name;
    let searches =
        |by: &str| scan.starts_with(&format!("SEARCH {name} USING {by} (")) && !shape.has_alternatives;
    let is_in_order =
        **scan == format!("SCAN {name}") || searches("INTEGER PRIMARY KEY") || searches("PRIMARY KEY");
    let has = |name: &str| program.rows.iter().any(|step| step[1].as_str() == Some(name));
    let is_reversed = has("Prev");
    if !is_in_order || (is_reversed && (sorts || has("Next"))) {
        return None;
    }
    let term = |collation, is_descending: bool| {
        let is_descending = is_descending != is_reversed;
        Term { collation, is_descending, nulls_last: is_descending }
    };
    if table.rowid.is_some() {
        return Some(vec![(None, term(Collation::Binary, false))]);
    }
    let index = "SELECT name FROM pragma_index_list(?1) WHERE origin = 'pk'";
    let index = db.query(index, &[SqlValue::from(&*table.storage)]).ok()?.rows.into_iter().next()?.remove(0);
    let columns = "SELECT name, coll, desc FROM pragma_index_xinfo(?1) WHERE key ORDER BY seqno";
    let columns = db.query(columns, &[index]).ok()?.rows;
    let breaker = |row: &Vec<SqlValue>| {
        let collation = Collation::of(row[1].as_str()?)?;
        Some((Some(Rc::from(row[0].as_str()?)), term(collation, row[2] == SqlValue::Integer(1))))
    };
    columns.iter().map(breaker).collect()
}

impl Probe {
    /// Reads all rows, with what is kept beside them.
    pub(super) fn read(&self, db: &Database) -> Result<KeyedRows> {
        let mut rows = db.query(&self.all, ())?;
        let entries = rows.rows.iter_mut().map(|row| self.split(row)).collect();
        rows.columns.clone_from(&self.columns);
        Ok((rows, entries))
    }

    /// Reads the row of one key; `None` if the query has none.
    pub(super) fn read_one(&self, db: &Database, key: &[SqlValue]) -> Result<Option<KeyedRow>> {
        for mut row in db.query(&self.one, Params::List(key))?.rows {
            let entry = self.split(&mut row);
            // By its collation another key may be equal to this one.
            if entry.key == encode(key) {
                return Ok(Some((row, entry)));
            }
        }
        Ok(None)
    }

    /// Takes what is not shown from the end of a row.
    fn split(&self, row: &mut Vec<SqlValue>) -> Rc<Entry> {
        let mut values = row.split_off(self.columns.len());
        let order = values.split_off(self.key).into();
        Rc::new(Entry { key: encode(&values), values: values.into(), order })
    }
}
