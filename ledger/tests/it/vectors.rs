//! What goes into `tests/vectors` for chains, manifests, states and trees: the story, and for each rule one mutation that breaks it.

use crate::people::Person;
use crate::story::{signers, story, until};
use crate::world::{World, sign};
use crate::writing::sign_manifest;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::cbor::{self, Value};
use keyvawlt_ledger::chain::{Body, Head, Key, Link, View};
use keyvawlt_ledger::manifest::{Anchor, Leaf, ManifestLink};
use keyvawlt_ledger::{Code, Domain, Hash, NsId, OrgId, Signed, hash, merkle};
use serde_json::{Value as Json, json};

/// File names and contents.
pub fn files() -> Vec<(&'static str, String)> {
    [("links.json", links()), ("manifest.json", manifest()), ("state.json", state()), ("merkle.json", merkle())]
        .map(|(name, content)| (name, format!("{content:#}\n")))
        .to_vec()
}

fn links() -> Json {
    let valid: Vec<Json> = story()
        .links
        .iter()
        .enumerate()
        .map(|(seq, signed)| {
            let link = Link::from_bytes(signed.payload()).expect("a link");
            let (_, name) = Body::KINDS[usize::from(link.kind) - 1];
            let state_hash = until(seq + 1).head().state_hash();
            let mut case = signed_case(name, signed);
            case["hash"] = json!(signed.hash(hash::LINK).to_string());
            case["state_hash"] = json!(state_hash.to_string());
            case
        })
        .collect();
    let mut invalid = mutated_bodies();
    invalid.extend(mutated_links());
    json!({
        "about": "A chain with every kind of link. Valid: each is accepted after those before it, and gives the state hash. \
                  Invalid: refused after the first `after` valid links.",
        "org_id": story().org_id().to_string(),
        "now_ms": story().now,
        "valid": valid,
        "invalid": invalid,
    })
}

fn signed_case(name: &str, signed: &Signed) -> Json {
    json!({ "name": name, "payload": hex::encode(signed.payload()), "signature": hex::encode(signed.sig) })
}

fn refused(name: &str, after: usize, signed: &Signed, code: Code) -> Json {
    let mut case = signed_case(name, signed);
    case["after"] = json!(after);
    case["error"] = json!(code.as_str());
    case
}

fn signer(link: &Link) -> Person {
    signers().into_iter().find(|person| person.key_id == link.author_key_id).expect("a signer of the story")
}

/// For the first link of each kind, one field of its body changed and signed again.
fn mutated_bodies() -> Vec<Json> {
    let mut seen = Vec::new();
    let mut cases = Vec::new();
    for (seq, signed) in story().links.iter().enumerate() {
        let mut link = Link::from_bytes(signed.payload()).expect("a link");
        let mut body = Body::from_value(link.kind, link.body.clone()).expect("a body");
        let worth = !body.fences().is_empty() || !matches!(body, Body::MemberRemove(_));
        if seen.contains(&link.kind) || !worth {
            continue;
        }
        seen.push(link.kind);
        let (name, code) = spoil(&mut body);
        link.body = body.to_value();
        cases.push(refused(name, seq, &sign(&signer(&link), &link), code));
    }
    assert_eq!(seen.len(), Body::KINDS.len(), "every kind is spoilt once");
    cases
}

fn spoil(body: &mut Body) -> (&'static str, Code) {
    match body {
        Body::Genesis(body) => {
            body.nonce[0] ^= 1;
            ("Genesis: another nonce makes another organization", Code::OrgId)
        }
        Body::MemberAdd(body) => {
            body.role = 7;
            ("MemberAdd: an unknown role", Code::Upgrade)
        }
        Body::MemberJoin(body) => {
            body.join_sig[0] ^= 1;
            ("MemberJoin: the invite's signature differs", Code::Sig)
        }
        Body::MemberSet(body) => {
            body.expires_ms = 1;
            ("MemberSet: an end in the past", Code::Authority)
        }
        Body::MemberRemove(body) => {
            body.fences.clear();
            ("MemberRemove: no fence where the member writes", Code::Fence)
        }
        Body::KeyRotate(body) => {
            body.wraps.clear();
            ("KeyRotate: the keys held are not wrapped to the new one", Code::Wrap)
        }
        Body::KeyReset(body) => {
            body.verified = 0;
            ("KeyReset: not verified", Code::Authority)
        }
        Body::Invite(body) => {
            body.expires_ms = 0;
            ("Invite: never ends", Code::Authority)
        }
        Body::InviteRevoke(body) => {
            body.invite_id.0[0] ^= 1;
            ("InviteRevoke: an unknown invite", Code::Invite)
        }
        Body::NamespaceCreate(body) => {
            body.names.epoch = 2;
            ("NamespaceCreate: names under a second key", Code::NkCommit)
        }
        Body::NamespaceSet(body) => {
            body.ns_id.0[0] ^= 1;
            ("NamespaceSet: an unknown namespace", Code::UnknownNamespace)
        }
        Body::NamespaceEpoch(body) => {
            body.epoch += 1;
            ("NamespaceEpoch: an epoch is skipped", Code::Rollback)
        }
        Body::Access(body) => {
            body.permissions = 2;
            ("Access: write without read", Code::Canon)
        }
        Body::PolicySet(body) => {
            body.policy.min_suite = 2;
            ("PolicySet: an unknown suite", Code::Upgrade)
        }
        Body::Checkpoint(body) => {
            body.state_hash = Some(Hash::ZERO);
            ("Checkpoint: another state", Code::State)
        }
    }
}

