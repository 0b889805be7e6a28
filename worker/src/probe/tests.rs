//! Looks at targets of the tests' own, in clear and in TLS, and the round over a store.

mod looks;
mod rounds;
mod tls;

use super::*;
use crate::outbound::tests::site::{self, Script, Site};
use crate::outbound::{Allow, Dial, Resolve};
use keyvawlt_domain::monitors::Statuses;
use rustls::RootCertStore;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What people ask for who ask for nothing.
pub(crate) fn rules() -> Rules {
    let statuses = vec![Statuses(200, 299)];
    Rules { method: Method::Get, statuses, headers: vec![], body: None, timeout_ms: 2_000, slow_ms: None }
}

/// Every name is this machine.
#[derive(Debug)]
struct Here;

impl Resolve for Here {
    fn resolve(&self, _: &str) -> futures::future::BoxFuture<'_, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })
    }
}

/// A way out to what is listed, on this machine.
fn outbound(allow: &[String], roots: RootCertStore) -> Outbound {
    let dial: Arc<dyn Dial> = Arc::new(crate::outbound::tests::Recorder::default());
    Outbound::with(dial, Arc::new(Here), Allow::parse(allow).expect("a list"), false, roots)
}

/// Looks once at a target that answers so.
async fn look(script: Script, rules: &Rules) -> Look {
    let site = Site::start(script).await;
    probe(&outbound(&[site.listed()], RootCertStore::empty()), &site.url("/health"), rules).await
}
