//! When a message goes: at once, after a while of gathering, after quiet hours, or at the hour of the daily digest. Pure.

use super::preferences::Preferences;
use crate::zone::{Month, Zone};

/// How long a message waits for company unless the operator says otherwise: the scans of a sweep, the batches of an import. Longer would be felt,
/// shorter would make many mails of one.
pub const GATHER_MS: u64 = 15 * 1000;
/// The longest that it may be made to wait: whoever wants fewer messages still has digests, and a reminder a day before is not to come after it.
pub const MAX_GATHER_MS: u64 = 60 * 60 * 1000;
/// When a month's digest comes: as a day's work begins.
const MORNING_HOUR: u8 = 8;
/// The first of a month comes 14 hours earlier than in UTC where it comes first, and its morning so much earlier than the month in UTC.
const AHEAD_MS: u64 = (14 - MORNING_HOUR as u64) * 60 * MINUTE_MS;
const MINUTE_MS: u64 = 60 * 1000;
const MINUTES_PER_HOUR: u16 = 60;
const MINUTES_PER_DAY: u16 = 24 * 60;

/// When a message goes, and with what it is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    /// Open deliveries of one recipient are told apart by this.
    pub(super) gathers: &'static str,
    pub(super) run_at_ms: u64,
    pub(super) digest: bool,
}

/// A person's next slot. What is urgent does not wait.
pub(super) fn slot(now_ms: u64, gather_ms: u64, urgent: bool, wishes: &Preferences) -> Slot {
    if urgent {
        return Slot { gathers: "urgent", run_at_ms: now_ms, digest: false };
    }
    let zone = zone_of(wishes);
    let (gathers, at) = match wishes.digest_hour {
        Some(hour) => ("digest", next(&zone, now_ms, u16::from(hour) * MINUTES_PER_HOUR)),
        None => ("instant", now_ms + gather_ms),
    };
    let run_at_ms = after_quiet(&zone, at, wishes);
    Slot { gathers, run_at_ms, digest: wishes.digest_hour.is_some() }
}

/// The slot of a month's digest: the morning of the first where the person is, or now when that has passed. It rides alone.
pub(super) fn monthly_slot(now_ms: u64, month: Month, wishes: &Preferences) -> Slot {
    let zone = zone_of(wishes);
    let at = zone.first_of(month, MORNING_HOUR).max(now_ms);
    Slot { gathers: "monthly", run_at_ms: after_quiet(&zone, at, wishes), digest: true }
}

/// The month whose first morning comes somewhere, or came less than `late_ms` ago where it comes first.
pub(super) fn month_to_tell(now_ms: u64, late_ms: u64) -> Option<Month> {
    let month = Zone::utc().month(now_ms + AHEAD_MS);
    let opened = Zone::utc().first_of(month, 0) - AHEAD_MS;
    (now_ms < opened + late_ms).then_some(month)
}

/// Where a person is. Stored names were checked; a zone that a later program lost is as good as none.
pub(super) fn zone_of(wishes: &Preferences) -> Zone {
    Zone::named(&wishes.zone).unwrap_or_else(Zone::utc)
}

/// An organization's channel has no hours of its own.
pub(super) fn channel_slot(now_ms: u64, gather_ms: u64, urgent: bool) -> Slot {
    slot(now_ms, gather_ms, urgent, &Preferences::default())
}

fn after_quiet(zone: &Zone, at_ms: u64, wishes: &Preferences) -> u64 {
    match wishes.quiet {
        Some(quiet) if is_within(quiet, zone.wall(at_ms).minute) => next(zone, at_ms, quiet.1),
        _ => at_ms,
    }
}

/// Whether a minute of the day is quiet; hours may go over midnight.
fn is_within((from, to): (u16, u16), minute: u16) -> bool {
    if from <= to { (from..to).contains(&minute) } else { minute >= from || minute < to }
}

