//! Writing what was judged: links, state entries, members, bundles and wraps. The head moves only from where the judging began.

use super::links::Chain;
use super::past;
use crate::accounts::{keep_bundle, renew_keys};
use crate::error::{Error, Result, is_duplicate};
use crate::store::{Tx, column};
use keyvawlt_ledger::bundle::{Bundle, key_id};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{Body, Entry, Key, Member, role};
use keyvawlt_ledger::merkle::{Frontier, empty_root};
use keyvawlt_ledger::{IdentityId, NsId, OrgId};
use keyvawlt_schema::{entry, link, member, namespace, org, wrap};
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use std::collections::BTreeMap;

/// Rows of one statement: the widest table has sixteen columns, and SQLite takes 32,766 values.
pub(super) const ROWS_PER_STATEMENT: usize = 1000;

/// Where the chain stood when judging began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) change: i64,
}

/// Moves the head; somebody who moved it since wins.
pub(super) async fn move_head(tx: &Tx, chain: &Chain<'_>, from: Head) -> Result<()> {
    let moved = org::Entity::update_many()
        .col_expr(org::Column::HeadSeq, Expr::value(head_seq(chain)))
        .col_expr(org::Column::HeadHash, Expr::value(chain.tip.link_hash.0.to_vec()))
        .col_expr(org::Column::History, Expr::value(chain.tip.history.to_bytes()))
        .col_expr(org::Column::Change, Expr::value(from.change + 1))
        .filter(org::Column::Id.eq(chain.tip.org_id.0.to_vec()))
        .filter(org::Column::HeadSeq.eq(from.seq).and(org::Column::Change.eq(from.change)))
        .exec(tx.db())
        .await?;
    if moved.rows_affected == 0 { Err(Error::conflict("the organization's chain has moved")) } else { Ok(()) }
}

/// Begins an organization.
pub(super) async fn insert_org(tx: &Tx, chain: &Chain<'_>) -> Result<()> {
    let row = org::ActiveModel {
        id: Set(chain.tip.org_id.0.to_vec()),
        head_seq: Set(head_seq(chain)),
        head_hash: Set(chain.tip.link_hash.0.to_vec()),
        history: Set(chain.tip.history.to_bytes()),
        change: Set(1),
        created_at: Set(column(tx.now_ms())),
        has_past: Set(true),
    };
    match org::Entity::insert(row).exec_without_returning(tx.db()).await {
        Err(error) if is_duplicate(&error) => Err(Error::conflict("this organization exists already")),
        outcome => Ok(outcome.map(drop)?),
    }
}

/// Writes everything the chain's links changed.
pub(super) async fn chain(chain: &Chain<'_>) -> Result<()> {
    let (tx, org) = (chain.tx, &chain.tip.org_id);
    let links = chain.accepted.iter().map(|accepted| {
        let link = &accepted.applied.link;
        link::ActiveModel {
            org_id: Set(org.0.to_vec()),
            seq: Set(column(link.seq)),
            kind: Set(i16::from(link.kind)),
            ts_ms: Set(column(link.ts_ms)),
            payload: Set(accepted.signed.payload().to_vec()),
            sig: Set(accepted.signed.sig.to_vec()),
            hash: Set(accepted.applied.hash.0.to_vec()),
        }
    });
    let links: Vec<_> = links.collect();
    for rows in links.chunks(ROWS_PER_STATEMENT) {
        link::Entity::insert_many(rows.to_vec()).exec_without_returning(tx.db()).await?;
    }
    past::links(chain).await?;
    past::entries(chain).await?;
    entries(chain).await?;
    for accepted in &chain.accepted {
        effects(tx, org, &accepted.applied).await?;
    }
    wraps(chain).await
}

fn head_seq(chain: &Chain<'_>) -> i64 {
    column(chain.tip.next_seq().saturating_sub(1))
}

async fn entries(chain: &Chain<'_>) -> Result<()> {
    let (tx, org) = (chain.tx, &chain.tip.org_id);
    let (mut written, mut removed) = (Vec::new(), Vec::new());
    let mut since = BTreeMap::new();
    for accepted in &chain.accepted {
        since.extend(accepted.applied.changes.keys().map(|key| (key, accepted.applied.link.seq)));
    }
    for (key, entry) in chain.rows.changes() {
        match entry {
            None => removed.push(key.as_bytes().to_vec()),
            Some(entry) => written.push(entry::ActiveModel {
                org_id: Set(org.0.to_vec()),
                key: Set(key.as_bytes().to_vec()),
                value: Set(entry.to_bytes()),
                since: Set(column(since.get(key).copied().unwrap_or_default())),
            }),
        }
        if let (true, Some(Entry::Member(member))) = (key.as_bytes().starts_with(b"member/"), entry) {
            index_member(tx, org, key, member).await?;
        }
    }
    let newest = || {
        OnConflict::columns([entry::Column::OrgId, entry::Column::Key])
            .update_columns([entry::Column::Value, entry::Column::Since])
            .to_owned()
    };
    for rows in written.chunks(ROWS_PER_STATEMENT) {
        entry::Entity::insert_many(rows.to_vec()).on_conflict(newest()).exec_without_returning(tx.db()).await?;
    }
    for keys in removed.chunks(ROWS_PER_STATEMENT) {
        let gone = entry::Column::OrgId.eq(org.0.to_vec()).and(entry::Column::Key.is_in(keys.iter().cloned()));
        entry::Entity::delete_many().filter(gone).exec(tx.db()).await?;
    }
    Ok(())
}

