//! The data folder: made at the first start, for its owner only.

use crate::StartError;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

/// Owner only: the folder holds keys, the vault and mails.
const MODE: u32 = 0o700;

/// Makes the folder and the one for keys, where they are missing. What exists keeps its mode: an administrator may share it with a group.
pub(crate) fn prepare(data: &Path) -> Result<(), StartError> {
    for path in [data.to_owned(), data.join("keys")] {
        let made = std::fs::DirBuilder::new().recursive(true).mode(MODE).create(&path);
        made.map_err(|source| StartError::Folder { path: path.clone(), source })?;
    }
    Ok(())
}
