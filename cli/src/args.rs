//! The command line: what can be said, and nothing of how it is done.
//!
//! Invariant: no argument is a place where a secret *must* stand. Settings that flags share with
//! variables and files are not defaulted here; `settings` decides and keeps the source.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::settings::Flags;

pub mod account;
pub mod delivery;
pub mod health;
pub mod keys;
pub mod leaving;
pub mod lifecycle;
pub mod monitor;
pub mod notify;
pub mod people;
pub mod secrets;
pub mod structure;

/// Secrets for teams, programs and agents. The server can read none of them.
#[derive(Debug, Parser)]
#[command(name = "keyvawlt", version, disable_help_subcommand = true)]
pub struct Cli {
    /// Flags every command takes.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// The server's origin: scheme, host and port [env: KEYVAWLT_ADDR]
    #[arg(long, global = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub addr: Option<String>,
    /// The organization [env: KEYVAWLT_ORG]
    #[arg(long, global = true, value_name = "NAME")]
    pub org: Option<String>,
    /// The project [env: KEYVAWLT_PROJECT]
    #[arg(long, global = true, value_name = "NAME")]
    pub project: Option<String>,
    /// The environment, such as production [env: KEYVAWLT_ENV]
    #[arg(long = "env", visible_alias = "environment", short = 'e', global = true, value_name = "NAME")]
    pub environment: Option<String>,
    /// A profile of keyvawlt.toml or config.toml [env: KEYVAWLT_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// The directory of this device's settings and keys [env: KEYVAWLT_CONFIG_DIR]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub config_dir: Option<PathBuf>,
    /// Print results and errors as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Print results and errors only
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl Global {
    /// The part that settings decide on.
    pub fn flags(&self) -> Flags {
        Flags {
            addr: self.addr.clone(),
            org: self.org.clone(),
            project: self.project.clone(),
            environment: self.environment.clone(),
            profile: self.profile.clone(),
            config_dir: self.config_dir.clone(),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create an account; shows the Secret Key and the Emergency Kit once
    Signup(account::Signup),
    /// Confirm the e-mail address with the code that was mailed
    VerifyEmail(account::VerifyEmail),
    /// Log in on this device, or with a machine token
    Login(account::Login),
    /// Remove this device's key, here and at the server
    Logout(account::Logout),
    /// Show who is logged in
    Whoami,
    /// Show the state of the vault as this device verified it, and what is due
    Status,
    /// Show the version of the command line and of the server
    Version,
    /// Say what a code means, and what to do; without one, list them
    Explain {
        /// As a failure shows it, such as E_SIG, or an exit's number
        code: Option<String>,
    },
    /// Look at what was kept when something did not verify
    #[command(subcommand)]
    Evidence(Evidence),
    /// Print a script that completes commands and flags in your shell
    Completion {
        /// Which shell
        shell: Shell,
    },
    /// Write keyvawlt.toml for this repository
    #[command(visible_alias = "setup")]
    Init(structure::Init),
    /// Look at settings
    #[command(subcommand)]
    Config(account::Config),
    /// Organizations
    #[command(subcommand)]
    Org(structure::Org),
    /// Projects
    #[command(subcommand)]
    Project(structure::Project),
    /// Environments
    #[command(subcommand)]
    Env(structure::Env),
    /// The organization's rules for itself
    #[command(subcommand)]
    Policy(structure::Policy),
    /// The repository's lock: what the server must not take back
    #[command(subcommand)]
    Lock(structure::Lock),
    /// Say that the organization stands as this client sees it, for others to notice when they are shown an older one
    Heartbeat,
    /// Make a folder or one secret shareable alone, or list what is
    Guard(structure::Guard),
    /// Put a guarded folder back into its environment
    Unguard(structure::Unguard),
    /// Secrets
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    /// The people of the organization
    #[command(subcommand)]
    Member(people::Member),
    /// Join an organization with the code an admin gave you
    Join(people::Join),
    /// Who may read, write and manage what
    #[command(subcommand)]
    Grant(people::Grant),
    /// Agents, CI jobs and services
    #[command(subcommand)]
    Machine(people::Machine),
    /// What the server looks at, without any secret, and whether it answers
    #[command(subcommand)]
    Monitor(monitor::Monitor),
    /// What you want to hear of, where notices go besides, and what became of them
    #[command(subcommand)]
    Notify(notify::Notify),
    /// Start a program with secrets in its environment
    Run(delivery::Run),
    /// Write secrets to stdout or a file
    Export(delivery::Export),
    /// Set secrets from a file
    Import(delivery::Import),
    /// Whether keys still work at their providers
    #[command(subcommand)]
    Health(health::Health),
    /// Remove somebody in one step, and list all that could be decrypted
    Offboard(leaving::Offboard),
    /// Say what is due, in how many days, and whose: secrets that expire, are to be rotated, or lack an expiry
    Remind(lifecycle::Remind),
    /// Replace a secret's value in steps that may be repeated, by people and by pipelines
    #[command(subcommand)]
    Rotate(lifecycle::Rotate),
    /// Secrets to rotate because somebody lost access
    #[command(subcommand)]
    Worklog(leaving::Worklog),
    /// The keys this device trusts, as words to compare
    #[command(subcommand)]
    Trust(leaving::Trust),
    /// Your own keys
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Your password
    #[command(subcommand)]
    Password(keys::PasswordCommand),
    /// The recovery code, for when everything else is lost
    #[command(subcommand)]
    Recovery(keys::Recovery),
    /// Your devices, and the other ways into your account
    #[command(subcommand)]
    Device(keys::Device),
    /// The identity on paper for the day on which the last owner is lost
    #[command(subcommand)]
    Breakglass(keys::BreakGlass),
}

/// `keyvawlt evidence`
#[derive(Debug, Subcommand)]
pub enum Evidence {
    /// Check a file's signatures, and say what they show and what not; needs no server and no login
    Check {
        /// The file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// The shells that can complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// source <(keyvawlt completion bash)
    Bash,
    /// source <(keyvawlt completion zsh)
    Zsh,
    /// keyvawlt completion fish | source
    Fish,
}

#[cfg(test)]
mod tests;
