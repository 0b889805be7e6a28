//! Secrets to rotate, as people and programs read them: who could read them, what is on record, whose they are, until when.
//!
//! Invariant: what the server says (deliveries) is told as its word, apart from what is verified.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use keyvawlt_client::ledger::IdentityId;
use keyvawlt_client::ledger::chain::LossReason;
use keyvawlt_client::{Delivery, LostBy, RotateItem, Vault};
use serde::Serialize;

use crate::duration::{display_ms, distance};
use crate::failure::Outcome;
use crate::output::printable;

/// A secret to rotate.
#[derive(Serialize)]
pub struct WorkItem {
    /// `project/environment`.
    pub environment: String,
    /// Its full name.
    pub secret: String,
    /// Its id, for what has no name that opens.
    pub id: String,
    /// The newest version, which was readable.
    pub version: u64,
    /// When that was written.
    pub written: String,
    /// Who is responsible, as the verified facts say.
    pub owner: Option<String>,
    /// Whose API it opens.
    pub provider: Option<String>,
    /// Until when it is to be replaced.
    pub due: Option<String>,
    /// Where that is from: `agreed`, `expires` or `rotation`.
    pub due_from: Option<&'static str>,
    /// Who replaces it.
    pub assignee: Option<String>,
    /// What else was agreed on.
    pub note: Option<String>,
    /// Who could read it.
    pub because_of: Vec<String>,
    /// The same, with when, why and what is on record.
    pub lost_by: Vec<Reader>,
    #[serde(skip)]
    written_ms: u64,
    #[serde(skip)]
    due_ms: Option<u64>,
}

/// Somebody who could read a secret.
#[derive(Serialize)]
pub struct Reader {
    /// The identity.
    pub id: String,
    /// The name.
    pub name: String,
    /// When access was lost.
    pub at: String,
    /// Why, in one word.
    pub why: &'static str,
    /// What the server says it delivered; nothing where it was not asked.
    pub fetched: Option<Fetched>,
}

/// What the server says it delivered.
#[derive(Serialize)]
pub struct Fetched {
    /// `delivered`, `environment_read`, `written` or `not_on_record`.
    pub how: &'static str,
    /// When, at last.
    pub at: Option<String>,
    #[serde(skip)]
    at_ms: u64,
}

/// What is to be rotated, with names for everybody; what was surely delivered comes first, then by place.
pub fn items(list: &[RotateItem], vault: &Vault) -> Outcome<Vec<WorkItem>> {
    let names = vault.display_names()?;
    let mut items: Vec<WorkItem> = list.iter().map(|item| WorkItem::of(item, &names)).collect();
    items.sort_by(|a, b| (a.rank(), &a.environment, &a.secret).cmp(&(b.rank(), &b.environment, &b.secret)));
    Ok(items)
}

impl WorkItem {
    fn of(item: &RotateItem, names: &BTreeMap<IdentityId, String>) -> Self {
        let name = |id: &IdentityId| names.get(id).cloned().unwrap_or_else(|| id.to_string());
        let facts = item.facts.as_ref();
        let owner = facts.and_then(|facts| facts.owner.as_ref()).map(|owner| owner.parse().map_or_else(|_| owner.clone(), |id| name(&id)));
        let expires = facts.and_then(|facts| facts.expires_ms).map(|at| ("expires", at));
        let rotation = facts.and_then(|facts| facts.rotate_every_ms).map(|every| ("rotation", item.written_ms.saturating_add(every)));
        let agreed = item.duty.due_ms.map(|at| ("agreed", at));
        let due = agreed.or_else(|| expires.into_iter().chain(rotation).min_by_key(|(_, at)| *at));
        let mut because_of: Vec<String> = Vec::new();
        for lost in &item.lost_by {
            if !because_of.contains(&lost.name) {
                because_of.push(lost.name.clone());
            }
        }
        Self {
            environment: format!("{}/{}", item.project, item.environment),
            secret: item.name.clone(),
            id: item.secret_id.to_string(),
            version: item.version,
            written: display_ms(item.written_ms),
            owner,
            provider: facts.and_then(|facts| facts.provider.clone()),
            due: due.map(|(_, at)| display_ms(at)),
            due_from: due.map(|(from, _)| from),
            assignee: item.duty.assignee.as_ref().map(name),
            note: Some(item.duty.note.clone()).filter(|note| !note.is_empty()),
            because_of,
            lost_by: item.lost_by.iter().map(Reader::of).collect(),
            written_ms: item.written_ms,
            due_ms: due.map(|(_, at)| at),
        }
    }

