//! Fences: which namespaces a loss must fence, and the manifest heads that fences name, also where this identity does not read.
//!
//! A head the server tells is judged as far as one signed link can be, and must not lie behind what the chain names. A server that keeps a
//! newer one back is found by the first reader: the fence then stands against the manifest he holds.

use crate::change::Change;
use crate::error::{Error, Result};
use crate::memory::spaces::head_of;
use crate::sync::NAMESPACES_PER_QUESTION;
use crate::sync::space::{Stop, unverified};
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Head, Questions, Replica, View, ends_sooner, permission};
use keyvawlt_ledger::manifest::{Anchored, ManifestLink, NewestLink, verify_newest};
use keyvawlt_ledger::{Code, Fault, IdentityId, NsId, Signed};
use keyvawlt_proto::v1;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Answers to one question: every page but the last holds a link, and there are no more namespaces than this.
const MAX_PAGES: usize = 16_000;

/// What a link takes from somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Loss {
    /// Membership.
    Membership(IdentityId),
    /// Access to a namespace, which is this from then on.
    Access { ns_id: NsId, of: IdentityId, permissions: u8, expires_ms: u64 },
}

/// Heads of namespaces that this identity does not read, with their authors; nobody has written where there is none.
pub(crate) type ForeignHeads = BTreeMap<NsId, (Head, Option<IdentityId>)>;

impl Loss {
    fn identity(&self) -> IdentityId {
        match self {
            Loss::Membership(identity) | Loss::Access { of: identity, .. } => *identity,
        }
    }

    /// Where this takes something; `None` for everywhere, and an empty set for nowhere.
    fn range(&self, state: &impl View) -> Option<BTreeSet<NsId>> {
        let Loss::Access { ns_id, of, permissions, expires_ms } = self else { return None };
        let held = state.access(ns_id, of);
        let lowers = held.is_some_and(|held| held.permissions & !permissions != 0 || ends_sooner(*expires_ms, held.expires_ms));
        Some(if lowers { state.family(ns_id).into_iter().collect() } else { BTreeSet::new() })
    }

    /// Where write is lost, by the chain alone.
    fn of_write(&self, state: &impl View) -> BTreeSet<NsId> {
        let writes = |ns: &NsId| state.access(ns, &self.identity()).is_some_and(|access| access.permissions & permission::WRITE != 0);
        match self {
            Loss::Membership(identity) => state.held_by(identity).into_iter().filter(writes).flat_map(|ns| state.family(&ns)).collect(),
            Loss::Access { ns_id, of, permissions, expires_ms } => {
                let sooner = state.access(ns_id, of).is_some_and(|held| ends_sooner(*expires_ms, held.expires_ms));
                let loses = writes(ns_id) && (sooner || permissions & permission::WRITE == 0);
                if loses { state.family(ns_id).into_iter().collect() } else { BTreeSet::new() }
            }
        }
    }
}

impl Change<'_> {
    /// The fences of a loss: where write is lost, and where the newest manifest link is the loser's own.
    pub(crate) fn fences(&self, loss: &Loss) -> Result<Vec<Head>> {
        let state = self.replica.head();
        let range = loss.range(&state);
        let mut fenced = loss.of_write(&state);
        let touched = |ns: &&NsId| range.as_ref().is_none_or(|range| range.contains(*ns));
        fenced.extend(self.last_written_by(&loss.identity()).iter().filter(touched));
        fenced.iter().map(|ns| self.fence(ns)).collect()
    }

    /// The manifest head a fence names now.
    pub(crate) fn fence(&self, ns_id: &NsId) -> Result<Head> {
        let foreign = || self.foreign.get(ns_id).map(|(head, _)| head.clone());
        let unknown = || Error::Refused(Fault::new(Code::Fence, "the manifest head of a namespace to fence is not known"));
        self.manifest_tip(ns_id).map(head_of).or_else(foreign).ok_or_else(unknown)
    }

    /// The namespaces whose newest manifest link somebody wrote, as far as this identity knows.
    pub(crate) fn last_written_by(&self, id: &IdentityId) -> Vec<NsId> {
        let held = self.vault.spaces.keys().chain(self.spaces.keys());
        let author = |ns: &NsId| self.manifest_tip(ns).and_then(|tip| tip.author);
        let foreign = self.foreign.iter().filter(|(_, (_, author))| *author == Some(*id)).map(|(ns, _)| ns);
        held.filter(|ns| author(ns) == Some(*id)).chain(foreign).copied().collect()
    }
}

