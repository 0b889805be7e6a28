//! Taking access from somebody who wrote, also by people who do not read what he wrote.

use crate::world::{Person, World, on_each_store};
use keyvawlt_client::ledger::chain::role;
use keyvawlt_client::ledger::{Code, IdentityId, NsId};
use keyvawlt_client::{Error, NewInvite, SecretWrite, Vault};
use std::time::Duration;

const DAY_MS: u64 = 24 * 3600 * 1000;
const HOUR: Duration = Duration::from_hours(1);

on_each_store!(
    an_admin_removes_a_writer_of_an_environment_she_does_not_read,
    a_manager_without_read_takes_access_from_a_writer,
    an_earlier_end_of_write_holds_and_later_the_writer_is_gone,
    a_writers_lapse_is_followed_by_a_heartbeat,
);

/// Ada's organization: Bob, who writes production and wrote there last, and Carol.
struct Team {
    ada: Vault,
    bob: Vault,
    carol: Vault,
    production: NsId,
    people: [Person; 3],
}

impl Team {
    async fn of(world: &World, carols_role: u8) -> Self {
        let mut people = [world.newcomer("ada").await, world.newcomer("bob").await, world.newcomer("carol").await];
        let [ada, bob, carol] = &mut people;
        let mut adas = ada.account.found("Acme", &ada.state).await.expect("an organization");
        adas.create_project("agents", &[("development", 1), ("production", 3)]).await.expect("a project");
        let production = adas.environment("agents", "production").expect("production").ns_id;
        adas.write(&production, &[SecretWrite::new("a", "1")]).await.expect("a write");
        let bobs = Box::pin(joins(&mut adas, bob, "Bob", role::MEMBER)).await;
        let carols = Box::pin(joins(&mut adas, carol, "Carol", carols_role)).await;
        adas.sync().await.expect("news");
        let mut team = Self { production, ada: adas, bob: bobs, carol: carols, people };
        team.ada.grant(&team.id(1), &production, 3, 0).await.expect("write for Bob");
        team.bob.write(&production, &[SecretWrite::new("b", "1")]).await.expect("Bob writes");
        team.ada.sync().await.expect("news");
        team
    }

    fn id(&self, nth: usize) -> IdentityId {
        self.people[nth].account.identity().id()
    }

    /// Ada verifies what happened, and goes on under a new key.
    async fn ada_goes_on(&mut self) {
        self.ada.sync().await.expect("what happened verifies");
        assert!(self.ada.environment("agents", "production").expect("production").owed);
        self.ada.write(&self.production, &[SecretWrite::new("a", "2")]).await.expect("Ada writes");
        assert!(!self.ada.environment("agents", "production").expect("production").owed);
        assert_eq!(&*self.ada.read(&self.production, "b").expect("Bob's secret").value, b"1");
    }
}

async fn joins(admin: &mut Vault, person: &mut Person, name: &str, as_role: u8) -> Vault {
    let invite =
        NewInvite { name: name.to_owned(), role: as_role, access: vec![], ttl_ms: DAY_MS, member_expires_ms: 0, carry_keys: false };
    let code = admin.invite(&invite).await.expect("an invite");
    person.account.join(&code, &person.state).await.expect("a join")
}

async fn an_admin_removes_a_writer_of_an_environment_she_does_not_read(world: World) {
    let mut team = Team::of(&world, role::ADMIN).await;
    assert!(team.carol.list(&team.production).is_err());
    let bob = team.id(1);
    let removal = team.carol.remove_member(&bob).await.expect("Carol removes Bob");
    assert_eq!((removal.rekeyed, removal.worklist), (vec![], vec![]), "she holds no key of his");
    assert!(matches!(team.bob.sync().await, Err(Error::Forbidden)));
    team.ada_goes_on().await;
    world.stop().await;
}

async fn a_manager_without_read_takes_access_from_a_writer(world: World) {
    let mut team = Team::of(&world, role::MEMBER).await;
    let (bob, carol, production) = (team.id(1), team.id(2), team.production);
    team.ada.grant(&carol, &production, 4, 0).await.expect("manage for Carol");
    team.carol.revoke(&bob, &production).await.expect("Carol takes Bob's access");
    team.bob.sync().await.expect("Bob is still a member");
    assert!(team.bob.list(&production).is_err());
    team.ada_goes_on().await;
    world.stop().await;
}

async fn an_earlier_end_of_write_holds_and_later_the_writer_is_gone(world: World) {
    let mut team = Team::of(&world, role::MEMBER).await;
    let (bob, production) = (team.id(1), team.production);
    team.ada.grant(&bob, &production, 3, world.now_ms() + 3_600_000).await.expect("an end for Bob's access");
    team.bob.write(&production, &[SecretWrite::new("b", "2")]).await.expect("Bob writes until then");
    world.pass(HOUR);
    let late = team.bob.write(&production, &[SecretWrite::new("b", "3")]).await.expect_err("too late");
    assert!(
        matches!(&late, Error::NotFound { .. } | Error::Forbidden) || late.fault().is_some_and(|f| f.code == Code::Authority),
        "{late}"
    );
    team.ada.sync().await.expect("news");
    assert_eq!(&*team.ada.read(&production, "b").expect("Bob's secret").value, b"2");
    team.ada.remove_member(&bob).await.expect("Ada removes Bob, who wrote last");
    team.ada.write(&production, &[SecretWrite::new("a", "2")]).await.expect("Ada writes");
    world.stop().await;
}

async fn a_writers_lapse_is_followed_by_a_heartbeat(world: World) {
    let mut team = Team::of(&world, role::MEMBER).await;
    let (bob, carol, production) = (team.id(1), team.id(2), team.production);
    team.ada.grant(&carol, &production, 3, 0).await.expect("write for Carol");
    team.ada.grant(&bob, &production, 3, world.now_ms() + 3_600_000).await.expect("an end for Bob's access");
    team.bob.write(&production, &[SecretWrite::new("b", "2")]).await.expect("Bob writes until then");
    team.carol.sync().await.expect("news");
    let before = position(&team.carol, &production);
    world.pass(HOUR);
    team.carol.sync().await.expect("Carol sees the lapse");
    assert_eq!(position(&team.carol, &production), before + 1, "one heartbeat, though the key is owed");
    for vault in [&mut team.ada, &mut team.carol] {
        vault.sync().await.expect("news");
        assert_eq!(position(vault, &production), before + 1, "one is enough");
    }
    assert_eq!(&*team.ada.read(&production, "b").expect("Bob's secret").value, b"2");
    world.stop().await;
}

fn position(vault: &Vault, ns: &NsId) -> u64 {
    vault.verified().manifests.iter().find(|head| head.ns_id == *ns).expect("a namespace").mseq
}
