//! Clients without history: they start at a checkpoint, list what they read, and are then clients like all others.

use crate::world::{World, on_each_store};
use keyvawlt_client::ledger::chain::permission;
use keyvawlt_client::ledger::limits::CHECKPOINT_INTERVAL;
use keyvawlt_client::ledger::{Code, NsId};
use keyvawlt_client::{Client, Clock, Error, NewMachine, Options, SecretWrite, Vault};
use std::sync::Arc;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// More than one page of leaves with their values, and more than are fetched one by one.
const MANY: usize = 4_500;

on_each_store!(
    a_machine_starts_at_the_checkpoint_of_its_token,
    a_new_device_starts_where_another_one_of_the_account_was,
    what_was_written_long_before_is_judged_by_the_state_of_that_time,
    values_are_fetched_when_they_are_used,
);

/// As many links as make everybody's checkpoint due, and one more.
async fn pass_links(vault: &mut Vault) {
    let end = vault.verified().links + CHECKPOINT_INTERVAL + 2;
    for n in 0.. {
        if vault.verified().links >= end {
            break;
        }
        vault.create_environment("agents", &format!("filler-{n}-{end}"), 1).await.expect("a link");
    }
}

async fn founded(world: &World) -> (crate::world::Person, Vault, NsId) {
    let mut ada = world.newcomer("ada").await;
    let mut vault = ada.account.found("Acme", &ada.state).await.expect("an organization");
    vault.create_project("agents", &[("production", 3)]).await.expect("a project");
    let production = vault.environment("agents", "production").expect("production").ns_id;
    (ada, vault, production)
}

fn names(vault: &Vault, environment: &NsId) -> Vec<(String, u64)> {
    vault.list(environment).expect("a list").into_iter().map(|info| (info.name, info.version)).collect()
}

fn machine(access: &[(NsId, u8)]) -> NewMachine {
    NewMachine { name: "agent".to_owned(), access: access.to_vec(), ttl_ms: DAY_MS }
}

async fn a_machine_starts_at_the_checkpoint_of_its_token(world: World) {
    let (_ada, mut vault, production) = founded(&world).await;
    let write = |name: &str, value: &str| SecretWrite::new(name, value);
    vault.write(&production, &[write("a", "1"), write("b", "1")]).await.unwrap();
    let early = vault.position(&[production]);
    vault.write(&production, &[write("a", "2")]).await.unwrap();
    vault.delete(&production, &["b".to_owned()]).await.unwrap();
    pass_links(&mut vault).await;
    let token = vault.create_machine(&machine(&[(production, permission::READ | permission::WRITE)])).await.unwrap();
    // After the checkpoint: links, a write, and a new key.
    vault.create_environment("agents", "later", 1).await.unwrap();
    vault.write(&production, &[write("c", "1")]).await.unwrap();
    let gone = vault.create_machine(&machine(&[(production, permission::READ)])).await.unwrap();
    vault.revoke(&gone.identity_id, &production).await.unwrap();
    vault.write(&production, &[write("d", "1")]).await.unwrap();

    let state = world.machine_state("agent");
    let mut agent = world.client().machine(&token, &state).await.unwrap();
    assert_eq!(agent.chain().base(), token.seq, "it starts at its token's checkpoint");
    assert_eq!(agent.verified().head, vault.verified().head);
    let listed = [("a".to_owned(), 2), ("c".to_owned(), 1), ("d".to_owned(), 1)];
    assert_eq!(names(&agent, &production), listed);
    assert_eq!(agent.list_deleted(&production).unwrap().len(), 1);
    assert_eq!(&*agent.read(&production, "a").unwrap().value, b"2");
    assert_eq!(agent.read_all(&production).unwrap().len(), 3);
    // What a listing cannot tell is not told, and never less than there is.
    let info = |vault: &Vault| vault.list(&production).unwrap().into_iter().find(|info| info.name == "a").unwrap();
    assert_eq!((info(&agent).author, info(&agent).updated_ms), (None, None));
    assert!(matches!(agent.history(&production, "a").await, Err(Error::Invalid { .. })));

    // A lock from long before is held against what the listing is known to continue.
    agent.check_position(&early).await.unwrap();
    let mut other = early.clone();
    other.heads[0].mhash.0[0] ^= 1;
    let Err(Error::Verification(refused)) = agent.check_position(&other).await else { panic!("another history is not noticed") };
    assert_eq!(refused.code, Code::Fork);

    // From then on it is a client like all others: news, writes, and what it remembers.
    vault.write(&production, &[write("a", "3")]).await.unwrap();
    agent.write(&production, &[write("e", "1"), write("c", "2")]).await.unwrap();
    assert_eq!(&*agent.read(&production, "a").unwrap().value, b"3");
    drop(agent);
    let mut agent = world.client().machine(&token, &state).await.unwrap();
    assert_eq!(info(&agent).author, Some(vault.identity().id()), "news tell who wrote");
    assert_eq!(&*agent.read(&production, "c").unwrap().value, b"2");
    agent.take_history(&production).await.unwrap();
    for (name, versions) in [("a", vec![3, 2, 1]), ("b", vec![2, 1])] {
        let history = agent.history(&production, name).await.unwrap();
        assert_eq!(history.iter().map(|row| row.version).collect::<Vec<_>>(), versions);
    }
    assert_eq!(&*agent.read_version(&production, "a", 1).await.unwrap().value, b"1");
    assert_eq!(agent.restore(&production, "b").await.unwrap(), 3);
    vault.sync().await.unwrap();
    assert_eq!(names(&vault, &production), names(&agent, &production));
    assert_eq!(&*vault.read(&production, "e").unwrap().value, b"1");
    world.stop().await;
}

