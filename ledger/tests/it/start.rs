//! Starting without the links before: at a checkpoint that lies in a known link's history, and at a manifest's newest link.

use crate::story::{story, until};
use crate::world::World;
use crate::writing::sign_manifest;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Head, Key, Link, Replica, Start, View};
use keyvawlt_ledger::manifest::{Leaf, Listing, ManifestLink};
use keyvawlt_ledger::merkle::{Frontier, leaf_hash, prove};
use keyvawlt_ledger::{Code, Fault, Hash, NsId, Signed, hash};
use proptest::prelude::*;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn all(state: &impl View) -> Entries {
    let entry = |key: Key| (key.as_bytes().to_vec(), state.get(&key).expect("an entry").to_bytes());
    state.scan(b"").into_iter().map(entry).collect()
}

fn hashed(state: &impl View) -> Entries {
    all(state).into_iter().filter(|(key, _)| Key::from_bytes(key.clone()).is_hashed()).collect()
}

fn history(links: &[Signed]) -> Frontier {
    let mut history = Frontier::default();
    for link in links {
        history.push(leaf_hash(&link.hash(hash::LINK).0));
    }
    history
}

/// What an honest server shows: the checkpoint at `at`, for whoever knows the link at `pin`.
fn shown(links: &[Signed], at: usize, pin: usize) -> (Start, Entries) {
    let leaves: Vec<Hash> = links[..pin].iter().map(|link| leaf_hash(&link.hash(hash::LINK).0)).collect();
    let path = if at == pin { vec![] } else { prove(&leaves, at).expect("a place in the history") };
    let start = Start { checkpoint: links[at].clone(), before: history(&links[..at]), pinned: links[pin].clone(), path };
    (start, hashed(&until(at).head()))
}

/// The story's two checkpoints: the first is followed by everything that is taken away, the second is the newest link.
fn checkpoints() -> Vec<usize> {
    let kind = |link: &Signed| Link::from_bytes(link.payload()).expect("a link").kind;
    story().links.iter().enumerate().filter(|(_, link)| kind(link) == 15).map(|(at, _)| at).collect()
}

fn open(world: &World, (start, entries): (Start, Entries), pin: usize) -> Result<Replica, Fault> {
    start.check(&world.org_id(), (pin as u64, world.links[pin].hash(hash::LINK)))?;
    start.open(world.org_id(), entries, world.now)
}

#[test]
fn whoever_starts_at_a_checkpoint_knows_what_all_others_know() {
    let world = story();
    let newest = world.links.len() - 1;
    for at in checkpoints() {
        for pin in [at, newest] {
            let mut replica = open(world, shown(&world.links, at, pin), pin).unwrap();
            assert_eq!((replica.base(), all(&replica.head())), (at as u64, all(&until(at + 1).head())));
            for link in &world.links[at + 1..] {
                replica.append(link, world.now).unwrap();
            }
            assert_eq!((replica.tip(), all(&replica.head())), (world.replica.tip(), all(&world.replica.head())));
        }
    }
}

#[test]
fn a_checkpoint_after_any_link_has_all_that_no_hash_covers() {
    let world = story();
    for at in 2..world.links.len() {
        let mut short = World { replica: until(at), links: world.links[..at].to_vec(), ..world.clone() };
        let owner = short.owner.clone();
        short.accepts(&owner, short.checkpoint());
        let entries = hashed(&until(at).head());
        let start = Start {
            checkpoint: short.links[at].clone(),
            before: history(&short.links[..at]),
            pinned: short.links[at].clone(),
            path: vec![],
        };
        let replica = open(&short, (start, entries), at).unwrap();
        assert_eq!(all(&replica.head()), all(&short.replica.head()), "after link {at}");
    }
}

