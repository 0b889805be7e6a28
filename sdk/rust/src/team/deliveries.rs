//! What the server delivered to somebody, as its audit events say. They are the server's word: it can hide a delivery, so what is not on record
//! may have been fetched all the same; that it *could* be fetched is what the chain says.

use crate::error::Result;
use crate::sync::space::Space;
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::manifest::Leaf;
use keyvawlt_ledger::{IdentityId, NsId, SecretId};
use keyvawlt_proto::v1;
use std::collections::BTreeMap;

/// Pages of one actor's events; the server looks through 20,000 events for each, so this is more than any server keeps.
const MAX_PAGES: usize = 10_000;
/// Events of one page: the server's limit.
const PAGE: u32 = 500;

/// Whether and when a secret was delivered to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The version, at last at this moment.
    Secret(u64),
    /// Something in its environment, at last at this moment; which secrets, the record does not say.
    Environment(u64),
    /// It is the member's own: the newest version was written by him at this moment.
    Written(u64),
    /// Nothing is on record.
    NotOnRecord,
}

/// Deliveries to one identity.
#[derive(Clone, Debug, Default)]
pub struct Deliveries {
    who: Option<IdentityId>,
    /// By namespace: first and last manifest link, and when last.
    ranges: BTreeMap<NsId, BTreeMap<(u64, u64), u64>>,
    /// Single versions, and when last.
    versions: BTreeMap<(NsId, SecretId, u64), u64>,
    /// What is known only by namespace, or by secret without a version.
    vague: BTreeMap<(NsId, Option<SecretId>), u64>,
}

impl Vault {
    /// Asks what was delivered to somebody. For owners, admins and auditors.
    pub async fn deliveries(&self, who: &IdentityId) -> Result<Deliveries> {
        let mut deliveries = Deliveries { who: Some(*who), ..Deliveries::default() };
        let mut request = v1::ListAuditEventsRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            page_size: PAGE,
            page_token: String::new(),
            actor: who.to_string(),
        };
        for _ in 0..MAX_PAGES {
            let page = self.session.call(async |client, token| rpc::list_audit_events(client, Some(token), request.clone()).await).await?;
            for event in page.events.iter().filter(|event| event.actor == request.actor) {
                deliveries.take(event);
            }
            if page.next_page_token.is_empty() {
                break;
            }
            request.page_token = page.next_page_token;
        }
        Ok(deliveries)
    }
}

impl Deliveries {
    fn take(&mut self, event: &v1::AuditEvent) {
        if event.action.rsplit('.').next() != Some("read") {
            return;
        }
        let (ns, secret) = match event.subject.split_once('/') {
            Some((ns, secret)) => (ns.parse::<NsId>(), secret.parse::<SecretId>().ok()),
            None => (event.subject.parse::<NsId>(), None),
        };
        // Keys and chains are no secrets: their subjects are no namespaces.
        let Ok(ns) = ns else { return };
        let range = event.detail.strip_prefix("manifest links ").and_then(|range| range.split_once(" to "));
        let range = range.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        let version = event.detail.strip_prefix("version ").and_then(|version| version.parse().ok());
        let last = match (secret, range, version) {
            (Some(secret), _, Some(version)) => self.versions.entry((ns, secret, version)).or_default(),
            (None, Some(range), _) => self.ranges.entry(ns).or_default().entry(range).or_default(),
            (secret, ..) => self.vague.entry((ns, secret)).or_default(),
        };
        *last = event.at_ms.max(*last);
    }

    /// Whether anything of some namespaces went out.
    pub(crate) fn of_any(&self, namespaces: &[NsId]) -> Delivery {
        let ranged = namespaces.iter().filter_map(|ns| self.ranges.get(ns)).flat_map(|ranges| ranges.values());
        let vague = self.vague.iter().filter(|((ns, _), _)| namespaces.contains(ns)).map(|(_, at_ms)| at_ms);
        let versions = self.versions.iter().filter(|((ns, ..), _)| namespaces.contains(ns)).map(|(_, at_ms)| at_ms);
        ranged.chain(vague).chain(versions).max().map_or(Delivery::NotOnRecord, |at_ms| Delivery::Environment(*at_ms))
    }

    /// Whether the newest version of a secret went out.
    pub(crate) fn of(&self, space: &Space, leaf: &Leaf) -> Delivery {
        let (ns, versions) = (space.tip.ns_id, space.versions(&leaf.secret_id));
        let Some(newest) = versions.last() else { return Delivery::NotOnRecord };
        if Some(newest.author) == self.who {
            return Delivery::Written(newest.ts_ms);
        }
        // New facts move the leaf's link: the version was written after its predecessor, and not later than that.
        let before = versions.iter().rev().nth(1).map_or(0, |row| row.leaf.mseq);
        let carried = |((from, to), at_ms): (&(u64, u64), &u64)| {
            let had = *to >= leaf.mseq || (*to > before && *at_ms >= newest.ts_ms);
            (had && *from <= leaf.mseq).then_some(*at_ms)
        };
        let ranged = self.ranges.get(&ns).into_iter().flatten().filter_map(carried).max();
        let single = self.versions.get(&(ns, leaf.secret_id, leaf.version)).copied();
        let alone = self.vague.get(&(ns, Some(leaf.secret_id))).copied().filter(|at_ms| *at_ms >= newest.ts_ms);
        if let Some(at_ms) = ranged.max(single).max(alone) {
            return Delivery::Secret(at_ms);
        }
        let whole = self.vague.get(&(ns, None)).copied().filter(|at_ms| *at_ms >= newest.ts_ms);
        whole.map_or(Delivery::NotOnRecord, Delivery::Environment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(events: &[(&str, String, &str, u64)]) -> Deliveries {
        let mut deliveries = Deliveries::default();
        for (action, subject, detail, at_ms) in events {
            let (action, subject, detail) = ((*action).to_owned(), subject.clone(), (*detail).to_owned());
            deliveries.take(&v1::AuditEvent { at_ms: *at_ms, actor: String::new(), action, subject, detail, hash: Bytes::new() });
        }
        deliveries
    }

    #[test]
    fn records_are_read_as_far_as_they_say_something() {
        let (ns, secret) = (NsId([1; 16]), SecretId([2; 16]));
        let deliveries = taken(&[
            ("namespace.read", ns.to_string(), "manifest links 1 to 3", 5),
            ("namespace.read", ns.to_string(), "manifest links 1 to 3", 9),
            ("namespace.read", ns.to_string(), "something else", 7),
            ("version.read", format!("{ns}/{secret}"), "version 4", 8),
            ("key.read", "00".repeat(32), "2 wrapped keys", 8),
            ("namespace.unchanged", ns.to_string(), "", 99),
        ]);
        assert_eq!(deliveries.ranges, BTreeMap::from([(ns, BTreeMap::from([((1, 3), 9)]))]));
        assert_eq!(deliveries.versions, BTreeMap::from([((ns, secret, 4), 8)]));
        assert_eq!(deliveries.vague, BTreeMap::from([((ns, None), 7)]));
    }
}
