//! OrganizationService: chains, and the changes that extend them.

use crate::call::{Call, READ_DEADLINE, WRITE_DEADLINE};
use crate::{Api, fields};
use keyvawlt_domain::authorize::{Action, Permit, authorize};
use keyvawlt_domain::organizations::{
    self, BringBack, Commit, Create, ListAuditEvents, ListOrganizations, ReadBundles, ReadChain, ReadStart, RequestKey, StartPage,
};
use keyvawlt_domain::{Caller, Error, Result, Tx};
use keyvawlt_ledger::{KeyId, OrgId};
use keyvawlt_proto::v1::organization_service_server::OrganizationService;
use keyvawlt_proto::{PAGE_BYTES, v1};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::{Request, Response, Status};

/// Organizations of one page.
const ORGS: (u32, u32) = (50, 100);
/// Keys of one question: holders of access in one namespace, for whom an epoch wraps.
const MAX_BUNDLES: usize = keyvawlt_ledger::limits::MAX_HOLDERS;
/// Events of one page.
const EVENTS: (u32, u32) = (100, 500);

#[tonic::async_trait]
impl OrganizationService for Api {
    async fn create_organization(
        &self,
        request: Request<v1::CreateOrganizationRequest>,
    ) -> Result<Response<v1::CreateOrganizationResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            WRITE_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                self.limits.commit(subject, request.encoded_len(), self.parts.store.clock().now_ms()).await?;
                self.check_restored(false)?;
                let key = request_key("CreateOrganization", &request.request_id, request.batch.as_ref())?;
                let batch = fields::batch(request.batch)?;
                let tx = self.parts.store.write().await?;
                let caller = Caller::find(&tx, subject).await?;
                if let Some(org_id) = organizations::answered(&tx, &caller, &key).await? {
                    return Ok(v1::CreateOrganizationResponse { org_id: org_id.into() });
                }
                let permit = self.permit(&tx, caller, Create { batch }).await?;
                if let Caller::Account { account_id, .. } = permit.caller() {
                    self.limits.organization(*account_id, tx.now_ms()).await?;
                }
                let org_id = organizations::create(permit, &key).await?;
                tx.commit().await?;
                Ok(v1::CreateOrganizationResponse { org_id: org_id.0.to_vec().into() })
            }),
        )
        .await
    }

    async fn list_organizations(
        &self,
        request: Request<v1::ListOrganizationsRequest>,
    ) -> Result<Response<v1::ListOrganizationsResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                let limit = fields::page_size(request.page_size, ORGS.0, ORGS.1)?;
                let after = fields::page_token(&request.page_token)?.map(OrgId);
                let tx = self.parts.store.read().await?;
                let caller = Caller::find(&tx, subject).await?;
                let permit = self.permit(&tx, caller, ListOrganizations { limit, after }).await?;
                let page = organizations::list_organizations(&permit).await?;
                tx.commit().await?;
                Ok(v1::ListOrganizationsResponse {
                    org_ids: page.orgs.iter().map(|org| org.0.to_vec().into()).collect(),
                    next_page_token: page.next.map_or_else(String::new, |org| org.to_string()),
                })
            }),
        )
        .await
    }

    async fn read_chain(&self, request: Request<v1::ReadChainRequest>) -> Result<Response<v1::ReadChainResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                let org = fields::id("org_id", &request.org_id, OrgId::from_slice)?;
                let tx = self.parts.store.read().await?;
                let caller = Caller::find(&tx, subject).await?;
                let permit = self.permit(&tx, caller, ReadChain { org, from_seq: request.from_seq, page_bytes: PAGE_BYTES }).await?;
                let links = organizations::read_chain(&permit).await?;
                tx.commit().await?;
                Ok(v1::ReadChainResponse { links: links.statements.into_iter().map(fields::statement).collect(), more: links.more })
            }),
        )
        .await
    }

    async fn read_start(&self, request: Request<v1::ReadStartRequest>) -> Result<Response<v1::ReadStartResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                let asked = start_asked(&request)?;
                let tx = self.parts.store.read().await?;
                let caller = Caller::find(&tx, subject).await?;
                let permit = self.permit(&tx, caller, asked).await?;
                let page = organizations::read_start(&permit).await?;
                tx.commit().await?;
                Ok(start(page))
            }),
        )
        .await
    }

    async fn read_bundles(&self, request: Request<v1::ReadBundlesRequest>) -> Result<Response<v1::ReadBundlesResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                if request.key_ids.len() > MAX_BUNDLES {
                    return Err(Error::TooLarge { what: "the number of keys", limit: MAX_BUNDLES as u64 });
                }
                let org = fields::id("org_id", &request.org_id, OrgId::from_slice)?;
                let keys = request.key_ids.iter().map(|id| fields::id("key_ids", id, KeyId::from_slice)).collect::<Result<_>>()?;
                let tx = self.parts.store.read().await?;
                let caller = Caller::find(&tx, subject).await?;
                let permit = self.permit(&tx, caller, ReadBundles { org, keys }).await?;
                let bundles = organizations::read_bundles(&permit).await?;
                tx.commit().await?;
                Ok(v1::ReadBundlesResponse { bundles: bundles.into_iter().map(fields::statement).collect() })
            }),
        )
        .await
    }

    async fn commit(&self, request: Request<v1::CommitRequest>) -> Result<Response<v1::CommitResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            WRITE_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                let org = fields::id("org_id", &request.org_id, OrgId::from_slice)?;
                self.limits.commit(subject, request.encoded_len(), self.parts.store.clock().now_ms()).await?;
                self.check_restored(request.bring_back)?;
                let key = request_key("Commit", &request.request_id, request.batch.as_ref())?;
                let batch = fields::batch(request.batch)?;
                let tx = self.parts.store.write().await?;
                let caller = Caller::find(&tx, subject).await?;
                if organizations::answered(&tx, &caller, &key).await?.is_none() {
                    if request.bring_back {
                        let permit = self.permit(&tx, caller, BringBack { org, batch }).await?;
                        organizations::bring_back(permit, &key).await?;
                    } else {
                        let permit = self.permit(&tx, caller, Commit { org, batch }).await?;
                        organizations::commit(permit, &key).await?;
                    }
                    tx.commit().await?;
                }
                Ok(v1::CommitResponse {})
            }),
        )
        .await
    }

    async fn list_audit_events(
        &self,
        request: Request<v1::ListAuditEventsRequest>,
    ) -> Result<Response<v1::ListAuditEventsResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                let org = fields::id("org_id", &request.org_id, OrgId::from_slice)?;
                let limit = fields::page_size(request.page_size, EVENTS.0, EVENTS.1)?;
                let before = fields::page_token(&request.page_token)?;
                let actor = fields::actor(&request.actor)?;
                let tx = self.parts.store.read().await?;
                let caller = Caller::find(&tx, subject).await?;
                let permit = self.permit(&tx, caller, ListAuditEvents { org, limit, before, actor }).await?;
                let page = organizations::list_audit_events(&permit).await?;
                tx.commit().await?;
                Ok(v1::ListAuditEventsResponse {
                    events: page.events.into_iter().map(event).collect(),
                    next_page_token: page.next.map_or_else(String::new, hex::encode),
                })
            }),
        )
        .await
    }
}

