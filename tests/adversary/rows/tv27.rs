//! TV27: statements are too large, so that clients run out of time or memory. Every size is limited before anything is read.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery, ForgedWrite, Written};
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::{Body, PolicySet, Questions as _};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::limits::{MAX_LINK, MAX_OPS};
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{Code, Domain};
use keyvawlt_proto::v1;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV27",
    title: "Accepts oversized statements that a member signs",
    tries: &[
        Try::detected::<Forged<Link<LARGE>>>("a link beyond 64 KiB", Code::Limit),
        Try::detected::<Forged<Link<DEEP>>>("a link nested a thousand deep", Code::Limit),
        Try::detected::<Written<Operations>>("a write of more than a thousand operations", Code::Limit),
    ],
};

const LARGE: bool = false;
const DEEP: bool = true;

struct Link<const DEEP: bool>;

impl<const DEEP: bool> Forgery for Link<DEEP> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let ada = scene.ada.account.identity();
        if DEEP && forged {
            return forge::statement(&ada.sign(Domain::OrgLink, vec![0x81; 1000]));
        }
        let mut policy = scene.chain().head().policy().expect("a policy");
        if forged {
            policy.origins = vec!["https://vault.example.com:443".to_owned(); MAX_LINK / 30 + 1];
        }
        forge::link(ada, scene.chain(), &Body::PolicySet(PolicySet { policy }))
    }
}

struct Operations;

impl ForgedWrite for Operations {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn forge(&self, scene: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        link.ops = vec![link.ops[0].clone(); MAX_OPS + 1];
        forge::keys_of(scene.ada.account.identity())
    }
}
