//! Results of an operation: true and what it has found, or false and why it has failed (docs/codec.md,
//! section 7).

use crate::capture::{Row, RowChange};
use crate::database::Rows;
use crate::error::CapsuleError;
use crate::value::SqlValue;
use crate::watch::{ChangeEvent, Decided, Explanation, Patch};
use perilune::value::{FormatError, encode_value};
use perilune::{Results, Table, Value};

type Written = Result<(), FormatError>;

/// The reply of an operation, to be written.
pub(super) struct Reply<'a, 'b> {
    results: &'a mut Results<'b>,
    begun: bool,
}

impl<'a, 'b> Reply<'a, 'b> {
    pub(super) fn new(results: &'a mut Results<'b>) -> Self {
        Self { results, begun: false }
    }

    /// The results of an operation that has succeeded.
    fn results(&mut self) -> Result<&mut Results<'b>, FormatError> {
        if !self.begun {
            self.begun = true;
            self.results.boolean(true)?;
        }
        Ok(self.results)
    }

    /// Ends the reply of an operation that has succeeded.
    pub(super) fn finish(mut self) -> Written {
        self.results().map(drop)
    }

    /// True if results have been written: then there is no way back to a failure.
    pub(super) fn is_begun(&self) -> bool {
        self.begun
    }

    /// Ends the reply of an operation that has failed.
    pub(super) fn fail(self, error: &CapsuleError) -> Written {
        self.results.boolean(false)?;
        self.results.value(&failure(error))
    }

    pub(super) fn nil(&mut self) -> Written {
        self.results()?.nil()
    }

    pub(super) fn boolean(&mut self, flag: bool) -> Written {
        self.results()?.boolean(flag)
    }

    pub(super) fn integer(&mut self, integer: i64) -> Written {
        self.results()?.integer(integer)
    }

    pub(super) fn optional_integer(&mut self, integer: Option<i64>) -> Written {
        if let Some(integer) = integer { self.integer(integer) } else { self.nil() }
    }

    pub(super) fn count(&mut self, count: usize) -> Written {
        self.integer(count as i64)
    }

    pub(super) fn text(&mut self, text: &str) -> Written {
        self.results()?.string(text.as_bytes())
    }

    pub(super) fn optional_text(&mut self, text: Option<&str>) -> Written {
        if let Some(text) = text { self.text(text) } else { self.nil() }
    }

    /// Any value of Lua.
    pub(super) fn lua(&mut self, value: &Value) -> Written {
        self.results()?.value(value)
    }

    /// Bytes, as they are.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Written {
        self.results()?.string(bytes)
    }

    /// A value of SQL.
    pub(super) fn value(&mut self, value: &SqlValue) -> Written {
        let results = self.results()?;
        match value {
            SqlValue::Null => results.nil(),
            SqlValue::Integer(integer) => results.integer(*integer),
            SqlValue::Real(real) => results.float(*real),
            SqlValue::Text(text) => results.string(text),
            SqlValue::Blob(blob) => {
                results.table(1, 0)?;
                results.string(blob)
            }
        }
    }

    /// A key: the number of its values, then these.
    pub(super) fn key(&mut self, key: &[SqlValue]) -> Written {
        self.count(key.len())?;
        key.iter().try_for_each(|value| self.value(value))
    }

    /// The names of columns: their number, then these.
    pub(super) fn columns(&mut self, columns: &[String]) -> Written {
        self.count(columns.len())?;
        columns.iter().try_for_each(|name| self.text(name))
    }

    /// Rows: their columns, their number, then their values.
    pub(super) fn rows(&mut self, rows: &Rows) -> Written {
        self.columns(&rows.columns)?;
        self.count(rows.rows.len())?;
        rows.rows.iter().flatten().try_for_each(|value| self.value(value))
    }

    /// A patch of the rows of a live query.
    pub(super) fn patch(&mut self, patch: &Patch) -> Written {
        match patch {
            Patch::Insert { at, row } => self.patch_with_row("insert", *at, row),
            Patch::Update { at, row } => self.patch_with_row("update", *at, row),
            Patch::Delete { at } => {
                self.text("delete")?;
                self.count(*at)
            }
            Patch::Move { at, from } => {
                self.text("move")?;
                self.count(*at)?;
                self.count(*from)
            }
        }
    }

    fn patch_with_row(&mut self, kind: &str, at: usize, row: &[SqlValue]) -> Written {
        self.text(kind)?;
        self.count(at)?;
        row.iter().try_for_each(|value| self.value(value))
    }

    /// A row before or after a change: the number of its columns, then each name with its value; nil if there
    /// is none.
    fn image(&mut self, image: Option<&[(Box<str>, SqlValue)]>) -> Written {
        let Some(image) = image else { return self.nil() };
        self.count(image.len())?;
        for (name, value) in image {
            self.text(name)?;
            self.value(value)?;
        }
        Ok(())
    }

    /// An event of a watcher.
    pub(super) fn event(&mut self, event: &ChangeEvent) -> Written {
        self.text(event.operation().name())?;
        self.text(event.table_name())?;
        self.value(&event.row_id())?;
        self.key(event.key())?;
        self.image(event.old_data())?;
        self.image(event.new_data())?;
        self.integer(event.timestamp())?;
        self.text(event.transaction_id())?;
        self.text(event.source().name())?;
        self.text(event.change().name())?;
        self.optional_integer(event.cause())?;
        self.integer(event.seq())
    }

    /// An explanation: rung, reason, number of tables, of each its name and columns (texts); numbers of
    /// commits by the rung that has decided; the reason of the last run, or nil.
    pub(super) fn explanation(&mut self, explanation: &Explanation) -> Written {
        self.text(explanation.rung.name())?;
        self.text(&explanation.reason)?;
        self.count(explanation.tables.len())?;
        for (table, columns) in &explanation.tables {
            self.text(table)?;
            self.columns(columns)?;
        }
        let Decided { columns, images, keys, again } = explanation.decided;
        for commits in [columns, images, keys, again] {
            self.integer(commits as i64)?;
        }
        self.optional_text(explanation.last_fall.as_deref())
    }

    /// A change of a row that was previewed.
    pub(super) fn change(&mut self, change: &RowChange) -> Written {
        let image = |row: Option<&Row>| -> Option<Vec<(Box<str>, SqlValue)>> {
            row.map(|row| row.iter().map(|(name, value)| (name.into(), value)).collect())
        };
        self.text(change.operation().name())?;
        self.text(change.table())?;
        self.optional_integer(change.rowid())?;
        self.key(&change.key())?;
        self.image(image(change.old_row()).as_deref())?;
        self.image(image(change.new_row()).as_deref())
    }
}

