//! Proofs: a team's e-mail address gets nothing but codes until an admin was told one of them by whoever reads there; and whoever reads there takes
//! the proof back by the link of any mail.

use super::super::{Audience, Notice, Topic, raise};
use super::{ChannelId, Form, at, find, is_proved};
use crate::addresses::{self, CodeMail, HOUR_MS, Kept};
use crate::audit;
use crate::error::{Error, Result};
use crate::jobs::Job;
use crate::store::{Tx, column, number};
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::channel::{Column, Entity, Model};
use keyvawlt_schema::proof_share;
use sea_orm::sea_query::{Expr, ExprTrait as _, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

/// Codes that one organization has mailed within an hour: a team adds a handful of addresses, and nobody floods many strangers from one place.
pub const MAX_PROOFS_PER_HOUR: i32 = 20;

/// Asks for a mail with a code, within the organization's share and the address's.
pub(super) async fn ask(tx: &Tx, org: &OrgId, id: &ChannelId, address: &str) -> Result<()> {
    take_share(tx, org).await?;
    addresses::ask(tx, &Job::ChannelCode { org: *org, channel: *id }, address).await
}

/// Asks for another code.
pub(super) async fn ask_again(tx: &Tx, org: &OrgId, id: &ChannelId, row: &Model) -> Result<()> {
    check_form(row)?;
    if is_proved(row) {
        return Ok(());
    }
    kept(row).check_pause(tx.now_ms())?;
    ask(tx, org, id, &row.target).await
}

/// Proves the address with the code that was mailed there, and sends there from now on. A wrong guess is counted.
pub(super) async fn guess(tx: &Tx, org: &OrgId, id: &ChannelId, row: &Model, code: &str) -> Result<bool> {
    check_form(row)?;
    if is_proved(row) {
        return Ok(true);
    }
    let right = kept(row).is(&id.0, code, tx.now_ms());
    let change = Entity::update_many().filter(at(org, id));
    let change = if right {
        change
            .col_expr(Column::ProvedAt, Expr::value(column(tx.now_ms())))
            .col_expr(Column::CodeHash, Expr::value(None::<Vec<u8>>))
            .col_expr(Column::CodeExpiresAt, Expr::value(None::<i64>))
            .col_expr(Column::PausedAt, Expr::value(None::<i64>))
            .col_expr(Column::FailingSince, Expr::value(None::<i64>))
    } else {
        change.col_expr(Column::CodeAttempts, Expr::col(Column::CodeAttempts).add(1))
    };
    change.exec(tx.db()).await?;
    Ok(right)
}

/// Draws a code for the mail about to be sent; an earlier one is void. `None` when there is nothing left to prove.
pub async fn draw_channel_code(tx: &Tx, org: &OrgId, id: &ChannelId) -> Result<Option<CodeMail>> {
    let tx = tx.without_permit("the worker draws a code for one mail, to the address that an admin entered");
    tx.lock_org(org).await?;
    let Some(row) = find(tx, org, id).await?.filter(|row| !is_proved(row)) else { return Ok(None) };
    let (code, kept) = Kept::draw(&id.0, tx.random(), tx.now_ms());
    Entity::update_many()
        .col_expr(Column::CodeHash, Expr::value(kept.hash))
        .col_expr(Column::CodeExpiresAt, Expr::value(kept.expires_at))
        .col_expr(Column::CodeAttempts, Expr::value(kept.attempts))
        .filter(at(org, id))
        .exec(tx.db())
        .await?;
    Ok(Some(CodeMail { email: row.target, code }))
}

/// Whoever reads at the address wants no more: it is paused, and to be proved anew before anything is sent there. Admins hear of it.
pub(in super::super) async fn withdraw(tx: &Tx, org: &OrgId, id: &ChannelId) -> Result<()> {
    let withdrawn = Entity::update_many()
        .col_expr(Column::ProvedAt, Expr::value(None::<i64>))
        .col_expr(Column::PausedAt, Expr::value(column(tx.now_ms())))
        .filter(at(org, id).add(Column::ProvedAt.is_not_null()));
    if withdrawn.exec(tx.db()).await?.rows_affected == 0 {
        return Ok(());
    }
    let (at_ms, actor, subject) = (tx.now_ms(), audit::LINK.to_owned(), id.to_string());
    let detail = "the link in a mail to it was followed".to_owned();
    audit::record(tx, audit::Event { org: *org, at_ms, actor, action: "channel.pause", subject, detail }).await?;
    let topic = Topic::ChannelPaused { channel: *id };
    let key = format!("channel-ended/{id}/{at_ms}");
    raise(tx, &Notice { org: *org, topic, audience: Audience::Admins, key, urgent: true }).await
}

/// Under the organization's lock.
async fn take_share(tx: &Tx, org: &OrgId) -> Result<()> {
    let hour = tx.now_ms() / HOUR_MS;
    let row = proof_share::Entity::find_by_id(org.0.to_vec()).one(tx.db()).await?;
    let mailed = row.filter(|row| number(row.hour) == hour).map_or(0, |row| row.mailed);
    if mailed >= MAX_PROOFS_PER_HOUR {
        return Err(Error::RateLimited { retry_after_ms: (hour + 1) * HOUR_MS - tx.now_ms() });
    }
    let row = proof_share::ActiveModel { org_id: Set(org.0.to_vec()), hour: Set(column(hour)), mailed: Set(mailed + 1) };
    let newest =
        OnConflict::column(proof_share::Column::OrgId).update_columns([proof_share::Column::Hour, proof_share::Column::Mailed]).to_owned();
    proof_share::Entity::insert(row).on_conflict(newest).exec_without_returning(tx.db()).await?;
    Ok(())
}

fn check_form(row: &Model) -> Result<()> {
    if row.form == Form::Email as i16 { Ok(()) } else { Err(Error::invalid("channel_id", "only e-mail addresses are proved")) }
}

fn kept(row: &Model) -> Kept {
    Kept { hash: row.code_hash.clone(), expires_at: row.code_expires_at, attempts: row.code_attempts }
}
