//! The record of deliveries.

use super::super::*;
use super::world::*;
use crate::scratch::{NOW, on_each_engine};
use keyvawlt_schema::notice;
use sea_orm::EntityTrait;

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
