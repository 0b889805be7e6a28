//! Identities drawn from their names.

use crate::Caller;
use crate::scratch::NOW;
use ed25519_dalek::SigningKey;
use keyvawlt_ledger::bundle::{Bundle, key_id, kind};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::merkle::leaf_hash;
use keyvawlt_ledger::{AccountId, Domain, IdentityId, KeyId, Signed, SlotId};

/// Bytes that follow from a label.
pub(super) fn bytes<const N: usize>(label: &str) -> [u8; N] {
    let blocks: Vec<u8> = (0..N.div_ceil(32)).flat_map(|n| leaf_hash(format!("{label} {n}").as_bytes()).0).take(N).collect();
    blocks.try_into().unwrap()
}

#[derive(Clone)]
pub(super) struct Person {
    pub(super) id: IdentityId,
    pub(super) key_id: KeyId,
    pub(super) kind: u8,
    pub(super) sign: SigningKey,
    pub(super) auth: SigningKey,
    pub(super) bundle: Signed,
}

impl Person {
    pub(super) fn named(name: &str) -> Self {
        Self::made(name, kind::PERSON, 1)
    }

    pub(super) fn machine(name: &str) -> Self {
        Self::made(name, kind::MACHINE, 1)
    }

    pub(super) fn renewed(name: &str) -> Self {
        Self::of_generation(name, 2)
    }

    pub(super) fn of_generation(name: &str, generation: u64) -> Self {
        Self::made(name, kind::PERSON, generation)
    }

    fn made(name: &str, kind: u8, generation: u64) -> Self {
        let sign = SigningKey::from_bytes(&bytes(&format!("{name} signs {generation}")));
        let auth = SigningKey::from_bytes(&bytes(&format!("{name} logs in {generation}")));
        let payload = Bundle {
            v: 1,
            suite: 1,
            identity_id: IdentityId(bytes(name)),
            kind,
            sign_pk: sign.verifying_key().to_bytes(),
            auth_pk: auth.verifying_key().to_bytes(),
            kem_pk: [9; 1216],
            generation,
            created_ms: NOW,
        };
        let bundle = Signed::make(&sign, Domain::Bundle, payload.to_bytes());
        Self { id: payload.identity_id, key_id: key_id(bundle.payload()), kind, sign, auth, bundle }
    }

    pub(super) fn account(&self) -> Caller {
        Caller::Account { account_id: AccountId(self.id.0), slot_id: SlotId([1; 16]), identity_id: self.id, key_id: self.key_id }
    }

    pub(super) fn caller(&self) -> Caller {
        Caller::Identity { identity_id: self.id, key_id: self.key_id }
    }
}