/// The next moment at which a wall shows this minute. A day on which clocks are changed may move it by what they are changed.
fn next(zone: &Zone, after_ms: u64, minute: u16) -> u64 {
    let begun = after_ms - after_ms % MINUTE_MS;
    let ahead = |at: u64| u64::from((minute + MINUTES_PER_DAY - zone.wall(at).minute) % MINUTES_PER_DAY);
    let first = begun + MINUTE_MS;
    let guess = first + ahead(first) * MINUTE_MS;
    match ahead(guess) {
        0 => guess,
        // Clocks went back meanwhile: the minute is still to come, by less than a few hours.
        more if more < 3 * u64::from(MINUTES_PER_HOUR) => guess + more * MINUTE_MS,
        // They went forward: it was passed by as much.
        passed => guess - (u64::from(MINUTES_PER_DAY) - passed) * MINUTE_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::NOW;

    const HOUR_MS: u64 = 60 * MINUTE_MS;

    fn wishes(digest_hour: Option<u8>, quiet: Option<(u16, u16)>, zone: &str) -> Preferences {
        Preferences { digest_hour, quiet, zone: zone.to_owned(), ..Preferences::default() }
    }

    #[test]
    fn what_is_urgent_waits_for_nothing() {
        let all = wishes(Some(7), Some((0, 1_439)), "Europe/Berlin");
        assert_eq!(slot(NOW, GATHER_MS, true, &all), Slot { gathers: "urgent", run_at_ms: NOW, digest: false });
    }

    #[test]
    fn the_rest_waits_for_company_for_the_digest_and_for_the_end_of_quiet_hours() {
        // 09:00 UTC is 10:00 in Berlin, and 22:00 in Auckland.
        let cases = [
            (wishes(None, None, "UTC"), NOW + GATHER_MS),
            (wishes(Some(12), None, "Europe/Berlin"), NOW + 2 * HOUR_MS),
            (wishes(Some(10), None, "Europe/Berlin"), NOW + 24 * HOUR_MS),
            (wishes(None, Some((22 * 60, 7 * 60)), "Pacific/Auckland"), NOW + 9 * HOUR_MS),
            (wishes(None, Some((22 * 60, 7 * 60)), "Europe/Berlin"), NOW + GATHER_MS),
            (wishes(None, Some((9 * 60, 10 * 60)), "UTC"), NOW + HOUR_MS),
            (wishes(Some(23), Some((22 * 60, 7 * 60)), "UTC"), NOW + 22 * HOUR_MS),
            (wishes(None, Some((9 * 60, 9 * 60)), "UTC"), NOW + GATHER_MS),
            (wishes(None, Some((9 * 60, 10 * 60)), "Nowhere/Atlantis"), NOW + HOUR_MS),
        ];
        for (wishes, run_at_ms) in cases {
            assert_eq!(slot(NOW, GATHER_MS, false, &wishes).run_at_ms, run_at_ms, "{wishes:?}");
        }
    }

    #[test]
    fn a_digest_keeps_its_hour_when_clocks_are_changed() {
        // 28 March 2026, 12:00 UTC, and 24 October 2026, 12:00 UTC: Berlin's clocks change in the night.
        for noon in [1_774_699_200_000, 1_792_843_200_000] {
            let at = slot(noon, GATHER_MS, false, &wishes(Some(7), None, "Europe/Berlin")).run_at_ms;
            let wall = Zone::named("Europe/Berlin").unwrap().wall(at);
            assert_eq!((wall.minute, (at - noon) / HOUR_MS < 24), (7 * 60, true), "{noon}");
        }
    }

    #[test]
    fn a_month_begins_where_its_morning_comes_first_and_not_for_ever() {
        let first = Zone::utc().first_of("2026-12".parse().unwrap(), 0);
        let late = 48 * HOUR_MS;
        let told = |at: u64| month_to_tell(at, late).map(|month| month.to_string());
        let december = Some("2026-12".to_owned());
        assert_eq!((told(NOW), told(first - 6 * HOUR_MS - 1)), (None, None));
        assert_eq!(
            (told(first - 6 * HOUR_MS), told(first), told(first + 42 * HOUR_MS - 1)),
            (december.clone(), december.clone(), december)
        );
        assert_eq!(told(first + 42 * HOUR_MS), None);
        // 08:00 on Kiritimati, where a month comes first.
        let there = monthly_slot(first - 6 * HOUR_MS, "2026-12".parse().unwrap(), &wishes(None, None, "Pacific/Kiritimati"));
        assert_eq!(there, Slot { gathers: "monthly", run_at_ms: first - 6 * HOUR_MS, digest: true });
        let cases = [
            (wishes(None, None, "Pacific/Pago_Pago"), first + 19 * HOUR_MS),
            (wishes(Some(20), None, "UTC"), first + 8 * HOUR_MS),
            (wishes(None, Some((22 * 60, 9 * 60)), "UTC"), first + 9 * HOUR_MS),
        ];
        for (wishes, run_at_ms) in cases {
            assert_eq!(monthly_slot(first - 6 * HOUR_MS, "2026-12".parse().unwrap(), &wishes).run_at_ms, run_at_ms, "{wishes:?}");
        }
        let late = monthly_slot(first + 30 * HOUR_MS, "2026-12".parse().unwrap(), &wishes(None, None, "UTC"));
        assert_eq!(late.run_at_ms, first + 30 * HOUR_MS);
    }
}
