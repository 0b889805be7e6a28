//! KO01: the public keys under which a user is known are not those of his private ones. They are recomputed from the seed, and compared with
//! the chain at every sync.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::person::Person;
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::{Body, KeyReset, Questions as _, role, verified};
use keyvawlt_ledger::Code;
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "KO01",
    title: "Makes a user known under keys that are not the user's, together with an admin",
    tries: &[Try::detected::<Forged<OtherKeys>>("an admin resets the user's keys to ones the server made", Code::KeySubst)],
};

struct OtherKeys {
    admin: Person,
    member: Person,
}

impl Forgery for OtherKeys {
    async fn prepare(scene: &mut Scene) -> Self {
        Self { admin: scene.newcomer(role::ADMIN, &[]).await, member: scene.newcomer(role::MEMBER, &[]).await }
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let target = if forged { &scene.bob } else { &self.member };
        let now = scene.chain().head().chain().expect("a chain").last_ts_ms;
        let next = target.account.identity().next(now, &mut forge::rng());
        let fences = if forged { vec![forge::head(&scene.server.calls(), &scene.production)] } else { vec![] };
        let (identity_id, bundle) = (next.id(), next.signed_bundle().clone());
        let body = KeyReset { identity_id, bundle, verified: verified::WORDS, fences, abandon: false };
        forge::link(self.admin.account.identity(), scene.chain(), &Body::KeyReset(body))
    }
}
