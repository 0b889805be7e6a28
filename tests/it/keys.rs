//! A person's keys and ways in: rotated in one organization after the other, leaked, lost, and given anew.

use crate::world::{Engine, PASSWORD, Person, World, on_each_store};
use keyvawlt_client::ledger::Code;
use keyvawlt_client::ledger::chain::{Questions as _, class, permission};
use keyvawlt_client::{Account, Error, LinkCode, SecretWrite, SlotKind, StateDir, Vault};

on_each_store!(
    rotation_reaches_every_organization_and_every_device,
    a_rotation_that_broke_off_is_continued,
    leaked_keys_open_nothing_new,
    a_new_password_ends_the_earlier_one,
    a_recovery_code_opens_when_everything_else_is_lost,
    older_account_data_is_refused_after_a_rotation,
    a_device_is_linked_by_the_words_it_shows,
);

const NEW_PASSWORD: &str = "another horse, another staple";

/// Ada with two organizations of one environment and one secret each.
async fn founder(world: &World) -> (Person, Vec<Vault>) {
    let mut ada = world.resident("ada").await;
    let mut vaults = Vec::new();
    for name in ["Acme", "Umbrella"] {
        let mut vault = ada.account.found(name, &ada.state).await.unwrap();
        vault.create_project("web", &[("production", class::PRODUCTION)]).await.unwrap();
        let production = vault.environment("web", "production").unwrap().ns_id;
        vault.write(&production, &[SecretWrite::new("stripe/key", format!("of {name}"))]).await.unwrap();
        vaults.push(vault);
    }
    (ada, vaults)
}

fn read(vault: &Vault) -> String {
    let production = vault.environment("web", "production").unwrap().ns_id;
    String::from_utf8(vault.read(&production, "stripe/key").unwrap().value.to_vec()).unwrap()
}

async fn opened(account: &Account, state: &StateDir) -> Vec<Vault> {
    let mut vaults = Vec::new();
    for org_id in account.organizations() {
        vaults.push(account.open(*org_id, state).await.unwrap());
    }
    vaults
}

async fn rotation_reaches_every_organization_and_every_device(world: World) {
    let (mut ada, vaults) = founder(&world).await;
    drop(vaults);
    let laptop = ada.account.enrol_device("laptop").await.unwrap();
    let laptop_state = world.machine_state("laptop");
    let other = world.client().unlock_device(&laptop, None).await.unwrap();
    drop(opened(&other, &laptop_state).await);
    let before = ada.account.identity().key_id();

    let rotation = ada.account.rotate_keys(&ada.state, false).await.unwrap();
    assert_eq!((rotation.generation, rotation.resumed, rotation.rotated.len()), (2, false, 2));
    assert!(rotation.failed.is_empty() && rotation.rotated.iter().all(|one| one.loss.is_none()));
    assert_ne!(ada.account.identity().key_id(), before);
    for mut vault in opened(&ada.account, &ada.state).await {
        assert!(read(&vault).starts_with("of "));
        let production = vault.environment("web", "production").unwrap();
        assert!(!production.owed, "keys that nobody else has are not replaced");
        vault.write(&production.ns_id, &[SecretWrite::new("new", "by new keys")]).await.unwrap();
    }
    // A device that slept through it: first with what it had unlocked, then with a fresh unlock.
    let slept = other.open(other.organizations()[0], &laptop_state).await.unwrap_err();
    assert_eq!(slept.fault().map(|fault| fault.code), Some(Code::KeySubst), "{slept}");
    let woken = world.client().unlock_device(&laptop, None).await.unwrap();
    assert_eq!(woken.identity().key_id(), ada.account.identity().key_id());
    for mut vault in opened(&woken, &laptop_state).await {
        assert!(read(&vault).starts_with("of ") && !vault.has_earlier_keys());
        let production = vault.environment("web", "production").unwrap().ns_id;
        vault.write(&production, &[SecretWrite::new("newer", "by the laptop")]).await.unwrap();
    }
    // A machine that remembers nothing, and a new organization.
    let fresh = world.client().log_in(ada.account.id(), &ada.secret_key, PASSWORD, None).await.unwrap();
    assert_eq!(read(&opened(&fresh, &world.machine_state("fresh")).await[1]), "of Umbrella");
    ada.account = fresh;
    ada.account.found("Third", &ada.state).await.unwrap();
    world.stop().await;
}

