//! What is kept for clients that start without history: the state before each checkpoint, and the nodes of the trees over chain and manifests.
//!
//! An old value is kept only if a checkpoint's state has it: what changed again since the last one is in nobody's way.

use super::links::Chain;
use super::save::ROWS_PER_STATEMENT;
use crate::error::Result;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::chain::{Entry, Key};
use keyvawlt_ledger::merkle::{Frontier, leaf_hash};
use keyvawlt_ledger::{Hash, NsId, OrgId};
use keyvawlt_schema::{entry, history_node, past_entry};
use sea_orm::sea_query::{Expr, ExprTrait as _, Query};
use sea_orm::{ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, EntityTrait, QueryFilter as _};
use std::collections::{BTreeMap, BTreeSet};

/// Keeps the nodes that the batch's links complete.
pub(super) async fn links(chain: &Chain<'_>) -> Result<()> {
    let hashes = chain.accepted.iter().map(|accepted| accepted.applied.hash);
    grow(chain.tx, &chain.tip.org_id, None, chain.before.clone(), hashes).await
}

/// Keeps the nodes that these hashes complete, after a history that is there.
pub(super) async fn grow(tx: &Tx, org: &OrgId, ns: Option<&NsId>, before: Frontier, hashes: impl IntoIterator<Item = Hash>) -> Result<()> {
    let mut tree = before.to_tree();
    for hash in hashes {
        tree.push(leaf_hash(&hash.0));
    }
    let rows = tree.changed().map(|((level, index), hash)| history_node::ActiveModel {
        org_id: Set(org.0.to_vec()),
        ns_id: Set(ns.map_or_else(Vec::new, |ns| ns.0.to_vec())),
        level: Set(i16::from(level)),
        idx: Set(column(index)),
        hash: Set(hash.0.to_vec()),
    });
    let rows: Vec<_> = rows.collect();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        history_node::Entity::insert_many(rows.to_vec()).exec_without_returning(tx.db()).await?;
    }
    Ok(())
}

/// Nodes of the tree over a chain's links, or over a manifest's.
pub(crate) async fn nodes(tx: &Tx, org: &OrgId, ns: Option<&NsId>, needed: BTreeSet<(u8, u64)>) -> Result<Vec<((u8, u64), Hash)>> {
    use history_node::Column as C;
    let mut by_level: BTreeMap<u8, Vec<i64>> = BTreeMap::new();
    for (level, index) in needed {
        by_level.entry(level).or_default().push(column(index));
    }
    let mut nodes = Vec::new();
    for (level, indices) in by_level {
        let place = C::OrgId.eq(org.0.to_vec()).and(C::NsId.eq(ns.map_or_else(Vec::new, |ns| ns.0.to_vec())));
        let wanted = C::Level.eq(i16::from(level)).and(C::Idx.is_in(indices));
        for row in history_node::Entity::find().filter(place.and(wanted)).all(tx.db()).await? {
            nodes.push(((level, number(row.idx)), Hash::from_slice(&row.hash)?));
        }
    }
    Ok(nodes)
}

/// Keeps the values that this batch's links change and a checkpoint's state has. Called while the rows still hold what was before the batch.
pub(super) async fn entries(chain: &Chain<'_>) -> Result<()> {
    let mut written: BTreeMap<&Key, (u64, &Entry)> = BTreeMap::new();
    let mut touched: BTreeSet<&Key> = BTreeSet::new();
    let mut rows = Vec::new();
    for accepted in &chain.accepted {
        let (seq, changes) = (accepted.applied.link.seq, &accepted.applied.changes);
        // The newest checkpoint, this link itself included: what was written since is in no checkpoint's state.
        let Some(Some(Entry::Chain(now))) = changes.get(&Key::chain()) else { continue };
        let checkpoint = now.last_checkpoint;
        let hashed: Vec<&Key> = changes.keys().filter(|key| key.is_hashed()).collect();
        let stored: Vec<&Key> = hashed.iter().filter(|key| !touched.contains(**key)).copied().collect();
        keep_stored(chain, &stored, seq, checkpoint).await?;
        for key in &hashed {
            touched.insert(key);
            if let Some((since, entry)) = written.remove(key)
                && since < checkpoint
            {
                rows.push(past_entry::ActiveModel {
                    org_id: Set(chain.tip.org_id.0.to_vec()),
                    key: Set(key.as_bytes().to_vec()),
                    until: Set(column(seq)),
                    since: Set(column(since)),
                    value: Set(entry.to_bytes()),
                });
            }
        }
        written.extend(changes.iter().filter_map(|(key, entry)| Some((key, (seq, entry.as_ref()?)))));
    }
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        past_entry::Entity::insert_many(rows.to_vec()).exec_without_returning(chain.tx.db()).await?;
    }
    Ok(())
}

/// Copies rows that link `until` is about to change, as far as they are older than the newest checkpoint.
async fn keep_stored(chain: &Chain<'_>, keys: &[&Key], until: u64, checkpoint: u64) -> Result<()> {
    use entry::Column as Old;
    use past_entry::Column as Past;
    if checkpoint == 0 {
        return Ok(());
    }
    for keys in keys.chunks(ROWS_PER_STATEMENT) {
        let old = Query::select()
            .columns([Old::OrgId, Old::Key])
            .expr(Expr::value(column(until)))
            .columns([Old::Since, Old::Value])
            .from(entry::Entity)
            .and_where(Expr::col(Old::OrgId).eq(chain.tip.org_id.0.to_vec()))
            .and_where(Expr::col(Old::Key).is_in(keys.iter().map(|key| key.as_bytes().to_vec())))
            .and_where(Expr::col(Old::Since).lt(column(checkpoint)))
            .to_owned();
        let mut keep = Query::insert();
        keep.into_table(past_entry::Entity).columns([Past::OrgId, Past::Key, Past::Until, Past::Since, Past::Value]);
        keep.select_from(old).map_err(crate::Error::internal)?;
        chain.tx.db().execute(&keep).await?;
    }
    Ok(())
}
