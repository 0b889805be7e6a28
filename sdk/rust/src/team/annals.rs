//! The chain's annals, kept between runs: what its newest state no longer shows. They are made from the whole chain, verified link by link; as the
//! chain grows, from where they were left. A file that does not fit is not used.

use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::sync::space::unverified;
use crate::vault::Vault;
use keyvawlt_ledger::canon::{Blob, Canon};
use keyvawlt_ledger::chain::{Annals, Loss, Replica};
use keyvawlt_ledger::{Code, Fault, row};

row! {
    /// The file: the annals, and the chain they were made of.
    pub struct Kept {
        /// The annals.
        annals: Blob,
        /// The chain at the link they end with.
        replica: Blob,
    }
}

impl Vault {
    /// The annals of the chain as far as it is verified here.
    pub async fn annals(&self) -> Result<Annals> {
        let tip = self.replica.tip();
        let present = (tip.next_seq(), tip.link_hash);
        let annals = match self.kept_annals() {
            Some((annals, _)) if annals.tip() == present => return Ok(annals),
            Some((annals, replica)) if annals.tip().0 < present.0 => match self.continued(annals, replica).await {
                // What was kept is of another chain than the one verified since, or the server lies: the whole chain tells which.
                Err(Error::Verification(_)) => None,
                continued => Some(continued?),
            },
            _ => None,
        };
        let annals = match annals {
            Some(annals) => annals,
            None => self.continued(Annals::before_genesis(), Replica::new(self.org_id)).await?,
        };
        let kept = Kept { annals: Blob(annals.to_bytes()), replica: Blob(self.replica.to_bytes()) };
        let (bytes, _) = StateDir::checked(kept.to_bytes());
        if let Err(error) = self.state.write(&self.annals_file(), &bytes) {
            tracing::debug!(%error, "the annals will be made anew");
        }
        Ok(annals)
    }

    /// All keys of namespaces in the hands of somebody who may not use them any more.
    pub async fn losses(&self) -> Result<Vec<Loss>> {
        Ok(self.annals().await?.losses(&self.replica.head(), self.now_ms()))
    }

    /// Annals with the links that this vault has verified and that are not in them; `replica` is the chain they end with.
    async fn continued(&self, mut annals: Annals, replica: Replica) -> Result<Annals> {
        let tip = self.replica.tip();
        let present = (tip.next_seq(), tip.link_hash);
        // The chain may have grown since: what is told is what this vault has verified.
        self.replay_with(replica, &self.replica, |applied, replica| {
            if applied.link.seq < present.0 {
                annals.take(applied, &replica.head());
            }
        })
        .await?;
        if annals.tip() != present {
            return Err(unverified(Fault::new(Code::Rollback, "the server withholds links of the organization")));
        }
        Ok(annals)
    }

    fn kept_annals(&self) -> Option<(Annals, Replica)> {
        let name = self.annals_file();
        let unusable = || Error::NotFound { what: "annals", name: name.clone() };
        let bytes = self.state.read_checked(&name, None, unusable).ok().flatten()?;
        let kept = Kept::from_bytes(&bytes).ok()?;
        let (annals, replica) = (Annals::from_bytes(&kept.annals.0).ok()?, Replica::from_bytes(&kept.replica.0).ok()?);
        let one = annals.tip() == (replica.tip().next_seq(), replica.tip().link_hash) && replica.tip().org_id == self.org_id;
        one.then_some((annals, replica))
    }

    fn annals_file(&self) -> String {
        format!("{}.annals", self.org_id)
    }
}
