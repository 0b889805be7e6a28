//! Drafts: the next value of a secret, staged. A leaf of its own, which no name leads to; committing it is one link, which writes the secret's next
//! version and deletes the draft.

use crate::change::{Change, NewObject};
use crate::error::{Error, Result};
use crate::secrets::facts::FactsInput;
use crate::secrets::index::Found;
use crate::secrets::rotations::is_key;
use crate::secrets::rules::{self, Occasion};
use crate::secrets::{ByHome, Extra, Pasts, Secret, SecretWrite, deletions, seal_write, write_with};
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_ledger::chain::Questions;
use keyvawlt_ledger::manifest::{DRAFT, Leaf};
use keyvawlt_ledger::{Code, Fault, IdentityId, NsId, facts};

/// A staged value, as listed: the value is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftInfo {
    /// The name of the secret that it stages.
    pub name: String,
    /// When it was staged, epoch milliseconds; not known to a client that only listed the environment.
    pub updated_ms: Option<u64>,
    /// By whom, as far as that is known.
    pub author: Option<IdentityId>,
    /// Somebody who could read it may have lost access since: it is staged anew, not committed.
    pub outdated: bool,
}

impl Vault {
    /// What is staged in an environment, by name.
    pub fn drafts(&self, environment: &NsId) -> Result<Vec<DraftInfo>> {
        let mut drafts = Vec::new();
        for found in self.drafts_of(environment)? {
            let newest = found.space.versions(&found.leaf.secret_id).last();
            let outdated = self.is_outdated(&found)?;
            drafts.push(DraftInfo {
                name: found.name,
                updated_ms: newest.map(|row| row.ts_ms),
                author: newest.map(|row| row.author),
                outdated,
            });
        }
        drafts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(drafts)
    }

    /// Stages a value, or replaces what is staged under this name.
    pub async fn stage(&mut self, environment: &NsId, write: &SecretWrite) -> Result<()> {
        keyvawlt_ledger::names::check(&write.name).map_err(|fault| Error::invalid("name", fault.why))?;
        self.fetch_draft(environment, &write.name).await?;
        self.fetch(environment, [write.name.as_str()]).await?;
        self.change(|change| stage(change, environment, write)).await
    }

    /// Opens what is staged under a name.
    pub async fn read_draft(&mut self, environment: &NsId, name: &str) -> Result<Secret> {
        self.fetch_draft(environment, name).await?;
        let mut staged = self.open_found(&self.draft(environment, name)?)?;
        staged.tags.retain(|tag| !is_key(tag));
        Ok(staged)
    }

    /// Makes a staged value the secret's next version. Returns its number. Where the secret got another value after this one was staged, it is an
    /// [`Error::Conflict`]: staging it anew says that it is meant.
    pub async fn commit_draft(&mut self, environment: &NsId, name: &str) -> Result<u64> {
        self.fetch_draft(environment, name).await?;
        self.fetch(environment, [name]).await?;
        // Which of the two values is newer is told by the history alone.
        self.take_history(environment).await?;
        self.change(|change| commit(change, environment, name)).await
    }

    /// Deletes a staged value.
    pub async fn discard_draft(&mut self, environment: &NsId, name: &str) -> Result<()> {
        self.change(|change| {
            let found = change.vault().draft(environment, name)?;
            let home = found.space.tip.ns_id;
            change.vault().require_write(&home)?;
            let (leaves, objects) = deletions(change, &home, vec![found.leaf.clone()])?;
            change.write(home, leaves, objects, vec![])
        })
        .await
    }

    /// The live drafts of an environment and its guarded parts. One of which the name does not open is nobody's.
    pub(crate) fn drafts_of(&self, environment: &NsId) -> Result<Vec<Found<'_>>> {
        let mut drafts = Vec::new();
        for part in self.parts(environment, &mut Vec::new())? {
            let live = part.space.entries().filter(|(leaf, _)| leaf.is_draft() && !leaf.is_deleted());
            drafts.extend(live.filter_map(|(leaf, objects)| {
                let name = self.open_name(&part.ns_id, &part.prefix, leaf, objects).ok()?;
                Some(Found { name, leaf, objects, space: part.space, may_have_moved: false, took_over: false })
            }));
        }
        Ok(drafts)
    }

    /// The draft of a name; two that claim it are nobody's.
    pub(crate) fn draft(&self, environment: &NsId, name: &str) -> Result<Found<'_>> {
        let mut named: Vec<Found> = self.drafts_of(environment)?.into_iter().filter(|found| found.name == name).collect();
        match (named.pop(), named.is_empty()) {
            (None, _) => Err(Error::not_found("draft", name)),
            (Some(found), true) => Ok(found),
            (Some(_), false) => Err(unverified(Fault::new(Code::Name, format!("two drafts claim the name {name}")))),
        }
    }

    /// A new key since then says that somebody lost access, who may know the value.
    pub(crate) fn is_outdated(&self, found: &Found) -> Result<bool> {
        let (state, ns_id) = (self.replica.head(), found.space.tip.ns_id);
        Ok(found.leaf.epoch < state.known_ns(&ns_id).map_err(unverified)?.epoch || state.is_owed(&ns_id, self.now_ms()))
    }
}

