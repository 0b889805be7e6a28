use super::*;
use crate::scratch::{NOW, on_each_engine};
use sea_orm::ActiveValue::Set;

async fn open(path: &std::path::Path) -> Result<Store, OpenError> {
    Store::open(&format!("sqlite://{}", path.display()), Clock::fixed(NOW), Random::System).await
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = open(&folder.path().join("nowhere/vault.db")).await.unwrap_err();
    assert!(matches!(&error, OpenError::FolderMissing(path) if path.ends_with("nowhere")), "{error}");
    assert!(error.to_string().contains("nowhere"));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    std::fs::write(&path, "my shopping list, which is long enough to look like a header of something").unwrap();
    assert!(open(&path).await.is_err());
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("my shopping list"));
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vault.db");
    let store = open(&path).await.unwrap();
    let sql = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    store.writer.execute_unprepared(sql).await.unwrap();
    store.close().await.unwrap();
    let error = open(&path).await.unwrap_err();
    assert!(matches!(&error, OpenError::Newer(unknown) if unknown == &["m9999_later"]), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_and_its_logs_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("a ?#% b.db")).await.unwrap();
    store.write().await.unwrap().commit().await.unwrap();
    let mut seen = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        seen += 1;
    }
    assert!(seen >= 2, "the database and its log");
}

#[tokio::test]
async fn a_reader_sees_one_moment_and_does_not_wait_for_the_writer() {
    on_each_engine(async |store| {
        let id = OrgId([9; 32]);
        let reader = store.read().await.unwrap();
        assert!(org::Entity::find().one(reader.db()).await.unwrap().is_none());
        let writer = store.write().await.unwrap();
        assert!(!writer.lock_org(&id).await.unwrap());
        let row = org::ActiveModel {
            id: Set(id.0.to_vec()),
            head_seq: Set(0),
            head_hash: Set(vec![]),
            history: Set(vec![]),
            change: Set(1),
            created_at: Set(column(writer.now_ms())),
            has_past: Set(true),
        };
        org::Entity::insert(row).exec_without_returning(writer.db()).await.unwrap();
        assert!(org::Entity::find().one(reader.db()).await.unwrap().is_none());
        writer.commit().await.unwrap();
        assert!(org::Entity::find().one(reader.db()).await.unwrap().is_none());
        let later = store.write().await.unwrap();
        assert!(later.lock_org(&id).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn a_reader_cannot_write() {
    on_each_engine(async |store| {
        let tx = store.read().await.unwrap();
        assert!(org::Entity::delete_many().exec(tx.db()).await.is_err());
    })
    .await;
}
