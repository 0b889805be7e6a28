//! Delivering: a message's job begins an attempt, loads what is still true and still the recipient's, sends it, and writes down how it ended.
//!
//! An ended delivery stays as it ended. The message has the same id in every attempt, so one that was sent twice is one message.

use super::people::People;
use super::topics::{self, Item};
use super::{
    ADMINISTERS, Audience, ChannelId, DROPPED, Form, Kind, READS, Recipient, TOLD, Topic, WAITING, preferences, routes, topic, unsubscribe,
};
use crate::error::{Error, Result};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::{IdentityId, OrgId};
use keyvawlt_schema::{delivery, notice};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Of an error's text, this much is kept.
const MAX_ERROR_CHARS: usize = 500;
/// Keys of one statement.
const KEYS_PER_STATEMENT: usize = 500;

/// Names one message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeliveryId(pub [u8; 16]);

impl DeliveryId {
    /// From 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Error::invalid("delivery_id", "must be 16 bytes"))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeliveryId({self})")
    }
}

impl From<DeliveryId> for String {
    fn from(id: DeliveryId) -> Self {
        id.to_string()
    }
}

impl FromStr for DeliveryId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_slice(&hex::decode(text).map_err(|_| Error::invalid("delivery_id", "must be hexadecimal"))?)
    }
}

impl TryFrom<String> for DeliveryId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum State {
    /// Waiting for its time.
    Queued = 0,
    /// It failed, and is tried again.
    Retried = 1,
    /// The destination took it.
    Sent = 2,
    /// It failed for too long.
    GivenUp = 3,
    /// The destination does not want it.
    Refused = 4,
    /// Nothing was left to say, or nobody to say it to.
    Cancelled = 5,
}

