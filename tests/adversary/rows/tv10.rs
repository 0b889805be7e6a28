//! TV10: a reader, who holds the key, encrypts a valid value, and the server inserts it. A manifest link counts only by a writer's signature.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{ForgedWrite, Written};
use crate::person::Person;
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::{permission, role};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::manifest::ManifestLink;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV10",
    title: "Inserts values that a reader sealed under the environment's key",
    tries: &[
        Try::detected::<Written<Reader<OWN_NAME>>>("the reader signs", Code::Authority),
        Try::detected::<Written<Reader<OTHER_NAME>>>("the reader signs in a writer's name", Code::Sig),
        Try::detected::<Written<Reader<NOBODY>>>("keys that no member has sign", Code::Author),
    ],
};

const OWN_NAME: u8 = 1;
const OTHER_NAME: u8 = 2;
const NOBODY: u8 = 3;

struct Reader<const NAME: u8>(Person);

impl<const NAME: u8> ForgedWrite for Reader<NAME> {
    async fn prepare(scene: &mut Scene) -> Self {
        Self(scene.newcomer(role::MEMBER, &[(scene.production, permission::READ)]).await)
    }

    fn forge(&self, scene: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        let reader = forge::keys_of(self.0.account.identity());
        let signer = if NAME == NOBODY { Arc::new(scene.ada.account.identity().next(link.ts_ms, &mut forge::rng())) } else { reader };
        if NAME != OTHER_NAME {
            (link.author_id, link.author_key_id) = (signer.id(), signer.key_id());
        }
        signer
    }
}
