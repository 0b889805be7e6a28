//! Evidence that what a client met contradicts what it had verified: the signed statements themselves, for somebody else to check.
//!
//! Invariant: a finding says what the signatures and hashes show, to whoever trusts the keys that are named, and nothing of who is to blame: no
//! server signs what it delivers. Holds statements, public keys and hashes; no value, no name in clear, no private key.

use crate::bundle::Bundle;
use crate::canon::Canon;
use crate::chain::Link;
use crate::fault::{Code, Fault};
use crate::ids::{Hash, IdentityId, KeyId, OrgId};
use crate::manifest::ManifestLink;
use crate::merkle::{Frontier, leaf_hash};
use crate::sign::{Domain, Signed};
use crate::{hash, limits, record, row};

/// Statements, and keys, of one file: a client writes a handful; the check compares each with each.
const MAX_EXHIBITS: usize = 16;

/// Version of the format. It is for people who compare, not for data that lasts: a program reads its own version only.
pub const EVIDENCE_FORMAT: u64 = 1;

row! {
    /// A statement that was accepted, and the history it continued.
    pub struct Continued {
        /// The history before it.
        before: Frontier,
        /// The statement.
        signed: Signed,
    }
}

row! {
    /// One statement of the evidence.
    pub struct Exhibit {
        /// 1 a link of the organization's chain, 2 one of a manifest.
        domain: u8,
        /// The history it continues, where the client had verified that; none for what it refused.
        before: Option<Frontier>,
        /// The statement.
        signed: Signed,
    }
}

record! {
    /// What a client met, and what it held against it.
    pub struct Evidence {
        /// [`EVIDENCE_FORMAT`].
        1 => v: u64,
        /// The code of the refusal.
        2 => code: String,
        /// Its reason, where statements were refused.
        3 => why: String,
        /// When, by the clock of that machine; epoch milliseconds.
        4 => at_ms: u64,
        /// The server's origin, as the client knew it.
        5 => origin: String,
        /// Name and version of the client.
        6 => client: String,
        /// The organization, where it is about one.
        7 => org_id: Option<OrgId>,
        /// How many links of the chain were verified.
        8 => links: u64,
        /// The hash of the newest of them.
        9 => head: Hash,
        /// The statements: first what was verified, then what was refused.
        10 => exhibits: Vec<Exhibit>,
        /// Public keys of their authors, as that client's chain has them.
        11 => bundles: Vec<Signed>,
    }
}

/// What an exhibit says of itself.
struct Reading<'a> {
    number: usize,
    exhibit: &'a Exhibit,
    hash: Hash,
    /// Namespace of a manifest link, zero for the chain.
    line: [u8; 16],
    org_id: OrgId,
    position: u64,
    history: Hash,
    author: IdentityId,
    key_id: KeyId,
}

/// One thing that the evidence shows, about exhibits by their number from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The signature verifies under these keys.
    Signed {
        /// Which exhibit.
        exhibit: usize,
        /// Its position in its chain or manifest.
        position: u64,
        /// Who is named as author.
        author: IdentityId,
        /// With which keys.
        key_id: KeyId,
    },
    /// Nobody whose keys are here signed it.
    NotSigned {
        /// Which exhibit.
        exhibit: usize,
        /// Why not.
        why: Fault,
    },
    /// It is the newest link that the client had verified, and continues the history that was given with it.
    IsHead {
        /// Which exhibit.
        exhibit: usize,
    },
    /// Two different genuine statements for one position: no history contains both.
    SamePlace {
        /// The two.
        exhibits: (usize, usize),
        /// The position.
        position: u64,
        /// Whether the same keys signed both.
        same_author: bool,
    },
    /// The second is genuine and comes right after the first, but continues a history without it.
    OtherHistory {
        /// The two.
        exhibits: (usize, usize),
    },
}

impl Finding {
    /// Whether it shows two histories that cannot both be the organization's.
    pub fn is_contradiction(&self) -> bool {
        matches!(self, Finding::SamePlace { .. } | Finding::OtherHistory { .. })
    }
}

