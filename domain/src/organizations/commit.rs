//! Committing a change: all of it or nothing, in one transaction.
//!
//! Judged twice by design: the caller's permit says that it may try, the ledger's rules over the signed statements say whether it holds. Every
//! statement's author is the caller; only a join is signed by somebody who is not a member yet, under the invite that admits it.

use super::batch::Batch;
use super::heads::Heads;
use super::links::Chain;
use super::rows::Rows;
use super::{events, manifests, save, save_manifests};
use crate::audit;
use crate::authorize::{Action, Permit};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::requests;
use crate::rotation;
use crate::store::Tx;
use keyvawlt_ledger::chain::{Body, Questions as _, Tip, org_id_of};
use keyvawlt_ledger::merkle::Frontier;
use keyvawlt_ledger::{Code, Fault, Hash, IdentityId, NsId, OrgId};
use keyvawlt_schema::org;
use sea_orm::{EntityTrait, QuerySelect};
use std::collections::{BTreeMap, BTreeSet};

/// Extends an organization.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Which.
    pub org: OrgId,
    /// By what.
    pub batch: Batch,
}

impl Action for Commit {
    fn deeds(&self) -> Vec<Deed> {
        self.batch.deeds()
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
}

/// Creates an organization.
#[derive(Clone, Debug)]
pub struct Create {
    /// Genesis, directory, first environments.
    pub batch: Batch,
}

impl Action for Create {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::CreateOrganization]
    }
    fn org(&self) -> Option<OrgId> {
        None
    }
}

/// Whether this very request was committed before, as far as an answer is kept. Asked before the permit: whoever removed himself, or used
/// up his invite, may ask again all the same.
pub async fn answered(tx: &Tx, caller: &Caller, request: &RequestKey) -> Result<Option<Vec<u8>>> {
    let Some(kept) = requests::answered(tx, &caller.requester(), &request.id, request.rpc).await? else { return Ok(None) };
    match kept.split_first_chunk::<32>() {
        Some((content, answer)) if *content == request.content => Ok(Some(answer.to_vec())),
        _ => Err(Error::invalid("request_id", "it was used for another change")),
    }
}

/// What makes a retry recognizable.
#[derive(Clone, Copy, Debug)]
pub struct RequestKey {
    /// Chosen by the caller.
    pub id: [u8; 16],
    /// Which call.
    pub rpc: &'static str,
    /// SHA-256 of what was sent.
    pub content: [u8; 32],
}

/// Commits a batch to an organization.
pub async fn commit(permit: Permit<'_, Commit>, request: &RequestKey) -> Result<()> {
    let (tx, caller, _, Commit { org: id, batch }) = permit.into_parts();
    check_authors(&caller, &batch)?;
    let (mut chain, head) = locked(tx, id).await?;
    match judge(&mut chain, batch).await {
        Ok(manifests) => {
            save::move_head(tx, &chain, head).await?;
            finish(chain, manifests, &caller, request, &[]).await
        }
        // What moved it may have been this very request, sent twice at once.
        Err(conflict @ Error::Conflict { .. }) => match answered(tx, &caller, request).await? {
            Some(_) => Ok(()),
            None => Err(conflict),
        },
        Err(error) => Err(error),
    }
}

/// An organization's chain as it stands. From here on nobody else writes it. What a permit looked at may have changed before: it is judged anew.
pub(super) async fn locked(tx: &Tx, id: OrgId) -> Result<(Chain<'_>, save::Head)> {
    let row = org::Entity::find_by_id(id.0.to_vec()).lock_exclusive().one(tx.db()).await?.ok_or(Error::Forbidden)?;
    let head = save::Head { seq: row.head_seq, change: row.change };
    let tip = Tip { org_id: id, history: Frontier::from_bytes(&row.history)?, link_hash: Hash::from_slice(&row.head_hash)? };
    let mut rows = Rows::of(id);
    let ts_ms = rows.settle(tx, Rows::chain).await?.map_or(0, |chain| chain.last_ts_ms);
    let before = tip.history.clone();
    let chain = Chain {
        tx,
        rows,
        before,
        tip,
        ts_ms,
        heads: Heads::of(id),
        accepted: vec![],
        wraps: vec![],
        bringing_back: false,
        lost: BTreeSet::new(),
    };
    Ok((chain, head))
}

