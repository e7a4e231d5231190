//! The library `io` (manual, section 6.8) over the host's three streams and the files of the VM, with the
//! behaviour of C Lua's liolib.c: no processes. A VM without files has none of the functions that open some.
//!
//! Keeps true: a handle's metatable is out of reach of scripts, so a userdata that has it is a `Handle` of
//! ours.

use super::files::{file_system, path_argument, push_failure_of, with_memory};
use crate::files::{Errno, FileSystem, Mode, Whence};
use crate::host::Stream;
use crate::lua::{Stack, Thrown, fuel, lua_continuation, lua_function, raw};
use crate::state::context::context;
use crate::state::limit_exceeded::{tick, work};
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use self::read::Reading;

mod read;

lua_function!(open_io = open_inner);
lua_function!(io_close = io_close_inner);
lua_function!(io_flush = io_flush_inner);
lua_function!(io_input = io_input_inner);
lua_function!(io_lines = io_lines_inner);
lua_function!(io_open = io_open_inner);
lua_function!(io_output = io_output_inner);
lua_function!(io_read = io_read_inner);
lua_function!(io_temporary = io_temporary_inner);
lua_function!(io_type = io_type_inner);
lua_function!(io_write = io_write_inner);
lua_function!(file_close = file_close_inner);
lua_function!(file_flush = file_flush_inner);
lua_function!(file_lines = file_lines_inner);
lua_function!(file_read = file_read_inner);
lua_function!(file_seek = file_seek_inner);
lua_function!(file_set_buffer = file_set_buffer_inner);
lua_function!(file_to_string = file_to_string_inner);
lua_function!(file_write = file_write_inner);
lua_function!(end_handle = end_handle_inner);
lua_function!(next_line = next_line_inner);
lua_continuation!(io_read_on = io_read_on_inner);
lua_continuation!(file_read_on = file_read_on_inner);
lua_continuation!(next_line_on = next_line_on_inner);

/// The contents of a file handle's userdata. Plain data, because Lua frees it without running destructors.
#[derive(Debug)]
struct Handle {
    file: File,
    /// Bytes of `Context::input` that the program has read, in the handle of stdin.
    read: usize,
    /// Bytes that the program has ever read there.
    consumed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum File {
    Stdin,
    Stdout,
    Stderr,
    /// A file of the VM, by its number there.
    Opened(u32),
    Closed,
}

/// Name of the handles' metatable, in the registry and in error messages.
const FILE: &CStr = c"FILE*";

/// Registry keys of the default input and output.
static INPUT: u8 = 0;
static OUTPUT: u8 = 0;

/// Most formats that `lines` takes. They are upvalues of its iterator, of which Lua allows 255, beside the
/// handle and their count.
const LINES_FORMATS_MAX: c_int = 250;

/// Mark of an iterator that closes its file at the end, beside the number of its formats.
const CLOSES: c_int = 1 << 16;

/// Registers the library. `[-0, +0, m]`
pub(super) fn open(stack: Stack) {
    stack.require(c"io", open_io);
}

/// Adds the functions that open files to the library on top. `[-0, +0, m]`
pub(super) fn open_files(stack: Stack) {
    stack.set_functions(-1, &[(c"close", io_close), (c"open", io_open), (c"tmpfile", io_temporary)]);
    stack.get_field(raw::LUA_REGISTRYINDEX, FILE);
    // Handles of streams are there already, and need no end.
    stack.set_functions(-1, &[(c"__gc", end_handle)]);
    stack.pop(1);
}

fn open_inner(stack: Stack) -> Result<c_int, Thrown> {
    make_metatable(stack);
    stack.push_table(0, 10);
    stack.set_functions(
        -1,
        &[
            (c"flush", io_flush),
            (c"input", io_input),
            (c"lines", io_lines),
            (c"output", io_output),
            (c"read", io_read),
            (c"type", io_type),
            (c"write", io_write),
        ],
    );
    for (file, name, default) in [
        (File::Stdin, c"stdin", Some(&INPUT)),
        (File::Stdout, c"stdout", Some(&OUTPUT)),
        (File::Stderr, c"stderr", None),
    ] {
        let block = stack.push_userdata(size_of::<Handle>()).cast::<Handle>();
        // SAFETY: Lua gave a block of this size, aligned to 8.
        unsafe { block.write(Handle { file, read: 0, consumed: 0 }) };
        stack.push_copy(-3);
        stack.set_metatable(-2);
        if let Some(place) = default {
            stack.push_copy(-1);
            stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(place));
        }
        stack.set_field(-2, name);
    }
    Ok(1)
}

