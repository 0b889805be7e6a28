//! Bytes from somebody else, for every decoder of the ledger and for its judges: refused or taken, never a panic, a hang or much memory; and what
//! is taken is what was encoded.

#[path = "fuzz/driver.rs"]
mod driver;

use crate::people::Person;
use crate::story::{signers, story, until};
use crate::writing::sign_manifest;
use driver::{Target, fuzz};
use keyvawlt_ledger::bundle::Bundle;
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::chain::{Entry, Key, Link, Policy, Replica, View as _, apply, org_id_of};
use keyvawlt_ledger::evidence::{EVIDENCE_FORMAT, Evidence, Exhibit};
use keyvawlt_ledger::facts;
use keyvawlt_ledger::health::{HealthReport, Outcome};
use keyvawlt_ledger::manifest::{Leaf, ManifestLink};
use keyvawlt_ledger::merkle::Frontier;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Domain, Fault, Hash, NsId, SecretId, Signed, account, assertion, cbor, names};
use std::path::Path;
use std::sync::OnceLock;

/// A refusal in words, without the numbers that differ from input to input.
fn words(fault: &Fault) -> String {
    format!("{}: {}", fault.code, fault.why.replace(|character: char| character.is_ascii_hexdigit(), ""))
}

/// Decodes, and holds the encoding of what was decoded against the input.
fn decodes<T: Canon>(bytes: &[u8]) -> String {
    match T::from_bytes(bytes) {
        Ok(value) => {
            assert_eq!(value.to_bytes(), bytes, "a second form was taken");
            "taken".to_owned()
        }
        Err(fault) => words(&fault),
    }
}

/// The story's chain before each link.
fn prefixes() -> &'static [Replica] {
    static PREFIXES: OnceLock<Vec<Replica>> = OnceLock::new();
    PREFIXES.get_or_init(|| (0..=story().links.len()).map(until).collect())
}

fn people() -> &'static [Person] {
    static PEOPLE: OnceLock<Vec<Person>> = OnceLock::new();
    PEOPLE.get_or_init(signers)
}

/// A link of any content, signed by somebody of the story, at some place of it. The first byte says where, the second who.
fn judge_link(bytes: &[u8]) -> String {
    let [place, who, payload @ ..] = bytes else { return "short".to_owned() };
    let people = people();
    let replica = &prefixes()[usize::from(*place) % prefixes().len()];
    let signed = Signed::make(&people[usize::from(*who) % people.len()].sign, Domain::OrgLink, payload.to_vec());
    match apply(&replica.head(), replica.tip(), &signed, story().now) {
        Ok(applied) => {
            let mut after = replica.clone();
            after.append(&signed, story().now).expect("the same judgement");
            assert_eq!(after.head().state_hash(), Replica::from_bytes(&after.to_bytes()).expect("a cache").head().state_hash());
            format!("taken, kind {}", applied.link.kind)
        }
        Err(fault) => words(&fault),
    }
}

/// A write of any content, signed by its author.
fn judge_write(bytes: &[u8]) -> String {
    let mut world = story().clone();
    let production = NsId(crate::people::id("production"));
    let owner = world.owner.clone();
    let signed = Signed::make(&owner.sign, Domain::Manifest, bytes.to_vec());
    let known = ManifestLink::from_bytes(bytes).is_ok_and(|link| world.replica.link(link.anchor.seq).is_some());
    if !known {
        return decodes::<ManifestLink>(bytes);
    }
    world.judges(&production, &signed).map_or_else(|fault| words(&fault), |_| "taken".to_owned())
}

/// A finding about a key, of any content, signed by somebody of the story: the first byte says who.
fn judge_report(bytes: &[u8]) -> String {
    let [who, payload @ ..] = bytes else { return "short".to_owned() };
    let (world, people) = (story(), people());
    let (head, production) = (world.replica.head(), NsId(crate::people::id("production")));
    let judge = |signed: &Signed| HealthReport::judge(signed, &head, &world.org_id(), &production, world.now);
    let forged = Signed { payload: Blob(payload.to_vec()), sig: [3; 64] };
    assert!(judge(&forged).is_err(), "taken without a signature");
    let signed = Signed::make(&people[usize::from(*who) % people.len()].sign, Domain::HealthReport, payload.to_vec());
    match judge(&signed) {
        Ok(report) => {
            assert_eq!(report.to_bytes(), payload, "a second form was taken");
            format!("taken, {}", report.outcome.as_str())
        }
        Err(fault) => words(&fault),
    }
}

