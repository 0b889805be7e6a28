//! Folders kept in memory: a server's data or a client's state as it was at some moment.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder and below.
#[derive(Clone, Debug, Default)]
pub struct Files(Vec<(PathBuf, Vec<u8>)>);

impl Files {
    /// Reads a folder.
    pub fn read(folder: &Path) -> Self {
        let mut files = Self::default();
        files.take(folder, Path::new(""));
        files
    }

    /// Makes the folder, which must not be there.
    pub fn write(&self, folder: &Path) {
        for (name, bytes) in &self.0 {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
    }

    fn take(&mut self, folder: &Path, name: &Path) {
        for entry in fs::read_dir(folder.join(name)).expect("a folder") {
            let entry = entry.expect("an entry");
            let name = name.join(entry.file_name());
            if entry.path().is_dir() {
                self.take(folder, &name);
            } else {
                self.0.push((name, fs::read(entry.path()).expect("a file")));
            }
        }
    }
}
