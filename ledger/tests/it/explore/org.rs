//! One organization as everybody who has all its links sees it, with notes that no rule reads: who could open which key, and when.

use crate::people::Person;
use crate::world::{START, genesis, policy, seal};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{
    Applied, Body, Entry, Fence, Head, Key, Link, NamespaceCreate, Questions, Tip, WrapSet, apply, class, is_live, permission,
};
use keyvawlt_ledger::manifest::{Anchor, Anchored, Leaf, Leaves, ManifestLink, ManifestTip, verify};
use keyvawlt_ledger::merkle::{Tree, empty_root, leaf_hash};
use keyvawlt_ledger::{Domain, FORMAT, Hash, InviteId, NsId, SecretId, Signed, facts};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::OnceLock;

/// Olga, who founded it; Bob and Eve, who have codes of invites once she made them.
pub const PEOPLE: [&str; 3] = ["olga", "bob", "eve"];
/// An environment, a guarded folder of it, another environment.
pub const PLACES: [&str; 3] = ["production", "folder", "development"];
pub const FOLDER: usize = 1;
pub const DEVELOPMENT: usize = 2;
/// How many of the newest states a writer may stand on: the server withholds the rest from him.
pub const STALE: usize = 2;

pub type Entries = BTreeMap<Key, Entry>;

/// Which rules judge: the real ones, or with a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    Real,
    /// A loss of read is recorded nowhere.
    NothingIsOwed,
    /// Fences are set and then forgotten.
    NothingIsFenced,
}

/// Who can open which key: people by number, and holders of a code by number beyond them; a place; an epoch.
pub type Known = BTreeSet<(usize, usize, u64)>;

/// The state after a link.
#[derive(Clone)]
pub struct Then {
    pub entries: Rc<Entries>,
    pub link_hash: Hash,
    pub ts_ms: u64,
    pub known: Rc<Known>,
}

#[derive(Clone)]
pub struct Manifest {
    pub tip: ManifestTip,
    tree: Tree,
    /// Anchors of its links, newest last.
    pub anchors: Vec<u64>,
}

/// Secrets here are always new, so that no leaf has one before it.
struct NoLeaves;

impl Leaves for NoLeaves {
    fn leaf(&self, _: &SecretId) -> Option<Leaf> {
        None
    }
}

#[derive(Clone)]
pub struct Org {
    pub rules: Rules,
    pub tip: Tip,
    pub now: u64,
    pub past: Vec<Then>,
    pub fences: BTreeMap<NsId, Vec<Fence>>,
    pub manifests: Vec<Manifest>,
}

pub fn person(who: usize) -> &'static Person {
    static ALL: OnceLock<Vec<Person>> = OnceLock::new();
    &ALL.get_or_init(|| PEOPLE.map(Person::named).to_vec())[who]
}

pub fn place(at: usize) -> NsId {
    NsId(crate::people::id(PLACES[at]))
}

/// The invite whose code `who` has.
pub fn invite_of(who: usize) -> InviteId {
    InviteId(crate::people::id(&format!("invite of {}", PEOPLE[who])))
}

/// The holder of that code, as one who may know keys.
pub fn code_of(who: usize) -> usize {
    PEOPLE.len() + who
}

impl Org {
    pub fn begins(rules: Rules) -> Self {
        let (signed, org_id) = genesis(person(0), &policy(), START);
        let mut org =
            Self { rules, tip: Tip::before_genesis(org_id), now: START, past: vec![], fences: BTreeMap::new(), manifests: vec![] };
        org = org.takes(&signed).expect("a genesis").0;
        let create = |name: &str, of_class, parent: Option<NsId>| NamespaceCreate {
            ns_id: NsId(crate::people::id(name)),
            parent,
            class: of_class,
            nk_commit: Hash(crate::people::bytes(name)),
            parent_seal: parent.map(|_| seal(1)),
            wraps: if parent.is_some() { WrapSet { root: empty_root(), count: 0 } } else { WrapSet { root: Hash::ZERO, count: 1 } },
            names: seal(1),
        };
        let bodies = [
            create("directory", class::DIRECTORY, None),
            create(PLACES[0], class::PRODUCTION, None),
            create(PLACES[FOLDER], class::PRODUCTION, Some(place(0))),
            create(PLACES[DEVELOPMENT], class::DEVELOPMENT, None),
        ];
        for body in bodies {
            let (after, applied) = org.takes(&org.signs(0, &Body::NamespaceCreate(body.clone()))).expect("a namespace");
            org = after;
            if body.class != class::DIRECTORY {
                let tip = ManifestTip::before_first(org_id, body.ns_id, applied.hash);
                org.manifests.push(Manifest { tip, tree: Tree::default(), anchors: vec![] });
            }
        }
        org.learn(PLACES.iter().enumerate().map(|(at, _)| (0, at, 1)).collect());
        org
    }

