//! Moments as people say them. Always UTC, always named so: a reader's time zone belongs to his preferences, not to a guess.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// How far a moment is from now: `in 7 days`, `2 days ago`.
pub(crate) fn distance(moment_ms: u64, now_ms: u64) -> String {
    let days = |ms: u64| match ms.div_ceil(DAY_MS) {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    match moment_ms.checked_sub(now_ms).filter(|left| *left > 0) {
        Some(left) if left <= DAY_MS => "within a day".to_owned(),
        Some(left) => format!("in {}", days(left)),
        None if now_ms - moment_ms < DAY_MS => "less than a day ago".to_owned(),
        None => format!("{} ago", days((now_ms - moment_ms) / DAY_MS * DAY_MS)),
    }
}

/// The day and the minute, for people.
pub(crate) fn date(ms: u64) -> String {
    let form = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    moment(ms).and_then(|moment| moment.format(&form).ok()).unwrap_or_else(|| "a date beyond calendars".to_owned())
}

/// The moment for programs (RFC 3339); `None` beyond the year 9999.
pub(crate) fn timestamp(ms: u64) -> Option<String> {
    moment(ms).and_then(|moment| moment.format(&Rfc3339).ok())
}

fn moment(ms: u64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(i64::try_from(ms / 1000).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 23 November 2026, 09:00 UTC.
    const NOW: u64 = 1_795_424_400_000;

    #[test]
    fn days_are_counted_as_people_count_them() {
        let said = [
            (NOW + 1, "within a day"),
            (NOW + DAY_MS, "within a day"),
            (NOW + DAY_MS + 1, "in 2 days"),
            (NOW + 7 * DAY_MS, "in 7 days"),
            (NOW, "less than a day ago"),
            (NOW - DAY_MS, "1 day ago"),
            (NOW - 3 * DAY_MS - 1, "3 days ago"),
        ];
        for (moment, words) in said {
            assert_eq!(distance(moment, NOW), words);
        }
    }

    #[test]
    fn a_moment_is_named_for_people_and_for_programs() {
        assert_eq!(date(NOW), "23 November 2026, 09:00 UTC");
        assert_eq!(timestamp(NOW).as_deref(), Some("2026-11-23T09:00:00Z"));
        assert_eq!((date(u64::MAX).as_str(), timestamp(u64::MAX)), ("a date beyond calendars", None));
    }
}
