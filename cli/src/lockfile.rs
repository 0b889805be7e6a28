//! `keyvawlt.lock`: how far somebody has verified the organization, committed beside `keyvawlt.toml`, so that a checkout without memory knows what the
//! server must not take back.
//!
//! Invariant: the file is written by `keyvawlt lock update` alone, and never by a position that does not contain the one before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keyvawlt_client::ledger::chain::Head;
use keyvawlt_client::{Position, Vault};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};
use crate::settings::Settings;

/// The file's name, beside `keyvawlt.toml`.
pub const LOCK_FILE: &str = "keyvawlt.lock";

/// As it stands in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Layout {
    origin: String,
    org_id: String,
    seq: u64,
    link_hash: String,
    /// By namespace.
    #[serde(default)]
    heads: BTreeMap<String, HeadLayout>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadLayout {
    mseq: u64,
    mhash: String,
}

/// Where the lock is, or would be.
pub fn path_of(settings: &Settings) -> Option<PathBuf> {
    settings.repo_file.as_ref().map(|path| path.with_file_name(LOCK_FILE))
}

/// Reads a lock; none if it is not there.
pub fn read(path: &Path) -> Outcome<Option<Position>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::file(path, "read", &error)),
    };
    let malformed = |why: &dyn std::fmt::Display| {
        let hint = "restore it from the repository's history; it is written by keyvawlt lock update alone";
        Failure::usage(format!("the lock is damaged: {why}")).on(path.display().to_string()).hint(hint)
    };
    let layout: Layout = toml::from_str(&text).map_err(|error| malformed(&error.message()))?;
    let head = |(ns_id, head): (String, HeadLayout)| {
        let ns_id = ns_id.parse().map_err(|error| malformed(&error))?;
        Ok(Head { ns_id, mseq: head.mseq, mhash: head.mhash.parse().map_err(|error| malformed(&error))? })
    };
    Ok(Some(Position {
        origin: layout.origin,
        org_id: layout.org_id.parse().map_err(|error| malformed(&error))?,
        seq: layout.seq,
        link_hash: layout.link_hash.parse().map_err(|error| malformed(&error))?,
        heads: layout.heads.into_iter().map(head).collect::<Outcome<_>>()?,
    }))
}

/// Replaces a lock as a whole.
pub fn write(path: &Path, position: &Position) -> Outcome {
    let head = |head: &Head| (head.ns_id.to_string(), HeadLayout { mseq: head.mseq, mhash: head.mhash.to_string() });
    let layout = Layout {
        origin: position.origin.clone(),
        org_id: position.org_id.to_string(),
        seq: position.seq,
        link_hash: position.link_hash.to_string(),
        heads: position.heads.iter().map(head).collect(),
    };
    let text = toml::to_string(&layout).map_err(|error| Failure::local(format!("cannot write the lock: {error}")))?;
    let text = format!("# How far this organization was verified. Commit it; keyvawlt lock update renews it. It holds no secret.\n{text}");
    files::replace(path, text.as_bytes(), Readers::Umask).map_err(|error| Failure::file(path, "write", &error))
}

/// Refuses an organization whose history does not contain the lock.
pub async fn check(vault: &Vault, path: &Path, position: &Position) -> Outcome {
    if position.origin != vault.client().origin() {
        return Err(Failure::usage(format!("the lock is for another server: {}", position.origin))
            .on(path.display().to_string())
            .code("OTHER_SERVER")
            .hint("if the server has moved, delete the lock and make it anew with keyvawlt lock update"));
    }
    vault.check_position(position).await.map_err(|error| Failure::from(error).on(path.display().to_string()))
}
