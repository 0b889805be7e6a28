//! The lock of a repository, and heartbeats.

use std::path::PathBuf;

use keyvawlt_client::Vault;
use keyvawlt_client::ledger::NsId;
use serde::Serialize;

use super::Context;
use crate::args::delivery::Locking;
use crate::args::structure::Lock;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::lockfile;
use crate::vault;

/// `keyvawlt lock`
pub async fn lock(command: Lock, context: &mut Context) -> Outcome {
    match command {
        Lock::Update => update(context).await,
        Lock::Verify => verify(context).await,
    }
}

/// Holds the organization against the lock that the flags, or the repository, name.
pub async fn require(locking: &Locking, vault: &Vault, context: &Context) -> Outcome {
    let settings = context.settings()?;
    let named = locking.lock.as_ref().map(|path| context.around.directory.join(path));
    let Some(path) = named.clone().or_else(|| lockfile::path_of(&settings)).filter(|_| !locking.no_lock) else { return Ok(()) };
    match lockfile::read(&path)? {
        Some(position) => lockfile::check(vault, &path, &position).await,
        None if named.is_some() => Err(absent(&path)),
        None => Ok(()),
    }
}

#[derive(Serialize)]
struct Locked {
    file: String,
    seq: u64,
    link_hash: String,
    /// Namespaces whose heads are in the lock.
    namespaces: usize,
}

async fn update(context: &mut Context) -> Outcome {
    // The lock says what a person saw; a job that rewrote it would believe whatever it is shown.
    if context.around.variable("CI").is_some() {
        return Err(Failure::usage("a CI job does not write the lock it is to be held against").hint("keyvawlt lock verify"));
    }
    let path = lock_path(context)?;
    let vault = vault::open(context).await?;
    let before = lockfile::read(&path)?;
    if let Some(before) = &before {
        lockfile::check(&vault, &path, before).await?;
    }
    let settings = context.settings()?;
    let project = settings.project.as_ref().map(|project| project.value.as_str());
    let environments = vault.environments()?.into_iter().filter(|it| project.is_none_or(|project| it.project == project));
    let environments: Vec<NsId> = environments.map(|environment| environment.ns_id).collect();
    let mut position = vault.position(&environments);
    // What somebody else saw and this person does not read stays.
    let kept = before.into_iter().flat_map(|before| before.heads).filter(|head| position.heads.iter().all(|new| new.ns_id != head.ns_id));
    let kept: Vec<_> = kept.collect();
    position.heads.extend(kept);
    lockfile::write(&path, &position)?;
    let locked = Locked {
        file: path.display().to_string(),
        seq: position.seq,
        link_hash: position.link_hash.to_string(),
        namespaces: position.heads.len(),
    };
    context.output.result(&locked, || format!("wrote {}, at link {}; commit it", locked.file, locked.seq))
}

async fn verify(context: &mut Context) -> Outcome {
    let path = lock_path(context)?;
    let position = lockfile::read(&path)?.ok_or_else(|| absent(&path))?;
    let vault = vault::open(context).await?;
    lockfile::check(&vault, &path, &position).await?;
    let locked = Locked {
        file: path.display().to_string(),
        seq: position.seq,
        link_hash: position.link_hash.to_string(),
        namespaces: position.heads.len(),
    };
    context.output.result(&locked, || format!("the organization contains the lock, at link {}", locked.seq))
}

/// `keyvawlt heartbeat`
pub async fn heartbeat(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Beaten {
        links: u64,
    }
    let mut vault = vault::open(context).await?;
    vault.heartbeat().await?;
    let beaten = Beaten { links: vault.verified().links };
    context.output.result(&beaten, || format!("said that the organization stands at {} links", beaten.links))
}

fn lock_path(context: &Context) -> Outcome<PathBuf> {
    let settings = context.settings()?;
    lockfile::path_of(&settings).ok_or_else(|| {
        Failure::new(Exit::NotFound, "there is no keyvawlt.toml here or above, beside which the lock would be").hint("keyvawlt init")
    })
}

fn absent(path: &std::path::Path) -> Failure {
    Failure::new(Exit::NotFound, "there is no lock").on(path.display().to_string()).hint("keyvawlt lock update writes it")
}