/// TV35
#[test]
fn a_state_that_the_checkpoint_does_not_sign_is_refused() {
    let world = story();
    let (at, newest) = (checkpoints()[0], world.links.len() - 1);
    let good = shown(&world.links, at, newest);
    let refuses = |what: &str, code, shown: (Start, Entries), pin| match open(world, shown, pin) {
        Ok(_) => panic!("accepted: {what}"),
        Err(fault) => assert_eq!(fault.code, code, "{what}: {fault}"),
    };
    let with = |entries: Entries| (good.0.clone(), entries);
    for nth in 0..good.1.len() {
        let mut less = good.1.clone();
        less.remove(nth);
        refuses("an entry is missing", Code::State, with(less), newest);
        let mut other = good.1.clone();
        *other[nth].1.last_mut().unwrap() ^= 1;
        refuses("an entry is another", Code::State, with(other), newest);
        let mut renamed = good.1.clone();
        *renamed[nth].0.last_mut().unwrap() ^= 1;
        refuses("an entry is somebody else's", Code::State, with(renamed), newest);
    }
    let older = hashed(&until(at - 1).head());
    refuses("the state of another moment", Code::State, with(older), newest);
    let index = (Key::child(&world.directory, &NsId([1; 16])).as_bytes().to_vec(), vec![0xf5]);
    refuses("an index that no hash covers", Code::State, with(good.1.iter().cloned().chain([index]).collect()), newest);

    let starts = |start: Start| (start, good.1.clone());
    refuses("no checkpoint", Code::State, starts(Start { checkpoint: world.links[at - 1].clone(), ..good.0.clone() }), newest);
    refuses(
        "a checkpoint after the known link",
        Code::State,
        (Start { pinned: world.links[2].clone(), ..good.0.clone() }, good.1.clone()),
        2,
    );
    refuses("another link than the known one", Code::Fork, starts(Start { pinned: world.links[at].clone(), ..good.0.clone() }), newest);
    refuses("no proof", Code::Fork, starts(Start { path: vec![], ..good.0.clone() }), newest);
    for nth in 0..good.0.path.len() {
        let mut path = good.0.path.clone();
        path[nth].0[7] ^= 1;
        refuses("a false proof", Code::Fork, starts(Start { path, ..good.0.clone() }), newest);
    }
    refuses("another history before it", Code::Fork, starts(Start { before: history(&world.links[1..=at]), ..good.0.clone() }), newest);
    refuses(
        "a shorter history before it",
        Code::Rollback,
        starts(Start { before: history(&world.links[..at - 1]), ..good.0.clone() }),
        newest,
    );
    // The same place of another chain: signed by a member, and not what the known link continues.
    let mut fork = World { replica: until(at), links: world.links[..at].to_vec(), ..world.clone() };
    let owner = fork.owner.clone();
    fork.waits(1);
    fork.accepts(&owner, fork.checkpoint());
    refuses("a checkpoint of another history", Code::Fork, starts(Start { checkpoint: fork.links[at].clone(), ..good.0.clone() }), newest);
    open(world, good, newest).expect("the honest one");
}

/// Production as the story leaves it: its links, the history before the newest, its leaves in order.
fn production() -> (NsId, Vec<Signed>, Vec<Hash>, Vec<Leaf>) {
    let (ns, manifest) = story().manifests.iter().max_by_key(|(_, manifest)| manifest.links.len()).expect("a manifest");
    let created = keyvawlt_ledger::chain::Questions::known_ns(&story().replica.head(), ns).expect("a namespace").create_hash;
    let hashes = std::iter::once(created).chain(manifest.links.iter().map(|link| link.hash(hash::MANIFEST))).collect();
    let mut leaves: Vec<Leaf> = manifest.leaves.values().cloned().collect();
    leaves.sort_by_key(|leaf| leaf.index);
    (*ns, manifest.links.clone(), hashes, leaves)
}

fn frontier(hashes: &[Hash]) -> Frontier {
    let mut history = Frontier::default();
    for hash in hashes {
        history.push(leaf_hash(&hash.0));
    }
    history
}

#[test]
fn a_listing_is_what_the_newest_link_signs_and_contains_every_older_head() {
    let (ns, links, hashes, leaves) = production();
    let newest = links.last().unwrap();
    let before = frontier(&hashes[..links.len()]);
    let place = (&story().org_id(), &ns);
    let listing = Listing::check(place, newest, &before, &leaves).unwrap();
    let tree: Vec<Hash> = hashes[..links.len()].iter().map(|hash| leaf_hash(&hash.0)).collect();
    for (mseq, mhash) in hashes.iter().enumerate() {
        let head = Head { ns_id: ns, mseq: mseq as u64, mhash: *mhash };
        let path = prove(&tree, mseq).unwrap_or_default();
        listing.check_head(&head, &path).unwrap();
        let code = |head: Head, path: &[Hash]| listing.check_head(&head, path).unwrap_err().code;
        assert_eq!(code(Head { mhash: Hash([9; 32]), ..head.clone() }, &path), Code::Fork);
        for nth in 0..path.len() {
            let mut other = path.clone();
            other[nth].0[0] ^= 1;
            assert_eq!(code(head.clone(), &other), Code::Fork, "a false proof");
            assert_eq!(code(head.clone(), &path[..nth]), Code::Fork, "half a proof");
        }
        assert_eq!(code(Head { mseq: links.len() as u64 + 1, ..head }, &path), Code::Rollback);
    }
    assert_eq!(listing.into_parts().0, story().manifests[&ns].tip);
}

