//! One message of each topic and shape, for the tests of every channel: snapshots, the browser, the documents.

use super::{channel, code, expiry, key_health, monitor, month, rotation, trial};
use crate::message::{Message, Piece};
use crate::outbound::{Kind as AddressKind, Reason, Refusal};
use keyvawlt_domain::jobs::{NsId, OrgId, SecretId};
use keyvawlt_domain::key_health::{KeyFact, KeyNews, ProviderTrouble};
use keyvawlt_domain::monitors::{IncidentId, MonitorId};
use keyvawlt_domain::notices::{
    AboutChannel, Change, ChannelId, DueSecret, EndingCertificate, Expiring, Item, Kind, MonthAhead, OnTrial, Outage, Replacing, Sort,
    Wants,
};
use keyvawlt_domain::rotation::Trouble;
use keyvawlt_domain::rotation::stages::Stage;

/// 23 November 2026, 09:00 UTC.
pub(crate) const NOW: u64 = 1_795_424_400_000;
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1000;
pub(crate) const UNSUBSCRIBE: &str = "https://vault.example.com/unsubscribe/3q2-7wAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Every topic's piece, named.
pub(crate) fn pieces() -> Vec<(&'static str, Piece)> {
    [of_keys(), of_services(), of_rotations()].concat()
}

fn of_keys() -> Vec<(&'static str, Piece)> {
    vec![
        ("expiry_labelled", expiry(1, Some("Stripe live"), NOW + 7 * DAY_MS)),
        ("expiry_hostile_label", expiry(2, Some("Stripe <b>live</b> & co\r\nBcc: eve@example.com"), NOW + 7 * DAY_MS)),
        ("expiry_passed", expiry(3, None, NOW - 2 * DAY_MS)),
        ("key_refused", key(KeyFact::Refused(NOW - DAY_MS), Some("Stripe live"))),
        ("key_alive", key(KeyFact::AliveStill(NOW - 3_600_000), Some("Stripe live"))),
        ("key_ends", key(KeyFact::Ends(NOW + 3 * DAY_MS), None)),
        ("key_unheard", key(KeyFact::Unheard(NOW - DAY_MS), Some("Stripe live"))),
        ("key_undecided", key(KeyFact::Undecided(NOW - DAY_MS), Some("Stripe live"))),
        ("provider_incident", trouble()),
    ]
}

fn of_services() -> Vec<(&'static str, Piece)> {
    vec![
        ("monitor_down", monitor::outage(&outage(Change::Down), NOW)),
        (
            "monitor_forbidden",
            monitor::outage(&Outage { names: vec!["intranet".to_owned()], cause: forbidden(), ..outage(Change::Down) }, NOW),
        ),
        ("monitor_flapping", monitor::outage(&outage(Change::Flapping), NOW)),
        ("monitor_reminder", monitor::outage(&outage(Change::Reminder), NOW)),
        ("monitor_up", monitor::outage(&Outage { resolved_ms: Some(NOW), ..outage(Change::Resolved) }, NOW)),
        ("certificate", certificate()),
    ]
}

fn of_rotations() -> Vec<(&'static str, Piece)> {
    vec![
        ("rotation_due", rotation::piece(&replacing(Stage::Owner), NOW)),
        ("rotation_on_trial", on_trial()),
        ("work_owed", rotation::work_owed(&replacing(Stage::Escalated))),
    ]
}

/// Every shape of message, named: each topic alone, a code, a gathered one, a digest, and the longest there can be.
pub(crate) fn messages() -> Vec<(&'static str, Message)> {
    let mut messages: Vec<_> = pieces().into_iter().map(|(name, piece)| (name, Message::one(piece))).collect();
    messages.push(("channel_paused", Message::one(channel::paused(&about_channel(), NOW))));
    messages.push(("channel_test", Message::one(channel::test(&about_channel()))));
    messages.extend(to_a_team());
    messages.push(("email_code", code::email_code("01234567", 30 * 60_000)));
    let gathered = Message::many(of_keys().into_iter().map(|(_, piece)| piece).collect(), 0);
    messages.push(("gathered", gathered.expect("there are pieces")));
    messages.push(("digest", digest()));
    messages.push(("monthly_digest", Message::one(month::piece(&month())).unsubscribe(UNSUBSCRIBE)));
    messages.push(("monthly_digest_small", Message::one(month::piece(&small_month()))));
    messages.push(("longest", longest()));
    messages
}

