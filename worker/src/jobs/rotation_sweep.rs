//! Reminds of secrets that are to be replaced, page by page, each page in its own transaction.

use super::Outcome;
use crate::context::Context;
use keyvawlt_domain::{Result, rotation};

pub(super) async fn run(context: &Context) -> Outcome {
    sweep(context).await.into()
}

async fn sweep(context: &Context) -> Result<()> {
    loop {
        let tx = context.store.write().await?;
        let more = rotation::sweep(&tx).await?;
        tx.commit().await?;
        if !more {
            return Ok(());
        }
    }
}
