//! A month's digest in one organization, page by page; the next organization's job is written first, so none waits for another.

use super::Outcome;
use crate::context::Context;
use keyvawlt_domain::jobs::{Month, OrgId};
use keyvawlt_domain::{Result, notices};

pub(super) async fn run(context: &Context, month: Month, after: Option<OrgId>) -> Outcome {
    open(context, month, after).await.into()
}

async fn open(context: &Context, month: Month, after: Option<OrgId>) -> Result<()> {
    let tx = context.store.write().await?;
    let org = notices::next_org(&tx, month, after).await?;
    tx.commit().await?;
    let Some(org) = org else { return Ok(()) };
    let mut after = None;
    loop {
        let tx = context.store.write().await?;
        after = notices::open_month(&tx, &org, month, after).await?;
        tx.commit().await?;
        if after.is_none() {
            return Ok(());
        }
    }
}
