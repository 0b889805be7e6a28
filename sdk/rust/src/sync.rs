//! Taking in what changed: links first, then manifests, then the checks that span both. Nothing is kept unless all of it verifies.

pub(crate) mod keyring;
pub(crate) mod space;
pub(crate) mod start;
pub(crate) mod values;

use crate::account::statement;
use crate::error::{Error, Result};
use crate::evidence::Met;
use crate::memory::spaces::Spaces;
use crate::sync::keyring::{check_wrap, read_wrap};
use crate::sync::space::{Space, Stop, unverified};
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::chain::{Applied, Head, Questions, Replica, permission};
use keyvawlt_ledger::manifest::ObjectKind;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Code, Fault, Hash, NsId, SecretId, Signed};
use keyvawlt_proto::v1;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Answers to one question: 10,000 links of a page each would be less; a server that never ends is cut off.
const MAX_PAGES: usize = 20_000;

/// Namespaces of one question.
pub(crate) const NAMESPACES_PER_QUESTION: usize = 1000;

/// Namespaces with the newest manifest link held of each.
pub(crate) type Held = BTreeMap<NsId, u64>;

/// News being verified, apart from the last good state.
pub(crate) struct News {
    pub(crate) replica: Replica,
    pub(crate) spaces: Spaces,
    /// Heads of namespaces that are not held.
    pub(crate) pins: BTreeMap<NsId, Head>,
    /// The namespaces of which there is more than before; what the chain named before, the others were held against when it did.
    fresh: BTreeSet<NsId>,
    wraps: BTreeMap<NsId, Wrap>,
    delivered: Vec<(Wrap, u64, u64, Vec<Hash>)>,
    /// Heads that new links name: fences, and what they vouch for.
    pub(crate) named: Vec<Head>,
    /// Heads that new manifest links belong with.
    parts: Vec<Head>,
    /// Namespaces asked for to the end since the last news: what spans namespaces is judged on one moment of all.
    settled: BTreeSet<NsId>,
    pub(crate) changed: bool,
    /// The answers as they came.
    answers: Vec<v1::Batch>,
    /// The statement that ended it.
    met: Option<Met>,
}

impl Vault {
    /// Asks what changed, and verifies it. After an error the last good state stays as it was.
    pub(crate) async fn take_news(&mut self) -> Result<()> {
        if let Some(news) = self.start_cold().await? {
            return self.take_rest(news, None).await;
        }
        let wanted = self.wanted(&self.replica, &self.spaces);
        let whole = wanted.len() <= NAMESPACES_PER_QUESTION;
        let (asked, first) = self.ask_allowed(&self.replica, &self.wraps, part(wanted, &BTreeSet::new())).await?;
        let quiet = first.links.is_empty() && first.namespaces.is_empty() && first.wraps.is_empty() && !first.more;
        if whole && quiet && first.next_seq == self.replica.tip().next_seq() && first.next_seq != 0 {
            // Access may have ended by itself.
            self.let_go();
            return Ok(());
        }
        self.take_rest(self.nothing_yet(), Some((asked, first))).await
    }

    /// Takes in every link of namespaces that are held from a listing on, so that all that was before is known here too.
    pub(crate) async fn take_whole(&mut self, namespaces: &[NsId]) -> Result<()> {
        let shallow: BTreeSet<NsId> = namespaces.iter().filter(|ns| self.spaces.is_shallow(ns)).copied().collect();
        if shallow.is_empty() {
            return Ok(());
        }
        let mut news = self.nothing_yet();
        news.forget(|ns| shallow.contains(ns));
        self.take_rest(news, None).await
    }

    fn nothing_yet(&self) -> News {
        News::after(self.replica.clone(), self.spaces.clone(), self.wraps.clone(), self.pins.clone())
    }

    async fn take_rest(&mut self, mut news: News, first: Option<(Held, v1::ReadChangesResponse)>) -> Result<()> {
        let outcome = match self.take_all(&mut news, first).await {
            Ok(()) => self.keep(&mut news),
            Err(error) => Err(error),
        };
        outcome.map_err(|error| error.shown_by(|fault| self.evidence(fault, news.met.as_ref(), &news.replica, &news.spaces)))
    }

