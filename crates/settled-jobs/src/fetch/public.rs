//! Which addresses are public: what a list that is not trusted may be let near.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether `address` is an ordinary address of the public internet.
///
/// Everything else is refused by `deny_private`: this machine, this network, carriers' and companies' networks, the metadata
/// services of clouds (169.254.169.254, fd00:ec2::254), multicast, documentation, and every IPv6 form that stands for an IPv4
/// address which is refused.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// The IANA special-purpose registry, what is globally reachable in it left out.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !matches!(
        (a, b, c),
        (0 | 10 | 127, _, _)                    // this network, private, loopback
            | (100, 64..=127, _)                // carrier-grade NAT
            | (169, 254, _)                     // link-local, metadata services
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)                   // protocol assignments, documentation
            | (192, 31, 196) | (192, 52, 193) | (192, 175, 48)
            | (192, 88, 99)                     // the old 6to4 relays
            | (198, 18..=19, _)                 // benchmarks
            | (198, 51, 100) | (203, 0, 113)    // documentation
            | (224..=255, _, _) // multicast, reserved, broadcast
    )
}

/// Only global unicast (2000::/3) is public, and of it not what is set aside or has an IPv4 address inside that is not.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0xffff, high, low] => is_public_v4(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public_v4(v4(high, low)),
        [0x2002, high, low, ..] => is_public_v4(v4(high, low)),
        // Teredo, benchmarks, ORCHID and the rest of the protocol assignments; documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_pass() {
        for public in [
            "1.1.1.1",
            "100.63.255.255",
            "172.32.0.1",
            "192.167.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
        ] {
            assert!(is_public(public.parse().expect("an address")), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "3fff::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "100::1",
            "fec0::1",
        ] {
            assert!(
                !is_public(private.parse().expect("an address")),
                "{private}"
            );
        }
    }
}
