//! Taking in what changed: links first, then manifests, then the checks that span both. Nothing is kept unless all of it verifies.

use crate::account::statement;
use crate::error::{Error, Result};
use crate::keyring::{check_wrap, read_wrap};
use crate::space::{Space, Stop, unverified};
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::chain::{Questions, Replica, permission};
use keyvawlt_ledger::manifest::ObjectKind;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Code, Fault, Hash, NsId, SecretId, Signed};
use keyvawlt_proto::v1;
use std::collections::{BTreeMap, BTreeSet};

/// Answers to one question: 10,000 links of a page each would be less; a server that never ends is cut off.
const MAX_PAGES: usize = 20_000;

/// News being verified, apart from the last good state.
struct News {
    replica: Replica,
    spaces: BTreeMap<NsId, Space>,
    wraps: BTreeMap<NsId, Wrap>,
    delivered: Vec<(Wrap, u64, u64, Vec<Hash>)>,
    changed: bool,
}

impl Vault {
    /// Asks what changed, and verifies it. After an error the last good state stays as it was.
    pub(crate) async fn take_news(&mut self) -> Result<()> {
        let wanted = self.wanted(&self.replica, &self.spaces);
        let (wanted, first) = self.ask_allowed(&self.replica, &self.wraps, wanted).await?;
        let quiet = first.links.is_empty() && first.namespaces.is_empty() && first.wraps.is_empty() && !first.more;
        if quiet && first.next_seq == self.replica.tip().next_seq() && first.next_seq != 0 {
            // Access may have ended by itself.
            self.let_go();
            return Ok(());
        }
        let mut news = News {
            replica: self.replica.clone(),
            spaces: self.spaces.clone(),
            wraps: self.wraps.clone(),
            delivered: vec![],
            changed: false,
        };
        let mut first = Some((wanted, first));
        for _ in 0..MAX_PAGES {
            let (wanted, answer) = match first.take() {
                Some(first) => first,
                None => {
                    let wanted = self.wanted(&news.replica, &news.spaces);
                    self.ask_allowed(&news.replica, &news.wraps, wanted).await?
                }
            };
            let more = answer.more;
            match self.take(&mut news, answer) {
                Ok(()) => {}
                Err(Stop::Fault(fault)) => return Err(unverified(fault)),
                // Written under an anchor from before what is remembered: look at the whole chain again.
                Err(Stop::Replay) => {
                    news.replica = self.replay().await?;
                    continue;
                }
            }
            if !more && self.wanted(&news.replica, &news.spaces).keys().all(|ns| wanted.contains_key(ns)) {
                return self.keep(news);
            }
        }
        Err(unverified(Fault::new(Code::Limit, "the server's answer does not end")))
    }

    /// The namespaces this identity reads, with the head held of each.
    fn wanted(&self, replica: &Replica, spaces: &BTreeMap<NsId, Space>) -> BTreeMap<NsId, u64> {
        let state = replica.head();
        let now = self.now_ms();
        let roots: BTreeSet<NsId> = state.held_by(&self.identity.id()).into_iter().flat_map(|ns| state.family(&ns)).collect();
        let reads = |ns: &NsId| state.permissions(ns, &self.identity.id(), now) & permission::READ != 0;
        roots.into_iter().filter(reads).map(|ns| (ns, spaces.get(&ns).map_or(0, |space| space.tip.mseq))).collect()
    }

    /// What was readable may no longer be. Then the chain alone is asked for, and must say so: a refusal without news is an error. A chain
    /// that lost links says so too: a server that went back in time refuses namespaces it does not know yet.
    async fn ask_allowed(
        &self,
        replica: &Replica,
        wraps: &BTreeMap<NsId, Wrap>,
        wanted: BTreeMap<NsId, u64>,
    ) -> Result<(BTreeMap<NsId, u64>, v1::ReadChangesResponse)> {
        match self.ask(replica, wraps, &wanted).await {
            Err(Error::Forbidden) if !wanted.is_empty() => {
                let answer = self.ask(replica, wraps, &BTreeMap::new()).await?;
                let news = !answer.links.is_empty() || answer.next_seq < replica.tip().next_seq();
                if news { Ok((BTreeMap::new(), answer)) } else { Err(Error::Forbidden) }
            }
            answer => answer.map(|answer| (wanted, answer)),
        }
    }

