use super::*;
use crate::Store;
use crate::scratch::{NOW, on_each_engine};

const LEASE_MS: u64 = 60_000;

async fn put(store: &Store, key: Option<&str>) -> bool {
    let tx = store.write().await.unwrap();
    let written = enqueue(&tx, &Job::Prune, NOW, key.map(ToOwned::to_owned)).await.unwrap();
    tx.commit().await.unwrap();
    written
}

async fn due_now(store: &Store) -> Vec<JobId> {
    due(&store.read().await.unwrap(), 10).await.unwrap()
}

async fn take(store: &Store, id: JobId) -> Option<Claim> {
    let tx = store.write().await.unwrap();
    let claim = claim(&tx, id, "a worker", LEASE_MS).await.unwrap();
    tx.commit().await.unwrap();
    claim
}

async fn count(store: &Store) -> Counts {
    counts(&store.read().await.unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_key_is_used_once_even_after_the_job_is_done() {
    on_each_engine(async |store| {
        assert!(put(store, Some("tick@1")).await);
        assert!(!put(store, Some("tick@1")).await);
        let claim = take(store, due_now(store).await[0]).await.unwrap();
        let tx = store.write().await.unwrap();
        assert!(finish(&tx, &claim).await.unwrap());
        tx.commit().await.unwrap();
        assert!(!put(store, Some("tick@1")).await);
        assert!(put(store, None).await && put(store, None).await);
        assert_eq!(due_now(store).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_job_of_a_transaction_that_is_dropped_was_never_written() {
    on_each_engine(async |store| {
        let tx = store.write().await.unwrap();
        assert!(enqueue(&tx, &Job::Prune, NOW, None).await.unwrap());
        drop(tx);
        assert!(due_now(store).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn one_of_two_workers_gets_a_job() {
    on_each_engine(async |store| {
        put(store, None).await;
        let id = due_now(store).await[0];
        let (one, other) = tokio::join!(take(store, id), take(store, id));
        assert_eq!(usize::from(one.is_some()) + usize::from(other.is_some()), 1);
    })
    .await;
}

#[tokio::test]
async fn failures_are_retried_later_and_later_and_then_given_up() {
    on_each_engine(async |store| {
        put(store, None).await;
        let id = due_now(store).await[0];
        for attempt in 1..=3 {
            let claim = take(store, id).await.unwrap();
            assert_eq!(claim.attempt, attempt);
            let tx = store.write().await.unwrap();
            assert!(retry(&tx, &claim, "the mail server sleeps").await.unwrap());
            tx.commit().await.unwrap();
            assert!(due_now(store).await.is_empty(), "not at once");
            store.clock().advance_ms(backoff_ms(attempt));
        }
        assert_eq!(count(store).await, Counts { given_up: 1, ..Counts::default() });
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_ran_out_is_somebody_elses_to_end() {
    on_each_engine(async |store| {
        put(store, None).await;
        let id = due_now(store).await[0];
        let lost = take(store, id).await.unwrap();
        assert!(take(store, id).await.is_none());
        store.clock().advance_ms(LEASE_MS);
        let tx = store.write().await.unwrap();
        assert_eq!(expire_leases(&tx).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let taken = take(store, id).await.unwrap();
        let tx = store.write().await.unwrap();
        assert!(!finish(&tx, &lost).await.unwrap());
        assert!(finish(&tx, &taken).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(count(store).await, Counts::default());
    })
    .await;
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_given_up() {
    on_each_engine(async |store| {
        put(store, None).await;
        let id = due_now(store).await[0];
        for _ in 0..3 {
            assert!(take(store, id).await.is_some());
            store.clock().advance_ms(LEASE_MS);
            let tx = store.write().await.unwrap();
            expire_leases(&tx).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(count(store).await, Counts { given_up: 1, ..Counts::default() });
    })
    .await;
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    on_each_engine(async |store| {
        put(store, Some("tick@1")).await;
        let claim = take(store, due_now(store).await[0]).await.unwrap();
        let tx = store.write().await.unwrap();
        finish(&tx, &claim).await.unwrap();
        assert_eq!(prune(&tx).await.unwrap(), 0);
        tx.commit().await.unwrap();
        store.clock().advance_ms(DONE_KEPT_MS);
        let tx = store.write().await.unwrap();
        assert_eq!(prune(&tx).await.unwrap(), 1);
    })
    .await;
}

#[test]
fn the_waits_double_up_to_an_hour() {
    let waits: Vec<u64> = [1, 2, 3, 10, 11, 16, i32::MAX].map(backoff_ms).to_vec();
    assert_eq!(waits, [5_000, 10_000, 20_000, 2_560_000, 3_600_000, 3_600_000, 3_600_000]);
}

#[test]
fn a_job_reads_back_what_it_wrote() {
    let job =
        Job::ExpiryAlert { org: OrgId([1; 32]), ns: NsId([2; 16]), secret: SecretId([3; 16]), version: 4, recipient: IdentityId([5; 16]) };
    let text = serde_json::to_string(&job).unwrap();
    assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
}
