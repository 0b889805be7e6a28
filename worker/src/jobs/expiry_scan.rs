//! Finds the people who have not heard of a namespace's expiring secrets, and writes one mail job for each, page by page: an import may end
//! all at once.

use super::Outcome;
use crate::context::Context;
use keyvawlt_domain::jobs::{NsId, OrgId};
use keyvawlt_domain::{Result, notices};

pub(super) async fn run(context: &Context, org: OrgId, ns: NsId) -> Outcome {
    scan(context, org, ns).await.into()
}

async fn scan(context: &Context, org: OrgId, ns: NsId) -> Result<()> {
    let mut after = None;
    loop {
        let tx = context.store.write().await?;
        after = notices::scan(&tx, org, ns, after).await?;
        tx.commit().await?;
        if after.is_none() {
            return Ok(());
        }
    }
}
