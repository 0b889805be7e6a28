//! Giving a server that was restored from a backup what it lacks: links, manifest links, wraps and objects that this machine has verified.
//!
//! Only when somebody says so, and only to a server whose operator did: a server that goes back in time stays a server that goes back in time.
//! Nothing is signed here. What this machine does not hold, others bring.

use crate::error::{Error, Result};
use crate::random;
use crate::sync::space::unverified;
use crate::vault::Vault;
use crate::wire::rpc;
use bytes::Bytes;
use keyvawlt_ledger::canon::Canon as _;
use keyvawlt_ledger::chain::{Link, Questions as _, permission};
use keyvawlt_ledger::manifest::ManifestLink;
use keyvawlt_ledger::{Code, Fault, NsId};
use keyvawlt_proto::v1;
use std::collections::BTreeMap;

/// Links of one batch: of 64 links one has a state hash, each of which costs the server a look at the whole state.
const LINKS_PER_BATCH: usize = 128;
/// Manifest links of one batch.
const WRITES_PER_BATCH: usize = 1_000;
/// Bytes of one batch, half of what it may have: its wraps come on top.
const BYTES_PER_BATCH: usize = 8 << 20;

/// What a server got back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BroughtBack {
    /// Links of the chain.
    pub links: u64,
    /// Manifest links.
    pub writes: u64,
    /// What it still lacks of what this machine has seen, and this machine does not hold.
    pub lacking: Vec<String>,
}

/// What this machine holds, by place.
#[derive(Default)]
struct Held {
    /// Of each change its links by position, with the wraps that came with them.
    links: Vec<(BTreeMap<u64, v1::SignedStatement>, Vec<Bytes>)>,
    writes: BTreeMap<(NsId, u64), v1::SignedStatement>,
    objects: Vec<v1::SecretObject>,
}

impl Vault {
    /// Gives the server what it lacks of the history that this machine has verified.
    pub async fn bring_back(&mut self) -> Result<BroughtBack> {
        let held = Held::of(self.noted()?)?;
        let mut back = BroughtBack::default();
        self.bring_links(&held, &mut back).await?;
        if back.lacking.is_empty() {
            self.bring_writes(&held, &mut back).await?;
        }
        Ok(back)
    }

    async fn bring_links(&self, held: &Held, back: &mut BroughtBack) -> Result<()> {
        let (there, own) = (self.ask_where(vec![]).await?.next_seq, self.replica.tip().next_seq());
        let mut next = there;
        for (links, wraps) in &held.links {
            let links: Vec<v1::SignedStatement> = (next..own).map_while(|seq| links.get(&seq).cloned()).collect();
            next += links.len() as u64;
            // Wraps that belong to none of them the server leaves aside.
            for links in links.chunks(LINKS_PER_BATCH) {
                back.links += links.len() as u64;
                self.send_back(v1::Batch { links: links.to_vec(), wraps: wraps.clone(), ..v1::Batch::default() }).await?;
            }
        }
        if next < own {
            back.lacking.push(format!("link {next} of the chain"));
        }
        Ok(())
    }

    async fn bring_writes(&self, held: &Held, back: &mut BroughtBack) -> Result<()> {
        let (state, me, now) = (self.replica.head(), self.identity.id(), self.now_ms());
        let reads = |ns: &&NsId| state.permissions(ns, &me, now) & permission::READ != 0;
        let tips: Vec<(NsId, u64)> = self.spaces.keys().filter(reads).filter_map(|ns| Some((*ns, self.spaces.tip(ns)?.mseq))).collect();
        let mut batch = v1::Batch::default();
        let mut bytes = 0;
        for tips in tips.chunks(crate::sync::NAMESPACES_PER_QUESTION) {
            let named = tips.iter().map(|(ns, mseq)| v1::ManifestHead { ns_id: Bytes::copy_from_slice(&ns.0), mseq: *mseq });
            let answer = self.ask_where(named.collect()).await?;
            for changes in answer.namespaces {
                let ns = NsId::from_slice(&changes.ns_id).map_err(unverified)?;
                let Some((_, own)) = tips.iter().find(|(held, _)| *held == ns) else { continue };
                let writes: Vec<_> = (changes.mseq + 1..=*own).map_while(|mseq| held.writes.get(&(ns, mseq)).cloned()).collect();
                let next = changes.mseq + 1 + writes.len() as u64;
                if next <= *own {
                    back.lacking.push(format!("manifest link {next} of namespace {ns}"));
                }
                let objects = held.objects.iter().filter(|object| *object.ns_id == ns.0 && !writes.is_empty());
                let objects: Vec<v1::SecretObject> = objects.cloned().collect();
                let size = objects.iter().map(|object| object.data.len()).sum::<usize>()
                    + writes.iter().map(|write| write.payload.len()).sum::<usize>();
                // A namespace's links go together: of what was replaced since, only the newest may be there.
                if bytes + size > BYTES_PER_BATCH || batch.manifest_links.len() + writes.len() > WRITES_PER_BATCH {
                    self.send_writes(std::mem::take(&mut batch), back).await?;
                    bytes = 0;
                }
                bytes += size;
                batch.manifest_links.extend(writes);
                batch.objects.extend(objects);
            }
        }
        self.send_writes(batch, back).await
    }

    async fn send_writes(&self, batch: v1::Batch, back: &mut BroughtBack) -> Result<()> {
        if batch.manifest_links.is_empty() {
            return Ok(());
        }
        back.writes += batch.manifest_links.len() as u64;
        self.send_back(batch).await
    }

    /// Where the server stands: its chain, and those of the namespaces whose head is another.
    async fn ask_where(&self, namespaces: Vec<v1::ManifestHead>) -> Result<v1::ReadChangesResponse> {
        let (org_id, from_seq) = (Bytes::copy_from_slice(&self.org_id.0), self.replica.tip().next_seq());
        let request = v1::ReadChangesRequest { org_id, from_seq, namespaces, all_wraps: false };
        self.session.call(async |client, token| rpc::read_changes(client, Some(token), request.clone()).await).await
    }

    async fn send_back(&self, batch: v1::Batch) -> Result<()> {
        let request = v1::CommitRequest {
            org_id: Bytes::copy_from_slice(&self.org_id.0),
            request_id: Bytes::copy_from_slice(&random::bytes::<16>()),
            batch: Some(batch),
            bring_back: true,
        };
        let sent = self.session.call(async |client, token| rpc::commit(client, Some(token), request.clone()).await).await;
        sent.map(drop).map_err(|error| match error {
            Error::Conflict { .. } => unverified(Fault::new(Code::Fork, "the server has another history than this machine has verified")),
            error => error,
        })
    }
}

impl Held {
    fn of(changes: Vec<v1::Batch>) -> Result<Self> {
        let mut held = Self::default();
        for change in changes {
            let links = change.links.into_iter().map(|signed| Ok((Link::from_bytes(&signed.payload).map_err(unverified)?.seq, signed)));
            held.links.push((links.collect::<Result<_>>()?, change.wraps));
            for signed in change.manifest_links {
                let link = ManifestLink::from_bytes(&signed.payload).map_err(unverified)?;
                held.writes.insert((link.ns_id, link.mseq), signed);
            }
            held.objects.extend(change.objects);
        }
        Ok(held)
    }
}
