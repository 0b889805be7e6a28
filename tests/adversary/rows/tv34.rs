//! TV34: the server says that a key works which its prober found otherwise, so that nobody replaces it. Reports are signed by whoever checked.

use crate::attack::{Attack, Row, Try};
use crate::proxy::{Audience, Who};
use crate::rpcs::ListKeyHealth;
use crate::scene::{CANARY_NAME, OTHER_NAME, Scene};
use keyvawlt_client::{Dial, Error, Prober, Which};
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::health::{HealthReport, Outcome};
use keyvawlt_ledger::{Code, IdentityId, KeyId, SecretId};
use keyvawlt_proto::v1;

pub const ROW: Row = Row {
    id: "TV34",
    title: "Forges a health report",
    tries: &[
        Try::detected::<Lied<Works>>("a key that nobody could reach its provider for is said to work", Code::Sig),
        Try::detected::<Lied<Later>>("a report is dated later", Code::Sig),
        Try::detected::<Lied<OfAnother>>("one key's report stands for another's", Code::Root),
        Try::detected::<Lied<OfNobody>>("a newer report of somebody whom nobody admitted stands before what was found", Code::Sig),
        Try::detected::<Lied<OfLostKeys>>("a newer report of a member's keys that never were stands before what was found", Code::Sig),
    ],
};

/// Reports as the lying server shows them.
trait Lie: 'static {
    fn tell(other: SecretId, key: &mut v1::KeyHealth);
}

struct Works;

impl Lie for Works {
    fn tell(_: SecretId, key: &mut v1::KeyHealth) {
        change(key, |report| report.outcome = Outcome::Valid);
    }
}

struct Later;

impl Lie for Later {
    fn tell(_: SecretId, key: &mut v1::KeyHealth) {
        change(key, |report| report.at_ms += 1);
    }
}

struct OfAnother;

impl Lie for OfAnother {
    fn tell(other: SecretId, key: &mut v1::KeyHealth) {
        key.secret_id = other.0.to_vec().into();
    }
}

struct OfNobody;

impl Lie for OfNobody {
    fn tell(_: SecretId, key: &mut v1::KeyHealth) {
        add(key, |report| report.prober_id = IdentityId([9; 16]));
    }
}

struct OfLostKeys;

impl Lie for OfLostKeys {
    fn tell(_: SecretId, key: &mut v1::KeyHealth) {
        add(key, |report| report.prober_key_id = KeyId([9; 32]));
    }
}

struct Lied<L>(SecretId, std::marker::PhantomData<L>);

impl<L: Lie> Attack for Lied<L> {
    async fn prepare(scene: &mut Scene) -> Self {
        let production = scene.production;
        report(scene).await;
        let other = scene.ada.vault().list(&production).expect("a list").into_iter().find(|secret| secret.name == OTHER_NAME);
        Self(other.expect("another secret").secret_id, std::marker::PhantomData)
    }

    fn victim(&self, scene: &Scene) -> Who {
        scene.bob.who()
    }

    async fn lie(&mut self, scene: &mut Scene, audience: Audience) {
        let other = self.0;
        scene.server.answers::<ListKeyHealth>(audience, move |_, answer| answer.keys.iter_mut().for_each(|key| L::tell(other, key)));
    }

    async fn act(&mut self, scene: &mut Scene) -> Result<(), Error> {
        listen(scene).await
    }
}

/// Ada checks a key at a provider that does not answer, and says so.
pub async fn report(scene: &mut Scene) {
    let production = scene.production;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let mut prober = Prober::new(Dial::LoopbackOnly(std::sync::Arc::default())).expect("a prober");
    prober.place("mistral", &format!("http://{nobody}")).expect("a place");
    let which = Which { names: vec![CANARY_NAME.to_owned()], provider: Some("mistral".to_owned()), ..Which::default() };
    let checks = scene.ada.vault().check_keys(&prober, &production, &which).await.expect("a check");
    assert!(checks.len() == 1 && checks[0].reported, "{checks:?}");
}

/// Bob looks what is known of keys.
pub async fn listen(scene: &mut Scene) -> Result<(), Error> {
    let production = scene.production;
    let vault = scene.bob.vault();
    vault.sync().await?;
    let known = vault.key_health(&production).await?;
    assert_eq!(known.iter().map(|health| health.outcome).collect::<Vec<_>>(), [Some(Outcome::NetworkError)], "what Ada said");
    Ok(())
}

fn change(key: &mut v1::KeyHealth, how: impl Fn(&mut HealthReport)) {
    for statement in &mut key.reports {
        let mut report = HealthReport::from_bytes(&statement.payload).expect("a report");
        how(&mut report);
        statement.payload = report.to_bytes().into();
    }
}

/// Another report after the last one.
fn add(key: &mut v1::KeyHealth, how: impl Fn(&mut HealthReport)) {
    let Some(mut made_up) = key.reports.last().cloned() else { return };
    let mut report = HealthReport::from_bytes(&made_up.payload).expect("a report");
    report.at_ms += 1;
    how(&mut report);
    made_up.payload = report.to_bytes().into();
    key.reports.push(made_up);
}
