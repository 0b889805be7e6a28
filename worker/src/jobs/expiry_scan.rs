//! Speaks of a namespace's due secrets to those who read them, page by page: an import may end all at once.

use super::Outcome;
use crate::context::Context;
use keyvawlt_domain::jobs::{NsId, OrgId};
use keyvawlt_domain::{Result, notices};

pub(super) async fn run(context: &Context, org: OrgId, ns: NsId) -> Outcome {
    scan(context, org, ns).await.into()
}

async fn scan(context: &Context, org: OrgId, ns: NsId) -> Result<()> {
    let mut more = true;
    while more {
        let tx = context.store.write().await?;
        more = notices::scan(&tx, org, ns).await?;
        tx.commit().await?;
    }
    Ok(())
}
