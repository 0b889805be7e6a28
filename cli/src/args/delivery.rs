//! Arguments of the commands that bring secrets to programs and files.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use crate::dialect::Dialect;
use crate::duration::Moment;
use crate::names::Allowed;
use crate::run::Selection;

/// Which secrets, by name.
#[derive(Clone, Debug, Default, Args)]
pub struct Choice {
    /// Only these, by name or variable
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only those whose names begin so, such as stripe/
    #[arg(long = "prefix", value_name = "PREFIX")]
    pub prefixes: Vec<String>,
    /// Allow a variable that makes programs load other code, such as PATH; may be repeated
    #[arg(long = "allow-name", value_name = "NAME")]
    pub allow_names: Vec<String>,
}

impl Choice {
    /// The dangerous names that are allowed.
    pub fn allowed(&self) -> Allowed {
        Allowed::new(self.allow_names.iter().cloned())
    }
}

/// Whether the organization is held against a lock.
#[derive(Clone, Debug, Default, Args)]
pub struct Locking {
    /// Hold the organization against this lock; keyvawlt.lock beside keyvawlt.toml when there is one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub lock: Option<PathBuf>,
    /// Do not look at a lock
    #[arg(long, conflicts_with = "lock")]
    pub no_lock: bool,
}

/// `keyvawlt run`
#[derive(Debug, Args)]
pub struct Run {
    /// Set variables from an env file, references in it resolved; may be repeated, later ones win
    #[arg(long = "env-file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub env_files: Vec<PathBuf>,
    /// Inject every secret of the environment by its name
    #[arg(long, conflicts_with_all = ["only", "prefixes"])]
    pub all: bool,
    /// Inject secrets by name: a/b becomes A_B. Without any of these, only references are resolved
    #[command(flatten)]
    pub choice: Choice,
    /// Against which lock.
    #[command(flatten)]
    pub locking: Locking,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

impl Run {
    /// Which secrets are injected by name.
    pub fn selection(&self) -> Selection {
        Selection { all: self.all, only: self.choice.only.clone(), prefixes: self.choice.prefixes.clone() }
    }
}

/// `keyvawlt export`
#[derive(Debug, Args)]
pub struct Export {
    /// How to write; dotenv unless --json asks for JSON
    #[arg(long, short, value_enum)]
    pub format: Option<Dialect>,
    /// Write to a file that only you can read, instead of stdout
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Replace an existing file
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Which secrets; all when nothing is said.
    #[command(flatten)]
    pub choice: Choice,
    /// Against which lock.
    #[command(flatten)]
    pub locking: Locking,
}

impl Export {
    /// Which secrets are written.
    pub fn selection(&self) -> Selection {
        let Choice { only, prefixes, .. } = self.choice.clone();
        Selection { all: only.is_empty() && prefixes.is_empty(), only, prefixes }
    }
}

/// What `import` does with a name that exists with another value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Conflict {
    /// Leave it as it is.
    Skip,
    /// Write a new version.
    Overwrite,
    /// Import nothing at all.
    Fail,
}

/// The format of a file to import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportFormat {
    /// An env file.
    Dotenv,
    /// One JSON object of strings.
    Json,
}

/// `keyvawlt import`
#[derive(Debug, Args)]
pub struct Import {
    /// The file; - for stdin
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Its format; by its name when absent
    #[arg(long, short, value_enum)]
    pub format: Option<ImportFormat>,
    /// Put this before every name, such as stripe/
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub prefix: String,
    /// When the values stop working: 90d, or a date; the server and its mails can read it
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<Moment>,
    /// Show what would be done, without values
    #[arg(long)]
    pub dry_run: bool,
    /// What to do with a name that exists with another value
    #[arg(long, value_enum, default_value = "fail")]
    pub on_conflict: Conflict,
}
