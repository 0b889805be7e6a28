//! TV04: a fork. Two servers continue the same beginning, and show different histories to different people. At the first crossing the
//! histories differ, and can never be joined again.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::rpcs::ReadChanges;
use crate::scene::{Backup, CANARY, Scene};
use keyvawlt_client::Error;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::evidence::Finding;

pub const ROW: Row = Row {
    id: "TV04",
    title: "Shows different histories to different members, then lets one see the other's",
    tries: &[
        Try::detected::<Fork<false>>("two histories of an environment", Code::Fork),
        Try::detected::<Fork<false, true>>("two histories of an environment, and of one only what a colleague vouches for", Code::Fork),
        Try::detected::<Fork<true>>("two histories of the organization's chain", Code::Fork),
    ],
};

/// `CHAIN`: what differs is the organization's chain. `HIDDEN`: of the environment's other history nothing is shown.
struct Fork<const CHAIN: bool, const HIDDEN: bool = false> {
    backup: Backup,
}

impl<const CHAIN: bool, const HIDDEN: bool> Attack for Fork<CHAIN, HIDDEN> {
    async fn prepare(scene: &mut Scene) -> Self {
        let production = scene.production;
        scene.bob.read_all(&production).await.expect("Bob has seen everything");
        Self { backup: scene.backup().await }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let org = scene.ada.account.organizations()[0];
        let production = scene.production;
        // Bob lives on the second server for a while, with another machine of Ada's.
        scene.divert(Audience::Everybody, &self.backup).await;
        let state = scene.empty_state();
        let mut other = scene.ada.account.open(org, &state).await.expect("Ada's other machine");
        if CHAIN {
            other.create_environment("agents", "staging", 2).await.expect("an environment there");
        } else {
            scene.bob.write(&production, CANARY).await.expect("a write there");
        }
        scene.bob.read_all(&production).await.expect("Bob sees that history");
        scene.server.repent();
        self.truth(scene).await;
        if HIDDEN {
            scene.server.answers::<ReadChanges>(Audience::Only(scene.bob.who()), move |_, answer| {
                answer.namespaces.retain(|changes| *changes.ns_id != production.0);
            });
        }
    }

    async fn truth(&mut self, scene: &mut Scene) {
        let production = scene.production;
        for name in ["preview", "review"] {
            if CHAIN {
                scene.ada.vault().create_environment("agents", name, 2).await.expect("an environment here");
            } else {
                scene.ada.write(&production, CANARY).await.expect("a write here");
                if HIDDEN {
                    scene.ada.vault().create_environment("agents", name, 2).await.expect("a link by somebody who saw it");
                }
            }
        }
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        let outcome = scene.bob.read_all(&production).await;
        if let Err(Error::Verification(unverified)) = &outcome
            && !HIDDEN
        {
            let shown = unverified.evidence().expect("two statements").check();
            assert!(shown.iter().any(Finding::is_contradiction), "anybody can see that there are two histories: {shown:?}");
        }
        outcome
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.write(&production, CANARY).await
    }
}
