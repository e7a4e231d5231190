//! Declared schemas as the host gives them: a table with the lists `tables`, `indexes`, `triggers` and
//! `migrations` (docs/codec.md, section 7).

use crate::error::{CapsuleError, ErrorKind, Result};
use crate::schema::{
    ColumnDeclaration, ColumnType, DefaultValue, IndexDeclaration, Migration, ReferenceAction, References,
    Schema, TableDeclaration, Up,
};
use crate::value::SqlValue;
use perilune::{Table, Value};

/// A part of the declaration, with the path to it for messages: `schema.tables[1].columns[2]`.
struct Part<'a> {
    path: &'a str,
    table: &'a Table,
}

fn wrong(path: &str, wanted: &str) -> CapsuleError {
    CapsuleError::new(ErrorKind::Schema, format!("{path} is {wanted}"))
}

impl Part<'_> {
    fn get(&self, name: &str) -> Option<Value> {
        Some(self.table.get(&name.into())).filter(|value| !matches!(value, Value::Nil | Value::Null))
    }

    fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        self.get(name).map(|value| text(&self.path(name), &value)).transpose()
    }

    fn required(&self, name: &str) -> Result<String> {
        self.text(name)?.ok_or_else(|| wrong(&self.path(name), "missing"))
    }

    fn flag(&self, name: &str) -> Result<bool> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Boolean(flag)) => Ok(flag),
            Some(_) => Err(wrong(&self.path(name), "true or false")),
        }
    }

    fn count(&self, name: &str) -> Result<Option<u32>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let count = if let Value::Integer(count) = value { u32::try_from(count).ok() } else { None };
        count.map(Some).ok_or_else(|| wrong(&self.path(name), "a whole number from 0 on"))
    }

    /// The items of a list; none if it is missing.
    fn items(&self, name: &str) -> Result<Vec<(String, Value)>> {
        let path = self.path(name);
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let Value::Table(list) = value else { return Err(wrong(&path, "a list")) };
        let (items, has_others) = list.with(|data| (data.array.clone(), !data.pairs.is_empty()));
        if has_others {
            return Err(wrong(&path, "a list"));
        }
        Ok(items.into_iter().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect())
    }

    /// The parts of a list of tables, each made into what it declares.
    fn parts<T>(&self, name: &str, make: impl Fn(&Part<'_>) -> Result<T>) -> Result<Vec<T>> {
        let one = |(path, item): (String, Value)| part(&path, &item, &make);
        self.items(name)?.into_iter().map(one).collect()
    }

    fn texts(&self, name: &str) -> Result<Vec<String>> {
        self.items(name)?.into_iter().map(|(path, item)| text(&path, &item)).collect()
    }
}

fn part<T>(path: &str, value: &Value, make: impl FnOnce(&Part<'_>) -> Result<T>) -> Result<T> {
    match value {
        Value::Table(table) => make(&Part { path, table }),
        _ => Err(wrong(path, "an object")),
    }
}

fn text(path: &str, value: &Value) -> Result<String> {
    let text = if let Value::String(bytes) = value { String::from_utf8(bytes.clone()).ok() } else { None };
    text.ok_or_else(|| wrong(path, "a text"))
}

/// Reads a whole schema.
pub(super) fn schema(value: &Value) -> Result<Schema> {
    part("schema", value, |schema| {
        Ok(Schema {
            tables: schema.parts("tables", table)?,
            indexes: schema.parts("indexes", index)?,
            triggers: schema.texts("triggers")?,
            migrations: schema.parts("migrations", migration)?,
        })
    })
}

fn table(table: &Part<'_>) -> Result<TableDeclaration> {
    let mut declared = TableDeclaration::new(table.required("name")?);
    declared.columns = table.parts("columns", column)?;
    if let Some(capsule) = table.get("capsule") {
        part(&table.path("capsule"), &capsule, |capsule| {
            declared.watch = capsule.flag("watch")?;
            declared.batch_size = capsule.count("batchSize")?;
            declared.retention_days = capsule.count("retentionDays")?;
            Ok(())
        })?;
    }
    Ok(declared)
}

fn column(column: &Part<'_>) -> Result<ColumnDeclaration> {
    let kind = ColumnType::from_name(&column.required("type")?)?;
    let mut declared = ColumnDeclaration::new(column.required("name")?, kind);
    declared.primary = column.flag("primary")?;
    declared.unique = column.flag("unique")?;
    declared.not_null = column.flag("notNull")?;
    declared.default =
        column.get("default").map(|value| default(&column.path("default"), &value)).transpose()?;
    let reference = |value| reference(&column.path("references"), &value);
    declared.references = column.get("references").map(reference).transpose()?;
    declared.check = column.text("check")?;
    Ok(declared)
}

/// A default: a value; `{ sql }` for an expression; a list of one string for a blob.
fn default(path: &str, value: &Value) -> Result<DefaultValue> {
    let value = match value {
        Value::Boolean(flag) => (*flag).into(),
        Value::Integer(integer) => (*integer).into(),
        Value::Float(float) => SqlValue::Real(*float),
        Value::String(bytes) => SqlValue::Text(bytes.clone()),
        Value::Table(table) => match table.with(|data| data.array.clone()).as_slice() {
            [Value::String(blob)] => SqlValue::Blob(blob.clone()),
            _ => return Part { path, table }.required("sql").map(DefaultValue::Sql),
        },
        _ => return Err(wrong(path, "a value of SQL, or an object with sql")),
    };
    Ok(DefaultValue::Value(value))
}

/// References: `"users(id) ON DELETE CASCADE"`, or an object.
fn reference(path: &str, value: &Value) -> Result<References> {
    if let Value::String(_) = value {
        return References::from_text(&text(path, value)?);
    }
    part(path, value, |reference| {
        let mut declared = References::new(reference.required("table")?);
        declared.column = reference.text("column")?;
        declared.on_delete = action(reference, "onDelete")?;
        declared.on_update = action(reference, "onUpdate")?;
        Ok(declared)
    })
}

fn action(reference: &Part<'_>, name: &str) -> Result<ReferenceAction> {
    let Some(text) = reference.text(name)? else { return Ok(ReferenceAction::default()) };
    let known = ReferenceAction::ALL.into_iter().find(|action| action.name().eq_ignore_ascii_case(&text));
    known.ok_or_else(|| {
        let names = ReferenceAction::ALL.map(ReferenceAction::name).join(", ");
        wrong(&reference.path(name), &format!("{text:?}, which is none of {names}"))
    })
}

fn index(index: &Part<'_>) -> Result<IndexDeclaration> {
    let mut declared = IndexDeclaration::new(index.required("table")?, index.texts("columns")?);
    declared.name = index.text("name")?;
    declared.unique = index.flag("unique")?;
    declared.where_ = index.text("where")?;
    Ok(declared)
}

/// A migration: with `sql`, or one whose work is the host's.
fn migration(migration: &Part<'_>) -> Result<Migration> {
    let Some(Value::Integer(version)) = migration.get("version") else {
        return Err(wrong(&migration.path("version"), "a whole number"));
    };
    let of_host =
        || Up::Function(Box::new(|_| Err(CapsuleError::usage("this migration is run by the host"))));
    Ok(Migration { version, up: migration.text("sql")?.map_or_else(of_host, Up::Sql) })
}
