//! Arguments of `keyvawlt secrets`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use keyvawlt_client::{Fact, RandomValue};
use zeroize::Zeroizing;

use super::account::Typed;
use crate::duration::{Length, Malformed, Moment};
use crate::failure::{Failure, Outcome};
use crate::prompt::Source;
use crate::reference::{Address, SecretName};

/// `keyvawlt secrets`
#[derive(Debug, Subcommand)]
pub enum Secrets {
    /// List names, versions and facts; no values
    List(List),
    /// Show one secret
    Get(Get),
    /// Say which secret a mail or a notice speaks of, which knows no name: where it is, and what it is called
    Find {
        /// Its id, or the beginning of it: six digits or more
        #[arg(value_parser = id_beginning)]
        id: String,
    },
    /// Set one secret: a new version, or a new secret
    Set(Set),
    /// Change one secret in your editor
    Edit {
        /// Its name
        name: SecretName,
    },
    /// Delete secrets; they can be brought back
    Delete {
        /// Their names
        #[arg(required_unless_present = "damaged", conflicts_with = "damaged")]
        names: Vec<SecretName>,
        /// Those that a member wrote so that their names do not open, or that claim another's name
        #[arg(long)]
        damaged: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Bring deleted secrets back
    Undelete {
        /// Their names
        #[arg(required = true)]
        names: Vec<SecretName>,
    },
    /// Values that are staged with `set --draft`
    #[command(subcommand)]
    Draft(Draft),
    /// Tell the server something else about a secret, so that it can remind; the value stays
    Facts(TellFacts),
    /// List the versions of one secret
    History {
        /// Its name
        name: SecretName,
    },
    /// Make an earlier version the newest again
    Rollback {
        /// Its name
        name: SecretName,
        /// The version to bring back
        #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u64).range(1..))]
        to: u64,
    },
}

/// `keyvawlt secrets draft`
#[derive(Debug, Subcommand)]
pub enum Draft {
    /// List what is staged; no values
    List,
    /// Make a staged value the secret's next version
    Commit {
        /// The secret's name
        name: SecretName,
    },
    /// Delete a staged value
    Discard {
        /// The secret's name
        name: SecretName,
    },
}

/// `keyvawlt secrets facts`
#[derive(Debug, Args)]
pub struct TellFacts {
    /// Its name
    pub name: SecretName,
    /// What is told; what is not said stays.
    #[command(flatten)]
    pub facts: Facts,
    /// Tell nothing any more
    #[arg(long, conflicts_with_all = ["expires", "rotate_every", "grace", "label", "provider", "owner", "monitor", "without"])]
    pub clear: bool,
}

/// `keyvawlt secrets list`
#[derive(Debug, Args)]
pub struct List {
    /// Only names that begin so
    #[arg(long, value_name = "PREFIX")]
    pub prefix: Option<String>,
    /// Only names, one per line
    #[arg(long)]
    pub names_only: bool,
    /// Deleted ones too
    #[arg(long)]
    pub deleted: bool,
}

/// `keyvawlt secrets get`
#[derive(Debug, Args)]
pub struct Get {
    /// Its name, or keyvawlt://project/environment/NAME[?version=N|current|previous]
    #[arg(value_name = "NAME")]
    pub address: Address,
    /// The value only, byte for byte
    #[arg(long)]
    pub plain: bool,
    /// An earlier version
    #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(u64).range(1..))]
    pub version: Option<u64>,
    /// The version before the newest, while its grace lasts
    #[arg(long, conflicts_with = "version")]
    pub previous: bool,
    /// The value that is staged to be the next
    #[arg(long, conflicts_with_all = ["version", "previous"])]
    pub draft: bool,
    /// Only this member of the value, which is then a JSON object
    #[arg(long, value_name = "FIELD")]
    pub field: Option<String>,
}

/// `keyvawlt secrets set`
#[derive(Debug, Args)]
pub struct Set {
    /// NAME, and the value is asked for unseen; or NAME=VALUE, which your shell's history may keep
    // Parsed later: the parser of arguments repeats what it refuses, and this may be a value.
    #[arg(value_name = "NAME[=VALUE]")]
    pub assignment: Typed,
    /// Taken only to say that a value is no argument of its own, without repeating it.
    #[arg(hide = true)]
    pub stray: Option<Typed>,
    /// Where the value comes from.
    #[command(flatten)]
    pub value: ValueFlags,
    /// Stage the value instead: keyvawlt secrets draft commit makes it the next version
    #[arg(long, conflicts_with = "if_version")]
    pub draft: bool,
    /// A note, encrypted with the value
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// A tag, encrypted with the value; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Only if this is the newest version now (0: only if it is new)
    #[arg(long, value_name = "VERSION")]
    pub if_version: Option<u64>,
    /// What the server may know in clear so that it can remind.
    #[command(flatten)]
    pub facts: Facts,
}

/// Where a value comes from; it is asked for unseen when nothing is said.
#[derive(Clone, Debug, Default, Args)]
pub struct ValueFlags {
    /// Read the value from stdin, without the last line end
    #[arg(long, conflicts_with_all = ["file", "random"])]
    pub stdin: bool,
    /// Read the value from a file, byte for byte
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "random")]
    pub file: Option<PathBuf>,
    /// Draw the value: hex:32, base64:32 (bytes) or alnum:24 (letters and digits)
    #[arg(long, value_name = "FORM:LENGTH")]
    pub random: Option<RandomValue>,
}

