//! Silence: keys that somebody promised to check, and nobody did, or no check of a day could say anything of. They are stale, which is not dead.

use super::lease::MAX_INTERVAL_MS;
use super::news;
use super::report::write;
use super::row::{Place, state_of};
use super::state::{Happening, next};
use crate::error::Result;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_schema::key_health::{Column, Entity};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, UpdateMany};

/// Rounds that may be missed: one can fail for a restart.
const ROUNDS: u64 = 2;
/// And a little, for a runner that waits for its turn.
const GRACE_MS: u64 = 10 * 60 * 1000;
/// Checks that decide nothing keep a key fresh for this long: a provider that is down for a day, or a runner that does not reach it, leaves it
/// unknown.
pub(super) const UNDECIDED_MS: u64 = 24 * 60 * 60 * 1000;
/// Rows of one transaction: it holds the organization, so it is short.
const PAGE: u64 = 250;

/// From when on a key counts as stale that was heard of now.
pub(super) fn stale_at(now_ms: u64, interval_ms: u64) -> i64 {
    column(now_ms.saturating_add(ROUNDS.saturating_mul(interval_ms)).saturating_add(GRACE_MS))
}

/// From when on a key counts as stale whose last check that decided was then, whatever is heard of it.
pub(super) fn undecided_at(decided_ms: u64, interval_ms: u64) -> i64 {
    std::cmp::max(column(decided_ms.saturating_add(UNDECIDED_MS)), stale_at(decided_ms, interval_ms))
}

/// What a clock that was ahead took to be fresh for longer than anything may be is as if heard of now; says how many keys there were.
pub(crate) async fn call_back(tx: &Tx) -> Result<u64> {
    Ok(calls_back(tx).exec(tx.db()).await?.rows_affected)
}

pub(crate) fn calls_back(tx: &Tx) -> UpdateMany<Entity> {
    let fresh = Expr::col(Column::Interval).mul(column(ROUNDS)).add(column(tx.now_ms() + GRACE_MS));
    Entity::update_many()
        .col_expr(Column::StaleAt, fresh)
        .filter(Column::StaleAt.gt(column(tx.beyond_ms(ROUNDS * MAX_INTERVAL_MS + GRACE_MS))))
}

/// Marks what is stale in one organization; says whether there may be more, there or elsewhere.
pub async fn sweep(tx: &Tx) -> Result<bool> {
    let tx = tx.without_permit("the worker's sweep marks keys of which nobody reported, and tells only those who read there");
    let stale = Column::StaleAt.lte(column(tx.now_ms()));
    let first = Entity::find().select_only().column(Column::OrgId).filter(stale.clone()).order_by_asc(Column::StaleAt);
    let Some(org) = first.into_tuple::<Vec<u8>>().one(tx.db()).await? else { return Ok(false) };
    let org = OrgId::from_slice(&org)?;
    // Reports and sweeps of one organization, one after the other.
    tx.lock_org(&org).await?;
    let rows =
        Entity::find().filter(stale.and(Column::OrgId.eq(org.0.to_vec()))).order_by_asc(Column::StaleAt).limit(PAGE).all(tx.db()).await?;
    for mut row in rows {
        let (ns, secret) = (NsId::from_slice(&row.ns_id)?, SecretId::from_slice(&row.secret_id)?);
        let place = Place { org, ns, secret, version: number(row.version) };
        row.stale_at = None;
        // Of a secret that was replaced or deleted meanwhile, nobody waits to hear.
        if let Some(standing) = place.standing(tx).await?.filter(|standing| standing.current == place.version) {
            row.state = next(state_of(&row)?, Happening::Silence) as i16;
            write(tx, row.clone()).await?;
            news::tell(tx, &place, &standing, &row, None).await?;
        } else {
            write(tx, row).await?;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::lease::MIN_INTERVAL_MS;
    use super::super::report::empty;
    use super::*;
    use crate::scratch::{NOW, on_each_engine};

    /// Two keys that somebody promised to check, one as often as can be and one as seldom, while the clock was ahead.
    #[tokio::test]
    async fn what_was_taken_to_be_fresh_for_months_is_stale_after_two_missed_rounds() {
        on_each_engine(async |store| {
            let ahead = NOW + 365 * UNDECIDED_MS;
            let place = |version| Place { org: OrgId([1; 32]), ns: NsId([2; 16]), secret: SecretId([3; 16]), version };
            let tx = store.write().await.unwrap();
            for (version, interval_ms, from) in [(1, MIN_INTERVAL_MS, ahead), (2, MAX_INTERVAL_MS, ahead), (3, MAX_INTERVAL_MS, NOW)] {
                let (interval, stale_at) = (Some(column(interval_ms)), Some(stale_at(from, interval_ms)));
                write(&tx, keyvawlt_schema::key_health::Model { interval, stale_at, ..empty(&place(version)) }).await.unwrap();
            }
            assert_eq!((call_back(&tx).await.unwrap(), call_back(&tx).await.unwrap()), (2, 0));
            for (version, interval_ms) in [(1, MIN_INTERVAL_MS), (2, MAX_INTERVAL_MS), (3, MAX_INTERVAL_MS)] {
                assert_eq!(place(version).row(&tx).await.unwrap().unwrap().stale_at, Some(stale_at(NOW, interval_ms)));
            }
        })
        .await;
    }
}
