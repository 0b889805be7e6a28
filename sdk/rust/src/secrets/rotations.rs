//! Rotations: replacing a secret's value in steps that may lie in different processes. A rotation under way is a draft and nothing else; whether
//! it was committed or aborted is read from the verified history, so every step may be done again after it was cut off.

use crate::error::{Error, Result};
use crate::secrets::drafts::stage;
use crate::secrets::index::Found;
use crate::secrets::versions::{Previous, previous};
use crate::secrets::{SecretWrite, VersionInfo};
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_ledger::trial::Trouble;
use keyvawlt_ledger::{IdentityId, NsId, facts};

/// Before the caller's key of a rotation, as a tag of the draft: sealed with the value, and gone with the commit.
const KEY: &str = "rotation-key:";
/// How often a beginning is made anew when others stage values for the same secret meanwhile: their steps are a second apart, not less.
const BEGINNINGS: usize = 4;
/// A tag has 64 bytes.
const MAX_KEY: usize = 48;

/// A rotation to begin.
#[derive(Clone, Debug)]
pub struct NewRotation {
    /// The new value, and what else the new version says.
    pub write: SecretWrite,
    /// Names this rotation, so that beginning it again is no second one, even after it was committed.
    pub key: Option<String>,
    /// Any new value will do: one that is staged already is not replaced.
    pub any_value: bool,
    /// Replace a value that is staged.
    pub replace: bool,
}

/// How a beginning went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The value is staged.
    Staged,
    /// It was staged before.
    Already,
    /// This rotation was committed before, as this version.
    Committed(u64),
    /// The value is the present one, of this version.
    Current(u64),
}

/// How a commit went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The version that the value became.
    pub version: u64,
    /// It had been committed before.
    pub already: bool,
}

/// A rotation under way, or one whose previous value is still in grace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationInfo {
    /// The secret.
    pub name: String,
    /// The present version; none of a secret that is new.
    pub version: Option<u64>,
    /// Since when, epoch milliseconds, as far as this machine knows.
    pub since_ms: Option<u64>,
    /// By whom; likewise.
    pub author: Option<IdentityId>,
    /// How it stands.
    pub stage: RotationStage,
    /// What is wrong with the present version, where its owner named a monitor: so long the rotation is not done.
    pub trouble: Option<Trouble>,
}

/// How a rotation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationStage {
    /// A value is staged.
    Pending {
        /// Somebody who could read it may have lost access since: it is staged anew, not committed.
        outdated: bool,
    },
    /// The version before may still be used.
    Grace {
        /// That version.
        version: u64,
        /// When its grace ends, epoch milliseconds.
        until_ms: u64,
    },
    /// No version before may be used any more.
    Replaced,
}

/// How the last draft of a name ended.
enum Ending {
    Committed { version: u64, key: Option<String> },
    Aborted,
}

impl Vault {
    /// Begins the rotation of a secret: its next value is staged, and nobody uses it yet. Begun again, it is the same rotation.
    pub async fn begin_rotation(&mut self, environment: &NsId, new: &NewRotation) -> Result<Begun> {
        for _ in 0..BEGINNINGS {
            if let Some(begun) = self.begin_once(environment, new).await? {
                return Ok(begun);
            }
        }
        Err(Error::Conflict { why: format!("others stage values for {} all the time", new.write.name) })
    }

