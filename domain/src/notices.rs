//! Notices: who must hear that a secret expires, and never twice about the same version.
//!
//! A sweep finds namespaces, a scan finds people and writes one job and one `alert` row for each in one transaction, and the job reloads
//! everything before a mail is made: whoever lost access, or a secret that was replaced meanwhile, gets none.

mod people;

use crate::error::{Error, Result};
use crate::jobs::{self, Job};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::{IdentityId, NsId, OrgId, SecretId, facts};
use keyvawlt_schema::{account, account_key, alert, member, secret};
use sea_orm::sea_query::{ExprTrait as _, OnConflict, Query, SelectStatement};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::HashSet;

/// How long before its end people hear of a secret: a working week to replace a key.
pub const AHEAD_MS: u64 = 7 * DAY_MS;
/// What ended longer ago is not news.
pub const BEHIND_MS: u64 = 30 * DAY_MS;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The kind of notice in `alert` rows.
const EXPIRY: i16 = 1;
/// Flags of leaves that nobody is reminded of: deleted (bit 0) and draft (bit 1).
const SILENT_FLAGS: i64 = 0b11;
/// Namespaces taken up by one transaction of the sweep.
const SWEEP_PAGE: u64 = 500;

/// Mails written by one transaction of a scan: it holds the organization, so it is short.
const SCAN_PAGE: usize = 250;

/// One mail's content: ids, and what the owner chose to tell the server in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiryNotice {
    /// To whom.
    pub email: String,
    /// In which organization.
    pub org: OrgId,
    /// In which namespace.
    pub ns: NsId,
    /// Which secret.
    pub secret: SecretId,
    /// Which version.
    pub version: u64,
    /// When it ends, epoch milliseconds.
    pub expires_ms: u64,
    /// What mails may call it.
    pub label: Option<String>,
    /// Whose API it opens.
    pub provider: Option<String>,
}

/// Writes a scan for each namespace that has secrets about to end, starting after `after`; returns where to go on.
pub async fn sweep(tx: &Tx, after: Option<(OrgId, NsId)>) -> Result<Option<(OrgId, NsId)>> {
    let tx = tx.without_permit("the worker's sweep finds namespaces by what owners tell in clear, and writes jobs of ids only");
    let mut due = secret::Entity::find()
        .select_only()
        .column(secret::Column::OrgId)
        .column(secret::Column::NsId)
        .distinct()
        .filter(is_due(tx.now_ms()))
        .order_by_asc(secret::Column::OrgId)
        .order_by_asc(secret::Column::NsId)
        .limit(SWEEP_PAGE);
    if let Some((org, ns)) = after {
        let same_org = secret::Column::OrgId.eq(org.0.to_vec()).and(secret::Column::NsId.gt(ns.0.to_vec()));
        due = due.filter(Condition::any().add(secret::Column::OrgId.gt(org.0.to_vec())).add(same_org));
    }
    let rows: Vec<(Vec<u8>, Vec<u8>)> = due.into_tuple().all(tx.db()).await?;
    let full = rows.len() as u64 == SWEEP_PAGE;
    let mut last = None;
    for (org, ns) in rows {
        let (org, ns) = (OrgId::from_slice(&org)?, NsId::from_slice(&ns)?);
        let key = format!("expiry-scan/{org}/{ns}@{}", tx.now_ms());
        jobs::enqueue(tx, &Job::ExpiryScan { org, ns }, tx.now_ms(), Some(key)).await?;
        last = Some((org, ns));
    }
    Ok(last.filter(|_| full))
}

/// Writes a scan for one namespace, if one of the ends just written there should be heard of now. For the transaction that writes them.
pub async fn after_write(tx: &Tx, org: OrgId, ns: NsId, ends_ms: impl IntoIterator<Item = u64>) -> Result<()> {
    let now = tx.now_ms();
    if ends_ms.into_iter().any(|end| end <= now + AHEAD_MS && end + BEHIND_MS > now) {
        // Without a key: a scan of the same millisecond may have looked already.
        jobs::enqueue(tx, &Job::ExpiryScan { org, ns }, now, None).await?;
    }
    Ok(())
}

