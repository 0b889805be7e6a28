//! One's own keys and ways in, told in commands.

use super::bad_input::Heard;
use super::shell::{Line, Shell};
use crate::world::{PASSWORD, World, in_real_time_on_each_store};
use serde_json::json;
use std::fs;

const NEW_PASSWORD: &str = "another horse, another staple";

in_real_time_on_each_store!(
    keys_are_replaced_everywhere,
    a_password_a_secret_key_and_devices_are_replaced,
    everything_is_lost_but_the_recovery_code,
    a_new_device_shows_words_and_is_let_in,
    everything_is_lost_and_an_admin_resets_the_keys,
    the_last_owner_is_lost_and_paper_brings_another,
    facts_are_told_anew_and_an_organization_is_taken_off_the_list,
);

async fn keys_are_replaced_everywhere(world: World) {
    let ada = Shell::founder(&world, "ada").await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    let before = ada.run("keys show").json().await;
    assert_eq!((&before["generation"], &before["earlier_in"]), (&json!(1), &json!([])));
    let refused = ada.run("keys rotate").fails(2).await;
    assert!(refused.contains("--yes"), "{refused}");
    let rotated = ada.run("keys rotate --yes").json().await;
    assert_eq!(rotated["organizations"], json!([{"organization": "Acme", "rekeyed": 0, "rotate": 0}]));
    let after = ada.run("keys show").json().await;
    assert_eq!((&after["generation"], &after["words"]), (&json!(2), &rotated["words"]));
    assert_eq!(after["identity"], before["identity"]);
    assert_ne!(after["words"], before["words"]);
    assert_eq!(ada.run("secrets get --plain stripe/key -e production").ok().await, "sk_1");

    let leaked = ada.run("keys rotate --compromised --yes").json().await;
    assert_eq!(leaked["organizations"], json!([{"organization": "Acme", "rekeyed": 2, "rotate": 1}]));
    let work = ada.run("worklog list").json().await;
    assert_eq!(work[0]["secret"], "stripe/key");
    ada.run("secrets set stripe/key --stdin -e production").input("sk_2").ok().await;
    assert_eq!(ada.run("worklog list").json().await, json!([]));
    assert_eq!(ada.run("member show ada").json().await["words"], leaked["words"]);
    world.stop().await;
}

async fn a_password_a_secret_key_and_devices_are_replaced(world: World) {
    let ada = Shell::new(&world, "ada");
    ada.run("signup --email ada@example.com --password-stdin --kit-file kit").input(PASSWORD).ok().await;
    world.drain().await;
    let kit = fs::read_to_string(ada.home().join("kit")).unwrap();
    let laptop = Shell::new(&world, "laptop");
    let log_in = |shell: &Shell, kit: &str, password: &str| {
        fs::write(shell.home().join("kit"), kit).unwrap();
        shell.run("login --password-stdin --kit-file kit").input(password)
    };
    log_in(&laptop, &kit, PASSWORD).arg("--device-name").arg("laptop").ok().await;
    let listed = ada.run("device list").json().await;
    let devices: Vec<_> = listed.as_array().unwrap().iter().filter(|row| row["kind"] == "device").collect();
    assert_eq!(devices.len(), 2);
    assert!(devices.iter().any(|row| row["name"] == "laptop" && row["this"] == false));

    ada.run("password change --password-stdin").input(NEW_PASSWORD).ok().await;
    let fresh = Shell::new(&world, "fresh");
    let mut heard = Heard::of(&world);
    heard.fails("the password before", log_in(&fresh, &kit, PASSWORD), 10).await;
    heard.fails("a short password", ada.run("password change --password-stdin").input("short"), 2).await;
    log_in(&fresh, &kit, NEW_PASSWORD).ok().await;
    heard.fails("no such device", ada.run("device remove nowhere --yes"), 12).await;
    heard.fails("unasked", ada.run("device remove laptop"), 2).await;
    ada.run("device remove laptop --yes").ok().await;
    heard.fails("a device that was removed", laptop.run("whoami"), 10).await;

    heard.fails("a new Secret Key, unasked", ada.run("keys secret-key new --password-stdin").input(NEW_PASSWORD), 2).await;
    let renewed = ada.run("keys secret-key new --yes --password-stdin").input(PASSWORD).json().await;
    let new_kit = renewed["emergency_kit"].as_str().unwrap();
    assert_ne!(new_kit, kit);
    ada.run("org create Acme").ok().await;
    heard.fails("another device, after a new Secret Key", fresh.run("whoami"), 10).await;
    fresh.run("logout --local-only").ok().await;
    heard.fails("the kit before", log_in(&fresh, &kit, PASSWORD), 10).await;
    log_in(&fresh, new_kit, PASSWORD).ok().await;
    assert_eq!(fresh.run("org list").json().await[0]["name"], "Acme");
    // The device has the new Secret Key for the next password.
    ada.run("password change --password-stdin").input(NEW_PASSWORD).ok().await;
    fresh.run("logout").ok().await;
    log_in(&fresh, new_kit, NEW_PASSWORD).ok().await;
    heard.review("ways_in");
    world.stop().await;
}

