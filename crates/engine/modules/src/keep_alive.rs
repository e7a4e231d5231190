//! Connections that are kept open for the next request.
//!
//! Strangers choose the hosts, and a domain has as many names as its owner likes. So connections are kept for
//! a bounded number of hosts; a request to one more asks that its connection be closed, and loses nothing but
//! time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use url::Url;

/// The hosts that connections are kept for.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    hosts_max: usize,
    idle_timeout: Duration,
    /// Time at which each was last asked, by scheme, host and port.
    asked: Mutex<HashMap<String, Instant>>,
}

impl KeepAlive {
    pub(crate) fn new(hosts_max: usize, idle_timeout: Duration) -> Self {
        KeepAlive { hosts_max, idle_timeout, asked: Mutex::default() }
    }

    /// True if the connection of a request to this URL may be kept.
    pub(crate) fn may_keep(&self, url: &Url) -> bool {
        let origin = url.origin().ascii_serialization();
        let now = Instant::now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.contains_key(&origin) && asked.len() >= self.hosts_max {
            // The pool has closed connections of hosts that nobody asked for so long.
            asked.retain(|_, last| now.duration_since(*last) < self.idle_timeout);
        }
        if asked.len() >= self.hosts_max && !asked.contains_key(&origin) {
            return false;
        }
        asked.insert(origin, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bounded_number_of_hosts_is_kept() {
        let keep = KeepAlive::new(2, Duration::from_secs(10));
        let may = |text: &str| keep.may_keep(&Url::parse(text).unwrap());
        assert!(may("http://a.example/1") && may("https://a.example/"));
        assert!(!may("http://b.example/") && !may("http://a.example:8080/"));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(may("http://a.example:80/2") && !may("http://b.example/"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(may("http://b.example/") && !may("https://a.example/") && may("http://a.example/"));
        assert_eq!(keep.asked.lock().unwrap().len(), 2);
    }

    #[test]
    fn none_is_kept_where_none_may_be() {
        assert!(
            !KeepAlive::new(0, Duration::from_secs(10)).may_keep(&Url::parse("http://a.example/").unwrap())
        );
    }
}
