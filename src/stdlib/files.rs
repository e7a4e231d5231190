//! Files, arguments and environment variables of programs: what the host does with them (the operation
//! `FILES`), and what the libraries share that work with them.

use super::{io, os, package, prelude};
use crate::files::{Errno, FilePath, FileSystem};
use crate::limits::NAME_BYTES_MAX;
use crate::lua::{Stack, Thrown, fuel, lua_function, raw};
use crate::state::context::context;
use crate::state::error_record::{Mark, set};
use crate::state::kept_files::load_files;
use crate::state::limit_exceeded::work;
use crate::value::{Decoder, Token};
use std::ffi::{CStr, c_int};
use std::ptr::{self, NonNull};

/// Registry keys of the environment variables and of the arguments.
pub(super) static ENVIRONMENT: u8 = 0;
static ARGUMENTS: u8 = 0;

lua_function!(read_file = read_file_inner);

/// Most slots that the arguments of a program take.
const ARGUMENTS_MAX: c_int = 250;

// ---- what libraries share ----

/// The files of the VM, for functions that only a VM with files has. `[-0, +0, m]`
pub(super) fn file_system<'a>(stack: Stack) -> Result<&'a mut FileSystem, Thrown> {
    match context(stack).files.as_deref_mut() {
        Some(files) => Ok(files),
        None => Err(stack.throw(b"files are not available")),
    }
}

/// The path that a name means; its search is charged. `[-0, +0, e]`
#[inline(never)]
pub(super) fn path_argument(stack: Stack, name: &[u8]) -> Result<FilePath, Errno> {
    work(stack, name.len());
    // Names lie in order, and places of nodes are looked at one after the other.
    fuel::charge_steps(context(stack).files.as_deref().map_or(0, FileSystem::count));
    FilePath::of(name)
}

/// Does something with the files; where memory is short, again after a full collection. `[-0, +0, e]`
pub(super) fn with_memory<T>(
    stack: Stack,
    change: impl Fn(&mut FileSystem) -> Result<T, Errno>,
) -> Result<T, Errno> {
    let attempt = || context(stack).files.as_deref_mut().map_or(Err(Errno::ReadOnly), &change);
    match attempt() {
        Err(Errno::NoMemory) => {
            super::push_collect_garbage(stack);
            stack.call(0, 0);
            attempt()
        }
        outcome => outcome,
    }
}

/// Pushes `nil, "name: message", errno`, as C Lua does for a failed system call; without the name where it is
/// empty. `[-0, +3, m]`
#[inline(never)]
pub(super) fn push_failure_of(stack: Stack, name: &[u8], errno: Errno) -> c_int {
    stack.push_nil();
    if name.is_empty() {
        stack.push_bytes(errno.text());
    } else {
        stack.push_bytes(name);
        stack.push_bytes(b": ");
        stack.push_bytes(errno.text());
        stack.concat(3);
    }
    stack.push_integer(errno as i64);
    3
}

/// The content of the file that argument 1 names, or the failure.
fn read_file_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: argument 1 stays on the stack.
    let name = unsafe { stack.check_bytes(1) };
    let content = path_argument(stack, name).and_then(|path| match context(stack).files.as_deref() {
        Some(files) => files.read(&path),
        None => Err(Errno::NoEntry),
    });
    match content {
        Ok(content) => {
            fuel::charge(content.len());
            // Lua copies the bytes before its collector may run a finalizer, which may write.
            stack.push_bytes(content);
            Ok(1)
        }
        Err(errno) => Ok(push_failure_of(stack, name, errno)),
    }
}

/// Pushes the arguments of programs, and returns their number, where there is room. `[-0, +n, -]`
pub(crate) fn push_arguments(stack: Stack) -> c_int {
    let count = context(stack).arguments;
    if count == 0 || !stack.has_room(count + 1) {
        return 0;
    }
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, ptr::from_ref(&ARGUMENTS).cast());
    let table = stack.top();
    for index in 1..=count {
        stack.raw_get_index(table, index.into());
    }
    stack.remove(table);
    count
}

// ---- what the host does ----

