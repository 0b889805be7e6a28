//! URLs and DNS answers that mean harm, each with the reason for which it is refused. Nothing is dialled for any of them.

use super::*;
use Kind::{
    Benchmarking, CarrierShared, Documentation, Embedded, LinkLocal, Loopback, Metadata, Multicast, Nat64, Private, Reserved, Tunnel,
};
use Kind::{Broadcast, SiteLocal, UniqueLocal, Unspecified};
use Refusal::{Address, Credentials, LocalName, Mixed, NotAUrl, Port, Scheme, TooLong, TrailingDot};

const URLS: &[(&str, Refusal)] = &[
    // Schemes.
    ("file:///etc/passwd", Scheme),
    ("ftp://example.com/", Scheme),
    ("gopher://127.0.0.1:6379/_FLUSHALL", Scheme),
    ("dict://127.0.0.1:11211/stats", Scheme),
    ("ldap://127.0.0.1/", Scheme),
    ("ws://127.0.0.1/", Scheme),
    ("data:text/plain,hello", Scheme),
    ("javascript:alert(1)", Scheme),
    ("unix:/var/run/docker.sock", Scheme),
    ("jar:http://127.0.0.1!/", Scheme),
    // Not URLs.
    ("", NotAUrl),
    ("example.com", NotAUrl),
    ("//example.com/", NotAUrl),
    ("http://", NotAUrl),
    ("http:///", NotAUrl),
    ("http://[::1", NotAUrl),
    ("http://[fe80::1%25eth0]/", NotAUrl),
    ("http://1.2.3.4.5/", NotAUrl),
    ("http://256.256.256.256/", NotAUrl),
    ("http://0x100000000/", NotAUrl),
    ("http://exa mple.com/", NotAUrl),
    ("http://example.com:99999/", NotAUrl),
    ("http://a%00b.example.com/", NotAUrl),
    // Credentials, and hosts that hide behind them.
    ("http://user@example.com/", Credentials),
    ("http://user:password@example.com/", Credentials),
    ("http://:password@example.com/", Credentials),
    ("http://example.com@127.0.0.1/", Credentials),
    ("http://example.com%2f@127.0.0.1/", Credentials),
    ("http://127.0.0.1\\@example.com/", Address(Loopback)),
    ("http://127.0.0.1#@example.com/", Address(Loopback)),
    ("http://127.0.0.1?@example.com/", Address(Loopback)),
    // This machine, in every notation.
    ("http://127.0.0.1/", Address(Loopback)),
    ("http://127.0.0.1:9000/", Address(Loopback)),
    ("http://127.255.255.254/", Address(Loopback)),
    ("http://127.1/", Address(Loopback)),
    ("http://127.0.1/", Address(Loopback)),
    ("http://2130706433/", Address(Loopback)),
    ("http://017700000001/", Address(Loopback)),
    ("http://0177.0.0.1/", Address(Loopback)),
    ("http://0x7f.0.0.1/", Address(Loopback)),
    ("http://0x7f000001/", Address(Loopback)),
    ("http://0x7F.1/", Address(Loopback)),
    ("http://127.0.0.1./", Address(Loopback)),
    ("http://%31%32%37.0.0.1/", Address(Loopback)),
    ("http://１２７.０.０.１/", Address(Loopback)),
    ("http://①②⑦.⓪.⓪.①/", Address(Loopback)),
    ("http://127。0。0。1/", Address(Loopback)),
    ("http:127.0.0.1/", Address(Loopback)),
    ("http:\\\\127.0.0.1\\", Address(Loopback)),
    ("ht\ntp://127.0.\t0.1/", Address(Loopback)),
    ("http://[::1]/", Address(Loopback)),
    ("http://[0:0:0:0:0:0:0:1]/", Address(Loopback)),
    ("http://[0000::0001]:80/", Address(Loopback)),
    ("http://0/", Address(Unspecified)),
    ("http://0.0.0.0/", Address(Unspecified)),
    ("http://0.1.2.3/", Address(Unspecified)),
    ("http://[::]/", Address(Unspecified)),
    // IPv4 inside IPv6.
    ("http://[::ffff:127.0.0.1]/", Address(Embedded)),
    ("http://[::ffff:7f00:1]/", Address(Embedded)),
    ("http://[::ffff:8.8.8.8]/", Address(Embedded)),
    ("http://[::127.0.0.1]/", Address(Embedded)),
    ("http://[::ffff:0:127.0.0.1]/", Address(Embedded)),
    ("http://[64:ff9b::7f00:1]/", Address(Nat64)),
    ("http://[64:ff9b::169.254.169.254]/", Address(Nat64)),
    ("http://[64:ff9b:1::a00:1]/", Address(Nat64)),
    ("http://[2002:7f00:1::]/", Address(Tunnel)),
    ("http://[2002:a9fe:a9fe::1]/", Address(Tunnel)),
    ("http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", Address(Tunnel)),
    ("http://[2a00:1450::5efe:10.0.0.1]/", Address(Tunnel)),
    ("http://[2a00:1450::200:5efe:10.0.0.1]/", Address(Tunnel)),
    // Networks of one's own.
    ("http://10.0.0.1/", Address(Private)),
    ("http://10.255.255.255/", Address(Private)),
    ("http://172.16.0.1/", Address(Private)),
    ("http://172.31.255.255/", Address(Private)),
    ("http://192.168.0.1/", Address(Private)),
    ("http://0xc0a80001/", Address(Private)),
    ("http://100.64.0.1/", Address(CarrierShared)),
    ("http://100.127.255.255/", Address(CarrierShared)),
    ("http://[fc00::1]/", Address(UniqueLocal)),
    ("http://[fdff:ffff::1]/", Address(UniqueLocal)),
    ("http://[fec0::1]/", Address(SiteLocal)),
    ("http://[fe80::1]/", Address(LinkLocal)),
    ("http://[febf::1]/", Address(LinkLocal)),
    ("http://169.254.1.1/", Address(LinkLocal)),
    // Where clouds keep credentials.
    ("http://169.254.169.254/latest/meta-data/", Address(Metadata)),
    ("http://2852039166/", Address(Metadata)),
    ("http://0xa9fea9fe/", Address(Metadata)),
    ("http://0251.0376.0251.0376/", Address(Metadata)),
    ("http://169.254.170.2/v2/credentials", Address(Metadata)),
    ("http://100.100.100.200/", Address(Metadata)),
    ("http://168.63.129.16/", Address(Metadata)),
    ("http://192.0.0.192/", Address(Metadata)),
    ("http://[fd00:ec2::254]/", Address(Metadata)),
    ("http://[fd20:ce::254]/", Address(Metadata)),
    ("http://metadata.google.internal/", LocalName),
    // For many, for books, for measurements, for nobody.
    ("http://224.0.0.1/", Address(Multicast)),
    ("http://239.255.255.250:1900/", Address(Multicast)),
    ("http://[ff02::1]/", Address(Multicast)),
    ("http://255.255.255.255/", Address(Broadcast)),
    ("http://240.0.0.1/", Address(Reserved)),
    ("http://192.0.0.1/", Address(Reserved)),
    ("http://192.88.99.1/", Address(Tunnel)),
    ("http://192.0.2.1/", Address(Documentation)),
    ("http://198.51.100.1/", Address(Documentation)),
    ("http://203.0.113.1/", Address(Documentation)),
    ("http://[2001:db8::1]/", Address(Documentation)),
    ("http://[3fff::1]/", Address(Documentation)),
    ("http://198.18.0.1/", Address(Benchmarking)),
    ("http://198.19.255.255/", Address(Benchmarking)),
    ("http://[2001:2::1]/", Address(Benchmarking)),
    ("http://[100::1]/", Address(Reserved)),
    ("http://[2001:20::1]/", Address(Reserved)),
    ("http://[5f00::1]/", Address(Reserved)),
    ("http://[4000::1]/", Address(Reserved)),
    // Names of this machine and this network.
    ("http://localhost/", LocalName),
    ("http://LOCALHOST:9000/", LocalName),
    ("http://ｌocalhost/", LocalName),
    ("http://foo.localhost/", LocalName),
    ("http://printer.local/", LocalName),
    ("http://db.internal/", LocalName),
    ("http://router.home.arpa/", LocalName),
    ("http://nas.lan/", LocalName),
    ("http://wiki.corp/", LocalName),
    ("http://intranet/", LocalName),
    ("http://abcdef.onion/", LocalName),
    ("http://localhost./", TrailingDot),
    ("http://example.com./", TrailingDot),
    ("http://example.com。/", TrailingDot),
    ("http://db.internal./", TrailingDot),
    // Ports of other protocols.
    ("http://example.com:0/", Port(0)),
    ("http://example.com:22/", Port(22)),
    ("http://example.com:25/", Port(25)),
    ("https://example.com:587/", Port(587)),
    ("http://example.com:6000/", Port(6000)),
    ("http://example.com:6379/", Port(6379)),
    ("http://example.com:6667/", Port(6667)),
    ("http://example.com:11211/", Port(11211)),
];

