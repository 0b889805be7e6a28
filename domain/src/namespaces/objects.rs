//! The sealed objects that a span of manifest links wrote, as far as they are current.

use super::changes::Place;
use crate::error::Result;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::SecretId;
use keyvawlt_ledger::manifest::ObjectKind;
use keyvawlt_schema::{secret, version};
use sea_orm::sea_query::{Alias, Expr, ExprTrait as _, Func, Order, Query, SelectStatement};
use sea_orm::{ColumnTrait, ConnectionTrait as _, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
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
    pub data: Vec<u8>,
}

/// The current objects written by the links after `held` up to `upto`.
pub(super) async fn read(tx: &Tx, place: &Place, held: u64, upto: u64) -> Result<Vec<Sealed>> {
    let leaves = secret::Entity::find()
        .select_only()
        .column(secret::Column::SecretId)
        .column(secret::Column::Version)
        .column(secret::Column::Name)
        .column(secret::Column::Facts)
        .filter(secret::Column::OrgId.eq(place.org.0.to_vec()).and(secret::Column::NsId.eq(place.ns.0.to_vec())))
        .filter(secret::Column::Mseq.gt(column(held)).and(secret::Column::Mseq.lte(column(upto))))
        .order_by_asc(secret::Column::Mseq)
        .into_tuple::<(Vec<u8>, i64, Vec<u8>, Vec<u8>)>()
        .all(tx.db())
        .await?;
    let mut objects = Vec::with_capacity(leaves.len() * 4);
    for (id, version, name, facts) in leaves {
        let (secret, version) = (SecretId::from_slice(&id)?, number(version));
        objects.push(Sealed { secret, version, kind: ObjectKind::Name, data: name });
        objects.push(Sealed { secret, version, kind: ObjectKind::Facts, data: facts });
    }
    let mut versions = current_versions(place, held);
    versions
        .column((version::Entity, version::Column::SecretId))
        .column((version::Entity, version::Column::Version))
        .column((version::Entity, version::Column::Payload))
        .column((version::Entity, version::Column::Dek))
        .and_where(Expr::col((version::Entity, version::Column::Mseq)).lte(column(upto)));
    for row in tx.db().query_all(&versions).await? {
        let id: Vec<u8> = row.try_get_by_index(0)?;
        let (secret, version) = (SecretId::from_slice(&id)?, number(row.try_get_by_index(1)?));
        objects.push(Sealed { secret, version, kind: ObjectKind::Payload, data: row.try_get_by_index(2)? });
        objects.push(Sealed { secret, version, kind: ObjectKind::Dek, data: row.try_get_by_index(3)? });
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
    let mut same = sea_orm::Condition::all();
    for (ours, theirs) in [
        (version::Column::OrgId, secret::Column::OrgId),
        (version::Column::NsId, secret::Column::NsId),
        (version::Column::SecretId, secret::Column::SecretId),
        (version::Column::Version, secret::Column::Version),
    ] {
        same = same.add(of_version(ours).equals((secret::Entity, theirs)));
    }
    select
        .from(version::Entity)
        .inner_join(secret::Entity, same)
        .and_where(of_version(version::Column::OrgId).eq(place.org.0.to_vec()))
        .and_where(of_version(version::Column::NsId).eq(place.ns.0.to_vec()))
        .and_where(of_version(version::Column::Mseq).gt(column(held)));
    select
}
