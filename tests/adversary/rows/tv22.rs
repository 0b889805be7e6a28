//! TV22: an older account blob is served, with an old identity or without an organization. A device remembers the generation it has seen, and the
//! blob names the generation of the pins that belong to it.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::rpcs::{ReadAccount, Rpc as _, UpdateAccount};
use crate::scene::{Backup, Scene};
use bytes::Bytes;
use keyvawlt_client::ledger::chain::class;
use keyvawlt_client::{Error, StateDir};
use keyvawlt_ledger::Code;
use keyvawlt_proto::v1;
use prost::Message as _;

pub const ROW: Row = Row {
    id: "TV22",
    title: "Serves older account data",
    tries: &[
        Try::detected::<OlderAccount>("a second server on an older backup answers a device", Code::Rollback),
        Try::detected::<OlderPins>("older pins beside the newest blob, on a new device", Code::NoAccount),
    ],
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

struct OlderPins {
    pins: Bytes,
}

impl Attack for OlderPins {
    async fn prepare(scene: &mut Scene) -> Self {
        let state = scene.empty_state();
        let mut side = scene.bob.account.found("Side", &state).await.expect("an organization of Bob's own");
        let calls = scene.server.calls();
        let updates = calls.iter().filter(|call| call.path == UpdateAccount::PATH);
        let mut pins = updates.map(|call| v1::UpdateAccountRequest::decode(call.message.clone()).expect("an update").pins);
        let pins = pins.rfind(|pins| !pins.is_empty()).expect("Bob's pins");
        side.create_project("side", &[("development", class::DEVELOPMENT)]).await.expect("newer pins");
        Self { pins }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let pins = self.pins.clone();
        scene.server.answers::<ReadAccount>(audience, move |_, answer| answer.pins = pins.clone());
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        scene.client().unlock_device(&scene.bob.device, None).await.map(|_| ())
    }
}
