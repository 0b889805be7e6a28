//! The sealed objects that a span of manifest links wrote, as far as they are current.

use super::changes::Place;
use crate::error::Result;
use crate::store::{Tx, column, number};
use bytes::Bytes;
use keyvawlt_ledger::SecretId;
use keyvawlt_ledger::manifest::ObjectKind;
use keyvawlt_schema::{secret, version};
use sea_orm::ConnectionTrait as _;
use sea_orm::sea_query::{Alias, Condition, Expr, ExprTrait as _, Func, Order, Query, SelectStatement};
use std::collections::BTreeMap;

/// What a leaf's row brings besides its value: name, key and framing.
const ROW_OVERHEAD: i64 = 512;

/// One sealed object (or the facts).
#[derive(Debug)]
pub struct Sealed {
    /// Of which secret.
    pub secret: SecretId,
    /// The version it belongs to.
    pub version: u64,
    /// Which of the four.
    pub kind: ObjectKind,
    /// The object.
    pub data: Bytes,
}

/// The current objects written by the links after `held` up to `upto`: name and facts with the newest link of their leaf, value and key with
/// the link that wrote the version. One row per secret: each row crosses from SQLite's thread to ours.
pub(super) async fn read(tx: &Tx, place: &Place, held: u64, upto: u64) -> Result<Vec<Sealed>> {
    let of_leaf = |column| (secret::Entity, column);
    let of_version = |column| (version::Entity, column);
    let leaf_at = Expr::col(of_leaf(secret::Column::Mseq));
    let version_at = Expr::col(of_version(version::Column::Mseq));
    let written = version_at.clone().gt(column(held)).and(version_at.clone().lte(column(upto)));
    let mut leaves = Query::select();
    leaves
        .columns([of_leaf(secret::Column::SecretId), of_leaf(secret::Column::Version), of_leaf(secret::Column::Mseq)])
        .columns([of_leaf(secret::Column::Name), of_leaf(secret::Column::Facts)])
        .columns([of_version(version::Column::Payload), of_version(version::Column::Dek)])
        .from(secret::Entity)
        .left_join(version::Entity, same_version().add(written))
        .and_where(Expr::col(of_leaf(secret::Column::OrgId)).eq(place.org.0.to_vec()))
        .and_where(Expr::col(of_leaf(secret::Column::NsId)).eq(place.ns.0.to_vec()))
        // A version is never newer than its leaf.
        .and_where(leaf_at.clone().gt(column(held)))
        .and_where(leaf_at.clone().lte(column(upto)).or(version_at.is_not_null()))
        .order_by(of_leaf(secret::Column::Mseq), Order::Asc);
    let rows = tx.db().query_all(&leaves).await?;
    let mut objects = Vec::with_capacity(rows.len() * 4);
    for row in rows {
        let id: Vec<u8> = row.try_get_by_index(0)?;
        let (secret, version) = (SecretId::from_slice(&id)?, number(row.try_get_by_index(1)?));
        let mut push = |kind, data: Vec<u8>| objects.push(Sealed { secret, version, kind, data: data.into() });
        if number(row.try_get_by_index(2)?) <= upto {
            push(ObjectKind::Name, row.try_get_by_index(3)?);
            push(ObjectKind::Facts, row.try_get_by_index(4)?);
        }
        if let (Some(payload), Some(dek)) = (row.try_get_by_index(5)?, row.try_get_by_index(6)?) {
            push(ObjectKind::Payload, payload);
            push(ObjectKind::Dek, dek);
        }
    }
    Ok(objects)
}

/// About how many bytes each link after `held` brings: current values, and what goes with them.
pub(super) async fn sizes(tx: &Tx, place: &Place, held: u64) -> Result<BTreeMap<u64, usize>> {
    let (bytes, mseq) = (Alias::new("bytes"), (version::Entity, version::Column::Mseq));
    let length = Func::cust("LENGTH").arg(Expr::col((version::Entity, version::Column::Payload)));
    let mut by_link = current_versions(place, held);
    by_link
        .column(mseq)
        // PostgreSQL sums integers into a wider type of its own.
        .expr_as(Func::sum(Expr::expr(length).add(ROW_OVERHEAD)).cast_as(Alias::new("bigint")), bytes)
        .group_by_col(mseq)
        .order_by(mseq, Order::Asc);
    let mut sizes = BTreeMap::new();
    for row in tx.db().query_all(&by_link).await? {
        let (mseq, bytes): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        sizes.insert(number(mseq), usize::try_from(bytes).unwrap_or(usize::MAX));
    }
    Ok(sizes)
}

/// Versions written after `held` that no later one has superseded.
fn current_versions(place: &Place, held: u64) -> SelectStatement {
    let of_version = |column| Expr::col((version::Entity, column));
    let mut select = Query::select();
    select
        .from(version::Entity)
        .inner_join(secret::Entity, same_version())
        .and_where(of_version(version::Column::OrgId).eq(place.org.0.to_vec()))
        .and_where(of_version(version::Column::NsId).eq(place.ns.0.to_vec()))
        .and_where(of_version(version::Column::Mseq).gt(column(held)));
    select
}

/// A version and the leaf whose newest it is.
pub(super) fn same_version() -> Condition {
    let pairs = [
        (version::Column::OrgId, secret::Column::OrgId),
        (version::Column::NsId, secret::Column::NsId),
        (version::Column::SecretId, secret::Column::SecretId),
        (version::Column::Version, secret::Column::Version),
    ];
    pairs
        .into_iter()
        .fold(Condition::all(), |same, (ours, theirs)| same.add(Expr::col((version::Entity, ours)).equals((secret::Entity, theirs))))
}
