//! The files of a VM: a file system in its memory, without any of the host's. Names lead to nodes, and what
//! is open holds a node, too, so a file that was removed lives on until it is closed (POSIX).
//!
//! Keeps true: everything whose size a script decides lies in Lua's account (`Counted`); nothing here runs
//! Lua, and nothing raises. Directories are what the paths of files say, and nothing of their own.
//!
//! Not here: what Lua sees of it (`stdlib`), and where files are kept beyond the VM (`state::kept_files`).

pub(crate) use self::errno::Errno;
pub(crate) use self::path::FilePath;
use crate::lua::{Counted, Memory};
use std::ptr::NonNull;

mod errno;
mod path;

/// A way to open a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mode {
    kind: Kind,
    /// True if it is for reading and writing.
    is_both: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// File that is there.
    Read,
    /// Empty file.
    Write,
    /// File at whose end all is written.
    Append,
}

impl Mode {
    pub(crate) const READ: Mode = Mode { kind: Kind::Read, is_both: false };
    pub(crate) const WRITE: Mode = Mode { kind: Kind::Write, is_both: false };

    /// The mode that a string stands for: `[rwa]%+?b?`, as C Lua checks it.
    pub(crate) fn of(text: &[u8]) -> Option<Mode> {
        let (first, rest) = text.split_first()?;
        let (is_both, rest) = match rest.split_first() {
            Some((b'+', rest)) => (true, rest),
            _ => (false, rest),
        };
        let kind = match first {
            b'r' => Kind::Read,
            b'w' => Kind::Write,
            b'a' => Kind::Append,
            _ => return None,
        };
        matches!(rest, b"" | b"b").then_some(Mode { kind, is_both })
    }

    fn reads(self) -> bool {
        self.is_both || self.kind == Kind::Read
    }

    fn writes(self) -> bool {
        self.is_both || self.kind != Kind::Read
    }
}

/// The place that an offset counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whence {
    Start,
    Current,
    End,
}

#[derive(Debug)]
struct Name {
    path: Counted<u8>,
    node: u32,
}

/// A file, which names and handles lead to.
#[derive(Debug)]
struct Node {
    content: Counted<u8>,
    /// True if a name leads here.
    is_named: bool,
    /// True if programs can neither change nor remove it.
    is_fixed: bool,
    /// True if it is not what was kept last.
    is_changed: bool,
    /// Handles that have it open.
    handles: u32,
}

/// An open file.
#[derive(Debug, Clone, Copy)]
struct Opened {
    /// Node of it; `NONE` if this place is free.
    node: u32,
    position: usize,
    mode: Mode,
}

const NONE: u32 = u32::MAX;

/// Directory of temporary files, which are not kept.
const TEMPORARY: &[u8] = b"tmp/";

/// All files of a VM.
#[derive(Debug)]
pub(crate) struct FileSystem {
    memory: NonNull<Memory>,
    /// Names in the order of their bytes.
    names: Counted<Name>,
    nodes: Counted<Node>,
    opened: Counted<Opened>,
    /// Paths that lead nowhere any more since files were kept last.
    gone: Counted<Counted<u8>>,
    /// Bytes of all contents, and the most that they may be.
    bytes: usize,
    limit: usize,
    /// True if programs can change nothing.
    is_read_only: bool,
    /// Name of the external table that files are kept in; empty: in none.
    table: Counted<u8>,
    /// False if all is as it was kept last.
    has_changes: bool,
    temporaries: u32,
}

/// A file as the host lists it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) bytes: usize,
    pub(crate) is_fixed: bool,
}

impl FileSystem {
    /// An empty one, of at most so many bytes.
    pub(crate) fn new(memory: NonNull<Memory>, limit: usize, is_read_only: bool) -> Self {
        FileSystem {
            memory,
            names: Counted::new(memory),
            nodes: Counted::new(memory),
            opened: Counted::new(memory),
            gone: Counted::new(memory),
            bytes: 0,
            limit,
            is_read_only,
            table: Counted::new(memory),
            has_changes: false,
            temporaries: 0,
        }
    }

    // ---- names ----

    /// Index of the name, or the one where it would be.
    #[inline(never)]
    fn find(&self, path: &[u8]) -> Result<usize, usize> {
        self.names.as_slice().binary_search_by(|name| name.path.as_slice().cmp(path))
    }