async fn a_rotation_that_broke_off_is_continued(world: World) {
    let (mut ada, vaults) = founder(&world).await;
    let second = vaults[1].org_id();
    drop(vaults);
    // The store loses the keys wrapped in the second organization, so that rotating there cannot come to an end yet.
    let of_second = format!("hex_of(org_id) = '{second}'");
    let of_second = of_second
        .replace("hex_of(org_id)", if world.database.engine == Engine::Sqlite { "lower(hex(org_id))" } else { "encode(org_id, 'hex')" });
    world.database.execute(&format!("CREATE TABLE lost AS SELECT * FROM wrap WHERE {of_second}")).await;
    world.database.execute(&format!("DELETE FROM wrap WHERE {of_second}")).await;
    let state = world.machine_state("tablet");
    let broken = ada.account.rotate_keys(&state, true).await.unwrap();
    assert_eq!((broken.rotated.len(), broken.failed.len()), (1, 1));
    assert_eq!(broken.failed[0].0, second);

    world.database.execute("INSERT INTO wrap SELECT * FROM lost").await;
    // It remembers that nothing had changed.
    let world = world.restart().await;
    let mut again = world.client().log_in(ada.account.id(), &ada.secret_key, PASSWORD, None).await.unwrap();
    let earlier: Vec<bool> = opened(&again, &state).await.iter().map(Vault::has_earlier_keys).collect();
    assert_eq!(earlier, [false, true]);
    assert!(opened(&again, &ada.state).await.iter().all(|vault| read(vault).starts_with("of ")), "both work all the while");
    let keys = again.identity().key_id();
    let rotation = again.rotate_keys(&state, true).await.unwrap();
    assert!(rotation.resumed && rotation.failed.is_empty(), "{rotation:?}");
    assert_eq!(rotation.rotated.iter().map(|one| one.org_id).collect::<Vec<_>>(), [second], "the first one is not rotated twice");
    assert_eq!(again.identity().key_id(), keys, "no second set of keys is drawn");
    for vault in opened(&again, &ada.state).await {
        assert!(!vault.has_earlier_keys());
        assert!(read(&vault).starts_with("of "));
    }
    let rotation = again.rotate_keys(&state, false).await.unwrap();
    assert_eq!((rotation.resumed, rotation.rotated.len()), (false, 2));
    world.stop().await;
}

async fn leaked_keys_open_nothing_new(world: World) {
    let (mut ada, mut vaults) = founder(&world).await;
    let mut bob = world.resident("bob").await;
    let production = vaults[0].environment("web", "production").unwrap().ns_id;
    let bobs = world.admit(&mut vaults[0], &mut bob, "bob", &[(production, permission::READ | permission::WRITE)]).await;
    drop(vaults);
    let epoch = |vault: &Vault| vault.chain().head().known_ns(&production).unwrap().epoch;
    let before = epoch(&bobs);
    drop(bobs);

    // An admin of the other organization only: Bob writes, and so makes the new key himself.
    let rotation = bob.account.rotate_keys(&bob.state, true).await.unwrap();
    let loss = rotation.rotated[0].loss.as_ref().unwrap();
    assert_eq!(rotation.rotated.len(), 1);
    assert!(loss.worklist.iter().any(|item| item.name == "stripe/key"), "{loss:?}");
    let [mine, _] = <[Vault; 2]>::try_from(opened(&ada.account, &ada.state).await).unwrap();
    let owed = mine.environment("web", "production").unwrap().owed;
    assert!(epoch(&mine) > before || owed, "what leaked keys open is replaced, or owed");
    assert_eq!(read(&mine), "of Acme");
    drop(mine);
    let rotation = ada.account.rotate_keys(&ada.state, true).await.unwrap();
    assert!(rotation.rotated.iter().all(|one| one.loss.as_ref().is_some_and(|loss| loss.rekeyed.len() == 1)), "{rotation:?}");
    let [mut mine, _] = <[Vault; 2]>::try_from(opened(&ada.account, &ada.state).await).unwrap();
    assert!(!mine.environment("web", "production").unwrap().owed);
    assert!(epoch(&mine) > before);
    mine.write(&production, &[SecretWrite::new("stripe/key", "sk_2")]).await.unwrap();
    assert_eq!(mine.worklist().await.unwrap(), vec![], "a new version settles it");
    drop(mine);
    let bobs = bob.account.open(bob.account.organizations()[0], &bob.state).await.unwrap();
    assert_eq!(read(&bobs), "sk_2");
    world.stop().await;
}

