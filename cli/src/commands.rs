//! The commands: each takes its arguments and the call's context, and answers or fails.
//!
//! Invariant: this is the only place that joins arguments, settings, the vault and printing.

use crate::args::account::Config;
use crate::args::{Cli, Command, Global};
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::prompt::Person;
use crate::settings::{Settings, Surroundings};

mod account;
mod local;
mod run;
mod secrets;
mod structure;
mod transfer;

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

/// Does what the command line says.
pub fn dispatch(cli: Cli, context: &mut Context) -> Outcome {
    match cli.command {
        Command::Version => local::version(context),
        Command::Config(Config::Debug) => local::config_debug(context),
        Command::Completion { shell } => local::completion(shell, context),
        Command::Init(arguments) => local::init(&arguments, context),
        Command::Run(arguments) => run::run(arguments, context),
        command => block_on(connected(command, context))?,
    }
}

/// Runs what waits for the server, on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Outcome<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::local(format!("cannot start waiting for the network: {error}")))?;
    Ok(runtime.block_on(future))
}

/// The commands that talk to the server.
async fn connected(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Signup(arguments) => account::signup(arguments, context).await,
        Command::VerifyEmail(arguments) => account::verify_email(arguments, context).await,
        Command::Login(arguments) => account::login(arguments, context).await,
        Command::Logout(arguments) => account::logout(arguments, context).await,
        Command::Whoami => account::whoami(context).await,
        Command::Org(command) => structure::org(command, context).await,
        Command::Project(command) => structure::project(command, context).await,
        Command::Export(arguments) => transfer::export(&arguments, context).await,
        Command::Import(arguments) => transfer::import(&arguments, context).await,
        Command::Secrets(command) => secrets::secrets(command, context).await,
        _ => Err(Failure::local("not here yet")),
    }
}
