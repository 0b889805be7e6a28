//! No address of a forbidden range passes, in any notation.

use super::*;
use proptest::prelude::*;
use std::net::{Ipv4Addr, Ipv6Addr};

/// IANA's special-purpose registries, written apart from the code's own list.
const FORBIDDEN: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    "::ffff:0:0/96",
    "::ffff:0:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

fn forbidden() -> impl Strategy<Value = IpAddr> {
    (proptest::sample::select(FORBIDDEN), any::<u128>()).prop_map(|(net, random)| {
        let (net, bits) = net.split_once('/').expect("a range");
        let (net, bits): (IpAddr, u32) = (net.parse().expect("an address"), bits.parse().expect("a number"));
        match net {
            IpAddr::V4(net) => {
                let random = u32::try_from(random & u128::from(u32::MAX)).expect("masked");
                IpAddr::V4(Ipv4Addr::from(u32::from(net) | random & u32::MAX.checked_shr(bits).unwrap_or(0)))
            }
            IpAddr::V6(net) => IpAddr::V6(Ipv6Addr::from(u128::from(net) | random & u128::MAX.checked_shr(bits).unwrap_or(0))),
        }
    })
}

/// The ways in which a URL can say an IPv4 address.
fn notations(address: Ipv4Addr) -> Vec<String> {
    let ([a, b, c, d], number) = (address.octets(), u32::from(address));
    let full_width = |digit: char| char::from_u32(u32::from(digit) + 0xfee0).filter(|_| digit.is_ascii_digit()).unwrap_or(digit);
    let percent = address.to_string().bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    vec![
        address.to_string(),
        number.to_string(),
        format!("{number:#x}"),
        format!("0{number:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("{a}.{b}.{}", u16::from_be_bytes([c, d])),
        format!("{a:#x}.{}", number & 0x00ff_ffff),
        format!("{a}.{b}.{c}.{d}."),
        address.to_string().chars().map(full_width).collect(),
        address.to_string().replace('.', "。"),
        percent,
        format!("[::ffff:{address}]"),
        format!("[::ffff:{:x}:{:x}]", number >> 16, number & 0xffff),
        format!("[::{address}]"),
        format!("[::ffff:0:{address}]"),
        format!("[64:ff9b::{address}]"),
        format!("[2002:{:x}:{:x}::1]", number >> 16, number & 0xffff),
        format!("[2600::5efe:{address}]"),
    ]
}

fn spelled(address: IpAddr) -> Vec<String> {
    match address {
        IpAddr::V4(address) => notations(address),
        IpAddr::V6(address) => {
            let parts = address.segments().map(|part| format!("{part:04X}"));
            vec![format!("[{address}]"), format!("[{}]", parts.join(":"))]
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

proptest! {
    #[test]
    fn no_forbidden_address_passes_in_any_notation(address in forbidden()) {
        let (outbound, recorder) = outbound(NoNames, &[]);
        for host in spelled(address) {
            let url = format!("http://{host}:8080/");
            let reason = runtime().block_on(failure(&outbound, &url));
            prop_assert!(matches!(reason, Reason::Refused(Refusal::Address(_))), "{url}: {reason:?}");
        }
        prop_assert!(recorder.dialled().is_empty());
    }

    #[test]
    fn what_passes_is_public_by_the_standard_librarys_lights(v4 in any::<u32>(), v6 in any::<u128>()) {
        let v4 = Ipv4Addr::from(v4);
        if address::kind(v4.into()).is_none() {
            prop_assert!(!(v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_broadcast()));
            prop_assert!(!(v4.is_documentation() || v4.is_unspecified() || v4.is_multicast()));
        }
        let v6 = Ipv6Addr::from(v6);
        if address::kind(v6.into()).is_none() {
            prop_assert!(!(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unique_local() || v6.is_unicast_link_local()));
            prop_assert!(v6.to_ipv4().is_none() && v6.segments()[0] >> 13 == 1);
        }
    }

    #[test]
    fn a_certificate_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        certificate::not_after_ms(&bytes);
    }

    #[test]
    fn a_url_is_read_without_a_panic(text in ".{0,80}", host in "[0-9a-fx.:%\\[\\]]{1,30}") {
        let _ = Target::parse(&text);
        let _ = Target::parse(&format!("http://{host}/"));
    }
}

#[test]
fn public_addresses_pass() {
    for address in
        ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "198.20.0.1", "223.255.255.255"]
    {
        assert_eq!(address::kind(address.parse().unwrap()), None, "{address}");
    }
    for address in ["2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::200e", "2001:200::1", "2003::1"] {
        assert_eq!(address::kind(address.parse().unwrap()), None, "{address}");
    }
}
