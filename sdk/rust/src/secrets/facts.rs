//! Facts: what the owner of a secret chooses to tell the server in clear, so that it can remind people.
//!
//! A fact stays until another is told or it is taken back, also over new versions; only the expiry ends with the version it was told for.

use crate::change::{Change, NewObject};
use crate::error::{Error, Result};
use crate::random;
use crate::secrets::rules;
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_ledger::NsId;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::permission;
use keyvawlt_ledger::facts::{self, Facts};
use keyvawlt_ledger::manifest::{Leaf, ObjectKind, object_hash};

/// The longest grace: a key that is still used a year after it was replaced was never replaced.
pub const MAX_GRACE_MS: u64 = 366 * DAY_MS;
/// The shortest time between rotations: what changes more often than the hourly sweep looks is not reminded of, but issued by a program.
pub const MIN_ROTATE_EVERY_MS: u64 = 60 * 60 * 1000;
/// The longest time between rotations: after ten years nobody remembers what was meant.
pub const MAX_ROTATE_EVERY_MS: u64 = 3_660 * DAY_MS;
/// The end of the year 9999, beyond which calendars write no date.
const MAX_EXPIRES_MS: u64 = 253_402_300_799_999;
/// A label stands in the subject of a mail; more is a note, and belongs where it is sealed.
const MAX_LABEL_CHARS: usize = 200;
/// An identifier or a name.
const MAX_WORD_CHARS: usize = 128;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// One of the things that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// When the key stops working.
    Expires,
    /// How often it should be replaced.
    RotateEvery,
    /// How long the previous version stays valid.
    Grace,
    /// What mails may call it.
    Label,
    /// Whose API it opens.
    Provider,
    /// Who is responsible.
    Owner,
    /// Which monitor watches what it opens.
    Monitor,
}

impl Fact {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Expires, Self::RotateEvery, Self::Grace, Self::Label, Self::Provider, Self::Owner, Self::Monitor];
}

/// Facts to tell the server; it and its mails can read them. What is neither told nor taken back stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactsInput {
    /// When the key stops working, epoch milliseconds.
    pub expires_ms: Option<u64>,
    /// How often it should be replaced, milliseconds.
    pub rotate_every_ms: Option<u64>,
    /// How long the previous version stays valid, milliseconds; 0 for not at all.
    pub grace_ms: Option<u64>,
    /// What mails may call it.
    pub label: Option<String>,
    /// Whose API it opens.
    pub provider: Option<String>,
    /// Who is responsible: an identity id in hexadecimal, which the server can write to, or a name.
    pub owner: Option<String>,
    /// A monitor's identifier.
    pub monitor: Option<String>,
    /// What is taken back.
    pub without: Vec<Fact>,
}

impl FactsInput {
    /// Takes everything back.
    pub fn nothing() -> Self {
        Self { without: Fact::ALL.to_vec(), ..Self::default() }
    }

    /// The same facts, told again.
    pub fn of(facts: Facts) -> Self {
        let Facts { expires_ms, rotate_every_ms, grace_ms, label, provider, owner, monitor, .. } = facts;
        Self { expires_ms, rotate_every_ms, grace_ms, label, provider, owner, monitor, without: vec![] }
    }

    /// Names the first field that makes no sense, and says why.
    pub fn check(&self) -> Result<()> {
        let wrong = |field: &'static str, why: &str| Err(Error::invalid(field, why));
        if self.expires_ms.is_some_and(|at| at > MAX_EXPIRES_MS) {
            return wrong("expires", "a date after the year 9999");
        }
        if self.rotate_every_ms.is_some_and(|every| !(MIN_ROTATE_EVERY_MS..=MAX_ROTATE_EVERY_MS).contains(&every)) {
            return wrong("rotate-every", "at least an hour, at most ten years");
        }
        if self.grace_ms.is_some_and(|grace| grace > MAX_GRACE_MS) {
            return wrong("grace", "at most a year");
        }
        check_text("label", self.label.as_deref(), MAX_LABEL_CHARS)?;
        check_text("provider", self.provider.as_deref(), MAX_WORD_CHARS)?;
        check_text("owner", self.owner.as_deref(), MAX_WORD_CHARS)?;
        check_text("monitor", self.monitor.as_deref(), MAX_WORD_CHARS)
    }
}

