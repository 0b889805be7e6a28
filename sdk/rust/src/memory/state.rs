//! Files of this machine: 0600 in a 0700 folder, replaced atomically, one process at a time.

use crate::error::{Error, Result};
use keyvawlt_ledger::Hash;
use keyvawlt_ledger::hash::hash;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The hash number of a file of this machine. Such hashes never leave it, so the protocol has no number for them; it has none above 0x01ff.
const CHECKED_FILE: u16 = 0xff00;
/// How long to wait for another process that holds the lock: a sync with a large organization.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
/// Pause between looks at a held lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Where a client remembers what it has verified.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

/// A held lock; released when dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl StateDir {
    /// Uses a folder, made 0700 if it is not there, and kept from others if it is.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let open = || -> std::io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&path)?;
            let mut permissions = fs::metadata(&path)?.permissions();
            if permissions.mode() & 0o077 != 0 {
                permissions.set_mode(0o700);
                fs::set_permissions(&path, permissions)?;
            }
            Ok(())
        };
        open().map_err(|error| storage(&path, &error))?;
        Ok(Self { path })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder below this one.
    pub fn below(&self, name: &str) -> Result<Self> {
        Self::open(self.path.join(name))
    }

    /// Reads a file; `None` if there is none.
    pub fn read(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path.join(name);
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(storage(&path, &error)),
        }
    }

    /// Replaces a file: written beside it, flushed, renamed.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let beside = self.path.join(format!(".{name}.new"));
        let replace = || -> std::io::Result<()> {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &path)?;
            File::open(&self.path)?.sync_all()
        };
        replace().map_err(|error| storage(&path, &error))
    }

    /// Reads a file of [`StateDir::checked`] bytes, with this check if one is expected; fails as told when it was changed since.
    pub(crate) fn read_checked(&self, name: &str, expected: Option<&Hash>, changed: impl Fn() -> Error) -> Result<Option<Vec<u8>>> {
        let Some(mut bytes) = self.read(name)? else { return Ok(None) };
        let at = bytes.len().checked_sub(size_of::<Hash>()).ok_or_else(&changed)?;
        let check = bytes.split_off(at);
        let same = check == hash(CHECKED_FILE, &bytes).0 && expected.is_none_or(|expected| check == expected.0);
        if same { Ok(Some(bytes)) } else { Err(changed()) }
    }

    /// Bytes with a check at their end, which comes back too: a damaged disk must not look like a lying server.
    pub(crate) fn checked(mut bytes: Vec<u8>) -> (Vec<u8>, Hash) {
        let check = hash(CHECKED_FILE, &bytes);
        bytes.extend_from_slice(&check.0);
        (bytes, check)
    }

    /// The names of the folder's files.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let names = || -> std::io::Result<Vec<String>> {
            fs::read_dir(&self.path)?.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect()
        };
        names().map_err(|error| storage(&self.path, &error))
    }

    /// Fails if a file could not be replaced, so that nothing is sent which could not be remembered.
    pub(crate) fn check_writable(&self, name: &str) -> Result<()> {
        let beside = self.path.join(format!(".{name}.new"));
        let made = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
        made.and_then(|_| fs::remove_file(&beside)).map_err(|error| storage(&self.path, &error))
    }

    /// Removes a file, if it is there.
    pub fn remove(&self, name: &str) -> Result<()> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(storage(&path, &error)),
            _ => Ok(()),
        }
    }

    /// Waits for the lock of a name, so that two processes never work on the same pins.
    pub(crate) async fn lock(&self, name: &str) -> Result<Lock> {
        let path = self.path.join(format!("{name}.lock"));
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(|error| storage(&path, &error))?;
        let mut waited = Duration::ZERO;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) if waited < LOCK_PATIENCE => {
                    tokio::time::sleep(LOCK_PAUSE).await;
                    waited += LOCK_PAUSE;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::Storage { path, why: "another keyvawlt process holds it: wait for it to end".to_owned() });
                }
                Err(TryLockError::Error(error)) => return Err(storage(&path, &error)),
            }
        }
    }
}

fn storage(path: &Path, error: &std::io::Error) -> Error {
    let why = match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            format!("{error}: what this machine has verified is kept here, so it must be readable and writable")
        }
        _ => error.to_string(),
    };
    Error::Storage { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_byte_of_a_checked_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let read = || state.read_checked("x", None, || Error::not_found("file", "changed"));
        assert_eq!(read().unwrap(), None);
        let (bytes, check) = StateDir::checked(b"remembered".to_vec());
        state.write("x", &bytes).unwrap();
        assert_eq!(read().unwrap().unwrap(), b"remembered");
        let expected = |check: &Hash| state.read_checked("x", Some(check), || Error::not_found("file", "changed"));
        assert!(expected(&check).is_ok() && expected(&Hash::ZERO).is_err());
        let good = state.read("x").unwrap().unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            state.write("x", &bad).unwrap();
            assert!(read().is_err(), "{at}");
            state.write("x", &good[..at]).unwrap();
            assert!(read().is_err(), "cut at {at}");
        }
    }

    #[test]
    fn others_may_not_enter_a_folder_that_was_there_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        StateDir::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
