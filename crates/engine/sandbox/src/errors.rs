//! Errors of scripts, made of the records that a VM leaves behind.

use crate::output::NoResult;
use howk_contract::{ErrorType, ScriptError};
use perilune::value::{Decoder, Token};

/// Name of a script's chunk.
const SCRIPT: &str = "script:";
/// Name of the prelude's chunk.
const PRELUDE: &str = "engine:";
/// Most bytes of a message and of a traceback: a script may raise a text as large as its memory.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// Message of Lua when it finds no memory.
const OUT_OF_MEMORY: &str = "not enough memory";

/// Statuses of a reply of the guest (docs/codec.md of the core, section 2).
pub(crate) mod status {
    pub(crate) const OK: u32 = 0;
    pub(crate) const MEMORY: u32 = 3;
    pub(crate) const TIMEOUT: u32 = 4;
}

/// Text of an error; what is too long says so.
pub(crate) fn text(bytes: &[u8]) -> String {
    if bytes.len() <= TEXT_BYTES_MAX {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let rest = bytes.len() - TEXT_BYTES_MAX;
    format!("{}... ({rest} bytes more)", String::from_utf8_lossy(&bytes[..TEXT_BYTES_MAX]))
}

/// The error of a source that does not compile, of the compiler's message.
pub(crate) fn syntax(message: &[u8]) -> ScriptError {
    if message == OUT_OF_MEMORY.as_bytes() {
        return ScriptError::new(ErrorType::MemoryLimit, "not enough memory to compile the script");
    }
    let message = text(message);
    ScriptError { line: line_of(&message), ..ScriptError::new(ErrorType::Syntax, message) }
}

/// The error that a record of the guest tells of. `raised` are the errors of modules that the script has been
/// given: one of those, when nothing catches it, is the script's.
pub(crate) fn read(status: u32, record: &[u8], raised: &[ScriptError]) -> Result<ScriptError, NoResult> {
    let mut error_type = match status {
        status::MEMORY => ErrorType::MemoryLimit,
        status::TIMEOUT => ErrorType::Timeout,
        _ => ErrorType::Runtime,
    };
    if record.is_empty() {
        // There was no memory for a record.
        return Ok(ScriptError::new(error_type, "not enough memory to say more"));
    }
    let mut list = Decoder::new(record);
    list.count()?;
    let mut string = || match list.token()? {
        Token::String(bytes) => Ok(Some(bytes)),
        Token::Nil => Ok(None),
        _ => Err(NoResult),
    };
    let (message, traceback, chunk) = (string()?.ok_or(NoResult)?, string()?, string()?);
    let line = match list.token()? {
        Token::Integer(line) => u32::try_from(line).ok(),
        Token::Nil => None,
        _ => return Err(NoResult),
    };
    let message = without_prelude(text(message));
    if message == OUT_OF_MEMORY && error_type == ErrorType::Runtime {
        // A function of the guest has found none.
        error_type = ErrorType::MemoryLimit;
    }
    // The core names its own setting, which is not the operator's.
    let message = match error_type {
        ErrorType::MemoryLimit => message.replacen("(memory_bytes is", "(the limit is", 1),
        _ => message,
    };
    let traceback = traceback.map(|bytes| traceback_of_script(&text(bytes)));
    let line = line
        .filter(|_| chunk == Some(b"script"))
        .or_else(|| line_of(&message))
        .or_else(|| traceback.as_deref().and_then(first_line));
    let error = ScriptError { line, traceback, ..ScriptError::new(error_type, message) };
    if error_type != ErrorType::Runtime {
        return Ok(error);
    }
    Ok(match module_error(&mut list) {
        Some(value) => value.give_type(error, raised),
        None => error,
    })
}

/// Most fields of a table that may be an error of a module: it has three, and a script may have added some.
const FIELDS_MAX: u32 = 16;

/// The fields of a Lua value that may be an error of a module.
#[derive(Debug, Default)]
struct ModuleError<'a> {
    error_type: &'a [u8],
    message: &'a [u8],
    given_up: bool,
}

/// Reads a value that is a small table of scalars; anything else is none of a module. Makes no tree of it: a
/// script may have raised a table as large as its memory.
fn module_error<'a>(list: &mut Decoder<'a>) -> Option<ModuleError<'a>> {
    let Ok(Token::Table { array: 0, pairs: 3..=FIELDS_MAX }) = list.clone().token() else { return None };
    let Ok(Token::Table { pairs, .. }) = list.token() else { return None };
    let mut error = ModuleError::default();
    for _ in 0..pairs {
        let Ok(Token::String(name)) = list.token() else { return None };
        match (name, list.token().ok()?) {
            (b"type", Token::String(word)) => error.error_type = word,
            (b"message", Token::String(message)) => error.message = message,
            // A script may say that it is not worth another attempt, and not the opposite.
            (b"retryable", Token::Boolean(retryable)) => error.given_up = !retryable,
            (_, Token::String(_) | Token::Boolean(_) | Token::Integer(_) | Token::Float(_)) => {}
            _ => return None,
        }
    }
    Some(error)
}

