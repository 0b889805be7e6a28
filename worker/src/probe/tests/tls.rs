//! TLS: what is not trusted fails, and its date is known all the same. The authority is the tests' own.

use super::*;
use crate::outbound::CertificateFault;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use site::answers;
use time::OffsetDateTime;
use tokio_rustls::TlsAcceptor;

const NAME: &str = "api.example.com";
/// 1 January 2020 and 2050, in milliseconds since 1970.
const PAST_MS: u64 = 1_577_836_800_000;
const FUTURE_MS: u64 = 2_524_608_000_000;

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2010, 1, 1);
        params.not_after = date_time_ymd(2060, 1, 1);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority"))
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("a certificate");
        roots
    }

    /// A target with a certificate for this name, good until then.
    async fn target(&self, name: &str, not_after: OffsetDateTime) -> Site {
        let (params, key) = leaf(name, not_after);
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        serve(certificate, &key).await
    }
}

fn leaf(name: &str, not_after: OffsetDateTime) -> (CertificateParams, KeyPair) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.not_before = date_time_ymd(2015, 1, 1);
    params.not_after = not_after;
    (params, KeyPair::generate().expect("a key"))
}

async fn serve(certificate: rcgen::Certificate, key: &KeyPair) -> Site {
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate and its key");
    Site::start_tls(answers("200 OK", "ok"), TlsAcceptor::from(Arc::new(config))).await
}

async fn look_at(site: &Site, roots: RootCertStore) -> Look {
    let listed = format!("{NAME}:{}", site.port());
    probe(&outbound(&[listed], roots), &format!("https://{NAME}:{}/", site.port()), &rules()).await
}

fn failed(fault: CertificateFault) -> Verdict {
    Verdict::Failed(Reason::Certificate(fault).into())
}

#[tokio::test]
async fn a_trusted_certificate_passes_and_tells_its_end() {
    let authority = Authority::new();
    let site = authority.target(NAME, date_time_ymd(2050, 1, 1)).await;
    let look = look_at(&site, authority.roots()).await;
    assert_eq!((look.verdict, look.trace.certificate_not_after_ms), (Verdict::Passed, Some(FUTURE_MS)));
    assert!(look.trace.resolve.is_some() && look.trace.tls.is_some());
}

#[tokio::test]
async fn an_expired_certificate_fails_and_tells_when_it_ended() {
    let authority = Authority::new();
    let site = authority.target(NAME, date_time_ymd(2020, 1, 1)).await;
    let look = look_at(&site, authority.roots()).await;
    assert_eq!((look.verdict, look.trace.certificate_not_after_ms), (failed(CertificateFault::Expired), Some(PAST_MS)));
    assert_eq!(site.requests(), Vec::<String>::new(), "nothing was asked of it");
}

#[tokio::test]
async fn a_certificate_of_another_name_fails() {
    let authority = Authority::new();
    let site = authority.target("other.example.com", date_time_ymd(2050, 1, 1)).await;
    let look = look_at(&site, authority.roots()).await;
    assert_eq!((look.verdict, look.trace.certificate_not_after_ms), (failed(CertificateFault::WrongName), Some(FUTURE_MS)));
}

#[tokio::test]
async fn nobodys_certificate_fails() {
    let (params, key) = leaf(NAME, date_time_ymd(2050, 1, 1));
    let site = serve(params.self_signed(&key).unwrap(), &key).await;
    let look = look_at(&site, Authority::new().roots()).await;
    assert_eq!((look.verdict, look.trace.certificate_not_after_ms), (failed(CertificateFault::UnknownIssuer), Some(FUTURE_MS)));
    let look = look_at(&site, RootCertStore::empty()).await;
    assert_eq!(look.verdict, failed(CertificateFault::UnknownIssuer), "a machine that trusts nobody");
}

#[tokio::test]
async fn what_speaks_no_tls_fails() {
    let site = Site::start(answers("200 OK", "")).await;
    let look = look_at(&site, Authority::new().roots()).await;
    let Verdict::Failed(Fault::NoAnswer(reason)) = look.verdict else { panic!("it passed") };
    assert!(matches!(reason, Reason::Tls | Reason::Closed(_) | Reason::TimedOut(_)), "{reason:?}");
}