/// The last link with one field of its frame changed and signed again.
fn mutated_links() -> Vec<Json> {
    let seq = story().links.len() - 1;
    let signed = &story().links[seq];
    let good = Link::from_bytes(signed.payload()).expect("a link");
    let author = signer(&good);
    let before = Link::from_bytes(story().links[seq - 1].payload()).expect("a link");
    let fork = Head { ns_id: story().directory, mseq: 0, mhash: Hash::ZERO };
    let changed = [
        ("another version", Code::Upgrade, Link { v: 2, ..good.clone() }),
        ("an unknown type", Code::Upgrade, Link { kind: 16, ..good.clone() }),
        ("another organization", Code::OrgId, Link { org_id: OrgId([1; 32]), ..good.clone() }),
        ("a position left out", Code::Rollback, Link { seq: good.seq + 1, ..good.clone() }),
        ("another history", Code::Fork, Link { history: Hash::ZERO, ..good.clone() }),
        ("dated before its predecessor", Code::Clock, Link { ts_ms: before.ts_ms - 1, ..good.clone() }),
        ("dated eleven minutes ahead", Code::Clock, Link { ts_ms: story().now + 660_000, ..good.clone() }),
        ("an author unknown here", Code::Authority, Link { author_id: Person::named("stranger").id, ..good.clone() }),
        ("a key that is not current", Code::Authority, Link { author_key_id: author.renewed().key_id, ..good.clone() }),
        ("33 heads", Code::Limit, Link { seen: vec![fork.clone(); 33], ..good.clone() }),
        ("a head that differs from the known one", Code::Fork, Link { seen: vec![fork], ..good.clone() }),
    ];
    let mut cases: Vec<Json> = changed.into_iter().map(|(name, code, link)| refused(name, seq, &sign(&author, &link), code)).collect();
    let raw = |payload: Vec<u8>| Signed::make(&author.sign, Domain::OrgLink, payload);
    let payload = signed.payload();
    cases.push(refused("a byte after the end", seq, &raw([payload, &[0]].concat()), Code::Canon));
    let Ok(Value::Map(mut pairs)) = cbor::decode(payload) else { return cases };
    pairs.push((11, Value::Bool(true)));
    cases.push(refused("an unknown field", seq, &raw(cbor::encode(&Value::Map(pairs))), Code::Upgrade));
    let other = Signed::make(&author.sign, Domain::Manifest, payload.to_vec());
    cases.push(refused("a signature of another domain", seq, &other, Code::Sig));
    let mut flipped = signed.clone();
    flipped.sig[0] ^= 1;
    cases.push(refused("one bit of the signature", seq, &flipped, Code::Sig));
    cases.push(refused("a link again", seq + 1, signed, Code::Rollback));
    cases
}

fn manifest() -> Json {
    let ns_id = NsId(crate::people::id("production"));
    let links = &story().manifests[&ns_id].links;
    let valid: Vec<Json> = links
        .iter()
        .map(|signed| {
            let mut case = signed_case("accepted", signed);
            case["hash"] = json!(signed.hash(hash::MANIFEST).to_string());
            case
        })
        .collect();
    json!({
        "about": "The manifest of one namespace of the chain in links.json, each link judged on the state after its anchor and with all \
                  fences of the chain. Invalid: refused after the first `after` valid links.",
        "ns_id": ns_id.to_string(),
        "now_ms": story().now,
        "valid": valid,
        "invalid": mutated_manifest(&ns_id),
    })
}

