//! The tables of docs/protocol.md, "check | code", against the judges: a statement that breaks every check is refused with the code of the first one;
//! with that mended, of the second; and so on, until it is accepted. And the table of codes has every code.

use crate::people::{Person, bytes};
use crate::world::{DAY, READ, WRITE, World, sign};
use crate::writing::sign_manifest;
use keyvawlt_ledger::chain::{Body, Checkpoint, Head, Link, NamespaceCreate, Replica, apply, class, role};
use keyvawlt_ledger::manifest::{Anchor, ManifestLink};
use keyvawlt_ledger::{Code, Fault, Hash, NsId, OrgId};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn protocol() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md")).expect("docs/protocol.md")
}

/// The codes of each numbered check of the table that a section begins with this heading.
fn table(heading: &str) -> BTreeMap<usize, Vec<String>> {
    let text = protocol();
    let section = text.split_once(heading).expect("a section").1;
    let table = section.split_once("| | check | code |").expect("a table of checks").1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with("| "));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches(['|', ' ']).split(" | ").collect();
        let codes = cells.last().expect("codes").split(|character: char| !(character.is_ascii_uppercase() || character == '_'));
        Some((cells.first()?.trim().parse().ok()?, codes.filter(|word| word.starts_with("E_")).map(str::to_owned).collect()))
    };
    rows.filter_map(row).collect()
}

/// Judges what breaks the checks from each row on, and then none.
fn staircase(heading: &str, rows: &[usize], judge: impl Fn(&dyn Fn(usize) -> bool) -> Result<(), Fault>) {
    let table = table(heading);
    for first in rows {
        let code = judge(&|row| row >= *first).expect_err("a broken check").code;
        let said = table.get(first).unwrap_or_else(|| panic!("{heading} has no row {first}"));
        let as_said_there = said.is_empty();
        assert!(
            as_said_there || said.iter().any(|said| said == code.as_str()),
            "{heading}, row {first}: {code}, and the table says {said:?}"
        );
    }
    judge(&|_| false).expect("with everything mended it is accepted");
}

#[test]
fn the_checks_of_a_link_come_in_the_order_of_the_table() {
    let world = World::begins();
    let mut replica = Replica::new(world.org_id());
    replica.append(&world.links[0], world.now).unwrap();
    let (owner, stranger) = (world.owner.clone(), Person::named("stranger"));
    let judge = |broken: &dyn Fn(usize) -> bool| {
        let root = world.root(if broken(12) { class::PRODUCTION } else { class::DIRECTORY });
        let body = if broken(8) {
            Body::Checkpoint(Checkpoint { state_hash: None })
        } else {
            Body::NamespaceCreate(NamespaceCreate { ns_id: world.directory, ..root })
        };
        let author = if broken(10) { &stranger } else { &owner };
        let tip = replica.tip();
        let unknown = Head { ns_id: NsId([9; 16]), mseq: 1, mhash: Hash::ZERO };
        let link = Link {
            v: 1 + u64::from(broken(3)),
            org_id: if broken(5) { OrgId([1; 32]) } else { tip.org_id },
            seq: tip.next_seq() + u64::from(broken(6)),
            history: if broken(7) { Hash::ZERO } else { tip.history.root() },
            kind: body.kind(),
            author_id: author.id,
            author_key_id: author.key_id,
            ts_ms: if broken(9) { 1 } else { world.now },
            body: body.to_value(),
            seen: vec![unknown; if broken(4) { 33 } else { usize::from(broken(13)) }],
        };
        let mut signed = sign(if broken(11) { &stranger } else { author }, &link);
        if broken(2) {
            signed.payload.0.push(0);
        }
        if broken(1) {
            signed.payload.0.resize((1 << 20) + 1, 0);
        }
        apply(&replica.head(), tip, &signed, world.now).map(|_| ())
    };
    staircase("### 10.2", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], judge);
}

#[test]
fn the_checks_of_a_write_come_in_the_order_of_the_table() {
    let mut world = World::begins();
    let production = world.environment("production", class::PRODUCTION);
    let (reader, writer) = (world.adds("rita", role::MEMBER), world.adds("wanda", role::MEMBER));
    world.gives(&production, &reader, READ);
    world.gives(&production, &writer, WRITE);
    let owner = world.owner.clone();
    world.writes(&owner, &production, vec![world.fresh(&production, "a", 0)]);
    let before = Anchor { seq: world.links.len() as u64 - 1, link_hash: world.replica.tip().link_hash };
    world.accepts(&owner, world.removal(&writer));
    world.accepts(&owner, world.epoch(&production));
    world.waits(DAY);
    let stranger = Person::named("stranger");
    let judge = |broken: &dyn Fn(usize) -> bool| {
        let author = if broken(10) {
            &stranger
        } else if broken(11) {
            &reader
        } else {
            &owner
        };
        let mut op = world.fresh(&production, "b", 0);
        op.version += u64::from(broken(14));
        let mut link: ManifestLink = world.manifest_link(author, &production, vec![op]);
        if broken(12) {
            link.anchor = before.clone();
        }
        if broken(8) {
            link.anchor.link_hash = Hash::ZERO;
        }
        // Under the older anchor the epoch is the older one.
        link.epoch = if broken(12) { link.epoch - 1 } else { link.epoch } + u64::from(broken(13));
        link.v += u64::from(broken(2));
        link.with = vec![Head { ns_id: NsId([9; 16]), mseq: 1, mhash: Hash::ZERO }; if broken(3) { 9 } else { 0 }];
        link.org_id = if broken(5) { OrgId([1; 32]) } else { link.org_id };
        link.mseq += u64::from(broken(6));
        link.history = if broken(7) { Hash::ZERO } else { link.history };
        link.ts_ms = if broken(9) { 1 } else { link.ts_ms };
        link.root = if broken(16) { Hash(bytes("another root")) } else { link.root };
        let mut signed = sign_manifest(author, &link);
        if broken(1) {
            signed.payload.0.resize((256 << 10) + 1, 0);
        }
        world.clone().judges(&production, &signed).map(|_| ())
    };
    // Row 4 is about what is held already, row 15 about sizes: both have tests of their own.
    staircase("## 11. The manifest", &[1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16], judge);
}

#[test]
fn the_table_of_codes_has_every_code_in_order() {
    let text = protocol();
    let section = text.split_once("## 13. Codes").expect("a section of codes").1;
    let codes = section.lines().filter_map(|line| line.strip_prefix("| E_")?.split_once(" |"));
    let codes: Vec<String> = codes.map(|(code, _)| format!("E_{code}")).collect();
    assert_eq!(codes, Code::ALL.iter().map(|code| code.as_str().to_owned()).collect::<Vec<_>>());
    let stem = |code: &str| text.split("## 13. Codes").next().is_some_and(|before| before.contains(code));
    for code in Code::ALL.iter().filter(|code| !matches!(code, Code::Stale | Code::Log)) {
        assert!(stem(code.as_str()), "no rule of the text names {code}");
    }
}
