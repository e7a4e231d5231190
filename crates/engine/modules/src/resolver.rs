//! Looking up names.

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Most names that are looked up at a time. Each holds a thread until the system's resolver gives up, so
/// strangers' names that nobody answers for must not take all threads for blocking work.
const LOOKUPS_MAX: usize = 128;

/// A future of addresses.
pub type Lookup<'a> = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Resolver of names to addresses. It checks nothing: the guard does.
pub trait Resolver: Send + Sync + fmt::Debug {
    /// The addresses of a name.
    fn look_up<'a>(&'a self, name: &'a str) -> Lookup<'a>;
}

/// The resolver of the operating system.
#[derive(Debug)]
pub struct SystemResolver {
    lookups: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        SystemResolver { lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolver for SystemResolver {
    fn look_up<'a>(&'a self, name: &'a str) -> Lookup<'a> {
        Box::pin(async move {
            let permit = self.lookups.clone().acquire_owned().await.map_err(std::io::Error::other)?;
            let name = name.to_owned();
            // The permit goes with the thread: a caller that stops waiting does not free it early.
            let look_up = move || {
                let _permit = permit;
                (name.as_str(), 0).to_socket_addrs().map(|found| found.map(|socket| socket.ip()).collect())
            };
            tokio::task::spawn_blocking(look_up).await.map_err(std::io::Error::other)?
        })
    }
}
