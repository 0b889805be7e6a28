//! What the operator decides about a message: it is tried again after it was given up, or not sent at all.
//!
//! Invariant: the record says what the job will do. A job that is run again finds its message open, and nothing joins a message whose job is gone.

use super::delivery::{DeliveryId, State, at};
use crate::error::Result;
use crate::store::{Tx, column};
use keyvawlt_ledger::OrgId;
use keyvawlt_schema::delivery;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

/// Opens a message that was given up or refused: what is still true of it is told, and retries are counted anew.
pub(crate) async fn open(tx: &Tx, org: &OrgId, id: &DeliveryId) -> Result<()> {
    let tx = tx.without_permit("the operator has a message tried again, at the server's own command line");
    delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(State::Queued as i16))
        .col_expr(delivery::Column::RunAt, Expr::value(column(tx.now_ms())))
        .col_expr(delivery::Column::EndedAt, Expr::value(None::<i64>))
        .filter(at(org, id).add(delivery::Column::State.is_in([State::GivenUp as i16, State::Refused as i16])))
        .exec(tx.db())
        .await?;
    Ok(())
}

/// Ends a message that waits: it is not sent, and the record says why.
pub(crate) async fn discard(tx: &Tx, org: &OrgId, id: &DeliveryId) -> Result<()> {
    let tx = tx.without_permit("the operator has a message not sent, at the server's own command line");
    delivery::Entity::update_many()
        .col_expr(delivery::Column::State, Expr::value(State::Cancelled as i16))
        .col_expr(delivery::Column::Gathers, Expr::value(None::<String>))
        .col_expr(delivery::Column::LastError, Expr::value("discarded by the operator"))
        .col_expr(delivery::Column::EndedAt, Expr::value(column(tx.now_ms())))
        .filter(at(org, id).add(delivery::Column::EndedAt.is_null()))
        .exec(tx.db())
        .await?;
    Ok(())
}
