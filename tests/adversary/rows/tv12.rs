//! TV12: a member strips another's wrap or link, and signs it as his own. Who wraps, by which key, is bound into the wrap; who writes is part of
//! what is signed.

use crate::attack::{Attack, Row, Try};
use crate::forge;
use crate::moves::{ForgedWrite, Written};
use crate::person::Person;
use crate::proxy::{Audience, Who};
use crate::rpcs::Commit;
use crate::scene::{CANARY, Scene};
use keyvawlt_client::Error;
use keyvawlt_client::ledger::chain::{Body, permission, role};
use keyvawlt_crypto::wraps::unwrap_nk;
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::manifest::ManifestLink;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV12",
    title: "Accepts another's wrap or write that a member has signed as his own",
    tries: &[
        Try::detected::<Relabelled>("a wrap by the owner, relabelled as the member's", Code::Wrap),
        Try::detected::<Written<Stolen>>("a write by the owner, under the member's name and the owner's signature", Code::Sig),
    ],
};

const ALL: u8 = permission::READ | permission::WRITE | permission::MANAGE;

/// Carol gives Dave access with a wrap that Ada made.
struct Relabelled {
    carol: Person,
    dave: Person,
}

impl Attack for Relabelled {
    async fn prepare(scene: &mut Scene) -> Self {
        let carol = scene.newcomer(role::MEMBER, &[(scene.production, ALL)]).await;
        let dave = scene.newcomer(role::MEMBER, &[]).await;
        Self { carol, dave }
    }

    fn victim(&self, _: &Scene) -> Who {
        self.dave.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let (ada, carol) = (forge::keys_of(scene.ada.account.identity()), forge::keys_of(self.carol.account.identity()));
        let dave = forge::keys_of(self.dave.account.identity());
        scene.server.requests::<Commit>(Audience::Only(self.carol.who()), move |request| {
            forge::resign_last(&carol, request.batch.as_mut().expect("a batch"), |body, wraps| {
                let Body::Access(access) = body else { return };
                let key = unwrap_nk(&wraps[0], &dave.id(), &dave.key_id(), dave.kem_seed()).expect("the right key");
                let commit = wraps[0].nk_commit;
                (wraps[0].granter_id, wraps[0].granter_key_id) = (ada.id(), ada.key_id());
                wraps[0] = forge::wrap_like(&wraps[0], &key, &commit, &dave);
                (wraps[0].granter_id, wraps[0].granter_key_id) = (carol.id(), carol.key_id());
                access.wrap = Some(wraps[0].hash());
            });
        });
        self.truth(scene).await;
    }

    async fn truth(&mut self, scene: &mut Scene) {
        let dave = self.dave.account.identity().id();
        let write = permission::READ | permission::WRITE;
        self.carol.vault().grant(&dave, &scene.production, write, 0).await.expect("the server cannot tell");
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        self.dave.read_all(&scene.production).await
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        self.dave.write(&scene.production, CANARY).await
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
