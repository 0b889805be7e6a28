//! Incidents: one for each time in which a monitor is down or flapping, with a timeline. What fails at one host within minutes is one story:
//! its incidents have one leader, and people hear of that.

use super::ids::{IncidentId, MonitorId};
use super::machine::Turn;
use super::place::{self, Change, Read};
use crate::authorize::Permit;
use crate::error::{Error, Result};
use crate::notices::{self, Audience, Notice, Topic};
use crate::store::{Tx, column, number};
use keyvawlt_ledger::{IdentityId, NsId, OrgId};
use keyvawlt_schema::{incident, incident_event, monitor};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait as _};

/// What begins to fail at one host within this time began together: two looks of a minute, with their retries.
const TOGETHER_MS: u64 = 5 * 60 * 1000;
/// An incident that nobody took on is spoken of again after this time, once.
pub const REMIND_AFTER_MS: u64 = 60 * 60 * 1000;
/// Lines of one timeline: beyond them, only what ends it is added.
const MAX_LINES: u64 = 100;

/// What a line of a timeline says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// It began.
    Opened,
    /// Somebody took it on.
    Acknowledged,
    /// It fails for another reason.
    Otherwise,
    /// The monitor goes up and down.
    Flaps,
    /// It fails steadily again.
    Steady,
    /// People were reminded.
    Reminded,
    /// The monitor is up.
    Resolved,
    /// A time began in which failures are expected.
    Maintenance,
    /// Somebody paused or changed the monitor.
    Stopped,
}

impl Line {
    const ALL: [(i16, Line); 9] = [
        (1, Line::Opened),
        (2, Line::Acknowledged),
        (3, Line::Otherwise),
        (4, Line::Flaps),
        (5, Line::Steady),
        (6, Line::Reminded),
        (7, Line::Resolved),
        (8, Line::Maintenance),
        (9, Line::Stopped),
    ];

    fn number(self) -> i16 {
        Self::ALL.iter().find(|(_, line)| *line == self).map_or(0, |(number, _)| *number)
    }

    fn of(number: i16) -> Result<Self> {
        let line = Self::ALL.iter().find(|(own, _)| *own == number).map(|(_, line)| *line);
        line.ok_or_else(|| Error::internal("a line of a timeline is of no kind"))
    }
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Which.
    pub id: IncidentId,
    /// Of which monitor.
    pub monitor: MonitorId,
    /// Where the monitor belongs.
    pub ns: Option<NsId>,
    /// The first of those that began together: itself, where it is.
    pub leader: IncidentId,
    /// Whether the monitor went up and down.
    pub flapping: bool,
    /// Why it failed at first.
    pub cause: String,
    /// Since when, epoch milliseconds.
    pub opened_ms: u64,
    /// When it was taken on, and by whom.
    pub acknowledged: Option<(u64, IdentityId)>,
    /// Until when.
    pub resolved_ms: Option<u64>,
}

/// A line of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentEvent {
    /// When, epoch milliseconds.
    pub at_ms: u64,
    /// What.
    pub line: Line,
    /// More: why, or who.
    pub detail: String,
}

/// An incident with all that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The incident.
    pub incident: Incident,
    /// In order.
    pub events: Vec<IncidentEvent>,
}

/// Which incidents.
#[derive(Clone, Copy, Debug)]
pub struct ListIncidents {
    /// Of one monitor only.
    pub monitor: Option<MonitorId>,
    /// Those that are open only.
    pub open: bool,
    /// How many at most.
    pub limit: u64,
    /// Before this one.
    pub before: Option<IncidentId>,
}

