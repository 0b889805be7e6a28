//! The record of deliveries.

use super::super::*;
use super::world::*;
use crate::scratch::{NOW, on_each_engine};
use keyvawlt_schema::{delivery, notice};
use sea_orm::{ActiveValue::Set, EntityTrait};

#[tokio::test]
async fn what_was_delivered_long_ago_is_forgotten_and_what_was_lost_is_given_up() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        assert_eq!(messages_after_a_scan(store).await.len(), 1);
        store.clock().advance_ms(8 * DAY_MS);
        let tx = store.write().await.unwrap();
        prune(&tx).await.unwrap();
        assert_eq!(As(READER).record(&tx, false).await.unwrap()[0].state, State::GivenUp);
        tx.commit().await.unwrap();
        store.clock().advance_ms(KEPT_MS);
        let tx = store.write().await.unwrap();
        prune(&tx).await.unwrap();
        assert_eq!(As(READER).record(&tx, false).await.unwrap(), []);
        assert_eq!(notice::Entity::find().all(tx.db()).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn what_is_forgotten_goes_page_by_page_until_nothing_old_is_left() {
    on_each_engine(async |store| {
        let tx = store.write().await.unwrap();
        let old = |nth: u32| delivery::ActiveModel {
            org_id: Set(ORG.0.to_vec()),
            id: Set([vec![0; 12], nth.to_be_bytes().to_vec()].concat()),
            recipient_id: Set(READER.0.to_vec()),
            to_channel: Set(false),
            gathers: Set(None),
            digest: Set(false),
            state: Set(State::Sent as i16),
            attempts: Set(1),
            run_at: Set(0),
            last_error: Set(None),
            created_at: Set(0),
            ended_at: Set(Some(0)),
        };
        for page in [0..1_000, 1_000..1_001] {
            delivery::Entity::insert_many(page.map(old)).exec_without_returning(tx.db()).await.unwrap();
        }
        assert!(prune(&tx).await.unwrap(), "a page of them, and there is more");
        assert!(!prune(&tx).await.unwrap());
        assert_eq!(delivery::Entity::find().all(tx.db()).await.unwrap(), []);
        tx.commit().await.unwrap();
    })
    .await;
}