impl ModuleError<'_> {
    /// The error with the type that it has if this is one that a module has raised.
    fn give_type(&self, error: ScriptError, raised: &[ScriptError]) -> ScriptError {
        let is_this = |one: &&ScriptError| {
            self.error_type == one.error_type.as_str().as_bytes() && self.message == one.message.as_bytes()
        };
        let Some(origin) = raised.iter().find(is_this) else { return error };
        ScriptError {
            error_type: origin.error_type,
            retryable: origin.retryable && !self.given_up,
            unknown_key: origin.unknown_key,
            ..error
        }
    }
}

/// The message without a place in the prelude, which is none that the author of a script knows.
fn without_prelude(message: String) -> String {
    match place_after(&message, PRELUDE) {
        Some((_, rest)) => rest.into(),
        None => message,
    }
}

/// The line that a text with a place in the script begins with.
fn line_of(text: &str) -> Option<u32> {
    place_after(text, SCRIPT).map(|(line, _)| line)
}

/// The line and the rest of `CHUNK:LINE: REST`.
fn place_after<'a>(text: &'a str, chunk: &str) -> Option<(u32, &'a str)> {
    let (line, rest) = text.strip_prefix(chunk)?.split_once(':')?;
    Some((line.parse().ok()?, rest.strip_prefix(' ').unwrap_or(rest)))
}

/// The line of the innermost call of a traceback that is in the script.
fn first_line(traceback: &str) -> Option<u32> {
    traceback.lines().find_map(|line| line_of(line.trim_start()))
}

/// A traceback as if the modules were written in C, and nothing had called the script.
fn traceback_of_script(traceback: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    for line in traceback.lines() {
        match place_after(line.trim_start(), PRELUDE) {
            // A function of a module has a name; the others are the prelude's own.
            Some((_, call)) if call.starts_with("in function '") && is_of_module(call) => {
                kept.push(format!("\t[C]: {call}"));
            }
            Some(_) => {}
            None if line.trim_start() == "[C]: in ?" => {}
            None => kept.push(line.into()),
        }
    }
    kept.join("\n")
}

fn is_of_module(call: &str) -> bool {
    const MODULES: [&str; 7] = ["http.", "kv.", "crypto.", "log.", "print'", "warn'", "require'"];
    let name = call.trim_start_matches("in function '");
    MODULES.iter().any(|module| name.starts_with(module))
}

#[cfg(test)]
mod tests {
    use super::*;
    use perilune::value::Encoder;
    use proptest::prelude::*;

    fn record(message: &str, traceback: &str, chunk: &str, line: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut out = Encoder::new(&mut bytes);
        out.u32(6).unwrap();
        for text in [message, traceback, chunk] {
            out.string(text.as_bytes()).unwrap();
        }
        out.integer(line).unwrap();
        out.nil().unwrap();
        out.nil().unwrap();
        bytes
    }

    #[test]
    fn the_prelude_is_not_told_of() {
        let traceback = "stack traceback:\n\t[C]: in function 'error'\n\tengine:60: in upvalue 'answer'\n\t\
            engine:155: in function 'kv.get'\n\tscript:7: in main chunk\n\tengine:300: in function <engine:290>";
        let bytes = record("engine:60: no", traceback, "engine", 60);
        let error = read(1, &bytes, &[]).unwrap();
        assert_eq!((error.message.as_str(), error.line), ("no", Some(7)));
        let expected = "stack traceback:\n\t[C]: in function 'error'\n\t[C]: in function 'kv.get'\n\tscript:7: in main chunk";
        assert_eq!(error.traceback.unwrap(), expected);
    }

    #[test]
    fn lines_are_those_of_the_script() {
        let line = |message: &str, chunk: &str| read(1, &record(message, "", chunk, 9), &[]).unwrap().line;
        assert_eq!(line("script:3: x", "script"), Some(9));
        assert_eq!(line("script:3: x", "engine"), Some(3));
        assert_eq!(line("scripts:3: x", "engine"), None);
        assert_eq!(line("script:99999999999: x", "engine"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_record_or_refused(status in 0u32..12, bytes: Vec<u8>) {
            let _ = read(status, &bytes, &[ScriptError::new(ErrorType::ModuleKv, "x")]);
        }

        #[test]
        fn a_damaged_record_is_a_record_or_refused(at in 0usize..200, byte: u8, end in 0usize..200) {
            let mut bytes = record("script:1: a", "stack traceback:\n\tscript:1: in x", "script", 1);
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            let _ = read(1, &bytes, &[]);
            bytes.truncate(end);
            let _ = read(1, &bytes, &[]);
        }
    }
}
