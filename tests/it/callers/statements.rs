//! Statements as each caller would sign them now. Sealed parts are only bytes: the server never opens them.

use super::stage::fresh;
use keyvawlt_client::Vault;
use keyvawlt_crypto::{Identity, InviteCode, Key};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::{
    Body, Checkpoint, Genesis, Link, MemberAdd, MemberJoin, NamespaceCreate, Policy, Questions as _, Seal, WrapRef, WrapSet, class,
    org_id_of, role, verified,
};
use keyvawlt_ledger::manifest::{Anchor, ManifestLink};
use keyvawlt_ledger::merkle::{Frontier, empty_root, leaf_hash};
use keyvawlt_ledger::wrap::{self, CT_LEN, ENC_LEN, Wrap};
use keyvawlt_ledger::{Blob, Canon as _, Domain, Hash, IdentityId, KeyId, NsId, OrgId, Signed};
use keyvawlt_proto::v1;

const DAY_MS: u64 = 24 * 3_600_000;

/// Where an organization's chain and one of its manifests stand.
pub struct Position {
    pub org: OrgId,
    seq: u64,
    history: Hash,
    newest: Hash,
    /// The directory, and its key's commitment.
    directory: (NsId, Hash),
    manifest: Option<ManifestLink>,
    now_ms: u64,
}

impl Position {
    /// Before anything was looked at.
    pub fn start(org: OrgId) -> Self {
        let directory = (NsId([0; 16]), Hash::ZERO);
        Self { org, seq: 0, history: empty_root(), newest: Hash::ZERO, directory, manifest: None, now_ms: 0 }
    }

    /// After all that `vault` knows, and all of a namespace's manifest.
    pub fn after(vault: &Vault, ns: &NsId, changes: &v1::NamespaceChanges, now_ms: u64) -> Self {
        let (tip, state) = (vault.chain().tip(), vault.chain().head());
        let entry = state.ns(ns).expect("a namespace");
        let mut history = Frontier::default();
        history.push(leaf_hash(&entry.create_hash.0));
        let mut newest = None;
        for link in &changes.manifest_links {
            let signed = Signed::from_parts(&link.payload, &link.signature).expect("a statement");
            history.push(leaf_hash(&signed.hash(keyvawlt_ledger::hash::MANIFEST).0));
            newest = Some(ManifestLink::from_bytes(signed.payload()).expect("a manifest link"));
        }
        let manifest = newest.map(|newest| ManifestLink { mseq: newest.mseq + 1, history: history.root(), epoch: entry.epoch, ..newest });
        let directory = state.chain().and_then(|chain| chain.directory).expect("a directory");
        let commit = state.ns(&directory).expect("the directory").nk_commit;
        Self {
            org: tip.org_id,
            seq: tip.next_seq(),
            history: tip.history.root(),
            newest: tip.link_hash,
            directory: (directory, commit),
            manifest,
            now_ms,
        }
    }

    /// A checkpoint: what every member may say.
    pub fn checkpoint(&self, author: &Identity) -> v1::Batch {
        self.batch(author, &Body::Checkpoint(Checkpoint { state_hash: None }), &[])
    }

    /// Admits a machine.
    pub fn admission(&self, author: &Identity, nth: u8) -> v1::Batch {
        let machine = Identity::derive(Key::from_bytes([nth; 32]), IdentityId([nth ^ 0xa5; 16]), kind::MACHINE, 1, 1);
        let expires_ms = self.now_ms + DAY_MS;
        let body = MemberAdd { bundle: machine.signed_bundle().clone(), role: role::MACHINE, expires_ms, verified: verified::MADE };
        self.batch(author, &Body::MemberAdd(body), &[])
    }

    /// Joins by an invite to the directory.
    pub fn join(&self, author: &Identity, invite: &InviteCode) -> v1::Batch {
        let (directory, nk_commit) = self.directory;
        let wrap = self_wrap(author, self.org, directory, nk_commit);
        let body = MemberJoin {
            bundle: author.signed_bundle().clone(),
            invite_id: invite.invite_id,
            join_sig: invite.keys().join_signature(&self.org, &author.key_id()),
            wraps: vec![WrapRef { ns_id: directory, epoch: 1, wrap_hash: wrap.hash() }],
        };
        self.batch(author, &Body::MemberJoin(body), &[wrap])
    }

    /// A manifest link that writes nothing: what every writer may say.
    pub fn heartbeat(&self, author: &Identity) -> v1::Batch {
        let newest = self.manifest.clone().expect("a manifest");
        let anchor = Anchor { seq: self.seq - 1, link_hash: self.newest };
        let (author_id, author_key_id, ts_ms) = (author.id(), author.key_id(), self.now_ms);
        let link = ManifestLink { author_id, author_key_id, ts_ms, anchor, ops: vec![], with: vec![], ..newest };
        let signed = author.sign(Domain::Manifest, link.to_bytes());
        v1::Batch { manifest_links: vec![statement(&signed)], ..v1::Batch::default() }
    }

