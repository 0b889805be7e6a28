//! The `keyvawlt` binary: reads what surrounds the process, once, and hands it on.

use std::process::ExitCode;

use clap::Parser;
use keyvawlt_cli::args::Cli;
use keyvawlt_cli::commands::{self, Context};
use keyvawlt_cli::exit::Exit;
use keyvawlt_cli::failure::Failure;
use keyvawlt_cli::output::Output;
use keyvawlt_cli::prompt::AtTerminal;
use keyvawlt_cli::settings::Surroundings;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout and are no error.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            let _ = error.print();
            return exit.into();
        }
    };
    let around = surroundings();
    let global = cli.global.clone();
    let no_color = around.as_ref().is_ok_and(Surroundings::no_color);
    let mut output = Output::standard(global.json, global.quiet, no_color);
    let around = match around {
        Ok(around) => around,
        Err(failure) => return report(&mut output, &failure),
    };
    let person = Box::new(AtTerminal::default());
    let mut context = Context { global, around, output, person };
    match commands::dispatch(cli, &mut context) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => report(&mut context.output, &failure),
    }
}

fn report(output: &mut Output, failure: &Failure) -> ExitCode {
    output.failure(failure);
    failure.exit().into()
}

fn surroundings() -> Result<Surroundings, Failure> {
    #[expect(clippy::disallowed_methods, reason = "the command line's one reader of the environment")]
    let variables = std::env::vars_os().collect();
    let directory = std::env::current_dir().map_err(|error| Failure::local(format!("cannot find the working directory: {error}")))?;
    Ok(Surroundings { variables, directory })
}
