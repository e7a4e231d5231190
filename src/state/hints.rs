//! Hints for what other Luas have and this one has not: a part of what the host is told, not of the error
//! value that scripts see.

/// Use of a nil that is an error.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Call,
    Index,
}

/// Hint for some names. A function of a library is known by its last name only, so that the hint says which
/// one it is about.
struct Hints {
    library: &'static str,
    names: &'static str,
    used: Use,
    text: &'static str,
}

const fn called(library: &'static str, names: &'static str, text: &'static str) -> Hints {
    Hints { library, names, used: Use::Call, text }
}

const fn indexed(library: &'static str, names: &'static str, text: &'static str) -> Hints {
    Hints { library, names, used: Use::Index, text }
}

const GONE: &str = "is no part of Lua 5.4";
const NO_FILES: &str = "is left out: there are no files and no processes";

static HINTS: &[Hints] = &[
    called("", "unpack", "Lua 5.4 has table.unpack"),
    called("", "loadstring", "Lua 5.4 has load"),
    called("", "getfenv setfenv", "Lua 5.4 has _ENV, and the fourth argument of load"),
    called("", "module", "in Lua 5.4 a module returns its table"),
    called("", "gcinfo", "Lua 5.4 has collectgarbage(\"count\")"),
    called("", "newproxy", "Lua 5.4 has setmetatable"),
    called("", "dofile loadfile", "there are no files: require finds modules, and load compiles text"),
    indexed("", "bit bit32", "Lua 5.4 has the operators & | ~ << >>"),
    indexed("", "base64 json", "it is a module, which require gives"),
    called("table", "getn", "is the operator # in Lua 5.4"),
    called("table", "foreach foreachi", "is a loop over pairs or ipairs in Lua 5.4"),
    called("table", "maxn setn", GONE),
    called("string", "gfind", "is string.gmatch in Lua 5.4"),
    called("string", "dump", "is left out: there are no binary chunks"),
    called("math", "pow", "is the operator ^ in Lua 5.4"),
    called("math", "mod", "is math.fmod in Lua 5.4"),
    called("math", "atan2", "is math.atan in Lua 5.4"),
    called("math", "log10", "is math.log(x, 10) in Lua 5.4"),
    called("math", "ldexp", "is x * 2.0^n in Lua 5.4"),
    called("math", "cosh frexp sinh tanh", GONE),
    called("io", "close open popen tmpfile", NO_FILES),
    called("os", "execute exit remove rename tmpname", NO_FILES),
    called("package", "loadlib", "is left out: there are no C libraries"),
    called("package", "seeall", GONE),
    indexed("package", "loaders", "is package.searchers in Lua 5.4"),
    called(
        "debug",
        "debug gethook getlocal getmetatable getregistry getupvalue getuservalue sethook setlocal \
         setmetatable setupvalue setuservalue upvalueid upvaluejoin",
        "is left out: of debug there are traceback and getinfo",
    ),
];

/// Appends to a message of Lua's, "attempt to call a nil value (global 'unpack')", what there is instead;
/// where memory is short, nothing.
pub(super) fn add_hint(message: &mut Vec<u8>) {
    let Some((used, kind, name)) = missing(message) else { return };
    let found = HINTS.iter().find_map(|hints| {
        let known = hints.names.split(' ').find(|known| known.as_bytes() == name)?;
        let global = hints.library.is_empty() || kind != b"global";
        (hints.used == used && global).then_some((hints, known))
    });
    let Some((hints, known)) = found else { return };
    let pieces = match hints.library {
        "" => ["; ", "", "", "", "", hints.text],
        library => ["; ", library, ".", known, " ", hints.text],
    };
    if message.try_reserve(pieces.iter().map(|piece| piece.len()).sum()).is_ok() {
        for piece in pieces {
            message.extend_from_slice(piece.as_bytes());
        }
    }
}

/// The use of nil that a message tells of, and the kind and the name of the variable.
fn missing(message: &[u8]) -> Option<(Use, &[u8], &[u8])> {
    let rest = message.strip_suffix(b"')")?;
    let quote = rest.iter().rposition(|&byte| byte == b'\'')?;
    let name = &rest[quote + 1..];
    let rest = rest[..quote].strip_suffix(b" ")?;
    let paren = rest.iter().rposition(|&byte| byte == b'(')?;
    let (rest, kind) = (&rest[..paren], &rest[paren + 1..]);
    let used = if rest.ends_with(b"attempt to call a nil value ") {
        Use::Call
    } else if rest.ends_with(b"attempt to index a nil value ") {
        Use::Index
    } else {
        return None;
    };
    Some((used, kind, name))
}
