//! The stage: two organizations, and one caller of every kind with the token it gets.

use super::asking::{Ask, CALLER_ORDER, Caller};
use super::statements::Position;
use crate::world::{Person, Receiver, World};
use keyvawlt_client::{DeviceKey, InviteCode, MachineToken, NewInvite, NewMachine, SecretWrite, Vault};
use keyvawlt_crypto::{Identity, Key};
use keyvawlt_ledger::assertion::{self, Subject};
use keyvawlt_ledger::bundle::kind;
use keyvawlt_ledger::chain::role;
use keyvawlt_ledger::{IdentityId, NsId, OrgId, SecretId};
use keyvawlt_proto::v1;
use prost::Message as _;
use std::time::Duration;
use tonic::transport::Channel;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Somebody's namespace with a secret.
pub struct Place {
    pub org: OrgId,
    pub ns: NsId,
    pub secret: SecretId,
}

/// Everything callers ask about.
pub struct Stage {
    pub world: World,
    pub channel: Channel,
    /// Acme's owner.
    pub ada: Vault,
    /// Acme's production: reader, writer and machine read it.
    pub production: Place,
    /// Acme's staging: only the owner reads it.
    pub staging: Place,
    /// The other organization's production.
    pub foreign: Place,
    /// The owner's monitor in production.
    pub monitor: [u8; 16],
    /// The other owner's.
    pub foreign_monitor: [u8; 16],
    receiver: Receiver,
    /// The channel the owner added.
    pub notices_to: [u8; 16],
    /// The other owner's.
    pub foreign_channel: [u8; 16],
    /// A slot of the owner's account.
    pub owners_slot: DeviceKey,
    /// The open invite.
    pub invite: InviteCode,
    /// One of each kind.
    pub callers: Vec<Caller>,
    /// Where the next statements go.
    pub position: Position,
}

impl Stage {
    pub async fn set(world: World) -> Self {
        let receiver = Receiver::listen().await;
        let world = world.restart_with(|config| config.worker.outbound.allow = vec![receiver.place.clone()]).await;
        let channel = Channel::from_shared(world.client().origin().to_owned()).expect("an origin").connect().await.expect("a connection");
        let (mut ada, mut eve) = (world.newcomer("ada").await, world.newcomer("eve").await);
        let mut acme = ada.account.found("Acme", &ada.state).await.expect("an organization");
        let production = place(&mut acme, "production", 3).await;
        let staging = place(&mut acme, "staging", 2).await;
        let mut umbrella = eve.account.found("Umbrella", &eve.state).await.expect("an organization");
        let foreign = place(&mut umbrella, "production", 3).await;
        drop(umbrella);

        let admin = joins(&world, &mut acme, "admin", role::ADMIN).await;
        let member = joins(&world, &mut acme, "member", role::MEMBER).await;
        let reader = joins(&world, &mut acme, "reader", role::MEMBER).await;
        let writer = joins(&world, &mut acme, "writer", role::MEMBER).await;
        let auditor = joins(&world, &mut acme, "auditor", role::AUDITOR).await;
        let removed = joins(&world, &mut acme, "removed", role::MEMBER).await;
        for (person, bits) in [(&reader, 1), (&writer, 3), (&removed, 3)] {
            acme.grant(&person.account.identity().id(), &production.ns, bits, 0).await.expect("access");
        }
        let machine = admits(&mut acme, "machine", &production.ns, 30 * DAY_MS).await;
        let expired = admits(&mut acme, "expired", &production.ns, HOUR_MS).await;
        acme.remove_member(&removed.account.identity().id()).await.expect("a removal");
        let invite = acme.invite(&invite_of("newcomer", role::MEMBER)).await.expect("an invite");
        let person = world.newcomer("person").await;
        // Mailed codes are drawn before time passes, so that everybody may ask for another.
        world.drain().await;
        world.pass(Duration::from_hours(2));

        let owners_slot = ada.account.enrol_device("").await.expect("a device");
        let position = Position::start(production.org);
        let mut stage = Self {
            world,
            channel,
            ada: acme,
            production,
            staging,
            foreign,
            monitor: [0; 16],
            foreign_monitor: [0; 16],
            receiver,
            notices_to: [0; 16],
            foreign_channel: [0; 16],
            owners_slot,
            invite,
            callers: vec![],
            position,
        };
        stage.admit("anonymous", None, fresh(0)).await;
        let people =
            [("person", &person), ("member", &member), ("reader", &reader), ("writer", &writer), ("auditor", &auditor), ("admin", &admin)];
        for (name, one) in people.into_iter().chain([("owner", &ada), ("other owner", &eve), ("removed", &removed)]) {
            stage.admit_person(name, one).await;
        }
        let revoked = stage.admit_person("revoked", &reader).await;
        reader.account.remove_slot(revoked.slot_id).await.expect("the slot is removed");
        for (name, token) in [("machine", machine), ("expired", expired)] {
            let identity = token.identity();
            let subject = Subject::Identity(identity.id(), identity.key_id());
            let (origin, now_s, jti) = stage.occasion(stage.number());
            let signed = assertion::make(subject, &origin, now_s, jti, identity.auth_key()).expect("an assertion");
            stage.admit(name, Some(signed), identity).await;
        }
        let keys = stage.invite.keys();
        let subject = Subject::Invite(stage.production.org, stage.invite.invite_id);
        let (origin, now_s, jti) = stage.occasion(stage.number());
        let signed = assertion::make(subject, &origin, now_s, jti, keys.auth_key()).expect("an assertion");
        stage.admit("invite", Some(signed), fresh(1)).await;
        stage.monitor = stage.watches("owner", &stage.production).await;
        stage.foreign_monitor = stage.watches("other owner", &stage.foreign).await;
        stage.notices_to = stage.hears("owner", &stage.production).await;
        stage.foreign_channel = stage.hears("other owner", &stage.foreign).await;
        stage
    }

