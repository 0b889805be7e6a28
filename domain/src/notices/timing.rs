//! When a message goes: at once, after a while of gathering, after quiet hours, or at the hour of the daily digest. Pure.

use super::preferences::Preferences;
use crate::zone::Zone;

/// How long a message waits for company unless the operator says otherwise: the scans of a sweep, the batches of an import. Longer would be felt,
/// shorter would make many mails of one.
pub const GATHER_MS: u64 = 15 * 1000;
/// The longest that it may be made to wait: whoever wants fewer messages still has digests, and a reminder a day before is not to come after it.
pub const MAX_GATHER_MS: u64 = 60 * 60 * 1000;
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
    // Stored names were checked; a zone that a later program lost is as good as none.
    let zone = Zone::named(&wishes.zone).or_else(|| Zone::named("UTC"));
    let (gathers, at) = match (wishes.digest_hour, &zone) {
        (Some(hour), Some(zone)) => ("digest", next(zone, now_ms, u16::from(hour) * MINUTES_PER_HOUR)),
        _ => ("instant", now_ms + gather_ms),
    };
    let run_at_ms = match (wishes.quiet, &zone) {
        (Some(quiet), Some(zone)) if is_within(quiet, zone.wall(at).minute) => next(zone, at, quiet.1),
        _ => at,
    };
    Slot { gathers, run_at_ms, digest: wishes.digest_hour.is_some() }
}

/// An organization's channel has no hours of its own.
pub(super) fn channel_slot(now_ms: u64, gather_ms: u64, urgent: bool) -> Slot {
    slot(now_ms, gather_ms, urgent, &Preferences::default())
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
}
