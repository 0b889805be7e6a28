//! The rows of the table: what every caller asks, each with its own keys and numbers.

use super::asking::{Ask, Caller};
use super::stage::{Place, Stage};
use super::statements::{organization, sign_up, slot};
use keyvawlt_crypto::Key;
use keyvawlt_crypto::link::LinkKeys;
use keyvawlt_ledger::Domain;
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::health::{HealthReport, Outcome};
use keyvawlt_proto::v1;

/// A row.
pub struct Row {
    pub about: &'static str,
    pub ask: fn(&Stage, &Caller) -> Ask,
}

/// Numbers that no caller's own begin with.
const SIGN_UPS: u8 = 100;
const LOG_INS: u8 = 150;
const SLOTS: u8 = 200;

/// All rows. Each is asked by all callers before the next; the invite is used up by the last.
pub fn rows() -> Vec<Row> {
    let row = |about, ask| Row { about, ask };
    let mut rows = vec![
        row("GetServerInfo", |_, _| Ask::GetServerInfo(v1::GetServerInfoRequest {})),
        row("SignUp", |stage, caller| Ask::SignUp(sign_up(SIGN_UPS + Stage::nth(caller), stage.world.client().origin()))),
        row("LogIn: the owner's assertion", log_in),
        row("VerifyEmail: a wrong code", |_, _| Ask::VerifyEmail(v1::VerifyEmailRequest { code: "0000-0000".to_owned() })),
        row("ResendEmailCode", |_, _| Ask::ResendEmailCode(v1::ResendEmailCodeRequest {})),
        row("ReadAccount", |_, _| Ask::ReadAccount(v1::ReadAccountRequest {})),
        row("UpdateAccount: pins", |_, _| {
            Ask::UpdateAccount(v1::UpdateAccountRequest { pins: vec![7; 100].into(), ..v1::UpdateAccountRequest::default() })
        }),
        row("AddSlot", |_, caller| Ask::AddSlot(v1::AddSlotRequest { slot: Some(slot(SLOTS + Stage::nth(caller), v1::SlotType::Device)) })),
        row("ListSlots", |_, _| Ask::ListSlots(v1::ListSlotsRequest {})),
        row("RemoveSlot: the added one", |_, caller| {
            Ask::RemoveSlot(v1::RemoveSlotRequest { slot_id: vec![SLOTS + Stage::nth(caller); 16].into() })
        }),
        row("RemoveSlot: the owner's", |stage, _| remove_slot(stage.owners_slot.slot_id.0.to_vec())),
        row("OfferLink", |_, caller| {
            let (link_id, kem_pk) = link(caller);
            Ask::OfferLink(v1::OfferLinkRequest { link_id, kem_pk })
        }),
        row("ReadLinkOffer", |_, caller| Ask::ReadLinkOffer(v1::ReadLinkOfferRequest { link_id: link(caller).0 })),
        row("AnswerLink", |_, caller| Ask::AnswerLink(v1::AnswerLinkRequest { link_id: link(caller).0, sealed: vec![7; 100].into() })),
        row("ReadLinkAnswer", |_, caller| Ask::ReadLinkAnswer(v1::ReadLinkAnswerRequest { link_id: link(caller).0 })),
        row("CreateOrganization", create),
        row("ListOrganizations", |_, _| Ask::ListOrganizations(v1::ListOrganizationsRequest { page_size: 0, page_token: String::new() })),
        row("ReadChain", |stage, _| read_chain(&stage.production.org.0)),
        row("ReadStart", |stage, _| read_start(&stage.production.org.0)),
        row("ReadBundles: the owner's", |stage, _| read_bundles(&stage.production.org.0, &stage.caller("owner").identity.key_id().0)),
        row("ListAuditEvents", |stage, _| list_audit_events(&stage.production.org.0)),
    ];
    rows.extend(namespace_rows());
    rows.extend(key_health_rows());
    rows.extend(super::monitors::rows());
    rows.extend(super::notices::rows());
    rows.extend(commit_rows());
    rows
}

/// A device link of each caller's own.
fn link(caller: &Caller) -> (bytes::Bytes, bytes::Bytes) {
    let keys = LinkKeys::of(Key::from_bytes([Stage::nth(caller); 32]));
    (keys.id().0.to_vec().into(), keys.kem_pk().to_vec().into())
}

