//! Mail: into a folder, to a mail server, or into memory for tests. The only place that knows lettre.

mod headers;
pub(crate) mod letter;
mod smtp;
mod transport;

use super::Reception;
use crate::message::Message;
use headers::{AutoSubmitted, ListUnsubscribe, ListUnsubscribePost};
use letter::{Letter, Templates};
use lettre::message::header::MessageId;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

pub(crate) use smtp::PATIENCE;
pub use smtp::SmtpError;
pub use transport::{MailTransport, SmtpOptions};

/// A mail as tests see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    /// The message id, without brackets.
    pub id: String,
    /// To whom.
    pub to: String,
    /// The subject line.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// Where one POST ends such mails.
    pub unsubscribe: Option<String>,
}

/// Mails kept in memory, in order.
pub type Outbox = Arc<Mutex<Vec<SentMail>>>;

/// Why a mail was not sent, or cannot be.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The URL names no transport.
    #[error("{0:?} is none of file://folder, smtp://host[:port], smtps://host[:port]")]
    Url(String),
    /// The URL carries a log-in, which would stand in errors and in listings of settings. Not repeated here.
    #[error("a log-in does not stand in the URL: set worker.smtp.user and worker.smtp.password_file")]
    LoginInUrl,
    /// Certificates that cannot be read.
    #[error("the certificates to trust: {0}")]
    Certificates(Box<dyn std::error::Error + Send + Sync>),
    /// An address that no mailer understands.
    #[error("not an address: {0}")]
    Address(#[from] lettre::address::AddressError),
    /// The message cannot be put together.
    #[error("the message cannot be made: {0}")]
    Message(#[from] lettre::error::Error),
    /// The mail server, or the way there.
    #[error("the mail server: {0}")]
    Smtp(#[from] SmtpError),
    /// The folder.
    #[error("the outbox folder {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
}

impl MailerError {
    /// Whether another attempt would end the same way.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Smtp(error) => error.is_permanent(),
            Self::Folder { .. } => false,
            Self::Url(_) | Self::LoginInUrl | Self::Certificates(_) | Self::Address(_) | Self::Message(_) => true,
        }
    }
}

impl From<Result<(), MailerError>> for Reception {
    fn from(result: Result<(), MailerError>) -> Self {
        match result {
            Ok(()) => Self::Taken,
            Err(error) if error.is_permanent() => Self::refused(&error),
            Err(error) => Self::later(&error),
        }
    }
}

/// Sends mails.
#[derive(Clone, Debug)]
pub struct Mailer {
    transport: MailTransport,
    from: Mailbox,
    templates: Templates,
}

impl Mailer {
    /// A mailer that writes in the name of `from`.
    pub fn new(transport: MailTransport, from: &str) -> Result<Self, MailerError> {
        Ok(Self { transport, from: from.parse()?, templates: Templates::default() })
    }

    /// The mails kept in memory; `None` for other transports.
    pub fn outbox(&self) -> Option<&Outbox> {
        match &self.transport {
            MailTransport::Memory(outbox) => Some(outbox),
            _ => None,
        }
    }

    /// Sends one mail. `id` is the part of the message id before the `@`: the same id is the same mail.
    pub(crate) async fn send(&self, to: &str, id: &str, message: &Message, now_ms: u64) -> Reception {
        let letter = Letter::of(message, self.templates);
        let lacks = letter.lacks;
        match (self.try_send(to, id, letter, message.unsubscribe_url(), now_ms).await.into(), lacks) {
            (Reception::Taken, Some(why)) => Reception::TakenPlainly { why },
            (reception, _) => reception,
        }
    }

    /// The same with other templates: what fails on purpose shows what becomes of a mail.
    #[cfg(test)]
    pub(crate) fn with_templates(self, templates: Templates) -> Self {
        Self { templates, ..self }
    }

    async fn try_send(&self, to: &str, id: &str, letter: Letter, unsubscribe: Option<&str>, now_ms: u64) -> Result<(), MailerError> {
        let id = format!("{id}@{}", self.from.email.domain());
        match &self.transport {
            MailTransport::Memory(outbox) => {
                let Letter { subject, text, html, .. } = letter;
                let (to, unsubscribe) = (to.to_owned(), unsubscribe.map(ToOwned::to_owned));
                let mail = SentMail { id, to, subject, text, html: html.unwrap_or_default(), unsubscribe };
                outbox.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
                Ok(())
            }
            MailTransport::File(folder) => write_file(folder, &id, &self.mail(to, &id, letter, unsubscribe, now_ms)?.formatted()).await,
            MailTransport::Smtp(server) => {
                let mail = self.mail(to, &id, letter, unsubscribe, now_ms)?;
                Ok(server.send(&self.from.email, &to.parse::<Mailbox>()?.email, &mail.formatted()).await?)
            }
        }
    }

    fn mail(&self, to: &str, id: &str, letter: Letter, unsubscribe: Option<&str>, now_ms: u64) -> Result<lettre::Message, MailerError> {
        let mut mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(to.parse()?)
            .subject(letter.subject)
            .date(UNIX_EPOCH + Duration::from_millis(now_ms))
            .header(AutoSubmitted)
            .header(MessageId::from(format!("<{id}>")));
        if let Some(url) = unsubscribe {
            mail = mail.header(ListUnsubscribe(url.to_owned())).header(ListUnsubscribePost);
        }
        Ok(match letter.html {
            Some(html) => mail.multipart(MultiPart::alternative_plain_html(letter.text, html))?,
            None => mail.singlepart(SinglePart::plain(letter.text))?,
        })
    }
}

/// Written aside and renamed: whoever watches the folder sees whole mails, and a second attempt replaces the first.
async fn write_file(folder: &Path, id: &str, message: &[u8]) -> Result<(), MailerError> {
    let failed = |source| MailerError::Folder { path: folder.to_owned(), source };
    let (aside, path) = (folder.join(format!(".{id}.tmp")), folder.join(format!("{id}.eml")));
    tokio::fs::write(&aside, message).await.map_err(failed)?;
    tokio::fs::rename(&aside, &path).await.map_err(failed)
}
