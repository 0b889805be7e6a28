//! Arguments of the commands about those who left, and about whose keys are trusted.

use clap::{Args, Subcommand};

use crate::duration::Moment;
use crate::report::ReportFile;

/// `keyvawlt offboard`
#[derive(Debug, Args)]
pub struct Offboard {
    /// Name, or the beginning of the id
    pub member: String,
    /// Show what would happen, and change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Also remove the machines this member let in
    #[arg(long)]
    pub with_machines: bool,
    /// Where the report goes.
    #[command(flatten)]
    pub report: ReportFile,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// `keyvawlt worklog`
#[derive(Debug, Subcommand)]
pub enum Worklog {
    /// List the secrets somebody could read who no longer may
    List {
        /// Only what this former reader could read: name, or the beginning of the id
        #[arg(long, value_name = "WHO")]
        of: Option<String>,
        /// Also ask the server what it delivered; for owners, admins and auditors
        #[arg(long)]
        fetched: bool,
        /// Where the report goes.
        #[command(flatten)]
        report: ReportFile,
    },
    /// Say who replaces a secret, and until when
    Assign(Assign),
    /// Decide that a secret need not be replaced for those who lost access so far
    Resolve(Resolve),
}

/// `keyvawlt worklog assign`
#[derive(Debug, Args)]
pub struct Assign {
    /// The secret, in the chosen environment
    pub secret: String,
    /// Who replaces it: name of a member, or the beginning of the id
    #[arg(long, value_name = "WHO")]
    pub to: Option<String>,
    /// Until when: a duration or a date
    #[arg(long, value_name = "WHEN")]
    pub due: Option<Moment>,
    /// More, which all people of the organization can read
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Tell the server date and person in clear, as facts of the secret, so that it mails reminders
    #[arg(long)]
    pub remind: bool,
}

/// `keyvawlt worklog resolve`
#[derive(Debug, Args)]
pub struct Resolve {
    /// The secret, in the chosen environment
    #[arg(required_unless_present = "of")]
    pub secret: Option<String>,
    /// Instead: everything that is on the list only because of this former reader
    #[arg(long, value_name = "WHO", conflicts_with = "secret")]
    pub of: Option<String>,
    /// Why, which all people of the organization can read
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// `keyvawlt trust`
#[derive(Debug, Subcommand)]
pub enum Trust {
    /// List whose keys are known, how they were verified, and whether you compared them
    List,
    /// Compare somebody's ten words, and remember that
    Verify {
        /// Name, or the beginning of the id
        member: String,
        /// The words as you got them from that person, instead of being asked
        #[arg(long, value_name = "WORDS")]
        words: Option<String>,
        /// Do not ask whether the words were compared
        #[arg(long, short, conflicts_with = "words")]
        yes: bool,
    },
    /// Remember somebody's present keys without having compared them
    Pin {
        /// Name, or the beginning of the id
        member: String,
    },
}
