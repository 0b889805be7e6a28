//! BW05 (the same as LP02): ciphertexts are moved between fields and items. A secret's objects are named by hash in its signed leaf, and their
//! contexts bind organization, namespace, secret and version, so that not even a writer who signs the swap is believed.

use crate::attack::{Attack, Row, Try};
use crate::forge;
use crate::moves::{Tamper, Tampered, of};
use crate::proxy::{Audience, Who};
use crate::rpcs::{Commit, ReadVersion};
use crate::scene::{CANARY, CANARY_NAME, Scene};
use keyvawlt_client::{Error, StateDir};
use keyvawlt_ledger::{Code, NsId};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::{Leaf, ManifestLink, ObjectKind};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "BW05",
    title: "Moves ciphertexts between fields and items (also LP02)",
    tries: &[
        Try::detected::<Tampered<Swapped<ITEMS>>>("two secrets exchange value and key", Code::Root),
        Try::detected::<Tampered<Swapped<FIELDS>>>("a secret's value and name exchange places", Code::Root),
        Try::detected_by_all::<Rewritten>("one secret's value takes another's place in the server's database", Code::Root),
        Try::detected::<OldVersion>("another version is delivered as the one asked for", Code::Root),
        Try::detected_by_all::<SignedSwap>("a writer signs one secret's value and key as another's next version", Code::Aead),
    ],
};

const ITEMS: u8 = 1;
const FIELDS: u8 = 2;

struct Swapped<const WHAT: u8>;

impl<const WHAT: u8> Tamper for Swapped<WHAT> {
    const NEW_MACHINE: bool = true;

    async fn news(_: &mut Scene) {}

    fn tamper(production: &NsId, answer: &mut v1::ReadChangesResponse) {
        let Some(changes) = of(production, answer) else { return };
        if WHAT == ITEMS { swap_items(changes) } else { swap_fields(changes) }
    }
}

fn swap_items(changes: &mut v1::NamespaceChanges) {
    for kind in [v1::ObjectKind::Payload, v1::ObjectKind::Dek] {
        let mut of_kind: Vec<_> = changes.objects.iter_mut().filter(|object| object.kind() == kind).collect();
        let [one, other, ..] = of_kind.as_mut_slice() else { continue };
        std::mem::swap(&mut one.data, &mut other.data);
    }
}

fn swap_fields(changes: &mut v1::NamespaceChanges) {
    for object in &mut changes.objects {
        let other = match object.kind() {
            v1::ObjectKind::Payload => v1::ObjectKind::Name,
            v1::ObjectKind::Name => v1::ObjectKind::Payload,
            kind => kind,
        };
        object.set_kind(other);
    }
}

/// The same below the real server, which then delivers it in good faith.
struct Rewritten {
    new_machine: StateDir,
}

impl Attack for Rewritten {
    async fn prepare(scene: &mut Scene) -> Self {
        Self { new_machine: scene.empty_state() }
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let place = format!("ns_id = x'{}'", scene.production);
        let one = format!("(SELECT max(payload) FROM version WHERE {place})");
        assert_eq!(scene.write_database(&format!("UPDATE version SET payload = {one} WHERE {place}")).await, 2);
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.read_anew(&self.new_machine, &production).await
    }
}

struct OldVersion;

impl Attack for OldVersion {
    async fn prepare(scene: &mut Scene) -> Self {
        let production = scene.production;
        for value in ["second", "third"] {
            scene.ada.write(&production, &format!("{CANARY} {value}")).await.expect("a version");
        }
        scene.bob.read_all(&production).await.expect("Bob has seen them");
        Self
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        scene.server.requests::<ReadVersion>(audience, |request| request.version = 1);
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.vault().read_version(&production, CANARY_NAME, 2).await.map(|_| ())
    }

    async fn insist(&mut self, scene: &mut Scene) -> Result<(), Error> {
        let production = scene.production;
        scene.bob.vault().rollback(&production, CANARY_NAME, 2).await.map(|_| ())
    }
}

/// Ada's next write of the first secret carries the second one's value, properly signed.
struct SignedSwap;

impl Attack for SignedSwap {
    async fn prepare(_: &mut Scene) -> Self {
        Self
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, _: Audience) {
        let ada = forge::keys_of(scene.ada.account.identity());
        let calls = scene.server.calls();
        let production = scene.production;
        let written = forge::batches(&calls).flat_map(|batch| batch.manifest_links);
        let written = written.map(|signed| ManifestLink::from_bytes(&signed.payload).expect("a manifest link"));
        let other: Leaf = written.filter(|link| link.ns_id == production).flat_map(|link| link.ops).last().expect("the second secret");
        let objects: Vec<v1::SecretObject> = forge::batches(&calls).flat_map(|batch| batch.objects).collect();
        let data_of = move |kind: v1::ObjectKind| {
            let mut of_other = objects.iter().filter(|object| *object.secret_id == other.secret_id.0);
            of_other.find(|object| object.kind() == kind).expect("an object").data.clone()
        };
        scene.server.requests::<Commit>(Audience::Only(scene.ada.who()), move |request| {
            let batch = request.batch.as_mut().expect("a batch");
            let signed = batch.manifest_links.last_mut().expect("a write");
            forge::resign_write(&ada, &calls, signed, |leaves| {
                leaves[0].payload_hash = other.hash_of(ObjectKind::Payload);
                leaves[0].dek_hash = other.hash_of(ObjectKind::Dek);
            });
            for object in &mut batch.objects {
                if matches!(object.kind(), v1::ObjectKind::Payload | v1::ObjectKind::Dek) {
                    object.data = data_of(object.kind());
                }
            }
        });
        self.truth(scene).await;
        scene.server.repent();
    }

    async fn truth(&mut self, scene: &mut Scene) {
        let production = scene.production;
        scene.ada.write(&production, CANARY).await.expect("the server cannot tell");
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
