//! `[worker.outbound]`: how far the worker goes.

use super::{Allow, AllowError, Outbound};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The section.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutboundSettings {
    /// Whether targets on the public Internet are gone to. If not, only what `allow` lists.
    pub public: bool,
    /// Exceptions: addresses, ranges and names that are gone to though they are not public.
    pub allow: Vec<String>,
    /// File with certificates (PEM) to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for OutboundSettings {
    fn default() -> Self {
        Self { public: true, allow: vec![], ca_file: None }
    }
}

/// A setting that cannot work.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// An entry of the list.
    #[error("worker.outbound.allow: {0}")]
    Allow(#[from] AllowError),
    /// The file with certificates.
    #[error("worker.outbound.ca_file: {}: {source}", path.display())]
    Ca {
        /// Which file.
        path: PathBuf,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OutboundSettings {
    /// Checks what needs no file.
    pub fn check(&self) -> Result<(), OutboundError> {
        Allow::parse(&self.allow)?;
        Ok(())
    }

    /// The way out.
    pub fn outbound(&self) -> Result<Outbound, OutboundError> {
        Ok(Outbound::new(Allow::parse(&self.allow)?, self.public, self.roots()?))
    }

    fn roots(&self) -> Result<RootCertStore, OutboundError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        // A store of the system may hold some that no TLS library reads.
        let (kept, _) = roots.add_parsable_certificates(system.certs);
        if let Some(path) = &self.ca_file {
            let wrong = |source: Box<dyn std::error::Error + Send + Sync>| OutboundError::Ca { path: path.clone(), source };
            let own = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(|error| wrong(error.into()))?;
            if own.is_empty() {
                return Err(wrong("no certificate is in it".into()));
            }
            for certificate in own {
                roots.add(certificate).map_err(|error| wrong(error.into()))?;
            }
        } else if kept == 0 {
            tracing::warn!(errors = ?system.errors, "this machine trusts no certificate: https targets will fail");
        }
        Ok(roots)
    }
}
