//! Editing a value in the person's own editor.
//!
//! The text lies in a directory only the owner enters, in memory where the system offers that, and
//! is overwritten and removed afterwards, whatever happens. An editor's own backups are its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};
use crate::prompt::MAX_VALUE_BYTES;
use crate::settings::Surroundings;

/// What the person did.
#[derive(Debug, PartialEq, Eq)]
pub enum Edited {
    /// The text is as it was.
    Unchanged,
    /// The new text.
    Changed(Zeroizing<Vec<u8>>),
}

/// Opens the editor with `before` and waits. A line end that the editor added is taken off again.
pub fn edit(around: &Surroundings, before: &[u8]) -> Outcome<Edited> {
    let scratch = Scratch::new(around, before)?;
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| around.variable(name)).and_then(|value| value.to_str()).unwrap_or("vi");
    // Editors are set with their flags (`code --wait`), so a shell splits the words.
    let status = Command::new("/bin/sh")
        .args(["-c", &format!("{editor} \"$1\""), "keyvawlt"])
        .arg(&scratch.file)
        .status()
        .map_err(|error| Failure::local(format!("cannot start the editor: {error}")).on(editor))?;
    if !status.success() {
        return Err(Failure::local("the editor ended with an error; nothing was changed").on(editor));
    }
    let mut after = scratch.read()?;
    if after.last() == Some(&b'\n') && before.last() != Some(&b'\n') {
        after.pop();
    }
    if after.as_slice() == before { Ok(Edited::Unchanged) } else { Ok(Edited::Changed(after)) }
}

struct Scratch {
    directory: PathBuf,
    file: PathBuf,
}

impl Scratch {
    fn new(around: &Surroundings, text: &[u8]) -> Outcome<Self> {
        let runtime = around.variable("XDG_RUNTIME_DIR").map(PathBuf::from);
        let base = [runtime, Some(PathBuf::from("/dev/shm"))]
            .into_iter()
            .flatten()
            .find(|path| path.is_absolute() && path.is_dir())
            .unwrap_or_else(std::env::temp_dir);
        let directory = base.join(format!("keyvawlt-edit-{}", std::process::id()));
        // Left by an earlier process of the same number; if it is somebody else's, this fails.
        let _ = fs::remove_dir_all(&directory);
        std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700)
            .create(&directory)
            .map_err(|error| Failure::file(&directory, "create", &error))?;
        let file = directory.join("value");
        let scratch = Self { directory, file };
        files::create(&scratch.file, text, Readers::Owner).map_err(|error| Failure::file(&scratch.file, "create", &error))?;
        Ok(scratch)
    }

    fn read(&self) -> Outcome<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_VALUE_BYTES + 2));
        File::open(&self.file)
            .and_then(|file| file.take(MAX_VALUE_BYTES as u64 + 2).read_to_end(&mut bytes))
            .map_err(|error| Failure::file(&self.file, "read", &error))?;
        if bytes.len() > MAX_VALUE_BYTES + 1 {
            return Err(Failure::usage(format!("the value is longer than {MAX_VALUE_BYTES} bytes")));
        }
        Ok(bytes)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = overwrite(&self.file);
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// Helps on file systems that write in place; on others the private directory is what protects.
fn overwrite(path: &Path) -> std::io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(MAX_VALUE_BYTES);
    file.write_all(&vec![0; length])?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An editor that runs `script` with the file as `$1`, and a runtime directory of its own:
    /// tests share one process number.
    fn with_editor(script: &str) -> (Surroundings, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let variables = vec![("EDITOR".into(), format!("sh -c '{script}' sh").into()), ("XDG_RUNTIME_DIR".into(), dir.path().into())];
        (Surroundings { variables, directory: "/".into() }, dir)
    }

    fn changed(text: &[u8]) -> Edited {
        Edited::Changed(Zeroizing::new(text.to_vec()))
    }

    #[test]
    fn the_editors_text_comes_back_and_nothing_stays() {
        let cases: [(&str, &[u8], Edited); 5] = [
            ("true", b"x", Edited::Unchanged),
            ("echo >> \"$1\"", b"x", Edited::Unchanged),
            ("printf y > \"$1\"", b"x", changed(b"y")),
            ("echo y > \"$1\"", b"x\n", changed(b"y\n")),
            ("test $(stat -c %a \"$1\") = 600 && : > \"$1\"", b"x", changed(b"")),
        ];
        for (script, before, after) in cases {
            let (around, dir) = with_editor(script);
            assert_eq!(edit(&around, before).unwrap(), after, "{script}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_failing_editor_changes_nothing() {
        let (around, dir) = with_editor("echo canary > \"$1\"; exit 3");
        let failure = edit(&around, b"x").unwrap_err();
        assert!(failure.to_string().contains("nothing was changed"), "{failure}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_too_long_text_is_refused() {
        let (around, _dir) = with_editor("head -c 70000 /dev/zero > \"$1\"");
        assert!(edit(&around, b"x").unwrap_err().to_string().contains("longer than 65536"));
    }
}
