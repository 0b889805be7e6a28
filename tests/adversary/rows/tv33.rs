//! TV33: somebody who was given one guarded folder, and nothing else, is delivered another wrap than the chain signs, or the folder's author sealed
//! another key for the readers of the environment than the folder has. Or the server hides from him that his access was taken: silence, which his
//! client refuses once it is longer than a limit.

use crate::attack::{Attack, Row, Try};
use crate::folder::{Folder, key_of};
use crate::forge;
use crate::person::Person;
use crate::proxy::{Audience, Who};
use crate::rpcs::{Commit, ReadChanges};
use crate::scene::{CANARY, Scene};
use keyvawlt_client::ledger::chain::{Body, permission, role};
use keyvawlt_client::{Error, SecretWrite, StateDir};
use keyvawlt_crypto::{Key, nk};
use keyvawlt_ledger::Code;
use keyvawlt_ledger::canon::{Blob, Canon as _};
use keyvawlt_ledger::wrap::Wrap;
use std::time::Duration;

pub const ROW: Row = Row {
    id: "TV33",
    title: "Gives another key to somebody who sees one guarded folder only, or to those who see the folder with its environment; or hides from him that he \
            lost it",
    tries: &[
        Try::detected::<OtherWrap>("another wrap than the one that gave the access", Code::Wrap),
        Try::detected::<Hidden>("that his access was taken is hidden, for longer than the client's limit", Code::Stale),
        Try::detected_by_all::<FalseParentSeal>("a false key, sealed under the environment's", Code::NkCommit),
    ],
};

struct OtherWrap {
    folder: Folder,
    new_machine: StateDir,
}

impl Attack for OtherWrap {
    async fn prepare(scene: &mut Scene) -> Self {
        Self { folder: Folder::guard(scene).await, new_machine: scene.empty_state() }
    }

    fn victim(&self, _: &Scene) -> Who {
        self.folder.carol.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let (ns_id, carol) = (self.folder.ns_id, forge::keys_of(self.folder.carol.account.identity()));
        scene.server.answers::<ReadChanges>(audience, move |_, answer| {
            for delivered in &mut answer.wraps {
                let wrap = Wrap::from_bytes(&delivered.record).expect("a wrap");
                if (wrap.ns_id, wrap.recipient_id) == (ns_id, carol.id()) {
                    let other = forge::wrap_like(&wrap, &Key::random(&mut forge::rng()), &wrap.nk_commit, &carol);
                    delivered.record = other.to_bytes().into();
                }
            }
        });
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        self.folder.carol.read_anew(&self.new_machine, &scene.production).await
    }
}

/// Carol sees the folder and nothing else; that it was taken from her she is not told.
struct Hidden(Folder);

/// Older statements are refused in this play, where the folder's writers give heartbeats.
const LIMIT_MS: u64 = 1_500;
/// How long Carol is told nothing.
const SILENCE: Duration = Duration::from_secs(2);

impl Attack for Hidden {
    /// Ada's heartbeat, and what her other devices learn of it.
    const WRITES: usize = 2;

    async fn prepare(scene: &mut Scene) -> Self {
        let mut folder = Folder::guard(scene).await;
        folder.carol.read_all(&scene.production).await.expect("Carol reads her folder");
        Self(folder)
    }

    fn victim(&self, _: &Scene) -> Who {
        self.0.carol.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let carol = self.0.carol.account.identity().id();
        scene.ada.vault().revoke(&carol, &self.0.ns_id).await.expect("her access is taken");
        // The honest server says of the folder that she does not read it.
        scene.server.requests::<ReadChanges>(audience, |request| request.namespaces.clear());
        scene.server.answers::<ReadChanges>(audience, |request, answer| {
            (answer.links, answer.namespaces, answer.wraps) = (vec![], vec![], vec![]);
            (answer.more, answer.next_seq) = (false, request.from_seq);
        });
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        tokio::time::sleep(SILENCE).await;
        scene.ada.vault().heartbeat().await.expect("Ada says how things stand");
        let vault = self.0.carol.vault();
        vault.sync().await?;
        vault.check_fresh(&self.0.ns_id, LIMIT_MS)
    }
}

/// Carol, who manages production, guards a folder.
struct FalseParentSeal(Person);

impl Attack for FalseParentSeal {
    async fn prepare(scene: &mut Scene) -> Self {
        let all = permission::READ | permission::WRITE | permission::MANAGE;
        Self(scene.newcomer(role::MEMBER, &[(scene.production, all)]).await)
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let carol = forge::keys_of(self.0.account.identity());
        let (org_id, above) = key_of(&self.0, &scene.production, &scene.server.calls());
        scene.server.requests::<Commit>(Audience::Only(self.0.who()), move |request| {
            forge::resign_last(&carol, request.batch.as_mut().expect("a batch"), |body, _| {
                let Body::NamespaceCreate(body) = body else { return };
                let (parent, rng) = (body.parent.expect("a parent"), &mut forge::rng());
                let seal = body.parent_seal.as_mut().expect("a seal");
                let sealed = nk::seal_parent(&above, &org_id, &body.ns_id, 1, &parent, seal.epoch, &Key::random(rng), rng);
                seal.sealed = Blob(sealed);
            });
        });
        self.truth(scene).await;
    }

    async fn truth(&mut self, scene: &mut Scene) {
        self.0.vault().guard(&scene.production, "empty/").await.expect("the server cannot tell");
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.vault().sync().await?;
        scene.bob.vault().write(&production, &[SecretWrite::new("empty/key", CANARY)]).await.map(|_| ())
    }
}
