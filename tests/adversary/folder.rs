//! A guarded folder of production, somebody who writes in it and nowhere else, and what he can sign with its key.

use crate::forge;
use crate::person::Person;
use crate::proxy::{Audience, Call};
use crate::rpcs::Commit;
use crate::scene::Scene;
use keyvawlt_client::SecretWrite;
use keyvawlt_client::ledger::chain::{permission, role};
use keyvawlt_crypto::Key;
use keyvawlt_crypto::secret::{Payload, open_version, seal_name, seal_version};
use keyvawlt_crypto::wraps::unwrap_nk;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::{ManifestLink, ObjectKind, object_hash};
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_proto::v1;

/// The folder; the second secret of every play lies in it.
pub const FOLDER: &str = "stripe/";

/// Carol writes in the folder.
pub struct Folder {
    pub carol: Person,
    pub ns_id: NsId,
    pub key: Key,
    org_id: OrgId,
}

/// One object of a write that Carol's hands change.
pub enum Change {
    /// Another relative name.
    Name(&'static str),
    /// Another payload, of the one that was to be written.
    Payload(fn(&mut Payload)),
}

impl Folder {
    pub async fn guard(scene: &mut Scene) -> Self {
        let production = scene.production;
        let ns_id = scene.ada.vault().guard(&production, FOLDER).await.expect("a guarded folder").folder.ns_id;
        let carol = scene.newcomer(role::MEMBER, &[(ns_id, permission::READ | permission::WRITE)]).await;
        let (org_id, key) = key_of(&carol, &ns_id, &scene.server.calls());
        Self { carol, ns_id, key, org_id }
    }

    /// Carol writes a secret, and what is sent is not what her client made. The real server cannot tell.
    pub async fn writes(&mut self, scene: &mut Scene, name: &str, change: Option<Change>) {
        let production = scene.production;
        if let Some(change) = change {
            let (keys, calls) = (forge::keys_of(self.carol.account.identity()), scene.server.calls());
            let (key, org_id, ns_id) = (self.key.clone(), self.org_id, self.ns_id);
            scene.server.requests::<Commit>(Audience::Only(self.carol.who()), move |request| {
                let batch = request.batch.as_mut().expect("a batch");
                forge_objects(batch, &change, (&key, &org_id, &ns_id), &keys, &calls);
            });
        }
        // What her own client thinks of it is no matter.
        let _ = self.carol.vault().write(&production, &[SecretWrite::new(name, "mine")]).await;
        scene.server.repent();
    }
}

/// The key of a namespace that somebody was given in one of these calls, and the organization.
pub fn key_of(person: &Person, ns_id: &NsId, calls: &[Call]) -> (OrgId, Key) {
    let identity = person.account.identity();
    let mut wraps = forge::batches(calls).flat_map(|batch| batch.wraps).map(|record| Wrap::from_bytes(&record).expect("a wrap"));
    let own = wraps.find(|wrap| (wrap.ns_id, wrap.recipient_id) == (*ns_id, identity.id())).expect("a wrap");
    let key = unwrap_nk(&own, &identity.id(), &identity.key_id(), identity.kem_seed()).expect("its key");
    (own.org_id, key)
}

fn forge_objects(
    batch: &mut v1::Batch,
    change: &Change,
    (key, org_id, ns_id): (&Key, &OrgId, &NsId),
    author: &keyvawlt_crypto::Identity,
    calls: &[Call],
) {
    let signed = batch.manifest_links.last_mut().expect("a write");
    let leaf = ManifestLink::from_bytes(&signed.payload).expect("a manifest link").ops[0].clone();
    let id: SecretId = leaf.secret_id;
    let mut objects = std::mem::take(&mut batch.objects);
    let mut hashes = Vec::new();
    match change {
        Change::Name(name) => {
            let sealed = seal_name(key, org_id, ns_id, &id, leaf.epoch, name, &mut forge::rng()).expect("a name");
            hashes.push((ObjectKind::Name, object_hash(ObjectKind::Name, &sealed)));
            *object(&mut objects, v1::ObjectKind::Name) = sealed.into();
        }
        Change::Payload(change) => {
            let data = object(&mut objects, v1::ObjectKind::Payload).to_vec();
            let dek = object(&mut objects, v1::ObjectKind::Dek).to_vec();
            let mut payload = open_version(key, org_id, ns_id, &id, leaf.version, leaf.epoch, &data, &dek).expect("the payload");
            change(&mut payload);
            let sealed = seal_version(key, org_id, ns_id, &id, leaf.version, leaf.epoch, &payload, &mut forge::rng()).expect("a payload");
            hashes.extend([(ObjectKind::Payload, sealed.payload_hash()), (ObjectKind::Dek, sealed.dek_hash())]);
            *object(&mut objects, v1::ObjectKind::Payload) = sealed.payload.into();
            *object(&mut objects, v1::ObjectKind::Dek) = sealed.dek.into();
        }
    }
    batch.objects = objects;
    forge::resign_write(author, calls, signed, |leaves| {
        for (kind, hash) in hashes {
            let field = match kind {
                ObjectKind::Name => &mut leaves[0].name_hash,
                ObjectKind::Payload => &mut leaves[0].payload_hash,
                ObjectKind::Dek => &mut leaves[0].dek_hash,
                ObjectKind::Facts => &mut leaves[0].facts_hash,
            };
            *field = hash;
        }
    });
}

fn object(objects: &mut [v1::SecretObject], kind: v1::ObjectKind) -> &mut bytes::Bytes {
    let found = objects.iter_mut().find(|object| object.kind() == kind);
    found.map(|object| &mut object.data).expect("an object of this kind")
}
