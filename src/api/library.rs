//! Libraries: parts of what Lua sees that a VM opens by a list.

use crate::api::function_table::FunctionTable;
use crate::api::results::Results;
use crate::api::vm::{Vm, VmParts};
use crate::error::{Error, ErrorKind, Result};
use crate::lua::{Stack, Status, raw};
use crate::state::extension::Extension;
use crate::state::guarded::{caught, panic_text};
use crate::state::host_functions::Side;
use crate::stdlib;
use crate::value::{FormatError, Value, encode_list};
use crate::vm::protocol::Outcome;
use crate::vm::{RawVm, out_of_memory};
use std::cell::OnceCell;
use std::ffi::CStr;
use std::fmt;
use std::rc::Rc;

/// A library for Lua. [`Builder::library`](crate::Builder::library) adds one to a VM, and a wasm module lists those of its VM in
/// `exports!`.
///
/// ```
/// use perilune::{Error, Library, Runtime, Vm};
///
/// struct Geometry;
///
/// impl Library for Geometry {
///     fn name(&self) -> &str {
///         "geometry"
///     }
///
///     fn open(&self, vm: &mut Vm) -> perilune::Result<()> {
///         vm.register("geometry.area", |_: &mut Vm, (w, h): (f64, f64)| Ok::<_, Error>(w * h))
///     }
/// }
///
/// let mut lua = Runtime::builder().library(Geometry).build()?;
/// assert_eq!(lua.eval("return geometry.area(2, 3)")?.values, [6.0.into()]);
/// # Ok::<(), Error>(())
/// ```
pub trait Library {
    /// The name under which scripts find it, and by which a VM is told to have it or not: of a global, a module or both.
    fn name(&self) -> &str;

    /// Makes it known to Lua, once, before any script runs.
    ///
    /// # Errors
    /// Any: the VM is not made then.
    fn open(&self, vm: &mut Vm) -> Result<()>;
}

impl fmt::Debug for dyn Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The module `json`: JSON from and to Lua values (docs/lua-api.md, section 4).
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

/// The module `base64`: Base64 from and to strings (docs/lua-api.md, section 5).
#[derive(Debug, Clone, Copy, Default)]
pub struct Base64;

impl Library for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn open(&self, vm: &mut Vm) -> Result<()> {
        vm.add_module(c"json", stdlib::open_json)
    }
}

impl Library for Base64 {
    fn name(&self) -> &'static str {
        "base64"
    }

    fn open(&self, vm: &mut Vm) -> Result<()> {
        vm.add_module(c"base64", stdlib::open_base64)
    }
}

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
        Some(told) => fields.extend([
            text(&told.traceback),
            text(&told.chunk),
            number(told.line),
            told.value.clone(),
            number(told.number),
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
        ErrorKind::Storage(_) => Outcome::Storage,
        ErrorKind::Value(_) => Outcome::Value,
        ErrorKind::Usage(_) => Outcome::Usage,
        ErrorKind::Bug(_) => Outcome::Bug,
    }
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        ErrorKind::Value(error.to_string()).into()
    }
}

impl Vm {
    /// Adds operations to those of [`Vm::request_raw`]: `run` gets numbers from 256 on, the arguments as a list in bytes
    /// (docs/codec.md, section 1), and writes its results; None says that there is no such operation. Each is a call of its
    /// own, with the limits of one, and a batch of the store.
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

    /// Opens a library that the builder or the module lists.
    pub(crate) fn open_library(&mut self, library: &dyn Library) -> Result<()> {
        self.context_mut().libraries.push(library.name().into());
        library.open(self)
    }

    /// Makes a module known that `require` opens.
    fn add_module(&mut self, name: &CStr, open: raw::lua_CFunction) -> Result<()> {
        let added = self.raw().entry().protect(0, |stack| {
            stdlib::add_module(stack, name, open);
            Ok(())
        });
        if added == Status::Ok { Ok(()) } else { Err(out_of_memory()) }
    }
}
