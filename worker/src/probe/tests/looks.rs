//! What counts as up.

use super::*;
use crate::outbound::Phase;
use site::{answers, raw, silence};

async fn verdict(script: Script, rules: &Rules) -> Verdict {
    look(script, rules).await.verdict
}

fn failed(fault: impl Into<Fault>) -> Verdict {
    Verdict::Failed(fault.into())
}

#[tokio::test]
async fn a_status_is_up_where_it_is_expected() {
    let with = |statuses: &[Statuses]| Rules { statuses: statuses.to_vec(), ..rules() };
    assert_eq!(verdict(answers("200 OK", ""), &rules()).await, Verdict::Passed);
    assert_eq!(verdict(answers("503 Service Unavailable", ""), &rules()).await, failed(Fault::Status(503)));
    assert_eq!(verdict(answers("401 Unauthorized", ""), &rules()).await, failed(Fault::Status(401)));
    assert_eq!(verdict(answers("401 Unauthorized", ""), &with(&[Statuses(401, 401)])).await, Verdict::Passed);
    assert_eq!(verdict(answers("429 Too Many Requests", ""), &rules()).await, Verdict::Throttled);
    assert_eq!(verdict(answers("429 Too Many Requests", ""), &with(&[Statuses(400, 499)])).await, Verdict::Passed);
}

#[tokio::test]
async fn a_redirect_is_followed_unless_it_is_what_is_expected() {
    let end = Site::start(answers("200 OK", "")).await;
    let to = format!("HTTP/1.1 301 Moved\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", end.url("/"));
    let first = Site::start(raw(to)).await;
    let outbound = outbound(&[first.listed(), end.listed()], RootCertStore::empty());
    let followed = probe(&outbound, &first.url("/"), &rules()).await;
    assert_eq!((followed.verdict, followed.trace.redirects), (Verdict::Passed, 1));
    let shown = Rules { statuses: vec![Statuses(301, 301)], ..rules() };
    let shown = probe(&outbound, &first.url("/"), &shown).await;
    assert_eq!((shown.verdict, shown.trace.redirects), (Verdict::Passed, 0));
}

#[tokio::test]
async fn headers_and_body_are_held_against_their_rules() {
    let answer = || raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX: a\r\nX: b\r\n\r\n{\"status\":\"ok\"}");
    let header = |name: &str, contains: &str| Rules {
        headers: vec![HeaderRule { name: name.to_owned(), contains: contains.to_owned() }],
        ..rules()
    };
    assert_eq!(verdict(answer(), &header("content-type", "json")).await, Verdict::Passed);
    assert_eq!(verdict(answer(), &header("content-type", "")).await, Verdict::Passed);
    assert_eq!(verdict(answer(), &header("x", "b")).await, Verdict::Passed, "any of several");
    assert_eq!(verdict(answer(), &header("content-type", "html")).await, failed(Fault::HeaderOtherwise("content-type".to_owned())));
    assert_eq!(verdict(answer(), &header("etag", "")).await, failed(Fault::HeaderMissing("etag".to_owned())));
    let body = |text: &str, absent| Rules { body: Some(BodyRule { text: text.to_owned(), absent }), ..rules() };
    assert_eq!(verdict(answer(), &body("\"ok\"", false)).await, Verdict::Passed);
    assert_eq!(verdict(answer(), &body("error", true)).await, Verdict::Passed);
    assert_eq!(verdict(answer(), &body("degraded", false)).await, failed(Fault::TextMissing));
    assert_eq!(verdict(answer(), &body("status", true)).await, failed(Fault::TextPresent));
    let far = format!("{}here", "x".repeat(crate::outbound::MAX_BODY));
    assert_eq!(verdict(answers("200 OK", &far), &body("here", false)).await, failed(Fault::TextMissing), "only the beginning is read");
}

#[tokio::test]
async fn what_does_not_answer_is_down_and_says_why() {
    let impatient = Rules { timeout_ms: 200, ..rules() };
    assert_eq!(verdict(silence(), &impatient).await, failed(Reason::TimedOut(Phase::Head)));
    assert_eq!(verdict(raw(""), &rules()).await, failed(Reason::Closed(Phase::Head)));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let outbound = outbound(std::slice::from_ref(&free), RootCertStore::empty());
    let nobody = probe(&outbound, &format!("http://{free}/"), &rules()).await;
    assert_eq!(nobody.verdict, failed(Reason::ConnectionRefused));
    let refused = probe(&outbound, "http://127.0.0.1:1234/", &rules()).await;
    let Verdict::Failed(fault) = refused.verdict else { panic!("it was looked at") };
    assert_eq!(fault.to_string(), "refused by this server's rules: the target leads to the server's own machine");
}

#[tokio::test]
async fn a_head_has_no_body_and_phases_have_their_times() {
    let site = Site::start(answers("200 OK", "")).await;
    let head = Rules { method: Method::Head, ..rules() };
    let look = probe(&outbound(&[site.listed()], RootCertStore::empty()), &site.url("/"), &head).await;
    assert_eq!((look.verdict, look.status, look.version), (Verdict::Passed, Some(StatusCode::OK), Some(Version::HTTP_11)));
    let trace = look.trace;
    assert!(site.requests()[0].starts_with("HEAD / HTTP/1.1\r\n"));
    assert!(trace.total >= trace.connect.unwrap() + trace.first_byte.unwrap() && trace.tls.is_none());
}