#[tokio::test]
async fn a_hostile_url_is_refused_before_anything_is_dialled() {
    let (outbound, recorder) = outbound(NoNames, &[]);
    for (url, refusal) in URLS {
        assert_eq!(failure(&outbound, url).await, Reason::Refused(*refusal), "{url:?}");
    }
    let long = format!("https://example.com/{}", "a".repeat(MAX_URL_LENGTH));
    assert_eq!(failure(&outbound, &long).await, Reason::Refused(TooLong));
    assert_eq!(recorder.dialled(), []);
}

/// What a name server says of a harmless name.
const ANSWERS: &[(&[&str], Refusal)] = &[
    (&["127.0.0.1"], Address(Loopback)),
    (&["127.8.8.8"], Address(Loopback)),
    (&["::1"], Address(Loopback)),
    (&["0.0.0.0"], Address(Unspecified)),
    (&["::"], Address(Unspecified)),
    (&["10.0.0.1"], Address(Private)),
    (&["172.20.0.1"], Address(Private)),
    (&["192.168.1.1"], Address(Private)),
    (&["100.64.1.1"], Address(CarrierShared)),
    (&["169.254.169.254"], Address(Metadata)),
    (&["fd00:ec2::254"], Address(Metadata)),
    (&["100.100.100.200"], Address(Metadata)),
    (&["169.254.0.1"], Address(LinkLocal)),
    (&["fe80::1"], Address(LinkLocal)),
    (&["fd12:3456::1"], Address(UniqueLocal)),
    (&["fec0::1"], Address(SiteLocal)),
    (&["224.0.0.251"], Address(Multicast)),
    (&["ff02::fb"], Address(Multicast)),
    (&["255.255.255.255"], Address(Broadcast)),
    (&["::ffff:127.0.0.1"], Address(Embedded)),
    (&["::ffff:93.184.216.34"], Address(Embedded)),
    (&["::7f00:1"], Address(Embedded)),
    (&["64:ff9b::7f00:1"], Address(Nat64)),
    (&["64:ff9b:1::1"], Address(Nat64)),
    (&["2002:7f00:1::1"], Address(Tunnel)),
    (&["2001::1"], Address(Tunnel)),
    (&["198.18.0.1"], Address(Benchmarking)),
    (&["203.0.113.9"], Address(Documentation)),
    (&["240.0.0.1"], Address(Reserved)),
    // Mixed: in any order, in either family.
    (&["93.184.216.34", "127.0.0.1"], Mixed(Loopback)),
    (&["127.0.0.1", "93.184.216.34"], Mixed(Loopback)),
    (&["93.184.216.34", "::1"], Mixed(Loopback)),
    (&["10.0.0.1", "2606:4700::1111"], Mixed(Private)),
    (&["1.1.1.1", "8.8.8.8", "9.9.9.9", "1.0.0.1", "8.8.4.4", "169.254.169.254"], Mixed(Metadata)),
    (&["10.0.0.1", "169.254.169.254"], Address(Private)),
];

