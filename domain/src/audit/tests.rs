use super::*;
use crate::scratch::{NOW, on_each_engine};
use sea_orm::PaginatorTrait as _;

fn event(subject: &str) -> Event {
    Event {
        org: OrgId([1; 32]),
        at_ms: NOW,
        actor: "slot:a:b".to_owned(),
        action: "namespace.read",
        subject: subject.to_owned(),
        detail: String::new(),
    }
}

async fn stored(store: &Store) -> u64 {
    Entity::find().count(store.read().await.unwrap().db()).await.unwrap()
}

#[tokio::test]
async fn an_event_is_durable_when_its_call_returns() {
    on_each_engine(async |store| {
        let tasks = TaskTracker::new();
        let writer = AuditWriter::start(store.clone(), &tasks);
        let calls = (0..300).map(|n| {
            let writer = writer.clone();
            async move { writer.record((0..n % 3).map(|m| event(&format!("{n}/{m}"))).collect()).await.unwrap() }
        });
        futures::future::join_all(calls).await;
        assert_eq!(stored(store).await, 300);
        writer.record((0..=MAX_GROUP).map(|n| event(&n.to_string())).collect()).await.unwrap();
        assert_eq!(stored(store).await, 300 + MAX_GROUP as u64 + 1);
        drop(writer);
        tasks.close();
        tasks.wait().await;
    })
    .await;
}

#[tokio::test]
async fn nothing_changed_is_noted_once_a_minute() {
    on_each_engine(async |store| {
        let tasks = TaskTracker::new();
        let writer = AuditWriter::start(store.clone(), &tasks);
        for _ in 0..100 {
            writer.note_unchanged(event("one"));
            writer.note_unchanged(event("two"));
        }
        writer.note_unchanged(Event { at_ms: NOW + COALESCE_MS, ..event("one") });
        drop(writer);
        tasks.close();
        tasks.wait().await;
        assert_eq!(stored(store).await, 3);
    })
    .await;
}

#[tokio::test]
async fn an_event_that_cannot_be_stored_fails_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("vault.db").display());
    let store = Store::open(&url, crate::Clock::fixed(NOW), crate::Random::System).await.unwrap();
    let tasks = TaskTracker::new();
    let writer = AuditWriter::start(store.clone(), &tasks);
    store.close().await.unwrap();
    assert!(matches!(writer.record(vec![event("x")]).await, Err(Error::Unavailable)));
}