    /// What went out, or is the leaver's own, is most urgent.
    fn rank(&self) -> u8 {
        self.lost_by.iter().filter_map(|reader| reader.fetched.as_ref()).map(Fetched::rank).min().unwrap_or(NOT_ON_RECORD)
    }

    /// A row of a table: place, version, age, whose it is, until when.
    pub fn cells(&self, now_ms: u64) -> Vec<String> {
        let dash = |text: Option<&String>| text.cloned().unwrap_or_else(|| "-".to_owned());
        let due = self.due_ms.map_or_else(|| "-".to_owned(), |at| distance(at, now_ms));
        vec![
            self.environment.clone(),
            self.secret.clone(),
            self.version.to_string(),
            distance(self.written_ms, now_ms),
            dash(self.owner.as_ref()),
            dash(self.provider.as_ref()),
            due,
        ]
    }

    /// What is on record of the deliveries, in words.
    pub fn fetched(&self, now_ms: u64) -> String {
        let told = |reader: &Reader| {
            let text = reader.fetched.as_ref().map_or_else(|| "not asked".to_owned(), |fetched| fetched.text(now_ms));
            if self.lost_by.len() > 1 { format!("{}: {text}", reader.name) } else { text }
        };
        self.lost_by.iter().map(told).collect::<Vec<_>>().join("; ")
    }
}

/// The headings of [`WorkItem::cells`].
pub const COLUMNS: [&str; 7] = ["environment", "secret", "version", "written", "owner", "provider", "due"];

impl Reader {
    fn of(lost: &LostBy) -> Self {
        Self {
            id: lost.who.to_string(),
            name: lost.name.clone(),
            at: display_ms(lost.at_ms),
            why: reason_word(lost.reason),
            fetched: lost.delivery.map(Fetched::of),
        }
    }
}

/// The rank of a secret of which no delivery is on record.
const NOT_ON_RECORD: u8 = 2;

impl Fetched {
    fn of(delivery: Delivery) -> Self {
        let (how, at_ms) = match delivery {
            Delivery::Secret(at) => ("delivered", at),
            Delivery::Environment(at) => ("environment_read", at),
            Delivery::Written(at) => ("written", at),
            Delivery::NotOnRecord => ("not_on_record", 0),
        };
        Self { how, at: (at_ms != 0).then(|| display_ms(at_ms)), at_ms }
    }

    fn rank(&self) -> u8 {
        match self.how {
            "delivered" | "written" => 0,
            "environment_read" => 1,
            _ => NOT_ON_RECORD,
        }
    }

    fn text(&self, now_ms: u64) -> String {
        match self.how {
            "delivered" => format!("delivered, last {}", distance(self.at_ms, now_ms)),
            "environment_read" => format!("read the environment, last {}", distance(self.at_ms, now_ms)),
            "written" => format!("wrote it {}", distance(self.at_ms, now_ms)),
            _ => "not on record".to_owned(),
        }
    }
}

/// Why somebody reads no longer, in one word.
pub fn reason_word(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Removed => "removed",
        LossReason::Left => "left",
        LossReason::KeysReset => "keys_reset",
        LossReason::KeysLeaked => "keys_leaked",
        LossReason::Taken => "access_taken",
        LossReason::Lapsed => "ended",
    }
}

