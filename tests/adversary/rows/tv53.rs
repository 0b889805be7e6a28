//! TV53: somebody is removed from an environment, and a writer's client goes on under the key of a guarded folder in it that the removed one holds
//! through the environment's. The folder's key is owed with the environment's.

use crate::attack::{Row, Try};
use crate::folder::Folder;
use crate::forge;
use crate::moves::{ForgedWrite, Written};
use crate::person::Person;
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::{Questions as _, permission, role};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::manifest::{Anchor, ManifestLink};
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV53",
    title: "Accepts writes in a guarded folder under a key that somebody removed from its environment holds",
    tries: &[Try::detected::<Written<OldKey>>("after the removal, under the old key", Code::Owed)],
};

/// Dave, who read production, and Eve, who may remove him and holds no key.
struct OldKey {
    folder: Folder,
    eve: Person,
    dave: keyvawlt_ledger::IdentityId,
}

impl ForgedWrite for OldKey {
    const NAME: &'static str = "stripe/unseen";

    async fn prepare(scene: &mut Scene) -> Self {
        let folder = Folder::guard(scene).await;
        // Two strangers are left: Carol is of the folder.
        let eve = scene.newcomer(role::ADMIN, &[]).await;
        let production = scene.production;
        let new = keyvawlt_client::NewMachine { name: "dave".to_owned(), access: vec![(production, permission::READ)], ttl_ms: crate::scene::DAY_MS };
        let dave = scene.ada.vault().create_machine(&new).await.expect("a reader of production").identity().id();
        Self { folder, eve, dave }
    }

    async fn afterwards(&mut self, scene: &mut Scene) {
        self.eve.vault().remove_member(&self.dave).await.expect("Dave is removed");
        scene.ada.vault().sync().await.expect("the removal verifies");
        let now = scene.ada.vault().now_ms();
        assert!(scene.chain().head().is_owed(&self.folder.ns_id, now), "Eve has no key to make a new one of");
    }

    fn forge(&self, scene: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        let tip = scene.chain().tip();
        link.anchor = Anchor { seq: tip.next_seq() - 1, link_hash: tip.link_hash };
        link.ts_ms = link.ts_ms.max(scene.chain().head().chain().expect("a chain").last_ts_ms);
        forge::keys_of(scene.ada.account.identity())
    }
}
