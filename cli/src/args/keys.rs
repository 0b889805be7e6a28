//! Arguments of the commands about one's own keys, and the ways into one's account.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::account::Password;
use crate::prompt::Source;

/// `keyvawlt keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Show your keys, as words to compare, and where they stand
    Show,
    /// Replace your keys in every organization, or continue where that broke off
    Rotate {
        /// Somebody else may have the present ones: replace every key they open too
        #[arg(long)]
        compromised: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// The Secret Key of the Emergency Kit
    #[command(subcommand)]
    SecretKey(SecretKey),
}

/// `keyvawlt keys secret-key`
#[derive(Debug, Subcommand)]
pub enum SecretKey {
    /// Make a new one, with a new Emergency Kit; every other device and recovery code ends
    New(Renewal),
}

/// What renews all ways in.
#[derive(Debug, Args)]
pub struct Renewal {
    /// Where the password comes from.
    #[command(flatten)]
    pub password: Password,
    /// Write the Emergency Kit to a new file that only you can read, besides showing it
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub kit_file: Option<PathBuf>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// `keyvawlt password`
#[derive(Debug, Subcommand)]
pub enum PasswordCommand {
    /// Set a new password; a device that is logged in needs no earlier one
    Change {
        /// Where the new password comes from.
        #[command(flatten)]
        password: Password,
    },
}

/// `keyvawlt recovery`
#[derive(Debug, Subcommand)]
pub enum Recovery {
    /// Make a recovery code, to be kept on paper; an earlier one ends
    Create,
    /// Get in when everything is lost but the recovery code; every other way in ends
    Use {
        /// The account's id, as the page with the code shows it; asked for when absent
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        /// Read the recovery code from a file instead of a prompt
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        code_file: Option<PathBuf>,
        /// The new password and kit.
        #[command(flatten)]
        renewal: Renewal,
    },
}

/// `keyvawlt device`
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List the ways into your account
    List,
    /// End one; a lost device opens nothing any more
    Remove {
        /// Its name, or the beginning of its id
        device: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Where a code comes from: a file, or a hidden prompt.
pub fn from_file(file: Option<&PathBuf>) -> Source {
    file.cloned().map_or(Source::Prompt, Source::File)
}
