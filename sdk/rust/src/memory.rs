//! What this machine remembers of an organization between runs: one file with the chain, the pins and how far each namespace was verified, and
//! one file for each namespace. The first is replaced last: it alone decides what counts.

pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod spaces;
pub(crate) mod state;

use crate::error::{Error, Result};
use crate::memory::spaces::StoredTip;
use crate::vault::Vault;
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::chain::{Head, Replica};
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{KeyId, OrgId, row};

/// Rises with the layout of the remembered state.
const STORED_FORMAT: u64 = 5;

row! {
    /// The organization's file: verified metadata, and wrapped keys.
    pub struct Stored {
        /// [`STORED_FORMAT`].
        format: u64,
        /// The identity's keys this was verified for.
        key_id: KeyId,
        /// The chain.
        replica: Blob,
        /// The namespaces.
        spaces: Vec<StoredTip>,
        /// Heads of namespaces that were read before.
        pins: Vec<Head>,
        /// The current wraps.
        wraps: Vec<Wrap>,
    }
}

impl Vault {
    /// Remembers what has been verified.
    pub(crate) fn save(&mut self) -> Result<()> {
        let stored = Stored {
            format: STORED_FORMAT,
            key_id: self.identity.key_id(),
            replica: Blob(self.replica.to_bytes()),
            spaces: self.spaces.save()?,
            pins: self.pins.values().cloned().collect(),
            wraps: self.wraps.values().cloned().collect(),
        };
        let (bytes, _) = crate::StateDir::checked(stored.to_bytes());
        self.state.write(&file_name(&self.org_id), &bytes)?;
        self.spaces.sweep()
    }

    /// Fails if what a change leaves behind could not be remembered.
    pub(crate) fn check_writable(&self) -> Result<()> {
        self.state.check_writable(&file_name(&self.org_id))?;
        self.spaces.check_writable()
    }

    /// Takes up what was remembered; nothing of a namespace but how far it was verified, until something asks.
    pub(crate) fn load(&mut self) -> Result<()> {
        let name = file_name(&self.org_id);
        let damaged = |why: String| Error::Storage {
            path: self.state.path().join(&name),
            why: format!(
                "what this machine remembers of the organization is damaged ({why}). It protects against a server that goes back in time, so it is not \
                 ignored: restore it, or compare `keyvawlt status` with a colleague's, then move the file away to verify everything from the beginning"
            ),
        };
        let changed = || damaged("it was changed, or cut off, since it was written".to_owned());
        let Some(bytes) = self.state.read_checked(&name, None, changed)? else { return Ok(()) };
        let stored = Stored::from_bytes(&bytes).map_err(|fault| damaged(fault.to_string()))?;
        let identity = self.with_keys(&stored.key_id).filter(|_| stored.format == STORED_FORMAT);
        self.identity = identity.ok_or_else(|| damaged("it belongs to another version or identity".to_owned()))?;
        let replica = Replica::from_bytes(&stored.replica.0).map_err(|fault| damaged(fault.to_string()))?;
        if replica.tip().org_id != self.org_id {
            return Err(damaged("it belongs to another organization".to_owned()));
        }
        self.replica = replica;
        self.pins = stored.pins.into_iter().map(|pin| (pin.ns_id, pin)).collect();
        self.wraps = stored.wraps.into_iter().map(|wrap| (wrap.ns_id, wrap)).collect();
        let missing = self.spaces.remember(stored.spaces)?;
        self.pin(missing);
        Ok(())
    }
}

fn file_name(org_id: &OrgId) -> String {
    format!("{org_id}.vault")
}

