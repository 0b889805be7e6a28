//! What is due, as people and programs read it.
//!
//! Invariant: everything comes from verified facts; that the server reminds too is not relied upon.

use keyvawlt_client::ledger::IdentityId;
use keyvawlt_client::{Due, DueWhy};
use serde::Serialize;
use std::collections::BTreeMap;

use crate::duration::{display_ms, distance};
use crate::facts::owner_name;

/// How far ahead to look: long enough to get a new key from somebody who is on holiday.
pub const WITHIN_MS: u64 = 30 * DAY_MS;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// A secret that needs somebody.
#[derive(Clone, Debug, Serialize)]
pub struct DueItem {
    /// `project/environment`.
    pub environment: String,
    /// Its full name.
    pub secret: String,
    /// Its id, which is all that a mail may know of it.
    pub id: String,
    /// The present version.
    pub version: u64,
    /// What mails call it.
    pub label: Option<String>,
    /// Whose key it is.
    pub provider: Option<String>,
    /// Who is responsible.
    pub owner: Option<String>,
    /// `expired`, `expires`, `rotation`, `monitor_down`, `key_refused`, `work_owed` or `no_expiry`.
    pub why: &'static str,
    /// When it is, or was, to be done.
    pub at: Option<String>,
    /// In how many whole days; negative when that many have passed.
    pub days: Option<i64>,
    /// The same moment.
    #[serde(skip)]
    pub at_ms: Option<u64>,
    #[serde(skip)]
    owner_id: Option<IdentityId>,
}

impl DueItem {
    /// As the library says it.
    pub fn of(due: &Due, names: &BTreeMap<IdentityId, String>, now_ms: u64) -> Self {
        let facts = due.facts.as_ref();
        let owner = facts.and_then(|facts| facts.owner.as_deref());
        Self {
            environment: format!("{}/{}", due.project, due.environment),
            secret: due.name.clone(),
            id: due.secret_id.to_string(),
            version: due.version,
            label: facts.and_then(|facts| facts.label.clone()),
            provider: facts.and_then(|facts| facts.provider.clone()),
            owner: owner.map(|owner| owner_name(owner, names)),
            why: match due.why {
                DueWhy::Expired => "expired",
                DueWhy::Expires => "expires",
                DueWhy::Rotation => "rotation",
                DueWhy::MonitorDown => "monitor_down",
                DueWhy::KeyRefused => "key_refused",
                DueWhy::WorkOwed => "work_owed",
                DueWhy::NoExpiry => "no_expiry",
            },
            at: due.at_ms.map(display_ms),
            days: due.at_ms.map(|at_ms| days(at_ms, now_ms)),
            at_ms: due.at_ms,
            owner_id: owner.and_then(|owner| owner.parse().ok()),
        }
    }

    /// Whether it is somebody's.
    pub fn is_of(&self, who: &IdentityId) -> bool {
        self.owner_id.as_ref() == Some(who)
    }

    /// What there is to do, and when, in words.
    pub fn words(&self, now_ms: u64) -> String {
        let when = self.at_ms.map(|at_ms| distance(at_ms, now_ms)).unwrap_or_default();
        let over = self.at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        match self.why {
            "expired" => format!("has expired, {when}"),
            "expires" => format!("expires {when}"),
            "rotation" if over => format!("was to be rotated {when}"),
            "rotation" => format!("is to be rotated {when}"),
            "monitor_down" | "key_refused" => format!("is replaced, {}", trouble(self.why == "key_refused", &when)),
            "work_owed" if over => format!("is to be replaced since {when}: somebody who could read it lost access"),
            "work_owed" => format!("is to be replaced {when}: somebody who could read it lost access"),
            _ => "has no expiry".to_owned(),
        }
    }
}

/// What is wrong with a new version, and since when.
pub fn trouble(is_refused: bool, when: &str) -> String {
    if is_refused { format!("but its provider refuses the new key since {when}") } else { format!("but its monitor is down since {when}") }
}

fn days(at_ms: u64, now_ms: u64) -> i64 {
    let whole = i64::try_from(at_ms.abs_diff(now_ms) / DAY_MS).unwrap_or(i64::MAX);
    if at_ms < now_ms { -whole } else { whole }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_client::ledger::facts::Facts;
    use keyvawlt_client::ledger::{NsId, SecretId};

    const NOW: u64 = 100 * DAY_MS;

    fn item(why: DueWhy, at_ms: Option<u64>) -> DueItem {
        let facts = Facts {
            salt: [0; 16],
            expires_ms: None,
            rotate_every_ms: None,
            grace_ms: None,
            label: Some("Stripe live".to_owned()),
            provider: None,
            owner: Some(IdentityId([7; 16]).to_string()),
            monitor: None,
        };
        let due = Due {
            project: "payments".to_owned(),
            environment: "production".to_owned(),
            ns_id: NsId([1; 16]),
            secret_id: SecretId([2; 16]),
            name: "stripe/key".to_owned(),
            version: 3,
            why,
            at_ms,
            facts: Some(facts),
        };
        DueItem::of(&due, &BTreeMap::from([(IdentityId([7; 16]), "Eve".to_owned())]), NOW)
    }

    #[test]
    fn what_is_due_is_said_as_people_say_it() {
        let cases = [
            (DueWhy::Expired, Some(NOW - 3 * DAY_MS), "has expired, 3 d ago", Some(-3)),
            (DueWhy::Expires, Some(NOW + 5 * DAY_MS), "expires in 5 d", Some(5)),
            (DueWhy::Rotation, Some(NOW + 5 * DAY_MS), "is to be rotated in 5 d", Some(5)),
            (DueWhy::Rotation, Some(NOW - 5 * DAY_MS), "was to be rotated 5 d ago", Some(-5)),
            (DueWhy::MonitorDown, Some(NOW - 2 * DAY_MS), "is replaced, but its monitor is down since 2 d ago", Some(-2)),
            (DueWhy::KeyRefused, Some(NOW - 2 * DAY_MS), "is replaced, but its provider refuses the new key since 2 d ago", Some(-2)),
            (DueWhy::WorkOwed, Some(NOW - 2 * DAY_MS), "is to be replaced since 2 d ago: somebody who could read it lost access", Some(-2)),
            (DueWhy::NoExpiry, None, "has no expiry", None),
        ];
        for (why, at_ms, words, days) in cases {
            let item = item(why, at_ms);
            assert_eq!((item.words(NOW).as_str(), item.days), (words, days));
        }
        let item = item(DueWhy::NoExpiry, None);
        assert_eq!(item.owner.as_deref(), Some("Eve"));
        assert!(item.is_of(&IdentityId([7; 16])) && !item.is_of(&IdentityId([8; 16])));
    }
}