/// Lists incidents of the places named, newest first, and says where to go on.
pub async fn list_incidents(permit: &Permit<'_, Read<ListIncidents>>) -> Result<(Vec<Incident>, Option<IncidentId>)> {
    let read = permit.action();
    let ListIncidents { monitor, open, limit, before } = read.what;
    let rows = incident::Entity::find()
        .filter(incident::Column::OrgId.eq(read.org.0.to_vec()).and(incident::Column::NsId.is_in(place::places(read))))
        .apply_if(monitor, |rows, monitor| rows.filter(incident::Column::MonitorId.eq(monitor.0.to_vec())))
        .apply_if(before, |rows, before| rows.filter(incident::Column::IncidentId.lt(before.0.to_vec())))
        .apply_if(open.then_some(()), |rows, ()| rows.filter(incident::Column::ResolvedAt.is_null()))
        .order_by_desc(incident::Column::IncidentId)
        .limit(limit + 1)
        .all(permit.tx().db())
        .await?;
    let full = rows.len() as u64 > limit;
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let page: Vec<Incident> = rows.into_iter().take(page).map(told).collect::<Result<_>>()?;
    let next = page.last().map(|incident| incident.id).filter(|_| full);
    Ok((page, next))
}

/// An incident with its timeline.
pub async fn timeline(permit: &Permit<'_, Read<IncidentId>>) -> Result<Timeline> {
    let read = permit.action();
    let row = incident::Entity::find_by_id((read.org.0.to_vec(), read.what.0.to_vec()))
        .filter(incident::Column::NsId.is_in(place::places(read)))
        .one(permit.tx().db())
        .await?;
    let incident = told(row.ok_or(Error::Forbidden)?)?;
    let lines = incident_event::Entity::find()
        .filter(incident_event::Column::OrgId.eq(read.org.0.to_vec()).and(incident_event::Column::IncidentId.eq(read.what.0.to_vec())))
        .order_by_asc(incident_event::Column::EventId)
        .all(permit.tx().db())
        .await?;
    let events = lines.into_iter().map(|row| Ok(IncidentEvent { at_ms: number(row.at), line: Line::of(row.kind)?, detail: row.detail }));
    Ok(Timeline { incident, events: events.collect::<Result<_>>()? })
}

/// Takes an incident on: nobody is reminded of it. Says nothing new of one that was taken on, and refuses one that is over.
pub async fn acknowledge(permit: &Permit<'_, Change<IncidentId>>) -> Result<()> {
    let (tx, change) = (permit.tx(), permit.action());
    let row = incident::Entity::find_by_id((change.org.0.to_vec(), change.what.0.to_vec()))
        .filter(incident::Column::NsId.eq(place::to_row(change.ns)))
        .lock_exclusive()
        .one(tx.db())
        .await?
        .ok_or(Error::Forbidden)?;
    if row.resolved_at.is_some() {
        return Err(Error::conflict("the incident is over"));
    }
    let Some((who, _)) = permit.caller().identity().filter(|_| row.acknowledged_at.is_none()) else { return Ok(()) };
    let update = of(&change.org, change.what)
        .col_expr(incident::Column::AcknowledgedAt, Expr::value(column(tx.now_ms())))
        .col_expr(incident::Column::AcknowledgedBy, Expr::value(who.0.to_vec()));
    update.exec(tx.db()).await?;
    write(tx, &change.org, change.what, Line::Acknowledged, &who.to_string()).await?;
    place::record(permit, "incident.acknowledge", &change.what).await
}

/// The monitor whose look ended.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) row: &'a monitor::Model,
    pub(super) org: OrgId,
    /// Why the look failed, if it did.
    pub(super) problem: Option<&'a str>,
    /// Since when it fails.
    pub(super) failing_since_ms: u64,
}

/// What a step means for the incident; returns the one that is open afterwards.
pub(super) async fn turn(tx: &Tx, subject: &Subject<'_>, turn: Option<Turn>) -> Result<Option<IncidentId>> {
    let open = subject.row.incident_id.as_deref().map(IncidentId::from_slice).transpose()?;
    match (turn, open) {
        (Some(Turn::Opened { flapping }), _) => begin(tx, subject, flapping).await.map(Some),
        (Some(Turn::Flaps), Some(id)) => {
            of(&subject.org, id).col_expr(incident::Column::Flapping, Expr::value(true)).exec(tx.db()).await?;
            write(tx, &subject.org, id, Line::Flaps, "").await?;
            tell(tx, subject, id, notices::Change::Flapping).await?;
            Ok(open)
        }
        (Some(Turn::Steady), Some(id)) => {
            write(tx, &subject.org, id, Line::Steady, subject.problem.unwrap_or_default()).await?;
            tell(tx, subject, id, notices::Change::Down).await?;
            Ok(open)
        }
        (Some(Turn::Resolved), Some(id)) => {
            end(tx, &subject.org, id, Line::Resolved).await?;
            tell(tx, subject, id, notices::Change::Resolved).await?;
            Ok(None)
        }
        (Some(Turn::Dropped), Some(id)) => end(tx, &subject.org, id, Line::Maintenance).await.map(|()| None),
        (None, Some(id)) => {
            go_on(tx, subject, id).await?;
            Ok(open)
        }
        (_, None) => Ok(None),
    }
}

