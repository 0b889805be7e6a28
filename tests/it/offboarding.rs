//! Who goes, with what, and what that leaves to do for those who stay: told through the client library.

use crate::world::{Person, World, on_each_store};
use keyvawlt_client::ledger::chain::{LossReason, role};
use keyvawlt_client::ledger::{IdentityId, NsId};
use keyvawlt_client::{Delivery, Error, NewInvite, NewMachine, SecretWrite, Vault};
use std::time::Duration;

const DAY_MS: u64 = 24 * 3600 * 1000;

on_each_store!(
    a_member_and_his_machines_go_in_one_batch_or_not_at_all,
    the_list_is_complete_for_lapses_and_leavers_that_nobody_noted,
    what_an_offboarder_cannot_rekey_its_next_writer_does,
    decisions_hold_for_losses_before_them_and_need_authority,
);

/// Ada, who owns Acme with one environment.
async fn acme(world: &World) -> (Person, Vault, NsId) {
    let mut ada = world.newcomer("ada").await;
    let mut vault = ada.account.found("Acme", &ada.state).await.expect("an organization");
    let made = vault.create_project("payments", &[("production", 3)]).await.expect("a project");
    (ada, vault, made[0])
}

async fn joins(world: &World, vault: &mut Vault, name: &str, as_role: u8, access: Vec<(NsId, u8, u64)>) -> (Person, Vault) {
    let mut person = world.newcomer(name).await;
    let invite = NewInvite { name: name.to_owned(), role: as_role, access, ttl_ms: DAY_MS, member_expires_ms: 0, carry_keys: false };
    let code = vault.invite(&invite).await.expect("an invite");
    let mut theirs = person.account.join(&code, &person.state).await.expect("a join");
    vault.sync().await.expect("news");
    vault.grant_intended(&person.account.identity().id()).await.expect("access");
    theirs.sync().await.expect("news");
    (person, theirs)
}

fn id(person: &Person) -> IdentityId {
    person.account.identity().id()
}

async fn writes(vault: &mut Vault, ns: &NsId, name: &str) {
    vault.write(ns, &[SecretWrite::new(name, "value")]).await.expect("a write");
}

/// The reasons and deliveries of one secret on the list.
async fn listed(vault: &Vault, name: &str) -> Vec<(LossReason, Option<Delivery>)> {
    let mut list = vault.worklist().await.expect("a list");
    vault.trace(&mut list).await.expect("deliveries");
    let item = list.into_iter().find(|item| item.name == name);
    item.map(|item| item.lost_by.into_iter().map(|lost| (lost.reason, lost.delivery)).collect()).unwrap_or_default()
}

async fn a_member_and_his_machines_go_in_one_batch_or_not_at_all(world: World) {
    let (_ada, mut vault, production) = acme(&world).await;
    writes(&mut vault, &production, "old").await;
    let (bob, mut bobs) = joins(&world, &mut vault, "bob", role::ADMIN, vec![(production, 7, 0)]).await;
    let machine = NewMachine { name: "ci".to_owned(), access: vec![(production, 1)], ttl_ms: DAY_MS };
    let token = bobs.create_machine(&machine).await.unwrap();
    vault.sync().await.unwrap();
    world.pass(Duration::from_mins(1));
    writes(&mut vault, &production, "new").await;
    let machines = vault.machines_admitted_by(&id(&bob)).await.unwrap();
    assert_eq!(machines, [token.identity().id()]);
    let leaving = [id(&bob), machines[0]];

    let links = vault.verified().links;
    let (rehearsed, bytes) = vault.rehearse_offboarding(&leaving).await.unwrap();
    assert!(bytes > 1_000, "links, wraps and fences");
    assert_eq!((vault.verified().links, vault.worklist().await.unwrap().len()), (links, 0), "nothing was sent");
    let stranger = IdentityId([9; 16]);
    assert!(vault.offboard(&[id(&bob), stranger]).await.is_err());
    vault.sync().await.unwrap();
    assert!(vault.member("bob").is_ok(), "all go, or none");

    let done = vault.offboard(&leaving).await.unwrap();
    assert_eq!((&done.rekeyed, done.owed.len()), (&vec![production], 0));
    let names = |removal: &keyvawlt_client::Removal| removal.worklist.iter().map(|item| item.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&done), names(&rehearsed));
    assert_eq!(names(&done), ["new", "old"]);
    assert!(matches!(bobs.sync().await, Err(Error::Forbidden)));
    let state = world.machine_state("ci");
    assert!(world.client().machine(&token, &state).await.is_err());
    let old = listed(&vault, "old").await;
    let delivered = old.iter().filter(|(_, delivery)| matches!(delivery, Some(Delivery::Secret(_)))).count();
    assert_eq!((delivered, old.len()), (1, 2), "Bob has it, his machine never asked: {old:?}");
    let new = listed(&vault, "new").await;
    assert!(new.iter().all(|(_, delivery)| *delivery == Some(Delivery::NotOnRecord)), "{new:?}");
    world.stop().await;
}