#[tokio::test]
async fn a_hostile_answer_is_refused_before_anything_is_dialled() {
    for (addresses, refusal) in ANSWERS {
        let server = NameServer::start([("www.example.com", vec![addresses.to_vec()])]).await;
        let (outbound, recorder) = outbound(server.client(), &[]);
        for url in ["http://www.example.com/", "https://www.example.com:8443/x"] {
            assert_eq!(failure(&outbound, url).await, Reason::Refused(*refusal), "{addresses:?}");
        }
        assert_eq!(recorder.dialled(), []);
    }
}

#[tokio::test]
async fn a_name_that_turns_after_it_was_judged_gains_nothing() {
    let site = site::Site::start(site::answers("200 OK", "inside")).await;
    let turning = vec![vec!["93.184.216.34"], vec!["127.0.0.1"]];
    let server = NameServer::start([("rebind.example.com", turning)]).await;
    let (outbound, recorder) = outbound(server.client(), &[]);
    let url = format!("http://rebind.example.com:{}/", site.port());
    // First the name is public: judged once, and that address dialled, not what the name means by then.
    assert_eq!(failure(&outbound, &url).await, Reason::Unreachable);
    assert_eq!(server.asked().len(), 1, "asked once for one hop");
    assert_eq!(recorder.dialled(), [SocketAddr::from(([93, 184, 216, 34], site.port()))]);
    // Now it has turned.
    assert_eq!(failure(&outbound, &url).await, Reason::Refused(Address(Loopback)));
    assert_eq!(recorder.dialled().len(), 1);
    assert_eq!(site.requests(), Vec::<String>::new());
}