    /// True if files are below this path.
    #[inline(never)]
    fn is_folder(&self, path: &[u8]) -> bool {
        if path.is_empty() {
            return true;
        }
        let below = |name: &Name| {
            name.path.as_slice().strip_prefix(path).and_then(|rest| rest.first()) == Some(&b'/')
        };
        // Names that begin with the path lie side by side; one that goes on with `/` need not be the first.
        let from = self.find(path).unwrap_or_else(|at| at);
        let mut near =
            self.names.as_slice()[from..].iter().take_while(|name| name.path.as_slice().starts_with(path));
        near.any(below)
    }

    /// The node that a path leads to.
    #[inline(never)]
    fn look_up(&self, path: &FilePath) -> Result<u32, Errno> {
        let bytes = path.bytes();
        match self.find(bytes) {
            Ok(_) if path.names_folder => Err(Errno::NotFolder),
            Ok(at) => Ok(self.names.as_slice()[at].node),
            Err(_) if self.is_folder(bytes) => Err(Errno::IsFolder),
            Err(_) => {
                self.check_parents(bytes)?;
                Err(Errno::NoEntry)
            }
        }
    }

    /// Refuses a path below a file.
    #[inline(never)]
    fn check_parents(&self, path: &[u8]) -> Result<(), Errno> {
        for (at, _) in path.iter().enumerate().filter(|&(_, &byte)| byte == b'/') {
            if self.find(&path[..at]).is_ok() {
                return Err(Errno::NotFolder);
            }
        }
        Ok(())
    }

    /// Makes a name lead to a node.
    #[inline(never)]
    fn link(&mut self, path: &[u8], node: u32) -> Result<(), Errno> {
        match self.find(path) {
            Ok(at) => {
                let old = std::mem::replace(&mut self.names.as_mut_slice()[at].node, node);
                self.unname(old);
            }
            Err(at) => {
                let path = Counted::copy_of(self.memory, path)?;
                self.names.insert(at, Name { path, node })?;
            }
        }
        let node = &mut self.nodes.as_mut_slice()[node as usize];
        (node.is_named, node.is_changed) = (true, true);
        self.has_changes = true;
        Ok(())
    }

    /// Takes note that no name leads to a node any more.
    #[inline(never)]
    fn unname(&mut self, node: u32) {
        self.nodes.as_mut_slice()[node as usize].is_named = false;
        self.let_go(node);
    }

    /// Frees the content of a node that nothing refers to.
    #[inline(never)]
    fn let_go(&mut self, node: u32) {
        let node = &mut self.nodes.as_mut_slice()[node as usize];
        if !node.is_named && node.handles == 0 {
            self.bytes -= node.content.as_slice().len();
            node.content.clear();
        }
    }

    #[inline(never)]
    fn new_node(&mut self) -> Result<u32, Errno> {
        let node = Node {
            content: Counted::new(self.memory),
            is_named: false,
            is_fixed: false,
            is_changed: false,
            handles: 0,
        };
        let free = self.nodes.as_slice().iter().position(|node| !node.is_named && node.handles == 0);
        let at = free.unwrap_or(self.nodes.as_slice().len());
        match free {
            Some(at) => self.nodes.as_mut_slice()[at] = node,
            None => self.nodes.push(node)?,
        }
        Ok(at as u32)
    }

    /// The number of files, which steps of a search are charged by.
    pub(crate) fn count(&self) -> usize {
        self.nodes.as_slice().len()
    }

    /// Removes the name of a file.
    pub(crate) fn remove(&mut self, path: &FilePath) -> Result<(), Errno> {
        let node = match self.look_up(path) {
            Err(Errno::IsFolder) => return Err(Errno::NotEmpty),
            found => found?,
        };
        self.check_change(Some(node))?;
        self.gone.reserve(1)?;
        self.unlink(path.bytes());
        self.unname(node);
        Ok(())
    }

    /// Takes a name away, for which `gone` has room; what it led to stays.
    #[inline(never)]
    fn unlink(&mut self, path: &[u8]) {
        let Ok(at) = self.find(path) else { return };
        let name = self.names.remove(at);
        if !self.table.as_slice().is_empty() && self.gone.push(name.path).is_ok() {
            self.has_changes = true;
        }
    }

