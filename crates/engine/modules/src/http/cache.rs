//! Answers that are given again, and requests that are made once for all who ask the same at the same time.
//!
//! Keeps true: an answer is given to nobody but scripts of the config that it was fetched for, who asked for
//! the same URL with the same headers. A failure is told to those who wait for it, and to nobody later. A
//! request lives as long as one of those who wait for it: it goes on when the first of them leaves, and ends
//! when the last does.

use super::freshness::{Use, Wish, usage};
use crate::client::Response;
use crate::http_error::HttpError;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};
use howk_contract::ConfigId;
use moka::Expiry;
use moka::future::Cache;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Bytes that an entry is counted for beside its own.
const ENTRY_OVERHEAD_BYTES: usize = 256;

/// Identity of a request: equal keys have the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RequestKey {
    /// The config whose script asks.
    pub(crate) config: ConfigId,
    /// The URL as it was parsed, without its fragment.
    pub(crate) url: String,
    /// The headers, names in lower case, sorted.
    pub(crate) headers: Vec<(String, String)>,
}

/// The answer to a request, or why there is none.
pub(crate) type Answer = Result<Arc<Response>, HttpError>;

/// The way in which an answer was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// An answer that was kept.
    Hit,
    /// An answer to a request that was made for this call.
    Miss,
    /// An answer to a request of somebody else that was waited for.
    Joined,
    /// An answer that went past the cache, which is off, or which the script did not want.
    Bypass,
}

#[derive(Debug, Clone)]
struct Entry {
    response: Arc<Response>,
    lifetime: Duration,
    until: Instant,
}

/// A request that is over.
#[derive(Debug, Clone)]
struct Landed {
    answer: Answer,
    /// True if it is only for who made the request.
    once: bool,
}

type Flight = BoxFuture<'static, Landed>;
/// Requests on their way, each with its number.
type Flights = HashMap<Arc<RequestKey>, (u64, WeakShared<Flight>)>;

/// Answers that are kept, and requests on their way.
#[derive(Debug)]
pub(crate) struct AnswerCache {
    entries: Cache<Arc<RequestKey>, Entry>,
    flights: Mutex<Flights>,
    next_flight: AtomicU64,
    ttl_max: Duration,
}

/// Frees memory when an answer is over. Whether it may be given is asked of `Entry::until`.
struct Lifetime;

impl Expiry<Arc<RequestKey>, Entry> for Lifetime {
    fn expire_after_create(
        &self,
        _: &Arc<RequestKey>,
        entry: &Entry,
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(entry.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &Arc<RequestKey>,
        entry: &Entry,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.lifetime)
    }
}

