//! Monitors: their rows and pairs. One monitor stands in production, one in the other organization; incidents need time, and there is none.

use super::asking::{Ask, Caller};
use super::rows::Row;
use super::stage::Stage;
use bytes::Bytes;
use keyvawlt_proto::v1;

const NOTHING: [u8; 16] = [0xee; 16];

/// A question about an organization, a place in it, and something there.
type Question = fn(org: &[u8], ns: &[u8], id: &[u8]) -> Ask;

/// Every rpc that names something, as far as it names it.
pub const QUESTIONS: &[(&str, Question)] = &[
    ("a monitor to add", |org, ns, _| create(org, ns, "api", 2)),
    ("monitors", |org, ns, _| Ask::ListMonitors(v1::ListMonitorsRequest { org_id: to(org), ns_ids: vec![to(ns)], ..Default::default() })),
    ("a monitor", |org, ns, id| Ask::GetMonitor(v1::GetMonitorRequest { org_id: to(org), ns_id: to(ns), monitor_id: to(id) })),
    ("a monitor to change", |org, ns, id| {
        let target = Some(target("changed"));
        Ask::UpdateMonitor(v1::UpdateMonitorRequest { org_id: to(org), ns_id: to(ns), monitor_id: to(id), revision: 7, target })
    }),
    ("a monitor to pause", |org, ns, id| Ask::PauseMonitor(v1::PauseMonitorRequest { org_id: to(org), ns_id: to(ns), monitor_id: to(id) })),
    ("a monitor to resume", |org, ns, id| {
        Ask::ResumeMonitor(v1::ResumeMonitorRequest { org_id: to(org), ns_id: to(ns), monitor_id: to(id) })
    }),
    ("a monitor to remove", |org, ns, id| {
        Ask::DeleteMonitor(v1::DeleteMonitorRequest { org_id: to(org), ns_id: to(ns), monitor_id: to(id) })
    }),
    ("incidents", |org, ns, _| {
        Ask::ListIncidents(v1::ListIncidentsRequest { org_id: to(org), ns_ids: vec![to(ns)], ..Default::default() })
    }),
    ("an incident", |org, ns, id| Ask::GetIncident(v1::GetIncidentRequest { org_id: to(org), ns_id: to(ns), incident_id: to(id) })),
    ("an incident to take on", |org, ns, id| {
        Ask::AcknowledgeIncident(v1::AcknowledgeIncidentRequest { org_id: to(org), ns_id: to(ns), incident_id: to(id) })
    }),
    ("a maintenance to add", |org, ns, _| {
        let weekly = v1::Weekly { days: 1, minute: 0, minutes: 60, zone: "UTC".to_owned() };
        let schedule = Some(v1::maintenance::Schedule::Weekly(weekly));
        let maintenance = Some(v1::Maintenance { reason: "updates".to_owned(), schedule, ..Default::default() });
        Ask::AddMaintenance(v1::AddMaintenanceRequest { org_id: to(org), ns_id: to(ns), request_id: to(&[8; 16]), maintenance })
    }),
    ("maintenances", |org, ns, _| Ask::ListMaintenances(v1::ListMaintenancesRequest { org_id: to(org), ns_ids: vec![to(ns)] })),
    ("a maintenance to remove", |org, ns, id| {
        Ask::RemoveMaintenance(v1::RemoveMaintenanceRequest { org_id: to(org), ns_id: to(ns), maintenance_id: to(id) })
    }),
];

/// The rows.
pub fn rows() -> Vec<Row> {
    let row = |about, ask| Row { about, ask };
    vec![
        row("CreateMonitor: in production", |stage, caller| {
            in_production(stage, caller, |org, ns, n| create(org, ns, &format!("api {n}"), n))
        }),
        row("CreateMonitor: the organization's", |stage, caller| {
            in_production(stage, caller, |org, _, n| create(org, &[], &format!("status {n}"), 100 + n))
        }),
        row("ListMonitors: production", |stage, _| ask(stage, 1)),
        row("ListMonitors: staging", |stage, _| QUESTIONS[1].1(&stage.staging.org.0, &stage.staging.ns.0, &NOTHING)),
        row("ListMonitors: the organization's", |stage, _| {
            Ask::ListMonitors(v1::ListMonitorsRequest { org_id: to(&stage.production.org.0), ..Default::default() })
        }),
        row("GetMonitor", |stage, _| ask(stage, 2)),
        row("UpdateMonitor: another revision", |stage, _| ask(stage, 3)),
        row("PauseMonitor", |stage, _| ask(stage, 4)),
        row("ResumeMonitor", |stage, _| ask(stage, 5)),
        row("DeleteMonitor: of another place", |stage, _| QUESTIONS[6].1(&stage.production.org.0, &[], &stage.monitor)),
        row("ListIncidents: production", |stage, _| ask(stage, 7)),
        row("GetIncident: nowhere", |stage, _| ask(stage, 8)),
        row("AcknowledgeIncident: nowhere", |stage, _| ask(stage, 9)),
        row("AddMaintenance: in production", |stage, _| ask(stage, 10)),
        row("ListMaintenances: production", |stage, _| ask(stage, 11)),
        row("RemoveMaintenance: nowhere", |stage, _| ask(stage, 12)),
    ]
}

/// Adds a monitor.
pub fn create(org: &[u8], ns: &[u8], name: &str, nth: u8) -> Ask {
    let request_id = to(&[nth; 16]);
    Ask::CreateMonitor(v1::CreateMonitorRequest { org_id: to(org), ns_id: to(ns), request_id, target: Some(target(name)) })
}

fn target(name: &str) -> v1::MonitorTarget {
    v1::MonitorTarget { name: name.to_owned(), url: "http://127.0.0.1/".to_owned(), ..Default::default() }
}

fn in_production(stage: &Stage, caller: &Caller, question: fn(&[u8], &[u8], u8) -> Ask) -> Ask {
    question(&stage.production.org.0, &stage.production.ns.0, 20 + Stage::nth(caller))
}

fn ask(stage: &Stage, question: usize) -> Ask {
    QUESTIONS[question].1(&stage.production.org.0, &stage.production.ns.0, &stage.monitor)
}

fn to(bytes: &[u8]) -> Bytes {
    bytes.to_vec().into()
}
