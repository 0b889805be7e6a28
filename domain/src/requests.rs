//! Safe retries: the answer to a create call is kept for a day under the caller's request id, in the transaction of the change.

use crate::error::{Error, Result, is_duplicate};
use crate::store::{Tx, column};
use keyvawlt_schema::request::{ActiveModel, Column, Entity};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

/// How long an answer is kept: longer than any client retries.
pub const KEPT_MS: u64 = 24 * 60 * 60 * 1000;

/// The answer given before to the same caller for the same request, if there was one.
pub async fn answered(tx: &Tx, caller: &str, request_id: &[u8; 16], rpc: &str) -> Result<Option<Vec<u8>>> {
    let tx = tx.without_permit("an answer given before goes to the same caller again, also where the permit ended with it");
    let key = (caller.to_owned(), request_id.to_vec());
    match Entity::find_by_id(key).one(tx.db()).await? {
        Some(row) if row.expires_at <= column(tx.now_ms()) => Ok(None),
        Some(row) if row.rpc != rpc => Err(Error::invalid("request_id", "it was used for another call")),
        row => Ok(row.map(|row| row.response)),
    }
}

/// Keeps an answer. Two calls with one id at the same moment: the second fails and, retried, gets the first's answer.
pub async fn keep(tx: &Tx, caller: &str, request_id: &[u8; 16], rpc: &str, response: Vec<u8>) -> Result<()> {
    let expired = Entity::delete_by_id((caller.to_owned(), request_id.to_vec()));
    expired.filter(Column::ExpiresAt.lte(column(tx.now_ms()))).exec(tx.db()).await?;
    let row = ActiveModel {
        caller: Set(caller.to_owned()),
        request_id: Set(request_id.to_vec()),
        rpc: Set(rpc.to_owned()),
        response: Set(response),
        expires_at: Set(column(tx.now_ms() + KEPT_MS)),
    };
    match Entity::insert(row).exec_without_returning(tx.db()).await {
        Err(error) if is_duplicate(&error) => Err(Error::Unavailable),
        outcome => Ok(outcome.map(drop)?),
    }
}

/// Forgets what is old enough.
pub async fn prune(tx: &Tx) -> Result<u64> {
    let old = Entity::delete_many().filter(Column::ExpiresAt.lte(column(tx.now_ms())));
    Ok(old.exec(tx.db()).await?.rows_affected)
}
