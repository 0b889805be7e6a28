//! Forgets what need not be kept: ended jobs, answered requests, used assertions, device links, old uptime and incidents, old
//! deliveries.

use super::Outcome;
use crate::context::Context;
use keyvawlt_domain::{Result, accounts, jobs, monitors, notices, requests};

pub(super) async fn run(context: &Context) -> Outcome {
    prune(context).await.into()
}

/// What there is most of goes page by page, each in its own transaction and each for as long as there is more of it.
async fn prune(context: &Context) -> Result<()> {
    let mut left = (true, true, true);
    while left != (false, false, false) {
        let tx = context.store.write().await?;
        left.0 = left.0 && jobs::prune(&tx).await?;
        left.1 = left.1 && notices::prune(&tx).await?;
        left.2 = left.2 && monitors::prune(&tx).await?;
        tx.commit().await?;
    }
    let tx = context.store.write().await?;
    requests::prune(&tx).await?;
    accounts::prune_assertions(&tx).await?;
    accounts::prune_links(&tx).await?;
    tx.commit().await
}
