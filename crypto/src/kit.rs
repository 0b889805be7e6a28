//! The Emergency Kit: one page to print, with everything but the password that opens an account on a new device.

use crate::slot::{ACCOUNT_SUITE, SecretKey};
use keyvawlt_ledger::AccountId;
use zeroize::Zeroizing;

/// The page's text.
pub fn text(account_id: &AccountId, email: &str, origin: &str, secret_key: &SecretKey) -> Zeroizing<String> {
    let secret_key = secret_key.to_text();
    Zeroizing::new(format!(
        "KeyVawlt Emergency Kit\n\
         \n\
         Print this page or write it down, and keep it where you keep passports. Nobody can\n\
         give it to you again: not your server, not its administrators, not the makers.\n\
         \n\
         Server         {origin}\n\
         E-mail         {email}\n\
         Account        {account_id}\n\
         Account suite  {ACCOUNT_SUITE}\n\
         Secret Key     {}\n\
         Password       ________________________________ (better kept apart)\n\
         \n\
         To get in on a new machine: keyvawlt login --addr {origin}\n",
        *secret_key
    ))
}
