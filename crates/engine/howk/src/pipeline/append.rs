//! Appending until the log has acknowledged.

use howk_ports::{Append, Clock, Log, PortError};
use std::sync::Arc;
use std::time::Duration;

/// First wait after a refusal of the log.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// Longest one.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Appends what must not be lost, as often as it takes.
#[derive(Debug, Clone)]
pub struct Appender {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
}

impl Appender {
    /// An appender to a log.
    pub fn new(log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Self {
        Appender { log, clock }
    }

    /// Appends records, and waits where the log is full or away.
    ///
    /// # Errors
    /// The log will not take these records, or was closed.
    pub async fn append(&self, records: Vec<Append>) -> Result<(), PortError> {
        let mut wait = FIRST_WAIT;
        loop {
            match self.log.append(records.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "the log did not take a record; it will be asked again");
                    self.clock.sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
