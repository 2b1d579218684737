//! Which addresses our adapters may connect to. Pure: each adapter's connector applies it to the addresses it resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{Error, ErrorKind, Result};

/// Refuses private, loopback, link-local, shared, multicast and reserved address space, also when it is wrapped into
/// IPv6 (v4-mapped, 6to4, NAT64), unless the host or network is on the operator's allow list. Cloud metadata
/// addresses are refused always.
///
/// ```
/// use zopnight_core::domain::EgressPolicy;
/// let policy = EgressPolicy::default();
/// assert!(policy.check("api.example.test", &["203.0.113.7".parse().unwrap()]).is_ok());
/// assert!(policy.check("evil.example.test", &["10.0.0.1".parse().unwrap()]).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct EgressPolicy {
    hosts: Vec<String>,
    networks: Vec<(IpAddr, u8)>,
}

impl EgressPolicy {
    /// A policy that besides public space allows these hosts (exact, without case) and networks (`10.1.0.0/16`).
    ///
    /// # Errors
    /// `Invalid` naming the entry that is neither a network nor a host name.
    pub fn allowing<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut policy = Self::default();
        for entry in entries {
            let host = entry.strip_suffix('.').unwrap_or(entry);
            if let Some(network) = network(entry) {
                policy.networks.push(network);
            } else if !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b)) {
                policy.hosts.push(host.to_ascii_lowercase());
            } else {
                return Err(super::grammar::refuse(
                    "egress entry",
                    "must be a host name or a network such as 10.0.0.0/8",
                    entry,
                ));
            }
        }
        Ok(policy)
    }

    /// Whether a connection to `host`, resolved to `addresses`, may be made. Every address must pass.
    ///
    /// # Errors
    /// `Forbidden` with code `egress_refused`.
    pub fn check(&self, host: &str, addresses: &[IpAddr]) -> Result<()> {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let listed = self.hosts.contains(&host);
        let fine = |ip: &IpAddr| {
            let ip = unwrapped(*ip);
            !is_metadata(ip) && (is_public(ip) || listed || self.networks.iter().any(|n| contains(*n, ip)))
        };
        if host != "metadata.google.internal" && !addresses.is_empty() && addresses.iter().all(fine) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Forbidden, "egress", format!("connections to {host} are not allowed"))
            .with("code", "egress_refused"))
    }
}

/// The IPv4 address inside a v4-mapped, v4-compatible, 6to4 or NAT64 form.
fn unwrapped(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (a, b) {
        (0x2002, _) => v4(b, c),
        (0x0064, 0xff9b) if [c, d, e, f] == [0; 4] => v4(g, h),
        (0, 0) if [c, d, e] == [0; 3] && (f == 0xffff || (f == 0 && (g, h) > (0, 1))) => v4(g, h),
        _ => ip,
    }
}

fn is_metadata(ip: IpAddr) -> bool {
    ip == IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254))
        || ip == IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x254))
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(matches!(a, 0 | 10 | 127 | 224..)
                || (a == 100 && (64..128).contains(&b))
                || (a == 169 && b == 254)
                || (a == 172 && (16..32).contains(&b))
                || (a == 192 && ((b == 0 && c == 0) || b == 168))
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(v6) => {
            let first = v6.segments().first().copied().unwrap_or(0);
            !(v6.is_unspecified()
                || v6.is_loopback()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80
                || first & 0xff00 == 0xff00)
        }
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (ip, bits) = match text.split_once('/') {
        Some((ip, bits)) => (ip.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?),
        None => {
            let ip = text.parse::<IpAddr>().ok()?;
            (ip, if ip.is_ipv4() { 32 } else { 128 })
        }
    };
    (bits <= if ip.is_ipv4() { 32 } else { 128 }).then_some((ip, bits))
}

fn contains((net, bits): (IpAddr, u8), ip: IpAddr) -> bool {
    let left = |width: u8| u32::from(width.saturating_sub(bits));
    match (net, ip) {
        (IpAddr::V4(n), IpAddr::V4(i)) => (u32::from(n) ^ u32::from(i)).checked_shr(left(32)).unwrap_or(0) == 0,
        (IpAddr::V6(n), IpAddr::V6(i)) => (u128::from(n) ^ u128::from(i)).checked_shr(left(128)).unwrap_or(0) == 0,
        _ => false,
    }
}
