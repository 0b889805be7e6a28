//! Rotation: who is reminded that a secret should be replaced, by what owners tell in clear and by who lost access; what people agreed on about it
//! is sealed, so a work list that was settled is not known here, and reminding ends by itself.
//!
//! A row for each secret that has a reason says when it is spoken of next: a sweep costs what is due. A new version ends every reason, and is on
//! `trial` itself where the owner named a monitor.

mod losses;
mod snooze;
pub mod stages;
#[cfg(test)]
mod tests;
pub(crate) mod trial;

use crate::error::Result;
use crate::notices::{self, Audience, Notice, Topic};
use crate::organizations::rows::Rows;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::{Questions as _, permission};
use keyvawlt_ledger::{IdentityId, NsId, OrgId, SecretId, facts};
use keyvawlt_schema::{manifest_link, rotation, secret, version};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use stages::Stage;
use std::collections::{BTreeMap, BTreeSet};

pub use keyvawlt_ledger::trial::Trouble;
pub use losses::mark_owed;
pub(crate) use losses::{Lost, after_losses, losses, reached};
pub use snooze::{SnoozeReminder, snooze_reminder};

/// Secrets of one statement.
const ROWS_PER_STATEMENT: usize = 500;
/// Secrets spoken of by one transaction of the sweep: each may be heard of by dozens.
const SWEEP_PAGE: u64 = 100;
/// Flags of leaves that nobody is reminded of: deleted (bit 0) and draft (bit 1).
const SILENT_FLAGS: i64 = 0b11;

/// A secret as a batch wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) secret: SecretId,
    pub(crate) version: u64,
    /// Neither deleted nor a draft.
    pub(crate) live: bool,
    /// How often its owner wants it replaced, milliseconds.
    pub(crate) every_ms: Option<u64>,
    /// Its owner named a monitor of what it opens.
    pub(crate) watched: bool,
    /// When its version was written, where this batch did.
    pub(crate) written_ms: Option<u64>,
}

/// Keeps the rows of secrets that were written. For the transaction that writes them, after them.
pub(crate) async fn after_write(tx: &Tx, org: &OrgId, ns: &NsId, written: &[Written]) -> Result<()> {
    for written in written.chunks(ROWS_PER_STATEMENT) {
        let known = known(tx, org, ns, written.iter().map(|one| one.secret)).await?;
        let (mut rows, mut gone) = (Vec::new(), Vec::new());
        for one in written {
            let before = known.get(&one.secret).filter(|row| number(row.version) == one.version && one.live);
            let asked = one.live && (one.every_ms.is_some() || one.watched);
            let written_ms = if asked { written_at(tx, org, ns, one).await? } else { None };
            let rotate_at = one.every_ms.zip(written_ms).map(|(every_ms, at_ms)| at_ms.saturating_add(every_ms));
            let trial_at = trial::at(one, written_ms, before, tx.now_ms());
            let owed_at = before.and_then(|row| row.owed_at).map(number);
            let snoozed = before.and_then(|row| row.snoozed_until).map(number);
            if rotate_at.is_none() && owed_at.is_none() && trial_at.is_none() {
                gone.extend(known.contains_key(&one.secret).then(|| one.secret.0.to_vec()));
                continue;
            }
            let dues = [rotate_at, owed_at, trial_at.map(trial::first_look)].into_iter().flatten();
            let moments = dues.map(|due| stages::first(stages::begins(due, snoozed), tx.now_ms()));
            rows.push(rotation::ActiveModel {
                org_id: Set(org.0.to_vec()),
                ns_id: Set(ns.0.to_vec()),
                secret_id: Set(one.secret.0.to_vec()),
                version: Set(column(one.version)),
                rotate_at: Set(rotate_at.map(column)),
                owed_at: Set(owed_at.map(column)),
                snoozed_until: Set(snoozed.map(column)),
                trial_at: Set(trial_at.map(column)),
                remind_at: Set(moments.min().map(column)),
            });
        }
        put(tx, rows).await?;
        if !gone.is_empty() {
            let gone = in_namespace(org, ns).add(rotation::Column::SecretId.is_in(gone));
            rotation::Entity::delete_many().filter(gone).exec(tx.db()).await?;
        }
    }
    Ok(())
}