    pub fn head(&self) -> &Then {
        self.past.last().expect("a genesis")
    }

    pub fn state(&self) -> &Entries {
        &self.head().entries
    }

    /// The next link, by somebody who has all of them.
    pub fn signs(&self, who: usize, body: &Body) -> Signed {
        let author = person(who);
        let link = Link {
            v: FORMAT,
            org_id: self.tip.org_id,
            seq: self.tip.next_seq(),
            history: self.tip.history.root(),
            kind: body.kind(),
            author_id: author.id,
            author_key_id: author.key_id,
            ts_ms: self.now,
            body: body.to_value(),
            seen: vec![],
        };
        crate::world::sign(author, &link)
    }

    /// Judges a link by the rules, with their fault where one is planted.
    pub fn takes(&self, signed: &Signed) -> Option<(Self, Applied)> {
        let nothing = Rc::new(Entries::new());
        let entries = self.past.last().map_or(&nothing, |then| &then.entries);
        let mut applied = apply(entries.as_ref(), &self.tip, signed, self.now).ok()?;
        for change in applied.changes.values_mut() {
            if let Some(Entry::Ns(ns)) = change {
                match self.rules {
                    Rules::Real => {}
                    Rules::NothingIsOwed => ns.owed = false,
                    Rules::NothingIsFenced => ns.fence = None,
                }
            }
        }
        let mut after = self.clone();
        let mut entries = entries.as_ref().clone();
        for (key, change) in applied.changes.clone() {
            match change {
                Some(entry) => entries.insert(key, entry),
                None => entries.remove(&key),
            };
        }
        if self.rules != Rules::NothingIsFenced {
            for Head { ns_id, mseq, mhash } in applied.body.fences() {
                let fence = Fence { mseq: *mseq, mhash: *mhash, seq: applied.link.seq };
                after.fences.entry(*ns_id).or_default().push(fence);
            }
        }
        let known = self.past.last().map(|then| Rc::clone(&then.known)).unwrap_or_default();
        after.past.push(Then { entries: Rc::new(entries), link_hash: applied.hash, ts_ms: applied.link.ts_ms, known });
        after.tip = applied.tip.clone();
        Some((after, applied))
    }

    /// A new secret, by somebody who knows the chain up to `back` links ago, dated now or as early as it can be.
    pub fn writes(&self, who: usize, at: usize, back: usize, early: bool) -> Option<Self> {
        let (author, manifest) = (person(who), &self.manifests[at]);
        let seq = self.past.len().checked_sub(1 + back)?;
        let then = &self.past[seq];
        let ts_ms = if early { then.ts_ms.max(manifest.tip.ts_ms) } else { self.now };
        let epoch = then.entries.ns(&place(at))?.epoch;
        let label = format!("secret {} of {at}", manifest.tip.mseq);
        let hash = |what: &str| Hash(crate::people::bytes(&format!("{what} {label}")));
        let leaf = Leaf {
            index: manifest.tip.count,
            secret_id: SecretId(crate::people::id(&label)),
            version: 1,
            epoch,
            flags: 0,
            mseq: manifest.tip.mseq + 1,
            payload_hash: hash("payload"),
            dek_hash: hash("key"),
            name_hash: hash("name"),
            facts_hash: facts::object_hash(&facts::none()),
        };
        let mut tree = manifest.tree.clone();
        tree.push(leaf.tree_hash());
        let link = ManifestLink {
            v: FORMAT,
            org_id: self.tip.org_id,
            ns_id: place(at),
            mseq: manifest.tip.mseq + 1,
            history: manifest.tip.history.root(),
            author_id: author.id,
            author_key_id: author.key_id,
            ts_ms,
            anchor: Anchor { seq: seq as u64, link_hash: then.link_hash },
            epoch,
            ops: vec![leaf],
            root: tree.root(),
            count: tree.size(),
            with: vec![],
        };
        let signed = Signed::make(&author.sign, Domain::Manifest, link.to_bytes());
        let fences = self.fences.get(&place(at)).map_or(&[][..], Vec::as_slice);
        let anchored = Anchored { state: then.entries.as_ref(), link_hash: then.link_hash, ts_ms: then.ts_ms, fences };
        let mut tree = manifest.tree.clone();
        let applied = verify(&anchored, &manifest.tip, &NoLeaves, &mut tree, &signed, self.now).ok()?;
        let mut after = self.clone();
        let mut anchors = manifest.anchors.clone();
        anchors.push(seq as u64);
        after.manifests[at] = Manifest { tip: applied.tip, tree, anchors };
        Some(after)
    }

