//! A mail server, and the connections kept open to it.
//!
//! A connection belongs to the mail that uses it and is kept only after a whole conversation: a mail that is cut off closes its own, so no reply
//! meant for one mail is ever read by another (lettre's pool parks a connection in the middle of a command when its future is dropped, and opens
//! as many as are asked for). Connections are bounded; what waits for one, waits here.

mod socket;

use lettre::Address;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use rustls::pki_types::ServerName;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

/// For connecting, and for each answer of the server, unless the operator says otherwise: a server that lets callers wait on purpose seldom does so
/// for longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// After the last byte the server stores or checks the mail. Whoever hangs up here makes it send the mail twice.
const PATIENCE_AT_THE_END: u32 = 2;
/// For one mail, the wait for a connection included: below the time limit of the jobs that send, so that they hear why.
const WHOLE: Duration = Duration::from_mins(1);
/// Connections at once: as many as jobs run at once by default; mail servers count them by address.
const CONNECTIONS: usize = 4;
/// Servers close after five minutes at most; a connection that old is not tried.
const KEPT_FOR: Duration = Duration::from_mins(1);
/// Servers bound the mails of one connection, many at a hundred.
const MAILS_PER_CONNECTION: u32 = 100;
/// All of RFC 4616 and what old servers know.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// How the connection is protected.
pub(super) enum Security {
    /// To this machine itself.
    None,
    /// Asked for before anything else is said, and required.
    StartTls(TlsParameters),
    /// From the first byte.
    Tls(TlsConnector, ServerName<'static>),
}

/// How long and how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    patience: Duration,
    connections: usize,
}

impl Limits {
    pub(super) fn new(patience: Option<Duration>, connections: Option<usize>) -> Self {
        Self { patience: patience.unwrap_or(PATIENCE), connections: connections.unwrap_or(CONNECTIONS).max(1) }
    }
}

/// Where in the conversation it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Connecting,
    LoggingIn,
    Sender,
    Recipient,
    Content,
}

/// A mail that was not taken.
#[derive(Debug)]
pub struct SmtpError {
    step: Step,
    cause: Cause,
}

#[derive(Debug)]
enum Cause {
    Said(smtp::Error),
    Socket(io::Error),
    Silent,
    NoUtf8,
}

impl From<smtp::Error> for Cause {
    fn from(error: smtp::Error) -> Self {
        Self::Said(error)
    }
}

impl From<io::Error> for Cause {
    fn from(error: io::Error) -> Self {
        Self::Socket(error)
    }
}

impl SmtpError {
    /// Whether another attempt with this mail would end the same way. What a server says before it has heard of the mail (greeting, log-in, sender)
    /// is about this program's settings, and somebody will correct them.
    pub(super) fn is_permanent(&self) -> bool {
        let about_the_mail = match &self.cause {
            Cause::NoUtf8 => true,
            Cause::Said(error) => error.is_permanent(),
            Cause::Socket(_) | Cause::Silent => false,
        };
        // 5.7: a policy of the server, like relaying only for those who logged in.
        let policy = self.step == Step::Recipient && matches!(&self.cause, Cause::Said(error) if text_of(error).contains(" 5.7."));
        about_the_mail && !policy && matches!(self.step, Step::Recipient | Step::Content)
    }

    /// Nothing of the mail was said, and the connection is gone: as it is when a server closed one that was kept.
    fn was_closed_before(&self) -> bool {
        let gone = match &self.cause {
            Cause::Said(error) => !error.is_permanent() && error.status().is_none_or(|code| u16::from(code) == CLOSING),
            Cause::Socket(_) | Cause::Silent | Cause::NoUtf8 => false,
        };
        self.step == Step::Sender && gone
    }
}

/// "Service not available, closing transmission channel."
const CLOSING: u16 = 421;

fn text_of(error: &smtp::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl fmt::Display for SmtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Connecting => "connecting",
            Step::LoggingIn => "logging in",
            Step::Sender => "naming the sender",
            Step::Recipient => "naming the recipient",
            Step::Content => "handing over the mail",
        };
        match &self.cause {
            Cause::Said(error) => write!(f, "{step}: {}", text_of(error)),
            Cause::Socket(error) => write!(f, "{step}: {error}"),
            Cause::Silent => write!(f, "{step}: no answer in time"),
            Cause::NoUtf8 => write!(f, "{step}: the server takes no addresses beyond ASCII"),
        }
    }
}

impl std::error::Error for SmtpError {}

