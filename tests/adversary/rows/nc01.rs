//! NC01 to NC03: the server chooses whose key something is encrypted to, chooses the key, or makes a client encrypt twice under one nonce. Recipients
//! and keys are LP07's and 1P06's; here a client is made to seal again and again, and no salt, which the nonce follows from, comes twice.

use crate::attack::{Expected, Row, Try};
use crate::forge;
use crate::proxy::Audience;
use crate::rpcs::Commit;
use crate::scene::{CANARY, CANARY_NAME, Scene};
use keyvawlt_client::SecretWrite;
use keyvawlt_proto::v1;
use std::collections::BTreeMap;

pub const ROW: Row = Row {
    id: "NC01",
    title: "Makes a client encrypt twice under one nonce (NC02 and NC03, recipients and keys of the server's choice, are LP07 and 1P06)",
    tries: &[Try::new("the same value is written again and again, also where the server denies that it was", Expected::Defeated(|| Box::pin(again())))],
};

/// At the front of everything sealed (KV-AEAD-1).
const SALT: usize = 32;

async fn again() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let before = scene.server.calls().len();
    for _ in 0..3 {
        scene.ada.vault().write(&production, &[SecretWrite::new(CANARY_NAME, CANARY)]).await.expect("the same once more");
    }
    // The batch never arrives, so that the client makes the same change anew.
    scene.server.requests::<Commit>(Audience::Only(scene.ada.who()), |request| request.batch.as_mut().expect("a batch").objects.clear());
    for _ in 0..3 {
        scene.ada.vault().write(&production, &[SecretWrite::new(CANARY_NAME, CANARY)]).await.expect_err("it was refused");
    }
    scene.server.repent();
    scene.ada.vault().write(&production, &[SecretWrite::new(CANARY_NAME, CANARY)]).await.expect("and again");

    let mut by_salt: BTreeMap<Vec<u8>, bytes::Bytes> = BTreeMap::new();
    let mut sealed = 0;
    for object in forge::batches(&scene.server.calls()[before..]).flat_map(|batch| batch.objects) {
        if !matches!(object.kind(), v1::ObjectKind::Payload | v1::ObjectKind::Dek) {
            continue;
        }
        sealed += 1;
        let known = by_salt.insert(object.data[..SALT].to_vec(), object.data.clone());
        assert!(known.is_none_or(|known| known == object.data), "two ciphertexts under one salt");
    }
    assert!(sealed >= 14, "the control: every change was sealed and sent, {sealed} objects");
    assert!(by_salt.len() >= 14, "each was sealed anew");
    scene.end().await;
}