fn namespace_rows() -> Vec<Row> {
    let row = |about, ask| Row { about, ask };
    vec![
        row("ReadChanges: the chain", |stage, _| read_changes(&stage.production.org.0, &[])),
        row("ReadChanges: production", |stage, _| read_changes(&stage.production.org.0, &[&stage.production.ns.0])),
        row("ReadChanges: production and staging", |stage, _| {
            read_changes(&stage.production.org.0, &[&stage.production.ns.0, &stage.staging.ns.0])
        }),
        row("ReadListing: production", |stage, _| read_listing(&stage.production.org.0, &stage.production.ns.0)),
        row("ReadListing: staging", |stage, _| read_listing(&stage.staging.org.0, &stage.staging.ns.0)),
        row("ReadVersion: in production", |stage, _| read_version(&stage.production, &stage.production.secret.0)),
        row("ReadVersion: in staging", |stage, _| read_version(&stage.staging, &stage.staging.secret.0)),
        row("SnoozeReminder: in production", |stage, _| snooze_reminder(&stage.production, stage.world.now_ms())),
        row("SnoozeReminder: in staging", |stage, _| snooze_reminder(&stage.staging, stage.world.now_ms())),
        row("ListManifestHeads: production", |stage, _| heads(&stage.production.org.0, &[&stage.production.ns.0], &[])),
        row("ListManifestHeads: the writer's last", |stage, _| {
            heads(&stage.production.org.0, &[], &stage.caller("writer").identity.id().0)
        }),
        row("ListManifestHeads: one's own last", |stage, caller| heads(&stage.production.org.0, &[], &caller.identity.id().0)),
    ]
}

fn key_health_rows() -> Vec<Row> {
    let row = |about, ask| Row { about, ask };
    vec![
        row("ReportKeyHealth: in production", |stage, caller| {
            report_key_health(&stage.production, finding(stage, caller, &stage.production, 1))
        }),
        row("ReportKeyHealth: the owner's finding", |stage, caller| {
            let owner = stage.caller("owner");
            let at_ms = u64::from(Stage::nth(caller));
            let report = HealthReport { at_ms: stage.world.now_ms() + at_ms, ..finding_of(stage, owner, &stage.production, 1) };
            report_key_health(&stage.production, signed(owner, &report))
        }),
        row("ReportKeyHealth: of a later version", |stage, caller| {
            report_key_health(&stage.production, finding(stage, caller, &stage.production, 9))
        }),
        row("ReportKeyHealth: in staging", |stage, caller| report_key_health(&stage.staging, finding(stage, caller, &stage.staging, 1))),
        row("ListKeyHealth: production", |stage, _| list_key_health(&stage.production.org.0, &stage.production.ns.0)),
        row("ListKeyHealth: staging", |stage, _| list_key_health(&stage.staging.org.0, &stage.staging.ns.0)),
        row("LeaseKeyChecks: in production", |stage, _| lease_key_checks(&stage.production)),
        row("LeaseKeyChecks: in staging", |stage, _| lease_key_checks(&stage.staging)),
    ]
}

/// What a caller found out, each later than the one before.
fn finding_of(stage: &Stage, caller: &Caller, place: &Place, version: u64) -> HealthReport {
    HealthReport {
        v: 1,
        org_id: place.org,
        ns_id: place.ns,
        secret_id: place.secret,
        version,
        outcome: Outcome::Valid,
        at_ms: stage.world.now_ms() - 1_000 + u64::from(Stage::nth(caller)),
        prober_id: caller.identity.id(),
        prober_key_id: caller.identity.key_id(),
        expires_ms: None,
    }
}

fn signed(caller: &Caller, report: &HealthReport) -> v1::SignedStatement {
    let signed = caller.identity.sign(Domain::HealthReport, report.to_bytes());
    v1::SignedStatement { payload: signed.payload().to_vec().into(), signature: signed.sig.to_vec().into() }
}

pub fn finding(stage: &Stage, caller: &Caller, place: &Place, version: u64) -> v1::SignedStatement {
    signed(caller, &finding_of(stage, caller, place, version))
}

fn commit_rows() -> Vec<Row> {
    let row = |about, ask| Row { about, ask };
    vec![
        row("Commit: a checkpoint", |stage, caller| commit(stage, caller, 0, stage.position.checkpoint(&caller.identity))),
        row("Commit: the owner's checkpoint", |stage, caller| {
            commit(stage, caller, 1, stage.position.checkpoint(&stage.caller("owner").identity))
        }),
        row("Commit: a heartbeat in production", |stage, caller| commit(stage, caller, 2, stage.position.heartbeat(&caller.identity))),
        row("Commit: a machine admitted", |stage, caller| {
            commit(stage, caller, 3, stage.position.admission(&caller.identity, Stage::nth(caller)))
        }),
        row("Commit: a join by the invite", |stage, caller| commit(stage, caller, 4, stage.position.join(&caller.identity, &stage.invite))),
    ]
}

fn log_in(stage: &Stage, caller: &Caller) -> Ask {
    let owner = &stage.owners_slot;
    let (origin, now_s, jti) = stage.occasion(LOG_INS + Stage::nth(caller));
    let subject = Subject::Slot(owner.account_id, owner.slot_id);
    let assertion = assertion::make(subject, &origin, now_s, jti, &owner.slot_key().login_key()).expect("an assertion");
    Ask::LogIn(v1::LogInRequest { assertion })
}

