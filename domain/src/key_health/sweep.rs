//! Silence: keys that somebody promised to check, and nobody did. They are stale, which is not dead.

use super::report::write;
use super::row::{Place, state_of};
use super::state::{Happening, next};
use crate::error::Result;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_schema::key_health::{Column, Entity};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// Rounds that may be missed: one can fail for a restart.
const ROUNDS: u64 = 2;
/// And a little, for a runner that waits for its turn.
const GRACE_MS: u64 = 10 * 60 * 1000;
/// Rows of one transaction.
const PAGE: u64 = 500;

/// From when on a key counts as stale that was heard of now.
pub(super) fn stale_at(now_ms: u64, interval_ms: u64) -> i64 {
    column(now_ms.saturating_add(ROUNDS.saturating_mul(interval_ms)).saturating_add(GRACE_MS))
}

/// Marks what is stale; says whether there may be more.
pub async fn sweep(tx: &Tx) -> Result<bool> {
    let tx = tx.without_permit("the worker's sweep marks keys of which nobody reported, and tells only those who read there");
    let rows =
        Entity::find().filter(Column::StaleAt.lte(column(tx.now_ms()))).order_by_asc(Column::StaleAt).limit(PAGE).all(tx.db()).await?;
    let full = rows.len() as u64 == PAGE;
    for mut row in rows {
        let place = Place {
            org: OrgId::from_slice(&row.org_id)?,
            ns: NsId::from_slice(&row.ns_id)?,
            secret: SecretId::from_slice(&row.secret_id)?,
            version: number(row.version),
        };
        row.stale_at = None;
        // Of a secret that was replaced or deleted meanwhile, nobody waits to hear.
        if place.standing(tx).await?.is_some_and(|standing| standing.current == place.version) {
            row.state = next(state_of(&row)?, Happening::Silence) as i16;
        }
        write(tx, row).await?;
    }
    Ok(full)
}
