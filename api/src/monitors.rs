//! MonitorService: what the server looks at, how it stands, and what became of it.

mod words;

use crate::call::{Call, READ_DEADLINE, WRITE_DEADLINE};
use crate::{Api, fields};
use keyvawlt_domain::monitors::{
    self, Change, DeleteMonitor, IncidentId, ListIncidents, ListMaintenances, ListMonitors, MaintenanceId, MonitorId, PauseMonitor, Read,
    ResumeMonitor,
};
use keyvawlt_domain::{Error, Result};
use keyvawlt_ledger::{NsId, OrgId};
use keyvawlt_proto::v1;
use keyvawlt_proto::v1::monitor_service_server::MonitorService;
use tonic::{Request, Response, Status};

/// Monitors, or incidents, of one page.
const PAGE: (u32, u32) = (50, 100);
/// Environments of one question: as many as of any other.
const MAX_NAMESPACES: usize = 1_000;

#[tonic::async_trait]
impl MonitorService for Api {
    async fn create_monitor(&self, request: Request<v1::CreateMonitorRequest>) -> Result<Response<v1::CreateMonitorResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let change = change(&request.org_id, &request.ns_id, words::target(fields::present("target", request.target)?)?)?;
            let once = ("CreateMonitor", &request.request_id[..]);
            let answer = |id: MonitorId| v1::CreateMonitorResponse { monitor_id: id.0.to_vec().into() };
            self.once(&call, once, change, |permit| Box::pin(monitors::create_monitor(permit)), answer).await
        };
        call.answer(WRITE_DEADLINE, Box::pin(work)).await
    }

    async fn list_monitors(&self, request: Request<v1::ListMonitorsRequest>) -> Result<Response<v1::ListMonitorsResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let limit = fields::page_size(request.page_size, PAGE.0, PAGE.1)?;
            let what = ListMonitors { limit, after: fields::page_token(&request.page_token)?.map(MonitorId) };
            let read = read(&request.org_id, &request.ns_ids, what)?;
            let (page, next) = self.look(&call, read, |permit| Box::pin(monitors::list_monitors(permit))).await?;
            Ok(v1::ListMonitorsResponse {
                monitors: page.into_iter().map(words::monitor).collect(),
                next_page_token: next.map_or_else(String::new, |id| id.to_string()),
            })
        };
        call.answer(READ_DEADLINE, Box::pin(work)).await
    }

    async fn get_monitor(&self, request: Request<v1::GetMonitorRequest>) -> Result<Response<v1::GetMonitorResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let read = one(&request.org_id, &request.ns_id, MonitorId(fields::array("monitor_id", &request.monitor_id)?))?;
            let monitor = self.look(&call, read, |permit| Box::pin(monitors::get_monitor(permit))).await?;
            Ok(v1::GetMonitorResponse { monitor: Some(words::monitor(monitor)) })
        };
        call.answer(READ_DEADLINE, Box::pin(work)).await
    }

    async fn update_monitor(&self, request: Request<v1::UpdateMonitorRequest>) -> Result<Response<v1::UpdateMonitorResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let what = monitors::UpdateMonitor {
                monitor: MonitorId(fields::array("monitor_id", &request.monitor_id)?),
                revision: request.revision,
                target: words::target(fields::present("target", request.target)?)?,
            };
            self.change(&call, change(&request.org_id, &request.ns_id, what)?, |permit| Box::pin(monitors::update_monitor(permit))).await?;
            Ok(v1::UpdateMonitorResponse {})
        };
        call.answer(WRITE_DEADLINE, Box::pin(work)).await
    }

    async fn pause_monitor(&self, request: Request<v1::PauseMonitorRequest>) -> Result<Response<v1::PauseMonitorResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let what = PauseMonitor(MonitorId(fields::array("monitor_id", &request.monitor_id)?));
            self.change(&call, change(&request.org_id, &request.ns_id, what)?, |permit| Box::pin(monitors::pause_monitor(permit))).await?;
            Ok(v1::PauseMonitorResponse {})
        };
        call.answer(WRITE_DEADLINE, Box::pin(work)).await
    }

    async fn resume_monitor(&self, request: Request<v1::ResumeMonitorRequest>) -> Result<Response<v1::ResumeMonitorResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let what = ResumeMonitor(MonitorId(fields::array("monitor_id", &request.monitor_id)?));
            self.change(&call, change(&request.org_id, &request.ns_id, what)?, |permit| Box::pin(monitors::resume_monitor(permit))).await?;
            Ok(v1::ResumeMonitorResponse {})
        };
        call.answer(WRITE_DEADLINE, Box::pin(work)).await
    }

    async fn delete_monitor(&self, request: Request<v1::DeleteMonitorRequest>) -> Result<Response<v1::DeleteMonitorResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let what = DeleteMonitor(MonitorId(fields::array("monitor_id", &request.monitor_id)?));
            self.change(&call, change(&request.org_id, &request.ns_id, what)?, |permit| Box::pin(monitors::delete_monitor(permit))).await?;
            Ok(v1::DeleteMonitorResponse {})
        };
        call.answer(WRITE_DEADLINE, Box::pin(work)).await
    }

    async fn list_incidents(&self, request: Request<v1::ListIncidentsRequest>) -> Result<Response<v1::ListIncidentsResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let monitor = match &request.monitor_id[..] {
                [] => None,
                id => Some(MonitorId(fields::array("monitor_id", id)?)),
            };
            let limit = fields::page_size(request.page_size, PAGE.0, PAGE.1)?;
            let before = fields::page_token(&request.page_token)?.map(IncidentId);
            let what = ListIncidents { monitor, open: request.open, limit, before };
            let read = read(&request.org_id, &request.ns_ids, what)?;
            let (page, next) = self.look(&call, read, |permit| Box::pin(monitors::list_incidents(permit))).await?;
            Ok(v1::ListIncidentsResponse {
                incidents: page.into_iter().map(words::incident).collect(),
                next_page_token: next.map_or_else(String::new, |id| id.to_string()),
            })
        };
        call.answer(READ_DEADLINE, Box::pin(work)).await
    }

    async fn get_incident(&self, request: Request<v1::GetIncidentRequest>) -> Result<Response<v1::GetIncidentResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let read = one(&request.org_id, &request.ns_id, IncidentId(fields::array("incident_id", &request.incident_id)?))?;
            let monitors::Timeline { incident, events } = self.look(&call, read, |permit| Box::pin(monitors::timeline(permit))).await?;
            let events = events.into_iter().map(words::event).collect();
            Ok(v1::GetIncidentResponse { incident: Some(words::incident(incident)), events })
        };
        call.answer(READ_DEADLINE, Box::pin(work)).await
    }

    async fn acknowledge_incident(
        &self,
        request: Request<v1::AcknowledgeIncidentRequest>,
    ) -> Result<Response<v1::AcknowledgeIncidentResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let what = IncidentId(fields::array("incident_id", &request.incident_id)?);
            self.change(&call, change(&request.org_id, &request.ns_id, what)?, |permit| Box::pin(monitors::acknowledge(permit))).await?;
            Ok(v1::AcknowledgeIncidentResponse {})
        };
        call.answer(WRITE_DEADLINE, Box::pin(work)).await
    }

    async fn add_maintenance(&self, request: Request<v1::AddMaintenanceRequest>) -> Result<Response<v1::AddMaintenanceResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let what = words::to_add(fields::present("maintenance", request.maintenance)?)?;
            let change = change(&request.org_id, &request.ns_id, what)?;
            let once = ("AddMaintenance", &request.request_id[..]);
            let answer = |id: MaintenanceId| v1::AddMaintenanceResponse { maintenance_id: id.0.to_vec().into() };
            self.once(&call, once, change, |permit| Box::pin(monitors::add_maintenance(permit)), answer).await
        };
        call.answer(WRITE_DEADLINE, Box::pin(work)).await
    }

    async fn list_maintenances(
        &self,
        request: Request<v1::ListMaintenancesRequest>,
    ) -> Result<Response<v1::ListMaintenancesResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let read = read(&request.org_id, &request.ns_ids, ListMaintenances)?;
            let maintenances = self.look(&call, read, |permit| Box::pin(monitors::list_maintenances(permit))).await?;
            Ok(v1::ListMaintenancesResponse { maintenances: maintenances.into_iter().map(words::maintenance).collect() })
        };
        call.answer(READ_DEADLINE, Box::pin(work)).await
    }

    async fn remove_maintenance(
        &self,
        request: Request<v1::RemoveMaintenanceRequest>,
    ) -> Result<Response<v1::RemoveMaintenanceResponse>, Status> {
        let (call, request) = Call::open(request);
        let work = async {
            let what = MaintenanceId(fields::array("maintenance_id", &request.maintenance_id)?);
            self.change(&call, change(&request.org_id, &request.ns_id, what)?, |permit| Box::pin(monitors::remove_maintenance(permit)))
                .await?;
            Ok(v1::RemoveMaintenanceResponse {})
        };
        call.answer(WRITE_DEADLINE, Box::pin(work)).await
    }
}

