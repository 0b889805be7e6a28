//! Making a change: links and manifest links are signed on a copy of the verified state, judged there by the same rules the server will apply,
//! and sent as one batch. When somebody else was first, the change is made again from the new state.

use crate::error::{Error, Result};
use crate::memory::spaces::head_of;
use crate::organization::fences::{ForeignHeads, Loss};
use crate::random::{self, rng};
use crate::sync::space::{Space, Stop, unverified};
use crate::sync::statements;
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_crypto::{Identity, Key, nk, wraps};
use keyvawlt_ledger::bundle::Bundle;
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::chain::{Body, Checkpoint, Head, Link, NamespaceEpoch, Questions, Replica, Seal, View, WrapSet, permission};
use keyvawlt_ledger::limits::{CHECKPOINT_INTERVAL, MAX_BATCH, MAX_HOLDERS, MAX_LINK, MAX_SEEN};
use keyvawlt_ledger::manifest::{Anchor, Leaf, ManifestLink, ManifestTip, ObjectKind, object_hash};
use keyvawlt_ledger::wrap::{self, Wrap};
use keyvawlt_ledger::{Code, Domain, FORMAT, Fault, Hash, IdentityId, KeyId, NsId, SecretId, Signed};
use keyvawlt_proto::v1;
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How often a change is made anew because somebody else was first. A removal loses to every write that comes while it is made: many short
/// tries win where a few long pauses do not.
const REBASES: u32 = 32;
/// The first pause before that is random below this; each further one below twice the last, up to [`LONGEST_PAUSE_MS`].
const FIRST_PAUSE_MS: u64 = 100;
/// Longer, and a change that never gets through would not be told within half a minute.
const LONGEST_PAUSE_MS: u64 = 800;

/// A wrap in a batch: X-Wing's ciphertext is 1,120 bytes, identifiers, hashes and framing under 300.
const WRAP_BYTES: usize = 1_440;
/// What a batch holds besides wraps of new keys: a removal's fences take up to 1 MiB, sealed keys and signatures the rest.
const ROOM_BESIDE_WRAPS: usize = 3 * 1024 * 1024;

/// A change in the making.
pub(crate) struct Change<'v> {
    pub(crate) vault: &'v Vault,
    pub(crate) replica: Replica,
    pub(crate) spaces: BTreeMap<NsId, Arc<Space>>,
    pub(crate) foreign: ForeignHeads,
    /// Who signs: the vault's identity, until the change itself replaces its keys.
    identity: Arc<Identity>,
    wraps: BTreeMap<NsId, Wrap>,
    links: Vec<Signed>,
    manifest_links: Vec<Signed>,
    records: Vec<Wrap>,
    objects: Vec<v1::SecretObject>,
    /// Keys drawn for this change; they are held only once it is committed.
    made: BTreeMap<(NsId, u64), Key>,
    /// A namespace whose head the links vouch for before others.
    vouched: Option<NsId>,
    /// Members' keys that the state names and this client does not have: it started at a checkpoint.
    lacking: RefCell<BTreeSet<KeyId>>,
}

/// What a finished change sends and becomes.
pub(crate) struct Staged {
    identity: Arc<Identity>,
    replica: Replica,
    spaces: BTreeMap<NsId, Arc<Space>>,
    wraps: BTreeMap<NsId, Wrap>,
    made: BTreeMap<(NsId, u64), Key>,
    batch: v1::Batch,
}

/// An object to send with a leaf.
pub(crate) struct NewObject {
    pub(crate) secret_id: SecretId,
    pub(crate) version: u64,
    pub(crate) kind: ObjectKind,
    pub(crate) data: Vec<u8>,
}

impl Vault {
    /// Makes a change and commits it; makes it again, from what is then true, when somebody else was first.
    pub(crate) async fn change<T>(&mut self, make: impl FnMut(&mut Change) -> Result<T>) -> Result<T> {
        self.change_taking(None, make).await
    }

