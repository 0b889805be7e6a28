//! Monitors: URLs that the server looks at without any secret. Name, URL and rules are told to the server in clear, and what it says of them is
//! its own word: nothing of it is signed, and nothing that opens a secret depends on it.

use crate::error::{Error, Result};
use crate::random;
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::NsId;
use keyvawlt_proto::v1;

pub use keyvawlt_proto::v1::maintenance::Schedule;
pub use keyvawlt_proto::v1::{
    BodyRule, HeaderRule, Incident, IncidentEvent, Maintenance, Monitor, MonitorState, MonitorTarget, Once, Share, StatusRange, Weekly,
};

/// Entries of one page: the server's limit.
const PAGE: u32 = 100;
/// Pages of one list: an organization has at most 1,000 monitors.
const MAX_PAGES: usize = 50;

impl Vault {
    /// Adds a monitor to an environment, or to the organization; gives its id in hexadecimal, as facts name it.
    pub async fn create_monitor(&self, place: Option<&NsId>, target: MonitorTarget) -> Result<String> {
        let request_id = random::request_id();
        let request = v1::CreateMonitorRequest { org_id: self.org(), ns_id: to(place), request_id, target: Some(target) };
        let answer = self.session.call(async |client, token| rpc::create_monitor(client, Some(token), request.clone()).await).await?;
        Ok(in_hex(&answer.monitor_id))
    }

    /// The monitors of the organization and of these environments, with how they stand.
    pub async fn monitors(&self, places: &[NsId]) -> Result<Vec<Monitor>> {
        let ns_ids = places.iter().map(|ns| to(Some(ns))).collect();
        let mut request = v1::ListMonitorsRequest { org_id: self.org(), ns_ids, page_size: PAGE, page_token: String::new() };
        let mut monitors = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.session.call(async |client, token| rpc::list_monitors(client, Some(token), request.clone()).await).await?;
            monitors.extend(page.monitors);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        Ok(monitors)
    }

    /// One monitor, by the id that a secret's facts name.
    pub async fn monitor(&self, place: Option<&NsId>, id: &str) -> Result<Monitor> {
        let monitor_id = from_hex(id)?;
        let request = v1::GetMonitorRequest { org_id: self.org(), ns_id: to(place), monitor_id };
        let answer = self.session.call(async |client, token| rpc::get_monitor(client, Some(token), request.clone()).await).await?;
        answer.monitor.ok_or(Error::Forbidden)
    }

    /// Changes what is looked at; `monitor` is as it was read.
    pub async fn update_monitor(&self, monitor: &Monitor, target: MonitorTarget) -> Result<()> {
        let request = v1::UpdateMonitorRequest {
            org_id: self.org(),
            ns_id: monitor.ns_id.clone(),
            monitor_id: monitor.monitor_id.clone(),
            revision: monitor.revision,
            target: Some(target),
        };
        self.session.call(async |client, token| rpc::update_monitor(client, Some(token), request.clone()).await).await.map(drop)
    }

    /// Stops looking.
    pub async fn pause_monitor(&self, monitor: &Monitor) -> Result<()> {
        let (ns_id, monitor_id) = (monitor.ns_id.clone(), monitor.monitor_id.clone());
        let request = v1::PauseMonitorRequest { org_id: self.org(), ns_id, monitor_id };
        self.session.call(async |client, token| rpc::pause_monitor(client, Some(token), request.clone()).await).await.map(drop)
    }

    /// Looks again.
    pub async fn resume_monitor(&self, monitor: &Monitor) -> Result<()> {
        let (ns_id, monitor_id) = (monitor.ns_id.clone(), monitor.monitor_id.clone());
        let request = v1::ResumeMonitorRequest { org_id: self.org(), ns_id, monitor_id };
        self.session.call(async |client, token| rpc::resume_monitor(client, Some(token), request.clone()).await).await.map(drop)
    }

    /// Removes a monitor, with all that is known of it.
    pub async fn delete_monitor(&self, monitor: &Monitor) -> Result<()> {
        let (ns_id, monitor_id) = (monitor.ns_id.clone(), monitor.monitor_id.clone());
        let request = v1::DeleteMonitorRequest { org_id: self.org(), ns_id, monitor_id };
        self.session.call(async |client, token| rpc::delete_monitor(client, Some(token), request.clone()).await).await.map(drop)
    }

