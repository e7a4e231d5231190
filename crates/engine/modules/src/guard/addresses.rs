//! Addresses of the public internet, and all others.
//!
//! Pure. What is not known to be public is private: of IPv6 only `2000::/3` is in use, so all else is
//! refused, and with it loopback, link-local, site-local, unique local and multicast addresses, and the local
//! use of NAT64.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Ranges of IPv4 that are not public: first address and length of the prefix.
const PRIVATE_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::UNSPECIFIED, 8),            // "this network"
    (Ipv4Addr::new(10, 0, 0, 0), 8),       // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),    // carriers' NAT; the metadata of one cloud
    (Ipv4Addr::new(127, 0, 0, 0), 8),      // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // one cloud's service for its machines, in a public range
    (Ipv4Addr::new(169, 254, 0, 0), 16),   // link-local; the metadata of most clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12),    // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),     // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),     // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24),  // AS112: answers from whoever is near
    (Ipv4Addr::new(192, 88, 99, 0), 24),   // relays of 6to4
    (Ipv4Addr::new(192, 168, 0, 0), 16),   // private
    (Ipv4Addr::new(198, 18, 0, 0), 15),    // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24),  // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),   // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),      // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),      // reserved, and broadcast
];

/// Ranges of `2000::/3` that are not public.
const PRIVATE_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // protocol assignments: Teredo, benchmarking, ORCHID
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: an IPv4 address in disguise
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// The address that a packet to this one reaches in the end: the IPv4 address inside one that is mapped
/// (`::ffff:0:0/96`) or translated by NAT64 (`64:ff9b::/96`), else the address itself.
pub fn effective(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let inner = || IpAddr::V4(Ipv4Addr::from_bits(v6.to_bits() as u32));
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => inner(),
        _ => address,
    }
}

/// True if an address is on the public internet. Forms that carry an IPv4 address are judged by that one.
pub fn is_public(address: IpAddr) -> bool {
    match effective(address) {
        IpAddr::V4(v4) => !PRIVATE_V4.iter().any(|(first, prefix)| {
            let mask = u32::MAX << (32 - prefix);
            v4.to_bits() & mask == first.to_bits()
        }),
        IpAddr::V6(v6) => {
            let begins = |first: u128, prefix: u32| (v6.to_bits() ^ first) >> (128 - prefix) == 0;
            begins(0x2000 << 112, 3)
                && !PRIVATE_V6.iter().any(|(first, prefix)| begins(first.to_bits(), *prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap())
    }

    #[test]
    fn public_addresses_are_public() {
        for text in ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"] {
            assert!(public(text), "{text}");
            assert!(public(&format!("::ffff:{text}")) && public(&format!("64:ff9b::{text}")), "{text}");
        }
        for text in
            ["9.255.255.255", "11.0.0.0", "223.255.255.255", "192.0.1.0", "198.20.0.0", "168.63.129.17"]
        {
            assert!(public(text), "{text}");
        }
        for text in ["2606:4700:4700::1111", "2001:4860:4860::8888", "2a00::1", "2003::1", "2001:200::"] {
            assert!(public(text), "{text}");
        }
    }

    #[test]
    fn private_addresses_of_every_range_are_not() {
        let v4 = "0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 127.255.255.255
            169.254.0.0 169.254.169.254 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.170 192.0.2.1 192.88.99.1
            192.168.0.0 192.168.255.255 198.18.0.0 198.19.255.255 198.51.100.9 203.0.113.9 224.0.0.1 239.255.255.255
            240.0.0.0 255.255.255.255 100.100.100.200 168.63.129.16";
        for text in v4.split_whitespace() {
            assert!(!public(text), "{text}");
            for form in ["::ffff:", "64:ff9b::", "::", "::ffff:0:", "64:ff9b:1::"] {
                assert!(!public(&format!("{form}{text}")), "{form}{text}");
            }
        }
        let v6 = ":: ::1 fe80::1 febf::1 fec0::1 fc00::1 fdff::1 ff02::1 fd00:ec2::254 2001:db8::1 2002:7f00:1::
            2002:808:808:: 2001::1 2001:0:7f00:1:: 2001:2::1 2001:10::1 2001:20::1 100::1 3fff::1 5f00::1 4000::1
            64:ff9b:1::808:808 ::8.8.8.8 0:0:0:1::1 64:ff9b::1:0:0 fe80::5efe:7f00:1";
        for text in v6.split_whitespace() {
            assert!(!public(text), "{text}");
        }
    }

    proptest! {
        /// The standard library knows some of the ranges: what it calls private is private here, too.
        #[test]
        fn agrees_with_the_standard_library(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            let known = v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_multicast()
                || v4.is_broadcast() || v4.is_documentation() || v4.is_unspecified();
            prop_assert!(!(known && is_public(v4.into())), "{v4}");
            prop_assert_eq!(is_public(v4.into()), is_public(v4.to_ipv6_mapped().into()));
        }

        #[test]
        fn no_form_of_ipv6_hides_what_the_standard_library_calls_private(bits: u128) {
            let v6 = Ipv6Addr::from_bits(bits);
            let known = v6.is_loopback() || v6.is_multicast() || v6.is_unicast_link_local() || v6.is_unique_local();
            prop_assert!(!(known && is_public(v6.into())), "{v6}");
        }
    }
}
