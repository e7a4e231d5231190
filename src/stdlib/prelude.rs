//! Runs prelude.lua, with what it cannot make itself. All scripts come from the build without their comments
//! (`build/library_scripts.rs`).

use crate::host_call::push_service;
use crate::lua::{Stack, Status, Thrown, file_text, lua_function, open_math, raw};
use crate::state::context::context;
use crate::state::host_functions::Service;
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

/// The registry's places of the built-in modules, and of the function that makes environments.
static BUILTIN_MODULES: u8 = 0;
static MAKE_ENVIRONMENT: u8 = 0;
/// The registry's place of the function that adds files to the libraries.
static ADD_FILES: u8 = 0;

fn key_of(place: &'static u8) -> *const c_void {
    ptr::from_ref(place).cast()
}

lua_function!(task = task_inner);
lua_function!(may_wait = may_wait_inner);
lua_function!(unset = unset_inner);
lua_function!(module_text = module_text_inner);
lua_function!(note_module = note_module_inner);
lua_function!(compile_environments = compile_environments_inner);
lua_function!(
    /// Makes an environment of a plain table of variables.
    make_environment = make_environment_inner
);

/// `[-0, +0, m]`
pub(super) fn run(stack: Stack) -> Result<(), Thrown> {
    if stack.load_text(include_bytes!(concat!(env!("OUT_DIR"), "/prelude.lua")), c"=[Perilune]") != Status::Ok
    {
        return Err(Thrown);
    }
    stack.strip();
    let first = stack.top();
    stack.push_globals();
    stack.get_field(-1, c"package");
    stack.remove(-2);
    stack.push_table(0, 2);
    stack.push_copy(-1);
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&BUILTIN_MODULES));
    for service in [Service::Module, Service::Run, Service::Sleep] {
        push_service(stack, service);
    }
    stack.push_function(task, 0);
    for function in [may_wait, unset, module_text, note_module, compile_environments, open_math] {
        stack.push_function(function, 0);
    }
    stack.call(stack.top() - first, 2);
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&ADD_FILES));
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(&MAKE_ENVIRONMENT));
    Ok(())
}

/// Runs files.lua with functions that read a file and that search for one. `[-0, +0, e]`
pub(super) fn add_files(
    stack: Stack,
    read: raw::lua_CFunction,
    search: raw::lua_CFunction,
) -> Result<(), Thrown> {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&ADD_FILES));
    if stack.load_text(include_bytes!(concat!(env!("OUT_DIR"), "/files.lua")), c"=[Perilune]") != Status::Ok {
        return Err(Thrown);
    }
    stack.strip();
    for function in [read, search, module_text, note_module] {
        stack.push_function(function, 0);
    }
    stack.call(5, 0);
    Ok(())
}

/// Adds a module that `require` opens when nobody else has it. `[-0, +0, m]`
pub(crate) fn add_module(stack: Stack, name: &CStr, open: raw::lua_CFunction) {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&BUILTIN_MODULES));
    stack.set_functions(-1, &[(name, open)]);
    stack.pop(1);
}

/// Takes such a module away. `[-0, +0, m]`
pub(super) fn forget_module(stack: Stack, name: &[u8]) {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&BUILTIN_MODULES));
    stack.push_bytes(name);
    stack.push_nil();
    stack.raw_set(-3);
    stack.pop(1);
}

fn compile_environments_inner(stack: Stack) -> Result<c_int, Thrown> {
    if stack.load_text(include_bytes!(concat!(env!("OUT_DIR"), "/environment.lua")), c"=[Perilune]")
        != Status::Ok
    {
        return Err(Thrown);
    }
    stack.strip();
    Ok(1)
}

fn make_environment_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(&MAKE_ENVIRONMENT));
    stack.push_copy(1);
    stack.call(1, 1);
    Ok(1)
}

/// The number of the running task, 0 outside of tasks.
fn task_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.push_integer(i64::from(context(stack).task));
    Ok(1)
}

/// Pushes whether a host function that is called here may wait.
fn may_wait_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.push_boolean(stack.may_wait());
    Ok(1)
}

/// The source of a module without what loaders of files skip.
fn module_text_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: the source stays at index 1.
    if let Some(source) = unsafe { stack.bytes(1) } {
        let text = file_text(source);
        if text.len() < source.len() {
            stack.push_bytes(text);
        }
    }
    Ok(1)
}

/// Notes the message, and the chunk, of a module that does not compile.
/// Takes the entry out of a table that a pair of table and key names.
fn unset_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.set_top(1);
    stack.raw_get_index(1, 1);
    stack.raw_get_index(1, 2);
    stack.push_nil();
    stack.raw_set(2);
    Ok(0)
}

fn note_module_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: both stay on the stack while they are copied.
    let (message, chunk) = unsafe { (stack.bytes(1), stack.bytes(2)) };
    context(stack).error_record.mark_module(message.unwrap_or_default(), chunk.unwrap_or_default());
    Ok(0)
}
