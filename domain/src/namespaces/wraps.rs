//! Keys wrapped to the caller, with the proof that a link signed them. Only those in force: a newer epoch opens the older ones.

use super::changes::ReadChanges;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::organizations::rows::Rows;
use crate::store::{Tx, column, number};
use bytes::Bytes;
use keyvawlt_ledger::chain::{Key, Questions as _, permission};
use keyvawlt_ledger::{Hash, NsId, merkle};
use keyvawlt_schema::wrap;
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use std::collections::BTreeMap;

/// Identifiers of one statement.
const IDS_PER_STATEMENT: usize = 500;

/// A wrap, and its place in what its link signs.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The record.
    pub record: Bytes,
    /// Its place.
    pub index: u64,
    /// How many its link carried.
    pub count: u64,
    /// Audit path; empty for a wrap given by a link of its own.
    pub path: Vec<Hash>,
}

/// The wraps in force that the caller asks for, at the organization's head.
pub(super) async fn read(tx: &Tx, rows: &mut Rows, caller: &Caller, asked: &ReadChanges, next_seq: u64) -> Result<Vec<Delivered>> {
    let from_seq = if asked.all_wraps { 0 } else { asked.from_seq };
    if from_seq >= next_seq {
        return Ok(vec![]);
    }
    let wanted = match caller {
        Caller::Account { identity_id, .. } | Caller::Identity { identity_id, .. } => {
            let namespaces: Vec<NsId> = asked.held.iter().map(|(ns, _)| *ns).collect();
            rows.expect(namespaces.iter().flat_map(|ns| [Key::ns(ns), Key::access(ns, identity_id)]), []);
            let at = |rows: &Rows| namespaces.iter().filter_map(|ns| in_force(rows, ns, identity_id)).collect::<Vec<_>>();
            (identity_id.0, rows.settle(tx, at).await?)
        }
        Caller::Invite { invite_id, .. } => (invite_id.0, carried(tx, rows, invite_id).await?),
    };
    let (recipient, wanted) = wanted;
    let wanted: BTreeMap<(NsId, u64), Option<Hash>> = wanted.into_iter().collect();
    find(tx, asked, recipient, &wanted, from_seq).await
}

/// Epoch of the key, and the hash of the wrap where a link of its own gave it.
type InForce = ((NsId, u64), Option<Hash>);

fn in_force(rows: &Rows, ns: &NsId, identity: &keyvawlt_ledger::IdentityId) -> Option<InForce> {
    let access = rows.access(ns, identity).filter(|access| access.permissions & permission::READ != 0)?;
    let epoch = rows.ns(ns)?.epoch;
    Some(((*ns, epoch), access.wrap.map(|granted| granted.wrap_hash)))
}

/// All keys an invite carries, as far as no newer epoch has voided them.
async fn carried(tx: &Tx, rows: &mut Rows, invite: &keyvawlt_ledger::InviteId) -> Result<Vec<InForce>> {
    let carried = |rows: &Rows| {
        let prewraps = rows.invite(invite).map(|invite| invite.prewraps).unwrap_or_default();
        let current = prewraps.into_iter().filter(|wrap| rows.ns(&wrap.ns_id).is_some_and(|ns| ns.epoch == wrap.epoch));
        current.map(|wrap| ((wrap.ns_id, wrap.epoch), Some(wrap.wrap_hash))).collect::<Vec<_>>()
    };
    rows.settle(tx, carried).await
}

async fn find(
    tx: &Tx,
    asked: &ReadChanges,
    recipient: [u8; 16],
    wanted: &BTreeMap<(NsId, u64), Option<Hash>>,
    from_seq: u64,
) -> Result<Vec<Delivered>> {
    let mut delivered = Vec::new();
    let namespaces: Vec<NsId> = wanted.keys().map(|(ns, _)| *ns).collect();
    for chunk in namespaces.chunks(IDS_PER_STATEMENT) {
        let rows = wrap::Entity::find()
            .filter(wrap::Column::OrgId.eq(asked.org.0.to_vec()).and(wrap::Column::RecipientId.eq(recipient.to_vec())))
            .filter(wrap::Column::NsId.is_in(chunk.iter().map(|ns| ns.0.to_vec())))
            .filter(wrap::Column::Seq.gte(column(from_seq)))
            .all(tx.db())
            .await?;
        for row in rows {
            let key = (NsId::from_slice(&row.ns_id)?, number(row.epoch));
            let given = wanted.get(&key).is_some_and(|hash| match hash {
                Some(hash) => !row.in_root && row.hash == hash.0,
                None => row.in_root,
            });
            if given {
                let path = if row.in_root { prove(tx, &row).await? } else { vec![] };
                let (index, count) = (number(row.position), number(row.count));
                delivered.push(Delivered { record: row.record.into(), index, count, path });
            }
        }
    }
    Ok(delivered)
}

/// The audit path of one wrap in its link's set.
async fn prove(tx: &Tx, row: &wrap::Model) -> Result<Vec<Hash>> {
    let set: Vec<Vec<u8>> = wrap::Entity::find()
        .select_only()
        .column(wrap::Column::Hash)
        .filter(wrap::Column::OrgId.eq(row.org_id.clone()).and(wrap::Column::NsId.eq(row.ns_id.clone())))
        .filter(wrap::Column::Epoch.eq(row.epoch).and(wrap::Column::Seq.eq(row.seq)).and(wrap::Column::InRoot.eq(true)))
        .order_by_asc(wrap::Column::Position)
        .into_tuple()
        .all(tx.db())
        .await?;
    let leaves: Vec<Hash> = set.iter().map(|hash| merkle::leaf_hash(hash)).collect();
    let position = usize::try_from(row.position).unwrap_or(usize::MAX);
    merkle::prove(&leaves, position).ok_or_else(|| Error::internal("a set of wraps is incomplete"))
}