/// Speaks of a page of what is due; says whether there may be more.
pub async fn sweep(tx: &Tx) -> Result<bool> {
    let tx = tx.without_permit("the worker's sweep writes notices of ids, for those whom the chain lets read");
    let due = rotation::Entity::find()
        .filter(rotation::Column::RemindAt.lte(column(tx.now_ms())))
        .order_by_asc(rotation::Column::RemindAt)
        .limit(SWEEP_PAGE)
        .all(tx.db())
        .await?;
    let full = due.len() as u64 == SWEEP_PAGE;
    let mut chains: BTreeMap<OrgId, Rows> = BTreeMap::new();
    for row in due {
        let org = OrgId::from_slice(&row.org_id)?;
        let chain = chains.entry(org).or_insert_with(|| Rows::of(org));
        let trial = speak(tx, chain, org, &row).await?;
        let snoozed = row.snoozed_until.map(number);
        let reasons = [row.rotate_at, row.owed_at].into_iter().flatten().map(number);
        let next = reasons.filter_map(|due| stages::next(stages::begins(due, snoozed), tx.now_ms()));
        let next = next.chain(trial.and_then(|(_, next)| next)).min();
        let mine = rotation::Column::OrgId.eq(row.org_id).and(rotation::Column::NsId.eq(row.ns_id));
        let mine = mine.and(rotation::Column::SecretId.eq(row.secret_id));
        if row.rotate_at.is_none() && row.owed_at.is_none() && trial.is_none() {
            rotation::Entity::delete_many().filter(mine).exec(tx.db()).await?;
            continue;
        }
        rotation::Entity::update_many()
            .col_expr(rotation::Column::RemindAt, Expr::value(next.map(column)))
            .col_expr(rotation::Column::TrialAt, Expr::value(trial.map(|(at, _)| column(at))))
            .filter(mine)
            .exec(tx.db())
            .await?;
    }
    Ok(full)
}

