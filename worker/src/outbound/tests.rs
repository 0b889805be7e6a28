//! The way out against everything that tries to lead it in. The dialler here writes down where it was sent and opens connections to this machine
//! only: should a check fail, a test fails, and no packet leaves.

mod bounds;
mod dns;
mod hostile;
mod notations;
mod redirects;
pub(crate) mod site;

use super::*;
use dns::{DnsClient, NameServer};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use std::io;
use std::sync::Mutex;

/// Writes down each dial, and dials loopback.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<SocketAddr>>);

impl Recorder {
    pub(crate) fn dialled(&self) -> Vec<SocketAddr> {
        self.0.lock().expect("no test panics while it records").clone()
    }
}

impl Dial for Recorder {
    fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
        self.0.lock().expect("no test panics while it records").push(to);
        async move { if to.ip().is_loopback() { TcpStream::connect(to).await } else { Err(io::ErrorKind::NetworkUnreachable.into()) } }
            .boxed()
    }
}

/// A resolver for tests whose URLs carry addresses.
#[derive(Debug)]
pub(crate) struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, name: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        panic!("{name} was asked for")
    }
}

/// A way out that goes to the public Internet, as far as the recorder, and to what is listed.
pub(crate) fn outbound(resolve: impl Resolve + 'static, allow: &[String]) -> (Outbound, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::default());
    let allow = Allow::parse(allow).expect("a list");
    (Outbound::with(Arc::<Recorder>::clone(&recorder), Arc::new(resolve), allow, true, RootCertStore::empty()), recorder)
}

/// The reason for which a URL is not answered.
async fn failure(outbound: &Outbound, url: &str) -> Reason {
    match outbound.send(&Request::get(url).following_redirects()).await {
        Ok(answer) => panic!("{url} was answered with {}", answer.status),
        Err(failed) => failed.reason,
    }
}

#[tokio::test]
async fn a_public_target_is_dialled_at_the_address_that_was_judged() {
    let server = NameServer::start([("www.example.com", vec![vec!["93.184.216.34", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]])]).await;
    let (outbound, recorder) = outbound(server.client(), &[]);
    assert_eq!(failure(&outbound, "https://www.example.com/").await, Reason::Unreachable);
    let expected = ["93.184.216.34:443", "[2606:2800:21f:cb07:6820:80da:af6b:8b2c]:443"].map(|address| address.parse().unwrap());
    assert_eq!(recorder.dialled(), expected);
    assert_eq!(server.asked(), ["www.example.com."], "asked once, as a whole name");
}

#[tokio::test]
async fn what_the_operator_listed_is_gone_to_and_its_neighbour_is_not() {
    let zone = [("hooks.internal", vec![vec!["10.9.8.7"]]), ("other.internal", vec![vec!["10.1.0.1"]])];
    let server = NameServer::start(zone).await;
    let allow = ["hooks.internal:8443", "10.1.0.0/16", "[fd00::7]:9000", "192.168.7.7:81"].map(str::to_owned);
    let (outbound, recorder) = outbound(server.client(), &allow);
    for url in ["https://hooks.internal:8443/", "http://10.1.2.3/", "http://[fd00::7]:9000/", "http://192.168.7.7:81/"] {
        assert_eq!(failure(&outbound, url).await, Reason::Unreachable, "{url}");
    }
    assert_eq!(recorder.dialled().len(), 4);
    let refused = [
        ("https://hooks.internal/", Refusal::LocalName),
        ("https://other.internal:8443/", Refusal::LocalName),
        ("http://10.2.0.1/", Refusal::Address(Kind::Private)),
        ("http://[fd00::7]:9001/", Refusal::Address(Kind::UniqueLocal)),
        ("http://[fd00::8]:9000/", Refusal::Address(Kind::UniqueLocal)),
        ("http://192.168.7.7/", Refusal::Address(Kind::Private)),
        ("http://[::ffff:10.1.2.3]/", Refusal::Address(Kind::Embedded)),
    ];
    for (url, refusal) in refused {
        assert_eq!(failure(&outbound, url).await, Reason::Refused(refusal), "{url}");
    }
    assert_eq!(recorder.dialled().len(), 4, "nothing else was dialled");
    assert_eq!(server.asked(), ["hooks.internal"], "asked as the operator wrote it");
}

#[tokio::test]
async fn a_listed_name_opens_no_address_that_is_never_opened() {
    let never = ["169.254.169.254", "fd00:ec2::254", "169.254.1.1", "0.0.0.0", "224.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1"];
    for address in never {
        let server = NameServer::start([("hooks.internal", vec![vec![address]])]).await;
        let (outbound, recorder) = outbound(server.client(), &["hooks.internal".to_owned()]);
        assert!(matches!(failure(&outbound, "http://hooks.internal/").await, Reason::Refused(Refusal::Address(_))), "{address}");
        assert!(recorder.dialled().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_stays_home_goes_only_where_its_list_says() {
    let server = NameServer::start([("www.example.com", vec![vec!["93.184.216.34"]]), ("hooks.internal", vec![vec!["8.8.8.8"]])]).await;
    let recorder = Arc::new(Recorder::default());
    let allow = Allow::parse(&["10.1.0.0/16", "hooks.internal", "1.1.1.1"]).unwrap();
    let home = Outbound::with(Arc::<Recorder>::clone(&recorder), Arc::new(server.client()), allow, false, RootCertStore::empty());
    assert_eq!(failure(&home, "https://www.example.com/").await, Refusal::NotListed.into());
    assert_eq!(failure(&home, "https://93.184.216.34/").await, Refusal::NotListed.into());
    assert!(recorder.dialled().is_empty());
    for url in ["http://hooks.internal/", "http://10.1.2.3/", "http://1.1.1.1/"] {
        assert_eq!(failure(&home, url).await, Reason::Unreachable, "{url}");
    }
    assert_eq!(server.asked(), ["hooks.internal"], "unlisted names are not even asked for");
}

#[tokio::test]
async fn a_name_without_addresses_says_so() {
    let server = NameServer::start([("empty.example.com", vec![vec![]])]).await;
    let (outbound, _) = outbound(server.client(), &[]);
    assert_eq!(failure(&outbound, "http://empty.example.com/").await, Reason::NoAddress);
    assert_eq!(failure(&outbound, "http://missing.example.com/").await, Reason::NoAddress);
}

#[tokio::test]
async fn the_systems_resolver_knows_this_machine() {
    let found = SystemNames::default().resolve("localhost").await.unwrap();
    assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
}
