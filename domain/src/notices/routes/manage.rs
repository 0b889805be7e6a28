//! Managing channels: for admins, under a permit, and on record.

use super::super::topic::{Kind, Kinds};
use super::super::wishes::{checked_namespaces, namespaces_to_column};
use super::super::{Audience, Notice, Recipient, Topic, gather, timing};
use super::{Channel, ChannelId, Form, all, at, find, from_row, is_proved, leads_to, proof};
use crate::audit;
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{Tx, column};
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_schema::channel::{ActiveModel, Column, Entity};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

/// Channels of one organization: every notice looks at all of them.
pub const MAX_CHANNELS: u64 = 50;
/// A name is a line.
const MAX_NAME: usize = 100;
/// A webhook's key: the size of the hash that signs.
const SECRET_BYTES: usize = 32;

/// What is done to an organization's channels.
#[derive(Clone, Debug)]
pub enum Change {
    /// One more.
    Add {
        /// What it speaks.
        form: Form,
        /// What people call it.
        name: String,
        /// Where messages go: a URL, or an e-mail address.
        target: String,
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
    /// Another code for an e-mail address.
    SendCode(ChannelId),
    /// An e-mail address is proved with the code that was mailed to it, and sent to from now on.
    Verify(ChannelId, String),
}

impl Change {
    /// Its name in audit events. Trials and codes change nothing.
    fn audited_as(&self) -> Option<&'static str> {
        match self {
            Self::Add { .. } => Some("channel.add"),
            Self::Remove(_) => Some("channel.remove"),
            Self::Pause(_) => Some("channel.pause"),
            Self::Resume(_) => Some("channel.resume"),
            Self::Rotate(_) => Some("channel.rotate"),
            Self::Verify(..) => Some("channel.verify"),
            Self::Test(_) | Self::SendCode(_) => None,
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
    /// A guess at a code was wrong. It is counted, so what was done is to be kept all the same.
    pub wrong_code: bool,
}

/// Changes a channel, and puts on record who did it.
pub async fn change_channels(permit: &Permit<'_, ChangeChannels>) -> Result<Changed> {
    let ChangeChannels { org, change } = permit.action();
    let tx = permit.tx();
    tx.lock_org(org).await?;
    let changed = changed(tx, org, change).await?;
    if let Some(action) = change.audited_as().filter(|_| !changed.wrong_code) {
        // Neither the URL, which may be a secret, nor the key, nor whose mailbox it is.
        let detail = match change {
            Change::Add { form: Form::Email, target, .. } => format!("email at {}", target.rsplit('@').next().unwrap_or_default()),
            Change::Add { form, target, .. } => format!("{} to {}", form.name(), leads_to(*form, target)?),
            _ => String::new(),
        };
        let (at_ms, actor, subject) = (tx.now_ms(), permit.caller().actor(), changed.id.to_string());
        audit::record(tx, audit::Event { org: *org, at_ms, actor, action, subject, detail }).await?;
    }
    Ok(changed)
}

async fn changed(tx: &Tx, org: &OrgId, change: &Change) -> Result<Changed> {
    let id = match change {
        Change::Add { form, name, target, kinds, namespaces } => return add(tx, org, *form, (name, target), *kinds, namespaces).await,
        Change::Remove(id)
        | Change::Pause(id)
        | Change::Resume(id)
        | Change::Rotate(id)
        | Change::Test(id)
        | Change::SendCode(id)
        | Change::Verify(id, _) => *id,
    };
    let row = find(tx, org, &id).await?.ok_or(Error::Forbidden)?;
    let mut done = Changed { id, secret: None, wrong_code: false };
    if matches!(change, Change::Test(_) | Change::Resume(_)) && !is_proved(&row) {
        return Err(Error::invalid("channel_id", "its address is not proved: give the code that was mailed there, or ask for another"));
    }
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
            done.secret = Some(fresh);
        }
        Change::Rotate(_) => return Err(Error::invalid("channel_id", "only webhooks have a key")),
        Change::Test(_) => test(tx, org, id).await?,
        Change::SendCode(_) => proof::ask_again(tx, org, &id, &row).await?,
        Change::Verify(_, code) => done.wrong_code = !proof::guess(tx, org, &id, &row, code).await?,
        Change::Add { .. } => {}
    }
    Ok(done)
}

/// The organization's channels, the oldest first.
pub async fn list_channels(permit: &Permit<'_, ListChannels>) -> Result<Vec<Channel>> {
    let rows = all(permit.tx(), &permit.action().org).await?;
    rows.into_iter().map(from_row).collect()
}

async fn add(tx: &Tx, org: &OrgId, form: Form, (name, target): (&str, &str), kinds: Kinds, namespaces: &[NsId]) -> Result<Changed> {
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "a line of 1 to 100 bytes"));
    }
    leads_to(form, target)?;
    checked_namespaces(namespaces)?;
    if kinds == Kinds::default() {
        return Err(Error::invalid("kinds", "name at least one kind of notice that goes there"));
    }
    check_place(tx, org, name).await?;
    let id = ChannelId(tx.random().ordered_id(tx.now_ms()));
    let secret = (form == Form::Webhook).then(|| tx.random().bytes::<SECRET_BYTES>().to_vec());
    let row = ActiveModel {
        org_id: Set(org.0.to_vec()),
        id: Set(id.0.to_vec()),
        form: Set(form as i16),
        name: Set(name.to_owned()),
        target: Set(target.to_owned()),
        secret: Set(secret.clone()),
        kinds: Set(kinds.column()),
        namespaces: Set(namespaces_to_column(namespaces)?),
        paused_at: Set(None),
        failing_since: Set(None),
        created_at: Set(column(tx.now_ms())),
        proved_at: Set(None),
        code_hash: Set(None),
        code_expires_at: Set(None),
        code_attempts: Set(0),
    };
    Entity::insert(row).exec_without_returning(tx.db()).await?;
    if form == Form::Email {
        proof::ask(tx, org, &id, target).await?;
    }
    Ok(Changed { id, secret, wrong_code: false })
}

/// Whether there is room for one more, of this name. Under the organization's lock, so that no two take it at once.
async fn check_place(tx: &Tx, org: &OrgId, name: &str) -> Result<()> {
    let theirs = Entity::find().filter(Column::OrgId.eq(org.0.to_vec()));
    if theirs.clone().count(tx.db()).await? >= MAX_CHANNELS {
        return Err(Error::TooLarge { what: "the number of channels", limit: MAX_CHANNELS });
    }
    if theirs.filter(Column::Name.eq(name)).count(tx.db()).await? > 0 {
        return Err(Error::invalid("name", "a channel of this name is here already"));
    }
    Ok(())
}

async fn test(tx: &Tx, org: &OrgId, channel: ChannelId) -> Result<()> {
    let topic = Topic::Test { channel };
    // Each trial is its own happening.
    let key = format!("test/{}", hex::encode(tx.random().bytes::<16>()));
    let notice = Notice { org: *org, topic, audience: Audience::Admins, key, urgent: true };
    let slot = timing::channel_slot(tx.now_ms(), tx.gather_ms(), true);
    gather::put(tx, org, &Recipient::Channel(channel), &slot, &[&notice]).await
}

/// What a channel gets when nothing is chosen.
pub fn all_kinds() -> Kinds {
    Kind::ALL.into_iter().filter(|kind| !matches!(kind, Kind::Test | Kind::MonthlyDigest)).collect()
}
