//! The configuration: defaults < file < environment. Unknown keys are refused, and errors name the key and where it came from.

use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use keyvawlt_api::Counting;
use keyvawlt_domain::notices::MAX_GATHER_MS;
use keyvawlt_worker::Settings as WorkerSettings;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The defaults, explained.
pub const DEFAULTS: &str = include_str!("config.default.toml");
/// What environment variables begin with.
const ENV_PREFIX: &str = "KEYVAWLT_SERVER__";

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// What this process does.
    pub role: Role,
    /// Answering calls.
    pub api: ApiSettings,
    /// Keeping things.
    pub store: StoreSettings,
    /// Alerts and mail.
    pub worker: WorkerSettings,
    /// What people hear.
    pub notices: NoticeSettings,
    /// Logs.
    pub log: LogSettings,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Both.
    All,
    /// Answers calls.
    Api,
    /// Runs jobs.
    Worker,
}

impl Role {
    /// Whether calls are answered.
    pub fn answers(self) -> bool {
        self != Self::Worker
    }

    /// Whether jobs are run.
    pub fn works(self) -> bool {
        self != Self::Api
    }
}

impl std::str::FromStr for Role {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        match text {
            "all" => Ok(Self::All),
            "api" => Ok(Self::Api),
            "worker" => Ok(Self::Worker),
            _ => Err(ConfigError(format!("--role: {text:?} is none of all, api, worker"))),
        }
    }
}

/// `[api]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The addresses clients use.
    pub origins: Vec<String>,
    /// The store was restored from a backup.
    pub restored: bool,
    /// Where callers are counted for the rate limits: `memory` is each process, `redis://…` all together.
    pub shared: String,
    /// The key ring's file, when it is not in the data folder.
    pub token_key_file: Option<PathBuf>,
}

impl ApiSettings {
    /// Where callers are counted.
    pub fn counting(&self) -> Result<Counting, ConfigError> {
        Counting::parse(&self.shared).map_err(|error| ConfigError(format!("api.shared: {error}")))
    }
}

/// `[store]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    /// Where the store is; may hold a password.
    pub url: Option<String>,
    /// A file with that.
    pub url_file: Option<PathBuf>,
}

/// `[notices]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeSettings {
    /// How long a message waits for company.
    pub gather_seconds: u64,
}

impl NoticeSettings {
    /// The same in milliseconds.
    pub fn gather_ms(&self) -> u64 {
        self.gather_seconds.saturating_mul(1000)
    }
}

/// `[log]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// For people or for machines.
    pub format: LogFormat,
    /// What is worth a line.
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines.
    Text,
    /// Objects.
    Json,
}

/// A setting that cannot be used: which one, where it came from, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl Config {
    /// Reads the defaults, the file if one is named, and the environment.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        Self::assemble(file, Figment::from(Env::prefixed(ENV_PREFIX).split("__")))
    }

    /// The defaults, with everything in `data`, listening on a port that the system chooses: for tests and the tour.
    pub fn in_folder(data: &Path) -> Result<Self, ConfigError> {
        let mut config = Self::assemble(None, Figment::new())?;
        data.clone_into(&mut config.data);
        config.api.listen.set_port(0);
        Ok(config)
    }

    fn assemble(file: Option<&Path>, environment: Figment) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            if !file.is_file() {
                return Err(ConfigError(format!("--config: there is no file {}", file.display())));
            }
            figment = figment.merge(Toml::file_exact(file));
        }
        let config: Self = figment.merge(environment).extract().map_err(|error| explain(&error))?;
        config.check()
    }

    fn check(mut self) -> Result<Self, ConfigError> {
        self.api.origins = self.api.origins.iter().map(|origin| canonical_origin(origin)).collect::<Result<_, _>>()?;
        if self.store.url.is_some() && self.store.url_file.is_some() {
            return Err(ConfigError("store.url and store.url_file are both set: remove one".to_owned()));
        }
        self.api.counting()?;
        self.worker.check().map_err(|error| ConfigError(error.to_string()))?;
        if self.notices.gather_ms() > MAX_GATHER_MS {
            return Err(ConfigError(format!(
                "notices.gather_seconds: {} is more than {}",
                self.notices.gather_seconds,
                MAX_GATHER_MS / 1000
            )));
        }
        Ok(self)
    }

    /// The store's URL, from wherever it is given.
    pub fn store_url(&self) -> Result<String, ConfigError> {
        match (&self.store.url, &self.store.url_file) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(file)) => match std::fs::read_to_string(file) {
                Ok(text) => Ok(text.trim().to_owned()),
                Err(error) => Err(ConfigError(format!("store.url_file: {} cannot be read: {error}", file.display()))),
            },
            (None, None) => Ok(format!("sqlite://{}", self.data.join("vault.db").display())),
        }
    }

    /// The key ring's file.
    pub fn token_key_file(&self) -> PathBuf {
        self.api.token_key_file.clone().unwrap_or_else(|| self.data.join("keys").join("token.key"))
    }

    /// Everything that holds, as TOML, without passwords.
    pub fn effective(&self) -> Result<String, ConfigError> {
        let mut shown = self.clone();
        if self.store.url_file.is_none() {
            shown.store.url = Some(hide_password(&self.store_url()?));
        }
        shown.api.token_key_file = Some(self.token_key_file());
        shown.api.shared = hide_password(&self.api.shared);
        shown.worker.queue = hide_password(&self.worker.queue);
        shown.worker.mail = Some(hide_password(&self.worker.mail_url(&self.data)));
        toml::to_string_pretty(&shown).map_err(|error| ConfigError(error.to_string()))
    }
}

