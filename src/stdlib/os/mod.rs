//! The library `os` (manual, section 6.9) over the host's clocks, with the behaviour of C Lua's loslib.c:
//! time, date, clock, difftime, getenv, setlocale; for programs with files or arguments also exit, remove,
//! rename and tmpname. Other processes there are none.

use self::calendar::{DAY_SECONDS, Fields, days_before};
use self::format::{Piece, Zone, specifier_len};
use super::files::{ENVIRONMENT, path_argument, push_failure_of, with_memory};
use crate::files::{Errno, FileSystem, temporary_path};
use crate::lua::{Stack, Status, Thrown, fuel, lua_function, raw};
use crate::state::context::context;
use crate::state::limit_exceeded::{end_program, tick, work};
use std::ffi::{CStr, c_int};
use std::{ptr, slice};

mod calendar;
mod format;

lua_function!(open_os = open_inner);
lua_function!(clock = clock_inner);
lua_function!(date = date_inner);
lua_function!(difftime = difftime_inner);
lua_function!(exit = exit_inner);
lua_function!(getenv = getenv_inner);
lua_function!(remove = remove_inner);
lua_function!(rename = rename_inner);
lua_function!(temporary_name = temporary_name_inner);
lua_function!(setlocale = setlocale_inner);
lua_function!(time = time_inner);

/// Greatest length of a date, in bytes, that is formatted without memory of Lua's.
const SHORT_BYTES: usize = 256;

/// Registers the library. `[-0, +0, m]`
pub(super) fn open(stack: Stack) {
    stack.require(c"os", open_os);
}

/// Adds `exit` to the library on top. `[-0, +0, m]`
pub(super) fn open_program(stack: Stack) {
    stack.set_functions(-1, &[(c"exit", exit)]);
}

/// Adds the functions on files to the library on top. `[-0, +0, m]`
pub(super) fn open_files(stack: Stack) {
    stack.set_functions(-1, &[(c"remove", remove), (c"rename", rename), (c"tmpname", temporary_name)]);
}

fn open_inner(stack: Stack) -> Result<c_int, Thrown> {
    stack.push_table(0, 6);
    stack.set_functions(
        -1,
        &[
            (c"clock", clock),
            (c"date", date),
            (c"difftime", difftime),
            (c"getenv", getenv),
            (c"setlocale", setlocale),
            (c"time", time),
        ],
    );
    Ok(1)
}

/// `os.clock()`: seconds of a clock that never steps back.
fn clock_inner(stack: Stack) -> Result<c_int, Thrown> {
    let seconds = context(stack).host.monotonic_ms() / 1000.0;
    stack.push_number(seconds);
    Ok(1)
}

/// `os.date(format, time)`
fn date_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: argument 1 stays on the stack.
    let format = if stack.is_none_or_nil(1) { b"%c" } else { unsafe { stack.check_bytes(1) } };
    work(stack, format.len());
    let seconds = if stack.is_none_or_nil(2) { now(stack) } else { stack.check_integer(2) };
    let (moment, format) = match format {
        [b'!', format @ ..] => (Fields::of(seconds).map(|fields| (fields, Zone::Utc)), format),
        format => (local(stack, seconds), format),
    };
    let Some((fields, zone)) = moment else {
        return Err(stack.throw(b"date result cannot be represented in this installation"));
    };
    if until_nul(format) == b"*t" {
        stack.push_table(0, 9);
        let summer = zone != Zone::Utc && is_summer(stack, seconds, fields.year);
        set_fields(stack, &fields, summer);
        return Ok(1);
    }
    let mut len = 0;
    expand(stack, format, &fields, zone, |text| len += text.len());
    let mut short = [0; SHORT_BYTES];
    let room = if len <= SHORT_BYTES {
        &mut short[..len]
    } else {
        let block = stack.push_userdata(len).cast::<u8>();
        // SAFETY: Lua gave a block of `len` bytes, which the stack anchors.
        unsafe { ptr::write_bytes(block, 0, len) };
        // SAFETY: the bytes are set now, and nothing else knows the block.
        unsafe { slice::from_raw_parts_mut(block, len) }
    };
    let mut at = 0;
    expand(stack, format, &fields, zone, |text| {
        room[at..at + text.len()].copy_from_slice(text);
        at += text.len();
    });
    stack.push_bytes(room);
    Ok(1)
}

