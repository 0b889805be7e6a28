mod trials;

use super::*;
use crate::Store;
use crate::scratch::{NOW, on_each_engine};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::facts::Facts;

const ORG: OrgId = OrgId([1; 32]);
const NS: NsId = NsId([2; 16]);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

fn id(nth: u8) -> SecretId {
    SecretId([nth; 16])
}

fn written(nth: u8, version: u64, every_ms: Option<u64>) -> Written {
    Written { secret: id(nth), version, live: true, every_ms, watched: false, written_ms: Some(NOW) }
}

/// A secret's row, as saving a manifest leaves it.
async fn put_secret(tx: &Tx, nth: u8, version: u64, epoch: u64, flags: i64) {
    put_watched(tx, nth, (version, epoch), flags, None).await;
}

async fn put_watched(tx: &Tx, nth: u8, (version, epoch): (u64, u64), flags: i64, monitor: Option<String>) {
    secret::Entity::delete_by_id((ORG.0.to_vec(), NS.0.to_vec(), id(nth).0.to_vec())).exec(tx.db()).await.unwrap();
    let facts = Facts {
        salt: [0; 16],
        expires_ms: None,
        rotate_every_ms: Some(DAY_MS),
        grace_ms: None,
        label: None,
        provider: None,
        owner: None,
        monitor,
    };
    let row = secret::ActiveModel {
        org_id: Set(ORG.0.to_vec()),
        ns_id: Set(NS.0.to_vec()),
        secret_id: Set(id(nth).0.to_vec()),
        idx: Set(i64::from(nth)),
        version: Set(column(version)),
        epoch: Set(column(epoch)),
        flags: Set(flags),
        mseq: Set(1),
        payload_hash: Set(vec![]),
        dek_hash: Set(vec![]),
        name_hash: Set(vec![]),
        facts_hash: Set(vec![]),
        name: Set(vec![]),
        facts: Set(facts.to_bytes()),
        expires_at: Set(None),
        remind_at: Set(None),
        written_at: Set(0),
    };
    secret::Entity::insert(row).exec_without_returning(tx.db()).await.unwrap();
}

async fn row(store: &Store, nth: u8) -> Option<(u64, Option<u64>, Option<u64>, Option<u64>)> {
    let tx = store.read().await.unwrap();
    let row = rotation::Entity::find_by_id((ORG.0.to_vec(), NS.0.to_vec(), id(nth).0.to_vec())).one(tx.db()).await.unwrap();
    row.map(|row| (number(row.version), row.rotate_at.map(number), row.owed_at.map(number), row.remind_at.map(number)))
}

async fn write(store: &Store, some: &[Written]) {
    let tx = store.write().await.unwrap();
    after_write(&tx, &ORG, &NS, some).await.unwrap();
    tx.commit().await.unwrap();
}

