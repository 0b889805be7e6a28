//! Monitors and incidents as they are printed.

use keyvawlt_client::monitors::{Incident, IncidentEvent, Monitor, MonitorState, MonitorTarget, Share, in_hex};
use serde::Serialize;

use crate::args::monitor::display_statuses;
use crate::duration::{display_length, display_ms, distance};

/// The fewest digits that name something by its id.
pub const LEAST_ID: usize = 6;
/// Digits of an id in a table. The first twelve are the time, so the last ones tell two of a moment apart; a table shows both.
const SHORT_ID: usize = 16;

/// Hours.
const DAY: u32 = 24;

/// A monitor, for programs and for people.
#[derive(Serialize)]
pub struct ShownMonitor {
    /// What people call it.
    pub name: String,
    id: String,
    place: String,
    url: String,
    method: String,
    expect: String,
    headers: Vec<String>,
    body: Option<String>,
    interval_ms: u64,
    timeout_ms: u64,
    slow_ms: Option<u64>,
    state: String,
    since: String,
    checked: Option<String>,
    latency_ms: Option<u64>,
    problem: Option<String>,
    incident: Option<String>,
    certificate_ends: Option<String>,
    uptime: [ShownShare; 3],
    #[serde(skip)]
    distances: (String, Option<String>),
}

/// Uptime over one window.
#[derive(Serialize)]
struct ShownShare {
    over_hours: u32,
    /// Of the time of which something is known; absent where nothing is. Cut off after three places.
    up_percent: Option<f64>,
    down_ms: u64,
    latency_ms: Option<u64>,
}

impl ShownMonitor {
    /// The columns of a table.
    pub const COLUMNS: &'static [&'static str] = &["name", "place", "state", "since", "24 h", "7 d", "30 d", "url"];

    /// A monitor as it is told.
    pub fn of(monitor: &Monitor, place: String, now_ms: u64) -> Self {
        let target = monitor.target.clone().unwrap_or_default();
        let some = |number: u64| (number > 0).then_some(number);
        Self {
            id: in_hex(&monitor.monitor_id),
            place,
            expect: display_statuses(&target.statuses),
            headers: target.headers.iter().map(|rule| format!("{}: {}", rule.name, rule.contains)).collect(),
            body: body(&target),
            interval_ms: target.interval_ms,
            timeout_ms: target.timeout_ms,
            slow_ms: some(target.slow_ms),
            name: target.name,
            url: target.url,
            method: target.method,
            state: state(monitor.state()).to_owned(),
            since: display_ms(monitor.since_ms),
            checked: some(monitor.checked_ms).map(display_ms),
            latency_ms: some(monitor.latency_ms),
            problem: Some(monitor.problem.clone()).filter(|problem| !problem.is_empty()),
            incident: Some(in_hex(&monitor.incident_id)).filter(|id| !id.is_empty()),
            certificate_ends: some(monitor.certificate_ends_ms).map(display_ms),
            uptime: [share(DAY, monitor.day), share(7 * DAY, monitor.week), share(30 * DAY, monitor.month)],
            distances: (distance(monitor.since_ms, now_ms), some(monitor.checked_ms).map(|at| distance(at, now_ms))),
        }
    }

    /// The same after a change.
    pub fn state_as(mut self, state: &str) -> Self {
        state.clone_into(&mut self.state);
        self
    }

    /// A row of a table.
    pub fn row(&self) -> Vec<String> {
        let state = match &self.problem {
            Some(problem) => format!("{} ({problem})", self.state),
            None => self.state.clone(),
        };
        let mut row = vec![self.name.clone(), self.place.clone(), state, self.distances.0.clone()];
        row.extend(self.uptime.iter().map(ShownShare::words));
        row.push(self.url.clone());
        row
    }

    /// All of it, for people.
    pub fn fields(&self) -> Vec<(&'static str, Vec<String>)> {
        let one = |text: &str| vec![text.to_owned()];
        let maybe = |text: Option<String>| text.into_iter().collect::<Vec<_>>();
        let checked = self.checked.as_ref().zip(self.distances.1.as_ref());
        vec![
            ("name", one(&self.name)),
            ("id", one(&self.id)),
            ("place", one(&self.place)),
            ("looks at", vec![format!("{} {}", self.method, self.url)]),
            ("expects", one(&self.expect)),
            ("headers", self.headers.clone()),
            ("body", maybe(self.body.clone())),
            ("every", vec![format!("{}, within {}", display_length(self.interval_ms), display_length(self.timeout_ms))]),
            ("slow above", maybe(self.slow_ms.map(|ms| format!("{ms} ms")))),
            ("state", vec![format!("{}, since {} ({})", self.state, self.since, self.distances.0)]),
            ("problem", maybe(self.problem.clone())),
            ("incident", maybe(self.incident.clone())),
            ("looked", maybe(checked.map(|(at, ago)| format!("{at} ({ago})")))),
            ("latency", maybe(self.latency_ms.map(|ms| format!("{ms} ms")))),
            ("certificate", maybe(self.certificate_ends.as_ref().map(|at| format!("ends {at}")))),
            ("uptime", self.uptime.iter().map(|share| format!("{}: {}", share.over(), share.words())).collect()),
        ]
    }
}

impl ShownShare {
    fn words(&self) -> String {
        self.up_percent.map_or_else(|| "-".to_owned(), |up| format!("{up:.3} %"))
    }

