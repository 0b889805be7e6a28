//! Monitors in the contract's words, and back.

use crate::fields;
use keyvawlt_domain::monitors::{
    AddMaintenance, BodyRule, DEFAULT_INTERVAL_MS, DEFAULT_TIMEOUT_MS, HeaderRule, Incident, IncidentEvent, Line, Maintenance, Method,
    Monitor, MonitorId, Rules, Schedule, Share, Standing, State, Statuses, Target,
};
use keyvawlt_domain::{Error, Result};
use keyvawlt_ledger::NsId;
use keyvawlt_proto::v1;

/// What an answer says when all is well.
const SUCCESS: Statuses = Statuses(200, 299);

pub(super) fn target(target: v1::MonitorTarget) -> Result<Target> {
    let method = match target.method.as_str() {
        "" | "GET" => Method::Get,
        "HEAD" => Method::Head,
        "OPTIONS" => Method::Options,
        _ => return Err(Error::invalid("method", "one of GET, HEAD, OPTIONS")),
    };
    let status = |number: u32| u16::try_from(number).map_err(|_| Error::invalid("statuses", "a status lies between 100 and 599"));
    let statuses = target.statuses.iter().map(|range| Ok(Statuses(status(range.from)?, status(range.to)?)));
    let statuses: Vec<Statuses> = statuses.collect::<Result<_>>()?;
    let or = |given: u64, default: u64| if given == 0 { default } else { given };
    let rules = Rules {
        method,
        statuses: if statuses.is_empty() { vec![SUCCESS] } else { statuses },
        headers: target.headers.into_iter().map(|rule| HeaderRule { name: rule.name, contains: rule.contains }).collect(),
        body: target.body.map(|rule| BodyRule { text: rule.text, absent: rule.absent }),
        timeout_ms: or(target.timeout_ms, DEFAULT_TIMEOUT_MS),
        slow_ms: (target.slow_ms > 0).then_some(target.slow_ms),
    };
    Ok(Target { name: target.name, url: target.url, rules, interval_ms: or(target.interval_ms, DEFAULT_INTERVAL_MS) })
}

pub(super) fn monitor(monitor: Monitor) -> v1::Monitor {
    let Monitor { id, ns, target, standing, uptime, revision, created_ms } = monitor;
    let Standing { state, since_ms, incident, checked_ms, latency_ms, problem, certificate_ends_ms } = standing;
    let mut told = v1::Monitor {
        monitor_id: id.0.to_vec().into(),
        ns_id: place(ns),
        target: Some(told_target(target)),
        revision,
        since_ms,
        incident_id: incident.map_or_else(Vec::new, |id| id.0.to_vec()).into(),
        checked_ms: checked_ms.unwrap_or(0),
        latency_ms: latency_ms.unwrap_or(0),
        problem: problem.unwrap_or_default(),
        certificate_ends_ms: certificate_ends_ms.unwrap_or(0),
        day: Some(share(uptime.day)),
        week: Some(share(uptime.week)),
        month: Some(share(uptime.month)),
        created_ms,
        ..v1::Monitor::default()
    };
    told.set_state(told_state(state));
    told
}

fn told_target(target: Target) -> v1::MonitorTarget {
    let Target { name, url, rules, interval_ms } = target;
    let method = match rules.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Options => "OPTIONS",
    };
    let range = |Statuses(from, to): Statuses| v1::StatusRange { from: from.into(), to: to.into() };
    v1::MonitorTarget {
        name,
        url,
        method: method.to_owned(),
        statuses: rules.statuses.into_iter().map(range).collect(),
        headers: rules.headers.into_iter().map(|rule| v1::HeaderRule { name: rule.name, contains: rule.contains }).collect(),
        body: rules.body.map(|rule| v1::BodyRule { text: rule.text, absent: rule.absent }),
        timeout_ms: rules.timeout_ms,
        slow_ms: rules.slow_ms.unwrap_or(0),
        interval_ms,
    }
}