/// Findings of everybody who signs in the story, with every outcome in turn.
fn reports() -> impl Iterator<Item = Vec<u8>> {
    people().iter().zip(0_u8..).zip(Outcome::ALL.into_iter().cycle()).map(|((person, who), outcome)| {
        let report = HealthReport {
            v: 1,
            org_id: story().org_id(),
            ns_id: NsId(crate::people::id("production")),
            secret_id: SecretId([7; 16]),
            version: 2,
            outcome,
            at_ms: story().now,
            prober_id: person.id,
            prober_key_id: person.key_id,
            expires_ms: Some(story().now).filter(|_| who % 2 == 0),
        };
        [vec![who], report.to_bytes()].concat()
    })
}

fn read_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let said = [
        names::check(&text).err(),
        names::check_prefix(&text).err(),
        names::join(&text, &text).err(),
        text.parse::<NsId>().err(),
        assertion::claimed_subject(&text).err(),
        text.parse::<assertion::Subject>().err(),
    ];
    said.iter().map(|said| said.as_ref().map_or("taken".to_owned(), words)).collect::<Vec<_>>().join("; ")
}

fn read_entry(bytes: &[u8]) -> String {
    let nouns = ["policy", "chain", "member/", "invite/", "ns/", "epoch/", "access/"];
    let read = |noun: &&str| Entry::from_bytes(&Key::from_bytes(noun.as_bytes().to_vec()), bytes).map(|entry| entry.to_bytes());
    let said = nouns.iter().map(|noun| match read(noun) {
        Ok(again) => {
            assert_eq!(again, bytes);
            (*noun).to_owned()
        }
        Err(fault) => fault.code.to_string(),
    });
    said.collect::<Vec<_>>().join(" ")
}

fn read_evidence(bytes: &[u8]) -> String {
    match Evidence::parse(bytes) {
        Ok(evidence) => {
            let findings: Vec<String> = evidence.check().iter().map(|finding| format!("{finding:?}")).collect();
            findings.iter().map(|finding| finding.split_once(' ').map_or(finding.as_str(), |(kind, _)| kind)).collect::<Vec<_>>().join(" ")
        }
        Err(fault) => words(&fault),
    }
}

fn read_bundle(bytes: &[u8]) -> String {
    let signed = Signed::make(&people()[0].sign, Domain::Bundle, bytes.to_vec());
    Bundle::verify(&signed).map_or_else(|fault| words(&fault), |_| "taken".to_owned())
}

fn any_document(bytes: &[u8]) -> String {
    let counted = cbor::count_items(bytes);
    match cbor::decode(bytes) {
        Ok(value) => {
            assert_eq!(cbor::encode(&value), bytes);
            assert!(counted.is_ok());
            format!("{value:?}").chars().filter(|character| character.is_alphabetic() || *character == '[').take(24).collect()
        }
        Err(fault) => words(&fault),
    }
}

fn evidence() -> Vec<u8> {
    let newest = story().replica.newest().expect("a link");
    Evidence {
        v: EVIDENCE_FORMAT,
        code: "E_FORK".to_owned(),
        why: String::new(),
        at_ms: 1,
        origin: "https://vault.example".to_owned(),
        client: "x".to_owned(),
        org_id: Some(story().org_id()),
        links: story().links.len() as u64,
        head: story().replica.tip().link_hash,
        exhibits: vec![Exhibit { domain: 1, before: Some(newest.before.clone()), signed: newest.signed.clone() }; 2],
        bundles: vec![story().owner.bundle.clone()],
    }
    .to_bytes()
}