impl Api {
    /// A server that was restored takes back what it lacks, and nothing else; any other server takes nothing that is not new.
    fn check_restored(&self, bring_back: bool) -> Result<()> {
        match (self.parts.restored, bring_back) {
            (true, false) => Err(Error::Restoring),
            (false, true) => Err(Error::invalid("bring_back", "this server was not restored from a backup, as far as it was told")),
            _ => Ok(()),
        }
    }

    /// Authorizes, and notes a denial where the organization knows the caller. Nobody waits for the note: the writer may be this very call.
    pub(crate) async fn permit<'tx, A: Action + Send>(&self, tx: &'tx Tx, caller: Caller, action: A) -> Result<Permit<'tx, A>> {
        authorize(tx, caller, action).await.map_err(|denied| {
            if let Some(event) = denied.event {
                self.parts.audit.note_unchanged(event);
            }
            denied.error
        })
    }
}

fn start_asked(request: &v1::ReadStartRequest) -> Result<ReadStart> {
    let invalid = || Error::invalid("page_token", "it is not one of ours");
    let after = match &request.page_token[..] {
        "" => None,
        token => {
            let (seq, key) = token.split_once('-').ok_or_else(invalid)?;
            Some((seq.parse().map_err(|_| invalid())?, hex::decode(key).map_err(|_| invalid())?))
        }
    };
    let org = fields::id("org_id", &request.org_id, OrgId::from_slice)?;
    Ok(ReadStart { org, pin_seq: request.pin_seq, at_most: request.at_most, after, page_bytes: PAGE_BYTES })
}

fn start(page: StartPage) -> v1::ReadStartResponse {
    let mut answer = v1::ReadStartResponse {
        entries: page.entries.into_iter().map(|(key, value)| v1::StateEntry { key: key.into(), value: value.into() }).collect(),
        next_page_token: page.next.map_or_else(String::new, |(seq, key)| format!("{seq}-{}", hex::encode(key))),
        ..Default::default()
    };
    if let Some(proof) = page.proof {
        answer.checkpoint = Some(fields::statement(proof.checkpoint));
        answer.before = proof.before.to_bytes().into();
        answer.pinned = Some(fields::statement(proof.pinned));
        answer.path = proof.path.iter().map(|hash| hash.0.to_vec().into()).collect();
    }
    answer
}

/// What makes a retry the same request: everything that was sent.
fn request_key(rpc: &'static str, id: &[u8], batch: Option<&v1::Batch>) -> Result<RequestKey> {
    let id = fields::array("request_id", id)?;
    let content = Sha256::digest(batch.map(v1::Batch::encode_to_vec).unwrap_or_default()).into();
    Ok(RequestKey { id, rpc, content })
}

fn event(record: organizations::AuditRecord) -> v1::AuditEvent {
    let organizations::AuditRecord { at_ms, actor, action, subject, detail, hash } = record;
    v1::AuditEvent { at_ms, actor, action, subject, detail, hash: hash.into() }
}
