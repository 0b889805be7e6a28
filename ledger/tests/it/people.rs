//! Identities drawn from their names: the same keys each time, without a generator whose next version would draw others.

use ed25519_dalek::SigningKey;
use keyvawlt_ledger::bundle::{Bundle, KEM_PK_LEN, key_id, kind};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::merkle::leaf_hash;
use keyvawlt_ledger::{Domain, FORMAT, IdentityId, KeyId, SUITE, Signed};

/// Bytes that follow from a label.
pub fn bytes<const N: usize>(label: &str) -> [u8; N] {
    let blocks = (0..N.div_ceil(32)).flat_map(|block| leaf_hash(format!("{label} {block}").as_bytes()).0);
    let drawn: Vec<u8> = blocks.take(N).collect();
    drawn.try_into().expect("as many bytes as asked for")
}

pub fn id(label: &str) -> [u8; 16] {
    bytes(label)
}

#[derive(Clone)]
pub struct Person {
    pub name: String,
    pub kind: u8,
    pub generation: u64,
    pub id: IdentityId,
    pub sign: SigningKey,
    pub auth: SigningKey,
    pub kem_pk: [u8; KEM_PK_LEN],
    pub bundle: Signed,
    pub key_id: KeyId,
}

impl Person {
    pub fn named(name: &str) -> Self {
        Self::made(name, kind::PERSON, 1)
    }

    pub fn machine(name: &str) -> Self {
        Self::made(name, kind::MACHINE, 1)
    }

    pub fn recovery(name: &str) -> Self {
        Self::made(name, kind::RECOVERY, 1)
    }

    /// The same identity with the next set of keys.
    pub fn renewed(&self) -> Self {
        Self::made(&self.name, self.kind, self.generation + 1)
    }

    fn made(name: &str, kind: u8, generation: u64) -> Self {
        let sign = SigningKey::from_bytes(&bytes(&format!("{name} signs {generation}")));
        let auth = SigningKey::from_bytes(&bytes(&format!("{name} logs in {generation}")));
        let kem_pk = kem_pk(&format!("{name} opens {generation}"));
        let payload = Bundle {
            v: FORMAT,
            suite: SUITE,
            identity_id: IdentityId(id(name)),
            kind,
            sign_pk: sign.verifying_key().to_bytes(),
            auth_pk: auth.verifying_key().to_bytes(),
            kem_pk,
            generation,
            created_ms: crate::world::START,
        };
        Self::with_bundle(name, sign, auth, &payload)
    }

    /// Somebody with this very bundle, signed by `sign`.
    pub fn with_bundle(name: &str, sign: SigningKey, auth: SigningKey, payload: &Bundle) -> Self {
        let bundle = Signed::make(&sign, Domain::Bundle, payload.to_bytes());
        Self {
            name: name.to_owned(),
            kind: payload.kind,
            generation: payload.generation,
            id: payload.identity_id,
            key_id: key_id(bundle.payload()),
            kem_pk: payload.kem_pk,
            sign,
            auth,
            bundle,
        }
    }

    pub fn payload(&self) -> Bundle {
        Bundle::from_bytes(self.bundle.payload()).expect("a bundle")
    }
}

/// A sound X-Wing public key to which nobody has the private half: reduced coefficients, a seed, a point of large order.
fn kem_pk(label: &str) -> [u8; KEM_PK_LEN] {
    let mut key = bytes::<KEM_PK_LEN>(label);
    for three in key[..1152].chunks_mut(3) {
        let low = (u16::from(three[0]) | (u16::from(three[1] & 0xf) << 8)) % 3329;
        let high = ((u16::from(three[1]) >> 4) | (u16::from(three[2]) << 4)) % 3329;
        let [low_byte, low_rest] = low.to_le_bytes();
        let [high_byte, high_rest] = (high << 4).to_le_bytes();
        three.copy_from_slice(&[low_byte, low_rest | high_byte, high_rest]);
    }
    key
}
