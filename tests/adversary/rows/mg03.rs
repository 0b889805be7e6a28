//! MG03 and MG04 (the same as CS09, CS10): the server plants items that look genuine. Every write is signed by a member who may write.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{ForgedWrite, Written};
use crate::scene::Scene;
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::manifest::{ManifestLink, ObjectKind, object_hash};
use keyvawlt_ledger::Code;
use keyvawlt_proto::v1;
use std::sync::Arc;

pub const ROW: Row = Row {
    id: "MG03",
    title: "Plants items that look genuine (also MG04, CS09, CS10)",
    tries: &[
        Try::detected::<Written<Planted<true>>>("a new secret, signed by the server in its own name", Code::Author),
        Try::detected::<Written<Planted<false>>>("a new secret, signed by the server in a member's name", Code::Sig),
    ],
};

/// `OWN_NAME`: else the link still names Ada.
struct Planted<const OWN_NAME: bool>;

impl<const OWN_NAME: bool> ForgedWrite for Planted<OWN_NAME> {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn forge(&self, _: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        let server = Identity::make(kind::PERSON, link.ts_ms, &mut forge::rng());
        if OWN_NAME {
            (link.author_id, link.author_key_id) = (server.id(), server.key_id());
        }
        link.ops[0].payload_hash = object_hash(ObjectKind::Payload, PLANTED);
        Arc::new(server)
    }

    fn corrupt(&self, _: &Scene, _: &mut v1::SignedStatement, objects: &mut [v1::SecretObject]) {
        let payload = objects.iter_mut().find(|object| object.kind() == v1::ObjectKind::Payload).expect("a value");
        payload.data = PLANTED.into();
    }
}

const PLANTED: &[u8] = b"whatever the server likes";