/// Gives the expanded format to `put`, piece by piece. Raises an error at an invalid specifier. `[-0, +0, e]`
fn expand(stack: Stack, format: &[u8], fields: &Fields, zone: Zone, mut put: impl FnMut(&[u8])) {
    let mut rest = format;
    while let Some(at) = rest.iter().position(|&byte| byte == b'%') {
        tick(stack);
        let specifier = &rest[at + 1..];
        let Some(len) = specifier_len(specifier) else { refuse_specifier(stack, specifier) };
        put(&rest[..at]);
        put(Piece::of(specifier[len - 1], fields, zone).bytes());
        rest = &specifier[len..];
    }
    put(rest);
}

/// `os.time(table)`: also normalises the fields of the table.
fn time_inner(stack: Stack) -> Result<c_int, Thrown> {
    let seconds = if stack.is_none_or_nil(1) {
        Some(now(stack))
    } else {
        stack.check_type(1, raw::LUA_TTABLE);
        stack.set_top(1);
        time_of_table(stack)?
    };
    // C's mktime returns -1 when it fails, so C Lua cannot represent that last second of 1969.
    match seconds {
        None | Some(-1) => Err(stack.throw(b"time result cannot be represented in this installation")),
        Some(seconds) => {
            stack.push_integer(seconds);
            Ok(1)
        }
    }
}

fn difftime_inner(stack: Stack) -> Result<c_int, Thrown> {
    let (later, earlier) = (stack.check_integer(1), stack.check_integer(2));
    #[expect(clippy::cast_precision_loss, reason = "difftime is a double in C, too")]
    let distance = later.abs_diff(earlier) as f64;
    stack.push_number(if later < earlier { -distance } else { distance });
    Ok(1)
}

/// `os.getenv(name)`: an environment variable that the host provides.
fn getenv_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: argument 1 stays on the stack.
    let name = unsafe { stack.check_bytes(1) };
    work(stack, name.len());
    if stack.raw_get_address(raw::LUA_REGISTRYINDEX, ptr::from_ref(&ENVIRONMENT).cast()) == raw::LUA_TTABLE {
        stack.push_copy(1);
        if stack.raw_get(-2) == raw::LUA_TSTRING {
            return Ok(1);
        }
    }
    let Some(value) = context(stack).host.environment(name) else {
        stack.push_nil();
        return Ok(1);
    };
    // Protected, because the value has a destructor.
    let pushed = stack.protect(1, |inner| {
        inner.push_bytes(&value);
        Ok(())
    });
    if pushed == Status::Ok { Ok(1) } else { Err(Thrown) }
}

/// `os.exit(code, close)`: ends the call of the host, which gets the code.
fn exit_inner(stack: Stack) -> Result<c_int, Thrown> {
    let code = match stack.type_of(1) {
        raw::LUA_TBOOLEAN => i32::from(!stack.boolean(1)),
        _ => match i32::try_from(stack.optional_integer(1, 0)) {
            Ok(code) => code,
            Err(_) => stack.argument_error(1, c"exit code out of range"),
        },
    };
    let closes = stack.boolean(2);
    end_program(stack, code, closes)
}

/// `os.remove(name)`
fn remove_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: argument 1 stays on the stack.
    let name = unsafe { stack.check_bytes(1) };
    let removed = path_argument(stack, name).and_then(|path| with_memory(stack, |files| files.remove(&path)));
    Ok(push_outcome(stack, name, removed))
}

