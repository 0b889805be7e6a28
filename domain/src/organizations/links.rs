//! Judging organization links: each by the ledger's rules on top of the ones before it, then against what only the server knows.

use super::heads::Heads;
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::namespaces::last_written_by;
use crate::rotation::{self, Lost};
use crate::store::Tx;
use keyvawlt_ledger::chain::{Applied, Body, Key, Link, Questions as _, Tip, apply, ends_sooner};
use keyvawlt_ledger::limits::MAX_SKEW_MS;
use keyvawlt_ledger::merkle::Frontier;
use keyvawlt_ledger::wrap::Wrap;
use keyvawlt_ledger::{Code, Fault, IdentityId, NsId, Signed};
use std::collections::{BTreeMap, BTreeSet};

/// An accepted link.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) signed: Signed,
    pub(super) applied: Applied,
}

/// A wrap with its place in what its link signs.
#[derive(Debug)]
pub(super) struct PlacedWrap {
    pub(super) wrap: Wrap,
    pub(super) seq: u64,
    pub(super) position: u64,
    pub(super) count: u64,
    pub(super) in_root: bool,
}

/// Wraps that no link has asked for yet.
pub(super) type Wraps = BTreeMap<(NsId, u64, IdentityId), Wrap>;

/// What a batch's links are judged on, and what comes of them.
#[derive(Debug)]
pub(super) struct Chain<'tx> {
    pub(super) tx: &'tx Tx,
    pub(super) rows: Rows,
    /// The history before this batch.
    pub(super) before: Frontier,
    pub(super) tip: Tip,
    /// Time of the newest link.
    pub(super) ts_ms: u64,
    pub(super) heads: Heads,
    pub(super) accepted: Vec<Accepted>,
    pub(super) wraps: Vec<PlacedWrap>,
    /// What comes was accepted before: who brings it, how old it is, and what it lacks beside the statements is no matter.
    pub(super) bringing_back: bool,
    /// What people stopped reading.
    pub(super) lost: BTreeSet<Lost>,
}

