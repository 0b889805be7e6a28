//! Log-in: proof of possession, the same for people, machines and bearers of an invite.
//!
//! Whoever is unknown gets the same answer as whoever signs wrongly. An assertion is good once, on every replica.

use super::table;
use crate::audit::{self, Event};
use crate::error::{Error, Result, is_duplicate};
use crate::store::{Store, Tx, column};
use crate::tokens::{AccessToken, Tokens};
use keyvawlt_ledger::assertion::{self, Claims, Subject};
use keyvawlt_ledger::chain::{Entry, Key, is_live};
use keyvawlt_ledger::{AccountId, Code, Fault, IdentityId, InviteId, KeyId, OrgId, jwt};
use keyvawlt_schema::{bundle, entry, jti, member, slot};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

/// An assertion this far off was not made now: the clocks differ, and saying so helps.
const CLOCK_HINT_S: u64 = 60;
/// An invite that nobody used and nobody revoked.
const INVITE_OPEN: u8 = 0;

/// Who a session acts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The account, for people who came in by a slot.
    pub account: Option<AccountId>,
    /// The identity.
    pub identity: IdentityId,
    /// Its keys, as the log-in names them.
    pub key_id: KeyId,
}

/// Checks an assertion and gives an access token for it. `origins` are those this server answers for.
pub async fn log_in(store: &Store, tokens: &Tokens, origins: &[String], assertion: &str) -> Result<AccessToken> {
    let now_s = store.clock().now_ms() / 1000;
    let subject = assertion::claimed_subject(assertion).map_err(|_| refused())?;
    check_clock(assertion, now_s)?;
    let tx = store.read().await?;
    let key = login_key(&tx, subject).await?;
    tx.commit().await?;
    // Between the transactions: a signature must not hold up the writer.
    let audiences: Vec<&str> = origins.iter().map(String::as_str).collect();
    let claims = assertion::verify(assertion, &audiences, &key.ok_or_else(refused)?, now_s).map_err(|fault| {
        tracing::debug!(%fault, "an assertion was refused");
        refused()
    })?;

    let tx = store.write().await?;
    use_once(&tx, &claims).await?;
    note(&tx, subject).await?;
    tx.commit().await?;
    tokens.issue(subject, &claims.aud, store.clock().now_ms())
}

/// Whom a session's subject acts as now; `None` when the slot was removed, or for the bearer of an invite, who acts as nobody.
pub async fn principal(tx: &Tx, subject: Subject) -> Result<Option<Principal>> {
    match subject {
        Subject::Slot(account, slot) => {
            let slot_key = (account.0.to_vec(), slot.0.to_vec());
            if slot::Entity::find_by_id(slot_key).select_only().column(slot::Column::Kind).into_tuple::<i16>().one(tx.db()).await?.is_none()
            {
                return Ok(None);
            }
            let row: Option<(Vec<u8>, Vec<u8>)> = table::Entity::find_by_id(account.0.to_vec())
                .select_only()
                .column(table::Column::IdentityId)
                .column(table::Column::KeyId)
                .into_tuple()
                .one(tx.db())
                .await?;
            let Some((identity, key_id)) = row else { return Ok(None) };
            let (identity, key_id) = (IdentityId::from_slice(&identity)?, KeyId::from_slice(&key_id)?);
            Ok(Some(Principal { account: Some(account), identity, key_id }))
        }
        Subject::Identity(identity, key_id) => Ok(Some(Principal { account: None, identity, key_id })),
        Subject::Invite(..) => Ok(None),
    }
}

async fn login_key(tx: &Tx, subject: Subject) -> Result<Option<[u8; 32]>> {
    let tx = tx.without_permit("a log-in finds the key it must verify against; unknown and wrong answer alike");
    let key = match subject {
        Subject::Slot(account, slot) => {
            let row = slot::Entity::find_by_id((account.0.to_vec(), slot.0.to_vec())).one(tx.db()).await?;
            row.map(|row| row.login_pk)
        }
        Subject::Identity(identity, key_id) => {
            let row = bundle::Entity::find_by_id(key_id.0.to_vec()).one(tx.db()).await?;
            row.filter(|row| row.identity_id == identity.0).map(|row| row.auth_pk)
        }
        Subject::Invite(org, invite) => return invite_key(tx, &org, &invite).await,
    };
    key.map(|key| key.try_into().map_err(|_| Error::internal("a log-in key must be 32 bytes"))).transpose()
}

