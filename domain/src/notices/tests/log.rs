//! The record of deliveries.

use super::super::*;
use super::world::*;
use crate::jobs::{self, Job, desk};
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

#[tokio::test]
async fn what_was_sent_plainer_than_it_should_be_says_so_to_its_reader_and_to_admins() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let [id] = messages_after_a_scan(store).await[..] else { panic!("one message") };
        let tx = store.write().await.unwrap();
        assert!(begin(&tx, &ORG, &id).await.unwrap());
        let Attempt::Send(delivery) = load(&tx, &ORG, &id).await.unwrap() else { panic!("something to send") };
        end(&tx, &delivery, &Ending::SentPlainly("its template failed".to_owned())).await.unwrap();
        promote(&tx).await;
        for everybody in [false, true] {
            let record = As(READER).record(&tx, everybody).await.unwrap();
            let entry = &record[0];
            assert_eq!((entry.state, entry.error.as_deref(), entry.dropped), (State::Sent, Some("its template failed"), 0));
        }
        let rows = notice::Entity::find().all(tx.db()).await.unwrap();
        assert!(rows.iter().all(|row| row.state == TOLD), "told, and not again");
        assert!(!begin(&tx, &ORG, &id).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_message_that_was_given_up_is_sent_when_the_operator_has_its_job_run_again() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let job = scanned(store).await;
        let tx = store.write().await.unwrap();
        let claim = jobs::claim(&tx, job, "test").await.unwrap().unwrap();
        let Job::Deliver { delivery, .. } = claim.job else { panic!("a message") };
        assert!(begin(&tx, &ORG, &delivery).await.unwrap());
        let Attempt::Send(found) = load(&tx, &ORG, &delivery).await.unwrap() else { panic!("something to say") };
        end(&tx, &found, &Ending::GiveUp("the mail server is away".to_owned())).await.unwrap();
        jobs::give_up(&tx, &claim, "the mail server is away").await.unwrap();
        tx.commit().await.unwrap();

        store.clock().advance_ms(DAY_MS / 2);
        let tx = store.write().await.unwrap();
        assert!(desk::run_again(&tx, job).await.unwrap());
        assert_eq!(As(READER).record(&tx, false).await.unwrap()[0].state, State::Queued);
        tx.commit().await.unwrap();
        let (email, items) = delivered(store, delivery).await;
        assert_eq!((email.as_str(), items.len()), (READERS, 1));
        let tx = store.write().await.unwrap();
        desk::run_again(&tx, job).await.unwrap();
        assert_eq!(As(READER).record(&tx, false).await.unwrap()[0].state, State::Sent, "what was sent is not sent again");
        tx.commit().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn nothing_joins_a_message_whose_job_was_discarded() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let job = scanned(store).await;
        let tx = store.write().await.unwrap();
        assert!(desk::discard(&tx, job).await.unwrap());
        let record = As(READER).record(&tx, false).await.unwrap();
        assert_eq!((record[0].state, record[0].error.as_deref()), (State::Cancelled, Some("discarded by the operator")));
        put_secret(&tx, 2, NOW + DAY_MS).await;
        tx.commit().await.unwrap();
        assert_eq!(told_after_a_scan(store).await, to(&[READERS]), "the next notice has a message of its own");
    })
    .await;
}

/// Scans, and gives the one message's job, which still waits for company.
async fn scanned(store: &crate::Store) -> jobs::JobId {
    let tx = store.write().await.unwrap();
    scan(&tx, ORG, CHILD).await.unwrap();
    let found = desk::list(&tx, Some(desk::State::Queued), None, 10).await.unwrap();
    tx.commit().await.unwrap();
    store.clock().advance_ms(GATHER_MS);
    found.iter().find(|job| job.kind == "deliver").unwrap().id
}
