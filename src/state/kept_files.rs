//! Files that are kept in the store of external tables: a table has an entry for each, its path and its
//! content. They are written with the batch of the call that has changed them, so they are committed together
//! with the tables, or not at all.

use crate::files::{FilePath, FileSystem};
use crate::state::context::Context;
use crate::store::StoreError;
use crate::value::{Decoder, Encoder, FormatError, Token};

/// Bytes of entries that are read at a time.
const ROOM: usize = 16 * 1024;

/// Writes the files that have changed. What the store refuses is tried again at the end of the next batch.
pub(crate) fn keep_files(c: &mut Context) -> Result<(), StoreError> {
    let Some(files) = c.files.as_deref_mut().filter(|files| files.has_changes()) else { return Ok(()) };
    let table = c.store.open(files.table())?;
    while let Some(path) = files.first_gone() {
        encode(&mut c.key, path)?;
        c.store.remove(table, &c.key)?;
        files.forget_gone();
    }
    let mut index = 0;
    while files.listed(index).is_some() {
        if let Some((path, content)) = files.changed(index) {
            encode(&mut c.key, path)?;
            encode(&mut c.value, content)?;
            c.store.set(table, &c.key, &c.value)?;
            files.mark_kept(index);
        }
        index += 1;
    }
    files.all_kept();
    c.trim();
    Ok(())
}

/// Makes files of what was kept, before there are others.
pub(crate) fn load_files(c: &mut Context, files: &mut FileSystem) -> Result<(), StoreError> {
    let table = c.store.open(files.table())?;
    let mut cursor = 0;
    loop {
        c.value.clear();
        if !c.store.next(table, cursor, ROOM, &mut c.value)? {
            break;
        }
        let mut rest = c.value.as_slice();
        while let Some((at, entry)) = rest.split_first_chunk::<8>() {
            cursor = f64::from_le_bytes(*at) as u64;
            let mut decoder = Decoder::new(entry);
            let (Ok(Token::String(path)), Ok(Token::String(content))) = (decoder.token(), decoder.token())
            else {
                return Err(StoreError::Host("the table of files has an entry that is no file".to_owned()));
            };
            let put = FilePath::of(path).and_then(|path| files.put(&path, content, false));
            put.map_err(|refusal| {
                let text = String::from_utf8_lossy(refusal.text());
                StoreError::Host(format!("file '{}': {text}", String::from_utf8_lossy(path)))
            })?;
            rest = &entry[entry.len() - decoder.remaining()..];
        }
    }
    let mut index = 0;
    while files.listed(index).is_some() {
        files.mark_kept(index);
        index += 1;
    }
    files.all_kept();
    c.trim();
    Ok(())
}

fn encode(place: &mut Vec<u8>, text: &[u8]) -> Result<(), StoreError> {
    place.clear();
    Encoder::new(place).string(text).map_err(|error| match error {
        FormatError::OutOfMemory => StoreError::OutOfMemory,
        _ => StoreError::TooLarge,
    })
}
