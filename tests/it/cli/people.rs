//! People, organizations and access, told in commands.

use super::shell::Shell;
use crate::world::{Engine, World};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_signs_up_founds_an_organization_and_keeps_a_secret() {
    let world = World::in_real_time(Engine::Sqlite).await;
    let ada = Shell::resident(&world, "ada").await;
    ada.run("org create Acme").ok().await;
    ada.run("project create payments").ok().await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1\n").ok().await;
    assert_eq!(ada.run("secrets get stripe/key --plain -e production").ok().await, "sk_1");
    let refused = Shell::new(&world, "eve").run("secrets get stripe/key -e production").fails(10).await;
    assert!(refused.contains("nobody is logged in"), "{refused}");
    world.stop().await;
}
