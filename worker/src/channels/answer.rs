//! What an answer over HTTP, or none, means for a message that was posted.

use super::Reception;
use crate::outbound::{Answer, Failed, Reason};
use http::header::RETRY_AFTER;
use std::time::Duration;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// The longest wait a receiver may ask for: the worker would not wait longer by itself.
const MAX_WAIT: Duration = Duration::from_hours(1);
/// Of what a receiver says about itself, this much is kept.
const MAX_SAID_CHARS: usize = 120;

/// What a status means: `judge`, or a stricter one.
pub(super) type Judge = fn(u16, Option<&str>, &[u8], u64) -> Reception;

/// What became of a request.
pub(super) fn reception(result: Result<Answer, Failed>, judge: Judge, now_ms: u64) -> Reception {
    match result {
        Ok(Answer { status, headers, body, .. }) => {
            let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            judge(status.as_u16(), retry_after, &body, now_ms)
        }
        // It leads where this server does not go; the next attempt would lead there too.
        Err(Failed { reason: reason @ Reason::Refused(_), .. }) => Reception::refused(&reason),
        Err(Failed { reason, .. }) => Reception::later(&reason),
    }
}

/// What a status means. `said` is the answer's body, for the record.
pub(super) fn judge(status: u16, retry_after: Option<&str>, said: &[u8], now_ms: u64) -> Reception {
    let why = describe(status, said);
    match status {
        200..=299 => Reception::Taken,
        410 => Reception::Closed { why },
        // "Too many requests", "unavailable": the two that may say until when.
        429 | 503 => Reception::Later { why, wait: retry_after.and_then(|text| wait(text, now_ms)) },
        // About this very message: syntax, size, form. Another attempt sends the same.
        400 | 406 | 411 | 413 | 414 | 415 | 417 | 422 | 431 | 451 => Reception::Refused { why },
        // A receiver that is not there yet, not there now, or was moved (redirects are not followed): somebody will correct that.
        _ => Reception::later(&why),
    }
}

fn describe(status: u16, said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let said: String = said.chars().take(MAX_SAID_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let redirect = if (300..400).contains(&status) { ", and redirects are not followed" } else { "" };
    match said.trim() {
        "" => format!("it answered {status}{redirect}"),
        said => format!("it answered {status}{redirect}: {said}"),
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn wait(text: &str, now_ms: u64) -> Option<Duration> {
    let seconds = text.trim().parse().ok().or_else(|| {
        let form = format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
        let moment = PrimitiveDateTime::parse(text.trim(), form).ok()?.assume_utc();
        let now = OffsetDateTime::from_unix_timestamp(i64::try_from(now_ms / 1000).ok()?).ok()?;
        u64::try_from((moment - now).whole_seconds()).ok()
    })?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::samples::NOW;

    #[test]
    fn each_status_means_one_of_four_things() {
        let name = |status: u16| match judge(status, None, b"", NOW) {
            Reception::Taken | Reception::TakenPlainly { .. } => "taken",
            Reception::Later { .. } => "later",
            Reception::Refused { .. } => "refused",
            Reception::Closed { .. } => "closed",
        };
        let expected = [
            ("taken", &[200, 201, 202, 204, 299][..]),
            ("later", &[301, 302, 307, 401, 403, 404, 405, 408, 409, 425, 429, 500, 502, 503, 504, 100, 600]),
            ("refused", &[400, 413, 415, 422]),
            ("closed", &[410]),
        ];
        for (what, statuses) in expected {
            for status in statuses {
                assert_eq!(name(*status), what, "{status}");
            }
        }
    }

    #[test]
    fn a_receiver_may_ask_for_time_but_not_for_ever() {
        let asked = |text: &str| match judge(429, Some(text), b"", NOW) {
            Reception::Later { wait, .. } => wait.map(|wait| wait.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(asked("120"), Some(120));
        assert_eq!(asked(" 0 "), Some(0));
        assert_eq!(asked("Mon, 23 Nov 2026 09:02:00 GMT"), Some(120));
        assert_eq!(asked("99999999"), Some(3600));
        assert_eq!(asked("Fri, 31 Dec 2027 09:02:00 GMT"), Some(3600));
        for nonsense in ["", "soon", "-1", "1.5", "Mon, 23 Nov 2026 08:58:00 GMT", "99999999999999999999999999"] {
            assert_eq!(asked(nonsense), None, "{nonsense}");
        }
        assert_eq!(judge(500, Some("120"), b"", NOW), Reception::later(&"it answered 500"));
    }

    #[test]
    fn what_the_receiver_says_is_kept_on_one_line_and_short() {
        let said = format!("no\r\n\u{1b}[31m {}", "x".repeat(1000));
        let Reception::Refused { why } = judge(400, None, said.as_bytes(), NOW) else { panic!("refused") };
        assert!(why.starts_with("it answered 400: no") && why.chars().count() < 150 && !why.contains(char::is_control), "{why}");
        assert!(matches!(judge(302, None, b"", NOW), Reception::Later { why, .. } if why.contains("not followed")));
    }
}
