//! Finds namespaces with secrets about to end, page by page, each page in its own transaction.

use super::Outcome;
use crate::context::Context;
use keyvawlt_domain::{Result, notices};

pub(super) async fn run(context: &Context) -> Outcome {
    sweep(context).await.into()
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