fn create(stage: &Stage, caller: &Caller) -> Ask {
    let batch = organization(&caller.identity, stage.world.client().origin(), stage.world.now_ms());
    Ask::CreateOrganization(v1::CreateOrganizationRequest { request_id: vec![7; 16].into(), batch: Some(batch) })
}

fn commit(stage: &Stage, caller: &Caller, row: u8, batch: v1::Batch) -> Ask {
    let request_id = [[row; 8], [Stage::nth(caller); 8]].concat();
    commit_to(&stage.production.org.0, request_id, batch)
}

// What pairs ask as well

pub fn commit_to(org: &[u8; 32], request_id: Vec<u8>, batch: v1::Batch) -> Ask {
    Ask::Commit(v1::CommitRequest { org_id: org.to_vec().into(), request_id: request_id.into(), batch: Some(batch), bring_back: false })
}

pub fn remove_slot(slot_id: Vec<u8>) -> Ask {
    Ask::RemoveSlot(v1::RemoveSlotRequest { slot_id: slot_id.into() })
}

pub fn read_chain(org: &[u8; 32]) -> Ask {
    Ask::ReadChain(v1::ReadChainRequest { org_id: org.to_vec().into(), from_seq: 0 })
}

pub fn read_start(org: &[u8; 32]) -> Ask {
    Ask::ReadStart(v1::ReadStartRequest { org_id: org.to_vec().into(), pin_seq: 1, at_most: 1, page_token: String::new() })
}

pub fn read_bundles(org: &[u8; 32], key: &[u8; 32]) -> Ask {
    Ask::ReadBundles(v1::ReadBundlesRequest { org_id: org.to_vec().into(), key_ids: vec![key.to_vec().into()] })
}

pub fn read_listing(org: &[u8; 32], ns: &[u8; 16]) -> Ask {
    let (org_id, ns_id) = (org.to_vec().into(), ns.to_vec().into());
    Ask::ReadListing(v1::ReadListingRequest { org_id, ns_id, heads: vec![0], values: true, page_token: String::new() })
}

pub fn list_audit_events(org: &[u8; 32]) -> Ask {
    Ask::ListAuditEvents(v1::ListAuditEventsRequest { org_id: org.to_vec().into(), ..Default::default() })
}

pub fn read_changes(org: &[u8; 32], namespaces: &[&[u8; 16]]) -> Ask {
    let held = namespaces.iter().map(|ns| v1::ManifestHead { ns_id: ns.to_vec().into(), mseq: 0 });
    Ask::ReadChanges(v1::ReadChangesRequest { org_id: org.to_vec().into(), from_seq: 0, namespaces: held.collect(), all_wraps: true })
}

pub fn read_version(place: &Place, secret: &[u8; 16]) -> Ask {
    Ask::ReadVersion(v1::ReadVersionRequest {
        org_id: place.org.0.to_vec().into(),
        ns_id: place.ns.0.to_vec().into(),
        secret_id: secret.to_vec().into(),
        version: 1,
    })
}

pub fn snooze_reminder(place: &Place, now_ms: u64) -> Ask {
    Ask::SnoozeReminder(v1::SnoozeReminderRequest {
        org_id: place.org.0.to_vec().into(),
        ns_id: place.ns.0.to_vec().into(),
        secret_id: place.secret.0.to_vec().into(),
        until_ms: now_ms + 1,
    })
}

pub fn heads(org: &[u8; 32], namespaces: &[&[u8; 16]], author: &[u8]) -> Ask {
    Ask::ListManifestHeads(v1::ListManifestHeadsRequest {
        org_id: org.to_vec().into(),
        ns_ids: namespaces.iter().map(|ns| ns.to_vec().into()).collect(),
        author_id: author.to_vec().into(),
        page_token: String::new(),
    })
}

pub fn report_key_health(place: &Place, report: v1::SignedStatement) -> Ask {
    let (org_id, ns_id) = (place.org.0.to_vec().into(), place.ns.0.to_vec().into());
    Ask::ReportKeyHealth(v1::ReportKeyHealthRequest { org_id, ns_id, report: Some(report) })
}

pub fn list_key_health(org: &[u8; 32], ns: &[u8; 16]) -> Ask {
    let (org_id, ns_ids) = (org.to_vec().into(), vec![ns.to_vec().into()]);
    Ask::ListKeyHealth(v1::ListKeyHealthRequest { org_id, ns_ids, page_size: 0, page_token: String::new() })
}

pub fn lease_key_checks(place: &Place) -> Ask {
    let key = v1::KeyCheck { ns_id: place.ns.0.to_vec().into(), secret_id: place.secret.0.to_vec().into(), version: 1 };
    Ask::LeaseKeyChecks(v1::LeaseKeyChecksRequest { org_id: place.org.0.to_vec().into(), interval_ms: 3_600_000, keys: vec![key] })
}
