//! The main story: a team shares secrets, an agent uses one, somebody leaves.

use crate::world::{World, on_each_store};
use keyvawlt_client::ledger::chain::role;
use keyvawlt_client::{Error, NewInvite, NewMachine, SecretWrite};

const DAY_MS: u64 = 24 * 3600 * 1000;

on_each_store!(a_team_shares_secrets_an_agent_reads_one_and_a_leaver_reads_nothing_new);

async fn a_team_shares_secrets_an_agent_reads_one_and_a_leaver_reads_nothing_new(world: World) {
    let mut ada = world.newcomer("ada").await;
    let mut vault = ada.account.found("Acme", &ada.state).await.unwrap();
    assert_eq!(vault.name().unwrap(), "Acme");
    vault.create_project("agents", &[("development", 1), ("production", 3)]).await.unwrap();
    let production = vault.environment("agents", "production").unwrap().ns_id;
    let versions = vault.write(&production, &[SecretWrite::new("supabase/access_token", "sbp_1")]).await.unwrap();
    assert_eq!(versions, [1]);
    vault.write(&production, &[SecretWrite::new("supabase/access_token", "sbp_2")]).await.unwrap();
    assert_eq!(&*vault.read(&production, "supabase/access_token").unwrap().value, b"sbp_2");
    assert_eq!(&*vault.read_version(&production, "supabase/access_token", 1).await.unwrap().value, b"sbp_1");

    let invite = NewInvite {
        name: "Bob".to_owned(),
        role: role::MEMBER,
        access: vec![(production, 3, 0)],
        ttl_ms: DAY_MS,
        member_expires_ms: 0,
        carry_keys: false,
    };
    let code = vault.invite(&invite).await.unwrap();
    let mut bob = world.newcomer("bob").await;
    let mut bobs = bob.account.join(&code, &bob.state).await.unwrap();
    assert_eq!(bobs.name().unwrap(), "Acme");
    assert!(bobs.list(&production).is_err(), "access comes after words were compared");
    vault.sync().await.unwrap();
    let member = vault.member("Bob").unwrap();
    assert_eq!(member.words, bob.account.identity().safety_words());
    assert_eq!(vault.grant_intended(&member.id).await.unwrap(), 1);
    bobs.sync().await.unwrap();
    assert_eq!(&*bobs.read(&production, "supabase/access_token").unwrap().value, b"sbp_2");
    bobs.write(&production, &[SecretWrite::new("stripe/key", "sk_1")]).await.unwrap();

    let machine = NewMachine { name: "agent".to_owned(), access: vec![(production, 1)], ttl_ms: DAY_MS };
    vault.sync().await.unwrap();
    let token = vault.create_machine(&machine).await.unwrap();
    let state = world.machine_state("agent");
    let agent = world.client().machine(&token, &state).await.unwrap();
    assert_eq!(&*agent.read(&production, "stripe/key").unwrap().value, b"sk_1");

    let removal = vault.remove_member(&member.id).await.unwrap();
    assert!(removal.rekeyed.contains(&production));
    assert_eq!(removal.worklist.len(), 2);
    assert_eq!(vault.worklist().await.unwrap().len(), 2);
    assert!(matches!(bobs.sync().await, Err(Error::Forbidden)));
    vault.write(&production, &[SecretWrite::new("stripe/key", "sk_2")]).await.unwrap();
    assert_eq!(vault.worklist().await.unwrap().len(), 1, "a new version settles its item");
    drop(vault);
    let again = ada.account.open(ada.account.organizations()[0], &ada.state).await.unwrap();
    assert_eq!(&*again.read(&production, "stripe/key").unwrap().value, b"sk_2");
    world.stop().await;
}
