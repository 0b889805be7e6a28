//! What somebody with keys can sign: links of any content, and new signatures under changed ones.

use crate::proxy::Call;
use crate::rpcs::{Commit, Rpc as _};
use keyvawlt_client::ledger::chain::{Body, Checkpoint, Head, Link, Questions as _, Replica, View as _};
use keyvawlt_crypto::wraps::{Granter, Recipient, wrap_nk};
use keyvawlt_crypto::{CryptoRng, Identity, Key};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::manifest::{Leaf, ManifestLink};
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Domain, FORMAT, Hash, NsId, Signed, hash, merkle};
use keyvawlt_proto::v1;
use prost::Message as _;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The keys of somebody who works with the server, in the server's hands.
pub fn keys_of(identity: &Identity) -> Arc<Identity> {
    let bundle = identity.bundle();
    Arc::new(Identity::derive(identity.seed().clone(), identity.id(), bundle.kind, bundle.generation, bundle.created_ms))
}

/// The next link of a chain, signed by `author`, whatever the rules say of it.
pub fn link(author: &Identity, chain: &Replica, body: &Body) -> v1::SignedStatement {
    statement(&author.sign(Domain::OrgLink, unsigned(author, chain, body).to_bytes()))
}

/// The same before it is signed.
pub fn unsigned(author: &Identity, chain: &Replica, body: &Body) -> Link {
    let tip = chain.tip();
    Link {
        v: FORMAT,
        org_id: tip.org_id,
        seq: tip.next_seq(),
        history: tip.history.root(),
        kind: body.kind(),
        author_id: author.id(),
        author_key_id: author.key_id(),
        ts_ms: chain.head().chain().map_or(0, |chain| chain.last_ts_ms),
        body: body.to_value(),
        seen: vec![],
    }
}

/// The next checkpoint of a chain before it is signed: a link that every member may make, and that changes nothing.
pub fn checkpoint(author: &Identity, chain: &Replica) -> Link {
    unsigned(author, chain, &Body::Checkpoint(Checkpoint { state_hash: Some(chain.head().state_hash()) }))
}

/// A link with this body, signed by `author`, whomever it names.
pub fn signed_link(author: &Identity, mut link: Link, body: &Body) -> v1::SignedStatement {
    link.body = body.to_value();
    statement(&author.sign(Domain::OrgLink, link.to_bytes()))
}

/// A manifest link, signed by `author`.
pub fn write(author: &Identity, link: &ManifestLink) -> v1::SignedStatement {
    statement(&author.sign(Domain::Manifest, link.to_bytes()))
}

/// Changes what a link of this batch says, if it is of the kind that `change` takes, and signs it anew. It must be the last one.
pub fn resign_last(author: &Identity, batch: &mut v1::Batch, change: impl FnOnce(&mut Body, &mut Vec<Wrap>)) {
    let mut wraps: Vec<Wrap> = batch.wraps.iter().map(|record| Wrap::from_bytes(record).expect("a wrap")).collect();
    let signed = batch.links.last_mut().expect("a link");
    let link = Link::from_bytes(&signed.payload).expect("a link");
    let mut body = Body::from_value(link.kind, link.body.clone()).expect("a body");
    change(&mut body, &mut wraps);
    *signed = signed_link(author, link, &body);
    batch.wraps = wraps.iter().map(|wrap| wrap.to_bytes().into()).collect();
}

/// Changes the leaves that a manifest link writes, and signs it anew with the root they give. `calls` are those that wrote what is there.
pub fn resign_write(author: &Identity, calls: &[Call], signed: &mut v1::SignedStatement, change: impl FnOnce(&mut [Leaf])) {
    let mut link = ManifestLink::from_bytes(&signed.payload).expect("a manifest link");
    change(&mut link.ops);
    let mut leaves: BTreeMap<u64, Hash> = BTreeMap::new();
    let earlier = batches(calls).flat_map(|batch| batch.manifest_links);
    let earlier = earlier.map(|signed| ManifestLink::from_bytes(&signed.payload).expect("a manifest link"));
    for written in earlier.filter(|written| written.ns_id == link.ns_id && written.mseq < link.mseq) {
        leaves.extend(written.ops.iter().map(|leaf| (leaf.index, leaf.tree_hash())));
    }
    leaves.extend(link.ops.iter().map(|leaf| (leaf.index, leaf.tree_hash())));
    link.root = merkle::Tree::from_leaves(leaves.into_values()).root();
    *signed = statement(&author.sign(Domain::Manifest, link.to_bytes()));
}

/// The changes that these calls carried.
pub fn batches(calls: &[Call]) -> impl Iterator<Item = v1::Batch> {
    let commits = calls.iter().filter(|call| call.path == Commit::PATH);
    commits.filter_map(|call| v1::CommitRequest::decode(call.message.clone()).expect("a commit").batch)
}

/// The manifest links of a namespace that these calls wrote.
pub fn writes_to(calls: &[Call], ns_id: &NsId) -> impl Iterator<Item = v1::SignedStatement> {
    let of = move |signed: &v1::SignedStatement| ManifestLink::from_bytes(&signed.payload).expect("a manifest link").ns_id == *ns_id;
    batches(calls).flat_map(|batch| batch.manifest_links).filter(of)
}

/// The head of a namespace that these calls wrote to.
pub fn head(calls: &[Call], ns_id: &NsId) -> Head {
    let newest = writes_to(calls, ns_id).last().expect("a namespace that was written to");
    let link = ManifestLink::from_bytes(&newest.payload).expect("a manifest link");
    let signed = Signed::from_parts(&newest.payload, &newest.signature).expect("a statement");
    Head { ns_id: *ns_id, mseq: link.mseq, mhash: signed.hash(hash::MANIFEST) }
}

/// A wrap like this one, of another key.
pub fn wrap_like(wrap: &Wrap, key: &Key, nk_commit: &Hash, recipient: &Identity) -> Wrap {
    let granter = Granter { id: wrap.granter_id, key_id: wrap.granter_key_id };
    let recipient = Recipient::of(recipient.bundle(), recipient.key_id());
    wrap_nk(key, &wrap.org_id, &wrap.ns_id, wrap.epoch, &recipient, &granter, nk_commit, &mut rng()).expect("a wrap")
}

/// A signed object as the wire carries it.
pub fn statement(signed: &Signed) -> v1::SignedStatement {
    v1::SignedStatement { payload: signed.payload().to_vec().into(), signature: signed.sig.to_vec().into() }
}

/// The attacker's randomness.
#[expect(clippy::disallowed_methods, reason = "the one place where the attacker draws randomness")]
pub fn rng() -> impl CryptoRng {
    rand::rng()
}
