//! Sharing less than an environment: a folder, or one secret, guarded and given to somebody who sees nothing else.

use crate::world::{Person, World, on_each_store};
use keyvawlt_client::ledger::{Code, IdentityId, NsId};
use keyvawlt_client::{Error, NewMachine, SecretWrite, Vault};
use std::time::Duration;

on_each_store!(
    readers_of_the_environment_notice_nothing,
    a_newcomer_to_one_folder_sees_that_folder_and_nothing_from_before,
    taking_the_folder_away_gives_it_a_new_key,
    a_large_folder_moves_in_several_batches_and_goes_on_after_a_stop,
);

/// Ada, who owns production, and Bob, who reads it.
struct Team {
    ada: Vault,
    bob: Vault,
    production: NsId,
    people: Vec<Person>,
}

impl Team {
    async fn of(world: &World) -> Self {
        let mut people = vec![world.newcomer("ada").await, world.newcomer("bob").await, world.newcomer("carol").await];
        let ada_person = &mut people[0];
        let mut ada = ada_person.account.found("Acme", &ada_person.state).await.expect("an organization");
        ada.create_project("payments", &[("production", 3)]).await.expect("a project");
        let production = ada.environment("payments", "production").expect("production").ns_id;
        let bob = world.admit(&mut ada, &mut people[1], "Bob", &[(production, 1)]).await;
        Self { ada, bob, production, people }
    }

    async fn sets(&mut self, name: &str, value: &str) -> u64 {
        self.ada.write(&self.production, &[SecretWrite::new(name, value)]).await.expect("a write")[0]
    }

    async fn carol(&mut self, world: &World, access: &[(NsId, u8)]) -> Vault {
        world.admit(&mut self.ada, &mut self.people[2], "Carol", access).await
    }

    fn id(&self, nth: usize) -> IdentityId {
        self.people[nth].account.identity().id()
    }
}

/// What a reader sees of an environment: names, versions, values.
fn seen(vault: &Vault, environment: &NsId) -> Vec<(String, u64, String)> {
    let text = |value: &[u8]| String::from_utf8(value.to_vec()).expect("text");
    let mut seen: Vec<_> =
        vault.read_all(environment).expect("all secrets").into_iter().map(|s| (s.info.name, s.info.version, text(&s.value))).collect();
    seen.sort();
    seen
}

/// Versions with their values; `None` for deletions.
async fn versions(vault: &Vault, environment: &NsId, name: &str) -> Vec<(u64, Option<String>)> {
    let mut told = Vec::new();
    for version in vault.history(environment, name).await.expect("a history") {
        let value = if version.deleted { None } else { Some(value(vault, environment, name, version.version).await) };
        told.push((version.version, value));
    }
    told
}

async fn value(vault: &Vault, environment: &NsId, name: &str, version: u64) -> String {
    let secret = vault.read_version(environment, name, version).await.expect("a version");
    assert_eq!(secret.info.version, version);
    String::from_utf8(secret.value.to_vec()).expect("text")
}

fn kept(values: &[(u64, &str)]) -> Vec<(u64, Option<String>)> {
    values.iter().map(|(version, value)| (*version, (!value.is_empty()).then(|| (*value).to_owned()))).collect()
}

