//! Operations that a library adds to those of the VM, as the host asks for them in bytes.
#![cfg_attr(
    all(feature = "module", target_arch = "wasm32"),
    allow(dead_code, reason = "no library of the npm package's own module has any, so it asks none")
)]

use crate::api::function_table::FunctionTable;
use crate::api::results::Results;
use crate::api::vm::{Vm, VmParts};
use crate::error::{Error, ErrorKind, Result};
use crate::lua::Stack;
use crate::state::extension::Extension;
use crate::state::guarded::{caught, panic_text};
use crate::state::host_functions::Side;
use crate::value::{FormatError, Misfit, Value, encode_list};
use crate::vm::protocol::Outcome;
use crate::vm::{RawVm, out_of_memory};
use std::cell::OnceCell;
use std::rc::Rc;

/// An operation of a library: it reads its arguments from a list in bytes, and writes its results.
type Run = dyn Fn(&mut Vm, u32, &[u8], &mut Results<'_>) -> Option<Result<()>>;

/// Operations of a library, with the table of the VM that they get.
pub(crate) struct Operations {
    functions: Rc<FunctionTable>,
    run: Box<Run>,
}

impl Extension for Operations {
    fn run(&self, stack: Stack, operation: u32, input: &[u8], reply: &mut Vec<u8>) -> Option<u8> {
        let functions = OnceCell::from(Rc::clone(&self.functions));
        let mut parts = VmParts { raw: RawVm::of(stack, Side::Rust), functions };
        let ended = caught(|| {
            let mut results = match Results::new(reply) {
                Ok(results) => results,
                Err(problem) => return Some(Err(problem.into())),
            };
            let ended = (self.run)(parts.as_vm_mut(), operation, input, &mut results)?;
            Some(ended.and_then(|()| results.finish().map_err(Error::from)))
        });
        let ended = ended.unwrap_or_else(|panic| {
            let text = format!("operation {operation} panicked: {}", panic_text(&*panic));
            std::mem::forget(panic);
            Some(Err(Error::bug(text)))
        })?;
        let outcome = match ended {
            Ok(()) => Outcome::Ok,
            Err(error) => match write_record(&error, reply) {
                Ok(()) => outcome_of(&error),
                Err(_) => Outcome::Memory,
            },
        };
        Some(outcome as u8)
    }
}

/// Writes the error record of an error (docs/codec.md, section 2). Without memory for it, nothing is written.
fn write_record(error: &Error, out: &mut Vec<u8>) -> std::result::Result<(), FormatError> {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Nil, Value::from);
    let number = |number: Option<u32>| number.map_or(Value::Nil, |number| i64::from(number).into());
    let mut fields = vec![Value::from(error.to_string().as_str())];
    match error.lua() {
        Some(error) => fields.extend([
            text(&error.traceback),
            text(&error.chunk),
            number(error.line),
            error.value.clone(),
            number(error.number),
        ]),
        None => fields.extend([const { Value::Nil }; 5]),
    }
    out.clear();
    if encode_list(&fields, out).is_err() {
        // A value that does not travel is left out, as everywhere.
        out.clear();
        fields[4] = Value::Nil;
        if let Err(problem) = encode_list(&fields, out) {
            out.clear();
            return Err(problem);
        }
    }
    Ok(())
}

/// The status of an error.
fn outcome_of(error: &Error) -> Outcome {
    match error.kind() {
        ErrorKind::Runtime(_) => Outcome::Runtime,
        ErrorKind::Syntax(_) => Outcome::Syntax,
        ErrorKind::Memory(_) => Outcome::Memory,
        ErrorKind::Timeout(_) => Outcome::Timeout,
        ErrorKind::Interrupt(_) => Outcome::Interrupt,
        ErrorKind::Exit(_) => Outcome::Exit,
        ErrorKind::Storage(_) => Outcome::Storage,
        ErrorKind::Value(_) => Outcome::Value,
        ErrorKind::Usage(_) => Outcome::Usage,
        ErrorKind::Bug(_) => Outcome::Bug,
    }
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        match error {
            FormatError::OutOfMemory => out_of_memory(),
            error => ErrorKind::Value(error.to_string()).into(),
        }
    }
}

impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        match misfit.error {
            FormatError::OutOfMemory => out_of_memory(),
            _ => ErrorKind::Value(misfit.to_string()).into(),
        }
    }
}

impl Vm {
    /// Adds operations to those of [`Vm::request_raw`]: `run` gets numbers from 256 on, the arguments as a
    /// list in bytes (docs/codec.md, section 1), and writes its results; None says that there is no such
    /// operation. Each is a call of its own, with the limits of one, and a batch of the store.
    ///
    /// # Errors
    /// `usage`: the VM has such operations already.
    pub fn set_operations(
        &mut self,
        run: impl Fn(&mut Vm, u32, &[u8], &mut Results<'_>) -> Option<Result<()>> + 'static,
    ) -> Result<()> {
        if self.context().extension.is_some() {
            return Err(Error::usage("the VM has operations of a library already"));
        }
        let functions = Rc::clone(self.functions());
        self.context_mut().extension = Some(Box::new(Operations { functions, run: Box::new(run) }));
        Ok(())
    }
}
