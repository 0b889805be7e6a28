//! Sharing less than an environment, told in commands.

use super::people::{colleague, owner_of_payments};
use super::shell::Shell;
use crate::world::{World, in_real_time_on_each_store};

in_real_time_on_each_store!(a_folder_is_guarded_shared_alone_and_put_back);

async fn a_folder_is_guarded_shared_alone_and_put_back(world: World) {
    let ada = owner_of_payments(&world).await;
    for (name, value) in [("stripe/key", "k1"), ("stripe/key", "k2"), ("stripe/hook", "h1"), ("DATABASE_URL", "db")] {
        ada.run("secrets set --stdin -e production").arg(name).input(value).ok().await;
    }
    let bob = colleague(&world, &ada, "bob", "payments/production:read").await;
    let before = bob.run("export -e production -f json").json().await;
    ada.run("grant add --to bob --on production:stripe/ --perm write").fails(12).await;

    let folder = ada.run("guard stripe -e production").fails(2).await;
    assert!(folder.contains("keyvawlt guard stripe/"), "{folder}");
    ada.run("guard nothing -e production").fails(12).await;
    let guarded = ada.run("guard stripe/ -e production").json().await;
    assert_eq!((&guarded["place"], &guarded["moved"]), (&"payments/production:stripe/".into(), &2.into()));
    assert_eq!(ada.run("guard stripe/ -e production").json().await["was_guarded"], true);
    let listed = ada.run("guard -e production").json().await;
    assert_eq!((&listed[0]["path"], &listed[0]["secrets"], listed.as_array().unwrap().len()), (&"stripe/".into(), &2.into(), 1));

    // Whoever reads production notices nothing.
    assert_eq!(bob.run("export -e production -f json").json().await, before);
    assert_eq!(bob.run("secrets get --plain stripe/key --version 1 -e production").ok().await, "k1");
    bob.run("guard DATABASE_URL -e production").fails(11).await;

    // Carol sees the folder and nothing else.
    let carol = colleague(&world, &ada, "carol", "payments/production:stripe/:read").await;
    assert_eq!(carol.run("env list").json().await[0]["only"], serde_json::json!(["stripe/"]));
    assert_eq!(carol.run("secrets list --names-only -e production").json().await, serde_json::json!(["stripe/hook", "stripe/key"]));
    carol.run("secrets get --plain DATABASE_URL -e production").fails(12).await;
    carol.run("secrets get --plain stripe/key --version 1 -e production").fails(12).await;
    let shown = carol.run("secrets history stripe/key -e production").json().await;
    assert_eq!((shown.as_array().unwrap().len(), &shown[0]["version"]), (1, &2.into()));
    let only_reads = carol.run("secrets set stripe/key --stdin -e production").input("k3").fails(11).await;
    assert!(only_reads.contains("stripe/ is guarded"), "{only_reads}");
    ada.run("grant add --to carol --on payments/production:stripe/ --perm write --ttl 4h").ok().await;
    assert_eq!(carol.run("secrets set stripe/key --stdin -e production").input("k3").json().await["version"], 3);
    let outside = carol.run("secrets set DATABASE_URL --stdin -e production").input("mine").fails(11).await;
    assert!(outside.contains("outside of what you see here"), "{outside}");
    assert_eq!(bob.run("run -e production --only stripe/key -- printenv STRIPE_KEY").ok().await, "k3\n");

    // So does a machine of the folder.
    let token = ada.run("machine create ci --on payments/production:stripe/").ok().await;
    let ci = Shell::new(&world, "ci");
    let run = ci.run("run -e production --all -- sh -c").arg("echo $STRIPE_KEY$DATABASE_URL").var("KEYVAWLT_TOKEN", token.trim());
    assert_eq!(run.ok().await, "k3\n");

    let access = ada.run("grant list --on production:stripe/").json().await;
    assert_eq!(access.as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>(), ["carol", "ci"]);
    let removed = ada.run("grant remove --to carol --on production:stripe/ --yes").json().await;
    assert_eq!(removed["rekeyed"], serde_json::json!(["payments/production:stripe/"]));
    assert_eq!(removed["rotate"].as_array().unwrap().len(), 2);
    carol.run("secrets list -e production").fails(12).await;
    ada.run("secrets set stripe/key --stdin -e production").input("k4").ok().await;

    let asked = ada.run("unguard stripe/ -e production").fails(2).await;
    assert!(asked.contains("--yes"), "{asked}");
    let back = ada.run("unguard stripe/ -e production --yes").json().await;
    assert_eq!((&back["moved"], &back["lost"]), (&2.into(), &serde_json::json!(["ci"])));
    assert_eq!(ada.run("guard -e production").json().await, serde_json::json!([]));
    for (version, value) in [("1", "k1"), ("2", "k2"), ("3", "k3"), ("4", "k4")] {
        let get = bob.run("secrets get --plain stripe/key -e production --version").arg(version);
        assert_eq!(get.ok().await, value);
    }
    world.stop().await;
}