/// Pushes the metatable of file handles. `[-0, +1, m]`
fn make_metatable(stack: Stack) {
    stack.push_new_metatable(FILE);
    stack.set_functions(-1, &[(c"__tostring", file_to_string), (c"__close", end_handle)]);
    stack.push_boolean(false);
    stack.set_field(-2, c"__metatable");
    stack.push_table(0, 7);
    stack.set_functions(
        -1,
        &[
            (c"close", file_close),
            (c"flush", file_flush),
            (c"lines", file_lines),
            (c"read", file_read),
            (c"seek", file_seek),
            (c"setvbuf", file_set_buffer),
            (c"write", file_write),
        ],
    );
    stack.set_field(-2, c"__index");
}

// ---- functions of `io` ----

fn io_write_inner(stack: Stack) -> Result<c_int, Thrown> {
    let last = stack.top();
    let handle = push_open_default(stack, &OUTPUT)?;
    write(stack, handle, 1, last)
}

fn io_read_inner(stack: Stack) -> Result<c_int, Thrown> {
    let last = stack.top();
    push_open_default(stack, &INPUT)?;
    match read::read(stack, default_reading(stack, last))? {
        Some(results) => Ok(results),
        None => Ok(stack.wait(io_read_on, last)),
    }
}

fn io_read_on_inner(stack: Stack, last: c_int) -> Result<c_int, Thrown> {
    match read::go_on(stack, default_reading(stack, last))? {
        Some(results) => Ok(results),
        None => Ok(stack.wait(io_read_on, last)),
    }
}

/// A call of `io.read`: all arguments are formats, and the handle lies above them.
fn default_reading(stack: Stack, last: c_int) -> Reading {
    Reading { handle: stack.userdata(last + 1).cast(), first: 1, last, base: last + 1 }
}

/// `io.lines(name, ...)`: lines of a file, which is closed at its end, or of the default input.
fn io_lines_inner(stack: Stack) -> Result<c_int, Thrown> {
    if stack.is_none_or_nil(1) {
        if stack.top() == 0 {
            stack.push_nil();
        }
        push_open_default(stack, &INPUT)?;
        stack.replace(1);
        return Ok(push_lines(stack, 0));
    }
    push_named(stack, Mode::READ)?;
    stack.push_copy(-1);
    stack.replace(1);
    // Below the iterator: the fourth result, which a loop closes.
    stack.insert(1);
    push_lines_of(stack, 2, CLOSES);
    stack.push_nil();
    stack.push_nil();
    stack.push_copy(1);
    Ok(4)
}

/// `io.open(name, mode)`
fn io_open_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: the arguments stay on the stack.
    let name = unsafe { stack.check_bytes(1) };
    // SAFETY: as above.
    let mode = if stack.is_none_or_nil(2) { b"r" } else { unsafe { stack.check_bytes(2) } };
    work(stack, mode.len());
    let Some(mode) = Mode::of(mode) else { stack.argument_error(2, c"invalid mode") };
    push_handle(stack);
    match open_named(stack, name, mode) {
        Ok(number) => Ok(fill_handle(stack, number)),
        Err(errno) => Ok(push_failure_of(stack, name, errno)),
    }
}

/// `io.tmpfile()`: a file without a name, which is gone when it is closed.
fn io_temporary_inner(stack: Stack) -> Result<c_int, Thrown> {
    push_handle(stack);
    fuel::charge_steps(file_system(stack)?.count());
    match with_memory(stack, FileSystem::open_temporary) {
        Ok(number) => Ok(fill_handle(stack, number)),
        Err(errno) => Ok(push_failure_of(stack, b"", errno)),
    }
}

/// `io.close(file)`: closes the file, or the default output.
fn io_close_inner(stack: Stack) -> Result<c_int, Thrown> {
    if stack.top() == 0 {
        push_default(stack, &OUTPUT);
        stack.insert(1);
    }
    file_close_inner(stack)
}

fn io_input_inner(stack: Stack) -> Result<c_int, Thrown> {
    default_file(stack, &INPUT)
}

fn io_output_inner(stack: Stack) -> Result<c_int, Thrown> {
    default_file(stack, &OUTPUT)
}

fn io_flush_inner(stack: Stack) -> Result<c_int, Thrown> {
    flush(stack)
}

fn io_type_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.check_any(1);
    let handle = stack.test_userdata(1, FILE).cast::<Handle>();
    if handle.is_null() {
        stack.push_nil();
    } else {
        stack.push_bytes(if file_of(handle) == File::Closed { b"closed file" } else { b"file" });
    }
    Ok(1)
}

