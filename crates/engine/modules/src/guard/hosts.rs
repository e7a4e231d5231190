//! Patterns of hosts that a setting allows: `*`, `*.example.com` with its apex, or one host exactly.

use std::fmt;
use url::Host;

/// A host that is allowed, or many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPattern {
    /// Every host: `*`.
    Any,
    /// A domain and all below it: `*.example.com`.
    Below(String),
    /// One host: a name, or an address.
    Exactly(Host),
}

/// The error of a text that is no pattern of hosts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no host: expected \"*\", \"*.example.com\", \"example.com\" or an address, without scheme and port"
)]
pub struct InvalidHostPattern(pub String);

/// A name without the dot that ends an absolute one.
fn without_last_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl std::str::FromStr for HostPattern {
    type Err = InvalidHostPattern;

    fn from_str(text: &str) -> Result<Self, InvalidHostPattern> {
        let invalid = || InvalidHostPattern(text.chars().take(256).collect());
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        let (wild, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        if name.is_empty() || name.contains(['*', '/', '@', '%']) {
            return Err(invalid());
        }
        // An IPv6 address may stand without its brackets.
        let bare = name.parse::<std::net::Ipv6Addr>().ok().map(Host::Ipv6);
        let host = match bare {
            Some(host) => host,
            None => Host::parse(name).map_err(|_| invalid())?,
        };
        match (wild, host) {
            (true, Host::Domain(name)) => Ok(HostPattern::Below(without_last_dot(&name).into())),
            (true, _) => Err(invalid()),
            (false, Host::Domain(name)) => {
                Ok(HostPattern::Exactly(Host::Domain(without_last_dot(&name).into())))
            }
            (false, host) => Ok(HostPattern::Exactly(host)),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Any => f.write_str("*"),
            HostPattern::Below(name) => write!(f, "*.{name}"),
            HostPattern::Exactly(host) => host.fmt(f),
        }
    }
}

impl HostPattern {
    /// True if the pattern allows a host as a parsed URL has it: in lower case, and in punycode.
    pub fn allows(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (HostPattern::Any, _) => true,
            (HostPattern::Below(apex), Host::Domain(name)) => {
                let name = without_last_dot(name);
                let below = name.strip_suffix(apex.as_str());
                below.is_some_and(|rest| rest.is_empty() || (rest.ends_with('.') && rest.len() > 1))
            }
            (HostPattern::Exactly(Host::Domain(only)), Host::Domain(name)) => only == without_last_dot(name),
            (HostPattern::Exactly(Host::Ipv4(only)), Host::Ipv4(address)) => only == address,
            (HostPattern::Exactly(Host::Ipv6(only)), Host::Ipv6(address)) => only == address,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn allows(pattern: &str, host: &str) -> bool {
        let url = Url::parse(&format!("https://{host}/")).unwrap();
        pattern.parse::<HostPattern>().unwrap().allows(&url.host().unwrap())
    }

    #[test]
    fn a_pattern_allows_what_it_says() {
        for (pattern, host) in [
            ("*", "example.com"),
            ("*", "1.2.3.4"),
            ("*", "[2606::1]"),
            ("example.com", "EXAMPLE.com"),
            ("Example.COM", "example.com."),
            ("example.com.", "example.com"),
            ("*.example.com", "example.com"),
            ("*.example.com", "a.b.Example.com."),
            ("*.Example.com.", "a.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("*.xn--bcher-kva.example", "a.BÜCHER.example"),
            ("1.2.3.4", "0x1.0x2.0x304"),
            ("2606::1", "[2606:0::0:1]"),
            ("[2606::1]", "[2606::1]"),
        ] {
            assert!(allows(pattern, host), "{pattern} {host}");
        }
    }

    #[test]
    fn a_pattern_allows_nothing_else() {
        for (pattern, host) in [
            ("example.com", "a.example.com"),
            ("example.com", "example.com.evil.org"),
            ("*.example.com", "badexample.com"),
            ("*.example.com", "example.com.evil.org"),
            ("*.example.com", "example.org"),
            ("example.com", "example.com.."),
            ("1.2.3.4", "1.2.3.5"),
            ("*.example.com", "1.2.3.4"),
            ("bücher.example", "bucher.example"),
        ] {
            assert!(!allows(pattern, host), "{pattern} {host}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "",
            "*.",
            "**",
            "a.*.b",
            "https://a.b",
            "a.b/c",
            "a b",
            "a:80",
            "u@a",
            "*.1.2.3.4",
            "a%2eb",
            "1.2.3.4.5",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
