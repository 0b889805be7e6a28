//! The namespaces a vault holds: of each how far it was verified, and the rest of it once something asks.
//!
//! A namespace has a file of its own, named after its content and written when that changed; the organization's file names the ones that count.
//! So whatever a crash leaves, the files that the organization's file names belong together, and others count for nothing.

use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::sync::space::{Space, StoredSpace, unverified};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::Head;
use keyvawlt_ledger::manifest::ManifestTip;
use keyvawlt_ledger::merkle::Frontier;
use keyvawlt_ledger::{Hash, IdentityId, NsId, OrgId, row};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

/// Digits of the content's hash in a file's name: two contents of one namespace have two names.
const HASH_DIGITS: usize = 16;

/// The namespaces of one organization.
#[derive(Clone, Debug)]
pub(crate) struct Spaces {
    org_id: OrgId,
    folder: StateDir,
    held: BTreeMap<NsId, Held>,
}

/// One namespace. Clones share what they have read.
#[derive(Clone, Debug)]
struct Held {
    tip: ManifestTip,
    /// As in [`Space`].
    listed: u64,
    /// The check of the file that has this content, once there is one.
    file: Option<Hash>,
    space: OnceLock<Arc<Space>>,
}

row! {
    /// What the organization's file says of a namespace.
    pub struct StoredTip {
        /// The namespace.
        ns_id: NsId,
        /// The newest manifest link.
        mseq: u64,
        /// Its hash.
        mhash: Hash,
        /// The history.
        history: Frontier,
        /// The newest anchor.
        anchor_seq: u64,
        /// Time of the newest link.
        ts_ms: u64,
        /// Leaves.
        count: u64,
        /// Leaves that are not deleted.
        live: u64,
        /// Author of the newest link.
        author: Option<IdentityId>,
        /// The link at which a listing showed it; 0 where every link was taken in.
        listed: u64,
        /// The check at the end of the namespace's file.
        file: Hash,
    }
}

impl Spaces {
    /// None yet.
    pub(crate) fn new(org_id: OrgId, folder: StateDir) -> Self {
        Self { org_id, folder, held: BTreeMap::new() }
    }

    /// Those that the organization's file names. Of one whose file is not there only the head comes back: it is read again from the server, and
    /// must contain that head.
    pub(crate) fn remember(&mut self, stored: Vec<StoredTip>) -> Result<Vec<Head>> {
        let there: BTreeSet<String> = self.folder.files()?.into_iter().collect();
        let mut missing = Vec::new();
        for tip in stored {
            if there.contains(&file_name(&tip.ns_id, &tip.file)) {
                let (file, listed) = (Some(tip.file), tip.listed);
                self.held.insert(tip.ns_id, Held { file, listed, tip: tip.of_org(self.org_id), space: OnceLock::new() });
            } else {
                missing.push(Head { ns_id: tip.ns_id, mseq: tip.mseq, mhash: tip.mhash });
            }
        }
        Ok(missing)
    }

    /// Writes the files of what has none, and says what the organization's file has to name.
    pub(crate) fn save(&mut self) -> Result<Vec<StoredTip>> {
        let mut stored = Vec::with_capacity(self.held.len());
        for (ns_id, held) in &mut self.held {
            let file = match (held.file, held.space.get()) {
                (Some(file), _) => file,
                (None, Some(space)) => {
                    let (bytes, check) = StateDir::checked(space.to_stored().to_bytes());
                    self.folder.write(&file_name(ns_id, &check), &bytes)?;
                    *held.file.insert(check)
                }
                (None, None) => continue,
            };
            stored.push(StoredTip::of(held, file));
        }
        Ok(stored)
    }

    /// Removes the files that the organization's file, as [`Spaces::save`] left it, does not name.
    pub(crate) fn sweep(&self) -> Result<()> {
        let named: BTreeSet<String> = self.held.iter().filter_map(|(ns_id, held)| Some(file_name(ns_id, &held.file?))).collect();
        let files = self.folder.files()?;
        files.iter().filter(|file| !named.contains(*file)).try_for_each(|file| self.folder.remove(file))
    }

