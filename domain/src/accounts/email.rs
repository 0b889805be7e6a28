//! E-mail addresses: proved by a code that is mailed. The code is drawn when the mail is made, and only its hash is stored.

use super::{find, table};
use crate::error::{Error, Result};
use crate::jobs::{self, Job};
use crate::notices;
use crate::store::{Store, Tx, column, number};
use keyvawlt_ledger::AccountId;
use sea_orm::{ActiveValue::Set, EntityTrait, IntoActiveModel};
use sha2::{Digest, Sha256};

/// How long a code is good: time to find the mail, not to guess.
pub const CODE_TTL_MS: u64 = 30 * 60 * 1000;
/// Wrong guesses at one code. With a new code each minute, guessing eight digits takes decades.
const MAX_ATTEMPTS: i32 = 5;
/// Codes are 8 digits.
const CODES: u64 = 100_000_000;
/// Between two codes for one account.
const RESEND_AFTER_MS: u64 = 60 * 1000;
/// Codes mailed to one address within an hour, whoever asks: enough for a person, useless for flooding a stranger.
const MAX_CODES_PER_HOUR: u64 = 6;
const HOUR_MS: u64 = 60 * 60 * 1000;
/// RFC 5321 section 4.5.3.1.3, without the brackets.
const MAX_EMAIL: usize = 254;

/// A code to be mailed. Its `Debug` does not exist: the code goes into one mail and nowhere else.
pub struct CodeMail {
    /// To whom.
    pub email: String,
    /// Eight digits.
    pub code: String,
}

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
    let attempts = row.email_code_attempts;
    let current = row.email_code_expires_at.is_some_and(|until| number(until) > tx.now_ms());
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    let identity = row.identity_id.clone();
    let same = row.email_code_hash.as_deref() == Some(&hash(account, &digits)[..]);
    let right = current && attempts < MAX_ATTEMPTS && same;
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
    if let Some(until) = row.email_code_expires_at {
        let next = number(until).saturating_sub(CODE_TTL_MS) + RESEND_AFTER_MS;
        if next > tx.now_ms() {
            return Err(Error::RateLimited { retry_after_ms: next - tx.now_ms() });
        }
    }
    ask_for_code(tx, account, &row.email).await
}

/// Gives another address; it has to be proved anew.
pub async fn change_email(tx: &Tx, account: &AccountId, email: &str) -> Result<()> {
    check(email)?;
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
    let code = format!("{:08}", tx.random().below(CODES));
    let mut row = row.into_active_model();
    row.email_code_hash = Set(Some(hash(account, &code).to_vec()));
    row.email_code_expires_at = Set(Some(column(tx.now_ms() + CODE_TTL_MS)));
    row.email_code_attempts = Set(0);
    table::Entity::update(row).exec(tx.db()).await?;
    Ok(Some(CodeMail { email, code }))
}

/// Asks for a mail, unless the address had its share: silently, for whoever asks may not be its owner.
pub(super) async fn ask_for_code(tx: &Tx, account: &AccountId, email: &str) -> Result<()> {
    let address = hex::encode(&Sha256::digest(email.to_ascii_lowercase())[..16]);
    let hour = tx.now_ms() / HOUR_MS;
    for nth in 0..MAX_CODES_PER_HOUR {
        let key = format!("email-code/{address}/{hour}/{nth}");
        if jobs::enqueue(tx, &Job::EmailCode { account: *account }, tx.now_ms(), Some(key)).await? {
            break;
        }
    }
    Ok(())
}

/// The plain form `local@domain`: everything a mailer could read as more than one address is refused.
pub(super) fn check(email: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_graphic() && !"\"(),:;<>[\\]".contains(c);
    let wrong = || Error::invalid("email", "an address like name@example.com is needed");
    let (local, domain) = email.split_once('@').ok_or_else(wrong)?;
    let sound = email.len() <= MAX_EMAIL
        && email.chars().all(plain)
        && !local.is_empty()
        && !domain.is_empty()
        && !domain.contains('@')
        && !domain.starts_with('.')
        && !domain.ends_with('.');
    if sound { Ok(()) } else { Err(wrong()) }
}

fn hash(account: &AccountId, code: &str) -> [u8; 32] {
    Sha256::new().chain_update(account.0).chain_update(code).finalize().into()
}
