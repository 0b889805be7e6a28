//! Pairs of questions that differ only in what they name: something that is nowhere, and something that is there for somebody else.

use super::asking::{Ask, Caller};
use super::rows::{
    commit_to, finding, heads, lease_key_checks, list_audit_events, list_key_health, read_bundles, read_chain, read_changes, read_listing,
    read_start, read_version, remove_slot, report_key_health, snooze_reminder,
};
use super::stage::{Place, Stage, fresh};
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::{AccountId, IdentityId, InviteId, KeyId, NsId, OrgId, SecretId, SlotId};
use keyvawlt_proto::v1;

/// Two questions that must not be told apart.
pub struct Pair {
    pub about: &'static str,
    pub absent: Ask,
    pub forbidden: Ask,
    /// For whom it is not forbidden.
    except: &'static [&'static str],
    /// Only they ask; everybody, when empty.
    only: &'static [&'static str],
}

impl Pair {
    pub fn asked_by(&self, caller: &Caller) -> bool {
        !self.except.contains(&caller.name) && (self.only.is_empty() || self.only.contains(&caller.name))
    }
}

const NOWHERE: [u8; 32] = [0xee; 32];
const NOTHING: [u8; 16] = [0xee; 16];

/// All pairs.
pub fn pairs(stage: &Stage) -> Vec<Pair> {
    let mut pairs = organizations(stage);
    pairs.extend(namespaces(stage));
    pairs.extend(monitors(stage));
    pairs.extend(notices(stage));
    pairs.extend(log_ins(stage));
    pairs.push(Pair {
        about: "a slot of another account",
        absent: remove_slot(NOTHING.to_vec()),
        forbidden: remove_slot(stage.owners_slot.slot_id.0.to_vec()),
        except: &["owner"],
        only: &[],
    });
    pairs
}

/// Another organization, and one that is nowhere.
fn organizations(stage: &Stage) -> Vec<Pair> {
    let foreign = stage.foreign.org.0;
    let pair = |about, ask: &dyn Fn(&[u8; 32]) -> Ask| Pair {
        about,
        absent: ask(&NOWHERE),
        forbidden: ask(&foreign),
        except: &["other owner"],
        only: &[],
    };
    let checkpoint = stage.position.checkpoint(&stage.caller("owner").identity);
    let heartbeat = stage.position.heartbeat(&stage.caller("owner").identity);
    let statement = finding(stage, stage.caller("owner"), &stage.foreign, 1);
    let place = |org: &[u8; 32]| Place { org: OrgId(*org), ..copy(&stage.foreign) };
    vec![
        pair("an organization's chain", &read_chain),
        pair("where an organization's chain can be begun", &read_start),
        pair("an organization's keys", &|org| read_bundles(org, &stage.caller("other owner").identity.key_id().0)),
        pair("all of an organization's environment", &|org| read_listing(org, &stage.foreign.ns.0)),
        pair("an organization's events", &list_audit_events),
        pair("an organization's changes", &|org| read_changes(org, &[])),
        pair("an organization's environment", &|org| read_changes(org, &[&stage.foreign.ns.0])),
        pair("an organization's reports", &|org| list_key_health(org, &stage.foreign.ns.0)),
        pair("an organization's key to report of", &|org| report_key_health(&place(org), statement.clone())),
        pair("an organization's key to check", &|org| lease_key_checks(&place(org))),
        pair("an organization's secret", &|org| read_version(&place(org), &stage.foreign.secret.0)),
        pair("an organization's reminder", &|org| snooze_reminder(&place(org), stage.world.now_ms())),
        pair("an organization's heads", &|org| heads(org, &[&stage.foreign.ns.0], &[])),
        pair("an organization's last writers", &|org| heads(org, &[], &stage.caller("other owner").identity.id().0)),
        pair("an organization to extend", &|org| commit_to(org, vec![1; 16], checkpoint.clone())),
        pair("an organization to write in", &|org| commit_to(org, vec![2; 16], heartbeat.clone())),
    ]
}

