//! Writing what was judged: heads, manifest links, leaves, versions and tree nodes, and waking whoever watches expiries.

use super::manifests::{Manifest, Secret};
use super::past;
use super::save::ROWS_PER_STATEMENT;
use crate::error::Result;
use crate::notices;
use crate::rotation::{self, Written};
use crate::store::{Tx, column};
use keyvawlt_ledger::{NsId, OrgId, facts};
use keyvawlt_schema::{manifest_link, namespace, secret, tree_node, version};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use std::collections::BTreeMap;

/// Versions of one statement: each may be 96 KiB.
const VERSIONS_PER_STATEMENT: usize = 64;

/// Writes the manifests a batch extended.
pub(super) async fn save(tx: &Tx, org: &OrgId, manifests: BTreeMap<NsId, Manifest>) -> Result<()> {
    let ends =
        manifests.values().flat_map(|manifest| manifest.secrets.values()).any(|secret| secret.written && secret.expires_ms.is_some());
    let thresholds = if ends { notices::thresholds(tx, org).await? } else { Vec::new() };
    for (ns, manifest) in manifests {
        head(tx, org, &ns, &manifest).await?;
        links(tx, org, &ns, &manifest).await?;
        nodes(tx, org, &ns, &manifest).await?;
        let written: Vec<&Secret> = manifest.secrets.values().filter(|secret| secret.written).collect();
        let moments = secrets(tx, org, &ns, &written, &thresholds).await?;
        let to_rotate = to_rotate(&manifest)?;
        versions(tx, org, &ns, manifest).await?;
        rotation::after_write(tx, org, &ns, &to_rotate).await?;
        notices::after_write(tx, *org, ns, moments).await?;
    }
    Ok(())
}

/// What says when secrets are to be replaced.
fn to_rotate(manifest: &Manifest) -> Result<Vec<Written>> {
    let times: BTreeMap<u64, u64> = manifest.accepted.iter().map(|(_, applied)| (applied.link.mseq, applied.link.ts_ms)).collect();
    // A leaf names the newest link that wrote it; a version of this batch, the link that brought it.
    let new = manifest.versions.iter().map(|version| ((version.leaf.secret_id, version.leaf.version), version.leaf.mseq));
    let new: BTreeMap<_, _> = new.collect();
    let written = manifest.secrets.values().filter(|secret| secret.written).map(|secret| {
        let (id, version) = (secret.leaf.secret_id, secret.leaf.version);
        let facts = facts::read(&secret.facts)?;
        Ok(Written {
            secret: id,
            version,
            live: !secret.leaf.is_deleted() && !secret.leaf.is_draft(),
            every_ms: facts.as_ref().and_then(|facts| facts.rotate_every_ms),
            watched: facts.is_some_and(|facts| facts.monitor.is_some()),
            written_ms: new.get(&(id, version)).and_then(|mseq| times.get(mseq)).copied(),
        })
    });
    written.collect()
}

async fn head(tx: &Tx, org: &OrgId, ns: &NsId, manifest: &Manifest) -> Result<()> {
    let tip = &manifest.tip;
    let Some((_, newest)) = manifest.accepted.last() else { return Ok(()) };
    namespace::Entity::update_many()
        .col_expr(namespace::Column::Mseq, Expr::value(column(tip.mseq)))
        .col_expr(namespace::Column::Mhash, Expr::value(tip.mhash.0.to_vec()))
        .col_expr(namespace::Column::History, Expr::value(tip.history.to_bytes()))
        .col_expr(namespace::Column::AnchorSeq, Expr::value(column(tip.anchor_seq)))
        .col_expr(namespace::Column::AnchorHash, Expr::value(newest.link.anchor.link_hash.0.to_vec()))
        .col_expr(namespace::Column::TsMs, Expr::value(column(tip.ts_ms)))
        .col_expr(namespace::Column::Epoch, Expr::value(column(newest.link.epoch)))
        .col_expr(namespace::Column::Root, Expr::value(newest.link.root.0.to_vec()))
        .col_expr(namespace::Column::Count, Expr::value(column(tip.count)))
        .col_expr(namespace::Column::Live, Expr::value(column(tip.live)))
        .col_expr(namespace::Column::AuthorId, Expr::value(newest.link.author_id.0.to_vec()))
        .filter(namespace::Column::OrgId.eq(org.0.to_vec()).and(namespace::Column::NsId.eq(ns.0.to_vec())))
        .exec(tx.db())
        .await?;
    Ok(())
}

