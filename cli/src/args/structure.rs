//! Arguments of the commands about organizations, projects, environments and their rules.

use clap::{Args, Subcommand, ValueEnum};

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