async fn everything_is_lost_but_the_recovery_code(world: World) {
    let ada = Shell::founder(&world, "ada").await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    let first = ada.run("recovery create").json().await;
    let sheet = ada.run("recovery create").json().await;
    let code = sheet["recovery_code"].as_str().unwrap();
    let account = sheet["account"].as_str().unwrap();
    let phone = Shell::new(&world, "phone");
    let file = |name: &str, text: &str| fs::write(phone.home().join(name), text).unwrap();
    file("code", code);
    file("first", first["recovery_code"].as_str().unwrap());
    let slip = if code.ends_with('0') { "1" } else { "0" };
    file("slip", &format!("{}{slip}", &code[..code.len() - 1]));
    file("secret-key", "KVS1-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA");
    let recover = |code: &str| {
        phone.run("recovery use --yes --password-stdin --account").arg(account).arg("--code-file").arg(code).input(NEW_PASSWORD)
    };
    let mut heard = Heard::of(&world);
    heard.fails("a code with a slip", recover("slip"), 2).await;
    heard.fails("another kind of code", recover("secret-key"), 2).await;
    heard.fails("a code that was replaced", recover("first"), 10).await;
    let other = account.chars().rev().collect::<String>();
    let line = phone.run("recovery use --yes --password-stdin --code-file code --account").arg(&other).input(NEW_PASSWORD);
    heard.fails("another account", line, 10).await;
    heard.fails("a mistyped account", phone.run("recovery use --yes --account x --code-file code"), 2).await;
    heard.fails("a short password", recover("code").input("short"), 2).await;
    heard.fails("on a machine that is logged in", ada.run("recovery use --yes --account x --code-file code"), 1).await;
    let opened = recover("code").json().await;
    assert_eq!(phone.run("secrets get --plain stripe/key -e production").ok().await, "sk_1");
    phone.run("secrets set stripe/key --stdin -e production").input("sk_2").ok().await;
    heard
        .fails(
            "the code, a second time",
            Shell::new(&world, "thief")
                .run("recovery use --yes --password-stdin --account")
                .arg(account)
                .arg("--code-file")
                .arg(&phone.home().join("code").display().to_string())
                .input(PASSWORD),
            10,
        )
        .await;
    heard.fails("the device that was lost", ada.run("secrets list -e production"), 10).await;
    let kit = opened["emergency_kit"].as_str().unwrap();
    let tablet = Shell::new(&world, "tablet");
    fs::write(tablet.home().join("kit"), kit).unwrap();
    tablet.run("login --password-stdin --kit-file kit").input(NEW_PASSWORD).ok().await;
    assert_eq!(tablet.run("secrets get --plain stripe/key -e production").ok().await, "sk_2");
    heard.review("recovery");
    world.stop().await;
}

