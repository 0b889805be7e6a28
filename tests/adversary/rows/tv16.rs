//! TV16: a member registers keys of small order, under which one signature fits everything, or to which anybody could open. They are refused
//! at admission and at every verification.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::{Body, MemberAdd, role, verified};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::{Code, Domain, Signed};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV16",
    title: "Accepts a member with weak keys",
    tries: &[
        Try::detected::<Forged<Weak<SIGNING>>>("a signing key of small order, with the signature that fits every message", Code::WeakKey),
        Try::detected::<Forged<Weak<SEALING>>>("a sealing key whose X25519 half is of small order", Code::WeakKey),
    ],
};

const SIGNING: bool = true;
const SEALING: bool = false;

struct Weak<const SIGNING: bool>;

impl<const SIGNING: bool> Forgery for Weak<SIGNING> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let identity = Identity::make(kind::PERSON, 1, &mut forge::rng());
        let mut bundle = identity.bundle().clone();
        let mut one = [0; 32];
        one[0] = 1;
        let signed = if !forged {
            identity.signed_bundle().clone()
        } else if SIGNING {
            // The neutral element as key and as R, with S = 0.
            bundle.sign_pk = one;
            Signed::from_parts(&bundle.to_bytes(), &[one, [0; 32]].concat()).expect("a statement")
        } else {
            let half = bundle.kem_pk.len() - 32;
            bundle.kem_pk[half..].copy_from_slice(&one);
            identity.sign(Domain::Bundle, bundle.to_bytes())
        };
        let body = Body::MemberAdd(MemberAdd { bundle: signed, role: role::MEMBER, expires_ms: 0, verified: verified::WORDS });
        forge::link(scene.ada.account.identity(), scene.chain(), &body)
    }
}
