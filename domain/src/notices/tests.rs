use super::*;
use crate::Store;
use crate::scratch::{NOW, on_each_engine};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{AccessEntry, Entry, Key, Member, Ns, WrapsEntry, permission, role};
use keyvawlt_ledger::facts::Facts;
use keyvawlt_ledger::{Blob, Hash, KeyId};
use keyvawlt_schema::entry;

const ORG: OrgId = OrgId([1; 32]);
const PARENT: NsId = NsId([2; 16]);
const CHILD: NsId = NsId([3; 16]);
const SECRET: SecretId = SecretId([4; 16]);
const READER: IdentityId = IdentityId([5; 16]);
const WRITER_ONLY_ELSEWHERE: IdentityId = IdentityId([6; 16]);
const MACHINE: IdentityId = IdentityId([7; 16]);
const UNPROVED: IdentityId = IdentityId([8; 16]);
const ADDED_BY_OTHERS: IdentityId = IdentityId([9; 16]);
const WITH_OTHER_KEYS: IdentityId = IdentityId([10; 16]);

async fn put_entry(tx: &Tx, key: Key, value: Entry) {
    let row =
        entry::ActiveModel { org_id: Set(ORG.0.to_vec()), key: Set(key.as_bytes().to_vec()), value: Set(value.to_bytes()), since: Set(0) };
    let newer = OnConflict::columns([entry::Column::OrgId, entry::Column::Key]).update_column(entry::Column::Value).to_owned();
    entry::Entity::insert(row).on_conflict(newer).exec_without_returning(tx.db()).await.unwrap();
}

