//! The guard of requests that strangers ask for: which URLs may be requested, and which addresses connected
//! to.
//!
//! Pure: it looks nothing up. A URL is checked before a request, which settles scheme, host and literal
//! addresses in every spelling; the addresses of a name are checked when it is looked up, all of them, and
//! the connection goes to these and no others (`client`). Names of one setting are never trusted more than
//! others.

mod addresses;
mod hosts;

pub use addresses::{effective, is_public};
pub use hosts::{HostPattern, InvalidHostPattern};

use ipnet::IpNet;
use std::net::IpAddr;
use url::{Host, Url};

/// Most bytes of a URL.
pub const URL_BYTES_MAX: usize = 8 << 10;

/// Hosts and addresses that may be requested.
#[derive(Debug, Clone)]
pub struct Guard {
    hosts: Vec<HostPattern>,
    open: Vec<IpNet>,
}

/// Reason for which a request may not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// The URL is none, or not one for a request.
    #[error("bad URL: {0}")]
    BadUrl(String),
    /// No setting allows the host.
    #[error("host {0} is not allowed")]
    HostNotAllowed(String),
    /// The host is an address, or a name of one, that is not on the public internet.
    #[error("host {0} is, or leads to, an address that is not public")]
    AddressNotAllowed(String),
}

impl Guard {
    /// A guard that lets public addresses of these hosts through, and addresses of the ranges whatever they
    /// are.
    pub fn new(hosts: impl IntoIterator<Item = HostPattern>, open: impl IntoIterator<Item = IpNet>) -> Self {
        Guard { hosts: hosts.into_iter().collect(), open: open.into_iter().collect() }
    }

    /// Parses a URL and checks all of it that is known without looking up a name.
    ///
    /// # Errors
    /// It is no URL of `http` or `https`, has credentials, or its host is not allowed.
    pub fn check_url(&self, text: &str) -> Result<Url, GuardError> {
        let bad = |why: &str| GuardError::BadUrl(why.into());
        if text.len() > URL_BYTES_MAX {
            return Err(GuardError::BadUrl(format!(
                "it has {} bytes, and may have {URL_BYTES_MAX}",
                text.len()
            )));
        }
        // The parser of browsers drops some of these and mends others: what was meant is not what would be
        // sent.
        if text.contains(|c: char| c.is_control() || c == '\\') || text.trim() != text {
            return Err(bad("it has a control character, a backslash, or space around it"));
        }
        let mut url = Url::parse(text).map_err(|error| GuardError::BadUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("its scheme is neither http nor https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad("it has credentials; send them as a header"));
        }
        if url.port() == Some(0) {
            return Err(bad("its port is 0"));
        }
        url.set_fragment(None);
        let host = url.host().ok_or_else(|| bad("it has no host"))?;
        if !self.hosts.iter().any(|pattern| pattern.allows(&host)) {
            return Err(GuardError::HostNotAllowed(shown(&host)));
        }
        let literal = match host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
        };
        if literal.is_some_and(|address| !self.allows(address)) {
            return Err(GuardError::AddressNotAllowed(shown(&host)));
        }
        Ok(url)
    }

    /// Checks what a name leads to: every address must be allowed, or none is used.
    ///
    /// # Errors
    /// One is not. Which one is not told: it would map the network inside.
    pub fn check_addresses(
        &self,
        name: &str,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), GuardError> {
        if addresses.into_iter().all(|address| self.allows(address)) {
            Ok(())
        } else {
            Err(GuardError::AddressNotAllowed(name.into()))
        }
    }

    /// True if an address may be connected to: it is public, or a setting opens it.
    pub fn allows(&self, address: IpAddr) -> bool {
        let effective = effective(address);
        let opened = |net: &IpNet| net.contains(&address) || net.contains(&effective);
        is_public(address) || self.open.iter().any(opened)
    }
}

/// A host in a message: at most as long as a name of DNS.
fn shown(host: &Host<&str>) -> String {
    host.to_string().chars().take(253).collect()
}
