//! TV22: an older account blob is served, with an old identity or without an organization. A device remembers the generation it has seen.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::scene::{Backup, Scene};
use keyvawlt_client::{Error, StateDir};
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "TV22",
    title: "Serves older account data",
    tries: &[Try::detected::<OlderAccount>("a second server on an older backup answers a device", Code::Rollback)],
};

struct OlderAccount {
    backup: Backup,
    pins: StateDir,
}

impl Attack for OlderAccount {
    async fn prepare(scene: &mut Scene) -> Self {
        let backup = scene.backup().await;
        let (pins, other) = (scene.empty_state(), scene.empty_state());
        scene.bob.account.found("Side", &other).await.expect("an organization of Bob's own");
        scene.bob.account.pin(&pins).expect("a pin");
        Self { backup, pins }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.divert(audience, &self.backup).await;
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        scene.client().unlock_device(&scene.bob.device, Some(&self.pins)).await.map(|_| ())
    }
}
