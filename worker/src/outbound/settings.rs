//! `[worker.outbound]`: how far the worker goes.

use super::{Allow, AllowError, Outbound};
use crate::roots;
use rustls::RootCertStore;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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
        let trusting = |path: &Path| Ok(roots::system_and(roots::read(&std::fs::read(path)?)?)?);
        match &self.ca_file {
            Some(path) => trusting(path).map_err(|source| OutboundError::Ca { path: path.clone(), source }),
            None => Ok(roots::system()),
        }
    }
}
