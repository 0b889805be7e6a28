//! TV42: a writer whose access has ended dates a write before that end, and the server accepts it. What others write after the
//! lapse, if only a heartbeat, has a time, and time never goes back behind that.

use crate::attack::{Row, Try};
use crate::forge;
use crate::moves::{ForgedWrite, Written};
use crate::person::Person;
use crate::scene::{CANARY, Scene};
use keyvawlt_client::ledger::chain::{Questions as _, permission, role};
use keyvawlt_crypto::Identity;
use keyvawlt_ledger::Code;
use keyvawlt_ledger::manifest::ManifestLink;
use std::sync::Arc;
use std::time::Duration;

pub const ROW: Row = Row {
    id: "TV42",
    title: "Accepts a write that a lapsed writer has back-dated",
    tries: &[Try::detected::<Written<Lapsed>>("dated just before his access ended", Code::Clock)],
};

/// How long the guest may write: long enough to be given the right on a busy machine.
const ACCESS: Duration = Duration::from_secs(4);

struct Lapsed {
    guest: Person,
    ends_ms: u64,
}

impl ForgedWrite for Lapsed {
    async fn prepare(scene: &mut Scene) -> Self {
        let guest = scene.newcomer(role::MEMBER, &[]).await;
        let (id, production) = (guest.account.identity().id(), scene.production);
        let now = scene.chain().head().chain().expect("a chain").last_ts_ms;
        let ends_ms = now + u64::try_from(ACCESS.as_millis()).expect("seconds");
        let write = permission::READ | permission::WRITE;
        scene.ada.vault().grant(&id, &production, write, ends_ms).await.expect("access for a moment");
        tokio::time::sleep(ACCESS).await;
        // Whoever writes next gives the environment a new key.
        scene.ada.write(&production, CANARY).await.expect("a write after the lapse");
        Self { guest, ends_ms }
    }

    fn forge(&self, _: &Scene, link: &mut ManifestLink) -> Arc<Identity> {
        let guest = forge::keys_of(self.guest.account.identity());
        (link.author_id, link.author_key_id) = (guest.id(), guest.key_id());
        link.ts_ms = self.ends_ms - 1;
        guest
    }
}
