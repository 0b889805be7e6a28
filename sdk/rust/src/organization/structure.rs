//! What may be changed about environments and the organization itself: archiving and restoring, renaming, the policy.

use crate::change::{Change, seal_of};
use crate::error::{Error, Result};
use crate::organization::directory;
use crate::organization::environments::{Environment, check_segment};
use crate::random::rng;
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_crypto::nk::{self, NsNames};
use keyvawlt_ledger::chain::{Body, NamespaceSet, Policy, PolicySet, Questions};
use keyvawlt_ledger::{Code, Fault, NsId};

impl Vault {
    /// The organization's rules for itself.
    pub fn policy(&self) -> Result<Policy> {
        self.replica.head().policy().ok_or_else(|| unverified(Fault::new(Code::State, "the chain has no policy")))
    }

    /// Changes the rules, from what they then are. An owner's right; the suite floor only rises.
    pub async fn set_policy(&mut self, change_it: impl Fn(&mut Policy)) -> Result<Policy> {
        self.change(|change| {
            let before = change.replica.head().policy().ok_or_else(|| unverified(Fault::new(Code::State, "the chain has no policy")))?;
            let mut policy = before.clone();
            change_it(&mut policy);
            for origin in policy.origins.iter().filter(|origin| !before.origins.contains(origin)) {
                keyvawlt_crypto::origin::check(origin).map_err(|fault| Error::invalid("origin", fault.why))?;
            }
            if policy != before {
                change.link(&Body::PolicySet(PolicySet { policy: policy.clone() }), vec![])?;
            }
            Ok(policy)
        })
        .await
    }

    /// Archives an environment with all that is guarded in it: nothing is written or given there until it is restored, and lists leave it out.
    pub async fn archive(&mut self, environment: &NsId) -> Result<()> {
        self.set_archived(environment, true).await
    }

    /// Brings an archived environment back, unless another has its name by now.
    pub async fn unarchive(&mut self, environment: &NsId) -> Result<()> {
        self.set_archived(environment, false).await
    }

    async fn set_archived(&mut self, environment: &NsId, archived: bool) -> Result<()> {
        self.change(|change| {
            let vault = change.vault();
            if !archived {
                let NsNames { project, environment: name, .. } = vault.names_of(environment)?;
                require_free(vault, &project, &name)?;
            }
            change.vouch_for(environment);
            let body = NamespaceSet { ns_id: *environment, archived: Some(archived), names: None, class: None };
            change.link(&Body::NamespaceSet(body), vec![]).map(|_| ())
        })
        .await
    }

    /// The archived environments this identity reads, by project and name.
    pub fn archived_environments(&self) -> Result<Vec<Environment>> {
        Ok(self.environments_where(true))
    }

    /// Gives an environment another name, and another project where that is asked for.
    pub async fn rename_environment(&mut self, environment: &NsId, project: &str, name: &str) -> Result<()> {
        self.rename(&[*environment], |names| {
            project.clone_into(&mut names.project);
            name.clone_into(&mut names.environment);
        })
        .await
    }

    /// Gives a project another name: all its environments, of which this identity must manage each.
    pub async fn rename_project(&mut self, project: &str, to: &str) -> Result<usize> {
        self.sync().await?;
        let all = self.environments_where(false).into_iter().chain(self.environments_where(true));
        let environments: Vec<NsId> = all.filter(|environment| environment.project == project).map(|it| it.ns_id).collect();
        if environments.is_empty() {
            return Err(Error::not_found("project", project));
        }
        self.rename(&environments, |names| to.clone_into(&mut names.project)).await?;
        Ok(environments.len())
    }

    /// Seals other names, of environments and of what is guarded in them, in one change.
    async fn rename(&mut self, environments: &[NsId], rename: impl Fn(&mut NsNames)) -> Result<()> {
        self.change(|change| {
            let vault = change.vault();
            let mut display = Vec::new();
            for environment in environments {
                let mut names = vault.names_of(environment)?;
                rename(&mut names);
                check_segment("project", &names.project)?;
                check_segment("environment", &names.environment)?;
                require_free(vault, &names.project, &names.environment)?;
                display.push((directory::environment_key(environment), format!("{}/{}", names.project, names.environment)));
                for ns_id in change.replica.head().family(environment) {
                    let mut names = vault.names_of(&ns_id)?;
                    rename(&mut names);
                    seal_names(change, &ns_id, &names)?;
                }
            }
            directory::note(change, &display)
        })
        .await
    }
}

/// Names are sealed under the newest key, which must not be owed.
fn seal_names(change: &mut Change, ns_id: &NsId, names: &NsNames) -> Result<()> {
    change.settle(ns_id)?;
    let epoch = change.replica.head().known_ns(ns_id).map_err(Error::Refused)?.epoch;
    let (org_id, key) = (change.replica.tip().org_id, change.key(ns_id, epoch)?);
    let sealed = seal_of(&nk::seal_ns_names(&key, &org_id, ns_id, epoch, names, &mut rng()))?;
    let body = NamespaceSet { ns_id: *ns_id, archived: None, names: Some(sealed), class: None };
    change.link(&Body::NamespaceSet(body), vec![]).map(|_| ())
}

fn require_free(vault: &Vault, project: &str, name: &str) -> Result<()> {
    let place = format!("{project}/{name}");
    if vault.place_names()?.values().any(|taken| *taken == place) {
        return Err(Error::invalid("environment", format!("{place} exists already")));
    }
    Ok(())
}
