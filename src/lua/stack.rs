//! `Stack`: the calls of C Lua that Perilune uses, each with its effect on the Lua stack.

use super::functions::Thrown;
use super::raw::{self, lua_State};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::{ptr, slice};

/// A `lua_State` that is valid for as long as this value is used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stack(*mut lua_State);

/// Status of a protected call or a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Ok,
    Runtime,
    Syntax,
    Memory,
    /// The message handler itself failed.
    Handler,
}

impl Status {
    fn from_raw(status: c_int) -> Self {
        match status {
            raw::LUA_OK | raw::LUA_YIELD => Status::Ok,
            raw::LUA_ERRSYNTAX => Status::Syntax,
            raw::LUA_ERRMEM => Status::Memory,
            raw::LUA_ERRERR => Status::Handler,
            _ => Status::Runtime,
        }
    }
}

unsafe extern "C-unwind" {
    // lua-5.4/port/gc_pause.c
    fn perilune_gc_pause(l: *mut lua_State, debt: *mut GcDebt);
    fn perilune_gc_resume(l: *mut lua_State, debt: *const GcDebt);
    // lua-5.4/port/ldo_port.c
    fn perilune_call_under_handler(l: *mut lua_State, arguments: c_int) -> c_int;
    fn perilune_raise(l: *mut lua_State) -> c_int;
    fn perilune_yield(
        l: *mut lua_State,
        results: c_int,
        context: raw::lua_KContext,
        continuation: Option<raw::lua_KFunction>,
    ) -> c_int;
    // lua-5.4/port/close.c
    fn perilune_close_variables(l: *mut lua_State);
    // lua-5.4/port/strip.c
    fn perilune_strip(l: *mut lua_State);
    // lua-5.4/port/lcorolib_port.c
    static perilune_waiting: c_char;
    fn perilune_end_task(l: *mut lua_State, from: *mut lua_State, may_wait: c_int) -> c_int;
    // lauxlib.h; mlua-sys leaves it out. `[-0, +0, v]`
    fn luaL_typeerror(l: *mut lua_State, argument: c_int, expected: *const c_char) -> c_int;
}

/// Role of a thread, which says if a host function on it may wait: `enum perilune_role`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Role {
    /// A thread outside of tasks, on which the host cannot suspend anything.
    Plain = 0,
    /// A coroutine that a task resumed, directly or not. Set by `lcorolib_port.c`.
    #[allow(dead_code, reason = "C sets it")]
    InTask = 1,
    /// The coroutine of a task itself.
    Task = 2,
}

/// Bits of the word that says the role, below the role itself: `enum perilune_role`.
mod role_bits {
    use std::ffi::c_int;

    pub(super) const ROLES: c_int = 3;
    pub(super) const ENDING: c_int = 8;
    pub(super) const REPLACED: c_int = 16;
    pub(super) const CANCELLED: c_int = 32;
}

/// Outcome of resuming a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resumed {
    /// The thread ended; so many results lie on its stack.
    Returned(c_int),
    /// A host function waits; what says so lies on its stack.
    Waits,
    /// The thread yielded for another reason.
    Yielded,
    /// The thread failed; the error value lies on its stack.
    Failed(Status),
}

/// Debt of the collector before a pause: `struct perilune_gc_debt`.
#[repr(C)]
struct GcDebt {
    debt: isize,
    total: usize,
    stopped: c_int,
}

/// The name of a type, as Lua's error messages have it.
pub(crate) fn name_of_type(kind: c_int) -> &'static str {
    match kind {
        raw::LUA_TNIL => "nil",
        raw::LUA_TBOOLEAN => "boolean",
        raw::LUA_TLIGHTUSERDATA | raw::LUA_TUSERDATA => "userdata",
        raw::LUA_TNUMBER => "number",
        raw::LUA_TSTRING => "string",
        raw::LUA_TTABLE => "table",
        raw::LUA_TFUNCTION => "function",
        raw::LUA_TTHREAD => "thread",
        _ => "no value",
    }
}

/// One call of C Lua. Sound because of the invariant of `Stack`.
macro_rules! call {
    ($f:ident($($arg:expr),*)) => {
        // SAFETY: the state is valid (the promise made to `Stack::new`), the index or count was pushed by the
        // caller, and no frame between here and the protected call below holds a destructor if this raises.
        unsafe { raw::$f($($arg),*) }
    };
}

