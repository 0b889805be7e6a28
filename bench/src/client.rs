//! What a client does alone: verify a long chain, open many secrets, give a reader access to a large environment.

use crate::program::own_cpu;
use crate::scene::{DEVELOPMENT, Person, admit, secrets};
use anyhow::{Context as _, Result, ensure};
use keyvawlt_client::Clock;
use keyvawlt_client::ledger::bundle::kind;
use keyvawlt_client::ledger::canon::{Blob, Canon as _};
use keyvawlt_client::ledger::chain::{
    Access, Body, Checkpoint, Genesis, Link, MemberAdd, NamespaceCreate, Policy, Replica, Seal, View as _, WrapSet, class, org_id_of,
    permission, role, verified,
};
use keyvawlt_client::ledger::limits::CHECKPOINT_INTERVAL;
use keyvawlt_client::ledger::merkle::empty_root;
use keyvawlt_client::ledger::{Domain, FORMAT, Hash, IdentityId, NsId, OrgId, SUITE, Signed};
use keyvawlt_crypto::Identity;
use std::time::{Duration, Instant};

pub const LINKS: usize = 10_000;
const ENVIRONMENTS: usize = 20;
/// How often short things are done, for the median.
const TIMES: usize = 5;
/// Secrets that are opened.
pub const OPENED: usize = 1000;
/// Sizes of the environments that get a reader.
pub const SIZES: [usize; 3] = [100, 1000, 10_000];
const DAY_MS: u64 = 24 * 3600 * 1000;

/// A chain, verified from nothing.
pub struct ChainVerified {
    pub links: usize,
    pub bytes: usize,
    pub took: Duration,
    pub cpu: Duration,
}

/// A member for every eight links, access for most others, a checkpoint where one is due: what years of a large team leave.
pub fn verify_chain() -> Result<ChainVerified> {
    let mut chain = Chain::found()?;
    let environments = (0..ENVIRONMENTS).map(|_| chain.environment(class::STAGING)).collect::<Result<Vec<NsId>>>()?;
    let mut people = Vec::new();
    let mut given = 0;
    for n in 0.. {
        if chain.links.len() >= LINKS {
            break;
        }
        if (chain.links.len() as u64).is_multiple_of(CHECKPOINT_INTERVAL) {
            let state_hash = Some(chain.replica.head().state_hash());
            chain.say(&Body::Checkpoint(Checkpoint { state_hash }))?;
        } else if n % 8 == 0 {
            people.push(chain.member()?);
        } else {
            // Everybody gets everything in turn.
            chain.give(environments[given % ENVIRONMENTS], people[given / ENVIRONMENTS % people.len()])?;
            given += 1;
        }
    }
    let bytes = chain.links.iter().map(|link| link.payload().len() + link.sig.len()).sum();
    let (began, cpu) = (Instant::now(), own_cpu()?);
    let mut replica = Replica::new(chain.replica.tip().org_id);
    for link in &chain.links {
        replica.append(link, chain.now_ms)?;
    }
    let (took, cpu) = (began.elapsed(), own_cpu()?.saturating_sub(cpu));
    ensure!(replica.tip() == chain.replica.tip(), "another chain was verified");
    Ok(ChainVerified { links: chain.links.len(), bytes, took, cpu })
}

struct Chain {
    owner: Identity,
    replica: Replica,
    links: Vec<Signed>,
    now_ms: u64,
}

impl Chain {
    fn found() -> Result<Self> {
        let now_ms = Clock::System.now_ms();
        let owner = Identity::make(kind::PERSON, now_ms, &mut rand::rng());
        let policy = Policy {
            min_suite: SUITE,
            require_admin_confirm: false,
            allow_unverified: false,
            machine_single_class: true,
            max_staleness_ms: None,
            origins: vec!["https://vault.example:443".to_owned()],
            log_key: None,
            witnesses: vec![],
        };
        let body = Body::Genesis(Genesis { bundle: owner.signed_bundle().clone(), policy, nonce: rand::random() });
        let mut chain = Self { owner, replica: Replica::new(OrgId([0; 32])), links: vec![], now_ms };
        let mut link = chain.link(&body);
        link.history = empty_root();
        link.org_id = org_id_of(&link.to_bytes())?;
        chain.replica = Replica::new(link.org_id);
        chain.take(&link)?;
        chain.environment(class::DIRECTORY)?;
        Ok(chain)
    }