    /// Until nothing is missing, and every head that something names can be held against its manifest.
    async fn take_all(&self, news: &mut News, first: Option<(Held, v1::ReadChangesResponse)>) -> Result<()> {
        self.take_pages(news, first).await?;
        let forgotten = news.forgotten()?;
        if forgotten.is_empty() {
            return Ok(());
        }
        news.forget(|ns| forgotten.contains(ns));
        self.take_pages(news, None).await
    }

    /// Takes in one answer after the other, until nothing is missing.
    async fn take_pages(&self, news: &mut News, mut first: Option<(Held, v1::ReadChangesResponse)>) -> Result<()> {
        for _ in 0..MAX_PAGES {
            let (asked, answer) = match first.take() {
                Some(first) => first,
                None => {
                    let question = part(self.wanted(&news.replica, &news.spaces), &news.settled);
                    self.ask_allowed(&news.replica, &news.wraps, question).await?
                }
            };
            let more = answer.more;
            match self.take(news, &asked, answer) {
                Ok(()) => {}
                Err(Stop::Fault(fault)) => return Err(unverified(fault)),
                Err(Stop::Failed(error)) => return Err(error),
                // Written under an anchor from before what is remembered: look at the whole chain again, and at all that stands on it.
                Err(Stop::Replay) => {
                    news.replica = self.replay(&news.replica).await?;
                    (news.spaces, news.pins) = (self.spaces.clone(), self.pins.clone());
                    // The chain was read anew: all is held against it, and it names heads from before any listing.
                    news.forget(|_| true);
                    news.fresh = news.spaces.keys().copied().collect();
                    (news.delivered, news.parts, news.settled) = (vec![], vec![], BTreeSet::new());
                    continue;
                }
            }
            if !more && self.wanted(&news.replica, &news.spaces).keys().all(|ns| news.settled.contains(ns)) {
                return Ok(());
            }
        }
        Err(unverified(Fault::new(Code::Limit, "the server's answer does not end")))
    }

    /// The namespaces this identity reads, with the head held of each.
    pub(crate) fn wanted(&self, replica: &Replica, spaces: &Spaces) -> Held {
        let state = replica.head();
        let now = self.now_ms();
        let roots: BTreeSet<NsId> = state.held_by(&self.identity.id()).into_iter().flat_map(|ns| state.family(&ns)).collect();
        let reads = |ns: &NsId| state.permissions(ns, &self.identity.id(), now) & permission::READ != 0;
        roots.into_iter().filter(reads).map(|ns| (ns, spaces.tip(&ns).map_or(0, |tip| tip.mseq))).collect()
    }

    /// What was readable may no longer be. Then the chain alone is asked for, and must say so: a refusal without news is an error. A chain
    /// that lost links says so too: a server that went back in time refuses namespaces it does not know yet.
    async fn ask_allowed(&self, replica: &Replica, wraps: &BTreeMap<NsId, Wrap>, wanted: Held) -> Result<(Held, v1::ReadChangesResponse)> {
        match self.ask(replica, wraps, &wanted).await {
            Err(Error::Forbidden) if !wanted.is_empty() => {
                let answer = self.ask(replica, wraps, &Held::new()).await?;
                let news = !answer.links.is_empty() || answer.next_seq < replica.tip().next_seq();
                if news { Ok((Held::new(), answer)) } else { Err(Error::Forbidden) }
            }
            answer => answer.map(|answer| (wanted, answer)),
        }
    }

