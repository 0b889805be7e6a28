//! Not the server lies, a member does: what one writer signs in bad faith must not stop the others, least of all from removing him.

use crate::forge;
use crate::proxy::Audience;
use crate::rpcs::Commit;
use crate::scene::{CANARY_NAME, Scene};
use keyvawlt_client::ledger::chain::{permission, role};
use keyvawlt_client::{Error, SecretWrite};
use keyvawlt_ledger::manifest::{ObjectKind, object_hash};
use keyvawlt_proto::v1;

const WRITE: u8 = permission::READ | permission::WRITE;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_who_signs_garbage_stops_nobody_and_is_removed() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let mut mallory = scene.newcomer(role::MEMBER, &[(production, WRITE)]).await;
    let (keys, calls) = (forge::keys_of(mallory.account.identity()), scene.server.calls());
    scene.server.requests::<Commit>(Audience::Only(mallory.who()), move |request| {
        let batch = request.batch.as_mut().expect("a batch");
        let garbage = vec![7_u8; 148];
        let hash = object_hash(ObjectKind::Name, &garbage);
        for object in batch.objects.iter_mut().filter(|object| object.kind() == v1::ObjectKind::Name) {
            object.data = garbage.clone().into();
        }
        let signed = batch.manifest_links.last_mut().expect("a write");
        forge::resign_write(&keys, &calls, signed, |leaves| leaves.iter_mut().for_each(|leaf| leaf.name_hash = hash));
    });
    // The real server cannot open names: it takes the write. What Mallory's own client thinks of it is no matter.
    let _ = mallory.vault().write(&production, &[SecretWrite::new("fine/name", "x")]).await;
    scene.server.repent();

    let vault = scene.ada.vault();
    vault.sync().await.expect("what is properly signed is taken in");
    let flaws = vault.flaws();
    assert_eq!(flaws.len(), 1);
    assert_eq!((flaws[0].ns_id, flaws[0].author), (production, Some(mallory.account.identity().id())));
    assert!(vault.read(&production, CANARY_NAME).is_ok(), "other names are answered");
    assert_eq!(vault.read_named(&production, [CANARY_NAME]).expect("programs that refer to them start").len(), 1);
    assert!(matches!(vault.list(&production), Err(Error::Verification(_))), "a listing is never less than there is");
    assert!(matches!(vault.read(&production, "not/there"), Err(Error::Verification(_))), "it may be the damaged one");
    vault.write(&production, &[SecretWrite::new("stripe/new", "sk_1")]).await.expect("others write");

    let removal = vault.remove_member(&mallory.account.identity().id()).await.expect("Mallory can be removed");
    assert!(removal.rekeyed.contains(&production));
    assert!(removal.worklist.iter().any(|item| item.name.contains("does not open")), "{:?}", removal.worklist);
    let flaws = vault.flaws();
    vault.discard(&flaws).await.expect("what has no name is deleted by its id");
    assert!(vault.flaws().is_empty());
    assert!(vault.list(&production).expect("all names open").iter().any(|secret| secret.name == "stripe/new"));
    scene.end().await;
}
