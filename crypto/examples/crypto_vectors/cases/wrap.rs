//! Wraps: a namespace key for an identity, and for an invite.

use super::seeded::Seeded;
use super::{Case, File, flipped};
use keyvawlt_crypto::wraps::{Granter, Recipient, unwrap_nk, wrap_nk};
use keyvawlt_crypto::{Identity, InviteKeys, Key, nk};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{IdentityId, InviteId, KeyId, NsId, OrgId};

const EPOCH: u64 = 3;

pub fn file() -> File {
    let mut rng = Seeded::new("wrap");
    let (org, ns) = (OrgId(rng.array()), NsId(rng.array()));
    let key = Key::random(&mut rng);
    let commit = nk::commit(&org, &ns, EPOCH, &key);
    let [granter, reader, other] = [1, 2, 3].map(|created| Identity::make(kind::PERSON, created, &mut rng));
    let granter = Granter { id: granter.id(), key_id: granter.key_id() };
    let recipient = Recipient::of(reader.bundle(), reader.key_id());
    let wrap = wrap_nk(&key, &org, &ns, EPOCH, &recipient, &granter, &commit, &mut rng).expect("a sound key");
    let invite = InviteKeys::derive(&rng.array(), InviteId(rng.array()));
    let invited = Recipient { id: invite.recipient_id(), key_id: invite.key_id(), kem_pk: invite.kem_pk() };
    let prewrap = wrap_nk(&key, &org, &ns, EPOCH, &invited, &granter, &commit, &mut rng).expect("a sound key");
    let valid = vec![
        described("for an identity", &wrap, reader.id(), reader.key_id(), reader.kem_seed()).bytes("nk", key.expose()).valid(),
        described("for an invite", &prewrap, invited.id, invited.key_id, invite.kem_seed()).bytes("nk", key.expose()).valid(),
    ];
    let enc = flipped(wrap.enc, 700).try_into().expect("the same length");
    let ct = flipped(wrap.ct, 0).try_into().expect("the same length");
    let planted = wrap_nk(&Key::random(&mut rng), &org, &ns, EPOCH, &recipient, &granter, &commit, &mut rng).expect("a sound key");
    let mutated = [
        ("a bit of the encapsulation", Wrap { enc, ..wrap.clone() }),
        ("a bit of the ciphertext", Wrap { ct, ..wrap.clone() }),
        ("another epoch", Wrap { epoch: EPOCH + 1, ..wrap.clone() }),
        ("another organization", Wrap { org_id: OrgId([0; 32]), ..wrap.clone() }),
        ("another namespace", Wrap { ns_id: NsId([0; 16]), ..wrap.clone() }),
        ("another granter", Wrap { granter_id: other.id(), ..wrap.clone() }),
        ("another granter's key", Wrap { granter_key_id: other.key_id(), ..wrap.clone() }),
        ("another commitment", Wrap { nk_commit: nk::commit(&org, &ns, EPOCH + 1, &key), ..wrap.clone() }),
        ("for another identity", Wrap { recipient_id: other.id(), ..wrap.clone() }),
        ("for another key", Wrap { recipient_key_id: other.key_id(), ..wrap.clone() }),
        ("a key that is not the committed one", planted),
    ];
    let mut invalid = Vec::new();
    for (name, wrap) in mutated {
        let case = described("", &wrap, reader.id(), reader.key_id(), reader.kem_seed());
        invalid.push(case.refused(name, unwrap_nk(&wrap, &reader.id(), &reader.key_id(), reader.kem_seed())));
    }
    let opened_by_other = unwrap_nk(&wrap, &reader.id(), &reader.key_id(), other.kem_seed());
    let case = described("", &wrap, reader.id(), reader.key_id(), other.kem_seed());
    invalid.push(case.refused("opened with another private key", opened_by_other));
    let mut short = wrap.to_bytes();
    short.pop();
    invalid.push(Case::new("").bytes("record", &short).refused("the last byte missing", Wrap::from_bytes(&short)));
    File {
        name: "wrap.json",
        about: "[org_id, ns_id, epoch, recipient_id, recipient_key_id, granter_id, granter_key_id, nk_commit, enc, ct]; HPKE base mode, X-Wing, HKDF-SHA256, ChaCha20-Poly1305; info = CTX(\"kv1/wrap\", the first eight); empty aad.",
        valid,
        invalid,
    }
}

fn described(name: &str, wrap: &Wrap, me: IdentityId, my_key: KeyId, kem_seed: &Key) -> Case {
    Case::new(name)
        .bytes("recipient_id", me)
        .bytes("recipient_key_id", my_key)
        .bytes("kem_seed", kem_seed.expose())
        .bytes("record", wrap.to_bytes())
        .bytes("wrap_hash", wrap.hash())
}
