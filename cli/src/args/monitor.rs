//! Arguments of `keyvawlt monitor`: what the server looks at, in words that people write.
//!
//! Each is read here, so that a mistake is told at its argument, before anything is sent.

use std::fmt;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use keyvawlt_client::monitors::{HeaderRule, StatusRange, Weekly};

use crate::duration::{Length, Moment};

const MINUTES_PER_HOUR: u32 = 60;
/// Days as they are written, Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// `keyvawlt monitor`
#[derive(Debug, Subcommand)]
pub enum Monitor {
    /// Have the server look at a URL; it is told name, URL and rules in clear
    Add(Box<Add>),
    /// Change what is looked at, and how; what is not said stays, and it is looked at anew
    Set(Box<Set>),
    /// List monitors, and how they stand
    List,
    /// Show one, how it stood, and its incidents
    Show {
        /// Name, or the beginning of the id
        monitor: String,
    },
    /// Stop looking
    Pause {
        /// Name, or the beginning of the id
        monitor: String,
    },
    /// Look again
    Resume {
        /// Name, or the beginning of the id
        monitor: String,
    },
    /// Remove one, with all that is known of it
    Remove {
        /// Name, or the beginning of the id
        monitor: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// List the times in which monitors were down or flapping, newest first
    Incidents {
        /// Only of this one: name, or the beginning of the id
        monitor: Option<String>,
        /// Only those that are not over
        #[arg(long)]
        open: bool,
    },
    /// Take an incident on, so that nobody is reminded of it
    Ack {
        /// The beginning of its id
        incident: String,
    },
    /// Times in which failures are expected
    #[command(subcommand)]
    Maintenance(Maintenance),
}

/// `keyvawlt monitor add`
#[derive(Debug, Args)]
pub struct Add {
    /// What to call it
    pub name: String,
    /// What to look at: https or http, without user and password
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, required_unless_present = "provider")]
    pub url: Option<WebUrl>,
    /// Take URL and expected statuses from the catalogue's entry of this provider
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
    /// It belongs to the organization, not to the environment; for owners and admins
    #[arg(long)]
    pub for_all: bool,
    /// How to ask
    #[arg(long, value_name = "METHOD", default_value = "GET", value_parser = ["GET", "HEAD", "OPTIONS"])]
    pub method: String,
    /// The statuses that are as expected, such as 200-299,401
    #[arg(long, value_name = "STATUSES")]
    pub expect: Option<Expected>,
    /// A header that must be there, such as content-type or 'content-type: json'
    #[arg(long = "header", value_name = "RULE")]
    pub headers: Vec<Header>,
    /// A text that the beginning of the answer's body must contain
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,
    /// A text that it must not contain
    #[arg(long, value_name = "TEXT", conflicts_with = "body")]
    pub body_without: Option<String>,
    /// How often to look: 30s to 24h
    #[arg(long, value_name = "LENGTH", default_value = "60s")]
    pub interval: Length,
    /// How long a look may take: 1s to 30s
    #[arg(long, value_name = "LENGTH", default_value = "10s")]
    pub timeout: Length,
    /// The milliseconds above which the service counts as slow
    #[arg(long, value_name = "MS")]
    pub slow: Option<u64>,
}

/// `keyvawlt monitor set`
#[derive(Debug, Args)]
pub struct Set {
    /// Name, or the beginning of the id
    pub monitor: String,
    /// What to call it from now on
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// What to look at: https or http, without user and password
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub url: Option<WebUrl>,
    /// How to ask
    #[arg(long, value_name = "METHOD", value_parser = ["GET", "HEAD", "OPTIONS"])]
    pub method: Option<String>,
    /// The statuses that are as expected, such as 200-299,401
    #[arg(long, value_name = "STATUSES")]
    pub expect: Option<Expected>,
    /// A header that must be there, in place of all that had to be; may be repeated
    #[arg(long = "header", value_name = "RULE")]
    pub headers: Vec<Header>,
    /// A text that the beginning of the answer's body must contain
    #[arg(long, value_name = "TEXT")]
    pub body: Option<String>,
    /// A text that it must not contain
    #[arg(long, value_name = "TEXT", conflicts_with = "body")]
    pub body_without: Option<String>,
    /// How often to look: 30s to 24h
    #[arg(long, value_name = "LENGTH")]
    pub interval: Option<Length>,
    /// How long a look may take: 1s to 30s
    #[arg(long, value_name = "LENGTH")]
    pub timeout: Option<Length>,
    /// The milliseconds above which the service counts as slow
    #[arg(long, value_name = "MS")]
    pub slow: Option<u64>,
    /// Take rules back; may be repeated
    #[arg(long, value_enum, value_name = "RULE", value_delimiter = ',')]
    pub without: Vec<Rule>,
}