impl Evidence {
    /// Reads evidence, no longer than any that a client writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        if bytes.len() > limits::MAX_EVIDENCE {
            return Err(Fault::new(Code::Limit, "evidence must not exceed 4 MiB"));
        }
        let evidence = Self::from_bytes(bytes)?;
        if evidence.v != EVIDENCE_FORMAT {
            return Err(Fault::new(Code::Upgrade, "evidence of another version: upgrade required"));
        }
        if evidence.exhibits.len() > MAX_EXHIBITS || evidence.bundles.len() > MAX_EXHIBITS {
            return Err(Fault::new(Code::Limit, "evidence has at most 16 statements, and keys of 16 authors"));
        }
        Ok(evidence)
    }

    /// What it shows to somebody who trusts the keys that are named.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut genuine: Vec<Reading> = Vec::new();
        for (at, exhibit) in self.exhibits.iter().enumerate() {
            match self.read(at + 1, exhibit) {
                Ok(reading) => {
                    let (position, author, key_id) = (reading.position, reading.author, reading.key_id);
                    findings.push(Finding::Signed { exhibit: reading.number, position, author, key_id });
                    if self.is_head(&reading) {
                        findings.push(Finding::IsHead { exhibit: reading.number });
                    }
                    genuine.push(reading);
                }
                Err(why) => findings.push(Finding::NotSigned { exhibit: at + 1, why }),
            }
        }
        for (at, first) in genuine.iter().enumerate() {
            findings.extend(genuine.iter().skip(at + 1).filter_map(|second| contradiction(first, second)));
        }
        findings
    }

    fn read<'a>(&self, number: usize, exhibit: &'a Exhibit) -> Result<Reading<'a>, Fault> {
        let payload = exhibit.signed.payload();
        let (reading, domain) = match exhibit.domain {
            1 => {
                let link = Link::from_bytes(payload)?;
                let (history, position) = (link.history, link.seq);
                let (author, key_id, org_id) = (link.author_id, link.author_key_id, link.org_id);
                let hash = exhibit.signed.hash(hash::LINK);
                (Reading { number, exhibit, hash, line: [0; 16], org_id, position, history, author, key_id }, Domain::OrgLink)
            }
            2 => {
                let link = ManifestLink::from_bytes(payload)?;
                let (history, position) = (link.history, link.mseq);
                let (author, key_id, org_id) = (link.author_id, link.author_key_id, link.org_id);
                let hash = exhibit.signed.hash(hash::MANIFEST);
                (Reading { number, exhibit, hash, line: link.ns_id.0, org_id, position, history, author, key_id }, Domain::Manifest)
            }
            _ => return Err(Fault::new(Code::Upgrade, "a statement of another kind: upgrade required")),
        };
        if self.org_id.is_some_and(|org_id| org_id != reading.org_id) {
            return Err(Fault::new(Code::OrgId, "the statement is about another organization"));
        }
        let bundles = self.bundles.iter().filter_map(|bundle| Bundle::verify(bundle).ok());
        let (bundle, _) = bundles
            .into_iter()
            .find(|(bundle, key_id)| *key_id == reading.key_id && bundle.identity_id == reading.author)
            .ok_or_else(|| Fault::new(Code::Author, "the keys it names are not those of a member that the client knew"))?;
        exhibit.signed.verify(&bundle.sign_pk, domain)?;
        Ok(reading)
    }

    /// The newest link, by the hash the client had pinned, on the history it signs itself.
    fn is_head(&self, reading: &Reading) -> bool {
        let continues = |before: &Frontier| before.root() == reading.history;
        reading.exhibit.domain == 1 && reading.hash == self.head && reading.exhibit.before.as_ref().is_some_and(continues)
    }
}

fn contradiction(first: &Reading, second: &Reading) -> Option<Finding> {
    let exhibits = (first.number, second.number);
    if (first.exhibit.domain, first.line, first.org_id) != (second.exhibit.domain, second.line, second.org_id) || first.hash == second.hash
    {
        return None;
    }
    if first.position == second.position {
        let same_author = first.key_id == second.key_id;
        return Some(Finding::SamePlace { exhibits, position: first.position, same_author });
    }
    // The history that the first one's author signed, and the first one itself: what every next statement continues.
    let mut history = first.exhibit.before.clone().filter(|before| before.root() == first.history)?;
    history.push(leaf_hash(&first.hash.0));
    let next = Some(second.position) == first.position.checked_add(1);
    (next && history.root() != second.history).then_some(Finding::OtherHistory { exhibits })
}
