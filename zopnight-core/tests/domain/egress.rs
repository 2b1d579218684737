//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use zopnight_core::ErrorKind;
use zopnight_core::domain::EgressPolicy;

/// First and last address, and the networks' neighbours, of every refused IPv4 range.
const REFUSED: &[(&str, &str)] = &[
    ("0.0.0.0", "0.255.255.255"),
    ("10.0.0.0", "10.255.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.0.0.0", "192.0.0.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("198.18.0.0", "198.19.255.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.255"),
];
const PUBLIC: &[&str] = &[
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "8.8.8.8",
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// An IPv4 address in all the ways in which it can be written: plain, v4-mapped, v4-compatible, 6to4, NAT64.
fn forms(v4: Ipv4Addr) -> Vec<IpAddr> {
    let [a, b, c, d] = v4.octets();
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let mut forms = vec![
        IpAddr::V4(v4),
        IpAddr::V6(v4.to_ipv6_mapped()),
        IpAddr::V6(Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 0)),
        IpAddr::V6(Ipv6Addr::new(0x2002, high, low, 7, 7, 7, 7, 7)),
        IpAddr::V6(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low)),
    ];
    let compatible = Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low);
    if !compatible.is_unspecified() && !compatible.is_loopback() {
        forms.push(IpAddr::V6(compatible));
    }
    forms
}

fn allows(policy: &EgressPolicy, address: IpAddr) -> bool {
    let answer = policy.check("api.example.test", &[address]);
    if let Err(error) = &answer {
        assert_eq!((error.kind(), error.code()), (ErrorKind::Forbidden, Some("egress_refused")));
    }
    answer.is_ok()
}

#[test]
fn every_listed_range_is_refused_in_every_form_and_its_neighbours_are_not() {
    let policy = EgressPolicy::default();
    for (first, last) in REFUSED {
        for edge in [first, last] {
            for form in forms(edge.parse().unwrap()) {
                assert!(!allows(&policy, form), "{edge} as {form}");
            }
        }
    }
    for public in PUBLIC {
        for form in forms(public.parse().unwrap()) {
            assert!(allows(&policy, form), "{public} as {form}");
        }
    }
}

#[test]
fn private_ipv6_is_refused_and_its_neighbours_are_not() {
    let policy = EgressPolicy::default();
    let refused = [
        "::",
        "::1",
        "::2",
        "fc00::",
        "fdff:ffff::1",
        "fe80::",
        "febf:ffff::1",
        "ff00::",
        "ff02::1",
        "ffff::",
        "fd00:ec2::254",
    ];
    for refused in refused {
        assert!(!allows(&policy, ip(refused)), "{refused}");
    }
    for public in ["2606:4700::1", "fbff:ffff::1", "fe00::1", "fec0::1", "2001:4860:4860::8888"] {
        assert!(allows(&policy, ip(public)), "{public}");
    }
}

#[test]
fn a_listed_network_is_allowed_in_every_form() {
    for (first, last) in REFUSED {
        for edge in [first, last] {
            let policy = EgressPolicy::allowing([*edge]).unwrap();
            for form in forms(edge.parse().unwrap()) {
                assert!(allows(&policy, form), "{edge} as {form}");
            }
        }
    }
    let policy = EgressPolicy::allowing(["10.1.0.0/16", "fd12::/32"]).unwrap();
    for (address, allowed) in [
        ("10.1.0.0", true),
        ("10.1.255.255", true),
        ("10.0.255.255", false),
        ("10.2.0.0", false),
        ("fd12:0:ffff::1", true),
        ("fd12:1::1", false),
    ] {
        assert_eq!(allows(&policy, ip(address)), allowed, "{address}");
    }
    assert!(allows(&EgressPolicy::allowing(["0.0.0.0/0"]).unwrap(), ip("10.0.0.1")));
    assert!(!allows(&EgressPolicy::allowing(["0.0.0.0/0"]).unwrap(), ip("fd12::1")));
    assert!(allows(&EgressPolicy::allowing(["::/0"]).unwrap(), ip("fd12::1")));
}

#[test]
fn metadata_services_are_refused_even_when_listed() {
    let entries = ["0.0.0.0/0", "::/0", "169.254.169.254", "fd00:ec2::254", "metadata.google.internal", "metadata.test"];
    let policy = EgressPolicy::allowing(entries).unwrap();
    for form in forms("169.254.169.254".parse().unwrap()) {
        assert!(!allows(&policy, form), "{form}");
        assert!(policy.check("metadata.test", &[form]).is_err(), "{form}");
    }
    assert!(!allows(&policy, ip("fd00:ec2::254")));
    for host in ["metadata.google.internal", "METADATA.google.internal", "metadata.google.internal."] {
        assert!(policy.check(host, &[ip("8.8.8.8")]).is_err(), "{host}");
    }
}

#[test]
fn hosts_are_listed_exactly_and_every_address_counts() {
    let policy = EgressPolicy::allowing(["Registry.Internal", "fqdn.internal."]).unwrap();
    let private = [ip("10.0.0.1")];
    for host in ["registry.internal", "REGISTRY.INTERNAL", "registry.internal.", "fqdn.internal", "fqdn.internal."] {
        assert!(policy.check(host, &private).is_ok(), "{host}");
    }
    for host in ["x.registry.internal", "registry.internal.evil.test", "registry", ""] {
        assert!(policy.check(host, &private).is_err(), "{host}");
    }
    let mixed = [ip("8.8.8.8"), ip("10.0.0.1")];
    assert!(EgressPolicy::default().check("a.test", &mixed).is_err());
    assert!(EgressPolicy::default().check("a.test", &[]).is_err());
    assert!(policy.check("registry.internal", &[]).is_err());
}

#[test]
fn entries_that_mean_nothing_are_refused() {
    for bad in ["", "10.0.0.0/33", "fd00::/129", "10.0.0.0/-1", "a b", "https://a.test", "a/b", "*.test", "é.test"] {
        assert!(EgressPolicy::allowing([bad]).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn every_form_of_an_address_has_one_verdict(bits: u32) {
        let v4 = Ipv4Addr::from(bits);
        let policy = EgressPolicy::default();
        let plain = allows(&policy, IpAddr::V4(v4));
        for form in forms(v4) {
            prop_assert_eq!(allows(&policy, form), plain, "{}", form);
        }
    }
}
