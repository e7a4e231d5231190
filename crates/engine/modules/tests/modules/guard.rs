//! The guard against every spelling of an address.

use crate::servers::guard;
use howk_modules::{Guard, GuardError};
use proptest::prelude::*;
use std::net::Ipv4Addr;

fn address_refused(url: &str) {
    let error = guard(&[]).check_url(url).unwrap_err();
    assert!(matches!(error, GuardError::AddressNotAllowed(_)), "{url}: {error:?}");
}

fn bad(url: &str) -> String {
    match guard(&[]).check_url(url).unwrap_err() {
        GuardError::BadUrl(why) => why,
        other => panic!("{url}: {other:?}"),
    }
}

#[test]
fn every_spelling_of_a_private_address_is_refused() {
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0x7f.0x0.0x0.0x1",
        "017700000001",
        "0177.0.0.01",
        "127.0.0.1.",
        "0177.1.",
        "%31%32%37.0.0.1",
        "127%2e0.0.1",
        "１２７.0.0.1",
        "127。0。0。1",
        "①②⑦.0.0.1",
        "0",
        "0.0.0.0",
        "0x0",
        "10.1",
        "172.16.1",
        "192.168.257",
        "169.254.169.254",
        "0xa9fea9fe",
        "2852039166",
        "0251.0376.0251.0376",
        "100.100.100.200",
        "168.63.129.16",
        "255.255.255.255",
        "224.0.0.1",
        "[::1]",
        "[::]",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::FFFF:0a00:0001]",
        "[::127.0.0.1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b::a9fe:a9fe]",
        "[64:ff9b:1::8.8.8.8]",
        "[2002:7f00:1::]",
        "[2002:a9fe:a9fe::1]",
        "[2001:0:7f00:1::]",
        "[fe80::1]",
        "[fec0::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[2001:db8::1]",
        "[2001:2::1]",
        "[100::1]",
        "[::ffff:0:127.0.0.1]",
    ] {
        for (scheme, port) in [("http", ""), ("https", ""), ("HTTP", ":80"), ("https", ":8443")] {
            address_refused(&format!("{scheme}://{host}{port}/path?query#fragment"));
        }
    }
}