/// A table of secrets to rotate, in Markdown.
pub fn markdown(items: &[WorkItem], now_ms: u64) -> String {
    let mut text =
        String::from("| environment | secret | version | written | owner | provider | due | assigned | was readable by | on record |\n");
    text.push_str("|---|---|---:|---|---|---|---|---|---|---|\n");
    for item in items {
        let or_dash = |text: Option<&String>| text.map_or_else(|| "-".to_owned(), |text| cell(text));
        let readers = item.lost_by.iter().map(|reader| format!("{} ({}, {})", reader.name, reader.why.replace('_', " "), reader.at));
        let readers = readers.collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            cell(&item.environment),
            cell(&item.secret),
            item.version,
            item.written,
            or_dash(item.owner.as_ref()),
            or_dash(item.provider.as_ref()),
            or_dash(item.due.as_ref()),
            or_dash(item.assignee.as_ref()),
            cell(&readers),
            cell(&item.fetched(now_ms)),
        );
    }
    text
}

/// Text that other people chose, as one cell: it forges neither cells nor rows nor markup.
pub fn cell(text: &str) -> String {
    let mut cell = String::with_capacity(text.len());
    for character in printable(text).replace('\n', "\\n").chars() {
        match character {
            '<' => cell.push_str("&lt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' => {
                cell.push('\\');
                cell.push(character);
            }
            character => cell.push(character),
        }
    }
    cell
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_client::Duty;
    use keyvawlt_client::ledger::facts::Facts;
    use keyvawlt_client::ledger::{NsId, SecretId};

    const DAY: u64 = 24 * 3600 * 1000;

    fn lost(who: u8, delivery: Delivery) -> LostBy {
        LostBy {
            who: IdentityId([who; 16]),
            name: format!("p{who}"),
            at_ms: 9 * DAY,
            reason: LossReason::Removed,
            delivery: Some(delivery),
        }
    }

    fn item(name: &str, lost_by: Vec<LostBy>) -> RotateItem {
        RotateItem {
            project: "payments".to_owned(),
            environment: "production".to_owned(),
            name: name.to_owned(),
            ns_id: NsId([1; 16]),
            secret_id: SecretId([2; 16]),
            version: 3,
            written_ms: DAY,
            author: IdentityId([1; 16]),
            facts: None,
            lay_in: vec![],
            lost_by,
            duty: Duty::default(),
        }
    }

    #[test]
    fn dates_come_from_what_was_agreed_on_and_else_from_the_earliest_fact() {
        let facts = Facts {
            salt: [0; 16],
            expires_ms: Some(50 * DAY),
            rotate_every_ms: Some(30 * DAY),
            grace_ms: None,
            label: None,
            provider: Some("stripe".to_owned()),
            owner: Some(IdentityId([7; 16]).to_string()),
            monitor: None,
        };
        let names = BTreeMap::from([(IdentityId([7; 16]), "Eve".to_owned())]);
        let mut secret = RotateItem { facts: Some(facts), ..item("a", vec![lost(1, Delivery::NotOnRecord)]) };
        let shown = WorkItem::of(&secret, &names);
        assert_eq!((shown.owner.as_deref(), shown.due_from, shown.due_ms), (Some("Eve"), Some("rotation"), Some(31 * DAY)));
        secret.duty.due_ms = Some(70 * DAY);
        assert_eq!(WorkItem::of(&secret, &names).due_from, Some("agreed"));
    }

    #[test]
    fn the_report_says_what_is_on_record_and_cannot_be_forged() {
        let readers = vec![lost(1, Delivery::Secret(8 * DAY)), lost(2, Delivery::Environment(8 * DAY)), lost(3, Delivery::NotOnRecord)];
        let shown = WorkItem::of(&item("a|b\n`<script>", readers), &BTreeMap::new());
        let text = markdown(&[shown], 10 * DAY);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains(r"a\|b\\n\`&lt;script>"), "{text}");
        assert!(text.contains("p1: delivered, last 2 d ago; p2: read the environment, last 2 d ago; p3: not on record"), "{text}");
    }
}
