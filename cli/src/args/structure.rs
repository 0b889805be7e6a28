//! Arguments of the commands about organizations, projects, people and access.

use clap::{Args, Subcommand, ValueEnum};

use super::account::Typed;
use crate::duration::{Length, Moment};
use crate::reference::{Malformed, SecretName};

/// `keyvawlt init`: what it writes comes from the global flags and settings.
#[derive(Debug, Args)]
pub struct Init {
    /// Replace an existing keyvawlt.toml
    #[arg(long)]
    pub force: bool,
}

/// `keyvawlt org`
#[derive(Debug, Subcommand)]
pub enum Org {
    /// Create an organization and become its owner
    Create {
        /// Its name, which the server cannot read
        name: String,
    },
    /// List your organizations
    List,
    /// Show one: members, environments, the verified head of its chain
    Show {
        /// Its name; the chosen one when absent
        name: Option<String>,
    },
    /// Make one the default of this device
    Use {
        /// Its name
        name: String,
    },
    /// Leave the chosen one, with all your access
    Leave {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Give a server that was restored from a backup what it lacks and this device holds, of all your organizations
    BringBack {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Take one off your list: founding it never came to an end, or you are no member any more
    Forget {
        /// Its id, as keyvawlt org list shows it
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// `keyvawlt project`
#[derive(Debug, Subcommand)]
pub enum Project {
    /// Create a project, with the environments development and production
    Create {
        /// Its name, which the server cannot read
        name: String,
    },
    /// List the projects you may see
    List,
    /// Give the chosen project another name, in all its environments
    Rename {
        /// The new name
        to: String,
    },
}

/// `keyvawlt policy`
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// Show the organization's rules for itself
    Show,
    /// Change them; what is not named stays
    Set(PolicySet),
}

/// `keyvawlt policy set`
#[derive(Debug, Args)]
pub struct PolicySet {
    /// Whether a join waits, without any right, until an admin has compared words
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub require_confirm: Option<bool>,
    /// Whether codes of invites may be mailed by the server; who joins so is marked
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub allow_unverified: Option<bool>,
    /// Whether one machine never has access to production and elsewhere
    #[arg(long, value_name = "YES|NO", value_parser = yes_or_no)]
    pub machine_single_class: Option<bool>,
    /// How old the newest statement may be before clients warn; none for no limit
    #[arg(long, value_name = "DURATION|none")]
    pub max_staleness: Option<String>,
    /// When a new value ends of which nobody said it, such as 90d; none for never
    #[arg(long, value_name = "DURATION|none")]
    pub default_expiry: Option<String>,
    /// What clients do about a secret in production without an expiry
    #[arg(long, value_enum, value_name = "off|warn|refuse")]
    pub expiry_in_production: Option<Expectation>,
    /// The lowest cryptographic suite that is accepted; it only rises
    #[arg(long, value_name = "NUMBER")]
    pub min_suite: Option<u64>,
    /// One more origin where the organization's server answers
    #[arg(long, value_name = "URL")]
    pub add_origin: Vec<String>,
    /// An origin where it answers no longer
    #[arg(long, value_name = "URL")]
    pub remove_origin: Vec<String>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// What clients do about something that should not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Expectation {
    /// Nothing.
    Off,
    /// They say so, and remind.
    Warn,
    /// They do not write it.
    Refuse,
}

fn yes_or_no(text: &str) -> Result<bool, &'static str> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("expected yes or no"),
    }
}

/// What an environment is for; fixes rules such as "no machine in production and elsewhere".
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Class {
    /// For trying things out.
    Development,
    /// Like production, without its data.
    Staging,
    /// The real thing.
    Production,
}

/// `keyvawlt env`
#[derive(Debug, Subcommand)]
pub enum Env {
    /// Create an environment in the project
    Create {
        /// Its name, which the server cannot read
        name: String,
        /// What it is for; by its name for development, staging and production, else development
        #[arg(long)]
        class: Option<Class>,
    },
    /// List the environments you may see
    List {
        /// Those that are archived, instead
        #[arg(long)]
        archived: bool,
    },
    /// Give an environment another name
    Rename {
        /// ENVIRONMENT or PROJECT/ENVIRONMENT
        environment: String,
        /// The new name
        to: String,
    },
    /// Put an environment away: nothing is written or given there, and lists leave it out
    Archive {
        /// ENVIRONMENT or PROJECT/ENVIRONMENT
        environment: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Bring an archived environment back
    Restore {
        /// ENVIRONMENT or PROJECT/ENVIRONMENT
        environment: String,
    },
}

/// `keyvawlt lock`
#[derive(Debug, Subcommand)]
pub enum Lock {
    /// Write keyvawlt.lock: how far this organization was verified, to be committed
    Update,
    /// Check that the organization contains what keyvawlt.lock says
    Verify,
}

/// `keyvawlt guard`
#[derive(Debug, Args)]
pub struct Guard {
    /// A folder, such as stripe/, or one secret; what is guarded already when absent
    pub path: Option<GuardPath>,
}

/// `keyvawlt unguard`
#[derive(Debug, Args)]
pub struct Unguard {
    /// What was guarded
    pub path: GuardPath,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

/// A folder ending in `/`, or the full name of one secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardPath(pub String);

impl std::str::FromStr for GuardPath {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        SecretName::parse(text.strip_suffix('/').unwrap_or(text)).map(|_| Self(text.to_owned()))
    }
}

/// The role of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Everything, admins and owners included.
    Owner,
    /// Members and access.
    Admin,
    /// What access was granted.
    Member,
    /// Metadata and audit, never keys.
    Auditor,
}

/// What may be done in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Perm {
    /// Read secrets.
    Read,
    /// Read and write secrets.
    Write,
    /// Read and write secrets, and grant access.
    Manage,
}

