//! What is known of the keys of namespaces, page by page, with the findings it follows from.

use super::row::{read, state_of};
use super::state::State;
use crate::authorize::{Action, Permit};
use crate::error::Result;
use crate::policy::Deed;
use crate::store::{column, number};
use keyvawlt_ledger::{NsId, OrgId, SecretId, Signed};
use keyvawlt_schema::key_health::{Column, Entity, Model};
use sea_orm::sea_query::ExprTrait as _;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

/// One version of one secret: where a page ends.
pub type KeyPlace = (NsId, SecretId, u64);

/// Asks for the health of keys.
#[derive(Clone, Debug)]
pub struct ListKeyHealth {
    /// In which organization.
    pub org: OrgId,
    /// In which namespaces.
    pub namespaces: Vec<NsId>,
    /// How many at most.
    pub limit: u64,
    /// After this one.
    pub after: Option<KeyPlace>,
}

/// What is known of one version.
#[derive(Clone, Debug)]
pub struct KeyHealth {
    /// Which.
    pub place: KeyPlace,
    /// Where it stands.
    pub state: State,
    /// The findings, oldest first, each once.
    pub reports: Vec<Signed>,
}

/// A page, in order.
#[derive(Clone, Debug)]
pub struct KeyHealthPage {
    /// The keys.
    pub keys: Vec<KeyHealth>,
    /// Where the next page begins, if there is one.
    pub next: Option<KeyPlace>,
}

impl Action for ListKeyHealth {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ListKeyHealth]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        self.namespaces.clone()
    }
}

/// Lists a page.
pub async fn list_key_health(permit: &Permit<'_, ListKeyHealth>) -> Result<KeyHealthPage> {
    let ListKeyHealth { org, namespaces, limit, after } = permit.action();
    let mut find = Entity::find()
        .filter(Column::OrgId.eq(org.0.to_vec()).and(Column::NsId.is_in(namespaces.iter().map(|ns| ns.0.to_vec()))))
        // And not dated ahead: nobody would believe it.
        .filter(Column::NewestAt.lte(column(permit.tx().beyond_ms(0))))
        .order_by_asc(Column::NsId)
        .order_by_asc(Column::SecretId)
        .order_by_asc(Column::Version)
        .limit(limit + 1);
    if let Some((ns, secret, version)) = after {
        let same_secret =
            Column::NsId.eq(ns.0.to_vec()).and(Column::SecretId.eq(secret.0.to_vec())).and(Column::Version.gt(column(*version)));
        let same_ns = Column::NsId.eq(ns.0.to_vec()).and(Column::SecretId.gt(secret.0.to_vec()));
        find = find.filter(Condition::any().add(Column::NsId.gt(ns.0.to_vec())).add(same_ns).add(same_secret));
    }
    let rows = find.all(permit.tx().db()).await?;
    let full = rows.len() as u64 > *limit;
    let page = usize::try_from(*limit).unwrap_or(usize::MAX);
    let keys = rows.iter().take(page).map(known).collect::<Result<Vec<_>>>()?;
    let next = keys.last().map(|key| key.place).filter(|_| full);
    Ok(KeyHealthPage { keys, next })
}

fn known(row: &Model) -> Result<KeyHealth> {
    let place = (NsId::from_slice(&row.ns_id)?, SecretId::from_slice(&row.secret_id)?, number(row.version));
    let mut reports: Vec<Signed> = Vec::with_capacity(3);
    for bytes in [&row.failed, &row.decided, &row.newest].into_iter().flatten() {
        let report = read(bytes)?;
        if !reports.contains(&report) {
            reports.push(report);
        }
    }
    Ok(KeyHealth { place, state: state_of(row)?, reports })
}
