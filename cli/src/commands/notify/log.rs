//! What was sent, and what became of it.

use keyvawlt_client::ledger::IdentityId;
use keyvawlt_client::monitors::in_hex as hex;
use keyvawlt_client::{NoticeDelivery, Vault};
use serde::Serialize;
use std::collections::BTreeMap;

use super::super::Context;
use crate::duration::display_ms;
use crate::failure::Outcome;
use crate::roster::{self, Roster};

/// `keyvawlt notify log`
pub(super) async fn log(all: bool, vault: &Vault, context: &mut Context) -> Outcome {
    let (deliveries, next) = vault.notice_deliveries(all, "").await?;
    let known = Known::to(vault, deliveries.iter().any(|delivery| delivery.to_channel)).await?;
    let sent: Vec<Sent> = deliveries.iter().map(|delivery| Sent::of(delivery, &known)).collect();
    let rows: Vec<Vec<String>> = sent.iter().map(Sent::cells).collect();
    context.output.table(&sent, &["when", "to", "what", "notices", "state", ""], &rows, "nothing was sent")?;
    if !next.is_empty() {
        context.output.note("older ones are left out");
    }
    Ok(())
}

/// What recipients are called.
struct Known {
    roster: Roster,
    channels: BTreeMap<Vec<u8>, String>,
}

impl Known {
    async fn to(vault: &Vault, channels: bool) -> Outcome<Self> {
        let roster = Roster::of(vault)?;
        // Only admins may list channels; an auditor is shown their ids.
        let channels = if channels && roster.may_administer() { vault.channels().await? } else { Vec::new() };
        Ok(Self { roster, channels: channels.into_iter().map(|channel| (channel.channel_id.to_vec(), channel.name)).collect() })
    }

    fn name(&self, delivery: &NoticeDelivery) -> String {
        if delivery.to_channel {
            let gone = || roster::short(&hex(&delivery.recipient_id));
            return format!("channel {}", self.channels.get(delivery.recipient_id.as_ref()).cloned().unwrap_or_else(gone));
        }
        IdentityId::from_slice(&delivery.recipient_id).map_or_else(|_| hex(&delivery.recipient_id), |id| self.roster.name(&id))
    }
}

/// A message, for programs.
#[derive(Serialize)]
struct Sent {
    id: String,
    at: String,
    to: String,
    recipient: String,
    to_channel: bool,
    kinds: Vec<String>,
    notices: u64,
    left_out: u64,
    state: String,
    attempts: u32,
    error: String,
}

impl Sent {
    fn of(delivery: &NoticeDelivery, known: &Known) -> Self {
        Self {
            id: hex(&delivery.delivery_id),
            at: display_ms(delivery.created_at_ms),
            to: known.name(delivery),
            recipient: hex(&delivery.recipient_id),
            to_channel: delivery.to_channel,
            kinds: delivery.kinds.clone(),
            notices: delivery.notices,
            left_out: delivery.dropped,
            state: delivery.state.clone(),
            attempts: delivery.attempts,
            error: delivery.error.clone(),
        }
    }

    fn cells(&self) -> Vec<String> {
        vec![self.at.clone(), self.to.clone(), self.kinds.join(", "), self.notices.to_string(), self.state.clone(), self.error.clone()]
    }
}
