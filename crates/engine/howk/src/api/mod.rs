//! The HTTP API: scripts, their test, webhooks, dead letters, and what the server says of itself.
//!
//! Every answer is JSON but for metrics, also where no route, no method or no token fits. A request is
//! checked from the outside in: its host, how many there are, the time it takes, its token, its config id,
//! its body; nothing has changed when one of these refuses it.

mod access;
mod body;
mod dead_letters;
mod error;
mod fence;
mod path;
mod routes;
mod script_test;
mod scripts;
mod server;
mod status;
mod test_run;
mod tester;
mod webhooks;

pub use access::Caller;
pub use error::ApiError;
pub use routes::{App, router};
pub use server::serve;
pub(crate) use test_run::{TestAnswer, TestLimits, TestRequest};
pub use tester::{TestEvent, TestReport, TestRun, Tester};