async fn a_new_password_ends_the_earlier_one(world: World) {
    let (ada, _) = founder(&world).await;
    let id = ada.account.id();
    let laptop = ada.account.enrol_device("laptop").await.unwrap();
    // Forgotten: the device is enough.
    let mut device = world.client().unlock_device(&laptop, None).await.unwrap();
    device.change_password(NEW_PASSWORD).await.unwrap();
    device.change_password(NEW_PASSWORD).await.unwrap();
    assert!(matches!(device.change_password("short").await, Err(Error::Invalid { field: "password", .. })));
    let log_in = async |password: &str| world.client().log_in(id, &ada.secret_key, password, None).await;
    assert!(matches!(log_in(PASSWORD).await, Err(Error::Unauthenticated { .. })));
    let mut fresh = log_in(NEW_PASSWORD).await.unwrap();
    // Who came in by the password goes on by the new one.
    fresh.change_password(PASSWORD).await.unwrap();
    assert_eq!(fresh.ways_in().await.unwrap().iter().filter(|way| way.kind == SlotKind::Password).count(), 1);
    log_in(PASSWORD).await.unwrap();

    let laptop_id = laptop.slot_id.to_string();
    assert!(matches!(fresh.end_way_in("0").await, Err(Error::NotFound { .. })));
    assert_eq!(fresh.end_way_in(&laptop_id).await.unwrap().label, "laptop");
    assert!(matches!(world.client().unlock_device(&laptop, None).await, Err(Error::Unauthenticated { .. })));
    let own = fresh.ways_in().await.unwrap().into_iter().find(|way| way.own).unwrap();
    assert!(matches!(fresh.end_way_in(&own.id.to_string()).await, Err(Error::Conflict { .. })), "one that is no device stays");
    world.stop().await;
}

async fn a_recovery_code_opens_when_everything_else_is_lost(world: World) {
    let (mut ada, _) = founder(&world).await;
    let id = ada.account.id();
    let laptop = ada.account.enrol_device("laptop").await.unwrap();
    let earlier = ada.account.make_recovery().await.unwrap();
    let code = ada.account.make_recovery().await.unwrap();
    world.client().recover(id, &earlier, None).await.unwrap();
    ada.account.keep_recovery(&code).await.unwrap();
    assert!(matches!(world.client().recover(id, &earlier, None).await, Err(Error::Unauthenticated { .. })));

    let mut found = world.client().recover(id, &code, None).await.unwrap();
    assert!(matches!(found.enrol_device("").await, Err(Error::Invalid { field: "Secret Key", .. })));
    let access = found.draw_access(NEW_PASSWORD).await.unwrap();
    assert!(matches!(world.client().unlock_device(&access.device, None).await, Err(Error::Unauthenticated { .. })), "nothing changed yet");
    found.renew_access(&access, "new laptop").await.unwrap();
    let state = world.machine_state("found");
    assert_eq!(read(&opened(&found, &state).await[0]), "of Acme");
    for mut vault in opened(&found, &state).await {
        vault.create_project("more", &[("development", class::DEVELOPMENT)]).await.unwrap();
    }
    for refused in [
        world.client().unlock_device(&laptop, None).await,
        world.client().recover(id, &code, None).await,
        world.client().log_in(id, &ada.secret_key, PASSWORD, None).await,
        world.client().log_in(id, &ada.secret_key, NEW_PASSWORD, None).await,
    ] {
        assert!(matches!(refused, Err(Error::Unauthenticated { .. })), "{refused:?}");
    }
    let fresh = world.client().log_in(id, &access.secret_key, NEW_PASSWORD, None).await.unwrap();
    assert_eq!(read(&opened(&fresh, &world.machine_state("fresh")).await[1]), "of Umbrella");
    let device = world.client().unlock_device(&access.device, None).await.unwrap();
    let labels: Vec<String> = device.ways_in().await.unwrap().into_iter().map(|way| way.label).collect();
    assert_eq!(labels.len(), 2);
    assert!(labels.contains(&"new laptop".to_owned()));
    world.stop().await;
}

