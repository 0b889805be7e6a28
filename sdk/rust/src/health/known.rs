//! What is known of keys: reports of members, judged here, and never older than what this machine has seen.

use crate::account::statement;
use crate::error::{Error, Result};
use crate::memory::state::StateDir;
use crate::sync::space::unverified;
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::canon::Canon;
use keyvawlt_ledger::chain::{Annals, Questions as _, permission};
use keyvawlt_ledger::health::{HealthReport, Outcome};
use keyvawlt_ledger::limits::MAX_SKEW_MS;
use keyvawlt_ledger::{Code, Domain, Fault, IdentityId, NsId, SecretId, Signed, row};
use keyvawlt_proto::v1;
use std::collections::{BTreeMap, BTreeSet};

/// Two refusals this far apart are no accident (protocol 11.1).
const CONFIRM_MS: u64 = 60_000;
/// Namespaces of one question.
const NAMESPACES_PER_QUESTION: usize = 1000;
/// Pages of one question: a thousand secrets of a thousand namespaces would be fewer.
const MAX_PAGES: usize = 1_000;
/// A prober's clock may be ahead, and behind the clock of whoever ended its keys, each as far as the server's clock lets them.
const CLOCKS_APART_MS: u64 = 2 * MAX_SKEW_MS;
/// Rises with the layout of what is remembered.
const SEEN_FORMAT: u64 = 1;

/// What reports say of a key, by this client's own judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No report of a present member decides.
    Unknown,
    /// The provider accepts it.
    Works,
    /// The provider refused it once.
    Suspect,
    /// The provider refused it again, a minute later or more.
    Refused,
}

/// What is known of one version of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHealth {
    /// The secret's full name.
    pub name: String,
    /// Its namespace.
    pub ns_id: NsId,
    /// Its id there.
    pub secret_id: SecretId,
    /// The version of its leaf.
    pub version: u64,
    /// It is the newest one.
    pub is_current: bool,
    /// What follows from the reports.
    pub verdict: Verdict,
    /// What was found out last.
    pub outcome: Option<Outcome>,
    /// When, epoch milliseconds.
    pub at_ms: Option<u64>,
    /// By whom.
    pub prober: Option<IdentityId>,
    /// When the key was first refused, since it was last accepted.
    pub refused_since_ms: Option<u64>,
    /// When the key ends, as its provider says.
    pub expires_ms: Option<u64>,
    /// Where the server sees it: its word, to show and to order work by, and nothing more.
    pub told: v1::KeyHealthState,
}

/// One version of one secret.
pub(super) type Place = (NsId, SecretId, u64);

/// The newest report seen of each version.
#[derive(Debug, Default)]
pub(super) struct Seen(pub(super) BTreeMap<Place, u64>);

row! {
    /// As remembered.
    pub struct SeenRow {
        /// In which namespace.
        ns_id: NsId,
        /// Which secret.
        secret_id: SecretId,
        /// Which version.
        version: u64,
        /// When it was checked.
        at_ms: u64,
    }
}

row! {
    /// The file.
    pub struct SeenFile {
        /// [`SEEN_FORMAT`].
        format: u64,
        /// In order.
        rows: Vec<SeenRow>,
    }
}

impl Vault {
    /// What members reported of the keys of an environment, in order of their names. A report that does not verify, or is older than one seen here
    /// before, is an [`Error::Verification`].
    pub async fn key_health(&mut self, environment: &NsId) -> Result<Vec<KeyHealth>> {
        match self.reported(environment).await {
            // A report of somebody who was admitted, or got new keys, a moment ago: the chain as it is now says so, or it is a lie.
            Err(Error::Verification(_)) => {
                self.sync().await?;
                self.reported(environment).await
            }
            known => known,
        }
    }

    async fn reported(&self, environment: &NsId) -> Result<Vec<KeyHealth>> {
        let mut seen = self.seen()?;
        let delivered = self.ask_health(environment).await?;
        let annals = self.annals_for(&delivered).await?;
        let mut known = Vec::new();
        for (name, ns_id, secret_id, newest) in self.live_keys(environment)? {
            for version in [newest, newest - 1].into_iter().filter(|version| *version > 0) {
                let place = (ns_id, secret_id, version);
                let shown = delivered.get(&place);
                if let Some(health) =
                    self.judge(place, name.clone(), version == newest, (shown, annals.as_ref()), &mut seen).map_err(unverified)?
                {
                    known.push(health);
                }
            }
            seen.0.retain(|(ns, secret, version), _| (*ns, *secret) != (ns_id, secret_id) || *version + 1 >= newest);
        }
        self.remember(&seen)?;
        Ok(known)
    }