    async fn ask(&self, replica: &Replica, wraps: &BTreeMap<NsId, Wrap>, wanted: &Held) -> Result<v1::ReadChangesResponse> {
        let heads = wanted.iter().map(|(ns, mseq)| v1::ManifestHead { ns_id: Bytes::copy_from_slice(&ns.0), mseq: *mseq });
        let state = replica.head();
        let keys = state.member(&self.identity.id()).map(|member| member.key_id);
        let opens = |wrap: &Wrap, epoch: u64| wrap.epoch == epoch && keys.is_none_or(|keys| wrap.recipient_key_id == keys);
        let lacks = |ns: &NsId| {
            let direct = state.access(ns, &self.identity.id()).is_some();
            direct && state.ns(ns).is_some_and(|held| wraps.get(ns).is_none_or(|wrap| !opens(wrap, held.epoch)))
        };
        let request = v1::ReadChangesRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            from_seq: replica.tip().next_seq(),
            namespaces: heads.collect(),
            all_wraps: wanted.keys().any(lacks),
        };
        self.session.call(async |client, token| rpc::read_changes(client, Some(token), request.clone()).await).await
    }

    fn take(&self, news: &mut News, asked: &Held, answer: v1::ReadChangesResponse) -> Result<(), Stop> {
        let now = self.now_ms();
        if !answer.links.is_empty() || !answer.namespaces.is_empty() {
            news.changed = true;
            news.settled.clear();
            news.answers.push(as_it_came(&answer));
        }
        for link in &answer.links {
            let signed = Signed::from_parts(&link.payload, &link.signature)?;
            let applied = news.replica.append(&signed, now).inspect_err(|_| news.met = Some(Met::link(&signed)))?;
            news.named.extend(applied.body.fences().iter().cloned());
            news.named.extend(applied.link.seen);
        }
        let next_seq = news.replica.tip().next_seq();
        if answer.next_seq < next_seq {
            return Err(Fault::new(Code::Rollback, "the server shows an older organization than this machine has seen").into());
        }
        if !answer.more && answer.next_seq != next_seq {
            return Err(Fault::new(Code::Rollback, "the server withholds links of the organization").into());
        }
        for changes in answer.namespaces {
            take_namespace(news, changes, answer.more, now)?;
        }
        if !answer.more {
            news.settled.extend(asked.keys());
        }
        for wrap in answer.wraps {
            let path = wrap.path.iter().map(|hash| Hash::from_slice(hash)).collect::<Result<_, _>>()?;
            news.delivered.push((read_wrap(&wrap.record)?, wrap.index, wrap.count, path));
        }
        Ok(())
    }

    /// The namespaces this identity reads in which nothing was written yet.
    pub(crate) fn empty_spaces(&self, replica: &Replica, spaces: &Spaces) -> Result<Vec<Arc<Space>>> {
        let missing = self.wanted(replica, spaces).into_keys().filter(|ns| !spaces.contains_key(ns));
        let empty = |ns_id: NsId| {
            let create_hash = replica.head().known_ns(&ns_id).map_err(unverified)?.create_hash;
            Ok(Arc::new(Space::new(self.org_id, ns_id, create_hash)))
        };
        missing.map(empty).collect()
    }

    /// The checks that need everything, then the new state replaces the old.
    fn keep(&mut self, news: &mut News) -> Result<()> {
        let me = self.identity.id();
        // A namespace without a manifest link is a namespace too.
        for space in self.empty_spaces(&news.replica, &news.spaces)? {
            news.take_in(space);
        }
        let state = news.replica.head();
        if let Some((seq, hash)) = self.anchor
            && news.replica.base() <= seq
            && news.replica.link(seq).map(|(hash, _)| hash) != Some(hash)
        {
            return Err(unverified(Fault::new(Code::Fork, "the chain does not contain the link this identity was given")));
        }
        self.check_roamed(&news.replica).map_err(unverified)?;
        let member = state.member(&me).ok_or(Error::Forbidden)?;
        let Some(identity) = self.with_keys(&member.key_id) else {
            return self.identity.check_against(&member.key_id).map_err(unverified);
        };
        for (wrap, index, count, path) in std::mem::take(&mut news.delivered) {
            // A wrap of an epoch that ended while pages were read is of no use, and no lie.
            if state.ns(&wrap.ns_id).is_some_and(|ns| ns.epoch == wrap.epoch) {
                check_wrap(&news.replica, &wrap, &me, index, count, &path).map_err(unverified)?;
                news.wraps.insert(wrap.ns_id, wrap);
                news.changed = true;
            }
        }
        // What is no longer read is delivered no further than it was.
        let gone = self.unread(&news.replica, &mut news.spaces);
        news.check_heads()?;
        let knew = self.replica.tip().next_seq() > 0;
        self.pins = std::mem::take(&mut news.pins);
        self.pins.retain(|ns, _| !news.spaces.contains_key(ns));
        self.replica = std::mem::replace(&mut news.replica, Replica::new(self.org_id));
        (self.spaces, self.wraps) = (news.spaces.clone(), std::mem::take(&mut news.wraps));
        self.identity = identity;
        self.pin(gone);
        self.roamed = None;
        self.cold = false;
        if news.changed {
            self.save()?;
        }
        // What a client begins with is nothing that a server may lose.
        if knew {
            self.note(&news.answers);
        }
        Ok(())
    }

    /// Lets go of namespaces that this identity no longer reads, but not of how far it has seen them.
    fn let_go(&mut self) {
        let mut spaces = self.spaces.clone();
        let gone = self.unread(&self.replica, &mut spaces);
        self.spaces = spaces;
        self.pin(gone);
    }

    /// Takes out the namespaces that this identity does not read.
    fn unread(&self, replica: &Replica, spaces: &mut Spaces) -> Vec<Head> {
        let (state, me, now) = (replica.head(), self.identity.id(), self.now_ms());
        spaces.let_go(|ns| state.permissions(ns, &me, now) & permission::READ == 0)
    }

    /// Remembers how far namespaces were verified that are not held.
    pub(crate) fn pin(&mut self, heads: Vec<Head>) {
        for head in heads {
            if self.pins.get(&head.ns_id).is_none_or(|pin| pin.mseq < head.mseq) {
                self.pins.insert(head.ns_id, head);
            }
        }
    }

    /// The chain from its genesis, which must contain what was accepted.
    pub(crate) async fn replay(&self, accepted: &Replica) -> Result<Replica> {
        self.replay_with(Replica::new(self.org_id), accepted, |_, _| ()).await
    }

    /// The same from some link on, telling of each what it did, and the replica after it.
    pub(crate) async fn replay_with(
        &self,
        mut replica: Replica,
        accepted: &Replica,
        mut tell: impl FnMut(&Applied, &Replica),
    ) -> Result<Replica> {
        for _ in 0..MAX_PAGES {
            let request = v1::ReadChainRequest { org_id: Bytes::copy_from_slice(&self.org_id.0), from_seq: replica.tip().next_seq() };
            let answer = self.session.call(async |client, token| rpc::read_chain(client, Some(token), request.clone()).await).await?;
            for link in &answer.links {
                let signed = Signed::from_parts(&link.payload, &link.signature).map_err(unverified)?;
                let outcome = replica.append(&signed, self.now_ms()).and_then(|applied| {
                    let other = applied.link.seq + 1 == accepted.tip().next_seq() && applied.hash != accepted.tip().link_hash;
                    if other { Err(not_contained()) } else { Ok(applied) }
                });
                let applied = outcome.map_err(|fault| {
                    let met = Met::link(&signed);
                    unverified(fault).shown_by(|fault| self.evidence(fault, Some(&met), &replica, &self.spaces))
                })?;
                tell(&applied, &replica);
            }
            if !answer.more || answer.links.is_empty() {
                break;
            }
        }
        check_contains(&replica, accepted).map_err(unverified)?;
        Ok(replica)
    }
}