/// Keeps the index by which an identity's organizations are found.
async fn index_member(tx: &Tx, org: &OrgId, key: &Key, entry: &Member) -> Result<()> {
    let Some(identity) = key.last_id() else { return Ok(()) };
    if entry.role == role::REMOVED {
        member::Entity::delete_by_id((org.0.to_vec(), identity.to_vec())).exec(tx.db()).await?;
        return Ok(());
    }
    let row = member::ActiveModel {
        org_id: Set(org.0.to_vec()),
        identity_id: Set(identity.to_vec()),
        role: Set(i16::from(entry.role)),
        key_id: Set(entry.key_id.0.to_vec()),
        own: Set(false),
        expires_ms: Set((entry.expires_ms != 0).then(|| column(entry.expires_ms))),
    };
    let newest = OnConflict::columns([member::Column::OrgId, member::Column::IdentityId])
        .update_columns([member::Column::Role, member::Column::KeyId, member::Column::ExpiresMs])
        .to_owned();
    member::Entity::insert(row).on_conflict(newest).exec_without_returning(tx.db()).await?;
    Ok(())
}

/// What a link means beyond its entries.
async fn effects(tx: &Tx, org: &OrgId, applied: &keyvawlt_ledger::chain::Applied) -> Result<()> {
    let mut own = None;
    if let Some(signed) = applied.body.bundle() {
        let (bundle, id) = Bundle::verify(signed)?;
        let is_new = keep_bundle(tx, signed, &bundle, &id).await?;
        let signed_itself = matches!(applied.body, Body::Genesis(_) | Body::MemberJoin(_));
        own = (is_new || signed_itself).then_some(bundle.identity_id);
    }
    if let Some(identity) = own {
        note_own(tx, org, &identity).await?;
    }
    match &applied.body {
        // The account goes on under the new keys.
        Body::KeyRotate(body) => renew_keys(tx, &applied.link.author_id, &applied.link.author_key_id, &key_id(body.bundle.payload())).await,
        Body::NamespaceCreate(body) => {
            let row = namespace::ActiveModel {
                org_id: Set(org.0.to_vec()),
                ns_id: Set(body.ns_id.0.to_vec()),
                mseq: Set(0),
                mhash: Set(applied.hash.0.to_vec()),
                history: Set(keyvawlt_ledger::manifest::ManifestTip::before_first(*org, body.ns_id, applied.hash).history.to_bytes()),
                anchor_seq: Set(0),
                anchor_hash: Set(vec![]),
                ts_ms: Set(0),
                epoch: Set(0),
                root: Set(empty_root().0.to_vec()),
                count: Set(0),
                live: Set(0),
                author_id: Set(vec![]),
            };
            namespace::Entity::insert(row).exec_without_returning(tx.db()).await?;
            past::grow(tx, org, Some(&body.ns_id), Frontier::default(), [applied.hash]).await
        }
        // Older keys are sealed under the new one; whoever reads it needs no other wrap.
        Body::NamespaceEpoch(body) => {
            let place = wrap::Column::OrgId.eq(org.0.to_vec()).and(wrap::Column::NsId.eq(body.ns_id.0.to_vec()));
            wrap::Entity::delete_many().filter(place.and(wrap::Column::Epoch.lt(column(body.epoch)))).exec(tx.db()).await?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The member belongs here by what it did itself.
async fn note_own(tx: &Tx, org: &OrgId, identity: &IdentityId) -> Result<()> {
    member::Entity::update_many()
        .col_expr(member::Column::Own, Expr::value(true))
        .filter(member::Column::OrgId.eq(org.0.to_vec()).and(member::Column::IdentityId.eq(identity.0.to_vec())))
        .exec(tx.db())
        .await?;
    Ok(())
}

async fn wraps(chain: &Chain<'_>) -> Result<()> {
    // An epoch of the same batch has made earlier wraps worthless.
    let mut newest: BTreeMap<NsId, u64> = BTreeMap::new();
    for placed in &chain.wraps {
        let epoch = newest.entry(placed.wrap.ns_id).or_default();
        *epoch = std::cmp::max(placed.wrap.epoch, *epoch);
    }
    let in_force = chain.wraps.iter().filter(|placed| newest.get(&placed.wrap.ns_id) == Some(&placed.wrap.epoch));
    let rows = in_force.map(|placed| wrap::ActiveModel {
        org_id: Set(chain.tip.org_id.0.to_vec()),
        ns_id: Set(placed.wrap.ns_id.0.to_vec()),
        epoch: Set(column(placed.wrap.epoch)),
        recipient_id: Set(placed.wrap.recipient_id.0.to_vec()),
        seq: Set(column(placed.seq)),
        position: Set(column(placed.position)),
        count: Set(column(placed.count)),
        in_root: Set(placed.in_root),
        record: Set(placed.wrap.to_bytes()),
        hash: Set(placed.wrap.hash().0.to_vec()),
    });
    let rows: Vec<_> = rows.collect();
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        wrap::Entity::insert_many(rows.to_vec()).exec_without_returning(chain.tx.db()).await?;
    }
    Ok(())
}
