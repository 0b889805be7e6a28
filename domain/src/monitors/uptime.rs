//! Uptime: how long a monitor's looks stood for "up" and for "down", by the hour and by the day (UTC).
//!
//! A look stands until the next one: for up when it passed (or was throttled), for down when it failed. It stands no longer than until the
//! monitor would be stale, and not at all in a maintenance or while paused: time of which nothing is known, or in which failures are
//! expected, counts neither way. Uptime is up / (up + down) over the hours (24 hours, 7 days) or days (30 days) that lie in the window, the
//! one that has begun included.

use super::machine::stale_at_ms;
use super::record::{Outcome, ProbeResult};
use crate::error::Result;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::monitor;
use keyvawlt_schema::uptime::{ActiveModel, Column, Entity};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ColumnTrait, Condition, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};
use std::collections::{BTreeMap, HashMap};

/// Hours are kept for the window of 7 days, and a day more.
pub(super) const HOURS_KEPT_MS: u64 = 8 * DAY_MS;
/// Days are kept for a year's report, and a month more.
pub(super) const DAYS_KEPT_MS: u64 = 400 * DAY_MS;

pub(super) const HOUR: i16 = 0;
pub(super) const DAY: i16 = 1;
const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// Rows of one statement: nine values each, below what either engine takes.
const ROWS_PER_STATEMENT: usize = 500;

/// How a monitor stood in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Milliseconds up.
    pub up_ms: u64,
    /// Milliseconds down.
    pub down_ms: u64,
    /// The mean latency of looks that passed, milliseconds; 0 when none did.
    pub latency_ms: u64,
}

/// How a monitor stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Uptime {
    /// Over 24 hours.
    pub day: Share,
    /// Over 7 days.
    pub week: Share,
    /// Over 30 days.
    pub month: Share,
}

/// Organization and monitor, span, beginning.
type Slot = (Vec<u8>, Vec<u8>, i16, u64);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    up: u64,
    down: u64,
    looks: u64,
    failed: u64,
    latency: u64,
}

/// What one transaction adds.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<Slot, Counts>);

impl Tally {
    /// The last look stood until now.
    pub(super) fn stood(&mut self, row: &monitor::Model, now_ms: u64) {
        let Some((passed, from, to)) = standing(row, now_ms) else { return };
        for (span, length) in [(HOUR, HOUR_MS), (DAY, DAY_MS)] {
            let mut at = from;
            while at < to {
                let starts = at / length * length;
                let until = std::cmp::min(to, starts + length);
                let counts = self.slot(row, span, starts);
                *(if passed { &mut counts.up } else { &mut counts.down }) += until - at;
                at = until;
            }
        }
    }

    /// Somebody looked.
    pub(super) fn looked(&mut self, row: &monitor::Model, result: &ProbeResult, now_ms: u64) {
        for (span, length) in [(HOUR, HOUR_MS), (DAY, DAY_MS)] {
            let counts = self.slot(row, span, now_ms / length * length);
            counts.looks += 1;
            match result.outcome {
                Outcome::Passed | Outcome::Throttled => counts.latency += result.latency_ms,
                Outcome::Failed(_) => counts.failed += 1,
            }
        }
    }

    fn slot(&mut self, row: &monitor::Model, span: i16, starts: u64) -> &mut Counts {
        self.0.entry((row.org_id.clone(), row.monitor_id.clone(), span, starts)).or_default()
    }

