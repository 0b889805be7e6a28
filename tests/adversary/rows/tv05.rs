//! TV05: the server shows nothing new to a client that knows the organization. Where something is said regularly, silence is a lie: by a limit that
//! the client keeps.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::rpcs::ReadChanges;
use crate::scene::Scene;
use keyvawlt_client::Error;
use keyvawlt_ledger::Code;
use std::time::Duration;

pub const ROW: Row = Row {
    id: "TV05",
    title: "Freezes: withholds what is new",
    tries: &[Try::detected::<Frozen>("nothing has happened for longer than the client's limit, although heartbeats are given", Code::Stale)],
};

/// Older statements are refused in this play.
const LIMIT_MS: u64 = 1_500;
/// How long nobody says anything.
const SILENCE: Duration = Duration::from_secs(2);

struct Frozen;

impl Attack for Frozen {
    /// Ada's heartbeat, and what her other devices learn of it.
    const WRITES: usize = 2;

    async fn prepare(scene: &mut Scene) -> Self {
        let production = scene.production;
        scene.bob.read_all(&production).await.expect("Bob has seen everything");
        Self
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.answers::<ReadChanges>(audience, |request, answer| {
            (answer.links, answer.namespaces, answer.wraps) = (vec![], vec![], vec![]);
            (answer.more, answer.next_seq) = (false, request.from_seq);
        });
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        tokio::time::sleep(SILENCE).await;
        scene.ada.vault().heartbeat().await.expect("Ada says how things stand");
        scene.bob.vault().sync().await?;
        scene.bob.vault().check_fresh(&production, LIMIT_MS)
    }
}