    /// One kind of caller.
    pub fn caller(&self, name: &str) -> &Caller {
        self.callers.iter().find(|caller| caller.name == name).expect("a caller of this kind")
    }

    /// Its place among the callers, for what each must choose for itself.
    pub fn nth(caller: &Caller) -> u8 {
        let nth = CALLER_ORDER.iter().position(|name| *name == caller.name).expect("a column");
        u8::try_from(nth).expect("few callers")
    }

    /// Looks where the chain and production's manifest stand now.
    pub async fn refresh(&mut self) {
        self.ada.sync().await.expect("news");
        let request = v1::ReadChangesRequest {
            org_id: self.production.org.0.to_vec().into(),
            from_seq: self.ada.chain().tip().next_seq(),
            namespaces: vec![v1::ManifestHead { ns_id: self.production.ns.0.to_vec().into(), mseq: 0 }],
            all_wraps: false,
        };
        let answer = Ask::ReadChanges(request).send(&self.channel, self.caller("owner")).await.expect("the owner reads");
        let answer = v1::ReadChangesResponse::decode(&answer[..]).expect("an answer");
        self.position = Position::after(&self.ada, &self.production.ns, &answer.namespaces[0], self.world.now_ms());
    }

    /// For whom, when and under which number an assertion is made.
    pub fn occasion(&self, nth: u8) -> (String, u64, [u8; 16]) {
        (self.world.client().origin().to_owned(), self.world.now_ms() / 1000, [nth; 16])
    }

    async fn admit_person(&mut self, name: &'static str, person: &Person) -> DeviceKey {
        let device = person.account.enrol_device("").await.expect("a device");
        let subject = Subject::Slot(device.account_id, device.slot_id);
        let (origin, now_s, jti) = self.occasion(self.number());
        let signed = assertion::make(subject, &origin, now_s, jti, &device.slot_key().login_key()).expect("an assertion");
        self.admit(name, Some(signed), copy(person.account.identity())).await;
        device
    }

    async fn watches(&self, name: &str, place: &Place) -> [u8; 16] {
        let ask = super::monitors::create(&place.org.0, &place.ns.0, "watched", 1);
        let answer = ask.send(&self.channel, self.caller(name)).await.expect("a monitor");
        let answer = v1::CreateMonitorResponse::decode(&answer[..]).expect("an answer");
        answer.monitor_id[..].try_into().expect("an id")
    }

    async fn hears(&self, name: &str, place: &Place) -> [u8; 16] {
        let answer = super::notices::add(&place.org.0, ("deploys", &self.receiver.url()), 40)
            .send(&self.channel, self.caller(name))
            .await
            .expect("a channel");
        let answer = v1::AddChannelResponse::decode(&answer[..]).expect("an answer");
        answer.channel_id[..].try_into().expect("an id")
    }

    /// The next caller's number.
    fn number(&self) -> u8 {
        u8::try_from(self.callers.len()).expect("few callers")
    }

    async fn admit(&mut self, name: &'static str, assertion: Option<String>, identity: Identity) {
        let mut caller = Caller { name, token: None, identity };
        if let Some(assertion) = assertion {
            let request = v1::LogInRequest { assertion };
            let answer = Ask::LogIn(request).send(&self.channel, &caller).await.expect("a log-in");
            caller.token = Some(v1::LogInResponse::decode(&answer[..]).expect("an answer").access_token);
        }
        self.callers.push(caller);
    }
}

/// Somebody whom nobody knows.
pub fn fresh(seed: u8) -> Identity {
    Identity::derive(Key::from_bytes([seed; 32]), IdentityId([seed ^ 0x5a; 16]), kind::PERSON, 1, 1)
}

fn copy(identity: &Identity) -> Identity {
    let created_ms = identity.bundle().created_ms;
    Identity::derive(identity.seed().clone(), identity.id(), kind::PERSON, identity.generation(), created_ms)
}

async fn place(vault: &mut Vault, name: &str, class: u8) -> Place {
    vault.create_project(name, &[(name, class)]).await.expect("a project");
    let ns = vault.environment(name, name).expect("an environment").ns_id;
    for value in ["1", "2"] {
        vault.write(&ns, &[SecretWrite::new("a", value)]).await.expect("a write");
    }
    let secret = vault.list(&ns).expect("secrets")[0].secret_id;
    Place { org: vault.org_id(), ns, secret }
}

async fn joins(world: &World, admin: &mut Vault, name: &str, as_role: u8) -> Person {
    let mut person = world.newcomer(name).await;
    let code = admin.invite(&invite_of(name, as_role)).await.expect("an invite");
    drop(person.account.join(&code, &person.state).await.expect("a join"));
    admin.sync().await.expect("news");
    person
}

fn invite_of(name: &str, as_role: u8) -> NewInvite {
    NewInvite { name: name.to_owned(), role: as_role, access: vec![], ttl_ms: DAY_MS, member_expires_ms: 0, carry_keys: false }
}

async fn admits(admin: &mut Vault, name: &str, ns: &NsId, ttl_ms: u64) -> MachineToken {
    let machine = NewMachine { name: name.to_owned(), access: vec![(*ns, 1)], ttl_ms };
    admin.create_machine(&machine).await.expect("a machine")
}
