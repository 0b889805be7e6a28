//! TV08: a removed writer signs on, anchored before the removal, and the server accepts it. Beyond the fence nothing of that counts.

use crate::attack::{Attack, Row, Try};
use crate::forge;
use crate::moves::show_link;
use crate::proxy::{Audience, Who};
use crate::rpcs::{Commit, ListManifestHeads, ReadChanges};
use crate::person::Person;
use crate::scene::{Backup, CANARY, Scene};
use keyvawlt_client::Error;
use keyvawlt_client::ledger::chain::{permission, role};
use keyvawlt_ledger::Code;
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV08",
    title: "Accepts new writes that a removed writer signs with an old anchor",
    tries: &[
        Try::detected::<RemovedWriter<false>>("shown to a client that knows of the removal", Code::Fence),
        Try::detected::<RemovedWriter<true>>("shown before the removal, which is shown later", Code::Fence),
        Try::detected::<OlderFence>("the admin who removes him, and does not read there, is told an older head to fence", Code::Fence),
    ],
};

/// `EARLY`: the client is frozen before the removal, and takes the write in while it is.
struct RemovedWriter<const EARLY: bool> {
    carol: Person,
    /// The server as it was before the removal.
    before: Backup,
}

impl<const EARLY: bool> Attack for RemovedWriter<EARLY> {
    async fn prepare(scene: &mut Scene) -> Self {
        let write = permission::READ | permission::WRITE;
        let production = scene.production;
        let mut carol = scene.newcomer(role::MEMBER, &[(production, write)]).await;
        scene.bob.read_all(&production).await.expect("Bob is a member");
        let before = scene.backup().await;
        let bob = scene.bob.account.identity().id();
        scene.ada.vault().remove_member(&bob).await.expect("Bob is removed");
        if !EARLY {
            carol.read_all(&production).await.expect("Carol knows");
        }
        Self { carol, before }
    }

    fn victim(&self, _: &Scene) -> Who {
        self.carol.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let production = scene.production;
        let earlier = scene.server.calls().len();
        scene.divert(Audience::Only(scene.bob.who()), &self.before).await;
        scene.bob.write(&production, CANARY).await.expect("Bob writes where he was never removed");
        if EARLY {
            scene.divert_more(audience);
            self.carol.read_all(&production).await.expect("nothing tells Carol of the removal yet");
        }
        scene.server.repent();
        let batch = forge::batches(&scene.server.calls()[earlier..]).next().expect("Bob's write");
        let news = v1::NamespaceChanges {
            ns_id: production.0.to_vec().into(),
            manifest_links: batch.manifest_links,
            objects: batch.objects,
            mseq: u64::MAX,
        };
        scene.server.answers::<ReadChanges>(audience, move |request, answer| {
            if !request.namespaces.iter().any(|held| held.ns_id == news.ns_id) {
                return;
            }
            // What is held already, where it is, is not sent again.
            answer.namespaces.retain(|changes| changes.ns_id != news.ns_id);
            if !EARLY {
                answer.namespaces.push(news.clone());
            }
        });
    }

    async fn truth(&mut self, scene: &mut Scene) {
        let production = scene.production;
        scene.ada.write(&production, CANARY).await.expect("who may write, writes");
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        self.carol.read_all(&scene.production).await
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        self.carol.write(&scene.production, CANARY).await
    }
}

/// The removal stands, and so does a write of Bob's beyond the head it names: whoever holds both sees that they do not go together.
struct OlderFence {
    admin: Person,
}

impl Attack for OlderFence {
    async fn prepare(scene: &mut Scene) -> Self {
        let admin = scene.newcomer(role::ADMIN, &[]).await;
        let production = scene.production;
        scene.bob.write(&production, CANARY).await.expect("Bob's last write");
        scene.ada.read_all(&production).await.expect("Ada has seen it");
        Self { admin }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.ada.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let calls = scene.server.calls();
        let production = scene.production;
        let writes: Vec<_> = forge::writes_to(&calls, &production).collect();
        let older = writes[writes.len() - 2].clone();
        let admin = Audience::Only(self.admin.who());
        scene.server.answers::<ListManifestHeads>(admin, move |_, answer| {
            for head in answer.heads.iter_mut().filter(|head| *head.ns_id == production.0) {
                head.link = Some(older.clone());
            }
        });
        // The real server holds the fence against the head it has.
        scene.server.swallow::<Commit>(admin);
        let bob = scene.bob.account.identity().id();
        self.admin.vault().remove_member(&bob).await.expect("the server says that Bob is removed");
        let removal = forge::batches(&scene.server.calls()[calls.len()..]).next().expect("the removal");
        scene.server.repent();
        for (nth, link) in (0..).zip(removal.links) {
            show_link(&scene.server, audience, scene.chain().tip().next_seq() + nth, link);
        }
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.ada.read_all(&production).await
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.ada.write(&production, CANARY).await
    }
}
