//! Finds namespaces with secrets about to end, page by page, each page in its own transaction. Before it, organization by organization, what a
//! clock that was ahead may have passed over: for this sweep, and for that of what is to be replaced.

use super::Outcome;
use crate::context::Context;
use keyvawlt_domain::{Result, notices, set_back};

pub(super) async fn run(context: &Context) -> Outcome {
    let swept = match remind_anew(context).await {
        Ok(()) => sweep(context).await,
        failed => failed,
    };
    swept.into()
}

async fn remind_anew(context: &Context) -> Result<()> {
    let mut after = None;
    loop {
        let tx = context.store.write().await?;
        after = set_back::remind_anew(&tx, after).await?;
        tx.commit().await?;
        if after.is_none() {
            return Ok(());
        }
        tracing::warn!("the clock was ahead: an organization's reminders are looked at again");
    }
}

async fn sweep(context: &Context) -> Result<()> {
    let mut after = None;
    loop {
        let tx = context.store.write().await?;
        after = notices::sweep(&tx, after).await?;
        tx.commit().await?;
        if after.is_none() {
            return Ok(());
        }
    }
}