impl News {
    pub(crate) fn after(replica: Replica, spaces: Spaces, wraps: BTreeMap<NsId, Wrap>, pins: BTreeMap<NsId, Head>) -> Self {
        Self {
            replica,
            spaces,
            pins,
            fresh: BTreeSet::new(),
            wraps,
            delivered: vec![],
            named: vec![],
            parts: vec![],
            settled: BTreeSet::new(),
            changed: false,
            answers: vec![],
            met: None,
        }
    }

    pub(crate) fn take_in(&mut self, space: Arc<Space>) {
        (self.changed, _) = (true, self.fresh.insert(space.tip.ns_id));
        self.spaces.insert(space);
    }

    /// Lets go of namespaces that are held from a listing on, to take in every link of them; they do not go back.
    fn forget(&mut self, which: impl Fn(&NsId) -> bool) {
        let shallow: BTreeSet<NsId> = self.spaces.keys().filter(|ns| self.spaces.is_shallow(ns) && which(ns)).copied().collect();
        self.settled.retain(|ns| !shallow.contains(ns));
        self.fresh.retain(|ns| !shallow.contains(ns));
        for head in self.spaces.let_go(|ns| shallow.contains(ns)) {
            self.pins.insert(head.ns_id, head);
        }
    }

    /// The namespaces of which something names a head from before the listing they are held from.
    fn forgotten(&self) -> Result<BTreeSet<NsId>> {
        let mut forgotten = BTreeSet::new();
        let fences = self.fresh.iter().flat_map(|ns| self.replica.fences(ns).iter().map(|fence| (*ns, fence.mseq)));
        let heads = self.named.iter().chain(&self.parts).chain(self.pins.values()).map(|head| (head.ns_id, head.mseq));
        for (ns, mseq) in heads.chain(fences).filter(|(ns, _)| self.spaces.is_shallow(ns)) {
            if self.spaces.get(&ns)?.is_some_and(|space| space.forgot(mseq)) {
                forgotten.insert(ns);
            }
        }
        Ok(forgotten)
    }

