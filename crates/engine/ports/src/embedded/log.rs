//! The embedded log.

use super::readers::{EmbeddedConsumer, EmbeddedTail};
use super::{Embedded, records};
use crate::{Append, Consumer, Log, PortError, PortFuture, Position, Tail, TailScope, Topic};

impl Log for Embedded {
    fn append(&self, appended: Vec<Append>) -> PortFuture<'_, Vec<Position>> {
        Box::pin(async move {
            let limit = self.shared.max_value_bytes;
            let bytes = |record: &Append| record.value.as_ref().map_or(0, bytes::Bytes::len) as u64;
            if let Some(bytes) = appended.iter().map(bytes).find(|bytes| *bytes > limit) {
                return Err(PortError::TooLarge { what: "a record", bytes, limit });
            }
            let topics: Vec<_> = appended.iter().map(|record| record.topic).collect();
            let is_new_work = appended.iter().any(|record| record.is_new_work);
            self.shared
                .write(
                    move |scope| {
                        if is_new_work && scope.is_low {
                            let text = "the rest of the store is kept for work that was accepted";
                            return Ok(Err(PortError::Full(text.into())));
                        }
                        let append = |record| records::append(scope, record);
                        appended.iter().map(append).collect::<rusqlite::Result<Vec<_>>>().map(Ok)
                    },
                    move |hub, positions: &Vec<Position>| {
                        for (topic, position) in topics.iter().zip(positions) {
                            hub.advance(*topic, position.offset + 1);
                        }
                    },
                )
                .await
        })
    }

    fn tail(&self, topic: Topic, scope: TailScope) -> PortFuture<'_, Box<dyn Tail>> {
        Box::pin(async move {
            let tail: Box<dyn Tail> = Box::new(EmbeddedTail::new(self.shared.clone(), topic, &scope));
            Ok(tail)
        })
    }

    fn subscribe(&self, topic: Topic, group: &str, in_flight: usize) -> PortFuture<'_, Box<dyn Consumer>> {
        let group = group.to_owned();
        Box::pin(async move {
            let name = group.clone();
            let join = move |scope: &super::thread::Scope<'_>| records::join(scope, topic, &name).map(Ok);
            let committed = self.shared.write(join, |_, _| {}).await?;
            let group = self.shared.hub.group(topic, &group, committed);
            let consumer: Box<dyn Consumer> =
                Box::new(EmbeddedConsumer::new(self.shared.clone(), topic, &group, in_flight));
            Ok(consumer)
        })
    }

    fn ends(&self, topic: Topic) -> PortFuture<'_, Vec<Position>> {
        Box::pin(async move {
            if self.shared.hub.is_closed() {
                return Err(PortError::Closed);
            }
            Ok(vec![Position { partition: 0, offset: *self.shared.hub.end(topic).borrow() }])
        })
    }

    fn lag(&self, topic: Topic, group: &str) -> PortFuture<'_, u64> {
        let group = group.to_owned();
        Box::pin(async move {
            let count = move |connection: &rusqlite::Connection| {
                let committed = records::committed(connection, topic, &group)?.unwrap_or(0);
                records::count(connection, topic, committed)
            };
            self.shared.read(count).await
        })
    }

    fn health(&self) -> PortFuture<'_, ()> {
        // A transaction: it finds a disk that cannot be written. Without a change it costs no fsync.
        Box::pin(async move { self.shared.write(|_| Ok(Ok(())), |_, ()| {}).await })
    }
}