#[test]
fn public_addresses_and_names_pass() {
    for host in [
        "example.com",
        "EXAMPLE.com.",
        "bücher.example",
        "1.1.1.1",
        "0x1.1.1.1",
        "[2606:4700::1111]",
        "[::ffff:8.8.8.8]",
        "[64:ff9b::8.8.8.8]",
        "localhost.example.com",
        "example.com:8443",
    ] {
        guard(&[]).check_url(&format!("https://{host}/")).unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    let url = guard(&[]).check_url("https://EXAMPLE.com:443/a b?c#d").unwrap();
    assert_eq!(url.as_str(), "https://example.com/a%20b?c");
}

#[test]
fn what_is_no_url_for_a_request_is_told_so() {
    for url in [
        "",
        "example.com",
        "/path",
        "http://",
        "https:///",
        "http://[::1",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://a b/",
        "http://1.2.3.4.5/",
        "http://0x100000000/",
        "http://256.1.1.1/",
        "http://example.com:99999/",
        "http://exa%00mple.com/",
        "http://ex<ample.com/",
        "http://%zz/",
    ] {
        bad(url);
    }
    for url in [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:text/plain,x",
        "unix:/run/docker.sock",
        "javascript:1",
        "HTTPX://example.com",
    ] {
        assert!(bad(url).contains("scheme"), "{url}");
    }
    for url in [
        "http://user@example.com/",
        "http://user:pass@example.com/",
        "http://:pass@example.com/",
        "http://example.com%40@127.0.0.1/",
        "http://1.1.1.1@127.0.0.1/",
    ] {
        assert!(bad(url).contains("credentials"), "{url}");
    }
    for url in [
        "http://example.com/\r\nX: y",
        "http://exa\tmple.com/",
        " http://example.com/",
        "http://example.com/ ",
        "http:\\\\example.com",
        "http://example.com\\@127.0.0.1/",
        "http://example.com/\0",
        "\u{feff}http://example.com/\u{85}",
    ] {
        assert!(bad(url).contains("control character"), "{url:?}");
    }
    assert!(bad("http://example.com:0/").contains("port"));
    assert!(bad(&format!("http://example.com/{}", "x".repeat(9000))).contains("9019 bytes"));
}

#[test]
fn ranges_of_the_settings_open_what_they_say_and_no_more() {
    let opened = guard(&["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]);
    for host in
        ["127.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[64:ff9b::10.1.2.3]", "10.255.255.255", "[fd12::1]"]
    {
        opened.check_url(&format!("http://{host}/")).unwrap_or_else(|error| panic!("{host}: {error}"));
    }
    for host in
        ["127.0.0.2", "11.0.0.1", "[fc00::1]", "[::1]", "192.168.0.1", "[::127.0.0.1]", "[2002:a00:1::]"]
    {
        let passes = opened.check_url(&format!("http://{host}/")).is_ok();
        assert_eq!(passes, host == "11.0.0.1", "{host}");
    }
}

#[test]
fn an_open_range_does_not_open_hosts() {
    let guard = Guard::new(["*.example.com".parse().unwrap()], ["127.0.0.0/8".parse().unwrap()]);
    guard.check_url("https://api.example.com/").unwrap();
    for host in ["127.0.0.1", "example.org", "xn--example-.com", "1.1.1.1"] {
        let error = guard.check_url(&format!("https://{host}/"));
        assert!(
            matches!(error, Err(GuardError::HostNotAllowed(_) | GuardError::BadUrl(_))),
            "{host}: {error:?}"
        );
    }
    let none = Guard::new([], []);
    assert!(matches!(none.check_url("https://example.com/"), Err(GuardError::HostNotAllowed(_))));
}

#[test]
fn one_private_address_of_a_name_refuses_all_of_it() {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
    let check = |texts| guard(&[]).check_addresses("name.example", parse(texts));
    check(&["1.1.1.1", "2606:4700::1111"]).unwrap();
    for texts in
        [&["1.1.1.1", "10.0.0.1"][..], &["::1", "1.1.1.1"], &["1.1.1.1", "::ffff:127.0.0.1"], &["fe80::1"]]
    {
        let error = check(texts).unwrap_err().to_string();
        assert!(error.contains("name.example") && !texts.iter().any(|text| error.contains(text)), "{error}");
    }
}

/// A part of an address in one of the ways to write a number.
fn number(value: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        Just(format!("{value}")),
        Just(format!("0{value:o}")),
        Just(format!("0x{value:x}")),
        Just(format!("0X{value:X}")),
        Just(format!("0x000{value:x}")),
        Just(format!("%{:02x}{}", format!("{value}").as_bytes()[0], &format!("{value}")[1..])),
        Just(format!("{value}").chars().map(|c| char::from_u32(c as u32 - 0x30 + 0xff10).unwrap()).collect()),
    ]
}

/// A way to write an address of IPv4: from one to four parts, with and without a last dot.
fn spelling(address: Ipv4Addr) -> impl Strategy<Value = String> {
    let bits = address.to_bits();
    let [a, b, c, d] = address.octets().map(u32::from);
    let parts = prop_oneof![
        Just(vec![bits]),
        Just(vec![a, bits & 0xff_ffff]),
        Just(vec![a, b, bits & 0xffff]),
        Just(vec![a, b, c, d]),
    ];
    let written = parts.prop_flat_map(|parts| parts.into_iter().map(number).collect::<Vec<_>>());
    (written, prop_oneof![Just("."), Just("。"), Just("%2E")], any::<bool>())
        .prop_map(|(parts, dot, last)| parts.join(dot) + if last { "." } else { "" })
}

fn private() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        any::<[u8; 3]>().prop_map(|[b, c, d]| Ipv4Addr::new(127, b, c, d)),
        any::<[u8; 3]>().prop_map(|[b, c, d]| Ipv4Addr::new(10, b, c, d)),
        any::<[u8; 2]>().prop_map(|[c, d]| Ipv4Addr::new(169, 254, c, d)),
        any::<[u8; 2]>().prop_map(|[c, d]| Ipv4Addr::new(192, 168, c, d)),
        any::<[u8; 3]>().prop_map(|[b, c, d]| Ipv4Addr::new(0, b, c, d)),
    ]
}

proptest! {
    #[test]
    fn no_spelling_of_a_private_address_passes(host in private().prop_flat_map(spelling)) {
        let checked = guard(&[]).check_url(&format!("http://{host}/"));
        prop_assert!(matches!(checked, Err(GuardError::AddressNotAllowed(_))), "{}: {:?}", host, checked);
    }

    #[test]
    fn what_passes_has_a_host_that_is_allowed(text in "https?:/{0,3}[\\[\\]@:%.0-9a-fx\\\\/?# -]{0,30}") {
        if let Ok(url) = guard(&[]).check_url(&text) {
            prop_assert!(url.username().is_empty() && url.password().is_none());
            match url.host().unwrap() {
                url::Host::Domain(name) => prop_assert!(name.parse::<std::net::IpAddr>().is_err()),
                url::Host::Ipv4(address) => prop_assert!(howk_modules::is_public(address.into())),
                url::Host::Ipv6(address) => prop_assert!(howk_modules::is_public(address.into())),
            }
        }
    }
}
