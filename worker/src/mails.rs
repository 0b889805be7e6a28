//! What mails say: a subject, a text, and the same as HTML. Ids and what the owner chose to tell; never a secret's name or value.

use askama::Template;
use keyvawlt_domain::notices::ExpiryNotice;
use time::OffsetDateTime;
use time::macros::format_description;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Of a label, this much stands in a subject line.
const MAX_LABEL_CHARS: usize = 80;
/// Enough of an id to find it among a person's own.
const SHORT_ID: usize = 8;

/// The words of one mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// The mail with a code.
pub(crate) fn email_code(code: &str, ttl_ms: u64) -> Result<Words, askama::Error> {
    let (first, last) = code.split_at_checked(4).unwrap_or((code, ""));
    let minutes = ttl_ms / 60_000;
    Ok(Words {
        // The code itself stays out of the line that lock screens show.
        subject: "Confirm your e-mail address for KeyVawlt".to_owned(),
        text: CodeText { first, last, minutes }.render()?,
        html: CodeHtml { first, last, minutes }.render()?,
    })
}

/// The mail about a secret that ends.
pub(crate) fn expiry(notice: &ExpiryNotice, now_ms: u64) -> Result<Words, askama::Error> {
    let what = match notice.label.as_deref().map(plain).filter(|label| !label.is_empty()) {
        Some(label) => label,
        None => format!("Secret {}", short(&notice.secret)),
    };
    let verb = if notice.expires_ms <= now_ms { "expired" } else { "expires" };
    let details = Details {
        what: &what,
        verb,
        when: &when(notice.expires_ms, now_ms),
        date: &date(notice.expires_ms),
        provider: notice.provider.as_deref().map(plain).filter(|provider| !provider.is_empty()),
        org: notice.org.to_string(),
        ns: notice.ns.to_string(),
        secret: notice.secret.to_string(),
        version: notice.version,
    };
    Ok(Words {
        subject: format!("{what} {verb} {}", details.when),
        text: ExpiryText { d: &details }.render()?,
        html: ExpiryHtml { d: &details }.render()?,
    })
}

struct Details<'a> {
    what: &'a str,
    verb: &'a str,
    when: &'a str,
    date: &'a str,
    provider: Option<String>,
    org: String,
    ns: String,
    secret: String,
    version: u64,
}

#[derive(Template)]
#[template(path = "email_code.txt")]
struct CodeText<'a> {
    first: &'a str,
    last: &'a str,
    minutes: u64,
}

#[derive(Template)]
#[template(path = "email_code.html")]
struct CodeHtml<'a> {
    first: &'a str,
    last: &'a str,
    minutes: u64,
}

#[derive(Template)]
#[template(path = "expiry.txt")]
struct ExpiryText<'a> {
    d: &'a Details<'a>,
}

#[derive(Template)]
#[template(path = "expiry.html")]
struct ExpiryHtml<'a> {
    d: &'a Details<'a>,
}

fn short(id: &impl ToString) -> String {
    id.to_string().chars().take(SHORT_ID).collect()
}

/// One line without control characters and without marks that reorder what is read.
fn plain(text: &str) -> String {
    let reorders = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).filter(|c| !reorders(*c)).collect();
    line.trim().chars().take(MAX_LABEL_CHARS).collect()
}

fn when(expires_ms: u64, now_ms: u64) -> String {
    let days = |ms: u64| match ms.div_ceil(DAY_MS) {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    match expires_ms.checked_sub(now_ms).filter(|left| *left > 0) {
        Some(left) if left <= DAY_MS => "within a day".to_owned(),
        Some(left) => format!("in {}", days(left)),
        None if now_ms - expires_ms < DAY_MS => "less than a day ago".to_owned(),
        None => format!("{} ago", days((now_ms - expires_ms) / DAY_MS * DAY_MS)),
    }
}

fn date(ms: u64) -> String {
    let form = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|moment| moment.format(&form).ok())
        .unwrap_or_else(|| "a date beyond calendars".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_domain::jobs::{NsId, OrgId, SecretId};

    /// 23 November 2026, 09:00 UTC.
    const NOW: u64 = 1_795_424_400_000;

    fn notice(label: Option<&str>, expires_ms: u64) -> ExpiryNotice {
        ExpiryNotice {
            email: "ada@example.com".to_owned(),
            org: OrgId([0xa1; 32]),
            ns: NsId([0xb2; 16]),
            secret: SecretId([0xc3; 16]),
            version: 3,
            expires_ms,
            label: label.map(ToOwned::to_owned),
            provider: label.map(|_| "stripe <live>".to_owned()),
        }
    }

    fn shown(words: &Words) -> String {
        format!("Subject: {}\n\n{}\n---- html\n{}", words.subject, words.text, words.html)
    }

    #[test]
    fn the_mail_of_a_labelled_secret() {
        let words = expiry(&notice(Some("Stripe <b>live</b> & co\r\nBcc: eve@example.com"), NOW + 7 * DAY_MS), NOW);
        insta::assert_snapshot!("expiry_labelled", shown(&words.unwrap()));
    }

    #[test]
    fn the_mail_of_a_secret_without_a_label_that_has_ended() {
        let words = expiry(&notice(None, NOW - 2 * DAY_MS), NOW);
        insta::assert_snapshot!("expiry_passed", shown(&words.unwrap()));
    }

    #[test]
    fn the_mail_with_a_code() {
        insta::assert_snapshot!("email_code", shown(&email_code("01234567", 30 * 60_000).unwrap()));
    }

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
        for (expires, words) in said {
            assert_eq!(when(expires, NOW), words);
        }
    }
}
