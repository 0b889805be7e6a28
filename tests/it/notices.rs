//! Notices go where people want them: to a webhook that an admin adds, and not to whoever asked for silence.

use crate::world::{Received, Receiver, World, on_each_store};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keyvawlt_client::{ChannelForm, FactsInput, NewChannel, NoticePreferences, SecretWrite};
use sha2::Sha256;
use std::time::Duration;

on_each_store!(a_webhook_hears_what_a_person_muted);

const DAY: Duration = Duration::from_hours(24);

async fn a_webhook_hears_what_a_person_muted(world: World) {
    let receiver = Receiver::listen().await;
    let world = world.restart_with(|config| config.worker.outbound.allow = vec![receiver.place.clone()]).await;
    let mut ada = world.resident("ada").await;
    let mut vault = ada.account.found("Corner Shop", &ada.state).await.unwrap();
    let production = vault.create_project("webshop", &[("production", 3)]).await.unwrap()[0];
    world.drain().await;
    let mails = world.mails().len();

    let new =
        NewChannel { form: ChannelForm::Webhook, name: "deploys".to_owned(), target: receiver.url(), kinds: vec![], namespaces: vec![] };
    let (channel, key) = vault.add_channel(&new).await.unwrap();
    assert_eq!(vault.channels().await.unwrap()[0].leads_to, "127.0.0.1", "not the rest of the URL");
    vault.test_channel(channel).await.unwrap();
    world.drain().await;
    let [trial] = receiver.received().try_into().expect("one message");
    assert!(trial.body.contains(r#""type":"test""#), "{}", trial.body);
    assert!(is_signed(&trial, &key), "{trial:?}");
    assert_eq!(trial.headers["webhook-timestamp"], (world.now_ms() / 1000).to_string());
    assert!(!is_signed(&trial, b"another key"));

    let key = vault.rotate_channel_secret(channel).await.unwrap();
    let muted = NoticePreferences { muted: vec!["expiry".to_owned()], time_zone: "Europe/Berlin".to_owned(), ..Default::default() };
    vault.set_notice_preferences(muted.clone()).await.unwrap();
    assert_eq!(vault.notice_preferences().await.unwrap(), muted);
    assert_eq!(vault.set_notice_thresholds(&[1, 5]).await.unwrap(), [5, 1]);
    let expires_ms = Some(world.now_ms() + 5 * u64::try_from(DAY.as_millis()).unwrap());
    let facts = FactsInput { expires_ms, label: Some("Stripe live".to_owned()), ..FactsInput::default() };
    vault.write(&production, &[SecretWrite { facts: Some(facts), ..SecretWrite::new("stripe", "sk_1") }]).await.unwrap();
    world.drain().await;
    world.pass(Duration::from_millis(keyvawlt_domain::notices::GATHER_MS));
    world.drain().await;
    assert_eq!(world.mails().len(), mails, "who muted expiry hears nothing of it");
    let [_, expiry] = receiver.received().try_into().expect("two messages");
    assert!(expiry.body.contains("Stripe live expires in 5 days"), "{}", expiry.body);
    assert!(is_signed(&expiry, &key), "with the new key");

    let (own, _) = vault.notice_deliveries(false, "").await.unwrap();
    assert!(own.is_empty(), "nothing was sent to who muted it: {own:?}");
    let (all, next) = vault.notice_deliveries(true, "").await.unwrap();
    let mut said: Vec<_> = all.iter().map(|it| (it.kinds.join(" "), it.state.as_str(), it.to_channel, it.recipient_id.to_vec())).collect();
    // Both are of one moment of a clock that stands still.
    said.sort_unstable();
    let sent = |kind: &str| (kind.to_owned(), "sent", true, channel.to_vec());
    assert_eq!((said, next.as_str()), (vec![sent("expiry"), sent("test")], ""));

    vault.remove_channel(channel).await.unwrap();
    assert!(vault.channels().await.unwrap().is_empty());
    assert!(vault.test_channel(channel).await.is_err(), "of what is gone, there is no trial");
    world.stop().await;
}

/// As `docs/webhooks.md` has receivers check it.
pub fn is_signed(message: &Received, key: &[u8]) -> bool {
    let header = |name: &str| message.headers[name].as_str();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(format!("{id}.{at}.{}", message.body).as_bytes());
    let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    header("webhook-signature") == signature
}
