//! Bringing back what a backup lacks: statements that this server had accepted before it was restored, from members who still hold them.
//!
//! Each is judged by the ledger's rules as every client judges it, on the state it was anchored in. What only says how things stood when it was
//! first committed is not asked again: who sends it, how long ago it was signed, which heads were the newest. A wrap or a replaced version that
//! nobody holds any more stays lost.

use super::batch::Batch;
use super::commit::{RequestKey, finish, locked};
use super::links::Accepted;
use super::manifests::{self, Manifest};
use super::objects::Objects;
use super::{links::Chain, read_links, save};
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::Tx;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::Replica;
use keyvawlt_ledger::manifest::{Anchored, ManifestLink, ObjectKind, object_hash, verify};
use keyvawlt_ledger::{Code, Fault, OrgId, Signed};

/// Links of one look into the store.
const PAGE_BYTES: usize = 2 << 20;

/// Brings back a part of an organization's history.
#[derive(Clone, Debug)]
pub struct BringBack {
    /// Which organization.
    pub org: OrgId,
    /// What it lacks.
    pub batch: Batch,
}

impl Action for BringBack {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::BringBack]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
}

/// Takes back statements that continue what is there.
pub async fn bring_back(permit: Permit<'_, BringBack>, request: &RequestKey) -> Result<()> {
    let (tx, caller, _, BringBack { org, batch }) = permit.into_parts();
    let (mut chain, head) = locked(tx, org).await?;
    chain.bringing_back = true;
    let Batch { links, manifest_links, wraps, objects } = batch;
    chain.extend(links, wraps).await?;
    let past = replica(tx, org, &chain.accepted).await?;
    let manifests = manifests::extend(&mut chain, manifest_links, objects, Some(&past)).await?;
    save::move_head(tx, &chain, head).await?;
    finish(chain, manifests, &caller, request, &[]).await
}

/// The whole chain, with the state after each link: manifest links are anchored in any of them.
async fn replica(tx: &Tx, org: OrgId, accepted: &[Accepted]) -> Result<Replica> {
    let mut replica = Replica::new(org);
    loop {
        let page = read_links(tx, &org, replica.tip().next_seq(), PAGE_BYTES).await?;
        for (payload, signature) in &page.statements {
            replica.append(&Signed::from_parts(payload, signature)?, tx.now_ms())?;
        }
        // Judging computes: others get their turn, and the call's deadline its say.
        tokio::task::yield_now().await;
        if !page.more {
            break;
        }
    }
    for link in accepted {
        replica.append(&link.signed, tx.now_ms())?;
    }
    Ok(replica)
}

/// Judges a manifest link as a client does who takes it in.
pub(super) fn append(chain: &mut Chain<'_>, manifest: &mut Manifest, signed: &Signed, past: &Replica, objects: &mut Objects) -> Result<()> {
    let link = ManifestLink::from_bytes(signed.payload())?;
    let unknown = || Fault::new(Code::Rollback, "a write is anchored in a link that is not back yet");
    let (link_hash, ts_ms) = past.link(link.anchor.seq).ok_or_else(unknown)?;
    let state = past.at(link.anchor.seq).ok_or_else(unknown)?;
    let anchored = Anchored { state: &state, link_hash, ts_ms, fences: past.fences(&link.ns_id) };
    let mut tree = manifest.tree.clone();
    let applied = verify(&anchored, &manifest.tip, &*manifest, &mut tree, signed, chain.tx.now_ms())?;
    chain.heads.moved(link.ns_id, applied.tip.mseq, applied.hash);
    for leaf in &applied.link.ops {
        let brought = objects.take_held(&link.ns_id, leaf, manifest.secrets.get(&leaf.secret_id).map(|before| &before.leaf));
        manifest.put(leaf, brought)?;
    }
    manifest.accept(signed.clone(), applied, tree);
    Ok(())
}

/// Of every secret that was written, the newest version came whole.
pub(super) fn check_whole(manifest: &Manifest) -> Result<()> {
    for secret in manifest.secrets.values().filter(|secret| secret.written) {
        let leaf = &secret.leaf;
        let named = object_hash(ObjectKind::Name, &secret.name) == leaf.name_hash
            && object_hash(ObjectKind::Facts, &secret.facts) == leaf.facts_hash;
        let version = (leaf.secret_id, leaf.version);
        let came = || manifest.versions.iter().any(|new| (new.leaf.secret_id, new.leaf.version) == version);
        let valued = leaf.is_deleted() || manifest.kept.contains(&version) || came();
        if !named || !valued {
            return Err(Error::from(Fault::new(
                Code::Root,
                format!("an object of the newest version of secret {} is missing", leaf.secret_id),
            )));
        }
    }
    Ok(())
}
