//! TV03: one environment only is taken back. A client holds its manifest's head; to a new machine the organization's chain vouches for heads
//! that fences name, and those that whoever made a link had seen.

use crate::attack::{Row, Try};
use crate::moves::{Tamper, Tampered, of};
use crate::scene::{CANARY, Scene};
use keyvawlt_client::SecretWrite;
use keyvawlt_client::ledger::chain::{permission, role};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV03",
    title: "Rolls one environment back",
    tries: &[
        Try::detected::<Tampered<Older>>("an older head than the client holds", Code::Rollback),
        Try::detected::<Tampered<Cut<true>>>("the newest write is withheld from a new machine, although a fence names it", Code::Rollback),
        Try::detected::<Tampered<Cut<false>>>("the newest write is withheld from a new machine, although somebody vouched for it", Code::Rollback),
    ],
};

struct Older;

impl Tamper for Older {
    const NEW_MACHINE: bool = false;

    async fn news(scene: &mut Scene) {
        let production = scene.production;
        scene.ada.write(&production, CANARY).await.expect("a newer version");
        scene.bob.read_all(&production).await.expect("Bob has seen it");
    }

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        answer.namespaces.retain(|changes| *changes.ns_id != production.0);
        answer.namespaces.push(v1::NamespaceChanges { ns_id: production.0.to_vec().into(), mseq: 1, ..Default::default() });
    }
}

/// `FENCED`: what names the newest write is a fence; else it is a link about something else, whose author had seen it.
struct Cut<const FENCED: bool>;

impl<const FENCED: bool> Tamper for Cut<FENCED> {
    const NEW_MACHINE: bool = true;

    async fn news(scene: &mut Scene) {
        let production = scene.production;
        let late = [SecretWrite::new("late/secret", CANARY)];
        scene.ada.vault().write(&production, &late).await.expect("a last write");
        if !FENCED {
            scene.ada.vault().create_environment("agents", "staging", 2).await.expect("a link about something else");
            return;
        }
        // Somebody comes and goes: the environment gets a new key, and a fence at its head.
        let guest = scene.newcomer(role::MEMBER, &[(production, permission::READ)]).await;
        let id = guest.account.identity().id();
        scene.ada.vault().revoke(&id, &production).await.expect("a new key");
    }

    /// As it was before the last write, in itself complete.
    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        let Some(changes) = of(production, answer) else { return };
        let last = changes.manifest_links.pop().expect("a write");
        let last = ManifestLink::from_bytes(&last.payload).expect("a manifest link");
        changes.mseq = last.mseq - 1;
        changes.objects.retain(|object| !last.ops.iter().any(|leaf| *object.secret_id == leaf.secret_id.0));
    }
}
