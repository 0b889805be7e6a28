//! KV-AEAD-1, all symmetric encryption: ChaCha20-Poly1305 under a one-time key derived from a random salt, committing to key and context.
//!
//! `salt(32) || commit(32) || ciphertext`. Whatever does not open gives the same error, so that no answer tells why.

use crate::key::{Key, hk_wide};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{ChaCha20Poly1305, KeyInit};
use keyvawlt_ledger::{Code, Fault};
use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Salt, drawn for each ciphertext: no nonce is ever used twice.
pub const SALT_LEN: usize = 32;
/// The commitment: a ciphertext opens under one key and one context only.
pub const COMMIT_LEN: usize = 32;
/// What sealing adds: salt, commitment and the Poly1305 tag.
pub const OVERHEAD: usize = SALT_LEN + COMMIT_LEN + 16;

pub(crate) const UNOPENED: &str = "the ciphertext does not open";

/// Seals `plaintext` in a context.
pub fn seal(key: &Key, ctx: &[u8], plaintext: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut salt = [0; SALT_LEN];
    rng.fill_bytes(&mut salt);
    seal_with_salt(key, ctx, plaintext, &salt)
}

/// Seals with a given salt, for vectors. Using one salt twice with the same key and context breaks the encryption.
pub fn seal_with_salt(key: &Key, ctx: &[u8], plaintext: &[u8], salt: &[u8; SALT_LEN]) -> Vec<u8> {
    let okm = OneTime::derive(key, ctx, salt);
    let mut out = Vec::with_capacity(plaintext.len() + OVERHEAD);
    out.extend_from_slice(salt);
    out.extend_from_slice(&okm.commit);
    out.extend(okm.encrypt(plaintext));
    out
}

/// Opens what was sealed with the same key in the same context.
pub fn open(key: &Key, ctx: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let (salt, rest) = sealed.split_first_chunk::<SALT_LEN>().ok_or_else(unopened)?;
    let (commit, ciphertext) = rest.split_first_chunk::<COMMIT_LEN>().ok_or_else(unopened)?;
    let okm = OneTime::derive(key, ctx, salt);
    if !bool::from(okm.commit.ct_eq(commit)) {
        return Err(unopened());
    }
    okm.decrypt(ciphertext).ok_or_else(unopened)
}

/// The one uniform refusal.
pub(crate) fn unopened() -> Fault {
    Fault::new(Code::Aead, UNOPENED)
}

/// `HK(salt, key, ctx, 76)`, cut into key, nonce and commitment.
struct OneTime {
    key: Zeroizing<[u8; 32]>,
    nonce: [u8; 12],
    commit: [u8; COMMIT_LEN],
}

impl OneTime {
    fn derive(key: &Key, ctx: &[u8], salt: &[u8; SALT_LEN]) -> Self {
        let okm = hk_wide::<76>(salt, key.expose(), ctx);
        let mut parts = Self { key: Zeroizing::new([0; 32]), nonce: [0; 12], commit: [0; COMMIT_LEN] };
        let (for_key, rest) = okm.split_at(32);
        let (for_nonce, for_commit) = rest.split_at(12);
        parts.key.copy_from_slice(for_key);
        parts.nonce.copy_from_slice(for_nonce);
        parts.commit.copy_from_slice(for_commit);
        parts
    }

    fn encrypt(&self, plaintext: &[u8]) -> Vec<u8> {
        self.cipher()
            .encrypt(&self.nonce.into(), Payload { msg: plaintext, aad: b"" })
            .expect("plaintexts are far below ChaCha20's 256 GiB")
    }

    fn decrypt(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.cipher().decrypt(&self.nonce.into(), Payload { msg: ciphertext, aad: b"" }).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> ChaCha20Poly1305 {
        ChaCha20Poly1305::new((&*self.key).into())
    }
}
