//! Routes: the channels an organization's notices go to besides its people. A channel that fails for days is paused, and its admins are told; an
//! e-mail address gets nothing but a code before it is proved.

mod manage;
mod proof;

use super::topic::{Kind, Kinds};
use super::wishes::namespaces_from_column;
use super::{Audience, Notice, Recipient, Topic, gather, raise, timing};
use crate::error::{Error, Result};
use crate::store::{Tx, column, number};
use crate::{addresses, audit};
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_schema::channel::{Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder};
use std::fmt;
use url::Url;

pub use manage::{Change, ChangeChannels, Changed, ListChannels, MAX_CHANNELS, all_kinds, change_channels, list_channels};
pub(super) use proof::withdraw;
pub use proof::{MAX_PROOFS_PER_HOUR, draw_channel_code};

/// As long as anything is sent to.
const MAX_URL: usize = 2_048;
/// A channel whose every message failed for so long is paused: longer than messages are tried, shorter than anybody forgets.
pub const PAUSED_AFTER_MS: u64 = 5 * 24 * 60 * 60 * 1000;

/// Names one channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub [u8; 16]);

impl ChannelId {
    /// From 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self> {
        bytes.try_into().map(Self).map_err(|_| Error::invalid("channel_id", "must be 16 bytes"))
    }
}

impl std::str::FromStr for ChannelId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::from_slice(&hex::decode(text).map_err(|_| Error::invalid("channel_id", "must be hexadecimal"))?)
    }
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChannelId({self})")
    }
}

/// What a channel speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum Form {
    /// A team's e-mail address.
    Email = 1,
    /// Signed by the Standard Webhooks specification.
    Webhook = 2,
    /// A Slack-compatible incoming webhook.
    Slack = 3,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Slack => "slack",
        }
    }
}

/// A channel, as its admins see it. Its key is shown once and its URL never: it may be a secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Which.
    pub id: ChannelId,
    /// What it speaks.
    pub form: Form,
    /// What people call it.
    pub name: String,
    /// Where it leads: the e-mail address, or the URL's host.
    pub leads_to: String,
    /// Its address is not proved: nothing but codes is sent there.
    pub unproved: bool,
    /// What goes there.
    pub kinds: Kinds,
    /// Only what is about these namespaces or what lies in them; everything when there are none.
    pub namespaces: Vec<NsId>,
    /// Since when nothing is sent there, epoch milliseconds.
    pub paused_at_ms: Option<u64>,
    /// Since when every message failed, epoch milliseconds.
    pub failing_since_ms: Option<u64>,
}

/// Lets the organization's channels have what is theirs of these notices, which are of one namespace and urgency.
pub(super) async fn route(tx: &Tx, channels: &[Model], lineage: &[NsId], urgent: bool, notices: &[&Notice]) -> Result<()> {
    let slot = timing::channel_slot(tx.now_ms(), tx.gather_ms(), urgent);
    for row in channels.iter().filter(|row| is_open(row)) {
        let (kinds, namespaces) = (Kinds::from_column(row.kinds), namespaces_from_column(&row.namespaces)?);
        let here = namespaces.is_empty() || lineage.is_empty() || lineage.iter().any(|ns| namespaces.contains(ns));
        let id = ChannelId::from_slice(&row.id)?;
        let theirs = |notice: &&&Notice| here && kinds.contains(notice.topic.kind()) && notice.topic.may_be_routed_to(&id);
        let theirs: Vec<&Notice> = notices.iter().filter(theirs).copied().collect();
        if let Some(first) = theirs.first() {
            gather::put(tx, &first.org, &Recipient::Channel(id), &slot, &theirs).await?;
        }
    }
    Ok(())
}

pub(super) async fn all(tx: &Tx, org: &OrgId) -> Result<Vec<Model>> {
    Ok(Entity::find().filter(Column::OrgId.eq(org.0.to_vec())).order_by_asc(Column::Id).all(tx.db()).await?)
}

/// The open channels that ask for a kind.
pub(super) async fn that_carry(tx: &Tx, org: &OrgId, kind: Kind) -> Result<Vec<ChannelId>> {
    let carries = |row: &Model| is_open(row) && Kinds::from_column(row.kinds).contains(kind);
    all(tx, org).await?.iter().filter(|row| carries(row)).map(|row| ChannelId::from_slice(&row.id)).collect()
}

/// The namespaces a channel is for; all when there are none.
pub(super) fn namespaces(row: &Model) -> Result<Vec<NsId>> {
    namespaces_from_column(&row.namespaces)
}

