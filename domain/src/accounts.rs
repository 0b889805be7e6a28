//! Accounts: what the server keeps for a person, and the ways in. All of it is sealed; the server checks shapes, signatures and generations.
//!
//! Nothing depends on the e-mail address but mails: it is no key, two accounts may give the same one, and every answer is the same whether
//! an address is known or not.

mod email;
mod keys;
mod link;
mod login;
mod slots;

use crate::addresses;
use crate::error::{Error, Result, is_duplicate};
use crate::requests;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::bundle::{Bundle, kind};
use keyvawlt_ledger::{AccountId, IdentityId, KeyId, Signed, account};
use keyvawlt_schema::account as table;
use keyvawlt_schema::bundle as bundles;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, IntoActiveModel};

pub use crate::addresses::{CODE_TTL_MS, CodeMail};
pub use email::{change_email, draw_code, resend_code, verify_email};
pub(crate) use keys::{keep_bundle, own_keys, renew_keys, with_standing_keys};
pub use link::{LINK_TTL_MS, MAX_LINKS, answer_link, link_answer, link_offer, offer_link, prune_links};
pub use login::{Principal, log_in, principal, prune_assertions};
pub use slots::{ListedSlot, MAX_SLOTS, Slot, SlotKind, add_slot, list_slots, remove_slot, sealed_account_key};

/// An account's sealed data: seeds of some generations and a list of organizations.
pub const MAX_BLOB: usize = 64 * 1024;
/// Sealed pins: about 150 bytes for each of some thousand namespaces.
pub const MAX_PINS: usize = 1024 * 1024;

/// What a person sends to begin.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Chosen by the client: the derivation of its keys depends on it.
    pub account_id: AccountId,
    /// Where mails go.
    pub email: String,
    /// The identity's public keys, self-signed.
    pub bundle: Signed,
    /// The identity's claim to be this account's, for this origin.
    pub claim: Signed,
    /// The first ways in.
    pub slots: Vec<Slot>,
    /// Sealed data.
    pub blob: Vec<u8>,
    /// Its generation.
    pub generation: u64,
    /// Makes a retry safe.
    pub request_id: [u8; 16],
}

/// An account as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Who.
    pub id: AccountId,
    /// Where mails go.
    pub email: String,
    /// When the address was proved, epoch milliseconds.
    pub email_verified_at: Option<u64>,
    /// The identity it acts as.
    pub identity_id: IdentityId,
    /// That identity's current keys.
    pub key_id: KeyId,
    /// Sealed data.
    pub blob: Vec<u8>,
    /// Its generation.
    pub generation: u64,
    /// Sealed pins.
    pub pins: Option<Vec<u8>>,
}

/// What an owner changes; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// New sealed data, and its generation: the present one plus one.
    pub blob: Option<(u64, Vec<u8>)>,
    /// New sealed pins; the blob names their generation.
    pub pins: Option<Vec<u8>>,
    /// New keys of the same identity, with their claim.
    pub keys: Option<(Signed, Signed)>,
    /// With a blob under a new account key: the ways in from now on, all others end. None to leave them.
    pub slots: Vec<Slot>,
}

/// Makes an account, and asks for a code to be mailed.
pub async fn sign_up(tx: &Tx, new: NewAccount, origins: &[String]) -> Result<()> {
    let tx = tx.without_permit("before there is an account nobody can hold a permit; the new keys prove themselves");
    let caller = format!("account:{}", new.account_id);
    if requests::answered(tx, &caller, &new.request_id, "SignUp").await?.is_some() {
        return Ok(());
    }
    addresses::check("email", &new.email)?;
    check_size("blob", &new.blob, MAX_BLOB)?;
    let (bundle, key_id) = verify_keys(&new.bundle, &new.claim, &new.account_id, origins)?;
    slots::check_first(&new.slots)?;
    let row = table::ActiveModel {
        id: Set(new.account_id.0.to_vec()),
        email: Set(new.email.clone()),
        email_verified_at: Set(None),
        identity_id: Set(bundle.identity_id.0.to_vec()),
        key_id: Set(key_id.0.to_vec()),
        blob: Set(new.blob),
        generation: Set(column(new.generation)),
        pins: Set(None),
        email_code_hash: Set(None),
        email_code_expires_at: Set(None),
        email_code_attempts: Set(0),
        created_at: Set(column(tx.now_ms())),
    };
    match table::Entity::insert(row).exec_without_returning(tx.db()).await {
        // Sixteen random bytes collide by design or by a broken generator, never by chance.
        Err(error) if is_duplicate(&error) => return Err(Error::conflict("this account or identity exists already")),
        outcome => outcome.map(drop)?,
    }
    keep_bundle(tx, &new.bundle, &bundle, &key_id).await?;
    keys::remember(tx, &new.account_id, &key_id).await?;
    for slot in new.slots {
        slots::insert(tx, &new.account_id, slot).await?;
    }
    email::ask_for_code(tx, &new.account_id, &new.email).await?;
    requests::keep(tx, &caller, &new.request_id, "SignUp", Vec::new()).await
}