    /// Name, namespace, id and leaf version of every live secret.
    pub(super) fn live_keys(&self, environment: &NsId) -> Result<Vec<(String, NsId, SecretId, u64)>> {
        let index = self.index(environment)?;
        let live = index.usable().filter(|found| !found.leaf.is_deleted() && !found.leaf.is_draft());
        Ok(live.map(|found| (found.name.clone(), found.space.tip.ns_id, found.leaf.secret_id, found.leaf.version)).collect())
    }

    async fn ask_health(&self, environment: &NsId) -> Result<BTreeMap<Place, v1::KeyHealth>> {
        let (state, me, now) = (self.replica.head(), self.identity.id(), self.now_ms());
        let reads = |ns: &NsId| state.permissions(ns, &me, now) & permission::READ != 0;
        let family: Vec<NsId> = state.family(environment).into_iter().filter(reads).collect();
        let mut delivered = BTreeMap::new();
        for some in family.chunks(NAMESPACES_PER_QUESTION) {
            let asked: BTreeSet<NsId> = some.iter().copied().collect();
            let mut request = v1::ListKeyHealthRequest {
                org_id: Bytes::copy_from_slice(&self.org_id.0),
                ns_ids: some.iter().map(|ns| Bytes::copy_from_slice(&ns.0)).collect(),
                page_size: 0,
                page_token: String::new(),
            };
            for page in 0.. {
                if page == MAX_PAGES {
                    return Err(unverified(Fault::new(Code::Limit, "the server's list of reports does not end")));
                }
                let answer =
                    self.session.call(async |client, token| rpc::list_key_health(client, Some(token), request.clone()).await).await?;
                for key in answer.keys {
                    let place = place_of(&key).map_err(unverified)?;
                    if asked.contains(&place.0) {
                        delivered.insert(place, key);
                    }
                }
                request.page_token = answer.next_page_token;
                if request.page_token.is_empty() {
                    break;
                }
            }
        }
        Ok(delivered)
    }

    fn judge(
        &self,
        place: Place,
        name: String,
        is_current: bool,
        (shown, annals): (Option<&v1::KeyHealth>, Option<&Annals>),
        seen: &mut Seen,
    ) -> Result<Option<KeyHealth>, Fault> {
        let Some(shown) = shown else { return seen.check(place, None).map(|()| None) };
        let (ns_id, secret_id, version) = place;
        let mut told = Told::default();
        for statement in &shown.reports {
            let signed = Signed::from_parts(&statement.payload, &statement.signature)?;
            let read = HealthReport::read(&signed)?;
            if (read.ns_id, read.secret_id, read.version) != place {
                return Err(Fault::new(Code::Root, "a health report of another key stands for this one"));
            }
            let judged = HealthReport::judge(&signed, &self.replica.head(), &self.org_id, &ns_id, self.now_ms());
            let counts = match judged {
                Ok(_) => true,
                // Somebody who is gone, or has new keys: it says nothing, and is no lie.
                Err(fault) if fault.code == Code::Author => {
                    self.was_prober(&signed, &read, annals.ok_or(fault)?)?;
                    false
                }
                // Somebody whose signature it is, and who no longer reads there.
                Err(fault) if fault.code == Code::Authority => false,
                Err(fault) => return Err(fault),
            };
            told.take(read, counts)?;
        }
        seen.check(place, told.newest_ms)?;
        let health = KeyHealth {
            name,
            ns_id,
            secret_id,
            version,
            is_current,
            verdict: told.verdict(),
            outcome: told.newest.as_ref().map(|report| report.outcome),
            at_ms: told.newest.as_ref().map(|report| report.at_ms),
            prober: told.newest.as_ref().map(|report| report.prober_id),
            refused_since_ms: told.refused_since,
            expires_ms: told.decided.as_ref().and_then(|report| report.expires_ms),
            told: shown.state(),
        };
        Ok(Some(health))
    }

