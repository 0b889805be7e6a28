//! TV13: a statement that the same user signed in another organization is shown in this one. Every payload names its organization.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery, ForgedWrite, Written};
use crate::scene::Scene;
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{Code, Domain, OrgId};
use keyvawlt_proto::v1;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV13",
    title: "Shows a user's statement from another organization in this one",
    tries: &[
        Try::detected::<Forged<Link>>("a link", Code::OrgId).and_command_line::<Forged<Link>>(),
        Try::detected::<Written<Write>>("a write", Code::OrgId),
    ],
};

struct Link;

impl Forgery for Link {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let ada = scene.ada.account.identity();
        let mut link = forge::checkpoint(ada, scene.chain());
        if forged {
            link.org_id = OrgId([3; 32]);
        }
        forge::statement(&ada.sign(Domain::OrgLink, link.to_bytes()))
    }
}

struct Write;

impl ForgedWrite for Write {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn forge(&self, scene: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        link.org_id = OrgId([3; 32]);
        forge::keys_of(scene.ada.account.identity())
    }
}