/// Has an organization's secrets looked at again whose stages are not all long past: a clock that was ahead may have passed over some.
pub(crate) async fn remind_anew(tx: &Tx, org: &OrgId) -> Result<()> {
    use rotation::Column::{OrgId as Org, OwedAt, RemindAt, RotateAt, TrialAt};
    let now = column(tx.now_ms());
    let told = column(tx.now_ms().saturating_sub(stages::MAX_SNOOZED_MS + stages::AGAIN_AFTER_MS));
    let goes_on = [RotateAt, OwedAt, TrialAt].into_iter().fold(Condition::any(), |any, reason| any.add(reason.gt(told)));
    rotation::Entity::update_many()
        .col_expr(RemindAt, Expr::value(now))
        .filter(Org.eq(org.0.to_vec()))
        .filter(Condition::any().add(RemindAt.is_null()).add(RemindAt.gt(now)))
        .filter(goes_on)
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Tells whoever is to hear now; returns the trial that goes on, and when it is looked at next.
async fn speak(tx: &Tx, chain: &mut Rows, org: OrgId, row: &rotation::Model) -> Result<Option<(u64, Option<u64>)>> {
    let (ns, id, version) = (NsId::from_slice(&row.ns_id)?, SecretId::from_slice(&row.secret_id)?, number(row.version));
    let key = (row.org_id.clone(), row.ns_id.clone(), row.secret_id.clone());
    let secret = secret::Entity::find_by_id(key).one(tx.db()).await?;
    let Some(secret) = secret.filter(|secret| secret.version == row.version && secret.flags & SILENT_FLAGS == 0) else { return Ok(None) };
    let facts = facts::read(&secret.facts)?;
    let owner = facts.as_ref().and_then(|facts| facts.owner.as_deref()).and_then(|owner| owner.parse().ok());
    let snoozed = row.snoozed_until.map(number);
    let standing = trial::look(tx, chain, row, facts.as_ref()).await?;
    let failing = standing.and_then(trial::Standing::failing).map(|(_, from)| from);
    let topics = [
        (row.rotate_at.map(number), "rotation", (|ns, secret, version, stage| Topic::Rotation { ns, secret, version, stage }) as MakeTopic),
        (row.owed_at.map(number), "work", |ns, secret, version, stage| Topic::WorkOwed { ns, secret, version, stage }),
        (failing, "trial", |ns, secret, version, stage| Topic::Trial { ns, secret, version, stage }),
    ];
    for (due, word, topic) in topics {
        let Some(begins_ms) = due.map(|due| stages::begins(due, snoozed)) else { continue };
        let Some(stage) = stages::reached(begins_ms, tx.now_ms()) else { continue };
        // What fails, recovers and fails again within one trial is one story.
        let story = if word == "trial" { snoozed.unwrap_or(0) } else { begins_ms };
        for audience in audiences(tx, chain, &ns, owner, stage).await? {
            let key = format!("{word}/{ns}/{id}/{version}/{story}/{}", stage.name());
            notices::raise(tx, &Notice { org, topic: topic(ns, id, version, stage), audience, key, urgent: false }).await?;
        }
    }
    Ok(standing.and_then(|standing| standing.goes_on(snoozed, tx.now_ms())))
}

type MakeTopic = fn(NsId, SecretId, u64, Stage) -> Topic;

/// The owner alone, where one can act; else whoever writes there, and the admins.
async fn audiences(tx: &Tx, chain: &mut Rows, ns: &NsId, owner: Option<IdentityId>, stage: Stage) -> Result<Vec<Audience>> {
    let now_ms = tx.now_ms();
    let may = |rows: &Rows, id: &IdentityId, bit: u8| {
        let person = rows.active_member(id, now_ms).is_some_and(|member| member.kind == kind::PERSON);
        person && rows.permissions(ns, id, now_ms) & bit != 0
    };
    if let Some(owner) = owner.filter(|_| stage == Stage::Owner)
        && chain.settle(tx, |rows| may(rows, &owner, permission::READ)).await?
    {
        return Ok(vec![Audience::People(vec![owner])]);
    }
    let writers = chain.settle(tx, |rows| {
        let holders: BTreeSet<IdentityId> = rows.lineage(ns).iter().flat_map(|level| rows.holders(level)).collect();
        holders.into_iter().filter(|id| may(rows, id, permission::WRITE)).collect::<Vec<_>>()
    });
    let people = writers.await?.into_iter().chain(owner).collect();
    Ok(vec![Audience::People(people), Audience::Admins])
}

/// When a version was written, as its author signed it.
async fn written_at(tx: &Tx, org: &OrgId, ns: &NsId, one: &Written) -> Result<Option<u64>> {
    if one.written_ms.is_some() {
        return Ok(one.written_ms);
    }
    let key = (org.0.to_vec(), ns.0.to_vec(), one.secret.0.to_vec(), column(one.version));
    let Some(row) = version::Entity::find_by_id(key).one(tx.db()).await? else { return Ok(None) };
    let link = manifest_link::Entity::find_by_id((org.0.to_vec(), ns.0.to_vec(), row.mseq)).one(tx.db()).await?;
    Ok(link.map(|link| number(link.ts_ms)))
}

async fn known(tx: &Tx, org: &OrgId, ns: &NsId, ids: impl Iterator<Item = SecretId>) -> Result<BTreeMap<SecretId, rotation::Model>> {
    let wanted = rotation::Column::SecretId.is_in(ids.map(|id| id.0.to_vec()));
    let rows = rotation::Entity::find().filter(in_namespace(org, ns).add(wanted)).all(tx.db()).await?;
    rows.into_iter().map(|row| Ok((SecretId::from_slice(&row.secret_id)?, row))).collect()
}

async fn put(tx: &Tx, rows: Vec<rotation::ActiveModel>) -> Result<()> {
    use rotation::Column as C;
    if rows.is_empty() {
        return Ok(());
    }
    let newest = OnConflict::columns([C::OrgId, C::NsId, C::SecretId])
        .update_columns([C::Version, C::RotateAt, C::OwedAt, C::SnoozedUntil, C::TrialAt, C::RemindAt])
        .to_owned();
    rotation::Entity::insert_many(rows).on_conflict(newest).exec_without_returning(tx.db()).await?;
    Ok(())
}

fn in_namespace(org: &OrgId, ns: &NsId) -> Condition {
    Condition::all().add(rotation::Column::OrgId.eq(org.0.to_vec())).add(rotation::Column::NsId.eq(ns.0.to_vec()))
}
