//! A team's address gets notices once somebody who reads there gave its code to an admin, and until its link is followed.

use crate::digests::ask;
use crate::world::{World, on_each_store};
use keyvawlt_client::{ChannelForm, Error, NewChannel, Vault};
use keyvawlt_domain::notices::MAX_PROOFS_PER_HOUR;
use std::time::Duration;

on_each_store!(a_proved_address_hears_until_its_link_is_followed, an_address_is_proved_within_bounds);

const PUBLIC: &str = "https://vault.example.com";
const TEAM: &str = "oncall@example.com";
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

async fn a_proved_address_hears_until_its_link_is_followed(world: World) {
    let local = world.server.origins().to_vec();
    let world = world.restart_with(|config| config.api.origins = [local, vec![format!("{PUBLIC}:443")]].concat()).await;
    let mut ada = world.resident("ada").await;
    let vault = ada.account.found("Corner Shop", &ada.state).await.unwrap();
    let (channel, key) = vault.add_channel(&to(TEAM)).await.unwrap();
    assert!(key.is_empty() && unproved(&vault).await);
    let code = world.newest_code(TEAM).await;
    let [mail] = world.mails_to(TEAM).try_into().expect("one mail");
    assert!(!mail.subject.contains(&code) && !mail.text.contains("Operations"), "nothing of what an admin wrote: {}", mail.text);
    assert!(mail.text.contains("ignore this mail") && mail.unsubscribe.is_none());

    assert!(vault.test_channel(channel).await.is_err() && vault.resume_channel(channel).await.is_err(), "it is not proved");
    assert!(matches!(vault.verify_channel(channel, "00000000").await, Err(Error::Invalid { .. })));
    world.drain().await;
    assert_eq!(world.mails_to(TEAM).len(), 1, "nothing but the code");
    vault.verify_channel(channel, &code).await.unwrap();
    assert!(!unproved(&vault).await);

    vault.test_channel(channel).await.unwrap();
    world.drain().await;
    let [_, trial] = world.mails_to(TEAM).try_into().expect("a trial");
    let pause = format!("keyvawlt notify pause {}", keyvawlt_client::monitors::in_hex(&channel));
    assert!(trial.text.contains("an admin added it") && trial.text.contains(&pause), "why, and how to stop: {}", trial.text);
    let path = trial.unsubscribe.as_deref().and_then(|url| url.strip_prefix(PUBLIC)).expect("a link").to_owned();

    ask(&world, "GET", &path).await;
    assert!(!unproved(&vault).await, "to look changes nothing");
    for _ in 0..2 {
        assert!(ask(&world, "POST", &path).await.starts_with("HTTP/1.1 200 "));
    }
    let [ended] = vault.channels().await.unwrap().try_into().expect("one channel");
    assert!(ended.unproved && ended.paused_at_ms > 0);
    assert!(vault.test_channel(channel).await.is_err() && vault.resume_channel(channel).await.is_err(), "not before it is proved again");
    world.drain().await;
    let told = world.mails_to("ada@example.com").pop().expect("a mail");
    assert!(told.subject.starts_with("No notices go to the channel ") && told.text.contains("followed the link"), "{}", told.text);
    let subjects: Vec<String> = world.mails_to("ada@example.com").into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects.iter().filter(|it| it.contains("go to the channel")).count(), 1, "told once: {subjects:?}");

    world.pass(MINUTE);
    vault.send_channel_code(channel).await.unwrap();
    let another = world.newest_code(TEAM).await;
    vault.verify_channel(channel, &another).await.unwrap();
    let [again] = vault.channels().await.unwrap().try_into().expect("one channel");
    assert!(!again.unproved && again.paused_at_ms == 0, "proved, and sent to");
    vault.test_channel(channel).await.unwrap();
    world.drain().await;
    assert_eq!(world.mails_to(TEAM).len(), 4);
    world.stop().await;
}

async fn an_address_is_proved_within_bounds(world: World) {
    let mut ada = world.resident("ada").await;
    let vault = ada.account.found("Corner Shop", &ada.state).await.unwrap();
    for wrong in ["", "oncall", "oncall@", "a@example.com, b@example.com", "Team <a@example.com>"] {
        assert!(matches!(vault.add_channel(&to(wrong)).await, Err(Error::Invalid { .. })), "{wrong:?}");
    }
    let (channel, _) = vault.add_channel(&to(TEAM)).await.unwrap();
    let code = world.newest_code(TEAM).await;
    assert!(matches!(vault.send_channel_code(channel).await, Err(Error::RateLimited { .. })), "one a minute");
    for _ in 0..5 {
        assert!(vault.verify_channel(channel, "00000000").await.is_err());
    }
    assert!(vault.verify_channel(channel, &code).await.is_err(), "after five wrong guesses the right one is refused, too");

    for nth in 1..MAX_PROOFS_PER_HOUR {
        let (id, _) = vault.add_channel(&to(&format!("team-{nth}@example.com"))).await.unwrap();
        vault.remove_channel(id).await.unwrap();
    }
    let refused = vault.add_channel(&to("one-more@example.com")).await;
    assert!(matches!(refused, Err(Error::RateLimited { retry_after_ms }) if retry_after_ms <= 3_600_000), "{refused:?}");
    world.drain().await;
    assert_eq!(world.mails_to("one-more@example.com").len() + world.mails_to("team-1@example.com").len(), 0, "of what is gone, no code");
    world.pass(HOUR);
    vault.send_channel_code(channel).await.unwrap();
    vault.verify_channel(channel, &world.newest_code(TEAM).await).await.unwrap();
    vault.send_channel_code(channel).await.unwrap();
    world.drain().await;
    assert_eq!(world.mails_to(TEAM).len(), 2, "nothing is left to prove, and nothing is mailed");
    world.stop().await;
}

fn to(address: &str) -> NewChannel {
    NewChannel {
        form: ChannelForm::Email,
        name: format!("Operations {address}"),
        target: address.to_owned(),
        kinds: vec![],
        namespaces: vec![],
    }
}

async fn unproved(vault: &Vault) -> bool {
    vault.channels().await.unwrap()[0].unproved
}