async fn readers_of_the_environment_notice_nothing(world: World) {
    let mut team = Team::of(&world).await;
    let production = team.production;
    for (name, value) in [("DATABASE_URL", "db"), ("stripe/key", "k1"), ("stripe/key", "k2"), ("stripe/hook", "h1"), ("stripes", "s")] {
        team.sets(name, value).await;
    }
    team.bob.sync().await.unwrap();
    let before = seen(&team.bob, &production);

    let moved = team.ada.guard(&production, "stripe/").await.unwrap();
    assert_eq!((moved.secrets, moved.changed, moved.folder.prefix.as_str()), (2, true, "stripe/"));
    let again = team.ada.guard(&production, "stripe/").await.unwrap();
    assert_eq!((again.secrets, again.changed), (0, false));
    team.bob.sync().await.unwrap();
    assert_eq!(seen(&team.bob, &production), before, "the same names, numbers and values");
    assert_eq!(seen(&team.ada, &production), before);
    let old = kept(&[(2, "k2"), (1, "k1")]);
    assert_eq!(versions(&team.bob, &production, "stripe/key").await, old);

    // New versions and new secrets go to the folder, under numbers that go on.
    assert_eq!(team.sets("stripe/key", "k3").await, 3);
    assert_eq!(team.sets("stripe/new", "n1").await, 1);
    let wrong = SecretWrite { if_version: Some(1), ..SecretWrite::new("stripe/key", "x") };
    assert!(matches!(team.ada.write(&production, &[wrong]).await, Err(Error::Conflict { .. })));
    team.bob.sync().await.unwrap();
    let folder = team.bob.folder(&production, "stripe/").unwrap().ns_id;
    let listed = team.bob.list(&production).unwrap();
    assert!(listed.iter().all(|info| (info.ns_id == folder) == info.name.starts_with("stripe/")), "{listed:?}");
    assert_eq!(versions(&team.bob, &production, "stripe/key").await, kept(&[(3, "k3"), (2, "k2"), (1, "k1")]));

    // Going back to a version from before the guarding, deleting, and bringing back.
    assert_eq!(team.ada.rollback(&production, "stripe/key", 1).await.unwrap(), 4);
    team.ada.delete(&production, &["stripe/key".to_owned()]).await.unwrap();
    assert_eq!(team.ada.restore(&production, "stripe/key").await.unwrap(), 6);
    team.ada.delete(&production, &["stripe/key".to_owned()]).await.unwrap();
    assert_eq!(team.sets("stripe/key", "k8").await, 8, "written anew after a deletion");

    // One secret of the folder, guarded again, and everything put back.
    team.ada.guard(&production, "stripe/key").await.unwrap();
    assert_eq!(team.sets("stripe/key", "k9").await, 9);
    let whole = kept(&[(9, "k9"), (8, "k8"), (7, ""), (6, "k1"), (5, ""), (4, "k1"), (3, "k3"), (2, "k2"), (1, "k1")]);
    team.bob.sync().await.unwrap();
    assert_eq!(versions(&team.bob, &production, "stripe/key").await, whole);
    let nested = team.ada.unguard(&production, "stripe/").await.unwrap_err();
    assert!(nested.to_string().contains("guarded themselves"), "{nested}");
    for prefix in ["stripe/key", "stripe/"] {
        team.ada.unguard(&production, prefix).await.unwrap();
    }
    assert_eq!(team.ada.folders(&production).unwrap(), []);
    assert_eq!(team.sets("stripe/key", "k10").await, 10);
    team.bob.sync().await.unwrap();
    assert!(team.bob.list(&production).unwrap().iter().all(|info| info.ns_id == production));
    let mut longer = kept(&[(10, "k10")]);
    longer.extend(whole);
    assert_eq!(versions(&team.bob, &production, "stripe/key").await, longer);
    assert_eq!(versions(&team.bob, &production, "stripe/hook").await, kept(&[(1, "h1")]));
    assert_eq!(team.bob.flaws(), []);

    // A client without history sees the same.
    let whole = team.people[0].account.open(team.ada.org_id(), &world.machine_state("elsewhere")).await.unwrap();
    assert_eq!(seen(&whole, &production), seen(&team.bob, &production));
    world.stop().await;
}

async fn a_newcomer_to_one_folder_sees_that_folder_and_nothing_from_before(world: World) {
    let mut team = Team::of(&world).await;
    let production = team.production;
    for (name, value) in [("DATABASE_URL", "db"), ("stripe/key", "k1"), ("stripe/key", "k2"), ("aws/key", "a1")] {
        team.sets(name, value).await;
    }
    let stripe = team.ada.guard(&production, "stripe/").await.unwrap().folder.ns_id;
    let aws = team.ada.guard(&production, "aws/key").await.unwrap().folder.ns_id;
    let mut carol = team.carol(&world, &[(stripe, 3)]).await;

    let shown = carol.environment("payments", "production").unwrap();
    assert_eq!((shown.only, shown.permissions, shown.class), (vec!["stripe/".to_owned()], 3, 3));
    assert_eq!(seen(&carol, &production), [("stripe/key".to_owned(), 2, "k2".to_owned())]);
    assert_eq!(versions(&carol, &production, "stripe/key").await, kept(&[(2, "k2")]), "the same number as everybody's");
    assert!(matches!(carol.read_version(&production, "stripe/key", 1).await, Err(Error::NotFound { .. })));
    assert!(carol.read(&production, "DATABASE_URL").is_err());
    let outside = carol.write(&production, &[SecretWrite::new("DATABASE_URL", "mine")]).await.unwrap_err();
    assert!(outside.to_string().contains("outside of what you see here: stripe/"), "{outside}");
    assert_eq!(carol.write(&production, &[SecretWrite::new("stripe/key", "k3")]).await.unwrap(), [3]);
    assert_eq!(carol.place_names().unwrap()[&stripe], "payments/production:stripe/");

    // Everybody of the environment follows what she writes.
    team.bob.sync().await.unwrap();
    assert_eq!(versions(&team.bob, &production, "stripe/key").await, kept(&[(3, "k3"), (2, "k2"), (1, "k1")]));
    let refused = team.bob.write(&production, &[SecretWrite::new("stripe/key", "x")]).await.unwrap_err();
    assert!(refused.to_string().contains("stripe/ is guarded, and you may only read it"), "{refused}");

    // A second folder of the same environment: one environment to her, with two parts.
    team.ada.sync().await.unwrap();
    team.ada.grant(&team.id(2), &aws, 1, 0).await.unwrap();
    carol.sync().await.unwrap();
    assert_eq!(carol.environments().unwrap().len(), 1);
    assert_eq!(seen(&carol, &production).len(), 2);
    let refused = carol.write(&production, &[SecretWrite::new("aws/key", "x")]).await.unwrap_err();
    assert_eq!(refused.fault().map(|fault| fault.code), Some(Code::Authority), "{refused}");

    // A machine of the folder resolves it by the names under its own key.
    let new = NewMachine { name: "ci".to_owned(), access: vec![(stripe, 1)], ttl_ms: 3_600_000 };
    let token = team.ada.create_machine(&new).await.unwrap();
    let machine = world.client().machine(&token, &world.machine_state("ci")).await.unwrap();
    let its = machine.environment("payments", "production").unwrap();
    assert_eq!(seen(&machine, &its.ns_id), [("stripe/key".to_owned(), 3, "k3".to_owned())]);

    // Put back, the folder is nobody's alone any more.
    team.ada.unguard(&production, "stripe/").await.unwrap();
    carol.sync().await.unwrap();
    assert_eq!(seen(&carol, &production), [("aws/key".to_owned(), 1, "a1".to_owned())]);
    world.stop().await;
}

