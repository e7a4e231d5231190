//! Maps and lists in order, by binary search and insertion: a twentieth of the size of std's maps and sorts
//! in the module, for a few hundred entries.

/// A map by numbers.
#[derive(Debug)]
pub(super) struct Map<V>(Vec<(u32, V)>);

impl<V> Default for Map<V> {
    fn default() -> Self {
        Map(Vec::new())
    }
}

impl<V> Map<V> {
    #[inline(never)]
    fn position(&self, key: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |(known, _)| *known)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn get(&self, key: u32) -> Option<&V> {
        self.position(key).ok().map(|at| &self.0[at].1)
    }

    pub(super) fn get_mut(&mut self, key: u32) -> Option<&mut V> {
        self.position(key).ok().map(|at| &mut self.0[at].1)
    }

    pub(super) fn has(&self, key: u32) -> bool {
        self.position(key).is_ok()
    }

    /// The value of a key, which `make` makes where there is none.
    pub(super) fn get_or_insert(&mut self, key: u32, make: impl FnOnce() -> V) -> &mut V {
        let at = match self.position(key) {
            Ok(at) => at,
            Err(at) => {
                self.0.insert(at, (key, make()));
                at
            }
        };
        &mut self.0[at].1
    }

    pub(super) fn remove(&mut self, key: u32) {
        if let Ok(at) = self.position(key) {
            self.0.remove(at);
        }
    }
}

/// Adds a thing to a list that is in order and has each thing once.
#[inline(never)]
pub(super) fn insert<T: Ord>(list: &mut Vec<T>, thing: T) {
    if let Err(at) = list.binary_search(&thing) {
        list.insert(at, thing);
    }
}