/// What a team's address is sent, and what its admins hear when its reader ends that.
fn to_a_team() -> Vec<(&'static str, Message)> {
    let ended = AboutChannel { ended: true, ..about_channel() };
    let notice = Message::one(expiry(1, Some("Stripe live"), NOW + 7 * DAY_MS));
    vec![
        ("channel_code", code::channel_code("01234567", 30 * 60_000, &ended.org, &ended.channel)),
        ("to_a_team", notice.because(&channel::why(&ended.org, &ended.channel, true)).unsubscribe(UNSUBSCRIBE)),
        ("channel_ended", Message::one(channel::paused(&ended, NOW))),
    ]
}

/// What docs/webhooks.md shows under which heading: messages of each kind, and one of several.
pub(crate) fn documented() -> Vec<(&'static str, Vec<Message>)> {
    let all = messages();
    let named =
        |name: &&str| all.iter().find(|(known, _)| known == name).map(|(_, message)| message.clone()).expect("a sample of this name");
    let mut shown: Vec<_> = Kind::ALL.map(|kind| (kind.name(), examples(kind).iter().map(named).collect())).into();
    let two = vec![expiry(1, Some("Stripe live"), NOW + 7 * DAY_MS), expiry(3, None, NOW - 2 * DAY_MS)];
    shown.push(("gathered", vec![Message::many(two, 3).expect("there are pieces")]));
    shown
}

/// The samples that show a kind to receivers: one of each form that its `data` takes.
fn examples(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Expiry => &["expiry_labelled"],
        Kind::Rotation => &["rotation_due", "rotation_on_trial"],
        Kind::WorkOwed => &["work_owed"],
        Kind::OldKeyAlive => &["key_alive"],
        Kind::KeyHealth => &["key_refused"],
        Kind::ProviderIncident => &["provider_incident"],
        Kind::Monitor => &["monitor_down", "monitor_up"],
        Kind::Certificate => &["certificate"],
        Kind::ChannelPaused => &["channel_paused"],
        Kind::MonthlyDigest => &["monthly_digest"],
        Kind::Test => &["channel_test"],
    }
}

fn key(what: KeyFact, label: Option<&str>) -> Piece {
    let (org, ns, secret) = (OrgId([0xa1; 32]), NsId([0xb2; 16]), SecretId([4; 16]));
    let provider = label.map(|_| "stripe".to_owned());
    key_health::piece(&KeyNews { org, ns, secret, version: 3, what, label: label.map(ToOwned::to_owned), provider }, NOW)
}

fn trouble() -> Piece {
    let (org, ns, provider) = (OrgId([0xa1; 32]), NsId([0xb2; 16]), "stripe".to_owned());
    key_health::trouble(&ProviderTrouble { org, ns, provider, refused: 4, all: 5, since_ms: NOW - 3_600_000 })
}

fn outage(change: Change) -> Outage {
    Outage {
        org: OrgId([0xa1; 32]),
        ns: Some(NsId([0xb2; 16])),
        incident: IncidentId([0xe5; 16]),
        change,
        names: vec!["checkout".to_owned(), "search".to_owned()],
        url: "https://shop.example.com/health".to_owned(),
        cause: "it answered 503".to_owned(),
        opened_ms: NOW - 3 * 60_000,
        resolved_ms: None,
    }
}

/// As a look says it.
fn forbidden() -> String {
    Reason::Refused(Refusal::Address(AddressKind::Private)).to_string()
}

fn certificate() -> Piece {
    let (org, monitor, name) = (OrgId([0xa1; 32]), MonitorId([0xf6; 16]), "checkout".to_owned());
    let url = "https://shop.example.com/health".to_owned();
    monitor::certificate(&EndingCertificate { org, ns: None, monitor, name, url, ends_ms: NOW + 7 * DAY_MS }, NOW)
}

fn replacing(stage: Stage) -> Replacing {
    Replacing {
        org: OrgId([0xa1; 32]),
        ns: NsId([0xb2; 16]),
        secret: SecretId([5; 16]),
        version: 2,
        due_ms: NOW - 2 * DAY_MS,
        stage,
        label: Some("Stripe live".to_owned()),
        provider: Some("stripe".to_owned()),
    }
}

