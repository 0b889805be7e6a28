//! What a change is called in the organization's audit events: one event per signed statement.

use super::links::Chain;
use super::manifests::Manifest;
use crate::audit::Event;
use keyvawlt_ledger::chain::{Applied, Body};
use keyvawlt_ledger::{NsId, OrgId, manifest};
use std::collections::BTreeMap;

/// The event of an organization link.
pub(super) fn of_link(applied: &Applied, actor: &str, at_ms: u64) -> Event {
    let org = applied.link.org_id;
    let (action, subject) = match &applied.body {
        Body::Genesis(_) => ("organization.create", org.to_string()),
        Body::MemberAdd(_) => ("member.add", newcomer(applied)),
        Body::MemberJoin(_) => ("member.join", newcomer(applied)),
        Body::MemberSet(body) => ("member.set", body.identity_id.to_string()),
        Body::MemberRemove(body) => ("member.remove", body.identity_id.to_string()),
        Body::KeyRotate(_) => ("key.rotate", applied.link.author_id.to_string()),
        Body::KeyReset(body) => ("key.reset", body.identity_id.to_string()),
        Body::Invite(body) => ("invite.create", body.invite_id.to_string()),
        Body::InviteRevoke(body) => ("invite.revoke", body.invite_id.to_string()),
        Body::NamespaceCreate(body) => ("namespace.create", body.ns_id.to_string()),
        Body::NamespaceSet(body) => ("namespace.set", body.ns_id.to_string()),
        Body::NamespaceEpoch(body) => ("namespace.epoch", body.ns_id.to_string()),
        Body::Access(body) => ("access.set", format!("{}/{}", body.ns_id, body.identity_id)),
        Body::PolicySet(_) => ("policy.set", org.to_string()),
        Body::Checkpoint(_) => ("checkpoint", org.to_string()),
    };
    let detail = match &applied.body {
        Body::Access(body) => format!("permissions {}", body.permissions),
        Body::MemberSet(body) => format!("role {}", body.role),
        _ => String::new(),
    };
    Event { org, at_ms, actor: actor.to_owned(), action, subject, detail: with_seq(&detail, applied.link.seq) }
}

/// The event of a manifest link.
pub(super) fn of_manifest(org: OrgId, applied: &manifest::Applied, actor: &str, at_ms: u64) -> Event {
    let deleted = applied.link.ops.iter().filter(|leaf| leaf.is_deleted()).count();
    let written = applied.link.ops.len() - deleted;
    let detail = format!("{written} written, {deleted} deleted, manifest link {}", applied.link.mseq);
    Event { org, at_ms, actor: actor.to_owned(), action: "namespace.write", subject: applied.link.ns_id.to_string(), detail }
}

/// The event of what a member brought back: when each statement was made, it says itself.
pub(super) fn of_bringing_back(chain: &Chain<'_>, manifests: &BTreeMap<NsId, Manifest>, actor: &str) -> Event {
    let org = chain.tip.org_id;
    let writes: usize = manifests.values().map(|manifest| manifest.accepted.len()).sum();
    let detail = format!("{} links and {writes} manifest links that the backup lacked", chain.accepted.len());
    let (actor, at_ms) = (actor.to_owned(), chain.tx.now_ms());
    Event { org, at_ms, actor, action: "organization.bring_back", subject: org.to_string(), detail }
}

fn newcomer(applied: &Applied) -> String {
    let bundle = applied.body.bundle().and_then(|signed| keyvawlt_ledger::bundle::Bundle::verify(signed).ok());
    bundle.map_or_else(String::new, |(bundle, _)| bundle.identity_id.to_string())
}

fn with_seq(detail: &str, seq: u64) -> String {
    if detail.is_empty() { format!("link {seq}") } else { format!("{detail}, link {seq}") }
}
