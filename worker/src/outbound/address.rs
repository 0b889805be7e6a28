//! Which addresses lie on the public Internet, and what the others are. Pure.
//!
//! IPv4 is judged by a list of what is not public; of IPv6 only 2000::/3 is, less what that holds. Forms that carry an IPv4 address inside
//! (mapped, translated, tunnelled) are refused whatever they carry: nobody reaches a public service through them on purpose.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is that is not on the public Internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// This machine.
    Loopback,
    /// A network of one's own (RFC 1918).
    Private,
    /// Behind a carrier's translation (RFC 6598).
    CarrierShared,
    /// A network of one's own, IPv6 (RFC 4193).
    UniqueLocal,
    /// For measuring (RFC 2544, RFC 5180).
    Benchmarking,
    /// Where a cloud tells a machine its credentials.
    Metadata,
    /// Good on one cable only.
    LinkLocal,
    /// No address: 0.0.0.0/8 and ::, which systems take for this machine.
    Unspecified,
    /// For many at once.
    Multicast,
    /// For all at once.
    Broadcast,
    /// For examples in books.
    Documentation,
    /// An IPv4 address in IPv6's clothes: mapped, compatible, translated.
    Embedded,
    /// Translated to an IPv4 address by a gateway.
    Nat64,
    /// A tunnel to an IPv4 address: 6to4, Teredo.
    Tunnel,
    /// The old networks of one's own, IPv6 (RFC 3879).
    SiteLocal,
    /// Set aside for something else.
    Reserved,
}

impl Kind {
    /// Whether an operator may open it. The rest never is a service of his: the other end would be a machine's own secrets, everybody, or
    /// an address that says one thing and means another.
    pub fn may_be_opened(self) -> bool {
        matches!(self, Self::Loopback | Self::Private | Self::CarrierShared | Self::UniqueLocal | Self::Benchmarking)
    }

    /// What it is, in words that follow "leads to".
    pub fn words(self) -> &'static str {
        match self {
            Self::Loopback => "the server's own machine",
            Self::Private | Self::UniqueLocal | Self::SiteLocal => "a private network",
            Self::CarrierShared => "a carrier's inner network",
            Self::Benchmarking => "a network for measurements",
            Self::Metadata => "a cloud's metadata service",
            Self::LinkLocal => "the server's own cable (link-local)",
            Self::Unspecified => "no address",
            Self::Multicast => "many machines at once (multicast)",
            Self::Broadcast => "all machines at once (broadcast)",
            Self::Documentation => "an address for examples",
            Self::Embedded => "an IPv4 address written inside an IPv6 address",
            Self::Nat64 => "an IPv4 address behind a translator (NAT64)",
            Self::Tunnel => "an IPv4 address behind a tunnel (6to4, Teredo)",
            Self::Reserved => "a reserved address",
        }
    }
}

/// What the address is; `None` for the public Internet.
pub fn kind(address: IpAddr) -> Option<Kind> {
    match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => of_v6(address),
    }
}

