//! Digests, and the link that ends them.

use super::super::*;
use super::world::*;
use crate::Store;
use crate::authorize::authorize;
use crate::scratch::{NOW, on_each_engine};
use keyvawlt_schema::digest_link;
use sea_orm::EntityTrait;

fn daily() -> Preferences {
    Preferences { digest_hour: Some(12), ..Preferences::default() }
}

/// Sends the digest of today, and gives what it told and its link.
async fn digest(store: &Store) -> (usize, String) {
    assert!(messages_after_a_scan(store).await.is_empty(), "it waits for its hour");
    store.clock().advance_ms(DAY_MS);
    let [id] = messages_after_a_scan(store).await[..] else { panic!("one message") };
    let tx = store.write().await.unwrap();
    assert!(begin(&tx, &ORG, &id).await.unwrap());
    let Attempt::Send(delivery) = load(&tx, &ORG, &id).await.unwrap() else { panic!("something to say") };
    assert!(delivery.digest);
    let token = unsubscribe_token(&tx, &delivery).await.unwrap().unwrap();
    end(&tx, &delivery, &Ending::Sent).await.unwrap();
    tx.commit().await.unwrap();
    (delivery.told.len(), token)
}

async fn write_secret(store: &Store, version: i64, expires_ms: u64) {
    let tx = store.write().await.unwrap();
    put_secret(&tx, version, expires_ms).await;
    tx.commit().await.unwrap();
}

async fn follow(store: &Store, token: &str) {
    let tx = store.write().await.unwrap();
    unsubscribe(&tx, token).await.unwrap();
    tx.commit().await.unwrap();
}

async fn set(store: &Store, preferences: Preferences) {
    let tx = store.write().await.unwrap();
    As(READER).sets(&tx, preferences).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_link_ends_digests_until_they_are_chosen_anew_and_nothing_else() {
    on_each_engine(async |store| {
        team(store, NOW + 20 * DAY_MS).await;
        set(store, daily()).await;
        let (told, token) = digest(store).await;
        assert_eq!((told, token.len()), (1, 64));

        follow(store, "").await;
        follow(store, &token.to_uppercase()).await;
        write_secret(store, 2, store.clock().now_ms() + 10 * DAY_MS).await;
        let (told, another) = digest(store).await;
        assert!(told == 1 && another != token, "a guess ends nothing, and each digest has its own");

        // One waits already, and is not sent.
        write_secret(store, 3, store.clock().now_ms() + 10 * DAY_MS).await;
        assert!(messages_after_a_scan(store).await.is_empty());
        follow(store, &token).await;
        store.clock().advance_ms(DAY_MS);
        let [id] = messages_after_a_scan(store).await[..] else { panic!("one message") };
        assert_eq!(delivered(store, id).await.1, []);
        let tx = store.read().await.unwrap();
        let record = As(READER).record(&tx, false).await.unwrap();
        assert_eq!(record[0].error.as_deref(), Some("the recipient ended the digests"));
        drop(tx);

        write_secret(store, 4, store.clock().now_ms() + 10 * DAY_MS).await;
        messages_after_a_scan(store).await;
        store.clock().advance_ms(DAY_MS);
        assert!(messages_after_a_scan(store).await.is_empty(), "none is begun any more");
        write_secret(store, 5, store.clock().now_ms() - 1).await;
        assert_eq!(told_after_a_scan(store).await, to(&[READERS]), "what is urgent is told at once");

        set(store, daily()).await;
        write_secret(store, 6, store.clock().now_ms() + 10 * DAY_MS).await;
        assert!(digest_begins(store).await, "chosen anew");
    })
    .await;
}

async fn digest_begins(store: &Store) -> bool {
    messages_after_a_scan(store).await;
    store.clock().advance_ms(DAY_MS);
    !messages_after_a_scan(store).await.is_empty()
}

#[tokio::test]
async fn an_old_link_ends_nothing_for_who_is_told_at_once() {
    on_each_engine(async |store| {
        team(store, NOW + 20 * DAY_MS).await;
        set(store, daily()).await;
        let (_, token) = digest(store).await;
        set(store, Preferences::default()).await;
        follow(store, &token).await;
        write_secret(store, 2, store.clock().now_ms() + 10 * DAY_MS).await;
        assert_eq!(told_after_a_scan(store).await, to(&[READERS]));

        let tx = store.write().await.unwrap();
        let row = digest_link::Entity::find().one(tx.db()).await.unwrap().unwrap();
        assert!(!format!("{row:?}").contains(&token) && row.token_hash.len() == 32, "the store has no token");
        tx.commit().await.unwrap();
        store.clock().advance_ms(KEPT_MS + DAY_MS);
        let tx = store.write().await.unwrap();
        prune(&tx).await.unwrap();
        assert_eq!(digest_link::Entity::find().all(tx.db()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn preferences_say_that_a_link_ended_the_digests_and_what_else_is_set_leaves_them_ended() {
    on_each_engine(async |store| {
        team(store, NOW + 20 * DAY_MS).await;
        set(store, daily()).await;
        let (_, token) = digest(store).await;
        assert_eq!(own(store).await.digest_ended_ms, None);
        follow(store, &token).await;
        let ended = own(store).await;
        assert_eq!(ended, Preferences { digest_ended_ms: Some(store.clock().now_ms()), ..daily() });
        let muted = Preferences { muted: [Kind::Monitor].into_iter().collect(), ..ended.clone() };
        set(store, muted.clone()).await;
        assert_eq!(own(store).await, muted, "who mutes a kind has not asked for digests");
        set(store, Preferences { digest_ended_ms: None, ..muted }).await;
        assert_eq!(own(store).await.digest_ended_ms, None, "chosen anew");
        set(store, Preferences { digest_hour: None, ..ended }).await;
        assert_eq!(own(store).await.digest_ended_ms, None, "there is none to be ended");
    })
    .await;
}

async fn own(store: &Store) -> Preferences {
    let tx = store.read().await.unwrap();
    let permit = authorize(&tx, As(READER).caller(), OwnPreferences { org: ORG, set: None }).await.unwrap();
    own_preferences(&permit).await.unwrap()
}