    /// The same for a change that takes something from somebody: it knows the heads that its fences name.
    pub(crate) async fn change_taking<T>(
        &mut self,
        losses: impl IntoIterator<Item = Loss>,
        mut make: impl FnMut(&mut Change) -> Result<T>,
    ) -> Result<T> {
        let losses: Vec<Loss> = losses.into_iter().collect();
        let mut tries = 0;
        loop {
            match self.attempt(&losses, &mut make).await {
                Err(Error::Conflict { why }) if tries < REBASES => {
                    let pause = LONGEST_PAUSE_MS.min(FIRST_PAUSE_MS << tries);
                    tries += 1;
                    tracing::debug!(tries, why, "somebody else was first");
                    tokio::time::sleep(std::time::Duration::from_millis(random::below(pause))).await;
                }
                Err(error) => return Err(error),
                Ok(outcome) => return outcome,
            }
        }
    }

    /// One try. The inner outcome is what making it says, which no repetition changes.
    async fn attempt<T>(&mut self, losses: &[Loss], make: &mut impl FnMut(&mut Change) -> Result<T>) -> Result<Result<T>> {
        loop {
            let mut change = self.begin(losses).await?;
            let made = make(&mut change);
            let lacking = change.lacking.take();
            if lacking.is_empty() {
                let made = match made {
                    Ok(made) => made,
                    Err(refused) => return Ok(Err(refused)),
                };
                change.heartbeats()?;
                let staged = change.finish();
                return self.commit(staged).await.map(|()| Ok(made));
            }
            // Whatever came of it: it is made anew with the keys.
            self.fetch_bundles(&lacking).await?;
        }
    }

    /// The keys that the state names by their hash.
    async fn fetch_bundles(&mut self, lacking: &BTreeSet<KeyId>) -> Result<()> {
        let keys: Vec<Bytes> = lacking.iter().map(|key_id| Bytes::copy_from_slice(&key_id.0)).collect();
        for keys in keys.chunks(MAX_HOLDERS) {
            let request = v1::ReadBundlesRequest { org_id: Bytes::copy_from_slice(&self.org_id.0), key_ids: keys.to_vec() };
            let answer = self.session.call(async |client, token| rpc::read_bundles(client, Some(token), request.clone()).await).await?;
            for bundle in &answer.bundles {
                let signed = Signed::from_parts(&bundle.payload, &bundle.signature).map_err(unverified)?;
                self.replica.take_bundle(&signed).map_err(unverified)?;
            }
        }
        if lacking.iter().any(|key_id| self.replica.bundle(key_id).is_none()) {
            return Err(unverified(Fault::new(Code::KeySubst, "the server withholds the keys that the chain names for a member")));
        }
        Ok(())
    }

    /// Makes a change as it would be made now, and throws it away. Also says how many bytes it would send.
    pub(crate) async fn rehearse<T>(&mut self, losses: Vec<Loss>, mut make: impl FnMut(&mut Change) -> Result<T>) -> Result<(T, usize)> {
        loop {
            let mut change = self.begin(&losses).await?;
            let made = make(&mut change);
            let lacking = change.lacking.take();
            if lacking.is_empty() {
                return Ok((made?, size(&change.finish().take_batch())));
            }
            self.fetch_bundles(&lacking).await?;
        }
    }

    async fn begin(&mut self, losses: &[Loss]) -> Result<Change<'_>> {
        self.take_news().await?;
        let mut foreign = ForeignHeads::new();
        for loss in losses {
            foreign.extend(self.foreign_heads(loss).await?);
        }
        let mut change = Change::on(self);
        change.foreign = foreign;
        change.checkpoint_when_due()?;
        Ok(change)
    }

    async fn commit(&mut self, mut staged: Staged) -> Result<()> {
        if staged.batch.links.is_empty() && staged.batch.manifest_links.is_empty() {
            return Ok(());
        }
        self.check_writable()?;
        let links = !staged.batch.links.is_empty();
        let request = v1::CommitRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            request_id: Bytes::copy_from_slice(&random::bytes::<16>()),
            batch: Some(staged.take_batch()),
            bring_back: false,
        };
        self.session.call(async |client, token| rpc::commit(client, Some(token), request.clone()).await).await?;
        self.adopt(staged)?;
        self.note(request.batch.iter());
        // Only links move what other devices start from: they are rare, where writes are not.
        if links {
            Box::pin(self.roam()).await;
        }
        Ok(())
    }

    /// Holds what the server has acknowledged, as everything that was seen is held: it cannot be taken back.
    pub(crate) fn adopt(&mut self, staged: Staged) -> Result<()> {
        (self.replica, self.wraps) = (staged.replica, staged.wraps);
        self.identity = staged.identity;
        staged.spaces.into_values().for_each(|space| self.spaces.insert(space));
        for space in self.empty_spaces(&self.replica, &self.spaces)? {
            self.spaces.insert(space);
        }
        for ((ns, epoch), key) in &staged.made {
            self.keyring.keep(ns, *epoch, key);
        }
        self.save()
    }
}

