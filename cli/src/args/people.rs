//! Arguments of the commands about people, machines and what they may do.

use clap::{Args, Subcommand, ValueEnum};

use super::account::Typed;
use crate::duration::{Length, Moment};

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
