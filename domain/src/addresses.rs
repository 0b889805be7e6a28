//! E-mail addresses, and the codes that prove that somebody reads them: an account's, or a team's. A code is drawn when its mail is made, and only
//! its hash is stored.

use crate::clock::holds;
use crate::error::{Error, Result};
use crate::jobs::{self, Job};
use crate::random::Random;
use crate::store::{Tx, column, number};
use sha2::{Digest as _, Sha256};

/// How long a code is good: time to find the mail, not to guess.
pub const CODE_TTL_MS: u64 = 30 * 60 * 1000;
/// Wrong guesses at one code. With a new code each minute, guessing eight digits takes decades.
const MAX_ATTEMPTS: i32 = 5;
/// Codes are 8 digits.
const CODES: u64 = 100_000_000;
/// Between two codes for one account, or channel.
const RESEND_AFTER_MS: u64 = 60 * 1000;
/// Codes mailed to one address within an hour, whoever asks: enough for a person, useless for flooding a stranger.
const MAX_CODES_PER_HOUR: u64 = 6;
pub(crate) const HOUR_MS: u64 = 60 * 60 * 1000;
/// RFC 5321 section 4.5.3.1.3, without the brackets.
const MAX_EMAIL: usize = 254;

/// A code to be mailed. Its `Debug` does not exist: the code goes into one mail and nowhere else.
pub struct CodeMail {
    /// To whom.
    pub email: String,
    /// Eight digits.
    pub code: String,
}

/// What is kept of the newest code.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) hash: Option<Vec<u8>>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) attempts: i32,
}

impl Kept {
    /// Draws a code for the mail about to be sent; an earlier one is void.
    pub(crate) fn draw(owner: &[u8], random: &Random, now_ms: u64) -> (String, Self) {
        let code = format!("{:08}", random.below(CODES));
        let kept = Self { hash: Some(hash(owner, &code).to_vec()), expires_at: Some(column(now_ms + CODE_TTL_MS)), attempts: 0 };
        (code, kept)
    }

    /// Whether this is the code: in time, and within few guesses.
    pub(crate) fn is(&self, owner: &[u8], code: &str, now_ms: u64) -> bool {
        let digits: String = code.chars().filter(char::is_ascii_digit).collect();
        let current = self.expires_at.is_some_and(|until| holds(number(until), CODE_TTL_MS, now_ms));
        current && self.attempts < MAX_ATTEMPTS && self.hash.as_deref() == Some(&hash(owner, &digits)[..])
    }

    /// Another code may be asked for a while after the last one.
    pub(crate) fn check_pause(&self, now_ms: u64) -> Result<()> {
        let drawn = self.expires_at.map(|until| number(until).saturating_sub(CODE_TTL_MS));
        match drawn.map(|at| at + RESEND_AFTER_MS) {
            Some(next) if holds(next, RESEND_AFTER_MS, now_ms) => Err(Error::RateLimited { retry_after_ms: next - now_ms }),
            _ => Ok(()),
        }
    }
}

/// Asks for a mail, unless the address had its share: silently, for whoever asks may not be its owner.
pub(crate) async fn ask(tx: &Tx, job: &Job, email: &str) -> Result<()> {
    let address = hex::encode(&Sha256::digest(mailbox(email))[..16]);
    let hour = tx.now_ms() / HOUR_MS;
    for nth in 0..MAX_CODES_PER_HOUR {
        let key = format!("email-code/{address}/{hour}/{nth}");
        if jobs::enqueue(tx, job, tx.now_ms(), Some(key)).await? {
            break;
        }
    }
    Ok(())
}

/// The mailbox, as far as anybody can tell from outside: without its tag, for mail to `ada+anything` comes to `ada` at most providers, and a share for
/// each tag would be no share at all.
fn mailbox(email: &str) -> String {
    let lower = email.to_ascii_lowercase();
    let untagged = |(local, domain): (&str, &str)| format!("{}@{domain}", local.split('+').next().unwrap_or(local));
    lower.rsplit_once('@').map(untagged).unwrap_or(lower)
}

/// The plain form `local@domain`: everything a mailer could read as more than one address is refused.
pub(crate) fn check(field: &'static str, email: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_graphic() && !"\"(),:;<>[\\]".contains(c);
    let wrong = || Error::invalid(field, "an address like name@example.com is needed");
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

fn hash(owner: &[u8], code: &str) -> [u8; 32] {
    Sha256::new().chain_update(owner).chain_update(code).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::on_each_engine;
    use keyvawlt_ledger::AccountId;

    #[tokio::test]
    async fn a_mailbox_has_one_share_under_all_its_tags() {
        on_each_engine(async |store| {
            let tx = store.write().await.unwrap();
            for (nth, email) in ["ada@example.com", "Ada@Example.com", "ada+1@example.com"].into_iter().cycle().take(12).enumerate() {
                let job = Job::EmailCode { account: AccountId([u8::try_from(nth).unwrap(); 16]) };
                ask(&tx, &job, email).await.unwrap();
            }
            assert_eq!(jobs::counts(&tx).await.unwrap().due, MAX_CODES_PER_HOUR);
            ask(&tx, &Job::EmailCode { account: AccountId([99; 16]) }, "bob+ada@example.com").await.unwrap();
            assert_eq!(jobs::counts(&tx).await.unwrap().due, MAX_CODES_PER_HOUR + 1, "somebody else's");
        })
        .await;
    }
}