fn mutated_manifest(ns: &NsId) -> Vec<Json> {
    let world: &World = story();
    let after = world.manifests[ns].links.len();
    let owner = &world.owner;
    let next = world.next_version(ns, "a");
    let good = world.manifest_link(owner, ns, vec![next.clone()]);
    let with = |leaf: Leaf| world.manifest_link(owner, ns, vec![leaf]);
    let first = world.replica.link(0).expect("a genesis").0;
    let changed = [
        ("another version", Code::Upgrade, ManifestLink { v: 2, ..good.clone() }),
        ("another organization", Code::OrgId, ManifestLink { org_id: OrgId([1; 32]), ..good.clone() }),
        ("another namespace", Code::UnknownNamespace, ManifestLink { ns_id: world.directory, ..good.clone() }),
        ("a position left out", Code::Rollback, ManifestLink { mseq: good.mseq + 1, ..good.clone() }),
        ("another history", Code::Fork, ManifestLink { history: Hash::ZERO, ..good.clone() }),
        ("an anchor that goes back", Code::Rollback, ManifestLink { anchor: Anchor { seq: 0, link_hash: first }, ..good.clone() }),
        (
            "an anchor of another chain",
            Code::Fork,
            ManifestLink { anchor: Anchor { link_hash: Hash::ZERO, ..good.anchor.clone() }, ..good.clone() },
        ),
        ("dated before its anchor", Code::Clock, ManifestLink { ts_ms: 1, ..good.clone() }),
        ("an author unknown here", Code::Author, ManifestLink { author_id: Person::named("stranger").id, ..good.clone() }),
        ("another epoch", Code::Owed, ManifestLink { epoch: good.epoch + 1, ..good.clone() }),
        ("another root", Code::Root, ManifestLink { root: Hash::ZERO, ..good.clone() }),
        ("another count", Code::Root, ManifestLink { count: good.count + 1, ..good.clone() }),
        ("a version left out", Code::Rollback, with(Leaf { version: next.version + 1, ..next.clone() })),
        ("a leaf that moves", Code::Rollback, with(Leaf { index: 1, ..next.clone() })),
        ("a leaf of another link", Code::Canon, with(Leaf { mseq: 1, ..next.clone() })),
        ("a leaf under an older epoch", Code::Rollback, with(Leaf { epoch: 1, ..next.clone() })),
        ("a live leaf without payload", Code::Canon, with(Leaf { payload_hash: Hash::ZERO, ..next.clone() })),
        ("an unknown flag", Code::Canon, with(Leaf { flags: 4, ..next.clone() })),
        ("a secret written twice", Code::Canon, world.manifest_link(owner, ns, vec![next.clone(), next])),
    ];
    let mut cases: Vec<Json> =
        changed.into_iter().map(|(name, code, link)| refused(name, after, &sign_manifest(owner, &link), code)).collect();
    let eve = signers().into_iter().find(|person| person.name == "guest").expect("a signer").renewed();
    let unread = world.manifest_link(&eve, ns, vec![]);
    cases.push(refused("an author who may not write here", after, &sign_manifest(&eve, &unread), Code::Authority));
    let other = Signed::make(&owner.sign, Domain::OrgLink, good.to_bytes());
    cases.push(refused("a signature of another domain", after, &other, Code::Sig));
    let fence = &world.replica.fences(ns)[0];
    let bob = signers().into_iter().find(|person| person.name == "bob" && person.generation == 2).expect("a signer");
    let old = bob_before_his_removal(ns, &bob);
    cases.push(refused("beyond a fence, anchored before it", usize::try_from(fence.mseq).unwrap_or(0), &old, Code::Fence));
    cases
}

/// What Bob can still sign with an anchor from before his removal.
fn bob_before_his_removal(ns: &NsId, bob: &Person) -> Signed {
    let removal = story().links.iter().position(|signed| Link::from_bytes(signed.payload()).is_ok_and(|link| link.kind == 5));
    let mut world = story().clone();
    world.replica = until(removal.expect("a removal"));
    let before = story().manifests[ns].links[1].clone();
    let last = ManifestLink::from_bytes(before.payload()).expect("a manifest link");
    let mut link = world.manifest_link(bob, ns, vec![]);
    (link.mseq, link.root, link.count) = (last.mseq + 1, last.root, last.count);
    let mut history = merkle::Frontier::default();
    let created = Link::from_bytes(story().links[2].payload()).expect("a link");
    assert_eq!(created.kind, 10);
    history.push(merkle::leaf_hash(&story().links[2].hash(hash::LINK).0));
    for signed in &story().manifests[ns].links[..2] {
        history.push(merkle::leaf_hash(&signed.hash(hash::MANIFEST).0));
    }
    link.history = history.root();
    sign_manifest(bob, &link)
}

fn state() -> Json {
    let head = story().replica.head();
    let entries: Vec<Json> = head
        .scan(b"")
        .iter()
        .filter(|key| key.is_hashed())
        .filter_map(|key: &Key| {
            head.get(key).map(|entry| json!({ "key": hex::encode(key.as_bytes()), "value": hex::encode(entry.to_bytes()) }))
        })
        .collect();
    json!({
        "about": "The state after the last link of links.json. The state hash is the Merkle tree hash over H(0x0110, [key, value]) in order of keys.",
        "entries": entries,
        "state_hash": head.state_hash().to_string(),
    })
}

/// The reference leaves of Certificate Transparency's Merkle tree tests, and their published roots.
fn merkle() -> Json {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let first = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ];
    json!({
        "about": "Known answers of Certificate Transparency's reference tests (RFC 6962): roots over the first n leaves, and a path.",
        "leaves": leaves,
        "roots": roots,
        "paths": [{ "index": 0, "size": 8, "path": first }],
    })
}
