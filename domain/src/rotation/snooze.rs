//! Snoozing: nobody is reminded of a secret for a while. For those who may replace it; it silences others too, so it is bounded and on record.

use super::{stages, trial};
use crate::audit::{self, Event};
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{column, number};
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_schema::rotation;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

/// Asks for silence about a secret.
#[derive(Clone, Copy, Debug)]
pub struct SnoozeReminder {
    /// In which organization.
    pub org: OrgId,
    /// In which namespace.
    pub ns: NsId,
    /// About which secret.
    pub secret: SecretId,
    /// Until when, epoch milliseconds.
    pub until_ms: u64,
}

impl Action for SnoozeReminder {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::SnoozeReminder]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![self.ns]
    }
}

/// Snoozes; returns until when it holds, which may be sooner than asked.
pub async fn snooze_reminder(permit: Permit<'_, SnoozeReminder>) -> Result<u64> {
    let SnoozeReminder { org, ns, secret, until_ms } = *permit.action();
    let tx = permit.tx();
    let key = (org.0.to_vec(), ns.0.to_vec(), secret.0.to_vec());
    let row = rotation::Entity::find_by_id(key).one(tx.db()).await?;
    // Of a secret without a reason to be replaced, nobody is reminded.
    let row = row.ok_or_else(|| {
        Error::invalid(
            "secret_id",
            "nobody is reminded to replace it: only what --rotate-every, a lost access or a version that does not work calls for is snoozed, not an expiry",
        )
    })?;
    let reasons = || [row.rotate_at, row.owed_at].into_iter().flatten().map(number).chain(trial::begins(&row));
    let due = reasons().min().unwrap_or_default();
    let until_ms = stages::snooze(due, until_ms, tx.now_ms()).ok_or_else(|| {
        Error::invalid("until_ms", "it must lie ahead, at most 30 days, and at most 90 days after the secret was to be replaced")
    })?;
    let next = reasons().map(|due| stages::first(stages::begins(due, Some(until_ms)), tx.now_ms())).min();
    rotation::Entity::update_many()
        .col_expr(rotation::Column::SnoozedUntil, Expr::value(column(until_ms)))
        .col_expr(rotation::Column::RemindAt, Expr::value(next.map(column)))
        .filter(rotation::Column::OrgId.eq(org.0.to_vec()).and(rotation::Column::NsId.eq(ns.0.to_vec())))
        .filter(rotation::Column::SecretId.eq(secret.0.to_vec()))
        .exec(tx.db())
        .await?;
    let event = Event {
        org,
        at_ms: tx.now_ms(),
        actor: permit.caller().actor(),
        action: "reminder.snoozed",
        subject: format!("{ns}/{secret}"),
        detail: format!("until {until_ms}"),
    };
    audit::record_all(tx, vec![event]).await?;
    Ok(until_ms)
}
