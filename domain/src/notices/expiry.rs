//! Secrets that end: spoken of at an organization's thresholds. Each secret's row says when it is spoken of next; a sweep finds the namespaces
//! where that has come, and a scan speaks and sets the next moment in one transaction. What is not due is not looked at.

use super::people::People;
use super::wishes::thresholds;
use super::{Audience, Notice, Topic, raise_with};
use crate::error::Result;
use crate::jobs::{self, Job};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_schema::{member, secret};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::BTreeSet;

/// How many days before its end a secret is spoken of, where an organization has not decided: time to plan, to do, and to hurry.
pub const DEFAULT_THRESHOLDS: [u16; 6] = [30, 14, 7, 3, 1, 0];
/// What ended longer ago is not news.
pub const BEHIND_MS: u64 = 30 * DAY_MS;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Flags of leaves that nobody is reminded of: deleted (bit 0) and draft (bit 1).
pub(super) const SILENT_FLAGS: i64 = 0b11;
/// Due secrets read by one transaction of the sweep: rows of three small columns.
const SWEEP_PAGE: u64 = 5_000;
/// Secrets spoken of by one transaction of a scan: it holds the organization, so it is short.
const SCAN_PAGE: usize = 250;
/// Notices written by one transaction of a scan, for the same reason.
const SCAN_NOTICES: usize = 2_000;

/// Where a sweep goes on: moment, organization and namespace of the last secret seen.
pub type Place = (u64, OrgId, NsId);

/// Writes a scan for each namespace that has secrets to speak of, a page of them after `after`; returns where to go on.
pub async fn sweep(tx: &Tx, after: Option<Place>) -> Result<Option<Place>> {
    use secret::Column::{NsId as Ns, OrgId as Org, RemindAt};
    let tx = tx.without_permit("the worker's sweep finds namespaces by what owners tell in clear, and writes jobs of ids only");
    let mut due = secret::Entity::find()
        .select_only()
        .columns([RemindAt, Org, Ns])
        .filter(RemindAt.lte(column(tx.now_ms())))
        .order_by_asc(RemindAt)
        .order_by_asc(Org)
        .order_by_asc(Ns)
        .limit(SWEEP_PAGE);
    if let Some((at, org, ns)) = after {
        let (at, org, ns) = (column(at), org.0.to_vec(), ns.0.to_vec());
        let same_moment = Condition::any().add(Org.gt(org.clone())).add(Org.eq(org).and(Ns.gt(ns)));
        due = due.filter(RemindAt.gte(at)).filter(Condition::any().add(RemindAt.gt(at)).add(same_moment));
    }
    let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = due.into_tuple().all(tx.db()).await?;
    let full = rows.len() as u64 == SWEEP_PAGE;
    let mut last = None;
    let mut namespaces = BTreeSet::new();
    for (at, org, ns) in rows {
        let (org, ns) = (OrgId::from_slice(&org)?, NsId::from_slice(&ns)?);
        namespaces.insert((org, ns));
        last = Some((number(at), org, ns));
    }
    for (org, ns) in namespaces {
        // One for each sweep, even where pages share a namespace.
        let key = format!("expiry-scan/{org}/{ns}@{}", tx.now_ms());
        jobs::enqueue(tx, &Job::ExpiryScan { org, ns }, tx.now_ms(), Some(key)).await?;
    }
    Ok(last.filter(|_| full))
}

