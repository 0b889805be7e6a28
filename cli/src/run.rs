//! `keyvawlt run`: starting a program with secrets in its environment.
//!
//! The child *replaces* this process (`execve`), so signals, job control and exit codes are the
//! child's own and no copy of the secrets stays behind. Invariants: nothing starts unless every
//! reference resolved; no secret enters an argument; our own variables never reach the child; a
//! name that makes programs load code is refused unless allowed. Absent: supervising and masking
//! output, and systems without `execve`.
//!
//! Precedence of a variable: env files (a later one wins) over secrets by name over the inherited
//! environment.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use zeroize::Zeroizing;

use crate::envfile::EnvFile;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::names::{self, Allowed, OWN_PREFIX};
use crate::reference::{self, Malformed, OPEN, SecretName, Template, Unresolved, Version, Why};

/// Which secrets are injected by name, besides references.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Every secret of the environment.
    pub all: bool,
    /// These, each by its name or its variable.
    pub only: Vec<String>,
    /// Those whose names begin so.
    pub prefixes: Vec<String>,
}

impl Selection {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        !self.all && self.only.is_empty() && self.prefixes.is_empty()
    }

    /// The chosen secrets with their variables. Asking for one that is not there is a failure.
    pub fn pick<'a>(&self, secrets: &'a [SecretName]) -> Outcome<Vec<(String, &'a SecretName)>> {
        let asked = |secret: &str, wanted: &str| wanted == secret || wanted == names::variable_of(secret);
        let chosen = secrets.iter().filter(|secret| {
            let secret = secret.as_str();
            self.all
                || self.only.iter().any(|wanted| asked(secret, wanted))
                || self.prefixes.iter().any(|prefix| secret.starts_with(prefix))
        });
        let chosen: BTreeMap<&str, &SecretName> = chosen.map(|secret| (secret.as_str(), secret)).collect();
        let missing: Vec<&str> = self
            .only
            .iter()
            .filter(|wanted| !secrets.iter().any(|secret| asked(secret.as_str(), wanted)))
            .chain(self.prefixes.iter().filter(|prefix| !secrets.iter().any(|secret| secret.as_str().starts_with(prefix.as_str()))))
            .map(String::as_str)
            .collect();
        if !missing.is_empty() {
            return Err(Failure::new(Exit::NotFound, format!("no such secrets, or no access to them: {}", missing.join(", "))));
        }
        let mapped = names::map(chosen.keys().copied())?;
        Ok(mapped.into_iter().filter_map(|(variable, name)| chosen.get(name).map(|secret| (variable, *secret))).collect())
    }
}

/// What is to be started, and with what.
#[derive(Debug)]
pub struct Request {
    /// The program and its arguments.
    pub command: Vec<OsString>,
    /// The environment of this process.
    pub inherited: Vec<(OsString, OsString)>,
    /// Env files in the order given.
    pub files: Vec<(PathBuf, EnvFile)>,
    /// Secrets by name.
    pub selection: Selection,
    /// Dangerous names that are allowed.
    pub allowed: Allowed,
}

/// A request whose references are parsed, before the vault is asked.
#[derive(Debug)]
pub struct Plan {
    command: Vec<OsString>,
    unchanged: BTreeMap<OsString, OsString>,
    templates: BTreeMap<String, Template>,
    from_files: BTreeSet<String>,
    selection: Selection,
    allowed: Allowed,
}

impl Plan {
    /// Checks everything that can be checked without the vault.
    pub fn new(request: Request) -> Outcome<Self> {
        let Request { command, inherited, files, selection, allowed } = request;
        check_arguments(&command)?;
        let mut plan =
            Self { command, unchanged: BTreeMap::new(), templates: BTreeMap::new(), from_files: BTreeSet::new(), selection, allowed };
        let mut malformed = Unresolved::default();
        for (name, value) in inherited {
            plan.inherit(name, value, &mut malformed);
        }
        for (_, file) in files {
            for entry in file.entries {
                match Template::parse(&entry.value) {
                    Ok(template) => {
                        plan.unchanged.remove(OsStr::new(&entry.name));
                        plan.from_files.insert(entry.name.clone());
                        plan.templates.insert(entry.name, template);
                    }
                    Err(why) => malformed.failures.push((entry.name, None, why.into())),
                }
            }
        }
        if !malformed.failures.is_empty() {
            return Err(refusal(&malformed));
        }
        let set_by_us = plan.templates.iter().filter(|(name, template)| plan.from_files.contains(*name) || !template.is_literal());
        plan.allowed.check(set_by_us.map(|(name, _)| name.as_str()))?;
        Ok(plan)
    }

    /// Whether the vault has to be asked at all.
    pub fn needs_vault(&self) -> bool {
        self.needs_names() || self.templates.values().any(|template| !template.is_literal())
    }

    /// Whether the environment's names have to be known: references name theirs, and need no other to be in order.
    pub fn needs_names(&self) -> bool {
        !self.selection.is_empty()
    }

    /// The secrets to ask the vault for, each with the version that is meant. `secrets` are the environment's live ones.
    pub fn wanted(&self, secrets: &[SecretName]) -> Outcome<BTreeSet<(SecretName, Version)>> {
        let chosen = self.selection.pick(secrets)?;
        let mut wanted: BTreeSet<_> = chosen.into_iter().map(|(_, name)| (name.clone(), Version::Current)).collect();
        let references = self.templates.values().flat_map(Template::references);
        wanted.extend(references.map(|reference| (reference.name.clone(), reference.version.unwrap_or(Version::Current))));
        Ok(wanted)
    }

