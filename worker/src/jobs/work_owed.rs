//! Marks the secrets of a namespace that somebody could read who left, page by page, and has them spoken of.

use super::Outcome;
use crate::context::Context;
use keyvawlt_domain::jobs::{self, Job, NsId, OrgId};
use keyvawlt_domain::{Result, rotation};

pub(super) async fn run(context: &Context, place: (OrgId, NsId), epoch: u64, at_ms: u64) -> Outcome {
    mark(context, place, epoch, at_ms).await.into()
}

async fn mark(context: &Context, place: (OrgId, NsId), epoch: u64, at_ms: u64) -> Result<()> {
    let mut after = None;
    loop {
        let tx = context.store.write().await?;
        after = rotation::mark_owed(&tx, place, epoch, at_ms, after).await?;
        if after.is_none() {
            let key = format!("rotation-sweep-after-loss@{}", tx.now_ms());
            jobs::enqueue(&tx, &Job::RotationSweep, tx.now_ms(), Some(key)).await?;
        }
        tx.commit().await?;
        if after.is_none() {
            return Ok(());
        }
    }
}
