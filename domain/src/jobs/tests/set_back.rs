//! The clock was a year ahead for an hour, and is set back: jobs of that hour run again, and those that run are left alone.

use super::*;
use crate::set_back;

const YEAR_MS: u64 = 365 * DAY_MS;
const HOUR_MS: u64 = DAY_MS / 24;

async fn recover(store: &Store) -> u64 {
    let tx = store.write().await.unwrap();
    let called_back = set_back::recover(&tx).await.unwrap();
    tx.commit().await.unwrap();
    called_back
}

async fn expire(store: &Store) -> u64 {
    let tx = store.write().await.unwrap();
    let again = expire_leases(&tx).await.unwrap();
    tx.commit().await.unwrap();
    again
}

#[tokio::test]
async fn what_was_put_off_then_is_due_and_runs_once() {
    on_each_engine(async |store| {
        put(store, None).await;
        store.clock().set_ms(NOW + YEAR_MS);
        let claim = take(store, due_now(store).await[0]).await.unwrap();
        let tx = store.write().await.unwrap();
        assert!(retry(&tx, &claim, "the mail server sleeps").await.unwrap());
        enqueue(&tx, &Job::ExpirySweep, store.clock().now_ms() + HOUR_MS, None).await.unwrap();
        tx.commit().await.unwrap();

        store.clock().set_ms(NOW + HOUR_MS);
        assert!(due_now(store).await.is_empty());
        assert_eq!((recover(store).await, recover(store).await), (2, 0));
        for id in due_now(store).await {
            let claim = take(store, id).await.unwrap();
            let tx = store.write().await.unwrap();
            assert!(finish(&tx, &claim).await.unwrap());
            tx.commit().await.unwrap();
        }
        assert_eq!(count(store).await, Counts::default());
    })
    .await;
}

#[tokio::test]
async fn what_may_wait_for_days_waits() {
    on_each_engine(async |store| {
        let tx = store.write().await.unwrap();
        enqueue(&tx, &Job::Prune, NOW + LONGEST_WAIT_MS, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(recover(store).await, 0);
        store.clock().set_ms(NOW - DAY_MS);
        assert_eq!((recover(store).await, due_now(store).await.len()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_killed_workers_job_runs_again_and_a_living_ones_stays_its_own() {
    on_each_engine(async |store| {
        put(store, None).await;
        put_code(store).await;
        store.clock().set_ms(NOW + YEAR_MS);
        let mut claims = vec![];
        for id in due_now(store).await {
            claims.push(take(store, id).await.unwrap());
        }
        store.clock().set_ms(NOW + HOUR_MS);
        assert_eq!(expire(store).await, 0, "nobody knows yet who lives");
        store.clock().advance_ms(LEASE_MS - 1);
        let tx = store.write().await.unwrap();
        assert!(renew(&tx, &claims[0]).await.unwrap());
        tx.commit().await.unwrap();
        store.clock().advance_ms(1);
        assert_eq!((expire(store).await, due_now(store).await), (1, vec![claims[1].id]));
        let tx = store.write().await.unwrap();
        assert!(finish(&tx, &claims[0]).await.unwrap() && !finish(&tx, &claims[1]).await.unwrap());
        tx.commit().await.unwrap();
    })
    .await;
}