impl ValueFlags {
    /// What is said, if anything is.
    pub fn said(&self) -> Option<ValueSource> {
        let file = self.file.clone().map(|path| ValueSource::Read(Source::File(path)));
        file.or(self.random.map(ValueSource::Random)).or(self.stdin.then_some(ValueSource::Read(Source::Stdin)))
    }
}

/// What the server and its mails can read: nothing unless you say it here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Facts (the server and its mails can read these)")]
pub struct Facts {
    /// When the value stops working: 90d, or a date
    #[arg(long, value_name = "WHEN")]
    pub expires: Option<Moment>,
    /// How often it is to be replaced: 90d
    #[arg(long, value_name = "DURATION")]
    pub rotate_every: Option<Length>,
    /// How long the value before stays readable as @previous after a new version: 7d; none for not at all
    #[arg(long, value_name = "DURATION|none", value_parser = grace)]
    pub grace: Option<u64>,
    /// What mails call it, such as "Stripe live"
    #[arg(long, value_name = "TEXT")]
    pub label: Option<String>,
    /// Whose key it is: openai, stripe
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Who is responsible for it, and is reminded first: name of a member, or the beginning of the id
    #[arg(long, value_name = "PERSON")]
    pub owner: Option<String>,
    /// The monitor that watches what it opens, by name or id: a rotation is done when that is up
    #[arg(long, value_name = "MONITOR")]
    pub monitor: Option<String>,
    /// Take back what was told; may be repeated
    #[arg(long, value_enum, value_name = "FACT", value_delimiter = ',')]
    pub without: Vec<FactName>,
}

/// A fact that can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FactName {
    /// When the value stops working; also what the organization's default would say.
    Expires,
    /// How often it is to be replaced.
    RotateEvery,
    /// How long the value before stays readable: 7 days again.
    Grace,
    /// What mails call it.
    Label,
    /// Whose key it is.
    Provider,
    /// Who is responsible for it.
    Owner,
    /// The monitor.
    Monitor,
}

impl From<FactName> for Fact {
    fn from(name: FactName) -> Self {
        match name {
            FactName::Expires => Self::Expires,
            FactName::RotateEvery => Self::RotateEvery,
            FactName::Grace => Self::Grace,
            FactName::Label => Self::Label,
            FactName::Provider => Self::Provider,
            FactName::Owner => Self::Owner,
            FactName::Monitor => Self::Monitor,
        }
    }
}

/// Fewer digits would mean several.
const MIN_ID_DIGITS: usize = 6;
/// A secret's id.
const MAX_ID_DIGITS: usize = 32;

fn id_beginning(text: &str) -> Result<String, String> {
    let whole = (MIN_ID_DIGITS..=MAX_ID_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if whole { Ok(text.to_ascii_lowercase()) } else { Err("expected 6 to 32 hexadecimal digits, as a mail shows them".to_owned()) }
}

fn grace(text: &str) -> Result<u64, Malformed> {
    if text == "none" { Ok(0) } else { text.parse().map(Length::ms) }
}

impl Facts {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this one is told.
    pub fn says(&self, fact: FactName) -> bool {
        match fact {
            FactName::Expires => self.expires.is_some(),
            FactName::RotateEvery => self.rotate_every.is_some(),
            FactName::Grace => self.grace.is_some(),
            FactName::Label => self.label.is_some(),
            FactName::Provider => self.provider.is_some(),
            FactName::Owner => self.owner.is_some(),
            FactName::Monitor => self.monitor.is_some(),
        }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// It stood in the argument.
    Argument(Typed),
    /// It has to be read.
    Read(Source),
    /// It has to be drawn.
    Random(RandomValue),
}

impl Set {
    /// The secret, and where its value comes from. Two sources contradict each other.
    pub fn parse(&self) -> Outcome<(SecretName, ValueSource)> {
        if self.stray.is_some() {
            return Err(Failure::usage("the value is no argument of its own")
                .hint("leave it out and be asked, use --stdin or --file, or write NAME=VALUE"));
        }
        let (name, given) = match self.assignment.0.split_once('=') {
            Some((name, value)) => (name, Some(Typed(Zeroizing::new(value.to_owned())))),
            None => (self.assignment.0.as_str(), None),
        };
        let name = SecretName::parse(name)?;
        let read = self.value.said();
        match (given, read) {
            (Some(_), Some(_)) => Err(Failure::usage("the value is given both as NAME=VALUE and by --stdin, --file or --random")),
            (Some(value), None) => Ok((name, ValueSource::Argument(value))),
            (None, Some(source)) => Ok((name, source)),
            (None, None) => Ok((name, ValueSource::Read(Source::Prompt))),
        }
    }
}
