//! Webhooks that wait, by due time and by webhook. Bodies stay in the log.

use howk_ports::Position;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

/// Webhooks that wait, each with its place in the log.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    by_due: BTreeMap<(Duration, Position), Arc<str>>,
    by_key: HashMap<Arc<str>, (Duration, Position)>,
    /// Partitions that have been read to their end: before, a later record may end what waits.
    read: HashSet<u32>,
}

/// A webhook that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) key: Arc<str>,
    pub(super) position: Position,
}

impl Waiting {
    /// Notes that a webhook waits, instead of what was known of it.
    pub(super) fn put(&mut self, key: Arc<str>, due: Duration, position: Position) {
        self.remove(&key);
        self.by_due.insert((due, position), Arc::clone(&key));
        self.by_key.insert(key, (due, position));
    }

    /// Notes that a webhook waits no more.
    pub(super) fn remove(&mut self, key: &str) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_due.remove(&at);
        }
    }

    /// Puts off a webhook, because it could not be put back.
    pub(super) fn put_off(&mut self, due: &Due, until: Duration) {
        if self.by_key.get(&due.key).is_some_and(|(_, position)| *position == due.position) {
            self.put(Arc::clone(&due.key), until, due.position);
        }
    }

    pub(super) fn caught_up(&mut self, partition: u32) {
        self.read.insert(partition);
    }

    /// Forgets a partition, which has another owner now.
    pub(super) fn lost(&mut self, partition: u32) {
        self.read.remove(&partition);
        self.by_key.retain(|_, (_, position)| position.partition != partition);
        self.by_due.retain(|(_, position), _| position.partition != partition);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Waiting::default();
    }

    /// Returns the time until the next webhook is due; none if none waits in a partition that is read.
    pub(super) fn next(&self) -> Option<Duration> {
        self.ready().map(|((due, _), _)| *due).next()
    }

    /// Webhooks that are due, at most `limit`. They stay.
    pub(super) fn due(&self, now: Duration, limit: usize) -> Vec<Due> {
        let due = self.ready().take_while(|((due, _), _)| *due <= now).take(limit);
        due.map(|((_, position), key)| Due { key: Arc::clone(key), position: *position }).collect()
    }

    fn ready(&self) -> impl Iterator<Item = (&(Duration, Position), &Arc<str>)> {
        self.by_due.iter().filter(|((_, position), _)| self.read.contains(&position.partition))
    }

    /// Number of webhooks that wait.
    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: u32, offset: u64) -> Position {
        Position { partition, offset }
    }

    #[test]
    fn the_last_word_on_a_webhook_counts() {
        let second = Duration::from_secs;
        let mut waiting = Waiting::default();
        waiting.put("a".into(), second(5), at(0, 1));
        waiting.put("b".into(), second(3), at(0, 2));
        waiting.put("c".into(), second(1), at(1, 1));
        assert_eq!(waiting.next(), None, "what is not read yet is not due");
        waiting.caught_up(0);
        assert_eq!(waiting.next(), Some(second(3)));
        waiting.put("b".into(), second(9), at(0, 3));
        let due = |waiting: &Waiting, now| {
            waiting.due(second(now), 10).iter().map(|due| due.key.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(due(&waiting, 5), ["a"]);
        assert_eq!(due(&waiting, 9), ["a", "b"]);
        waiting.put_off(&Due { key: "a".into(), position: at(0, 7) }, second(20));
        waiting.put_off(&Due { key: "b".into(), position: at(0, 3) }, second(20));
        assert_eq!(due(&waiting, 9), ["a"]);
        waiting.remove("a");
        waiting.remove("nobody");
        waiting.lost(1);
        assert_eq!((due(&waiting, 99), waiting.len()), (vec!["b".to_owned()], 1));
        waiting.lost(0);
        assert_eq!((waiting.next(), waiting.len()), (None, 0));
    }
}