    /// Adds all of it to what is there.
    pub(super) async fn write(self, tx: &Tx) -> Result<()> {
        let mut rows = self.0.into_iter().map(|((org, monitor, span, starts), counts)| ActiveModel {
            org_id: Set(org),
            monitor_id: Set(monitor),
            span: Set(span),
            starts_at: Set(column(starts)),
            up: Set(column(counts.up)),
            down: Set(column(counts.down)),
            looks: Set(column(counts.looks)),
            failed: Set(column(counts.failed)),
            latency: Set(column(counts.latency)),
        });
        let sum = |own: Column| Expr::col((Entity, own)).add(Expr::col(("excluded", own)));
        loop {
            let group: Vec<ActiveModel> = rows.by_ref().take(ROWS_PER_STATEMENT).collect();
            if group.is_empty() {
                return Ok(());
            }
            let mut add = OnConflict::columns([Column::OrgId, Column::MonitorId, Column::Span, Column::StartsAt]);
            for own in [Column::Up, Column::Down, Column::Looks, Column::Failed, Column::Latency] {
                add.value(own, sum(own));
            }
            Entity::insert_many(group).on_conflict(add).exec_without_returning(tx.db()).await?;
        }
    }
}

/// From when to when the last look stands, and for what.
fn standing(row: &monitor::Model, now_ms: u64) -> Option<(bool, u64, u64)> {
    let (passed, from, due) = (row.passed?, number(row.checked_at?), number(row.next_at?));
    let to = std::cmp::min(now_ms, stale_at_ms(due, number(row.interval)));
    (from < to).then_some((passed, from, to))
}

#[derive(Debug, FromQueryResult)]
struct Sum {
    monitor_id: Vec<u8>,
    up: i64,
    down: i64,
    passed: i64,
    latency: i64,
}

/// How monitors of one organization stood, each until now.
pub(super) async fn of(tx: &Tx, org: OrgId, rows: &[monitor::Model]) -> Result<Vec<Uptime>> {
    let ids: Vec<Vec<u8>> = rows.iter().map(|row| row.monitor_id.clone()).collect();
    let windows = [(HOUR, HOUR_MS, DAY_MS), (HOUR, HOUR_MS, 7 * DAY_MS), (DAY, DAY_MS, 30 * DAY_MS)];
    let mut sums: [HashMap<Vec<u8>, Share>; 3] = Default::default();
    for ((span, length, window), sums) in windows.into_iter().zip(&mut sums) {
        let since = tx.now_ms().saturating_sub(window) / length * length;
        let total = |own: Column| Expr::col(own).sum().cast_as("bigint");
        let found: Vec<Sum> = Entity::find()
            .select_only()
            .column(Column::MonitorId)
            .column_as(total(Column::Up), "up")
            .column_as(total(Column::Down), "down")
            .column_as(Expr::col(Column::Looks).sub(Expr::col(Column::Failed)).sum().cast_as("bigint"), "passed")
            .column_as(total(Column::Latency), "latency")
            .filter(Condition::all().add(Column::OrgId.eq(org.0.to_vec())).add(Column::MonitorId.is_in(ids.clone())))
            // A clock that was ahead may have counted beyond.
            .filter(Column::Span.eq(span).and(Column::StartsAt.between(column(since), column(tx.beyond_ms(0)))))
            .group_by(Column::MonitorId)
            .into_model()
            .all(tx.db())
            .await?;
        sums.extend(found.into_iter().map(|sum| {
            let latency_ms = number(sum.latency).checked_div(number(sum.passed)).unwrap_or(0);
            (sum.monitor_id, Share { up_ms: number(sum.up), down_ms: number(sum.down), latency_ms })
        }));
    }
    let [day, week, month] = sums;
    Ok(rows.iter().map(|row| with_present(row, tx.now_ms(), [&day, &week, &month])).collect())
}

/// The last look stands still, and is not yet in any row.
fn with_present(row: &monitor::Model, now_ms: u64, sums: [&HashMap<Vec<u8>, Share>; 3]) -> Uptime {
    let [day, week, month] = sums.map(|sums| {
        let mut share = sums.get(&row.monitor_id).copied().unwrap_or_default();
        if let Some((passed, from, to)) = standing(row, now_ms) {
            *(if passed { &mut share.up_ms } else { &mut share.down_ms }) += to - from;
        }
        share
    });
    Uptime { day, week, month }
}