fn on_trial() -> Piece {
    let Replacing { org, ns, secret, stage, label, provider, .. } = replacing(Stage::Owner);
    let trouble = Trouble::KeyRefused(NOW - 3_600_000);
    trial::piece(&OnTrial { org, ns, secret, version: 3, trouble, stage, label, provider })
}

fn digest() -> Message {
    let pieces = (1..=5).map(|nth| expiry(nth, Some(&format!("Key number {nth}")), NOW + u64::from(nth) * DAY_MS)).collect();
    Message::many(pieces, 7).expect("there are pieces").titled("Your secrets this week").unsubscribe(UNSUBSCRIBE)
}

/// A month with something of everything, of a hostile label, and of more than is named.
pub(crate) fn month() -> MonthAhead {
    let due = |nth: u8, wants, label: Option<&str>, at_ms| DueSecret {
        ns: NsId([0xb2; 16]),
        secret: SecretId([nth; 16]),
        wants,
        at_ms,
        label: label.map(ToOwned::to_owned),
    };
    let coming = vec![
        due(1, Wants::End, Some("Stripe live"), NOW + 9 * DAY_MS),
        due(2, Wants::Rotation, None, NOW + 12 * DAY_MS),
        due(3, Wants::End, Some("Mail <b>relay</b>\r\nBcc: eve@example.com"), NOW + 20 * DAY_MS),
        due(4, Wants::End, Some(&"W".repeat(200)), NOW + 21 * DAY_MS),
    ];
    let endless = vec![(NsId([0xb2; 16]), 12), (NsId([0xb3; 16]), 5), (NsId([0xb4; 16]), 2)];
    MonthAhead {
        org: OrgId([0xa1; 32]),
        month: "2026-12".parse().expect("a month"),
        until_ms: 1_798_758_000_000,
        coming: Sort { count: 14, named: coming },
        overdue: Sort { count: 1, named: vec![due(5, Wants::Rotation, Some("Old CI token"), NOW - 9 * DAY_MS)] },
        owed: 3,
        failing: Sort { count: 5, named: vec!["api".to_owned(), "billing".to_owned(), "status page".to_owned()] },
        endless: Sort { count: 20, named: endless },
    }
}

/// A month of which there is little to say.
fn small_month() -> MonthAhead {
    let nothing = || Sort { count: 0, named: vec![] };
    let endless = Sort { count: 1, named: vec![(NsId([0xb2; 16]), 1)] };
    MonthAhead { coming: nothing(), overdue: nothing(), owed: 0, failing: Sort { count: 0, named: vec![] }, endless, ..month() }
}

/// Labels and providers as long as anybody can make them, without a place to break a line.
fn longest() -> Message {
    let piece = |nth: u8| expiry(nth, Some(&"W".repeat(200)), NOW + u64::from(nth) * DAY_MS);
    Message::many((0..50).map(piece).collect(), 1_000_000).expect("there are pieces").unsubscribe(UNSUBSCRIBE)
}

/// What a topic's file in `domain` finds.
pub(crate) fn item() -> Item {
    Item::Expiry(expiring(1, Some("Stripe live"), NOW + 7 * DAY_MS))
}

fn expiry(nth: u8, label: Option<&str>, expires_ms: u64) -> Piece {
    expiry::piece(&expiring(nth, label, expires_ms), NOW)
}

fn expiring(nth: u8, label: Option<&str>, expires_ms: u64) -> Expiring {
    Expiring {
        org: OrgId([0xa1; 32]),
        ns: NsId([0xb2; 16]),
        secret: SecretId([nth; 16]),
        version: 3,
        expires_ms,
        label: label.map(ToOwned::to_owned),
        provider: label.map(|label| if label.contains('<') { "stripe <live>".to_owned() } else { "stripe".to_owned() }),
    }
}

fn about_channel() -> AboutChannel {
    AboutChannel {
        org: OrgId([0xa1; 32]),
        channel: ChannelId([0xd4; 16]),
        name: "Operations <b>".to_owned(),
        paused: true,
        ended: false,
        since_ms: NOW - 5 * DAY_MS,
    }
}