/// Speaks of a page of a namespace's due secrets to those who read them; says whether there may be more.
pub async fn scan(tx: &Tx, org: OrgId, ns: NsId) -> Result<bool> {
    let tx = tx.without_permit("the worker's scan writes notices of ids, for those whom the chain lets read");
    // Two scans at once would find the same secrets.
    tx.lock_org(&org).await?;
    let mut people = People::of(org);
    let readers = people.reached(tx, &Audience::Readers(ns), None).await?.len();
    let page = (SCAN_NOTICES / readers.max(1)).clamp(1, SCAN_PAGE);
    let due = due(tx, &org, &ns, page).await?;
    if due.is_empty() {
        return Ok(false);
    }
    let thresholds = thresholds(tx, &org).await?;
    let notices: Vec<Notice> = due.iter().filter_map(|secret| notice(&thresholds, (org, ns), secret, tx.now_ms())).collect();
    raise_with(tx, &mut people, &notices).await?;
    let spoken_of = secret::Column::SecretId.is_in(due.iter().map(|secret| secret.id.0.to_vec()));
    secret::Entity::update_many()
        .col_expr(secret::Column::RemindAt, next_moment(&thresholds, tx.now_ms()))
        .filter(in_namespace(&org, &ns).add(spoken_of))
        .exec(tx.db())
        .await?;
    Ok(due.len() == page)
}

/// When a secret that is written now is spoken of first. For the transaction that writes it.
pub(crate) fn first_moment(thresholds: &[u16], flags: u8, expires_ms: Option<u64>, now_ms: u64) -> Option<u64> {
    let expires_ms = expires_ms.filter(|_| i64::from(flags) & SILENT_FLAGS == 0)?;
    if nearest(thresholds, expires_ms, now_ms).is_some() {
        return Some(now_ms);
    }
    thresholds.iter().map(|days| moment(expires_ms, *days)).filter(|at| *at > now_ms).min()
}

/// Writes a scan for a namespace, if something just written there is to be spoken of now. For the transaction that writes it.
pub(crate) async fn after_write(tx: &Tx, org: OrgId, ns: NsId, moments: impl IntoIterator<Item = u64>) -> Result<()> {
    let now = tx.now_ms();
    if moments.into_iter().any(|at| at <= now) {
        // Without a key: a scan of the same millisecond may have looked already.
        jobs::enqueue(tx, &Job::ExpiryScan { org, ns }, now, None).await?;
    }
    Ok(())
}

/// Has everything spoken of again that may have been passed over in silence, because there was nobody to hear of it, or because the thresholds
/// were others. Whoever has heard of a thing does not hear of it twice.
pub(crate) async fn look_again(tx: &Tx, org: &OrgId) -> Result<()> {
    use secret::Column::{ExpiresAt, Flags, OrgId as Org, RemindAt};
    let now = tx.now_ms();
    let thresholds = thresholds(tx, org).await?;
    let Some(farthest) = thresholds.iter().max() else { return Ok(()) };
    let until = column(now.saturating_add(u64::from(*farthest) * DAY_MS));
    let live = Expr::col(Flags).bit_and(SILENT_FLAGS).eq(0);
    let near = secret::Entity::update_many()
        .col_expr(RemindAt, Expr::value(column(now)))
        .filter(Org.eq(org.0.to_vec()).and(ExpiresAt.lte(until)).and(ExpiresAt.gt(column(now.saturating_sub(BEHIND_MS)))).and(live));
    if near.exec(tx.db()).await?.rows_affected > 0 {
        jobs::enqueue(tx, &Job::ExpirySweep, now, None).await?;
    }
    Ok(())
}

