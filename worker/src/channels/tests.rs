//! Webhooks and Slack over the worker's way out, to receivers on this machine.

use super::{Reception, slack, webhook};
use crate::message::Message;
use crate::outbound::Outbound;
use crate::outbound::tests::site::{Script, Site, Wire, raw};
use crate::outbound::tests::{NoNames, outbound};
use crate::words::samples::{self, NOW};
use serde_json::Value;
use standardwebhooks::Webhook;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const KEY: &[u8] = b"twenty-four bytes or more";

fn message() -> Message {
    samples::messages().remove(0).1
}

fn way_to(site: &Site) -> Outbound {
    outbound(NoNames, &[site.listed()]).0
}

/// Heads and bodies.
type Got = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A receiver that keeps what it gets, head and body, and answers alike.
fn receiver(answer: &'static str, got: &Got) -> Script {
    let got = Arc::clone(got);
    Arc::new(move |head: String, mut wire: Box<dyn Wire>| {
        let got = Arc::clone(&got);
        Box::pin(async move {
            let mut body = vec![0; header(&head, "content-length").expect("a length").parse().expect("a number")];
            wire.read_exact(&mut body).await.expect("the body");
            got.lock().expect("no test panics here").push((head, body));
            let _ = wire.write_all(answer.as_bytes()).await;
            let _ = wire.shutdown().await;
        })
    })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.split_once(": ").filter(|(found, _)| found.eq_ignore_ascii_case(name))).map(|(_, value)| value)
}

#[tokio::test]
async fn a_receiver_with_the_specifications_library_takes_a_webhook() {
    let got = Arc::default();
    let site = Site::start(receiver("HTTP/1.1 204 No Content\r\n\r\n", &got)).await;
    // The library looks at the clock itself.
    let now_ms = u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp()).unwrap() * 1000;
    let url = site.url("/hooks/keyvawlt?team=a");
    assert_eq!(webhook::send(&way_to(&site), &url, KEY, "notice.1", &message(), now_ms).await, Reception::Taken);
    let (head, body) = got.lock().unwrap().remove(0);
    assert!(head.starts_with("POST /hooks/keyvawlt?team=a HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(&head, "content-type"), Some("application/json"));
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = names.map(|name| (http::HeaderName::from_static(name), header(&head, name).unwrap().parse().unwrap()));
    Webhook::from_bytes(KEY.to_vec()).unwrap().verify(&body, &headers.into_iter().collect()).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((body["type"].as_str(), body["data"]["label"].as_str()), (Some("expiry"), Some("Stripe live")));
}

#[tokio::test]
async fn slack_gets_blocks_and_a_text_and_says_ok() {
    let got = Arc::default();
    let site = Site::start(receiver("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &got)).await;
    assert_eq!(slack::send(&way_to(&site), &site.url("/services/T0/B0/x"), &message(), NOW).await, Reception::Taken);
    let body: Value = serde_json::from_slice(&got.lock().unwrap()[0].1).unwrap();
    assert_eq!(body["text"], "Stripe live expires in 7 days");
    assert!(body["blocks"].as_array().unwrap().len() > 1);
}

#[tokio::test]
async fn what_receivers_answer_is_understood() {
    let answers = [
        ("410 Gone", "", "", Reception::Closed { why: "it answered 410".to_owned() }),
        ("503 Busy", "Retry-After: 90\r\n", "", later("it answered 503", Some(90))),
        ("429 Slowly", "Retry-After: Mon, 23 Nov 2026 09:00:30 GMT\r\n", "", later("it answered 429", Some(30))),
        ("500 Oops", "Retry-After: 90\r\n", "", later("it answered 500", None)),
        ("302 Found", "Location: http://169.254.169.254/\r\n", "", later("it answered 302, and redirects are not followed", None)),
        ("422 No", "", "unknown type", Reception::Refused { why: "it answered 422: unknown type".to_owned() }),
    ];
    for (status, headers, body, expected) in answers {
        let answer = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        let site = Site::start(raw(answer)).await;
        let got = webhook::send(&way_to(&site), &site.url("/"), KEY, "notice.1", &message(), NOW).await;
        assert_eq!(got, expected, "{status}");
        assert_eq!(site.requests().len(), 1, "{status}: asked once");
    }
    let site = Site::start(raw("HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\nno_service")).await;
    let got = slack::send(&way_to(&site), &site.url("/"), &message(), NOW).await;
    assert_eq!(got, Reception::Closed { why: "it answered 404: no_service".to_owned() });
}

#[tokio::test]
async fn where_the_server_does_not_go_no_message_goes() {
    let site = Site::start(raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")).await;
    let (out, recorder) = outbound(NoNames, &[]);
    for url in [site.url("/"), "http://169.254.169.254/latest".to_owned(), "http://[::ffff:10.0.0.1]/".to_owned()] {
        let got = webhook::send(&out, &url, KEY, "notice.1", &message(), NOW).await;
        assert!(matches!(&got, Reception::Refused { why } if why.contains("refused")), "{url}: {got:?}");
        assert!(matches!(slack::send(&out, &url, &message(), NOW).await, Reception::Refused { .. }), "{url}");
    }
    assert!(recorder.dialled().is_empty() && site.requests().is_empty());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (out, _) = outbound(NoNames, &[nobody.to_string()]);
    let got = webhook::send(&out, &format!("http://{nobody}/"), KEY, "notice.1", &message(), NOW).await;
    assert!(matches!(got, Reception::Later { wait: None, .. }), "{got:?}");
}

fn later(why: &str, seconds: Option<u64>) -> Reception {
    Reception::Later { why: why.to_owned(), wait: seconds.map(std::time::Duration::from_secs) }
}
