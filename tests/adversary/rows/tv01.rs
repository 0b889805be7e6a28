//! TV01: the whole organization is taken back to an earlier, consistent backup. The client has state; its pin does not go back.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::rpcs::{ReadChain, ReadChanges};
use crate::scene::{Backup, CANARY, Scene};
use keyvawlt_client::Error;
use keyvawlt_client::ledger::chain::role;
use keyvawlt_ledger::Code;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub const ROW: Row = Row {
    id: "TV01",
    title: "Rolls the whole organization back to an earlier consistent backup; the client has state",
    tries: &[
        Try::detected::<OlderServer>("a second server on the backup answers", Code::Rollback),
        Try::detected::<TakenBack>("a link is shown, and is gone when the client looks at the whole chain again", Code::Rollback),
    ],
};

pub struct OlderServer {
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

/// Bob remembers the state after Carol's link, and is then shown a write of Ada's from before: his client reads the whole chain again.
struct TakenBack {
    /// The first link that Bob has not seen.
    next: u64,
    /// The client has read the whole chain.
    again: Arc<AtomicBool>,
}

impl Attack for TakenBack {
    async fn prepare(scene: &mut Scene) -> Self {
        let production = scene.production;
        let mut carol = scene.newcomer(role::ADMIN, &[]).await;
        scene.bob.read_all(&production).await.expect("Bob sees who came");
        scene.ada.write(&production, CANARY).await.expect("a write");
        carol.vault().create_environment("agents", "staging", 2).await.expect("a link after it, by somebody who does not read there");
        scene.server.answers::<ReadChanges>(Audience::Only(scene.bob.who()), |_, answer| answer.namespaces.clear());
        scene.bob.vault().sync().await.expect("Bob sees the link, and not the write");
        let org = scene.bob.account.organizations()[0];
        scene.bob.vault = None;
        scene.bob.vault = Some(scene.bob.account.open(org, &scene.bob.state).await.expect("the same machine, started again"));
        scene.server.repent();
        let next = scene.bob.vault().verified().links;
        carol.vault().create_environment("agents", "preview", 2).await.expect("one more link");
        Self { next, again: Arc::default() }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let (next, again) = (self.next, Arc::clone(&self.again));
        scene.server.answers::<ReadChanges>(audience, move |request, answer| {
            if again.load(Ordering::SeqCst) {
                (answer.links, answer.next_seq) = (vec![], next);
            } else if request.from_seq == next {
                (answer.namespaces, answer.more) = (vec![], true);
            }
        });
        let (next, again) = (self.next, Arc::clone(&self.again));
        scene.server.answers::<ReadChain>(audience, move |request, answer| {
            answer.links.truncate(usize::try_from(next.saturating_sub(request.from_seq)).expect("a short chain"));
            again.store(true, Ordering::SeqCst);
        });
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        self.again.store(false, Ordering::SeqCst);
        let production = scene.production;
        scene.bob.read_all(&production).await
    }
}
