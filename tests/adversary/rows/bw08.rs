//! BW08 (with TV45): the user finds himself in an organization that the server made, with his own public keys in it. Which organizations a
//! user has joined is in the sealed account, and nowhere else.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::scene::Scene;
use keyvawlt_client::{Error, StateDir};
use keyvawlt_ledger::{Code, OrgId};

pub const ROW: Row = Row {
    id: "BW08",
    title: "Adds the user to an organization it made (also TV45)",
    tries: &[Try::detected::<Trap>("an organization that others founded, opened on a new machine", Code::UnknownOrg)],
};

struct Trap {
    org: OrgId,
    new_machine: StateDir,
}

impl Attack for Trap {
    async fn prepare(scene: &mut Scene) -> Self {
        Self { org: scene.bob.account.organizations()[0], new_machine: scene.empty_state() }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let state = scene.empty_state();
        self.org = scene.ada.account.found("Acme", &state).await.expect("an organization of the same name").org_id();
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let account = scene.client().unlock_device(&scene.bob.device, None).await?;
        account.open(self.org, &self.new_machine).await.map(|_| ())
    }
}
