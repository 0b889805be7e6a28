//! An account's e-mail address: proved by a code that is mailed (`addresses.rs`).

use super::{find, table};
use crate::addresses::{self, CodeMail, Kept};
use crate::error::{Error, Result};
use crate::jobs::Job;
use crate::notices;
use crate::store::{Store, Tx, column};
use keyvawlt_ledger::AccountId;
use sea_orm::{ActiveValue::Set, EntityTrait, IntoActiveModel};

/// Proves the address with the code that was mailed. A wrong guess is counted, so this takes a transaction of its own.
pub async fn verify_email(store: &Store, account: &AccountId, code: &str) -> Result<()> {
    let tx = store.write().await?;
    let right = guess(&tx, account, code).await?;
    tx.commit().await?;
    if right { Ok(()) } else { Err(Error::invalid("code", "it is wrong or has expired: ask for another one")) }
}

async fn guess(tx: &Tx, account: &AccountId, code: &str) -> Result<bool> {
    tx.lock_account(account).await?;
    let row = find(tx, account).await?;
    if row.email_verified_at.is_some() {
        return Ok(true);
    }
    let (identity, attempts) = (row.identity_id.clone(), row.email_code_attempts);
    let right = kept(&row).is(&account.0, code, tx.now_ms());
    let mut row = row.into_active_model();
    if right {
        row.email_verified_at = Set(Some(column(tx.now_ms())));
        row.email_code_hash = Set(None);
        row.email_code_expires_at = Set(None);
    } else {
        row.email_code_attempts = Set(attempts.saturating_add(1));
    }
    table::Entity::update(row).exec(tx.db()).await?;
    if right {
        notices::hears_from_now(tx, &identity).await?;
    }
    Ok(right)
}

/// Asks for another code.
pub async fn resend_code(tx: &Tx, account: &AccountId) -> Result<()> {
    tx.lock_account(account).await?;
    let row = find(tx, account).await?;
    if row.email_verified_at.is_some() {
        return Ok(());
    }
    kept(&row).check_pause(tx.now_ms())?;
    ask_for_code(tx, account, &row.email).await
}

/// Gives another address; it has to be proved anew.
pub async fn change_email(tx: &Tx, account: &AccountId, email: &str) -> Result<()> {
    addresses::check("email", email)?;
    tx.lock_account(account).await?;
    let mut row = find(tx, account).await?.into_active_model();
    row.email = Set(email.to_owned());
    row.email_verified_at = Set(None);
    row.email_code_hash = Set(None);
    row.email_code_expires_at = Set(None);
    table::Entity::update(row).exec(tx.db()).await?;
    ask_for_code(tx, account, email).await
}

/// Draws a code for the mail about to be sent; an earlier one is void. `None` when there is nothing left to prove.
pub async fn draw_code(tx: &Tx, account: &AccountId) -> Result<Option<CodeMail>> {
    let tx = tx.without_permit("the worker draws a code for one mail, to the account's own address");
    tx.lock_account(account).await?;
    let Some(row) = table::Entity::find_by_id(account.0.to_vec()).one(tx.db()).await? else { return Ok(None) };
    if row.email_verified_at.is_some() {
        return Ok(None);
    }
    let email = row.email.clone();
    let (code, kept) = Kept::draw(&account.0, tx.random(), tx.now_ms());
    let mut row = row.into_active_model();
    row.email_code_hash = Set(kept.hash);
    row.email_code_expires_at = Set(kept.expires_at);
    row.email_code_attempts = Set(kept.attempts);
    table::Entity::update(row).exec(tx.db()).await?;
    Ok(Some(CodeMail { email, code }))
}

/// Asks for a mail with a code.
pub(super) async fn ask_for_code(tx: &Tx, account: &AccountId, email: &str) -> Result<()> {
    addresses::ask(tx, &Job::EmailCode { account: *account }, email).await
}

fn kept(row: &table::Model) -> Kept {
    Kept { hash: row.email_code_hash.clone(), expires_at: row.email_code_expires_at, attempts: row.email_code_attempts }
}
