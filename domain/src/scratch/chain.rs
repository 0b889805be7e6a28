//! One organization's state, written as rows without its log: for tests of what reads it.

use crate::Tx;
use keyvawlt_ledger::chain::{AccessEntry, Entry, Key, Member, Ns, Seal, WrapsEntry, class};
use keyvawlt_ledger::{Blob, Hash, IdentityId, KeyId, NsId, OrgId};
use keyvawlt_schema::{entry, org};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};

/// The organization.
pub(crate) const ORG: OrgId = OrgId([1; 32]);

/// Writes the organization's row.
pub(crate) async fn put_org(tx: &Tx) {
    let row = org::ActiveModel {
        id: Set(ORG.0.to_vec()),
        head_seq: Set(0),
        head_hash: Set(vec![]),
        history: Set(vec![]),
        change: Set(0),
        created_at: Set(0),
        has_past: Set(false),
    };
    org::Entity::insert(row).exec_without_returning(tx.db()).await.unwrap();
}

/// Writes an entry, or another value of it.
pub(crate) async fn put(tx: &Tx, key: Key, value: Entry) {
    let row =
        entry::ActiveModel { org_id: Set(ORG.0.to_vec()), key: Set(key.as_bytes().to_vec()), value: Set(value.to_bytes()), since: Set(0) };
    let newer = OnConflict::columns([entry::Column::OrgId, entry::Column::Key]).update_column(entry::Column::Value).to_owned();
    entry::Entity::insert(row).on_conflict(newer).exec_without_returning(tx.db()).await.unwrap();
}

/// A member of a role and of a bundle's kind, whose keys are all zeros.
pub(crate) fn member(role: u8, kind: u8) -> Entry {
    Entry::Member(Member {
        role,
        kind,
        sign_pk: [0; 32],
        key_id: KeyId([0; 32]),
        generation: 1,
        expires_ms: 0,
        pending: false,
        verified: 0,
        reset_seq: 0,
    })
}

/// Writes a namespace without names.
pub(crate) async fn put_namespace(tx: &Tx, ns: NsId, parent: Option<NsId>) {
    put(tx, Key::ns(&ns), namespace(class::DEVELOPMENT, parent)).await;
    if let Some(parent) = parent {
        put(tx, Key::child(&parent, &ns), Entry::Mark).await;
    }
}

/// Writes the directory.
pub(crate) async fn put_directory(tx: &Tx, ns: NsId) {
    put(tx, Key::ns(&ns), namespace(class::DIRECTORY, None)).await;
}

fn namespace(class: u8, parent: Option<NsId>) -> Entry {
    let wraps = WrapsEntry { root: Hash::ZERO, count: 0, author: IdentityId([0; 16]), author_key_id: KeyId([0; 32]) };
    Entry::Ns(Box::new(Ns {
        parent,
        class,
        archived: false,
        names: Seal { epoch: 1, sealed: Blob(vec![]) },
        create_hash: Hash::ZERO,
        epoch: 1,
        nk_commit: Hash::ZERO,
        parent_seal: None,
        wraps,
        fence: None,
        seen: None,
        owed: false,
        family: 1,
    }))
}

/// Lets somebody do something in a namespace; for ever with an expiry of 0.
pub(crate) async fn give(tx: &Tx, ns: NsId, who: IdentityId, permissions: u8, expires_ms: u64) {
    put(tx, Key::access_of(&who, &ns), Entry::Mark).await;
    put(tx, Key::access(&ns, &who), Entry::Access(AccessEntry { permissions, expires_ms, wrap: None })).await;
}
