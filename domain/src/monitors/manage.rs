//! Adding, changing, pausing and removing monitors.

use super::ids::MonitorId;
use super::incidents;
use super::machine::{Event, Memory, State, Step, step};
use super::place::{self, Change};
use super::record::{number_of, state_of};
use super::rules::Target;
use super::schedule::first_ms;
use super::uptime::Tally;
use crate::authorize::Permit;
use crate::error::{Error, Result, is_duplicate};
use crate::store::{Tx, column, number};
use keyvawlt_schema::monitor::{ActiveModel, Column, Entity, Model};
use keyvawlt_schema::{incident, incident_event, maintenance, uptime};
use sea_orm::ActiveValue::{Set, Unchanged};
use sea_orm::sea_query::{ExprTrait as _, Query};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};

/// Monitors of one organization: every service that a large team depends on, and at the shortest interval 33 looks a second.
pub const MAX_MONITORS: u64 = 1_000;
/// Trying again does not help: the name is to be another one.
const TAKEN: &str = "a monitor of this name is here already";

/// A monitor to be changed: all of its target, at once.
#[derive(Clone, Debug)]
pub struct UpdateMonitor {
    /// Which.
    pub monitor: MonitorId,
    /// The revision that was read.
    pub revision: u64,
    /// What is looked at from now on.
    pub target: Target,
}

/// A monitor to be paused.
#[derive(Clone, Copy, Debug)]
pub struct PauseMonitor(pub MonitorId);

/// A monitor to be looked at again.
#[derive(Clone, Copy, Debug)]
pub struct ResumeMonitor(pub MonitorId);

/// A monitor to be removed, with all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct DeleteMonitor(pub MonitorId);

/// Adds a monitor; it is looked at within seconds.
pub async fn create_monitor(permit: &Permit<'_, Change<Target>>) -> Result<MonitorId> {
    let (tx, change) = (permit.tx(), permit.action());
    let (target, host) = change.what.clone().checked()?;
    tx.lock_org(&change.org).await?;
    let there = Entity::find().filter(Column::OrgId.eq(change.org.0.to_vec())).count(tx.db()).await?;
    if there >= MAX_MONITORS {
        return Err(Error::TooLarge { what: "the number of monitors", limit: MAX_MONITORS });
    }
    let id = MonitorId(tx.random().ordered_id(tx.now_ms()));
    let now = column(tx.now_ms());
    let row = ActiveModel {
        org_id: Set(change.org.0.to_vec()),
        monitor_id: Set(id.0.to_vec()),
        ns_id: Set(place::to_row(change.ns)),
        state: Set(number_of(State::Unknown)),
        since: Set(now),
        memory: Set(written(&Memory::default())?),
        incident_id: Set(None),
        next_at: Set(Some(first(tx))),
        lease_until: Set(None),
        leased_by: Set(None),
        round: Set(0),
        checked_at: Set(None),
        passed: Set(None),
        latency: Set(None),
        problem: Set(None),
        certificate_ends_at: Set(None),
        revision: Set(1),
        created_at: Set(now),
        ..set(target, host)?
    };
    match Entity::insert(row).exec_without_returning(tx.db()).await {
        Err(error) if is_duplicate(&error) => return Err(Error::invalid("name", TAKEN)),
        outcome => outcome?,
    };
    place::record(permit, "monitor.create", &id).await?;
    Ok(id)
}

/// Changes a monitor. What was known of another URL says nothing of this one.
pub async fn update_monitor(permit: &Permit<'_, Change<UpdateMonitor>>) -> Result<()> {
    let (tx, change) = (permit.tx(), permit.action());
    let UpdateMonitor { monitor, revision, target } = &change.what;
    let (target, host) = target.clone().checked()?;
    let row = place::monitor_for_change(tx, change, *monitor).await?;
    if number(row.revision) != *revision {
        return Err(Error::Conflict { why: "somebody else changed the monitor".into(), current: Some(number(row.revision)) });
    }
    let mut update = turn(tx, &row, Event::Restarted, permit).await?;
    if row.url != target.url {
        update.certificate_ends_at = Set(None);
    }
    let update = ActiveModel { revision: Set(row.revision + 1), ..with(update, set(target, host)?) };
    match Entity::update(update).exec_without_returning(tx.db()).await {
        Err(error) if is_duplicate(&error) => return Err(Error::invalid("name", TAKEN)),
        outcome => outcome?,
    };
    place::record(permit, "monitor.update", monitor).await
}

/// Pauses a monitor: nobody looks, and an open incident ends.
pub async fn pause_monitor(permit: &Permit<'_, Change<PauseMonitor>>) -> Result<()> {
    let (tx, PauseMonitor(monitor)) = (permit.tx(), permit.action().what);
    let row = place::monitor_for_change(tx, permit.action(), monitor).await?;
    let update = ActiveModel { next_at: Set(None), ..turn(tx, &row, Event::Paused, permit).await? };
    Entity::update(update).exec_without_returning(tx.db()).await?;
    place::record(permit, "monitor.pause", &monitor).await
}