async fn taking_the_folder_away_gives_it_a_new_key(world: World) {
    let mut team = Team::of(&world).await;
    let production = team.production;
    team.sets("stripe/key", "k1").await;
    let stripe = team.ada.guard(&production, "stripe/").await.unwrap().folder.ns_id;
    let mut carol = team.carol(&world, &[(stripe, 1)]).await;
    let (bob, carols) = (team.id(1), team.id(2));

    let removal = team.ada.revoke(&carols, &stripe).await.unwrap();
    assert_eq!(removal.rekeyed, [stripe]);
    assert_eq!(removal.worklist.iter().map(|item| (item.name.as_str(), item.version)).collect::<Vec<_>>(), [("stripe/key", 1)]);
    carol.sync().await.unwrap();
    assert!(carol.environments().unwrap().is_empty());
    team.sets("stripe/key", "k2").await;
    team.bob.sync().await.unwrap();
    assert_eq!(seen(&team.bob, &production), [("stripe/key".to_owned(), 2, "k2".to_owned())]);
    assert_eq!(team.ada.worklist().await.unwrap(), []);

    // A loss of the whole environment is one of the folder too, and parents come first; what was lost stays on the list wherever it is moved.
    team.sets("aws/key", "a1").await;
    let removal = team.ada.remove_member(&bob).await.unwrap();
    assert_eq!(removal.rekeyed, [production, stripe]);
    team.ada.guard(&production, "aws/").await.unwrap();
    let names = async |vault: &Vault| vault.worklist().await.unwrap().into_iter().map(|item| item.name).collect::<Vec<_>>();
    assert_eq!(names(&team.ada).await, ["aws/key", "stripe/key"]);
    team.ada.unguard(&production, "aws/").await.unwrap();
    assert_eq!(names(&team.ada).await, ["aws/key", "stripe/key"]);
    team.sets("aws/key", "a2").await;
    assert_eq!(names(&team.ada).await, ["stripe/key"]);

    // Access that ends by itself is settled by the next write, parents first.
    team.ada.grant(&carols, &production, 1, world.now_ms() + 3_600_000).await.unwrap();
    world.pass(Duration::from_hours(2));
    assert_eq!(team.sets("stripe/key", "k3").await, 3);
    world.stop().await;
}

async fn a_large_folder_moves_in_several_batches_and_goes_on_after_a_stop(world: World) {
    let mut team = Team::of(&world).await;
    let production = team.production;
    let writes: Vec<SecretWrite> = (0..700).map(|n| SecretWrite::new(format!("big/{n:04}"), format!("{n}"))).collect();
    team.ada.write(&production, &writes).await.unwrap();
    let before = seen(&team.ada, &production);
    let step = team.ada.guard_batch(&production, "big/").await.unwrap();
    assert_eq!((step.moved, step.done), (500, false), "one batch");
    // Another client, between the batches, sees everything, and completes what it writes into.
    team.bob.sync().await.unwrap();
    assert_eq!(seen(&team.bob, &production), before);
    assert_eq!(team.sets("big/0699", "late").await, 2);
    assert_eq!(team.ada.guard(&production, "big/").await.unwrap().secrets, 0, "the write completed it");
    team.bob.sync().await.unwrap();
    assert_eq!(seen(&team.bob, &production).len(), 700);
    let moved = team.ada.unguard(&production, "big/").await.unwrap();
    assert_eq!(moved.secrets, 700);
    team.bob.sync().await.unwrap();
    assert_eq!(seen(&team.bob, &production).len(), 700);
    assert_eq!(versions(&team.bob, &production, "big/0699").await, kept(&[(2, "late"), (1, "699")]));
    world.stop().await;
}
