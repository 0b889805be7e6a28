//! A team of which one person is to be told, and a worker that tests hold in their hands.

use super::super::*;
use crate::Store;
use crate::authorize::authorize;
use crate::caller::Caller;
use crate::jobs::{self, Job};
use crate::scratch::NOW;
use crate::scratch::chain::{self, give, member};
use crate::store::column;
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{Key, permission, role};
use keyvawlt_ledger::facts::Facts;
use keyvawlt_ledger::{AccountId, KeyId, SecretId, SlotId};
use keyvawlt_schema::{account, account_key, secret};
use sea_orm::{ActiveValue::Set, EntityTrait};

pub(super) use crate::scratch::chain::ORG;

pub(super) const DAY_MS: u64 = 24 * 60 * 60 * 1000;

pub(super) const PARENT: NsId = NsId([2; 16]);
pub(super) const CHILD: NsId = NsId([3; 16]);
pub(super) const SECRET: SecretId = SecretId([4; 16]);
pub(super) const READER: IdentityId = IdentityId([5; 16]);
pub(super) const WRITER_ONLY_ELSEWHERE: IdentityId = IdentityId([6; 16]);
pub(super) const MACHINE: IdentityId = IdentityId([7; 16]);
pub(super) const UNPROVED: IdentityId = IdentityId([8; 16]);
pub(super) const ADDED_BY_OTHERS: IdentityId = IdentityId([9; 16]);
pub(super) const WITH_OTHER_KEYS: IdentityId = IdentityId([10; 16]);

pub(super) const READERS: &str = "05@example.com";
pub(super) const TEAM: &str = "team@example.com";

/// A person who reads the parent, one whose access lapsed, a machine, a person without a proved address, and two strangers: one who was added
/// without his doing, and one whose id somebody gave to keys of his own.
pub(super) async fn team(store: &Store, expires_ms: u64) {
    let tx = store.write().await.unwrap();
    chain::put_org(&tx).await;
    chain::put_namespace(&tx, PARENT, None).await;
    chain::put_namespace(&tx, CHILD, Some(PARENT)).await;
    for who in [READER, WRITER_ONLY_ELSEWHERE, MACHINE, UNPROVED, ADDED_BY_OTHERS, WITH_OTHER_KEYS] {
        let kind = if who == MACHINE { kind::MACHINE } else { kind::PERSON };
        chain::put(&tx, Key::member(&who), member(role::MEMBER, kind)).await;
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

pub(super) async fn put_account(tx: &Tx, who: IdentityId, proved: bool) {
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
pub(super) async fn put_member(tx: &Tx, who: IdentityId) {
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

pub(super) async fn put_secret(tx: &Tx, version: i64, expires_ms: u64) {
    secret::Entity::delete_many().exec(tx.db()).await.unwrap();
    secret::Entity::insert(secret_row(SECRET, version, expires_ms)).exec_without_returning(tx.db()).await.unwrap();
}

pub(super) fn secret_row(id: SecretId, version: i64, expires_ms: u64) -> secret::ActiveModel {
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

/// Scans, and gives the job of each message there is to send.
pub(super) async fn messages_after_a_scan(store: &Store) -> Vec<DeliveryId> {
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
        let claim = jobs::claim(&tx, id, "test").await.unwrap().unwrap();
        if let Job::Deliver { delivery, .. } = claim.job {
            found.push(delivery);
        }
        jobs::finish(&tx, &claim).await.unwrap();
    }
    tx.commit().await.unwrap();
    found
}

/// Delivers, and says to whom went what.
pub(super) async fn delivered(store: &Store, id: DeliveryId) -> (String, Vec<Item>) {
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
        Some(Destination::Person { email } | Destination::Address { email, .. }) => email.clone(),
        Some(Destination::Webhook { url, .. } | Destination::Slack { url }) => url.clone(),
        None => String::new(),
    };
    (email, found.told.iter().map(|told| told.item.clone()).collect())
}

pub(super) async fn told_after_a_scan(store: &Store) -> Vec<(String, usize)> {
    let mut told = Vec::new();
    for id in messages_after_a_scan(store).await {
        let (email, items) = delivered(store, id).await;
        told.push((email, items.len()));
    }
    told.sort();
    told
}

pub(super) fn to(emails: &[&str]) -> Vec<(String, usize)> {
    emails.iter().map(|email| ((*email).to_owned(), 1)).collect()
}

#[derive(Clone, Copy)]
pub(super) struct As(pub(super) IdentityId);

impl As {
    pub(super) fn caller(self) -> Caller {
        Caller::Account { account_id: AccountId(self.0.0), slot_id: SlotId([0; 16]), identity_id: self.0, key_id: KeyId([0; 32]) }
    }

    pub(super) async fn sets(self, tx: &Tx, preferences: Preferences) -> Result<Preferences> {
        let permit = authorize(tx, self.caller(), OwnPreferences { org: ORG, set: Some(preferences) }).await?;
        own_preferences(&permit).await
    }

    pub(super) async fn changes(self, tx: &Tx, change: ChannelChange) -> Result<Changed> {
        let permit = authorize(tx, self.caller(), ChangeChannels { org: ORG, change }).await?;
        change_channels(&permit).await
    }

    pub(super) async fn record(self, tx: &Tx, everybody: bool) -> Result<Vec<Entry>> {
        let permit = authorize(tx, self.caller(), ListDeliveries { org: ORG, everybody, limit: 10, before: None }).await?;
        Ok(list_deliveries(&permit).await?.0)
    }
}

/// Makes the reader an admin, too.
pub(super) async fn promote(tx: &Tx) {
    chain::put(tx, Key::member(&READER), member(role::ADMIN, kind::PERSON)).await;
    keyvawlt_schema::member::Entity::update_many()
        .col_expr(keyvawlt_schema::member::Column::Role, sea_orm::sea_query::Expr::value(i16::from(role::ADMIN)))
        .exec(tx.db())
        .await
        .unwrap();
}

/// A team's address that is proved.
pub(super) async fn proved_address(tx: &Tx, kinds: &[Kind]) -> ChannelId {
    let ChannelChange::Add { name, kinds, namespaces, .. } = webhook(kinds, &[]) else { panic!("an addition") };
    let add = ChannelChange::Add { form: Form::Email, name, target: TEAM.to_owned(), kinds, namespaces };
    let id = As(READER).changes(tx, add).await.unwrap().id;
    let code = draw_channel_code(tx, &ORG, &id).await.unwrap().expect("a code").code;
    assert!(!As(READER).changes(tx, ChannelChange::Verify(id, code)).await.unwrap().wrong_code);
    id
}

pub(super) fn webhook(kinds: &[Kind], namespaces: &[NsId]) -> ChannelChange {
    ChannelChange::Add {
        form: Form::Webhook,
        name: format!("operations {kinds:?} {namespaces:?}"),
        target: "https://hooks.example.com/T0/secret".to_owned(),
        kinds: kinds.iter().copied().collect(),
        namespaces: namespaces.to_vec(),
    }
}
