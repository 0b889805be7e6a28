//! Random histories: organizations grown from drawn moves (invites, joins, access, epochs, guarded folders, fences, ends), each link signed by whoever
//! the draw says and kept where the rules allow it. What holds for the one story of `properties.rs` holds for all of them.

use crate::people::Person;
use crate::properties::judged_by_rows;
use crate::world::{ALL, DAY, HOUR, MANAGE, READ, Say, WRITE, World, sign};
use crate::writing::sign_manifest;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Entry, Key, KeyRotate, Link, NamespaceSet, Questions, Replica, Tip, View, apply, class, role};
use keyvawlt_ledger::manifest::{Leaf, ManifestLink};
use keyvawlt_ledger::{Domain, Hash, IdentityId, NsId, Signed, merkle};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The environments and folders of every history; the last is a folder of a folder.
const NAMESPACES: [&str; 4] = ["production", "development", "folder", "corner"];
const PERMISSIONS: [u8; 6] = [0, READ, WRITE, MANAGE, MANAGE | READ, ALL];
const ROLES: [u8; 4] = [role::MEMBER, role::ADMIN, role::OWNER, role::AUDITOR];

/// One drawn move: which kind, and numbers that choose the rest.
type Move = [u8; 5];

fn moves() -> impl Strategy<Value = Vec<Move>> {
    prop::collection::vec(any::<Move>(), 12..40)
}

/// A history, and who takes part in it.
struct Drawn {
    world: World,
    people: Vec<Person>,
    invites: Vec<String>,
}

fn drawn(moves: &[Move]) -> World {
    let mut world = World::begins();
    let owner = world.owner.clone();
    let production = world.environment(NAMESPACES[0], class::PRODUCTION);
    world.environment(NAMESPACES[1], class::DEVELOPMENT);
    let folder = world.folder(NAMESPACES[2], &production);
    world.folder(NAMESPACES[3], &folder);
    let mut people = vec![owner];
    people.extend([("adam", role::ADMIN), ("bob", role::MEMBER), ("robot", role::MACHINE)].map(|(name, role)| world.adds(name, role)));
    let mut drawn = Drawn { world, people, invites: vec![] };
    for step in moves {
        drawn.moves(*step);
    }
    drawn.world
}

fn ns(draw: u8) -> NsId {
    NsId(crate::people::id(NAMESPACES[usize::from(draw) % NAMESPACES.len()]))
}

impl Drawn {
    fn person(&self, draw: u8) -> Person {
        self.people[usize::from(draw) % self.people.len()].clone()
    }

    /// Signs it, and keeps it if the rules allow it.
    fn tries(&mut self, author: &Person, say: impl Into<Say>) -> bool {
        let signed = self.world.signs(author, &say.into().0);
        self.world.takes(&signed).is_ok()
    }

    fn moves(&mut self, [kind, who, whom, at, how]: Move) {
        let (author, other, ns) = (self.person(who), self.person(whom), ns(at));
        let world = &self.world;
        let known = |person: &Person| world.replica.head().member(&person.id).is_some();
        match kind % 14 {
            0 | 1 => {
                let bits = PERMISSIONS[usize::from(how) % PERMISSIONS.len()];
                let expires_ms = if how / 6 % 3 == 0 { world.now + (1 + u64::from(how) % 24) * HOUR } else { 0 };
                let access = keyvawlt_ledger::chain::Access { expires_ms, ..world.access(&ns, &other, bits) };
                self.tries(&author, access);
            }
            2 | 3 => drop(self.tries(&author, world.epoch(&ns))),
            4 | 5 => self.writes(&author, &ns, how),
            6 => {
                let label = format!("invite {}", self.invites.len());
                let gives = ROLES[usize::from(how) % ROLES.len()];
                let invite = world.invite_to(&label, gives, &ns, PERMISSIONS[usize::from(whom) % 3], how % 2 == 0);
                if self.tries(&author, invite) {
                    self.invites.push(label);
                }
            }
            7 => {
                let Some(label) = self.invites.get(usize::from(how) % self.invites.len().max(1)).cloned() else { return };
                let newcomer = Person::named(&format!("guest of {label}"));
                if self.tries(&newcomer, world.join(&label, &newcomer)) {
                    self.people.push(newcomer);
                }
            }
            8 => {
                let Some(label) = self.invites.get(usize::from(how) % self.invites.len().max(1)) else { return };
                let revocation = World::revocation(label);
                self.tries(&author, revocation);
            }
            // The owner stays, so that there is somebody to go on.
            9 if other.id != self.world.owner.id => drop(self.tries(&author, world.removal(&other))),
            10 if known(&author) && author.id != self.world.owner.id => {
                let next = author.renewed();
                let rotation = KeyRotate { compromised: how % 2 == 0, ..world.rotation(&author, &next) };
                if self.tries(&author, rotation) {
                    self.people.iter_mut().filter(|person| person.id == author.id).for_each(|person| *person = next.clone());
                }
            }
            11 => drop(self.tries(&author, NamespaceSet { archived: Some(how % 4 == 0), ..World::change(&ns) })),
            12 => drop(self.tries(&author, world.checkpoint())),
            _ => self.world.waits(u64::from(how) * HOUR % (2 * DAY)),
        }
    }