    async fn ask(&self, replica: &Replica, wraps: &BTreeMap<NsId, Wrap>, wanted: &BTreeMap<NsId, u64>) -> Result<v1::ReadChangesResponse> {
        let heads = wanted.iter().map(|(ns, mseq)| v1::ManifestHead { ns_id: Bytes::copy_from_slice(&ns.0), mseq: *mseq });
        let state = replica.head();
        let lacks = |ns: &NsId| {
            let direct = state.access(ns, &self.identity.id()).is_some();
            direct && state.ns(ns).is_some_and(|held| wraps.get(ns).is_none_or(|wrap| wrap.epoch != held.epoch))
        };
        let request = v1::ReadChangesRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            from_seq: replica.tip().next_seq(),
            namespaces: heads.collect(),
            all_wraps: wanted.keys().any(lacks),
        };
        self.session.call(async |client, token| rpc::read_changes(client, Some(token), request.clone()).await).await
    }

    fn take(&self, news: &mut News, answer: v1::ReadChangesResponse) -> Result<(), Stop> {
        let now = self.now_ms();
        for link in &answer.links {
            news.replica.append(&Signed::from_parts(&link.payload, &link.signature)?, now)?;
            news.changed = true;
        }
        if answer.next_seq < news.replica.tip().next_seq() {
            return Err(Fault::new(Code::Rollback, "the server shows an older organization than this machine has seen").into());
        }
        for changes in answer.namespaces {
            news.changed = true;
            take_namespace(news, changes, now)?;
        }
        for wrap in answer.wraps {
            let path = wrap.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Result<_, _>>()?;
            news.delivered.push((read_wrap(&wrap.record)?, wrap.index, wrap.count, path));
        }
        Ok(())
    }

    /// The namespaces this identity reads in which nothing was written yet.
    pub(crate) fn empty_spaces(&self, replica: &Replica, spaces: &BTreeMap<NsId, Space>) -> Result<Vec<(NsId, Space)>> {
        let missing = self.wanted(replica, spaces).into_keys().filter(|ns| !spaces.contains_key(ns));
        let empty = |ns_id: NsId| {
            let create_hash = replica.head().known_ns(&ns_id).map_err(unverified)?.create_hash;
            Ok((ns_id, Space::new(self.org_id, ns_id, create_hash)))
        };
        missing.map(empty).collect()
    }

    /// The checks that need everything, then the new state replaces the old.
    fn keep(&mut self, mut news: News) -> Result<()> {
        let me = self.identity.id();
        // A namespace without a manifest link is a namespace too.
        let missing = self.empty_spaces(&news.replica, &news.spaces)?;
        news.spaces.extend(missing);
        let state = news.replica.head();
        if let Some((seq, hash)) = self.anchor
            && news.replica.base() <= seq
            && news.replica.link(seq).map(|(hash, _)| hash) != Some(hash)
        {
            return Err(unverified(Fault::new(Code::Fork, "the chain does not contain the link this identity was given")));
        }
        let member = state.member(&me).ok_or(Error::Forbidden)?;
        self.identity.check_against(&member.key_id).map_err(unverified)?;
        for (wrap, index, count, path) in std::mem::take(&mut news.delivered) {
            // A wrap of an epoch that ended while pages were read is of no use, and no lie.
            if state.ns(&wrap.ns_id).is_some_and(|ns| ns.epoch == wrap.epoch) {
                check_wrap(&news.replica, &wrap, &me, index, count, &path).map_err(unverified)?;
                news.wraps.insert(wrap.ns_id, wrap);
                news.changed = true;
            }
        }
        for (id, space) in &news.spaces {
            let seen = state.ns(id).and_then(|ns| ns.seen);
            space.check_heads(&news.replica, seen.as_ref()).and_then(|()| space.check_complete()).map_err(unverified)?;
            for part in &space.parts {
                if news.spaces.get(&part.ns_id).is_some_and(|other| other.tip.mseq < part.mseq) {
                    return Err(unverified(Fault::new(Code::Part, "one half of a change that spans namespaces is missing")));
                }
            }
        }
        for space in news.spaces.values_mut() {
            space.parts.clear();
        }
        (self.replica, self.spaces, self.wraps) = (news.replica, news.spaces, news.wraps);
        self.let_go();
        if news.changed { self.save() } else { Ok(()) }
    }

    /// Lets go of namespaces that this identity no longer reads.
    fn let_go(&mut self) {
        let (state, me, now) = (self.replica.head(), self.identity.id(), self.now_ms());
        self.spaces.retain(|ns, _| state.permissions(ns, &me, now) & permission::READ != 0);
    }

    /// The chain from its genesis, which must contain what this machine has seen.
    pub(crate) async fn replay(&self) -> Result<Replica> {
        let mut replica = Replica::new(self.org_id);
        for _ in 0..MAX_PAGES {
            let request = v1::ReadChainRequest { org_id: Bytes::copy_from_slice(&self.org_id.0), from_seq: replica.tip().next_seq() };
            let answer = self.session.call(async |client, token| rpc::read_chain(client, Some(token), request.clone()).await).await?;
            for link in &answer.links {
                let signed = Signed::from_parts(&link.payload, &link.signature).map_err(unverified)?;
                replica.append(&signed, self.now_ms()).map_err(unverified)?;
            }
            if !answer.more || answer.links.is_empty() {
                break;
            }
        }
        let pinned = self.replica.tip();
        let contains = pinned.next_seq().checked_sub(1).is_none_or(|seq| replica.link(seq).map(|(hash, _)| hash) == Some(pinned.link_hash));
        if contains {
            Ok(replica)
        } else {
            Err(unverified(Fault::new(Code::Rollback, "the chain does not contain what this machine has seen")))
        }
    }
}

