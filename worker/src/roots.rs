//! Whom the worker trusts over TLS: the system's certificates, and those an operator adds.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::error::Error;

/// The system's certificates.
pub(crate) fn system() -> RootCertStore {
    let (roots, errors) = load();
    if roots.is_empty() {
        tracing::warn!(?errors, "this machine trusts no certificate: whatever needs TLS will fail");
    }
    roots
}

/// The system's certificates, if there are any, and `own`.
pub(crate) fn system_and(own: Vec<CertificateDer<'static>>) -> Result<RootCertStore, rustls::Error> {
    let (mut roots, _) = load();
    own.into_iter().try_for_each(|certificate| roots.add(certificate))?;
    Ok(roots)
}

fn load() -> (RootCertStore, Vec<rustls_native_certs::Error>) {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    // A store of the system may hold some that no TLS library reads.
    roots.add_parsable_certificates(system.certs);
    (roots, system.errors)
}

/// The certificates in a file's text (PEM), of which there is at least one.
pub(crate) fn read(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Box<dyn Error + Send + Sync>> {
    let own = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>()?;
    if own.is_empty() { Err("no certificate is in it".into()) } else { Ok(own) }
}
