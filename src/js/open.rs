//! Storage for a Rust program that embeds this crate: opens it before the VM is made, flushes and closes it.
//!
//! The store is the one of the npm package, file by file: `table_store.js` keeps the tables,
//! `write_behind.js` takes what changed to storage, `indexeddb/backend.js` is the storage. Only this file and
//! its caller hold JavaScript values, outside any VM.

use super::JsStore;
use crate::error::{Error, ErrorKind, LuaError, Result};
use js_sys::{Error as JsError, Reflect};
use wasm_bindgen::prelude::{JsCast, JsValue, wasm_bindgen};

#[wasm_bindgen(module = "/src/js/imports.js")]
extern "C" {
    fn set_memory(memory: JsValue);
    fn attach_store(store: &TableStore) -> u32;
    fn detach_store(id: u32);
}

#[wasm_bindgen(module = "/src/js/storage/table_store.js")]
extern "C" {
    #[derive(Debug)]
    type TableStore;
    #[wasm_bindgen(constructor)]
    fn new() -> TableStore;
    #[wasm_bindgen(method, catch)]
    async fn flush(this: &TableStore) -> Result<(), JsValue>;
    #[wasm_bindgen(method, catch)]
    async fn close(this: &TableStore) -> Result<(), JsValue>;
}

#[wasm_bindgen(module = "/src/js/storage/indexeddb/backend.js")]
extern "C" {
    #[wasm_bindgen(js_name = openIndexedDb, catch)]
    async fn open_indexed_db(name: &str) -> Result<JsValue, JsValue>;
}

#[wasm_bindgen(module = "/src/js/storage/open_store.js")]
extern "C" {
    #[wasm_bindgen(js_name = openStore, catch)]
    async fn load(backend: &JsValue) -> Result<JsValue, JsValue>;
}

/// A file that only other files import: naming it is what has wasm-bindgen carry it along.
macro_rules! carried {
    ($($file:literal $name:ident;)*) => {$(
        #[wasm_bindgen(module = $file)]
        extern "C" {
            #[allow(dead_code, reason = "never called from here")]
            fn $name();
        }
    )*};
}

carried! {
    "/src/js/binary.js" bytesToBinary;
    "/src/js/clock.js" clock;
    "/src/js/jit.js" createCompiler;
    "/src/js/turns.js" inTurn;
    "/src/js/storage/changes.js" changes;
    "/src/js/storage/loader.js" contents;
    "/src/js/storage/crc32.js" crc32;
    "/src/js/storage/commit.js" commit;
    "/src/js/storage/indexeddb/database.js" checkName;
    "/src/js/storage/indexeddb/follower.js" followIndexedDb;
    "/src/js/storage/indexeddb/log.js" retireTornLog;
    "/src/js/storage/indexeddb/meta.js" readMeta;
    "/src/js/storage/records.js" parseKey;
    "/src/js/storage/store_error.js" storeError;
    "/src/js/storage/dirty_set.js" dirtySet;
    "/src/js/storage/journal.js" journal;
    "/src/js/storage/page.js" storedOf;
    "/src/js/storage/participants.js" participants;
    "/src/js/storage/table.js" table;
    "/src/js/storage/write_behind.js" writeBehind;
}

/// A storage that is open, with its tables loaded. Dropping it does not flush: call [`OpenStore::close`].
#[derive(Debug)]
pub struct OpenStore {
    store: TableStore,
    id: u32,
}

/// Opens `"memory://"` or `"idb://NAME"`.
///
/// # Errors
/// `storage`: the name is empty or unknown, the database is open in another page, is newer than this version,
/// or there is no `IndexedDB`.
pub async fn open_store(address: &str) -> Result<OpenStore> {
    let store = match address.split_once("://") {
        Some(("memory", "")) => TableStore::new(),
        Some(("idb", name)) => {
            let backend = open_indexed_db(name).await.map_err(|e| refusal(&e))?;
            load(&backend).await.map_err(|e| refusal(&e))?.unchecked_into()
        }
        _ => {
            return Err(storage(format!("\"{address}\" is no storage; use \"memory://\" or \"idb://NAME\"")));
        }
    };
    set_memory(wasm_bindgen::memory());
    let id = attach_store(&store);
    Ok(OpenStore { store, id })
}

impl OpenStore {
    /// The tables of this storage, for [`Builder::store`](crate::Builder::store).
    pub fn tables(&self) -> JsStore {
        JsStore::new(self.id)
    }

    /// Resolves when everything accepted so far is committed.
    ///
    /// # Errors
    /// `storage`: a commit failed; its changes are kept and tried again.
    pub async fn flush(&self) -> Result<()> {
        self.store.flush().await.map_err(|e| refusal(&e))
    }

    /// Flushes, then lets the storage go. A runtime that still uses its tables gets storage errors from then
    /// on.
    ///
    /// # Errors
    /// `storage`: the last commit failed.
    pub async fn close(self) -> Result<()> {
        let closed = self.store.close().await;
        detach_store(self.id);
        closed.map_err(|e| refusal(&e))
    }
}

/// A JavaScript error as ours: its message, with its code in front.
fn refusal(error: &JsValue) -> Error {
    let message =
        error.dyn_ref::<JsError>().map_or_else(|| format!("{error:?}"), |e| String::from(e.message()));
    match Reflect::get(error, &"code".into()).ok().and_then(|code| code.as_string()) {
        Some(code) => storage(format!("{code}: {message}")),
        None => storage(message),
    }
}

fn storage(message: String) -> Error {
    ErrorKind::Storage(LuaError { message, ..LuaError::default() }).into()
}
