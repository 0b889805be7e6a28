//! Ending one's digests, or the mails to a team's address, by the link that each of them carries. The link is all it takes: no log-in, no question.
//!
//! Each mail has a token of its own, of which the store keeps the hash. It can do one thing. For one person in one organization, a daily digest's
//! has that person hear no more of what would ride in one, a monthly digest's mutes that kind; what is urgent is told as before, and preferences
//! that are set anew begin digests again. A team's address gets nothing more before it is proved again, and admins are told.

use super::delivery::{Delivery, Destination};
use super::{ChannelId, KEPT_MS, Kind, Recipient, preferences, routes};
use crate::error::Result;
use crate::store::{Tx, column};
use keyvawlt_ledger::{IdentityId, OrgId};
use keyvawlt_schema::{digest_link, notice_preference};
use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

/// Nobody guesses it.
const TOKEN_LEN: usize = 32;

/// A new token that ends the digests of whom this one goes to, or the mails to this address. A token for each attempt: a mail that came although its
/// attempt failed has one that works, too.
pub async fn unsubscribe_token(tx: &Tx, delivery: &Delivery) -> Result<Option<String>> {
    let tx = tx.without_permit("the worker lets whoever gets a mail end such mails");
    let (recipient, to_channel) = match (delivery.recipient(), &delivery.destination) {
        (Recipient::Person(person), _) => (person.0, false),
        (Recipient::Channel(channel), Some(Destination::Address { .. })) => (channel.0, true),
        (Recipient::Channel(_), _) => return Ok(None),
    };
    let token = hex::encode(tx.random().bytes::<TOKEN_LEN>());
    let row = digest_link::ActiveModel {
        token_hash: Set(hash(&token)),
        org_id: Set(delivery.org.0.to_vec()),
        identity_id: Set(recipient.to_vec()),
        to_channel: Set(to_channel),
        mutes: Set(delivery.is_monthly().then_some(Kind::MonthlyDigest as i16)),
        created_at: Set(column(tx.now_ms())),
    };
    digest_link::Entity::insert(row).exec_without_returning(tx.db()).await?;
    Ok(Some(token))
}

/// Ends the mails that the token is for. Whether there are any is not said.
pub async fn unsubscribe(tx: &Tx, token: &str) -> Result<()> {
    let tx = tx.without_permit("whoever holds a mail's link may end such mails; nothing is returned");
    let Some(link) = digest_link::Entity::find_by_id(hash(token)).one(tx.db()).await? else { return Ok(()) };
    if link.to_channel {
        return routes::withdraw(tx, &OrgId::from_slice(&link.org_id)?, &ChannelId::from_slice(&link.identity_id)?).await;
    }
    if let Some(kind) = link.mutes {
        let (org, id) = (OrgId::from_slice(&link.org_id)?, IdentityId::from_slice(&link.identity_id)?);
        return preferences::mute(tx, &org, &id, Kind::numbered(kind)?).await;
    }
    notice_preference::Entity::update_many()
        .col_expr(notice_preference::Column::DigestEndedAt, Expr::value(column(tx.now_ms())))
        .filter(notice_preference::Column::OrgId.eq(link.org_id).and(notice_preference::Column::IdentityId.eq(link.identity_id)))
        // Whoever has none by now is told things at once, and asked for it.
        .filter(notice_preference::Column::DigestHour.is_not_null())
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Who of these has ended the digests.
pub(super) async fn ended(tx: &Tx, org: &OrgId, people: &[IdentityId]) -> Result<BTreeSet<IdentityId>> {
    let theirs = notice_preference::Column::IdentityId.is_in(people.iter().map(|id| id.0.to_vec()));
    let ids: Vec<Vec<u8>> = notice_preference::Entity::find()
        .select_only()
        .column(notice_preference::Column::IdentityId)
        .filter(notice_preference::Column::OrgId.eq(org.0.to_vec()).and(theirs))
        .filter(notice_preference::Column::DigestEndedAt.is_not_null())
        .into_tuple()
        .all(tx.db())
        .await?;
    ids.iter().map(|id| Ok(IdentityId::from_slice(id)?)).collect()
}

/// Forgets links as old as deliveries that are forgotten.
pub(super) async fn prune(tx: &Tx) -> Result<()> {
    let old = digest_link::Column::CreatedAt.lte(column(tx.now_ms().saturating_sub(KEPT_MS)));
    digest_link::Entity::delete_many().filter(old).exec(tx.db()).await?;
    Ok(())
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token).to_vec()
}
