//! NamespaceService: what environments hold, sealed. Nothing leaves before its record is durable.

use crate::call::{Call, READ_DEADLINE};
use crate::{Api, fields};
use keyvawlt_domain::audit::Event;
use keyvawlt_domain::namespaces::{
    self, Changes, ListManifestHeads, Listed, ListedValue, ListingPage, NamespaceChanges, ReadChanges, ReadListing, ReadVersion,
};
use keyvawlt_domain::{Caller, Error, Result};
use keyvawlt_ledger::{Hash, IdentityId, NsId, OrgId, SecretId};
use keyvawlt_proto::v1::namespace_service_server::NamespaceService;
use keyvawlt_proto::{PAGE_BYTES, v1};
use std::collections::BTreeSet;
use tonic::{Request, Response, Status};

/// Namespaces of one question: an environment with all its guarded folders.
const MAX_NAMESPACES: usize = 1000;
/// Heads proved in one listing: what pins, a fence and the links since a checkpoint name.
const MAX_PROVED: usize = 64;

#[tonic::async_trait]
impl NamespaceService for Api {
    async fn read_changes(&self, request: Request<v1::ReadChangesRequest>) -> Result<Response<v1::ReadChangesResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(READ_DEADLINE, async {
            let (subject, store) = (call.subject()?, &self.parts.store);
            let asked = asked(&request)?;
            if let Some(verdict) = self.unchanged.look(store.clock(), &self.parts.revisions, subject, &asked).await? {
                self.parts.audit.note_unchanged(nothing(&asked, verdict.actor, store.clock().now_ms()));
                return Ok(v1::ReadChangesResponse { next_seq: verdict.next_seq, ..Default::default() });
            }
            let tx = store.read().await?;
            let caller = Caller::find(&tx, subject).await?;
            let permit = self.permit(&tx, caller, asked.clone()).await?;
            let mut changes = namespaces::read_changes(permit, &self.spans).await?;
            let now_ms = tx.now_ms();
            tx.commit().await?;
            self.unchanged.remember(store.clock(), subject, &asked, caller.actor(), &changes);
            if changes.events.is_empty() {
                self.parts.audit.note_unchanged(nothing(&asked, caller.actor(), now_ms));
            }
            self.parts.audit.record(std::mem::take(&mut changes.events)).await?;
            Ok(answer(changes))
        })
        .await
    }

    async fn read_listing(&self, request: Request<v1::ReadListingRequest>) -> Result<Response<v1::ReadListingResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                let asked = listing_asked(&request)?;
                let tx = self.parts.store.read().await?;
                let caller = Caller::find(&tx, subject).await?;
                let permit = self.permit(&tx, caller, asked).await?;
                let page = namespaces::read_listing(&permit).await?;
                tx.commit().await?;
                self.parts.audit.record(vec![page.event.clone()]).await?;
                Ok(listing(page))
            }),
        )
        .await
    }

    async fn read_version(&self, request: Request<v1::ReadVersionRequest>) -> Result<Response<v1::ReadVersionResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(READ_DEADLINE, async {
            let subject = call.subject()?;
            let asked = ReadVersion {
                org: fields::id("org_id", &request.org_id, OrgId::from_slice)?,
                ns: fields::id("ns_id", &request.ns_id, NsId::from_slice)?,
                secret: fields::id("secret_id", &request.secret_id, SecretId::from_slice)?,
                version: request.version,
            };
            let tx = self.parts.store.read().await?;
            let caller = Caller::find(&tx, subject).await?;
            let permit = self.permit(&tx, caller, asked).await?;
            let sealed = namespaces::read_version(&permit).await?;
            tx.commit().await?;
            self.parts.audit.record(vec![sealed.event]).await?;
            Ok(v1::ReadVersionResponse { payload: sealed.payload.into(), dek: sealed.dek.into() })
        })
        .await
    }

    async fn list_manifest_heads(
        &self,
        request: Request<v1::ListManifestHeadsRequest>,
    ) -> Result<Response<v1::ListManifestHeadsResponse>, Status> {
        let (call, request) = Call::open(request);
        call.answer(
            READ_DEADLINE,
            Box::pin(async {
                let subject = call.subject()?;
                let tx = self.parts.store.read().await?;
                let caller = Caller::find(&tx, subject).await?;
                let permit = self.permit(&tx, caller, heads_asked(&caller, &request)?).await?;
                let page = namespaces::list_manifest_heads(&permit).await?;
                tx.commit().await?;
                let heads = page
                    .heads
                    .into_iter()
                    .map(|head| v1::NewestManifestLink { ns_id: head.ns.0.to_vec().into(), link: head.link.map(fields::statement) });
                Ok(v1::ListManifestHeadsResponse {
                    heads: heads.collect(),
                    next_page_token: page.next.map_or_else(String::new, |ns| ns.to_string()),
                })
            }),
        )
        .await
    }
}

fn asked(request: &v1::ReadChangesRequest) -> Result<ReadChanges> {
    if request.namespaces.len() > MAX_NAMESPACES {
        return Err(Error::TooLarge { what: "the number of namespaces", limit: MAX_NAMESPACES as u64 });
    }
    let held = request.namespaces.iter().map(|head| Ok((fields::id("namespaces.ns_id", &head.ns_id, NsId::from_slice)?, head.mseq)));
    let held: Vec<(NsId, u64)> = held.collect::<Result<_>>()?;
    if held.iter().map(|(ns, _)| ns).collect::<BTreeSet<_>>().len() != held.len() {
        return Err(Error::invalid("namespaces", "one is named twice"));
    }
    Ok(ReadChanges {
        org: fields::id("org_id", &request.org_id, OrgId::from_slice)?,
        from_seq: request.from_seq,
        held,
        all_wraps: request.all_wraps,
        page_bytes: PAGE_BYTES,
    })
}