    /// The annals, where a report is of keys that are nobody's now: they alone tell whose they were.
    async fn annals_for(&self, delivered: &BTreeMap<Place, v1::KeyHealth>) -> Result<Option<Annals>> {
        let (state, now_ms) = (self.replica.head(), self.now_ms());
        for statement in delivered.values().flat_map(|key| &key.reports) {
            let signed = Signed::from_parts(&statement.payload, &statement.signature).map_err(unverified)?;
            let report = HealthReport::read(&signed).map_err(unverified)?;
            if state.active_member(&report.prober_id, now_ms).is_none_or(|member| member.key_id != report.prober_key_id) {
                return self.annals().await.map(Some);
            }
        }
        Ok(None)
    }

    /// Whether a report could have been made by somebody who is no active member with these keys now. Anything else was made up, to stand before
    /// those that say something.
    fn was_prober(&self, signed: &Signed, report: &HealthReport, annals: &Annals) -> Result<(), Fault> {
        let periods = annals.keys_of(&report.prober_id);
        let period = periods.iter().rfind(|period| period.key_id == report.prober_key_id);
        let period = period.ok_or_else(|| Fault::new(Code::Sig, "a health report is signed with keys that its prober never had"))?;
        signed.verify(&period.sign_pk, Domain::HealthReport)?;
        let member = self.replica.head().member(&report.prober_id).filter(|member| member.key_id == period.key_id);
        let lapses_ms = member.map(|member| member.expires_ms).filter(|at_ms| *at_ms != 0);
        let ended_ms = period.ended.as_ref().map(|end| end.at_ms).or(lapses_ms);
        if ended_ms.is_some_and(|ended_ms| report.at_ms > ended_ms.saturating_add(CLOCKS_APART_MS)) {
            return Err(Fault::new(Code::Author, "a health report is dated after its prober's keys ended"));
        }
        Ok(())
    }

    /// What this machine has seen of reports.
    pub(super) fn seen(&self) -> Result<Seen> {
        let name = file_name(&self.org_id);
        let changed = || Error::Storage {
            path: self.state.path().join(&name),
            why: "what this machine remembers of reports about keys is damaged: restore it, or move it away to begin anew".to_owned(),
        };
        let Some(bytes) = self.state.read_checked(&name, None, changed)? else { return Ok(Seen::default()) };
        let file = SeenFile::from_bytes(&bytes).ok().filter(|file| file.format == SEEN_FORMAT).ok_or_else(changed)?;
        Ok(Seen(file.rows.into_iter().map(|row| ((row.ns_id, row.secret_id, row.version), row.at_ms)).collect()))
    }

    pub(super) fn remember(&self, seen: &Seen) -> Result<()> {
        let row = |(place, at_ms): (&Place, &u64)| SeenRow { ns_id: place.0, secret_id: place.1, version: place.2, at_ms: *at_ms };
        let file = SeenFile { format: SEEN_FORMAT, rows: seen.0.iter().map(row).collect() };
        let (bytes, _) = StateDir::checked(file.to_bytes());
        self.state.write(&file_name(&self.org_id), &bytes)
    }

    /// Hands a finding in; `false` where somebody else's newer one is known already.
    pub(super) async fn report(&self, report: &HealthReport, seen: &mut Seen) -> Result<bool> {
        let signed = self.identity.sign(Domain::HealthReport, report.to_bytes());
        let request = v1::ReportKeyHealthRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            ns_id: Bytes::copy_from_slice(&report.ns_id.0),
            report: Some(statement(&signed)),
        };
        match self.session.call(async |client, token| rpc::report_key_health(client, Some(token), request.clone()).await).await {
            Ok(_) => {}
            Err(Error::Refused(fault)) if fault.code == Code::Rollback => return Ok(false),
            Err(error) => return Err(error),
        }
        seen.0.insert((report.ns_id, report.secret_id, report.version), report.at_ms);
        self.remember(seen).map(|()| true)
    }
}

