//! Arguments of the commands about oneself and this device.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use zeroize::Zeroizing;

use crate::prompt::Source;

/// Where the password comes from; a hidden prompt unless a flag says otherwise.
#[derive(Clone, Debug, Default, Args)]
#[group(multiple = false)]
pub struct Password {
    /// Read the password from stdin
    #[arg(long)]
    pub password_stdin: bool,
    /// Read the password from a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub password_file: Option<PathBuf>,
}

impl Password {
    /// The source that was chosen.
    pub fn source(&self) -> Source {
        match &self.password_file {
            Some(path) => Source::File(path.clone()),
            None if self.password_stdin => Source::Stdin,
            None => Source::Prompt,
        }
    }
}

/// `keyvawlt signup`
#[derive(Debug, Args)]
pub struct Signup {
    /// The e-mail address; asked for when absent
    #[arg(long, value_name = "ADDRESS", value_hint = ValueHint::EmailAddress)]
    pub email: Option<String>,
    /// The name other members see; the part of the address before the @ when absent
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where the new password comes from.
    #[command(flatten)]
    pub password: Password,
    /// Write the Emergency Kit to a new file that only you can read, besides showing it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub kit_file: Option<PathBuf>,
    /// Do not make this a device that stays logged in
    #[arg(long)]
    pub no_device: bool,
}

/// `keyvawlt verify-email`
#[derive(Debug, Args)]
pub struct VerifyEmail {
    /// The code that was mailed; asked for when absent
    #[arg(conflicts_with = "resend")]
    pub code: Option<String>,
    /// Have a new code mailed
    #[arg(long)]
    pub resend: bool,
}

/// `keyvawlt login`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Login {
    /// The account's id, as the Emergency Kit shows it; asked for when absent
    #[arg(long, value_name = "ID", conflicts_with = "kit_file")]
    pub account: Option<String>,
    /// Where the password comes from.
    #[command(flatten)]
    pub password: Password,
    /// Read the Secret Key from a file instead of a prompt
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "kit_file")]
    pub secret_key_file: Option<PathBuf>,
    /// Read server, account and Secret Key from a saved Emergency Kit
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub kit_file: Option<PathBuf>,
    /// What your list of devices calls this one; the server can read it
    #[arg(long, value_name = "NAME", conflicts_with = "no_device")]
    pub device_name: Option<String>,
    /// Keep no key on this device: every command asks for Secret Key and password
    #[arg(long)]
    pub no_device: bool,
    /// Show a code for a device that is logged in, and wait for it to let this one in
    #[arg(long, conflicts_with_all = ["account", "password_stdin", "password_file", "secret_key_file", "kit_file", "device_name", "no_device"])]
    pub link: bool,
    /// With --link: do not ask whether both devices show the same words
    #[arg(long, short, requires = "link")]
    pub yes: bool,
    /// Log in as a machine, with a token read from stdin
    #[arg(
        long,
        conflicts_with_all = ["link", "account", "password_stdin", "password_file", "secret_key_file", "kit_file", "device_name", "no_device"]
    )]
    pub token_stdin: bool,
}

/// `keyvawlt logout`
#[derive(Debug, Args)]
pub struct Logout {
    /// Remove the key here even if the server cannot be reached
    #[arg(long)]
    pub local_only: bool,
}

/// `keyvawlt config`
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Show every setting, its value and who said it
    Debug,
}

/// A text that may be secret, given in an argument because the person chose to.
#[derive(Clone, PartialEq, Eq)]
pub struct Typed(pub Zeroizing<String>);

impl std::fmt::Debug for Typed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Typed(hidden)")
    }
}

impl std::str::FromStr for Typed {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}
