//! What an account holds: the seeds of its identity, the organizations it joined, and its pins, all sealed under the account key.
//!
//! Unlock never creates keys: absent or broken data is E_NO_ACCOUNT, and an organization the blob does not list does not exist.

use crate::identity::Identity;
use crate::key::Key;
use crate::plain::{self, Fields};
use crate::{aead, pad};
use keyvawlt_ledger::account::Claim;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::cbor::Value;
use keyvawlt_ledger::chain::Head;
use keyvawlt_ledger::{AccountId, Code, Domain, FORMAT, Fault, Hash, IdentityId, OrgId, Signed, context, record, row};
use rand_core::CryptoRng;
use std::fmt;
use zeroize::Zeroizing;

pub use crate::slot::{ACCOUNT_SUITE, RecoveryCode, SecretKey, SlotKey, SlotKind, open_account_key, root_key, seal_account_key};

/// One generation of the identity's keys.
#[derive(Clone, PartialEq, Eq)]
pub struct SeedRow {
    /// The bundle's generation.
    pub generation: u64,
    /// What its keys follow from.
    pub seed: Key,
    /// The bundle's time of making.
    pub created_ms: u64,
    /// The bundle's kind.
    pub kind: u8,
}

/// The account's secrets. Debug shows nothing of them.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountBlob {
    /// Rises with each change; clients pin it.
    pub generation: u64,
    /// Who this account is.
    pub identity_id: IdentityId,
    /// Ascending by generation; the last is in use, earlier ones open old wraps.
    pub seeds: Vec<SeedRow>,
    /// The organizations joined or created.
    pub org_ids: Vec<OrgId>,
    /// Generation of the pins that belong to it; 0 before the first.
    pub pins: u64,
}

record! {
    /// What clients have verified, for a device that remembers nothing.
    pub struct Pins {
        /// Format version.
        1 => v: u64,
        /// Generation of the blob that they were written with.
        2 => generation: u64,
        /// At most one of each organization.
        3 => organizations: Vec<OrgPin>,
    }
}

row! {
    /// How far an organization was verified.
    pub struct OrgPin {
        /// Which.
        org_id: OrgId,
        /// A link of its chain.
        seq: u64,
        /// That link's hash.
        link_hash: Hash,
        /// The state after it.
        state_hash: Hash,
        /// Manifest heads.
        heads: Vec<Head>,
    }
}

impl AccountBlob {
    /// The blob of a new account.
    pub fn new(identity: &Identity) -> Self {
        let mut blob = Self { generation: 1, identity_id: identity.id(), seeds: Vec::new(), org_ids: Vec::new(), pins: 0 };
        blob.add(identity);
        blob
    }

    /// Adds the identity's next keys.
    pub fn add(&mut self, identity: &Identity) {
        self.seeds.push(SeedRow {
            generation: identity.generation(),
            seed: identity.seed().clone(),
            created_ms: identity.bundle().created_ms,
            kind: identity.bundle().kind,
        });
    }

    /// The identity with its current keys.
    pub fn identity(&self) -> Result<Identity, Fault> {
        self.seeds.last().map(|row| self.derive(row)).ok_or_else(broken)
    }

    /// The identity with the keys of one generation.
    pub fn identity_of(&self, generation: u64) -> Option<Identity> {
        self.seeds.iter().find(|row| row.generation == generation).map(|row| self.derive(row))
    }

    /// Seals the blob under the account key.
    pub fn seal(&self, ak: &Key, account_id: &AccountId, rng: &mut impl CryptoRng) -> Vec<u8> {
        aead::seal(ak, &blob_ctx(account_id, self.generation), &pad::pad(&self.to_plain()), rng)
    }

    /// Opens the blob of one generation.
    pub fn open(ak: &Key, account_id: &AccountId, generation: u64, sealed: &[u8]) -> Result<Self, Fault> {
        let padded = aead::open(ak, &blob_ctx(account_id, generation), sealed).map_err(|_| broken())?;
        let blob = Self::from_plain(pad::unpad(&padded).map_err(|_| broken())?)?;
        let ascending = blob.seeds.is_sorted_by(|a, b| a.generation < b.generation);
        if blob.generation != generation || blob.seeds.is_empty() || !ascending || blob.pins > generation {
            return Err(broken());
        }
        Ok(blob)
    }