/// Runs the operation `FILES`: a word, and what belongs to it (docs/codec.md, section 3). `[-0, +?, e]`
pub(crate) fn request(stack: Stack, input: &[u8]) -> Result<(), Thrown> {
    let mut list = Decoder::new(input);
    let Ok(count @ 1..) = list.count() else { return Err(usage(stack, USAGE)) };
    let Ok(Token::String(word)) = list.token() else { return Err(usage(stack, USAGE)) };
    match (word, count) {
        (b"open", 4) => open(stack, &mut list),
        (b"arguments", _) => set_arguments(stack, &mut list, count - 1),
        (b"environment", _) => set_environment(stack, &mut list, count - 1),
        (b"keep", 1) => {
            if let Some(files) = context(stack).files.as_deref_mut() {
                files.keep_all();
            }
            Ok(())
        }
        _ if context(stack).files.is_none() => Err(usage(stack, b"this VM has no files")),
        (b"list", 1) => push_list(stack),
        (b"read", 2) => {
            let path = path_of(stack, &mut list)?;
            push_content(stack, &path);
            Ok(())
        }
        (b"remove", 2) => {
            let path = path_of(stack, &mut list)?;
            let removed = with_memory(stack, |files| files.take_away(&path));
            let removed = removed.map_err(|errno| refused(stack, path.bytes(), errno))?;
            stack.push_boolean(removed);
            Ok(())
        }
        (b"write" | b"add", 4) => write(stack, &mut list, word == b"add"),
        _ => Err(usage(stack, USAGE)),
    }
}

const USAGE: &[u8] = b"files takes a word and its arguments";

#[inline(never)]
fn usage(stack: Stack, message: &[u8]) -> Thrown {
    context(stack).error_record.mark(Mark::Usage, message);
    stack.push_bytes(message);
    Thrown
}

#[inline(never)]
fn refused(stack: Stack, path: &[u8], errno: Errno) -> Thrown {
    push_failure_of(stack, path, errno);
    stack.pop(1);
    // SAFETY: the message stays on top while it is copied.
    let message = unsafe { stack.bytes(-1) }.unwrap_or_default();
    context(stack).error_record.mark(Mark::Usage, message);
    Thrown
}

fn path_of(stack: Stack, list: &mut Decoder<'_>) -> Result<FilePath, Thrown> {
    let Ok(Token::String(name)) = list.token() else { return Err(usage(stack, b"a path is a string")) };
    FilePath::of(name).map_err(|errno| refused(stack, name, errno))
}

fn push_content(stack: Stack, path: &FilePath) {
    match context(stack).files.as_deref().map(|files| files.read(path)) {
        Some(Ok(content)) => stack.push_bytes(content),
        _ => stack.push_nil(),
    }
}

/// Pushes path, size, and whether it is read-only, for each file.
#[inline(never)]
fn push_list(stack: Stack) -> Result<(), Thrown> {
    let mut index = 0;
    while let Some(file) = context(stack).files.as_deref().and_then(|files| files.listed(index)) {
        if !stack.has_room(4) {
            return Err(stack.throw_out_of_memory());
        }
        stack.push_integer(file.bytes as i64);
        stack.push_boolean(file.is_fixed);
        // The last use of it: the next push may run a finalizer.
        stack.push_bytes(file.path);
        index += 1;
    }
    Ok(())
}

/// `"write"` puts a file in the place of any other; `"add"` leaves one alone that programs have changed.
#[inline(never)]
fn write(stack: Stack, list: &mut Decoder<'_>, adds: bool) -> Result<(), Thrown> {
    let path = path_of(stack, list)?;
    let (Ok(Token::String(content)), Ok(Token::Boolean(is_fixed))) = (list.token(), list.token()) else {
        return Err(usage(stack, b"a file is a string, and read-only or not"));
    };
    if adds && !is_fixed && file_system(stack)?.read(&path).is_ok() {
        return Ok(());
    }
    with_memory(stack, |files| files.put(&path, content, is_fixed))
        .map_err(|errno| refused(stack, path.bytes(), errno))
}

