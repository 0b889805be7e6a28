//! Arguments of the commands about whether keys still work.

use clap::{Args, Subcommand};

use crate::duration::Length;
use crate::reference::SecretName;

/// `keyvawlt health`
#[derive(Debug, Subcommand)]
pub enum Health {
    /// Ask providers, harmlessly, whether keys still work, and tell the organization
    Check(Check),
    /// Show what members found out about the environment's keys
    List,
    /// List the providers whose keys can be checked, and what --provider calls them; needs no server
    Providers,
    /// Check keys again and again, as a machine, until told to stop
    Watch(Watch),
}

/// `keyvawlt health check`
#[derive(Debug, Args)]
pub struct Check {
    /// Secrets
    #[arg(required_unless_present = "all")]
    pub names: Vec<SecretName>,
    /// All secrets of the environment that are keys of a known provider
    #[arg(long, conflicts_with = "names")]
    pub all: bool,
    /// Whose keys they are; with --all, only this provider's
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// Tell nobody what came of it
    #[arg(long)]
    pub no_report: bool,
    /// Where providers live.
    #[command(flatten)]
    pub places: Places,
}

/// `keyvawlt health watch`
#[derive(Debug, Args)]
pub struct Watch {
    /// How often each key is checked, from 5m to 7d; rounds come up to a fifth earlier or later
    #[arg(long, value_name = "DURATION", default_value = "1h")]
    pub interval: Length,
    /// Where providers live.
    #[command(flatten)]
    pub places: Places,
}

/// Where providers live that this program cannot know.
#[derive(Debug, Args)]
pub struct Places {
    /// Where a provider lives, such as gitlab and its URL with = between; keys go there [env: KEYVAWLT_HEALTH_ENDPOINTS]
    #[arg(long = "endpoint", value_name = "PROVIDER=URL")]
    pub endpoints: Vec<String>,
}