/// Ends a monitor's incident, if one is open, because somebody paused, changed or moved it.
pub(super) async fn stop(tx: &Tx, org: &OrgId, row: &monitor::Model) -> Result<()> {
    match &row.incident_id {
        Some(id) => end(tx, org, IncidentId::from_slice(id)?, Line::Stopped).await,
        None => Ok(()),
    }
}

async fn begin(tx: &Tx, subject: &Subject<'_>, flapping: bool) -> Result<IncidentId> {
    let id = IncidentId(tx.random().ordered_id(tx.now_ms()));
    let leader = leader(tx, subject).await?.unwrap_or(id);
    let cause = subject.problem.unwrap_or_default();
    let row = incident::ActiveModel {
        org_id: Set(subject.org.0.to_vec()),
        incident_id: Set(id.0.to_vec()),
        ns_id: Set(subject.row.ns_id.clone()),
        monitor_id: Set(subject.row.monitor_id.clone()),
        leader_id: Set(leader.0.to_vec()),
        flapping: Set(flapping),
        cause: Set(cause.to_owned()),
        opened_at: Set(column(subject.failing_since_ms)),
        acknowledged_at: Set(None),
        acknowledged_by: Set(None),
        reminded_at: Set(None),
        resolved_at: Set(None),
    };
    incident::Entity::insert(row).exec_without_returning(tx.db()).await?;
    write(tx, &subject.org, id, if flapping { Line::Flaps } else { Line::Opened }, cause).await?;
    if leader == id {
        tell(tx, subject, id, if flapping { notices::Change::Flapping } else { notices::Change::Down }).await?;
    }
    Ok(id)
}

/// The open incident that began the same story: at the same host, in the same place, a moment ago.
async fn leader(tx: &Tx, subject: &Subject<'_>) -> Result<Option<IncidentId>> {
    let open: Vec<Option<Vec<u8>>> = monitor::Entity::find()
        .select_only()
        .column(monitor::Column::IncidentId)
        .filter(monitor::Column::OrgId.eq(subject.org.0.to_vec()).and(monitor::Column::NsId.eq(subject.row.ns_id.clone())))
        .filter(monitor::Column::Host.eq(subject.row.host.as_str()).and(monitor::Column::IncidentId.is_not_null()))
        .into_tuple()
        .all(tx.db())
        .await?;
    let since = column(tx.now_ms().saturating_sub(TOGETHER_MS));
    let first: Option<Vec<u8>> = incident::Entity::find()
        .select_only()
        .column(incident::Column::LeaderId)
        .filter(incident::Column::OrgId.eq(subject.org.0.to_vec()).and(incident::Column::IncidentId.is_in(open.into_iter().flatten())))
        .filter(incident::Column::OpenedAt.gte(since))
        .order_by_asc(incident::Column::IncidentId)
        .limit(1)
        .into_tuple()
        .one(tx.db())
        .await?;
    first.as_deref().map(IncidentId::from_slice).transpose()
}

/// An incident that goes on: another reason, and after a while a reminder.
async fn go_on(tx: &Tx, subject: &Subject<'_>, id: IncidentId) -> Result<()> {
    if let Some(problem) = subject.problem.filter(|problem| subject.row.problem.as_deref().is_some_and(|before| before != *problem)) {
        write(tx, &subject.org, id, Line::Otherwise, problem).await?;
    }
    let unheard = incident::Column::AcknowledgedAt.is_null().and(incident::Column::RemindedAt.is_null());
    let long_ago = incident::Column::OpenedAt.lte(column(tx.now_ms().saturating_sub(REMIND_AFTER_MS)));
    // Or a clock was ahead then: since when it lasts, nobody knows.
    let long_ago = long_ago.or(incident::Column::OpenedAt.gt(column(tx.beyond_ms(0))));
    let first = Expr::col(incident::Column::LeaderId).eq(id.0.to_vec());
    let reminded = of(&subject.org, id)
        .col_expr(incident::Column::RemindedAt, Expr::value(column(tx.now_ms())))
        .filter(unheard.and(long_ago).and(first))
        .exec(tx.db())
        .await?;
    if reminded.rows_affected > 0 {
        write(tx, &subject.org, id, Line::Reminded, "").await?;
        tell(tx, subject, id, notices::Change::Reminder).await?;
    }
    Ok(())
}

