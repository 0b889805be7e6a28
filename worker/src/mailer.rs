//! The mailer: the only place that knows lettre. A mail goes to a folder, to a mail server, or into memory for tests.

use crate::mails::Words;
use lettre::message::header::MessageId;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{self, AsyncSmtpTransport};
use lettre::{AsyncTransport, Message, Tokio1Executor};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

/// For connecting, and for each answer of the server.
const SMTP_TIMEOUT: Duration = Duration::from_secs(15);
/// SMTP replies that are final for a log-in, and not for the mail: somebody will correct the password.
const LOGIN_REPLIES: [u16; 4] = [530, 534, 535, 538];

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
}

/// Mails kept in memory, in order.
pub type Outbox = Arc<Mutex<Vec<SentMail>>>;

/// Where mails go.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// Into a folder, one `.eml` file for each message id.
    File(PathBuf),
    /// To a mail server.
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    /// Into memory.
    Memory(Outbox),
}

/// Why a mail was not sent, or cannot be.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The URL names no transport.
    #[error("{0:?} is none of file://folder, smtp://host[:port], smtps://host[:port]")]
    Url(String),
    /// The URL carries a log-in, which would stand in errors and in listings of settings. Not repeated here.
    #[error("a log-in does not stand in the URL: set worker.smtp.user and worker.smtp.password_file")]
    LoginInUrl,
    /// An address that no mailer understands.
    #[error("not an address: {0}")]
    Address(#[from] lettre::address::AddressError),
    /// The message cannot be put together.
    #[error("the message cannot be made: {0}")]
    Message(#[from] lettre::error::Error),
    /// The mail server, or the way there.
    #[error("the mail server: {0}")]
    Smtp(#[from] smtp::Error),
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
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Smtp(error) => {
                let login = error.status().is_some_and(|code| LOGIN_REPLIES.contains(&u16::from(code)));
                error.is_permanent() && !login
            }
            Self::Folder { .. } => false,
            Self::Url(_) | Self::LoginInUrl | Self::Address(_) | Self::Message(_) => true,
        }
    }
}

impl MailTransport {
    /// A folder, made (0700) if it is missing.
    pub fn file(folder: &Path) -> Result<Self, MailerError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(|source| MailerError::Folder { path: folder.to_owned(), source })?;
        Ok(Self::File(folder.to_owned()))
    }

    /// A mail server. TLS is never optional, except to this machine itself.
    pub fn smtp(url: &str, login: Option<(String, String)>, ca: Option<&str>) -> Result<Self, MailerError> {
        let wrong = || MailerError::Url(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        if rest.contains('@') {
            return Err(MailerError::LoginInUrl);
        }
        let (host, port) = split_port(rest.trim_end_matches('/')).ok_or_else(wrong)?;
        let tls = || {
            let mut parameters = TlsParameters::builder(host.to_owned());
            if let Some(pem) = ca {
                parameters = parameters.add_root_certificate(Certificate::from_pem(pem.as_bytes())?);
            }
            parameters.build()
        };
        let (tls, default_port) = match scheme {
            "smtps" => (Tls::Wrapper(tls()?), 465),
            "smtp" if is_this_machine(host) && ca.is_none() => (Tls::None, 25),
            "smtp" => (Tls::Required(tls()?), 587),
            _ => return Err(wrong()),
        };
        // "Dangerous" only means that no TLS was chosen yet.
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .tls(tls)
            .port(port.unwrap_or(default_port))
            .timeout(Some(SMTP_TIMEOUT));
        if let Some((user, password)) = login {
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(Self::Smtp(builder.build()))
    }
}

/// Sends mails.
#[derive(Clone, Debug)]
pub struct Mailer {
    transport: MailTransport,
    from: Mailbox,
}

impl Mailer {
    /// A mailer that writes in the name of `from`.
    pub fn new(transport: MailTransport, from: &str) -> Result<Self, MailerError> {
        Ok(Self { transport, from: from.parse()? })
    }

    /// The mails kept in memory; `None` for other transports.
    pub fn outbox(&self) -> Option<&Outbox> {
        match &self.transport {
            MailTransport::Memory(outbox) => Some(outbox),
            _ => None,
        }
    }

    /// Sends one mail. `id` is the part of the message id before the `@`: the same id is the same mail.
    pub(crate) async fn send(&self, to: &str, id: &str, words: Words, now_ms: u64) -> Result<(), MailerError> {
        let id = format!("{id}@{}", self.from.email.domain());
        let Words { subject, text, html } = words;
        if let MailTransport::Memory(outbox) = &self.transport {
            let mail = SentMail { id, to: to.to_owned(), subject, text, html };
            outbox.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
            return Ok(());
        }
        let message = Message::builder()
            .from(self.from.clone())
            .to(to.parse()?)
            .subject(subject)
            .date(UNIX_EPOCH + Duration::from_millis(now_ms))
            .header(MessageId::from(format!("<{id}>")))
            .multipart(MultiPart::alternative_plain_html(text, html))?;
        match &self.transport {
            MailTransport::File(folder) => write_file(folder, &id, &message.formatted()).await,
            MailTransport::Smtp(smtp) => Ok(smtp.send(message).await.map(drop)?),
            MailTransport::Memory(_) => Ok(()),
        }
    }
}

/// Written aside and renamed: whoever watches the folder sees whole mails, and a second attempt replaces the first.
async fn write_file(folder: &Path, id: &str, message: &[u8]) -> Result<(), MailerError> {
    let failed = |source| MailerError::Folder { path: folder.to_owned(), source };
    let (aside, path) = (folder.join(format!(".{id}.tmp")), folder.join(format!("{id}.eml")));
    tokio::fs::write(&aside, message).await.map_err(failed)?;
    tokio::fs::rename(&aside, &path).await.map_err(failed)
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(None) => return None,
        Some(Some((host, ""))) => (host, None),
        Some(Some((host, port))) => (host, Some(port.strip_prefix(':')?.parse())),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port.parse())),
            None => (authority, None),
        },
    };
    let named = !host.is_empty() && !host.contains(['/', '@', '?']);
    named.then_some((host, port.transpose().ok()?))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_host_and_port_or_nothing() {
        assert_eq!(split_port("mail.example.com"), Some(("mail.example.com", None)));
        assert_eq!(split_port("mail.example.com:2525"), Some(("mail.example.com", Some(2525))));
        assert_eq!(split_port("[::1]:25"), Some(("::1", Some(25))));
        for wrong in ["", ":25", "host:port", "user@host", "[::1", "[::1]x", "host/path", "host:70000"] {
            assert_eq!(split_port(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_log_in_in_the_url_is_refused_and_not_repeated() {
        let error = MailTransport::smtp("smtps://ada:hunter2@mail.example.com", None, None).unwrap_err();
        assert!(matches!(error, MailerError::LoginInUrl) && error.is_permanent());
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_clear() {
        assert!(is_this_machine("localhost") && is_this_machine("127.0.0.9") && is_this_machine("::1"));
        assert!(!is_this_machine("mail.example.com") && !is_this_machine("10.0.0.1"));
    }
}
