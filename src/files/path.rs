//! Paths of files: any bytes but NUL, with `/` between the names. The root is also the working directory, and
//! nothing is above it.

use super::errno::Errno;
use crate::limits::PATH_BYTES_MAX;

/// A path without `.`, `..` and empty names, relative to the root.
#[derive(Debug)]
pub(crate) struct FilePath {
    room: [u8; PATH_BYTES_MAX],
    len: usize,
    /// True if it can only be that of a directory: it ends in `/`, `.` or `..`, or is the root.
    pub(crate) names_folder: bool,
}

impl FilePath {
    /// The path that a program means. `..` at the root is the root.
    #[inline(never)]
    pub(crate) fn of(given: &[u8]) -> Result<Self, Errno> {
        if given.is_empty() {
            return Err(Errno::NoEntry);
        }
        if given.contains(&0) {
            return Err(Errno::Invalid);
        }
        if given.len() > PATH_BYTES_MAX {
            return Err(Errno::NameTooLong);
        }
        let mut path = FilePath { room: [0; PATH_BYTES_MAX], len: 0, names_folder: true };
        for name in given.split(|&byte| byte == b'/') {
            path.names_folder = matches!(name, b"" | b"." | b"..");
            match name {
                b"" | b"." => {}
                b".." => path.len = path.bytes().iter().rposition(|&byte| byte == b'/').unwrap_or(0),
                name => path.add(name),
            }
        }
        Ok(path)
    }

    fn add(&mut self, name: &[u8]) {
        if self.len > 0 {
            self.room[self.len] = b'/';
            self.len += 1;
        }
        // It fits: the given path has these names and a separator between each two.
        self.room[self.len..self.len + name.len()].copy_from_slice(name);
        self.len += name.len();
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.room[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(given: &str) -> String {
        let path = FilePath::of(given.as_bytes()).expect("is a path");
        let text = String::from_utf8_lossy(path.bytes()).into_owned();
        text + if path.names_folder { "|" } else { "" }
    }

    #[test]
    fn a_path_is_normalised_and_stays_below_the_root() {
        for (given, normal) in [
            ("a", "a"),
            ("./a//b/./c", "a/b/c"),
            ("/a", "a"),
            ("a/../b", "b"),
            ("../../etc/passwd", "etc/passwd"),
            ("a/b/../../..", "|"),
            ("a/b/..", "a|"),
            ("a/", "a|"),
            ("/", "|"),
            (".", "|"),
            ("...", "..."),
        ] {
            assert_eq!(shown(given), normal, "{given}");
        }
    }

    #[test]
    fn what_no_path_can_be_is_refused() {
        assert_eq!(FilePath::of(b"").unwrap_err(), Errno::NoEntry);
        assert_eq!(FilePath::of(b"a\0b").unwrap_err(), Errno::Invalid);
        assert_eq!(FilePath::of(&[b'a'; PATH_BYTES_MAX + 1]).unwrap_err(), Errno::NameTooLong);
        assert_eq!(FilePath::of(&[b'a'; PATH_BYTES_MAX]).expect("fits").bytes().len(), PATH_BYTES_MAX);
    }
}
