//! The Emergency Kit: one page to print, with everything but the password that opens an account on a new device.

use crate::armor::refused;
use crate::origin;
use crate::slot::{ACCOUNT_SUITE, SecretKey};
use keyvawlt_ledger::{AccountId, Fault};
use zeroize::Zeroizing;

const SERVER: &str = "Server";
const ACCOUNT: &str = "Account";
const SUITE: &str = "Account suite";
const SECRET_KEY: &str = "Secret Key";

/// What a kit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kit {
    /// The server.
    pub origin: String,
    /// The account.
    pub account_id: AccountId,
    /// The Secret Key.
    pub secret_key: SecretKey,
}

/// Reads the page, also as a person copied it: lines in any order, other lines ignored.
pub fn parse(page: &str) -> Result<Kit, Fault> {
    let line = |label: &str| {
        let lines = page.lines().filter_map(|line| line.trim().strip_prefix(label)).filter(|rest| rest.starts_with(' '));
        // "Account suite" begins like "Account", whose value has no blank in it.
        let mut values = lines.map(str::trim).filter(|value| !(label == ACCOUNT && value.contains(' ')));
        values.next().ok_or_else(|| refused(format!("the Emergency Kit has no line \"{label}\"")))
    };
    if line(SUITE)? != ACCOUNT_SUITE.to_string() {
        return Err(refused("the Emergency Kit is of an account suite this program does not know: upgrade required"));
    }
    let origin = line(SERVER)?.to_owned();
    origin::check(&origin)?;
    Ok(Kit { origin, account_id: line(ACCOUNT)?.parse()?, secret_key: SecretKey::parse(line(SECRET_KEY)?)? })
}

/// The page's text.
pub fn text(account_id: &AccountId, email: &str, origin: &str, secret_key: &SecretKey) -> Zeroizing<String> {
    let secret_key = secret_key.to_text();
    Zeroizing::new(format!(
        "KeyVawlt Emergency Kit\n\
         \n\
         Print this page or write it down, and keep it where you keep passports. Nobody can\n\
         give it to you again: not your server, not its administrators, not the makers.\n\
         \n\
         {SERVER:<15}{origin}\n\
         E-mail         {email}\n\
         {ACCOUNT:<15}{account_id}\n\
         {SUITE:<15}{ACCOUNT_SUITE}\n\
         {SECRET_KEY:<15}{}\n\
         Password       ________________________________ (better kept apart)\n\
         \n\
         To get in on a new machine: keyvawlt login --addr {origin}\n",
        *secret_key
    ))
}