impl Stack {
    /// # Safety
    /// `l` must be a live state (or thread of one) of this runtime, used on its thread only.
    pub(crate) unsafe fn new(l: *mut lua_State) -> Self {
        Stack(l)
    }

    pub(crate) fn as_ptr(self) -> *mut lua_State {
        self.0
    }

    // ---- extent ----

    /// `[-0, +0, -]`
    pub(crate) fn top(self) -> c_int {
        call!(lua_gettop(self.0))
    }

    /// `[-?, +?, -]`: no to-be-closed variable is ever in a Rust frame, so this never raises here.
    pub(crate) fn set_top(self, index: c_int) {
        call!(lua_settop(self.0, index));
    }

    /// `[-n, +0, -]`
    pub(crate) fn pop(self, n: c_int) {
        self.set_top(-n - 1);
    }

    /// Makes sure that the stack has `n` more slots; false if it cannot. `[-0, +0, -]`
    pub(crate) fn has_room(self, n: c_int) -> bool {
        call!(lua_checkstack(self.0, n)) != 0
    }

    /// `[-0, +0, -]`
    pub(crate) fn absolute(self, index: c_int) -> c_int {
        call!(lua_absindex(self.0, index))
    }

    /// `[-0, +1, -]`
    pub(crate) fn push_copy(self, index: c_int) {
        call!(lua_pushvalue(self.0, index));
    }

    /// `[-1, +1, -]`: moves the top to `index`, shifting up.
    pub(crate) fn insert(self, index: c_int) {
        call!(lua_rotate(self.0, index, 1));
    }

    /// Moves the top `n` values to another thread, which must have room. `[-n, +0, -]`, there `[-0, +n, -]`
    pub(crate) fn move_to(self, to: Stack, n: c_int) {
        call!(lua_xmove(self.0, to.0, n));
    }

    /// `[-1, +0, -]`
    pub(crate) fn remove(self, index: c_int) {
        call!(lua_rotate(self.0, index, -1));
        self.pop(1);
    }

    /// `[-1, +0, -]`
    pub(crate) fn replace(self, index: c_int) {
        call!(lua_copy(self.0, -1, index));
        self.pop(1);
    }

    // ---- reading ----

    /// `LUA_TNIL` ..., `LUA_TNONE` past the top. `[-0, +0, -]`
    #[inline]
    pub(crate) fn type_of(self, index: c_int) -> c_int {
        call!(lua_type(self.0, index))
    }