pub(crate) fn stage(change: &mut Change, environment: &NsId, write: &SecretWrite) -> Result<()> {
    let vault = change.vault();
    let (home, prefix) = vault.home_of(environment, &write.name)?;
    vault.require_write(&home)?;
    // What could not be committed is not staged.
    rules::keep(change, environment, std::slice::from_ref(write), Occasion::NewValue)?;
    if write.facts.as_ref().is_some_and(|told| !told.without.is_empty()) {
        return Err(Error::invalid("facts", "a draft takes no facts back: say it of the secret itself"));
    }
    change.settle(&home)?;
    let index = vault.index(environment)?;
    let staged = index.before(&write.name)?.filter(|found| found.space.tip.ns_id == home && !found.leaf.is_deleted());
    let before = match vault.draft(environment, &write.name) {
        Ok(draft) if draft.space.tip.ns_id == home => Some(draft),
        Ok(_) | Err(Error::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    let mut write = write.clone();
    if let Some(present) = staged.filter(|_| before.is_none()).map(|found| vault.open_found(found)).transpose()? {
        // As with every new version, what is not said stays.
        write.note = write.note.or(Some(present.note));
        write.tags = write.tags.or(Some(present.tags));
    }
    let extra = Extra { from: None, draft_of: staged.map(|found| found.leaf.secret_id) };
    let (leaf, objects) = seal_write(change, &home, &prefix, &write, before.as_ref(), extra, 0)?;
    change.write(home, vec![Leaf { flags: DRAFT, ..leaf }], objects, vec![])
}

fn commit(change: &mut Change, environment: &NsId, name: &str) -> Result<u64> {
    let vault = change.vault();
    let draft = vault.draft(environment, name)?;
    let home = draft.space.tip.ns_id;
    vault.require_write(&home)?;
    change.settle(&home)?;
    if vault.is_outdated(&draft)? {
        let why = format!("somebody who could read the draft of {name} may have lost access since it was staged: stage a new value");
        return Err(Error::invalid("draft", why));
    }
    let payload = vault.open_payload(&draft)?;
    let index = vault.index(environment)?;
    let present = index.before(name)?.filter(|found| !found.leaf.is_deleted());
    if present.map(|found| found.leaf.secret_id) != payload.draft_of {
        return Err(Error::Conflict { why: format!("{name} is not the secret that the draft was staged for") });
    }
    draft.with_history()?;
    if let Some(present) = present.filter(|present| is_newer(present, &draft)) {
        let version = vault.number_of(present);
        let why = format!("{name} got another value, version {version}, after the draft was staged: give the draft up, or stage it anew");
        return Err(Error::Conflict { why });
    }
    let told = facts::read(&draft.objects.facts).map_err(unverified)?;
    let write = SecretWrite {
        note: Some(payload.note),
        tags: Some(payload.tags.into_iter().filter(|tag| !is_key(tag)).collect()),
        facts: told.map(FactsInput::of),
        ..SecretWrite::new(name, payload.value.to_vec())
    };
    let write = rules::keep(change, environment, &[write], Occasion::NewValue)?;
    let gone: (Vec<Leaf>, Vec<NewObject>) = deletions(change, &home, vec![draft.leaf.clone()])?;
    let versions = write_with(change, environment, &write, &Pasts::new(), ByHome::from([(home, gone)]))?;
    versions.first().copied().ok_or_else(|| Error::not_found("draft", name))
}

/// Whether a secret's present value was written after a draft: whoever staged it did not see that value, and does not mean to undo it. Facts that
/// were told anew move a leaf to a later link and keep the time of its version; of links of one time, the later one counts.
fn is_newer(present: &Found<'_>, draft: &Found<'_>) -> bool {
    let written = |found: &Found<'_>| {
        let row = found.space.versions(&found.leaf.secret_id).last();
        (row.map(|row| row.ts_ms), found.leaf.mseq)
    };
    written(present) > written(draft)
}
