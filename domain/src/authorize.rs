//! The one door: every operation on a tenant's rows takes a [`Permit`], and only [`authorize`] makes one.
//!
//! A permit borrows the transaction it was given in, and carries what was read to give it. Absent and forbidden answer alike. A function that
//! others may call, reads rows and takes no permit (the worker's, log-in, one's own account) begins with `tx.without_permit(reason)`; a test
//! holds the list of reasons.

use crate::accounts::with_standing_keys;
use crate::audit::Event;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::organizations::rows::Rows;
use crate::policy::{Deed, Who, allows};
use crate::store::Tx;
use keyvawlt_ledger::chain::{Key, Questions as _, is_live, permission};
use keyvawlt_ledger::{NsId, OrgId};

/// Something a caller wants to do.
pub trait Action {
    /// What it amounts to, for policy. Every one of them must be allowed.
    fn deeds(&self) -> Vec<Deed>;
    /// The organization it names.
    fn org(&self) -> Option<OrgId>;
    /// The namespaces in which it needs a permission; none, unless it says so.
    fn namespaces(&self) -> Vec<NsId> {
        vec![]
    }
}

/// One's own account.
#[derive(Clone, Copy, Debug)]
pub struct UseAccount;

impl Action for UseAccount {
    fn deeds(&self) -> Vec<Deed> {
        vec![Deed::UseAccount]
    }
    fn org(&self) -> Option<OrgId> {
        None
    }
    fn namespaces(&self) -> Vec<NsId> {
        vec![]
    }
}

/// Proof that a caller may do something, in one transaction.
#[derive(Debug)]
pub struct Permit<'tx, A> {
    tx: &'tx Tx,
    caller: Caller,
    who: Who,
    rows: Rows,
    action: A,
}

impl<'tx, A> Permit<'tx, A> {
    /// The transaction.
    pub fn tx(&self) -> &'tx Tx {
        self.tx
    }

    /// The caller.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// As whom the caller was admitted.
    pub fn who(&self) -> Who {
        self.who
    }

    /// What may be done.
    pub fn action(&self) -> &A {
        &self.action
    }

    pub(crate) fn into_parts(self) -> (&'tx Tx, Caller, Rows, A) {
        (self.tx, self.caller, self.rows, self.action)
    }
}

/// A refusal, and the event of it where the organization knows the caller.
#[derive(Debug)]
pub struct Denied {
    /// What to answer.
    pub error: Error,
    /// What to record.
    pub event: Option<Event>,
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self { error, event: None }
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        denied.error
    }
}

/// Says whether the caller may, and gives the proof.
pub async fn authorize<A: Action>(tx: &Tx, caller: Caller, action: A) -> Result<Permit<'_, A>, Denied> {
    let Some(org) = action.org() else {
        let who = without_org(&caller);
        let rows = Rows::of(OrgId([0; 32]));
        let refused = action.deeds().into_iter().any(|deed| !allows(who, ALL, deed));
        return if refused { Err(Error::Forbidden.into()) } else { Ok(Permit { tx, caller, who, rows, action }) };
    };
    let namespaces = action.namespaces();
    let mut rows = Rows::of(org);
    expect(&mut rows, &caller, &namespaces);
    rows.load(tx).await?;
    let caller = with_standing_keys(tx, &mut rows, caller).await?;
    let (who, bits) = rows.settle(tx, |rows| standing(rows, &org, &caller, &namespaces, tx.now_ms())).await?;
    let refused = action.deeds().into_iter().find(|deed| !allows(who, bits, *deed));
    match refused {
        None => Ok(Permit { tx, caller, who, rows, action }),
        Some(deed) => Err(Denied { error: Error::Forbidden, event: who.is_member().then(|| denial(tx, org, &caller, deed, &namespaces)) }),
    }
}

impl Tx {
    /// For functions that take no permit: `_why` says what keeps them from doing harm.
    pub(crate) fn without_permit(&self, _why: &'static str) -> &Self {
        self
    }
}

/// Every permission.
const ALL: u8 = permission::READ | permission::WRITE | permission::MANAGE;
/// An invite that nobody used and nobody revoked.
const INVITE_OPEN: u8 = 0;

fn without_org(caller: &Caller) -> Who {
    match caller {
        Caller::Account { .. } => Who::Person,
        Caller::Identity { .. } => Who::Outsider,
        Caller::Invite { .. } => Who::Invite,
    }
}

fn expect(rows: &mut Rows, caller: &Caller, namespaces: &[NsId]) {
    match caller {
        Caller::Account { identity_id, .. } | Caller::Identity { identity_id, .. } => {
            let at = namespaces.iter().flat_map(|ns| [Key::ns(ns), Key::access(ns, identity_id)]);
            rows.expect(std::iter::once(Key::member(identity_id)).chain(at), []);
        }
        Caller::Invite { invite_id, .. } => rows.expect([Key::invite(invite_id)], []),
    }
}

/// As whom the caller stands in the organization, and what it may do in all of the namespaces at once.
fn standing(rows: &Rows, org: &OrgId, caller: &Caller, namespaces: &[NsId], now_ms: u64) -> (Who, u8) {
    let nobody = (Who::Outsider, 0);
    match caller {
        Caller::Account { identity_id, key_id, .. } | Caller::Identity { identity_id, key_id } => {
            let Some(member) = rows.member(identity_id).filter(|member| member.key_id == *key_id) else { return nobody };
            let Some(who) = Who::of_member(&member, now_ms) else { return nobody };
            (who, namespaces.iter().fold(ALL, |bits, ns| bits & rows.permissions(ns, identity_id, now_ms)))
        }
        Caller::Invite { org_id, invite_id } => {
            let Some(invite) = rows.invite(invite_id).filter(|_| org_id == org) else { return nobody };
            if invite.state != INVITE_OPEN || !is_live(invite.expires_ms, now_ms) {
                return nobody;
            }
            let carried = |ns: &NsId| invite.prewraps.iter().any(|wrap| wrap.ns_id == *ns);
            (Who::Invite, if namespaces.iter().all(carried) { permission::READ } else { 0 })
        }
    }
}

fn denial(tx: &Tx, org: OrgId, caller: &Caller, deed: Deed, namespaces: &[NsId]) -> Event {
    let subject = namespaces.first().map_or_else(|| org.to_string(), NsId::to_string);
    let detail = if namespaces.len() > 1 { format!("and {} more", namespaces.len() - 1) } else { String::new() };
    // The deed belongs to the subject: refusals of different deeds are not one.
    Event { org, at_ms: tx.now_ms(), actor: caller.actor(), action: "denied", subject: format!("{}: {subject}", deed.name()), detail }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Every call of `without_permit` in this crate, with its reason.
    #[test]
    fn the_reasons_without_a_permit_are_the_reviewed_ones() {
        let mut reasons = Vec::new();
        collect(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut reasons);
        reasons.sort();
        insta::assert_snapshot!(reasons.join("\n"));
    }

    fn collect(folder: &Path, reasons: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, reasons);
            } else if path.file_name().unwrap() != "authorize.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                let file = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/src/")).unwrap().display().to_string();
                for reason in text.split(".without_permit(").skip(1) {
                    reasons.push(format!("{file}: {}", reason.split('"').nth(1).unwrap()));
                }
            }
        }
    }
}