    /// The same, but for who was faster: then it is looked at anew, for theirs may be the same rotation.
    async fn begin_once(&mut self, environment: &NsId, new: &NewRotation) -> Result<Option<Begun>> {
        let name = new.write.name.as_str();
        let tag = new.key.as_deref().map(tag_of).transpose()?;
        self.fetch_draft(environment, name).await?;
        self.fetch(environment, [name]).await?;
        let present = self.read(environment, name)?;
        match self.draft(environment, name) {
            Ok(draft) => {
                let outdated = self.is_outdated(&draft)?;
                let staged = self.open_payload(&draft)?;
                let same_value = staged.value == new.write.value;
                if outdated && same_value {
                    let why = format!(
                        "somebody who could read the draft of {name} may have lost access since it was staged: a new value is needed"
                    );
                    return Err(Error::invalid("draft", why));
                }
                let same = same_value || new.any_value || tag.as_ref().is_some_and(|tag| staged.tags.contains(tag));
                if same && !outdated && !new.replace {
                    return Ok(Some(Begun::Already));
                }
                if !new.replace && !outdated {
                    return Err(Error::Conflict { why: format!("a rotation of {name} with another value is under way") });
                }
            }
            Err(Error::NotFound { .. }) => {
                if let Some(version) = self.committed_with(environment, name, new.key.as_deref()).await? {
                    return Ok(Some(Begun::Committed(version)));
                }
                if present.value == new.write.value {
                    return Ok(Some(Begun::Current(present.info.version)));
                }
            }
            Err(error) => return Err(error),
        }
        let before = self.draft(environment, name).ok().map(|draft| (draft.leaf.secret_id, draft.leaf.version));
        let mut write = new.write.clone();
        write.tags = Some(write.tags.take().unwrap_or(present.tags).into_iter().filter(|tag| !is_key(tag)).chain(tag).collect());
        let mut others_were_first = false;
        let staged = self.change(|change| {
            let now = change.vault().draft(environment, name).ok().map(|draft| (draft.leaf.secret_id, draft.leaf.version));
            others_were_first = now != before;
            if others_were_first {
                return Err(Error::Conflict { why: format!("somebody else staged a value for {name} just now") });
            }
            stage(change, environment, &write)
        });
        match staged.await {
            Ok(()) => Ok(Some(Begun::Staged)),
            Err(Error::Conflict { .. }) if others_were_first => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the staged value the secret's next version; done again, it says which version that was.
    pub async fn commit_rotation(&mut self, environment: &NsId, name: &str) -> Result<Committed> {
        match self.commit_draft(environment, name).await {
            Ok(version) => Ok(Committed { version, already: false }),
            Err(error @ Error::NotFound { what: "draft", .. }) => match self.ending(environment, name, false).await? {
                Some(Ending::Committed { version, .. }) => Ok(Committed { version, already: true }),
                Some(Ending::Aborted) => Err(Error::Conflict { why: format!("the rotation of {name} was aborted: begin another") }),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Gives a rotation up; says whether there was still something to give up. One that was committed is not undone.
    pub async fn abort_rotation(&mut self, environment: &NsId, name: &str) -> Result<bool> {
        match self.discard_draft(environment, name).await {
            Ok(()) => Ok(true),
            Err(error @ Error::NotFound { what: "draft", .. }) => match self.ending(environment, name, false).await? {
                Some(Ending::Aborted) => Ok(false),
                Some(Ending::Committed { version, .. }) => Err(Error::Conflict {
                    why: format!("the rotation of {name} was committed as version {version}: it is too late to abort it"),
                }),
                None => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Rotations under way, and secrets whose previous version is still in grace or whose present one does not work, by name.
    pub async fn rotations(&mut self, environment: &NsId) -> Result<Vec<RotationInfo>> {
        self.take_history(environment).await?;
        let live = |name: &str| {
            self.index(environment).ok()?.find(name).ok()?.filter(|found| !found.leaf.is_deleted()).map(|found| self.number_of(found))
        };
        let mut rotations: Vec<RotationInfo> = Vec::new();
        for draft in self.drafts(environment)? {
            let stage = RotationStage::Pending { outdated: draft.outdated };
            let version = live(&draft.name);
            rotations.push(RotationInfo {
                name: draft.name,
                version,
                since_ms: draft.updated_ms,
                author: draft.author,
                stage,
                trouble: None,
            });
        }
        let now_ms = self.now_ms();
        let troubles = self.troubles(environment).await?;
        for found in self.index(environment)?.usable().filter(|found| !found.leaf.is_deleted()) {
            let versions = if found.may_have_moved { self.history(environment, &found.name).await? } else { versions_of(found) };
            let facts = facts::read(&found.objects.facts).map_err(unverified)?;
            let trouble = troubles.get(&(found.space.tip.ns_id, found.leaf.secret_id)).copied();
            let stage = match previous(&versions, facts::grace_ms(facts.as_ref()), now_ms) {
                Previous::Within { version, until_ms } => Some(RotationStage::Grace { version, until_ms }),
                Previous::Over { .. } | Previous::None => trouble.map(|_| RotationStage::Replaced),
            };
            if let Some(stage) = stage {
                let current = versions.first();
                rotations.push(RotationInfo {
                    name: found.name.clone(),
                    version: current.map(|current| current.version),
                    since_ms: current.map(|current| current.at_ms),
                    author: current.map(|current| current.author),
                    stage,
                    trouble,
                });
            }
        }
        rotations.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(rotations)
    }

    /// The version that a rotation of this key became.
    async fn committed_with(&mut self, environment: &NsId, name: &str, key: Option<&str>) -> Result<Option<u64>> {
        let Some(key) = key else { return Ok(None) };
        match self.ending(environment, name, true).await? {
            Some(Ending::Committed { version, key: Some(of) }) if of == key => Ok(Some(version)),
            _ => Ok(None),
        }
    }

    /// How the last draft of a name ended: the link that deleted it wrote a version of the secret, or nothing else. With its key, for which its
    /// sealed value is fetched.
    async fn ending(&mut self, environment: &NsId, name: &str, with_key: bool) -> Result<Option<Ending>> {
        self.take_history(environment).await?;
        let mut last: Option<Found<'_>> = None;
        for part in self.parts(environment, &mut Vec::new())? {
            for (leaf, objects) in part.space.entries().filter(|(leaf, _)| leaf.is_draft() && leaf.is_deleted()) {
                let is_named = self.open_name(&part.ns_id, &part.prefix, leaf, objects).is_ok_and(|claimed| claimed == name);
                if is_named && last.as_ref().is_none_or(|last| last.leaf.mseq < leaf.mseq) {
                    last = Some(Found { name: name.to_owned(), leaf, objects, space: part.space, may_have_moved: false, took_over: false });
                }
            }
        }
        let Some(draft) = last else { return Ok(None) };
        let index = self.index(environment)?;
        let rows = draft.space.versions(&draft.leaf.secret_id);
        let (Some(ended), Some(found)) = (rows.last(), index.before(name)?) else { return Ok(Some(Ending::Aborted)) };
        let same_space = found.space.tip.ns_id == draft.space.tip.ns_id;
        let written = found.space.versions(&found.leaf.secret_id).iter().filter(|row| same_space && !row.leaf.is_deleted());
        // Facts that were told anew since have moved the leaf to a later link; time and author stay those of the version.
        let became = written.rev().find(|row| {
            let same_link = row.leaf.mseq == draft.leaf.mseq;
            same_link || (row.leaf.mseq > draft.leaf.mseq && row.ts_ms == ended.ts_ms && row.author == ended.author)
        });
        let Some(became) = became else { return Ok(Some(Ending::Aborted)) };
        let from = self.past_of(found);
        let version = crate::secrets::past::number(from.as_ref(), became.leaf.version);
        let sealed = rows.iter().rfind(|row| !row.leaf.is_deleted()).filter(|_| with_key);
        let key = match sealed {
            Some(row) => {
                let tags = self.fetch_version(draft.space, &row.leaf, name).await?.tags;
                tags.iter().find_map(|tag| tag.strip_prefix(KEY)).map(ToOwned::to_owned)
            }
            None => None,
        };
        Ok(Some(Ending::Committed { version, key }))
    }
}

/// Whether a tag is the key of a rotation.
pub(crate) fn is_key(tag: &str) -> bool {
    tag.starts_with(KEY)
}

fn tag_of(key: &str) -> Result<String> {
    if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::invalid("key", format!("1 to {MAX_KEY} letters, digits or signs, without spaces")));
    }
    Ok(format!("{KEY}{key}"))
}

/// The versions of a secret that was never moved, newest first.
fn versions_of(found: &Found<'_>) -> Vec<VersionInfo> {
    let rows = found.space.versions(&found.leaf.secret_id).iter().rev();
    rows.map(|row| VersionInfo {
        version: row.leaf.version,
        at_ms: row.ts_ms,
        author: row.author,
        deleted: row.leaf.is_deleted(),
        state: crate::secrets::versions::VersionState::Retired,
    })
    .collect()
}
