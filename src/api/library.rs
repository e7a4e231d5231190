//! Libraries: parts of what Lua sees that a VM opens by a list.

use crate::api::vm::Vm;
use crate::error::Result;
use crate::lua::{Status, raw};
use crate::stdlib;
use crate::vm::out_of_memory;
use std::ffi::CStr;
use std::fmt;

/// A library for Lua. [`Builder::library`](crate::Builder::library) adds one to a VM, and a wasm module lists
/// those of its VM in `exports!`.
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
    /// The name under which scripts find it, and by which a VM is configured to have it or not: of a global,
    /// a module or both.
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

impl Vm {
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