    /// Gives a file another name, in the place of the file that has it.
    pub(crate) fn rename(&mut self, from: &FilePath, to: &FilePath) -> Result<(), Errno> {
        let node = self.look_up(from)?;
        self.check_change(Some(node))?;
        match self.look_up(to) {
            Ok(there) if there == node => return Ok(()),
            Ok(there) => self.check_change(Some(there))?,
            Err(Errno::NoEntry) if !to.names_folder => {}
            Err(Errno::NoEntry) => return Err(Errno::NotFolder),
            Err(refusal) => return Err(refusal),
        }
        if to.bytes().strip_prefix(from.bytes()).is_some_and(|rest| rest.starts_with(b"/")) {
            return Err(Errno::NotFolder);
        }
        // First what may fail: there are two names for a moment.
        self.gone.reserve(1)?;
        self.link(to.bytes(), node)?;
        self.unlink(from.bytes());
        Ok(())
    }

    /// Refuses programs a change that they may not make: of a file, or of none in particular.
    #[inline(never)]
    fn check_change(&self, node: Option<u32>) -> Result<(), Errno> {
        if self.is_read_only {
            return Err(Errno::ReadOnly);
        }
        match node {
            Some(node) if self.nodes.as_slice()[node as usize].is_fixed => Err(Errno::Access),
            _ => Ok(()),
        }
    }

    // ---- open files ----

    /// Opens a file for a program. Returns its number, until `close`.
    #[inline(never)]
    pub(crate) fn open(&mut self, path: &FilePath, mode: Mode) -> Result<u32, Errno> {
        let found = self.look_up(path);
        let node = match found {
            Ok(node) => node,
            Err(Errno::NoEntry) if mode.kind != Kind::Read => {
                if path.names_folder {
                    return Err(Errno::IsFolder);
                }
                self.check_change(None)?;
                self.new_node()?
            }
            Err(refusal) => return Err(refusal),
        };
        if mode.writes() {
            self.check_change(Some(node))?;
        }
        let opened = self.new_opened(node, mode)?;
        if found.is_err()
            && let Err(refusal) = self.link(path.bytes(), node)
        {
            self.close(opened);
            return Err(refusal);
        }
        if mode.kind == Kind::Write && found.is_ok() {
            self.truncate(node);
        }
        Ok(opened)
    }

    /// Opens a new file without a name, for reading and writing.
    pub(crate) fn open_temporary(&mut self) -> Result<u32, Errno> {
        self.check_change(None)?;
        let node = self.new_node()?;
        self.new_opened(node, Mode { is_both: true, ..Mode::WRITE })
    }

    /// Makes an empty file of a name that no other has, and returns its number there.
    pub(crate) fn make_temporary(&mut self) -> Result<u32, Errno> {
        self.check_change(None)?;
        loop {
            self.temporaries += 1;
            let mut path = *TEMPORARY_NAME;
            write_digits(&mut path, self.temporaries);
            if self.find(&path).is_err() {
                self.check_parents(&path)?;
                let node = self.new_node()?;
                self.link(&path, node)?;
                return Ok(self.temporaries);
            }
        }
    }

    #[inline(never)]
    fn new_opened(&mut self, node: u32, mode: Mode) -> Result<u32, Errno> {
        // glibc has one that only appends begin at the end.
        let position = if mode.kind == Kind::Append && !mode.is_both { self.len(node) } else { 0 };
        let opened = Opened { node, position, mode };
        let free = self.opened.as_slice().iter().position(|opened| opened.node == NONE);
        let at = free.unwrap_or(self.opened.as_slice().len());
        match free {
            Some(at) => self.opened.as_mut_slice()[at] = opened,
            None => self.opened.push(opened)?,
        }
        self.nodes.as_mut_slice()[node as usize].handles += 1;
        Ok(at as u32)
    }

    /// Closes an open file; its number may be another's from then on.
    #[inline(never)]
    pub(crate) fn close(&mut self, number: u32) {
        let Some(opened) = self.opened.as_mut_slice().get_mut(number as usize) else { return };
        let node = std::mem::replace(&mut opened.node, NONE);
        if node != NONE {
            self.nodes.as_mut_slice()[node as usize].handles -= 1;
            self.let_go(node);
        }
    }