    /// Puts in what the vault says. `secrets` are the environment's live secrets, for the choice by
    /// name; `lookup` reads one. All failures are reported together, and nothing is started.
    pub fn resolve<L>(self, secrets: &[SecretName], mut lookup: L) -> Outcome<Launch>
    where
        L: FnMut(&SecretName, Version) -> Result<Zeroizing<String>, Why>,
    {
        let chosen = self.selection.pick(secrets)?;
        self.allowed.check(chosen.iter().map(|(variable, _)| variable.as_str()))?;
        let mut environment = self.unchanged;
        let mut unresolved = Unresolved::default();
        for (variable, name) in chosen {
            if self.from_files.contains(&variable) {
                continue;
            }
            match lookup(name, Version::Current).and_then(without_nul) {
                Ok(value) => {
                    environment.insert(variable.into(), value.as_str().into());
                }
                Err(why) => unresolved.failures.push((variable, None, why)),
            }
        }
        let templates: Vec<(String, Template)> = self
            .templates
            .into_iter()
            .filter(|(name, _)| self.from_files.contains(name) || !environment.contains_key(OsStr::new(name)))
            .collect();
        match reference::resolve(&templates, lookup) {
            Ok(resolved) => environment.extend(resolved.into_iter().map(|(name, value)| (name.into(), value.as_str().into()))),
            Err(more) => unresolved.failures.extend(more.failures),
        }
        if !unresolved.failures.is_empty() {
            return Err(refusal(&unresolved));
        }
        Ok(Launch { command: self.command, environment })
    }

    fn inherit(&mut self, name: OsString, value: OsString, malformed: &mut Unresolved) {
        let text = match (name.to_str(), value.to_str()) {
            (Some(name), _) if name.starts_with(OWN_PREFIX) && !self.allowed.permits(name) => return,
            (Some(name), Some(value)) if value.contains(OPEN) => Some((name, value)),
            _ => None,
        };
        let Some((text_name, text_value)) = text else {
            self.unchanged.insert(name, value);
            return;
        };
        match Template::parse(text_value) {
            Ok(template) => {
                self.templates.insert(text_name.to_owned(), template);
            }
            Err(why) => malformed.failures.push((text_name.to_owned(), None, why.into())),
        }
    }
}

/// A program with its complete environment.
#[derive(PartialEq, Eq)]
pub struct Launch {
    command: Vec<OsString>,
    environment: BTreeMap<OsString, OsString>,
}

impl Launch {
    /// Becomes the program. Returns only if that fails.
    pub fn exec(self) -> Failure {
        let Some((program, arguments)) = self.command.split_first() else {
            return Failure::usage("no command given").hint("keyvawlt run -- COMMAND [ARGUMENTS]");
        };
        let error = Command::new(program).args(arguments).env_clear().envs(&self.environment).exec();
        cannot_start(program, &error)
    }

    /// The environment the program would get, for tests.
    pub fn environment(&self) -> &BTreeMap<OsString, OsString> {
        &self.environment
    }
}

impl std::fmt::Debug for Launch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.environment.keys().collect();
        f.debug_struct("Launch").field("command", &self.command).field("names", &names).finish()
    }
}

/// Every process of the machine may read arguments, so no reference is resolved there.
fn check_arguments(command: &[OsString]) -> Outcome {
    let refers = |argument: &OsString| match Template::parse(&argument.to_string_lossy()) {
        Ok(template) => !template.is_literal(),
        Err(_) => true,
    };
    match command.iter().position(refers) {
        None => Ok(()),
        Some(at) => Err(Failure::usage(format!(
            "argument {at} of the command holds a reference: arguments can be read by every \
             process of the machine"
        ))
        .code("REFERENCE_IN_ARGUMENT")
        .hint("put it into a variable (NAME=${vault:path}); a literal is written $${vault:")),
    }
}

fn without_nul(value: Zeroizing<String>) -> Result<Zeroizing<String>, Why> {
    if value.contains('\0') { Err(Why::Nul) } else { Ok(value) }
}

fn refusal(unresolved: &Unresolved) -> Failure {
    let any = |wanted: fn(&Why) -> bool| unresolved.failures.iter().any(|(_, _, why)| wanted(why));
    let exit = if any(|why| matches!(why, Why::Malformed(_))) {
        Exit::Usage
    } else if any(|why| matches!(why, Why::Forbidden)) {
        Exit::PermissionDenied
    } else if any(|why| matches!(why, Why::Absent | Why::NoSuchVersion | Why::NoPrevious | Why::GraceOver(_) | Why::NoSuchField)) {
        Exit::NotFound
    } else {
        Exit::Local
    };
    Failure::new(exit, format!("nothing was started, since not everything resolves: {unresolved}")).code("UNRESOLVED_REFERENCE")
}

fn cannot_start(program: &OsStr, error: &io::Error) -> Failure {
    let exit = if error.kind() == io::ErrorKind::NotFound { Exit::CommandNotFound } else { Exit::CannotExecute };
    let failure = Failure::new(exit, format!("cannot be started: {error}")).on(program.to_string_lossy().into_owned());
    if error.kind() == io::ErrorKind::ArgumentListTooLong {
        failure.hint("the environment is too large for a process; inject less with --only")
    } else {
        failure
    }
}

impl From<Malformed> for Failure {
    fn from(malformed: Malformed) -> Self {
        Self::usage(malformed.to_string())
    }
}

#[cfg(test)]
mod tests;
