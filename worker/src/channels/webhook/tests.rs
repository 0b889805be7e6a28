use super::*;
use crate::words::samples::{self, NOW};
use standardwebhooks::Webhook;
use std::collections::BTreeMap;

/// The example of the specification: `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`.
const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn headers(post: &Post) -> http::HeaderMap {
    post.headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

#[test]
fn the_specifications_own_example_is_signed_as_it_says() {
    let key = STANDARD.decode(KEY).unwrap();
    let body = r#"{"test": 2432232314}"#;
    assert_eq!(signature(&key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn the_specifications_own_library_verifies_every_message() {
    let library = Webhook::new(&format!("whsec_{KEY}")).unwrap();
    // It looks at the clock itself.
    let now_ms = u64::try_from(time::OffsetDateTime::now_utc().unix_timestamp()).unwrap() * 1000;
    for (name, message) in samples::messages() {
        let post = Post::of(&message, &STANDARD.decode(KEY).unwrap(), "notice.1", now_ms);
        library.verify(post.body.as_bytes(), &headers(&post)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let changed = post.body.replacen("title", "tilte", 1);
        assert!(library.verify(changed.as_bytes(), &headers(&post)).is_err(), "{name}: another body");
        let late = Post::of(&message, &STANDARD.decode(KEY).unwrap(), "notice.1", now_ms - 600_000);
        assert!(library.verify(late.body.as_bytes(), &headers(&late)).is_err(), "{name}: repeated later");
        let others = Post::of(&message, b"another key, of somebody else", "notice.1", now_ms);
        assert!(library.verify(others.body.as_bytes(), &headers(&others)).is_err(), "{name}: another key");
    }
}

#[test]
fn a_message_has_one_id_in_every_attempt_and_a_time_of_each() {
    let message = Message::one(samples::pieces().remove(0).1.raised(NOW - 1000));
    let (first, second) = (Post::of(&message, b"key", "notice.7", NOW), Post::of(&message, b"key", "notice.7", NOW + 60_000));
    assert_eq!((&first.headers[0], &first.body), (&second.headers[0], &second.body));
    assert_eq!((first.headers[1].1.as_str(), second.headers[1].1.as_str()), ("1795424400", "1795424460"));
    assert_ne!(first.headers[2], second.headers[2]);
    assert!(first.body.contains(r#""timestamp":"2026-11-23T08:59:59Z""#));
}

/// `docs/webhooks.md` shows, under each kind's name, exactly what is sent: nothing else, and no kind is left out.
#[test]
fn the_documents_examples_are_what_is_sent() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/webhooks.md")).unwrap();
    let mut shown: BTreeMap<&str, Vec<&str>> = text.split("\n### ").skip(1).filter_map(|part| part.split_once('\n')).map(bodies).collect();
    let mut lacking = String::new();
    for (kind, messages) in samples::documented() {
        let sent: Vec<Value> = messages.iter().map(|message| payload(message, NOW)).collect();
        assert!(!sent.is_empty() && sent.iter().all(|body| body["type"] == kind), "the examples of {kind} are of that kind");
        let sent: Vec<String> = sent.iter().map(|body| serde_json::to_string_pretty(body).unwrap()).collect();
        if shown.remove(kind).is_none_or(|shown| shown != sent) {
            lacking.extend(["### ", kind, "\n\n```json\n", &sent.join("\n```\n\n```json\n"), "\n```\n\n"]);
        }
    }
    assert!(lacking.is_empty(), "docs/webhooks.md is to show:\n\n{lacking}");
    assert!(shown.values().all(Vec::is_empty), "examples of what is not sent: {shown:?}");
}

/// The examples below a heading.
fn bodies<'a>((heading, rest): (&'a str, &'a str)) -> (&'a str, Vec<&'a str>) {
    (heading, rest.split("```json\n").skip(1).filter_map(|rest| rest.split_once("\n```")).map(|(body, _)| body).collect())
}