/// The folder of the namespaces' files.
pub(crate) fn folder_name(org_id: &OrgId) -> String {
    format!("{org_id}.spaces")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::state::StateDir;
    use crate::organization::genesis;
    use crate::random::rng;
    use crate::session::Session;
    use crate::sync::space::{Space, StoredHash, StoredSpace};
    use crate::wire::{Client, Options};
    use keyvawlt_crypto::Identity;
    use keyvawlt_ledger::assertion::Subject;
    use keyvawlt_ledger::bundle::kind;
    use keyvawlt_ledger::chain::Link;
    use keyvawlt_ledger::{Domain, Hash, NsId};
    use std::collections::BTreeMap;
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    const BUSY: NsId = NsId([7; 16]);
    const QUIET: NsId = NsId([8; 16]);

    /// An organization of one, whose files lie in a folder.
    struct Scene {
        identity: Arc<Identity>,
        org_id: OrgId,
        genesis: Link,
        folder: tempfile::TempDir,
    }

    /// What lies in a folder, by path.
    type Files = BTreeMap<String, Vec<u8>>;

    impl Scene {
        fn new() -> Self {
            let identity = Arc::new(Identity::make(kind::PERSON, 1, &mut rng()));
            let (org_id, genesis) = genesis(&identity, "http://127.0.0.1:9".to_owned(), 1).unwrap();
            Self { identity, org_id, genesis, folder: tempfile::tempdir().unwrap() }
        }

        async fn vault(&self) -> Result<Vault> {
            let client = Client::new("http://127.0.0.1:9", Options::default()).unwrap();
            let subject = Subject::Identity(self.identity.id(), self.identity.key_id());
            let session = Session::new(client, subject, |_, _, _, _| Ok(String::new()));
            let state = StateDir::open(self.folder.path()).unwrap();
            Vault::remembered(session, vec![Arc::clone(&self.identity)], self.org_id, &state, None).await
        }

        /// How far the busy namespace was verified, and how far it must be read: one of the two.
        async fn reopened(&self) -> (Option<u64>, Option<u64>) {
            let vault = self.vault().await.unwrap();
            let held = vault.spaces.get(&BUSY).unwrap().map(|space| space.tip.mseq);
            (held, vault.pins.get(&BUSY).map(|pin| pin.mseq))
        }

        fn files(&self) -> Files {
            let mut files = Files::new();
            for folder in [self.folder.path().to_owned(), self.folder.path().join(folder_name(&self.org_id))] {
                for path in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).filter(|path| path.is_file()) {
                    let name = path.strip_prefix(self.folder.path()).unwrap().to_string_lossy().into_owned();
                    files.insert(name, fs::read(&path).unwrap());
                }
            }
            files
        }

        fn put(&self, files: &Files) {
            for name in self.files().keys() {
                fs::remove_file(self.folder.path().join(name)).unwrap();
            }
            for (name, bytes) in files {
                fs::write(self.folder.path().join(name), bytes).unwrap();
            }
        }
    }

    /// A namespace with as many manifest links, which this test does not make.
    fn space(org_id: OrgId, ns_id: NsId, mseq: u8) -> Arc<Space> {
        let hashes = (0..=mseq).map(|n| StoredHash { mseq: n.into(), hash: Hash([n; 32]) }).collect();
        let mut tip = Space::new(org_id, ns_id, Hash([0; 32])).tip;
        (tip.mseq, tip.mhash) = (mseq.into(), Hash([mseq; 32]));
        let stored = StoredSpace { ns_id, listed: 0, hashes, newest: None, secrets: vec![] };
        Arc::new(Space::from_stored(tip, stored).unwrap())
    }

    /// The files before and after a change of one namespace out of two.
    async fn changed(scene: &Scene) -> (Files, Files) {
        let mut vault = scene.vault().await.unwrap();
        vault.replica.append(&scene.identity.sign(Domain::OrgLink, scene.genesis.to_bytes()), 1).unwrap();
        vault.spaces.insert(space(scene.org_id, BUSY, 1));
        vault.spaces.insert(space(scene.org_id, QUIET, 5));
        vault.save().unwrap();
        let before = scene.files();
        vault.spaces.insert(space(scene.org_id, BUSY, 2));
        vault.save().unwrap();
        (before, scene.files())
    }

    #[tokio::test]
    async fn a_crash_at_any_point_of_a_save_leaves_the_state_before_or_after() {
        let scene = Scene::new();
        let (before, after) = changed(&scene).await;
        let org = file_name(&scene.org_id);
        let new: Vec<&String> = after.keys().filter(|name| !before.contains_key(*name)).collect();
        let old: Vec<&String> = before.keys().filter(|name| !after.contains_key(*name)).collect();
        let ([new], [old]) = (new.as_slice(), old.as_slice()) else { panic!("one file takes the place of another: {new:?} {old:?}") };
        let half = |bytes: &[u8]| bytes[..bytes.len() / 2].to_vec();
        let beside = |name: &str| {
            let path = Path::new(name);
            path.with_file_name(format!(".{}.new", path.file_name().unwrap().to_string_lossy())).to_string_lossy().into_owned()
        };
        let with =
            |files: &Files, name: &str, bytes: Vec<u8>| files.clone().into_iter().chain([(name.to_owned(), bytes)]).collect::<Files>();
        let written = with(&before, new, after[*new].clone());
        let points = [
            ("the namespace's file is half written", with(&before, &beside(new), half(&after[*new])), 1),
            ("it is written", with(&before, &beside(new), after[*new].clone()), 1),
            ("it is there", written.clone(), 1),
            ("the organization's file is half written", with(&written, &beside(&org), half(&after[&org])), 1),
            ("it is replaced", with(&written, &org, after[&org].clone()), 2),
            ("what is replaced is swept away", after.clone(), 2),
        ];
        for (point, files, mseq) in points {
            scene.put(&files);
            assert_eq!(scene.reopened().await, (Some(mseq), None), "{point}");
            // The next save removes what nothing names.
            let mut vault = scene.vault().await.unwrap();
            vault.save().unwrap();
            let left = scene.files().into_keys().filter(|name| name.contains(".spaces/")).count();
            assert_eq!((left, files.contains_key(*old)), (2, mseq == 1 || point == "it is replaced"), "{point}");
        }
    }

    #[tokio::test]
    async fn files_of_different_times_are_noticed_and_lower_no_pin() {
        let scene = Scene::new();
        let (before, after) = changed(&scene).await;
        let org = file_name(&scene.org_id);
        let mix = |chain: &Files, spaces: &Files| -> Files {
            let others = spaces.iter().filter(|(name, _)| **name != org).map(|(name, bytes)| (name.clone(), bytes.clone()));
            others.chain([(org.clone(), chain[&org].clone())]).collect()
        };
        // What the organization's file tells of is what the namespace, read again, must contain.
        for (what, files, pin) in [
            ("the namespaces are older", mix(&after, &before), 2),
            ("the namespaces are newer", mix(&before, &after), 1),
            ("the namespaces are gone", after.iter().filter(|(name, _)| **name == org).map(|(n, b)| (n.clone(), b.clone())).collect(), 2),
        ] {
            scene.put(&files);
            assert_eq!(scene.reopened().await, (None, Some(pin)), "{what}");
            let mut vault = scene.vault().await.unwrap();
            vault.save().unwrap();
            drop(vault);
            assert_eq!(scene.reopened().await, (None, Some(pin)), "{what}, remembered again");
        }
    }

    #[tokio::test]
    async fn a_namespace_is_read_when_something_asks_and_its_damage_is_told() {
        let scene = Scene::new();
        let (_, after) = changed(&scene).await;
        let vault = scene.vault().await.unwrap();
        assert!(!vault.spaces.is_loaded(&BUSY) && !vault.spaces.is_loaded(&QUIET));
        vault.spaces.check_head(&Head { ns_id: QUIET, mseq: 5, mhash: Hash([5; 32]) }).unwrap();
        assert!(!vault.spaces.is_loaded(&QUIET), "the newest head is known");
        vault.spaces.check_head(&Head { ns_id: QUIET, mseq: 4, mhash: Hash([4; 32]) }).unwrap();
        assert!(vault.spaces.is_loaded(&QUIET) && !vault.spaces.is_loaded(&BUSY));
        drop(vault);
        let (name, bytes) = after.iter().find(|(name, _)| name.contains(&BUSY.to_string())).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            fs::write(scene.folder.path().join(name), &bad).unwrap();
            let vault = scene.vault().await.unwrap();
            let Err(Error::Storage { path, .. }) = vault.spaces.get(&BUSY) else { panic!("damage at {at} is not noticed") };
            assert!(path.ends_with(name));
            assert_eq!(vault.spaces.get(&QUIET).unwrap().unwrap().tip.mseq, 5, "the other one is in order");
        }
    }
}
