//! Nothing read grows beyond its limit, and nothing lasts longer than its time.

use super::*;
use site::{Script, Site, answers, endless, raw, silence};

const SOON: Duration = Duration::from_millis(300);

async fn ask(script: Script) -> Result<Answer, Reason> {
    let site = Site::start(script).await;
    let (outbound, _) = outbound(NoNames, &[site.listed()]);
    outbound.send(&Request::get(site.url("/x?y=z#w")).within(SOON)).await.map_err(|failed| failed.reason)
}

#[tokio::test]
async fn a_request_says_who_asks_and_wants_nothing_packed() {
    let site = Site::start(answers("204 No Content", "")).await;
    let (outbound, _) = outbound(NoNames, &[site.listed()]);
    let request = Request::post(site.url("/x?y=z#w"), HeaderValue::from_static("application/json"), "{}")
        .with_header(http::header::HOST, HeaderValue::from_static("elsewhere"));
    let answer = outbound.send(&request).await.unwrap();
    assert_eq!((answer.status.as_u16(), answer.version), (204, Version::HTTP_11));
    assert!(answer.trace.connect.is_some() && answer.trace.first_byte.is_some() && answer.trace.resolve.is_none());
    let mut lines: Vec<String> = site.requests()[0].lines().map(str::to_lowercase).filter(|line| !line.is_empty()).collect();
    lines[1..].sort_unstable();
    let host = format!("host: {}", site.listed());
    let agent = concat!("user-agent: keyvawlt/", env!("CARGO_PKG_VERSION"));
    let expected = ["post /x?y=z http/1.1", "accept-encoding: identity", "accept: */*", "connection: close", "content-length: 2"];
    assert_eq!(lines, [expected.as_slice(), &["content-type: application/json", &host, agent]].concat());
}

#[tokio::test]
async fn a_body_is_read_up_to_its_limit() {
    let exact = ask(answers("200 OK", &"x".repeat(MAX_BODY))).await.unwrap();
    assert_eq!((exact.body.len(), exact.is_cut), (MAX_BODY, false));
    let over = ask(answers("200 OK", &"x".repeat(MAX_BODY + 1))).await.unwrap();
    assert_eq!((over.body.len(), over.is_cut), (MAX_BODY, true));
    let endless = endless("HTTP/1.1 200 OK\r\n\r\n", vec![b'x'; 8_192], Duration::ZERO);
    let endless = ask(endless).await.unwrap();
    assert_eq!((endless.body.len(), endless.is_cut), (MAX_BODY, true));
    let claims = "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n";
    let claimed = ask(super::site::endless(claims, vec![b'x'; 8_192], Duration::ZERO)).await;
    assert!(claimed.is_err() || claimed.is_ok_and(|answer| answer.body.len() == MAX_BODY));
}

#[tokio::test]
async fn what_comes_packed_stays_packed() {
    let mut bomb = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4096\r\n\r\n\x1f\x8b\x08\0".to_vec();
    bomb.resize(bomb.len() + 4_092, 0);
    let answer = ask(raw(bomb)).await.unwrap();
    assert_eq!((answer.body.len(), &answer.body[..2]), (4_096, b"\x1f\x8b".as_ref()));
}

#[tokio::test]
async fn a_slow_body_ends_with_the_time() {
    let drip = endless("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x".to_vec(), Duration::from_millis(20));
    assert_eq!(ask(drip).await.unwrap_err(), Reason::TimedOut(Phase::Body));
    let drip = endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n".to_vec(), Duration::from_millis(20));
    assert_eq!(ask(drip).await.unwrap_err(), Reason::TimedOut(Phase::Body));
}

#[tokio::test]
async fn a_head_that_does_not_end_is_left() {
    let slow = endless("HTTP/1.1 200 OK\r\n", b"X: y\r\n".to_vec(), Duration::from_millis(20));
    assert_eq!(ask(slow).await.unwrap_err(), Reason::TimedOut(Phase::Head));
    let line = format!("X: {}\r\n", "y".repeat(1_024)).into_bytes();
    let large = endless("HTTP/1.1 200 OK\r\n", line, Duration::ZERO);
    assert_eq!(ask(large).await.unwrap_err(), Reason::HeadTooLarge);
    let one_line = endless("HTTP/1.1 200 OK\r\nX: ", vec![b'y'; 8_192], Duration::ZERO);
    assert_eq!(ask(one_line).await.unwrap_err(), Reason::HeadTooLarge);
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
    assert_eq!(ask(raw(many)).await.unwrap_err(), Reason::HeadTooLarge);
    let continues = endless("", b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), Duration::from_millis(5));
    assert_eq!(ask(continues).await.unwrap_err(), Reason::TimedOut(Phase::Head));
    assert_eq!(ask(silence()).await.unwrap_err(), Reason::TimedOut(Phase::Head));
}

#[tokio::test]
async fn what_is_not_http_is_named() {
    assert_eq!(ask(raw("SSH-2.0-OpenSSH_9.2\r\n\r\n")).await.unwrap_err(), Reason::NotHttp);
    assert_eq!(ask(raw("")).await.unwrap_err(), Reason::Closed(Phase::Head));
    let short = raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(ask(short).await.unwrap_err(), Reason::Closed(Phase::Body));
}

#[tokio::test]
async fn nobody_there_is_named() {
    // A port that was free a moment ago.
    let listed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (outbound, _) = outbound(NoNames, std::slice::from_ref(&listed));
    assert_eq!(failure(&outbound, &format!("http://{listed}/")).await, Reason::ConnectionRefused);
}

#[tokio::test]
async fn the_lookup_counts_too() {
    #[derive(Debug)]
    struct Never;
    impl Resolve for Never {
        fn resolve(&self, _: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
            futures::future::pending().boxed()
        }
    }
    let (outbound, _) = outbound(Never, &[]);
    let failed = outbound.send(&Request::get("https://slow.example.com/").within(SOON)).await.unwrap_err();
    assert_eq!(failed.reason, Reason::TimedOut(Phase::Resolve));
    assert!(failed.trace.total >= SOON && failed.trace.connect.is_none());
}

#[tokio::test]
async fn a_dead_address_does_not_use_up_the_time_of_the_next() {
    #[derive(Debug)]
    struct Deaf(Recorder);
    impl Dial for Deaf {
        fn dial(&self, to: SocketAddr) -> BoxFuture<'_, io::Result<TcpStream>> {
            if to.is_ipv6() { futures::future::pending().boxed() } else { self.0.dial(to) }
        }
    }
    let server = NameServer::start([("www.example.com", vec![vec!["93.184.216.34", "2606:4700::1111"]])]).await;
    let deaf = Arc::new(Deaf(Recorder::default()));
    let resolve = Backwards(server.client());
    let outbound = Outbound::with(Arc::<Deaf>::clone(&deaf), Arc::new(resolve), Allow::default(), true, RootCertStore::empty());
    let failed = outbound.send(&Request::get("http://www.example.com/").within(SOON)).await.unwrap_err();
    assert_eq!(failed.reason, Reason::Unreachable);
    assert_eq!(deaf.0.dialled().len(), 1);
}

/// IPv6 first, as systems answer.
#[derive(Debug)]
struct Backwards(DnsClient);
impl Resolve for Backwards {
    fn resolve(&self, name: &str) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        let found = self.0.resolve(name);
        async move { found.await.map(|found| found.into_iter().rev().collect()) }.boxed()
    }
}
