//! Reasons for which a call of the file system fails, with the numbers and texts of POSIX.

use crate::lua::Refused;

/// A failure of the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Errno {
    NoEntry = 2,
    BadDescriptor = 9,
    NoMemory = 12,
    Access = 13,
    NotFolder = 20,
    IsFolder = 21,
    Invalid = 22,
    NoSpace = 28,
    ReadOnly = 30,
    NameTooLong = 36,
    NotEmpty = 39,
}

impl Errno {
    /// The text of `strerror`.
    pub(crate) fn text(self) -> &'static [u8] {
        match self {
            Errno::NoEntry => b"No such file or directory",
            Errno::BadDescriptor => b"Bad file descriptor",
            Errno::NoMemory => b"Cannot allocate memory",
            Errno::Access => b"Permission denied",
            Errno::NotFolder => b"Not a directory",
            Errno::IsFolder => b"Is a directory",
            Errno::Invalid => b"Invalid argument",
            Errno::NoSpace => b"No space left on device",
            Errno::ReadOnly => b"Read-only file system",
            Errno::NameTooLong => b"File name too long",
            Errno::NotEmpty => b"Directory not empty",
        }
    }
}

impl From<Refused> for Errno {
    fn from(Refused: Refused) -> Self {
        Errno::NoMemory
    }
}
