//! Who hears of a happening, once, and of what is true still.

use super::super::*;
use super::world::*;
use crate::jobs;
use crate::scratch::chain::give;
use crate::scratch::{NOW, on_each_engine};
use crate::store::column;
use keyvawlt_ledger::SecretId;
use keyvawlt_ledger::chain::permission;
use keyvawlt_schema::{notice, secret};
use sea_orm::{ActiveValue::Set, EntityTrait};

#[tokio::test]
async fn a_happening_is_told_once_for_each_recipient_and_key() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let topic = Topic::Expiry { ns: CHILD, secret: SECRET, version: 1, threshold_days: 1 };
        let audience = Audience::People(vec![READER, UNPROVED, ADDED_BY_OTHERS, WITH_OTHER_KEYS, WRITER_ONLY_ELSEWHERE, MACHINE]);
        let notice = Notice { org: ORG, topic, audience, key: "a happening".to_owned(), urgent: true };
        let tx = store.write().await.unwrap();
        raise(&tx, &notice).await.unwrap();
        raise(&tx, &notice).await.unwrap();
        raise(&tx, &Notice { key: "another".to_owned(), ..notice.clone() }).await.unwrap();
        raise(&tx, &Notice { audience: Audience::Admins, ..notice }).await.unwrap();
        let rows = notice::Entity::find().all(tx.db()).await.unwrap();
        assert_eq!(
            rows.iter().map(|row| (row.recipient_id.clone(), &row.key[..])).collect::<Vec<_>>(),
            [(READER.0.to_vec(), "a happening"), (READER.0.to_vec(), "another")]
        );
        assert_eq!(rows[0].delivery_id, rows[1].delivery_id, "in one message");
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 1, "at once");
    })
    .await;
}

#[tokio::test]
async fn of_many_secrets_one_message_tells() {
    on_each_engine(async |store| {
        team(store, NOW + 365 * DAY_MS).await;
        let tx = store.write().await.unwrap();
        let id = |nth: usize| SecretId(u128::to_be_bytes(nth as u128));
        let rows: Vec<_> = (0..1_000).map(|nth| secret_row(id(nth), 1, NOW + DAY_MS)).collect();
        for rows in rows.chunks(250) {
            secret::Entity::insert_many(rows.to_vec()).exec_without_returning(tx.db()).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(told_after_a_scan(store).await, [(READERS.to_owned(), 1_000)]);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_told_what_has_changed_since() {
    on_each_engine(async |store| {
        type Change = (&'static str, fn(secret::ActiveModel) -> secret::ActiveModel);
        let changes: [Change; 4] = [
            ("replaced", |row| secret::ActiveModel { version: Set(2), ..row }),
            ("moved", |row| secret::ActiveModel { expires_at: Set(Some(column(NOW + 300 * DAY_MS))), ..row }),
            ("deleted", |row| secret::ActiveModel { flags: Set(1), ..row }),
            ("without an end", |row| secret::ActiveModel { expires_at: Set(None), ..row }),
        ];
        team(store, NOW + DAY_MS).await;
        for (nth, (what, change)) in changes.into_iter().enumerate() {
            let tx = store.write().await.unwrap();
            put_secret(&tx, 1, NOW + DAY_MS + nth as u64).await;
            tx.commit().await.unwrap();
            let messages = messages_after_a_scan(store).await;
            assert_eq!(messages.len(), 1, "{what}");
            let tx = store.write().await.unwrap();
            secret::Entity::update(change(secret_row(SECRET, 1, NOW + DAY_MS + nth as u64))).exec(tx.db()).await.unwrap();
            tx.commit().await.unwrap();
            assert_eq!(delivered(store, messages[0]).await.1, [], "{what}");
        }
        let tx = store.read().await.unwrap();
        let rows = notice::Entity::find().all(tx.db()).await.unwrap();
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row.state == DROPPED && row.reason.as_deref() == Some("it is true no longer")), "{rows:?}");
    })
    .await;
}

#[tokio::test]
async fn whoever_lost_access_is_told_nothing() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let messages = messages_after_a_scan(store).await;
        let tx = store.write().await.unwrap();
        give(&tx, PARENT, READER, permission::MANAGE, 0).await;
        tx.commit().await.unwrap();
        assert_eq!(delivered(store, messages[0]).await.1, []);
    })
    .await;
}