    fn writes(&mut self, author: &Person, ns: &NsId, how: u8) {
        let world = &mut self.world;
        let label = format!("secret {} of {ns}", how % 3);
        let exists = world.manifests[ns].leaves.contains_key(&keyvawlt_ledger::SecretId(crate::people::id(&label)));
        let op = match how % 4 {
            _ if !exists => world.fresh(ns, &label, 0),
            0 => world.deletion(ns, &label),
            1 => world.facts(ns, &label, "other facts"),
            _ => world.next_version(ns, &label),
        };
        let signed = sign_manifest(author, &world.manifest_link(author, ns, vec![op]));
        // What the rules forbid is not kept.
        let _ = world.judges(ns, &signed);
    }
}

/// Another value in one field, under the signature that was there.
fn with_other_field(signed: &Signed, field: usize) -> Signed {
    let mut link = Link::from_bytes(signed.payload()).expect("a link");
    match field {
        0 => link.org_id.0[0] ^= 1,
        1 => link.seq += 1,
        2 => link.history.0[0] ^= 1,
        3 => link.kind ^= 1,
        4 => link.author_id.0[0] ^= 1,
        5 => link.author_key_id.0[0] ^= 1,
        6 => link.ts_ms += 1,
        7 => link.seen.push(keyvawlt_ledger::chain::Head { ns_id: NsId([1; 16]), mseq: 1, mhash: Hash::ZERO }),
        _ => link.v += 1,
    }
    let mut other = signed.clone();
    other.payload.0 = link.to_bytes();
    other
}

/// A manifest link with one field of itself or of its first leaf changed.
fn with_other_manifest_field(link: &ManifestLink, field: usize) -> Option<ManifestLink> {
    let mut link = link.clone();
    match field {
        0 => link.org_id.0[0] ^= 1,
        1 => link.ns_id.0[0] ^= 1,
        2 => link.mseq += 1,
        3 => link.history.0[0] ^= 1,
        4 => link.author_id.0[0] ^= 1,
        5 => link.author_key_id.0[0] ^= 1,
        6 => link.epoch += 1,
        7 => link.root.0[0] ^= 1,
        8 => link.count += 1,
        9 => {
            link.ops.pop()?;
        }
        10 => link.ops.push(link.ops.first()?.clone()),
        _ => {
            let leaf: &mut Leaf = link.ops.first_mut()?;
            match field {
                11 => leaf.index += 1,
                12 => leaf.secret_id.0[0] ^= 1,
                13 => leaf.version += 1,
                14 => leaf.epoch += 1,
                15 => leaf.flags ^= 1,
                16 => leaf.mseq += 1,
                17 => leaf.payload_hash.0[0] ^= 1,
                18 => leaf.dek_hash.0[0] ^= 1,
                19 => leaf.name_hash.0[0] ^= 1,
                _ => leaf.facts_hash.0[0] ^= 1,
            }
        }
    }
    Some(link)
}

const LINK_FIELDS: usize = 9;
const MANIFEST_FIELDS: usize = 21;

fn replica_until(world: &World, seq: usize) -> Replica {
    let mut replica = Replica::new(world.org_id());
    world.links[..seq].iter().for_each(|link| drop(replica.append(link, world.now).expect("what was accepted")));
    replica
}

