//! TV55: only one half of a change that moves secrets between namespaces is shown. The deletion names the head it belongs with; and a name stays
//! where it was until the other namespace has it.

use crate::attack::{Expected, Row, Try};
use crate::folder::FOLDER;
use crate::moves::{Tamper, Tampered};
use crate::proxy::Audience;
use crate::rpcs::ReadChanges;
use crate::scene::Scene;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV55",
    title: "Shows one half of a change that moves secrets into a guarded folder, or back",
    tries: &[
        Try::detected::<Tampered<Lost<false, false>>>("the secrets are gone from the environment, and not in the folder", Code::Part),
        Try::detected::<Tampered<Lost<true, false>>>("the same for a new machine", Code::Part),
        Try::detected::<Tampered<Lost<false, true>>>("an unguarded folder's secrets are gone, and not in the environment", Code::Rollback),
        Try::new("the secrets are in the folder, and not gone from the environment", Expected::Defeated(|| Box::pin(both()))),
    ],
};

/// `BACK`: what is withheld is the environment's half of an unguarding.
struct Lost<const NEW: bool, const BACK: bool>;

impl<const NEW: bool, const BACK: bool> Tamper for Lost<NEW, BACK> {
    const NEW_MACHINE: bool = NEW;

    async fn news(scene: &mut Scene) {
        let production = scene.production;
        scene.ada.vault().guard(&production, FOLDER).await.expect("a guarded folder");
        if BACK {
            scene.bob.read_all(&production).await.expect("Bob has seen it");
            scene.ada.vault().unguard(&production, FOLDER).await.expect("no guarded folder");
        }
    }

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        answer.namespaces.retain(|changes| {
            let first = changes.manifest_links.first().map(|first| ManifestLink::from_bytes(&first.payload).expect("a manifest link"));
            // The directory is as old as the organization.
            let is_directory = first.is_none_or(|first| first.mseq > 1 || first.anchor.seq <= 1);
            let is_production = *changes.ns_id == production.0;
            if BACK { !is_production } else { is_production || is_directory }
        });
    }
}

async fn both() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    scene.bob.read_all(&production).await.expect("Bob has seen everything");
    let shown = |scene: &mut Scene| {
        let secrets = scene.bob.vault().read_all(&production).expect("every secret");
        secrets.into_iter().map(|secret| (secret.info.name, secret.info.version, secret.value.to_vec())).collect::<Vec<_>>()
    };
    let before = shown(&mut scene);
    scene.ada.vault().guard(&production, FOLDER).await.expect("a guarded folder");
    scene.server.answers::<ReadChanges>(Audience::Everybody, move |_, answer| {
        answer.namespaces.retain(|changes| *changes.ns_id != production.0);
    });
    scene.bob.vault().sync().await.expect("nothing names the environment's new head yet");
    assert!(!scene.bob.vault().folders(&production).expect("folders").is_empty(), "the folder is shown");
    assert_eq!(shown(&mut scene), before, "each secret once, as it was");
    scene.server.repent();
    scene.bob.vault().sync().await.expect("the other half");
    assert_eq!(shown(&mut scene), before);
    scene.end().await;
}