#[tokio::test]
async fn what_fails_is_told_later_as_the_same_message() {
    on_each_engine(async |store| {
        team(store, NOW + 14 * DAY_MS).await;
        let [id] = messages_after_a_scan(store).await[..] else { panic!("one message") };
        let mut ids = Vec::new();
        for ending in [Ending::Retry("no route".to_owned()), Ending::Sent] {
            let tx = store.write().await.unwrap();
            assert!(begin(&tx, &ORG, &id).await.unwrap());
            let Attempt::Send(delivery) = load(&tx, &ORG, &id).await.unwrap() else { panic!("something to send") };
            ids.push(delivery.message_id());
            end(&tx, &delivery, &ending).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert_eq!(ids[0], ids[1]);
        let tx = store.read().await.unwrap();
        let rows = notice::Entity::find().all(tx.db()).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [TOLD]);
    })
    .await;
}

#[tokio::test]
async fn whoever_moves_a_date_again_and_again_fills_nobodys_inbox() {
    on_each_engine(async |store| {
        team(store, NOW + 300 * DAY_MS).await;
        // It has just ended, at another moment each time: urgent, and news each time.
        let messages = async |ended_ago_ms: u64| {
            let tx = store.write().await.unwrap();
            put_secret(&tx, 1, NOW - ended_ago_ms).await;
            tx.commit().await.unwrap();
            told_after_a_scan(store).await.len()
        };
        let mut heard = 0;
        for nth in 0..240 {
            heard += messages(nth).await;
        }
        assert_eq!(heard, 120 + 3, "in an hour: those of its first half, and three that waited for ten minutes each");
        assert_eq!(messages(240).await, 0);
        store.clock().advance_ms(60 * 60 * 1000);
        assert_eq!(told_after_a_scan(store).await.len(), 1, "what waited");
        assert_eq!(messages(1_000).await, 1, "and then all is as before");
    })
    .await;
}

#[tokio::test]
async fn a_full_message_goes_and_another_gathers() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let notice = |nth: usize| Notice {
            org: ORG,
            topic: Topic::Expiry { ns: CHILD, secret: SECRET, version: 1, threshold_days: 1 },
            audience: Audience::People(vec![READER]),
            key: format!("happening {nth}"),
            urgent: false,
        };
        let most = gather::MAX_RIDING;
        // One to begin with, then a page that fills it and more, then what joins the last one.
        for part in [0..1, 1..2 * most + 10, 2 * most + 10..2 * most + 20] {
            let tx = store.write().await.unwrap();
            let notices: Vec<Notice> = part.map(notice).collect();
            raise_with(&tx, &mut People::of(ORG), &notices).await.unwrap();
            raise_with(&tx, &mut People::of(ORG), &notices).await.unwrap();
            tx.commit().await.unwrap();
        }
        let tx = store.write().await.unwrap();
        let record = As(READER).record(&tx, false).await.unwrap();
        let mut riding: Vec<u64> = record.iter().map(|entry| entry.notices).collect();
        // All are of one moment of a clock that stands still.
        riding.sort_unstable();
        assert_eq!(riding, [20, most as u64, most as u64]);
        assert!(record.iter().all(|entry| entry.run_at_ms == NOW + GATHER_MS && entry.state == State::Queued));
        tx.commit().await.unwrap();
        store.clock().advance_ms(GATHER_MS);
        let tx = store.write().await.unwrap();
        assert_eq!(jobs::due(&tx, 10).await.unwrap().len(), 3, "a job for each");
    })
    .await;
}