    /// Fails if a namespace could not be written.
    pub(crate) fn check_writable(&self) -> Result<()> {
        self.folder.check_writable("space")
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &NsId> {
        self.held.keys()
    }

    pub(crate) fn contains_key(&self, ns_id: &NsId) -> bool {
        self.held.contains_key(ns_id)
    }

    /// How far a namespace was verified.
    pub(crate) fn tip(&self, ns_id: &NsId) -> Option<&ManifestTip> {
        self.held.get(ns_id).map(|held| &held.tip)
    }

    /// How far each was verified.
    pub(crate) fn tips(&self) -> impl Iterator<Item = &ManifestTip> {
        self.held.values().map(|held| &held.tip)
    }

    /// A namespace, read from its file when nothing has asked for it yet.
    pub(crate) fn get(&self, ns_id: &NsId) -> Result<Option<&Arc<Space>>> {
        let Some(held) = self.held.get(ns_id) else { return Ok(None) };
        match (held.space.get(), held.file) {
            (Some(space), _) => Ok(Some(space)),
            (None, Some(file)) => {
                let space = self.load(held.tip.clone(), &file)?;
                Ok(Some(held.space.get_or_init(|| Arc::new(space))))
            }
            (None, None) => Ok(None),
        }
    }

    /// A namespace to be changed; its file is written anew by the next [`Spaces::save`].
    pub(crate) fn get_mut(&mut self, ns_id: &NsId) -> Result<Option<&mut Space>> {
        self.get(ns_id)?;
        let Some(held) = self.held.get_mut(ns_id) else { return Ok(None) };
        held.file = None;
        Ok(held.space.get_mut().map(Arc::make_mut))
    }

    /// Whether a head lies before the listing that its namespace is held from, and is not known here.
    pub(crate) fn forgot(&self, head: &Head) -> Result<bool> {
        Ok(self.is_shallow(&head.ns_id) && self.get(&head.ns_id)?.is_some_and(|space| space.forgot(head.mseq)))
    }

    /// The manifest of a namespace, if it is held, contains a head that something verified names. Most heads are the newest: no file is read for them.
    pub(crate) fn check_head(&self, head: &Head) -> Result<()> {
        match self.tip(&head.ns_id) {
            None => Ok(()),
            Some(tip) if (tip.mseq, tip.mhash) == (head.mseq, head.mhash) => Ok(()),
            Some(_) => self.get(&head.ns_id)?.map_or(Ok(()), |space| space.check_head(head.mseq, head.mhash)).map_err(unverified),
        }
    }

    /// Whether a namespace was read from its file already, or never had one.
    #[cfg(test)]
    pub(crate) fn is_loaded(&self, ns_id: &NsId) -> bool {
        self.held.get(ns_id).is_some_and(|held| held.space.get().is_some())
    }

    /// Holds a namespace as it now is.
    pub(crate) fn insert(&mut self, space: Arc<Space>) {
        let held = Held { tip: space.tip.clone(), listed: space.listed, file: None, space: OnceLock::from(space) };
        self.held.insert(held.tip.ns_id, held);
    }

    /// Whether a namespace is held from a listing on: what was before is not known here.
    pub(crate) fn is_shallow(&self, ns_id: &NsId) -> bool {
        self.held.get(ns_id).is_some_and(|held| held.listed > 0)
    }

    /// Takes out the namespaces for which `gone` holds, and says how far they were verified.
    pub(crate) fn let_go(&mut self, gone: impl Fn(&NsId) -> bool) -> Vec<Head> {
        self.held.extract_if(.., |ns_id, _| gone(ns_id)).map(|(_, held)| head_of(&held.tip)).collect()
    }

    fn load(&self, tip: ManifestTip, file: &Hash) -> Result<Space> {
        let name = file_name(&tip.ns_id, file);
        let damaged = |why: &dyn std::fmt::Display| Error::Storage {
            path: self.folder.path().join(&name),
            why: format!(
                "what this machine remembers of a namespace is damaged ({why}). Restore the file, or move it away: the namespace is then read again, and \
                 must contain what this machine has seen of it"
            ),
        };
        let changed = || damaged(&"it was changed, or cut off, since it was written");
        let bytes = self.folder.read_checked(&name, Some(file), changed)?.ok_or_else(|| damaged(&"it was removed"))?;
        let stored = StoredSpace::from_bytes(&bytes).map_err(|fault| damaged(&fault))?;
        Space::from_stored(tip, stored).map_err(|fault| damaged(&fault))
    }
}

impl StoredTip {
    fn of(held: &Held, file: Hash) -> Self {
        let ManifestTip { org_id: _, ns_id, mseq, mhash, history, anchor_seq, ts_ms, count, live, author } = held.tip.clone();
        Self { ns_id, mseq, mhash, history, anchor_seq, ts_ms, count, live, author, listed: held.listed, file }
    }

    fn of_org(self, org_id: OrgId) -> ManifestTip {
        let Self { ns_id, mseq, mhash, history, anchor_seq, ts_ms, count, live, author, listed: _, file: _ } = self;
        ManifestTip { org_id, ns_id, mseq, mhash, history, anchor_seq, ts_ms, count, live, author }
    }
}

/// The newest head of a namespace.
pub(crate) fn head_of(tip: &ManifestTip) -> Head {
    Head { ns_id: tip.ns_id, mseq: tip.mseq, mhash: tip.mhash }
}

fn file_name(ns_id: &NsId, file: &Hash) -> String {
    let digits = file.to_string();
    format!("{ns_id}-{}", digits.get(..HASH_DIGITS).unwrap_or(&digits))
}
