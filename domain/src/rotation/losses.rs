//! Work that a leaver leaves behind, as far as the server knows: whoever stops reading a namespace could read everything there that was sealed
//! under its present key or an earlier one.
//!
//! Only people count: a machine's token that was replaced is a loss too, which the sealed work list settles and no server can see settled.

use super::{ROWS_PER_STATEMENT, known, put, stages};
use crate::error::Result;
use crate::jobs::{self, Job};
use crate::organizations::rows::Rows;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::{Applied, Body, Entry, Questions as _, class, permission};
use keyvawlt_ledger::{IdentityId, NsId, OrgId, SecretId};
use keyvawlt_schema::{rotation, secret};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// A namespace that a person stopped reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lost {
    pub(crate) ns: NsId,
    /// The key that was in force.
    pub(crate) epoch: u64,
    pub(crate) at_ms: u64,
}

/// Somebody who stops reading a namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped {
    ns: NsId,
    who: IdentityId,
    /// The keys that could read had leaked: it does not matter that their owner reads on with others.
    leaked: bool,
}

/// Who stops reading what by a link; `rows` do not have its changes yet.
pub(crate) fn losses(rows: &Rows, applied: &Applied) -> Vec<Stopped> {
    let reads = |ns: &NsId, who: &IdentityId| rows.access(ns, who).is_some_and(|access| access.permissions & permission::READ != 0);
    let is_person = |who: &IdentityId| rows.member(who).is_some_and(|member| member.kind == kind::PERSON);
    let mut lost = Vec::new();
    for (key, change) in &applied.changes {
        let Some((ns, who)) = key.access_ids().filter(|(ns, who)| is_person(who) && reads(ns, who)) else { continue };
        let still = matches!(change, Some(Entry::Access(access)) if access.permissions & permission::READ != 0);
        if !still {
            lost.push(Stopped { ns, who, leaked: false });
        }
    }
    if let Body::KeyRotate(body) = &applied.body
        && body.compromised
    {
        let who = applied.link.author_id;
        let held = rows.held_by(&who).into_iter().filter(|ns| is_person(&who) && reads(ns, &who));
        lost.extend(held.map(|ns| Stopped { ns, who, leaked: true }));
    }
    lost
}

/// Has the secrets marked that could be read; `rows` have the link's changes.
pub(crate) async fn after_losses(tx: &Tx, org: OrgId, lost: impl IntoIterator<Item = Lost>) -> Result<()> {
    for Lost { ns, epoch, at_ms } in lost {
        jobs::enqueue(tx, &Job::WorkOwed { org, ns, epoch, at_ms }, tx.now_ms(), None).await?;
    }
    Ok(())
}

/// The namespaces at and below one that somebody does not read any more, with their keys in force.
pub(crate) async fn reached(tx: &Tx, rows: &mut Rows, stopped: Stopped, at_ms: u64) -> Result<Vec<Lost>> {
    let Stopped { ns, who, leaked } = stopped;
    let found = rows.settle(tx, |rows| {
        let family = rows.family(&ns).into_iter();
        let below = family.filter_map(|ns| Some((ns, rows.ns(&ns)?)));
        let below = below.filter(|(_, entry)| entry.class != class::DIRECTORY);
        let gone = below.filter(|(ns, _)| leaked || rows.permissions(ns, &who, at_ms) & permission::READ == 0);
        gone.map(|(ns, entry)| Lost { ns, epoch: entry.epoch, at_ms }).collect()
    });
    found.await
}

/// Marks a page of the secrets of a namespace that a leaver could read, after `after`; returns where to go on.
pub async fn mark_owed(tx: &Tx, (org, ns): (OrgId, NsId), epoch: u64, at_ms: u64, after: Option<SecretId>) -> Result<Option<SecretId>> {
    let tx = tx.without_permit("the worker marks what a leaver could read, by the keys that leaves name in clear; nothing is returned");
    // A new version ends the reason: none may be written in between.
    tx.lock_org(&org).await?;
    let readable = secret::Column::OrgId.eq(org.0.to_vec()).and(secret::Column::NsId.eq(ns.0.to_vec()));
    let readable = readable.and(secret::Column::Epoch.lte(column(epoch)));
    let found: Vec<(Vec<u8>, i64, i64)> = secret::Entity::find()
        .select_only()
        .columns([secret::Column::SecretId, secret::Column::Version, secret::Column::Flags])
        .filter(readable)
        .filter(sea_orm::Condition::all().add_option(after.map(|after| secret::Column::SecretId.gt(after.0.to_vec()))))
        .order_by_asc(secret::Column::SecretId)
        .limit(ROWS_PER_STATEMENT as u64)
        .into_tuple()
        .all(tx.db())
        .await?;
    let ids = found.iter().map(|(id, ..)| SecretId::from_slice(id)).collect::<Result<Vec<_>, _>>()?;
    let before = known(tx, &org, &ns, ids.iter().copied()).await?;
    let mut rows = Vec::new();
    for (id, (_, version, flags)) in ids.iter().zip(&found) {
        if flags & super::SILENT_FLAGS != 0 {
            continue;
        }
        let before = before.get(id).filter(|row| row.version == *version);
        let owed = before.and_then(|row| row.owed_at).map_or(at_ms, |owed| std::cmp::min(number(owed), at_ms));
        let first = stages::first(stages::begins(owed, before.and_then(|row| row.snoozed_until).map(number)), tx.now_ms());
        let remind = before.and_then(|row| row.remind_at).map_or(first, |remind| std::cmp::min(number(remind), first));
        rows.push(rotation::ActiveModel {
            org_id: Set(org.0.to_vec()),
            ns_id: Set(ns.0.to_vec()),
            secret_id: Set(id.0.to_vec()),
            version: Set(*version),
            rotate_at: Set(before.and_then(|row| row.rotate_at)),
            owed_at: Set(Some(column(owed))),
            snoozed_until: Set(before.and_then(|row| row.snoozed_until)),
            trial_at: Set(before.and_then(|row| row.trial_at)),
            remind_at: Set(Some(column(remind))),
        });
    }
    put(tx, rows).await?;
    Ok(ids.last().copied().filter(|_| found.len() == ROWS_PER_STATEMENT))
}