async fn a_new_device_shows_words_and_is_let_in(world: World) {
    let ada = Shell::founder(&world, "ada").await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    let phone = Shell::new(&world, "phone");
    let mut heard = Heard::of(&world);
    heard.fails("too few words", ada.run("device approve --yes zoo zoo"), 2).await;
    heard.fails("a word that is none", ada.run("device approve --yes").words(&"keyvawlt ".repeat(12)), 2).await;
    heard.fails("a wrong last word", ada.run("device approve --yes").words(&"zoo ".repeat(12)), 2).await;
    heard.fails("a code of nobody", ada.run("device approve --yes").words(&"abandon ".repeat(11)).arg("about"), 12).await;

    let mut line = phone.run("login --link --yes");
    let waiting = Waiting::start(&mut line).await;
    let approved = ada.run("device approve --yes --name phone").words(waiting.words()).json().await;
    let (ended, said) = waiting.ends().await;
    assert!(ended, "{said}");
    let words = approved["words"].as_str().unwrap();
    assert!(said.contains(words), "both show the same: {said}");
    assert_eq!(phone.run("secrets get --plain stripe/key -e production").ok().await, "sk_1");
    assert_eq!(phone.run("whoami").json().await["words"], words);
    let listed = ada.run("device list").json().await;
    assert!(listed.as_array().unwrap().iter().any(|row| row["name"] == "phone"));
    heard.fails("a second login there", phone.run("login --link"), 1).await;

    // Nobody is there to compare words: nothing is kept, and no way in stays.
    let tablet = Shell::new(&world, "tablet");
    let mut line = tablet.run("login --link");
    let waiting = Waiting::start(&mut line).await;
    assert!(waiting.shown.contains('█'), "a square to scan: {}", waiting.shown);
    let twelve = waiting.words().to_owned();
    ada.run("device approve --yes").words(&twelve).ok().await;
    let (ended, said) = waiting.ends().await;
    assert!(!ended && said.contains("--yes"), "{said}");
    assert_eq!(ada.run("device list").json().await.as_array().unwrap().len(), listed.as_array().unwrap().len());
    heard.fails("after words that nobody compared", tablet.run("whoami"), 10).await;
    heard.fails("the same code again", ada.run("device approve --yes").words(&twelve), 13).await;
    heard.review("device_link");
    world.stop().await;
}

async fn everything_is_lost_and_an_admin_resets_the_keys(world: World) {
    let ada = Shell::founder(&world, "ada").await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    let bob = Shell::resident(&world, "bob").await;
    let code = ada.run("member invite --name bob --grant agents/production:write").ok().await;
    bob.run("join --yes --code-stdin").input(code).ok().await;
    ada.run("member confirm bob --yes").ok().await;
    let id = ada.run("member show bob").json().await["id"].as_str().unwrap().to_owned();

    let anew = Shell::new(&world, "anew");
    let mut heard = Heard::of(&world);
    heard.fails("no id", anew.run("keys recover --identity bob --email bob2@example.com --password-stdin").input(PASSWORD), 2).await;
    anew.run("keys recover --email bob2@example.com --password-stdin --identity").arg(&id).input(PASSWORD).ok().await;
    world.drain().await;
    assert_eq!(anew.run("org list").json().await, json!([]), "an account of one's own making opens nothing");
    let keys = anew.run("keys show --code").json().await;
    let code = keys["code"].as_str().unwrap();
    let reset = |shell: &Shell, who: &str, code: &str| shell.run("member reset --yes --code-stdin").arg(who).input(code);
    heard.fails("unasked", ada.run("member reset bob --code-stdin").input(code), 2).await;
    heard.fails("half a code", reset(&ada, "bob", &code[..code.len() / 2]), 2).await;
    heard.fails("another one's code", reset(&ada, "ada", code), 2).await;
    heard.fails("of oneself", reset(&bob, "bob", code), 11).await;
    let own = ada.run("keys show --code").json().await;
    heard.fails("an admin's own keys", reset(&ada, "ada", own["code"].as_str().unwrap()), 2).await;
    let done = reset(&ada, "bob", code).json().await;
    assert_eq!(done["words"], keys["words"], "what Ada is shown is what Bob reads to her");
    assert_eq!((&done["given"], &done["missing"]), (&json!(["agents/production"]), &json!([])));
    assert_eq!(done["rekeyed"], json!(["agents/production"]));
    heard.fails("the keys before", bob.run("secrets list -e production"), 11).await;
    heard.fails("the same code again", reset(&ada, "bob", code), 11).await;

    let back = done["code"].as_str().unwrap();
    heard.fails("back, unasked", anew.run("join --code-stdin").input(back), 2).await;
    heard.fails("half a way back", anew.run("join --yes --code-stdin").input(&back[..30]), 2).await;
    heard.fails("a way back for somebody else", Shell::resident(&world, "eve").await.run("join --yes --code-stdin").input(back), 11).await;
    let entered = anew.run("join --yes --code-stdin").input(back).json().await;
    assert_eq!(entered["admin_words"], ada.run("whoami").json().await["words"], "what Bob is shown is what Ada reads to him");
    assert_eq!(anew.run("secrets get --plain stripe/key -e production").ok().await, "sk_1");
    anew.run("secrets set stripe/key --stdin -e production").input("sk_2").ok().await;
    assert_eq!(ada.run("secrets get --plain stripe/key -e production").ok().await, "sk_2");
    anew.run("keys rotate --yes").ok().await;
    assert_eq!(anew.run("secrets get --plain stripe/key -e production").ok().await, "sk_2");
    heard.review("reset");
    world.stop().await;
}

