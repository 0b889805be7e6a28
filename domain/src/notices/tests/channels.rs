//! An organization's channels.

use super::super::*;
use super::world::*;
use crate::authorize::authorize;
use crate::error::Error;
use crate::jobs;
use crate::scratch::{NOW, on_each_engine};
use keyvawlt_schema::audit_event;
use sea_orm::{EntityTrait, QueryOrder};

#[tokio::test]
async fn a_channel_gets_what_is_routed_to_it() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let tx = store.write().await.unwrap();
        assert!(As(READER).changes(&tx, webhook(&[Kind::Expiry], &[])).await.is_err(), "not for members");
        promote(&tx).await;
        let all = As(READER).changes(&tx, webhook(&[Kind::Expiry], &[])).await.unwrap();
        assert_eq!(all.secret.as_ref().map(Vec::len), Some(32));
        As(READER).changes(&tx, webhook(&[Kind::Monitor], &[])).await.unwrap();
        As(READER).changes(&tx, webhook(&[Kind::Expiry], &[NsId([77; 16])])).await.unwrap();
        let paused = As(READER).changes(&tx, webhook(&[Kind::Expiry], &[PARENT])).await.unwrap().id;
        As(READER).changes(&tx, ChannelChange::Pause(paused)).await.unwrap();
        let rotated = As(READER).changes(&tx, ChannelChange::Rotate(all.id)).await.unwrap().secret;
        assert!(rotated.is_some() && rotated != all.secret);
        tx.commit().await.unwrap();
        let told = told_after_a_scan(store).await;
        assert_eq!(told, [(READERS.to_owned(), 1), ("https://hooks.example.com/T0/secret".to_owned(), 1)]);
        let tx = store.write().await.unwrap();
        assert_eq!(As(READER).record(&tx, true).await.unwrap().len(), 2);
        assert_eq!(As(READER).record(&tx, false).await.unwrap().len(), 1);
        As(READER).changes(&tx, ChannelChange::Test(paused)).await.unwrap();
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 1, "a trial goes to a paused channel, too");
        As(READER).changes(&tx, ChannelChange::Remove(paused)).await.unwrap();
        assert!(As(READER).changes(&tx, ChannelChange::Resume(paused)).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_channel_that_fails_for_days_is_paused_and_admins_hear_of_it() {
    on_each_engine(async |store| {
        team(store, NOW + 300 * DAY_MS).await;
        let tx = store.write().await.unwrap();
        promote(&tx).await;
        let id = As(READER).changes(&tx, webhook(&[Kind::Expiry], &[])).await.unwrap().id;
        tx.commit().await.unwrap();
        let fails = async || {
            let tx = store.write().await.unwrap();
            routes::failed(&tx, &ORG, &id, false).await.unwrap();
            tx.commit().await.unwrap();
        };
        // Once while the clock was ahead, which says nothing of these days.
        store.clock().set_ms(NOW + 365 * DAY_MS);
        fails().await;
        store.clock().set_ms(NOW);
        for (after, paused) in [(0, false), (PAUSED_AFTER_MS - 1, false), (1, true)] {
            store.clock().advance_ms(after);
            fails().await;
            let tx = store.read().await.unwrap();
            assert_eq!(routes::find(&tx, &ORG, &id).await.unwrap().unwrap().paused_at.is_some(), paused);
        }
        let [message] = messages_after_a_scan(store).await[..] else { panic!("one message") };
        let (email, items) = delivered(store, message).await;
        assert!(email == READERS && matches!(&items[..], [Item::ChannelPaused(about)] if about.channel == id), "{items:?}");
        let tx = store.write().await.unwrap();
        As(READER).changes(&tx, ChannelChange::Resume(id)).await.unwrap();
        assert_eq!(routes::find(&tx, &ORG, &id).await.unwrap().unwrap().failing_since, None);
        routes::failed(&tx, &ORG, &id, true).await.unwrap();
        assert!(routes::find(&tx, &ORG, &id).await.unwrap().unwrap().paused_at.is_some(), "a closed one at once");
    })
    .await;
}

#[tokio::test]
async fn two_channels_of_one_name_are_not_there_at_once() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let tx = store.write().await.unwrap();
        promote(&tx).await;
        let named = |form: Form, name: &str, target: &str| {
            let (name, target) = (name.to_owned(), target.to_owned());
            ChannelChange::Add { form, name, target, kinds: Kinds::default().with(Kind::Expiry), namespaces: vec![] }
        };
        let one = As(READER).changes(&tx, named(Form::Slack, "ops", "https://hooks.example.com/1")).await.unwrap().id;
        for (form, name, target) in [(Form::Webhook, " ops ", "https://hooks.example.com/2"), (Form::Email, "ops", TEAM)] {
            let refused = As(READER).changes(&tx, named(form, name, target)).await.unwrap_err();
            assert!(matches!(&refused, Error::Invalid { field: "name", why } if why.contains("already")), "{refused}");
        }
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 0, "nothing is mailed for what was refused");
        As(READER).changes(&tx, named(Form::Slack, "Ops", "https://hooks.example.com/1")).await.unwrap();
        As(READER).changes(&tx, ChannelChange::Remove(one)).await.unwrap();
        As(READER).changes(&tx, named(Form::Email, "ops", TEAM)).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn urls_that_cannot_be_are_refused() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let tx = store.write().await.unwrap();
        promote(&tx).await;
        for wrong in ["", "hooks.example.com", "ftp://hooks.example.com/", "https://ada:secret@hooks.example.com/", "file:///etc/passwd"] {
            let ChannelChange::Add { form, name, kinds, namespaces, .. } = webhook(&[Kind::Expiry], &[]) else { panic!("an addition") };
            let error =
                As(READER).changes(&tx, ChannelChange::Add { form, name, target: wrong.to_owned(), kinds, namespaces }).await.unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "target", .. }), "{wrong}: {error}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_changed_a_channel_or_the_thresholds_is_on_record_and_no_url_and_no_key() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let tx = store.write().await.unwrap();
        promote(&tx).await;
        let made = As(READER).changes(&tx, webhook(&[Kind::Expiry], &[])).await.unwrap();
        for change in [ChannelChange::Pause, ChannelChange::Resume, ChannelChange::Rotate, ChannelChange::Test, ChannelChange::Remove] {
            As(READER).changes(&tx, change(made.id)).await.unwrap();
        }
        let failing = As(READER).changes(&tx, webhook(&[Kind::Expiry], &[])).await.unwrap().id;
        routes::failed(&tx, &ORG, &failing, true).await.unwrap();
        let permit = authorize(&tx, As(READER).caller(), Thresholds { org: ORG, set: Some(vec![1, 7]) }).await.unwrap();
        org_thresholds(&permit).await.unwrap();
        tx.commit().await.unwrap();

        let tx = store.read().await.unwrap();
        let events = audit_event::Entity::find().order_by_asc(audit_event::Column::Id).all(tx.db()).await.unwrap();
        let (reader, id, other, org) = (READER.to_string(), made.id.to_string(), failing.to_string(), ORG.to_string());
        let mut told: Vec<_> = events.iter().map(|it| [&it.actor, &it.action, &it.subject, &it.detail].map(String::as_str)).collect();
        // All are of one moment of a clock that stands still.
        told.sort_unstable();
        let mut expected = vec![
            [&reader, "channel.add", &id, "webhook to hooks.example.com"],
            [&reader, "channel.pause", &id, ""],
            [&reader, "channel.resume", &id, ""],
            [&reader, "channel.rotate", &id, ""],
            [&reader, "channel.remove", &id, ""],
            [&reader, "channel.add", &other, "webhook to hooks.example.com"],
            ["server", "channel.pause", &other, "it said that it is gone"],
            [&reader, "thresholds.set", &org, "[7, 1] days"],
        ];
        expected.sort_unstable();
        assert_eq!(told, expected);
    })
    .await;
}