fn weight(key: &RequestKey, entry: &Entry) -> u32 {
    let text = |pairs: &[(String, String)]| {
        pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>()
    };
    let headers: usize = entry.response.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    let bytes =
        key.url.len() + text(&key.headers) + headers + entry.response.body.len() + ENTRY_OVERHEAD_BYTES;
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl AnswerCache {
    /// A cache of at most so many bytes, whose answers are kept for at most this time.
    pub(crate) fn new(bytes_max: u64, ttl_max: Duration) -> Arc<Self> {
        let entries = Cache::builder()
            .max_capacity(bytes_max)
            .weigher(|key: &Arc<RequestKey>, entry: &Entry| weight(key, entry))
            .expire_after(Lifetime)
            .build();
        let (flights, next_flight) = (Mutex::default(), AtomicU64::new(0));
        Arc::new(AnswerCache { entries, flights, next_flight, ttl_max })
    }

    /// The answer to a request: one that is kept, one that somebody waits for, or that of `fetch`.
    pub(crate) async fn get(
        self: &Arc<Self>,
        key: RequestKey,
        wish: Wish,
        fetch: impl Fn() -> BoxFuture<'static, Answer>,
    ) -> (Answer, Found) {
        let key = Arc::new(key);
        match wish {
            Wish::Private => return (fetch().await, Found::Bypass),
            Wish::Reload => return (self.fetch_and_keep(key, fetch()).await.answer, Found::Bypass),
            Wish::Fresh => {}
        }
        if let Some(response) = self.kept(&key).await {
            return (Ok(response), Found::Hit);
        }
        let (flight, joined) = self.join_or_start(&key, &fetch);
        let landed = flight.await;
        match (joined, landed.once) {
            (false, _) => (landed.answer, Found::Miss),
            (true, false) => (landed.answer, Found::Joined),
            // The server said that this answer is for one. All others ask for themselves, at the same time.
            (true, true) => (fetch().await, Found::Miss),
        }
    }

    async fn kept(&self, key: &Arc<RequestKey>) -> Option<Arc<Response>> {
        self.entries.get(key).await.filter(|entry| Instant::now() < entry.until).map(|entry| entry.response)
    }

    /// The flights. Nothing of anybody else's runs while they are locked.
    fn lock(&self) -> MutexGuard<'_, Flights> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn join_or_start(
        self: &Arc<Self>,
        key: &Arc<RequestKey>,
        fetch: impl Fn() -> BoxFuture<'static, Answer>,
    ) -> (Shared<Flight>, bool) {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(key).and_then(|(_, flight)| flight.upgrade()) {
            return (flight, true);
        }
        let id = self.next_flight.fetch_add(1, Ordering::Relaxed);
        let end = FlightEnd { cache: self.clone(), key: key.clone(), id };
        let fetched = fetch();
        let flight: Flight = Box::pin(async move {
            // It may have landed between our look into the cache and our look at the flights.
            let landed = match end.cache.kept(&end.key).await {
                Some(response) => Landed { answer: Ok(response), once: false },
                None => end.cache.fetch_and_keep(end.key.clone(), fetched).await,
            };
            drop(end);
            landed
        });
        let flight = flight.shared();
        if let Some(weak) = flight.downgrade() {
            flights.insert(key.clone(), (id, weak));
        }
        (flight, false)
    }

    async fn fetch_and_keep(&self, key: Arc<RequestKey>, fetched: BoxFuture<'static, Answer>) -> Landed {
        let answer = fetched.await;
        let used = match &answer {
            Ok(response) => usage(response.status, |name| response.header(name), self.ttl_max),
            Err(_) => Use::Together,
        };
        if let (Use::For(lifetime), Ok(response)) = (used, &answer) {
            let until = Instant::now() + lifetime;
            self.entries.insert(key, Entry { response: response.clone(), lifetime, until }).await;
        }
        Landed { answer, once: used == Use::Once }
    }
}

/// Takes a flight off the list, when it lands and when nobody waits for it any more.
struct FlightEnd {
    cache: Arc<AnswerCache>,
    key: Arc<RequestKey>,
    id: u64,
}

impl Drop for FlightEnd {
    fn drop(&mut self) {
        let mut flights = self.cache.lock();
        // Where it was dropped unfinished, another may have taken its place.
        if flights.get(&self.key).is_some_and(|(id, _)| *id == self.id) {
            flights.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::future::{pending, ready};

    fn key(config: &str) -> RequestKey {
        let config = config.parse().unwrap();
        RequestKey { config, url: "http://a.example/".into(), headers: Vec::new() }
    }

    fn answer(body: &'static str) -> BoxFuture<'static, Answer> {
        let response = Response { status: 200, headers: Vec::new(), body: body.into(), cut: false };
        ready(Ok(Arc::new(response))).boxed()
    }

    async fn body(cache: &Arc<AnswerCache>, body: &'static str) -> String {
        let (answer, _) = cache.get(key("c"), Wish::Fresh, || answer(body)).await;
        String::from_utf8(answer.unwrap().body.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_given_up_to_the_end_of_its_time() {
        let cache = AnswerCache::new(1 << 20, Duration::from_mins(1));
        assert_eq!(body(&cache, "first").await, "first");
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert_eq!(body(&cache, "second").await, "first");
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(body(&cache, "third").await, "third");
    }

    /// Ends without removal: each would leave one entry for each URL that was ever asked.
    #[tokio::test]
    async fn no_flight_stays_on_the_list() {
        let cache = AnswerCache::new(1 << 20, Duration::from_mins(1));
        cache.get(key("lands"), Wish::Fresh, || answer("x")).await.0.unwrap();
        let failed = || ready(Err(HttpError::Timeout)).boxed();
        cache.get(key("fails"), Wish::Fresh, failed).await.0.unwrap_err();
        assert_eq!(cache.lock().len(), 0);
        {
            let first = cache.get(key("waits"), Wish::Fresh, || pending().boxed());
            let second = cache.get(key("waits"), Wish::Fresh, || pending().boxed());
            let mut both = Box::pin(futures_util::future::join(first, second));
            assert!((&mut both).now_or_never().is_none());
            assert_eq!(cache.lock().len(), 1);
        }
        assert_eq!(cache.lock().len(), 0);
    }
}