    /// The name of the type of the value at `index`, as Lua's error messages have it. `[-0, +0, -]`
    pub(crate) fn type_name(self, index: c_int) -> &'static str {
        name_of_type(self.type_of(index))
    }

    /// `[-0, +0, -]`
    pub(crate) fn is_none_or_nil(self, index: c_int) -> bool {
        self.type_of(index) <= raw::LUA_TNIL
    }

    /// `[-0, +0, -]`
    pub(crate) fn boolean(self, index: c_int) -> bool {
        call!(lua_toboolean(self.0, index)) != 0
    }

    /// True if it is a number of subtype integer. `[-0, +0, -]`
    #[inline]
    pub(crate) fn is_integer(self, index: c_int) -> bool {
        call!(lua_isinteger(self.0, index)) != 0
    }

    /// The integer that the value is or converts to without loss (also from a string). `[-0, +0, -]`
    #[inline]
    pub(crate) fn integer(self, index: c_int) -> Option<i64> {
        let mut exact = 0;
        let value = call!(lua_tointegerx(self.0, index, &raw mut exact));
        (exact != 0).then_some(value)
    }

    /// The number that the value is or converts to. `[-0, +0, -]`
    #[inline]
    pub(crate) fn number(self, index: c_int) -> Option<f64> {
        let mut is_number = 0;
        let value = call!(lua_tonumberx(self.0, index, &raw mut is_number));
        (is_number != 0).then_some(value)
    }

    /// The bytes of a string, None for every other type (numbers are not converted). `[-0, +0, -]`
    ///
    /// # Safety
    /// The slice is valid only as long as the string stays on the stack (or anchored elsewhere).
    #[inline]
    pub(crate) unsafe fn bytes<'a>(self, index: c_int) -> Option<&'a [u8]> {
        if self.type_of(index) != raw::LUA_TSTRING {
            return None;
        }
        let mut len = 0;
        let start = call!(lua_tolstring(self.0, index, &raw mut len));
        // SAFETY: `start` and `len` are of the string at `index`, which the caller keeps anchored.
        Some(unsafe { slice::from_raw_parts(start.cast(), len) })
    }

    /// An address that tells tables, functions, threads and userdata apart. `[-0, +0, -]`
    pub(crate) fn address(self, index: c_int) -> usize {
        self.pointer(index).addr()
    }

    pub(super) fn pointer(self, index: c_int) -> *const c_void {
        call!(lua_topointer(self.0, index))
    }

    /// True if both are the same value, without metamethods. `[-0, +0, -]`
    pub(crate) fn raw_equal(self, a: c_int, b: c_int) -> bool {
        call!(lua_rawequal(self.0, a, b)) != 0
    }

    /// The C function that the value is. `[-0, +0, -]`
    pub(crate) fn c_function(self, index: c_int) -> Option<raw::lua_CFunction> {
        call!(lua_tocfunction(self.0, index))
    }

    /// Pushes an upvalue of a function; false (and nothing) when there is none. `[-0, +(0|1), -]`
    pub(crate) fn push_upvalue(self, function: c_int, n: c_int) -> bool {
        !call!(lua_getupvalue(self.0, function, n)).is_null()
    }

    /// Sets an upvalue of a function, which must have it. `[-1, +0, -]`
    pub(crate) fn set_upvalue(self, function: c_int, n: c_int) {
        call!(lua_setupvalue(self.0, function, n));
    }

    /// `[-0, +0, -]`
    pub(crate) fn userdata(self, index: c_int) -> *mut c_void {
        call!(lua_touserdata(self.0, index))
    }

    // ---- pushing ----

    /// `[-0, +1, -]`
    pub(crate) fn push_nil(self) {
        call!(lua_pushnil(self.0));
    }

    /// `[-0, +1, -]`
    pub(crate) fn push_boolean(self, value: bool) {
        call!(lua_pushboolean(self.0, c_int::from(value)));
    }

    /// `[-0, +1, -]`
    #[inline]
    pub(crate) fn push_integer(self, value: i64) {
        call!(lua_pushinteger(self.0, value));
    }

    /// `[-0, +1, -]`
    #[inline]
    pub(crate) fn push_number(self, value: f64) {
        call!(lua_pushnumber(self.0, value));
    }

    /// `[-0, +1, m]`
    #[inline]
    pub(crate) fn push_bytes(self, bytes: &[u8]) {
        call!(lua_pushlstring(self.0, bytes.as_ptr().cast::<c_char>(), bytes.len()));
    }

    /// `[-0, +1, -]`
    pub(crate) fn push_address(self, address: *mut c_void) {
        call!(lua_pushlightuserdata(self.0, address));
    }

    /// `[-n, +1, m]`: a C function with `n` upvalues; without any it never raises.
    pub(crate) fn push_function(self, function: raw::lua_CFunction, upvalues: c_int) {
        call!(lua_pushcclosure(self.0, function, upvalues));
    }

    /// `[-0, +1, m]`
    pub(crate) fn push_table(self, array: usize, pairs: usize) {
        let hint = |n: usize| c_int::try_from(n).unwrap_or(c_int::MAX);
        call!(lua_createtable(self.0, hint(array), hint(pairs)));
    }

    /// A table that does not keep its keys ("k") or its values ("v") alive (manual, section 2.5.4).
    /// `[-0, +1, m]`
    pub(crate) fn push_weak_table(self, mode: &[u8]) {
        self.push_table(0, 0);
        self.push_table(0, 1);
        self.push_bytes(mode);
        self.set_field(-2, c"__mode");
        self.set_metatable(-2);
    }

    /// A block of `bytes` without user values, aligned to 8. `[-0, +1, m]`
    pub(crate) fn push_userdata(self, bytes: usize) -> *mut c_void {
        call!(lua_newuserdatauv(self.0, bytes, 0))
    }

    /// A block of `bytes` with one user value, nil. `[-0, +1, m]`
    pub(crate) fn push_userdata_with_value(self, bytes: usize) -> *mut c_void {
        call!(lua_newuserdatauv(self.0, bytes, 1))
    }

    /// The user value of such a block. `[-0, +1, -]`
    pub(crate) fn push_user_value(self, userdata: c_int) {
        call!(lua_getiuservalue(self.0, userdata, 1));
    }

    /// `[-1, +0, -]`
    pub(crate) fn set_user_value(self, userdata: c_int) {
        call!(lua_setiuservalue(self.0, userdata, 1));
    }

    /// A new thread. `[-0, +1, m]`
    pub(crate) fn push_thread(self) -> Stack {
        Stack(call!(lua_newthread(self.0)))
    }

    /// The position of the running Lua function at `level`, "chunk:line: ", or "". `[-0, +1, m]`
    pub(crate) fn push_where(self, level: c_int) {
        call!(luaL_where(self.0, level));
    }

    /// `[-0, +1, -]`
    pub(crate) fn push_globals(self) {
        self.raw_get_index(raw::LUA_REGISTRYINDEX, raw::LUA_RIDX_GLOBALS);
    }

    // ---- tables ----

    /// `[-1, +1, -]`
    pub(crate) fn raw_get(self, table: c_int) -> c_int {
        call!(lua_rawget(self.0, table))
    }

    /// `[-0, +1, -]`
    pub(crate) fn raw_get_index(self, table: c_int, index: i64) -> c_int {
        call!(lua_rawgeti(self.0, table, index))
    }

    /// `[-0, +1, -]`
    pub(crate) fn raw_get_address(self, table: c_int, key: *const c_void) -> c_int {
        call!(lua_rawgetp(self.0, table, key))
    }

    /// `[-2, +0, m]`
    pub(crate) fn raw_set(self, table: c_int) {
        call!(lua_rawset(self.0, table));
    }

    /// `[-1, +0, m]`
    pub(crate) fn raw_set_index(self, table: c_int, index: i64) {
        call!(lua_rawseti(self.0, table, index));
    }

    /// `[-1, +0, m]`
    pub(crate) fn raw_set_address(self, table: c_int, key: *const c_void) {
        call!(lua_rawsetp(self.0, table, key));
    }

    /// `[-1, +(2|0), -]`: the key must be one that the table has had; false at the end.
    pub(crate) fn next(self, table: c_int) -> bool {
        call!(lua_next(self.0, table)) != 0
    }

    /// Pushes `table[name]`, with metamethods, and returns its type. `[-0, +1, e]`
    pub(crate) fn get_field(self, table: c_int, name: &CStr) -> c_int {
        call!(lua_getfield(self.0, table, name.as_ptr()))
    }

    /// Pops a value into `table[name]`, with metamethods. `[-1, +0, e]`
    pub(crate) fn set_field(self, table: c_int, name: &CStr) {
        call!(lua_setfield(self.0, table, name.as_ptr()));
    }

    /// Replaces the key on top by `table[key]`, with metamethods, and returns its type. `[-1, +1, e]`
    pub(crate) fn get(self, table: c_int) -> c_int {
        call!(lua_gettable(self.0, table))
    }

    /// `[-0, +(0|1), -]`
    pub(crate) fn push_metatable(self, index: c_int) -> bool {
        call!(lua_getmetatable(self.0, index)) != 0
    }

    /// True if the value's metatable has this field. `[-0, +0, m]`
    pub(crate) fn has_metafield(self, index: c_int, name: &CStr) -> bool {
        let found = call!(luaL_getmetafield(self.0, index, name.as_ptr())) != raw::LUA_TNIL;
        if found {
            self.pop(1);
        }
        found
    }

    /// `[-1, +0, -]`
    pub(crate) fn set_metatable(self, index: c_int) {
        call!(lua_setmetatable(self.0, index));
    }

    /// Sets fields to plain C functions. `[-0, +0, m]`
    pub(crate) fn set_functions(self, table: c_int, functions: &[(&CStr, raw::lua_CFunction)]) {
        let table = self.absolute(table);
        for (name, function) in functions {
            self.push_function(*function, 0);
            self.set_field(table, name);
        }
    }

    // ---- calling ----

    /// Compiles text (never binary code), from a buffer that Lua code may change: no finalizer runs
    /// meanwhile. Pushes the function, or the error message. `[-0, +1, -]`
    pub(crate) fn load_text(self, source: &[u8], name: &CStr) -> Status {
        let (text, len, name) = (source.as_ptr().cast(), source.len(), name.as_ptr());
        self.without_collector(|stack| {
            // SAFETY: the pointers are valid for the call; the state is valid (see `Stack::new`). Loading is
            // protected.
            Status::from_raw(unsafe { raw::luaL_loadbufferx(stack.0, text, len, name, c"t".as_ptr()) })
        })
    }

    /// Takes lines and names of locals from the Lua function on top: errors then do not name its lines.
    /// `[-0, +0, -]`
    pub(crate) fn strip(self) {
        // SAFETY: the caller has compiled the function on top, so it is a Lua function.
        unsafe { perilune_strip(self.0) };
    }

    // ---- threads ----

    /// The word before the thread that says its role.
    fn role_place(self) -> *mut c_int {
        // SAFETY: LUA_EXTRASPACE is two words (port/config.h); mlua-sys points to the second, next to the
        // state.
        unsafe { raw::lua_getextraspace(self.0).cast::<*mut c_void>().sub(1).cast() }
    }

    /// `[-0, +0, -]`
    pub(crate) fn set_role(self, role: Role) {
        // SAFETY: the place is this thread's own word, wide enough for an int.
        unsafe { self.role_place().write(role as c_int) };
    }

    /// True if a host function that is called on this thread may suspend it. `[-0, +0, -]`
    pub(crate) fn may_wait(self) -> bool {
        self.role_bits() != Role::Plain as c_int && call!(lua_isyieldable(self.0)) != 0
    }

    fn role_bits(self) -> c_int {
        // SAFETY: as in `set_role`; the runtime wrote the main thread's word, which new threads copy.
        unsafe { self.role_place().read() }
    }

    /// Suspends the running task; `continuation` is called, with `context`, when the task is resumed. If this
    /// returns, the running function must return what it gives, at once. `[-?, +?, e]`
    pub(crate) fn wait(self, continuation: raw::lua_KFunction, context: c_int) -> c_int {
        self.push_address((&raw const perilune_waiting).cast_mut().cast());
        // SAFETY: the state is valid, one value was pushed, and no frame up to the protected call holds a
        // destructor if this jumps.
        unsafe { perilune_yield(self.0, 1, context as raw::lua_KContext, Some(continuation)) }
    }

    /// True if this thread is suspended in `wait`. `[-0, +0, -]`
    pub(crate) fn is_waiting(self) -> bool {
        call!(lua_status(self.0)) == raw::LUA_YIELD
            && self.top() > 0
            && self.userdata(-1).cast_const().cast() == &raw const perilune_waiting
    }

    /// Runs this thread with the top `args` values (and, to start it, the function below them). `[-?, +?, -]`
    pub(crate) fn resume(self, from: Stack, args: c_int) -> Resumed {
        let mut results = 0;
        match call!(lua_resume(self.0, from.0, args, &raw mut results)) {
            raw::LUA_OK => Resumed::Returned(results),
            raw::LUA_YIELD if self.is_waiting() => Resumed::Waits,
            raw::LUA_YIELD => Resumed::Yielded,
            status => Resumed::Failed(Status::from_raw(status)),
        }
    }

    /// Ends the task that this thread is, which waits or has failed: pending variables, also of the
    /// coroutines in which it waits, are closed, and get the error that is on top, if one has ended it. None:
    /// a closing method waits, which only `may_wait` allows, and this is to be called again. On failure the
    /// last error is all that is left: that one, or a later one of a closing method. `[-?, +(0|1), -]`
    pub(crate) fn end_task(self, from: Stack, may_wait: bool) -> Option<Status> {
        // SAFETY: both states are valid, and this thread does not run.
        match unsafe { perilune_end_task(self.0, from.0, c_int::from(may_wait)) } {
            raw::LUA_YIELD => None,
            status => Some(Status::from_raw(status)),
        }
    }

    /// Notes that the task that this thread is was cancelled: if its end had begun, it begins anew.
    /// `[-0, +0, -]`
    pub(crate) fn set_cancelled(self) {
        let bits = self.role_bits() & role_bits::ROLES | role_bits::CANCELLED;
        // SAFETY: as in `set_role`.
        unsafe { self.role_place().write(bits) };
    }

    /// `[-0, +0, -]`
    pub(crate) fn is_cancelled(self) -> bool {
        self.role_bits() & role_bits::CANCELLED != 0
    }

    /// True if `end_task` has begun, and a closing method waits. `[-0, +0, -]`
    pub(crate) fn is_ending(self) -> bool {
        self.role_bits() & (role_bits::ENDING | role_bits::CANCELLED) != 0
    }

    /// True if a closing method has raised another error than the one that had ended the thread. `[-0, +0,
    /// -]`
    pub(crate) fn is_error_replaced(self) -> bool {
        self.role_bits() & role_bits::REPLACED != 0
    }

    /// `[-(args+1), +results, -]` or `[-(args+1), +1, -]`: `handler` is the index of a message handler, or 0.
    pub(crate) fn protected_call(self, args: c_int, results: c_int, handler: c_int) -> Status {
        Status::from_raw(call!(lua_pcall(self.0, args, results, handler)))
    }

    /// Calls a function like `protected_call` with all results, under the message handler that is in force:
    /// an error has been handled where it was raised, and can be raised again by `raise_past_handlers`.
    /// `[-(args+1), +results, -]` or `[-(args+1), +1, -]`
    pub(crate) fn call_under_handler(self, args: c_int) -> Status {
        // SAFETY: the state is valid, function and arguments were pushed by the caller; the call is
        // protected.
        Status::from_raw(unsafe { perilune_call_under_handler(self.0, args) })
    }

    /// `[-(args+1), +results, e]`
    pub(crate) fn call(self, args: c_int, results: c_int) {
        call!(lua_call(self.0, args, results));
    }

    /// Runs `body` in a protected call, so that it may use raising methods; what it leaves on the stack
    /// beyond `results` values is dropped. On failure the error value is pushed instead. `[-0, +results, -]`
    ///
    /// `body` must hold nothing with a destructor while it calls Lua; it may borrow.
    pub(crate) fn protect<F: FnMut(Stack) -> Result<(), Thrown>>(
        self,
        results: c_int,
        mut body: F,
    ) -> Status {
        self.push_function(run_borrowed::<F>, 0);
        self.push_address((&raw mut body).cast());
        self.protected_call(1, results, 0)
    }

    /// Runs `body` with the value at the top of the stack as its own top value; takes that value. On failure
    /// the error value is pushed instead. `[-1, +0, -]` or `[-1, +1, -]`
    ///
    /// The same rules as for `protect`.
    pub(crate) fn protect_with<F: FnMut(Stack) -> Result<(), Thrown>>(self, mut body: F) -> Status {
        self.push_function(run_borrowed::<F>, 0);
        self.insert(-2);
        self.push_address((&raw mut body).cast());
        self.insert(-2);
        self.protected_call(2, 0, 0)
    }

    /// Runs `body` like `protect`, while no finalizer can run: for a body that reads a buffer which Lua code
    /// could change. The value of the body's choice is its one result. `[-0, +results, -]`, or pushes the
    /// error value.
    pub(crate) fn protect_without_collector<F: FnMut(Stack) -> Result<(), Thrown>>(
        self,
        results: c_int,
        body: F,
    ) -> Status {
        self.without_collector(|stack| stack.protect(results, body))
    }

    /// Runs `body`, which must not raise, while no finalizer can run.
    fn without_collector<R>(self, body: impl FnOnce(Stack) -> R) -> R {
        let mut debt = GcDebt { debt: 0, total: 0, stopped: 0 };
        // SAFETY: the state is valid; pausing changes the collector, and nothing else.
        unsafe { perilune_gc_pause(self.0, &raw mut debt) };
        let result = body(self);
        // SAFETY: as above, and `debt` is what the matching pause wrote. Finalizers run here are caught by
        // Lua.
        unsafe { perilune_gc_resume(self.0, &raw const debt) };
        result
    }

    /// Closes all variables of this thread, which runs, that are to be closed. Errors of their methods are
    /// dropped, as at the end of a state, and the next are called as long as `goes_on` says so. `[-0, +0, -]`
    pub(crate) fn close_variables(self, goes_on: impl Fn(Stack) -> bool) {
        while goes_on(self) {
            let status = self.protect(0, |inner| {
                // SAFETY: the state is valid, and the call is protected.
                unsafe { perilune_close_variables(inner.0) };
                Ok(())
            });
            if status == Status::Ok {
                return;
            }
            self.pop(1);
        }
    }

    /// Raises the value on top. `[-1, +0, e]`
    pub(crate) fn raise(self) -> ! {
        call!(lua_error(self.0))
    }

    /// Raises the value on top from a C function, which must return what this gives, at once, if this
    /// returns. `[-1, +0, e]`
    pub(crate) fn end_by_raise(self) -> c_int {
        // SAFETY: the state is valid, and no frame up to the protected call holds a destructor if this jumps.
        unsafe { perilune_raise(self.0) }
    }

    /// Prepares `message` as an error with the position of the running Lua function at `level`. `[-0, +1, m]`
    pub(crate) fn throw_at(self, level: c_int, message: &[u8]) -> Thrown {
        // The message first: `message` may be a buffer that a finalizer, run by the next allocation, changes.
        self.push_bytes(message);
        call!(luaL_where(self.0, level));
        self.insert(-2);
        call!(lua_concat(self.0, 2));
        Thrown
    }

    /// The error that Lua itself raises: a plain string, without position. `[-0, +1, m]`
    pub(crate) fn throw_out_of_memory(self) -> Thrown {
        self.push_bytes(b"not enough memory");
        Thrown
    }

    /// Prepares an error like `throw_at` with the position of the calling function, as `luaL_error` does.
    /// `[-0, +1, m]`
    pub(crate) fn throw(self, message: &[u8]) -> Thrown {
        self.throw_at(1, message)
    }

    /// "bad argument #n to 'f' (name expected, got ...)". Raises at once. `[-?, +0, e]`
    pub(crate) fn type_error(self, argument: c_int, expected: &CStr) -> ! {
        // SAFETY: the state is valid, and no frame up to Lua holds a destructor when this raises.
        unsafe { luaL_typeerror(self.0, argument, expected.as_ptr()) };
        unreachable!("luaL_typeerror raises")
    }

    /// "bad argument #n to 'f' (message)". Raises at once. `[-?, +0, e]`
    pub(crate) fn argument_error(self, argument: c_int, message: &CStr) -> ! {
        call!(luaL_argerror(self.0, argument, message.as_ptr()));
        unreachable!("luaL_argerror raises")
    }

    // ---- arguments of library functions: the messages are C Lua's ----

    /// The string that an argument is, or that a number there is turned into. `[-0, +0, e]`
    ///
    /// # Safety
    /// As for `bytes`.
    pub(crate) unsafe fn check_bytes<'a>(self, argument: c_int) -> &'a [u8] {
        let mut len = 0;
        let start = call!(luaL_checklstring(self.0, argument, &raw mut len));
        // SAFETY: `start` and `len` are of the string at `argument`, which the caller keeps anchored.
        unsafe { slice::from_raw_parts(start.cast(), len) }
    }

    /// `[-0, +0, e]`
    pub(crate) fn check_integer(self, argument: c_int) -> i64 {
        call!(luaL_checkinteger(self.0, argument))
    }

    /// The integer at `argument`, or `default` where it is nil or none. `[-0, +0, e]`
    pub(crate) fn optional_integer(self, argument: c_int, default: i64) -> i64 {
        if self.is_none_or_nil(argument) { default } else { self.check_integer(argument) }
    }

    /// Refuses a missing argument. `[-0, +0, e]`
    pub(crate) fn check_any(self, argument: c_int) {
        call!(luaL_checkany(self.0, argument));
    }

    /// Refuses all but one type. `[-0, +0, e]`
    pub(crate) fn check_type(self, argument: c_int, lua_type: c_int) {
        call!(luaL_checktype(self.0, argument, lua_type));
    }

    /// Index of the word that an argument is; without a default an argument is required. `[-0, +0, e]`
    pub(crate) fn check_option<const N: usize>(
        self,
        argument: c_int,
        default: Option<&CStr>,
        words: [&CStr; N],
    ) -> usize {
        // `luaL_checkoption` wants the list ended by a null; N + 1 is no array length that Rust can write
        // here.
        let mut list = [ptr::null(); 8];
        const { assert!(N < 8) };
        for (place, word) in list.iter_mut().zip(words) {
            *place = word.as_ptr();
        }
        let default = default.map_or(ptr::null(), CStr::as_ptr);
        call!(luaL_checkoption(self.0, argument, default, list.as_ptr())) as usize
    }

    /// The block of a userdata whose metatable is registered under `name`. `[-0, +0, e]`
    pub(crate) fn check_userdata(self, argument: c_int, name: &CStr) -> *mut c_void {
        call!(luaL_checkudata(self.0, argument, name.as_ptr()))
    }

    /// The block of such a userdata; null for every other value. `[-0, +0, m]`
    pub(crate) fn test_userdata(self, index: c_int, name: &CStr) -> *mut c_void {
        call!(luaL_testudata(self.0, index, name.as_ptr()))
    }

    /// A metatable, registered under `name`, which is its `__name`. `[-0, +1, m]`
    pub(crate) fn push_new_metatable(self, name: &CStr) {
        call!(luaL_newmetatable(self.0, name.as_ptr()));
    }

    /// Registers a library in `package.loaded` and as a global: calls `open`, unless it is there.
    /// `[-0, +0, e]`
    pub(crate) fn require(self, name: &CStr, open: raw::lua_CFunction) {
        call!(luaL_requiref(self.0, name.as_ptr(), open, 1));
        self.pop(1);
    }

    /// The table at `table[name]`, made if missing. `[-0, +1, e]`
    pub(crate) fn push_subtable(self, table: c_int, name: &CStr) {
        call!(luaL_getsubtable(self.0, table, name.as_ptr()));
    }

    /// Joins strings and numbers (others by metamethod). `[-n, +1, e]`
    pub(crate) fn concat(self, n: c_int) {
        call!(lua_concat(self.0, n));
    }

    /// Prepares an error like `throw`, with a message in pieces. `[-0, +1, m]`
    pub(crate) fn throw_joined<const N: usize>(self, pieces: [&[u8]; N]) -> Thrown {
        call!(luaL_where(self.0, 1));
        for piece in pieces {
            self.push_bytes(piece);
        }
        self.concat(N as c_int + 1);
        Thrown
    }

    /// The number that a numeral of Lua stands for; false (and nothing) if it is none. `[-0, +(0|1), -]`
    pub(crate) fn push_numeral(self, numeral: &CStr) -> bool {
        call!(lua_stringtonumber(self.0, numeral.as_ptr())) != 0
    }

    /// `text` with every `pattern` (plain, not empty) replaced. `[-0, +1, m]`
    pub(crate) fn push_replaced(self, text: &CStr, pattern: &CStr, replacement: &CStr) {
        call!(luaL_gsub(self.0, text.as_ptr(), pattern.as_ptr(), replacement.as_ptr()));
    }

    /// The value as `tostring` shows it. `[-0, +1, e]`
    pub(crate) fn push_text(self, index: c_int) {
        call!(luaL_tolstring(self.0, index, ptr::null_mut()));
    }

    /// The traceback of `of` from `level` on, below the text at index `message`. `[-0, +1, m]`
    pub(crate) fn push_traceback(self, of: Stack, message: Option<c_int>, level: c_int) {
        let text = match message {
            Some(index) => call!(lua_tolstring(self.0, index, ptr::null_mut())),
            None => ptr::null(),
        };
        call!(luaL_traceback(self.0, of.0, text, level));
    }

    /// The thread at `index`, if it is one. `[-0, +0, -]`
    pub(crate) fn thread(self, index: c_int) -> Option<Stack> {
        let thread = call!(lua_tothread(self.0, index));
        (!thread.is_null()).then_some(Stack(thread))
    }
}

/// The C function behind `protect` and `protect_with`: its first argument is the address of the closure.
/// Results are what the closure leaves on the stack above that.
unsafe extern "C-unwind" fn run_borrowed<F: FnMut(Stack) -> Result<(), Thrown>>(l: *mut lua_State) -> c_int {
    // SAFETY: Lua gives its own valid state.
    let stack = unsafe { Stack::new(l) };
    let body = stack.userdata(1).cast::<F>();
    // SAFETY: the caller passed the address of its own `body`, which outlives this call and is borrowed by it
    // alone.
    let body = unsafe { &mut *body };
    match body(stack) {
        Ok(()) => stack.top() - 1,
        Err(Thrown) => stack.end_by_raise(),
    }
}