// ---- methods of handles ----

fn file_write_inner(stack: Stack) -> Result<c_int, Thrown> {
    let handle = handle(stack, 1)?;
    let last = stack.top();
    stack.push_copy(1);
    write(stack, handle, 2, last)
}

fn file_read_inner(stack: Stack) -> Result<c_int, Thrown> {
    handle(stack, 1)?;
    let last = stack.top();
    match read::read(stack, file_reading(stack, last))? {
        Some(results) => Ok(results),
        None => Ok(stack.wait(file_read_on, last)),
    }
}

fn file_read_on_inner(stack: Stack, last: c_int) -> Result<c_int, Thrown> {
    match read::go_on(stack, file_reading(stack, last))? {
        Some(results) => Ok(results),
        None => Ok(stack.wait(file_read_on, last)),
    }
}

/// A call of `file:read`: the formats are the arguments behind the handle.
fn file_reading(stack: Stack, last: c_int) -> Reading {
    Reading { handle: stack.userdata(1).cast(), first: 2, last, base: last }
}

fn file_lines_inner(stack: Stack) -> Result<c_int, Thrown> {
    handle(stack, 1)?;
    Ok(push_lines(stack, 0))
}

fn file_flush_inner(stack: Stack) -> Result<c_int, Thrown> {
    handle(stack, 1)?;
    flush(stack)
}

fn file_close_inner(stack: Stack) -> Result<c_int, Thrown> {
    let handle = handle(stack, 1)?;
    if let File::Opened(_) = file_of(handle) {
        close(stack, handle);
        stack.push_boolean(true);
        return Ok(1);
    }
    stack.push_nil();
    stack.push_bytes(b"cannot close standard file");
    Ok(2)
}

/// `file:seek(whence, offset)`: fails for a stream, which has no positions.
fn file_seek_inner(stack: Stack) -> Result<c_int, Thrown> {
    let handle = handle(stack, 1)?;
    let whence = stack.check_option(2, Some(c"cur"), [c"set", c"cur", c"end"]);
    let offset = stack.optional_integer(3, 0);
    let File::Opened(number) = file_of(handle) else { return Ok(push_failure(stack, b"Illegal seek", 29)) };
    let whence = [Whence::Start, Whence::Current, Whence::End][whence];
    match file_system(stack)?.seek(number, whence, offset) {
        Ok(position) => {
            stack.push_integer(position);
            Ok(1)
        }
        Err(errno) => Ok(push_failure_of(stack, b"", errno)),
    }
}

/// `file:setvbuf(mode, size)`: accepted, without effect, because the order of all output is kept anyway.
fn file_set_buffer_inner(stack: Stack) -> Result<c_int, Thrown> {
    handle(stack, 1)?;
    stack.check_option(2, None, [c"no", c"full", c"line"]);
    if !stack.is_none_or_nil(3) {
        stack.check_integer(3);
    }
    stack.push_boolean(true);
    Ok(1)
}

/// `__close` and `__gc` of a handle: closes a file; streams stay open, so that `local f <close> = io.stdout`
/// is allowed, as in C Lua.
fn end_handle_inner(stack: Stack) -> Result<c_int, Thrown> {
    close(stack, any_handle(stack, 1));
    Ok(0)
}

