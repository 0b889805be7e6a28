//! The relay between a new device and an enrolled one of the same person. The server stores a public key and something sealed to it, for minutes.
//!
//! Both are found by the hash of that key, which only the two devices and this server know. Absent: any tie to an account, until it is answered.

use super::check_size;
use crate::clock::holds;
use crate::error::{Error, Result, is_duplicate};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::account::{LinkId, link_id};
use keyvawlt_ledger::bundle::KEM_PK_LEN;
use keyvawlt_schema::device_link as table;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

/// How long a device waits for the other: time to fetch it from the next room.
pub const LINK_TTL_MS: u64 = 10 * 60 * 1000;
/// Links waiting at once: a whole company on its first day, and 15 MB at most.
pub const MAX_LINKS: u64 = 10_000;
/// A device's key, the Secret Key and some numbers, padded and sealed: about 1.4 KiB.
const MAX_SEALED: usize = 4096;

/// Leaves a new device's public key.
pub async fn offer_link(tx: &Tx, id: &LinkId, kem_pk: &[u8]) -> Result<()> {
    let tx = tx.without_permit("a new device is nobody yet; its key names itself, and waits some minutes");
    let known: &[u8; KEM_PK_LEN] = kem_pk.try_into().map_err(|_| Error::invalid("kem_pk", "it is no X-Wing public key"))?;
    if link_id(known) != *id {
        return Err(Error::invalid("link_id", "it is not the hash of the key"));
    }
    if waiting(id, tx).await?.is_some() {
        return Ok(());
    }
    prune_links(tx).await?;
    if table::Entity::find().count(tx.db()).await? >= MAX_LINKS {
        return Err(Error::TooLarge { what: "the number of devices that wait", limit: MAX_LINKS });
    }
    let row = table::ActiveModel {
        link_id: Set(id.0.to_vec()),
        kem_pk: Set(kem_pk.to_vec()),
        sealed: Set(None),
        expires_at: Set(column(tx.now_ms() + LINK_TTL_MS)),
    };
    match table::Entity::insert(row).exec_without_returning(tx.db()).await {
        Err(error) if is_duplicate(&error) => Ok(()),
        outcome => Ok(outcome.map(drop)?),
    }
}

/// The public key of a new device, for the person who has it in front of him.
pub async fn link_offer(tx: &Tx, id: &LinkId) -> Result<Vec<u8>> {
    Ok(waiting(id, tx).await?.ok_or(Error::Forbidden)?.kem_pk)
}

/// Leaves what was sealed to a new device, once.
pub async fn answer_link(tx: &Tx, id: &LinkId, sealed: Vec<u8>) -> Result<()> {
    check_size("sealed", &sealed, MAX_SEALED)?;
    let row = waiting(id, tx).await?.ok_or(Error::Forbidden)?;
    if row.sealed.as_ref() == Some(&sealed) {
        return Ok(());
    }
    let unanswered = table::Column::LinkId.eq(id.0.to_vec()).and(table::Column::Sealed.is_null());
    let set = table::Entity::update_many().col_expr(table::Column::Sealed, Expr::value(sealed)).filter(unanswered);
    if set.exec(tx.db()).await?.rows_affected == 0 {
        return Err(Error::conflict("this device was answered already"));
    }
    Ok(())
}

/// What was sealed to a new device, once there is something.
pub async fn link_answer(tx: &Tx, id: &LinkId) -> Result<Option<Vec<u8>>> {
    Ok(waiting(id, tx).await?.ok_or(Error::Forbidden)?.sealed)
}

/// Forgets links that came to no end, and those that did.
pub async fn prune_links(tx: &Tx) -> Result<u64> {
    let old = table::Entity::delete_many().filter(table::Column::ExpiresAt.lte(column(tx.now_ms())));
    Ok(old.exec(tx.db()).await?.rows_affected)
}

async fn waiting(id: &LinkId, tx: &Tx) -> Result<Option<table::Model>> {
    let tx = tx.without_permit("a device link is found by the hash of its key, which only its two devices know");
    let row = table::Entity::find_by_id(id.0.to_vec()).one(tx.db()).await?;
    Ok(row.filter(|row| holds(number(row.expires_at), LINK_TTL_MS, tx.now_ms())))
}
