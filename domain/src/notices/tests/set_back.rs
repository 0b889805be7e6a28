//! The clock was a year ahead for an hour, and is set back.

use super::super::*;
use super::world::*;
use crate::jobs::{self, Job};
use crate::scratch::{NOW, on_each_engine};
use crate::{Store, set_back};

const YEAR_MS: u64 = 365 * DAY_MS;
const HOUR_MS: u64 = DAY_MS / 24;

/// What the worker did while its clock was ahead, with the sweep that its tick writes; returns who was told.
async fn an_hour_ahead(store: &Store) -> usize {
    store.clock().set_ms(NOW + YEAR_MS);
    let tx = store.write().await.unwrap();
    jobs::enqueue(&tx, &Job::ExpirySweep, store.clock().now_ms(), Some("tick".to_owned())).await.unwrap();
    tx.commit().await.unwrap();
    let told = told_after_a_scan(store).await.len();
    store.clock().set_ms(NOW + HOUR_MS);
    told
}

/// Goes through the organizations; says how many there were.
async fn remind_anew(store: &Store) -> usize {
    let (mut after, mut orgs) = (None, 0);
    loop {
        let tx = store.write().await.unwrap();
        after = set_back::remind_anew(&tx, after).await.unwrap();
        tx.commit().await.unwrap();
        if after.is_none() {
            return orgs;
        }
        orgs += 1;
    }
}

/// On which days of the next year somebody is told, looking every day.
async fn days_told(store: &Store) -> Vec<u64> {
    let mut days = vec![];
    for day in 0..400 {
        store.clock().set_ms(NOW + day * DAY_MS + 2 * HOUR_MS);
        if !told_after_a_scan(store).await.is_empty() {
            days.push(day);
        }
    }
    days
}

#[tokio::test]
async fn every_reminder_still_comes_and_none_twice() {
    on_each_engine(async |store| {
        team(store, NOW + 60 * DAY_MS).await;
        assert!(told_after_a_scan(store).await.is_empty());
        assert_eq!((an_hour_ahead(store).await, told_after_a_scan(store).await.len()), (0, 0), "for that clock it ended long ago");
        assert_eq!((remind_anew(store).await, remind_anew(store).await), (1, 0), "once");
        assert_eq!(days_told(store).await, [30, 46, 53, 57, 59, 60]);
    })
    .await;
}

#[tokio::test]
async fn what_was_told_too_early_is_not_told_again() {
    on_each_engine(async |store| {
        team(store, NOW + 360 * DAY_MS).await;
        assert!(told_after_a_scan(store).await.is_empty());
        assert_eq!(an_hour_ahead(store).await, 1, "that it ended");
        remind_anew(store).await;
        assert_eq!(days_told(store).await, [330, 346, 353, 357, 359]);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_waited_for_that_time_goes_now_and_others_do_not_wait_in_it() {
    on_each_engine(async |store| {
        team(store, NOW + YEAR_MS + 10 * DAY_MS).await;
        store.clock().set_ms(NOW + YEAR_MS);
        let tx = store.write().await.unwrap();
        As(READER).sets(&tx, Preferences { digest_hour: Some(7), ..Preferences::default() }).await.unwrap();
        scan(&tx, ORG, CHILD).await.unwrap();
        tx.commit().await.unwrap();
        store.clock().set_ms(NOW + HOUR_MS);
        let tx = store.write().await.unwrap();
        assert_eq!(set_back::recover(&tx).await.unwrap(), 2, "the message and its job");
        put_secret(&tx, 2, NOW + DAY_MS).await;
        tx.commit().await.unwrap();
        // What is told is what is so now: that of the other version is true no longer.
        assert_eq!(told_after_a_scan(store).await, to(&[READERS]));
    })
    .await;
}