/// In one's own organization: what is elsewhere, what one does not read, and what is nowhere.
fn namespaces(stage: &Stage) -> Vec<Pair> {
    let org = stage.production.org.0;
    let readers: &[&str] = &["reader", "writer", "machine", "owner"];
    let pair = |about, absent, forbidden| Pair { about, absent, forbidden, except: &[], only: &[] };
    let only_owner = |about, absent, forbidden| Pair { about, absent, forbidden, except: &["owner"], only: &[] };
    let among = |about, absent, forbidden| Pair { about, absent, forbidden, except: &[], only: readers };
    let at = |ns: &NsId| Place { ns: *ns, ..copy(&stage.production) };
    let (nowhere, foreign, staging) = (NsId(NOTHING), stage.foreign.ns, stage.staging.ns);
    let production = &stage.production.ns.0;
    let in_production = |secret: &SecretId| read_version(&stage.production, &secret.0);
    let others = stage.caller("other owner").identity.id().0;
    vec![
        pair("a foreign environment", read_changes(&org, &[&nowhere.0]), read_changes(&org, &[&foreign.0])),
        pair("one of two is foreign", read_changes(&org, &[production, &nowhere.0]), read_changes(&org, &[production, &foreign.0])),
        pair("all of a foreign environment", read_listing(&org, &nowhere.0), read_listing(&org, &foreign.0)),
        only_owner("all of staging", read_listing(&org, &nowhere.0), read_listing(&org, &staging.0)),
        Pair {
            about: "keys of a foreign organization",
            absent: read_bundles(&org, &NOWHERE),
            forbidden: read_bundles(&org, &stage.caller("other owner").identity.key_id().0),
            except: &[],
            only: &[],
        },
        only_owner("reports of staging", list_key_health(&org, &nowhere.0), list_key_health(&org, &staging.0)),
        pair("a foreign key to check", lease_key_checks(&at(&nowhere)), lease_key_checks(&at(&foreign))),
        only_owner("staging", read_changes(&org, &[&nowhere.0]), read_changes(&org, &[&staging.0])),
        pair(
            "a secret of a foreign environment",
            read_version(&at(&nowhere), &stage.foreign.secret.0),
            read_version(&at(&foreign), &stage.foreign.secret.0),
        ),
        only_owner(
            "a secret of staging",
            read_version(&at(&nowhere), &stage.staging.secret.0),
            read_version(&at(&staging), &stage.staging.secret.0),
        ),
        pair(
            "a reminder of a foreign environment",
            snooze_reminder(&at(&nowhere), stage.world.now_ms()),
            snooze_reminder(&at(&foreign), stage.world.now_ms()),
        ),
        among("a foreign secret", in_production(&SecretId(NOTHING)), in_production(&stage.foreign.secret)),
        among("a secret of staging, asked for in production", in_production(&SecretId(NOTHING)), in_production(&stage.staging.secret)),
        pair("a foreign head", heads(&org, &[&nowhere.0], &[]), heads(&org, &[&foreign.0], &[])),
        pair("what a foreign identity wrote last", heads(&org, &[], &NOTHING), heads(&org, &[], &others)),
        Pair {
            about: "the head of staging",
            absent: heads(&org, &[&nowhere.0], &[]),
            forbidden: heads(&org, &[&staging.0], &[]),
            except: &["owner", "admin"],
            only: &[],
        },
    ]
}

/// Another organization's, a foreign environment's, staging's, and of those who read production: what belongs elsewhere.
fn monitors(stage: &Stage) -> Vec<Pair> {
    let (org, foreign, monitor) = (&stage.production.org.0, &stage.foreign, &stage.foreign_monitor);
    let (production, staging) = (&stage.production.ns.0, &stage.staging.ns.0);
    let pair = |about, absent, forbidden, except| Pair { about, absent, forbidden, except, only: &[] };
    let mut pairs = vec![];
    for (about, ask) in super::monitors::QUESTIONS {
        pairs.push(pair(about, ask(&NOWHERE, &foreign.ns.0, monitor), ask(&foreign.org.0, &foreign.ns.0, monitor), &["other owner"]));
        pairs.push(pair(about, ask(org, &NOTHING, &NOTHING), ask(org, staging, &NOTHING), &["owner"]));
    }
    for (about, ask) in &super::monitors::QUESTIONS[2..7] {
        pairs.push(pair(about, ask(org, production, &NOTHING), ask(org, production, monitor), &[]));
    }
    pairs
}

/// Another organization's, and its channel in one's own.
fn notices(stage: &Stage) -> Vec<Pair> {
    use super::notices::{OF_A_CHANNEL, QUESTIONS};
    let (org, foreign, channel) = (&stage.production.org.0, &stage.foreign.org.0, &stage.foreign_channel);
    let pair = |about, absent, forbidden, except| Pair { about, absent, forbidden, except, only: &[] };
    let mut pairs = vec![];
    for (about, ask) in QUESTIONS {
        pairs.push(pair(about, ask(&NOWHERE, channel), ask(foreign, channel), &["other owner"]));
    }
    for (about, ask) in &QUESTIONS[OF_A_CHANNEL] {
        pairs.push(pair(about, ask(org, &NOTHING), ask(org, channel), &[]));
    }
    pairs
}

/// Nobody learns by logging in who is there. The number of wrong log-ins is limited, so one caller tries for all.
fn log_ins(stage: &Stage) -> Vec<Pair> {
    let ask = |subject, nth: u8| {
        let (origin, now_s, jti) = stage.occasion(nth);
        Ask::LogIn(v1::LogInRequest {
            assertion: assertion::make(subject, &origin, now_s, jti, fresh(9).auth_key()).expect("an assertion"),
        })
    };
    let (slot, machine) = (&stage.owners_slot, &stage.caller("machine").identity);
    let invite = &stage.invite;
    let pairs = [
        ("an account", Subject::Slot(AccountId(NOTHING), SlotId(NOTHING)), Subject::Slot(slot.account_id, slot.slot_id)),
        ("a slot of an account", Subject::Slot(slot.account_id, SlotId(NOTHING)), Subject::Slot(slot.account_id, slot.slot_id)),
        ("a machine", Subject::Identity(IdentityId(NOTHING), KeyId(NOWHERE)), Subject::Identity(machine.id(), machine.key_id())),
        ("an invite", Subject::Invite(invite.org_id, InviteId(NOTHING)), Subject::Invite(invite.org_id, invite.invite_id)),
        ("an invite's organization", Subject::Invite(OrgId(NOWHERE), invite.invite_id), Subject::Invite(invite.org_id, invite.invite_id)),
    ];
    let pairs = pairs.into_iter().zip(230..).map(|((about, absent, there), nth)| Pair {
        about,
        absent: ask(absent, nth),
        forbidden: ask(there, nth),
        except: &[],
        only: &["anonymous"],
    });
    pairs.collect()
}

fn copy(place: &Place) -> Place {
    Place { org: place.org, ns: place.ns, secret: place.secret }
}