/// `os.rename(old, new)`
fn rename_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: both arguments stay on the stack.
    let (old, new) = unsafe { (stack.check_bytes(1), stack.check_bytes(2)) };
    let renamed = path_argument(stack, old).and_then(|old| {
        let new = path_argument(stack, new)?;
        with_memory(stack, |files| files.rename(&old, &new))
    });
    Ok(push_outcome(stack, b"", renamed))
}

/// `os.tmpname()`: the name of a new file, which is not kept beyond the VM.
fn temporary_name_inner(stack: Stack) -> Result<c_int, Thrown> {
    fuel::charge_steps(context(stack).files.as_deref().map_or(0, FileSystem::count));
    let Ok(number) = with_memory(stack, FileSystem::make_temporary) else {
        return Err(stack.throw(b"unable to generate a unique filename"));
    };
    stack.push_bytes(&temporary_path(number));
    Ok(1)
}

/// Pushes true, or the failure.
fn push_outcome(stack: Stack, name: &[u8], outcome: Result<(), Errno>) -> c_int {
    match outcome {
        Ok(()) => {
            stack.push_boolean(true);
            1
        }
        Err(errno) => push_failure_of(stack, name, errno),
    }
}

/// `os.setlocale(locale, category)`: "C" is the only locale.
fn setlocale_inner(stack: Stack) -> Result<c_int, Thrown> {
    // SAFETY: argument 1 stays on the stack.
    let locale = if stack.is_none_or_nil(1) { b"" } else { unsafe { stack.check_bytes(1) } };
    work(stack, locale.len());
    let categories = [c"all", c"collate", c"ctype", c"monetary", c"numeric", c"time"];
    stack.check_option(2, Some(c"all"), categories);
    match until_nul(locale) {
        b"" | b"C" | b"POSIX" => stack.push_bytes(b"C"),
        _ => stack.push_nil(),
    }
    Ok(1)
}

// ---- the host's clock and zone ----

fn now(stack: Stack) -> i64 {
    (context(stack).host.clock_ms() / 1000.0).floor() as i64
}

/// Seconds by which local time is ahead of UTC.
#[expect(clippy::cast_precision_loss, reason = "the host's clock is a double")]
fn offset(stack: Stack, seconds: i64) -> i64 {
    // The host takes as long as some loop steps.
    fuel::charge(256);
    i64::from(context(stack).host.time_zone_minutes(seconds as f64 * 1000.0)) * 60
}

/// The fields of a moment in local time.
fn local(stack: Stack, seconds: i64) -> Option<(Fields, Zone)> {
    let offset = offset(stack, seconds);
    let fields = Fields::of(seconds.checked_add(offset)?)?;
    Some((fields, Zone::Local(offset / 60)))
}

/// The offsets of the zone in January and in July of a year, the smaller first. They differ where there is
/// summer time.
fn winter_and_summer(stack: Stack, year: i64) -> (i64, i64) {
    let [january, july] = [1, 7].map(|month| offset(stack, days_before(year, month, 1) * DAY_SECONDS));
    (january.min(july), january.max(july))
}

fn is_summer(stack: Stack, seconds: i64, year: i64) -> bool {
    offset(stack, seconds) > winter_and_summer(stack, year).0
}

/// The moment at which local clocks show `shown` (in seconds, as if it were UTC). If they show it twice, or
/// if the caller says whether it is summer time, `summer` chooses; a time that clocks skip is counted with
/// the offset from before the gap.
fn moment_of(stack: Stack, shown: i64, summer: Option<bool>) -> Option<i64> {
    let year = Fields::of(shown)?.year;
    let [before, after] = [-DAY_SECONDS, DAY_SECONDS].map(|day| shown - offset(stack, shown + day));
    let fits = |moment: i64| moment + offset(stack, moment) == shown;
    let found = [before, after].map(|moment| fits(moment).then_some(moment));
    let wanted = |moment: &i64| summer.is_none_or(|summer| is_summer(stack, *moment, year) == summer);
    if let Some(moment) = found.iter().flatten().copied().find(wanted) {
        return Some(moment);
    }
    let offsets = winter_and_summer(stack, year);
    Some(match summer {
        // The fields are in summer time and the moment is not, or the other way round.
        Some(summer) if offsets.0 != offsets.1 => shown - if summer { offsets.1 } else { offsets.0 },
        _ => found[0].or(found[1]).unwrap_or(before),
    })
}

