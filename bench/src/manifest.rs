//! Writes, signed before they are sent: new versions of one secret, under a key of no importance. The server cannot tell.

use crate::scene::Agent;
use anyhow::Result;
use bytes::Bytes;
use keyvawlt_client::ledger::canon::Canon as _;
use keyvawlt_client::ledger::chain::Questions as _;
use keyvawlt_client::ledger::manifest::{Anchor, Leaf, ManifestLink, ManifestTip, ObjectKind, object_hash};
use keyvawlt_client::ledger::merkle::{Tree, leaf_hash};
use keyvawlt_client::ledger::{Domain, FORMAT, NsId, SecretId, facts, hash};
use keyvawlt_client::{Clock, Vault};
use keyvawlt_crypto::secret::{Payload, seal_name, seal_version};
use keyvawlt_crypto::{Identity, Key};
use keyvawlt_proto::v1;
use std::sync::Arc;

/// The first epoch of a namespace.
const EPOCH: u64 = 1;

/// One namespace's manifest, as its only writer holds it.
pub struct Manifest {
    author: Arc<Identity>,
    anchor: Anchor,
    tip: ManifestTip,
    secret: SecretId,
    key: Key,
    name: Vec<u8>,
}

impl Manifest {
    /// Before its first link.
    pub fn begin(vault: &Vault, agent: &Agent, ns: NsId) -> Result<Self> {
        let created = vault.chain().head().known_ns(&ns)?.create_hash;
        let (org, secret, key) = (agent.org, SecretId(rand::random()), Key::random(&mut rand::rng()));
        let name = seal_name(&key, &org, &ns, &secret, EPOCH, "service/token", &mut rand::rng())?;
        let tip = vault.chain().tip();
        let anchor = Anchor { seq: tip.next_seq() - 1, link_hash: tip.link_hash };
        Ok(Self { author: agent.identity.clone(), anchor, tip: ManifestTip::before_first(org, ns, created), secret, key, name })
    }

    /// The next version of the secret, signed.
    pub fn write(&mut self) -> Result<v1::CommitRequest> {
        let (org, ns, version) = (self.tip.org_id, self.tip.ns_id, self.tip.mseq + 1);
        let payload = Payload::new("service/token", format!("sbp_{version:036}").into_bytes());
        let sealed = seal_version(&self.key, &org, &ns, &self.secret, version, EPOCH, &payload, &mut rand::rng())?;
        let leaf = Leaf {
            index: 0,
            secret_id: self.secret,
            version,
            epoch: EPOCH,
            flags: 0,
            mseq: version,
            payload_hash: object_hash(ObjectKind::Payload, &sealed.payload),
            dek_hash: object_hash(ObjectKind::Dek, &sealed.dek),
            name_hash: object_hash(ObjectKind::Name, &self.name),
            facts_hash: object_hash(ObjectKind::Facts, &facts::none()),
        };
        let mut objects = vec![(v1::ObjectKind::Payload, sealed.payload), (v1::ObjectKind::Dek, sealed.dek)];
        if version == 1 {
            objects.push((v1::ObjectKind::Name, self.name.clone()));
            objects.push((v1::ObjectKind::Facts, facts::none()));
        }
        let link = ManifestLink {
            v: FORMAT,
            org_id: org,
            ns_id: ns,
            mseq: version,
            history: self.tip.history.root(),
            author_id: self.author.id(),
            author_key_id: self.author.key_id(),
            ts_ms: Clock::System.now_ms().max(self.tip.ts_ms),
            anchor: self.anchor.clone(),
            epoch: EPOCH,
            root: Tree::from_leaves([leaf.tree_hash()]).root(),
            ops: vec![leaf],
            count: 1,
            with: vec![],
        };
        let signed = self.author.sign(Domain::Manifest, link.to_bytes());
        self.tip.history.push(leaf_hash(&signed.hash(hash::MANIFEST).0));
        (self.tip.mseq, self.tip.ts_ms) = (version, link.ts_ms);
        let objects = objects.into_iter().map(|(kind, data)| v1::SecretObject {
            ns_id: Bytes::copy_from_slice(&ns.0),
            secret_id: Bytes::copy_from_slice(&self.secret.0),
            version,
            kind: kind.into(),
            data: data.into(),
        });
        let statement =
            v1::SignedStatement { payload: Bytes::copy_from_slice(signed.payload()), signature: Bytes::copy_from_slice(&signed.sig) };
        let batch = v1::Batch { manifest_links: vec![statement], objects: objects.collect(), ..v1::Batch::default() };
        Ok(v1::CommitRequest {
            org_id: Bytes::copy_from_slice(&org.0),
            request_id: Bytes::copy_from_slice(&rand::random::<[u8; 16]>()),
            batch: Some(batch),
            bring_back: false,
        })
    }
}