/// A failure as the host reads it: a table of what is known of it.
pub(super) fn failure(error: &CapsuleError) -> Value {
    let mut fields: Vec<(&str, Value)> =
        vec![("kind", error.kind().name().into()), ("message", error.message().into())];
    fields.extend(error.code().map(|code| ("code", code.into())));
    fields.extend(error.sql().map(|sql| ("sql", sql.into())));
    fields.extend(error.offset().map(|offset| ("offset", Value::Integer(offset as i64))));
    fields.extend(error.cause().map(|cause| ("cause", script_error(cause))));
    table(fields)
}

/// The error of a script: what its record has (docs/codec.md, section 2).
fn script_error(error: &perilune::Error) -> Value {
    let mut fields: Vec<(&str, Value)> = vec![("kind", error.code().into())];
    if let Some(error) = error.lua() {
        fields.push(("message", error.message.as_str().into()));
        fields.extend(error.traceback.as_deref().map(|traceback| ("traceback", traceback.into())));
        fields.extend(error.chunk.as_deref().map(|chunk| ("chunk", chunk.into())));
        fields.extend(error.line.map(|line| ("line", Value::Integer(line.into()))));
        // A value that does not travel is left out, as everywhere.
        if error.value != Value::Nil && encode_value(&error.value, &mut Vec::new()).is_ok() {
            fields.push(("value", error.value.clone()));
        }
    } else {
        fields.push(("message", error.to_string().as_str().into()));
    }
    table(fields)
}

fn table(fields: Vec<(&str, Value)>) -> Value {
    let table = Table::new();
    table.with_mut(|data| {
        data.pairs.extend(fields.into_iter().map(|(name, value)| (name.into(), value)));
    });
    table.into()
}
