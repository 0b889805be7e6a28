//! TV14: a signature of one type of statement is used for another. The domain is part of what is signed.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery, ForgedWrite, Written};
use crate::scene::Scene;
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{Code, Domain};
use keyvawlt_proto::v1;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "TV14",
    title: "Shows a signature of one type of statement under another",
    tries: &[
        Try::detected::<Forged<Link>>("an owner's signature of the manifests' domain under a link", Code::Sig).and_command_line::<Forged<Link>>(),
        Try::detected::<Written<Write>>("a writer's signature of the chain's domain under a write", Code::Sig),
    ],
};

struct Link;

impl Forgery for Link {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let ada = scene.ada.account.identity();
        let domain = if forged { Domain::Manifest } else { Domain::OrgLink };
        forge::statement(&ada.sign(domain, forge::checkpoint(ada, scene.chain()).to_bytes()))
    }
}

struct Write;

impl ForgedWrite for Write {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn forge(&self, scene: &Scene, _: &mut ManifestLink) -> Arc<Identity> {
        forge::keys_of(scene.ada.account.identity())
    }

    fn corrupt(&self, scene: &Scene, signed: &mut v1::SignedStatement, _: &mut [v1::SecretObject]) {
        *signed = forge::statement(&scene.ada.account.identity().sign(Domain::OrgLink, signed.payload.to_vec()));
    }
}
