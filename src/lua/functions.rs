//! The macro that makes a C function, which Lua can call, of a Rust function that returns `Result`.

/// Proof that an error value lies on top of the Lua stack. `Copy`, so nothing is left to drop when it is
/// raised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thrown;

/// `lua_function!(name = inner)`: `extern "C-unwind" fn name(lua_State*)`, which runs
/// `fn inner(Stack) -> Result<c_int, Thrown>` (the count of results) and raises what it threw.
macro_rules! lua_function {
    ($(#[$doc:meta])* $name:ident = $inner:path) => {
        $(#[$doc])*
        pub(crate) unsafe extern "C-unwind" fn $name(l: *mut $crate::lua::raw::lua_State) -> std::ffi::c_int {
            // SAFETY: Lua calls this with its own valid state, on the thread that runs it.
            let stack = unsafe { $crate::lua::Stack::new(l) };
            match $inner(stack) {
                Ok(results) => results,
                // The error value already lies on the Lua stack: no destructor is alive in this frame when
                // Lua jumps.
                Err($crate::lua::Thrown) => stack.end_by_raise(),
            }
        }
    };
}
pub(crate) use lua_function;

/// `lua_continuation!(name = inner)`: the C function with which a task goes on that `Stack::wait` has
/// suspended, of a Rust function that also gets the number which was given there.
macro_rules! lua_continuation {
    ($name:ident = $inner:path) => {
        unsafe extern "C-unwind" fn $name(
            l: *mut $crate::lua::raw::lua_State,
            _status: std::ffi::c_int,
            context: $crate::lua::raw::lua_KContext,
        ) -> std::ffi::c_int {
            // SAFETY: Lua calls this with its own valid state, on the thread that runs it.
            let stack = unsafe { $crate::lua::Stack::new(l) };
            match $inner(stack, context as std::ffi::c_int) {
                Ok(results) => results,
                // The error value already lies on the Lua stack: no destructor is alive in this frame when
                // Lua jumps.
                Err($crate::lua::Thrown) => stack.end_by_raise(),
            }
        }
    };
}
pub(crate) use lua_continuation;
