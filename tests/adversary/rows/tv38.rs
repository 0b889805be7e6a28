//! TV38: somebody who manages an environment without reading it makes its next epoch, and so would learn the key. An epoch's author reads and
//! writes.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{Forged, Forgery};
use crate::person::Person;
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::{Body, NamespaceEpoch, Seal, WrapSet, permission, role};
use keyvawlt_ledger::canon::Blob;
use keyvawlt_ledger::{Code, Hash};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV38",
    title: "Accepts a new epoch from a manager who does not read",
    tries: &[Try::detected::<Forged<BlindEpoch>>("an epoch with the manager's own key", Code::Authority)],
};

struct BlindEpoch(Person);

impl Forgery for BlindEpoch {
    async fn prepare(scene: &mut Scene) -> Self {
        Self(scene.newcomer(role::MEMBER, &[(scene.production, permission::MANAGE)]).await)
    }

    fn link(&self, scene: &Scene, forged: bool) -> v1::SignedStatement {
        let author = if forged { &self.0 } else { &scene.ada };
        let body = NamespaceEpoch {
            ns_id: scene.production,
            epoch: 2,
            nk_commit: Hash([2; 32]),
            previous: Seal { epoch: 1, sealed: Blob(vec![2; 96]) },
            parent_seal: None,
            // Ada and Bob read.
            wraps: WrapSet { root: Hash([2; 32]), count: 2 },
            fence: forge::head(&scene.server.calls(), &scene.production),
            reason: 1,
        };
        forge::link(author.account.identity(), scene.chain(), &Body::NamespaceEpoch(body))
    }
}