fn change<W>(org_id: &[u8], ns_id: &[u8], what: W) -> Result<Change<W>> {
    Ok(Change { org: fields::id("org_id", org_id, OrgId::from_slice)?, ns: place(ns_id)?, what })
}

fn read<W>(org_id: &[u8], ns_ids: &[bytes::Bytes], what: W) -> Result<Read<W>> {
    if ns_ids.len() > MAX_NAMESPACES {
        return Err(Error::TooLarge { what: "the number of namespaces", limit: MAX_NAMESPACES as u64 });
    }
    let namespaces = ns_ids.iter().map(|id| fields::id("ns_ids", id, NsId::from_slice)).collect::<Result<_>>()?;
    Ok(Read { org: fields::id("org_id", org_id, OrgId::from_slice)?, namespaces, what })
}

fn one<W>(org_id: &[u8], ns_id: &[u8], what: W) -> Result<Read<W>> {
    let namespaces = place(ns_id)?.into_iter().collect();
    Ok(Read { org: fields::id("org_id", org_id, OrgId::from_slice)?, namespaces, what })
}

fn place(ns_id: &[u8]) -> Result<Option<NsId>> {
    if ns_id.is_empty() { Ok(None) } else { fields::id("ns_id", ns_id, NsId::from_slice).map(Some) }
}
