//! A log that dies at a chosen append, as its process would.

use bytes::Bytes;
use howk_contract::ConfigId;
use howk_ports::{
    Append, Consumer, Delivery, Log, PortFuture, Position, Record, State, Tail, TailEvent, TailScope, Topic,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::watch;

/// Moment at which it dies, at the append of that number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// The append, with nothing of it stored.
    Before,
    /// The append, with the first of its records stored: a log that cannot keep records together.
    Within,
    /// The append, with all stored, and nobody told.
    After,
}

/// A log, or a state, until it dies. Then no call of it ends any more.
#[derive(Debug)]
pub(crate) struct Mortal<T> {
    inner: T,
    fate: Arc<Fate>,
}

#[derive(Debug)]
pub(crate) struct Fate {
    death: Death,
    left: AtomicU32,
    is_dead: AtomicBool,
    died: watch::Sender<bool>,
}

impl Fate {
    /// Dies at append number `at`, from 0.
    pub(crate) fn new(death: Death, at: u32) -> Arc<Self> {
        let (left, is_dead) = (AtomicU32::new(at), AtomicBool::new(false));
        Arc::new(Fate { death, left, is_dead, died: watch::Sender::new(false) })
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Acquire)
    }

    /// Waits for the death.
    pub(crate) async fn death(&self) {
        self.died.subscribe().wait_for(|died| *died).await.unwrap();
    }

    fn is_due(&self) -> bool {
        let next = |left: u32| left.checked_sub(1);
        self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, next).is_err()
    }

    async fn die(&self) -> ! {
        self.is_dead.store(true, Ordering::Release);
        self.died.send_replace(true);
        std::future::pending().await
    }

    /// Goes on, unless it is dead.
    async fn live<T>(&self, work: impl Future<Output = T>) -> T {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
        let value = work.await;
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
        value
    }
}

impl<T> Mortal<T> {
    pub(crate) fn new(inner: T, fate: &Arc<Fate>) -> Self {
        Mortal { inner, fate: Arc::clone(fate) }
    }
}

impl<T: Log> Log for Mortal<T> {
    fn append(&self, mut records: Vec<Append>) -> PortFuture<'_, Vec<Position>> {
        Box::pin(async move {
            if self.fate.is_dead() {
                std::future::pending::<()>().await;
            }
            if self.fate.is_due() {
                match self.fate.death {
                    Death::Before => {}
                    Death::Within => {
                        records.truncate(records.len() / 2);
                        self.inner.append(records).await?;
                    }
                    Death::After => {
                        self.inner.append(records).await?;
                    }
                }
                self.fate.die().await;
            }
            self.fate.live(self.inner.append(records)).await
        })
    }

    fn tail(&self, topic: Topic, scope: TailScope) -> PortFuture<'_, Box<dyn Tail>> {
        Box::pin(async move {
            let inner = self.inner.tail(topic, scope).await?;
            let tail: Box<dyn Tail> = Box::new(Mortal::new(inner, &self.fate));
            Ok(tail)
        })
    }

    fn subscribe(&self, topic: Topic, group: &str, in_flight: usize) -> PortFuture<'_, Box<dyn Consumer>> {
        let group = group.to_owned();
        Box::pin(async move {
            let inner = self.inner.subscribe(topic, &group, in_flight).await?;
            let consumer: Box<dyn Consumer> = Box::new(Mortal::new(inner, &self.fate));
            Ok(consumer)
        })
    }

    fn ends(&self, topic: Topic) -> PortFuture<'_, Vec<Position>> {
        self.inner.ends(topic)
    }

    fn lag(&self, topic: Topic, group: &str) -> PortFuture<'_, u64> {
        self.inner.lag(topic, group)
    }

    fn health(&self) -> PortFuture<'_, ()> {
        self.inner.health()
    }
}

impl Tail for Mortal<Box<dyn Tail>> {
    fn next(&mut self) -> PortFuture<'_, TailEvent> {
        Box::pin(self.fate.live(self.inner.next()))
    }

    fn read(&self, position: Position) -> PortFuture<'_, Option<Record>> {
        self.inner.read(position)
    }
}

impl Consumer for Mortal<Box<dyn Consumer>> {
    fn next(&mut self) -> PortFuture<'_, Delivery> {
        Box::pin(self.fate.live(self.inner.next()))
    }
}

impl<T: State> State for Mortal<T> {
    fn get(&self, key: Bytes) -> PortFuture<'_, Option<Bytes>> {
        Box::pin(self.fate.live(self.inner.get(key)))
    }

    fn set(&self, key: Bytes, value: Bytes, ttl: Option<Duration>) -> PortFuture<'_, ()> {
        Box::pin(self.fate.live(self.inner.set(key, value, ttl)))
    }

    fn delete(&self, key: Bytes) -> PortFuture<'_, bool> {
        Box::pin(self.fate.live(self.inner.delete(key)))
    }

    fn compare_and_set(
        &self,
        key: Bytes,
        expected: Option<Bytes>,
        value: Option<Bytes>,
        ttl: Option<Duration>,
    ) -> PortFuture<'_, bool> {
        Box::pin(self.fate.live(self.inner.compare_and_set(key, expected, value, ttl)))
    }

    fn scan(&self, prefix: Bytes, after: Option<Bytes>, limit: usize) -> PortFuture<'_, Vec<(Bytes, Bytes)>> {
        self.inner.scan(prefix, after, limit)
    }

    fn kv_set(
        &self,
        config: &ConfigId,
        key: &[u8],
        value: Bytes,
        ttl: Duration,
        quota: u64,
    ) -> PortFuture<'_, howk_ports::KvSet> {
        self.inner.kv_set(config, key, value, ttl, quota)
    }

    fn kv_usage(&self, config: &ConfigId) -> PortFuture<'_, u64> {
        self.inner.kv_usage(config)
    }

    fn health(&self) -> PortFuture<'_, ()> {
        State::health(&self.inner)
    }
}