/// Looks at a paused monitor again, within seconds; of one that is not paused, nothing changes.
pub async fn resume_monitor(permit: &Permit<'_, Change<ResumeMonitor>>) -> Result<()> {
    let (tx, ResumeMonitor(monitor)) = (permit.tx(), permit.action().what);
    let row = place::monitor_for_change(tx, permit.action(), monitor).await?;
    if state_of(&row)? != State::Paused {
        return Ok(());
    }
    let update = ActiveModel { next_at: Set(Some(first(tx))), ..turn(tx, &row, Event::Restarted, permit).await? };
    Entity::update(update).exec_without_returning(tx.db()).await?;
    place::record(permit, "monitor.resume", &monitor).await
}

/// Removes a monitor and all that is known of it.
pub async fn delete_monitor(permit: &Permit<'_, Change<DeleteMonitor>>) -> Result<()> {
    let (tx, DeleteMonitor(monitor)) = (permit.tx(), permit.action().what);
    let row = place::monitor_for_change(tx, permit.action(), monitor).await?;
    let (org, id) = (row.org_id, row.monitor_id);
    let incidents = Query::select()
        .column(incident::Column::IncidentId)
        .from(incident::Entity)
        .and_where(incident::Column::OrgId.eq(org.clone()).and(incident::Column::MonitorId.eq(id.clone())))
        .to_owned();
    incident_event::Entity::delete_many()
        .filter(incident_event::Column::OrgId.eq(org.clone()).and(incident_event::Column::IncidentId.in_subquery(incidents)))
        .exec(tx.db())
        .await?;
    let of = (org.clone(), id.clone());
    incident::Entity::delete_many()
        .filter(incident::Column::OrgId.eq(of.0.clone()).and(incident::Column::MonitorId.eq(of.1.clone())))
        .exec(tx.db())
        .await?;
    uptime::Entity::delete_many()
        .filter(uptime::Column::OrgId.eq(of.0.clone()).and(uptime::Column::MonitorId.eq(of.1.clone())))
        .exec(tx.db())
        .await?;
    maintenance::Entity::delete_many()
        .filter(maintenance::Column::OrgId.eq(of.0).and(maintenance::Column::MonitorId.eq(of.1)))
        .exec(tx.db())
        .await?;
    Entity::delete_by_id((org, id)).exec(tx.db()).await?;
    place::record(permit, "monitor.delete", &monitor).await
}

/// A step that somebody causes, with its row: the last look stood until now, an open incident ends, and results under way are dropped.
async fn turn<W>(tx: &Tx, row: &Model, event: Event, permit: &Permit<'_, Change<W>>) -> Result<ActiveModel> {
    let mut tally = Tally::default();
    tally.stood(row, tx.now_ms());
    tally.write(tx).await?;
    let memory = serde_json::from_str(&row.memory).map_err(Error::internal)?;
    let Step { state, memory, .. } = step(state_of(row)?, memory, event, None, tx.now_ms());
    incidents::stop(tx, &permit.action().org, row).await?;
    Ok(ActiveModel {
        org_id: Unchanged(row.org_id.clone()),
        monitor_id: Unchanged(row.monitor_id.clone()),
        state: Set(number_of(state)),
        since: Set(column(tx.now_ms())),
        memory: Set(written(&memory)?),
        incident_id: Set(None),
        // A paused monitor stays paused when it is changed.
        next_at: Set(row.next_at.map(|_| first(tx))),
        lease_until: Set(None),
        leased_by: Set(None),
        round: Set(row.round + 1),
        passed: Set(None),
        problem: Set(None),
        latency: Set(None),
        ..ActiveModel::default()
    })
}

fn first(tx: &Tx) -> i64 {
    column(first_ms(tx.now_ms(), |limit| tx.random().below(limit)))
}

fn written(memory: &Memory) -> Result<String> {
    serde_json::to_string(memory).map_err(Error::internal)
}

fn set(target: Target, host: String) -> Result<ActiveModel> {
    Ok(ActiveModel {
        rules: Set(serde_json::to_string(&target.rules).map_err(Error::internal)?),
        name: Set(target.name),
        url: Set(target.url),
        host: Set(host),
        interval: Set(column(target.interval_ms)),
        ..ActiveModel::default()
    })
}

fn with(update: ActiveModel, target: ActiveModel) -> ActiveModel {
    let ActiveModel { name, url, host, rules, interval, .. } = target;
    ActiveModel { name, url, host, rules, interval, ..update }
}
