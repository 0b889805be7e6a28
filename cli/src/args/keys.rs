//! Arguments of the commands about one's own keys, and the ways into one's account.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use keyvawlt_client::MAX_SHARES;

use super::account::{Password, Signup};
use crate::prompt::Source;

/// `keyvawlt keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Show your keys, as words to compare, and where they stand
    Show {
        /// Only the code of the public keys, for an admin who resets yours
        #[arg(long)]
        code: bool,
    },
    /// Begin a new account for an identity whose every key is lost; an admin then resets them
    Recover {
        /// Your identity's id, as keyvawlt member list --json of a colleague shows it
        #[arg(long, value_name = "ID")]
        identity: String,
        /// The new account.
        #[command(flatten)]
        signup: Signup,
    },
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
    /// Let a new device in, by the code it shows: keyvawlt login --link
    Approve {
        /// The twelve words, or the text that was scanned; asked for when absent
        code: Vec<String>,
        /// What your list of devices calls it; the server can read it
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// End one; a lost device opens nothing any more
    Remove {
        /// Its name, or the beginning of its id
        device: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// `keyvawlt breakglass`
#[derive(Debug, Subcommand)]
pub enum BreakGlass {
    /// Make a break-glass identity; its code, or the shares of it, are shown once
    Create {
        /// How members will see it
        #[arg(long, value_name = "NAME", default_value = "break-glass")]
        name: String,
        /// Show N shares instead, of which M are needed: 2/3
        #[arg(long, value_name = "M/N")]
        split: Option<Split>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Prove that the printed code opens everything today; changes nothing
    Drill {
        /// Where the code or the shares come from.
        #[command(flatten)]
        paper: Paper,
    },
    /// When the last owner is lost: make a member owner, with everything the code opens
    Use {
        /// Whom: name, or the beginning of the id
        #[arg(long, value_name = "MEMBER")]
        owner: String,
        /// Where the code or the shares come from.
        #[command(flatten)]
        paper: Paper,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// A code or shares on paper.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct Paper {
    /// Read the code, or one share per line, from stdin
    #[arg(long)]
    pub code_stdin: bool,
    /// Read the code, or one share per line, from a file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub code_file: Option<PathBuf>,
}

impl Paper {
    /// The source that was chosen.
    pub fn source(&self) -> Source {
        if self.code_stdin { Source::Stdin } else { from_file(self.code_file.as_ref()) }
    }
}

/// So many shares, of which fewer are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// How many are needed.
    pub threshold: u8,
    /// How many there are.
    pub count: u8,
}

impl std::str::FromStr for Split {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(m, n)| Some((m.parse().ok()?, n.parse().ok()?)));
        let (threshold, count) = numbers.ok_or("expected M/N, such as 2/3: two of three shares are needed")?;
        if threshold < 2 || threshold > count || count > MAX_SHARES {
            return Err(format!("at most {MAX_SHARES} shares, of which two or more, and not more than all, are needed"));
        }
        Ok(Self { threshold, count })
    }
}

/// Where a code comes from: a file, or a hidden prompt.
pub fn from_file(file: Option<&PathBuf>) -> Source {
    file.cloned().map_or(Source::Prompt, Source::File)
}
