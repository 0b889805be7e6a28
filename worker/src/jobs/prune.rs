//! Forgets what need not be kept: ended jobs, answered requests, used assertions, device links, old uptime and incidents, old
//! deliveries.

use super::Outcome;
use crate::context::Context;
use keyvawlt_domain::{Result, accounts, jobs, monitors, notices, requests};

pub(super) async fn run(context: &Context) -> Outcome {
    prune(context).await.into()
}

async fn prune(context: &Context) -> Result<()> {
    let mut more = true;
    while more {
        let tx = context.store.write().await?;
        more = jobs::prune(&tx).await?;
        notices::prune(&tx).await?;
        tx.commit().await?;
    }
    let tx = context.store.write().await?;
    requests::prune(&tx).await?;
    accounts::prune_assertions(&tx).await?;
    accounts::prune_links(&tx).await?;
    monitors::prune(&tx).await?;
    notices::prune(&tx).await?;
    tx.commit().await
}