fn take_namespace(news: &mut News, changes: v1::NamespaceChanges, now_ms: u64) -> Result<(), Stop> {
    let id = NsId::from_slice(&changes.ns_id)?;
    let org_id = news.replica.tip().org_id;
    let create_hash = news.replica.head().known_ns(&id)?.create_hash;
    // Work on a copy, so that a replay can start over from the same point.
    let mut space = news.spaces.get(&id).cloned().unwrap_or_else(|| Space::new(org_id, id, create_hash));
    if changes.mseq < space.tip.mseq {
        return Err(Fault::new(Code::Rollback, "the server shows an older manifest than this machine has seen").into());
    }
    for link in &changes.manifest_links {
        space.append(&news.replica, &Signed::from_parts(&link.payload, &link.signature)?, now_ms)?;
    }
    for object in changes.objects {
        let kind = match object.kind() {
            v1::ObjectKind::Payload => ObjectKind::Payload,
            v1::ObjectKind::Dek => ObjectKind::Dek,
            v1::ObjectKind::Name => ObjectKind::Name,
            v1::ObjectKind::Facts => ObjectKind::Facts,
            v1::ObjectKind::Unspecified => return Err(Fault::new(Code::Upgrade, "an object of an unknown kind: upgrade required").into()),
        };
        space.put_object(SecretId::from_slice(&object.secret_id)?, kind, object.data.to_vec())?;
    }
    news.spaces.insert(id, space);
    Ok(())
}

/// Statements as the wire carries them.
pub(crate) fn statements(signed: &[Signed]) -> Vec<v1::SignedStatement> {
    signed.iter().map(statement).collect()
}