/// Has people told what changed in the story that an incident is part of. That it is over is told when the last of its incidents is.
async fn tell(tx: &Tx, subject: &Subject<'_>, id: IncidentId, change: notices::Change) -> Result<()> {
    let (org, ns) = (subject.org, place::of_row(&subject.row.ns_id)?);
    let row = incident::Entity::find_by_id((org.0.to_vec(), id.0.to_vec())).one(tx.db()).await?;
    let Some(row) = row else { return Ok(()) };
    let leader = IncidentId::from_slice(&row.leader_id)?;
    if change == notices::Change::Resolved {
        let others = incident::Column::OrgId.eq(org.0.to_vec()).and(incident::Column::LeaderId.eq(row.leader_id));
        let open = incident::Entity::find().filter(others.and(incident::Column::ResolvedAt.is_null()));
        if open.count(tx.db()).await? > 0 {
            return Ok(());
        }
    }
    let notice = Notice {
        org,
        topic: Topic::Monitor { ns, incident: leader, change },
        audience: ns.map_or(Audience::Admins, Audience::Readers),
        key: format!("monitor/{leader}/{change:?}").to_lowercase(),
        // Whoever is woken wants to hear at once that it is over, too.
        urgent: true,
    };
    notices::raise(tx, &notice).await
}

async fn end(tx: &Tx, org: &OrgId, id: IncidentId, line: Line) -> Result<()> {
    of(org, id).col_expr(incident::Column::ResolvedAt, Expr::value(column(tx.now_ms()))).exec(tx.db()).await?;
    write(tx, org, id, line, "").await
}

/// Adds a line to a timeline.
async fn write(tx: &Tx, org: &OrgId, id: IncidentId, line: Line, detail: &str) -> Result<()> {
    if line == Line::Otherwise {
        let lines = incident_event::Column::OrgId.eq(org.0.to_vec()).and(incident_event::Column::IncidentId.eq(id.0.to_vec()));
        if incident_event::Entity::find().filter(lines).count(tx.db()).await? >= MAX_LINES {
            return Ok(());
        }
    }
    let row = incident_event::ActiveModel {
        org_id: Set(org.0.to_vec()),
        incident_id: Set(id.0.to_vec()),
        event_id: Set(tx.random().ordered_id(tx.now_ms()).to_vec()),
        kind: Set(line.number()),
        at: Set(column(tx.now_ms())),
        detail: Set(detail.to_owned()),
    };
    incident_event::Entity::insert(row).exec_without_returning(tx.db()).await?;
    Ok(())
}

fn of(org: &OrgId, id: IncidentId) -> sea_orm::UpdateMany<incident::Entity> {
    incident::Entity::update_many().filter(incident::Column::OrgId.eq(org.0.to_vec()).and(incident::Column::IncidentId.eq(id.0.to_vec())))
}

/// A row as others are told of it.
pub(super) fn told(row: incident::Model) -> Result<Incident> {
    let acknowledged_by = row.acknowledged_by.as_deref().map(IdentityId::from_slice).transpose()?;
    Ok(Incident {
        id: IncidentId::from_slice(&row.incident_id)?,
        monitor: MonitorId::from_slice(&row.monitor_id)?,
        ns: place::of_row(&row.ns_id)?,
        leader: IncidentId::from_slice(&row.leader_id)?,
        flapping: row.flapping,
        cause: row.cause,
        opened_ms: number(row.opened_at),
        acknowledged: row.acknowledged_at.map(number).zip(acknowledged_by),
        resolved_ms: row.resolved_at.map(number),
    })
}
