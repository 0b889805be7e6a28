//! TV07: a leaked key that was rotated comes back. Versions only rise, and each is one value.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{ForgedWrite, Tamper, Tampered, Written, of};
use crate::scene::{CANARY, Scene};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV07",
    title: "Brings the version of a secret back that was replaced",
    tries: &[
        Try::detected::<Tampered<Unrotated>>("the write that replaced it is left out, the next one shown", Code::Rollback),
        Try::detected::<Written<Again>>("a writer signs a version that is not the next", Code::Rollback),
    ],
};

struct Unrotated;

impl Tamper for Unrotated {
    const NEW_MACHINE: bool = false;

    async fn news(scene: &mut Scene) {
        let production = scene.production;
        scene.ada.write(&production, "rotated").await.expect("a rotation");
        let other = [keyvawlt_client::SecretWrite::new("unrelated", CANARY)];
        scene.ada.vault().write(&production, &other).await.expect("an unrelated write");
    }

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        of(production, answer).expect("news").manifest_links.remove(0);
    }
}

struct Again;

impl ForgedWrite for Again {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn forge(&self, scene: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        link.ops[0].version = 5;
        forge::keys_of(scene.ada.account.identity())
    }
}