fn heads_asked(caller: &Caller, request: &v1::ListManifestHeadsRequest) -> Result<ListManifestHeads> {
    if request.ns_ids.len() > MAX_NAMESPACES {
        return Err(Error::TooLarge { what: "the number of namespaces", limit: MAX_NAMESPACES as u64 });
    }
    let org = fields::id("org_id", &request.org_id, OrgId::from_slice)?;
    let named = request.ns_ids.iter().map(|id| fields::id("ns_ids", id, NsId::from_slice)).collect::<Result<_>>()?;
    let author = match &request.author_id[..] {
        [] => None,
        id => Some(fields::id("author_id", id, IdentityId::from_slice)?),
    };
    let after = fields::page_token(&request.page_token)?.map(NsId);
    Ok(ListManifestHeads::by(caller, org, named, author, after, PAGE_BYTES))
}

fn listing_asked(request: &v1::ReadListingRequest) -> Result<ReadListing> {
    if request.heads.len() > MAX_PROVED {
        return Err(Error::TooLarge { what: "the number of heads", limit: MAX_PROVED as u64 });
    }
    let invalid = || Error::invalid("page_token", "it is not one of ours");
    let after = match &request.page_token[..] {
        "" => None,
        token => {
            let (mseq, next) = token.split_once('-').ok_or_else(invalid)?;
            Some((mseq.parse().map_err(|_| invalid())?, next.parse().map_err(|_| invalid())?))
        }
    };
    Ok(ReadListing {
        org: fields::id("org_id", &request.org_id, OrgId::from_slice)?,
        ns: fields::id("ns_id", &request.ns_id, NsId::from_slice)?,
        heads: request.heads.clone(),
        values: request.values,
        after,
        page_bytes: PAGE_BYTES,
    })
}

fn listing(page: ListingPage) -> v1::ReadListingResponse {
    let hashes = |path: Vec<Hash>| path.iter().map(|hash| hash.0.to_vec().into()).collect();
    let mut answer = v1::ReadListingResponse {
        secrets: page.leaves.into_iter().map(listed).collect(),
        next_page_token: page.next.map_or_else(String::new, |(mseq, next)| format!("{mseq}-{next}")),
        ..Default::default()
    };
    if let Some(newest) = page.newest {
        answer.newest = Some(fields::statement(newest.link));
        answer.before = newest.before.to_bytes().into();
        answer.proofs = newest.proofs.into_iter().map(|(mseq, path)| v1::HeadProof { mseq, path: hashes(path) }).collect();
    }
    answer
}

fn listed(leaf: Listed) -> v1::ListedSecret {
    let (payload, dek) = match leaf.value {
        ListedValue::None => (vec![], vec![]),
        ListedValue::Sealed(payload, dek) | ListedValue::Hashes(payload, dek) => (payload, dek),
    };
    v1::ListedSecret {
        secret_id: leaf.secret.0.to_vec().into(),
        version: leaf.version,
        epoch: leaf.epoch,
        flags: u32::try_from(leaf.flags).unwrap_or(u32::MAX),
        mseq: leaf.mseq,
        name: leaf.name.into(),
        facts: leaf.facts.into(),
        payload: payload.into(),
        dek: dek.into(),
    }
}

/// Noted once a minute: no secret left.
fn nothing(asked: &ReadChanges, actor: String, at_ms: u64) -> Event {
    let subject = asked.held.first().map_or_else(|| asked.org.to_string(), |(ns, _)| ns.to_string());
    let detail = match asked.held.len() {
        0 | 1 => String::new(),
        more => format!("and {} more", more - 1),
    };
    Event { org: asked.org, at_ms, actor, action: "namespace.unchanged", subject, detail }
}

fn answer(changes: Changes) -> v1::ReadChangesResponse {
    let wraps = changes.wraps.into_iter().map(|wrap| v1::DeliveredWrap {
        record: wrap.record,
        index: wrap.index,
        count: wrap.count,
        path: wrap.path.iter().map(|hash| hash.0.to_vec().into()).collect(),
    });
    v1::ReadChangesResponse {
        links: changes.links.into_iter().map(fields::statement).collect(),
        namespaces: changes.namespaces.into_iter().map(namespace).collect(),
        wraps: wraps.collect(),
        more: changes.more,
        next_seq: changes.next_seq,
    }
}

fn namespace(NamespaceChanges { ns, news, mseq }: NamespaceChanges) -> v1::NamespaceChanges {
    let ns_id: bytes::Bytes = ns.0.to_vec().into();
    let objects = news.objects.iter().map(|object| v1::SecretObject {
        ns_id: ns_id.clone(),
        secret_id: object.secret.0.to_vec().into(),
        version: object.version,
        kind: fields::object_kind(object.kind).into(),
        data: object.data.clone(),
    });
    let objects = objects.collect();
    v1::NamespaceChanges { ns_id, manifest_links: news.links.iter().cloned().map(fields::statement).collect(), objects, mseq }
}