/// Creates an organization by its first batch; returns its id.
pub async fn create(permit: Permit<'_, Create>, request: &RequestKey) -> Result<OrgId> {
    let (tx, caller, _, Create { batch }) = permit.into_parts();
    check_authors(&caller, &batch)?;
    let (genesis, first) = batch.links.first().ok_or_else(|| Error::invalid("batch.links", "must begin with a genesis"))?;
    if caller.identity() != Some((first.author_id, first.author_key_id)) {
        return Err(Error::invalid("batch.links", "an organization begins with the keys of the calling account"));
    }
    let id = org_id_of(genesis.payload())?;
    let heads = Heads::of(id);
    let (rows, tip) = (Rows::of_new(id), Tip::before_genesis(id));
    let mut chain = Chain {
        tx,
        rows,
        before: tip.history.clone(),
        tip,
        ts_ms: 0,
        heads,
        accepted: vec![],
        wraps: vec![],
        bringing_back: false,
        lost: BTreeSet::new(),
    };
    let manifests = judge(&mut chain, batch).await?;
    if chain.rows.chain().and_then(|chain| chain.directory).is_none() {
        return Err(Error::invalid("batch.links", "an organization begins with its genesis and its directory"));
    }
    save::insert_org(tx, &chain).await?;
    finish(chain, manifests, &caller, request, &id.0).await?;
    Ok(id)
}

async fn judge(chain: &mut Chain<'_>, batch: Batch) -> Result<BTreeMap<NsId, manifests::Manifest>> {
    let Batch { links, manifest_links, wraps, objects } = batch;
    chain.extend(links, wraps).await?;
    manifests::extend(chain, manifest_links, objects, None).await
}

pub(super) async fn finish(
    mut chain: Chain<'_>,
    manifests: BTreeMap<NsId, manifests::Manifest>,
    caller: &Caller,
    request: &RequestKey,
    answer: &[u8],
) -> Result<()> {
    let (tx, id) = (chain.tx, chain.tip.org_id);
    let actor = caller.actor();
    let of_links = chain.accepted.iter().map(|link| events::of_link(&link.applied, &actor, tx.now_ms()));
    let of_manifests = manifests.values().flat_map(|manifest| &manifest.accepted);
    let of_manifests = of_manifests.map(|(_, applied)| events::of_manifest(id, applied, &actor, tx.now_ms()));
    let events = if chain.bringing_back {
        vec![events::of_bringing_back(&chain, &manifests, &actor)]
    } else {
        of_links.chain(of_manifests).collect()
    };
    save::chain(&chain).await?;
    let lost = std::mem::take(&mut chain.lost);
    save_manifests::save(tx, &id, manifests).await?;
    rotation::after_losses(tx, id, lost).await?;
    audit::record_all(tx, events).await?;
    let kept = [&request.content[..], answer].concat();
    requests::keep(tx, &caller.requester(), &request.id, request.rpc, kept).await
}

/// Every statement is the caller's own.
fn check_authors(caller: &Caller, batch: &Batch) -> Result<()> {
    let Caller::Invite { invite_id, .. } = caller else {
        let own = caller.identity().map(|(identity, _)| identity);
        let mut authors = authors(batch);
        return if authors.all(|author| Some(author) == own) { Ok(()) } else { Err(foreign()) };
    };
    let [(_, join)] = &batch.links[..] else { return Err(foreign()) };
    match Body::from_value(join.kind, join.body.clone())? {
        Body::MemberJoin(body) if body.invite_id == *invite_id && batch.manifest_links.is_empty() => Ok(()),
        _ => Err(foreign()),
    }
}

fn authors(batch: &Batch) -> impl Iterator<Item = IdentityId> + '_ {
    let links = batch.links.iter().map(|(_, link)| link.author_id);
    links.chain(batch.manifest_links.iter().map(|(_, link)| link.author_id))
}

fn foreign() -> Error {
    Fault::new(Code::Authority, "a statement of somebody else: callers commit what they signed themselves").into()
}
