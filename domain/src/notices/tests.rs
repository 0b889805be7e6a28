mod digests;

use super::*;
use crate::Store;
use crate::authorize::authorize;
use crate::caller::Caller;
use crate::error::Error;
use crate::jobs::{self, Job};
use crate::scratch::{NOW, on_each_engine};
use crate::store::{column, number};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{AccessEntry, Entry as Entry_, Key, Member, Ns, WrapsEntry, permission, role};
use keyvawlt_ledger::facts::Facts;
use keyvawlt_ledger::{AccountId, Blob, Hash, KeyId, SecretId, SlotId};
use keyvawlt_schema::{account, account_key, entry, notice, secret};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

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

async fn put_entry(tx: &Tx, key: Key, value: Entry_) {
    let row =
        entry::ActiveModel { org_id: Set(ORG.0.to_vec()), key: Set(key.as_bytes().to_vec()), value: Set(value.to_bytes()), since: Set(0) };
    let newer = OnConflict::columns([entry::Column::OrgId, entry::Column::Key]).update_column(entry::Column::Value).to_owned();
    entry::Entity::insert(row).on_conflict(newer).exec_without_returning(tx.db()).await.unwrap();
}

fn member(kind: u8) -> Entry_ {
    Entry_::Member(Member {
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

fn namespace(parent: Option<NsId>) -> Entry_ {
    let wraps = WrapsEntry { root: Hash::ZERO, count: 0, author: READER, author_key_id: KeyId([0; 32]) };
    Entry_::Ns(Box::new(Ns {
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
    let access = Entry_::Access(AccessEntry { permissions, expires_ms, wrap: None });
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
        remind_at: Set(Some(0)),
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

/// Scans, and gives the job of each message there is to send.
async fn messages_after_a_scan(store: &Store) -> Vec<DeliveryId> {
    let mut more = true;
    while more {
        let tx = store.write().await.unwrap();
        more = scan(&tx, ORG, CHILD).await.unwrap();
        tx.commit().await.unwrap();
    }
    store.clock().advance_ms(GATHER_MS);
    let tx = store.write().await.unwrap();
    let mut found = Vec::new();
    for id in jobs::due(&tx, 10).await.unwrap() {
        let claim = jobs::claim(&tx, id, "test", 1).await.unwrap().unwrap();
        if let Job::Deliver { delivery, .. } = claim.job {
            found.push(delivery);
        }
        jobs::finish(&tx, &claim).await.unwrap();
    }
    tx.commit().await.unwrap();
    found
}

/// Delivers, and says to whom went what.
async fn delivered(store: &Store, id: DeliveryId) -> (String, Vec<Item>) {
    let tx = store.write().await.unwrap();
    assert!(begin(&tx, &ORG, &id).await.unwrap());
    let (found, ending) = match load(&tx, &ORG, &id).await.unwrap() {
        Attempt::Send(delivery) => (delivery, Ending::Sent),
        Attempt::Nothing(delivery) => (delivery, Ending::Cancelled),
        Attempt::Ended => panic!("it has ended"),
    };
    end(&tx, &found, &ending).await.unwrap();
    assert!(!begin(&tx, &ORG, &id).await.unwrap(), "an ended delivery stays ended");
    tx.commit().await.unwrap();
    let email = match &found.destination {
        Some(Destination::Person { email }) => email.clone(),
        Some(Destination::Webhook { url, .. } | Destination::Slack { url }) => url.clone(),
        None => String::new(),
    };
    (email, found.told.iter().map(|told| told.item.clone()).collect())
}

async fn told_after_a_scan(store: &Store) -> Vec<(String, usize)> {
    let mut told = Vec::new();
    for id in messages_after_a_scan(store).await {
        let (email, items) = delivered(store, id).await;
        told.push((email, items.len()));
    }
    told.sort();
    told
}

fn to(emails: &[&str]) -> Vec<(String, usize)> {
    emails.iter().map(|email| ((*email).to_owned(), 1)).collect()
}

const READERS: &str = "05@example.com";

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

#[derive(Clone, Copy)]
struct As(IdentityId);

impl As {
    fn caller(self) -> Caller {
        Caller::Account { account_id: AccountId(self.0.0), slot_id: SlotId([0; 16]), identity_id: self.0, key_id: KeyId([0; 32]) }
    }

    async fn sets(self, tx: &Tx, preferences: Preferences) -> Result<Preferences> {
        let permit = authorize(tx, self.caller(), OwnPreferences { org: ORG, set: Some(preferences) }).await?;
        own_preferences(&permit).await
    }

    async fn changes(self, tx: &Tx, change: ChannelChange) -> Result<Changed> {
        let permit = authorize(tx, self.caller(), ChangeChannels { org: ORG, change }).await?;
        change_channels(&permit).await
    }

    async fn record(self, tx: &Tx, everybody: bool) -> Result<Vec<Entry>> {
        let permit = authorize(tx, self.caller(), ListDeliveries { org: ORG, everybody, limit: 10, before: None }).await?;
        Ok(list_deliveries(&permit).await?.0)
    }
}

/// Makes the reader an admin, too.
async fn promote(tx: &Tx) {
    let Entry_::Member(entry) = member(kind::PERSON) else { panic!("a member") };
    put_entry(tx, Key::member(&READER), Entry_::Member(Member { role: role::ADMIN, ..entry })).await;
    keyvawlt_schema::member::Entity::update_many()
        .col_expr(keyvawlt_schema::member::Column::Role, sea_orm::sea_query::Expr::value(i16::from(role::ADMIN)))
        .exec(tx.db())
        .await
        .unwrap();
}

fn webhook(kinds: &[Kind], namespaces: &[NsId]) -> ChannelChange {
    ChannelChange::Add {
        form: Form::Webhook,
        name: "operations".to_owned(),
        url: "https://hooks.example.com/T0/secret".to_owned(),
        kinds: kinds.iter().copied().collect(),
        namespaces: namespaces.to_vec(),
    }
}

#[tokio::test]
async fn preferences_are_kept_and_honoured() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let silent = [
            Preferences { muted: [Kind::Expiry].into_iter().collect(), ..Preferences::default() },
            Preferences { namespaces: vec![NsId([77; 16])], ..Preferences::default() },
        ];
        for (nth, preferences) in silent.into_iter().enumerate() {
            let tx = store.write().await.unwrap();
            As(READER).sets(&tx, preferences.clone()).await.unwrap();
            let permit = authorize(&tx, As(READER).caller(), OwnPreferences { org: ORG, set: None }).await.unwrap();
            assert_eq!(own_preferences(&permit).await.unwrap(), preferences);
            put_secret(&tx, 1, NOW + DAY_MS + nth as u64).await;
            tx.commit().await.unwrap();
            assert!(told_after_a_scan(store).await.is_empty());
        }
        let tx = store.write().await.unwrap();
        let here = Preferences { namespaces: vec![PARENT], muted: [Kind::Monitor].into_iter().collect(), ..Preferences::default() };
        As(READER).sets(&tx, here).await.unwrap();
        put_secret(&tx, 1, NOW + DAY_MS + 9).await;
        tx.commit().await.unwrap();
        assert_eq!(told_after_a_scan(store).await, to(&[READERS]), "the project above was chosen");
    })
    .await;
}

#[tokio::test]
async fn what_is_muted_or_quiet_meanwhile_waits_or_is_left_out() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let tx = store.write().await.unwrap();
        // 09:00 UTC is 10:00 in Berlin.
        let quiet = Preferences { quiet: Some((9 * 60, 12 * 60)), zone: "Europe/Berlin".to_owned(), ..Preferences::default() };
        As(READER).sets(&tx, quiet.clone()).await.unwrap();
        tx.commit().await.unwrap();
        assert!(messages_after_a_scan(store).await.is_empty(), "quiet hours");
        store.clock().advance_ms(2 * 60 * 60 * 1000);
        let [id] = messages_after_a_scan(store).await[..] else { panic!("one message") };
        let tx = store.write().await.unwrap();
        As(READER).sets(&tx, Preferences { muted: [Kind::Expiry].into_iter().collect(), ..quiet }).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(delivered(store, id).await.1, []);
        let tx = store.read().await.unwrap();
        let record = As(READER).record(&tx, false).await.unwrap();
        assert_eq!((record.len(), record[0].state, record[0].dropped), (1, State::Cancelled, 1));
        assert_eq!(record[0].error.as_deref(), Some("the recipient does not want it any more"));
    })
    .await;
}

#[tokio::test]
async fn preferences_that_cannot_be_are_refused_by_their_field() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let wrong = [
            ("time_zone", Preferences { zone: "Europe/Atlantis".to_owned(), ..Preferences::default() }),
            ("digest_hour", Preferences { digest_hour: Some(24), ..Preferences::default() }),
            ("quiet_hours", Preferences { quiet: Some((0, 1_440)), ..Preferences::default() }),
            ("namespaces", Preferences { namespaces: vec![CHILD; 101], ..Preferences::default() }),
        ];
        let tx = store.write().await.unwrap();
        for (field, preferences) in wrong {
            let error = As(READER).sets(&tx, preferences).await.unwrap_err();
            assert!(matches!(error, Error::Invalid { field: of, .. } if of == field), "{field}: {error}");
        }
        assert!(As(IdentityId([99; 16])).sets(&tx, Preferences::default()).await.is_err(), "a stranger");
    })
    .await;
}

