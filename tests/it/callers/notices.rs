//! Notices: their rows and pairs. The owner has a webhook in the organization, and the other owner one in theirs.

use super::asking::Ask;
use super::rows::Row;
use super::stage::Stage;
use bytes::Bytes;
use keyvawlt_proto::v1;
use prost::Message as _;

/// A question about an organization, and a channel in it.
type Question = fn(org: &[u8], id: &[u8]) -> Ask;

/// Every rpc, as far as it names something.
pub const QUESTIONS: &[(&str, Question)] = &[
    ("preferences", |org, _| Ask::GetPreferences(v1::GetPreferencesRequest { org_id: to(org) })),
    ("preferences to set", |org, _| {
        let preferences = Some(v1::Preferences { muted: vec!["expiry".to_owned()], time_zone: "UTC".to_owned(), ..Default::default() });
        Ask::SetPreferences(v1::SetPreferencesRequest { org_id: to(org), preferences })
    }),
    ("thresholds", |org, _| Ask::GetThresholds(v1::GetThresholdsRequest { org_id: to(org) })),
    ("thresholds to set", |org, _| Ask::SetThresholds(v1::SetThresholdsRequest { org_id: to(org), days: vec![7, 1] })),
    ("channels", |org, _| Ask::ListChannels(v1::ListChannelsRequest { org_id: to(org) })),
    ("a channel to add", |org, _| add(org, ("deploys of nobody", HOOK), 43)),
    ("deliveries", |org, _| deliveries(org, false)),
    ("everybody's deliveries", |org, _| deliveries(org, true)),
    ("a channel to test", |org, id| {
        Ask::TestChannel(v1::TestChannelRequest { org_id: to(org), channel_id: to(id), request_id: to(&[41; 16]) })
    }),
    ("a channel to pause", |org, id| Ask::PauseChannel(v1::PauseChannelRequest { org_id: to(org), channel_id: to(id) })),
    ("a channel to resume", |org, id| Ask::ResumeChannel(v1::ResumeChannelRequest { org_id: to(org), channel_id: to(id) })),
    ("a channel's key", |org, id| {
        Ask::RotateChannelSecret(v1::RotateChannelSecretRequest { org_id: to(org), channel_id: to(id), request_id: to(&[42; 16]) })
    }),
    ("a channel to remove", |org, id| Ask::RemoveChannel(v1::RemoveChannelRequest { org_id: to(org), channel_id: to(id) })),
    ("a channel's code", |org, id| Ask::SendChannelCode(v1::SendChannelCodeRequest { org_id: to(org), channel_id: to(id) })),
    ("a channel to prove", |org, id| {
        Ask::VerifyChannel(v1::VerifyChannelRequest { org_id: to(org), channel_id: to(id), code: "0123-4567".to_owned() })
    }),
];

/// Nobody listens there.
const HOOK: &str = "http://127.0.0.1/hook";

/// Those that name a channel.
pub const OF_A_CHANNEL: std::ops::Range<usize> = 8..15;

/// The rows.
pub fn rows() -> Vec<Row> {
    let row = |about, ask| Row { about, ask };
    vec![
        row("GetPreferences", |stage, _| ask(stage, 0)),
        row("SetPreferences", |stage, _| ask(stage, 1)),
        row("GetThresholds", |stage, _| ask(stage, 2)),
        row("SetThresholds", |stage, _| ask(stage, 3)),
        row("ListChannels", |stage, _| ask(stage, 4)),
        row("AddChannel", |stage, caller| add(&stage.production.org.0, (&format!("deploys of {}", caller.name), HOOK), 43)),
        row("ListDeliveries: one's own", |stage, _| ask(stage, 6)),
        row("ListDeliveries: everybody's", |stage, _| ask(stage, 7)),
        row("TestChannel", |stage, _| ask(stage, 8)),
        row("PauseChannel", |stage, _| ask(stage, 9)),
        row("ResumeChannel", |stage, _| ask(stage, 10)),
        row("RotateChannelSecret", |stage, _| ask(stage, 11)),
        row("SendChannelCode: to a webhook", |stage, _| ask(stage, 13)),
        row("VerifyChannel: a webhook", |stage, _| ask(stage, 14)),
        row("RemoveChannel: of another organization", |stage, _| QUESTIONS[12].1(&stage.production.org.0, &stage.foreign_channel)),
    ]
}

/// Adds a webhook, which only trials go to: nothing here is to be rotated.
pub fn add(org: &[u8], (name, url): (&str, &str), nth: u8) -> Ask {
    Ask::AddChannel(v1::AddChannelRequest {
        org_id: to(org),
        form: v1::ChannelForm::Webhook.into(),
        name: name.to_owned(),
        target: url.to_owned(),
        kinds: vec!["rotation".to_owned()],
        request_id: to(&[nth; 16]),
        ..Default::default()
    })
}

/// What a repeated request must not do again. Two channels of one name are not there at once.
pub fn changes_once(stage: &Stage, caller: &str) -> Vec<Ask> {
    vec![add(&stage.production.org.0, (caller, HOOK), 90), ask(stage, 11), ask(stage, 8)]
}

/// One request under the id of another.
pub fn under_the_id_of(one: &Ask, other: &Ask) -> Ask {
    let (Ask::AddChannel(one), Ask::RotateChannelSecret(other)) = (one, other) else { panic!("two changes of channels") };
    Ask::RotateChannelSecret(v1::RotateChannelSecretRequest { request_id: one.request_id.clone(), ..other.clone() })
}

/// Everything that was sent in the organization.
pub fn all_deliveries(stage: &Stage) -> Ask {
    ask(stage, 7)
}

/// An answer to that.
pub fn everybodys_deliveries(answer: &[u8]) -> Vec<v1::Delivery> {
    v1::ListDeliveriesResponse::decode(answer).expect("an answer").deliveries
}

fn deliveries(org: &[u8], everybody: bool) -> Ask {
    Ask::ListDeliveries(v1::ListDeliveriesRequest { org_id: to(org), everybody, ..Default::default() })
}

fn ask(stage: &Stage, question: usize) -> Ask {
    QUESTIONS[question].1(&stage.production.org.0, &stage.notices_to)
}

fn to(bytes: &[u8]) -> Bytes {
    bytes.to_vec().into()
}
