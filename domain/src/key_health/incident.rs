//! Whether it is the provider and not the key: most of an organization's keys of one provider were refused within a few minutes.

use super::row::Place;
use crate::error::Result;
use crate::store::{Tx, number};
use keyvawlt_schema::key_health::{Column, Entity};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::BTreeMap;

/// Refusals this close together are one happening: one round of checks.
const WINDOW_MS: u64 = 5 * 60 * 1000;
/// Of fewer keys, most says nothing.
const MIN_KEYS: usize = 3;
/// How long refusals of most keys count as the provider's trouble. Whoever revoked all of them at once hears of it after that.
const HOLD_MS: u64 = 6 * 60 * 60 * 1000;
/// Keys of one provider that are looked at: an organization has fewer.
const MAX_KEYS: u64 = 20_000;

/// Says so of a key that was first refused at `failed_at`.
pub(super) async fn is_on(tx: &Tx, place: &Place, provider: &str, failed_at: u64) -> Result<bool> {
    if provider.is_empty() || tx.now_ms() >= failed_at.saturating_add(HOLD_MS) {
        return Ok(false);
    }
    let rows: Vec<(Vec<u8>, Vec<u8>, Option<i64>)> = Entity::find()
        .select_only()
        .column(Column::NsId)
        .column(Column::SecretId)
        .column(Column::FailedAt)
        .filter(Column::OrgId.eq(place.org.0.to_vec()).and(Column::Provider.eq(provider)).and(Column::NewestAt.is_not_null()))
        .order_by_asc(Column::Version)
        .limit(MAX_KEYS)
        .into_tuple()
        .all(tx.db())
        .await?;
    // Of each secret, the newest version.
    let keys: BTreeMap<(Vec<u8>, Vec<u8>), Option<i64>> = rows.into_iter().map(|(ns, secret, at)| ((ns, secret), at)).collect();
    let refused = keys.values().flatten().filter(|at| number(**at).abs_diff(failed_at) <= WINDOW_MS).count();
    Ok(is_most(refused, keys.len()))
}

/// The rule itself.
fn is_most(refused: usize, all: usize) -> bool {
    all >= MIN_KEYS && refused * 2 > all
}

#[cfg(test)]
mod tests {
    use super::is_most;

    #[test]
    fn more_than_half_of_three_or_more_is_most() {
        for (refused, all, expected) in
            [(1, 1, false), (2, 2, false), (1, 3, false), (2, 3, true), (2, 4, false), (3, 4, true), (50, 100, false), (51, 100, true)]
        {
            assert_eq!(is_most(refused, all), expected, "{refused} of {all}");
        }
    }
}
