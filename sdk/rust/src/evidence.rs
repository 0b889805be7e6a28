//! What a client has to show when something does not verify: its newest verified statements, and the one it met.
//!
//! Invariant: statements that were signed to be read by others, and public keys; nothing that this identity decrypted.

use crate::memory::spaces::Spaces;
use crate::vault::Vault;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{Link, Replica};
use keyvawlt_ledger::evidence::{Continued, EVIDENCE_FORMAT, Evidence, Exhibit};
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{Domain, Fault, KeyId, Signed};

/// The client that found it.
const CLIENT: &str = concat!("keyvawlt-client ", env!("CARGO_PKG_VERSION"));

/// A statement that the server delivered, and that was refused or does not fit what was verified.
#[derive(Clone, Debug)]
pub(crate) struct Met {
    pub(crate) domain: Domain,
    pub(crate) signed: Signed,
}

impl Met {
    pub(crate) fn link(signed: &Signed) -> Self {
        Self { domain: Domain::OrgLink, signed: signed.clone() }
    }

    pub(crate) fn write(signed: &Signed) -> Self {
        Self { domain: Domain::Manifest, signed: signed.clone() }
    }
}

impl Vault {
    /// What shows this failure to somebody else: met while `replica` and `spaces` were being verified.
    pub(crate) fn evidence(&self, fault: &Fault, met: Option<&Met>, replica: &Replica, spaces: &Spaces) -> Evidence {
        let mut exhibits: Vec<Exhibit> = self.replica.newest().map(|newest| held(1, newest)).into_iter().collect();
        let further = replica.newest().filter(|newest| exhibits.iter().all(|held| held.signed != newest.signed));
        exhibits.extend(further.map(|newest| held(1, newest)));
        if let Some(met) = met {
            if met.domain == Domain::Manifest
                && let Ok(link) = ManifestLink::from_bytes(met.signed.payload())
            {
                let space = spaces.get(&link.ns_id).ok().flatten();
                exhibits.extend(space.and_then(|space| space.newest.as_ref()).map(|newest| held(2, newest)));
            }
            let refused = Exhibit { domain: number(met.domain), before: None, signed: met.signed.clone() };
            if exhibits.iter().all(|held| held.signed != refused.signed) {
                exhibits.push(refused);
            }
        }
        let mut keys: Vec<KeyId> = exhibits.iter().filter_map(author_key).collect();
        keys.sort_unstable();
        keys.dedup();
        let tip = self.replica.tip();
        Evidence {
            v: EVIDENCE_FORMAT,
            code: fault.code.as_str().to_owned(),
            why: fault.why.to_string(),
            at_ms: self.now_ms(),
            origin: self.client().origin().to_owned(),
            client: CLIENT.to_owned(),
            org_id: Some(self.org_id),
            links: tip.next_seq(),
            head: tip.link_hash,
            bundles: keys.iter().filter_map(|key_id| replica.bundle(key_id).or_else(|| self.replica.bundle(key_id))).cloned().collect(),
            exhibits,
        }
    }
}

fn held(domain: u8, newest: &Continued) -> Exhibit {
    Exhibit { domain, before: Some(newest.before.clone()), signed: newest.signed.clone() }
}

fn number(domain: Domain) -> u8 {
    domain as u8
}

fn author_key(exhibit: &Exhibit) -> Option<KeyId> {
    let payload = exhibit.signed.payload();
    match exhibit.domain {
        1 => Link::from_bytes(payload).ok().map(|link| link.author_key_id),
        _ => ManifestLink::from_bytes(payload).ok().map(|link| link.author_key_id),
    }
}
