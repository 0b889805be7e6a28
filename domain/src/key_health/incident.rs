//! Whether it is the provider and not the key: most of an organization's keys of one provider were refused within a few minutes.

use super::row::Place;
use crate::error::Result;
use crate::store::{Tx, number};
use keyvawlt_ledger::OrgId;
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

/// A provider's keys, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) refused: usize,
    pub(super) all: usize,
    /// When the first of the refused ones was.
    since_ms: u64,
}

impl Seen {
    pub(super) fn is_most(self) -> bool {
        self.all >= MIN_KEYS && self.refused * 2 > self.all
    }
}

/// Since when a provider refuses most of its keys, where a key that was first refused at `failed_at` is one of them.
pub(super) async fn since(tx: &Tx, place: &Place, provider: &str, failed_at: u64) -> Result<Option<u64>> {
    if provider.is_empty() || tx.now_ms() >= failed_at.saturating_add(HOLD_MS) {
        return Ok(None);
    }
    let seen = look(tx, &place.org, provider, failed_at).await?;
    Ok(seen.is_most().then_some(seen.since_ms))
}

/// The provider's keys, and which of them were first refused about then.
pub(super) async fn look(tx: &Tx, org: &OrgId, provider: &str, failed_at: u64) -> Result<Seen> {
    let rows: Vec<(Vec<u8>, Vec<u8>, Option<i64>)> = Entity::find()
        .select_only()
        .column(Column::NsId)
        .column(Column::SecretId)
        .column(Column::FailedAt)
        .filter(Column::OrgId.eq(org.0.to_vec()).and(Column::Provider.eq(provider)).and(Column::NewestAt.is_not_null()))
        .order_by_asc(Column::Version)
        .limit(MAX_KEYS)
        .into_tuple()
        .all(tx.db())
        .await?;
    // Of each secret, the newest version.
    let keys: BTreeMap<(Vec<u8>, Vec<u8>), Option<i64>> = rows.into_iter().map(|(ns, secret, at)| ((ns, secret), at)).collect();
    let about_then = keys.values().flatten().map(|at| number(*at)).filter(|at| at.abs_diff(failed_at) <= WINDOW_MS);
    let refused: Vec<u64> = about_then.collect();
    Ok(Seen { refused: refused.len(), all: keys.len(), since_ms: refused.into_iter().min().unwrap_or(failed_at) })
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn more_than_half_of_three_or_more_is_most() {
        for (refused, all, expected) in
            [(1, 1, false), (2, 2, false), (1, 3, false), (2, 3, true), (2, 4, false), (3, 4, true), (50, 100, false), (51, 100, true)]
        {
            assert_eq!(Seen { refused, all, since_ms: 0 }.is_most(), expected, "{refused} of {all}");
        }
    }
}
