//! Scripts as every node knows them: the whole of `howk.scripts`, in memory.
//!
//! Keeps true: what runs is what its hash names; a new version takes effect at once for the next event, and
//! no event sees half of it; what is refused leaves the version before where it was. The copy in the state is
//! a help for nodes that have just started, and decides nothing once the log is read.

mod follow;
mod mirror;
mod scripts;
mod store;
mod table;

pub use follow::follow;
pub use scripts::Scripts;
pub use store::{IfMatch, PutError, PutScript};
pub use table::StoredScript;
