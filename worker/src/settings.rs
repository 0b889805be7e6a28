//! The worker's section of the configuration.

use crate::channels::mail::{MailTransport, Mailer, MailerError, PATIENCE, SmtpOptions};
use crate::outbound::{OutboundError, OutboundSettings};
use crate::queue::{Queue, RedisUrlError};
use crate::{DEFAULT_CONCURRENCY, DEFAULT_PROBES, Outbox};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `[worker]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where the ids of due jobs wait: `memory` is this process, `redis://…` all workers'.
    pub queue: String,
    /// Jobs that run at once.
    pub concurrency: usize,
    /// Looks at monitors that run at once.
    pub probes: usize,
    /// `file://folder`, `smtp://host:port` (STARTTLS, except to this machine) or `smtps://host:port`; unset: a folder in the data folder.
    pub mail: Option<String>,
    /// Whom mails come from.
    pub mail_from: String,
    /// How to talk to the mail server.
    pub smtp: SmtpSettings,
    /// How far requests to other servers go.
    pub outbound: OutboundSettings,
}

/// Twice as long, which the end of a mail may take, must fit into the time of one mail.
const PATIENCE_SECONDS: std::ops::RangeInclusive<u64> = 1..=30;

/// `[worker.smtp]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct SmtpSettings {
    /// Log in as.
    pub user: Option<String>,
    /// File with the password.
    pub password_file: Option<PathBuf>,
    /// File with certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long to wait for each answer.
    pub patience_seconds: u64,
}

impl Default for SmtpSettings {
    fn default() -> Self {
        Self { user: None, password_file: None, ca_file: None, patience_seconds: PATIENCE.as_secs() }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queue: "memory".to_owned(),
            concurrency: DEFAULT_CONCURRENCY,
            probes: DEFAULT_PROBES,
            mail: None,
            mail_from: "KeyVawlt <keyvawlt@localhost>".to_owned(),
            smtp: SmtpSettings::default(),
            outbound: OutboundSettings::default(),
        }
    }
}

/// A setting that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No queue is meant by it.
    #[error("worker.queue: {0}")]
    Queue(#[from] RedisUrlError),
    /// Too few or too many at once.
    #[error("worker.concurrency: {0} is not between 1 and 64")]
    Concurrency(usize),
    /// Too few or too many looks at once.
    #[error("worker.probes: {0} is not between 1 and 4096")]
    Probes(usize),
    /// Too little or too much of it.
    #[error("worker.smtp.patience_seconds: {0} is not between 1 and 30")]
    Patience(u64),
    /// The mail transport cannot be made.
    #[error("worker.mail: {0}")]
    Mail(#[from] MailerError),
    /// The way out cannot be made.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// A file named by a setting cannot be read.
    #[error("worker.smtp.{key}: {} cannot be read: {source}", path.display())]
    File {
        /// Which setting.
        key: &'static str,
        /// Which file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
}

impl Settings {
    /// Checks what needs no other machine.
    pub fn check(&self) -> Result<(), SettingsError> {
        self.queue()?;
        if !(1..=64).contains(&self.concurrency) {
            return Err(SettingsError::Concurrency(self.concurrency));
        }
        if !(1..=4096).contains(&self.probes) {
            return Err(SettingsError::Probes(self.probes));
        }
        if !PATIENCE_SECONDS.contains(&self.smtp.patience_seconds) {
            return Err(SettingsError::Patience(self.smtp.patience_seconds));
        }
        self.outbound.check()?;
        Ok(())
    }

    /// Where jobs wait.
    pub fn queue(&self) -> Result<Queue, SettingsError> {
        Ok(Queue::parse(&self.queue)?)
    }

    /// Where mails go, as a URL.
    pub fn mail_url(&self, data: &Path) -> String {
        self.mail.clone().unwrap_or_else(|| format!("file://{}", data.join("outbox").display()))
    }

    /// Makes the mailer.
    pub fn mailer(&self, data: &Path) -> Result<Mailer, SettingsError> {
        let url = self.mail_url(data);
        let transport = if url == "memory:" {
            MailTransport::Memory(Outbox::default())
        } else if let Some(folder) = url.strip_prefix("file://") {
            MailTransport::file(Path::new(folder))?
        } else {
            let password = read("password_file", self.smtp.password_file.as_deref())?;
            let ca = read("ca_file", self.smtp.ca_file.as_deref())?;
            let login = self.smtp.user.clone().zip(password.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()));
            let patience = Some(Duration::from_secs(self.smtp.patience_seconds));
            MailTransport::smtp(&url, SmtpOptions { login, ca, patience, ..SmtpOptions::default() })?
        };
        Ok(Mailer::new(transport, &self.mail_from)?)
    }
}

fn read(key: &'static str, path: Option<&Path>) -> Result<Option<String>, SettingsError> {
    path.map(std::fs::read_to_string).transpose().map_err(|source| {
        let path = path.unwrap_or(Path::new("")).to_owned();
        SettingsError::File { key, path, source }
    })
}