    #[inline(never)]
    fn opened(&self, number: u32) -> Result<Opened, Errno> {
        let opened = self.opened.as_slice().get(number as usize).copied();
        opened.filter(|opened| opened.node != NONE).ok_or(Errno::BadDescriptor)
    }

    /// Bytes from the position of an open file on.
    pub(crate) fn unread(&self, number: u32) -> Result<&[u8], Errno> {
        let opened = self.opened(number)?;
        if !opened.mode.reads() {
            return Err(Errno::BadDescriptor);
        }
        let content = self.nodes.as_slice()[opened.node as usize].content.as_slice();
        Ok(content.get(opened.position..).unwrap_or_default())
    }

    /// Moves the position past bytes that were read.
    pub(crate) fn advance(&mut self, number: u32, count: usize) {
        if let Some(opened) = self.opened.as_mut_slice().get_mut(number as usize) {
            opened.position += count;
        }
    }

    /// Writes at the position of an open file, or at its end if it appends.
    pub(crate) fn write(&mut self, number: u32, bytes: &[u8]) -> Result<(), Errno> {
        let opened = self.opened(number)?;
        if bytes.is_empty() {
            return Ok(());
        }
        if !opened.mode.writes() {
            return Err(Errno::BadDescriptor);
        }
        let at = if opened.mode.kind == Kind::Append { self.len(opened.node) } else { opened.position };
        let end = self.write_to(opened.node, at, bytes)?;
        self.opened.as_mut_slice()[number as usize].position = end;
        Ok(())
    }

    /// Moves the position of an open file, and returns it.
    pub(crate) fn seek(&mut self, number: u32, whence: Whence, offset: i64) -> Result<i64, Errno> {
        let opened = self.opened(number)?;
        let base = match whence {
            Whence::Start => 0,
            Whence::Current => opened.position,
            Whence::End => self.len(opened.node),
        };
        let position = i64::try_from(base).ok().and_then(|base| base.checked_add(offset));
        let position = position.filter(|&position| position >= 0).ok_or(Errno::Invalid)?;
        // One that no memory can reach is no place for bytes either.
        let place = usize::try_from(position).map_err(|_| Errno::Invalid)?;
        self.opened.as_mut_slice()[number as usize].position = place;
        Ok(position)
    }

    /// Bytes that lie in the way of a write at the position: what it has to move or to fill.
    pub(crate) fn gap(&self, number: u32) -> usize {
        let Ok(opened) = self.opened(number) else { return 0 };
        opened.position.saturating_sub(self.len(opened.node))
    }

    fn len(&self, node: u32) -> usize {
        self.nodes.as_slice()[node as usize].content.as_slice().len()
    }

    /// Writes into a node, and returns where that ends.
    #[inline(never)]
    fn write_to(&mut self, node: u32, at: usize, bytes: &[u8]) -> Result<usize, Errno> {
        let before = self.len(node);
        let end = at.checked_add(bytes.len()).ok_or(Errno::NoSpace)?;
        let total = (self.bytes - before).checked_add(end.max(before)).ok_or(Errno::NoSpace)?;
        if total > self.limit && end > before {
            return Err(Errno::NoSpace);
        }
        let node = &mut self.nodes.as_mut_slice()[node as usize];
        node.content.write(at, bytes)?;
        node.is_changed = true;
        self.has_changes = true;
        self.bytes = total;
        Ok(end)
    }

    #[inline(never)]
    fn truncate(&mut self, node: u32) {
        let node = &mut self.nodes.as_mut_slice()[node as usize];
        self.bytes -= node.content.as_slice().len();
        node.content.clear();
        node.is_changed = true;
        self.has_changes = true;
    }

    // ---- the host's side ----

    /// The whole content of a file.
    pub(crate) fn read(&self, path: &FilePath) -> Result<&[u8], Errno> {
        let node = self.look_up(path)?;
        Ok(self.nodes.as_slice()[node as usize].content.as_slice())
    }

