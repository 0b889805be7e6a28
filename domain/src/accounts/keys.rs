//! The keys accounts act with. A person replaces keys in one organization after the other: until then the old ones stand there, and the account
//! acts with them. Keys that somebody else put there (a reset) are not the account's.

use crate::caller::Caller;
use crate::error::Result;
use crate::organizations::rows::Rows;
use crate::store::Tx;
use keyvawlt_ledger::bundle::Bundle;
use keyvawlt_ledger::chain::Questions as _;
use keyvawlt_ledger::{AccountId, IdentityId, KeyId, Signed};
use keyvawlt_schema::{account, account_key, bundle};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel as _, QueryFilter};

/// Keeps the public keys of an identity: for its log-in, and for those who want to give it access. Says whether they are new here.
pub(crate) async fn keep_bundle(tx: &Tx, signed: &Signed, bundle: &Bundle, key_id: &KeyId) -> Result<bool> {
    let row = bundle::ActiveModel {
        key_id: Set(key_id.0.to_vec()),
        identity_id: Set(bundle.identity_id.0.to_vec()),
        payload: Set(signed.payload().to_vec()),
        sig: Set(signed.sig.to_vec()),
        auth_pk: Set(bundle.auth_pk.to_vec()),
    };
    let known = OnConflict::column(bundle::Column::KeyId).do_nothing().to_owned();
    Ok(bundle::Entity::insert(row).on_conflict(known).exec_without_returning(tx.db()).await? > 0)
}

/// Goes on under new keys, which the old ones signed.
pub(crate) async fn renew_keys(tx: &Tx, identity: &IdentityId, old: &KeyId, new: &KeyId) -> Result<()> {
    let find = account::Entity::find().filter(account::Column::IdentityId.eq(identity.0.to_vec()));
    for row in find.all(tx.db()).await? {
        let account = AccountId::from_slice(&row.id)?;
        if !had_key(tx, &account, old).await? {
            continue;
        }
        remember(tx, &account, new).await?;
        if row.key_id == old.0 {
            let mut row = row.into_active_model();
            row.key_id = Set(new.0.to_vec());
            row.update(tx.db()).await?;
        }
    }
    Ok(())
}

/// The caller with the keys that stand for it in an organization, where they were ever its own.
pub(crate) async fn with_standing_keys(tx: &Tx, rows: &mut Rows, caller: Caller) -> Result<Caller> {
    let Caller::Account { account_id, slot_id, identity_id, key_id } = caller else { return Ok(caller) };
    let standing = rows.settle(tx, |rows| rows.member(&identity_id)).await?.map(|member| member.key_id);
    match standing {
        Some(standing) if standing != key_id && had_key(tx, &account_id, &standing).await? => {
            Ok(Caller::Account { account_id, slot_id, identity_id, key_id: standing })
        }
        _ => Ok(caller),
    }
}

/// Notes a key as an account's own.
pub(super) async fn remember(tx: &Tx, account: &AccountId, key: &KeyId) -> Result<()> {
    let row = account_key::ActiveModel { account_id: Set(account.0.to_vec()), key_id: Set(key.0.to_vec()) };
    let known = OnConflict::columns([account_key::Column::AccountId, account_key::Column::KeyId]).do_nothing().to_owned();
    account_key::Entity::insert(row).on_conflict(known).exec_without_returning(tx.db()).await?;
    Ok(())
}

/// The keys by which somebody is known in one organization or another: those that the account has, and has had. Others may have begun an account
/// for the same identity, with keys of their own.
pub(crate) async fn own_keys(tx: &Tx, account: Option<&AccountId>, current: &KeyId) -> Result<Vec<Vec<u8>>> {
    let mut keys = vec![current.0.to_vec()];
    if let Some(account) = account {
        let earlier = account_key::Entity::find().filter(account_key::Column::AccountId.eq(account.0.to_vec()));
        keys.extend(earlier.all(tx.db()).await?.into_iter().map(|row| row.key_id));
    }
    Ok(keys)
}

async fn had_key(tx: &Tx, account: &AccountId, key: &KeyId) -> Result<bool> {
    Ok(account_key::Entity::find_by_id((account.0.to_vec(), key.0.to_vec())).one(tx.db()).await?.is_some())
}
