//! LP01 (with 1P01; MX01 and TV17 use it, too): the server adds somebody of its own: a super admin, a recovery key, a member, a machine. Who belongs is said
//! by links that members with the right to do so have signed.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::scene::{DAY_MS, Scene};
use keyvawlt_client::ledger::chain::{Body, MemberAdd, Questions as _, role, verified};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::{Code, Domain};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "LP01",
    title: "Adds somebody of its own to the organization (also 1P01)",
    tries: &[
        Try::detected::<Forged<Own<{ role::ADMIN }, true>>>("a super admin, in the owner's name", Code::Sig),
        Try::detected::<Forged<Own<{ role::ADMIN }, false>>>("a super admin, in its own name", Code::Authority),
        Try::detected::<Forged<Own<{ role::RECOVERY }, true>>>("a recovery key, in the owner's name", Code::Sig),
    ],
};

pub struct Own<const ROLE: u8, const OWNERS_NAME: bool>;

impl<const ROLE: u8, const OWNERS_NAME: bool> Forgery for Own<ROLE, OWNERS_NAME> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let now = scene.chain().head().chain().expect("a chain").last_ts_ms;
        let (kind, expires_ms) = match ROLE {
            role::RECOVERY => (kind::RECOVERY, 0),
            role::MACHINE => (kind::MACHINE, now + DAY_MS),
            _ => (kind::PERSON, 0),
        };
        let server = Identity::make(kind, now, &mut forge::rng());
        let body = MemberAdd { bundle: server.signed_bundle().clone(), role: ROLE, expires_ms, verified: verified::WORDS };
        let ada = scene.ada.account.identity();
        let named = if forged && !OWNERS_NAME { &server } else { ada };
        let signer = if forged { &server } else { ada };
        let link = forge::unsigned(named, scene.chain(), &Body::MemberAdd(body));
        forge::statement(&signer.sign(Domain::OrgLink, link.to_bytes()))
    }
}