    fn link(&self, body: &Body) -> Link {
        let tip = self.replica.tip();
        Link {
            v: FORMAT,
            org_id: tip.org_id,
            seq: tip.next_seq(),
            history: tip.history.root(),
            kind: body.kind(),
            author_id: self.owner.id(),
            author_key_id: self.owner.key_id(),
            ts_ms: self.now_ms,
            body: body.to_value(),
            seen: vec![],
        }
    }

    fn say(&mut self, body: &Body) -> Result<()> {
        self.take(&self.link(body))
    }

    fn take(&mut self, link: &Link) -> Result<()> {
        let signed = self.owner.sign(Domain::OrgLink, link.to_bytes());
        self.replica.append(&signed, self.now_ms)?;
        self.links.push(signed);
        Ok(())
    }

    fn environment(&mut self, class: u8) -> Result<NsId> {
        let ns_id = NsId(rand::random());
        // The ledger never opens what is sealed: bytes of the right length will do.
        let names = Seal { epoch: 1, sealed: Blob(vec![7; 144]) };
        let wraps = WrapSet { root: Hash(rand::random()), count: 1 };
        let nk_commit = Hash(rand::random());
        self.say(&Body::NamespaceCreate(NamespaceCreate { ns_id, parent: None, class, nk_commit, parent_seal: None, wraps, names }))?;
        Ok(ns_id)
    }

    fn member(&mut self) -> Result<IdentityId> {
        let person = Identity::make(kind::PERSON, self.now_ms, &mut rand::rng());
        let bundle = person.signed_bundle().clone();
        self.say(&Body::MemberAdd(MemberAdd { bundle, role: role::MEMBER, expires_ms: 0, verified: verified::WORDS }))?;
        Ok(person.id())
    }

    fn give(&mut self, ns_id: NsId, identity_id: IdentityId) -> Result<()> {
        let wrap = Some(Hash(rand::random()));
        let permissions = permission::READ;
        self.say(&Body::Access(Access { ns_id, identity_id, permissions, expires_ms: 0, wrap, fences: vec![], abandon: false }))
    }
}

/// Opening everything of an environment.
pub struct Opened {
    /// From the machine's own files: read, unwrap the key, open every value.
    pub with_files: Duration,
    /// Opening every value, the median.
    pub values: Duration,
}

/// Opens an environment's secrets.
pub async fn open_secrets(person: &mut Person) -> Result<Opened> {
    let mut vault = person.found("opened").await?;
    vault.create_project("agents", &[("development", DEVELOPMENT)]).await?;
    let environment = vault.environment("agents", "development")?.ns_id;
    vault.write(&environment, &secrets(OPENED)).await?;
    let org = vault.org_id();
    drop(vault);
    let began = Instant::now();
    let vault = person.account.open(org, &person.state("opened")?).await?;
    ensure!(vault.read_all(&environment)?.len() == OPENED, "not everything opened");
    let with_files = began.elapsed();
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        let opened = vault.read_all(&environment)?;
        took.push(began.elapsed());
        ensure!(opened.len() == OPENED, "not everything opened");
    }
    Ok(Opened { with_files, values: median(&mut took)? })
}

/// A reader added to an environment of this many secrets.
pub struct ReaderAdded {
    pub secrets: usize,
    /// From the question what changed to the last byte on this machine's disk.
    pub took: Duration,
}

/// Gives new machines read access to environments of growing size.
pub async fn add_readers(person: &mut Person) -> Result<Vec<ReaderAdded>> {
    let mut added = Vec::new();
    for size in SIZES {
        let mut vault = person.found(&format!("readers-{size}")).await?;
        vault.create_project("agents", &[("development", DEVELOPMENT), ("other", DEVELOPMENT)]).await?;
        let environment = vault.environment("agents", "development")?.ns_id;
        let other = vault.environment("agents", "other")?.ns_id;
        vault.write(&environment, &secrets(size)).await?;
        let mut took = Vec::new();
        for _ in 0..TIMES {
            let machine = admit(&mut vault, &[other], permission::READ).await?;
            let began = Instant::now();
            vault.grant(&machine.identity_id, &environment, permission::READ, Clock::System.now_ms() + DAY_MS / 2).await?;
            took.push(began.elapsed());
        }
        added.push(ReaderAdded { secrets: size, took: median(&mut took)? });
    }
    Ok(added)
}

/// The middle one.
pub fn median(took: &mut [Duration]) -> Result<Duration> {
    took.sort_unstable();
    took.get(took.len() / 2).copied().context("nothing was measured")
}
