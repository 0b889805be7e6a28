//! The list of what the server saw: whoever reads it finds everything one actor did under one name.

use crate::world::{World, on_each_store};
use keyvawlt_client::NewInvite;
use keyvawlt_client::ledger::chain::role;
use std::collections::BTreeSet;
use std::time::Duration;

on_each_store!(logins_stand_under_the_names_of_their_identities_and_invites);

/// Longer than an access token lives.
const A_WHILE: Duration = Duration::from_mins(15);

async fn logins_stand_under_the_names_of_their_identities_and_invites(world: World) {
    let mut ada = world.newcomer("ada").await;
    let mut vault = ada.account.found("Acme", &ada.state).await.unwrap();
    let invite = NewInvite {
        name: "Bob".to_owned(),
        role: role::MEMBER,
        access: vec![],
        ttl_ms: 3_600_000,
        member_expires_ms: 0,
        carry_keys: false,
    };
    let code = vault.invite(&invite).await.unwrap();
    let mut bob = world.newcomer("bob").await;
    let mut bobs = bob.account.join(&code, &bob.state).await.unwrap();
    world.pass(A_WHILE);
    bobs.sync().await.unwrap();
    vault.sync().await.unwrap();

    let (events, _) = vault.audit_events("").await.unwrap();
    let actors_of = |action: &str| -> BTreeSet<String> {
        events.iter().filter(|event| action.is_empty() || event.action == action).map(|event| event.actor.clone()).collect()
    };
    let (ada_id, bob_id) = (ada.account.identity().id().to_string(), bob.account.identity().id().to_string());
    let all = BTreeSet::from([ada_id, bob_id, format!("invite:{}", code.invite_id)]);
    assert_eq!(actors_of("login"), all);
    assert_eq!(actors_of(""), all, "nobody has a second name");
    assert!(events.iter().filter(|event| event.action == "login").any(|event| event.detail.starts_with("slot ")), "by which way in");
    world.stop().await;
}
