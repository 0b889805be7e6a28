//! TV44: a used invite code is found in a chat log by somebody who also has the server's data. It opens what the invite carried: never production,
//! for 72 hours at most; and the use made a new key due, so that it opens nothing that was written since.

use crate::attack::{Expected, Row, Try};
use crate::forge;
use crate::scene::{CANARY, DAY_MS, Scene};
use keyvawlt_client::ledger::chain::{Questions as _, class, permission, role};
use keyvawlt_client::{InviteCode, NewInvite, SecretWrite};
use keyvawlt_crypto::Key;
use keyvawlt_crypto::wraps::unwrap_nk;
use keyvawlt_ledger::NsId;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::wrap::Wrap;

pub const ROW: Row = Row {
    id: "TV44",
    title: "Has its data read with a used invite code from a chat log",
    tries: &[Try::new("an invite that carried the key of development, and asked to carry production's", Expected::Reduced(|| Box::pin(found())))],
};

async fn found() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let development = scene.ada.vault().create_environment("side", "development", class::DEVELOPMENT).await.expect("an environment");
    let read = permission::READ;
    let access = vec![(development, read, 0), (production, read, 0)];
    let new = NewInvite { name: "Carol".to_owned(), role: role::MEMBER, access, ttl_ms: DAY_MS, member_expires_ms: 0, carry_keys: true };
    let code = scene.ada.vault().invite(&new).await.expect("an invite");
    let mut carol = scene.stranger().await;
    carol.account.join(&code, &carol.state).await.expect("a join");

    let opened = carried(&scene, &code);
    assert_eq!(opened.iter().filter(|(ns, _)| *ns == development).count(), 1, "the control: what it carried opens");
    assert!(opened.iter().all(|(ns, _)| *ns != production), "production's key travels with no invite");
    scene.ada.vault().sync().await.expect("Ada sees the join");
    let now = scene.ada.vault().now_ms();
    assert!(scene.chain().head().is_owed(&development, now), "the use makes a new key due");
    scene.ada.vault().write(&development, &[SecretWrite::new("later", CANARY)]).await.expect("the next write makes it");
    let epoch = scene.chain().head().ns(&development).expect("a namespace").epoch;
    let current = carried(&scene, &code).into_iter().filter(|(ns, carried)| *ns == development && *carried >= epoch);
    assert_eq!(current.count(), 0, "the code opens no key that is in use");
    scene.end().await;
}

/// Which keys the code opens, of all that the server was ever sent: namespace and epoch.
fn carried(scene: &Scene, code: &InviteCode) -> Vec<(NsId, u64)> {
    let keys = code.keys();
    let records = forge::batches(&scene.server.calls()).flat_map(|batch| batch.wraps).collect::<Vec<_>>();
    let wraps = records.iter().map(|record| Wrap::from_bytes(record).expect("a wrap"));
    let open = |wrap: &Wrap| -> Option<Key> { unwrap_nk(wrap, &keys.recipient_id(), &keys.key_id(), keys.kem_seed()).ok() };
    wraps.filter(|wrap| open(wrap).is_some()).map(|wrap| (wrap.ns_id, wrap.epoch)).collect()
}
