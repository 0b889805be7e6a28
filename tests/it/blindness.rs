//! The server is blind: canaries go through the whole story, and then appear in no table, file, log line, mail, answer or frame it received.
//!
//! What the owner chooses to tell (a label, an address) goes through the same story and the same search, and must be found exactly where the
//! design puts it: a search that finds nothing anywhere proves nothing.

mod canary;
mod places;
mod tap;

use crate::world::{Engine, Receiver, World, code_in};
use canary::{Canary, Search};
use keyvawlt_client::ledger::chain::role;
use keyvawlt_client::monitors::{MonitorTarget, Once, Schedule};
use keyvawlt_client::{
    Account, ChannelForm, Client, Dial, Error, FactsInput, InviteCode, NewChannel, NewInvite, NewMachine, Prober, SecretKey, SecretWrite,
    Vault, Which,
};
use keyvawlt_crypto::Identity;
use keyvawlt_crypto::account::root_key;
use keyvawlt_proto::DESCRIPTORS;
use places::{Evidence, Log};
use prost::Message as _;
use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tap::Tap;

const DAY_MS: u64 = 24 * 3600 * 1000;
/// More than one page of anything, in one import.
const IMPORTED: usize = 200;

#[test]
fn the_server_learns_no_secret_on_sqlite() {
    let log = Log::default();
    log.runtime().block_on(the_server_learns_no_secret(Engine::Sqlite, &log));
}

#[test]
fn the_server_learns_no_secret_on_postgresql() {
    if !Engine::Postgres.is_left_out() {
        let log = Log::default();
        log.runtime().block_on(the_server_learns_no_secret(Engine::Postgres, &log));
    }
}

async fn the_server_learns_no_secret(engine: Engine, log: &Log) {
    let mut tap = Tap::new().await;
    let receiver = Receiver::listen().await;
    let world = World::with(engine, |config| {
        // The second is where the links of digests lead.
        config.api.origins = vec![tap.origin.clone(), "https://vault.example.com".to_owned()];
        // Real mails, as they lie in the default outbox.
        config.worker.mail = None;
        config.worker.outbound.allow = vec![receiver.place.clone()];
    })
    .await;
    tap.forward_to(world.server.addr().unwrap());
    let mut play = Play {
        client: world.client_of(&tap.origin),
        world: &world,
        receiver: &receiver,
        texts: Texts::new(),
        keys: vec![],
        printed: vec![],
    };
    play.all().await;
    let Play { texts, keys, printed, .. } = play;

    let data = world.config.data.clone();
    let mut evidence = Vec::new();
    evidence.extend(places::cells(&world).await);
    evidence.extend(places::files("data folder", &data));
    evidence.extend(places::files("state folder", &world.folder.path().join("machines")));
    evidence.extend(places::open_doors(&world).await);
    evidence.extend(places::wire(&tap).await);
    evidence.extend(receiver.received().into_iter().map(|message| Evidence::new("webhook", "a receiver's", message.body)));
    let world = world.restart().await;
    evidence.extend(places::files("data folder", &data));
    evidence.push(log.evidence());

    assert_blind(&evidence, texts.names().into_iter().chain(texts.values()).chain(&keys));
    // Whoever may read a name may print it; values and keys are printed by nobody who did not mean to.
    assert_blind(&printed, texts.values().into_iter().chain(&keys));

    let everywhere = ["answer", "mail", "message", "wire"];
    let file = (engine == Engine::Sqlite).then_some("data folder");
    let of_facts = everywhere.into_iter().chain(["secret.facts", "state folder", "webhook"]).chain(file).collect();
    assert_eq!(kinds_with(&texts.label, &evidence), of_facts, "where the label is found");
    let of_addresses = everywhere.into_iter().chain(["account.email"]).chain(file).collect();
    assert_eq!(kinds_with(&texts.email, &evidence), of_addresses, "where the address is found");
    assert_every_rpc_was_heard(&evidence);
    for line in ["path=\"/keyvawlt.v1.OrganizationService/Commit\"", "a call was answered", "TRACE"] {
        assert!(String::from_utf8_lossy(&log.evidence().bytes).contains(line), "the log was not heard: {line}");
    }
    world.stop().await;
}