fn file_to_string_inner(stack: Stack) -> Result<c_int, Thrown> {
    if file_of(any_handle(stack, 1)) == File::Closed {
        stack.push_bytes(b"file (closed)");
        return Ok(1);
    }
    let mut digits = [0; 2 * size_of::<usize>()];
    let (mut at, mut rest) = (digits.len(), stack.address(1));
    while rest > 0 {
        at -= 1;
        digits[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    stack.push_bytes(b"file (0x");
    stack.push_bytes(&digits[at..]);
    stack.push_bytes(b")");
    stack.concat(3);
    Ok(1)
}

// ---- what both share ----

/// Writes the arguments from `first` to `last`. The result is the handle, which is on top.
fn write(stack: Stack, handle: *mut Handle, first: c_int, last: c_int) -> Result<c_int, Thrown> {
    let mut refused = None;
    for index in first..=last {
        tick(stack);
        let is_number = stack.type_of(index) == raw::LUA_TNUMBER;
        let is_float = is_number && !stack.is_integer(index);
        if is_number {
            // A copy is converted to text, so that the argument itself stays a number.
            stack.push_copy(index);
        }
        // SAFETY: the string stays on the stack until it is written.
        let text = unsafe { stack.check_bytes(if is_number { -1 } else { index }) };
        // C Lua writes floats with "%.14g" here, so whole ones without the ".0" that `tostring` gives.
        let text = if is_float { text.strip_suffix(b".0").unwrap_or(text) } else { text };
        match file_of(handle) {
            File::Stdout => context(stack).write(Stream::Stdout, text),
            File::Stderr => context(stack).write(Stream::Stderr, text),
            // What was refused once is not tried with the rest.
            File::Opened(number) if refused.is_none() => refused = write_file(stack, number, text).err(),
            _ if text.is_empty() || refused.is_some() => {}
            _ => refused = Some(Errno::BadDescriptor),
        }
        if is_number {
            stack.pop(1);
        }
    }
    Ok(refused.map_or(1, |errno| push_failure_of(stack, b"", errno)))
}

fn write_file(stack: Stack, number: u32, text: &[u8]) -> Result<(), Errno> {
    let gap = context(stack).files.as_deref().map_or(0, |files| files.gap(number));
    work(stack, text.len());
    // A long gap is filled with zeros at once, which takes no longer than to copy as much.
    work(stack, gap);
    with_memory(stack, |files| files.write(number, text))
}

/// Closes a file; any other handle stays as it is.
fn close(stack: Stack, handle: *mut Handle) {
    let File::Opened(number) = file_of(handle) else { return };
    // SAFETY: as in `file_of`; no reference to it is kept anywhere.
    unsafe { (*handle).file = File::Closed };
    if let Some(files) = context(stack).files.as_deref_mut() {
        files.close(number);
    }
}

/// Pushes a handle that is closed, so that nothing can fail once a file is open. `[-0, +1, m]`
fn push_handle(stack: Stack) -> *mut Handle {
    let block = stack.push_userdata(size_of::<Handle>()).cast::<Handle>();
    // SAFETY: Lua gave a block of this size, aligned to 8.
    unsafe { block.write(Handle { file: File::Closed, read: 0, consumed: 0 }) };
    stack.get_field(raw::LUA_REGISTRYINDEX, FILE);
    stack.set_metatable(-2);
    block
}

/// Makes the handle on top that of an open file.
fn fill_handle(stack: Stack, number: u32) -> c_int {
    let handle = stack.userdata(-1).cast::<Handle>();
    // SAFETY: `push_handle` has made it, and the stack anchors it.
    unsafe { (*handle).file = File::Opened(number) };
    1
}

fn open_named(stack: Stack, name: &[u8], mode: Mode) -> Result<u32, Errno> {
    let path = path_argument(stack, name)?;
    with_memory(stack, |files| files.open(&path, mode))
}

/// Pushes a handle of the file that argument 1 names, or raises. `[-0, +1, e]`
fn push_named(stack: Stack, mode: Mode) -> Result<(), Thrown> {
    // SAFETY: argument 1 stays on the stack.
    let name = unsafe { stack.check_bytes(1) };
    if context(stack).files.is_none() {
        return Err(stack.throw_joined([b"cannot open file '", name, b"' (files are not available)"]));
    }
    push_handle(stack);
    match open_named(stack, name, mode) {
        Ok(number) => {
            fill_handle(stack, number);
            Ok(())
        }
        Err(errno) => Err(stack.throw_joined([b"cannot open file '", name, b"' (", errno.text(), b")"])),
    }
}

/// Hands all pending output to the host.
fn flush(stack: Stack) -> Result<c_int, Thrown> {
    context(stack).flush_output();
    stack.push_boolean(true);
    Ok(1)
}

/// `io.input(file)` and `io.output(file)`: sets the default file if one is given, and returns it.
fn default_file(stack: Stack, place: &'static u8) -> Result<c_int, Thrown> {
    if matches!(stack.type_of(1), raw::LUA_TSTRING | raw::LUA_TNUMBER) {
        push_named(stack, if ptr::eq(place, &raw const INPUT) { Mode::READ } else { Mode::WRITE })?;
        stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(place));
    } else if !stack.is_none_or_nil(1) {
        any_handle(stack, 1);
        stack.push_copy(1);
        stack.raw_set_address(raw::LUA_REGISTRYINDEX, key_of(place));
    }
    push_default(stack, place);
    Ok(1)
}

/// Pushes the iterator of `lines`. Its upvalues are the handle, the number of formats, and the formats, which
/// are the arguments after the first. `[-?, +1, e]`
fn push_lines(stack: Stack, closes: c_int) -> c_int {
    push_lines_of(stack, 1, closes);
    1
}

/// The same for a handle at an index, with what lies above it.
fn push_lines_of(stack: Stack, handle: c_int, closes: c_int) {
    let formats = stack.top() - handle;
    if formats > LINES_FORMATS_MAX {
        stack.argument_error(LINES_FORMATS_MAX + 2, c"too many arguments");
    }
    stack.push_integer(i64::from(formats | closes));
    stack.insert(handle + 1);
    stack.push_function(next_line, 2 + formats);
}

fn next_line_inner(stack: Stack) -> Result<c_int, Thrown> {
    let formats = (stack.integer(raw::lua_upvalueindex(2)).unwrap_or_default() as c_int) & (CLOSES - 1);
    if file_of(stack.userdata(raw::lua_upvalueindex(1)).cast()) == File::Closed {
        return Err(stack.throw(b"file is already closed"));
    }
    stack.set_top(1);
    if !stack.has_room(formats) {
        return Err(stack.throw(b"stack overflow (too many arguments)"));
    }
    for format in 1..=formats {
        stack.push_copy(raw::lua_upvalueindex(2 + format));
    }
    let last = stack.top();
    match read::read(stack, line_reading(stack, last))? {
        Some(results) => end_line(stack, results),
        None => Ok(stack.wait(next_line_on, last)),
    }
}

fn next_line_on_inner(stack: Stack, last: c_int) -> Result<c_int, Thrown> {
    match read::go_on(stack, line_reading(stack, last))? {
        Some(results) => end_line(stack, results),
        None => Ok(stack.wait(next_line_on, last)),
    }
}

/// A call of an iterator: the formats lie above its first argument.
fn line_reading(stack: Stack, last: c_int) -> Reading {
    let handle = stack.userdata(raw::lua_upvalueindex(1)).cast();
    Reading { handle, first: 2, last, base: last }
}

fn end_line(stack: Stack, results: c_int) -> Result<c_int, Thrown> {
    if stack.boolean(-results) {
        return Ok(results);
    }
    if results > 1 {
        // SAFETY: the message stays on the stack until the error is made.
        let message = unsafe { stack.check_bytes(-results + 1) };
        return Err(stack.throw(message));
    }
    if stack.integer(raw::lua_upvalueindex(2)).unwrap_or_default() >= i64::from(CLOSES) {
        close(stack, stack.userdata(raw::lua_upvalueindex(1)).cast());
    }
    Ok(0)
}

/// Checks that argument `index` is a file handle, and returns it. `[-0, +0, e]`
fn any_handle(stack: Stack, index: c_int) -> *mut Handle {
    stack.check_userdata(index, FILE).cast()
}

/// The same, of a file that is open. `[-0, +0, e]`
fn handle(stack: Stack, index: c_int) -> Result<*mut Handle, Thrown> {
    let handle = any_handle(stack, index);
    match file_of(handle) {
        File::Closed => Err(stack.throw(b"attempt to use a closed file")),
        _ => Ok(handle),
    }
}

/// Pushes the default file with this registry key, which must be open. `[-0, +1, e]`
fn push_open_default(stack: Stack, place: &'static u8) -> Result<*mut Handle, Thrown> {
    let handle = push_default(stack, place);
    if file_of(handle) == File::Closed {
        let what: &[u8] = if ptr::eq(place, &raw const INPUT) { b"input" } else { b"output" };
        return Err(stack.throw_joined([b"default ", what, b" file is closed"]));
    }
    Ok(handle)
}

/// Pushes the default file with this registry key, and returns its handle. `[-0, +1, -]`
fn push_default(stack: Stack, place: &'static u8) -> *mut Handle {
    stack.raw_get_address(raw::LUA_REGISTRYINDEX, key_of(place));
    stack.userdata(-1).cast()
}

fn file_of(handle: *mut Handle) -> File {
    // SAFETY: every handle comes from `check_userdata` or from places that hold only handles, and is anchored
    // on the stack or in the registry.
    unsafe { (*handle).file }
}

/// Pushes `nil, message, errno`, as C Lua does for a failed system call.
fn push_failure(stack: Stack, message: &[u8], errno: i64) -> c_int {
    stack.push_nil();
    stack.push_bytes(message);
    stack.push_integer(errno);
    3
}

fn push_bad_descriptor(stack: Stack) -> c_int {
    push_failure(stack, b"Bad file descriptor", 9)
}

fn key_of(place: &'static u8) -> *const c_void {
    ptr::from_ref(place).cast()
}