async fn a_new_device_starts_where_another_one_of_the_account_was(world: World) {
    let (ada, mut vault, production) = founded(&world).await;
    vault.write(&production, &[SecretWrite::new("a", "1")]).await.unwrap();
    let mut bob = world.newcomer("bob").await;
    let bobs = world.admit(&mut vault, &mut bob, "Bob", &[]).await;
    drop(bobs);
    pass_links(&mut vault).await;
    vault.write(&production, &[SecretWrite::new("b", "1")]).await.unwrap();

    let account = world.client().log_in(ada.account.id(), &ada.secret_key, crate::world::PASSWORD, None).await.unwrap();
    let mut laptop = account.open(vault.org_id(), &world.machine_state("laptop")).await.unwrap();
    assert!(laptop.chain().base() > 0, "it starts at a checkpoint");
    assert_eq!(laptop.verified(), vault.verified());
    assert_eq!(names(&laptop, &production), names(&vault, &production));
    assert_eq!(laptop.name().unwrap(), "Acme");
    assert!(laptop.members().unwrap().iter().any(|member| member.name == "Bob"));
    // Bob's keys came long before the checkpoint: they are fetched, and are those that the chain names.
    laptop.grant(&bob.account.identity().id(), &production, permission::READ, 0).await.unwrap();
    let bobs = bob.account.open(vault.org_id(), &bob.state).await.unwrap();
    assert_eq!(&*bobs.read(&production, "b").unwrap().value, b"1");
    // A removal makes new keys for all who remain.
    laptop.remove_member(&bob.account.identity().id()).await.unwrap();
    vault.sync().await.unwrap();
    laptop.write(&production, &[SecretWrite::new("c", "1")]).await.unwrap();
    vault.sync().await.unwrap();
    assert_eq!(&*vault.read(&production, "c").unwrap().value, b"1");
    world.stop().await;
}

async fn what_was_written_long_before_is_judged_by_the_state_of_that_time(world: World) {
    let (_ada, mut vault, production) = founded(&world).await;
    vault.write(&production, &[SecretWrite::new("a", "1")]).await.unwrap();
    pass_links(&mut vault).await;
    vault.create_project("other", &[("production", 3)]).await.unwrap();
    let mut carol = world.newcomer("carol").await;
    let carols = world.admit(&mut vault, &mut carol, "Carol", &[]).await;
    drop(carols);
    let old = vault.environment("agents", "filler-0-0").err().map(|_| production).unwrap();
    let anchor = vault.verified().links;
    pass_links(&mut vault).await;
    // Nobody anchors anew for a machine that only gets access later.
    let token =
        vault.create_machine(&machine(&[(vault.environment("other", "production").unwrap().ns_id, permission::READ)])).await.unwrap();
    vault.grant(&token.identity_id, &old, permission::READ, world.now_ms() + DAY_MS).await.unwrap();
    let agent = world.client().machine(&token, &world.machine_state("agent")).await.unwrap();
    assert!(agent.chain().base() < anchor, "the state at the oldest anchor is known");
    assert_eq!(&*agent.read(&production, "a").unwrap().value, b"1");
    assert_eq!(agent.verified().head, vault.verified().head);
    world.stop().await;
}

async fn values_are_fetched_when_they_are_used(world: World) {
    let (_ada, mut vault, production) = founded(&world).await;
    pass_links(&mut vault).await;
    let secrets: Vec<SecretWrite> = (0..MANY).map(|n| SecretWrite::new(format!("s/{n:05}"), format!("value {n}"))).collect();
    vault.write(&production, &secrets).await.unwrap();
    let token = vault.create_machine(&machine(&[(production, permission::READ | permission::WRITE)])).await.unwrap();
    let clock = match world.client().clock() {
        Clock::Fixed(now) => Clock::Fixed(Arc::clone(now)),
        Clock::System => Clock::System,
    };
    let client = Client::new(&world.origin(), Options { clock, values_when_used: true, ..Options::default() }).unwrap();
    let state = world.machine_state("agent");
    let mut agent = client.machine(&token, &state).await.unwrap();
    assert!(agent.chain().base() > 0);
    assert_eq!(agent.list(&production).unwrap().len(), MANY);
    assert!(matches!(agent.read(&production, "s/00007"), Err(Error::Invalid { field: "value", .. })), "it was not fetched");
    agent.fetch(&production, ["s/00007", "s/nothing"]).await.unwrap();
    assert_eq!(&*agent.read(&production, "s/00007").unwrap().value, b"value 7");
    assert!(agent.read(&production, "s/00008").is_err());
    // Writing keeps what it does not change, and so reads what was there.
    agent.write(&production, &[SecretWrite::new("s/00009", "new")]).await.unwrap();
    vault.write(&production, &[SecretWrite::new("s/00010", "newer")]).await.unwrap();
    drop(agent);
    let mut agent = client.machine(&token, &state).await.unwrap();
    assert_eq!(&*agent.read(&production, "s/00010").unwrap().value, b"newer", "news come whole");
    agent.fetch_all(&production).await.unwrap();
    let all = agent.read_all(&production).unwrap();
    assert_eq!(all.len(), MANY);
    assert!(all.iter().all(|secret| secret.info.version == 2
        || *secret.value == *format!("value {}", &secret.info.name[2..].trim_start_matches('0').parse::<usize>().unwrap_or(0)).as_bytes()));
    drop(agent);
    let agent = client.machine(&token, &state).await.unwrap();
    assert_eq!(agent.read_all(&production).unwrap().len(), MANY, "what was fetched is remembered");
    world.stop().await;
}
