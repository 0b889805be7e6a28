//! Sends one message with the notices that ride in it. Its id is the same in every attempt: a message sent twice is one message.

use super::{Outcome, offer};
use crate::channels::{Reception, slack, webhook};
use crate::context::Context;
use crate::message::Message;
use crate::posts::{PUT_OFF, Posting};
use crate::words;
use keyvawlt_domain::Result;
use keyvawlt_domain::jobs::OrgId;
use keyvawlt_domain::notices::{self, Attempt, Delivery, DeliveryId, Destination, Ending};
use std::time::Duration;
use tokio::time::Instant;

/// How long a message is tried again: a long weekend without a mail server.
const TRIED_FOR_MS: u64 = 72 * 60 * 60 * 1000;

pub(super) async fn run(context: &Context, org: &OrgId, id: &DeliveryId) -> Outcome {
    let posting = match posting(context, org, id).await {
        Ok(Place::Taken(posting)) => posting,
        Ok(Place::None) => return Outcome::PutOff(PUT_OFF),
        Err(error) => return error.into(),
    };
    match load(context, org, id).await {
        Ok(Attempt::Ended) => Outcome::Done,
        Ok(Attempt::Nothing(delivery)) => record(context, &delivery, Ending::Cancelled, None).await,
        Ok(Attempt::Send(delivery)) => {
            let link = match link(context, &delivery).await {
                Ok(link) => link,
                Err(error) => return error.into(),
            };
            let message = message(&delivery, link.as_deref(), context.store.clock().now_ms());
            let unworded = message.as_ref().map_or(0, Message::unworded);
            let reception = match message {
                Some(message) => send(context, &delivery, &message).await,
                None => None,
            };
            drop(posting);
            let (ending, wait) = ending(reception, unworded, delivery.run_at_ms, context.store.clock().now_ms());
            record(context, &delivery, ending, wait).await
        }
        Err(error) => error.into(),
    }
}

/// Where a message is sent from.
enum Place {
    /// Its own, where it is a post that may take one.
    Taken(Option<Posting>),
    /// All are taken.
    None,
}

/// Before the attempt begins: what waits for a place is still joined by others.
async fn posting(context: &Context, org: &OrgId, id: &DeliveryId) -> Result<Place> {
    let tx = context.store.read().await?;
    let is_posted = notices::is_posted(&tx, org, id).await?;
    tx.commit().await?;
    if !is_posted {
        return Ok(Place::Taken(None));
    }
    Ok(context.posts.begin(*org, Instant::now()).map_or(Place::None, |posting| Place::Taken(Some(posting))))
}

async fn load(context: &Context, org: &OrgId, id: &DeliveryId) -> Result<Attempt> {
    let tx = context.store.write().await?;
    let begun = notices::begin(&tx, org, id).await?;
    tx.commit().await?;
    if !begun {
        return Ok(Attempt::Ended);
    }
    // A transaction of its own, that keeps no writer waiting.
    let tx = context.store.read().await?;
    let attempt = notices::load(&tx, org, id).await?;
    tx.commit().await?;
    Ok(attempt)
}

/// Where the recipient of digests, or of mails to a team, ends them.
async fn link(context: &Context, delivery: &Delivery) -> Result<Option<String>> {
    let can_end = delivery.digest || matches!(delivery.destination, Some(Destination::Address { .. }));
    let Some(origin) = context.public_origin.as_deref().filter(|_| can_end) else { return Ok(None) };
    let tx = context.store.write().await?;
    let token = notices::unsubscribe_token(&tx, delivery).await?;
    tx.commit().await?;
    Ok(token.map(|token| format!("{origin}/unsubscribe/{token}")))
}

/// What it says, unless that is nothing.
fn message(delivery: &Delivery, link: Option<&str>, now_ms: u64) -> Option<Message> {
    let pieces = delivery.told.iter().map(|told| words::piece(told, now_ms)).collect();
    let message = Message::many(pieces, 0)?;
    // A month has a title of its own.
    let message = if delivery.digest && !delivery.is_monthly() { digest(message, delivery.told.len()) } else { message };
    let message = match &delivery.destination {
        Some(Destination::Address { channel, .. }) => message.because(&words::channel::why(&delivery.org, channel, link.is_some())),
        _ => message,
    };
    Some(match link {
        Some(link) => message.unsubscribe(link),
        None => message,
    })
}

