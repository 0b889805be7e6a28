//! TV49: the server shows a report of the days when a key still worked, in place of the newer one. A client remembers how far it has seen.

use super::tv34::{listen, report};
use crate::attack::{Attack, Row, Try};
use crate::forge;
use crate::proxy::{Audience, Who};
use crate::rpcs::ListKeyHealth;
use crate::scene::Scene;
use keyvawlt_client::Error;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::health::{HealthReport, Outcome};
use keyvawlt_ledger::{Code, Domain};

pub const ROW: Row = Row {
    id: "TV49",
    title: "Replays an old health report",
    tries: &[
        Try::detected::<Replayed>("an older report by the same prober is shown", Code::Rollback),
        Try::detected::<Withheld>("the newest report is withheld", Code::Rollback),
    ],
};

struct Replayed;

impl Attack for Replayed {
    async fn prepare(scene: &mut Scene) -> Self {
        report(scene).await;
        listen(scene).await.expect("Bob has seen the newest report");
        Self
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        // What Ada's own client signed a minute earlier.
        let ada = forge::keys_of(scene.ada.account.identity());
        scene.server.answers::<ListKeyHealth>(audience, move |_, answer| {
            for statement in answer.keys.iter_mut().flat_map(|key| &mut key.reports) {
                let newest = HealthReport::from_bytes(&statement.payload).expect("a report");
                let older = HealthReport { outcome: Outcome::Valid, at_ms: newest.at_ms - 60_000, ..newest };
                *statement = forge::statement(&ada.sign(Domain::HealthReport, older.to_bytes()));
            }
        });
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        listen(scene).await
    }
}

struct Withheld;

impl Attack for Withheld {
    async fn prepare(scene: &mut Scene) -> Self {
        report(scene).await;
        listen(scene).await.expect("Bob has seen the newest report");
        Self
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.answers::<ListKeyHealth>(audience, |_, answer| answer.keys.clear());
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        listen(scene).await
    }
}
