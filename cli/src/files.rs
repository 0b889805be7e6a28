//! Writing files so that a crash leaves the old one or the new one, and others read neither.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Owner only.
const PRIVATE_FILE: u32 = 0o600;
/// Owner only, and enterable.
const PRIVATE_DIR: u32 = 0o700;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// The owner.
    Owner,
    /// Whoever the umask lets: for files that belong in a repository.
    Umask,
}

/// Makes a directory (and its parents) that only the owner enters. Leaves an existing one alone.
pub fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIR).create(path)
}

/// Replaces `path` as a whole: written beside it, flushed to the disk, renamed over it.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let beside = beside(path)?;
    let written = write_new(&beside, bytes, readers).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // Best effort: the error that counts is the one already in hand.
        let _ = fs::remove_file(&beside);
        return written;
    }
    sync_dir(path)
}

/// Writes `path` unless it exists.
pub fn create(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    write_new(path, bytes, readers)?;
    sync_dir(path)
}

fn write_new(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    if readers == Readers::Owner {
        options.mode(PRIVATE_FILE);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// One name per process, so that two processes never write the same one.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.new", std::process::id()));
    let beside = path.with_file_name(beside);
    // Left by an earlier process of the same number that was killed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(beside),
    }
}

/// The rename itself survives a power cut only when the directory is flushed too.
fn sync_dir(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn files_are_replaced_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("a/b");
        private_dir(&home).unwrap();
        private_dir(&home).unwrap();
        let path = home.join("x.toml");
        replace(&path, b"one", Readers::Owner).unwrap();
        replace(&path, b"two", Readers::Owner).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    }

    #[test]
    fn an_existing_file_is_not_overwritten_by_create() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        create(&path, b"one", Readers::Umask).unwrap();
        let error = create(&path, b"two", Readers::Umask).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }
}