impl State {
    /// As columns keep it.
    pub(super) fn from_column(state: i16) -> Result<Self> {
        let all = [Self::Queued, Self::Retried, Self::Sent, Self::GivenUp, Self::Refused, Self::Cancelled];
        all.into_iter().find(|known| *known as i16 == state).ok_or_else(|| Error::internal("a delivery in an unknown state"))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Retried => "retried",
            Self::Sent => "sent",
            Self::GivenUp => "given-up",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Where a message goes.
#[derive(Clone, PartialEq, Eq)]
pub enum Destination {
    /// A person's proved address.
    Person {
        /// The address.
        email: String,
    },
    /// A team's proved address.
    Address {
        /// The address.
        email: String,
        /// Which channel of the organization it is.
        channel: ChannelId,
    },
    /// A webhook of the organization.
    Webhook {
        /// Where to.
        url: String,
        /// What signs.
        secret: Vec<u8>,
    },
    /// A Slack-compatible incoming webhook.
    Slack {
        /// Where to.
        url: String,
    },
}

/// What one message says.
pub struct Delivery {
    /// Whose.
    pub org: OrgId,
    /// Which.
    pub id: DeliveryId,
    recipient: Recipient,
    /// Where to, `None` when nobody is there any more. It stands in no log.
    pub destination: Option<Destination>,
    /// What still is to be told, by kind and then by the moment it is about.
    pub told: Vec<Told>,
    /// Whether it is a digest.
    pub digest: bool,
    /// When its time had come, epoch milliseconds: retries are counted from here.
    pub run_at_ms: u64,
    /// What is told no longer, and why.
    dropped: Vec<(String, &'static str)>,
}

impl Delivery {
    /// The message's id, the same in every attempt.
    pub fn message_id(&self) -> String {
        format!("notice.{}", self.id)
    }

    /// Whether it is somebody's monthly digest, which says nothing else.
    pub fn is_monthly(&self) -> bool {
        !self.told.is_empty() && self.told.iter().all(|told| told.kind == Kind::MonthlyDigest)
    }

    pub(super) fn recipient(&self) -> &Recipient {
        &self.recipient
    }
}

/// One notice of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Names the happening.
    pub key: String,
    /// Of what kind.
    pub kind: Kind,
    /// When it was raised, epoch milliseconds.
    pub raised_at_ms: u64,
    /// What it says.
    pub item: Item,
}

/// What an attempt found.
pub enum Attempt {
    /// Something to send.
    Send(Box<Delivery>),
    /// It had ended already.
    Ended,
    /// Nothing is left to say: the delivery is cancelled.
    Nothing(Box<Delivery>),
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The destination took it.
    Sent,
    /// It took it, though not in the words or the form it should have had: why stands in the record.
    SentPlainly(String),
    /// It failed, and is tried again.
    Retry(String),
    /// It failed for good.
    GiveUp(String),
    /// The destination does not want it.
    Refused(String),
    /// The destination says that it is none any more.
    Closed(String),
    /// Nothing was left to say.
    Cancelled,
}

/// Whether it is posted: to a receiver that somebody else runs. Mails are not, whoever gets them: their server is the operator's.
pub async fn is_posted(tx: &Tx, org: &OrgId, id: &DeliveryId) -> Result<bool> {
    let tx = tx.without_permit("the worker sends what was raised; the delivery's id comes out of its job");
    let to_channel = delivery::Entity::find_by_id((org.0.to_vec(), id.0.to_vec())).filter(delivery::Column::ToChannel.eq(true));
    let channel = to_channel.select_only().column(delivery::Column::RecipientId).into_tuple::<Vec<u8>>().one(tx.db()).await?;
    let Some(channel) = channel else { return Ok(false) };
    let row = routes::find(tx, org, &ChannelId::from_slice(&channel)?).await?;
    Ok(row.map(|row| routes::form(&row)).transpose()?.is_some_and(|form| form != Form::Email))
}

/// Begins an attempt: nothing joins the delivery from now on. Says whether there is something to do.
pub async fn begin(tx: &Tx, org: &OrgId, id: &DeliveryId) -> Result<bool> {
    let tx = tx.without_permit("the worker sends what was raised; the delivery's id comes out of its job");
    let begun = delivery::Entity::update_many()
        .col_expr(delivery::Column::Gathers, Expr::value(None::<String>))
        .col_expr(delivery::Column::Attempts, Expr::col(delivery::Column::Attempts).add(1))
        .filter(at(org, id).add(delivery::Column::EndedAt.is_null()));
    Ok(begun.exec(tx.db()).await?.rows_affected > 0)
}

/// What the delivery says now.
pub async fn load(tx: &Tx, org: &OrgId, id: &DeliveryId) -> Result<Attempt> {
    let tx = tx.without_permit("the worker says what owners tell in clear, to somebody the chain lets know it");
    let row = delivery::Entity::find_by_id((org.0.to_vec(), id.0.to_vec())).one(tx.db()).await?;
    let Some(row) = row.filter(|row| row.ended_at.is_none()) else { return Ok(Attempt::Ended) };
    let mut people = People::of(*org);
    let recipient = recipient(&row)?;
    let destination = destination(tx, org, &mut people, &recipient).await?;
    let mut delivery = Delivery {
        org: *org,
        id: *id,
        recipient,
        destination,
        told: Vec::new(),
        digest: row.digest,
        run_at_ms: number(row.run_at),
        dropped: Vec::new(),
    };
    for notice in riding(tx, org, id).await? {
        let topic = topic::read(&notice.topic)?;
        if let Some(why) = kept_from(tx, &mut people, &delivery, notice.audience, &topic).await? {
            delivery.dropped.push((notice.key, why));
            continue;
        }
        match topics::reload(tx, &mut people, &delivery.recipient, &topic).await? {
            Some(item) => {
                let raised_at_ms = number(notice.created_at);
                delivery.told.push(Told { key: notice.key, kind: topic.kind(), raised_at_ms, item });
            }
            None => delivery.dropped.push((notice.key, "it is true no longer")),
        }
    }
    delivery.told.sort_by(|a, b| (a.kind, a.item.at_ms(), &a.key).cmp(&(b.kind, b.item.at_ms(), &b.key)));
    let delivery = Box::new(delivery);
    Ok(if delivery.told.is_empty() { Attempt::Nothing(delivery) } else { Attempt::Send(delivery) })
}

/// Writes down how an attempt ended.
pub async fn end(tx: &Tx, delivery: &Delivery, ending: &Ending) -> Result<()> {
    let tx = tx.without_permit("the worker records what became of its own message");
    let Delivery { org, id, .. } = delivery;
    let (state, why) = match ending {
        Ending::Sent => (State::Sent, None),
        Ending::SentPlainly(why) => (State::Sent, Some(why.as_str())),
        Ending::Retry(why) => (State::Retried, Some(why.as_str())),
        Ending::GiveUp(why) => (State::GivenUp, Some(why.as_str())),
        Ending::Refused(why) | Ending::Closed(why) => (State::Refused, Some(why.as_str())),
        Ending::Cancelled => (State::Cancelled, delivery.dropped.first().map(|(_, why)| *why)),
    };
    let ended = !matches!(ending, Ending::Retry(_));
    let why = why.map(|text| text.chars().take(MAX_ERROR_CHARS).collect::<String>());
    delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(state as i16))
        .col_expr(delivery::Column::LastError, Expr::value(why))
        .col_expr(delivery::Column::EndedAt, Expr::value(ended.then_some(column(tx.now_ms()))))
        .filter(at(org, id).add(delivery::Column::EndedAt.is_null()))
        .exec(tx.db())
        .await?;
    for (reason, keys) in by_reason(&delivery.dropped) {
        mark(tx, delivery, &keys, DROPPED, Some(reason)).await?;
    }
    if matches!(ending, Ending::Sent | Ending::SentPlainly(_)) {
        let keys: Vec<&String> = delivery.told.iter().map(|told| &told.key).collect();
        mark(tx, delivery, &keys, TOLD, None).await?;
    }
    match (&delivery.recipient, ending) {
        (Recipient::Channel(channel), Ending::Sent | Ending::SentPlainly(_)) => routes::worked(tx, org, channel).await,
        // That a mail did not go out is the operator's server's doing. A reader who is refused is another matter.
        (Recipient::Channel(_), Ending::Retry(_) | Ending::GiveUp(_))
            if matches!(delivery.destination, Some(Destination::Address { .. })) =>
        {
            Ok(())
        }
        (Recipient::Channel(channel), Ending::Retry(_) | Ending::GiveUp(_) | Ending::Refused(_)) => {
            routes::failed(tx, org, channel, false).await
        }
        (Recipient::Channel(channel), Ending::Closed(_)) => routes::failed(tx, org, channel, true).await,
        (Recipient::Channel(_), Ending::Cancelled) | (Recipient::Person(_), _) => Ok(()),
    }
}

fn by_reason<'a>(dropped: &'a [(String, &'static str)]) -> std::collections::BTreeMap<&'static str, Vec<&'a String>> {
    let mut reasons = std::collections::BTreeMap::<_, Vec<_>>::new();
    for (key, reason) in dropped {
        reasons.entry(*reason).or_default().push(key);
    }
    reasons
}

async fn mark(tx: &Tx, delivery: &Delivery, keys: &[&String], state: i16, reason: Option<&str>) -> Result<()> {
    for chunk in keys.chunks(KEYS_PER_STATEMENT) {
        notice::Entity::update_many()
            .col_expr(notice::Column::State, Expr::value(state))
            .col_expr(notice::Column::Reason, Expr::value(reason.map(ToOwned::to_owned)))
            .filter(notice::Column::OrgId.eq(delivery.org.0.to_vec()).and(notice::Column::DeliveryId.eq(delivery.id.0.to_vec())))
            .filter(notice::Column::Key.is_in(chunk.iter().map(|key| (*key).clone())))
            .exec(tx.db())
            .await?;
    }
    Ok(())
}

async fn riding(tx: &Tx, org: &OrgId, id: &DeliveryId) -> Result<Vec<notice::Model>> {
    let theirs = notice::Column::OrgId.eq(org.0.to_vec()).and(notice::Column::DeliveryId.eq(id.0.to_vec()));
    let waiting = notice::Entity::find().filter(theirs.and(notice::Column::State.eq(WAITING)));
    Ok(waiting.order_by_asc(notice::Column::Key).all(tx.db()).await?)
}

fn recipient(row: &delivery::Model) -> Result<Recipient> {
    Ok(if row.to_channel {
        Recipient::Channel(ChannelId::from_slice(&row.recipient_id)?)
    } else {
        Recipient::Person(IdentityId::from_slice(&row.recipient_id)?)
    })
}

async fn destination(tx: &Tx, org: &OrgId, people: &mut People, recipient: &Recipient) -> Result<Option<Destination>> {
    match recipient {
        Recipient::Person(id) => Ok(people.address(tx, id).await?.map(|email| Destination::Person { email })),
        Recipient::Channel(id) => {
            let Some(row) = routes::find(tx, org, id).await? else { return Ok(None) };
            if !routes::is_proved(&row) {
                return Ok(None);
            }
            Ok(Some(match routes::form(&row)? {
                Form::Email => Destination::Address { email: row.target, channel: *id },
                Form::Webhook => Destination::Webhook { url: row.target, secret: row.secret.unwrap_or_default() },
                Form::Slack => Destination::Slack { url: row.target },
            }))
        }
    }
}

/// Why a notice is not the recipient's to hear any more, if it is not.
async fn kept_from(tx: &Tx, people: &mut People, delivery: &Delivery, audience: i16, topic: &Topic) -> Result<Option<&'static str>> {
    if delivery.destination.is_none() {
        return Ok(Some("there is no such recipient any more"));
    }
    let Recipient::Person(person) = &delivery.recipient else {
        // A trial is told there even while nothing else is.
        let paused = !matches!(topic, Topic::Test { .. }) && is_paused(tx, delivery).await?;
        return Ok(paused.then_some("the channel was paused"));
    };
    let ns = topic.ns();
    let audience = match (audience, ns) {
        (READS, Some(ns)) => Audience::Readers(ns),
        (ADMINISTERS, _) => Audience::Admins,
        _ => Audience::People(vec![*person]),
    };
    if !people.reached(tx, &audience, ns.as_ref()).await?.contains(person) {
        return Ok(Some("the recipient may not know it any more"));
    }
    if delivery.digest && unsubscribe::ended(tx, &delivery.org, &[*person]).await?.contains(person) {
        return Ok(Some("the recipient ended the digests"));
    }
    let wishes = preferences::find(tx, &delivery.org, &[*person]).await?.remove(person).unwrap_or_default();
    let lineage = match ns {
        Some(ns) => people.lineage(tx, &ns).await?,
        None => Vec::new(),
    };
    Ok((!wishes.want(topic.kind(), &lineage)).then_some("the recipient does not want it any more"))
}

async fn is_paused(tx: &Tx, delivery: &Delivery) -> Result<bool> {
    let Recipient::Channel(id) = &delivery.recipient else { return Ok(false) };
    Ok(routes::find(tx, &delivery.org, id).await?.is_some_and(|row| row.paused_at.is_some()))
}

pub(super) fn at(org: &OrgId, id: &DeliveryId) -> Condition {
    Condition::all().add(delivery::Column::OrgId.eq(org.0.to_vec())).add(delivery::Column::Id.eq(id.0.to_vec()))
}
