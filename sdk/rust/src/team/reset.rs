//! A member who lost every key: an admin resets them to new ones after words were compared, and the member enters again with a new account.

use crate::account::Account;
use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::organization::fences::Loss as Taken;
use crate::team::members::give;
use crate::team::offboarding::finish_loss;
use crate::team::worklist::Removal;
use crate::vault::Vault;
use keyvawlt_crypto::reset::{ReturnCode, keys_text, parse_keys};
use keyvawlt_crypto::{Zeroizing, safety_words};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::{Body, KeyReset, Questions, is_live, permission, verified};
use keyvawlt_ledger::{IdentityId, NsId, Signed};

/// New keys of somebody, as the code shows them. Their words are compared before anything is done with them.
#[derive(Clone, Debug)]
pub struct NewKeys {
    /// Whose.
    pub id: IdentityId,
    /// To compare by voice.
    pub words: [&'static str; 10],
    bundle: Signed,
}

impl NewKeys {
    /// Reads the code that the member was shown.
    pub fn parse(code: &str) -> Result<Self> {
        let (bundle, said, key_id) = parse_keys(code).map_err(|fault| Error::invalid("code of new keys", fault.why))?;
        if said.kind != kind::PERSON {
            return Err(Error::invalid("code of new keys", "it is not a person's"));
        }
        Ok(Self { id: said.identity_id, words: safety_words(&key_id), bundle })
    }
}

/// What a reset did.
#[derive(Clone, Debug)]
pub struct Reset {
    /// What the member needs to enter again.
    pub code: ReturnCode,
    /// What the lost keys opened.
    pub removal: Removal,
    /// Where access was given again.
    pub given: Vec<NsId>,
    /// Where somebody else must give it.
    pub missing: Vec<NsId>,
}

impl Account {
    /// The code of this person's keys, for the admin who resets them.
    pub fn keys_code(&self) -> Zeroizing<String> {
        keys_text(self.identity().signed_bundle())
    }

    /// Enters an organization again in which an admin has reset this person's keys.
    pub async fn enter_again(&mut self, code: &ReturnCode, state: &StateDir) -> Result<Vault> {
        if code.origin != self.client().origin() {
            return Err(Error::invalid("code to return by", format!("it is for the server {}", code.origin)));
        }
        let mut vault = self.remembered(code.org_id, state, Some((code.seq, code.link_hash))).await?;
        vault.sync().await?;
        self.enter(code.org_id, &mut vault).await?;
        Box::pin(vault.roam()).await;
        self.follow(&vault);
        Ok(vault)
    }
}

impl Vault {
    /// Resets a member's keys to new ones whose words were compared, and gives again what was held before, as far as this identity can.
    pub async fn reset_member(&mut self, keys: &NewKeys) -> Result<Reset> {
        let (id, own) = (keys.id, self.identity.id());
        if id == own {
            return Err(Error::invalid("member", "nobody resets his own keys: rotate them, or ask another admin"));
        }
        let taken = Taken::Membership(id);
        self.change_taking(Some(taken), |change| {
            change.replica.head().member(&id).ok_or_else(|| Error::not_found("member", id.to_string()))?;
            let now = change.ts_ms();
            let state = change.replica.head();
            let held = state.held_by(&id).into_iter().filter_map(|ns| Some((ns, state.access(&ns, &id)?)));
            let held: Vec<_> = held.filter(|(_, access)| is_live(access.expires_ms, now)).collect();
            let lost = change.vault().about_to_lose(&id, None);
            let fences = change.fences(&taken)?;
            let bundle = keys.bundle.clone();
            let body = KeyReset { identity_id: id, bundle, verified: verified::WORDS, fences, abandon: false };
            let link_hash = change.link(&Body::KeyReset(body), vec![])?;
            let tip = change.replica.tip();
            let (org_id, seq) = (tip.org_id, tip.next_seq() - 1);
            let removal = finish_loss(change, lost)?;
            let (mut given, mut missing) = (vec![], vec![]);
            for (ns, access) in held {
                let needed = permission::READ | permission::WRITE | permission::MANAGE;
                let may = change.replica.head().permissions(&ns, &own, now) & needed == needed;
                if may && !change.replica.head().is_owed(&ns, now) {
                    give(change, &id, &ns, access.permissions, access.expires_ms)?;
                    given.push(ns);
                } else {
                    missing.push(ns);
                }
            }
            let identity = change.vault().identity();
            let code = ReturnCode {
                org_id,
                seq,
                link_hash,
                author_key_id: identity.key_id(),
                origin: change.vault().client().origin().to_owned(),
            };
            Ok(Reset { code, removal, given, missing })
        })
        .await
    }
}
