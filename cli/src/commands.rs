//! The commands: each takes its arguments and the call's context, and answers or fails.
//!
//! Invariant: this is the only place that joins arguments, settings, the vault and printing.

use crate::args::account::Config;
use crate::args::{Cli, Command, Evidence, Global};
use crate::evidence;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::prompt::Person;
use crate::settings::{Settings, Surroundings};

mod account;
mod breakglass;
mod bring_back;
mod environment;
mod explain;
mod grant;
mod guard;
mod health;
mod invite;
mod join;
mod keys;
mod link;
mod local;
mod lock;
mod machine;
mod member;
mod monitor;
mod notify;
mod offboard;
mod org;
mod policy;
mod project;
mod remind;
mod reset;
mod rotate;
mod run;
mod secrets;
mod status;
mod transfer;
mod trust;
mod ways;
mod worklog;

/// What a command works with.
pub struct Context {
    /// Flags every command takes.
    pub global: Global,
    /// Environment and working directory.
    pub around: Surroundings,
    /// Where it prints.
    pub output: Output,
    /// Whom it asks.
    pub person: Box<dyn Person>,
}

impl Context {
    /// The settings; read only by commands that need some, so that `run` works without a home.
    pub fn settings(&self) -> Outcome<Settings> {
        Settings::read(&self.global.flags(), &self.around)
    }
}

/// Does what the command line says, on this thread.
pub fn dispatch(cli: Cli, context: &mut Context) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::local(format!("cannot start waiting for the network: {error}")))?;
    runtime.block_on(perform(cli.command, context)).map_err(|failure| evidence::keep(failure, context))
}

async fn perform(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Signup(arguments) => account::signup(arguments, context).await,
        Command::VerifyEmail(arguments) => account::verify_email(arguments, context).await,
        Command::Login(arguments) => account::login(arguments, context).await,
        Command::Logout(arguments) => account::logout(arguments, context).await,
        Command::Whoami => account::whoami(context).await,
        Command::Status => status::status(context).await,
        Command::Version => local::version(context).await,
        Command::Explain { code } => explain::explain(code.as_deref(), context),
        Command::Evidence(Evidence::Check { file }) => explain::check_evidence(&file, context),
        Command::Init(arguments) => local::init(&arguments, context),
        Command::Config(Config::Debug) => local::config_debug(context),
        Command::Completion { shell } => local::completion(shell, context),
        Command::Org(command) => org::org(command, context).await,
        Command::Project(command) => project::project(command, context).await,
        Command::Env(command) => environment::env(command, context).await,
        Command::Member(command) => member::member(command, context).await,
        Command::Join(arguments) => join::join(arguments, context).await,
        Command::Grant(command) => grant::grant(command, context).await,
        Command::Machine(command) => machine::machine(command, context).await,
        Command::Health(command) => health::health(command, context).await,
        Command::Offboard(arguments) => offboard::offboard(arguments, context).await,
        Command::Remind(arguments) => remind::remind(&arguments, context).await,
        Command::Rotate(command) => rotate::rotate(command, context).await,
        Command::Worklog(command) => worklog::worklog(command, context).await,
        Command::Trust(command) => trust::trust(command, context).await,
        Command::Keys(command) => keys::keys(command, context).await,
        Command::Password(command) => ways::password(command, context).await,
        Command::Recovery(command) => ways::recovery(command, context).await,
        Command::Breakglass(command) => breakglass::breakglass(command, context).await,
        Command::Device(command) => ways::device(command, context).await,
        Command::Policy(command) => policy::policy(command, context).await,
        Command::Lock(command) => lock::lock(command, context).await,
        Command::Heartbeat => lock::heartbeat(context).await,
        Command::Guard(arguments) => guard::guard(arguments.path, context).await,
        Command::Unguard(arguments) => guard::unguard(arguments.path, arguments.yes, context).await,
        Command::Secrets(command) => secrets::secrets(command, context).await,
        Command::Monitor(command) => monitor::monitor(command, context).await,
        Command::Notify(command) => notify::notify(command, context).await,
        Command::Run(arguments) => run::run(arguments, context).await,
        Command::Export(arguments) => transfer::export(&arguments, context).await,
        Command::Import(arguments) => transfer::import(&arguments, context).await,
    }
}