/// An account, for its owner.
pub async fn read_account(tx: &Tx, id: &AccountId) -> Result<Account> {
    let row = find(tx, id).await?;
    Ok(Account {
        id: *id,
        email: row.email,
        email_verified_at: row.email_verified_at.map(number),
        identity_id: IdentityId::from_slice(&row.identity_id)?,
        key_id: KeyId::from_slice(&row.key_id)?,
        blob: row.blob,
        generation: number(row.generation),
        pins: row.pins,
    })
}

/// Changes sealed data, pins or keys. Sealed data of another generation than the next: another device was first.
pub async fn update_account(tx: &Tx, id: &AccountId, changes: Changes, origins: &[String]) -> Result<()> {
    tx.lock_account(id).await?;
    let row = find(tx, id).await?;
    let current = number(row.generation);
    if is_repeat(&row, &changes) {
        return Ok(());
    }
    if !changes.slots.is_empty() && changes.blob.is_none() {
        return Err(Error::invalid("slots", "other ways in come with a blob under their key"));
    }
    let (old_key, identity) = (row.key_id.clone(), row.identity_id.clone());
    let mut row = row.into_active_model();
    if let Some((generation, blob)) = changes.blob {
        check_size("blob", &blob, MAX_BLOB)?;
        if generation != current + 1 {
            let why = "another device changed the account first".into();
            return Err(Error::Conflict { why, current: Some(current) });
        }
        row.blob = Set(blob);
        row.generation = Set(column(generation));
    }
    if let Some((signed, claim)) = changes.keys {
        let (bundle, key_id) = verify_keys(&signed, &claim, id, origins)?;
        check_successor(tx, &bundle, &identity, &old_key).await?;
        keep_bundle(tx, &signed, &bundle, &key_id).await?;
        keys::remember(tx, id, &key_id).await?;
        row.key_id = Set(key_id.0.to_vec());
    }
    if let Some(pins) = changes.pins {
        check_size("pins", &pins, MAX_PINS)?;
        row.pins = Set(Some(pins));
    } else if !changes.slots.is_empty() {
        // Sealed under the old key, they open no more.
        row.pins = Set(None);
    }
    if row.is_changed() {
        table::Entity::update(row).exec(tx.db()).await?;
    }
    if changes.slots.is_empty() { Ok(()) } else { slots::replace(tx, id, changes.slots).await }
}

/// A change whose answer was lost comes again: sealing is random, so the same bytes are the same change.
fn is_repeat(row: &table::Model, changes: &Changes) -> bool {
    let same_blob = changes.blob.as_ref().is_some_and(|(generation, blob)| number(row.generation) == *generation && row.blob == *blob);
    same_blob && changes.keys.is_none() && changes.pins.as_ref().is_none_or(|pins| row.pins.as_ref() == Some(pins))
}

async fn find(tx: &Tx, id: &AccountId) -> Result<table::Model> {
    let tx = tx.without_permit("an account is in no organization; its id comes out of a UseAccount permit");
    table::Entity::find_by_id(id.0.to_vec()).one(tx.db()).await?.ok_or(Error::Forbidden)
}

fn verify_keys(bundle: &Signed, claim: &Signed, id: &AccountId, origins: &[String]) -> Result<(Bundle, KeyId)> {
    let origins: Vec<&str> = origins.iter().map(String::as_str).collect();
    let (bundle, key_id) = account::verify(bundle, claim, id, &origins)?;
    if bundle.kind != kind::PERSON {
        return Err(Error::invalid("bundle", "an account acts as a person"));
    }
    Ok((bundle, key_id))
}

/// The same identity, one or more generations later.
async fn check_successor(tx: &Tx, bundle: &Bundle, identity: &[u8], old_key: &[u8]) -> Result<()> {
    if bundle.identity_id.0 != identity {
        return Err(Error::invalid("bundle", "an account keeps its identity"));
    }
    let old = bundles::Entity::find_by_id(old_key.to_vec()).one(tx.db()).await?;
    let old = old.ok_or_else(|| Error::internal("an account's bundle is missing"))?;
    let old = Bundle::verify(&Signed::from_parts(&old.payload, &old.sig)?)?.0;
    if bundle.generation <= old.generation {
        return Err(Error::Conflict { why: "the keys were replaced already".into(), current: Some(old.generation) });
    }
    Ok(())
}

fn check_size(field: &'static str, bytes: &[u8], limit: usize) -> Result<()> {
    match bytes.len() {
        0 => Err(Error::invalid(field, "must not be empty")),
        length if length > limit => Err(Error::TooLarge { what: field, limit: limit as u64 }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