pub(super) async fn find(tx: &Tx, org: &OrgId, id: &ChannelId) -> Result<Option<Model>> {
    Ok(Entity::find_by_id((org.0.to_vec(), id.0.to_vec())).one(tx.db()).await?)
}

/// A message was taken.
pub(super) async fn worked(tx: &Tx, org: &OrgId, id: &ChannelId) -> Result<()> {
    let well = Entity::update_many().col_expr(Column::FailingSince, Expr::value(None::<i64>)).filter(at(org, id));
    well.filter(Column::FailingSince.is_not_null()).exec(tx.db()).await?;
    Ok(())
}

/// A message failed: a channel where nothing else happens for days is paused, and admins hear of it. `closed`: it said that it is no channel any
/// more, so it is paused at once.
pub(super) async fn failed(tx: &Tx, org: &OrgId, id: &ChannelId, closed: bool) -> Result<()> {
    let Some(row) = find(tx, org, id).await? else { return Ok(()) };
    // Not since a moment ahead: then a clock was, and it is counted from now.
    let since = row.failing_since.map(number).filter(|since| *since <= tx.beyond_ms(0)).unwrap_or(tx.now_ms());
    let lasting = closed || tx.now_ms() >= since + PAUSED_AFTER_MS;
    let paused = row.paused_at.or(lasting.then(|| column(tx.now_ms())));
    Entity::update_many()
        .col_expr(Column::FailingSince, Expr::value(column(since)))
        .col_expr(Column::PausedAt, Expr::value(paused))
        .filter(at(org, id))
        .exec(tx.db())
        .await?;
    if !lasting || row.paused_at.is_some() {
        return Ok(());
    }
    let detail = if closed { "it said that it is gone" } else { "every message failed" }.to_owned();
    let (at_ms, actor, subject) = (tx.now_ms(), audit::SERVER.to_owned(), id.to_string());
    audit::record(tx, audit::Event { org: *org, at_ms, actor, action: "channel.pause", subject, detail }).await?;
    let topic = Topic::ChannelPaused { channel: *id };
    let key = format!("channel-paused/{id}/{since}");
    raise(tx, &Notice { org: *org, topic, audience: Audience::Admins, key, urgent: true }).await
}

fn from_row(row: Model) -> Result<Channel> {
    let form = form(&row)?;
    Ok(Channel {
        id: ChannelId::from_slice(&row.id)?,
        form,
        leads_to: leads_to(form, &row.target)?,
        unproved: !is_proved(&row),
        kinds: Kinds::from_column(row.kinds),
        namespaces: namespaces_from_column(&row.namespaces)?,
        paused_at_ms: row.paused_at.map(number),
        failing_since_ms: row.failing_since.map(number),
        name: row.name,
    })
}

pub(super) fn form(row: &Model) -> Result<Form> {
    match row.form {
        1 => Ok(Form::Email),
        2 => Ok(Form::Webhook),
        3 => Ok(Form::Slack),
        _ => Err(Error::internal("a channel of an unknown form")),
    }
}

/// Something is sent there.
fn is_open(row: &Model) -> bool {
    row.paused_at.is_none() && is_proved(row)
}

/// Only addresses are proved: a URL says itself that it is a receiver.
pub(super) fn is_proved(row: &Model) -> bool {
    row.form != Form::Email as i16 || row.proved_at.is_some()
}

/// What may be shown of a target. What a host's name stands for is judged each time something is sent.
fn leads_to(form: Form, target: &str) -> Result<String> {
    let wrong = |why: &'static str| Err(Error::invalid("target", why));
    if form == Form::Email {
        addresses::check("target", target)?;
        return Ok(target.to_owned());
    }
    if target.len() > MAX_URL {
        return wrong("a URL of at most 2,048 bytes");
    }
    let Ok(parsed) = Url::parse(target) else { return wrong("this is not a URL: write https://name/path") };
    if !matches!(parsed.scheme(), "http" | "https") {
        return wrong("only https and http are sent to");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return wrong("a URL must not carry a user or a password");
    }
    match parsed.host_str() {
        Some(host) if !host.is_empty() => Ok(host.to_owned()),
        _ => wrong("the URL names no host"),
    }
}

fn at(org: &OrgId, id: &ChannelId) -> Condition {
    Condition::all().add(Column::OrgId.eq(org.0.to_vec())).add(Column::Id.eq(id.0.to_vec()))
}