fn check_text(field: &'static str, text: Option<&str>, max_chars: usize) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    if text.trim().is_empty() {
        return Err(Error::invalid(field, "it is empty"));
    }
    if text.chars().count() > max_chars {
        return Err(Error::invalid(field, format!("at most {max_chars} characters")));
    }
    // Mails and terminals show it.
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "it must be one line, without control characters"));
    }
    Ok(())
}

impl Vault {
    /// Tells the server something else about a secret's newest version: a moved date, another label. The value stays as it is.
    pub async fn set_facts(&mut self, environment: &NsId, name: &str, told: &FactsInput) -> Result<()> {
        self.change(|change| tell(change, environment, name, told)).await
    }
}

fn tell(change: &mut Change, environment: &NsId, name: &str, told: &FactsInput) -> Result<()> {
    let vault = change.vault();
    let index = vault.index(environment)?;
    let found = index.get_live(name)?;
    let home = found.space.tip.ns_id;
    if vault.permissions(&home, &vault.identity.id()) & permission::WRITE == 0 {
        return Err(Error::Forbidden);
    }
    change.settle(&home)?;
    let before = facts::read(&found.objects.facts).map_err(unverified)?;
    let after = next(Some(told), before.as_ref(), false)?;
    rules::require_expiry(vault, &home, before.as_ref().and_then(|facts| facts.expires_ms), &after)?;
    let data = object(&after)?;
    let mseq = change.space(&home)?.tip.mseq + 1;
    let leaf = Leaf { mseq, facts_hash: object_hash(ObjectKind::Facts, &data), ..found.leaf.clone() };
    let object = NewObject { secret_id: leaf.secret_id, version: leaf.version, kind: ObjectKind::Facts, data };
    change.write(home, vec![leaf], vec![object], vec![])
}

/// The facts after these were told: of the same version, or of a new one, which does not keep the expiry.
pub(crate) fn next(told: Option<&FactsInput>, before: Option<&Facts>, new_version: bool) -> Result<FactsInput> {
    let told = told.cloned().unwrap_or_default();
    // What another program told before is kept as it is.
    told.check()?;
    let kept = before.cloned().map(FactsInput::of).unwrap_or_default();
    let ends = |fact: Fact| told.without.contains(&fact) || (new_version && fact == Fact::Expires);
    let stays = |fact: Fact| !ends(fact);
    let next = FactsInput {
        expires_ms: told.expires_ms.or(kept.expires_ms.filter(|_| stays(Fact::Expires))),
        rotate_every_ms: told.rotate_every_ms.or(kept.rotate_every_ms.filter(|_| stays(Fact::RotateEvery))),
        grace_ms: told.grace_ms.or(kept.grace_ms.filter(|_| stays(Fact::Grace))),
        label: told.label.or(kept.label.filter(|_| !told.without.contains(&Fact::Label))),
        provider: told.provider.or(kept.provider.filter(|_| !told.without.contains(&Fact::Provider))),
        owner: told.owner.or(kept.owner.filter(|_| !told.without.contains(&Fact::Owner))),
        monitor: told.monitor.or(kept.monitor.filter(|_| !told.without.contains(&Fact::Monitor))),
        without: vec![],
    };
    let told_of_either = told.grace_ms.is_some() || told.rotate_every_ms.is_some();
    if told_of_either && next.grace_ms.zip(next.rotate_every_ms).is_some_and(|(grace, every)| grace > every) {
        return Err(Error::invalid("grace", "it must not be longer than the time between two rotations"));
    }
    Ok(next)
}

