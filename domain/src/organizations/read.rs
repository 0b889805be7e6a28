//! Reading an organization: its links, who belongs where, and what happened.

use crate::accounts::own_keys;
use crate::authorize::{Action, Permit};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::{Tx, column, number};
use bytes::Bytes;
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::{audit_event, link, member};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// Events that are looked through for one actor's in one call: they have no index by actor, which every read would pay for.
const EVENTS_PER_LOOK: u64 = 20_000;
/// Links of one statement.
const LINKS_PER_STATEMENT: u64 = 500;

/// Links of an organization, from a position on.
#[derive(Clone, Copy, Debug)]
pub struct ReadChain {
    /// Which organization.
    pub org: OrgId,
    /// The first position wanted.
    pub from_seq: u64,
    /// About how many bytes to deliver.
    pub page_bytes: usize,
}

/// The caller's organizations.
#[derive(Clone, Copy, Debug)]
pub struct ListOrganizations {
    /// How many at most.
    pub limit: u64,
    /// After this one.
    pub after: Option<OrgId>,
}

/// What happened in an organization.
#[derive(Clone, Debug)]
pub struct ListAuditEvents {
    /// Which.
    pub org: OrgId,
    /// How many at most.
    pub limit: u64,
    /// Before this event.
    pub before: Option<[u8; 16]>,
    /// Only what this actor did.
    pub actor: Option<String>,
}

/// Payloads and signatures, in order.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// As received from their authors.
    pub statements: Vec<(Bytes, Bytes)>,
    /// There are more.
    pub more: bool,
}

/// A page of organizations.
#[derive(Clone, Debug)]
pub struct OrgPage {
    /// In order.
    pub orgs: Vec<OrgId>,
    /// Where the next page begins, if there is one.
    pub next: Option<OrgId>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// When, epoch milliseconds.
    pub at_ms: u64,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// More.
    pub detail: String,
    /// SHA-256 of the record.
    pub hash: Vec<u8>,
}

/// A page of events, newest first.
#[derive(Clone, Debug)]
pub struct AuditPage {
    /// The events.
    pub events: Vec<AuditRecord>,
    /// Where the next page begins, if there is one.
    pub next: Option<[u8; 16]>,
}

impl Action for ReadChain {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ReadChain]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
}

impl Action for ListOrganizations {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ListOrganizations]
    }
    fn org(&self) -> Option<OrgId> {
        None
    }
}

impl Action for ListAuditEvents {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ListAuditEvents]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
}

/// Delivers links in order, as many as fit, at least one if there is one.
pub async fn read_chain(permit: &Permit<'_, ReadChain>) -> Result<Links> {
    let ReadChain { org, from_seq, page_bytes } = *permit.action();
    links(permit.tx(), &org, from_seq, page_bytes).await
}

/// The links themselves, for those who are permitted another way.
pub(crate) async fn links(tx: &Tx, org: &OrgId, mut from_seq: u64, page_bytes: usize) -> Result<Links> {
    let (mut page, mut bytes) = (Links::default(), 0);
    loop {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = link::Entity::find()
            .select_only()
            .column(link::Column::Payload)
            .column(link::Column::Sig)
            .filter(link::Column::OrgId.eq(org.0.to_vec()))
            // Not a LIMIT: SQLite would plan the statement anew each time.
            .filter(link::Column::Seq.gte(column(from_seq)).and(link::Column::Seq.lt(column(from_seq.saturating_add(LINKS_PER_STATEMENT)))))
            .order_by_asc(link::Column::Seq)
            .into_tuple()
            .all(tx.db())
            .await?;
        let last = (rows.len() as u64) < LINKS_PER_STATEMENT;
        from_seq += rows.len() as u64;
        for (payload, sig) in rows {
            bytes += payload.len() + sig.len();
            if bytes > page_bytes && !page.statements.is_empty() {
                page.more = true;
                return Ok(page);
            }
            page.statements.push((payload.into(), sig.into()));
        }
        if last {
            return Ok(page);
        }
    }
}

/// Lists the organizations in which the caller's identity is a member.
pub async fn list_organizations(permit: &Permit<'_, ListOrganizations>) -> Result<OrgPage> {
    let ListOrganizations { limit, after } = *permit.action();
    let (identity, key_id) = permit.caller().identity().ok_or(Error::Forbidden)?;
    let account = match permit.caller() {
        Caller::Account { account_id, .. } => Some(account_id),
        Caller::Identity { .. } | Caller::Invite { .. } => None,
    };
    let keys = own_keys(permit.tx(), account, &key_id).await?;
    let mut mine = member::Entity::find()
        .select_only()
        .column(member::Column::OrgId)
        .filter(member::Column::IdentityId.eq(identity.0.to_vec()).and(member::Column::KeyId.is_in(keys)))
        // Others may have added this identity's keys to organizations that it never entered.
        .filter(member::Column::Own.eq(true))
        .order_by_asc(member::Column::OrgId)
        .limit(limit + 1);
    if let Some(after) = after {
        mine = mine.filter(member::Column::OrgId.gt(after.0.to_vec()));
    }
    let rows: Vec<Vec<u8>> = mine.into_tuple().all(permit.tx().db()).await?;
    let full = rows.len() as u64 > limit;
    let orgs: Vec<OrgId> = rows.iter().take(count(limit)).map(|id| OrgId::from_slice(id)).collect::<Result<_, _>>()?;
    Ok(OrgPage { next: orgs.last().copied().filter(|_| full), orgs })
}

/// Lists what happened, newest first.
pub async fn list_audit_events(permit: &Permit<'_, ListAuditEvents>) -> Result<AuditPage> {
    let ListAuditEvents { org, limit, before, actor } = permit.action();
    let mut events = audit_event::Entity::find()
        .filter(audit_event::Column::OrgId.eq(org.0.to_vec()))
        .order_by_desc(audit_event::Column::Id)
        .limit(*limit + 1);
    if let Some(before) = before {
        events = events.filter(audit_event::Column::Id.lt(before.to_vec()));
    }
    let mut stops_at = None;
    if let Some(actor) = actor {
        stops_at = look_end(permit.tx(), org, *before).await?;
        events = events.filter(audit_event::Column::Actor.eq(actor.as_str()));
    }
    if let Some(end) = &stops_at {
        events = events.filter(audit_event::Column::Id.gte(end.clone()));
    }
    let rows = events.all(permit.tx().db()).await?;
    let full = rows.len() as u64 > *limit;
    let mut next = stops_at.and_then(|end| end.try_into().ok());
    let mut page = Vec::with_capacity(rows.len());
    for row in rows.into_iter().take(count(*limit)) {
        if full {
            next = row.id.as_slice().try_into().ok();
        }
        let audit_event::Model { at, actor, action, subject, detail, hash, .. } = row;
        page.push(AuditRecord { at_ms: number(at), actor, action, subject, detail, hash });
    }
    Ok(AuditPage { events: page, next })
}

/// The last event that one call for one actor's looks at; `None` when it looks at all there are.
async fn look_end(tx: &Tx, org: &OrgId, before: Option<[u8; 16]>) -> Result<Option<Vec<u8>>> {
    let mut ids = audit_event::Entity::find()
        .select_only()
        .column(audit_event::Column::Id)
        .filter(audit_event::Column::OrgId.eq(org.0.to_vec()))
        .order_by_desc(audit_event::Column::Id)
        .offset(EVENTS_PER_LOOK - 1)
        .limit(1);
    if let Some(before) = before {
        ids = ids.filter(audit_event::Column::Id.lt(before.to_vec()));
    }
    Ok(ids.into_tuple().one(tx.db()).await?)
}

fn count(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