/// A rule that can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Rule {
    /// All headers.
    Headers,
    /// The text of the body.
    Body,
    /// The limit of slowness.
    Slow,
}

/// `keyvawlt monitor maintenance`
#[derive(Debug, Subcommand)]
pub enum Maintenance {
    /// Expect failures, once or every week
    Add(Box<AddMaintenance>),
    /// List those that are not over
    List,
    /// Remove one
    Remove {
        /// The beginning of its id
        maintenance: String,
    },
}

/// `keyvawlt monitor maintenance add`
#[derive(Debug, Args)]
pub struct AddMaintenance {
    /// Why
    pub reason: String,
    /// Of this monitor: name, or the beginning of the id. Without it, of all of the environment
    #[arg(long, value_name = "NAME")]
    pub monitor: Option<String>,
    /// Of all monitors of the organization; for owners and admins
    #[arg(long, conflicts_with = "monitor")]
    pub for_all: bool,
    /// Once: when it begins; now, if left out
    #[arg(long, value_name = "WHEN", conflicts_with = "weekly")]
    pub from: Option<Moment>,
    /// Once: when it ends
    #[arg(long, value_name = "WHEN", required_unless_present = "weekly", conflicts_with = "weekly")]
    pub to: Option<Moment>,
    /// Every week: on these days, such as sat,sun
    #[arg(long, value_name = "DAYS", requires_all = ["at", "during"])]
    pub weekly: Option<Days>,
    /// Every week: when it begins, such as 02:30
    #[arg(long, value_name = "TIME", requires = "weekly")]
    pub at: Option<TimeOfDay>,
    /// Every week: how long it takes, at most 24h
    #[arg(long = "for", value_name = "LENGTH", id = "during", requires = "weekly")]
    pub during: Option<Length>,
    /// Every week: by the clocks of this time zone, such as Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", requires = "weekly")]
    pub zone: String,
}

/// Why an argument is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not a URL that can be looked at.
    #[error("expected a URL such as https://status.example.com/health")]
    Url,
    /// A log-in in the URL.
    #[error("a URL must not carry a user or a password: the server keeps it in clear")]
    Credentials,
    /// Not statuses.
    #[error("expected statuses between 100 and 599 such as 200-299,401; {0:?} is none")]
    Status(String),
    /// Not a header rule.
    #[error("expected a header such as content-type, or with a text to find: 'content-type: json'")]
    Header,
    /// Not days.
    #[error("expected days such as mon,tue or sat; {0:?} is none")]
    Day(String),
    /// Not a time of day.
    #[error("expected a time of day such as 02:30")]
    Time,
}

/// A URL whose form is that of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebUrl(pub String);

impl FromStr for WebUrl {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(Malformed::Url)?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(Malformed::Credentials);
        }
        if authority.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Malformed::Url);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Ranges of statuses.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected(pub Vec<StatusRange>);

impl FromStr for Expected {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let one = |part: &str| {
            let wrong = || Malformed::Status(part.to_owned());
            let status = |text: &str| text.parse::<u32>().ok().filter(|status| (100..=599).contains(status)).ok_or_else(wrong);
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (status(from)?, status(to)?);
            if from <= to { Ok(StatusRange { from, to }) } else { Err(wrong()) }
        };
        text.split(',').map(str::trim).map(one).collect::<Result<_, _>>().map(Self)
    }
}

/// Statuses as [`Expected`] reads them.
pub fn display_statuses(statuses: &[StatusRange]) -> String {
    let one = |range: &StatusRange| if range.from == range.to { range.from.to_string() } else { format!("{}-{}", range.from, range.to) };
    statuses.iter().map(one).collect::<Vec<_>>().join(",")
}

