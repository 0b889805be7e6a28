//! Projects and environments, by the names sealed under their own keys.

use crate::account::breakglass::give_to_break_glass;
use crate::change::{Change, seal_of};
use crate::error::{Error, Result};
use crate::organization::directory;
use crate::random::{self, rng};
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_crypto::nk::{self, NsNames};
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Body, NamespaceCreate, Ns, Questions, WrapSet, class};
use keyvawlt_ledger::wrap;
use keyvawlt_ledger::{NsId, names};
use std::collections::BTreeMap;

/// An environment this identity reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its id.
    pub ns_id: NsId,
    /// Its project.
    pub project: String,
    /// Its name.
    pub name: String,
    /// 1 development, 2 staging, 3 production.
    pub class: u8,
    /// What this identity may do there; in any of the folders, where it sees only those.
    pub permissions: u8,
    /// Its key must change before the next write.
    pub owed: bool,
    /// The guarded folders this identity sees, where it does not read the whole environment.
    pub only: Vec<String>,
}

impl Vault {
    /// The environments this identity reads, by project and name.
    pub fn environments(&self) -> Result<Vec<Environment>> {
        Ok(self.environments_where(false))
    }

    /// Those that are, or are not, archived.
    pub(crate) fn environments_where(&self, archived: bool) -> Vec<Environment> {
        let state = self.replica.head();
        let mut by_root: BTreeMap<NsId, Vec<NsId>> = BTreeMap::new();
        for ns_id in self.spaces.keys() {
            let line: Vec<(NsId, Box<Ns>)> =
                state.lineage(ns_id).into_iter().filter_map(|ns_id| Some((ns_id, state.ns(&ns_id)?))).collect();
            let Some((root, top)) = line.last().filter(|(_, top)| top.class != class::DIRECTORY && top.archived == archived) else {
                continue;
            };
            let below_open = line.iter().filter(|(ns_id, _)| ns_id != root).all(|(_, ns)| !ns.archived);
            if top.archived || below_open {
                by_root.entry(*root).or_default().push(*ns_id);
            }
        }
        let environments = by_root.into_iter().filter_map(|(root, read)| self.environment_of(&root, read));
        let mut environments: Vec<Environment> = environments.collect();
        environments.sort_by(|a, b| (&a.project, a.class, &a.name).cmp(&(&b.project, b.class, &b.name)));
        environments
    }

    /// One environment as this identity sees it, by the namespaces of it that it reads; none if no name of it opens: it is then among the flaws,
    /// and in nobody's way.
    fn environment_of(&self, root: &NsId, mut read: Vec<NsId>) -> Option<Environment> {
        let state = self.replica.head();
        let whole = read.contains(root);
        let all = read.clone();
        read.retain(|ns_id| !state.lineage(ns_id).iter().skip(1).any(|above| all.contains(above)));
        let named: Vec<(NsId, NsNames)> = read.into_iter().filter_map(|ns_id| Some((ns_id, self.names_of(&ns_id).ok()?))).collect();
        let NsNames { project, environment: name, .. } = named.first()?.1.clone();
        let mut only: Vec<String> = named.iter().map(|(_, names)| names.prefix.clone()).filter(|_| !whole).collect();
        only.sort();
        Some(Environment {
            ns_id: *root,
            project,
            name,
            class: state.ns(root)?.class,
            permissions: named.iter().fold(0, |bits, (ns_id, _)| bits | self.permissions(ns_id, &self.identity.id())),
            owed: named.iter().any(|(ns_id, _)| state.is_owed(ns_id, self.now_ms())),
            only,
        })
    }

    /// One environment by name.
    pub fn environment(&self, project: &str, name: &str) -> Result<Environment> {
        let mut found = self.environments()?;
        found.retain(|environment| environment.project == project && environment.name == name);
        match <[Environment; 1]>::try_from(found) {
            Ok([environment]) => Ok(environment),
            Err(found) if found.is_empty() => match self.flaws().into_iter().find(|flaw| flaw.secret_id.is_none()) {
                // It may be the one that does not open.
                Some(flaw) => Err(flaw.error()),
                None => Err(Error::not_found("environment", format!("{project}/{name}"))),
            },
            Err(found) => {
                let ids: Vec<String> = found.iter().map(|environment| environment.ns_id.to_string()).collect();
                Err(Error::invalid("environment", format!("{project}/{name} is not unique, use the id: {}", ids.join(", "))))
            }
        }
    }