/// Writes one mail job for each person and secret version of a namespace that is due and was not heard of, starting after `after`; returns
/// where to go on.
pub async fn scan(tx: &Tx, org: OrgId, ns: NsId, after: Option<SecretId>) -> Result<Option<SecretId>> {
    let tx = tx.without_permit("the worker's scan writes jobs of ids, for those whom the chain lets read");
    // Two scans at once would find the same people.
    tx.lock_org(&org).await?;
    let recipients = verified(tx, &org, people::who_read(tx, &org, &ns).await?).await?;
    if recipients.is_empty() {
        return Ok(None);
    }
    let page = std::cmp::max(1, SCAN_PAGE / recipients.len());
    let due = due_secrets(tx, &org, &ns, after, page).await?;
    let heard = heard(tx, &org, &ns, &due).await?;
    let mut last = None;
    for (secret, version, flags) in &due {
        let id = SecretId::from_slice(secret)?;
        last = Some(id);
        for recipient in recipients.iter().filter(|_| flags & SILENT_FLAGS == 0) {
            if !heard.contains(&(secret.clone(), *version, recipient.0.to_vec())) {
                tell(tx, (org, ns), id, *version, *recipient).await?;
            }
        }
    }
    Ok(last.filter(|_| due.len() == page))
}

/// What the mail of an [`Job::ExpiryAlert`] says; `None` when the world has moved on.
pub async fn expiry_notice(
    tx: &Tx,
    (org, ns): (OrgId, NsId),
    secret: SecretId,
    version: u64,
    recipient: IdentityId,
) -> Result<Option<ExpiryNotice>> {
    let tx = tx.without_permit("the worker's mail says what its owner tells in clear, to somebody the chain lets read");
    let key = (org.0.to_vec(), ns.0.to_vec(), secret.0.to_vec());
    let row = secret::Entity::find_by_id(key).one(tx.db()).await?;
    let current = row.filter(|row| number(row.version) == version && row.flags & SILENT_FLAGS == 0);
    let Some((row, expires)) = current.and_then(|row| row.expires_at.map(|at| (row, number(at)))) else {
        return Ok(None);
    };
    let mut readers = people::who_read(tx, &org, &ns).await?;
    readers.retain(|reader| *reader == recipient);
    if expires > tx.now_ms() + AHEAD_MS || verified(tx, &org, readers).await?.is_empty() {
        return Ok(None);
    }
    // Somebody may have begun another account for the identity: the mail goes to the one whose keys stand in the organization.
    let keys = standing_keys(tx, &org, &[recipient.0.to_vec()]).await?;
    let account = account::Entity::find()
        .filter(account::Column::IdentityId.eq(recipient.0.to_vec()).and(account::Column::EmailVerifiedAt.is_not_null()))
        .filter(account::Column::Id.in_subquery(whose(keys)))
        .one(tx.db())
        .await?;
    let facts = facts::read(&row.facts)?;
    let (label, provider) = facts.map_or((None, None), |facts| (facts.label, facts.provider));
    Ok(account.map(|account| ExpiryNotice { email: account.email, org, ns, secret, version, expires_ms: expires, label, provider }))
}

async fn tell(tx: &Tx, (org, ns): (OrgId, NsId), secret: SecretId, version: i64, recipient: IdentityId) -> Result<()> {
    let row = alert::ActiveModel {
        org_id: Set(org.0.to_vec()),
        ns_id: Set(ns.0.to_vec()),
        secret_id: Set(secret.0.to_vec()),
        version: Set(version),
        kind: Set(EXPIRY),
        recipient_id: Set(recipient.0.to_vec()),
        sent_at: Set(column(tx.now_ms())),
    };
    let known = OnConflict::new().do_nothing().to_owned();
    let insert = alert::Entity::insert(row).on_conflict(known);
    if insert.exec_without_returning(tx.db()).await? == 0 {
        return Ok(());
    }
    let job = Job::ExpiryAlert { org, ns, secret, version: number(version), recipient };
    jobs::enqueue(tx, &job, tx.now_ms(), None).await?;
    Ok(())
}