#[test]
fn leaves_that_the_newest_link_does_not_sign_are_refused() {
    let (ns, links, hashes, leaves) = production();
    let (org_id, newest) = (story().org_id(), links.last().unwrap());
    let before = frontier(&hashes[..links.len()]);
    let code =
        |newest: &Signed, before: &Frontier, leaves: &[Leaf]| Listing::check((&org_id, &ns), newest, before, leaves).unwrap_err().code;
    for nth in 0..leaves.len() {
        let mut less = leaves.clone();
        less.remove(nth);
        assert_eq!(code(newest, &before, &less), Code::Root, "a leaf is dropped");
        let mut other = leaves.clone();
        other[nth].version += 1;
        assert_eq!(code(newest, &before, &other), Code::Root, "a leaf is another");
        let twice: Vec<Leaf> = leaves.iter().chain([&leaves[nth]]).cloned().collect();
        assert_eq!(code(newest, &before, &twice), Code::Root, "a leaf is told twice");
    }
    assert_eq!(code(newest, &before, &leaves.iter().rev().cloned().collect::<Vec<_>>()), Code::Root, "in another order");
    assert_eq!(code(newest, &frontier(&hashes[1..]), &leaves), Code::Fork, "another history");
    assert_eq!(code(newest, &frontier(&hashes[..1]), &leaves), Code::Fork, "a shorter history");
    assert_eq!(code(&links[0], &before, &leaves), Code::Fork, "an older link");
    // A writer who signs leaves that no rule lets him write.
    let signed = ManifestLink::from_bytes(newest.payload()).unwrap();
    let sign = |leaves: &[Leaf]| {
        let tree = keyvawlt_ledger::merkle::Tree::from_leaves(leaves.iter().map(Leaf::tree_hash));
        sign_manifest(&story().owner, &ManifestLink { root: tree.root(), count: tree.size(), ..signed.clone() })
    };
    let lie = |change: fn(&mut Leaf)| {
        let mut leaves = leaves.clone();
        change(&mut leaves[1]);
        code(&sign(&leaves), &before, &leaves)
    };
    assert_eq!(lie(|leaf| leaf.index = 0), Code::Rollback);
    assert_eq!(lie(|leaf| leaf.mseq = 1 << 40), Code::Rollback);
    assert_eq!(lie(|leaf| leaf.epoch = 1 << 40), Code::Rollback);
    assert_eq!(lie(|leaf| leaf.version = 0), Code::Rollback);
    assert_eq!(lie(|leaf| leaf.flags = 4), Code::Canon);
    assert_eq!(lie(|leaf| leaf.payload_hash = Hash([1; 32])), Code::Canon, "a deleted one with a value");
    let twice = vec![leaves[0].clone(), Leaf { index: 1, ..leaves[0].clone() }];
    assert_eq!(code(&sign(&twice), &before, &twice), Code::Rollback, "one secret twice");
}

proptest! {
    #[test]
    fn no_byte_that_a_server_sends_makes_a_start_panic(checkpoint in prop::collection::vec(any::<u8>(), 0..200), key in prop::collection::vec(any::<u8>(), 0..60), value in prop::collection::vec(any::<u8>(), 0..60)) {
        let world = story();
        let (start, _) = shown(&world.links, checkpoints()[0], checkpoints()[0]);
        let forged = Signed::from_parts(&checkpoint, &[0; 64]).unwrap();
        let start = Start { checkpoint: forged, ..start };
        prop_assert!(start.check(&world.org_id(), (0, Hash::ZERO)).is_err());
        prop_assert!(start.open(world.org_id(), vec![(key, value)], world.now).is_err());
    }
}