    /// Every namespace is complete, and contains each head that links, other namespaces and this machine name.
    fn check_heads(&self) -> Result<()> {
        for tip in self.spaces.tips() {
            tip.check_fences(self.replica.fences(&tip.ns_id)).map_err(unverified)?;
        }
        for id in &self.fresh {
            let Some(space) = self.spaces.get(id)? else { continue };
            space.check_vouched(&self.replica).map_err(unverified)?;
            space.check_complete().map_err(unverified)?;
        }
        for part in &self.parts {
            if self.spaces.tip(&part.ns_id).is_some_and(|tip| tip.mseq < part.mseq) {
                return Err(unverified(Fault::new(Code::Part, "one half of a change that spans namespaces is missing")));
            }
        }
        self.named.iter().chain(&self.parts).chain(self.pins.values()).try_for_each(|head| self.spaces.check_head(head))
    }
}

/// What an answer brought, as a change that could be sent again.
fn as_it_came(answer: &v1::ReadChangesResponse) -> v1::Batch {
    v1::Batch {
        links: answer.links.clone(),
        manifest_links: answer.namespaces.iter().flat_map(|changes| changes.manifest_links.clone()).collect(),
        wraps: answer.wraps.iter().map(|wrap| wrap.record.clone()).collect(),
        objects: answer.namespaces.iter().flat_map(|changes| changes.objects.clone()).collect(),
    }
}

/// A chain contains all of another, as far as that is known.
pub(crate) fn check_contains(replica: &Replica, other: &Replica) -> Result<(), Fault> {
    let tip = other.tip();
    if tip.next_seq().checked_sub(1).is_none_or(|seq| replica.link(seq).map(|(hash, _)| hash) == Some(tip.link_hash)) {
        Ok(())
    } else {
        Err(not_contained())
    }
}

fn not_contained() -> Fault {
    Fault::new(Code::Rollback, "the chain does not contain what this machine has seen")
}

/// As many namespaces as one question may name: first those of which there may be news.
fn part(wanted: Held, settled: &BTreeSet<NsId>) -> Held {
    let (open, rest): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|(ns, _)| !settled.contains(ns));
    open.into_iter().chain(rest).take(NAMESPACES_PER_QUESTION).collect()
}