async fn invite_key(tx: &Tx, org: &OrgId, invite: &InviteId) -> Result<Option<[u8; 32]>> {
    let key = Key::invite(invite);
    let row = entry::Entity::find_by_id((org.0.to_vec(), key.as_bytes().to_vec())).one(tx.db()).await?;
    let Some(row) = row else { return Ok(None) };
    let Entry::Invite(invite) = Entry::from_bytes(&key, &row.value)? else { return Ok(None) };
    let open = invite.state == INVITE_OPEN && is_live(invite.expires_ms, tx.now_ms());
    Ok(open.then_some(invite.auth_pk))
}

async fn use_once(tx: &Tx, claims: &Claims) -> Result<()> {
    let id = hex::decode(&claims.jti).map_err(|_| refused())?;
    let row = jti::ActiveModel { jti: Set(id), expires_at: Set(column(claims.exp.saturating_mul(1000))) };
    match jti::Entity::insert(row).exec_without_returning(tx.db()).await {
        Err(error) if is_duplicate(&error) => Err(Error::unauthenticated("this assertion was used already")),
        outcome => Ok(outcome.map(drop)?),
    }
}

/// Forgets used assertions that are no longer good anyway.
pub async fn prune_assertions(tx: &Tx) -> Result<u64> {
    let old = jti::Entity::delete_many().filter(jti::Column::ExpiresAt.lte(column(tx.now_ms())));
    Ok(old.exec(tx.db()).await?.rows_affected)
}

/// Every organization of the identity hears of its log-ins, under the name that its other events have.
async fn note(tx: &Tx, subject: Subject) -> Result<()> {
    let (orgs, actor) = match (subject, principal(tx, subject).await?) {
        (Subject::Invite(org, invite), _) => (vec![org], format!("invite:{invite}")),
        (_, Some(principal)) => (orgs_of(tx, &principal).await?, principal.identity.to_string()),
        // Removed between the two transactions.
        (_, None) => return Err(refused()),
    };
    let detail = match subject {
        Subject::Slot(_, slot) => format!("slot {slot}"),
        Subject::Identity(..) | Subject::Invite(..) => String::new(),
    };
    for org in orgs {
        let (actor, detail) = (actor.clone(), detail.clone());
        let event = Event { org, at_ms: tx.now_ms(), actor, action: "login", subject: String::new(), detail };
        audit::record(tx, event).await?;
    }
    Ok(())
}

/// Organizations that added the identity without its doing learn nothing of it.
async fn orgs_of(tx: &Tx, principal: &Principal) -> Result<Vec<OrgId>> {
    let tx = tx.without_permit("a verified log-in is put on record where the identity belongs");
    let keys = super::keys::own_keys(tx, principal.account.as_ref(), &principal.key_id).await?;
    let rows: Vec<Vec<u8>> = member::Entity::find()
        .select_only()
        .column(member::Column::OrgId)
        .filter(member::Column::IdentityId.eq(principal.identity.0.to_vec()))
        .filter(member::Column::KeyId.is_in(keys))
        .filter(member::Column::Own.eq(true))
        .into_tuple()
        .all(tx.db())
        .await?;
    Ok(rows.iter().map(|id| OrgId::from_slice(id)).collect::<Result<_, Fault>>()?)
}

/// Only a hint, from claims that nobody has verified yet; it says nothing about who exists.
fn check_clock(assertion: &str, now_s: u64) -> Result<()> {
    let claims: Claims = jwt::unverified_claims(assertion).map_err(|_| refused())?;
    let off = claims.iat.abs_diff(now_s);
    if claims.exp <= now_s || off > CLOCK_HINT_S {
        let side = if claims.iat < now_s { "behind" } else { "ahead of" };
        return Err(Fault::new(Code::Clock, format!("this machine's clock is {off} seconds {side} the server's")).into());
    }
    Ok(())
}

fn refused() -> Error {
    Error::unauthenticated("unknown, or signed with another key")
}