async fn send(context: &Context, delivery: &Delivery, message: &Message) -> Option<Reception> {
    let (id, now_ms) = (delivery.message_id(), context.store.clock().now_ms());
    Some(match delivery.destination.as_ref()? {
        Destination::Person { email } | Destination::Address { email, .. } => context.mailer.send(email, &id, message, now_ms).await,
        Destination::Webhook { url, secret } => webhook::send(&context.outbound, url, secret, &id, message, now_ms).await,
        Destination::Slack { url } => slack::send(&context.outbound, url, message, now_ms).await,
    })
}

fn digest(message: Message, notices: usize) -> Message {
    message.titled(&if notices == 1 { "Your digest: 1 notice".to_owned() } else { format!("Your digest: {notices} notices") })
}

/// What is recorded, and how long the other side asked to wait. What went out plainer than it should is said: nobody looks for more in it.
fn ending(reception: Option<Reception>, unworded: usize, run_at_ms: u64, now_ms: u64) -> (Ending, Option<Duration>) {
    let words = match unworded {
        0 => None,
        1 => Some("the words of 1 notice failed, so a plain sentence went out".to_owned()),
        many => Some(format!("the words of {many} notices failed, so plain sentences went out")),
    };
    match reception {
        None => (Ending::Cancelled, None),
        Some(Reception::Taken) => (words.map_or(Ending::Sent, Ending::SentPlainly), None),
        Some(Reception::TakenPlainly { why }) => {
            let why = words.map_or_else(|| why.to_owned(), |words| format!("{words}; {why}"));
            (Ending::SentPlainly(why), None)
        }
        Some(Reception::Refused { why }) => (Ending::Refused(why), None),
        Some(Reception::Closed { why }) => (Ending::Closed(why), None),
        Some(Reception::Later { why, .. }) if now_ms >= run_at_ms + TRIED_FOR_MS => (Ending::GiveUp(why), None),
        Some(Reception::Later { why, wait }) => (Ending::Retry(why), wait),
    }
}

async fn end(context: &Context, delivery: &Delivery, ending: &Ending) -> Result<()> {
    let tx = context.store.write().await?;
    notices::end(&tx, delivery, ending).await?;
    tx.commit().await
}

async fn record(context: &Context, delivery: &Delivery, ending: Ending, wait: Option<Duration>) -> Outcome {
    // What was sent is sent again if this is not written down.
    if let Err(error) = offer(context, || end(context, delivery, &ending)).await {
        return error.into();
    }
    match ending {
        Ending::Sent | Ending::SentPlainly(_) | Ending::Cancelled => Outcome::Done,
        Ending::Retry(why) => wait.map_or(Outcome::Retry(why.clone()), |wait| Outcome::RetryAfter(why, wait)),
        Ending::GiveUp(why) | Ending::Refused(why) | Ending::Closed(why) => Outcome::GiveUp(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::mail::letter::Templates;
    use crate::channels::mail::{MailTransport, Mailer, Outbox};
    use crate::words::samples::{self, NOW};

    /// From a template that fails to what the record says: the mail goes out, and nothing is kept back in silence.
    #[tokio::test]
    async fn what_goes_out_without_its_template_or_its_words_is_recorded_as_such() {
        let failing: fn(&Message) -> askama::Result<String> = |_| Err(askama::Error::Fmt);
        let message = samples::messages().remove(0).1;
        let outbox = Outbox::default();
        let mailer = Mailer::new(MailTransport::Memory(outbox.clone()), "vault@example.com").unwrap();
        let whole = mailer.send("ada@example.com", "notice.1", &message, NOW).await;
        assert_eq!(ending(Some(whole.clone()), 0, NOW, NOW).0, Ending::Sent);
        let (ended, _) = ending(Some(whole), 2, NOW, NOW);
        assert_eq!(ended, Ending::SentPlainly("the words of 2 notices failed, so plain sentences went out".to_owned()));

        let templates = Templates { html: failing, ..Templates::default() };
        let broken = mailer.with_templates(templates);
        let plain = broken.send("ada@example.com", "notice.2", &message, NOW).await;
        let (ended, _) = ending(Some(plain.clone()), 0, NOW, NOW);
        assert_eq!(ended, Ending::SentPlainly("its HTML template failed, so it went out as text".to_owned()));
        let Ending::SentPlainly(why) = ending(Some(plain), 1, NOW, NOW).0 else { panic!("sent") };
        assert!(why.contains("1 notice") && why.contains("HTML"), "{why}");
        let mails = outbox.lock().unwrap();
        assert_eq!((mails.len(), &mails[0].text, mails[1].html.as_str()), (2, &mails[1].text, ""));
    }
}