fn targets() -> Vec<Target> {
    let world = story();
    let production = NsId(crate::people::id("production"));
    let links = || world.links.iter().map(|link| link.payload().to_vec());
    let writes = world.manifests[&production].links.iter().map(|link| link.payload().to_vec());
    let next = world.manifest_link(&world.owner, &production, vec![world.next_version(&production, "a"), world.fresh(&production, "c", 0)]);
    let next = sign_manifest(&world.owner, &next).payload().to_vec();
    let head = world.replica.head();
    let entries = head.scan(b"").into_iter().filter_map(|key| head.get(&key)).map(|entry| entry.to_bytes());
    let leaves = world.manifests[&production].leaves.values().map(Canon::to_bytes);
    let wrap = Wrap {
        org_id: world.org_id(),
        ns_id: production,
        epoch: 1,
        recipient_id: world.owner.id,
        recipient_key_id: world.owner.key_id,
        granter_id: world.owner.id,
        granter_key_id: world.owner.key_id,
        nk_commit: Hash::ZERO,
        enc: [1; 1120],
        ct: [2; 48],
    };
    let policy = crate::world::policy().to_bytes();
    let placed = links().enumerate().flat_map(|(seq, link)| {
        let seq = u8::try_from(seq).expect("a short story");
        (0..4).map(move |who| [&[seq, who][..], &link].concat())
    });
    let target = |name, seeds: Vec<Vec<u8>>, run| Target { name, seeds, run };
    vec![
        target("document", links().take(3).collect(), any_document),
        target("link", links().collect(), decodes::<Link>),
        target("manifest-link", writes.clone().collect(), decodes::<ManifestLink>),
        target("leaf", leaves.collect(), decodes::<Leaf>),
        target("wrap", vec![wrap.to_bytes()], decodes::<Wrap>),
        target("policy", vec![policy], decodes::<Policy>),
        target("claim", vec![], decodes::<account::Claim>),
        target("signed", world.links.iter().take(2).map(Canon::to_bytes).collect(), decodes::<Signed>),
        target("bundle", vec![world.owner.bundle.payload().to_vec()], read_bundle),
        target("facts", vec![facts::none()], |bytes| facts::read(bytes).map_or_else(|fault| words(&fault), |_| "taken".to_owned())),
        target("entry", entries.collect(), read_entry),
        target("frontier", vec![world.replica.tip().history.to_bytes()], |bytes| {
            Frontier::from_bytes(bytes).map_or_else(|fault| words(&fault), |frontier| frontier.root().to_string().chars().take(1).collect())
        }),
        target("replica", vec![until(4).to_bytes()], |bytes| {
            // Its check is renewed, so that what lies below is reached.
            let mut bytes = bytes.to_vec();
            bytes.truncate(bytes.len().saturating_sub(32));
            bytes.extend_from_slice(&keyvawlt_ledger::merkle::leaf_hash(&bytes.clone()).0);
            Replica::from_bytes(&bytes)
                .map_or_else(|fault| words(&fault), |replica| format!("taken {}", replica.head().scan(b"").len().min(9)))
        }),
        target("organization-id", links().take(1).collect(), |bytes| {
            org_id_of(bytes).map_or_else(|fault| words(&fault), |_| "taken".to_owned())
        }),
        target("text", vec![b"stripe/key".to_vec(), b"a.b.c".to_vec()], read_text),
        target("evidence", vec![evidence()], read_evidence),
        target("health-report", reports().collect(), judge_report),
        target("apply", placed.collect(), judge_link),
        target("write", writes.chain([next]).collect(), judge_write),
        target("apply-unsigned", links().collect(), |bytes| {
            let signed = Signed { payload: Blob(bytes.to_vec()), sig: [3; 64] };
            let replica = &prefixes()[prefixes().len() - 1];
            apply(&replica.head(), replica.tip(), &signed, story().now)
                .map_or_else(|fault| words(&fault), |_| panic!("taken without a signature"))
        }),
    ]
}

#[test]
fn findings_to_begin_with_reach_every_judgement() {
    let said: Vec<String> = reports().map(|report| judge_report(&report)).collect();
    assert!(said.iter().any(|said| said.starts_with("taken")) && said.iter().any(|said| !said.starts_with("taken")), "{said:?}");
}

#[test]
fn no_bytes_make_the_ledger_panic_hang_or_grow() {
    fuzz(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus"), targets());
}
