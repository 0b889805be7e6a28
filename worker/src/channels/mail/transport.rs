//! Where mails go, from the URL of a setting.

use super::smtp::{Limits, Security, Server};
use super::{MailerError, Outbox};
use crate::roots;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use std::error::Error;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Where mails go.
#[derive(Clone, Debug)]
pub enum MailTransport {
    /// Into a folder, one `.eml` file for each message id.
    File(PathBuf),
    /// To a mail server.
    Smtp(Arc<Server>),
    /// Into memory.
    Memory(Outbox),
}

/// How to talk to a mail server, besides its URL.
#[derive(Clone, Debug, Default)]
pub struct SmtpOptions {
    /// User and password.
    pub login: Option<(String, String)>,
    /// Certificates (PEM) to trust besides the system's.
    pub ca: Option<String>,
    /// How long to wait for an answer, if not as long as usual.
    pub patience: Option<Duration>,
    /// Connections at once, if not as many as usual.
    pub connections: Option<usize>,
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
    pub fn smtp(url: &str, options: SmtpOptions) -> Result<Self, MailerError> {
        let wrong = || MailerError::Url(url.to_owned());
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        if rest.contains('@') {
            return Err(MailerError::LoginInUrl);
        }
        let (host, port) = split_port(rest.trim_end_matches('/')).ok_or_else(wrong)?;
        let own = options.ca.as_ref().map(|pem| roots::read(pem.as_bytes())).transpose().map_err(MailerError::Certificates)?;
        let (security, default_port) = match scheme {
            "smtps" => (wrapped(host, own).map_err(MailerError::Certificates)?, 465),
            "smtp" if is_this_machine(host) && own.is_none() => (Security::None, 25),
            "smtp" => (start_tls(host, &own.unwrap_or_default()).map_err(|error| MailerError::Certificates(error.into()))?, 587),
            _ => return Err(wrong()),
        };
        let login = options.login.map(|(user, password)| Credentials::new(user, password));
        let limits = Limits::new(options.patience, options.connections);
        Ok(Self::Smtp(Arc::new(Server::new(host, port.unwrap_or(default_port), security, login, limits))))
    }
}

fn start_tls(host: &str, own: &[CertificateDer<'_>]) -> Result<Security, lettre::transport::smtp::Error> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    for certificate in own {
        parameters = parameters.add_root_certificate(Certificate::from_der(certificate.to_vec())?);
    }
    Ok(Security::StartTls(parameters.build()?))
}

fn wrapped(host: &str, own: Option<Vec<CertificateDer<'static>>>) -> Result<Security, Box<dyn Error + Send + Sync>> {
    let roots = own.map_or_else(|| Ok(roots::system()), roots::system_and)?;
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Security::Tls(Arc::new(config).into(), ServerName::try_from(host.to_owned())?))
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
        let error = MailTransport::smtp("smtps://ada:hunter2@mail.example.com", SmtpOptions::default()).unwrap_err();
        assert!(matches!(error, MailerError::LoginInUrl) && error.is_permanent());
        assert!(!error.to_string().contains("hunter2"));
    }

    #[test]
    fn only_this_machine_is_spoken_to_in_clear() {
        assert!(is_this_machine("localhost") && is_this_machine("127.0.0.9") && is_this_machine("::1"));
        assert!(!is_this_machine("mail.example.com") && !is_this_machine("10.0.0.1"));
    }
}