/// Has an organization's secrets looked at again that have not ended long ago: a clock that was ahead may have passed over some of their moments.
pub(crate) async fn remind_anew(tx: &Tx, org: &OrgId) -> Result<()> {
    use secret::Column::{ExpiresAt, Flags, OrgId as Org, RemindAt};
    let now = column(tx.now_ms());
    let waits = Condition::any().add(RemindAt.is_null()).add(RemindAt.gt(now));
    secret::Entity::update_many()
        .col_expr(RemindAt, Expr::value(now))
        .filter(Org.eq(org.0.to_vec()).and(ExpiresAt.gt(column(tx.now_ms().saturating_sub(BEHIND_MS)))))
        .filter(Expr::col(Flags).bit_and(SILENT_FLAGS).eq(0))
        .filter(waits)
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Somebody can be reached from now on. In the transaction that finds it out.
pub(crate) async fn hears_from_now(tx: &Tx, identity: &[u8]) -> Result<()> {
    let orgs = member::Entity::find().select_only().column(member::Column::OrgId).filter(member::Column::IdentityId.eq(identity.to_vec()));
    let orgs: Vec<Vec<u8>> = orgs.into_tuple().all(tx.db()).await?;
    for org in orgs {
        look_again(tx, &OrgId::from_slice(&org)?).await?;
    }
    Ok(())
}

/// The nearest threshold that has passed; none before the first, and none when the end is long past.
pub(crate) fn nearest(thresholds: &[u16], expires_ms: u64, now_ms: u64) -> Option<u16> {
    if expires_ms.saturating_add(BEHIND_MS) <= now_ms {
        return None;
    }
    thresholds.iter().copied().filter(|days| moment(expires_ms, *days) <= now_ms).min()
}

fn moment(expires_ms: u64, days: u16) -> u64 {
    expires_ms.saturating_sub(u64::from(days) * DAY_MS)
}

/// The earliest threshold still to come, as the store computes it for many rows at once.
fn next_moment(thresholds: &[u16], now_ms: u64) -> SimpleExpr {
    let at = |days: u16| Expr::col(secret::Column::ExpiresAt).sub(column(u64::from(days) * DAY_MS));
    let mut farthest_first = thresholds.to_vec();
    farthest_first.sort_unstable_by(|a, b| b.cmp(a));
    let live = Expr::col(secret::Column::Flags).bit_and(SILENT_FLAGS).eq(0);
    let next = |case: CaseStatement, days: u16| case.case(at(days).gt(column(now_ms)).and(live.clone()), at(days));
    farthest_first.into_iter().fold(CaseStatement::new(), next).finally(None::<i64>).into()
}

struct Due {
    id: SecretId,
    version: u64,
    expires_ms: u64,
    live: bool,
}

async fn due(tx: &Tx, org: &OrgId, ns: &NsId, page: usize) -> Result<Vec<Due>> {
    use secret::Column::{ExpiresAt, Flags, RemindAt, SecretId as Id, Version};
    let rows: Vec<(Vec<u8>, i64, Option<i64>, i64)> = secret::Entity::find()
        .select_only()
        .columns([Id, Version, ExpiresAt, Flags])
        .filter(in_namespace(org, ns).add(RemindAt.lte(column(tx.now_ms()))))
        .order_by_asc(RemindAt)
        .limit(page as u64)
        .into_tuple()
        .all(tx.db())
        .await?;
    let read = |(id, version, expires, flags): (Vec<u8>, i64, Option<i64>, i64)| {
        let live = expires.is_some() && flags & SILENT_FLAGS == 0;
        Ok(Due { id: SecretId::from_slice(&id)?, version: number(version), expires_ms: expires.map_or(0, number), live })
    };
    rows.into_iter().map(read).collect()
}

fn notice(thresholds: &[u16], (org, ns): (OrgId, NsId), due: &Due, now_ms: u64) -> Option<Notice> {
    let threshold_days = nearest(thresholds, due.expires_ms, now_ms).filter(|_| due.live)?;
    let Due { id, version, expires_ms, .. } = due;
    Some(Notice {
        org,
        topic: Topic::Expiry { ns, secret: *id, version: *version, threshold_days },
        audience: Audience::Readers(ns),
        // With the date: one that was moved is news again.
        key: format!("expiry/{ns}/{id}/{version}/{expires_ms}/{threshold_days}"),
        // It has ended: whoever uses it stands still.
        urgent: threshold_days == 0,
    })
}

fn in_namespace(org: &OrgId, ns: &NsId) -> Condition {
    Condition::all().add(secret::Column::OrgId.eq(org.0.to_vec())).add(secret::Column::NsId.eq(ns.0.to_vec()))
}