/// `more`: the answer goes on, and this namespace perhaps with it.
fn take_namespace(news: &mut News, changes: v1::NamespaceChanges, more: bool, now_ms: u64) -> Result<(), Stop> {
    let id = NsId::from_slice(&changes.ns_id)?;
    let org_id = news.replica.tip().org_id;
    let create_hash = news.replica.head().known_ns(&id)?.create_hash;
    // Work on a copy, so that a replay can start over from the same point.
    let mut held = news.spaces.get(&id)?.cloned().unwrap_or_else(|| Arc::new(Space::new(org_id, id, create_hash)));
    let space = Arc::make_mut(&mut held);
    if changes.mseq < space.tip.mseq {
        return Err(Fault::new(Code::Rollback, "the server shows an older manifest than this machine has seen").into());
    }
    for link in &changes.manifest_links {
        let signed = Signed::from_parts(&link.payload, &link.signature)?;
        match space.append(&news.replica, &signed, now_ms) {
            Ok(parts) => news.parts.extend(parts),
            Err(stop) => {
                news.met = Some(Met::write(&signed));
                news.spaces.insert(held);
                return Err(stop);
            }
        }
    }
    if space.tip.mseq > changes.mseq || (!more && space.tip.mseq != changes.mseq) {
        return Err(Fault::new(Code::Rollback, "the server withholds links of a manifest").into());
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
    news.take_in(held);
    Ok(())
}

/// Statements as the wire carries them.
pub(crate) fn statements(signed: &[Signed]) -> Vec<v1::SignedStatement> {
    signed.iter().map(statement).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::state::StateDir;
    use crate::organization::genesis;
    use crate::random::rng;
    use crate::session::Session;
    use crate::wire::{Client, Options};
    use keyvawlt_crypto::Identity;
    use keyvawlt_ledger::assertion::Subject;
    use keyvawlt_ledger::bundle::kind;
    use keyvawlt_ledger::canon::Canon as _;
    use keyvawlt_ledger::{Domain, OrgId};

    const NS: NsId = NsId([7; 16]);

    /// An organization of one, which does not know the namespace.
    async fn vault(identity: &Arc<Identity>, org_id: OrgId, state: &StateDir) -> Vault {
        let client = Client::new("http://127.0.0.1:9", Options::default()).unwrap();
        let subject = Subject::Identity(identity.id(), identity.key_id());
        let session = Session::new(client, subject, |_, _, _, _| Ok(String::new()));
        Vault::remembered(session, vec![Arc::clone(identity)], org_id, state, None).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_no_longer_read_is_dropped_but_does_not_go_back_when_it_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let identity = Arc::new(Identity::make(kind::PERSON, 1, &mut rng()));
        let (org_id, link) = genesis(&identity, "http://127.0.0.1:9".to_owned(), 1).unwrap();
        let mut first = vault(&identity, org_id, &state).await;
        first.replica.append(&identity.sign(Domain::OrgLink, link.to_bytes()), 1).unwrap();
        let mut space = Space::new(org_id, NS, Hash([1; 32]));
        (space.tip.mseq, space.tip.mhash) = (3, Hash([3; 32]));
        first.spaces.insert(Arc::new(space));
        first.let_go();
        assert_eq!(first.spaces.keys().count(), 0);
        // A shorter one that is let go later takes nothing back.
        first.pin(vec![Head { ns_id: NS, mseq: 2, mhash: Hash([2; 32]) }]);
        first.save().unwrap();
        drop(first);

        let again = vault(&identity, org_id, &state).await;
        let mut news = again.nothing_yet();
        news.take_in(Arc::new(Space::new(org_id, NS, Hash([1; 32]))));
        let code = |news: &News| match news.check_heads() {
            Err(Error::Verification(fault)) => Some(fault.code),
            outcome => outcome.map(|()| None).unwrap(),
        };
        assert_eq!(code(&news), Some(Code::Rollback));
        news.pins.clear();
        assert_eq!(code(&news), None);
        // What links and other namespaces name is held against the manifest in the same way.
        news.named = vec![Head { ns_id: NS, mseq: 0, mhash: Hash([9; 32]) }];
        assert_eq!(code(&news), Some(Code::Fork));
        news.named.clear();
        for (part, expected) in [((0, [9; 32]), Code::Fork), ((1, [1; 32]), Code::Part)] {
            news.parts = vec![Head { ns_id: NS, mseq: part.0, mhash: Hash(part.1) }];
            assert_eq!(code(&news), Some(expected));
        }
    }

    #[test]
    fn one_question_names_no_more_than_the_server_takes_and_all_get_their_turn() {
        let id = |n: u32| NsId([n.to_be_bytes(); 4].concat().try_into().unwrap());
        let wanted: Held = (0..2500).map(|n| (id(n), 0)).collect();
        let mut settled = BTreeSet::new();
        for _ in 0..3 {
            let question = part(wanted.clone(), &settled);
            assert_eq!(question.len(), NAMESPACES_PER_QUESTION);
            settled.extend(question.into_keys());
        }
        assert_eq!(settled.len(), wanted.len());
    }
}