async fn links(tx: &Tx, org: &OrgId, ns: &NsId, manifest: &Manifest) -> Result<()> {
    let rows = manifest.accepted.iter().map(|(signed, applied)| manifest_link::ActiveModel {
        org_id: Set(org.0.to_vec()),
        ns_id: Set(ns.0.to_vec()),
        mseq: Set(column(applied.link.mseq)),
        payload: Set(signed.payload().to_vec()),
        sig: Set(signed.sig.to_vec()),
        hash: Set(applied.hash.0.to_vec()),
        anchor_seq: Set(column(applied.link.anchor.seq)),
        ts_ms: Set(column(applied.link.ts_ms)),
    });
    let rows: Vec<_> = rows.collect();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        manifest_link::Entity::insert_many(rows.to_vec()).exec_without_returning(tx.db()).await?;
    }
    past::grow(tx, org, Some(ns), manifest.before.clone(), manifest.accepted.iter().map(|(_, applied)| applied.hash)).await
}

async fn nodes(tx: &Tx, org: &OrgId, ns: &NsId, manifest: &Manifest) -> Result<()> {
    let rows = manifest.tree.changed().map(|((level, index), hash)| tree_node::ActiveModel {
        org_id: Set(org.0.to_vec()),
        ns_id: Set(ns.0.to_vec()),
        level: Set(i16::from(level)),
        idx: Set(column(index)),
        hash: Set(hash.0.to_vec()),
    });
    let rows: Vec<_> = rows.collect();
    let key = [tree_node::Column::OrgId, tree_node::Column::NsId, tree_node::Column::Level, tree_node::Column::Idx];
    let newest = || OnConflict::columns(key).update_column(tree_node::Column::Hash).to_owned();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        tree_node::Entity::insert_many(rows.to_vec()).on_conflict(newest()).exec_without_returning(tx.db()).await?;
    }
    Ok(())
}

/// Says when those that end are to be spoken of first.
async fn secrets(tx: &Tx, org: &OrgId, ns: &NsId, written: &[&Secret], thresholds: &[u16]) -> Result<Vec<u64>> {
    use secret::Column as C;
    let moment = |secret: &Secret| notices::first_moment(thresholds, secret.leaf.flags, secret.expires_ms, tx.now_ms());
    let rows = written.iter().map(|secret| secret::ActiveModel {
        org_id: Set(org.0.to_vec()),
        ns_id: Set(ns.0.to_vec()),
        secret_id: Set(secret.leaf.secret_id.0.to_vec()),
        idx: Set(column(secret.leaf.index)),
        version: Set(column(secret.leaf.version)),
        epoch: Set(column(secret.leaf.epoch)),
        flags: Set(i64::from(secret.leaf.flags)),
        mseq: Set(column(secret.leaf.mseq)),
        payload_hash: Set(secret.leaf.payload_hash.0.to_vec()),
        dek_hash: Set(secret.leaf.dek_hash.0.to_vec()),
        name_hash: Set(secret.leaf.name_hash.0.to_vec()),
        facts_hash: Set(secret.leaf.facts_hash.0.to_vec()),
        name: Set(secret.name.clone()),
        facts: Set(secret.facts.clone()),
        expires_at: Set(secret.expires_ms.map(column)),
        remind_at: Set(moment(secret).map(column)),
        written_at: Set(column(tx.now_ms())),
    });
    let rows: Vec<_> = rows.collect();
    let newest = || {
        OnConflict::columns([C::OrgId, C::NsId, C::SecretId])
            .update_columns([
                C::Version,
                C::Epoch,
                C::Flags,
                C::Mseq,
                C::PayloadHash,
                C::DekHash,
                C::NameHash,
                C::FactsHash,
                C::Name,
                C::Facts,
                C::ExpiresAt,
                C::RemindAt,
                C::WrittenAt,
            ])
            .to_owned()
    };
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        secret::Entity::insert_many(rows.to_vec()).on_conflict(newest()).exec_without_returning(tx.db()).await?;
    }
    Ok(written.iter().filter_map(|secret| moment(secret)).collect())
}

async fn versions(tx: &Tx, org: &OrgId, ns: &NsId, manifest: Manifest) -> Result<()> {
    let rows = manifest.versions.into_iter().map(|new| version::ActiveModel {
        org_id: Set(org.0.to_vec()),
        ns_id: Set(ns.0.to_vec()),
        secret_id: Set(new.leaf.secret_id.0.to_vec()),
        version: Set(column(new.leaf.version)),
        epoch: Set(column(new.leaf.epoch)),
        mseq: Set(column(new.leaf.mseq)),
        payload: Set(new.payload),
        dek: Set(new.dek),
    });
    let mut rows = rows.peekable();
    while rows.peek().is_some() {
        let chunk: Vec<_> = rows.by_ref().take(VERSIONS_PER_STATEMENT).collect();
        version::Entity::insert_many(chunk).exec_without_returning(tx.db()).await?;
    }
    Ok(())
}
