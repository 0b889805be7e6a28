//! Monitors: URLs that the server looks at without any secret, how they stand, and what became of them.
//!
//! A row is claimed under a lease and a round, looked at outside of any transaction, and written down in one: the step of the state machine,
//! its incident, the uptime. Results of an older round are dropped, so two workers never count one look twice. Absent: the network; whether a
//! key is valid, which only clients can know.

mod certificates;
mod claim;
mod ids;
mod incidents;
mod machine;
mod maintenance;
mod manage;
mod place;
mod prune;
mod read;
mod record;
mod rules;
mod schedule;
#[cfg(test)]
mod tests;
mod uptime;

pub use certificates::THRESHOLDS_DAYS;
pub(crate) use claim::call_back;
#[cfg(test)]
pub(crate) use claim::calls_back;
pub use claim::{Due, LEASE_MS, claim_due, count_due, give_back, is_any_free, leave_out};
pub use ids::{IncidentId, MaintenanceId, MonitorId};
pub use incidents::{Incident, IncidentEvent, Line, ListIncidents, REMIND_AFTER_MS, Timeline, acknowledge, list_incidents, timeline};
pub use machine::State;
pub use maintenance::{
    AddMaintenance, ListMaintenances, MAX_MAINTENANCES, Maintenance, Schedule, add_maintenance, list_maintenances, remove_maintenance,
};
pub use manage::{
    DeleteMonitor, MAX_MONITORS, PauseMonitor, ResumeMonitor, UpdateMonitor, create_monitor, delete_monitor, pause_monitor, resume_monitor,
    update_monitor,
};
pub use place::{Change, Read};
pub use prune::prune;
pub(crate) use read::watched;
pub use read::{ListMonitors, Monitor, Standing, get_monitor, list_monitors};
pub use record::{Outcome, ProbeResult, record};
pub use rules::{
    BodyRule, DEFAULT_INTERVAL_MS, DEFAULT_TIMEOUT_MS, HeaderRule, MAX_INTERVAL_MS, MIN_INTERVAL_MS, Method, Rules, Statuses, Target,
};
pub use uptime::{Share, Uptime};