/// A header that must be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Header(pub HeaderRule);

impl FromStr for Header {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (name, contains) = text.split_once(':').unwrap_or((text, ""));
        let name = name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(Malformed::Header);
        }
        Ok(Self(HeaderRule { name: name.to_ascii_lowercase(), contains: contains.trim().to_owned() }))
    }
}

/// Days of a week: bit 0 is Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(pub u32);

impl FromStr for Days {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bit = |day: &str| {
            let at = DAYS.iter().position(|name| day.eq_ignore_ascii_case(name)).ok_or_else(|| Malformed::Day(day.to_owned()))?;
            Ok(1 << at)
        };
        text.split(',').map(str::trim).map(bit).try_fold(0, |days, bit| Ok(days | bit?)).map(Self)
    }
}

/// A minute of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay(pub u32);

impl FromStr for TimeOfDay {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let part = |text: &str, most: u32| text.parse::<u32>().ok().filter(|number| text.len() == 2 && *number < most);
        let (hour, minute) = text.split_once(':').ok_or(Malformed::Time)?;
        match (part(hour, 24), part(minute, MINUTES_PER_HOUR)) {
            (Some(hour), Some(minute)) => Ok(Self(hour * MINUTES_PER_HOUR + minute)),
            _ => Err(Malformed::Time),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / MINUTES_PER_HOUR, self.0 % MINUTES_PER_HOUR)
    }
}

/// What is weekly, as people write it.
pub fn display_weekly(weekly: &Weekly) -> String {
    let days: Vec<&str> = DAYS.iter().zip(0..).filter(|(_, bit)| weekly.days & (1 << bit) != 0).map(|(day, _)| *day).collect();
    let long = crate::duration::display_length(u64::from(weekly.minutes) * 60_000);
    format!("{} at {} for {long}, {}", days.join(","), TimeOfDay(weekly.minute), weekly.zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_numbers_and_ranges() {
        let read = |text: &str| text.parse::<Expected>().map(|expected| display_statuses(&expected.0));
        for text in ["200", "200-299,401", "100-599"] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
        assert_eq!(read("200, 204").as_deref(), Ok("200,204"));
        for text in ["", "2xx", "99", "600", "299-200", "200-", "-200", "200,,204"] {
            assert!(matches!(read(text), Err(Malformed::Status(_))), "{text}");
        }
    }

    #[test]
    fn urls_are_of_the_web_and_carry_no_log_in() {
        for text in ["https://a.example", "http://127.0.0.1:8080/x?y=a@b", "https://[::1]/"] {
            assert_eq!(text.parse(), Ok(WebUrl(text.to_owned())));
        }
        for text in ["", "a.example", "ftp://a.example", "https://", "https:///x", "https://a.example/ b", "https://a\n.example"] {
            assert_eq!(text.parse::<WebUrl>(), Err(Malformed::Url), "{text}");
        }
        assert_eq!("https://ada:pw@a.example/".parse::<WebUrl>(), Err(Malformed::Credentials));
    }

    #[test]
    fn days_and_times_are_read_back_as_they_are_shown() {
        let (Ok(Days(days)), Ok(TimeOfDay(minute))) = ("sat,Mon".parse(), "02:30".parse()) else { panic!("days and a time") };
        let weekly = Weekly { days, minute, minutes: 90, zone: "Europe/Berlin".to_owned() };
        assert_eq!(display_weekly(&weekly), "mon,sat at 02:30 for 1h30m, Europe/Berlin");
        for text in ["", "monday", "mon,"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
        for text in ["", "2:30", "24:00", "02:60", "0230", "02:3x"] {
            assert_eq!(text.parse::<TimeOfDay>(), Err(Malformed::Time), "{text}");
        }
    }

    #[test]
    fn headers_have_a_name_and_perhaps_a_text() {
        let read = |text: &str| text.parse::<Header>().map(|Header(rule)| (rule.name, rule.contains));
        assert_eq!(read("Content-Type: json"), Ok(("content-type".to_owned(), "json".to_owned())));
        assert_eq!(read("x-ok"), Ok(("x-ok".to_owned(), String::new())));
        assert_eq!(read(": x"), Err(Malformed::Header));
    }
}