async fn owe(store: &Store, epoch: u64, at_ms: u64) {
    let tx = store.write().await.unwrap();
    let mut after = None;
    loop {
        after = mark_owed(&tx, (ORG, NS), epoch, at_ms, after).await.unwrap();
        if after.is_none() {
            break;
        }
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn a_row_is_there_as_long_as_there_is_a_reason() {
    on_each_engine(async |store| {
        write(store, &[written(1, 1, Some(30 * DAY_MS)), written(2, 1, None)]).await;
        let due = NOW + 30 * DAY_MS;
        assert_eq!(row(store, 1).await, Some((1, Some(due), None, Some(due))));
        assert_eq!(row(store, 2).await, None);
        write(store, &[Written { live: false, ..written(1, 2, Some(30 * DAY_MS)) }]).await;
        assert_eq!(row(store, 1).await, None, "deleted");
        write(store, &[written(1, 3, Some(DAY_MS))]).await;
        write(store, &[written(1, 3, None)]).await;
        assert_eq!(row(store, 1).await, None, "nobody wants it replaced any more");
    })
    .await;
}

#[tokio::test]
async fn what_a_leaver_could_read_is_owed_until_it_is_replaced() {
    on_each_engine(async |store| {
        let tx = store.write().await.unwrap();
        for (nth, epoch, flags) in [(1, 1, 0), (2, 2, 0), (3, 1, 1), (4, 1, 2)] {
            put_secret(&tx, nth, 1, epoch, flags).await;
        }
        tx.commit().await.unwrap();
        write(store, &[written(1, 1, Some(30 * DAY_MS))]).await;
        owe(store, 1, NOW - DAY_MS).await;
        assert_eq!(row(store, 1).await, Some((1, Some(NOW + 30 * DAY_MS), Some(NOW - DAY_MS), Some(NOW))));
        for (nth, what) in [(2, "sealed under a later key"), (3, "deleted"), (4, "a draft")] {
            assert_eq!(row(store, nth).await, None, "{what}");
        }
        owe(store, 1, NOW).await;
        assert_eq!(row(store, 1).await.unwrap().2, Some(NOW - DAY_MS), "the first one counts");
        write(store, &[written(1, 1, Some(30 * DAY_MS))]).await;
        assert_eq!(row(store, 1).await.unwrap().2, Some(NOW - DAY_MS), "facts replace nothing");
        write(store, &[written(1, 2, Some(30 * DAY_MS))]).await;
        assert_eq!(row(store, 1).await, Some((2, Some(NOW + 30 * DAY_MS), None, Some(NOW + 30 * DAY_MS))));
    })
    .await;
}

#[tokio::test]
async fn a_sweep_takes_up_what_is_due_and_nothing_twice() {
    on_each_engine(async |store| {
        let tx = store.write().await.unwrap();
        for nth in 1..=3 {
            put_secret(&tx, nth, 1, 1, 0).await;
        }
        tx.commit().await.unwrap();
        let ago = |days: u64| Written { written_ms: Some(NOW - days * DAY_MS), ..written(1, 1, Some(DAY_MS)) };
        write(store, &[ago(2), Written { secret: id(2), ..ago(9) }, Written { secret: id(3), ..ago(0) }]).await;
        let tx = store.write().await.unwrap();
        assert!(!sweep(&tx).await.unwrap());
        tx.commit().await.unwrap();
        let next = async |nth| row(store, nth).await.unwrap().3;
        assert_eq!(next(1).await, Some(NOW - DAY_MS + stages::ESCALATE_AFTER_MS));
        assert_eq!(next(2).await, Some(NOW - 8 * DAY_MS + stages::AGAIN_AFTER_MS), "a stage that was missed is not made up for");
        assert_eq!(next(3).await, Some(NOW + DAY_MS));
    })
    .await;
}

#[tokio::test]
async fn what_a_clock_that_was_ahead_passed_over_is_found_again_and_what_was_told_to_the_end_is_left() {
    on_each_engine(async |store| {
        let tx = store.write().await.unwrap();
        for nth in 1..=2 {
            put_secret(&tx, nth, 1, 1, 0).await;
        }
        tx.commit().await.unwrap();
        let old = Written { secret: id(2), written_ms: Some(NOW - 200 * DAY_MS), ..written(2, 1, Some(DAY_MS)) };
        write(store, &[written(1, 1, Some(10 * DAY_MS)), old]).await;
        let swept = async |again: bool| {
            let tx = store.write().await.unwrap();
            if again {
                remind_anew(&tx, &ORG).await.unwrap();
            }
            assert!(!sweep(&tx).await.unwrap());
            tx.commit().await.unwrap();
            [row(store, 1).await.unwrap().3, row(store, 2).await.unwrap().3]
        };
        store.clock().set_ms(NOW + 365 * DAY_MS);
        assert_eq!(swept(false).await, [None, None]);
        store.clock().set_ms(NOW);
        assert_eq!(swept(false).await, [None, None]);
        assert_eq!(swept(true).await, [Some(NOW + 10 * DAY_MS), None]);
    })
    .await;
}