fn assert_blind<'a>(evidence: &[Evidence], canaries: impl IntoIterator<Item = &'a Canary>) {
    let search = Search::of(canaries);
    let said = |it: &Evidence, what: &str| format!("\n  {what} in {}: {}", it.kind, it.place);
    let found: BTreeSet<String> = evidence.iter().flat_map(|it| search.find(&it.bytes).into_iter().map(|what| said(it, what))).collect();
    assert!(found.is_empty(), "what nobody but its readers may see was found:{}", found.into_iter().collect::<String>());
}

fn kinds_with<'a>(known: &Canary, evidence: &'a [Evidence]) -> BTreeSet<&'a str> {
    let search = Search::of([known]);
    evidence.iter().filter(|it| !search.find(&it.bytes).is_empty()).map(|it| it.kind.as_str()).collect()
}

/// A new rpc takes its place in the story, or here with a reason.
const NOT_PLAYED: &[&str] = &[
    // Empty questions, and no client asks them.
    "/keyvawlt.v1.AccountService/ListSlots",
    "/keyvawlt.v1.OrganizationService/ListOrganizations",
];

fn assert_every_rpc_was_heard(evidence: &[Evidence]) {
    let heads: Vec<_> = evidence.iter().filter(|it| it.kind == "head").map(|it| String::from_utf8_lossy(&it.bytes)).collect();
    assert!(heads.iter().any(|head| head.contains("\nauthorization: Bearer ")), "headers were decoded");
    let set = prost_types::FileDescriptorSet::decode(DESCRIPTORS).expect("the descriptors");
    for service in set.file.iter().flat_map(|file| &file.service) {
        for rpc in service.method.iter().map(|method| format!("/keyvawlt.v1.{}/{}", service.name(), method.name())) {
            let heard = heads.iter().any(|head| head.lines().next().is_some_and(|line| line.ends_with(&rpc)));
            assert!(heard != NOT_PLAYED.contains(&rpc.as_str()), "{rpc} {}", if heard { "is played" } else { "is not played" });
        }
    }
}

/// The texts of the story. All but the last two are nobody's business but the readers'.
struct Texts {
    value: Canary,
    next_value: Canary,
    imported_value: Canary,
    folder: Canary,
    secret: Canary,
    imported: Canary,
    note: Canary,
    project: Canary,
    environment: Canary,
    organization: Canary,
    founder: Canary,
    colleague: Canary,
    machine: Canary,
    password: Canary,
    wrong_password: Canary,
    label: Canary,
    email: Canary,
}

impl Texts {
    fn new() -> Self {
        Self {
            value: Canary::text("the value"),
            next_value: Canary::text("the next value"),
            imported_value: Canary::text("an imported value"),
            folder: Canary::text("the folder's name"),
            secret: Canary::text("the secret's name"),
            imported: Canary::text("an imported secret's name"),
            note: Canary::text("the note"),
            project: Canary::text("the project's name"),
            environment: Canary::text("the environment's name"),
            organization: Canary::text("the organization's name"),
            founder: Canary::text("the founder's name"),
            colleague: Canary::text("the colleague's name"),
            machine: Canary::text("the machine's name"),
            password: Canary::text("the password"),
            wrong_password: Canary::text("the mistyped password"),
            label: Canary::text("the label"),
            email: Canary::text("the address"),
        }
    }

    fn values(&self) -> Vec<&Canary> {
        let Self { value, next_value, imported_value, note, password, wrong_password, .. } = self;
        vec![value, next_value, imported_value, note, password, wrong_password]
    }

    fn names(&self) -> Vec<&Canary> {
        let Self { folder, secret, imported, project, environment, organization, founder, colleague, machine, .. } = self;
        vec![folder, secret, imported, project, environment, organization, founder, colleague, machine]
    }
}

/// The story so far.
struct Play<'w> {
    world: &'w World,
    receiver: &'w Receiver,
    client: Client,
    texts: Texts,
    keys: Vec<Canary>,
    /// What a careless log line of a program using the library would print.
    printed: Vec<Evidence>,
}

