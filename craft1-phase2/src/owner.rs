//! Whose an address is.
//!
//! What always holds: the addresses that one customer can choose from count as one.

use std::net::{IpAddr, Ipv6Addr};

/// How much of an IPv6 address says whose it is. One customer is given 2^64 addresses or more
/// (RFC 6177), so whole addresses would give each of them as many windows.
const IPV6_PREFIX: u128 = !0 << 64;

/// The address that stands for all those of the same owner: an IPv4 address itself, also where it
/// comes mapped into IPv6, and the first of the 2^64 around any other IPv6 address.
pub fn owner(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & IPV6_PREFIX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_told_by_its_first_address() {
        for (peer, expected) in [
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(owner(peer.parse().unwrap()).to_string(), expected, "{peer}");
        }
    }
}
