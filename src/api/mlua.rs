//! The same VM through the crate mlua, for Rust programs that have or want its interface: [`Runtime::mlua`].
//!
//! Keeps true: a VM is not closed while an `mlua::Lua` of it is alive, so dropping the two in the wrong order leaks instead
//! of leaving it with freed memory. mlua is pinned to one version, because that rests on how it counts.
//!
//! Not here: another Lua. mlua links to the Lua that is built here, and `mlua::Lua::new` says so when it is tried.

use crate::api::runtime::Runtime;
use crate::error::{Error, ErrorKind, LuaError, Result};
use crate::limits::MLUA_START_BYTES;
use crate::lua::{Stack, raw};
use mlua::{Lua, WeakLua};
use std::ffi::c_int;
use std::rc::Weak;

impl Runtime {
    /// This VM as an [`mlua::Lua`](Lua): globals, functions and external tables are the same, and so is the memory
    /// limit. Functions and userdata made with it stay when it is dropped.
    ///
    /// What code that runs through it prints reaches the host with the next call of the runtime (or past 16 KiB), and
    /// what it writes to external tables belongs to the batch of that call. While it runs, calls of the runtime are `usage`
    /// errors. A VM whose runtime is dropped while an `mlua::Lua` of it is alive (also one that a callback has captured) is
    /// never closed, and goes on working. Otherwise it is closed then, and tables or functions of mlua's that are left panic
    /// when they are used.
    ///
    /// # Safety
    /// Code runs through the `Lua`, or through anything made with it, at no other time than between calls of the runtime
    /// and inside of functions that Lua calls; so neither from within a method of the [`Host`](crate::Host) or the
    /// [`TableStore`](crate::TableStore), nor while a reference of `host()` or `store()` is in use. While the runtime is being dropped,
    /// destructors of userdata and callbacks make no `Lua` (by `WeakLua::upgrade`) that outlives them.
    ///
    /// # Errors
    /// `memory` when less than 16 KiB are left for the first call, which sets mlua up; `usage` while Lua runs.
    pub unsafe fn mlua(&mut self) -> Result<Lua> {
        let stack = self.entry();
        if !is_idle(stack) {
            return Err(Error::usage("the runtime was called from inside of mlua"));
        }
        // From here on a script allocates between operations, too: the host's reserve stays the host's.
        self.context().memory.for_host();
        let lua = self.context().lent.is_some() || has_room(self);
        let lua = lua.then(|| {
            // SAFETY: a live thread of the state. The reference is used now only; a clone counts, see `Lent`.
            unsafe { Lua::get_or_init_from_ptr(stack.as_ptr()) }.clone()
        });
        self.context().memory.for_script();
        let Some(lua) = lua else {
            let message = "not enough memory".into();
            return Err(ErrorKind::Memory(LuaError { message, ..LuaError::default() }).into());
        };
        self.context_mut().lent = Some(Lent(lua.weak()));
        Ok(lua)
    }
}

/// Does nothing run, and has mlua nothing on the stack of the thread? An operation would sweep it away.
pub(crate) fn is_idle(stack: Stack) -> bool {
    // SAFETY: lua_Debug is plain data, and lua_getstack writes to it.
    let mut info: raw::lua_Debug = unsafe { std::mem::zeroed() };
    // SAFETY: the state is live; asking for the innermost call changes nothing else.
    let running = unsafe { raw::lua_getstack(stack.as_ptr(), 0, &raw mut info) } != 0;
    !running && stack.top() == 0
}

/// Setting mlua up must not run out of memory: it panics then.
fn has_room(runtime: &Runtime) -> bool {
    let stats = runtime.stats();
    stats.limit_bytes - stats.used_bytes >= MLUA_START_BYTES
}

/// That mlua knows this VM.
pub(crate) struct Lent(WeakLua);

impl Lent {
    /// Is there an `mlua::Lua` beyond the one that mlua keeps inside of the VM?
    pub(crate) fn is_held(&self) -> bool {
        const { assert!(size_of::<WeakLua>() == size_of::<Weak<()>>()) };
        const { assert!(align_of::<WeakLua>() == align_of::<Weak<()>>()) };
        // SAFETY: in mlua 0.12.2 (pinned) a WeakLua has one field, a `Weak` (of `std::rc`: see `never_sent`), which by the
        // sizes above fills it. What it points to begins with the two counters whatever it holds, and only those are read.
        let weak = unsafe { &*(&raw const self.0).cast::<Weak<()>>() };
        weak.strong_count() > 1
    }
}

impl std::fmt::Debug for Lent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lent")
    }
}

/// Compiles only without mlua's feature `send`: a runtime stays on its thread, and so must everything that reaches into it.
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
        // SAFETY: nothing else has this name: build.rs leaves out the C files that would (loadlib, liolib, loslib, ldblib,
        // linit).
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
