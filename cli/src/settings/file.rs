//! The two settings files: `keyvawlt.toml` in a repository and `config.toml` of the user.
//!
//! Both have the same keys. The repository's file is safe to commit: it names things, it cannot
//! hold a secret.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::duration::Length;
use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};

/// The repository's file, looked for in the working directory and its parents.
pub const REPO_FILE: &str = "keyvawlt.toml";
/// The user's file, in the configuration directory.
pub const USER_FILE: &str = "config.toml";

/// The settings one part of a file may hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Section {
    /// The server's origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub addr: Option<String>,
    /// The organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The profile to use when none is asked for; only at the top.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How old the newest statement about the environment may be: `24h`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_staleness: Option<Length>,
    /// The machine that calls `keyvawlt heartbeat`: with it, what is too old is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<String>,
}

/// One file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSettings {
    /// What holds unless a part below says otherwise.
    pub top: Section,
    /// `[profiles.NAME]`
    pub profiles: BTreeMap<String, Section>,
    /// `[paths."services/api"]`: for the working directories below that path (monorepos).
    pub paths: BTreeMap<String, Section>,
}

/// As it stands in the file. Serde's `flatten` would switch off the refusal of unknown keys.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    #[serde(skip_serializing_if = "Option::is_none")]
    addr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    org: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_staleness: Option<Length>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heartbeat: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    profiles: BTreeMap<String, Section>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    paths: BTreeMap<String, Section>,
}

impl FileSettings {
    /// Reads a file; none if it is not there.
    pub fn read(path: &Path) -> Outcome<Option<(PathBuf, Self)>> {
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some((path.to_owned(), Self::parse(path, &text)?))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::file(path, "read", &error)),
        }
    }

    /// Finds the repository's file: in `directory` or the nearest parent that has one.
    pub fn find(directory: &Path) -> Outcome<Option<(PathBuf, Self)>> {
        for ancestor in directory.ancestors() {
            if let Some(found) = Self::read(&ancestor.join(REPO_FILE))? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The part of a monorepo that `directory` belongs to: the longest path that fits.
    pub fn section_for(&self, path: &Path, directory: &Path) -> Option<(String, Section)> {
        let below = directory.strip_prefix(path.parent()?).ok()?;
        self.paths
            .iter()
            .filter(|(prefix, _)| below.starts_with(prefix))
            .max_by_key(|(prefix, _)| Path::new(prefix).components().count())
            .map(|(prefix, section)| (format!("paths.{prefix:?}"), section.clone()))
    }

    /// Changes the file and replaces it as a whole. Comments in it are not kept.
    pub fn update(path: &Path, change: impl FnOnce(&mut Self)) -> Outcome {
        let (_, mut file) = Self::read(path)?.unwrap_or_default();
        change(&mut file);
        let text = file.print()?;
        if let Some(directory) = path.parent() {
            files::private_dir(directory).map_err(|error| Failure::file(directory, "create", &error))?;
        }
        files::replace(path, text.as_bytes(), Readers::Owner).map_err(|error| Failure::file(path, "write", &error))
    }

    /// Writes a repository file; an existing one is left alone unless it is to be replaced.
    pub fn write_repo_file(path: &Path, top: Section, replace: bool) -> Outcome {
        let settings = Self { top, ..Self::default() }.print()?;
        let text = format!("# Which secrets this repository uses. Safe to commit: it holds none.\n{settings}");
        let write = if replace { files::replace } else { files::create };
        write(path, text.as_bytes(), Readers::Umask).map_err(|error| {
            let failure = Failure::file(path, "create", &error);
            if error.kind() == io::ErrorKind::AlreadyExists { failure.hint("edit it, or replace it with --force") } else { failure }
        })
    }

    fn parse(path: &Path, text: &str) -> Outcome<Self> {
        let Layout { addr, org, project, environment, profile, max_staleness, heartbeat, profiles, paths } =
            toml::from_str(text).map_err(|error| malformed(path, text, &error))?;
        let below_top = profiles.values().chain(paths.values());
        if below_top.into_iter().any(|section| section.profile.is_some()) {
            return Err(Failure::usage("the key profile belongs at the top of the file").on(path.display().to_string()));
        }
        Ok(Self { top: Section { addr, org, project, environment, profile, max_staleness, heartbeat }, profiles, paths })
    }

    fn print(self) -> Outcome<String> {
        let Section { addr, org, project, environment, profile, max_staleness, heartbeat } = self.top;
        let (profiles, paths) = (self.profiles, self.paths);
        let layout = Layout { addr, org, project, environment, profile, max_staleness, heartbeat, profiles, paths };
        toml::to_string(&layout).map_err(|error| Failure::local(format!("cannot write settings: {error}")))
    }
}

/// Names the key and the line, never the text of the line: somebody may have put a token there.
fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let line = error.span().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
    let reason = error.message();
    let reason = if reason.starts_with("invalid type") { "a value of the wrong type" } else { reason };
    Failure::usage(format!("line {line}: {reason}")).on(path.display().to_string())
}
