//! Facts: what the owner of a secret chooses to tell the server in clear, so that it can remind people.

use crate::change::{Change, NewObject};
use crate::error::{Error, Result};
use crate::random;
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_ledger::NsId;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::permission;
use keyvawlt_ledger::facts::{self, Facts};
use keyvawlt_ledger::manifest::{Leaf, ObjectKind, object_hash};

/// Facts to tell the server; it and its mails can read them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactsInput {
    /// When the key stops working, epoch milliseconds.
    pub expires_ms: Option<u64>,
    /// How often it should be replaced, milliseconds.
    pub rotate_every_ms: Option<u64>,
    /// What mails may call it.
    pub label: Option<String>,
    /// Whose API it opens.
    pub provider: Option<String>,
    /// Who is responsible.
    pub owner: Option<String>,
}

impl Vault {
    /// Tells the server something else about a secret's newest version: a moved date, another label. The value stays as it is.
    /// The date is as told here, none included; the other facts keep what is not told, and no facts at all end them.
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
    let data = facts_object(Some(told), before.as_ref())?;
    let mseq = change.space(&home)?.tip.mseq + 1;
    let leaf = Leaf { mseq, facts_hash: object_hash(ObjectKind::Facts, &data), ..found.leaf.clone() };
    let object = NewObject { secret_id: leaf.secret_id, version: leaf.version, kind: ObjectKind::Facts, data };
    change.write(home, vec![leaf], vec![object], vec![])
}

/// The facts of the next version: as told, else what still holds of the last ones.
pub(crate) fn facts_object(told: Option<&FactsInput>, before: Option<&Facts>) -> Result<Vec<u8>> {
    let next = match (told, before) {
        (Some(told), _) if *told == FactsInput::default() => None,
        (Some(told), before) => Some(Facts {
            salt: random::bytes(),
            expires_ms: told.expires_ms,
            rotate_every_ms: told.rotate_every_ms.or(before.and_then(|facts| facts.rotate_every_ms)),
            grace_ms: before.and_then(|facts| facts.grace_ms),
            label: told.label.clone().or_else(|| before.and_then(|facts| facts.label.clone())),
            provider: told.provider.clone().or_else(|| before.and_then(|facts| facts.provider.clone())),
            owner: told.owner.clone().or_else(|| before.and_then(|facts| facts.owner.clone())),
            monitor: before.and_then(|facts| facts.monitor.clone()),
        }),
        (None, Some(before)) => Some(Facts { salt: random::bytes(), expires_ms: None, ..before.clone() }),
        (None, None) => None,
    };
    let object = next.map_or_else(facts::none, |facts| facts.to_bytes());
    facts::read(&object).map_err(|fault| Error::invalid("facts", fault.why))?;
    Ok(object)
}