fn told_state(state: State) -> v1::MonitorState {
    match state {
        State::Unknown => v1::MonitorState::Unknown,
        State::Up => v1::MonitorState::Up,
        State::Pending => v1::MonitorState::Pending,
        State::Down => v1::MonitorState::Down,
        State::Degraded => v1::MonitorState::Degraded,
        State::Flapping => v1::MonitorState::Flapping,
        State::Maintenance => v1::MonitorState::Maintenance,
        State::Paused => v1::MonitorState::Paused,
        State::Stale => v1::MonitorState::Stale,
    }
}

fn share(share: Share) -> v1::Share {
    v1::Share { up_ms: share.up_ms, down_ms: share.down_ms, latency_ms: share.latency_ms }
}

pub(super) fn incident(incident: Incident) -> v1::Incident {
    let (acknowledged_ms, by) = incident.acknowledged.map_or((0, vec![]), |(at, who)| (at, who.0.to_vec()));
    v1::Incident {
        incident_id: incident.id.0.to_vec().into(),
        monitor_id: incident.monitor.0.to_vec().into(),
        ns_id: place(incident.ns),
        leader_id: incident.leader.0.to_vec().into(),
        flapping: incident.flapping,
        cause: incident.cause,
        opened_ms: incident.opened_ms,
        acknowledged_ms,
        acknowledged_by: by.into(),
        resolved_ms: incident.resolved_ms.unwrap_or(0),
    }
}

pub(super) fn event(event: IncidentEvent) -> v1::IncidentEvent {
    let kind = match event.line {
        Line::Opened => "opened",
        Line::Acknowledged => "acknowledged",
        Line::Otherwise => "otherwise",
        Line::Flaps => "flapping",
        Line::Steady => "steady",
        Line::Reminded => "reminded",
        Line::Resolved => "resolved",
        Line::Maintenance => "maintenance",
        Line::Stopped => "stopped",
    };
    v1::IncidentEvent { at_ms: event.at_ms, kind: kind.to_owned(), detail: event.detail }
}

pub(super) fn to_add(maintenance: v1::Maintenance) -> Result<AddMaintenance> {
    let small = |field: &'static str, number: u32| u16::try_from(number).map_err(|_| Error::invalid(field, "a day has 1,440 minutes"));
    let schedule = match fields::present("maintenance.schedule", maintenance.schedule)? {
        v1::maintenance::Schedule::Once(once) => Schedule::Once { from_ms: once.from_ms, to_ms: once.to_ms },
        v1::maintenance::Schedule::Weekly(weekly) => Schedule::Weekly {
            days: u8::try_from(weekly.days).map_err(|_| Error::invalid("weekly.days", "a week has seven days"))?,
            minute: small("weekly.minute", weekly.minute)?,
            minutes: small("weekly.minutes", weekly.minutes)?,
            zone: weekly.zone,
        },
    };
    let monitor = match &maintenance.monitor_id[..] {
        [] => None,
        id => Some(MonitorId(fields::array("maintenance.monitor_id", id)?)),
    };
    Ok(AddMaintenance { monitor, schedule, reason: maintenance.reason })
}

pub(super) fn maintenance(maintenance: Maintenance) -> v1::Maintenance {
    let schedule = match maintenance.schedule {
        Schedule::Once { from_ms, to_ms } => v1::maintenance::Schedule::Once(v1::Once { from_ms, to_ms }),
        Schedule::Weekly { days, minute, minutes, zone } => {
            v1::maintenance::Schedule::Weekly(v1::Weekly { days: days.into(), minute: minute.into(), minutes: minutes.into(), zone })
        }
    };
    v1::Maintenance {
        maintenance_id: maintenance.id.0.to_vec().into(),
        ns_id: place(maintenance.ns),
        monitor_id: maintenance.monitor.map_or_else(Vec::new, |id| id.0.to_vec()).into(),
        reason: maintenance.reason,
        schedule: Some(schedule),
    }
}

fn place(ns: Option<NsId>) -> bytes::Bytes {
    ns.map_or_else(Vec::new, |ns| ns.0.to_vec()).into()
}