    fn over(&self) -> String {
        if self.over_hours == DAY { "24 h".to_owned() } else { format!("{} d", self.over_hours / DAY) }
    }
}

/// An incident, for programs and for people.
#[derive(Serialize)]
pub struct ShownIncident {
    id: String,
    /// Of which monitor.
    pub monitor: String,
    flapping: bool,
    cause: String,
    opened: String,
    lasted_ms: u64,
    resolved: Option<String>,
    acknowledged: Option<String>,
    acknowledged_by: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timeline: Vec<ShownEvent>,
}

#[derive(Serialize)]
struct ShownEvent {
    at: String,
    kind: String,
    detail: String,
}

impl ShownIncident {
    /// The columns of a table.
    pub const COLUMNS: &'static [&'static str] = &["incident", "monitor", "began", "lasted", "taken on", "cause"];

    /// An incident as it is told.
    pub fn of(incident: &Incident, monitor: String, by: Option<String>, now_ms: u64) -> Self {
        let ended = if incident.resolved_ms > 0 { incident.resolved_ms } else { now_ms };
        let moment = |ms: u64| (ms > 0).then(|| display_ms(ms));
        Self {
            id: in_hex(&incident.incident_id),
            monitor,
            flapping: incident.flapping,
            cause: incident.cause.clone(),
            opened: display_ms(incident.opened_ms),
            lasted_ms: ended.saturating_sub(incident.opened_ms),
            resolved: moment(incident.resolved_ms),
            acknowledged: moment(incident.acknowledged_ms),
            acknowledged_by: by,
            timeline: vec![],
        }
    }

    /// With what happened in it.
    pub fn timeline(&mut self, events: Vec<IncidentEvent>) {
        let shown = |event: IncidentEvent| ShownEvent { at: display_ms(event.at_ms), kind: event.kind, detail: event.detail };
        self.timeline = events.into_iter().map(shown).collect();
    }

    /// A row of a table.
    pub fn row(&self) -> Vec<String> {
        let lasted = display_length(self.lasted_ms);
        let lasted = if self.resolved.is_some() { lasted } else { format!("{lasted} so far") };
        let cause = if self.flapping { format!("{} (flapping)", self.cause) } else { self.cause.clone() };
        let id = self.id.chars().take(SHORT_ID).collect();
        vec![id, self.monitor.clone(), self.opened.clone(), lasted, self.acknowledged_by.clone().unwrap_or_default(), cause]
    }
}

/// The beginning of an id.
pub fn short(id: &[u8]) -> String {
    in_hex(id).chars().take(SHORT_ID).collect()
}

/// A name as a shell takes it.
pub fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if name.chars().all(plain) { name.to_owned() } else { format!("'{}'", name.replace('\'', "'\\''")) }
}

fn state(state: MonitorState) -> &'static str {
    match state {
        MonitorState::Unspecified | MonitorState::Unknown => "unknown",
        MonitorState::Up => "up",
        MonitorState::Pending => "pending",
        MonitorState::Down => "down",
        MonitorState::Degraded => "slow",
        MonitorState::Flapping => "flapping",
        MonitorState::Maintenance => "maintenance",
        MonitorState::Paused => "paused",
        MonitorState::Stale => "stale",
    }
}

fn body(target: &MonitorTarget) -> Option<String> {
    let rule = target.body.as_ref()?;
    Some(format!("{} {:?}", if rule.absent { "without" } else { "with" }, rule.text))
}

fn share(over_hours: u32, share: Option<Share>) -> ShownShare {
    let Share { up_ms, down_ms, latency_ms } = share.unwrap_or_default();
    let known = up_ms.saturating_add(down_ms);
    // Thousandths of a per cent, cut off: what was down for a second in a month was not up all the time.
    let parts = (known > 0).then(|| u128::from(up_ms) * 100_000 / u128::from(known)).and_then(|parts| u32::try_from(parts).ok());
    ShownShare {
        over_hours,
        up_percent: parts.map(|parts| f64::from(parts) / 1000.0),
        down_ms,
        latency_ms: (latency_ms > 0).then_some(latency_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_never_shown_as_more_than_it_was() {
        let of = |up_ms, down_ms| share(DAY, Some(Share { up_ms, down_ms, latency_ms: 0 })).words();
        assert_eq!(of(0, 0), "-");
        assert_eq!(of(10, 0), "100.000 %");
        assert_eq!(of(86_399_999, 1), "99.999 %");
        assert_eq!(of(1, 2), "33.333 %");
    }

    #[test]
    fn programs_get_numbers_with_their_units() {
        let week = share(7 * DAY, Some(Share { up_ms: 2, down_ms: 1, latency_ms: 30 }));
        let shown = serde_json::json!({"over_hours": 168, "up_percent": 66.666, "down_ms": 1, "latency_ms": 30});
        assert_eq!((serde_json::to_value(&week).unwrap(), week.over()), (shown, "7 d".to_owned()));
        assert_eq!(serde_json::to_value(share(DAY, None)).unwrap()["up_percent"], serde_json::Value::Null);
    }

    #[test]
    fn names_are_quoted_where_a_shell_would_part_them() {
        assert_eq!((quoted("api-1"), quoted("my api"), quoted("it's")), ("api-1".into(), "'my api'".into(), "'it'\\''s'".into()));
    }
}