/// Facts as an object of the manifest.
pub(crate) fn object(next: &FactsInput) -> Result<Vec<u8>> {
    if *next == FactsInput::default() {
        return Ok(facts::none());
    }
    let FactsInput { expires_ms, rotate_every_ms, grace_ms, label, provider, owner, monitor, without: _ } = next.clone();
    let object = Facts { salt: random::bytes(), expires_ms, rotate_every_ms, grace_ms, label, provider, owner, monitor }.to_bytes();
    facts::read(&object).map_err(|fault| Error::invalid("facts", fault.why))?;
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> FactsInput {
        FactsInput {
            expires_ms: Some(1),
            rotate_every_ms: Some(30 * DAY_MS),
            grace_ms: Some(DAY_MS),
            label: Some("Stripe live".to_owned()),
            provider: Some("stripe".to_owned()),
            owner: Some("00".repeat(16)),
            monitor: Some("m".to_owned()),
            without: vec![],
        }
    }

    fn facts(told: &FactsInput) -> Option<Facts> {
        facts::read(&object(told).unwrap()).unwrap()
    }

    #[test]
    fn a_new_version_keeps_all_facts_but_the_expiry() {
        let before = facts(&all());
        let kept = next(None, before.as_ref(), true).unwrap();
        assert_eq!(kept, FactsInput { expires_ms: None, ..all() });
        assert_eq!(next(None, before.as_ref(), false).unwrap(), all(), "and told of the same version, that one too");
        let told = FactsInput { expires_ms: Some(9), label: Some("other".to_owned()), ..FactsInput::default() };
        let next = next(Some(&told), before.as_ref(), true).unwrap();
        assert_eq!(next, FactsInput { expires_ms: Some(9), label: Some("other".to_owned()), ..all() });
    }

    #[test]
    fn each_fact_is_taken_back_alone() {
        let before = facts(&all());
        for fact in Fact::ALL {
            let after = next(Some(&FactsInput { without: vec![fact], ..FactsInput::default() }), before.as_ref(), false).unwrap();
            let gone = [
                after.expires_ms.is_none(),
                after.rotate_every_ms.is_none(),
                after.grace_ms.is_none(),
                after.label.is_none(),
                after.provider.is_none(),
                after.owner.is_none(),
                after.monitor.is_none(),
            ];
            assert_eq!(gone, Fact::ALL.map(|one| one == fact), "{fact:?}");
        }
        let nothing = next(Some(&FactsInput::nothing()), before.as_ref(), false).unwrap();
        assert_eq!(object(&nothing).unwrap(), facts::none());
        let moved = FactsInput { grace_ms: Some(0), without: vec![Fact::Grace], ..FactsInput::default() };
        assert_eq!(next(Some(&moved), before.as_ref(), false).unwrap().grace_ms, Some(0), "what is told anew is not taken back");
    }

    #[test]
    fn nonsense_names_its_field() {
        let long = |chars: usize| Some("x".repeat(chars));
        let cases: [(FactsInput, &str); 9] = [
            (FactsInput { expires_ms: Some(u64::MAX), ..FactsInput::default() }, "expires"),
            (FactsInput { rotate_every_ms: Some(MIN_ROTATE_EVERY_MS - 1), ..FactsInput::default() }, "rotate-every"),
            (FactsInput { rotate_every_ms: Some(u64::MAX), ..FactsInput::default() }, "rotate-every"),
            (FactsInput { grace_ms: Some(MAX_GRACE_MS + 1), ..FactsInput::default() }, "grace"),
            (FactsInput { grace_ms: Some(2 * DAY_MS), rotate_every_ms: Some(DAY_MS), ..FactsInput::default() }, "grace"),
            (FactsInput { label: long(MAX_LABEL_CHARS + 1), ..FactsInput::default() }, "label"),
            (FactsInput { provider: Some("a\nb".to_owned()), ..FactsInput::default() }, "provider"),
            (FactsInput { owner: Some(" ".to_owned()), ..FactsInput::default() }, "owner"),
            (FactsInput { monitor: long(MAX_WORD_CHARS + 1), ..FactsInput::default() }, "monitor"),
        ];
        for (told, named) in cases {
            match next(Some(&told), None, true) {
                Err(Error::Invalid { field, .. }) => assert_eq!(field, named),
                other => panic!("{named}: {other:?}"),
            }
        }
    }
}
