//! A new version on trial: what its row says after each sweep, and whether people are told.

use super::*;
use crate::key_health;
use crate::monitors::{MonitorId, State};
use crate::notices::reload_trial;
use keyvawlt_schema::{key_health as key_row, monitor};

const MONITOR: MonitorId = MonitorId([9; 16]);
const HOUR_MS: u64 = 60 * 60 * 1000;
const MINUTE_MS: u64 = 60_000;
/// When its trial is over, with a monitor of a minute.
const END: u64 = NOW + DAY_MS + MINUTE_MS;

#[tokio::test]
async fn only_a_watched_version_that_replaced_another_a_short_while_ago_is_on_trial() {
    on_each_engine(async |store| {
        let watched = |version| Written { watched: true, ..written(1, version, None) };
        let trial = async || trial_of(store).await;
        write(store, &[watched(1)]).await;
        assert_eq!(trial().await, None, "it replaced nothing");
        write(store, &[written(1, 2, None)]).await;
        assert_eq!(trial().await, None, "nobody watches");
        write(store, &[Written { written_ms: Some(NOW - DAY_MS), ..watched(2) }]).await;
        assert_eq!(trial().await, None, "long ago");
        write(store, &[watched(2)]).await;
        assert_eq!(trial().await, Some((Some(NOW), Some(NOW + HOUR_MS))), "its deployment gets an hour");
        store.clock().advance_ms(2 * DAY_MS);
        write(store, &[watched(2)]).await;
        assert_eq!(trial().await.map(|(at, _)| at), Some(Some(NOW)), "facts told anew do not end it");
        write(store, &[Written { live: false, ..watched(3) }]).await;
        assert_eq!(trial().await, None, "what is deleted needs not work");
    })
    .await;
}