    fn derive(&self, row: &SeedRow) -> Identity {
        Identity::derive(row.seed.clone(), self.identity_id, row.kind, row.generation, row.created_ms)
    }

    fn to_plain(&self) -> Zeroizing<Vec<u8>> {
        let seeds = self.seeds.iter().map(|row| {
            Value::Array(vec![row.generation.to_value(), row.seed.expose().to_value(), row.created_ms.to_value(), row.kind.to_value()])
        });
        plain::encode(Value::Map(vec![
            (1, FORMAT.to_value()),
            (2, self.generation.to_value()),
            (3, self.identity_id.to_value()),
            (4, Value::Array(seeds.collect())),
            (5, self.org_ids.to_value()),
            (6, self.pins.to_value()),
        ]))
    }

    fn from_plain(bytes: &[u8]) -> Result<Self, Fault> {
        let mut fields = Fields::read(bytes, upgrade)?;
        if fields.take(1)? != FORMAT.to_value() {
            return Err(upgrade());
        }
        let (generation, identity_id) = (Canon::from_value(fields.take(2)?)?, Canon::from_value(fields.take(3)?)?);
        let Value::Array(seeds) = fields.take(4)? else { return Err(upgrade()) };
        // Every row is taken in, and so wiped, also when one is wrong.
        let seeds: Vec<Result<SeedRow, Fault>> = seeds.into_iter().map(seed_row).collect();
        let blob = Self {
            generation,
            identity_id,
            seeds: seeds.into_iter().collect::<Result<_, _>>()?,
            org_ids: Canon::from_value(fields.take(5)?)?,
            pins: Canon::from_value(fields.take(6)?)?,
        };
        fields.end().map(|()| blob)
    }
}

impl fmt::Debug for AccountBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountBlob({}, generation {})", self.identity_id, self.generation)
    }
}

/// Seals the client's pins for its other devices.
pub fn seal_pins(ak: &Key, account_id: &AccountId, pins: &Pins, rng: &mut impl CryptoRng) -> Vec<u8> {
    aead::seal(ak, &pins_ctx(account_id, pins.generation), &pad::pad(&pins.to_bytes()), rng)
}

/// Opens the pins of the generation that the blob names. The local ones always win.
pub fn open_pins(ak: &Key, account_id: &AccountId, generation: u64, sealed: &[u8]) -> Result<Pins, Fault> {
    let padded = aead::open(ak, &pins_ctx(account_id, generation), sealed).map_err(|_| broken())?;
    let pins = Pins::from_bytes(pad::unpad(&padded).map_err(|_| broken())?)?;
    if pins.v != FORMAT {
        return Err(upgrade());
    }
    if pins.generation == generation { Ok(pins) } else { Err(broken()) }
}

/// The identity's statement that this account at this origin acts as it.
pub fn claim(identity: &Identity, account_id: &AccountId, origin: &str) -> Signed {
    let claim = Claim { account_id: *account_id, key_id: identity.key_id(), origin: origin.to_owned() };
    identity.sign(Domain::Account, claim.to_bytes())
}

pub(crate) fn broken() -> Fault {
    Fault::new(Code::NoAccount, "the account's sealed data is missing or damaged")
}

fn seed_row(value: Value) -> Result<SeedRow, Fault> {
    let Value::Array(fields) = value else { return Err(upgrade()) };
    let Ok([generation, Value::Bytes(seed), created_ms, kind]) = <[Value; 4]>::try_from(fields) else { return Err(upgrade()) };
    Ok(SeedRow {
        generation: Canon::from_value(generation)?,
        seed: Key::from_slice(&Zeroizing::new(seed)).map_err(|_| broken())?,
        created_ms: Canon::from_value(created_ms)?,
        kind: Canon::from_value(kind)?,
    })
}

fn upgrade() -> Fault {
    Fault::new(Code::Upgrade, "the account's data has unknown or missing fields: upgrade required")
}

fn blob_ctx(account_id: &AccountId, generation: u64) -> Vec<u8> {
    context("kv1/account", &[account_id.to_value(), generation.to_value()])
}

fn pins_ctx(account_id: &AccountId, generation: u64) -> Vec<u8> {
    context("kv1/pins", &[account_id.to_value(), generation.to_value()])
}