/// What a machine may do: never `manage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MachinePerm {
    /// Read secrets.
    Read,
    /// Read and write secrets.
    Write,
}

/// An environment or a guarded folder of it, and what may be done there: `payments/production:read`, `production:stripe/:write`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// `project/environment`, or an environment of the chosen project; behind a colon a guarded folder.
    pub on: String,
    /// What may be done.
    pub perm: Perm,
}

impl std::str::FromStr for Access {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (on, perm) = text
            .rsplit_once(':')
            .filter(|(on, _)| !on.is_empty())
            .ok_or("expected PLACE:PERMISSION, such as payments/production:read or production:stripe/:read")?;
        Ok(Self { on: on.to_owned(), perm: Perm::from_str(perm, false)? })
    }
}

/// `keyvawlt member`
#[derive(Debug, Subcommand)]
pub enum Member {
    /// Make a code that lets one person join; pass it outside of this server
    Invite {
        /// The role
        #[arg(long, value_enum, default_value = "member")]
        role: Role,
        /// Access to give once words were compared; may be repeated
        #[arg(long = "grant", value_name = "PLACE:PERMISSION")]
        grants: Vec<Access>,
        /// How long the code can be used
        #[arg(long, value_name = "DURATION", default_value = "72h")]
        ttl: Length,
        /// When the membership ends: a duration or a date; never when absent
        #[arg(long, value_name = "WHEN")]
        ends: Option<Moment>,
        /// Let the code itself carry the keys of what is granted below production, for at most 72h: whoever has it reads at once
        #[arg(long)]
        carry_keys: bool,
        /// The code goes by a way this server may see: the newcomer is marked as not verified. The policy must allow it
        #[arg(long)]
        unverified: bool,
        /// How colleagues will see the newcomer; asked for when absent
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// List members and open invites
    List,
    /// Show one: role, keys as words, access
    Show {
        /// Name, or the beginning of the id
        member: String,
    },
    /// After comparing words: give a newcomer what the invite promised
    Confirm {
        /// Name, or the beginning of the id
        member: String,
        /// Do not ask whether the words were compared
        #[arg(long, short)]
        yes: bool,
    },
    /// Change the role, or when the membership ends
    Set {
        /// Name, or the beginning of the id
        member: String,
        /// The role from now on
        #[arg(long, value_enum, required_unless_present = "ends")]
        role: Option<Role>,
        /// When it ends: a duration, a date, or never
        #[arg(long, value_name = "WHEN")]
        ends: Option<Ends>,
    },
    /// Remove one; new keys are made, and the secrets to rotate are listed
    Remove {
        /// Name, or the beginning of the id
        member: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Give a member who lost every key the new ones, after words were compared; access is given again
    Reset {
        /// Name, or the beginning of the id
        member: String,
        /// Read the code of the new keys from stdin
        #[arg(long, conflicts_with = "code_file")]
        code_stdin: bool,
        /// Read the code of the new keys from a file
        #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        code_file: Option<std::path::PathBuf>,
        /// Do not ask whether the words were compared
        #[arg(long, short)]
        yes: bool,
    },
    /// End an invite that nobody used yet
    RevokeInvite {
        /// The name it is for, or the beginning of its id
        invite: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// `keyvawlt join`
#[derive(Debug, Args)]
pub struct Join {
    /// The code; asked for, unseen, when absent
    #[arg(conflicts_with = "code_stdin")]
    pub code: Option<Typed>,
    /// Read the code from stdin
    #[arg(long)]
    pub code_stdin: bool,
    /// Do not ask whether the inviter's words were compared
    #[arg(long, short)]
    pub yes: bool,
}

/// `keyvawlt grant`
#[derive(Debug, Subcommand)]
pub enum Grant {
    /// Give access, or change it
    Add {
        /// Whom: name of a member or machine, or the beginning of the id
        #[arg(long, value_name = "WHO")]
        to: String,
        /// Where: ENVIRONMENT or PROJECT/ENVIRONMENT, or a guarded folder of it as ENVIRONMENT:stripe/; the chosen one when absent
        #[arg(long, value_name = "PLACE")]
        on: Option<String>,
        /// What
        #[arg(long, value_enum)]
        perm: Perm,
        /// When it ends: a duration or a date; never when absent
        #[arg(long, value_name = "WHEN")]
        ttl: Option<Moment>,
    },
    /// List access
    List {
        /// Only there
        #[arg(long, value_name = "PLACE")]
        on: Option<String>,
        /// Only theirs
        #[arg(long, value_name = "WHO")]
        to: Option<String>,
    },
    /// Take access away; a new key is made, and the secrets to rotate are listed
    Remove {
        /// Whose
        #[arg(long, value_name = "WHO")]
        to: String,
        /// Where; the chosen environment when absent
        #[arg(long, value_name = "PLACE")]
        on: Option<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// `keyvawlt machine`
#[derive(Debug, Subcommand)]
pub enum Machine {
    /// Admit a machine to one environment, or one guarded folder, and print its token, once
    Create {
        /// Its name
        name: String,
        /// Where: ENVIRONMENT, or a guarded folder of it as ENVIRONMENT:stripe/; the chosen one when absent
        #[arg(long, value_name = "PLACE")]
        on: Option<String>,
        /// What it may do
        #[arg(long, value_enum, default_value = "read")]
        perm: MachinePerm,
        /// When it ends: a duration or a date
        #[arg(long, value_name = "WHEN", default_value = "90d")]
        ttl: Moment,
        /// Write the token to a new file that only you can read, instead of printing it
        #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        token_file: Option<std::path::PathBuf>,
    },
    /// List machines: what they may do, when they end, who let them in
    List,
    /// Print a new token for a machine, once; the old one works on for a while, then ends
    Replace {
        /// Name, or the beginning of the id
        machine: String,
        /// How long the old token works on, at most 30d
        #[arg(long, value_name = "DURATION", default_value = "24h")]
        overlap: Length,
        /// When the new one ends: a duration or a date
        #[arg(long, value_name = "WHEN", default_value = "90d")]
        ttl: Moment,
        /// Write the token to a new file that only you can read, instead of printing it
        #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
        token_file: Option<std::path::PathBuf>,
    },
    /// Remove one; new keys are made, and the secrets to rotate are listed
    Revoke {
        /// Name, or the beginning of the id
        machine: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// When a membership ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It does not.
    Never,
    /// Then.
    At(Moment),
}

impl std::str::FromStr for Ends {
    type Err = crate::duration::Malformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "never" { Ok(Self::Never) } else { text.parse().map(Self::At) }
    }
}