/// The manifest of a namespace before its `nth` link, in a world that knows the whole chain.
fn before_write(world: &World, ns: &NsId, nth: usize) -> World {
    let mut before = world.clone();
    let manifest = before.manifests.get_mut(ns).expect("a namespace");
    let links = std::mem::take(&mut manifest.links);
    let create_hash = before.replica.head().ns(ns).expect("a namespace").create_hash;
    manifest.tip = keyvawlt_ledger::manifest::ManifestTip::before_first(world.replica.tip().org_id, *ns, create_hash);
    manifest.leaves.clear();
    manifest.tree = merkle::Tree::default();
    for link in &links[..nth] {
        before.judges(ns, link).expect("what was accepted is accepted again");
    }
    before
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_map_rows_and_replicas_agree_on_every_state(moves in moves()) {
        let world = drawn(&moves);
        let mut map: BTreeMap<Key, Entry> = BTreeMap::new();
        let mut tip = Tip::before_genesis(world.org_id());
        for (seq, link) in world.links.iter().enumerate() {
            let by_map = apply(&map, &tip, link, world.now).expect("what was accepted");
            let by_rows = judged_by_rows(&map, &tip, link, world.now).expect("what was accepted");
            prop_assert_eq!((&by_rows.changes, &by_rows.needs, by_rows.hash), (&by_map.changes, &by_map.needs, by_map.hash));
            for (key, change) in by_map.changes {
                match change {
                    Some(entry) => map.insert(key, entry),
                    None => map.remove(&key),
                };
            }
            tip = by_map.tip;
            prop_assert_eq!(world.replica.at(seq as u64).expect("a link").state_hash(), map.state_hash(), "after link {}", seq);
        }
    }

    #[test]
    fn clients_with_different_caches_agree(moves in moves(), cuts in any::<[prop::sample::Index; 3]>()) {
        let world = drawn(&moves);
        let whole = &world.replica;
        let mut restored = Replica::new(world.org_id());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| 1 + cut.index(world.links.len())).collect();
        cuts.sort_unstable();
        let mut at = 0;
        for cut in cuts {
            world.links[at..cut].iter().for_each(|link| drop(restored.append(link, world.now).expect("what was accepted")));
            restored = Replica::from_bytes(&restored.to_bytes()).expect("its own cache");
            prop_assert_eq!(restored.head().state_hash(), whole.at(cut as u64 - 1).expect("a link").state_hash());
            at = cut;
        }
        world.links[at..].iter().for_each(|link| drop(restored.append(link, world.now).expect("what was accepted")));
        prop_assert_eq!(restored.tip(), whole.tip());
        prop_assert_eq!(restored.head().state_hash(), whole.head().state_hash());
        for (ns, manifest) in &world.manifests {
            prop_assert_eq!(restored.fences(ns), whole.fences(ns));
            let again = before_write(&world, ns, manifest.links.len());
            prop_assert_eq!(&again.manifests[ns].tip, &manifest.tip);
            prop_assert_eq!(again.manifests[ns].tree.root(), manifest.tree.root());
        }
    }

    #[test]
    fn dropped_swapped_and_repeated_links_are_refused(moves in moves(), at in any::<prop::sample::Index>(), what in 0..3) {
        let world = drawn(&moves);
        let mut links = world.links.clone();
        let at = at.index(links.len() - 1);
        match what {
            0 => drop(links.remove(at)),
            1 => links.swap(at, at + 1),
            _ => links.insert(at, links[at].clone()),
        }
        let mut replica = Replica::new(world.org_id());
        prop_assert!(links.iter().any(|link| replica.append(link, world.now).is_err()));
        for (ns, manifest) in world.manifests.iter().filter(|(_, manifest)| manifest.links.len() > 1) {
            let mut links = manifest.links.clone();
            let at = at % (links.len() - 1);
            match what {
                0 => drop(links.remove(at)),
                1 => links.swap(at, at + 1),
                _ => links.insert(at, links[at].clone()),
            }
            let mut again = before_write(&world, ns, 0);
            prop_assert!(links.iter().any(|link| again.judges(ns, link).is_err()));
        }
    }

    #[test]
    fn a_link_with_one_other_field_is_refused(moves in moves(), at in any::<prop::sample::Index>()) {
        let world = drawn(&moves);
        let seq = at.index(world.links.len());
        let replica = replica_until(&world, seq);
        for field in 0..LINK_FIELDS {
            let other = with_other_field(&world.links[seq], field);
            prop_assert!(apply(&replica.head(), replica.tip(), &other, world.now).is_err(), "field {} of link {}", field, seq);
            // Neither does it help that somebody outside signs it.
            let link = Link::from_bytes(other.payload()).expect("a link");
            let stranger = sign(&Person::named("stranger"), &link);
            prop_assert!(apply(&replica.head(), replica.tip(), &stranger, world.now).is_err(), "field {} of link {}", field, seq);
        }
        prop_assert!(apply(&replica.head(), replica.tip(), &world.links[seq], world.now).is_ok());
    }

    #[test]
    fn a_write_with_one_other_field_is_refused_even_if_its_author_signs_it(moves in moves(), at in any::<prop::sample::Index>()) {
        let world = drawn(&moves);
        let people: Vec<Person> = ["olga", "adam", "bob", "robot"].map(Person::named).to_vec();
        let writes: Vec<(NsId, usize)> = world.manifests.iter().flat_map(|(ns, manifest)| (0..manifest.links.len()).map(|nth| (*ns, nth))).collect();
        prop_assume!(!writes.is_empty());
        let (ns, nth) = writes[at.index(writes.len())];
        let before = before_write(&world, &ns, nth);
        let good = &world.manifests[&ns].links[nth];
        let link = ManifestLink::from_bytes(good.payload()).expect("a manifest link");
        let author = people.iter().find(|person| person.key_id == link.author_key_id);
        for field in 0..MANIFEST_FIELDS {
            let Some(other) = with_other_manifest_field(&link, field) else { continue };
            let mut unsigned = good.clone();
            unsigned.payload.0 = other.to_bytes();
            prop_assert!(before.clone().judges(&ns, &unsigned).is_err(), "field {} without a signature", field);
            let signed = author.map(|author| Signed::make(&author.sign, Domain::Manifest, other.to_bytes()));
            prop_assert!(signed.is_none_or(|signed| before.clone().judges(&ns, &signed).is_err()), "field {} signed by its author", field);
        }
        prop_assert!(before.clone().judges(&ns, good).is_ok());
    }

    #[test]
    fn a_proof_fits_one_leaf_at_one_place(count in 1usize..40, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), bit in 0usize..256) {
        let leaves: Vec<Hash> = (0..count).map(|n| merkle::leaf_hash(&n.to_be_bytes())).collect();
        let index = at.index(count);
        let mut tree = merkle::Frontier::default();
        for leaf in &leaves {
            tree.push(*leaf);
        }
        let (path, root, size) = (merkle::prove(&leaves, index).expect("a proof"), tree.root(), count as u64);
        let verify = |leaf: Hash, index: u64, size: u64, path: &[Hash], root: &Hash| merkle::verify_inclusion(leaf, index, size, path, root).is_ok();
        let flip = |hash: &Hash| {
            let mut other = *hash;
            other.0[bit / 8] ^= 1 << (bit % 8);
            other
        };
        prop_assert!(verify(leaves[index], index as u64, size, &path, &root));
        prop_assert!(!verify(flip(&leaves[index]), index as u64, size, &path, &root));
        prop_assert!(!verify(leaves[index], index as u64, size, &path, &flip(&root)));
        let elsewhere = other.index(count);
        prop_assert!(elsewhere == index || !verify(leaves[index], elsewhere as u64, size, &path, &root));
        let mut longer = path.clone();
        longer.push(root);
        prop_assert!(!verify(leaves[index], index as u64, size, &longer, &root));
        if let Some(step) = path.len().checked_sub(1) {
            prop_assert!(!verify(leaves[index], index as u64, size, &path[..step], &root));
            let mut wrong = path.clone();
            wrong[other.index(path.len())] = flip(&path[other.index(path.len())]);
            prop_assert!(!verify(leaves[index], index as u64, size, &wrong, &root));
        }
    }
}

