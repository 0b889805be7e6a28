//! Mails a code. The code is drawn here, so that it stands in no job row; a later attempt draws another one.

use super::Outcome;
use crate::context::Context;
use crate::words;
use keyvawlt_domain::Result;
use keyvawlt_domain::accounts::{self, CODE_TTL_MS, CodeMail};
use keyvawlt_domain::jobs::{AccountId, Claim};

pub(super) async fn run(context: &Context, claim: &Claim, account: &AccountId) -> Outcome {
    let mail = match draw(context, account).await {
        Ok(Some(mail)) => mail,
        // Proved meanwhile, or gone.
        Ok(None) => return Outcome::Done,
        Err(error) => return error.into(),
    };
    let id = format!("code.{}.{}", claim.id, claim.attempt);
    let now_ms = context.store.clock().now_ms();
    let message = words::code::email_code(&mail.code, CODE_TTL_MS);
    context.mailer.send(&mail.email, &id, &message, now_ms).await.into()
}

async fn draw(context: &Context, account: &AccountId) -> Result<Option<CodeMail>> {
    let tx = context.store.write().await?;
    let mail = accounts::draw_code(&tx, account).await?;
    tx.commit().await?;
    Ok(mail)
}
