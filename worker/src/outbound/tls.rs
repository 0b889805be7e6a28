//! TLS to a target: verified like a browser does, and the certificate's date kept whether or not it is trusted.

use super::certificate;
use super::reason::{CertificateFault, Phase, Reason};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::io;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whom to trust.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    /// `None` on a machine that trusts nobody: every certificate is then an unknown issuer's.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

/// A handshake, and when the certificate shown in it ends.
pub(super) struct Shaken {
    pub(super) outcome: Result<TlsStream<TcpStream>, Reason>,
    pub(super) not_after_ms: Option<u64>,
}

impl Tls {
    pub(super) fn new(roots: RootCertStore) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().ok();
        Self { provider, verifier }
    }

    pub(super) async fn shake(&self, name: ServerName<'static>, stream: TcpStream) -> Shaken {
        let seen = Arc::new(OnceLock::new());
        let outcome = match self.connector(Arc::clone(&seen)) {
            Some(connector) => connector.connect(name, stream).await.map_err(|error| reason(&error)),
            None => Err(CertificateFault::UnknownIssuer.into()),
        };
        Shaken { outcome, not_after_ms: seen.get().copied() }
    }

    /// One for each handshake: the verifier in it writes down what this handshake showed. No session is kept, so each shows its certificate.
    fn connector(&self, seen: Arc<OnceLock<u64>>) -> Option<TlsConnector> {
        let verifier = Watching { inner: Arc::clone(self.verifier.as_ref()?), seen };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .ok()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Some(TlsConnector::from(Arc::new(config)))
    }
}

/// Leaves every judgement to rustls' own verifier, and keeps the date.
#[derive(Debug)]
struct Watching {
    inner: Arc<WebPkiServerVerifier>,
    seen: Arc<OnceLock<u64>>,
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(not_after_ms) = certificate::not_after_ms(end_entity) {
            // A handshake shows one certificate; a second would be a renegotiation, which TLS here does not have.
            let _ = self.seen.set(not_after_ms);
        }
        self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

fn reason(error: &io::Error) -> Reason {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(fault)) => certificate_fault(fault).into(),
        Some(_) => Reason::Tls,
        None => Reason::Closed(Phase::Tls),
    }
}

fn certificate_fault(fault: &CertificateError) -> CertificateFault {
    use CertificateError as E;
    match fault {
        E::Expired | E::ExpiredContext { .. } => CertificateFault::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => CertificateFault::NotYetValid,
        E::NotValidForName | E::NotValidForNameContext { .. } => CertificateFault::WrongName,
        E::UnknownIssuer | E::BadSignature => CertificateFault::UnknownIssuer,
        E::Revoked => CertificateFault::Revoked,
        _ => CertificateFault::Other,
    }
}