impl Play<'_> {
    async fn all(&mut self) {
        let (mut ada, secret_key) = self.signs_up("ada").await;
        let mut vault = self.founds(&mut ada).await;
        self.chooses_notices(&vault).await;
        self.writes(&mut vault).await;
        self.checks_keys(&mut vault).await;
        self.watches(&vault).await;
        let bob = self.admits_a_colleague(&mut vault).await;
        self.admits_a_machine(&mut vault).await;
        self.lets_go(&mut vault, bob).await;
        self.world.tick().await;
        self.world.pass(Duration::from_hours(1));
        self.world.tick().await;
        // The hour of the digest.
        self.world.pass(Duration::from_hours(24));
        self.world.tick().await;
        self.comes_back(&ada, &secret_key).await;
        self.print(&ada);
        self.print(&vault);
    }

    async fn signs_up(&mut self, name: &str) -> (Account, SecretKey) {
        let email = format!("{}@{name}.example.com", self.texts.email.as_str());
        let new = self.client.sign_up(&email, self.texts.password.as_str()).await.unwrap();
        self.print(&new);
        let mut account = new.account;
        self.key("the Secret Key", new.secret_key.expose());
        self.key("the Secret Key's text", new.secret_key.to_text().as_bytes());
        self.key("the password, stretched", root_key(self.texts.password.as_str(), &new.secret_key, &account.id()).expose());
        self.keys_of(account.identity());
        account.verify_email(&self.code_mailed_to(&email).await).await.unwrap();
        account.resend_email_code().await.unwrap();
        self.logs_in(&account, &new.secret_key).await;
        (account, new.secret_key)
    }

    /// Mails lie in a folder here.
    async fn code_mailed_to(&self, email: &str) -> String {
        self.world.drain().await;
        let mails = places::files("", &self.world.config.data.join("outbox"));
        let mails = mails.iter().map(|mail| String::from_utf8_lossy(&mail.bytes));
        let mail = mails.filter(|mail| mail.contains("\r\n")).find(|mail| mail.contains(email)).expect("a mail with a code");
        code_in(&mail)
    }

    /// Also with a wrong password, and on a device.
    async fn logs_in(&mut self, account: &Account, secret_key: &SecretKey) {
        let wrong = self.client.log_in(account.id(), secret_key, self.texts.wrong_password.as_str(), None).await;
        assert!(matches!(wrong, Err(Error::Unauthenticated { .. })));
        let again = self.client.log_in(account.id(), secret_key, self.texts.password.as_str(), None).await.unwrap();
        let device = again.enrol_device("").await.unwrap();
        self.key("the device's key", device.key.expose());
        self.print(&device);
        self.client.unlock_device(&device, None).await.unwrap();
        again.remove_slot(device.slot_id).await.unwrap();
        let offer = self.client.offer_link().await.unwrap();
        again.link_device(&offer.code(), "").await.unwrap();
        let linked = offer.answer().await.unwrap().expect("an answer");
        self.key("the linked device's key", linked.device().key.expose());
        self.print(&linked);
        linked.decline().await.unwrap();
    }

    /// Days later, on a machine that remembers nothing.
    async fn comes_back(&self, account: &Account, secret_key: &SecretKey) {
        let state = self.world.machine_state("machines/elsewhere");
        let again = self.client.log_in(account.id(), secret_key, self.texts.password.as_str(), Some(&state)).await.unwrap();
        again.pin(&state).unwrap();
        let offer = self.client.offer_link().await.unwrap();
        again.link_device(&offer.code(), "").await.unwrap();
        let mut vault = again.open(again.organizations()[0], &state).await.unwrap();
        assert_eq!(vault.name().unwrap(), self.texts.organization.as_str());
        // It starts at a checkpoint, and a new key is wrapped for members whose keys it has to ask for.
        assert!(vault.chain().base() > 0);
        vault.create_environment("elsewhere", "development", 1).await.unwrap();
    }

    async fn founds(&mut self, ada: &mut Account) -> Vault {
        let state = self.world.machine_state("machines/ada");
        let mut vault = ada.found(self.texts.organization.as_str(), &state).await.unwrap();
        vault.rename_person(&ada.identity().id(), self.texts.founder.as_str()).await.unwrap();
        vault
    }

    /// A webhook and a team's address hear all that people are told; a second webhook comes and goes.
    async fn chooses_notices(&mut self, vault: &Vault) {
        let channel = |name: &str| {
            let (name, url) = (name.to_owned(), self.receiver.url());
            NewChannel { form: ChannelForm::Webhook, name, target: url, kinds: vec![], namespaces: vec![] }
        };
        let (kept, _) = vault.add_channel(&channel("kept")).await.unwrap();
        let (gone, _) = vault.add_channel(&channel("gone")).await.unwrap();
        vault.rotate_channel_secret(kept).await.unwrap();
        vault.pause_channel(kept).await.unwrap();
        vault.resume_channel(kept).await.unwrap();
        vault.test_channel(kept).await.unwrap();
        vault.remove_channel(gone).await.unwrap();
        let team = NewChannel { form: ChannelForm::Email, target: "team@example.com".to_owned(), ..channel("team") };
        let (team, _) = vault.add_channel(&team).await.unwrap();
        let code = self.code_mailed_to("team@example.com").await;
        vault.verify_channel(team, &code).await.unwrap();
        // Proved: nothing more is mailed.
        vault.send_channel_code(team).await.unwrap();
        assert_eq!(vault.channels().await.unwrap().len(), 2);
        let mut preferences = vault.notice_preferences().await.unwrap();
        preferences.muted = vec!["monitor".to_owned()];
        preferences.digest_hour = Some(9);
        vault.set_notice_preferences(preferences).await.unwrap();
        let days = vault.notice_thresholds().await.unwrap();
        vault.set_notice_thresholds(&days).await.unwrap();
        self.world.drain().await;
        assert_eq!(vault.notice_deliveries(true, "").await.unwrap().0.len(), 1);
    }

    async fn writes(&mut self, vault: &mut Vault) {
        let Texts { value, next_value, imported_value, folder, secret, imported, note, project, environment, label, .. } = &self.texts;
        let made = vault.create_project(project.as_str(), &[(environment.as_str(), 3), ("development", 1)]).await.unwrap();
        let name = format!("{}/{}", folder.as_str(), secret.as_str());
        let expires_ms = Some(self.world.now_ms() + 7 * DAY_MS);
        let (rotate_every_ms, label) = (Some(30 * DAY_MS), Some(label.as_str().to_owned()));
        let facts = FactsInput { expires_ms, rotate_every_ms, label, ..FactsInput::default() };
        let first =
            SecretWrite { note: Some(note.as_str().to_owned()), facts: Some(facts.clone()), ..SecretWrite::new(&name, value.as_str()) };
        let printed = Evidence::new("debug", "a write", format!("{first:?}"));
        vault.write(&made[0], &[first]).await.unwrap();
        vault.write(&made[0], &[SecretWrite::new(&name, next_value.as_str())]).await.unwrap();
        let old = vault.read_version(&made[0], &name, 1).await.unwrap();
        assert_eq!(**old.value, *value.bytes);
        vault.rollback(&made[0], &name, 1).await.unwrap();
        vault.delete(&made[0], std::slice::from_ref(&name)).await.unwrap();
        vault.restore(&made[0], &name).await.unwrap();
        vault.set_facts(&made[0], &name, &facts).await.unwrap();
        let import = |nth| SecretWrite::new(format!("{}_{nth}", imported.as_str()), format!("{}{nth}", imported_value.as_str()));
        for environment in &made {
            vault.write(environment, &(0..IMPORTED).map(import).collect::<Vec<_>>()).await.unwrap();
        }
        self.printed.push(printed);
        self.print(&old);
    }

    /// At a provider that is not there: what matters is what the server hears of it.
    async fn checks_keys(&mut self, vault: &mut Vault) {
        let [production, _] = self.environments(vault);
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut prober = Prober::new(Dial::LoopbackOnly(Arc::default())).unwrap();
        prober.place("mistral", &format!("http://{nobody}")).unwrap();
        let name = format!("{}/{}", self.texts.folder.as_str(), self.texts.secret.as_str());
        let which = Which { names: vec![name], provider: Some("mistral".to_owned()), lease_ms: Some(3_600_000), ..Which::default() };
        let checks = vault.check_keys(&prober, &production, &which).await.unwrap();
        assert!(checks.len() == 1 && checks[0].reported, "{checks:?}");
        self.print(&checks);
        self.print(&prober);
        self.print(&vault.key_health(&production).await.unwrap());
    }

    /// A service that hangs up: looks, an incident and who hears of it. The monitor's name and URL are for the server.
    async fn watches(&mut self, vault: &Vault) {
        let [production, _] = self.environments(vault);
        let target = |name: &str| MonitorTarget { name: name.to_owned(), url: self.receiver.url(), ..MonitorTarget::default() };
        let kept = vault.create_monitor(Some(&production), target("kept")).await.unwrap();
        let kept = vault.monitor(Some(&production), &kept).await.unwrap();
        vault.pause_monitor(&kept).await.unwrap();
        vault.resume_monitor(&kept).await.unwrap();
        let gone = vault.create_monitor(None, target("gone")).await.unwrap();
        let gone = vault.monitor(None, &gone).await.unwrap();
        vault.update_monitor(&gone, target("soon gone")).await.unwrap();
        vault.delete_monitor(&gone).await.unwrap();
        for _ in 0..4 {
            self.world.pass(Duration::from_secs(100));
            self.world.drain().await;
        }
        let incident = vault.incidents(&[production], None, true).await.unwrap().remove(0);
        assert!(!vault.timeline(&incident).await.unwrap().is_empty());
        vault.acknowledge_incident(&incident).await.unwrap();
        let from_ms = self.world.now_ms() + DAY_MS;
        for to_ms in [from_ms + 1_000_000, from_ms + 2_000_000] {
            let once = Schedule::Once(Once { from_ms, to_ms });
            vault.add_maintenance(Some(&production), None, "a new database", once).await.unwrap();
        }
        let planned = vault.maintenances(&[production]).await.unwrap();
        vault.remove_maintenance(&planned[0]).await.unwrap();
        assert_eq!(vault.monitors(&[production]).await.unwrap().len(), 1);
        let name = format!("{}/{}", self.texts.folder.as_str(), self.texts.secret.as_str());
        vault.snooze_reminder(&production, &name, self.world.now_ms() + DAY_MS).await.unwrap();
    }

    async fn admits_a_colleague(&mut self, vault: &mut Vault) -> Account {
        let [production, development] = self.environments(vault);
        let name = self.texts.colleague.as_str().to_owned();
        let access = vec![(development, 3, 0)];
        let invite = NewInvite { name, role: role::MEMBER, access, ttl_ms: DAY_MS, member_expires_ms: 0, carry_keys: true };
        let code: InviteCode = vault.invite(&invite).await.unwrap();
        self.key("the invite's secret", *code.secret);
        self.key("the invite's key", code.keys().kem_seed().expose());
        self.print(&code);
        let (mut bob, _) = self.signs_up("bob").await;
        let state = self.world.machine_state("machines/bob");
        let mut bobs = bob.join(&code, &state).await.unwrap();
        vault.sync().await.unwrap();
        vault.grant(&bob.identity().id(), &production, 3, 0).await.unwrap();
        bobs.sync().await.unwrap();
        let read = bobs.read_all(&production).unwrap();
        assert_eq!(read.len(), IMPORTED + 1);
        let name = format!("{}/{}", self.texts.folder.as_str(), self.texts.imported.as_str());
        bobs.write(&production, &[SecretWrite::new(name, self.texts.value.as_str())]).await.unwrap();
        bob
    }

    async fn admits_a_machine(&mut self, vault: &mut Vault) {
        let [production, _] = self.environments(vault);
        vault.sync().await.unwrap();
        let new = NewMachine { name: self.texts.machine.as_str().to_owned(), access: vec![(production, 1)], ttl_ms: DAY_MS };
        let token = vault.create_machine(&new).await.unwrap();
        self.keys_of(&token.identity());
        self.print(&token);
        let state = self.world.machine_state("machines/agent");
        let agent = self.client.machine(&token, &state).await.unwrap();
        let secrets = agent.read_all(&production).unwrap();
        assert!(secrets.iter().any(|secret| **secret.value == *self.texts.value.bytes));
    }

    async fn lets_go(&mut self, vault: &mut Vault, leaver: Account) {
        let removal = vault.remove_member(&leaver.identity().id()).await.unwrap();
        assert!(removal.worklist.len() > IMPORTED);
        let [production, _] = self.environments(vault);
        let name = format!("{}_0", self.texts.imported.as_str());
        vault.write(&production, &[SecretWrite::new(name, self.texts.next_value.as_str())]).await.unwrap();
        assert!(!vault.audit_events("").await.unwrap().0.is_empty());
    }

    fn environments(&self, vault: &Vault) -> [keyvawlt_client::ledger::NsId; 2] {
        let of = |name| vault.environment(self.texts.project.as_str(), name).unwrap().ns_id;
        [of(self.texts.environment.as_str()), of("development")]
    }

    fn keys_of(&mut self, identity: &Identity) {
        self.key("an identity's seed", identity.seed().expose());
        self.key("an identity's login key", identity.auth_key().as_bytes());
        self.key("an identity's decryption key", identity.kem_seed().expose());
    }

    fn key(&mut self, name: &'static str, bytes: impl AsRef<[u8]>) {
        self.keys.push(Canary::known(name, bytes));
    }

    fn print(&mut self, thing: &impl Debug) {
        self.printed.push(Evidence::new("debug", std::any::type_name_of_val(thing), format!("{thing:?}")));
    }
}
