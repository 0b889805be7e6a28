//! TV17: a machine is given another key, or one more machine is let in. A machine is a member like any other: its wraps are signed for on the
//! chain, and so is its membership.

use super::lp01::Own;
use crate::attack::{Attack, Row, Try};
use crate::forge;
use crate::moves::Forged;
use crate::proxy::{Audience, Who};
use crate::rpcs::ReadChanges;
use crate::scene::Scene;
use keyvawlt_client::ledger::chain::role;
use keyvawlt_client::{Error, MachineToken, StateDir};
use keyvawlt_crypto::Key;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV17",
    title: "Swaps the wrapped key of a machine, or enrols one more machine",
    tries: &[
        Try::detected::<KnownKey>("the machine's wrap is of a key that the server knows", Code::Wrap),
        Try::detected::<Forged<Own<{ role::MACHINE }, true>>>("a machine of the server's, in the owner's name", Code::Sig),
    ],
};

struct KnownKey {
    token: MachineToken,
    state: StateDir,
}

impl Attack for KnownKey {
    async fn prepare(scene: &mut Scene) -> Self {
        let (token, state) = scene.job().await;
        Self { token, state }
    }

    fn victim(&self, _: &Scene) -> Who {
        Who::Machine(self.token.identity().id())
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let (machine, known) = (self.token.identity(), Key::random(&mut forge::rng()));
        let swap = move |delivered: &mut v1::DeliveredWrap| {
            let wrap = Wrap::from_bytes(&delivered.record).expect("a wrap");
            if wrap.recipient_id == machine.id() {
                delivered.record = forge::wrap_like(&wrap, &known, &wrap.nk_commit, &machine).to_bytes().into();
            }
        };
        scene.server.answers::<ReadChanges>(audience, move |_, answer| answer.wraps.iter_mut().for_each(&swap));
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let vault = scene.client().machine(&self.token, &self.state).await?;
        vault.read_all(&scene.production).map(|_| ())
    }
}