impl Vault {
    /// The heads that the fences of a loss will name, of the namespaces this identity does not read.
    pub(crate) async fn foreign_heads(&self, loss: &Loss) -> Result<ForeignHeads> {
        let state = self.replica.head();
        // Whoever manages a namespace names all below it; whoever removes asks where the removed one wrote last.
        let (named, author) = match loss.range(&state) {
            Some(range) => (range, None),
            None => (loss.of_write(&state), Some(loss.identity())),
        };
        let named: Vec<NsId> = named.into_iter().filter(|ns| !self.spaces.contains_key(ns)).collect();
        let mut told = BTreeMap::new();
        for (nth, names) in named.chunks(NAMESPACES_PER_QUESTION).enumerate() {
            self.ask_heads(names, author.filter(|_| nth == 0), &mut told).await?;
        }
        if named.is_empty() && author.is_some() {
            self.ask_heads(&[], author, &mut told).await?;
        }
        if let Some(missing) = named.iter().find(|ns| !told.contains_key(ns)) {
            return Err(unverified(Fault::new(Code::Fence, format!("the server withholds the manifest head of namespace {missing}"))));
        }
        told.retain(|ns, _| !self.spaces.contains_key(ns));
        self.judge_heads(&told).await
    }

    async fn ask_heads(&self, names: &[NsId], author: Option<IdentityId>, told: &mut BTreeMap<NsId, Option<Signed>>) -> Result<()> {
        let mut request = v1::ListManifestHeadsRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            ns_ids: names.iter().map(|ns| Bytes::copy_from_slice(&ns.0)).collect(),
            author_id: author.map_or_else(Bytes::new, |id| Bytes::copy_from_slice(&id.0)),
            page_token: String::new(),
        };
        for _ in 0..MAX_PAGES {
            let ask = async |client: &crate::Client, token: &str| rpc::list_manifest_heads(client, Some(token), request.clone()).await;
            let page = self.session.call(ask).await?;
            for head in page.heads {
                let link = head.link.map(|link| Signed::from_parts(&link.payload, &link.signature)).transpose().map_err(unverified)?;
                told.insert(NsId::from_slice(&head.ns_id).map_err(unverified)?, link);
            }
            if page.next_page_token.is_empty() {
                return Ok(());
            }
            request.page_token = page.next_page_token;
        }
        Err(unverified(Fault::new(Code::Limit, "the server's answer does not end")))
    }

    async fn judge_heads(&self, told: &BTreeMap<NsId, Option<Signed>>) -> Result<ForeignHeads> {
        let mut whole = None;
        let mut heads = ForeignHeads::new();
        for (ns_id, link) in told {
            let judged = match judge(whole.as_ref().unwrap_or(&self.replica), ns_id, link.as_ref(), self.now_ms()) {
                Err(Stop::Replay) => {
                    let replica = whole.insert(self.replay(&self.replica).await?);
                    judge(replica, ns_id, link.as_ref(), self.now_ms())
                }
                judged => judged,
            };
            let head = judged.map_err(|stop| match stop {
                Stop::Failed(error) => error,
                Stop::Fault(fault) => unverified(fault),
                Stop::Replay => Error::Conflict { why: "the organization's chain has moved".to_owned() },
            })?;
            if let Some(pin) = self.pins.get(ns_id) {
                check_pin(pin, &head.0).map_err(unverified)?;
            }
            heads.insert(*ns_id, head);
        }
        Ok(heads)
    }
}

/// A head of a namespace that this identity read before does not lie behind what it saw.
fn check_pin(pin: &Head, told: &Head) -> Result<(), Fault> {
    match told.mseq.cmp(&pin.mseq) {
        Ordering::Less => Err(Fault::new(Code::Rollback, "the server tells an older manifest head than this machine has seen")),
        Ordering::Equal if told.mhash != pin.mhash => {
            Err(Fault::new(Code::Fork, "the server tells another manifest head than this machine has seen"))
        }
        _ => Ok(()),
    }
}

/// `Stop::Replay` when the replica does not know the link's anchor, or the namespace.
fn judge(replica: &Replica, ns_id: &NsId, link: Option<&Signed>, now_ms: u64) -> Result<(Head, Option<IdentityId>), Stop> {
    let state = replica.head();
    let ns = state.ns(ns_id).ok_or(Stop::Replay)?;
    let Some(signed) = link else {
        let named = replica.fences(ns_id).iter().map(|fence| fence.mseq).chain(ns.seen.map(|seen| seen.mseq));
        return match named.max() {
            Some(1..) => Err(Fault::new(Code::Rollback, "the server hides a manifest that the organization's chain vouches for").into()),
            _ => Ok((Head { ns_id: *ns_id, mseq: 0, mhash: ns.create_hash }, None)),
        };
    };
    let anchor = ManifestLink::from_bytes(signed.payload())?.anchor;
    let (link_hash, ts_ms) = replica.link(anchor.seq).ok_or(Stop::Replay)?;
    let at_anchor = replica.at(anchor.seq).ok_or(Stop::Replay)?;
    let anchored = Anchored { state: &at_anchor, link_hash, ts_ms, fences: replica.fences(ns_id) };
    let org_id = &replica.tip().org_id;
    let NewestLink { head, author } = verify_newest(&anchored, ns.seen.as_ref(), (org_id, ns_id), signed, now_ms)?;
    Ok((head, Some(author)))
}