    /// Adds to what is known, with all that follows: who reads a parent's key reads the child's.
    pub fn learn(&mut self, keys: Known) {
        let mut known = self.head().known.as_ref().clone();
        known.extend(keys);
        if let Some(folder) = self.state().ns(&place(FOLDER))
            && let Some(parent_seal) = &folder.parent_seal
        {
            let above: Vec<usize> =
                known.iter().filter(|(_, at, epoch)| *at == 0 && *epoch == parent_seal.epoch).map(|(who, ..)| *who).collect();
            known.extend(above.into_iter().map(|who| (who, FOLDER, folder.epoch)));
        }
        self.past.last_mut().expect("a genesis").known = Rc::new(known);
    }

    /// No key that is in use reaches anybody without access, unless it is owed: then nothing new is written under it.
    pub fn broken(&self) -> Option<String> {
        let head = self.head();
        (0..PLACES.len()).find_map(|at| {
            let epoch = head.entries.ns(&place(at))?.epoch;
            let stray = head.strays(at, epoch, self.now)?;
            (!head.entries.is_owed(&place(at), self.now)).then(|| format!("{stray} knows the current key of {} without access", PLACES[at]))
        })
    }

    /// Everything that the rules and the properties can tell apart, the two newcomers exchanged or not, whichever comes first.
    pub fn canonical(&self) -> Hash {
        [[0, 1, 2], [0, 2, 1]].map(|order| leaf_hash(self.seen_as(order).as_bytes())).into_iter().min_by_key(|hash| hash.0).expect("two")
    }

    fn seen_as(&self, order: [usize; 3]) -> String {
        use std::fmt::Write as _;
        let newest = self.past.len() as u64;
        let mut text = format!("{}", self.now - START);
        for then in self.past.iter().rev().take(STALE) {
            then.describe(order, &mut text);
        }
        for (at, manifest) in self.manifests.iter().enumerate() {
            let author = manifest.tip.author.and_then(|id| order.iter().position(|who| person(*who).id == id));
            let anchor = manifest.anchors.last().map(|seq| (newest - seq).min(STALE as u64 + 1));
            let _ = write!(text, "|{} {author:?} {} {anchor:?}", manifest.tip.mseq, manifest.tip.ts_ms.saturating_sub(START));
            for fence in self.fences.get(&place(at)).into_iter().flatten() {
                let _ = write!(text, " f{} {}", fence.mseq, (newest - fence.seq).min(STALE as u64 + 1));
            }
        }
        text
    }
}

impl Then {
    /// Somebody who can open this key and does not read there.
    pub fn strays(&self, at: usize, epoch: u64, ts_ms: u64) -> Option<&'static str> {
        let reads = |who: usize| match who.checked_sub(PEOPLE.len()) {
            None => self.entries.permissions(&place(at), &person(who).id, ts_ms) & permission::READ != 0,
            // A code reads as long as it can be used.
            Some(of) => self.entries.invite(&invite_of(of)).is_some_and(|invite| invite.state == 0 && is_live(invite.expires_ms, ts_ms)),
        };
        let who = self.known.iter().filter(|(_, of, known)| *of == at && *known == epoch).map(|(who, ..)| *who).find(|who| !reads(*who))?;
        Some(PEOPLE.get(who).copied().unwrap_or("the holder of a code"))
    }

    fn describe(&self, order: [usize; 3], text: &mut String) {
        use std::fmt::Write as _;
        let _ = write!(text, "/{}", self.ts_ms - START);
        for who in order {
            if let Some(member) = self.entries.member(&person(who).id) {
                let _ = write!(text, " m{} {}", member.role, member.expires_ms.saturating_sub(START));
            }
            if let Some(invite) = self.entries.invite(&invite_of(who)) {
                let void = self.entries.member(&invite.inviter).is_none_or(|inviter| invite.seq < inviter.reset_seq);
                let inviter = order.iter().position(|other| person(*other).id == invite.inviter);
                let _ = write!(text, " i{} {inviter:?} {void} {}", invite.state, invite.prewraps.len());
            }
            for at in 0..PLACES.len() {
                if let Some(access) = self.entries.access(&place(at), &person(who).id) {
                    let _ =
                        write!(text, " a{at} {} {} {}", access.permissions, access.expires_ms.saturating_sub(START), access.wrap.is_some());
                }
            }
        }
        for at in 0..PLACES.len() {
            let Some(ns) = self.entries.ns(&place(at)) else { continue };
            let _ = write!(text, " n{} {} {}", ns.epoch, ns.owed, ns.parent_seal.map_or(0, |seal| seal.epoch));
            let knows = |who: usize| self.known.contains(&(who, at, ns.epoch));
            let _ = write!(text, " {:?}", order.map(|who| (knows(who), knows(code_of(who)))));
        }
    }
}
