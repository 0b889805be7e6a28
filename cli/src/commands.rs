//! The commands: each takes its arguments and the call's context, and answers or fails.
//!
//! Invariant: this is the only place that joins arguments, settings, the vault and printing.

use crate::args::account::Config;
use crate::args::{Cli, Command, Global};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::prompt::Person;
use crate::settings::{Settings, Surroundings};

mod local;
mod run;

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
        Command::Init(arguments) => local::init(&arguments, context),
        Command::Run(arguments) => run::run(arguments, context),
        _ => Err(Failure::new(Exit::Local, "this build of the command line has no client")),
    }
}
