mod set_back;

use super::attempt::{APART_MS, backoff_ms};
use super::kinds::MAX_CRASHES;
use super::*;
use crate::Store;
use crate::scratch::{NOW, on_each_engine};
use std::collections::BTreeSet;

async fn put(store: &Store, key: Option<&str>) -> bool {
    let tx = store.write().await.unwrap();
    let written = enqueue(&tx, &Job::Prune, NOW, key.map(ToOwned::to_owned)).await.unwrap();
    tx.commit().await.unwrap();
    written
}

async fn put_code(store: &Store) {
    let tx = store.write().await.unwrap();
    enqueue(&tx, &Job::EmailCode { account: AccountId([1; 16]) }, NOW, None).await.unwrap();
    tx.commit().await.unwrap();
}

async fn due_now(store: &Store) -> Vec<JobId> {
    due(&store.read().await.unwrap(), 10).await.unwrap()
}

async fn take(store: &Store, id: JobId) -> Option<Claim> {
    let tx = store.write().await.unwrap();
    let claim = claim(&tx, id, "a worker").await.unwrap();
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
        assert_eq!(count(store).await.due, 2);
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
async fn a_wait_that_was_asked_for_is_kept_to() {
    on_each_engine(async |store| {
        put(store, None).await;
        let id = due_now(store).await[0];
        let claim = take(store, id).await.unwrap();
        let tx = store.write().await.unwrap();
        assert!(retry_after(&tx, &claim, "it answered 429", 900_000).await.unwrap());
        tx.commit().await.unwrap();
        store.clock().advance_ms(900_000 - 1);
        assert!(due_now(store).await.is_empty(), "not a moment before");
        store.clock().advance_ms(1);
        assert_eq!(due_now(store).await, [id]);
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

async fn crash(store: &Store, id: JobId) {
    assert!(take(store, id).await.is_some());
    store.clock().advance_ms(LEASE_MS);
    let tx = store.write().await.unwrap();
    expire_leases(&tx).await.unwrap();
    tx.commit().await.unwrap();
    // Whenever it is due again.
    let longest = u64::try_from(MAX_CRASHES).unwrap() * APART_MS;
    store.clock().advance_ms(longest);
}

#[tokio::test]
async fn what_was_cut_off_together_is_due_at_once_and_later_apart() {
    on_each_engine(async |store| {
        for _ in 0..4 {
            put_code(store).await;
        }
        for crashes in 1..MAX_CRASHES {
            let mut ids = due_now(store).await;
            assert_eq!(ids.len(), 4);
            for id in ids.drain(..) {
                assert!(take(store, id).await.is_some());
            }
            store.clock().advance_ms(LEASE_MS);
            let tx = store.write().await.unwrap();
            assert_eq!(expire_leases(&tx).await.unwrap(), 4);
            tx.commit().await.unwrap();
            let rows = Entity::find().select_only().column(Column::RunAt).into_tuple::<i64>();
            let now = column(store.clock().now_ms());
            let waits: BTreeSet<i64> = rows.all(store.read().await.unwrap().db()).await.unwrap().into_iter().map(|at| at - now).collect();
            if crashes == 1 {
                assert_eq!(waits, [0].into());
            } else {
                let longest = column(u64::try_from(crashes).unwrap() * APART_MS);
                assert!(waits.len() > 1 && waits.iter().all(|wait| (0..longest).contains(wait)), "{waits:?}");
            }
            store.clock().advance_ms(u64::try_from(MAX_CRASHES).unwrap() * APART_MS);
        }
    })
    .await;
}

#[tokio::test]
async fn a_job_that_kills_its_workers_is_given_up() {
    on_each_engine(async |store| {
        put(store, None).await;
        let id = due_now(store).await[0];
        for _ in 1..MAX_CRASHES {
            crash(store, id).await;
            assert_eq!(count(store).await, Counts { due: 1, ..Counts::default() });
        }
        crash(store, id).await;
        assert_eq!(count(store).await, Counts { given_up: 1, ..Counts::default() });
    })
    .await;
}

#[tokio::test]
async fn crashes_and_failures_are_counted_apart() {
    on_each_engine(async |store| {
        put_code(store).await;
        let id = due_now(store).await[0];
        for failure in 1..kinds::EMAIL_CODE.attempts {
            for _ in 1..MAX_CRASHES {
                crash(store, id).await;
            }
            let claim = take(store, id).await.unwrap();
            let tx = store.write().await.unwrap();
            assert!(retry(&tx, &claim, "the mail server sleeps").await.unwrap());
            tx.commit().await.unwrap();
            store.clock().advance_ms(backoff_ms(failure));
        }
        assert_eq!(count(store).await, Counts { due: 1, ..Counts::default() }, "some crashes between failures are bad luck");
        let claim = take(store, id).await.unwrap();
        assert_eq!(claim.attempt, MAX_CRASHES * kinds::EMAIL_CODE.attempts - (MAX_CRASHES - 1), "every attempt has a number of its own");
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_renewed_by_its_holder_alone() {
    on_each_engine(async |store| {
        put(store, None).await;
        let id = due_now(store).await[0];
        let claim = take(store, id).await.unwrap();
        store.clock().advance_ms(LEASE_MS - 1);
        let tx = store.write().await.unwrap();
        assert!(renew(&tx, &claim).await.unwrap());
        tx.commit().await.unwrap();
        store.clock().advance_ms(LEASE_MS - 1);
        let tx = store.write().await.unwrap();
        assert_eq!(expire_leases(&tx).await.unwrap(), 0);
        tx.commit().await.unwrap();
        store.clock().advance_ms(1);
        let tx = store.write().await.unwrap();
        assert_eq!(expire_leases(&tx).await.unwrap(), 1);
        assert!(!renew(&tx, &claim).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn what_is_given_back_is_due_at_once_and_no_failure() {
    on_each_engine(async |store| {
        put(store, None).await;
        let id = due_now(store).await[0];
        for _ in 0..10 {
            let claim = take(store, id).await.unwrap();
            let tx = store.write().await.unwrap();
            assert!(give_back(&tx, &claim).await.unwrap());
            assert!(!finish(&tx, &claim).await.unwrap(), "the attempt has ended");
            tx.commit().await.unwrap();
        }
        assert_eq!(count(store).await, Counts { due: 1, ..Counts::default() });
    })
    .await;
}

#[tokio::test]
async fn of_a_kind_no_more_run_at_once_than_may() {
    on_each_engine(async |store| {
        put(store, None).await;
        put(store, None).await;
        let one = due_now(store).await;
        assert_eq!(one.len(), 1, "two tables are not cleaned at once");
        let claim = take(store, one[0]).await.unwrap();
        assert!(due_now(store).await.is_empty());
        let tx = store.read().await.unwrap();
        let other = Entity::find().filter(Column::State.eq(QUEUED)).one(tx.db()).await.unwrap().unwrap();
        let other = JobId(other.id.try_into().unwrap());
        drop(tx);
        assert!(take(store, other).await.is_none(), "whoever asks for it past the relay");
        let tx = store.write().await.unwrap();
        finish(&tx, &claim).await.unwrap();
        tx.commit().await.unwrap();
        assert!(take(store, other).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn the_urgent_goes_before_the_early() {
    on_each_engine(async |store| {
        let code = Job::EmailCode { account: AccountId([1; 16]) };
        let scan = Job::ExpiryScan { org: OrgId([1; 32]), ns: NsId([2; 16]) };
        let tx = store.write().await.unwrap();
        for (job, at) in [(&Job::Prune, NOW - 9), (&scan, NOW - 5), (&code, NOW), (&scan, NOW - 7), (&code, NOW + 1)] {
            enqueue(&tx, job, at, None).await.unwrap();
        }
        tx.commit().await.unwrap();
        let mut order = Vec::new();
        let tx = store.read().await.unwrap();
        for id in due(&tx, 10).await.unwrap() {
            let row = Entity::find_by_id(id.0.to_vec()).one(tx.db()).await.unwrap().unwrap();
            order.push((row.kind, number(row.run_at) + 9 - NOW));
        }
        let expected = [("email_code", 9), ("expiry_scan", 2), ("expiry_scan", 4), ("prune", 0)];
        assert_eq!(order, expected.map(|(kind, at)| (kind.to_owned(), at)));
        assert_eq!(due(&tx, 2).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn what_a_newer_program_wrote_is_left_to_it_and_what_nobody_understands_is_given_up() {
    on_each_engine(async |store| {
        put(store, None).await;
        let id = due_now(store).await[0];
        let set = async |column: Column, value: &str| {
            let tx = store.write().await.unwrap();
            Entity::update_many().col_expr(column, Expr::value(value)).exec(tx.db()).await.unwrap();
            tx.commit().await.unwrap();
        };
        set(Column::Kind, "dance").await;
        assert!(due_now(store).await.is_empty());
        assert!(take(store, id).await.is_none());
        set(Column::Kind, "prune").await;
        set(Column::Payload, r#"{"job":"waltz"}"#).await;
        assert!(take(store, id).await.is_none());
        let tx = store.read().await.unwrap();
        let listed = desk::list(&tx, Some(desk::State::GivenUp), None, 10).await.unwrap();
        assert!(listed[0].last_error.as_ref().unwrap().contains("waltz"), "{listed:?}");
    })
    .await;
}

#[tokio::test]
async fn the_operator_lists_and_runs_again_and_discards() {
    on_each_engine(async |store| {
        for key in ["a", "b", "c"] {
            put(store, Some(key)).await;
            store.clock().advance_ms(1);
        }
        let id = due_now(store).await[0];
        let claim = take(store, id).await.unwrap();
        let tx = store.write().await.unwrap();
        assert!(!desk::run_again(&tx, id).await.unwrap() && !desk::discard(&tx, id).await.unwrap(), "somebody has it");
        give_up(&tx, &claim, "the address is refused").await.unwrap();
        tx.commit().await.unwrap();

        let tx = store.write().await.unwrap();
        let page = desk::list(&tx, None, None, 2).await.unwrap();
        let rest = desk::list(&tx, None, Some(page[1].id), 2).await.unwrap();
        assert_eq!((page.len(), rest.len(), rest[0].id), (2, 1, id), "the newest first");
        assert_eq!(desk::list(&tx, Some(desk::State::GivenUp), None, 9).await.unwrap(), rest);
        assert!(desk::run_again(&tx, id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(take(store, id).await.unwrap().failures, 0);

        let tx = store.write().await.unwrap();
        assert!(desk::discard(&tx, page[0].id).await.unwrap());
        assert!(!desk::discard(&tx, page[0].id).await.unwrap());
        tx.commit().await.unwrap();
        assert!(!put(store, Some("c")).await, "its key stays used");
    })
    .await;
}

#[test]
fn every_kind_has_its_line() {
    insta::assert_snapshot!(kinds::table());
    let mut names: Vec<&str> = kinds::ALL.iter().map(|kind| kind.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), kinds::ALL.len(), "two kinds of one name");
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten() {
    on_each_engine(async |store| {
        put(store, Some("tick@1")).await;
        let claim = take(store, due_now(store).await[0]).await.unwrap();
        let tx = store.write().await.unwrap();
        finish(&tx, &claim).await.unwrap();
        assert!(!prune(&tx).await.unwrap());
        tx.commit().await.unwrap();
        assert!(!put(store, Some("tick@1")).await);
        store.clock().advance_ms(DONE_KEPT_MS);
        let tx = store.write().await.unwrap();
        assert!(!prune(&tx).await.unwrap());
        tx.commit().await.unwrap();
        assert!(put(store, Some("tick@1")).await, "the row is gone, and its key with it");
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
    let job = Job::Deliver { org: OrgId([1; 32]), delivery: DeliveryId([2; 16]) };
    let text = serde_json::to_string(&job).unwrap();
    assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
}