impl<'v> Change<'v> {
    pub(crate) fn on(vault: &'v Vault) -> Self {
        Self {
            vault,
            replica: vault.replica.clone(),
            spaces: BTreeMap::new(),
            foreign: ForeignHeads::new(),
            identity: Arc::clone(&vault.identity),
            wraps: vault.wraps.clone(),
            links: vec![],
            manifest_links: vec![],
            records: vec![],
            objects: vec![],
            made: BTreeMap::new(),
            vouched: None,
            lacking: RefCell::default(),
        }
    }

    /// Has the next links vouch for the head of this namespace, however many others there are.
    pub(crate) fn vouch_for(&mut self, ns_id: &NsId) {
        self.vouched = Some(*ns_id);
    }

    pub(crate) fn vault(&self) -> &'v Vault {
        self.vault
    }

    /// The time of the next statement: now, but never before the last; within skew of the server that is what it accepts.
    pub(crate) fn ts_ms(&self) -> u64 {
        let last = self.replica.head().chain().map_or(0, |chain| chain.last_ts_ms);
        self.vault.now_ms().max(last)
    }

    /// Signs an organization link with the wraps it carries.
    pub(crate) fn link(&mut self, body: &Body, wraps: Vec<Wrap>) -> Result<Hash> {
        let tip = self.replica.tip();
        let mut link = Link {
            v: FORMAT,
            org_id: tip.org_id,
            seq: tip.next_seq(),
            history: tip.history.root(),
            kind: body.kind(),
            author_id: self.identity.id(),
            author_key_id: self.identity.key_id(),
            ts_ms: self.ts_ms(),
            body: body.to_value(),
            seen: self.unvouched(),
        };
        // A link that is full vouches for nothing.
        if body.fences().is_empty() && link.to_bytes().len() > MAX_LINK {
            link.seen.clear();
        }
        let signed = self.identity.sign(Domain::OrgLink, link.to_bytes());
        self.push_link(signed, wraps)
    }

    /// The committed manifest heads held that go beyond what the chain names: the furthest beyond first.
    fn unvouched(&self) -> Vec<Head> {
        let state = self.replica.head();
        let beyond = |tip: &ManifestTip| {
            let ns = state.ns(&tip.ns_id)?;
            let fenced = ns.fence.map_or(0, |fence| fence.mseq);
            let named = ns.seen.map_or(0, |seen| seen.mseq).max(fenced);
            tip.mseq.checked_sub(named).filter(|beyond| *beyond > 0)
        };
        let mut heads: Vec<(u64, Head)> = self.vault.spaces.tips().filter_map(|tip| Some((beyond(tip)?, head_of(tip)))).collect();
        heads.sort_by_key(|(beyond, head)| (self.vouched != Some(head.ns_id), Reverse(*beyond)));
        heads.into_iter().map(|(_, head)| head).take(MAX_SEEN).collect()
    }

    /// Takes in a signed link, judged as everybody will judge it.
    pub(crate) fn push_link(&mut self, signed: Signed, wraps: Vec<Wrap>) -> Result<Hash> {
        let applied = self.replica.append(&signed, self.vault.now_ms()).map_err(Error::Refused)?;
        self.links.push(signed);
        self.records.extend(wraps);
        Ok(applied.hash)
    }

    /// Signs a manifest link that writes leaves, anchored in the newest link of this change.
    pub(crate) fn write(&mut self, ns_id: NsId, ops: Vec<Leaf>, objects: Vec<NewObject>, with: Vec<Head>) -> Result<()> {
        let ns = self.replica.head().known_ns(&ns_id).map_err(Error::Refused)?;
        let anchor_seq = self.replica.tip().next_seq().saturating_sub(1);
        let anchor = Anchor { seq: anchor_seq, link_hash: self.replica.tip().link_hash };
        let ts_ms = self.ts_ms().max(self.space(&ns_id)?.tip.ts_ms);
        let space = self.space(&ns_id)?;
        let (root, count) = space.root_with(&ops).map_err(Error::Refused)?;
        let link = ManifestLink {
            v: FORMAT,
            org_id: space.tip.org_id,
            ns_id,
            mseq: space.tip.mseq + 1,
            history: space.tip.history.root(),
            author_id: self.identity.id(),
            author_key_id: self.identity.key_id(),
            ts_ms,
            anchor,
            epoch: ns.epoch,
            ops,
            root,
            count,
            with,
        };
        let signed = self.identity.sign(Domain::Manifest, link.to_bytes());
        let now = self.vault.now_ms();
        let mut space = Space::clone(self.space(&ns_id)?);
        // What a leaf named before, the server holds.
        let held = |object: &NewObject| {
            space.leaf(&object.secret_id).is_some_and(|leaf| leaf.hash_of(object.kind) == object_hash(object.kind, &object.data))
        };
        let objects: Vec<NewObject> = objects.into_iter().filter(|object| !held(object)).collect();
        space.append(&self.replica, &signed, now).map_err(|stop| match stop {
            Stop::Failed(error) => error,
            Stop::Fault(fault) => Error::Refused(fault),
            Stop::Replay => Error::Refused(Fault::new(Code::Rollback, "the namespace's anchor is not known here")),
        })?;
        for object in &objects {
            space.put_object(object.secret_id, object.kind, object.data.clone()).map_err(Error::Refused)?;
        }
        space.check_complete().map_err(unverified)?;
        self.spaces.insert(ns_id, Arc::new(space));
        self.manifest_links.push(signed);
        self.objects.extend(objects.into_iter().map(|object| wire_object(ns_id, object)));
        Ok(())
    }

    /// The namespace as this change has it so far.
    pub(crate) fn space(&mut self, ns_id: &NsId) -> Result<&Space> {
        if !self.spaces.contains_key(ns_id) {
            let space = match self.vault.spaces.get(ns_id)? {
                Some(space) => Arc::clone(space),
                None => {
                    let ns = self.replica.head().known_ns(ns_id).map_err(Error::Refused)?;
                    Arc::new(Space::new(self.replica.tip().org_id, *ns_id, ns.create_hash))
                }
            };
            self.spaces.insert(*ns_id, space);
        }
        self.spaces.get(ns_id).map(Arc::as_ref).ok_or_else(|| Error::not_found("namespace", ns_id.to_string()))
    }

    /// Where a namespace's manifest stands in this change, if it is held.
    pub(crate) fn manifest_tip(&self, ns_id: &NsId) -> Option<&ManifestTip> {
        self.spaces.get(ns_id).map(|space| &space.tip).or_else(|| self.vault.spaces.tip(ns_id))
    }

    /// Wraps a namespace's current key for a member, by the bundle the chain names.
    pub(crate) fn wrap_for(&self, ns_id: &NsId, epoch: u64, key: &Key, id: &IdentityId) -> Result<Wrap> {
        let member = self.replica.head().member(id).ok_or_else(|| Error::not_found("member", id.to_string()))?;
        let Some(signed) = self.replica.bundle(&member.key_id) else {
            self.lacking.borrow_mut().insert(member.key_id);
            return Err(unverified(Fault::new(Code::KeySubst, "the member's keys are missing")));
        };
        let (bundle, key_id) = Bundle::verify(signed).map_err(unverified)?;
        if key_id != member.key_id {
            return Err(unverified(Fault::new(Code::KeySubst, "the member's keys are not those the chain names")));
        }
        self.wrap_to(ns_id, epoch, key, &wraps::Recipient::of(&bundle, key_id))
    }

    /// Wraps a key for a recipient whose keys are already verified.
    pub(crate) fn wrap_to(&self, ns_id: &NsId, epoch: u64, key: &Key, recipient: &wraps::Recipient) -> Result<Wrap> {
        let granter = wraps::Granter { id: self.identity.id(), key_id: self.identity.key_id() };
        let org_id = self.replica.tip().org_id;
        let commit = nk::commit(&org_id, ns_id, epoch, key);
        wraps::wrap_nk(key, &org_id, ns_id, epoch, recipient, &granter, &commit, &mut rng()).map_err(Error::Refused)
    }

    /// A namespace's key: drawn in this change, or held already.
    pub(crate) fn key(&self, ns_id: &NsId, epoch: u64) -> Result<Key> {
        match self.made.get(&(*ns_id, epoch)) {
            Some(key) => Ok(key.clone()),
            None => self.vault.key_of(ns_id, epoch).map_err(unverified),
        }
    }

    /// Draws the first key of a namespace.
    pub(crate) fn first_key(&mut self, ns_id: &NsId) -> Key {
        let key = Key::random(&mut rng());
        self.made.insert((*ns_id, 1), key.clone());
        key
    }

    /// What follows is signed with other keys of the same identity; gives those used before.
    pub(crate) fn sign_as(&mut self, identity: Arc<Identity>) -> Arc<Identity> {
        std::mem::replace(&mut self.identity, identity)
    }

    /// Remembers a wrap this identity made for itself.
    pub(crate) fn hold(&mut self, wrap: &Wrap) {
        self.wraps.insert(wrap.ns_id, wrap.clone());
    }

    /// Whether the wraps of new keys for a namespace and its ancestors still fit into this change.
    pub(crate) fn has_room_for_keys(&self, ns_id: &NsId) -> bool {
        let lineage = self.replica.head().lineage(ns_id);
        let wraps = lineage.iter().map(|ns| self.live_readers(ns).len()).sum::<usize>() + self.records.len();
        wraps * WRAP_BYTES <= MAX_BATCH - ROOM_BESIDE_WRAPS
    }

    /// Makes the owed epochs of a namespace and its ancestors, parents first, as far as this identity may.
    pub(crate) fn settle(&mut self, ns_id: &NsId) -> Result<Vec<NsId>> {
        let mut lineage = self.replica.head().lineage(ns_id);
        lineage.reverse();
        let mut made = Vec::new();
        for id in lineage {
            let now = self.ts_ms();
            let writes = self.replica.head().permissions(&id, &self.identity.id(), now) & permission::WRITE != 0;
            if writes && self.replica.head().is_owed(&id, now) {
                self.epoch(&id, REASON_LOSS)?;
                made.push(id);
            }
        }
        Ok(made)
    }

    /// Gives a namespace a new key.
    pub(crate) fn epoch(&mut self, ns_id: &NsId, reason: u8) -> Result<()> {
        let ns = self.replica.head().known_ns(ns_id).map_err(Error::Refused)?;
        let org_id = self.replica.tip().org_id;
        let old = self.key(ns_id, ns.epoch)?;
        let (key, epoch) = (Key::random(&mut rng()), ns.epoch + 1);
        let previous = Seal { epoch: ns.epoch, sealed: Blob(nk::seal_previous(&key, &org_id, ns_id, epoch, ns.epoch, &old, &mut rng())) };
        let parent_seal = match &ns.parent {
            None => None,
            Some(parent) => Some(self.seal_under_parent(ns_id, epoch, parent, &key)?),
        };
        let readers = self.live_readers(ns_id);
        let records = readers.iter().map(|id| self.wrap_for(ns_id, epoch, &key, id)).collect::<Result<Vec<_>>>()?;
        let own = records.iter().find(|wrap| wrap.recipient_id == self.identity.id()).cloned();
        let body = NamespaceEpoch {
            ns_id: *ns_id,
            epoch,
            nk_commit: nk::commit(&org_id, ns_id, epoch, &key),
            previous,
            parent_seal,
            wraps: WrapSet { root: wrap::root(&records).map_err(Error::Refused)?, count: records.len() as u64 },
            fence: self.fence(ns_id)?,
            reason,
        };
        self.link(&Body::NamespaceEpoch(body), records)?;
        self.made.insert((*ns_id, epoch), key);
        if let Some(own) = own {
            self.hold(&own);
        }
        Ok(())
    }

    /// A key sealed under the parent's newest key.
    pub(crate) fn seal_under_parent(&self, ns_id: &NsId, epoch: u64, parent: &NsId, key: &Key) -> Result<Seal> {
        let parent_epoch = self.replica.head().known_ns(parent).map_err(Error::Refused)?.epoch;
        let above = self.key(parent, parent_epoch)?;
        let org_id = self.replica.tip().org_id;
        Ok(Seal {
            epoch: parent_epoch,
            sealed: Blob(nk::seal_parent(&above, &org_id, ns_id, epoch, parent, parent_epoch, key, &mut rng())),
        })
    }

    /// Who will hold the next key of a namespace: its direct readers as the rules see them once lapses are recorded.
    fn live_readers(&self, ns_id: &NsId) -> Vec<IdentityId> {
        self.replica.head().direct_readers(ns_id, self.ts_ms())
    }

    /// Every 64 links somebody vouches for the state.
    fn checkpoint_when_due(&mut self) -> Result<()> {
        let last = self.replica.head().chain().map_or(0, |chain| chain.last_checkpoint);
        if self.replica.tip().next_seq().saturating_sub(last) < CHECKPOINT_INTERVAL {
            return Ok(());
        }
        self.checkpoint()
    }

    /// Vouches for the state now. Manifest links are anchored in the newest link, so it comes before them.
    pub(crate) fn checkpoint(&mut self) -> Result<()> {
        let state_hash = Some(self.replica.head().state_hash());
        self.link(&Body::Checkpoint(Checkpoint { state_hash }), vec![]).map(|_| ())
    }

    pub(crate) fn finish(self) -> Staged {
        let batch = v1::Batch {
            links: statements(&self.links),
            manifest_links: statements(&self.manifest_links),
            wraps: self.records.iter().map(|wrap| wrap.to_bytes().into()).collect(),
            objects: self.objects,
        };
        Staged { identity: self.identity, replica: self.replica, spaces: self.spaces, wraps: self.wraps, made: self.made, batch }
    }
}