    /// The incidents of the organization and of these environments, or of one monitor, newest first: all that are open, or the newest of all.
    pub async fn incidents(&self, places: &[NsId], monitor: Option<&Monitor>, open: bool) -> Result<Vec<Incident>> {
        let mut request = v1::ListIncidentsRequest {
            org_id: self.org(),
            ns_ids: places.iter().map(|ns| to(Some(ns))).collect(),
            monitor_id: monitor.map_or_else(Bytes::new, |monitor| monitor.monitor_id.clone()),
            open,
            page_size: PAGE,
            page_token: String::new(),
        };
        let mut incidents = Vec::new();
        // Whoever takes one on must find it among all that are open, of which each monitor has one at most.
        for _ in 0..if open { MAX_PAGES } else { 1 } {
            let page = self.session.call(async |client, token| rpc::list_incidents(client, Some(token), request.clone()).await).await?;
            incidents.extend(page.incidents);
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        Ok(incidents)
    }

    /// An incident's timeline.
    pub async fn timeline(&self, incident: &Incident) -> Result<Vec<IncidentEvent>> {
        let (ns_id, incident_id) = (incident.ns_id.clone(), incident.incident_id.clone());
        let request = v1::GetIncidentRequest { org_id: self.org(), ns_id, incident_id };
        let answer = self.session.call(async |client, token| rpc::get_incident(client, Some(token), request.clone()).await).await?;
        Ok(answer.events)
    }

    /// Takes an incident on.
    pub async fn acknowledge_incident(&self, incident: &Incident) -> Result<()> {
        let (ns_id, incident_id) = (incident.ns_id.clone(), incident.incident_id.clone());
        let request = v1::AcknowledgeIncidentRequest { org_id: self.org(), ns_id, incident_id };
        self.session.call(async |client, token| rpc::acknowledge_incident(client, Some(token), request.clone()).await).await.map(drop)
    }

    /// Adds a time in which failures are expected: of one monitor, or of all of an environment, or of all of the organization.
    pub async fn add_maintenance(
        &self,
        place: Option<&NsId>,
        monitor: Option<&Monitor>,
        reason: &str,
        schedule: Schedule,
    ) -> Result<String> {
        let maintenance = Maintenance {
            monitor_id: monitor.map_or_else(Bytes::new, |monitor| monitor.monitor_id.clone()),
            reason: reason.to_owned(),
            schedule: Some(schedule),
            ..Maintenance::default()
        };
        let ns_id = monitor.map_or_else(|| to(place), |monitor| monitor.ns_id.clone());
        let request_id = random::request_id();
        let request = v1::AddMaintenanceRequest { org_id: self.org(), ns_id, request_id, maintenance: Some(maintenance) };
        let answer = self.session.call(async |client, token| rpc::add_maintenance(client, Some(token), request.clone()).await).await?;
        Ok(in_hex(&answer.maintenance_id))
    }

    /// The maintenances of the organization and of these environments that are not over.
    pub async fn maintenances(&self, places: &[NsId]) -> Result<Vec<Maintenance>> {
        let request = v1::ListMaintenancesRequest { org_id: self.org(), ns_ids: places.iter().map(|ns| to(Some(ns))).collect() };
        let answer = self.session.call(async |client, token| rpc::list_maintenances(client, Some(token), request.clone()).await).await?;
        Ok(answer.maintenances)
    }

    /// Ends a maintenance.
    pub async fn remove_maintenance(&self, maintenance: &Maintenance) -> Result<()> {
        let (ns_id, maintenance_id) = (maintenance.ns_id.clone(), maintenance.maintenance_id.clone());
        let request = v1::RemoveMaintenanceRequest { org_id: self.org(), ns_id, maintenance_id };
        self.session.call(async |client, token| rpc::remove_maintenance(client, Some(token), request.clone()).await).await.map(drop)
    }

    pub(crate) fn org(&self) -> Bytes {
        Bytes::copy_from_slice(&self.org_id().0)
    }
}

/// An id of the server's, as facts and people write it.
pub fn in_hex(id: &[u8]) -> String {
    use std::fmt::Write as _;
    id.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(id: &str) -> Result<Bytes> {
    let wrong = || Error::invalid("monitor", "an identifier of 32 hexadecimal digits");
    // Sixteen bytes in text, as a namespace's are.
    let id: NsId = id.parse().map_err(|_| wrong())?;
    Ok(Bytes::copy_from_slice(&id.0))
}

fn to(place: Option<&NsId>) -> Bytes {
    place.map_or_else(Bytes::new, |ns| Bytes::copy_from_slice(&ns.0))
}
