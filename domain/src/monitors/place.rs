//! Where monitors belong: to an environment, whose readers see them and whose writers change them, or to the organization, where its members
//! see and its admins change them.

use super::ids::MonitorId;
use crate::audit;
use crate::authorize::{Action, Permit};
use crate::error::{Error, Result};
use crate::policy::Deed;
use crate::store::Tx;
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_schema::monitor::{Column, Entity, Model};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

/// Something to be changed in a place.
#[derive(Clone, Debug)]
pub struct Change<W> {
    /// In which organization.
    pub org: OrgId,
    /// In which environment; else the organization itself.
    pub ns: Option<NsId>,
    /// What.
    pub what: W,
}

/// Something to be read in places.
#[derive(Clone, Debug)]
pub struct Read<W> {
    /// In which organization.
    pub org: OrgId,
    /// In which environments.
    pub namespaces: Vec<NsId>,
    /// What.
    pub what: W,
}

impl<W> Action for Change<W> {
    fn deeds(&self) -> Vec<Deed> {
        vec![if self.ns.is_some() { Deed::ChangeMonitors } else { Deed::ChangeOrgMonitors }]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        self.ns.into_iter().collect()
    }
}

impl<W> Action for Read<W> {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::ReadMonitors]
    }
    fn org(&self) -> Option<OrgId> {
        Some(self.org)
    }
    fn namespaces(&self) -> Vec<NsId> {
        self.namespaces.clone()
    }
}

/// A place as rows keep it.
pub(super) fn to_row(ns: Option<NsId>) -> Vec<u8> {
    ns.map_or_else(Vec::new, |ns| ns.0.to_vec())
}

/// A row's place.
pub(super) fn of_row(ns_id: &[u8]) -> Result<Option<NsId>> {
    if ns_id.is_empty() { Ok(None) } else { Ok(Some(NsId::from_slice(ns_id)?)) }
}

/// The places of a read, as rows keep them: the environments named, and the organization.
pub(super) fn places<W>(read: &Read<W>) -> Vec<Vec<u8>> {
    std::iter::once(vec![]).chain(read.namespaces.iter().map(|ns| ns.0.to_vec())).collect()
}

/// A monitor for a change, this transaction's alone; absent and in another place answer alike.
pub(super) async fn monitor_for_change<W>(tx: &Tx, change: &Change<W>, monitor: MonitorId) -> Result<Model> {
    let row = Entity::find_by_id((change.org.0.to_vec(), monitor.0.to_vec()))
        .filter(Column::NsId.eq(to_row(change.ns)))
        .lock_exclusive()
        .one(tx.db())
        .await?;
    row.ok_or(Error::Forbidden)
}

/// Puts a change on record.
pub(super) async fn record<W>(permit: &Permit<'_, Change<W>>, action: &'static str, subject: &impl ToString) -> Result<()> {
    let event = audit::Event {
        org: permit.action().org,
        at_ms: permit.tx().now_ms(),
        actor: permit.caller().actor(),
        action,
        subject: subject.to_string(),
        detail: String::new(),
    };
    audit::record(permit.tx(), event).await.map(drop)
}
