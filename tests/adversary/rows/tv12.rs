//! TV12: a member strips another's wrap or link, and signs it as his own. Who wraps, by which key, is bound into the wrap; who writes is part of
//! what is signed.

use crate::attack::{Row, Try};
use crate::colluder::{ALL, Cast, FalseGrant, Granted};
use crate::forge;
use crate::moves::{ForgedWrite, Written};
use crate::person::Person;
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::role;
use keyvawlt_crypto::wraps::unwrap_nk;
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::wrap::Wrap;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV12",
    title: "Accepts another's wrap or write that a member has signed as his own",
    tries: &[
        Try::detected::<Granted<Relabelled>>("a wrap by the owner, relabelled as the member's", Code::Wrap),
        Try::detected::<Written<Stolen>>("a write by the owner, under the member's name and the owner's signature", Code::Sig),
    ],
};

/// Carol gives Dave access with a wrap that Ada made.
struct Relabelled;

impl FalseGrant for Relabelled {
    fn falsify(wrap: &mut Wrap, Cast { ada, carol, dave }: &Cast) {
        let key = unwrap_nk(wrap, &dave.id(), &dave.key_id(), dave.kem_seed()).expect("the right key");
        (wrap.granter_id, wrap.granter_key_id) = (ada.id(), ada.key_id());
        *wrap = forge::wrap_like(wrap, &key, &wrap.nk_commit.clone(), dave);
        (wrap.granter_id, wrap.granter_key_id) = (carol.id(), carol.key_id());
    }
}

struct Stolen(Person);

impl ForgedWrite for Stolen {
    async fn prepare(scene: &mut Scene) -> Self {
        Self(scene.newcomer(role::MEMBER, &[(scene.production, ALL)]).await)
    }

    fn forge(&self, scene: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        let member = self.0.account.identity();
        (link.author_id, link.author_key_id) = (member.id(), member.key_id());
        forge::keys_of(scene.ada.account.identity())
    }
}
