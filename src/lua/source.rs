//! Source of a chunk as files have it.

/// The source without what loaders of files skip: a mark of UTF-8, and a first line that begins with `#` (a
/// line that tells a shell what to run). The end of that line stays, so that lines keep their numbers.
/// (Manual, `luaL_loadfilex`. Lua's own `load` skips nothing.)
pub(crate) fn file_text(source: &[u8]) -> &[u8] {
    let text = source.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(source);
    if text.first() != Some(&b'#') {
        return text;
    }
    let end = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len());
    &text[end..]
}

#[cfg(test)]
mod tests {
    use super::file_text;

    #[test]
    fn marks_and_first_lines_of_shells_are_skipped() {
        let cases: [(&[u8], &[u8]); 9] = [
            (b"", b""),
            (b"return 1", b"return 1"),
            (b"\xEF\xBB\xBFreturn 1", b"return 1"),
            (b"#!/usr/bin/lua\nreturn 1", b"\nreturn 1"),
            (b"\xEF\xBB\xBF#!lua\r\nreturn 1", b"\nreturn 1"),
            (b"#", b""),
            (b"\xEF\xBB", b"\xEF\xBB"),
            (b"\n#x", b"\n#x"),
            (b"\xEF\xBB\xBF\xEF\xBB\xBFx", b"\xEF\xBB\xBFx"),
        ];
        for (source, text) in cases {
            assert_eq!(file_text(source), text, "{source:?}");
        }
    }
}