/// Whether the first `bits` bits of both are the same.
pub fn within(address: IpAddr, net: IpAddr, bits: u8) -> bool {
    match (address, net) {
        (IpAddr::V4(address), IpAddr::V4(net)) => same_v4(address, net, bits),
        (IpAddr::V6(address), IpAddr::V6(net)) => same_v6(address, net, bits),
        _ => false,
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// IANA's special-purpose registry, and the metadata services that hide in other ranges. The first match counts.
const V4: &[(Ipv4Addr, u8, Kind)] = &[
    (v4(169, 254, 169, 254), 32, Kind::Metadata), // Amazon, Google, Azure, and most others
    (v4(169, 254, 170, 2), 32, Kind::Metadata),   // Amazon's containers
    (v4(169, 254, 170, 23), 32, Kind::Metadata),  // Amazon's pods
    (v4(169, 254, 0, 23), 32, Kind::Metadata),    // Tencent
    (v4(100, 100, 100, 200), 32, Kind::Metadata), // Alibaba
    (v4(168, 63, 129, 16), 32, Kind::Metadata),   // Azure, among public addresses
    (v4(192, 0, 0, 192), 32, Kind::Metadata),     // Oracle
    (v4(0, 0, 0, 0), 8, Kind::Unspecified),
    (v4(10, 0, 0, 0), 8, Kind::Private),
    (v4(100, 64, 0, 0), 10, Kind::CarrierShared),
    (v4(127, 0, 0, 0), 8, Kind::Loopback),
    (v4(169, 254, 0, 0), 16, Kind::LinkLocal),
    (v4(172, 16, 0, 0), 12, Kind::Private),
    (v4(192, 0, 0, 0), 24, Kind::Reserved),
    (v4(192, 0, 2, 0), 24, Kind::Documentation),
    (v4(192, 31, 196, 0), 24, Kind::Reserved),
    (v4(192, 52, 193, 0), 24, Kind::Reserved),
    (v4(192, 88, 99, 0), 24, Kind::Tunnel),
    (v4(192, 168, 0, 0), 16, Kind::Private),
    (v4(192, 175, 48, 0), 24, Kind::Reserved),
    (v4(198, 18, 0, 0), 15, Kind::Benchmarking),
    (v4(198, 51, 100, 0), 24, Kind::Documentation),
    (v4(203, 0, 113, 0), 24, Kind::Documentation),
    (v4(224, 0, 0, 0), 4, Kind::Multicast),
    (v4(255, 255, 255, 255), 32, Kind::Broadcast),
    (v4(240, 0, 0, 0), 4, Kind::Reserved),
];

const fn v6(first: u16, second: u16, third: u16, seventh: u16, last: u16) -> Ipv6Addr {
    Ipv6Addr::new(first, second, third, 0, 0, 0, seventh, last)
}

const V6: &[(Ipv6Addr, u8, Kind)] = &[
    (v6(0xfd00, 0xec2, 0, 0, 0x254), 128, Kind::Metadata), // Amazon
    (v6(0xfd20, 0xce, 0, 0, 0x254), 128, Kind::Metadata),  // Google
    (v6(0xfd00, 0x42, 0, 0, 0x42), 128, Kind::Metadata),   // Scaleway
    (v6(0, 0, 0, 0, 0), 128, Kind::Unspecified),
    (v6(0, 0, 0, 0, 1), 128, Kind::Loopback),
    // ::/64 holds all forms that begin with zeroes: compatible (::a.b.c.d), mapped (::ffff:a.b.c.d), translated (::ffff:0:a.b.c.d).
    (v6(0, 0, 0, 0, 0), 64, Kind::Embedded),
    (v6(0x64, 0xff9b, 0, 0, 0), 96, Kind::Nat64),
    (v6(0x64, 0xff9b, 1, 0, 0), 48, Kind::Nat64),
    (v6(0x2001, 0, 0, 0, 0), 32, Kind::Tunnel), // Teredo
    (v6(0x2001, 2, 0, 0, 0), 48, Kind::Benchmarking),
    (v6(0x2001, 0, 0, 0, 0), 23, Kind::Reserved),
    (v6(0x2001, 0xdb8, 0, 0, 0), 32, Kind::Documentation),
    (v6(0x2002, 0, 0, 0, 0), 16, Kind::Tunnel), // 6to4
    (v6(0x2620, 0x4f, 0x8000, 0, 0), 48, Kind::Reserved),
    (v6(0x3fff, 0, 0, 0, 0), 20, Kind::Documentation),
    (v6(0xfc00, 0, 0, 0, 0), 7, Kind::UniqueLocal),
    (v6(0xfe80, 0, 0, 0, 0), 10, Kind::LinkLocal),
    (v6(0xfec0, 0, 0, 0, 0), 10, Kind::SiteLocal),
    (v6(0xff00, 0, 0, 0, 0), 8, Kind::Multicast),
];

/// All of IPv6 that is handed out to the public.
const V6_PUBLIC: (Ipv6Addr, u8) = (v6(0x2000, 0, 0, 0, 0), 3);
/// What the lower half of an ISATAP tunnel's address begins with (RFC 5214).
const ISATAP: [u32; 2] = [0x0000_5efe, 0x0200_5efe];

fn of_v4(address: Ipv4Addr) -> Option<Kind> {
    V4.iter().find(|(net, bits, _)| same_v4(address, *net, *bits)).map(|(.., kind)| *kind)
}

fn of_v6(address: Ipv6Addr) -> Option<Kind> {
    if let Some((.., kind)) = V6.iter().find(|(net, bits, _)| same_v6(address, *net, *bits)) {
        return Some(*kind);
    }
    let [.., e, f, _, _] = address.segments();
    if ISATAP.contains(&(u32::from(e) << 16 | u32::from(f))) {
        return Some(Kind::Tunnel);
    }
    let (net, bits) = V6_PUBLIC;
    (!same_v6(address, net, bits)).then_some(Kind::Reserved)
}

fn same_v4(one: Ipv4Addr, other: Ipv4Addr, bits: u8) -> bool {
    let differing = u32::from(one) ^ u32::from(other);
    differing.leading_zeros() >= u32::from(bits)
}

fn same_v6(one: Ipv6Addr, other: Ipv6Addr, bits: u8) -> bool {
    let differing = u128::from(one) ^ u128::from(other);
    differing.leading_zeros() >= u32::from(bits)
}