async fn the_list_is_complete_for_lapses_and_leavers_that_nobody_noted(world: World) {
    let (_ada, mut vault, production) = acme(&world).await;
    writes(&mut vault, &production, "key").await;
    let soon = world.now_ms() + DAY_MS;
    let (_bob, _bobs) = joins(&world, &mut vault, "bob", role::MEMBER, vec![(production, 1, soon)]).await;
    let (_mia, mut mias) = joins(&world, &mut vault, "mia", role::MEMBER, vec![(production, 3, 0)]).await;
    assert_eq!(vault.worklist().await.unwrap(), []);
    world.pass(Duration::from_hours(48));
    vault.sync().await.unwrap();
    let lapsed = vault.worklist().await.unwrap();
    assert_eq!((lapsed[0].lost_by[0].name.as_str(), lapsed[0].lost_by[0].at_ms), ("bob", soon));

    writes(&mut mias, &production, "mine").await;
    let left = mias.leave().await.unwrap();
    assert_eq!(left.rekeyed, [], "whoever leaves makes no keys for others");
    vault.sync().await.unwrap();
    let environment = vault.environment("payments", "production").unwrap();
    assert!(environment.owed);
    let mine = listed(&vault, "mine").await;
    assert!(matches!(mine[..], [(LossReason::Left, Some(Delivery::Written(_)))]), "Bob had no key of it: {mine:?}");
    let key = listed(&vault, "key").await;
    assert!(matches!(key[..], [(LossReason::Lapsed, Some(Delivery::Secret(_))), (LossReason::Left, Some(Delivery::Secret(_)))]), "{key:?}");
    writes(&mut vault, &production, "key").await;
    assert_eq!(listed(&vault, "key").await, [], "a new version settles it");
    world.stop().await;
}

async fn what_an_offboarder_cannot_rekey_its_next_writer_does(world: World) {
    let (_ada, mut vault, production) = acme(&world).await;
    writes(&mut vault, &production, "key").await;
    let (bob, _bobs) = joins(&world, &mut vault, "bob", role::MEMBER, vec![(production, 3, 0)]).await;
    let (_carol, mut carols) = joins(&world, &mut vault, "carol", role::ADMIN, vec![]).await;
    let done = carols.offboard(&[id(&bob)]).await.unwrap();
    assert_eq!((&done.rekeyed, &done.owed, &done.unseen), (&vec![], &vec![production], &vec![production]));
    assert_eq!(done.worklist, [], "she learns no names");
    vault.sync().await.unwrap();
    assert_eq!(vault.worklist().await.unwrap().len(), 1);
    assert_eq!(vault.settle_owed().await.unwrap(), [production]);
    assert_eq!(vault.settle_owed().await.unwrap(), []);
    world.stop().await;
}

async fn decisions_hold_for_losses_before_them_and_need_authority(world: World) {
    let (ada, mut vault, production) = acme(&world).await;
    writes(&mut vault, &production, "key").await;
    let (bob, _bobs) = joins(&world, &mut vault, "bob", role::MEMBER, vec![(production, 1, 0)]).await;
    let (eve, mut eves) = joins(&world, &mut vault, "eve", role::MEMBER, vec![(production, 3, 0)]).await;
    vault.offboard(&[id(&bob)]).await.unwrap();
    let item = vault.worklist().await.unwrap().remove(0);
    let place = (item.ns_id, item.secret_id);
    eves.sync().await.unwrap();
    assert!(matches!(eves.settle(place, "because").await, Err(Error::Forbidden)));
    vault.assign(place, Some(id(&eve)), Some(world.now_ms() + DAY_MS), "with care").await.unwrap();
    eves.sync().await.unwrap();
    let duty = eves.worklist().await.unwrap().remove(0).duty;
    assert_eq!((duty.assignee, duty.note.as_str()), (Some(id(&eve)), "with care"), "all see it");
    world.pass(Duration::from_secs(1));
    vault.settle(place, "was never used").await.unwrap();
    eves.sync().await.unwrap();
    assert_eq!(eves.worklist().await.unwrap(), []);
    world.pass(Duration::from_secs(1));
    vault.offboard(&[id(&eve)]).await.unwrap();
    let again = vault.worklist().await.unwrap();
    assert_eq!((again.len(), again[0].lost_by.len(), again[0].lost_by[0].who), (1, 1, id(&eve)), "Bob's loss stays settled");
    assert_eq!(again[0].duty.settled.as_ref().map(|settled| settled.by), Some(id(&ada)));
    world.stop().await;
}
