//! Which server, organization, project and environment a command means, and who said so.
//!
//! Order: flag, environment variable, `keyvawlt.toml` found by parent search, the user's
//! `config.toml`, default. Every value keeps its source, so `config debug` can show it. Neither
//! file can hold a secret: unknown keys are refused, and messages show no values of them.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::duration::Length;
use crate::failure::{Failure, Outcome};

pub use file::{FileSettings, REPO_FILE, Section, USER_FILE};

mod file;

/// Where a server on the same machine listens unless it is told otherwise.
pub const DEFAULT_ADDR: &str = "http://127.0.0.1:8420";
/// A token file larger than this is no token file.
const MAX_TOKEN_BYTES: u64 = 4096;

/// What surrounds the process: read once, in `main`, and passed on.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// The environment variables.
    pub variables: Vec<(OsString, OsString)>,
    /// The working directory.
    pub directory: PathBuf,
}

impl Surroundings {
    /// A variable; an empty one counts as absent, as CI systems set them.
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.iter().find(|(other, value)| other == name && !value.is_empty()).map(|(_, value)| value.as_os_str())
    }

    fn text(&self, name: &str) -> Outcome<Option<&str>> {
        match self.variable(name) {
            None => Ok(None),
            Some(value) => value.to_str().map(Some).ok_or_else(|| Failure::usage("the environment variable is not UTF-8 text").on(name)),
        }
    }

    /// Whether the person asked for no colours (<https://no-color.org>).
    pub fn no_color(&self) -> bool {
        self.variable("NO_COLOR").is_some() || self.variable("TERM").is_some_and(|term| term == "dumb")
    }
}

/// What flags say.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--addr`
    pub addr: Option<String>,
    /// `--org`
    pub org: Option<String>,
    /// `--project`
    pub project: Option<String>,
    /// `--env`
    pub environment: Option<String>,
    /// `--profile`
    pub profile: Option<String>,
    /// `--config-dir`
    pub config_dir: Option<PathBuf>,
}

/// Who said a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A file, and the part of it.
    File(PathBuf, String),
    /// Nobody.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::File(path, part) if part.is_empty() => write!(f, "{}", path.display()),
            Self::File(path, part) => write!(f, "{} [{part}]", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who said it.
    pub origin: Origin,
}

/// All settings of one call.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The user's directory: configuration, device key, pins.
    pub config_dir: Setting<PathBuf>,
    /// The server's origin.
    pub addr: Setting<String>,
    /// The organization.
    pub org: Option<Setting<String>>,
    /// The project.
    pub project: Option<Setting<String>>,
    /// The environment.
    pub environment: Option<Setting<String>>,
    /// The profile that was chosen.
    pub profile: Option<Setting<String>>,
    /// How old the newest statement about the environment may be.
    pub max_staleness: Option<Setting<Length>>,
    /// The machine that gives heartbeats.
    pub heartbeat: Option<Setting<String>>,
    /// The repository's file, where there is one.
    pub repo_file: Option<PathBuf>,
    token: Option<Setting<Token>>,
}

#[derive(Clone, PartialEq, Eq)]
enum Token {
    Given(Zeroizing<String>),
    InFile(PathBuf),
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("Given(hidden)"),
            Self::InFile(path) => write!(f, "InFile({})", path.display()),
        }
    }
}

