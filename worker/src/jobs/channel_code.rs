//! Mails a code to a team's address, as `email_code.rs` does to an account's.

use super::Outcome;
use crate::context::Context;
use crate::words;
use keyvawlt_domain::Result;
use keyvawlt_domain::addresses::{CODE_TTL_MS, CodeMail};
use keyvawlt_domain::jobs::{Claim, OrgId};
use keyvawlt_domain::notices::{self, ChannelId};

pub(super) async fn run(context: &Context, claim: &Claim, org: &OrgId, channel: &ChannelId) -> Outcome {
    let mail = match draw(context, org, channel).await {
        Ok(Some(mail)) => mail,
        // Proved meanwhile, or gone.
        Ok(None) => return Outcome::Done,
        Err(error) => return error.into(),
    };
    let id = format!("code.{}.{}", claim.id, claim.attempt);
    let message = words::code::channel_code(&mail.code, CODE_TTL_MS, org, channel);
    context.mailer.send(&mail.email, &id, &message, context.store.clock().now_ms()).await.into()
}

async fn draw(context: &Context, org: &OrgId, channel: &ChannelId) -> Result<Option<CodeMail>> {
    let tx = context.store.write().await?;
    let mail = notices::draw_channel_code(&tx, org, channel).await?;
    tx.commit().await?;
    Ok(mail)
}
