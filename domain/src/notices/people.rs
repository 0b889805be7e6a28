//! Who reads a namespace: people with live read access there or above it, by the chain's own rules.

use crate::error::Result;
use crate::store::Tx;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::{Entry, Key, Questions as _, permission};
use keyvawlt_ledger::{IdentityId, NsId, OrgId, limits};
use keyvawlt_schema::entry::{Column, Entity};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use std::collections::{BTreeMap, BTreeSet};

/// The people who may read a namespace now, in order.
pub(super) async fn who_read(tx: &Tx, org: &OrgId, ns: &NsId) -> Result<Vec<IdentityId>> {
    let tx = tx.without_permit("the worker asks whom to mail; nothing of the answer leaves but to them");
    let mut view = BTreeMap::new();
    let mut holders = BTreeSet::new();
    let mut next = Some(*ns);
    for _ in 0..limits::MAX_LEVELS {
        let Some(level) = next else { break };
        load(tx, org, vec![Key::ns(&level)], &mut view).await?;
        load_prefix(tx, org, &Key::accesses(&level), &mut view).await?;
        holders.extend(view.holders(&level));
        next = view.ns(&level).and_then(|ns| ns.parent);
    }
    load(tx, org, holders.iter().map(Key::member).collect(), &mut view).await?;
    let reads = |id: &IdentityId| {
        view.member(id).is_some_and(|member| member.kind == kind::PERSON) && view.permissions(ns, id, tx.now_ms()) & permission::READ != 0
    };
    Ok(holders.into_iter().filter(reads).collect())
}

async fn load(tx: &Tx, org: &OrgId, keys: Vec<Key>, view: &mut BTreeMap<Key, Entry>) -> Result<()> {
    let keys = Column::Key.is_in(keys.iter().map(|key| key.as_bytes().to_vec()));
    let rows = Entity::find().filter(Column::OrgId.eq(org.0.to_vec()).and(keys)).all(tx.db()).await?;
    for row in rows {
        let key = Key::from_bytes(row.key);
        let entry = Entry::from_bytes(&key, &row.value)?;
        view.insert(key, entry);
    }
    Ok(())
}

async fn load_prefix(tx: &Tx, org: &OrgId, prefix: &[u8], view: &mut BTreeMap<Key, Entry>) -> Result<()> {
    let mut end = prefix.to_vec();
    // Sixteen 0xff and one more sort after every key of the prefix.
    end.extend([0xff; 17]);
    let range = Column::Key.gte(prefix.to_vec()).and(Column::Key.lte(end));
    let rows = Entity::find().filter(Column::OrgId.eq(org.0.to_vec()).and(range)).all(tx.db()).await?;
    for row in rows {
        let key = Key::from_bytes(row.key);
        let entry = Entry::from_bytes(&key, &row.value)?;
        view.insert(key, entry);
    }
    Ok(())
}
