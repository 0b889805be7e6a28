//! Who calls: a verified access token's subject, looked up again in every call, so that a removed slot bites at once.
//!
//! A caller is nobody in any organization yet; that is what [`authorize`](crate::authorize::authorize) finds out.

use crate::error::{Error, Result};
use crate::store::Tx;
use keyvawlt_ledger::assertion::Subject;
use keyvawlt_ledger::{AccountId, IdentityId, InviteId, KeyId, OrgId, SlotId};
use keyvawlt_schema::{account, slot};
use sea_orm::ConnectionTrait as _;
use sea_orm::sea_query::{ExprTrait as _, Query};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A person, by one slot of the account.
    Account {
        /// The account.
        account_id: AccountId,
        /// The way in.
        slot_id: SlotId,
        /// The identity the account acts as.
        identity_id: IdentityId,
        /// That identity's current keys.
        key_id: KeyId,
    },
    /// A machine or recovery identity, by the log-in key of one of its bundles.
    Identity {
        /// The identity.
        identity_id: IdentityId,
        /// The keys it logged in with.
        key_id: KeyId,
    },
    /// The bearer of an invite code.
    Invite {
        /// The organization that invites.
        org_id: OrgId,
        /// The invite.
        invite_id: InviteId,
    },
}

impl Caller {
    /// Looks up whom a subject acts as now.
    pub async fn find(tx: &Tx, subject: Subject) -> Result<Self> {
        Ok(match subject {
            Subject::Slot(account_id, slot_id) => {
                let (identity_id, key_id) = identity_behind(tx, &account_id, &slot_id).await?;
                Self::Account { account_id, slot_id, identity_id, key_id }
            }
            Subject::Identity(identity_id, key_id) => Self::Identity { identity_id, key_id },
            Subject::Invite(org_id, invite_id) => Self::Invite { org_id, invite_id },
        })
    }

    /// The identity the caller acts as, and its keys. The bearer of an invite acts as nobody.
    pub fn identity(&self) -> Option<(IdentityId, KeyId)> {
        match self {
            Self::Account { identity_id, key_id, .. } | Self::Identity { identity_id, key_id } => Some((*identity_id, *key_id)),
            Self::Invite { .. } => None,
        }
    }

    /// The name audit events use.
    pub fn actor(&self) -> String {
        match self {
            Self::Account { identity_id, .. } | Self::Identity { identity_id, .. } => identity_id.to_string(),
            Self::Invite { invite_id, .. } => format!("invite:{invite_id}"),
        }
    }

    /// The name under which answers to creating calls are kept.
    pub fn requester(&self) -> String {
        match self {
            Self::Account { account_id, .. } => format!("account:{account_id}"),
            Self::Identity { identity_id, .. } => format!("identity:{identity_id}"),
            Self::Invite { org_id, invite_id } => format!("invite:{org_id}:{invite_id}"),
        }
    }
}

/// One statement: this is part of every call of a person.
async fn identity_behind(tx: &Tx, account_id: &AccountId, slot_id: &SlotId) -> Result<(IdentityId, KeyId)> {
    let tx = tx.without_permit("who calls is found out before anything can be permitted");
    let find = Query::select()
        .column((account::Entity, account::Column::IdentityId))
        .column((account::Entity, account::Column::KeyId))
        .from(slot::Entity)
        .inner_join(
            account::Entity,
            sea_orm::sea_query::Expr::col((account::Entity, account::Column::Id)).equals((slot::Entity, slot::Column::AccountId)),
        )
        .and_where(sea_orm::sea_query::Expr::col((slot::Entity, slot::Column::AccountId)).eq(account_id.0.to_vec()))
        .and_where(sea_orm::sea_query::Expr::col((slot::Entity, slot::Column::SlotId)).eq(slot_id.0.to_vec()))
        .to_owned();
    let row = tx.db().query_one(&find).await?.ok_or_else(|| Error::unauthenticated("this way into the account was removed"))?;
    let (identity, key): (Vec<u8>, Vec<u8>) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
    Ok((IdentityId::from_slice(&identity)?, KeyId::from_slice(&key)?))
}
