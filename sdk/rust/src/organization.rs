//! Founding an organization: its genesis and its directory, made here and pinned before anything is sent.

pub(crate) mod bring_back;
pub(crate) mod directory;
pub(crate) mod environments;
pub(crate) mod fences;
pub(crate) mod guard;
pub(crate) mod heartbeat;
pub(crate) mod notices;
pub(crate) mod structure;

use crate::change::Change;
use crate::error::{Error, Result};
use crate::organization::environments::create_root;
use crate::random;
use crate::session::Session;
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_crypto::Identity;
use keyvawlt_crypto::nk::NsNames;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Body, Genesis, Link, Policy, class, org_id_of};
use keyvawlt_ledger::{Domain, FORMAT, OrgId, SUITE, merkle};
use keyvawlt_proto::v1;

/// An organization that is not sent yet.
pub(crate) struct Founding {
    pub(crate) org_id: OrgId,
    genesis: Link,
}

impl Founding {
    /// Makes the first link of an organization that will be named `name`.
    pub(crate) fn new(session: &Session, identity: &Identity, name: &str) -> Result<Self> {
        check_name(name)?;
        let (org_id, genesis) = genesis(identity, session.client().origin().to_owned(), session.client().clock().now_ms())?;
        Ok(Self { org_id, genesis })
    }
}

impl Vault {
    /// Sends the organization's first links, and holds them.
    pub(crate) async fn found(&mut self, founding: Founding) -> Result<()> {
        let signed = self.identity.sign(Domain::OrgLink, founding.genesis.to_bytes());
        let mut staged = {
            let mut change = Change::on(self);
            change.push_link(signed, vec![])?;
            let names = NsNames { project: "keyvawlt".to_owned(), environment: "directory".to_owned(), prefix: String::new() };
            create_root(&mut change, class::DIRECTORY, &names)?;
            change.finish()
        };
        let request =
            v1::CreateOrganizationRequest { request_id: Bytes::copy_from_slice(&random::bytes::<16>()), batch: Some(staged.take_batch()) };
        self.session.call(async |client, token| rpc::create_organization(client, Some(token), request.clone()).await).await?;
        self.adopt(staged)
    }

    /// Notes how the organization and its founder are called.
    pub(crate) async fn name_organization(&mut self, name: &str) -> Result<()> {
        let own = self.identity.id();
        let names = [(directory::ORGANIZATION.to_owned(), name.to_owned()), (directory::person_key(&own), "founder".to_owned())];
        self.change(|change| directory::note(change, &names)).await?;
        Box::pin(self.roam()).await;
        Ok(())
    }

    /// Changes how this identity, or another, is called in the directory. Needs write there: admins.
    pub async fn rename_person(&mut self, id: &keyvawlt_ledger::IdentityId, name: &str) -> Result<()> {
        check_name(name)?;
        let key = directory::person_key(id);
        let directory = self.directory_id()?;
        self.write(&directory, &[crate::SecretWrite::new(key, name.as_bytes())]).await.map(|_| ())
    }
}

/// The first link; the organization's id is its hash.
pub(crate) fn genesis(identity: &Identity, origin: String, now_ms: u64) -> Result<(OrgId, Link)> {
    let policy = Policy {
        min_suite: SUITE,
        require_admin_confirm: false,
        allow_unverified: false,
        machine_single_class: true,
        max_staleness_ms: None,
        origins: vec![origin],
        log_key: None,
        witnesses: vec![],
    };
    let body = Genesis { bundle: identity.signed_bundle().clone(), policy, nonce: random::bytes() };
    let mut link = Link {
        v: FORMAT,
        org_id: OrgId([0; 32]),
        seq: 0,
        history: merkle::empty_root(),
        kind: 1,
        author_id: identity.id(),
        author_key_id: identity.key_id(),
        ts_ms: now_ms,
        body: Body::Genesis(body).to_value(),
        seen: vec![],
    };
    link.org_id = org_id_of(&link.to_bytes()).map_err(Error::Refused)?;
    Ok((link.org_id, link))
}

/// The longest display name.
const MAX_DISPLAY_NAME: usize = 128;

pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.len() > MAX_DISPLAY_NAME || name.chars().any(char::is_control) {
        return Err(Error::invalid("name", "it must have 1 to 128 bytes, and no control characters"));
    }
    Ok(())
}