#[tokio::test]
async fn a_rotation_is_done_when_the_monitor_is_well_and_not_before() {
    use State::{Degraded, Down, Flapping, Maintenance, Paused, Pending, Stale, Unknown, Up};
    // How the monitor stands, since when, what the sweep finds at which moment, and when it looks again; `None`: the rotation is done.
    let rows: [(State, u64, u64, bool, Option<u64>); 16] = [
        (Up, NOW - 1, NOW + HOUR_MS, false, Some(NOW + 2 * HOUR_MS)),
        (Up, NOW - 1, END - 1, false, Some(END - 1 + HOUR_MS)),
        (Up, NOW - 1, END, false, None),
        (Degraded, NOW, END, false, None),
        (Down, NOW - DAY_MS, NOW + HOUR_MS - 1, false, Some(NOW + HOUR_MS)),
        (Down, NOW - DAY_MS, NOW + HOUR_MS, true, Some(NOW + HOUR_MS + 7 * DAY_MS)),
        (Down, NOW + 5 * HOUR_MS, NOW + 5 * HOUR_MS, true, Some(NOW + 5 * HOUR_MS + 7 * DAY_MS)),
        (Down, END, END + 60 * DAY_MS, true, Some(u64::MAX)),
        (Down, END + 1, END + DAY_MS, false, None),
        (Flapping, NOW + 1, END, true, Some(NOW + HOUR_MS + 7 * DAY_MS)),
        (Pending, NOW, END, false, Some(END + HOUR_MS)),
        (Unknown, NOW, END, false, Some(END + HOUR_MS)),
        (Maintenance, NOW, END, false, Some(END + HOUR_MS)),
        (Stale, NOW, END, false, Some(END + HOUR_MS)),
        (Paused, NOW, NOW + HOUR_MS, false, None),
        (Paused, NOW, END, false, None),
    ];
    for (state, since, at, told, next) in rows {
        on_each_engine(async |store| {
            begin(store).await;
            store.clock().advance_ms(at - NOW);
            stand(store, state, since).await;
            let found = sweep_at(store).await;
            let next = next.map(|next| (Some(NOW), Some(next).filter(|next| *next != u64::MAX)));
            assert_eq!((found, told_of(store).await), (next, told), "{state:?} since {since} at {at}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_key_that_its_provider_refuses_keeps_a_rotation_open_too() {
    on_each_engine(async |store| {
        begin(store).await;
        store.clock().advance_ms(END - NOW);
        stand(store, State::Up, NOW).await;
        let open = |next| Some((Some(NOW), Some(next)));
        for (state, failed_at, told, next) in [
            (key_health::State::Invalid, Some(NOW + 2 * HOUR_MS), true, open(NOW + 2 * HOUR_MS + 7 * DAY_MS)),
            (key_health::State::Suspect, Some(NOW + 2 * HOUR_MS), false, open(END + HOUR_MS)),
            (key_health::State::Valid, None, false, None),
        ] {
            found(store, state, failed_at).await;
            assert_eq!((sweep_at(store).await, told_of(store).await), (next, told), "{state:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_monitor_that_is_gone_or_of_another_place_keeps_nothing_open() {
    for other in [None, Some([7_u8; 16])] {
        on_each_engine(async |store| {
            begin(store).await;
            if let Some(ns) = other {
                stand(store, State::Down, NOW).await;
                let tx = store.write().await.unwrap();
                let place = Expr::value(ns.to_vec());
                monitor::Entity::update_many().col_expr(monitor::Column::NsId, place).exec(tx.db()).await.unwrap();
                tx.commit().await.unwrap();
            }
            store.clock().advance_ms(HOUR_MS);
            assert_eq!(sweep_at(store).await, None, "{other:?}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_trial_that_is_over_leaves_the_reasons_of_its_row() {
    on_each_engine(async |store| {
        begin(store).await;
        write(store, &[Written { watched: true, ..written(1, 2, Some(30 * DAY_MS)) }]).await;
        store.clock().advance_ms(END - NOW);
        stand(store, State::Up, NOW).await;
        assert_eq!(sweep_at(store).await, Some((None, Some(NOW + 30 * DAY_MS))));
    })
    .await;
}

/// A second version, watched, of which nothing else is due.
async fn begin(store: &Store) {
    let tx = store.write().await.unwrap();
    put_watched(&tx, 1, (2, 1), 0, Some(MONITOR.to_string())).await;
    tx.commit().await.unwrap();
    write(store, &[Written { watched: true, ..written(1, 2, None) }]).await;
}

/// Has the sweep look, whether or not it is due; when the row's version was written that is on trial, and when it is looked at next.
async fn sweep_at(store: &Store) -> Option<(Option<u64>, Option<u64>)> {
    let tx = store.write().await.unwrap();
    let now = Expr::value(column(tx.now_ms()));
    rotation::Entity::update_many().col_expr(rotation::Column::RemindAt, now).exec(tx.db()).await.unwrap();
    sweep(&tx).await.unwrap();
    tx.commit().await.unwrap();
    trial_of(store).await
}

async fn trial_of(store: &Store) -> Option<(Option<u64>, Option<u64>)> {
    let tx = store.read().await.unwrap();
    let row = rotation::Entity::find_by_id((ORG.0.to_vec(), NS.0.to_vec(), id(1).0.to_vec())).one(tx.db()).await.unwrap();
    row.map(|row| (row.trial_at.map(number), row.remind_at.map(number)))
}

/// Whether a notice of the trial would be said now.
async fn told_of(store: &Store) -> bool {
    let tx = store.read().await.unwrap();
    reload_trial(&tx, &ORG, (&NS, &id(1)), 2, Stage::Owner).await.unwrap().is_some()
}

/// The monitor stands so, since then.
async fn stand(store: &Store, state: State, since: u64) {
    let tx = store.write().await.unwrap();
    let key = (ORG.0.to_vec(), MONITOR.0.to_vec());
    monitor::Entity::delete_by_id(key.clone()).exec(tx.db()).await.unwrap();
    // Stale is never stored: a look is overdue.
    let (stored, next_at) = if state == State::Stale { (State::Down, 0) } else { (state, tx.now_ms()) };
    let number = State::ALL.iter().position(|one| *one == stored).unwrap();
    let row = monitor::ActiveModel {
        org_id: Set(key.0),
        monitor_id: Set(key.1),
        ns_id: Set(NS.0.to_vec()),
        name: Set("api".to_owned()),
        url: Set("https://api.example.com/".to_owned()),
        host: Set("api.example.com".to_owned()),
        rules: Set("{}".to_owned()),
        interval: Set(column(MINUTE_MS)),
        state: Set(i16::try_from(number).unwrap()),
        since: Set(column(since)),
        memory: Set("{}".to_owned()),
        incident_id: Set(None),
        next_at: Set((state != State::Paused).then_some(column(next_at))),
        lease_until: Set(None),
        leased_by: Set(None),
        round: Set(0),
        checked_at: Set(None),
        passed: Set(None),
        latency: Set(None),
        problem: Set(None),
        certificate_ends_at: Set(None),
        revision: Set(0),
        created_at: Set(0),
    };
    monitor::Entity::insert(row).exec_without_returning(tx.db()).await.unwrap();
    tx.commit().await.unwrap();
}

/// Findings about the new version left it so.
async fn found(store: &Store, state: key_health::State, failed_at: Option<u64>) {
    let tx = store.write().await.unwrap();
    key_row::Entity::delete_by_id((ORG.0.to_vec(), NS.0.to_vec(), id(1).0.to_vec(), 2)).exec(tx.db()).await.unwrap();
    let row = key_row::ActiveModel {
        org_id: Set(ORG.0.to_vec()),
        ns_id: Set(NS.0.to_vec()),
        secret_id: Set(id(1).0.to_vec()),
        version: Set(2),
        state: Set(state as i16),
        provider: Set(String::new()),
        newest: Set(None),
        newest_at: Set(Some(column(tx.now_ms()))),
        decided: Set(None),
        failed: Set(None),
        failed_at: Set(failed_at.map(column)),
        expires_at: Set(None),
        interval: Set(None),
        lease_until: Set(None),
        leased_by: Set(None),
        stale_at: Set(None),
    };
    key_row::Entity::insert(row).exec_without_returning(tx.db()).await.unwrap();
    tx.commit().await.unwrap();
}
