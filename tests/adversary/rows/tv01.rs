//! TV01: the whole organization is taken back to an earlier, consistent backup. The client has state; its pin does not go back.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::scene::{Backup, CANARY, Scene};
use keyvawlt_client::Error;
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "TV01",
    title: "Rolls the whole organization back to an earlier consistent backup; the client has state",
    tries: &[Try::detected::<OlderServer>("a second server on the backup answers", Code::Rollback)],
};

struct OlderServer {
    backup: Backup,
}

impl Attack for OlderServer {
    async fn prepare(scene: &mut Scene) -> Self {
        let backup = scene.backup().await;
        let production = scene.production;
        scene.ada.write(&production, CANARY).await.expect("a newer version");
        scene.bob.read_all(&production).await.expect("Bob has seen it");
        // Something of the organization's own chain as well.
        scene.ada.vault().create_environment("agents", "staging", 2).await.expect("an environment");
        scene.bob.read_all(&production).await.expect("Bob has seen that too");
        Self { backup }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.divert(audience, &self.backup).await;
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.read_all(&production).await
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.write(&production, CANARY).await
    }
}