impl Settings {
    /// Reads everything that says something.
    pub fn read(flags: &Flags, around: &Surroundings) -> Outcome<Self> {
        let config_dir = config_dir(flags, around)?;
        let user = FileSettings::read(&config_dir.value.join(USER_FILE))?;
        let repo = FileSettings::find(&around.directory)?;
        let mut layers = Layers { around, profile: None, sections: Vec::new() };
        layers.profile = layers.pick(flags.profile.as_ref(), "--profile", "KEYVAWLT_PROFILE", |section| section.profile.as_ref())?;
        if layers.profile.is_none() {
            layers.profile = [&repo, &user].into_iter().flatten().find_map(|(path, file)| {
                let origin = Origin::File(path.clone(), String::new());
                file.top.profile.clone().map(|value| Setting { value, origin })
            });
        }
        layers.stack(repo.as_ref(), user.as_ref())?;
        let addr = layers.pick(flags.addr.as_ref(), "--addr", "KEYVAWLT_ADDR", |section| section.addr.as_ref())?;
        Ok(Self {
            addr: addr.unwrap_or(Setting { value: DEFAULT_ADDR.to_owned(), origin: Origin::Default }),
            org: layers.pick(flags.org.as_ref(), "--org", "KEYVAWLT_ORG", |section| section.org.as_ref())?,
            project: layers.pick(flags.project.as_ref(), "--project", "KEYVAWLT_PROJECT", |section| section.project.as_ref())?,
            environment: layers.pick(flags.environment.as_ref(), "--env", "KEYVAWLT_ENV", |section| section.environment.as_ref())?,
            profile: layers.profile.clone(),
            max_staleness: layers.written(|section| section.max_staleness.as_ref()),
            heartbeat: layers.written(|section| section.heartbeat.as_ref()),
            repo_file: repo.map(|(path, _)| path),
            token: token(around)?,
            config_dir,
        })
    }

    /// The machine token, if one is given by `KEYVAWLT_TOKEN` or `KEYVAWLT_TOKEN_FILE`.
    pub fn token(&self) -> Outcome<Option<Zeroizing<String>>> {
        match self.token.as_ref().map(|token| &token.value) {
            None => Ok(None),
            Some(Token::Given(token)) => Ok(Some(token.clone())),
            Some(Token::InFile(path)) => read_token(path).map(Some),
        }
    }

    /// The organization, or a failure that says how to name one.
    pub fn require_org(&self) -> Outcome<&str> {
        require(self.org.as_ref(), "organization", "--org NAME, or keyvawlt org use NAME")
    }

    /// The project, or a failure that says how to name one.
    pub fn require_project(&self) -> Outcome<&str> {
        require(self.project.as_ref(), "project", "--project NAME, or keyvawlt init in the repository")
    }

    /// The environment, or a failure that says how to name one. There is no silent default: the
    /// wrong environment is worse than a question.
    pub fn require_environment(&self) -> Outcome<&str> {
        require(self.environment.as_ref(), "environment", "--env NAME, or keyvawlt init in the repository")
    }

    /// Name, value and source of every setting, for `config debug`. Tokens stay hidden.
    pub fn rows(&self) -> Vec<[String; 3]> {
        let row = |name: &str, setting: Option<&Setting<String>>| match setting {
            Some(Setting { value, origin }) => [name.to_owned(), value.clone(), origin.to_string()],
            None => [name.to_owned(), String::new(), "not set".to_owned()],
        };
        let length = |it: &Setting<Length>| Setting { value: it.value.into(), origin: it.origin.clone() };
        let max_staleness: Option<Setting<String>> = self.max_staleness.as_ref().map(length);
        let config_dir = Setting { value: self.config_dir.value.display().to_string(), origin: self.config_dir.origin.clone() };
        let token = self.token.as_ref().map(|token| Setting { value: "(hidden)".to_owned(), origin: token.origin.clone() });
        vec![
            row("addr", Some(&self.addr)),
            row("org", self.org.as_ref()),
            row("project", self.project.as_ref()),
            row("environment", self.environment.as_ref()),
            row("profile", self.profile.as_ref()),
            row("max_staleness", max_staleness.as_ref()),
            row("heartbeat", self.heartbeat.as_ref()),
            row("token", token.as_ref()),
            row("config_dir", Some(&config_dir)),
        ]
    }
}

struct Layers<'a> {
    around: &'a Surroundings,
    profile: Option<Setting<String>>,
    sections: Vec<(Origin, Section)>,
}

