//! `keyvawlt run`: from arguments to the program that replaces this process.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::Context;
use crate::args::delivery;
use crate::envfile::{self, EnvFile, MAX_FILE_BYTES};
use crate::failure::{Failure, Outcome};
use crate::run::{Plan, Request};

/// Starts the program. Returns only if that fails.
pub fn run(arguments: delivery::Run, context: &mut Context) -> Outcome {
    let mut files = Vec::with_capacity(arguments.env_files.len());
    for path in &arguments.env_files {
        files.push((path.clone(), read_env_file(path, context)?));
    }
    let plan = Plan::new(Request {
        selection: arguments.selection(),
        allowed: arguments.choice.allowed(),
        command: arguments.command,
        inherited: context.around.variables.clone(),
        files,
    })?;
    if plan.needs_vault() {
        return Err(Failure::local("this build of the command line has no client"));
    }
    Err(plan.resolve(&[], |_, _| Err(crate::reference::Why::Absent))?.exec())
}

/// Reads an env file and passes its warnings on.
pub fn read_env_file(path: &Path, context: &mut Context) -> Outcome<EnvFile> {
    let bytes = read(path).map_err(|error| Failure::file(path, "read", &error))?;
    let file = envfile::parse(&bytes).map_err(|malformed| Failure::usage(malformed.to_string()).on(path.display().to_string()))?;
    for warning in &file.warnings {
        context.output.warn(&format!("{}: {warning}", path.display()));
    }
    Ok(file)
}

/// One byte more than the limit, so that the parser can tell that there is more.
fn read(path: &Path) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
