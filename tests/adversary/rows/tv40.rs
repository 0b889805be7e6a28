//! TV40: somebody who writes in one guarded folder signs, with the server, a state of the environment in which a secret elsewhere is an old one.
//! Each namespace has its own manifest, and he does not write in that one.

use crate::attack::{Row, Try};
use crate::folder::Folder;
use crate::forge;
use crate::moves::{ForgedWrite, Written};
use crate::scene::Scene;
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::manifest::ManifestLink;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV40",
    title: "Accepts what a writer of one guarded folder signs for the environment around it",
    tries: &[
        Try::detected::<Written<FolderWriter<true>>>("he signs in his own name", Code::Authority),
        Try::detected::<Written<FolderWriter<false>>>("he signs in a writer's name", Code::Sig),
    ],
};

struct FolderWriter<const OWN_NAME: bool>(Folder);

impl<const OWN_NAME: bool> ForgedWrite for FolderWriter<OWN_NAME> {
    async fn prepare(scene: &mut Scene) -> Self {
        Self(Folder::guard(scene).await)
    }

    fn forge(&self, _: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        let carol = forge::keys_of(self.0.carol.account.identity());
        if OWN_NAME {
            (link.author_id, link.author_key_id) = (carol.id(), carol.key_id());
        }
        carol
    }
}