    fn batch(&self, author: &Identity, body: &Body, wraps: &[Wrap]) -> v1::Batch {
        let place = Place { org: self.org, seq: self.seq, history: self.history, ts_ms: self.now_ms };
        let signed = author.sign(Domain::OrgLink, link(author, &place, body).to_bytes());
        v1::Batch {
            links: vec![statement(&signed)],
            wraps: wraps.iter().map(|wrap| wrap.to_bytes().into()).collect(),
            ..v1::Batch::default()
        }
    }
}

/// A new organization: genesis and directory.
pub fn organization(author: &Identity, origin: &str, now_ms: u64) -> v1::Batch {
    let policy = Policy {
        min_suite: keyvawlt_ledger::SUITE,
        require_admin_confirm: false,
        allow_unverified: false,
        machine_single_class: true,
        max_staleness_ms: None,
        origins: vec![origin.to_owned()],
        log_key: None,
        witnesses: vec![],
    };
    let first = Body::Genesis(Genesis { bundle: author.signed_bundle().clone(), policy, nonce: [7; 16] });
    let mut place = Place { org: OrgId([0; 32]), seq: 0, history: empty_root(), ts_ms: now_ms };
    place.org = org_id_of(&link(author, &place, &first).to_bytes()).expect("a genesis");
    let genesis = author.sign(Domain::OrgLink, link(author, &place, &first).to_bytes());
    let mut history = Frontier::default();
    history.push(leaf_hash(&genesis.hash(keyvawlt_ledger::hash::LINK).0));

    let (ns_id, nk_commit) = (NsId([7; 16]), Hash([7; 32]));
    let wrap = self_wrap(author, place.org, ns_id, nk_commit);
    let directory = Body::NamespaceCreate(NamespaceCreate {
        ns_id,
        parent: None,
        class: class::DIRECTORY,
        nk_commit,
        parent_seal: None,
        wraps: WrapSet { root: wrap::root(std::slice::from_ref(&wrap)).expect("one wrap"), count: 1 },
        names: Seal { epoch: 1, sealed: Blob(vec![7; 100]) },
    });
    let place = Place { seq: 1, history: history.root(), ..place };
    let directory = author.sign(Domain::OrgLink, link(author, &place, &directory).to_bytes());
    v1::Batch { links: vec![statement(&genesis), statement(&directory)], wraps: vec![wrap.to_bytes().into()], ..v1::Batch::default() }
}

/// A person's keys and what signs up with them.
pub fn sign_up(seed: u8, origin: &str) -> v1::SignUpRequest {
    let (identity, account_id) = (fresh(seed), keyvawlt_ledger::AccountId([seed; 16]));
    v1::SignUpRequest {
        request_id: vec![seed; 16].into(),
        account_id: account_id.0.to_vec().into(),
        email: format!("newcomer{seed}@example.com"),
        bundle: Some(statement(identity.signed_bundle())),
        claim: Some(statement(&keyvawlt_crypto::account::claim(&identity, &account_id, origin))),
        slots: vec![slot(seed, v1::SlotType::Password)],
        blob: vec![seed; 100].into(),
    }
}

/// A way into an account.
pub fn slot(seed: u8, r#type: v1::SlotType) -> v1::Slot {
    v1::Slot {
        slot_id: vec![seed; 16].into(),
        r#type: r#type.into(),
        login_pk: fresh(seed).bundle().sign_pk.to_vec().into(),
        sealed_account_key: vec![seed; 112].into(),
        label: String::new(),
    }
}

struct Place {
    org: OrgId,
    seq: u64,
    history: Hash,
    ts_ms: u64,
}

fn link(author: &Identity, place: &Place, body: &Body) -> Link {
    Link {
        v: keyvawlt_ledger::FORMAT,
        org_id: place.org,
        seq: place.seq,
        history: place.history,
        kind: body.kind(),
        author_id: author.id(),
        author_key_id: author.key_id(),
        ts_ms: place.ts_ms,
        body: body.to_value(),
        seen: vec![],
    }
}

fn self_wrap(author: &Identity, org_id: OrgId, ns_id: NsId, nk_commit: Hash) -> Wrap {
    let (id, key_id): (IdentityId, KeyId) = (author.id(), author.key_id());
    Wrap {
        org_id,
        ns_id,
        epoch: 1,
        recipient_id: id,
        recipient_key_id: key_id,
        granter_id: id,
        granter_key_id: key_id,
        nk_commit,
        enc: [7; ENC_LEN],
        ct: [7; CT_LEN],
    }
}

fn statement(signed: &Signed) -> v1::SignedStatement {
    v1::SignedStatement { payload: signed.payload().to_vec().into(), signature: signed.sig.to_vec().into() }
}
