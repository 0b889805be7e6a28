//! The chain's annals, kept between runs: what its newest state no longer shows. They are made from the whole chain, verified link by link, and
//! made anew whenever it has grown; a file that does not fit is not used.

use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Annals, Loss};
use keyvawlt_ledger::{Code, Fault};

impl Vault {
    /// The annals of the chain as far as it is verified here.
    pub async fn annals(&self) -> Result<Annals> {
        let tip = self.replica.tip();
        let present = (tip.next_seq(), tip.link_hash);
        let name = format!("{}.annals", self.org_id);
        let unusable = || Error::NotFound { what: "annals", name: name.clone() };
        let kept = self.state.read_checked(&name, None, unusable).ok().flatten();
        let kept = kept.and_then(|bytes| Annals::from_bytes(&bytes).ok()).filter(|annals| annals.tip() == present);
        if let Some(annals) = kept {
            return Ok(annals);
        }
        let mut annals = Annals::before_genesis();
        // The chain may have grown since: what is told is what this vault has verified.
        self.replay_with(&self.replica, |applied, replica| {
            if applied.link.seq < present.0 {
                annals.take(applied, &replica.head());
            }
        })
        .await?;
        if annals.tip() != present {
            return Err(unverified(Fault::new(Code::Rollback, "the server withholds links of the organization")));
        }
        let (bytes, _) = StateDir::checked(annals.to_bytes());
        if let Err(error) = self.state.write(&name, &bytes) {
            tracing::debug!(%error, "the annals will be made anew");
        }
        Ok(annals)
    }

    /// All keys of namespaces in the hands of somebody who may not use them any more.
    pub async fn losses(&self) -> Result<Vec<Loss>> {
        Ok(self.annals().await?.losses(&self.replica.head(), self.now_ms()))
    }
}
