//! An organization with one environment, and a worker that tests hold in their hands.

use super::super::*;
use crate::authorize::{Action, Permit, authorize};
use crate::caller::Caller;
use crate::scratch::chain::{self, ORG};
use crate::{Result, Store, Tx};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::{Key, permission, role};
use keyvawlt_ledger::{IdentityId, KeyId, NsId};
use keyvawlt_schema::uptime;
use sea_orm::EntityTrait;

pub(super) const MINUTE: u64 = 60_000;
/// Longer than any wait between looks that are a minute apart, those scattered after a late one included.
pub(super) const ROUND_MS: u64 = 100_000;
pub(super) const NS: NsId = NsId([2; 16]);
pub(super) const WRITER: IdentityId = IdentityId([3; 16]);
pub(super) const READER: IdentityId = IdentityId([4; 16]);
pub(super) const ADMIN: IdentityId = IdentityId([5; 16]);
pub(super) const STRANGER: IdentityId = IdentityId([6; 16]);

#[derive(Debug)]
pub(super) struct World<'a>(&'a Store);

impl<'a> World<'a> {
    pub(super) async fn new(store: &'a Store) -> Self {
        let tx = store.write().await.unwrap();
        chain::put_org(&tx).await;
        chain::put_namespace(&tx, NS, None).await;
        for (who, role, bits) in [
            (WRITER, role::MEMBER, permission::READ | permission::WRITE),
            (READER, role::MEMBER, permission::READ),
            (ADMIN, role::ADMIN, 0),
        ] {
            chain::put(&tx, Key::member(&who), chain::member(role, kind::PERSON)).await;
            if bits != 0 {
                chain::give(&tx, NS, who, bits, 0).await;
            }
        }
        tx.commit().await.unwrap();
        Self(store)
    }

    /// Does something as somebody, in the environment.
    pub(super) async fn change<W, T>(
        &self,
        who: IdentityId,
        what: W,
        act: impl AsyncFnOnce(&Permit<'_, Change<W>>) -> Result<T>,
    ) -> Result<T> {
        self.change_at(who, Some(NS), what, act).await
    }

    pub(super) async fn change_at<W, T>(
        &self,
        who: IdentityId,
        ns: Option<NsId>,
        what: W,
        act: impl AsyncFnOnce(&Permit<'_, Change<W>>) -> Result<T>,
    ) -> Result<T> {
        let tx = self.0.write().await?;
        let done = act(&permit(&tx, who, Change { org: ORG, ns, what }).await?).await?;
        tx.commit().await?;
        Ok(done)
    }

    /// Reads something as somebody, in the environment.
    pub(super) async fn read<W, T>(&self, who: IdentityId, what: W, act: impl AsyncFnOnce(&Permit<'_, Read<W>>) -> Result<T>) -> Result<T> {
        let tx = self.0.read().await?;
        act(&permit(&tx, who, Read { org: ORG, namespaces: vec![NS], what }).await?).await
    }

    pub(super) async fn try_add(&self, name: &str, url: &str) -> Result<MonitorId> {
        self.change(WRITER, target(name, url), create_monitor).await
    }

    pub(super) async fn add(&self, name: &str, url: &str) -> MonitorId {
        self.try_add(name, url).await.unwrap()
    }

    pub(super) async fn update(&self, monitor: MonitorId, revision: u64, url: &str) -> Result<()> {
        self.change(WRITER, UpdateMonitor { monitor, revision, target: target("api", url) }, update_monitor).await
    }

    pub(super) async fn pause(&self, monitor: MonitorId) {
        self.change(WRITER, PauseMonitor(monitor), pause_monitor).await.unwrap();
    }

    pub(super) async fn resume(&self, monitor: MonitorId) {
        self.change(WRITER, ResumeMonitor(monitor), resume_monitor).await.unwrap();
    }

    pub(super) async fn remove(&self, monitor: MonitorId) {
        self.change(WRITER, DeleteMonitor(monitor), delete_monitor).await.unwrap();
    }

    pub(super) async fn maintenance(&self, monitor: Option<MonitorId>, schedule: Schedule) -> MaintenanceId {
        let what = AddMaintenance { monitor, schedule, reason: "a new database".to_owned() };
        self.change(WRITER, what, add_maintenance).await.unwrap()
    }

    pub(super) async fn end_maintenance(&self, id: MaintenanceId) -> Result<()> {
        self.change(WRITER, id, remove_maintenance).await
    }

    pub(super) async fn maintenances(&self) -> Vec<Maintenance> {
        self.read(READER, ListMaintenances, list_maintenances).await.unwrap()
    }

    pub(super) async fn list(&self, limit: u64, after: Option<MonitorId>) -> (Vec<Monitor>, Option<MonitorId>) {
        self.read(READER, ListMonitors { limit, after }, list_monitors).await.unwrap()
    }

    pub(super) async fn monitor(&self, id: MonitorId) -> Monitor {
        self.read(READER, id, get_monitor).await.unwrap()
    }

    pub(super) async fn state(&self, id: MonitorId) -> State {
        self.monitor(id).await.standing.state
    }

    pub(super) async fn incidents(&self, open: bool) -> Vec<Incident> {
        self.read(READER, ListIncidents { monitor: None, open, limit: 100, before: None }, list_incidents).await.unwrap().0
    }

    pub(super) async fn timeline(&self, id: IncidentId) -> Timeline {
        self.read(READER, id, timeline).await.unwrap()
    }

    pub(super) async fn uptime_rows(&self) -> Vec<uptime::Model> {
        uptime::Entity::find().all(self.0.read().await.unwrap().db()).await.unwrap()
    }

    /// Waits until everything is due, and looks at it once.
    pub(super) async fn look(&self, outcome: std::result::Result<(), &str>) {
        self.0.clock().advance_ms(ROUND_MS);
        for due in self.claim("worker", 100).await {
            self.record(&due, outcome).await;
        }
    }

    pub(super) async fn claim(&self, worker: &str, limit: u64) -> Vec<Due> {
        let tx = self.0.write().await.unwrap();
        let due = claim_due(&tx, worker, limit).await.unwrap();
        tx.commit().await.unwrap();
        due
    }

    pub(super) async fn record(&self, due: &Due, outcome: std::result::Result<(), &str>) {
        let outcome = outcome.map_or_else(|why| Outcome::Failed(why.to_owned()), |()| Outcome::Passed);
        self.record_result(ProbeResult {
            org: due.org,
            monitor: due.monitor,
            round: due.round,
            outcome,
            latency_ms: 40,
            certificate_ends_ms: None,
        })
        .await;
    }

    pub(super) async fn record_result(&self, result: ProbeResult) {
        let tx = self.0.write().await.unwrap();
        record(&tx, &[result]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

pub(super) fn target(name: &str, url: &str) -> Target {
    let rules = Rules {
        method: Method::Get,
        statuses: vec![Statuses(200, 299)],
        headers: vec![],
        body: None,
        timeout_ms: DEFAULT_TIMEOUT_MS,
        slow_ms: None,
    };
    Target { name: name.to_owned(), url: url.to_owned(), rules, interval_ms: DEFAULT_INTERVAL_MS }
}

async fn permit<A: Action>(tx: &Tx, who: IdentityId, action: A) -> Result<Permit<'_, A>> {
    Ok(authorize(tx, Caller::Identity { identity_id: who, key_id: KeyId([0; 32]) }, action).await?)
}
