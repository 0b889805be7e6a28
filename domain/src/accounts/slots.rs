//! Slots: the ways into an account. Each has its own log-in key and its own sealed copy of the account key.

use super::check_size;
use crate::error::{Error, Result, is_duplicate};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::sign::check_public_key;
use keyvawlt_ledger::{AccountId, SlotId};
use keyvawlt_schema::slot as table;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

/// Ways into one account: a password, recovery codes, passkeys and a device or two more than anyone keeps.
pub const MAX_SLOTS: usize = 32;
/// A sealed 32-byte key is 112 bytes long; twice that leaves room for another suite.
const MAX_SEALED_AK: usize = 256;
/// A label names a device in a list.
const MAX_LABEL: usize = 100;

/// What opens a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SlotKind {
    /// Password and Secret Key.
    Password = 1,
    /// A recovery code.
    Recovery = 2,
    /// A passkey.
    Passkey = 3,
    /// A key that lies on a device.
    Device = 4,
}

impl TryFrom<u64> for SlotKind {
    type Error = Error;

    fn try_from(number: u64) -> Result<Self> {
        match number {
            1 => Ok(Self::Password),
            2 => Ok(Self::Recovery),
            3 => Ok(Self::Passkey),
            4 => Ok(Self::Device),
            _ => Err(Error::invalid("slot.kind", "unknown")),
        }
    }
}

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which.
    pub id: SlotId,
    /// What opens it.
    pub kind: SlotKind,
    /// Ed25519 key of its log-in assertions.
    pub login_pk: [u8; 32],
    /// The account key, sealed under the slot's key.
    pub sealed_ak: Vec<u8>,
    /// What the owner calls it.
    pub label: String,
}

/// A way in, as lists show it: without what it seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSlot {
    /// Which.
    pub id: SlotId,
    /// What opens it.
    pub kind: SlotKind,
    /// What the owner calls it.
    pub label: String,
    /// Epoch milliseconds.
    pub created_at_ms: u64,
}

/// Adds a way in; one that is there already stays.
pub async fn add_slot(tx: &Tx, account: &AccountId, slot: Slot) -> Result<()> {
    tx.lock_account(account).await?;
    check(&slot)?;
    let rows = rows(tx, account).await?;
    if let Some(row) = rows.iter().find(|row| row.slot_id == slot.id.0) {
        return if is_repeat(row, &slot) { Ok(()) } else { Err(Error::conflict("this slot exists already")) };
    }
    if rows.len() >= MAX_SLOTS {
        return Err(Error::TooLarge { what: "the number of slots", limit: MAX_SLOTS as u64 });
    }
    insert(tx, account, slot).await
}

/// A slot whose answer was lost comes again: sealing is random, so the same bytes are the same slot.
fn is_repeat(row: &table::Model, slot: &Slot) -> bool {
    row.kind == slot.kind as i16 && row.login_pk == slot.login_pk && row.sealed_ak == slot.sealed_ak && row.label == slot.label
}

/// Removes a way in; its tokens are worthless from now on. One that a person can open anywhere always remains.
pub async fn remove_slot(tx: &Tx, account: &AccountId, slot: &SlotId) -> Result<()> {
    tx.lock_account(account).await?;
    let rows = rows(tx, account).await?;
    let (removed, kept): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.slot_id == slot.0);
    if removed.is_empty() {
        return Err(Error::Forbidden);
    }
    if kept.iter().all(|row| row.kind == SlotKind::Device as i16) {
        return Err(Error::conflict("a way in that is not a device must remain"));
    }
    table::Entity::delete_by_id((account.0.to_vec(), slot.0.to_vec())).exec(tx.db()).await?;
    Ok(())
}

/// Ends every way in, and begins with others. One that stays under its id is as new.
pub(super) async fn replace(tx: &Tx, account: &AccountId, slots: Vec<Slot>) -> Result<()> {
    check_first(&slots)?;
    table::Entity::delete_many().filter(table::Column::AccountId.eq(account.0.to_vec())).exec(tx.db()).await?;
    for slot in slots {
        insert(tx, account, slot).await?;
    }
    Ok(())
}

/// All ways in, oldest first.
pub async fn list_slots(tx: &Tx, account: &AccountId) -> Result<Vec<ListedSlot>> {
    rows(tx, account).await?.into_iter().map(listed).collect()
}

/// What one slot opens: the account key, sealed.
pub async fn sealed_account_key(tx: &Tx, account: &AccountId, slot: &SlotId) -> Result<Vec<u8>> {
    let tx = tx.without_permit("the caller's own way in; account and slot come out of a UseAccount permit");
    let row = table::Entity::find_by_id((account.0.to_vec(), slot.0.to_vec())).one(tx.db()).await?;
    row.map(|row| row.sealed_ak).ok_or(Error::Forbidden)
}

/// What an account begins with: at least one way in that is not a device.
pub(super) fn check_first(slots: &[Slot]) -> Result<()> {
    if slots.len() > MAX_SLOTS {
        return Err(Error::TooLarge { what: "the number of slots", limit: MAX_SLOTS as u64 });
    }
    if slots.iter().all(|slot| slot.kind == SlotKind::Device) {
        return Err(Error::invalid("slots", "a way in that is not a device is needed"));
    }
    slots.iter().try_for_each(check)
}

pub(super) async fn insert(tx: &Tx, account: &AccountId, slot: Slot) -> Result<()> {
    let row = table::ActiveModel {
        account_id: Set(account.0.to_vec()),
        slot_id: Set(slot.id.0.to_vec()),
        kind: Set(slot.kind as i16),
        login_pk: Set(slot.login_pk.to_vec()),
        sealed_ak: Set(slot.sealed_ak),
        label: Set(slot.label),
        created_at: Set(column(tx.now_ms())),
    };
    match table::Entity::insert(row).exec_without_returning(tx.db()).await {
        Err(error) if is_duplicate(&error) => Err(Error::conflict("this slot exists already")),
        outcome => Ok(outcome.map(drop)?),
    }
}

async fn rows(tx: &Tx, account: &AccountId) -> Result<Vec<table::Model>> {
    let tx = tx.without_permit("an account is in no organization; its id comes out of a UseAccount permit");
    let mine = table::Entity::find().filter(table::Column::AccountId.eq(account.0.to_vec()));
    Ok(mine.order_by_asc(table::Column::CreatedAt).order_by_asc(table::Column::SlotId).all(tx.db()).await?)
}

fn listed(row: table::Model) -> Result<ListedSlot> {
    let kind = SlotKind::try_from(u64::try_from(row.kind).unwrap_or(0))?;
    let id = SlotId::from_slice(&row.slot_id)?;
    Ok(ListedSlot { id, kind, label: row.label, created_at_ms: number(row.created_at) })
}

fn check(slot: &Slot) -> Result<()> {
    check_public_key(&slot.login_pk)?;
    check_size("slot.sealed_ak", &slot.sealed_ak, MAX_SEALED_AK)?;
    if slot.label.len() > MAX_LABEL || slot.label.chars().any(char::is_control) {
        return Err(Error::invalid("slot.label", "at most 100 bytes of plain text"));
    }
    Ok(())
}
