//! Promises of the traits, as tests. An implementation passes the suite of its trait, whatever stands behind
//! it: [`log`], [`state`], [`clock`].
//!
//! A check panics with what was wrong. None depends on speed: what must come is waited for a minute, and what
//! must not come is given a fifth of a second.

mod clock;
mod log;
mod state;

pub use clock::clock;
pub use log::{LogSubject, log};
pub use state::{StateSubject, state};

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// A future of a subject.
pub type SubjectFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_mins(1);

/// Time that is given to what must not come.
const GRACE: Duration = Duration::from_millis(200);

/// Waits for what must come, and returns it.
async fn comes<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("did not come: {what}"))
}

/// True if nothing comes.
async fn stays_away<T>(future: impl Future<Output = T>) -> bool {
    tokio::time::timeout(GRACE, future).await.is_err()
}

/// Numbers that are the same in each run.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    /// A number below `limit`.
    fn roll(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % limit
    }
}
