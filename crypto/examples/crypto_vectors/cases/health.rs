//! Health reports: a record signed in domain 5, and what differs from it by one field.

use super::seeded::Seeded;
use super::{Case, File, flipped};
use ed25519_dalek::SigningKey;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::cbor::{self, Value};
use keyvawlt_ledger::chain::{Entry, Key, Member, View, role};
use keyvawlt_ledger::health::{HealthReport, Outcome};
use keyvawlt_ledger::{Domain, Fault, Hash, IdentityId, KeyId, NsId, OrgId, SecretId, Signed};

/// Nine in the morning of 23 November 2026, when all reports here are judged.
const NOW_MS: u64 = 1_795_424_400_000;
const MINUTE_MS: u64 = 60_000;

pub fn file() -> File {
    let mut rng = Seeded::new("health");
    let key = SigningKey::from_bytes(&rng.array());
    let good = HealthReport {
        v: 1,
        org_id: OrgId(rng.array()),
        ns_id: NsId(rng.array()),
        secret_id: SecretId(rng.array()),
        version: 3,
        outcome: Outcome::Valid,
        at_ms: NOW_MS - MINUTE_MS,
        prober_id: IdentityId(rng.array()),
        prober_key_id: KeyId(rng.array()),
        expires_ms: None,
    };
    let scene = Scene { key, good };
    File {
        name: "health.json",
        about: "A health report, signed by its prober in domain 5, judged at now_ms for this organization and namespace, whose member has these ids \
                and this key.",
        valid: scene.valid(),
        invalid: scene.invalid(),
    }
}

struct Scene {
    key: SigningKey,
    good: HealthReport,
}

/// A state that has the prober as a member, without any access.
struct State<'a>(&'a Scene);

impl View for State<'_> {
    fn get(&self, key: &Key) -> Option<Entry> {
        let Scene { key: signing, good } = self.0;
        let member = Member {
            role: role::OWNER,
            kind: 1,
            sign_pk: signing.verifying_key().to_bytes(),
            key_id: good.prober_key_id,
            generation: 1,
            expires_ms: 0,
            pending: false,
            verified: 0,
            reset_seq: 0,
        };
        (*key == Key::member(&good.prober_id)).then_some(Entry::Member(member))
    }

    fn scan(&self, _: &[u8]) -> Vec<Key> {
        vec![]
    }

    fn state_hash(&self) -> Hash {
        Hash::ZERO
    }
}

impl Scene {
    fn valid(&self) -> Vec<serde_json::Value> {
        let each = Outcome::ALL.into_iter().map(|outcome| HealthReport { outcome, ..self.good.clone() });
        let ends = HealthReport { expires_ms: Some(NOW_MS + 30 * 24 * 60 * MINUTE_MS), ..self.good.clone() };
        let ahead = HealthReport { at_ms: NOW_MS + 10 * MINUTE_MS, ..self.good.clone() };
        each.map(|report| (report.outcome.as_str(), report))
            .chain([("with an end", ends), ("ten minutes ahead", ahead)])
            .map(|(name, report)| {
                let signed = self.sign(report.to_bytes());
                // Access, which the state does not give, is the last thing looked at.
                assert_eq!(self.judge(&signed).expect_err("no access").code.as_str(), "E_AUTHORITY", "{name}");
                self.case(name, &report, &signed).valid()
            })
            .collect()
    }

    fn invalid(&self) -> Vec<serde_json::Value> {
        let good = &self.good;
        let changed = [
            ("another version of the format", HealthReport { v: 2, ..good.clone() }),
            ("another organization", HealthReport { org_id: OrgId([1; 32]), ..good.clone() }),
            ("another namespace", HealthReport { ns_id: NsId([1; 16]), ..good.clone() }),
            ("dated eleven minutes ahead", HealthReport { at_ms: NOW_MS + 11 * MINUTE_MS, ..good.clone() }),
            ("another prober", HealthReport { prober_id: IdentityId([1; 16]), ..good.clone() }),
            ("other keys of the prober", HealthReport { prober_key_id: KeyId([1; 32]), ..good.clone() }),
        ];
        let mut cases: Vec<_> = changed.into_iter().map(|(name, report)| self.refused(name, &self.sign(report.to_bytes()))).collect();
        let with = |key: u64, value: Option<Value>| {
            let Ok(Value::Map(mut pairs)) = cbor::decode(&good.to_bytes()) else { panic!("a report is a map") };
            pairs.retain(|(held, _)| *held != key);
            pairs.extend(value.map(|value| (key, value)));
            pairs.sort_by_key(|(key, _)| *key);
            self.sign(cbor::encode(&Value::Map(pairs)))
        };
        let malformed = [
            ("an unknown outcome", with(6, Some(Value::Uint(9)))),
            ("no outcome", with(6, Some(Value::Uint(0)))),
            ("a field left out", with(10, None)),
            ("an unknown field", with(11, Some(Value::Bool(true)))),
            ("a byte after the end", self.sign([good.to_bytes(), vec![0]].concat())),
            ("more than 512 bytes", with(4, Some(Value::Bytes(vec![0; 512])))),
        ];
        cases.extend(malformed.iter().map(|(name, signed)| self.refused(name, signed)));
        let other = Signed::make(&self.key, Domain::Manifest, good.to_bytes());
        cases.push(self.refused("a signature of another domain", &other));
        let mut bit = self.sign(good.to_bytes());
        bit.sig = flipped(bit.sig, 0).try_into().expect("64 bytes");
        cases.push(self.refused("one bit of the signature", &bit));
        let outcome = HealthReport { outcome: Outcome::Invalid, ..good.clone() };
        let swapped = Signed { sig: self.sign(outcome.to_bytes()).sig, ..self.sign(good.to_bytes()) };
        cases.push(self.refused("the signature of another outcome", &swapped));
        cases
    }

    fn sign(&self, payload: Vec<u8>) -> Signed {
        Signed::make(&self.key, Domain::HealthReport, payload)
    }

    fn judge(&self, signed: &Signed) -> Result<HealthReport, Fault> {
        HealthReport::judge(signed, &State(self), &self.good.org_id, &self.good.ns_id, NOW_MS)
    }

    fn refused(&self, name: &str, signed: &Signed) -> serde_json::Value {
        self.case(name, &self.good, signed).refused(name, self.judge(signed))
    }

    fn case(&self, name: &str, report: &HealthReport, signed: &Signed) -> Case {
        Case::new(name)
            .bytes("sign_pk", self.key.verifying_key().to_bytes())
            .with("now_ms", NOW_MS)
            .bytes("org_id", self.good.org_id)
            .bytes("ns_id", self.good.ns_id)
            .bytes("secret_id", report.secret_id)
            .with("version", report.version)
            .with("outcome", report.outcome.as_str())
            .with("at_ms", report.at_ms)
            .bytes("prober_id", self.good.prober_id)
            .bytes("prober_key_id", self.good.prober_key_id)
            .with("expires_ms", report.expires_ms)
            .bytes("payload", signed.payload())
            .bytes("signature", signed.sig)
    }
}
