//! Files of a VM from the side of a Rust program.

use crate::api::vm::Vm;
use crate::error::{Error, Result};
use crate::value::Value;
use crate::vm::protocol::operation;

/// The files that a VM begins with. They lie in its memory, which their bytes count as; programs see nothing
/// of the system's files.
#[derive(Debug, Clone, Default)]
pub struct Files {
    given: Vec<(String, Vec<u8>, bool)>,
    is_read_only: bool,
    limit: Option<usize>,
    table: Option<String>,
}

/// A file of a VM.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileInfo {
    /// Path, from the root, without a slash in front.
    pub path: Vec<u8>,
    /// Size in bytes.
    pub bytes: u64,
    /// True if programs can only read it.
    pub is_fixed: bool,
}

impl Files {
    /// No files, and an empty place for them.
    #[must_use]
    pub fn new() -> Self {
        Files::default()
    }

    /// Adds a file that programs can change. One that was kept in the store stays as it is there.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.given.push((path.into(), content.into(), false));
        self
    }

    /// Adds a file that programs can only read; it is not kept.
    #[must_use]
    pub fn fixed(mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.given.push((path.into(), content.into(), true));
        self
    }

    /// Lets programs read all files, and change none.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }

    /// The most bytes that all contents may have together; without it, what the VM's memory has room for.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = Some(bytes);
        self
    }

    /// Keeps the files in the external table of this name, in the batch of the call that changes them; those
    /// that are there already are the VM's.
    #[must_use]
    pub fn kept_in(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }
}

impl Vm {
    pub(crate) fn open_files(&mut self, files: Files) -> Result<()> {
        let limit = files.limit.map_or(Value::Nil, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX).into());
        let table = files.table.map_or(Value::Nil, |name| name.as_str().into());
        self.operation(operation::FILES, "open".into(), vec![files.is_read_only.into(), limit, table])?;
        for (path, content, is_fixed) in files.given {
            let rest = vec![path.as_str().into(), Value::String(content), is_fixed.into()];
            self.operation(operation::FILES, "add".into(), rest)?;
        }
        Ok(())
    }

    pub(crate) fn set_arguments(&mut self, arguments: Vec<Vec<u8>>) -> Result<()> {
        let arguments = arguments.into_iter().map(Value::String).collect();
        self.operation(operation::FILES, "arguments".into(), arguments).map(drop)
    }

    /// Returns the content of a file; None if there is none. See [`Builder::files`](crate::Builder::files).
    ///
    /// # Errors
    /// `usage`: the VM has no files, or this can be no path.
    pub fn read_file(&mut self, path: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>> {
        let values = self.operation(operation::FILES, "read".into(), vec![text(path)])?;
        match values.into_iter().next() {
            Some(Value::String(content)) => Ok(Some(content)),
            _ => Ok(None),
        }
    }

    /// Puts a file in the place of what was there. A fixed one can be read by programs, not changed.
    ///
    /// # Errors
    /// `usage`: the VM has no files, this can be no path, there is no memory, or the limit is reached; the
    /// file is then what it was.
    pub fn write_file(
        &mut self,
        path: impl AsRef<[u8]>,
        content: impl Into<Vec<u8>>,
        is_fixed: bool,
    ) -> Result<()> {
        let rest = vec![text(path), Value::String(content.into()), is_fixed.into()];
        self.operation(operation::FILES, "write".into(), rest).map(drop)
    }

    /// Removes a file. Returns false if there is none.
    ///
    /// # Errors
    /// `usage`, as for [`Vm::write_file`].
    pub fn remove_file(&mut self, path: impl AsRef<[u8]>) -> Result<bool> {
        let values = self.operation(operation::FILES, "remove".into(), vec![text(path)])?;
        Ok(values.first() == Some(&true.into()))
    }

    /// Lists all files, in the order of their paths.
    ///
    /// # Errors
    /// `usage`: the VM has no files.
    pub fn list_files(&mut self) -> Result<Vec<FileInfo>> {
        let mut values = self.operation(operation::FILES, "list".into(), Vec::new())?.into_iter();
        let mut files = Vec::new();
        while let Some(first) = values.next() {
            let (Value::Integer(bytes), Some(Value::Boolean(is_fixed)), Some(Value::String(path))) =
                (first, values.next(), values.next())
            else {
                return Err(Error::bug("the list of files is malformed"));
            };
            files.push(FileInfo { path, bytes: bytes.unsigned_abs(), is_fixed });
        }
        Ok(files)
    }
}

fn text(path: impl AsRef<[u8]>) -> Value {
    Value::String(path.as_ref().to_vec())
}
