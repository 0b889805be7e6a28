//! TV52: a member with rights that end makes them last, or gives himself more. On oneself only lowering is allowed.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::person::Person;
use crate::scene::{DAY_MS, Scene};
use keyvawlt_client::ledger::chain::{Access, Body, Questions as _, permission, role};
use keyvawlt_ledger::Code;
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV52",
    title: "Accepts what a member with temporary rights signs for himself",
    tries: &[
        Try::detected::<Forged<Own<LONGER>>>("access without an end", Code::Authority),
        Try::detected::<Forged<Own<MORE>>>("write beside read", Code::Authority),
    ],
};

const LONGER: bool = false;
const MORE: bool = true;

struct Own<const MORE: bool>(Person);

impl<const MORE: bool> Forgery for Own<MORE> {
    async fn prepare(scene: &mut Scene) -> Self {
        let guest = scene.newcomer(role::MEMBER, &[]).await;
        let ends = scene.chain().head().chain().expect("a chain").last_ts_ms + DAY_MS;
        let (id, production) = (guest.account.identity().id(), scene.production);
        scene.ada.vault().grant(&id, &production, permission::READ, ends).await.expect("access for a day");
        Self(guest)
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let identity = self.0.account.identity();
        let ends = scene.chain().head().access(&scene.production, &identity.id()).expect("access").expires_ms;
        let mut body = Access {
            ns_id: scene.production,
            identity_id: identity.id(),
            permissions: permission::READ,
            expires_ms: ends - 1,
            wrap: None,
            fences: vec![],
            abandon: false,
        };
        if forged && MORE {
            (body.permissions, body.expires_ms) = (permission::READ | permission::WRITE, ends);
        } else if forged {
            body.expires_ms = 0;
        }
        forge::link(identity, scene.chain(), &Body::Access(body))
    }
}