impl Chain<'_> {
    /// Judges the links in order, and takes the wraps they sign; none may be left over.
    pub(super) async fn extend(&mut self, links: Vec<(Signed, Link)>, mut wraps: Wraps) -> Result<()> {
        if let Some((_, first)) = links.first()
            && (first.seq != self.tip.next_seq() || first.history != self.tip.history.root())
        {
            let why = "the organization's chain has moved".into();
            return Err(Error::Conflict { why, current: Some(self.tip.next_seq()) });
        }
        for (signed, link) in links {
            self.append(signed, &link, &mut wraps).await?;
            // Judging computes: others get their turn between two links, and the call's deadline its say.
            tokio::task::yield_now().await;
        }
        match wraps.pop_first() {
            None => Ok(()),
            // For a link that is there already.
            Some(_) if self.bringing_back => Ok(()),
            Some(((ns, _, recipient), _)) => {
                Err(Fault::new(Code::Wrap, format!("no link signs the wrap for {recipient} in namespace {ns}")).into())
            }
        }
    }

    async fn append(&mut self, signed: Signed, link: &Link, wraps: &mut Wraps) -> Result<()> {
        let now_ms = self.tx.now_ms();
        self.expect(link);
        self.rows.load(self.tx).await?;
        let tip = &self.tip;
        let applied = self.rows.settle(self.tx, |rows| apply(rows, tip, &signed, now_ms)).await??;
        if !self.bringing_back {
            check_recent(link.ts_ms, now_ms)?;
            self.check_heads(&applied).await?;
        }
        for need in &applied.needs {
            let held = |(recipient, _): &(IdentityId, _)| wraps.contains_key(&(need.ns_id, need.epoch, *recipient));
            if self.bringing_back && !need.recipients.iter().all(held) {
                continue;
            }
            let taken = need.take(&link.org_id, wraps)?;
            let count = taken.len() as u64;
            let placed = |(position, wrap)| PlacedWrap { wrap, seq: link.seq, position, count, in_root: need.is_set };
            self.wraps.extend((0..).zip(taken).map(placed));
        }
        if let Body::NamespaceCreate(body) = &applied.body {
            self.heads.moved(body.ns_id, 0, applied.hash);
        }
        let stopped = self.rows.settle(self.tx, |rows| rotation::losses(rows, &applied)).await?;
        self.rows.put(&applied.changes);
        for stopped in stopped {
            self.lost.extend(rotation::reached(self.tx, &mut self.rows, stopped, link.ts_ms).await?);
        }
        self.tip = applied.tip.clone();
        self.ts_ms = link.ts_ms;
        self.accepted.push(Accepted { signed, applied });
        Ok(())
    }

    /// What the rules of this type look at first.
    fn expect(&mut self, link: &Link) {
        let body = Body::from_value(link.kind, link.body.clone());
        let (namespaces, identity): (Vec<NsId>, Option<IdentityId>) = match &body {
            Ok(Body::MemberSet(body)) => (vec![], Some(body.identity_id)),
            Ok(Body::MemberRemove(body)) => (vec![], Some(body.identity_id)),
            Ok(Body::KeyReset(body)) => (vec![], Some(body.identity_id)),
            Ok(Body::KeyRotate(_)) => (vec![], Some(link.author_id)),
            Ok(Body::Invite(body)) => (body.access.iter().map(|intended| intended.ns_id).collect(), None),
            Ok(Body::NamespaceCreate(body)) => (std::iter::once(body.ns_id).chain(body.parent).collect(), None),
            Ok(Body::NamespaceSet(body)) => (vec![body.ns_id], None),
            Ok(Body::NamespaceEpoch(body)) => (vec![body.ns_id], None),
            Ok(Body::Access(body)) => (vec![body.ns_id], Some(body.identity_id)),
            _ => (vec![], None),
        };
        let keys = [Key::chain(), Key::policy(), Key::member(&link.author_id)].into_iter();
        let keys = keys.chain(identity.iter().map(Key::member)).chain(namespaces.iter().map(Key::ns));
        let ranges = namespaces.iter().flat_map(|ns| [Key::accesses(ns), Key::prewraps(ns)]);
        self.rows.expect(keys, ranges.chain(identity.iter().map(Key::accesses_of)));
    }

    /// Fences and vouched-for heads name what is really there, and whoever loses something is fenced where it wrote last.
    async fn check_heads(&mut self, applied: &Applied) -> Result<()> {
        let fences = applied.body.fences();
        if let Some(loss) = loss(&self.rows, applied) {
            for ns in last_written_by(self.tx, &applied.link.org_id, &loss.identity).await? {
                let touched = match loss.below {
                    None => true,
                    Some(root) => self.rows.settle(self.tx, |rows| rows.lineage(&ns).contains(&root)).await?,
                };
                if touched && !fences.iter().any(|fence| fence.ns_id == ns) {
                    return Err(Fault::new(Code::Fence, format!("namespace {ns} must be fenced")).into());
                }
            }
        }
        self.heads.check_fences(self.tx, fences).await?;
        self.heads.check_seen(self.tx, &applied.link.seen).await
    }
}

/// Who loses something by a link, and where.
struct Loss {
    identity: IdentityId,
    /// In this namespace and below; everywhere without one.
    below: Option<NsId>,
}

/// What a link takes; `before` does not have its changes yet.
fn loss(before: &Rows, applied: &Applied) -> Option<Loss> {
    let everywhere = |identity| Some(Loss { identity, below: None });
    match &applied.body {
        Body::MemberRemove(body) => everywhere(body.identity_id),
        Body::KeyReset(body) => everywhere(body.identity_id),
        Body::KeyRotate(_) => everywhere(applied.link.author_id),
        Body::MemberSet(body) => {
            let sooner = before.member(&body.identity_id).is_some_and(|member| ends_sooner(body.expires_ms, member.expires_ms));
            if sooner { everywhere(body.identity_id) } else { None }
        }
        Body::Access(body) => {
            let held = before.access(&body.ns_id, &body.identity_id);
            let lowers =
                held.is_some_and(|held| held.permissions & !body.permissions != 0 || ends_sooner(body.expires_ms, held.expires_ms));
            lowers.then_some(Loss { identity: body.identity_id, below: Some(body.ns_id) })
        }
        _ => None,
    }
}

/// A statement's time may lie off the server's clock by the skew at most, both ways; the ledger checks the future.
pub(super) fn check_recent(ts_ms: u64, now_ms: u64) -> Result<()> {
    if ts_ms.saturating_add(MAX_SKEW_MS) < now_ms {
        return Err(Fault::new(Code::Clock, "the statement is dated more than ten minutes in the past: check this machine's clock").into());
    }
    Ok(())
}