#[tokio::test]
async fn a_channel_gets_what_is_routed_to_it() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let tx = store.write().await.unwrap();
        assert!(As(READER).changes(&tx, webhook(&[Kind::Expiry], &[])).await.is_err(), "not for members");
        promote(&tx).await;
        let all = As(READER).changes(&tx, webhook(&[Kind::Expiry], &[])).await.unwrap();
        assert_eq!(all.secret.as_ref().map(Vec::len), Some(32));
        As(READER).changes(&tx, webhook(&[Kind::Monitor], &[])).await.unwrap();
        As(READER).changes(&tx, webhook(&[Kind::Expiry], &[NsId([77; 16])])).await.unwrap();
        let paused = As(READER).changes(&tx, webhook(&[Kind::Expiry], &[PARENT])).await.unwrap().id;
        As(READER).changes(&tx, ChannelChange::Pause(paused)).await.unwrap();
        let rotated = As(READER).changes(&tx, ChannelChange::Rotate(all.id)).await.unwrap().secret;
        assert!(rotated.is_some() && rotated != all.secret);
        tx.commit().await.unwrap();
        let told = told_after_a_scan(store).await;
        assert_eq!(told, [(READERS.to_owned(), 1), ("https://hooks.example.com/T0/secret".to_owned(), 1)]);
        let tx = store.write().await.unwrap();
        assert_eq!(As(READER).record(&tx, true).await.unwrap().len(), 2);
        assert_eq!(As(READER).record(&tx, false).await.unwrap().len(), 1);
        As(READER).changes(&tx, ChannelChange::Test(paused)).await.unwrap();
        assert_eq!(jobs::counts(&tx).await.unwrap().due, 1, "a trial goes to a paused channel, too");
        As(READER).changes(&tx, ChannelChange::Remove(paused)).await.unwrap();
        assert!(As(READER).changes(&tx, ChannelChange::Resume(paused)).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_channel_that_fails_for_days_is_paused_and_admins_hear_of_it() {
    on_each_engine(async |store| {
        team(store, NOW + 300 * DAY_MS).await;
        let tx = store.write().await.unwrap();
        promote(&tx).await;
        let id = As(READER).changes(&tx, webhook(&[Kind::Expiry], &[])).await.unwrap().id;
        tx.commit().await.unwrap();
        for (after, paused) in [(0, false), (PAUSED_AFTER_MS - 1, false), (1, true)] {
            store.clock().advance_ms(after);
            let tx = store.write().await.unwrap();
            routes::failed(&tx, &ORG, &id, false).await.unwrap();
            tx.commit().await.unwrap();
            let tx = store.read().await.unwrap();
            assert_eq!(routes::find(&tx, &ORG, &id).await.unwrap().unwrap().paused_at.is_some(), paused);
        }
        let [message] = messages_after_a_scan(store).await[..] else { panic!("one message") };
        let (email, items) = delivered(store, message).await;
        assert!(email == READERS && matches!(&items[..], [Item::ChannelPaused(about)] if about.channel == id), "{items:?}");
        let tx = store.write().await.unwrap();
        As(READER).changes(&tx, ChannelChange::Resume(id)).await.unwrap();
        assert_eq!(routes::find(&tx, &ORG, &id).await.unwrap().unwrap().failing_since, None);
        routes::failed(&tx, &ORG, &id, true).await.unwrap();
        assert!(routes::find(&tx, &ORG, &id).await.unwrap().unwrap().paused_at.is_some(), "a closed one at once");
    })
    .await;
}

#[tokio::test]
async fn urls_that_cannot_be_are_refused() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        let tx = store.write().await.unwrap();
        promote(&tx).await;
        for wrong in ["", "hooks.example.com", "ftp://hooks.example.com/", "https://ada:secret@hooks.example.com/", "file:///etc/passwd"] {
            let ChannelChange::Add { form, name, kinds, namespaces, .. } = webhook(&[Kind::Expiry], &[]) else { panic!("an addition") };
            let error =
                As(READER).changes(&tx, ChannelChange::Add { form, name, url: wrong.to_owned(), kinds, namespaces }).await.unwrap_err();
            assert!(matches!(error, Error::Invalid { field: "url", .. }), "{wrong}: {error}");
        }
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

#[tokio::test]
async fn what_was_delivered_long_ago_is_forgotten_and_what_was_lost_is_given_up() {
    on_each_engine(async |store| {
        team(store, NOW + DAY_MS).await;
        assert_eq!(messages_after_a_scan(store).await.len(), 1);
        store.clock().advance_ms(8 * DAY_MS);
        let tx = store.write().await.unwrap();
        prune(&tx).await.unwrap();
        assert_eq!(As(READER).record(&tx, false).await.unwrap()[0].state, State::GivenUp);
        tx.commit().await.unwrap();
        store.clock().advance_ms(KEPT_MS);
        let tx = store.write().await.unwrap();
        prune(&tx).await.unwrap();
        assert_eq!(As(READER).record(&tx, false).await.unwrap(), []);
        assert_eq!(notice::Entity::find().all(tx.db()).await.unwrap(), []);
    })
    .await;
}
