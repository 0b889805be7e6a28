//! Sealed values that a listing left out: fetched when they are used, and held against the leaves that name them.

use crate::error::{Error, Result};
use crate::secrets::index::Found;
use crate::sync::space::unverified;
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::chain::Questions as _;
use keyvawlt_ledger::manifest::ObjectKind;
use keyvawlt_ledger::{Code, Fault, NsId, SecretId};
use keyvawlt_proto::v1;
use std::collections::{BTreeMap, BTreeSet};

/// Values that are fetched one by one; for more the whole namespace is listed again.
const ONE_BY_ONE: usize = 32;

impl Vault {
    /// Fetches the sealed values of these secrets as far as this machine does not hold them: it started from a listing, and
    /// [`crate::Options::values_when_used`] was chosen. Names of nothing are in nobody's way.
    pub async fn fetch<'n>(&mut self, environment: &NsId, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
        let names: BTreeSet<&str> = names.into_iter().collect();
        self.fetch_lacking(environment, |found| !found.leaf.is_draft() && names.contains(found.name.as_str())).await
    }

    /// The same for what is staged under a name.
    pub(crate) async fn fetch_draft(&mut self, environment: &NsId, name: &str) -> Result<()> {
        self.fetch_lacking(environment, |found| found.leaf.is_draft() && found.name == name).await
    }

    /// The same for all secrets of an environment.
    pub async fn fetch_all(&mut self, environment: &NsId) -> Result<()> {
        self.fetch_lacking(environment, |found| !found.leaf.is_draft()).await
    }

    /// Takes in every manifest link of an environment that was listed, so that its history is known here too.
    pub async fn take_history(&mut self, environment: &NsId) -> Result<()> {
        let family = self.replica.head().family(environment);
        self.take_whole(&family).await
    }

    async fn fetch_lacking(&mut self, environment: &NsId, wanted: impl Fn(&Found) -> bool) -> Result<()> {
        let family = self.replica.head().family(environment);
        if !family.iter().any(|ns| self.spaces.is_shallow(ns)) {
            return Ok(());
        }
        let mut lacking: BTreeMap<NsId, Vec<(SecretId, u64)>> = BTreeMap::new();
        let (index, drafts) = (self.index(environment)?, self.drafts_of(environment)?);
        let lacks = |found: &&Found| found.objects.lacks_value(found.leaf) && wanted(found);
        for found in index.usable().chain(&drafts).filter(lacks) {
            lacking.entry(found.space.tip.ns_id).or_default().push((found.leaf.secret_id, found.leaf.version));
        }
        if lacking.is_empty() {
            return Ok(());
        }
        for (ns_id, mut secrets) in lacking {
            if secrets.len() > ONE_BY_ONE {
                self.fetch_namespace(&ns_id).await?;
                let held = self.spaces.get(&ns_id)?;
                secrets.retain(|(id, _)| held.is_some_and(|space| space.lacking().contains(id)));
            }
            for (secret_id, version) in secrets {
                self.fetch_one(&ns_id, secret_id, version).await?;
            }
        }
        self.save()
    }

    async fn fetch_one(&mut self, ns_id: &NsId, secret_id: SecretId, version: u64) -> Result<()> {
        let request = v1::ReadVersionRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            ns_id: Bytes::copy_from_slice(&ns_id.0),
            secret_id: Bytes::copy_from_slice(&secret_id.0),
            version,
        };
        let answer = self.session.call(async |client, token| rpc::read_version(client, Some(token), request.clone()).await).await?;
        self.put_value(ns_id, secret_id, &answer.payload, &answer.dek)
    }

    /// What was written since the listing this machine holds is left out: it comes with the next sync.
    async fn fetch_namespace(&mut self, ns_id: &NsId) -> Result<()> {
        let Some((_, secrets)) = self.read_listing(ns_id, vec![], true).await? else { return Ok(()) };
        for secret in secrets {
            let id = SecretId::from_slice(&secret.secret_id).map_err(unverified)?;
            let space = self.spaces.get(ns_id)?;
            let same = space.and_then(|space| space.leaf(&id)).is_some_and(|leaf| leaf.version == secret.version);
            if same && space.is_some_and(|space| space.lacking().contains(&id)) {
                self.put_value(ns_id, id, &secret.payload, &secret.dek)?;
            }
        }
        Ok(())
    }

    fn put_value(&mut self, ns_id: &NsId, id: SecretId, payload: &[u8], dek: &[u8]) -> Result<()> {
        let gone = || unverified(Fault::new(Code::UnknownNamespace, "a value of a namespace that is not held"));
        let space = self.spaces.get_mut(ns_id)?.ok_or_else(gone)?;
        space.put_object(id, ObjectKind::Payload, payload.to_vec()).map_err(unverified)?;
        space.put_object(id, ObjectKind::Dek, dek.to_vec()).map_err(unverified)
    }
}

/// What reading a value says that was not fetched.
pub(crate) fn not_fetched(name: &str) -> Error {
    Error::invalid("value", format!("the value of {name} was not fetched: `Vault::fetch` it first"))
}