/// One line per problem: key, source, reason.
fn explain(error: &figment::Error) -> ConfigError {
    let lines = error.clone().into_iter().map(|error| {
        let key = error.path.join(".");
        let source = error.metadata.as_ref().map_or_else(String::new, |metadata| match &metadata.source {
            Some(source) if source.file_path().is_some() => format!(" (in the file {source})"),
            _ if metadata.name.contains("environment") => " (in the environment)".to_owned(),
            _ => String::new(),
        });
        if key.is_empty() { format!("{}{source}", error.kind) } else { format!("{key}: {}{source}", error.kind) }
    });
    ConfigError(lines.collect::<Vec<_>>().join("\n"))
}

/// `scheme://host:port` in lower case, the port always written out: what clients sign must be equal byte for byte.
pub fn canonical_origin(origin: &str) -> Result<String, ConfigError> {
    let wrong = || ConfigError(format!("api.origins: {origin:?} is not like https://vault.example.com or http://host:8420"));
    let lower = origin.trim_end_matches('/').to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://").ok_or_else(wrong)?;
    let default_port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return Err(wrong()),
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse::<u16>().map_err(|_| wrong())?),
        _ => (rest, default_port),
    };
    let is_host = !host.is_empty()
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-[]:".contains(&b))
        && (host.starts_with('[') == host.contains(':'));
    if is_host && port != 0 { Ok(format!("{scheme}://{host}:{port}")) } else { Err(wrong()) }
}

fn hide_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@').and_then(|(user, host)| user.split_once(':').map(|(user, _)| (user, host))) {
        Some((user, host)) => format!("{scheme}://{user}:(hidden)@{host}{path}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn with(text: &str) -> Result<Config, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Config::assemble(Some(file.path()), Figment::new())
    }

    #[test]
    fn the_defaults_are_a_configuration() {
        let config = with("").unwrap();
        assert_eq!(config.api.listen.to_string(), "127.0.0.1:8420");
        assert_eq!(config.store_url().unwrap(), "sqlite://./keyvawlt-data/vault.db");
        assert_eq!(config.notices.gather_ms(), keyvawlt_domain::notices::GATHER_MS);
        insta::assert_snapshot!(config.effective().unwrap());
    }

    #[test]
    fn an_unknown_or_wrong_setting_is_named_with_its_source() {
        for (text, key) in [
            ("[api]\nlisten_on = \"x\"", "listen_on"),
            ("[api]\nlisten = \"nowhere\"", "api.listen"),
            ("[worker]\nconcurrency = \"many\"", "worker.concurrency"),
            ("colour = 1", "colour"),
        ] {
            let error = with(text).unwrap_err().0;
            assert!(error.contains(key) && error.contains("in the file"), "{error}");
        }
        assert!(with("[worker]\nqueue = \"rabbits\"").unwrap_err().0.contains("worker.queue"));
        assert!(with("[api]\nshared = \"rabbits\"").unwrap_err().0.contains("api.shared"));
        for entry in
            ["http://10.0.0.1", "10.0.0.0/40", "169.254.169.254", "169.254.0.0/16", "0.0.0.0/0", "::ffff:10.0.0.1", "hooks.internal:25"]
        {
            let error = with(&format!("[worker.outbound]\nallow = [{entry:?}]")).unwrap_err().0;
            assert!(error.contains("worker.outbound.allow") && error.contains(entry), "{error}");
        }
        for patience in [0, 31] {
            let error = with(&format!("[worker.smtp]\npatience_seconds = {patience}")).unwrap_err().0;
            assert!(error.contains("worker.smtp.patience_seconds"), "{error}");
        }
        for wait in [3_601, i64::MAX] {
            assert!(with(&format!("[notices]\ngather_seconds = {wait}")).unwrap_err().0.contains("notices.gather_seconds"));
        }
        assert_eq!(with("[notices]\ngather_seconds = 3600").unwrap().notices.gather_ms(), 3_600_000);
        assert!(with("[store]\nurl = \"a\"\nurl_file = \"b\"").unwrap_err().0.contains("both set"));
    }

    #[test]
    fn an_origin_has_one_form() {
        for (given, canonical) in [
            ("https://Vault.Example.com/", "https://vault.example.com:443"),
            ("http://127.0.0.1:8420", "http://127.0.0.1:8420"),
            ("https://[::1]:8443", "https://[::1]:8443"),
            ("http://[::1]", "http://[::1]:80"),
        ] {
            assert_eq!(canonical_origin(given).unwrap(), canonical);
        }
        for wrong in ["vault.example.com", "ftp://a", "https://a/b", "https://", "https://a:0", "https://u@a", "http://::1"] {
            assert!(canonical_origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let shared = "shared = \"redis://:hunter2@db/0\"\n[worker]\nqueue = \"redis://:hunter2@db/0#vault\"";
        let config = with(&format!("[store]\nurl = \"postgres://me:hunter2@db/vault\"\n[api]\n{shared}")).unwrap();
        let shown = config.effective().unwrap();
        assert!(!shown.contains("hunter2") && shown.contains("postgres://me:(hidden)@db/vault"), "{shown}");
    }
}