/// Those of them whose address was proved and who entered the organization themselves, with the keys their account has: nobody can have
/// strangers mailed by adding them to an organization.
async fn verified(tx: &Tx, org: &OrgId, people: Vec<IdentityId>) -> Result<Vec<IdentityId>> {
    let ids: Vec<Vec<u8>> = people.into_iter().map(|id| id.0.to_vec()).collect();
    let keys = standing_keys(tx, org, &ids).await?;
    let rows: Vec<Vec<u8>> = account::Entity::find()
        .select_only()
        .column(account::Column::IdentityId)
        .filter(account::Column::IdentityId.is_in(ids).and(account::Column::EmailVerifiedAt.is_not_null()))
        .filter(account::Column::Id.in_subquery(whose(keys)))
        .order_by_asc(account::Column::IdentityId)
        .into_tuple()
        .all(tx.db())
        .await?;
    rows.iter().map(|id| IdentityId::from_slice(id).map_err(Error::from)).collect()
}

/// The keys by which an organization knows those who entered it themselves.
async fn standing_keys(tx: &Tx, org: &OrgId, ids: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let keys = member::Entity::find()
        .select_only()
        .column(member::Column::KeyId)
        .filter(member::Column::OrgId.eq(org.0.to_vec()).and(member::Column::IdentityId.is_in(ids.to_vec())))
        .filter(member::Column::Own.eq(true));
    Ok(keys.into_tuple().all(tx.db()).await?)
}

/// Identifier, version and flags.
type Due = (Vec<u8>, i64, i64);

async fn due_secrets(tx: &Tx, org: &OrgId, ns: &NsId, after: Option<SecretId>, page: usize) -> Result<Vec<Due>> {
    let rest = after.map(|after| secret::Column::SecretId.gt(after.0.to_vec()));
    let due = secret::Entity::find()
        .select_only()
        .column(secret::Column::SecretId)
        .column(secret::Column::Version)
        .column(secret::Column::Flags)
        .filter(in_namespace(org, ns).add(is_due(tx.now_ms())).add_option(rest))
        .order_by_asc(secret::Column::SecretId)
        .limit(page as u64);
    Ok(due.into_tuple().all(tx.db()).await?)
}

/// The accounts that have, or had, one of these keys.
fn whose(keys: Vec<Vec<u8>>) -> SelectStatement {
    let keys = account_key::Column::KeyId.is_in(keys);
    Query::select().column(account_key::Column::AccountId).from(account_key::Entity).and_where(keys).to_owned()
}

type Heard = HashSet<(Vec<u8>, i64, Vec<u8>)>;

async fn heard(tx: &Tx, org: &OrgId, ns: &NsId, due: &[Due]) -> Result<Heard> {
    let secrets = due.iter().map(|(secret, ..)| secret.clone());
    let rows = alert::Entity::find()
        .filter(alert::Column::OrgId.eq(org.0.to_vec()).and(alert::Column::NsId.eq(ns.0.to_vec())))
        .filter(alert::Column::Kind.eq(EXPIRY).and(alert::Column::SecretId.is_in(secrets)))
        .all(tx.db())
        .await?;
    Ok(rows.into_iter().map(|row| (row.secret_id, row.version, row.recipient_id)).collect())
}

fn in_namespace(org: &OrgId, ns: &NsId) -> Condition {
    Condition::all().add(secret::Column::OrgId.eq(org.0.to_vec())).add(secret::Column::NsId.eq(ns.0.to_vec()))
}

fn is_due(now_ms: u64) -> Condition {
    Condition::all()
        .add(secret::Column::ExpiresAt.lte(column(now_ms + AHEAD_MS)))
        .add(secret::Column::ExpiresAt.gt(column(now_ms.saturating_sub(BEHIND_MS))))
}

#[cfg(test)]
mod tests;
