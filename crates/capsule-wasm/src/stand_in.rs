//! Operations in place of those of the capsule, until they are there: enough to test files with.
//!
//! | operation | arguments | results |
//! |---|---|---|
//! | 256 | name, strict | opens a capsule |
//! | 257 | SQL | its rows, each a list |
//! | 258 | Lua source | its results |
//! | 259 | - | closes the capsule |

use crate::environment::HostEnvironment;
use crate::imports::capsule_notify;
use perilune::value::decode_list;
use perilune::{ErrorKind, Library, Results, Value, Vm};
use perilune_capsule::{Capsule, CapsuleError, Durability, Location, Rows, SqlValue};
use std::cell::RefCell;

#[derive(Debug, Clone, Copy)]
pub(crate) struct StandIn;

impl Library for StandIn {
    fn name(&self) -> &'static str {
        "capsule.stand_in"
    }

    fn open(&self, vm: &mut Vm) -> perilune::Result<()> {
        let open = RefCell::new(None);
        vm.set_operations(move |_, number, input, results| {
            (256..260).contains(&number).then(|| run(&mut open.borrow_mut(), number, input, results))
        })
    }
}

fn told(error: &CapsuleError) -> perilune::Error {
    ErrorKind::Usage(format!(
        "{}: {} ({})",
        error.kind().name(),
        error.message(),
        error.code().unwrap_or("-")
    ))
    .into()
}

fn run(
    open: &mut Option<Capsule>,
    number: u32,
    input: &[u8],
    results: &mut Results<'_>,
) -> perilune::Result<()> {
    let arguments = decode_list(input)?;
    let text = |at: usize| match arguments.get(at) {
        Some(Value::String(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    if number == 256 {
        let durability = if arguments.get(1) == Some(&Value::Boolean(true)) {
            Durability::Strict
        } else {
            Durability::Relaxed
        };
        let builder = Capsule::builder(Location::from_name(&text(0))).environment(HostEnvironment);
        *open = Some(builder.durability(durability).open().map_err(|error| told(&error))?);
        capsule_notify(0);
        return Ok(());
    }
    let Some(capsule) = open.as_mut() else { return Err(ErrorKind::Usage("no capsule".to_owned()).into()) };
    match number {
        257 => Ok(rows(results, &capsule.query(&text(0), ()).map_err(|error| told(&error))?)?),
        258 => {
            for value in capsule.eval(&text(0)).map_err(|error| told(&error))? {
                results.value(&value)?;
            }
            Ok(())
        }
        _ => {
            *open = None;
            Ok(())
        }
    }
}

fn rows(results: &mut Results<'_>, rows: &Rows) -> Result<(), perilune::value::FormatError> {
    for row in &rows.rows {
        results.table(row.len() as u32, 0)?;
        for value in row {
            match value {
                SqlValue::Null => results.boolean(false)?,
                SqlValue::Integer(integer) => results.integer(*integer)?,
                SqlValue::Real(real) => results.float(*real)?,
                SqlValue::Text(bytes) | SqlValue::Blob(bytes) => results.string(bytes)?,
            }
        }
    }
    Ok(())
}