/// A device that has shown its code, and waits.
struct Waiting {
    child: tokio::process::Child,
    shown: String,
}

impl Waiting {
    async fn start(line: &mut Line) -> Self {
        use tokio::io::AsyncReadExt as _;
        let mut child = line.start();
        drop(child.stdin.take());
        let mut stdout = child.stdout.take().expect("a pipe");
        let (mut shown, mut bytes) = (Vec::new(), [0; 4096]);
        while !is_whole(&shown) {
            let read = stdout.read(&mut bytes).await.expect("its output");
            assert!(read > 0, "it ended: {}", String::from_utf8_lossy(&shown));
            shown.extend_from_slice(&bytes[..read]);
        }
        Self { child, shown: String::from_utf8(shown).expect("text") }
    }

    /// The twelve words, below the square.
    fn words(&self) -> &str {
        self.shown.trim_end().lines().last().expect("a line")
    }

    /// Whether it succeeds, and what it says.
    async fn ends(self) -> (bool, String) {
        let output = self.child.wait_with_output().await.expect("it ends");
        (output.status.success(), super::shell::text(&output.stderr))
    }
}

fn is_whole(shown: &[u8]) -> bool {
    let text = String::from_utf8_lossy(shown);
    let last = text.trim_end().lines().last().unwrap_or_default();
    text.ends_with('\n') && last.split(' ').count() == 12 && last.is_ascii()
}

