//! Files of SQLite that the host has: a VFS whose files are ids, and whose operations are imports of numbers.
//!
//! Keeps true:
//! - Every failure has a result of SQLite. No room is always `SQLITE_FULL`, whatever was being done.
//! - A database is open once in a module: the host keeps others away from its files, so that there are no
//!   locks here.
//! - A temporary file is in memory, and the host never hears of it.
//!
//! Not here: shared memory. A capsule has its database for itself (`locking_mode=EXCLUSIVE`), so WAL needs
//! none.

use crate::environment::HostEnvironment;
use crate::imports::{
    file_close, file_delete, file_exists, file_open, file_read, file_size, file_sync, file_truncate,
    file_write,
};
use crate::joined_writes::JoinedWrites;
use perilune::{ErrorKind, Library, Vm};
use rsqlite_vfs::{
    AccessMode, DeviceCharacteristics, FileKind, LockLevel, MemChunksFile, OpenOptions, OpenRequest,
    OpenedFile, SQLiteIoMethods, SQLiteVfs, SyncOptions, VfsError, VfsErrorCode, VfsFile, VfsResult,
    VfsStore, register_vfs,
};
use sqlite_wasm_rs as ffi;
use std::cell::RefCell;

/// Name of the VFS, which is the default one.
const VFS: &str = "host";

/// Largest number up to which the host's numbers, which are floats, are exact.
const EXACT_MAX: u64 = 1 << 53;

/// Part of the module's memory that SQLite may use, as a divisor: what is left is Lua's and Rust's. When it
/// is used up SQLite reuses the pages that it remembers, and only then refuses.
const SQLITE_PART: usize = 4;

/// Failure codes of the host (docs/codec.md, section 8). Every other negative number is a failure of the
/// medium.
mod failure {
    pub(super) const ABSENT: i32 = -1;
    pub(super) const DENIED: i32 = -3;
    pub(super) const FULL: i32 = -4;
    pub(super) const NAME: i32 = -6;
}

/// The files of SQLite as a library of the VM: nothing that scripts see.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files;

impl Library for Files {
    fn name(&self) -> &'static str {
        "capsule.files"
    }

    fn open(&self, vm: &mut Vm) -> perilune::Result<()> {
        let limit_bytes = vm.stats().limit_bytes / SQLITE_PART;
        // SAFETY: nothing of SQLite runs. It initializes itself, by functions of this module.
        unsafe { ffi::sqlite3_hard_heap_limit64(i64::try_from(limit_bytes).unwrap_or(i64::MAX)) };
        // SAFETY: the constructor, the methods and the layout of files are those of rsqlite_vfs, for one
        // store and one type of application data. The module has one thread, and `init` runs once.
        let registered = unsafe { register_vfs::<Methods, Host>(VFS, OpenDatabases::default(), true) };
        match registered {
            Ok(registration) => {
                // For as long as the module lives.
                registration.into_raw();
                Ok(())
            }
            Err(error) => Err(ErrorKind::Bug(format!("no files for SQLite: {error}")).into()),
        }
    }
}

/// Names of the databases that are open.
#[derive(Default)]
struct OpenDatabases(RefCell<Vec<String>>);

enum File {
    /// An id of the host's.
    Host(i32),
    /// An id of the host's, of a write-ahead log.
    Log(i32, JoinedWrites),
    Memory(MemChunksFile),
}

/// Writes to a file of the host's.
fn write(id: i32, bytes: &[u8], offset: u64) -> VfsResult<()> {
    exact(offset.saturating_add(bytes.len() as u64))?;
    done(file_write(id, bytes.as_ptr(), bytes.len(), exact(offset)?), VfsErrorCode::IoWrite)
}

impl File {
    /// Has the host write what is held back.
    fn flush(&mut self) -> VfsResult<()> {
        match self {
            Self::Log(id, held) => held.flush(|bytes, offset| write(*id, bytes, offset)),
            Self::Host(_) | Self::Memory(_) => Ok(()),
        }
    }
}

/// The result for a failure code of the host, in an operation for whose failures SQLite has this code.
fn failed(code: i32, operation: VfsErrorCode) -> VfsError {
    let result = match (code, operation) {
        (failure::FULL, _) => VfsErrorCode::Full,
        (failure::ABSENT, VfsErrorCode::IoDelete) => VfsErrorCode::IoDeleteNoEntry,
        (failure::DENIED, VfsErrorCode::IoWrite | VfsErrorCode::IoTruncate) => VfsErrorCode::ReadOnly,
        (failure::NAME, _) => VfsErrorCode::CantOpen,
        _ => operation,
    };
    VfsError::new(result, "the host could not do it".into())
}

/// A result of the host that has no number to say.
fn done(code: i32, operation: VfsErrorCode) -> VfsResult<()> {
    if code < 0 { Err(failed(code, operation)) } else { Ok(()) }
}

/// A place in a file as the host counts them.
fn exact(bytes: u64) -> VfsResult<f64> {
    if bytes > EXACT_MAX {
        return Err(VfsError::new(VfsErrorCode::Full, "a file cannot be so long".into()));
    }
    #[expect(clippy::cast_precision_loss, reason = "exact, by the check before")]
    Ok(bytes as f64)
}

impl VfsFile for File {
    /// Promise that what is written leaves the bytes beside it alone, as SQLite has it on the systems that
    /// keep the host's files.
    fn device_characteristics(&self) -> DeviceCharacteristics {
        DeviceCharacteristics::POWERSAFE_OVERWRITE
    }

