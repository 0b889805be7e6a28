//! Redirects: each hop is judged like the first.

use super::*;
use site::{Script, Site, answers, raw};
use tokio::io::AsyncWriteExt as _;

fn redirect(to: &str) -> Script {
    raw(format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"))
}

/// `/n` leads to `/n-1`, and `/0` answers.
fn countdown() -> Script {
    Arc::new(|head, mut wire| {
        Box::pin(async move {
            let number: u32 = head.split(['/', ' ']).nth(2).and_then(|text| text.parse().ok()).unwrap_or(0);
            let answer = match number {
                0 => "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\narrived".to_owned(),
                n => format!("HTTP/1.1 307 On\r\nLocation: /{}\r\nContent-Length: 0\r\n\r\n", n - 1),
            };
            let _ = wire.write_all(answer.as_bytes()).await;
        })
    })
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_target_ends_there() {
    let cases = [
        ("http://169.254.169.254/latest/meta-data/", Refusal::Address(Kind::Metadata)),
        ("http://127.0.0.1:1/", Refusal::Port(1)),
        ("http://127.0.0.1:9/x", Refusal::Port(9)),
        ("http://10.0.0.1/", Refusal::Address(Kind::Private)),
        ("//[::1]/", Refusal::Address(Kind::Loopback)),
        ("http://[::ffff:169.254.169.254]/", Refusal::Address(Kind::Embedded)),
        ("http://2130706433/", Refusal::Address(Kind::Loopback)),
        ("http://localhost/", Refusal::LocalName),
        ("http://turned.example.com/", Refusal::Address(Kind::Loopback)),
        ("file:///etc/passwd", Refusal::Scheme),
        ("gopher://127.0.0.1/", Refusal::Scheme),
        ("http://user:password@example.com/", Refusal::Credentials),
        ("http://[oops/", Refusal::NotAUrl),
    ];
    let names = NameServer::start([("turned.example.com", vec![vec!["127.0.0.1"]])]).await;
    for (to, refusal) in cases {
        let site = Site::start(redirect(to)).await;
        let (outbound, recorder) = outbound(names.client(), &[site.listed()]);
        assert_eq!(failure(&outbound, &site.url("/")).await, Reason::Refused(refusal), "{to}");
        assert_eq!(recorder.dialled().len(), 1, "only the listed site was dialled");
    }
}

#[tokio::test]
async fn a_chain_of_sites_is_judged_to_its_end() {
    let end = Site::start(redirect("http://100.100.100.200/")).await;
    let middle = Site::start(redirect(&end.url("/end"))).await;
    let first = Site::start(redirect(&middle.url("/middle"))).await;
    let (outbound, recorder) = outbound(NoNames, &[first.listed(), middle.listed(), end.listed()]);
    assert_eq!(failure(&outbound, &first.url("/")).await, Reason::Refused(Refusal::Address(Kind::Metadata)));
    assert_eq!(recorder.dialled().len(), 3);
}

#[tokio::test]
async fn at_most_three_redirects_are_followed() {
    let site = Site::start(countdown()).await;
    let (outbound, recorder) = outbound(NoNames, &[site.listed()]);
    let answer = outbound.send(&Request::get(site.url("/3")).following_redirects()).await.unwrap();
    assert_eq!((answer.body.as_ref(), answer.trace.redirects), (b"arrived".as_ref(), 3));
    assert_eq!(recorder.dialled().len(), 4);
    assert_eq!(failure(&outbound, &site.url("/4")).await, Reason::Refused(Refusal::TooManyRedirects));
    assert_eq!(recorder.dialled().len(), 8);
}

#[tokio::test]
async fn a_delivery_follows_no_redirect() {
    let elsewhere = Site::start(answers("200 OK", "")).await;
    let site = Site::start(redirect(&elsewhere.url("/"))).await;
    let (outbound, _) = outbound(NoNames, &[site.listed(), elsewhere.listed()]);
    let request = Request::post(site.url("/"), HeaderValue::from_static("application/json"), "{}").following_redirects();
    assert_eq!(outbound.send(&request).await.unwrap().status, 302);
    let signed = Request::get(site.url("/")).with_header(HeaderName::from_static("webhook-signature"), HeaderValue::from_static("v1,x"));
    assert_eq!(outbound.send(&signed.following_redirects()).await.unwrap().status, 302);
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn the_way_from_https_to_http_is_closed() {
    let from = |url: &str| Target::parse(url).unwrap();
    assert_eq!(from("https://example.com/").join("http://example.com/").unwrap_err(), Refusal::Downgrade);
    assert!(from("https://example.com/").join("//example.org/").is_ok_and(|next| next.scheme() == Scheme::Https));
    assert!(from("http://example.com/").join("https://example.com/").is_ok());
}

#[tokio::test]
async fn a_redirect_that_says_nowhere_is_named() {
    let site = Site::start(raw(b"HTTP/1.1 301 Gone\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n".to_vec())).await;
    let (outbound, _) = outbound(NoNames, &[site.listed()]);
    assert_eq!(failure(&outbound, &site.url("/")).await, Reason::Refused(Refusal::Location));
    let site = Site::start(answers("302 Found", "")).await;
    let (outbound, _) = super::outbound(NoNames, &[site.listed()]);
    let answer = outbound.send(&Request::get(site.url("/")).following_redirects()).await.unwrap();
    assert_eq!(answer.status, 302, "without a place it is an answer");
}
