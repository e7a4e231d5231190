//! The same VM through the crate mlua, for Rust programs that have or want its interface: [`Runtime::mlua`].
//!
//! Keeps true: a VM is not closed while a handle of it is alive, in whatever order runtime and handles are
//! dropped.
//!
//! Not here: another Lua. mlua links to the Lua that is built here, and `mlua::Lua::new` says so when it is
//! tried.

use crate::api::runtime::Runtime;
use crate::error::{Error, Result};
use crate::limits::MLUA_START_BYTES;
use crate::lua::{Stack, raw};
use crate::vm::{OwnedVm, out_of_memory};
use mlua::Lua;
use std::ffi::c_int;
use std::ops::Deref;
use std::rc::Rc;

/// The [`mlua::Lua`](Lua) of a VM, which lives at least as long as this handle. [`Runtime::mlua`] gives one;
/// a clone counts.
#[derive(Debug, Clone)]
pub struct MluaHandle {
    lua: Lua,
    /// Owner of the state, dropped after `lua`.
    _owner: Rc<OwnedVm>,
}

impl Deref for MluaHandle {
    type Target = Lua;

    fn deref(&self) -> &Lua {
        &self.lua
    }
}

impl Runtime {
    /// This VM as an [`mlua::Lua`](Lua): globals, functions and external tables are the same, and so is the
    /// memory limit. Functions and userdata made with it stay when it is dropped.
    ///
    /// Output of code that runs through it reaches the host with the next call of the runtime (or past 16
    /// KiB), and its writes to external tables belong to the batch of that call. While it runs, calls of the
    /// runtime are `usage` errors. The VM is closed when the runtime and all handles are gone; tables and
    /// functions of mlua's that are left then panic when they are used. A callback that has captured a handle
    /// keeps the VM for good.
    ///
    /// # Safety
    /// Code runs through the `Lua`, or through anything made with it, at no other time than between calls of
    /// the runtime and inside of functions that Lua calls; so neither from within a method of the
    /// [`Host`](crate::Host) or the [`TableStore`](crate::TableStore), nor while a reference of `host()` or
    /// `store()` is in use. A clone of the `Lua` itself, which mlua hands to callbacks and [`Lua::clone`]
    /// makes, is not used after the VM is closed; neither is what `WeakLua::upgrade` gives while it is being
    /// closed.
    ///
    /// # Errors
    /// `memory` when less than 16 KiB are left for the first call, which sets mlua up; `usage` while Lua
    /// runs.
    pub unsafe fn mlua(&mut self) -> Result<MluaHandle> {
        let stack = self.raw().entry();
        if stack.is_running() || stack.top() != 0 {
            return Err(Error::usage("the runtime was called from inside of mlua"));
        }
        // From here on a script allocates between operations, too: the host's reserve stays the host's.
        self.context().memory.for_host();
        let lua = self.context().has_mlua || has_room(self);
        let lua = lua.then(|| {
            // SAFETY: a live thread of the state. The reference is used now only, and the clone is kept
            // beside an owner.
            unsafe { Lua::get_or_init_from_ptr(stack.as_ptr()) }.clone()
        });
        self.context().memory.for_script();
        let lua = lua.ok_or_else(out_of_memory)?;
        self.context_mut().has_mlua = true;
        Ok(MluaHandle { lua, _owner: Rc::clone(self.owned()) })
    }
}

/// Setting mlua up must not run out of memory: it panics then.
fn has_room(runtime: &Runtime) -> bool {
    let stats = runtime.stats();
    stats.limit_bytes - stats.used_bytes >= MLUA_START_BYTES
}

/// Compiles only without mlua's feature `send`: a runtime stays on its thread, and so must everything that
/// reaches into it.
#[allow(dead_code, reason = "it is the compiler that reads it")]
fn never_sent() {
    trait Ambiguous<A> {
        fn check() {}
    }
    struct Sent;
    impl<T: ?Sized> Ambiguous<()> for T {}
    impl<T: ?Sized + Send> Ambiguous<Sent> for T {}
    // With `send`, `Lua` has both, and the compiler cannot tell which is meant here.
    <Lua as Ambiguous<_>>::check();
}

/// C Lua's own libraries that are not built here; mlua's `Lua::new` and `load_std_libs` name them.
macro_rules! left_out {
    ($($name:ident -> $result:ty),*) => {$(
        // SAFETY: nothing else has this name: build.rs leaves out the C files that would (loadlib, liolib,
        // loslib, ldblib, linit).
        #[unsafe(no_mangle)]
        unsafe extern "C-unwind" fn $name(l: *mut raw::lua_State) -> $result {
            // SAFETY: Lua calls this with its own valid state.
            refuse(unsafe { Stack::new(l) })
        }
    )*};
}
left_out!(
    luaopen_io -> c_int,
    luaopen_os -> c_int,
    luaopen_debug -> c_int,
    luaopen_package -> c_int,
    luaL_openlibs -> ()
);

fn refuse(stack: Stack) -> ! {
    stack.push_bytes(
        b"Lua is Perilune's in this program: make VMs with perilune::Runtime, not with mlua::Lua::new",
    );
    stack.raise()
}
