//! Evidence: what two contradicting statements show to somebody who has nothing but them.

use crate::people::Person;
use crate::world::{START, World};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Checkpoint, Replica, class, role};
use keyvawlt_ledger::evidence::{EVIDENCE_FORMAT, Evidence, Exhibit, Finding};
use keyvawlt_ledger::{Code, Fault, Signed};

/// What a client would write that has verified `chain`, and met `met`.
fn evidence(chain: &Replica, domain: u8, met: &Signed, authors: &[&Person]) -> Evidence {
    let newest = chain.newest().expect("a link");
    Evidence {
        v: EVIDENCE_FORMAT,
        code: Code::Fork.to_string(),
        why: String::new(),
        at_ms: START,
        origin: "https://vault.example:443".to_owned(),
        client: "test".to_owned(),
        org_id: Some(chain.tip().org_id),
        links: chain.tip().next_seq(),
        head: chain.tip().link_hash,
        exhibits: vec![
            Exhibit { domain: 1, before: Some(newest.before.clone()), signed: newest.signed.clone() },
            Exhibit { domain, before: None, signed: met.clone() },
        ],
        bundles: authors.iter().map(|author| author.bundle.clone()).collect(),
    }
}

/// One organization, shown to two people in two histories: the ends of both.
fn forked() -> (World, World, Person) {
    let mut first = World::begins();
    let adam = first.adds("adam", role::ADMIN);
    let mut second = first.clone();
    first.environment("staging", class::STAGING);
    second.accepts(&adam, Checkpoint { state_hash: None });
    (first, second, adam)
}

fn contradictions(evidence: &Evidence) -> Vec<Finding> {
    evidence.check().into_iter().filter(Finding::is_contradiction).collect()
}

#[test]
fn two_links_for_one_place_cannot_be_of_one_history() {
    let (first, second, adam) = forked();
    let met = &second.replica.newest().unwrap().signed;
    let evidence = evidence(&first.replica, 1, met, &[&first.owner, &adam]);
    let evidence = Evidence::parse(&evidence.to_bytes()).unwrap();
    let findings = evidence.check();
    assert!(findings.contains(&Finding::IsHead { exhibit: 1 }), "{findings:?}");
    assert_eq!(contradictions(&evidence), [Finding::SamePlace { exhibits: (1, 2), position: 3, same_author: false }]);
}

#[test]
fn two_links_by_the_same_keys_are_told_apart_from_two_by_others() {
    let (first, second, _) = forked();
    let again = second.clone().accepts(&first.owner, Checkpoint { state_hash: None });
    assert_eq!(again.link.seq, 4);
    let mut third = World::begins();
    third.adds("adam", role::ADMIN);
    third.accepts(&first.owner, Checkpoint { state_hash: None });
    let met = &third.replica.newest().unwrap().signed;
    let evidence = evidence(&first.replica, 1, met, &[&first.owner]);
    assert_eq!(contradictions(&evidence), [Finding::SamePlace { exhibits: (1, 2), position: 3, same_author: true }]);
}

#[test]
fn a_next_link_that_leaves_the_newest_one_out_continues_another_history() {
    let (first, mut second, adam) = forked();
    second.accepts(&adam, Checkpoint { state_hash: None });
    let met = &second.replica.newest().unwrap().signed;
    assert_eq!(first.clone().takes(met).unwrap_err().code, Code::Fork);
    let shown = evidence(&first.replica, 1, met, &[&first.owner, &adam]);
    assert_eq!(contradictions(&shown), [Finding::OtherHistory { exhibits: (1, 2) }]);

    // Its own continuation contradicts nothing, and neither does the same link twice.
    for honest in [&second.links[3], &second.links[4]] {
        let mut shorter = World::begins();
        second.links[2..4].iter().for_each(|link| drop(shorter.takes(link).unwrap()));
        assert_eq!(contradictions(&evidence(&shorter.replica, 1, honest, &[&first.owner, &adam])), []);
    }
}

#[test]
fn what_nobody_signed_shows_nothing() {
    let (first, second, adam) = forked();
    let met = &second.replica.newest().unwrap().signed;
    let not_signed = |evidence: &Evidence| -> Option<(usize, Code)> {
        evidence.check().into_iter().find_map(|finding| match finding {
            Finding::NotSigned { exhibit, why: Fault { code, .. } } => Some((exhibit, code)),
            _ => None,
        })
    };
    let mut forged = met.clone();
    forged.sig[3] ^= 1;
    let made_up = evidence(&first.replica, 1, &forged, &[&first.owner, &adam]);
    assert_eq!(not_signed(&made_up), Some((2, Code::Sig)));
    assert_eq!(contradictions(&made_up), []);
    let stranger = evidence(&first.replica, 1, met, &[&first.owner]);
    assert_eq!(not_signed(&stranger), Some((2, Code::Author)));
    assert_eq!(contradictions(&stranger), []);
    let wrong_kind = evidence(&first.replica, 2, met, &[&first.owner, &adam]);
    assert_eq!(not_signed(&wrong_kind), Some((2, Code::Upgrade)));
    let mut no_history = evidence(&first.replica, 1, met, &[&first.owner, &adam]);
    no_history.exhibits[0].before = Some(second.replica.tip().history.clone());
    assert!(!no_history.check().contains(&Finding::IsHead { exhibit: 1 }), "a history that its author did not sign");
}

#[test]
fn a_cached_chain_still_has_its_newest_link() {
    let (first, ..) = forked();
    let again = Replica::from_bytes(&first.replica.to_bytes()).unwrap();
    assert_eq!(again.newest(), first.replica.newest());
    assert!(again.newest().is_some());
}

#[test]
fn evidence_is_bounded() {
    let (first, second, adam) = forked();
    let met = &second.replica.newest().unwrap().signed;
    let good = evidence(&first.replica, 1, met, &[&adam]);
    let code = |evidence: &Evidence| Evidence::parse(&evidence.to_bytes()).unwrap_err().code;
    let many = Evidence { exhibits: vec![good.exhibits[0].clone(); 17], ..good.clone() };
    assert_eq!(code(&many), Code::Limit);
    assert_eq!(code(&Evidence { v: 2, ..good.clone() }), Code::Upgrade);
    assert_eq!(code(&Evidence { why: "x".repeat(4 << 20), ..good }), Code::Limit);
}
