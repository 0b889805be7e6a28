//! Webhooks as the Standard Webhooks specification has them: a JSON body, and three headers by which a receiver knows the message, its time and its
//! sender. `docs/webhooks.md` is the receivers' page. Redirects are not followed: the body was meant for one place.

use super::{Reception, answer};
use crate::message::{Message, Piece};
use crate::outbound::{Outbound, Request};
use crate::words::dates::timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use sha2::Sha256;

/// What the body of several notices is called.
const GATHERED: &str = "gathered";
/// The specification's headers.
const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// Posts one message, signed with the channel's key. The same id is the same message.
pub(crate) async fn send(outbound: &Outbound, url: &str, key: &[u8], id: &str, message: &Message, now_ms: u64) -> Reception {
    let Post { headers, body } = Post::of(message, key, id, now_ms);
    let mut request = Request::post(url, HeaderValue::from_static("application/json"), body);
    for (name, value) in headers {
        let Ok(value) = HeaderValue::try_from(value) else { return Reception::refused(&"the message's id fits no header") };
        request = request.with_header(HeaderName::from_static(name), value);
    }
    answer::reception(outbound.send(&request).await, answer::judge, now_ms)
}

/// A message as it is posted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Post {
    headers: [(&'static str, String); 3],
    body: String,
}

impl Post {
    /// `id` is the same in every attempt; the time is the attempt's, so that receivers can refuse what somebody repeats later.
    fn of(message: &Message, key: &[u8], id: &str, now_ms: u64) -> Self {
        let (body, seconds) = (payload(message, now_ms).to_string(), now_ms / 1000);
        let signature = signature(key, id, seconds, &body);
        Self { headers: [(ID, id.to_owned()), (TIMESTAMP, seconds.to_string()), (SIGNATURE, signature)], body }
    }
}

/// The body: one notice under its own kind, or several as `gathered`.
fn payload(message: &Message, now_ms: u64) -> Value {
    match message.shown() {
        [one] if message.rest() == 0 => notice(one, now_ms),
        many => {
            let notices: Vec<Value> = many.iter().map(|piece| notice(piece, now_ms)).collect();
            let newest = many.iter().filter_map(Piece::raised_ms).max().unwrap_or(now_ms);
            json!({ "type": GATHERED, "timestamp": timestamp(newest), "data": { "notices": notices, "more": message.rest() } })
        }
    }
}

fn notice(piece: &Piece, now_ms: u64) -> Value {
    let mut data = piece.data().clone();
    data.insert("title".to_owned(), piece.title().into());
    json!({ "type": piece.kind(), "timestamp": timestamp(piece.raised_ms().unwrap_or(now_ms)), "data": data })
}

/// Of the id, the time in seconds and the body, by HMAC-SHA256.
fn signature(key: &[u8], id: &str, seconds: u64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests;
