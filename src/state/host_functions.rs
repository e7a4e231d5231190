//! Host functions by id, as the core calls them: the trait that a host implements, and the two hosts that one
//! VM may have.
//!
//! Keeps true: ids below `RUST_ID_FIRST` are the host's (JavaScript's, where there is one), those from there
//! on belong to Rust functions and objects. Each side gets ids only of its own; what the other side owns
//! reaches it as a handle of Lua's.

use crate::limits::RUST_ID_FIRST;
use crate::lua::Stack;
use std::fmt;
use std::rc::Rc;

/// Outcome of a call of a host function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HostResult {
    /// The list holds its results.
    Returns,
    /// The list holds one value, to be raised.
    Raises,
    /// The list holds a function and its arguments: what that returns is raised.
    RaisesResult,
    /// The function waits; allowed only where `may_wait` says so.
    Waits,
    /// The value of the last error record is to be raised again.
    RaisesAgain,
    /// The host has no memory for the results.
    OutOfMemory,
}

/// A host that answers functions and objects by id. Methods take `&self`: a call may lead to another one.
pub(crate) trait HostFunctions {
    /// Calls the function `id` with the list `args`; its results are a list in `results`, which comes empty.
    fn call(&self, stack: Stack, id: u32, args: &[u8], may_wait: bool, results: &mut Vec<u8>) -> HostResult;

    /// True if it answers the service `Input`, instead of `Host::read`.
    fn has_input(&self) -> bool {
        false
    }

    /// Releases so many uses of this id, which Lua does not have any more.
    fn release(&self, id: u32, uses: u32);
}

impl fmt::Debug for dyn HostFunctions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dyn HostFunctions")
    }
}

/// Requests of the core and of its libraries to the host, by the ids of docs/codec.md, section 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Service {
    Get = 0,
    Set = 1,
    Module = 2,
    Input = 3,
    Run = 4,
    Sleep = 5,
}

/// One of the two owners of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The host around the module; a VM of a Rust program has none.
    #[cfg_attr(
        not(all(feature = "exports", target_arch = "wasm32")),
        allow(dead_code, reason = "only the module has one")
    )]
    Host,
    /// Rust functions.
    Rust,
}

impl Side {
    /// The owner of an id.
    #[inline]
    pub(crate) fn of(id: u32) -> Side {
        if id < RUST_ID_FIRST { Side::Host } else { Side::Rust }
    }
}

/// The hosts of one VM. None is replaced or goes while the VM lives.
#[derive(Debug)]
pub(crate) struct Functions {
    /// Answers ids of the host, and services.
    pub(crate) host: Rc<dyn HostFunctions>,
    /// Answers ids of Rust; None until the first is given out, in a VM that has another host.
    pub(crate) rust: Option<Rc<dyn HostFunctions>>,
}

impl Functions {
    /// The host that answers for `side`, for a call during which the context is used again.
    #[inline]
    pub(crate) fn on(&self, side: Side) -> &'static dyn HostFunctions {
        let host: *const dyn HostFunctions = match (side, &self.rust) {
            (Side::Rust, Some(rust)) => &**rust,
            _ => &*self.host,
        };
        // SAFETY: neither of the two is replaced or goes while the VM lives, and who asks uses the reference
        // for a call of that VM only.
        unsafe { &*host }
    }
}
