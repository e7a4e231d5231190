//! Compiled statements: parameters in, rows out.

use super::facts::Facts;
use crate::error::{CapsuleError, Result};
use crate::value::SqlValue;
use rusqlite::{CachedStatement, Rows};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// Values for the parameters of a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Params<'a> {
    /// Values in the order of the parameters.
    List(&'a [SqlValue]),
    /// Values by the names of the parameters, with or without their `:`, `@` or `$`.
    Named(&'a [(&'a str, SqlValue)]),
}

impl Params<'_> {
    /// No values.
    pub const NONE: Self = Self::List(&[]);
}

/// Values for the parameters of a statement, as the capsule's own modules may have them, too.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound<'a> {
    Params(Params<'a>),
    /// Values in the order of the parameters, each beside the name of its column, which says nothing here.
    Columns(&'a [(&'a str, SqlValue)]),
}

impl<'a> From<Params<'a>> for Bound<'a> {
    fn from(params: Params<'a>) -> Self {
        Self::Params(params)
    }
}

impl<'a> From<&'a [SqlValue]> for Params<'a> {
    fn from(list: &'a [SqlValue]) -> Self {
        Self::List(list)
    }
}

impl<'a, const N: usize> From<&'a [SqlValue; N]> for Params<'a> {
    fn from(list: &'a [SqlValue; N]) -> Self {
        Self::List(list)
    }
}

impl<'a> From<&'a Vec<SqlValue>> for Params<'a> {
    fn from(list: &'a Vec<SqlValue>) -> Self {
        Self::List(list)
    }
}

impl<'a, const N: usize> From<&'a [(&'a str, SqlValue); N]> for Params<'a> {
    fn from(named: &'a [(&'a str, SqlValue); N]) -> Self {
        Self::Named(named)
    }
}

impl From<()> for Params<'_> {
    fn from((): ()) -> Self {
        Self::NONE
    }
}

enum Compiled<'conn> {
    Once(rusqlite::Statement<'conn>),
    Cached(CachedStatement<'conn>),
}

impl<'conn> Deref for Compiled<'conn> {
    type Target = rusqlite::Statement<'conn>;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Once(statement) => statement,
            Self::Cached(statement) => statement,
        }
    }
}

impl DerefMut for Compiled<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Once(statement) => statement,
            Self::Cached(statement) => statement,
        }
    }
}

/// A compiled statement and what is known about it.
pub(crate) struct Statement<'conn> {
    compiled: Compiled<'conn>,
    pub(crate) facts: Rc<Facts>,
}

impl<'conn> Statement<'conn> {
    pub(super) fn once(compiled: rusqlite::Statement<'conn>, facts: Rc<Facts>) -> Self {
        Self { compiled: Compiled::Once(compiled), facts }
    }

    pub(super) fn cached(compiled: CachedStatement<'conn>, facts: Rc<Facts>) -> Self {
        Self { compiled: Compiled::Cached(compiled), facts }
    }

    /// Names of the columns of its rows.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.compiled.column_names().map(str::to_owned).collect()
    }

    /// True if it has rows to give, be they none.
    pub(crate) fn has_columns(&self) -> bool {
        self.compiled.column_count() > 0
    }

    /// True if it cannot change the database by itself.
    pub(crate) fn is_readonly(&self) -> bool {
        self.compiled.readonly()
    }

    /// Refuses parameters where nobody could give them values.
    pub(crate) fn check_unbound(&self) -> Result<()> {
        match self.compiled.parameter_count() {
            0 => Ok(()),
            _ => Err(CapsuleError::usage("there is no value for a parameter here: write it into the text")),
        }
    }

    /// Gives every parameter its value. Each must have one, and there must be no value too many.
    pub(crate) fn bind(&mut self, values: Bound<'_>) -> Result<()> {
        let expected = self.compiled.parameter_count();
        match values {
            Bound::Params(Params::List(values)) => self.bind_list(values.iter(), expected),
            Bound::Params(Params::Named(values)) => self.bind_named(values, expected),
            Bound::Columns(row) => self.bind_list(row.iter().map(|(_, value)| value), expected),
        }
    }

    fn bind_list<'a>(
        &mut self,
        values: impl ExactSizeIterator<Item = &'a SqlValue>,
        expected: usize,
    ) -> Result<()> {
        let count = values.len();
        if count != expected {
            return Err(CapsuleError::usage(format!(
                "the statement has {expected} parameter{}, and {count} value{} given",
                if expected == 1 { "" } else { "s" },
                if count == 1 { " is" } else { "s are" },
            )));
        }
        for (index, value) in values.enumerate() {
            self.compiled.raw_bind_parameter(index + 1, value)?;
        }
        Ok(())
    }

    fn bind_named(&mut self, values: &[(&str, SqlValue)], expected: usize) -> Result<()> {
        let mut used = vec![false; values.len()];
        for index in 1..=expected {
            let Some(parameter) = self.compiled.parameter_name(index) else {
                return Err(CapsuleError::usage(format!(
                    "parameter {index} has no name: give a list of values"
                )));
            };
            let bare = &parameter[1..];
            let Some(at) = values.iter().position(|(name, _)| *name == bare || *name == parameter) else {
                return Err(CapsuleError::usage(format!("the parameter {parameter} has no value")));
            };
            used[at] = true;
            self.compiled.raw_bind_parameter(index, &values[at].1)?;
        }
        match used.iter().position(|used| !used) {
            Some(unused) => Err(CapsuleError::usage(format!(
                "the statement has no parameter with the name {}",
                values[unused].0
            ))),
            None => Ok(()),
        }
    }

    /// The rows, with the parameters that are bound.
    pub(crate) fn rows(&mut self) -> Rows<'_> {
        self.compiled.raw_query()
    }
}
