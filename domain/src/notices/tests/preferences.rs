//! What people want to hear, and when.

use super::super::*;
use super::world::*;
use crate::authorize::authorize;
use crate::error::Error;
use crate::scratch::{NOW, on_each_engine};

#[tokio::test]
async fn preferences_are_kept_and_honoured() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let silent = [
            Preferences { muted: [Kind::Expiry].into_iter().collect(), ..Preferences::default() },
            Preferences { namespaces: vec![NsId([77; 16])], ..Preferences::default() },
        ];
        for (nth, preferences) in silent.into_iter().enumerate() {
            let tx = store.write().await.unwrap();
            As(READER).sets(&tx, preferences.clone()).await.unwrap();
            let permit = authorize(&tx, As(READER).caller(), OwnPreferences { org: ORG, set: None }).await.unwrap();
            assert_eq!(own_preferences(&permit).await.unwrap(), preferences);
            put_secret(&tx, 1, NOW + DAY_MS + nth as u64).await;
            tx.commit().await.unwrap();
            assert!(told_after_a_scan(store).await.is_empty());
        }
        let tx = store.write().await.unwrap();
        let here = Preferences { namespaces: vec![PARENT], muted: [Kind::Monitor].into_iter().collect(), ..Preferences::default() };
        As(READER).sets(&tx, here).await.unwrap();
        put_secret(&tx, 1, NOW + DAY_MS + 9).await;
        tx.commit().await.unwrap();
        assert_eq!(told_after_a_scan(store).await, to(&[READERS]), "the project above was chosen");
    })
    .await;
}

#[tokio::test]
async fn what_is_muted_or_quiet_meanwhile_waits_or_is_left_out() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let tx = store.write().await.unwrap();
        // 09:00 UTC is 10:00 in Berlin.
        let quiet = Preferences { quiet: Some((9 * 60, 12 * 60)), zone: "Europe/Berlin".to_owned(), ..Preferences::default() };
        As(READER).sets(&tx, quiet.clone()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(messages_after_a_scan(store).await.is_empty(), "quiet hours");
        store.clock().advance_ms(2 * 60 * 60 * 1000);
        let [id] = messages_after_a_scan(store).await[..] else { panic!("one message") };
        let tx = store.write().await.unwrap();
        As(READER).sets(&tx, Preferences { muted: [Kind::Expiry].into_iter().collect(), ..quiet }).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(delivered(store, id).await.1, []);
        let tx = store.read().await.unwrap();
        let record = As(READER).record(&tx, false).await.unwrap();
        assert_eq!((record.len(), record[0].state, record[0].dropped), (1, State::Cancelled, 1));
        assert_eq!(record[0].error.as_deref(), Some("the recipient does not want it any more"));
    })
    .await;
}

#[tokio::test]
async fn preferences_that_cannot_be_are_refused_by_their_field() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let wrong = [
            ("time_zone", Preferences { zone: "Europe/Atlantis".to_owned(), ..Preferences::default() }),
            ("digest_hour", Preferences { digest_hour: Some(24), ..Preferences::default() }),
            ("quiet_hours", Preferences { quiet: Some((0, 1_440)), ..Preferences::default() }),
            ("namespaces", Preferences { namespaces: vec![CHILD; 101], ..Preferences::default() }),
        ];
        let tx = store.write().await.unwrap();
        for (field, preferences) in wrong {
            let error = As(READER).sets(&tx, preferences).await.unwrap_err();
            assert!(matches!(error, Error::Invalid { field: of, .. } if of == field), "{field}: {error}");
        }
        assert!(As(IdentityId([99; 16])).sets(&tx, Preferences::default()).await.is_err(), "a stranger");
    })
    .await;
}
