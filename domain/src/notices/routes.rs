//! Routes: the channels an organization's notices go to besides its people. A channel that fails for days is paused, and its admins are told.

use super::topic::{Kind, Kinds};
use super::wishes::{checked_namespaces, namespaces_from_column, namespaces_to_column};
use super::{Audience, Notice, Recipient, Topic, gather, raise, timing};
use crate::audit;
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_schema::channel::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use std::fmt;
use url::Url;

/// Channels of one organization: every notice looks at all of them.
pub const MAX_CHANNELS: u64 = 50;
/// A name is a line.
const MAX_NAME: usize = 100;
/// As long as anything is sent to.
const MAX_URL: usize = 2_048;
/// A webhook's key: the size of the hash that signs.
const SECRET_BYTES: usize = 32;
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
    /// Signed by the Standard Webhooks specification.
    Webhook = 2,
    /// A Slack-compatible incoming webhook.
    Slack = 3,
}

impl Form {
    fn name(self) -> &'static str {
        match self {
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
    /// Where it leads: the host.
    pub host: String,
    /// What goes there.
    pub kinds: Kinds,
    /// Only what is about these namespaces or what lies in them; everything when there are none.
    pub namespaces: Vec<NsId>,
    /// Since when nothing is sent there, epoch milliseconds.
    pub paused_at_ms: Option<u64>,
    /// Since when every message failed, epoch milliseconds.
    pub failing_since_ms: Option<u64>,
}

/// What is done to an organization's channels.
#[derive(Clone, Debug)]
pub enum Change {
    /// One more.
    Add {
        /// What it speaks.
        form: Form,
        /// What people call it.
        name: String,
        /// Where messages are posted to.
        url: String,
        /// What goes there.
        kinds: Kinds,
        /// Of which namespaces; of all when there are none.
        namespaces: Vec<NsId>,
    },
    /// One less.
    Remove(ChannelId),
    /// Nothing is sent there for now.
    Pause(ChannelId),
    /// It is sent to again.
    Resume(ChannelId),
    /// Another key for a webhook.
    Rotate(ChannelId),
    /// A message that says that it is a trial.
    Test(ChannelId),
}

impl Change {
    /// Its name in audit events. A trial changes nothing, and stands in the record of deliveries.
    fn audited_as(&self) -> Option<&'static str> {
        match self {
            Self::Add { .. } => Some("channel.add"),
            Self::Remove(_) => Some("channel.remove"),
            Self::Pause(_) => Some("channel.pause"),
            Self::Resume(_) => Some("channel.resume"),
            Self::Rotate(_) => Some("channel.rotate"),
            Self::Test(_) => None,
        }
    }
}

/// A change of an organization's channels.
#[derive(Clone, Debug)]
pub struct ChangeChannels {
    /// Whose.
    pub org: OrgId,
    /// What.
    pub change: Change,
}

/// What channels there are.
#[derive(Clone, Copy, Debug)]
pub struct ListChannels {
    /// Whose.
    pub org: OrgId,
}

impl Action for ChangeChannels {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ManageNotices]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![]
    }
}

impl Action for ListChannels {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ManageNotices]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![]
    }
}

/// What an admin gets to see of a change, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// Which channel.
    pub id: ChannelId,
    /// The key of a new webhook, or its new key.
    pub secret: Option<Vec<u8>>,
}

/// Changes a channel, and puts on record who did it.
pub async fn change_channels(permit: &Permit<'_, ChangeChannels>) -> Result<Changed> {
    let ChangeChannels { org, change } = permit.action();
    let tx = permit.tx();
    tx.lock_org(org).await?;
    let changed = changed(tx, org, change).await?;
    if let Some(action) = change.audited_as() {
        // Neither the URL, which may be a secret, nor the key.
        let detail = match change {
            Change::Add { form, url, .. } => format!("{} to {}", form.name(), host(url)?),
            _ => String::new(),
        };
        let (at_ms, actor, subject) = (tx.now_ms(), permit.caller().actor(), changed.id.to_string());
        audit::record(tx, audit::Event { org: *org, at_ms, actor, action, subject, detail }).await?;
    }
    Ok(changed)
}

async fn changed(tx: &Tx, org: &OrgId, change: &Change) -> Result<Changed> {
    let id = match change {
        Change::Add { form, name, url, kinds, namespaces } => return add(tx, org, *form, (name, url), *kinds, namespaces).await,
        Change::Remove(id) | Change::Pause(id) | Change::Resume(id) | Change::Rotate(id) | Change::Test(id) => *id,
    };
    let row = find(tx, org, &id).await?.ok_or(Error::Forbidden)?;
    let mut secret = None;
    let set = |column, value| Entity::update_many().col_expr(column, value).filter(at(org, &id));
    match change {
        Change::Remove(_) => {
            Entity::delete_many().filter(at(org, &id)).exec(tx.db()).await?;
        }
        Change::Pause(_) => {
            set(Column::PausedAt, Expr::value(column(tx.now_ms()))).exec(tx.db()).await?;
        }
        Change::Resume(_) => {
            let again = set(Column::PausedAt, Expr::value(None::<i64>)).col_expr(Column::FailingSince, Expr::value(None::<i64>));
            again.exec(tx.db()).await?;
        }
        Change::Rotate(_) if row.form == Form::Webhook as i16 => {
            let fresh = tx.random().bytes::<SECRET_BYTES>().to_vec();
            set(Column::Secret, Expr::value(fresh.clone())).exec(tx.db()).await?;
            secret = Some(fresh);
        }
        Change::Rotate(_) => return Err(Error::invalid("channel_id", "only webhooks have a key")),
        Change::Test(_) => test(tx, org, id).await?,
        Change::Add { .. } => {}
    }
    Ok(Changed { id, secret })
}

