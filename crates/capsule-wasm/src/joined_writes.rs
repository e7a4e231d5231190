//! Writes of a write-ahead log, joined: SQLite writes each frame in two parts, and each call of the host
//! costs.
//!
//! Keeps true:
//! - What a commit has written is with the host when its last write has returned. A frame whose header says
//!   that a commit ends with it is the last of a commit; nothing is held back beyond it.
//! - Writes reach the host in the order in which SQLite has made them.
//! - What is held back is lost with the module as if it had never been written: it belongs to no commit.
//!
//! Not here: reading. Whoever reads, measures or syncs the file flushes before.

/// Bytes of the header of a frame (the file format of SQLite, section 4.1).
const FRAME_HEADER_BYTES: usize = 24;

/// Place in a header of the size of the database after the commit; 0 in frames that no commit ends with.
const COMMIT_SIZE: std::ops::Range<usize> = 4..8;

/// Bytes that are held back, at most.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// Bytes that follow each other in the file, and are not with the host yet.
#[derive(Debug, Default)]
pub(crate) struct JoinedWrites {
    bytes: Vec<u8>,
    offset: u64,
    /// True if the last part was the header of a frame that a commit ends with.
    ends_commit: bool,
}

impl JoinedWrites {
    /// Takes a write. `host` gets what is to be written now: all of it, or nothing if it fails.
    pub(crate) fn write<E>(
        &mut self,
        part: &[u8],
        offset: u64,
        mut host: impl FnMut(&[u8], u64) -> Result<(), E>,
    ) -> Result<(), E> {
        if offset != self.end() || self.bytes.len() + part.len() > HELD_BYTES_MAX {
            self.flush(&mut host)?;
        }
        if self.bytes.try_reserve(part.len()).is_err() {
            self.flush(&mut host)?;
            return host(part, offset);
        }
        if self.bytes.is_empty() {
            self.offset = offset;
        }
        self.bytes.extend_from_slice(part);
        if self.ends_commit || self.bytes.len() >= HELD_BYTES_MAX {
            return self.flush(host);
        }
        self.ends_commit = part.len() == FRAME_HEADER_BYTES && part[COMMIT_SIZE] != [0; 4];
        Ok(())
    }

    /// Writes what is held back. If that fails it is forgotten: SQLite takes the commit back.
    pub(crate) fn flush<E>(&mut self, mut host: impl FnMut(&[u8], u64) -> Result<(), E>) -> Result<(), E> {
        self.ends_commit = false;
        if self.bytes.is_empty() {
            return Ok(());
        }
        let done = host(&self.bytes, self.offset);
        self.bytes.clear();
        done
    }

    /// The end of the bytes that are held back; 0 if there are none.
    pub(crate) fn end(&self) -> u64 {
        if self.bytes.is_empty() { 0 } else { self.offset + self.bytes.len() as u64 }
    }
}