impl Layers<'_> {
    fn pick(
        &self,
        flag: Option<&String>,
        flag_name: &'static str,
        variable: &'static str,
        of: impl Fn(&Section) -> Option<&String>,
    ) -> Outcome<Option<Setting<String>>> {
        if let Some(value) = flag {
            return Ok(Some(Setting { value: value.clone(), origin: Origin::Flag(flag_name) }));
        }
        if let Some(value) = self.around.text(variable)? {
            let origin = Origin::Variable(variable);
            return Ok(Some(Setting { value: value.to_owned(), origin }));
        }
        Ok(self
            .sections
            .iter()
            .find_map(|(origin, section)| of(section).map(|value| Setting { value: value.clone(), origin: origin.clone() })))
    }

    /// What a file says, and no flag or variable can.
    fn written<T: Clone>(&self, of: impl Fn(&Section) -> Option<&T>) -> Option<Setting<T>> {
        let mut said = self.sections.iter().filter_map(|(origin, section)| Some((origin, of(section)?)));
        said.next().map(|(origin, value)| Setting { value: value.clone(), origin: origin.clone() })
    }

    fn stack(&mut self, repo: Option<&(PathBuf, FileSettings)>, user: Option<&(PathBuf, FileSettings)>) -> Outcome {
        let mut known = self.profile.is_none();
        for (path, file) in [repo, user].into_iter().flatten() {
            if let Some(profile) = &self.profile
                && let Some(section) = file.profiles.get(&profile.value)
            {
                known = true;
                let part = format!("profiles.{}", profile.value);
                self.sections.push((Origin::File(path.clone(), part), section.clone()));
            }
            if let Some((part, section)) = file.section_for(path, &self.around.directory) {
                self.sections.push((Origin::File(path.clone(), part), section));
            }
            self.sections.push((Origin::File(path.clone(), String::new()), file.top.clone()));
        }
        match &self.profile {
            Some(profile) if !known => {
                Err(Failure::usage(format!("no settings file has a profile of this name (asked for by {})", profile.origin))
                    .on(profile.value.clone()))
            }
            _ => Ok(()),
        }
    }
}

fn config_dir(flags: &Flags, around: &Surroundings) -> Outcome<Setting<PathBuf>> {
    if let Some(path) = &flags.config_dir {
        return Ok(Setting { value: path.clone(), origin: Origin::Flag("--config-dir") });
    }
    let candidates = [("KEYVAWLT_CONFIG_DIR", ""), ("XDG_CONFIG_HOME", "keyvawlt"), ("HOME", ".config/keyvawlt")];
    for (variable, below) in candidates {
        let Some(value) = around.variable(variable) else { continue };
        let mut path = PathBuf::from(value);
        // The XDG specification has relative paths ignored; the others are taken as the person
        // wrote them.
        if variable == "XDG_CONFIG_HOME" && path.is_relative() {
            continue;
        }
        if !below.is_empty() {
            path.push(below);
        }
        let origin = Origin::Variable(variable);
        return Ok(Setting { value: around.directory.join(path), origin });
    }
    Err(Failure::usage("no directory for settings: neither KEYVAWLT_CONFIG_DIR nor HOME is set"))
}

fn token(around: &Surroundings) -> Outcome<Option<Setting<Token>>> {
    let given = around.text("KEYVAWLT_TOKEN")?;
    let file = around.variable("KEYVAWLT_TOKEN_FILE");
    match (given, file) {
        (Some(_), Some(_)) => Err(Failure::usage("both KEYVAWLT_TOKEN and KEYVAWLT_TOKEN_FILE are set").hint("keep one of them")),
        (Some(token), None) => {
            Ok(Some(Setting { value: Token::Given(Zeroizing::new(token.trim().to_owned())), origin: Origin::Variable("KEYVAWLT_TOKEN") }))
        }
        (None, Some(path)) => {
            Ok(Some(Setting { value: Token::InFile(around.directory.join(path)), origin: Origin::Variable("KEYVAWLT_TOKEN_FILE") }))
        }
        (None, None) => Ok(None),
    }
}

fn read_token(path: &Path) -> Outcome<Zeroizing<String>> {
    use std::io::Read;
    let mut text = Zeroizing::new(String::new());
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_TOKEN_BYTES).read_to_string(&mut text))
        .map_err(|error| Failure::file(path, "read", &error))?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn require<'a>(setting: Option<&'a Setting<String>>, what: &str, how: &str) -> Outcome<&'a str> {
    setting.map(|setting| setting.value.as_str()).ok_or_else(|| {
        Failure::usage(format!("no {what} is named")).code("NOT_NAMED").hint(format!("name one: {how}; see keyvawlt config debug"))
    })
}

#[cfg(test)]
mod tests;