/// The generator is worth something only if it gets far: over some hundred drawn histories every kind of link and every kind of loss is there.
#[test]
fn drawn_histories_have_every_kind_of_link_they_can() {
    let mut kinds = std::collections::BTreeSet::new();
    let (mut owed, mut fences, mut writes, mut lapsed) = (0, 0, 0, 0);
    let mut state = 1_u64;
    let mut draw = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    for _ in 0..100 {
        let moves: Vec<Move> = (0..40).map(|_| std::array::from_fn(|_| draw())).collect();
        let world = drawn(&moves);
        kinds.extend(world.links.iter().map(|link| Link::from_bytes(link.payload()).expect("a link").kind));
        let head = world.replica.head();
        owed += NAMESPACES.iter().filter(|name| world.owes(&NsId(crate::people::id(name)))).count();
        fences += world.manifests.keys().map(|ns| world.replica.fences(ns).len()).sum::<usize>();
        writes += world.manifests.values().map(|manifest| manifest.links.len()).sum::<usize>();
        let ids: Vec<IdentityId> = head.scan(b"member/").iter().filter_map(Key::last_id).map(IdentityId).collect();
        lapsed += ids.iter().filter(|id| world.manifests.keys().any(|ns| head.has_lapsed(ns, id, world.now))).count();
    }
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [1, 2, 3, 5, 6, 8, 9, 10, 11, 12, 13, 15]);
    assert!(owed > 20 && fences > 100 && writes > 100 && lapsed > 5, "owed {owed}, fences {fences}, writes {writes}, lapsed {lapsed}");
}