async fn the_last_owner_is_lost_and_paper_brings_another(world: World) {
    let ada = Shell::founder(&world, "ada").await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_1").ok().await;
    let bob = Shell::resident(&world, "bob").await;
    let code = ada.run("member invite --name bob").ok().await;
    bob.run("join --yes --code-stdin").input(code).ok().await;
    let alone = ada.run("status").output().await;
    assert!(super::shell::text(&alone.stderr).contains("breakglass create"), "one owner guards production");

    let mut heard = Heard::of(&world);
    heard.fails("unasked", ada.run("breakglass create"), 2).await;
    heard.fails("no owner", bob.run("breakglass create --yes"), 11).await;
    heard.fails("a split that is none", ada.run("breakglass create --yes --split 3/2"), 2).await;
    let whole = ada.run("breakglass create --yes").json().await;
    let split = ada.run("breakglass create --yes --name vaulted --split 2/3").json().await;
    assert_eq!(split["code"], serde_json::Value::Null);
    let shares: Vec<&str> = split["shares"].as_array().unwrap().iter().map(|share| share.as_str().unwrap()).collect();
    let enough = ada.run("status").output().await;
    assert!(!super::shell::text(&enough.stderr).contains("breakglass"));
    // What comes later is read too: new environments, new keys.
    ada.run("env create staging --project agents").ok().await;
    ada.run("keys rotate --compromised --yes").ok().await;
    ada.run("secrets set stripe/key --stdin -e production").input("sk_2").ok().await;

    let desk = Shell::new(&world, "desk");
    let drill = |paper: &str| desk.run("breakglass drill --code-stdin").input(paper);
    let two = format!("{}\n{}\n", shares[2], shares[0]);
    for paper in [whole["code"].as_str().unwrap(), &two] {
        let head = ada.run("org show").json().await["head"].clone();
        let drilled = drill(paper).json().await;
        let opened = drilled["opened"].as_array().unwrap();
        assert_eq!((opened.len(), &drilled["missing"]), (3, &json!([])));
        assert!(opened.iter().any(|one| one["environment"] == "agents/production" && one["secrets"] == 1));
        assert_eq!(ada.run("org show").json().await["head"], head, "a drill changes nothing");
    }
    let others = ada.run("breakglass create --yes --name third --split 2/3").json().await;
    let other = others["shares"][1].as_str().unwrap();
    heard.fails("one share of two", drill(shares[0]), 2).await;
    heard.fails("the same share twice", drill(&format!("{} {}", shares[0], shares[0])), 2).await;
    heard.fails("shares of two codes", drill(&format!("{} {other}", shares[0])), 2).await;
    heard.fails("half a share", drill(&format!("{} {}", shares[0], &shares[1][..40])), 2).await;
    heard.fails("a machine's token", drill("kvm1_x"), 2).await;

    let raise = |who: &str| desk.run("breakglass use --yes --code-stdin --owner").arg(who).input(two.as_str());
    heard.fails("for nobody", raise("eve"), 12).await;
    let raised = raise("bob").json().await;
    assert_eq!((&raised["name"], &raised["role"]), (&json!("bob"), &json!("owner")));
    assert_eq!(bob.run("secrets get --plain stripe/key -e production").ok().await, "sk_2");
    bob.run("member remove ada --yes").ok().await;
    bob.run("member remove vaulted --yes").ok().await;
    heard.fails("a code that was removed", drill(&two), 11).await;
    bob.run("secrets set stripe/key --stdin -e production").input("sk_3").ok().await;
    heard.review("breakglass");
    world.stop().await;
}

async fn facts_are_told_anew_and_an_organization_is_taken_off_the_list(world: World) {
    let ada = Shell::founder(&world, "ada").await;
    let run = |words: &str| ada.run(words).var("KEYVAWLT_ENV", "production");
    run("secrets set db --stdin --expires 7d --label Database").input("s").ok().await;
    let told = run("secrets facts db --owner ada").ok().await;
    assert!(told.contains("label Database, owner ada") && told.contains("expires "), "what is not said stays: {told}");
    assert!(run("secrets facts db --expires 90d --label Main").ok().await.contains("label Main"));
    assert_eq!(run("secrets facts db --clear").ok().await, "of db the server and its mails can read: nothing\n");
    assert_eq!(run("secrets get db").json().await["version"], 1);
    let mut heard = Heard::of(&world);
    heard.fails("nothing to tell", run("secrets facts db"), 2).await;
    heard.fails("facts of nothing", run("secrets facts nowhere --label x"), 12).await;

    let bob = Shell::resident(&world, "bob").await;
    let code = ada.run("member invite --name bob").ok().await;
    bob.run("join --yes --code-stdin").input(code).ok().await;
    let id = bob.run("org list").json().await[0]["id"].as_str().unwrap().to_owned();
    heard.fails("an organization one belongs to", bob.run("org forget --yes").arg(&id), 13).await;
    heard.fails("an organization of nobody", bob.run("org forget --yes 00000000"), 12).await;
    ada.run("member remove bob --yes").ok().await;
    heard.fails("unasked", bob.run("org forget").arg(&id), 2).await;
    bob.run("org forget --yes").arg(&id).ok().await;
    assert_eq!(bob.run("org list").json().await, json!([]));
    heard.review("facts_and_lists");
    world.stop().await;
}
