//! Two servers on one store: what one of them remembers ends when the other changes something.

use crate::world::{PASSWORD, World, on_each_store};
use keyvawlt_client::{Error, SecretWrite, Vault};
use keyvawlt_server::Server;
use keyvawlt_server::config::Role;

on_each_store!(what_another_server_writes_is_read_at_once_and_whom_it_removes_is_gone);

const NAME: &str = "stripe/key";

async fn what_another_server_writes_is_read_at_once_and_whom_it_removes_is_gone(world: World) {
    let mut boss = world.resident("boss").await;
    let mut vault = boss.account.found("Office", &boss.state).await.unwrap();
    let office = vault.create_project("office", &[("production", 3)]).await.unwrap()[0];
    vault.write(&office, &[SecretWrite::new(NAME, "first")]).await.unwrap();
    let mut ann = world.newcomer("ann").await;
    let mut anns = world.admit(&mut vault, &mut ann, "Ann", &[(office, 1)]).await;

    let mut config = world.config.clone();
    (config.role, config.api.listen) = (Role::Api, "127.0.0.1:0".parse().unwrap());
    let second = Server::start(&config, world.server_clock()).await.unwrap();
    let there = world.client_of(&format!("http://{}", second.addr().unwrap()));
    let there = there.log_in(boss.account.id(), &boss.secret_key, PASSWORD, None).await.unwrap();
    let mut elsewhere = there.open(vault.org_id(), &world.machine_state("elsewhere")).await.unwrap();

    let value = |vault: &Vault| String::from_utf8(vault.read(&office, NAME).unwrap().value.to_vec()).unwrap();
    for (round, written) in ["second", "third"].into_iter().enumerate() {
        // The first server has told Ann everything and then nothing, twice, and remembers both.
        for machine in 0..2 {
            let state = world.machine_state(&format!("before-{round}-{machine}"));
            let mut fresh = ann.account.open(vault.org_id(), &state).await.unwrap();
            fresh.sync().await.unwrap();
            anns.sync().await.unwrap();
        }
        elsewhere.write(&office, &[SecretWrite::new(NAME, written)]).await.unwrap();
        anns.sync().await.unwrap();
        let fresh = ann.account.open(vault.org_id(), &world.machine_state(&format!("after-{round}"))).await.unwrap();
        assert_eq!((value(&anns), value(&fresh)), (written.to_owned(), written.to_owned()));
    }

    anns.sync().await.unwrap();
    elsewhere.remove_member(&ann.account.identity().id()).await.unwrap();
    assert!(matches!(anns.sync().await, Err(Error::Forbidden)));
    assert!(matches!(ann.account.open(vault.org_id(), &world.machine_state("late")).await, Err(Error::Forbidden)));

    drop((there, elsewhere));
    assert!(second.stop().await, "the second server ends in time");
    world.stop().await;
}
