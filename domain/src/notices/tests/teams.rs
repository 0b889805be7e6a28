//! Channels that are a team's address: mails like a person's, within the bounds of a channel.

use super::super::*;
use super::world::*;
use crate::Store;
use crate::scratch::{NOW, on_each_engine};

const HOUR_MS: u64 = 60 * 60 * 1000;

/// A proved address of a team whose reader is an admin.
async fn address(store: &Store) -> ChannelId {
    team(store, NOW + 300 * DAY_MS).await;
    let tx = store.write().await.unwrap();
    promote(&tx).await;
    let id = proved_address(&tx, &[Kind::Expiry]).await;
    tx.commit().await.unwrap();
    id
}

async fn change(store: &Store, change: ChannelChange) {
    let tx = store.write().await.unwrap();
    As(READER).changes(&tx, change).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_admin_who_tries_an_address_again_and_again_fills_no_mailbox() {
    on_each_engine(async |store| {
        let id = address(store).await;
        let tried = async || {
            change(store, ChannelChange::Test(id)).await;
            // Each moves the clock by the time that messages gather.
            told_after_a_scan(store).await
        };
        let mut heard = 0;
        for _ in 0..240 {
            heard += tried().await.iter().filter(|(to, _)| to == TEAM).count();
        }
        assert_eq!(heard, 120 + 3, "in an hour: those of its first half, and three that waited for ten minutes each");
        store.clock().advance_ms(HOUR_MS);
        assert_eq!(tried().await.len(), 1, "and then all is as before");
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_an_address_that_is_removed_is_not_sent() {
    on_each_engine(async |store| {
        let id = address(store).await;
        change(store, ChannelChange::Test(id)).await;
        let [message] = messages_after_a_scan(store).await[..] else { panic!("one message") };
        change(store, ChannelChange::Remove(id)).await;
        assert_eq!(delivered(store, message).await, (String::new(), vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_team_is_not_paused_for_a_mail_server_that_is_down_but_for_a_reader_who_is_refused() {
    on_each_engine(async |store| {
        let id = address(store).await;
        let ended = async |how: &Ending| {
            change(store, ChannelChange::Test(id)).await;
            let message = messages_after_a_scan(store).await.pop().expect("a message");
            let tx = store.write().await.unwrap();
            assert!(!is_posted(&tx, &ORG, &message).await.unwrap(), "mails take no place of posts");
            assert!(begin(&tx, &ORG, &message).await.unwrap());
            let Attempt::Send(delivery) = load(&tx, &ORG, &message).await.unwrap() else { panic!("something to send") };
            end(&tx, &delivery, how).await.unwrap();
            let row = routes::find(&tx, &ORG, &id).await.unwrap().unwrap();
            tx.commit().await.unwrap();
            store.clock().advance_ms(PAUSED_AFTER_MS);
            (row.failing_since.is_some(), row.paused_at.is_some())
        };
        for how in [Ending::Retry("no route".to_owned()), Ending::GiveUp("no route".to_owned())] {
            assert_eq!(ended(&how).await, (false, false), "{how:?}");
        }
        let refused = Ending::Refused("no such user".to_owned());
        assert_eq!(ended(&refused).await, (true, false));
        assert_eq!(ended(&refused).await, (true, true));
    })
    .await;
}