/// Gives the VM files: whether programs can only read them, the most bytes, and the table that they are kept
/// in.
#[inline(never)]
fn open(stack: Stack, list: &mut Decoder<'_>) -> Result<(), Thrown> {
    if context(stack).files.is_some() {
        return Err(usage(stack, b"this VM has files already"));
    }
    let (Ok(Token::Boolean(is_read_only)), Ok(limit), Ok(table)) = (list.token(), list.token(), list.token())
    else {
        return Err(usage(stack, USAGE));
    };
    let limit = match limit {
        Token::Nil => usize::MAX,
        Token::Integer(bytes) if bytes >= 0 => usize::try_from(bytes).unwrap_or(usize::MAX),
        _ => return Err(usage(stack, b"the limit of files is a number of bytes")),
    };
    let table = match table {
        Token::Nil => None,
        Token::String(name) if (1..=NAME_BYTES_MAX).contains(&name.len()) => Some(name),
        _ => return Err(usage(stack, b"the table of files has a name")),
    };
    let c = context(stack);
    let mut files = Box::new(FileSystem::new(NonNull::from(&*c.memory), limit, is_read_only));
    let mut opened = Ok(());
    if let Some(name) = table {
        let named = files.set_table(name);
        if named.is_err() {
            drop(files);
            return Err(stack.throw_out_of_memory());
        }
        opened = load_files(c, &mut files).map_err(|error| {
            set(&mut c.error_record.store, error.to_string().as_bytes());
        });
    }
    if opened.is_err() {
        drop(files);
        let text = &raw const context(stack).error_record.store;
        // SAFETY: the buffer lives in the context and nothing writes to it while the string is pushed.
        return Err(stack.throw(unsafe { &*text }));
    }
    c.files = Some(files);
    with_library(stack, c"io", io::open_files);
    with_library(stack, c"os", |stack| {
        os::open_program(stack);
        os::open_files(stack);
    });
    prelude::add_files(stack, read_file, package::search_path)
}

/// Gives `add` a library that the VM has. `[-0, +0, m]`
fn with_library(stack: Stack, name: &CStr, add: impl FnOnce(Stack)) {
    stack.push_subtable(raw::LUA_REGISTRYINDEX, package::LOADED);
    if stack.get_field(-1, name) == raw::LUA_TTABLE {
        add(stack);
    }
    stack.pop(2);
}

/// Sets the arguments of programs: the global `arg`, and what each gets as `...`.
#[inline(never)]
fn set_arguments(stack: Stack, list: &mut Decoder<'_>, count: u32) -> Result<(), Thrown> {
    let Some(count) = c_int::try_from(count).ok().filter(|&count| count <= ARGUMENTS_MAX) else {
        return Err(usage(stack, b"a program has at most 250 arguments"));
    };
    // Two tables, because a program may change one of them.
    stack.push_table(count as usize, 0);
    stack.push_table(count as usize, 0);
    for index in 1..=count {
        let Ok(Token::String(text)) = list.token() else {
            return Err(usage(stack, b"arguments are strings"));
        };
        stack.push_bytes(text);
        stack.push_copy(-1);
        stack.raw_set_index(-4, index.into());
        stack.raw_set_index(-2, index.into());
    }
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, ptr::from_ref(&ARGUMENTS).cast());
    context(stack).arguments = count;
    stack.push_globals();
    stack.insert(-2);
    stack.set_field(-2, c"arg");
    stack.pop(1);
    with_library(stack, c"os", os::open_program);
    Ok(())
}

/// Sets the environment variables: names and values by turns.
#[inline(never)]
fn set_environment(stack: Stack, list: &mut Decoder<'_>, count: u32) -> Result<(), Thrown> {
    stack.push_table(0, count as usize / 2);
    for _ in 0..count / 2 {
        let (Ok(Token::String(name)), Ok(Token::String(value))) = (list.token(), list.token()) else {
            return Err(usage(stack, b"environment variables are strings"));
        };
        stack.push_bytes(name);
        stack.push_bytes(value);
        stack.raw_set(-3);
    }
    stack.raw_set_address(raw::LUA_REGISTRYINDEX, ptr::from_ref(&ENVIRONMENT).cast());
    Ok(())
}
