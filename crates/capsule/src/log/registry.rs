//! Watchers and subscriptions as SQL shows them: they are in memory, and views read them through functions.

use crate::conn::{Conn, RESERVED};
use crate::error::Result;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// Directory of the watchers.
pub(crate) trait Registry {
    /// The id of the first watcher of a table.
    fn watcher_of(&self, table: &str) -> Option<String>;

    /// All watchers as a JSON array.
    fn watchers(&self) -> String;

    /// All subscriptions as a JSON array.
    fn subscriptions(&self) -> String;
}

/// Place of the registry of one database. While it is empty there are no watchers.
#[derive(Clone, Default)]
pub(crate) struct RegistrySlot(Rc<RefCell<Option<Rc<dyn Registry>>>>);

impl RegistrySlot {
    /// Adds the functions that the views of a connection call.
    pub(super) fn attach(conn: &Conn) -> Result<Self> {
        let slot = Self::default();
        let of = slot.clone();
        conn.add_function(&format!("{RESERVED}watcher_of"), move |values| {
            let table = values.first().and_then(|value| value.as_str().ok()).unwrap_or_default();
            Ok(of.get().and_then(|registry| registry.watcher_of(table)).into())
        })?;
        let watchers = slot.clone();
        conn.add_function(&format!("{RESERVED}watcher_list"), move |_| {
            Ok(watchers.get().map_or("[]".into(), |registry| registry.watchers().into()))
        })?;
        let subscriptions = slot.clone();
        conn.add_function(&format!("{RESERVED}subscription_list"), move |_| {
            Ok(subscriptions.get().map_or("[]".into(), |registry| registry.subscriptions().into()))
        })?;
        Ok(slot)
    }

    fn get(&self) -> Option<Rc<dyn Registry>> {
        self.0.borrow().clone()
    }

    /// Sets the registry.
    pub(crate) fn set(&self, registry: Rc<dyn Registry>) {
        *self.0.borrow_mut() = Some(registry);
    }
}

impl fmt::Debug for RegistrySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RegistrySlot")
    }
}
