//! Arguments of the commands that keep secrets from being forgotten: reminders and rotations.

use clap::{Args, Subcommand};

use super::secrets::{Facts, ValueFlags};
use crate::duration::Length;
use crate::reference::SecretName;

/// `keyvawlt remind`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Remind {
    /// Instead: what the server is to do.
    #[command(subcommand)]
    pub command: Option<RemindCommand>,
    /// How far to look ahead; 30d when nothing is said
    #[arg(long, value_name = "DURATION")]
    pub within: Option<Length>,
    /// End with 20 when something is due within this time, or has no expiry although the organization refuses that; for CI
    #[arg(long, value_name = "DURATION")]
    pub fail_within: Option<Length>,
    /// Only what you are responsible for
    #[arg(long)]
    pub mine: bool,
}

/// `keyvawlt remind …`
#[derive(Debug, Subcommand)]
pub enum RemindCommand {
    /// Have the server remind nobody of one secret that is to be replaced for a while; then the owner first again
    Snooze {
        /// The secret's name, in the chosen environment
        name: SecretName,
        /// For how long: at most 30 days, and at most 90 days after it was to be replaced
        #[arg(long = "for", value_name = "DURATION")]
        time: Length,
    },
}

/// `keyvawlt rotate`
#[derive(Debug, Subcommand)]
pub enum Rotate {
    /// Stage the next value of a secret; nobody uses it before the commit. Begun again, it is the same rotation
    Begin(Box<Begin>),
    /// Make the staged value the current one; the one before stays readable as @previous for its grace
    Commit {
        /// The secret's name
        name: SecretName,
    },
    /// Give a rotation up: the staged value is deleted
    Abort {
        /// The secret's name
        name: SecretName,
    },
    /// List rotations under way, and previous values that are still in grace; no values
    List,
}

/// `keyvawlt rotate begin`
#[derive(Debug, Args)]
pub struct Begin {
    /// The secret's name
    pub name: SecretName,
    /// Where the value comes from.
    #[command(flatten)]
    pub value: ValueFlags,
    /// Names this rotation, such as a pipeline's number: begun again under the same key, it is the same one, also after its commit
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Replace a value that is staged already
    #[arg(long)]
    pub replace: bool,
    /// A note, encrypted with the value; the present one when absent
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// What the new version tells the server.
    #[command(flatten)]
    pub facts: Facts,
}
