//! Runs prelude.lua, with what it cannot make itself.

use crate::context::context;
use crate::host_call::{Service, push_service};
use crate::lua::{Stack, Status, Thrown, lua_function, raw};
use std::ffi::{CStr, c_int};

lua_function!(task = task_inner);
lua_function!(may_wait = may_wait_inner);

/// Modules that `require` finds when nobody else has them.
const BUILTIN: [(&CStr, raw::lua_CFunction); 2] =
    [(c"base64", super::base64::open_base64), (c"json", super::json::open_json)];

/// `[-0, +0, m]`
pub(super) fn run(stack: Stack) -> Result<(), Thrown> {
    if stack.load_text(include_bytes!("prelude.lua"), c"=[Perilune]") != Status::Ok {
        return Err(Thrown);
    }
    stack.strip();
    let first = stack.top();
    stack.push_globals();
    stack.get_field(-1, c"package");
    stack.remove(-2);
    stack.push_table(0, BUILTIN.len());
    stack.set_functions(-1, &BUILTIN);
    for service in [Service::Module, Service::Run, Service::Sleep] {
        push_service(stack, service);
    }
    stack.push_function(task, 0);
    stack.push_function(may_wait, 0);
    stack.call(stack.top() - first, 0);
    Ok(())
}

/// The number of the running task, 0 outside of tasks.
fn task_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.push_integer(i64::from(context(stack).task));
    Ok(1)
}

/// May a host function that is called here wait?
fn may_wait_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.push_boolean(stack.may_wait());
    Ok(1)
}
