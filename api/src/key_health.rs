//! KeyHealthService: signed findings about keys, in and out.

use crate::call::{Call, READ_DEADLINE};
use crate::{Api, fields};
use keyvawlt_domain::key_health::{
    self, KeyCheck, KeyHealth, KeyPlace, LeaseKeyChecks, ListKeyHealth, ReportKeyHealth, State, lease_key_checks, list_key_health,
    report_key_health,
};
use keyvawlt_domain::{Caller, Error, Result};
use keyvawlt_ledger::{NsId, OrgId, SecretId};
use keyvawlt_proto::v1;
use keyvawlt_proto::v1::key_health_service_server::KeyHealthService;
use std::collections::BTreeSet;
use tonic::{Request, Response, Status};

/// Namespaces of one question: an environment with all its guarded folders.
const MAX_NAMESPACES: usize = 1000;
/// Keys of one round of checks, and of one page: a runner with more asks again.
const MAX_KEYS: usize = 1000;
/// Of findings with three reports of 300 bytes each, this many are an answer of moderate size.
const DEFAULT_PAGE: u32 = 200;

#[tonic::async_trait]
impl KeyHealthService for Api {
    async fn report_key_health(
        &self,
        request: Request<v1::ReportKeyHealthRequest>,
    ) -> Result<Response<v1::ReportKeyHealthResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                self.limits.key_health(subject, 1, self.parts.store.clock().now_ms()).await?;
                let asked = ReportKeyHealth {
                    org: fields::id("org_id", &request.org_id, OrgId::from_slice)?,
                    ns: fields::id("ns_id", &request.ns_id, NsId::from_slice)?,
                    report: fields::signed("report", &fields::present("report", request.report)?)?,
                };
                let tx = self.parts.store.write().await?;
                let caller = Caller::find(&tx, subject).await?;
                let permit = self.permit(&tx, caller, asked).await?;
                let state = report_key_health(permit).await?;
                tx.commit().await?;
                Ok(v1::ReportKeyHealthResponse { state: state_out(state).into() })
            }),
        )
        .await
    }

    async fn list_key_health(&self, request: Request<v1::ListKeyHealthRequest>) -> Result<Response<v1::ListKeyHealthResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let page = self.look(&call, list_asked(&request)?, |permit| Box::pin(list_key_health(permit))).await?;
                Ok(v1::ListKeyHealthResponse {
                    keys: page.keys.iter().map(known).collect(),
                    next_page_token: page.next.map_or_else(String::new, token),
                })
            }),
        )
        .await
    }

    async fn lease_key_checks(&self, request: Request<v1::LeaseKeyChecksRequest>) -> Result<Response<v1::LeaseKeyChecksResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let asked = lease_asked(&request)?;
                self.limits.key_health(call.subject()?, asked.keys.len(), self.parts.store.clock().now_ms()).await?;
                let granted = self.change(&call, asked, |permit| Box::pin(lease_key_checks(permit))).await?;
                let keys = granted.into_iter().map(|KeyCheck { ns, secret, version }| check((ns, secret, version))).collect();
                Ok(v1::LeaseKeyChecksResponse { keys })
            }),
        )
        .await
    }
}

fn list_asked(request: &v1::ListKeyHealthRequest) -> Result<ListKeyHealth> {
    if request.ns_ids.len() > MAX_NAMESPACES {
        return Err(Error::TooLarge { what: "the number of namespaces", limit: MAX_NAMESPACES as u64 });
    }
    let namespaces = request.ns_ids.iter().map(|id| fields::id("ns_ids", id, NsId::from_slice)).collect::<Result<_>>()?;
    Ok(ListKeyHealth {
        org: fields::id("org_id", &request.org_id, OrgId::from_slice)?,
        namespaces,
        limit: fields::page_size(request.page_size, DEFAULT_PAGE, u32::try_from(MAX_KEYS).unwrap_or(DEFAULT_PAGE))?,
        after: fields::page_token(&request.page_token)?.map(place),
    })
}

fn lease_asked(request: &v1::LeaseKeyChecksRequest) -> Result<LeaseKeyChecks> {
    if request.keys.len() > MAX_KEYS {
        return Err(Error::TooLarge { what: "the number of keys", limit: MAX_KEYS as u64 });
    }
    let key = |key: &v1::KeyCheck| {
        Ok(KeyCheck {
            ns: fields::id("keys.ns_id", &key.ns_id, NsId::from_slice)?,
            secret: fields::id("keys.secret_id", &key.secret_id, SecretId::from_slice)?,
            version: key.version,
        })
    };
    let keys: Vec<KeyCheck> = request.keys.iter().map(key).collect::<Result<_>>()?;
    if keys.iter().collect::<BTreeSet<_>>().len() != keys.len() {
        return Err(Error::invalid("keys", "one is named twice"));
    }
    if !(key_health::MIN_INTERVAL_MS..=key_health::MAX_INTERVAL_MS).contains(&request.interval_ms) {
        return Err(Error::invalid("interval_ms", "from five minutes to seven days"));
    }
    Ok(LeaseKeyChecks { org: fields::id("org_id", &request.org_id, OrgId::from_slice)?, interval_ms: request.interval_ms, keys })
}

fn known(key: &KeyHealth) -> v1::KeyHealth {
    let (ns, secret, version) = key.place;
    v1::KeyHealth {
        ns_id: ns.0.to_vec().into(),
        secret_id: secret.0.to_vec().into(),
        version,
        state: state_out(key.state).into(),
        reports: key.reports.iter().map(|report| fields::statement((report.payload().to_vec(), report.sig.to_vec()))).collect(),
    }
}

fn check((ns, secret, version): KeyPlace) -> v1::KeyCheck {
    v1::KeyCheck { ns_id: ns.0.to_vec().into(), secret_id: secret.0.to_vec().into(), version }
}

/// Namespace, secret and version, as a page token has them.
const TOKEN: usize = NsId::LEN + SecretId::LEN + 8;

fn token((ns, secret, version): KeyPlace) -> String {
    hex::encode([&ns.0[..], &secret.0[..], &version.to_be_bytes()[..]].concat())
}

fn place(token: [u8; TOKEN]) -> KeyPlace {
    let (mut ns, mut secret, mut version) = ([0; NsId::LEN], [0; SecretId::LEN], [0; 8]);
    ns.copy_from_slice(&token[..NsId::LEN]);
    secret.copy_from_slice(&token[NsId::LEN..NsId::LEN + SecretId::LEN]);
    version.copy_from_slice(&token[NsId::LEN + SecretId::LEN..]);
    (NsId(ns), SecretId(secret), u64::from_be_bytes(version))
}

fn state_out(state: State) -> v1::KeyHealthState {
    match state {
        State::Unverified => v1::KeyHealthState::Unverified,
        State::Valid => v1::KeyHealthState::Valid,
        State::Suspect => v1::KeyHealthState::Suspect,
        State::Invalid => v1::KeyHealthState::Invalid,
        State::Stale => v1::KeyHealthState::Stale,
        State::RetiredStillAlive => v1::KeyHealthState::RetiredStillAlive,
        State::Expiring => v1::KeyHealthState::Expiring,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_goes_on_where_its_token_says() {
        let last = (NsId([1; 16]), SecretId([2; 16]), 0x0304);
        let read: [u8; TOKEN] = fields::page_token(&token(last)).unwrap().unwrap();
        assert_eq!(place(read), last);
    }

    #[test]
    fn states_have_the_numbers_of_the_contract() {
        for state in State::ALL {
            assert_eq!(i32::from(state_out(state)), state as i32);
        }
    }
}