    /// Makes a file what the host gives, whatever programs may do with it.
    #[inline(never)]
    pub(crate) fn put(&mut self, path: &FilePath, bytes: &[u8], is_fixed: bool) -> Result<(), Errno> {
        if path.names_folder {
            return Err(Errno::IsFolder);
        }
        let there = match self.look_up(path) {
            Ok(node) => Some(node),
            Err(Errno::NoEntry) => None,
            Err(refusal) => return Err(refusal),
        };
        let others = self.bytes - there.map_or(0, |node| self.len(node));
        let total = others.checked_add(bytes.len()).filter(|&total| total <= self.limit);
        let total = total.ok_or(Errno::NoSpace)?;
        let content = Counted::copy_of(self.memory, bytes)?;
        let node = if let Some(node) = there {
            node
        } else {
            let node = self.new_node()?;
            self.link(path.bytes(), node)?;
            node
        };
        let node = &mut self.nodes.as_mut_slice()[node as usize];
        (node.content, node.is_fixed, node.is_changed) = (content, is_fixed, true);
        (self.bytes, self.has_changes) = (total, true);
        Ok(())
    }

    /// Removes a file, whatever programs may do with it. Returns false if there is none.
    pub(crate) fn take_away(&mut self, path: &FilePath) -> Result<bool, Errno> {
        match self.look_up(path) {
            Ok(node) => {
                self.gone.reserve(1)?;
                self.unlink(path.bytes());
                self.unname(node);
                Ok(true)
            }
            Err(Errno::NoEntry | Errno::NotFolder) => Ok(false),
            Err(refusal) => Err(refusal),
        }
    }

    /// The file at an index of the list, which is in the order of paths.
    pub(crate) fn listed(&self, index: usize) -> Option<Listed<'_>> {
        let name = self.names.as_slice().get(index)?;
        let node = &self.nodes.as_slice()[name.node as usize];
        let bytes = node.content.as_slice().len();
        Some(Listed { path: name.path.as_slice(), bytes, is_fixed: node.is_fixed })
    }

    // ---- what is kept ----

    /// Name of the table that files are kept in; empty: in none.
    pub(crate) fn table(&self) -> &[u8] {
        self.table.as_slice()
    }

    /// Keeps files in this table from now on.
    pub(crate) fn set_table(&mut self, name: &[u8]) -> Result<(), Errno> {
        self.table = Counted::copy_of(self.memory, name)?;
        Ok(())
    }

    /// A path that was kept, and leads nowhere any more.
    pub(crate) fn first_gone(&self) -> Option<&[u8]> {
        self.gone.as_slice().last().map(Counted::as_slice)
    }

    /// Takes note that the last of those is not kept any more.
    pub(crate) fn forget_gone(&mut self) {
        let last = self.gone.as_slice().len().checked_sub(1);
        last.map(|last| self.gone.remove(last));
    }

    /// True if the table has to be written to.
    pub(crate) fn has_changes(&self) -> bool {
        self.has_changes && !self.table.as_slice().is_empty()
    }

    /// Has everything written to the table, of which nothing is known any more.
    pub(crate) fn keep_all(&mut self) {
        for node in self.nodes.as_mut_slice() {
            node.is_changed = true;
        }
        self.has_changes = true;
    }

    /// Takes note that everything is kept as it is.
    pub(crate) fn all_kept(&mut self) {
        self.has_changes = false;
    }

    /// Path and content of the file at an index of the list, if it is to be kept and has changed.
    pub(crate) fn changed(&self, index: usize) -> Option<(&[u8], &[u8])> {
        let name = self.names.as_slice().get(index)?;
        let node = &self.nodes.as_slice()[name.node as usize];
        let (path, is_kept) = (name.path.as_slice(), !node.is_fixed);
        (is_kept && node.is_changed && !path.starts_with(TEMPORARY)).then(|| (path, node.content.as_slice()))
    }

    /// Takes note that the file at an index is kept as it is.
    pub(crate) fn mark_kept(&mut self, index: usize) {
        if let Some(name) = self.names.as_slice().get(index) {
            let node = name.node as usize;
            self.nodes.as_mut_slice()[node].is_changed = false;
        }
    }
}

const TEMPORARY_NAME: &[u8; 18] = b"tmp/lua_0000000000";

/// The path of a temporary file.
pub(crate) fn temporary_path(number: u32) -> [u8; 19] {
    let mut path = *b"/tmp/lua_0000000000";
    write_digits(&mut path, number);
    path
}

/// Writes a number over the zeros at the end of a text.
fn write_digits(text: &mut [u8], number: u32) {
    let mut rest = number;
    for digit in text.iter_mut().rev() {
        if rest == 0 {
            return;
        }
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}
