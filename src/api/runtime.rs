//! `Runtime`: a VM as an ordinary value, and the `Builder` that makes it.

use crate::api::files::Files;
use crate::api::function_table::FunctionTable;
use crate::api::library::{Base64, Json, Library};
use crate::api::vm::{Vm, VmParts};
use crate::error::Result;
use crate::host::{Host, NativeHost};
use crate::limits::MEMORY_DEFAULT_BYTES;
use crate::state::host_functions::{Functions, HostFunctions, Side};
use crate::store::{MemoryStore, TableStore};
use crate::value::Value;
use crate::vm::{OwnedVm, Sizes};
use std::cell::OnceCell;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

/// Sizes that a VM may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of memory, 2 MiB unless said otherwise, at least 512 KiB: natively those of Lua (strings,
    /// tables, functions, stacks), in the wasm module those of the whole linear memory.
    pub memory_bytes: usize,
    /// Bytes that Lua may have of them; None (the default) is all. For a module in which other guests share
    /// the memory.
    pub lua_bytes: Option<usize>,
    /// Slots of a Lua stack, of 16 bytes each: how deep calls may nest. None (the default) derives them from
    /// the memory, one for 128 bytes; values are taken into the range from 1,000 to 1,000,000.
    pub stack_slots: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { memory_bytes: MEMORY_DEFAULT_BYTES, lua_bytes: None, stack_slots: None }
    }
}

impl Limits {
    fn sizes(self) -> Sizes {
        let lua_bytes = self.lua_bytes.map_or(self.memory_bytes, |bytes| bytes.min(self.memory_bytes));
        Sizes { limit_bytes: self.memory_bytes, lua_bytes, stack_slots: self.stack_slots }
    }
}

/// Sets up a [`Runtime`].
#[derive(Debug)]
pub struct Builder {
    host: Option<Box<dyn Host>>,
    store: Option<Box<dyn TableStore>>,
    limits: Limits,
    modules: Vec<(String, Vec<u8>)>,
    /// Libraries, in the order in which they are opened.
    libraries: Vec<Box<dyn Library>>,
    /// Names of those that the VM has; None: all.
    names: Option<Vec<String>>,
    files: Option<Files>,
    arguments: Option<Vec<Vec<u8>>>,
}

impl Default for Builder {
    fn default() -> Self {
        Builder {
            host: None,
            store: None,
            limits: Limits::default(),
            modules: Vec::new(),
            libraries: vec![Box::new(Json), Box::new(Base64)],
            names: None,
            files: None,
            arguments: None,
        }
    }
}

/// A Lua VM with its libraries, its host and its store: owns what a [`Vm`] works with, and can be used as
/// one.
#[derive(Debug)]
pub struct Runtime {
    vm: VmParts,
    /// Owner of the state, dropped after `vm`. Shared with the handles of mlua, which may live longer.
    #[allow(dead_code, reason = "without mlua it is there to be dropped")]
    owned: Rc<OwnedVm>,
}

impl Deref for Runtime {
    type Target = Vm;

    fn deref(&self) -> &Vm {
        self.vm.as_vm()
    }
}

impl DerefMut for Runtime {
    fn deref_mut(&mut self) -> &mut Vm {
        self.vm.as_vm_mut()
    }
}

impl Builder {
    /// The world around the VM. Default: [`NativeHost`].
    #[must_use]
    pub fn host(mut self, host: impl Host + 'static) -> Self {
        self.host = Some(Box::new(host));
        self
    }

    /// Sets the store of external tables. Default: [`MemoryStore`].
    #[must_use]
    pub fn store(mut self, store: impl TableStore + 'static) -> Self {
        self.store = Some(Box::new(store));
        self
    }

    /// Sets the limits of the VM.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// A module that `require(name)` finds.
    #[must_use]
    pub fn module(mut self, name: impl Into<String>, source: impl Into<Vec<u8>>) -> Self {
        self.modules.push((name.into(), source.into()));
        self
    }

