//! What breaks off half-way is not lost: an organization is on its people's lists before anything of it is sent, and can be made or joined again.

use crate::proxy::Audience;
use crate::rpcs::{Commit, CreateOrganization, Rpc as _, UpdateAccount};
use crate::scene::{DAY_MS, Scene};
use keyvawlt_client::ledger::chain::{permission, role};
use keyvawlt_client::{Error, NewInvite};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_whose_creation_never_arrived_is_listed_and_can_be_forgotten() {
    let mut scene = Scene::start().await;
    let state = scene.empty_state();
    let mut dave = scene.stranger().await;
    let before = scene.server.calls().len();
    scene.server.swallow::<CreateOrganization>(Audience::Everybody);
    assert!(matches!(dave.account.found("Side", &state).await, Err(Error::Forbidden)));
    let sent: Vec<String> = scene.server.calls()[before..].iter().map(|call| call.path.clone()).collect();
    let first = |path: &str| sent.iter().position(|sent| sent == path).expect("it was called");
    assert!(first(UpdateAccount::PATH) < first(CreateOrganization::PATH), "it is on the list before it is sent");
    scene.server.repent();

    // Another device knows of it too.
    let mut account = scene.client().unlock_device(&dave.device, None).await.unwrap();
    let [lost] = account.organizations() else { panic!("one organization") };
    let lost = *lost;
    assert!(matches!(account.open(lost, &scene.empty_state()).await, Err(Error::Forbidden)));
    account.forget(lost).await.unwrap();
    assert!(account.organizations().is_empty());
    // This device's list is older: it takes the newer one over.
    let side = dave.account.found("Side", &state).await.unwrap();
    assert_eq!(dave.account.organizations(), [side.org_id()]);
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_organization_that_the_server_refuses_is_not_listed() {
    let mut scene = Scene::start().await;
    let state = scene.empty_state();
    let mut dave = scene.stranger().await;
    scene.server.requests::<CreateOrganization>(Audience::Everybody, |request| request.batch.as_mut().expect("a batch").wraps.clear());
    assert!(dave.account.found("Side", &state).await.is_err());
    assert!(dave.account.organizations().is_empty());
    scene.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_join_that_never_arrived_is_repeated_with_the_same_code_and_so_is_one_that_did() {
    let mut scene = Scene::start().await;
    let production = scene.production;
    let mut dave = scene.stranger().await;
    let access = vec![(production, permission::READ, 0)];
    let invite = NewInvite { name: "dave".to_owned(), role: role::MEMBER, access, ttl_ms: DAY_MS, member_expires_ms: 0, carry_keys: false };
    let code = scene.ada.vault().invite(&invite).await.unwrap();
    scene.server.swallow::<Commit>(Audience::Everybody);
    dave.account.join(&code, &dave.state).await.expect_err("the join is not there");
    scene.server.repent();
    assert_eq!(dave.account.organizations(), [code.org_id]);
    for _ in 0..2 {
        dave.account.join(&code, &dave.state).await.unwrap();
    }
    // On a device that remembers nothing, the pins say how far the chain was seen.
    let account = scene.client().unlock_device(&dave.device, None).await.unwrap();
    account.open(code.org_id, &scene.empty_state()).await.unwrap();
    scene.end().await;
}
