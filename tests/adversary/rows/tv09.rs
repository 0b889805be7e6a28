//! TV09: a removal is hidden, so that writers go on wrapping for who was removed. Hiding alone is a freeze, which only staleness rules end; but
//! nothing that stands on the hidden link can be shown.

use crate::attack::{Row, Try};
use crate::moves::{Tamper, Tampered};
use crate::scene::{CANARY, Scene};
use keyvawlt_client::ledger::chain::role;
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV09",
    title: "Hides a removal",
    tries: &[
        Try::detected::<Tampered<Hidden<false>>>("and shows a write that is anchored in it", Code::Rollback),
        Try::detected::<Tampered<Hidden<true>>>("and shows the link after it", Code::Rollback),
    ],
};

/// `LINKS`: what follows is a link, else a write.
struct Hidden<const LINKS: bool>;

impl<const LINKS: bool> Tamper for Hidden<LINKS> {
    const NEW_MACHINE: bool = false;

    async fn news(scene: &mut Scene) {
        let production = scene.production;
        let guest = scene.newcomer(role::MEMBER, &[]).await;
        scene.bob.read_all(&production).await.expect("Bob knows of the guest");
        let id = guest.account.identity().id();
        scene.ada.vault().remove_member(&id).await.expect("a removal");
        if LINKS {
            scene.ada.vault().create_environment("agents", "staging", 2).await.expect("an environment");
        } else {
            scene.ada.write(&production, CANARY).await.expect("a write");
        }
    }

    fn tamper(_: &NsId, answer: &mut v1::ReadChangesResponse) {
        answer.links.remove(0);
    }
}