    /// Adds a library, opened after those that are there already ([`Json`] and [`Base64`] first).
    #[must_use]
    pub fn library(mut self, library: impl Library + 'static) -> Self {
        self.libraries.push(Box::new(library));
        self
    }

    /// The libraries that Lua has, beside the base library: of `string`, `table`, `math`, `utf8`,
    /// `coroutine`, `os`, `io`, `debug`, `package` (with `require`), `ext`, `async`, `host`, `json`, `base64`
    /// and those added by [`Builder::library`]. Default: all. Without `string`, strings have no methods.
    #[must_use]
    pub fn libraries(mut self, names: &[&str]) -> Self {
        self.names = Some(names.iter().map(|&name| name.to_owned()).collect());
        self
    }

    /// Gives programs files: `io.open`, `io.lines`, `loadfile`, `dofile`, `os.remove` and their kin,
    /// `require` by `package.path`, and `os.exit`. Default: none of these is there.
    ///
    /// ```
    /// use perilune::{Files, Runtime};
    /// let files = Files::new().fixed("lib/greet.lua", "return function(who) return 'Hello ' .. who end");
    /// let mut lua = Runtime::builder().files(files.file("who.txt", "world\n")).build()?;
    /// lua.eval("io.open('out.txt', 'w'):write(require 'lib/greet' (io.lines('who.txt')())):close()")?;
    /// assert_eq!(lua.read_file("out.txt")?.as_deref(), Some(&b"Hello world"[..]));
    /// # Ok::<(), perilune::Error>(())
    /// ```
    #[must_use]
    pub fn files(mut self, files: Files) -> Self {
        self.files = Some(files);
        self
    }

    /// The arguments that each program gets as `...`, and in the global `arg`; with them it has `os.exit`.
    #[must_use]
    pub fn arguments<T: Into<Vec<u8>>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments = Some(arguments.into_iter().map(Into::into).collect());
        self
    }

    /// Makes the VM.
    ///
    /// # Errors
    /// `usage` when the memory limit is below 512 KiB, there is no library of such a name, or a file cannot
    /// be, `memory` when there is no memory for the libraries, `storage` when the store does not give its
    /// files.
    pub fn build(self) -> Result<Runtime> {
        let host = self.host.unwrap_or_else(|| Box::new(NativeHost::default()));
        let store = self.store.unwrap_or_else(|| Box::new(MemoryStore::new()));
        let table = FunctionTable::new(self.modules);
        let functions = Functions { host: Rc::clone(&table) as Rc<dyn HostFunctions>, rust: None };
        let mut runtime = Runtime::assemble(host, store, functions, self.limits.sizes())?;
        runtime.vm.functions = OnceCell::from(table);
        let wanted =
            |name: &str| self.names.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted == name));
        for library in self.libraries.iter().filter(|library| wanted(library.name())) {
            runtime.open_library(&**library)?;
        }
        if let Some(names) = &self.names {
            let names: Vec<Value> = names.iter().map(|name| name.as_str().into()).collect();
            runtime.keep_libraries(&names)?;
        }
        if let Some(files) = self.files {
            runtime.open_files(files)?;
        }
        if let Some(arguments) = self.arguments {
            runtime.set_arguments(arguments)?;
        }
        Ok(runtime)
    }
}

impl Runtime {
    /// Makes a VM of parts, for a caller that has all of them (the wasm module need not carry the default
    /// ones).
    pub(crate) fn assemble(
        host: Box<dyn Host>,
        store: Box<dyn TableStore>,
        functions: Functions,
        sizes: Sizes,
    ) -> Result<Runtime> {
        let owned = OwnedVm::new(host, store, functions, sizes)?;
        owned.open_libraries()?;
        let vm = VmParts::new(owned.raw(Side::Rust));
        Ok(Runtime { vm, owned: Rc::new(owned) })
    }

    /// The owner of the state, for what must keep it alive.
    #[cfg(feature = "mlua")]
    pub(crate) fn owned(&self) -> &Rc<OwnedVm> {
        &self.owned
    }

    /// Starts with defaults: see [`Builder`].
    pub fn builder() -> Builder {
        Builder::default()
    }
}