async fn older_account_data_is_refused_after_a_rotation(world: World) {
    let (mut ada, vaults) = founder(&world).await;
    drop(vaults);
    let laptop = ada.account.enrol_device("laptop").await.unwrap();
    let pins = world.machine_state("pins");
    world.client().unlock_device(&laptop, Some(&pins)).await.unwrap().pin(&pins).unwrap();
    world.database.execute("CREATE TABLE earlier AS SELECT blob, generation, pins FROM account").await;
    ada.account.rotate_keys(&ada.state, false).await.unwrap();
    world.client().unlock_device(&laptop, Some(&pins)).await.unwrap().pin(&pins).unwrap();
    for column in ["blob", "generation", "pins"] {
        world.database.execute(&format!("UPDATE account SET {column} = (SELECT {column} FROM earlier)")).await;
    }
    let refused = world.client().unlock_device(&laptop, Some(&pins)).await.unwrap_err();
    assert_eq!(refused.fault().unwrap().code, Code::Rollback);
    // A device without pins meets organizations in which keys stand that it does not have.
    let blank = world.client().unlock_device(&laptop, None).await.unwrap();
    let refused = blank.open(blank.organizations()[0], &world.machine_state("blank")).await.unwrap_err();
    assert_eq!(refused.fault().unwrap().code, Code::KeySubst);
    world.stop().await;
}

async fn a_device_is_linked_by_the_words_it_shows(world: World) {
    let (ada, vaults) = founder(&world).await;
    drop(vaults);
    let offer = world.client().offer_link().await.unwrap();
    assert!(offer.answer().await.unwrap().is_none(), "nobody has answered");
    let typed = LinkCode::parse(&offer.code().words().join(" ")).unwrap();
    let scanned = LinkCode::parse(&offer.text().unwrap()).unwrap();
    let other = world.client().offer_link().await.unwrap();
    let mistaken = LinkCode { id: typed.id, origin: Some("http://127.0.0.1:9".to_owned()) };
    assert!(matches!(ada.account.link_device(&mistaken, "").await, Err(Error::Invalid { field: "device code", .. })));
    ada.account.link_device(&scanned, "phone").await.unwrap();
    assert!(matches!(ada.account.link_device(&typed, "").await, Err(Error::Conflict { .. })), "once");
    assert_eq!(ada.account.ways_in().await.unwrap().len(), 2, "no way in is left behind");

    let linked = offer.answer().await.unwrap().unwrap();
    assert_eq!(linked.words(), ada.account.identity().safety_words());
    let state = world.machine_state("phone");
    let phone = linked.unlock(Some(&state)).await.unwrap();
    assert_eq!(read(&opened(&phone, &state).await[0]), "of Acme");
    // It is a device like the others: it lets another one in, and sets a password.
    phone.link_device(&other.code(), "").await.unwrap();
    let tablet = other.answer().await.unwrap().unwrap();
    let slot = tablet.device().slot_id;
    tablet.decline().await.unwrap();
    assert!(ada.account.ways_in().await.unwrap().iter().all(|way| way.id != slot), "what was declined is no way in");

    let late = world.client().offer_link().await.unwrap();
    world.pass(std::time::Duration::from_mins(10));
    assert!(matches!(late.answer().await, Err(Error::Forbidden)));
    assert!(matches!(ada.account.link_device(&late.code(), "").await, Err(Error::Forbidden)));
    world.stop().await;
}
