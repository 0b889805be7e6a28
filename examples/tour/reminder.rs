//! A reminder: the one thing the server is told about a secret, so that it can warn people in time.

use crate::stage::{Stage, wrapped};
use crate::{GATHER_SECONDS, Places, World};
use anyhow::Context as _;
use keyvawlt_client::{Clock, FactsInput, SecretWrite, Vault};
use keyvawlt_server::config::Config;
use std::time::Duration;

const WEEK_MS: u64 = 7 * 24 * 3600 * 1000;
const LABEL: &str = "Stripe live";

pub(crate) async fn send(stage: &mut Stage, world: &World, vault: &mut Vault, places: Places) -> anyhow::Result<()> {
    stage.step(
        "A key is about to expire",
        "An owner may tell the server a date and a label, in clear, so that it can remind. The worker mails everyone who reads the secret, once at \
         each threshold. Name and value stay sealed.",
    )?;
    let before = world.mails().await?.len();
    let mut write = SecretWrite::new("stripe/live_key", "sk_live_51Hc2kE");
    let expires_ms = Some(Clock::System.now_ms() + WEEK_MS);
    write.facts = Some(FactsInput { expires_ms, label: Some(LABEL.to_owned()), ..FactsInput::default() });
    vault.write(&places.production, &[write]).await?;
    stage.show("told", format!("expires in 7 days, label {LABEL:?}"))?;

    let usual = Config::in_folder(world.folder.path())?.notices.gather_seconds;
    stage
        .show("the mail waits", format!("for company, so that an import makes one mail: {GATHER_SECONDS} s here, {usual} s unless set"))?;
    tokio::time::sleep(Duration::from_secs(GATHER_SECONDS)).await;
    let mails = world.mails().await?.split_off(before);
    let mail = mails.first().context("a reminder")?;
    let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    stage.quote(&format!("To: {}\nSubject: {}\n\n{}", to.join(", "), mail.subject, beginning(&mail.text)))?;
    anyhow::ensure!(mail.subject.contains(LABEL) && !mail.text.contains("sk_live"), "the mail says the label, and no value");

    world.server.worker().context("a worker")?.tick().await?;
    let again = world.mails().await?.len() - before - mails.len();
    anyhow::ensure!(again == 0, "{again} mails were sent twice");
    stage.holds(format!("{} mails, and the next round of the worker sends none twice", mails.len()))
}

/// The mail without the ids at its end, in lines.
fn beginning(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.starts_with(' '));
    paragraphs.map(|paragraph| wrapped(paragraph).join("\n")).collect::<Vec<_>>().join("\n\n")
}
