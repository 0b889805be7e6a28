//! Secrets that end: the sweep, the scan, the thresholds.

use super::super::*;
use super::world::*;
use crate::authorize::authorize;
use crate::jobs;
use crate::scratch::{NOW, on_each_engine};
use crate::store::number;
use keyvawlt_schema::secret;
use sea_orm::EntityTrait;

#[tokio::test]
async fn people_who_read_hear_once_of_each_threshold_and_version() {
    on_each_engine(async |store| {
        team(store, NOW + 30 * DAY_MS).await;
        assert_eq!(told_after_a_scan(store).await, to(&[READERS]));
        for (day, heard) in [(1, 0), (15, 0), (16, 1), (17, 0), (23, 1), (27, 1), (28, 0), (29, 1), (30, 1), (31, 0), (59, 0)] {
            store.clock().advance_ms(NOW + day * DAY_MS + 1 - store.clock().now_ms());
            let told = told_after_a_scan(store).await;
            assert_eq!(told.len(), heard, "day {day}");
            assert!(told_after_a_scan(store).await.is_empty(), "not again");
        }
        let tx = store.write().await.unwrap();
        put_secret(&tx, 2, store.clock().now_ms() + DAY_MS).await;
        tx.commit().await.unwrap();
        assert_eq!(told_after_a_scan(store).await, to(&[READERS]), "another version");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_due_is_left_alone_and_comes_back_when_it_is() {
    on_each_engine(async |store| {
        team(store, NOW + 31 * DAY_MS).await;
        assert!(told_after_a_scan(store).await.is_empty());
        let tx = store.write().await.unwrap();
        let row = secret::Entity::find().one(tx.db()).await.unwrap().unwrap();
        assert_eq!(row.remind_at.map(number), Some(NOW + DAY_MS));
        put_secret(&tx, 1, NOW - BEHIND_MS).await;
        tx.commit().await.unwrap();
        assert!(told_after_a_scan(store).await.is_empty(), "it ended a month ago");
        let tx = store.write().await.unwrap();
        assert_eq!(secret::Entity::find().one(tx.db()).await.unwrap().unwrap().remind_at, None);
    })
    .await;
}

#[test]
fn only_the_nearest_of_the_passed_thresholds_is_told() {
    let nearest = |left_ms: i64| expiry::nearest(&DEFAULT_THRESHOLDS, NOW.checked_add_signed(left_ms).unwrap(), NOW);
    let day = i64::try_from(DAY_MS).unwrap();
    let cases = [(31, None), (30, Some(30)), (15, Some(30)), (14, Some(14)), (5, Some(7)), (2, Some(3)), (1, Some(1)), (0, Some(0))];
    for (days, threshold) in cases {
        assert_eq!(nearest(days * day), threshold, "{days}");
    }
    assert_eq!((nearest(1), nearest(-29 * day), nearest(-30 * day)), (Some(1), Some(0), None));
}

#[tokio::test]
async fn the_store_and_the_program_agree_on_the_next_moment() {
    on_each_engine(async |store| {
        for days_left in [400, 31, 30, 29, 14, 8, 3, 2, 1, 0] {
            let expires_ms = NOW + days_left * DAY_MS;
            let tx = store.write().await.unwrap();
            secret::Entity::delete_many().exec(tx.db()).await.unwrap();
            secret::Entity::insert(secret_row(SECRET, 1, expires_ms)).exec_without_returning(tx.db()).await.unwrap();
            scan(&tx, ORG, CHILD).await.unwrap();
            let stored = secret::Entity::find().one(tx.db()).await.unwrap().unwrap().remind_at.map(number);
            let passed = |days: &&u16| expires_ms - u64::from(**days) * DAY_MS > tx.now_ms();
            let next = DEFAULT_THRESHOLDS.iter().filter(passed).max().map(|days| expires_ms - u64::from(*days) * DAY_MS);
            assert_eq!(stored, next, "{days_left}");
            let first = first_moment(&DEFAULT_THRESHOLDS, 0, Some(expires_ms), tx.now_ms());
            assert_eq!(first, if days_left > 30 { next } else { Some(tx.now_ms()) }, "{days_left}");
            assert_eq!(first_moment(&DEFAULT_THRESHOLDS, 1, Some(expires_ms), tx.now_ms()), None, "deleted");
        }
    })
    .await;
}

#[tokio::test]
async fn a_sweep_finds_the_namespaces_and_a_write_asks_for_its_own() {
    on_each_engine(async |store| {
        team(store, NOW + 7 * DAY_MS).await;
        let tx = store.write().await.unwrap();
        assert_eq!(sweep(&tx, None).await.unwrap(), None);
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 1);
        after_write(&tx, ORG, CHILD, [NOW + 1, u64::MAX]).await.unwrap();
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 1, "nothing to speak of yet");
        after_write(&tx, ORG, CHILD, [NOW + 1, NOW]).await.unwrap();
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 2, "one scan for one write");
        after_write(&tx, ORG, CHILD, [NOW]).await.unwrap();
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 3, "another write, another scan, in the same moment too");
    })
    .await;
}

#[tokio::test]
async fn an_organization_chooses_its_thresholds() {
    on_each_engine(async |store| {
        team(store, NOW + 60 * DAY_MS).await;
        assert!(told_after_a_scan(store).await.is_empty());
        let tx = store.write().await.unwrap();
        let set = |days: &[u16]| Thresholds { org: ORG, set: Some(days.to_vec()) };
        assert!(authorize(&tx, As(READER).caller(), set(&[60])).await.is_err(), "not for members");
        promote(&tx).await;
        for wrong in [vec![], vec![366], (0..11).collect()] {
            let permit = authorize(&tx, As(READER).caller(), set(&wrong)).await.unwrap();
            assert!(org_thresholds(&permit).await.is_err(), "{wrong:?}");
        }
        let permit = authorize(&tx, As(READER).caller(), set(&[5, 90, 5])).await.unwrap();
        assert_eq!(org_thresholds(&permit).await.unwrap(), [90, 5]);
        tx.commit().await.unwrap();
        assert_eq!(told_after_a_scan(store).await, to(&[READERS]), "what would have been told already is told now");
        let tx = store.read().await.unwrap();
        let row = secret::Entity::find().one(tx.db()).await.unwrap().unwrap();
        assert_eq!(row.remind_at.map(number), Some(NOW + 55 * DAY_MS));
    })
    .await;
}