/// A mail server.
pub struct Server {
    host: String,
    port: u16,
    security: Security,
    login: Option<Credentials>,
    limits: Limits,
    slots: Semaphore,
    kept: Mutex<Vec<Connection>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

struct Connection {
    smtp: AsyncSmtpConnection,
    mails: u32,
    used: Instant,
}

impl Server {
    pub(super) fn new(host: &str, port: u16, security: Security, login: Option<Credentials>, limits: Limits) -> Self {
        let slots = Semaphore::new(limits.connections);
        Self { host: host.to_owned(), port, security, login, limits, slots, kept: Mutex::default() }
    }

    /// Hands one mail over.
    pub(super) async fn send(&self, from: &Address, to: &Address, mail: &[u8]) -> Result<(), SmtpError> {
        let whole = tokio::time::timeout(WHOLE, self.hand_over(from, to, mail));
        whole.await.unwrap_or(Err(SmtpError { step: Step::Connecting, cause: Cause::Silent }))
    }

    async fn hand_over(&self, from: &Address, to: &Address, mail: &[u8]) -> Result<(), SmtpError> {
        // Never closed, so an error means nothing.
        let _slot = self.slots.acquire().await;
        while let Some(mut connection) = self.take() {
            let result = self.converse(&mut connection, from, to, mail).await;
            if result.as_ref().is_err_and(SmtpError::was_closed_before) {
                continue;
            }
            return self.keep(connection, result).await;
        }
        let mut connection = self.connect().await?;
        let result = self.converse(&mut connection, from, to, mail).await;
        self.keep(connection, result).await
    }

    async fn connect(&self) -> Result<Connection, SmtpError> {
        let hello = ClientId::default();
        let socket = self.answered(Step::Connecting, 1, socket::open(&self.host, self.port, &self.security)).await?;
        let mut smtp = self.answered(Step::Connecting, 1, AsyncSmtpConnection::connect_with_transport(socket, &hello)).await?;
        if let Security::StartTls(parameters) = &self.security {
            self.answered(Step::Connecting, 1, smtp.starttls(parameters.clone(), &hello)).await?;
        }
        if let Some(login) = &self.login {
            self.answered(Step::LoggingIn, 1, smtp.auth(&MECHANISMS, login)).await?;
        }
        Ok(Connection { smtp, mails: 0, used: Instant::now() })
    }

    async fn converse(&self, connection: &mut Connection, from: &Address, to: &Address, mail: &[u8]) -> Result<(), SmtpError> {
        connection.mails += 1;
        let smtp = &mut connection.smtp;
        let mut parameters = Vec::new();
        if !(from.to_string().is_ascii() && to.to_string().is_ascii()) {
            if !smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
                return Err(SmtpError { step: Step::Recipient, cause: Cause::NoUtf8 });
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !mail.is_ascii() && smtp.server_info().supports_feature(Extension::EightBitMime) {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        self.answered(Step::Sender, 1, smtp.command(Mail::new(Some(from.clone()), parameters))).await?;
        self.answered(Step::Recipient, 1, smtp.command(Rcpt::new(to.clone(), Vec::new()))).await?;
        self.answered(Step::Content, 1, smtp.command(Data)).await?;
        self.answered(Step::Content, PATIENCE_AT_THE_END, smtp.message(mail)).await?;
        connection.used = Instant::now();
        Ok(())
    }

    async fn answered<T, E: Into<Cause>>(
        &self,
        step: Step,
        times: u32,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Result<T, SmtpError> {
        match tokio::time::timeout(self.limits.patience * times, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(SmtpError { step, cause: error.into() }),
            Err(_) => Err(SmtpError { step, cause: Cause::Silent }),
        }
    }

    fn take(&self) -> Option<Connection> {
        let mut kept = self.kept();
        kept.retain(|connection| connection.used.elapsed() < KEPT_FOR);
        kept.pop()
    }

    /// Keeps a connection on which everything was said that was begun. After a refusal that is so when the server agrees to begin anew.
    async fn keep(&self, mut connection: Connection, result: Result<(), SmtpError>) -> Result<(), SmtpError> {
        let whole = match &result {
            Ok(()) | Err(SmtpError { cause: Cause::NoUtf8, .. }) => true,
            Err(SmtpError { cause: Cause::Said(error), .. }) if error.status().is_some_and(|code| u16::from(code) != CLOSING) => {
                self.answered(Step::Sender, 1, connection.smtp.command(Rset)).await.is_ok()
            }
            Err(_) => false,
        };
        if whole && connection.mails < MAILS_PER_CONNECTION {
            self.kept().push(connection);
        } else if whole {
            // Said for politeness; whether it was heard changes nothing.
            let _ = self.answered(Step::Sender, 1, connection.smtp.command(Quit)).await;
        }
        result
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