/// The organization's channels, the oldest first.
pub async fn list_channels(permit: &Permit<'_, ListChannels>) -> Result<Vec<Channel>> {
    let rows = all(permit.tx(), &permit.action().org).await?;
    rows.into_iter().map(from_row).collect()
}

/// Lets the organization's channels have what is theirs of these notices, which are of one namespace and urgency.
pub(super) async fn route(tx: &Tx, channels: &[Model], lineage: &[NsId], urgent: bool, notices: &[&Notice]) -> Result<()> {
    let slot = timing::channel_slot(tx.now_ms(), tx.gather_ms(), urgent);
    for row in channels.iter().filter(|row| row.paused_at.is_none()) {
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

/// The channels that ask for a kind and are not paused.
pub(super) async fn that_carry(tx: &Tx, org: &OrgId, kind: Kind) -> Result<Vec<ChannelId>> {
    let carries = |row: &Model| row.paused_at.is_none() && Kinds::from_column(row.kinds).contains(kind);
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
    let since = row.failing_since.map_or(tx.now_ms(), number);
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

async fn add(tx: &Tx, org: &OrgId, form: Form, (name, url): (&str, &str), kinds: Kinds, namespaces: &[NsId]) -> Result<Changed> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "a line of 1 to 100 bytes"));
    }
    host(url)?;
    checked_namespaces(namespaces)?;
    if kinds == Kinds::default() {
        return Err(Error::invalid("kinds", "name at least one kind of notice that goes there"));
    }
    if Entity::find().filter(Column::OrgId.eq(org.0.to_vec())).count(tx.db()).await? >= MAX_CHANNELS {
        return Err(Error::TooLarge { what: "the number of channels", limit: MAX_CHANNELS });
    }
    let id = ChannelId(tx.random().ordered_id(tx.now_ms()));
    let secret = (form == Form::Webhook).then(|| tx.random().bytes::<SECRET_BYTES>().to_vec());
    let row = ActiveModel {
        org_id: Set(org.0.to_vec()),
        id: Set(id.0.to_vec()),
        form: Set(form as i16),
        name: Set(name.to_owned()),
        target: Set(url.to_owned()),
        secret: Set(secret.clone()),
        kinds: Set(kinds.column()),
        namespaces: Set(namespaces_to_column(namespaces)?),
        paused_at: Set(None),
        failing_since: Set(None),
        created_at: Set(column(tx.now_ms())),
    };
    Entity::insert(row).exec_without_returning(tx.db()).await?;
    Ok(Changed { id, secret })
}

/// Where a URL leads. What the host's name stands for is judged each time something is sent.
fn host(url: &str) -> Result<String> {
    let wrong = |why: &'static str| Err(Error::invalid("url", why));
    if url.len() > MAX_URL {
        return wrong("a URL of at most 2,048 bytes");
    }
    let Ok(parsed) = Url::parse(url) else { return wrong("this is not a URL: write https://name/path") };
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

async fn test(tx: &Tx, org: &OrgId, channel: ChannelId) -> Result<()> {
    let topic = Topic::Test { channel };
    // Each trial is its own happening.
    let key = format!("test/{}", hex::encode(tx.random().bytes::<16>()));
    let notice = Notice { org: *org, topic, audience: Audience::Admins, key, urgent: true };
    let slot = timing::channel_slot(tx.now_ms(), tx.gather_ms(), true);
    gather::put(tx, org, &Recipient::Channel(channel), &slot, &[&notice]).await
}

fn from_row(row: Model) -> Result<Channel> {
    Ok(Channel {
        id: ChannelId::from_slice(&row.id)?,
        form: form(&row)?,
        name: row.name,
        host: host(&row.target)?,
        kinds: Kinds::from_column(row.kinds),
        namespaces: namespaces_from_column(&row.namespaces)?,
        paused_at_ms: row.paused_at.map(number),
        failing_since_ms: row.failing_since.map(number),
    })
}

pub(super) fn form(row: &Model) -> Result<Form> {
    match row.form {
        2 => Ok(Form::Webhook),
        3 => Ok(Form::Slack),
        _ => Err(Error::internal("a channel of an unknown form")),
    }
}

/// What a channel gets when nothing is chosen.
pub fn all_kinds() -> Kinds {
    Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::Test | Kind::MonthlyDigest)).collect()
}

fn at(org: &OrgId, id: &ChannelId) -> Condition {
    Condition::all().add(Column::OrgId.eq(org.0.to_vec())).add(Column::Id.eq(id.0.to_vec()))
}