    fn read(&mut self, buf: &mut [u8], offset: u64) -> VfsResult<usize> {
        self.flush()?;
        match self {
            Self::Host(id) | Self::Log(id, _) => {
                let read = file_read(*id, buf.as_mut_ptr(), buf.len(), exact(offset)?);
                usize::try_from(read).map_err(|_| failed(read, VfsErrorCode::IoRead))
            }
            Self::Memory(file) => file.read(buf, offset),
        }
    }

    fn write(&mut self, buf: &[u8], offset: u64) -> VfsResult<()> {
        match self {
            Self::Host(id) => write(*id, buf, offset),
            Self::Log(id, held) => held.write(buf, offset, |bytes, offset| write(*id, bytes, offset)),
            Self::Memory(file) => file.write(buf, offset),
        }
    }

    fn truncate(&mut self, size: u64) -> VfsResult<()> {
        self.flush()?;
        match self {
            Self::Host(id) | Self::Log(id, _) => {
                done(file_truncate(*id, exact(size)?), VfsErrorCode::IoTruncate)
            }
            Self::Memory(file) => file.truncate(size),
        }
    }

    fn sync(&mut self, options: SyncOptions) -> VfsResult<()> {
        self.flush()?;
        match self {
            Self::Host(id) | Self::Log(id, _) => done(file_sync(*id), VfsErrorCode::IoSync),
            Self::Memory(file) => file.sync(options),
        }
    }

    fn size(&self) -> VfsResult<u64> {
        let (id, held) = match self {
            Self::Host(id) => (*id, 0),
            Self::Log(id, held) => (*id, held.end()),
            Self::Memory(file) => return file.size(),
        };
        let size = file_size(id);
        if size >= 0.0 { Ok(held.max(size as u64)) } else { Err(failed(size as i32, VfsErrorCode::IoStat)) }
    }

    fn lock(&mut self, _: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn unlock(&mut self, _: LockLevel) -> VfsResult<()> {
        Ok(())
    }

    fn check_reserved_lock(&self) -> VfsResult<bool> {
        Ok(false)
    }
}

/// The name as the host gets it. The core puts `./` before what would mean something else to SQLite.
fn plain(name: &str) -> &str {
    name.strip_prefix("./").unwrap_or(name)
}

fn is_temporary(options: OpenOptions) -> bool {
    let kept = matches!(
        options.kind(),
        None | Some(FileKind::MainDb | FileKind::MainJournal | FileKind::SuperJournal | FileKind::Wal)
    );
    !kept || options.delete_on_close()
}

struct Store;

impl VfsStore for Store {
    type File = File;
    type AppData = OpenDatabases;

    fn open_file(data: &OpenDatabases, request: OpenRequest<'_>) -> VfsResult<OpenedFile<File>> {
        let options = request.options;
        let access = options.access();
        let name = match request.filename {
            Some(name) if !is_temporary(options) => name.path(),
            _ => return Ok(OpenedFile { file: File::Memory(MemChunksFile::waiting_for_write()), access }),
        };
        let is_database = options.kind() == Some(FileKind::MainDb);
        if is_database && data.0.borrow().iter().any(|open| open == name) {
            return Err(VfsError::new(VfsErrorCode::Busy, "the database is open already".into()));
        }
        if options.exclusive() && Self::access(data, name, AccessMode::Exists)? {
            return Err(VfsError::new(VfsErrorCode::CantOpen, "the file is there already".into()));
        }
        let id = file_open(name.as_ptr(), name.len(), u32::from(options.create()));
        done(id, VfsErrorCode::CantOpen)?;
        if is_database {
            data.0.borrow_mut().push(name.to_owned());
        }
        let is_log = options.kind() == Some(FileKind::Wal);
        let file = if is_log { File::Log(id, JoinedWrites::default()) } else { File::Host(id) };
        Ok(OpenedFile { file, access })
    }

    fn close_file(
        data: &OpenDatabases,
        name: Option<&str>,
        mut file: File,
        options: OpenOptions,
    ) -> VfsResult<()> {
        let flushed = file.flush();
        let (File::Host(id) | File::Log(id, _)) = file else { return Ok(()) };
        if options.kind() == Some(FileKind::MainDb) {
            data.0.borrow_mut().retain(|open| Some(open.as_str()) != name);
        }
        flushed.and(done(file_close(id), VfsErrorCode::IoClose))
    }

    fn access(_: &OpenDatabases, name: &str, _: AccessMode) -> VfsResult<bool> {
        let exists = file_exists(name.as_ptr(), name.len());
        done(exists, VfsErrorCode::IoAccess)?;
        Ok(exists != 0)
    }

    fn full_pathname(_: &OpenDatabases, name: &str) -> VfsResult<String> {
        Ok(plain(name).to_owned())
    }

    fn delete_file(_: &OpenDatabases, name: &str, durable: bool) -> VfsResult<()> {
        done(file_delete(name.as_ptr(), name.len(), u32::from(durable)), VfsErrorCode::IoDelete)
    }
}

struct Methods;

impl SQLiteIoMethods for Methods {
    type Store = Store;
}

struct Host;

impl SQLiteVfs<Methods> for Host {
    type Os = HostEnvironment;

    /// Length of the longest path of Linux; the host refuses what is too long for it.
    const MAX_PATH_SIZE: i32 = 4096;

    fn os(_: &OpenDatabases) -> &HostEnvironment {
        &HostEnvironment
    }
}