impl Staged {
    /// What is to be sent, once.
    pub(crate) fn take_batch(&mut self) -> v1::Batch {
        std::mem::take(&mut self.batch)
    }
}

/// Why a key changes.
pub(crate) const REASON_LOSS: u8 = 2;
/// The last key of a namespace: its fence closes the manifest.
pub(crate) const REASON_UNGUARDED: u8 = 3;

fn wire_object(ns_id: NsId, object: NewObject) -> v1::SecretObject {
    let kind = match object.kind {
        ObjectKind::Payload => v1::ObjectKind::Payload,
        ObjectKind::Dek => v1::ObjectKind::Dek,
        ObjectKind::Name => v1::ObjectKind::Name,
        ObjectKind::Facts => v1::ObjectKind::Facts,
    };
    v1::SecretObject {
        ns_id: Bytes::copy_from_slice(&ns_id.0),
        secret_id: Bytes::copy_from_slice(&object.secret_id.0),
        version: object.version,
        kind: kind.into(),
        data: object.data.into(),
    }
}

/// A sealed pair `[epoch, sealed]` as a link's field.
pub(crate) fn seal_of(object: &[u8]) -> Result<Seal> {
    Seal::from_bytes(object).map_err(Error::Refused)
}

/// Bytes of a batch's statements, wraps and objects.
fn size(batch: &v1::Batch) -> usize {
    let statements = batch.links.iter().chain(&batch.manifest_links).map(|link| link.payload.len() + link.signature.len());
    let records = batch.wraps.iter().map(Bytes::len).chain(batch.objects.iter().map(|object| object.data.len()));
    statements.chain(records).sum()
}