    /// What namespaces are called: `project/environment`, and a guarded folder of it `project/environment:stripe/`. Where this identity reads, by the names
    /// sealed under the namespace's own key; elsewhere as the directory has them.
    pub fn place_names(&self) -> Result<BTreeMap<NsId, String>> {
        let state = self.replica.head();
        let mut places: BTreeMap<NsId, String> = self
            .directory()?
            .into_iter()
            .filter_map(|(key, name)| Some((key.strip_prefix(directory::ENVIRONMENTS)?.parse().ok()?, name)))
            .filter(|(ns_id, _)| state.ns(ns_id).is_some_and(|ns| !ns.archived))
            .collect();
        for ns_id in self.spaces.keys() {
            if state.ns(ns_id).is_some_and(|ns| ns.class != class::DIRECTORY && !ns.archived) {
                let Ok(NsNames { project, environment, prefix }) = self.names_of(ns_id) else { continue };
                let place =
                    if prefix.is_empty() { format!("{project}/{environment}") } else { format!("{project}/{environment}:{prefix}") };
                places.insert(*ns_id, place);
            }
        }
        Ok(places)
    }

    /// Creates a project with its environments, each with its class.
    pub async fn create_project(&mut self, project: &str, environments: &[(&str, u8)]) -> Result<Vec<NsId>> {
        check_segment("project", project)?;
        for (name, _) in environments {
            check_segment("environment", name)?;
        }
        self.change(|change| {
            let prefix = format!("{project}/");
            if change.vault().place_names()?.values().any(|place| place.starts_with(&prefix)) {
                return Err(Error::invalid("project", format!("{project} exists already")));
            }
            create_environments(change, project, environments)
        })
        .await
    }

    /// Adds an environment to a project.
    pub async fn create_environment(&mut self, project: &str, name: &str, class: u8) -> Result<NsId> {
        check_segment("environment", name)?;
        self.change(|change| {
            let place = format!("{project}/{name}");
            if change.vault().place_names()?.values().any(|taken| *taken == place) {
                return Err(Error::invalid("environment", format!("{project}/{name} exists already")));
            }
            let made = create_environments(change, project, &[(name, class)])?;
            made.first().copied().ok_or_else(|| Error::not_found("environment", name))
        })
        .await
    }

    /// What a namespace is called.
    pub(crate) fn names_of(&self, ns_id: &NsId) -> Result<NsNames> {
        let sealed = self.replica.head().known_ns(ns_id).map_err(unverified)?.names;
        let key = self.key_of(ns_id, sealed.epoch).map_err(unverified)?;
        nk::open_ns_names(&key, &self.org_id, ns_id, &sealed.to_bytes()).map_err(unverified)
    }
}

fn create_environments(change: &mut Change, project: &str, environments: &[(&str, u8)]) -> Result<Vec<NsId>> {
    let mut made = Vec::new();
    let mut display = Vec::new();
    for (name, class) in environments {
        let ns_names = NsNames { project: project.to_owned(), environment: (*name).to_owned(), prefix: String::new() };
        let ns_id = create_root(change, *class, &ns_names)?;
        give_to_break_glass(change, &ns_id)?;
        display.push((directory::environment_key(&ns_id), format!("{project}/{name}")));
        made.push(ns_id);
    }
    directory::note(change, &display)?;
    Ok(made)
}

/// A root namespace with its first key, wrapped for its author.
pub(crate) fn create_root(change: &mut Change, class: u8, ns_names: &NsNames) -> Result<NsId> {
    let ns_id = NsId(random::bytes());
    let org_id = change.replica.tip().org_id;
    let key = change.first_key(&ns_id);
    let own = change.wrap_for(&ns_id, 1, &key, &change.vault().identity.id())?;
    let body = NamespaceCreate {
        ns_id,
        parent: None,
        class,
        nk_commit: nk::commit(&org_id, &ns_id, 1, &key),
        parent_seal: None,
        wraps: WrapSet { root: wrap::root(std::slice::from_ref(&own)).map_err(Error::Refused)?, count: 1 },
        names: seal_of(&nk::seal_ns_names(&key, &org_id, &ns_id, 1, ns_names, &mut rng()))?,
    };
    change.link(&Body::NamespaceCreate(body), vec![own.clone()])?;
    change.hold(&own);
    Ok(ns_id)
}

/// Names of projects and environments are single segments: they stand before secrets in addresses.
pub(crate) fn check_segment(field: &'static str, name: &str) -> Result<()> {
    if name.contains('/') {
        return Err(Error::invalid(field, "its name must not contain '/'"));
    }
    names::check(name).map_err(|fault| Error::invalid(field, fault.why))
}
