//! Certificates that end soon: people hear of each threshold once, and of a renewed certificate from the beginning.

use super::ids::MonitorId;
use super::place;
use super::record::ProbeResult;
use crate::error::Result;
use crate::notices::{self, Audience, Notice, Topic};
use crate::store::{Tx, number};
use keyvawlt_schema::monitor;

/// Days before a certificate's end at which people hear of it: the first leaves time for a purchase, the last are for whoever forgot.
pub const THRESHOLDS_DAYS: [u16; 5] = [30, 14, 7, 3, 1];
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// At this threshold it cannot wait for a digest any more.
const URGENT_DAYS: u16 = 3;

/// Has people told of a certificate that ends soon.
pub(super) async fn warn(tx: &Tx, row: &monitor::Model, result: &ProbeResult) -> Result<()> {
    let Some((threshold_days, ends_ms)) = crossed(row, result, tx.now_ms()) else { return Ok(()) };
    let (ns, monitor) = (place::of_row(&row.ns_id)?, MonitorId::from_slice(&row.monitor_id)?);
    let notice = Notice {
        org: result.org,
        topic: Topic::Certificate { ns, monitor, ends_ms, threshold_days },
        audience: ns.map_or(Audience::Admins, Audience::Readers),
        key: format!("certificate/{monitor}/{ends_ms}/{threshold_days}"),
        urgent: threshold_days <= URGENT_DAYS,
    };
    notices::raise(tx, &notice).await
}

/// The tightest threshold that a certificate has passed, with the certificate's end, if nobody could have heard of it at the last look.
fn crossed(row: &monitor::Model, result: &ProbeResult, now_ms: u64) -> Option<(u16, u64)> {
    let before = row.certificate_ends_at.map(number);
    let ends = result.certificate_ends_ms.or(before)?;
    let reached = tightest(ends, now_ms)?;
    let heard = row.checked_at.filter(|_| before == Some(ends)).and_then(|at| tightest(ends, number(at)));
    (heard != Some(reached)).then_some((reached, ends))
}

fn tightest(ends_ms: u64, now_ms: u64) -> Option<u16> {
    let left = ends_ms.saturating_sub(now_ms);
    THRESHOLDS_DAYS.into_iter().rev().find(|days| left <= u64::from(*days) * DAY_MS)
}
