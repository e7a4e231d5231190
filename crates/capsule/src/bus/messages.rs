//! Messages that were dispatched, and those who listen.

use crate::error::{CapsuleError, ErrorKind, Result};
use perilune::Value;
use perilune::value::encode_value;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;

/// Links of a chain, each of which what listens to the one before has made.
pub(crate) const CHAIN_MAX: usize = 16;

/// A message that was dispatched.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) name: String,
    pub(crate) payload: Value,
    /// True if handlers of scripts are called for it, too.
    pub(crate) handled: bool,
    /// The transaction to whose changes it reacts.
    pub(crate) cause: Option<i64>,
    _room: Room,
}

/// Room of a message among those that wait, given back when it is gone.
#[derive(Debug)]
struct Room {
    all: Rc<Cell<usize>>,
    bytes: usize,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.all.set(self.all.get() - self.bytes);
    }
}

type Listener = Rc<dyn Fn(&Value)>;

/// Bytes of the messages that wait, at most: they are outside of Lua's memory.
const WAITING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes that a message takes beside its name and payload, about.
const MESSAGE_BYTES: usize = 128;

/// Messages that wait for their delivery, and listeners of channels.
#[derive(Default)]
pub(crate) struct Messages {
    /// Messages, each with the links of the chain that it ends.
    queue: RefCell<VecDeque<(Message, usize)>>,
    /// Bytes of the messages that wait, or will when their transaction has ended.
    bytes: Rc<Cell<usize>>,
    /// Links of the chain that is delivered at the moment.
    chain: Cell<usize>,
    listeners: RefCell<Vec<(u64, String, Listener)>>,
    last_listener: Cell<u64>,
}

impl Messages {
    /// Adds a listener of a channel, and returns its number.
    pub(crate) fn listen(&self, channel: &str, listener: impl Fn(&Value) + 'static) -> u64 {
        let id = self.last_listener.get() + 1;
        self.last_listener.set(id);
        self.listeners.borrow_mut().push((id, channel.to_owned(), Rc::new(listener)));
        id
    }

    /// Takes a listener away; false if there is none of this number.
    pub(crate) fn unlisten(&self, id: u64) -> bool {
        let mut listeners = self.listeners.borrow_mut();
        let before = listeners.len();
        listeners.retain(|(known, ..)| *known != id);
        listeners.len() < before
    }

    /// True if somebody listens to a channel.
    pub(crate) fn is_heard(&self, channel: &str) -> bool {
        self.listeners.borrow().iter().any(|(_, known, _)| known == channel)
    }

    /// Calls the listeners of a channel.
    pub(crate) fn tell(&self, channel: &str, payload: &Value) {
        let listeners = self.listeners.borrow();
        let of_channel = listeners.iter().filter(|(_, known, _)| known == channel);
        // A list of its own: a listener may add and take away others.
        let called: Vec<Listener> = of_channel.map(|(.., listener)| Rc::clone(listener)).collect();
        drop(listeners);
        for listener in called {
            listener(payload);
        }
    }

    /// The links of the chain that a message ends which is dispatched now; `None` if that would be too many.
    pub(crate) fn links(&self) -> Option<usize> {
        Some(self.chain.get() + 1).filter(|links| *links <= CHAIN_MAX)
    }

    /// A message that will wait, in whose payload nothing is that cannot travel.
    pub(crate) fn message(
        &self,
        name: String,
        payload: Value,
        handled: bool,
        cause: Option<i64>,
    ) -> Result<Message> {
        let mut encoded = Vec::new();
        encode_value(&payload, &mut encoded)
            .map_err(|error| CapsuleError::usage(format!("the payload of {name} cannot travel: {error}")))?;
        let bytes = MESSAGE_BYTES + name.len() + encoded.len();
        if self.bytes.get() + bytes > WAITING_BYTES_MAX {
            return Err(CapsuleError::new(
                ErrorKind::Limit,
                format!("the messages that wait take more than {} MiB", WAITING_BYTES_MAX >> 20),
            ));
        }
        self.bytes.set(self.bytes.get() + bytes);
        let room = Room { all: Rc::clone(&self.bytes), bytes };
        Ok(Message { name, payload, handled, cause, _room: room })
    }

    /// Adds a message.
    pub(crate) fn push(&self, message: Message, links: usize) {
        self.queue.borrow_mut().push_back((message, links));
    }

    /// The next message. What is dispatched from now on is a link behind it.
    pub(crate) fn next(&self) -> Option<Message> {
        let next = self.queue.borrow_mut().pop_front();
        self.chain.set(next.as_ref().map_or(0, |(_, links)| *links));
        next.map(|(message, _)| message)
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Messages").field("queue", &self.queue).finish_non_exhaustive()
    }
}
