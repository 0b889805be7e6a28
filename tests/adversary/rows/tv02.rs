//! TV02: the organization is taken back before a client that remembers nothing, such as a CI job. Its token names a link that the chain must
//! contain; for a person's new device the account's pins do; and a lock that its repository carries reaches as far as whoever committed it saw.
//! (Witnesses, which reach further, are still to come.)

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::rpcs::ReadChanges;
use crate::scene::{Backup, CANARY, Scene};
use keyvawlt_client::{Account, Error, MachineToken, Position, StateDir};
use keyvawlt_ledger::Code;

pub const ROW: Row = Row {
    id: "TV02",
    title: "Rolls the organization back; the client is stateless, and holds a machine's token, or a person's account",
    tries: &[
        Try::detected::<Shortened>("the chain ends before the link that the token names", Code::Fork),
        Try::detected::<Locked>("the organization is as it was after that link, but before the repository's lock", Code::Rollback),
        Try::detected::<NewDevice>("the chain ends before the link that another device of the person has seen", Code::Rollback),
    ],
};

struct Shortened {
    token: MachineToken,
    state: StateDir,
}

impl Attack for Shortened {
    async fn prepare(scene: &mut Scene) -> Self {
        let (token, state) = scene.job().await;
        Self { token, state }
    }

    fn victim(&self, _: &Scene) -> Who {
        Who::Machine(self.token.identity().id())
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let (anchor, token) = (self.token.seq, Audience::Only(Who::Machine(self.token.identity().id())));
        // People have state: what they are shown is another row's.
        let audience = if audience == Audience::Everybody { token } else { audience };
        scene.server.answers::<ReadChanges>(audience, move |request, answer| {
            answer.links.truncate(usize::try_from(anchor.saturating_sub(request.from_seq)).expect("a short chain"));
            (answer.namespaces, answer.wraps, answer.more, answer.next_seq) = (vec![], vec![], false, anchor);
        });
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        scene.client().machine(&self.token, &self.state).await.map(|_| ())
    }
}

/// A job whose checkout has a lock, and a server as it was before.
struct Locked {
    token: MachineToken,
    state: StateDir,
    lock: Position,
    before: Backup,
}

impl Attack for Locked {
    async fn prepare(scene: &mut Scene) -> Self {
        let production = scene.production;
        let (token, state) = scene.job().await;
        let before = scene.backup().await;
        scene.ada.write(&production, CANARY).await.expect("a newer version");
        let lock = scene.ada.vault().position(&[production]);
        Self { token, state, lock, before }
    }

    fn victim(&self, _: &Scene) -> Who {
        Who::Machine(self.token.identity().id())
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.divert(audience, &self.before).await;
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let vault = scene.client().machine(&self.token, &self.state).await?;
        vault.check_position(&self.lock).await
    }
}

struct NewDevice {
    account: Account,
    state: StateDir,
    newest: u64,
}

impl Attack for NewDevice {
    async fn prepare(scene: &mut Scene) -> Self {
        scene.ada.vault().create_environment("agents", "staging", 2).await.expect("a link");
        let newest = scene.ada.vault().verified().links - 1;
        let account = scene.client().unlock_device(&scene.ada.device, None).await.expect("the account on a new device");
        Self { account, state: scene.empty_state(), newest }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.ada.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let newest = self.newest;
        scene.server.answers::<ReadChanges>(audience, move |request, answer| {
            answer.links.truncate(usize::try_from(newest.saturating_sub(request.from_seq)).expect("a short chain"));
            (answer.namespaces, answer.wraps, answer.more, answer.next_seq) = (vec![], vec![], false, newest);
        });
    }

    async fn act(&mut self, _: &mut Scene) -> Result<(), Error> {
        let org = self.account.organizations()[0];
        self.account.open(org, &self.state).await.map(|_| ())
    }
}
