//! Delivery: messages by their channels, and the changes of commits in batches.

mod batch;
mod messages;

pub(crate) use batch::{Batches, Reaction, ReactionRow};
pub(crate) use messages::{CHAIN_MAX, Message, Messages};