impl Seen {
    /// What is shown is not older than what was seen.
    fn check(&mut self, place: Place, newest_ms: Option<u64>) -> Result<(), Fault> {
        let held = self.0.get(&place).copied();
        match (held, newest_ms) {
            (Some(held), Some(newest)) if newest < held => {
                Err(Fault::new(Code::Rollback, "the server shows an older report about a key than this machine has seen"))
            }
            (Some(_), None) => Err(Fault::new(Code::Rollback, "the server withholds a report about a key that this machine has seen")),
            (_, Some(newest)) => {
                self.0.insert(place, newest);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }
}

/// Reports of one version, oldest first.
#[derive(Default)]
struct Told {
    /// Of the last one, whether it counts or not.
    newest_ms: Option<u64>,
    newest: Option<HealthReport>,
    decided: Option<HealthReport>,
    refused_since: Option<u64>,
}

impl Told {
    fn take(&mut self, report: HealthReport, counts: bool) -> Result<(), Fault> {
        if self.newest_ms.is_some_and(|before| before >= report.at_ms) {
            return Err(Fault::new(Code::Rollback, "reports about a key are not in order"));
        }
        self.newest_ms = Some(report.at_ms);
        if !counts {
            // What came before it is no longer what is so.
            (self.newest, self.decided, self.refused_since) = (None, None, None);
            return Ok(());
        }
        if report.outcome.decides() {
            let refused = report.outcome == Outcome::Invalid;
            self.refused_since = if refused { self.refused_since.or(Some(report.at_ms)) } else { None };
            self.decided = Some(report.clone());
        }
        self.newest = Some(report);
        Ok(())
    }

    fn verdict(&self) -> Verdict {
        match (&self.decided, self.refused_since) {
            (None, _) => Verdict::Unknown,
            (Some(_), None) => Verdict::Works,
            (Some(last), Some(since)) if last.at_ms.saturating_sub(since) >= CONFIRM_MS => Verdict::Refused,
            (Some(_), Some(_)) => Verdict::Suspect,
        }
    }
}

fn place_of(key: &v1::KeyHealth) -> Result<Place, Fault> {
    Ok((NsId::from_slice(&key.ns_id)?, SecretId::from_slice(&key.secret_id)?, key.version))
}

fn file_name(org_id: &keyvawlt_ledger::OrgId) -> String {
    format!("{org_id}.health")
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyvawlt_ledger::{KeyId, OrgId};

    fn told(reports: &[(Outcome, u64, bool)]) -> Result<Told, Fault> {
        let mut told = Told::default();
        for (outcome, at_ms, counts) in reports {
            let report = HealthReport {
                v: 1,
                org_id: OrgId([1; 32]),
                ns_id: NsId([2; 16]),
                secret_id: SecretId([3; 16]),
                version: 1,
                outcome: *outcome,
                at_ms: *at_ms,
                prober_id: IdentityId([4; 16]),
                prober_key_id: KeyId([5; 32]),
                expires_ms: None,
            };
            told.take(report, *counts)?;
        }
        Ok(told)
    }

    #[test]
    fn reports_add_up_to_a_verdict() {
        use Outcome::{Invalid, NetworkError, Valid};
        let verdict = |reports: &[(Outcome, u64, bool)]| told(reports).unwrap().verdict();
        assert_eq!(verdict(&[]), Verdict::Unknown);
        assert_eq!(verdict(&[(NetworkError, 1, true)]), Verdict::Unknown);
        assert_eq!(verdict(&[(Valid, 1, true), (NetworkError, 2, true)]), Verdict::Works);
        assert_eq!(verdict(&[(Invalid, 1, true)]), Verdict::Suspect);
        assert_eq!(verdict(&[(Invalid, 1, true), (Invalid, 60_000, true)]), Verdict::Suspect);
        assert_eq!(verdict(&[(Invalid, 1, true), (Invalid, 60_001, true)]), Verdict::Refused);
        assert_eq!(verdict(&[(Invalid, 1, true), (Valid, 2, true), (Invalid, 90_000, true)]), Verdict::Suspect);
        // A newest report of nobody hides what was before it, and does not bring it back.
        assert_eq!(verdict(&[(Valid, 1, true), (Valid, 2, false)]), Verdict::Unknown);
        assert_eq!(told(&[(Valid, 2, true), (Valid, 2, true)]).err().unwrap().code, Code::Rollback);
    }

    #[test]
    fn what_was_seen_does_not_go_back() {
        let place = (NsId([1; 16]), SecretId([2; 16]), 3);
        let mut seen = Seen::default();
        seen.check(place, None).unwrap();
        seen.check(place, Some(5)).unwrap();
        seen.check(place, Some(5)).unwrap();
        assert_eq!(seen.check(place, Some(4)).unwrap_err().code, Code::Rollback);
        assert_eq!(seen.check(place, None).unwrap_err().code, Code::Rollback);
        seen.check(place, Some(6)).unwrap();
    }
}