// ---- tables of fields ----

/// Reads the table at the top, and writes its fields back normalised. Returns `None` if C could not represent
/// the result.
fn time_of_table(stack: Stack) -> Result<Option<i64>, Thrown> {
    let year = field(stack, c"year", None, 1900)? + 1900;
    let month = field(stack, c"month", None, 1)? + 1;
    let day = field(stack, c"day", None, 0)?;
    let hour = field(stack, c"hour", Some(12), 0)?;
    let minute = field(stack, c"min", Some(0), 0)?;
    let second = field(stack, c"sec", Some(0), 0)?;
    let summer = (stack.get_field(-1, c"isdst") != raw::LUA_TNIL).then(|| stack.boolean(-1));
    stack.pop(1);
    // Every field fits in an int (and a little more), so nothing overflows.
    let shown = days_before(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    let Some(seconds) = moment_of(stack, shown, summer) else { return Ok(None) };
    let Some((fields, _)) = local(stack, seconds) else { return Ok(None) };
    let summer = is_summer(stack, seconds, fields.year);
    set_fields(stack, &fields, summer);
    Ok(Some(seconds))
}

/// Reads a field of the table at the top, and subtracts `delta`. The result must fit in C's int, as in C Lua.
/// `[-0, +0, e]`
fn field(stack: Stack, name: &CStr, default: Option<i64>, delta: i64) -> Result<i64, Thrown> {
    let lua_type = stack.get_field(-1, name);
    let value = stack.integer(-1);
    let refuse = |what: &'static [u8]| Err(stack.throw_joined([b"field '", name.to_bytes(), what]));
    let value = match (value, default) {
        (Some(value), _) => {
            let fits = if value >= 0 {
                value - delta <= i64::from(i32::MAX)
            } else {
                i64::from(i32::MIN) + delta <= value
            };
            if !fits {
                return refuse(b"' is out-of-bound");
            }
            value - delta
        }
        (None, _) if lua_type != raw::LUA_TNIL => return refuse(b"' is not an integer"),
        (None, None) => return refuse(b"' missing in date table"),
        (None, Some(default)) => default,
    };
    stack.pop(1);
    Ok(value)
}

/// Sets the fields of the table at the top. `[-0, +0, e]`
fn set_fields(stack: Stack, fields: &Fields, summer: bool) {
    for (name, value) in [
        (c"year", fields.year),
        (c"month", fields.month),
        (c"day", fields.day),
        (c"hour", fields.hour),
        (c"min", fields.minute),
        (c"sec", fields.second),
        (c"yday", fields.year_day + 1),
        (c"wday", fields.week_day + 1),
    ] {
        stack.push_integer(value);
        stack.set_field(-2, name);
    }
    stack.push_boolean(summer);
    stack.set_field(-2, c"isdst");
}

// ---- small things ----

/// Raises the error for an invalid specifier. Like C Lua, it shows the format from the specifier on.
fn refuse_specifier(stack: Stack, specifier: &[u8]) -> ! {
    stack.push_bytes(b"invalid conversion specifier '%");
    stack.push_bytes(until_nul(specifier));
    stack.push_bytes(b"'");
    stack.concat(3);
    // SAFETY: the string stays on top, it has no NUL inside, and Lua ends it with one.
    let message = unsafe { CStr::from_ptr(stack.check_bytes(-1).as_ptr().cast()) };
    stack.argument_error(1, message)
}

/// The part of a string that a C function sees: up to the first NUL.
fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}
