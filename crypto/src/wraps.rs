//! Wraps: a namespace key encrypted to one identity by HPKE (RFC 9180, base mode) over X-Wing, post-quantum from the first day.
//!
//! Everything the wrap says is in HPKE's `info`, so none of it can be changed; the opened key must meet the commitment it names.

use crate::identity::kem_private;
use crate::key::Key;
use crate::nk;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing};
use keyvawlt_ledger::bundle::{Bundle, KEM_PK_LEN};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::wrap::{CT_LEN, ENC_LEN, Wrap};
use keyvawlt_ledger::{Code, Fault, Hash, IdentityId, KeyId, NsId, OrgId, context};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// For whom a key is wrapped: an identity by its verified bundle, or an invite by the keys on the chain.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// The identity, or the invite's id.
    pub id: IdentityId,
    /// Its key id.
    pub key_id: KeyId,
    /// Its X-Wing public key.
    pub kem_pk: &'a [u8; KEM_PK_LEN],
}

impl<'a> Recipient<'a> {
    /// The recipient a verified bundle names.
    pub fn of(bundle: &'a Bundle, key_id: KeyId) -> Self {
        Self { id: bundle.identity_id, key_id, kem_pk: &bundle.kem_pk }
    }
}

/// Who wraps.
#[derive(Clone, Copy, Debug)]
pub struct Granter {
    /// The identity.
    pub id: IdentityId,
    /// Its key id.
    pub key_id: KeyId,
}

/// Wraps a namespace key for one recipient.
#[expect(clippy::too_many_arguments, reason = "each is a field of the wrap, in the protocol's order")]
pub fn wrap_nk(
    nk: &Key,
    org: &OrgId,
    ns: &NsId,
    epoch: u64,
    recipient: &Recipient<'_>,
    granter: &Granter,
    nk_commit: &Hash,
    rng: &mut impl CryptoRng,
) -> Result<Wrap, Fault> {
    let public = <XWing as Kem>::PublicKey::from_bytes(recipient.kem_pk)
        .map_err(|_| Fault::new(Code::WeakKey, "the recipient's X-Wing key is malformed"))?;
    let mut wrap = Wrap {
        org_id: *org,
        ns_id: *ns,
        epoch,
        recipient_id: recipient.id,
        recipient_key_id: recipient.key_id,
        granter_id: granter.id,
        granter_key_id: granter.key_id,
        nk_commit: *nk_commit,
        enc: [0; ENC_LEN],
        ct: [0; CT_LEN],
    };
    let (enc, ct) = hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeS::Base,
        &public,
        &info(&wrap),
        nk.expose(),
        b"",
        rng,
    )
    .map_err(|_| Fault::new(Code::Wrap, "the key could not be wrapped"))?;
    enc.write_exact(&mut wrap.enc);
    wrap.ct = ct.try_into().map_err(|_| Fault::new(Code::Wrap, "the key could not be wrapped"))?;
    Ok(wrap)
}

/// Opens a wrap made for one's own current key, and checks the key against the wrap's commitment.
///
/// That the wrap is the granter's and that its commitment is the chain's follows from the wrap's hash, which the caller has proven to lie
/// in a verified link of that namespace and epoch.
pub fn unwrap_nk(wrap: &Wrap, recipient_id: &IdentityId, recipient_key_id: &KeyId, kem_seed: &Key) -> Result<Key, Fault> {
    if wrap.recipient_id != *recipient_id || wrap.recipient_key_id != *recipient_key_id {
        return Err(Fault::new(Code::Wrap, "the wrap is for another identity or another of its keys"));
    }
    let nk = open(wrap, kem_seed).ok_or_else(|| Fault::new(Code::Wrap, "the wrap does not open"))?;
    nk::check_commit(&wrap.org_id, &wrap.ns_id, wrap.epoch, &nk, &wrap.nk_commit).map(|()| nk)
}

fn open(wrap: &Wrap, kem_seed: &Key) -> Option<Key> {
    let enc = <XWing as Kem>::EncappedKey::from_bytes(&wrap.enc).ok()?;
    let opened = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, XWing>(
        &OpModeR::Base,
        &kem_private(kem_seed),
        &enc,
        &info(wrap),
        &wrap.ct,
        b"",
    )
    .ok()?;
    Key::from_slice(&Zeroizing::new(opened)).ok()
}

/// `CTX("kv1/wrap", …)`: all fields but the two that HPKE makes.
fn info(wrap: &Wrap) -> Vec<u8> {
    let fields = [
        wrap.org_id.to_value(),
        wrap.ns_id.to_value(),
        wrap.epoch.to_value(),
        wrap.recipient_id.to_value(),
        wrap.recipient_key_id.to_value(),
        wrap.granter_id.to_value(),
        wrap.granter_key_id.to_value(),
        wrap.nk_commit.to_value(),
    ];
    context("kv1/wrap", &fields)
}