fn member(kind: u8) -> Entry {
    Entry::Member(Member {
        role: role::MEMBER,
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

fn namespace(parent: Option<NsId>) -> Entry {
    let wraps = WrapsEntry { root: Hash::ZERO, count: 0, author: READER, author_key_id: KeyId([0; 32]) };
    Entry::Ns(Box::new(Ns {
        parent,
        class: 1,
        archived: false,
        names: keyvawlt_ledger::chain::Seal { epoch: 1, sealed: Blob(vec![]) },
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

async fn give(tx: &Tx, ns: NsId, who: IdentityId, permissions: u8, expires_ms: u64) {
    let access = Entry::Access(AccessEntry { permissions, expires_ms, wrap: None });
    put_entry(tx, Key::access(&ns, &who), access).await;
}

async fn put_account(tx: &Tx, who: IdentityId, proved: bool) {
    let row = account::ActiveModel {
        id: Set(who.0.to_vec()),
        email: Set(format!("{:02x}@example.com", who.0[0])),
        email_verified_at: Set(proved.then_some(1)),
        identity_id: Set(who.0.to_vec()),
        key_id: Set(who.0.to_vec()),
        blob: Set(vec![]),
        generation: Set(1),
        pins: Set(None),
        email_code_hash: Set(None),
        email_code_expires_at: Set(None),
        email_code_attempts: Set(0),
        created_at: Set(0),
    };
    account::Entity::insert(row).exec_without_returning(tx.db()).await.unwrap();
}

/// How the member came to the organization: by itself or not, with the account's keys or others that claim its id.
async fn put_member(tx: &Tx, who: IdentityId) {
    let key_id = if who == WITH_OTHER_KEYS { vec![1] } else { who.0.to_vec() };
    let row = keyvawlt_schema::member::ActiveModel {
        org_id: Set(ORG.0.to_vec()),
        identity_id: Set(who.0.to_vec()),
        role: Set(i16::from(role::MEMBER)),
        key_id: Set(key_id),
        own: Set(who != ADDED_BY_OTHERS),
        expires_ms: Set(None),
    };
    keyvawlt_schema::member::Entity::insert(row).exec_without_returning(tx.db()).await.unwrap();
    let key = account_key::ActiveModel { account_id: Set(who.0.to_vec()), key_id: Set(who.0.to_vec()) };
    account_key::Entity::insert(key).exec_without_returning(tx.db()).await.unwrap();
}

async fn put_secret(tx: &Tx, version: i64, expires_ms: u64) {
    secret::Entity::delete_many().exec(tx.db()).await.unwrap();
    secret::Entity::insert(secret_row(SECRET, version, expires_ms)).exec_without_returning(tx.db()).await.unwrap();
}

fn secret_row(id: SecretId, version: i64, expires_ms: u64) -> secret::ActiveModel {
    let facts = Facts {
        salt: [0; 16],
        expires_ms: Some(expires_ms),
        rotate_every_ms: None,
        grace_ms: None,
        label: Some("Stripe live".to_owned()),
        provider: None,
        owner: None,
        monitor: None,
    };
    secret::ActiveModel {
        org_id: Set(ORG.0.to_vec()),
        ns_id: Set(CHILD.0.to_vec()),
        secret_id: Set(id.0.to_vec()),
        idx: Set(0),
        version: Set(version),
        epoch: Set(1),
        flags: Set(0),
        mseq: Set(1),
        payload_hash: Set(vec![]),
        dek_hash: Set(vec![]),
        name_hash: Set(vec![]),
        facts_hash: Set(vec![]),
        name: Set(vec![]),
        facts: Set(facts.to_bytes()),
        expires_at: Set(Some(column(expires_ms))),
        written_at: Set(0),
    }
}

/// A person who reads the parent, one whose access lapsed, a machine, a person without a proved address, and two strangers: one who was added
/// without his doing, and one whose id somebody gave to keys of his own.
async fn team(store: &Store, expires_ms: u64) {
    let tx = store.write().await.unwrap();
    put_entry(&tx, Key::ns(&PARENT), namespace(None)).await;
    put_entry(&tx, Key::ns(&CHILD), namespace(Some(PARENT))).await;
    for who in [READER, WRITER_ONLY_ELSEWHERE, MACHINE, UNPROVED, ADDED_BY_OTHERS, WITH_OTHER_KEYS] {
        let kind = if who == MACHINE { kind::MACHINE } else { kind::PERSON };
        put_entry(&tx, Key::member(&who), member(kind)).await;
        put_account(&tx, who, who != UNPROVED).await;
        put_member(&tx, who).await;
    }
    give(&tx, CHILD, ADDED_BY_OTHERS, permission::READ, 0).await;
    give(&tx, CHILD, WITH_OTHER_KEYS, permission::READ, 0).await;
    give(&tx, PARENT, READER, permission::READ | permission::WRITE, 0).await;
    give(&tx, PARENT, MACHINE, permission::READ, 0).await;
    give(&tx, CHILD, UNPROVED, permission::READ, 0).await;
    give(&tx, CHILD, WRITER_ONLY_ELSEWHERE, permission::READ, NOW).await;
    put_secret(&tx, 1, expires_ms).await;
    tx.commit().await.unwrap();
}

async fn alerts_after_a_scan(store: &Store) -> Vec<IdentityId> {
    let tx = store.write().await.unwrap();
    assert_eq!(scan(&tx, ORG, CHILD, None).await.unwrap(), None);
    tx.commit().await.unwrap();
    let tx = store.write().await.unwrap();
    let mut told = Vec::new();
    for id in jobs::due(&tx, 10).await.unwrap() {
        let claim = jobs::claim(&tx, id, "test", 1).await.unwrap().unwrap();
        if let Job::ExpiryAlert { recipient, .. } = claim.job {
            told.push(recipient);
        }
        jobs::finish(&tx, &claim).await.unwrap();
    }
    tx.commit().await.unwrap();
    told
}

#[tokio::test]
async fn people_who_read_hear_once_of_each_version() {
    on_each_engine(async |store| {
        team(store, NOW + AHEAD_MS).await;
        assert_eq!(alerts_after_a_scan(store).await, [READER]);
        assert!(alerts_after_a_scan(store).await.is_empty());
        store.clock().advance_ms(AHEAD_MS + 1);
        assert!(alerts_after_a_scan(store).await.is_empty(), "not again when it has passed");
        let tx = store.write().await.unwrap();
        put_secret(&tx, 2, NOW + AHEAD_MS + 2).await;
        tx.commit().await.unwrap();
        assert_eq!(alerts_after_a_scan(store).await, [READER]);
    })
    .await;
}

#[tokio::test]
async fn many_secrets_are_scanned_page_by_page_and_none_is_forgotten() {
    on_each_engine(async |store| {
        team(store, NOW + AHEAD_MS + 1).await;
        let many = 2 * SCAN_PAGE + 1;
        let tx = store.write().await.unwrap();
        let id = |nth: usize| SecretId(u128::to_be_bytes(nth as u128));
        let rows = (0..many).map(|nth| secret_row(id(nth), 1, NOW + 1));
        secret::Entity::insert_many(rows).exec_without_returning(tx.db()).await.unwrap();
        tx.commit().await.unwrap();
        let (mut after, mut pages, mut jobs) = (None, 0, 0);
        while pages == 0 || after.is_some() {
            let tx = store.write().await.unwrap();
            after = scan(&tx, ORG, CHILD, after).await.unwrap();
            let written = jobs::counts(&tx).await.unwrap().due;
            tx.commit().await.unwrap();
            assert!(written - jobs <= SCAN_PAGE as u64);
            (pages, jobs) = (pages + 1, written);
        }
        assert_eq!((pages, jobs), (3, many as u64));
        let tx = store.write().await.unwrap();
        assert_eq!(scan(&tx, ORG, CHILD, None).await.unwrap(), Some(id(SCAN_PAGE - 1)));
        assert_eq!(jobs::counts(&tx).await.unwrap().due, many as u64, "each once");
    })
    .await;
}

#[tokio::test]
async fn who_proves_an_address_later_hears_then() {
    on_each_engine(async |store| {
        team(store, NOW + 1).await;
        assert_eq!(alerts_after_a_scan(store).await, [READER]);
        let tx = store.write().await.unwrap();
        account::Entity::delete_by_id(UNPROVED.0.to_vec()).exec(tx.db()).await.unwrap();
        put_account(&tx, UNPROVED, true).await;
        tx.commit().await.unwrap();
        assert_eq!(alerts_after_a_scan(store).await, [UNPROVED]);
    })
    .await;
}

#[tokio::test]
async fn what_ends_later_than_in_a_week_or_ended_a_month_ago_is_left_alone() {
    on_each_engine(async |store| {
        team(store, NOW + AHEAD_MS + 1).await;
        assert!(alerts_after_a_scan(store).await.is_empty());
        let tx = store.write().await.unwrap();
        put_secret(&tx, 1, NOW - BEHIND_MS).await;
        tx.commit().await.unwrap();
        assert!(alerts_after_a_scan(store).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_mail_is_not_made_when_the_world_has_moved_on() {
    on_each_engine(async |store| {
        team(store, NOW + AHEAD_MS).await;
        let place = (ORG, CHILD);
        let tx = store.write().await.unwrap();
        let notice = expiry_notice(&tx, place, SECRET, 1, READER).await.unwrap().unwrap();
        assert_eq!((notice.email.as_str(), notice.label.as_deref()), ("05@example.com", Some("Stripe live")));
        assert!(expiry_notice(&tx, place, SECRET, 2, READER).await.unwrap().is_none(), "another version");
        for stranger in [UNPROVED, ADDED_BY_OTHERS, WITH_OTHER_KEYS] {
            assert!(expiry_notice(&tx, place, SECRET, 1, stranger).await.unwrap().is_none(), "{stranger}");
        }
        assert!(expiry_notice(&tx, place, SECRET, 1, WRITER_ONLY_ELSEWHERE).await.unwrap().is_none(), "lapsed");
        give(&tx, PARENT, READER, permission::MANAGE, 0).await;
        assert!(expiry_notice(&tx, place, SECRET, 1, READER).await.unwrap().is_none(), "lost read");
    })
    .await;
}

#[tokio::test]
async fn a_sweep_finds_the_namespaces_and_a_write_asks_for_its_own() {
    on_each_engine(async |store| {
        team(store, NOW + AHEAD_MS).await;
        let tx = store.write().await.unwrap();
        assert_eq!(sweep(&tx, None).await.unwrap(), None);
        let (too_early, too_late) = (NOW + AHEAD_MS + 1, NOW - BEHIND_MS);
        after_write(&tx, ORG, CHILD, [too_early, too_late, u64::MAX]).await.unwrap();
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 1);
        after_write(&tx, ORG, CHILD, [too_early, NOW + AHEAD_MS, NOW]).await.unwrap();
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 2, "one scan for one write");
        after_write(&tx, ORG, CHILD, [too_late, too_late + 1]).await.unwrap();
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 3, "another write, another scan, in the same moment too");
    })
    .await;
}
