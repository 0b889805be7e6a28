//! A client without history: a machine's token, an organization of many links, an environment of many secrets; how long, and how many bytes.

use crate::client::{LINKS, SIZES, median};
use crate::load::{as_caller, connect, log_in};
use crate::scene::{Agent, DEVELOPMENT, Person, admit, secrets};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::ledger::chain::permission;
use keyvawlt_client::{Client, Clock, MachineToken, Options, StateDir};
use keyvawlt_proto::v1::namespace_service_client::NamespaceServiceClient;
use keyvawlt_proto::v1::organization_service_client::OrganizationServiceClient;
use keyvawlt_proto::{MAX_MESSAGE, v1};
use prost::Message as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;

/// How often a machine starts anew, for the median.
const TIMES: usize = 5;
/// Machines that come and go with one link each, besides those that get access: what years of a large team leave.
const MACHINES: usize = 500;
const DAY_MS: u64 = 24 * 3600 * 1000;

/// What a start without history takes.
pub struct ColdStart {
    pub links: u64,
    pub secrets: usize,
    /// From the token to the list of names.
    pub list: Duration,
    pub list_bytes: usize,
    /// From the token to every value, opened.
    pub read: Duration,
    pub read_bytes: usize,
}

/// Makes the organization and starts machines in it.
pub async fn measure(person: &mut Person, folder: &Path) -> Result<ColdStart> {
    let count = SIZES[SIZES.len() - 1];
    let mut vault = person.found("cold").await?;
    let environments = vault.create_project("agents", &[("development", DEVELOPMENT), ("other", DEVELOPMENT)]).await?;
    let (environment, other) = (environments[0], environments[1]);
    vault.write(&environment, &secrets(count)).await?;
    let mut machines = Vec::with_capacity(MACHINES);
    let mut n = 0;
    while vault.verified().links < LINKS as u64 {
        if machines.len() < MACHINES {
            machines.push(admit(&mut vault, &[other], permission::READ).await?.identity_id);
            continue;
        }
        // Each time for a little longer.
        n += 1;
        let machine = machines.get(n % MACHINES).context("a machine")?;
        vault.grant(machine, &other, permission::READ, Clock::System.now_ms() + DAY_MS / 2 + n as u64).await?;
    }
    let token = admit(&mut vault, &[environment], permission::READ).await?;
    let links = vault.verified().links;
    let origin = token.origin.clone();
    let mut lists = Vec::new();
    let mut reads = Vec::new();
    for nth in 0..TIMES {
        let began = Instant::now();
        let light = start(&origin, &token, true, &folder.join(format!("cold-list-{nth}"))).await?;
        ensure!(light.list(&environment)?.len() == count && light.chain().base() > 0, "not everything was listed from a checkpoint");
        lists.push(began.elapsed());
        drop(light);
        let began = Instant::now();
        let full = start(&origin, &token, false, &folder.join(format!("cold-read-{nth}"))).await?;
        ensure!(full.read_all(&environment)?.len() == count, "not everything was read");
        reads.push(began.elapsed());
    }
    let agent = Agent {
        identity: Arc::new(token.identity()),
        org: token.org_id,
        origin,
        next_seq: links,
        token: Arc::new(token),
        environments: vec![],
    };
    let channel = connect(&agent.origin).await?;
    let access = log_in(&channel, &agent).await?;
    let chain = chain_bytes(&channel, &access, &agent).await?;
    Ok(ColdStart {
        links,
        secrets: count,
        list: median(&mut lists)?,
        list_bytes: chain + listing_bytes(&channel, &access, &agent, &environment, false).await?,
        read: median(&mut reads)?,
        read_bytes: chain + listing_bytes(&channel, &access, &agent, &environment, true).await?,
    })
}

async fn start(origin: &str, token: &MachineToken, values_when_used: bool, folder: &Path) -> Result<keyvawlt_client::Vault> {
    let client = Client::new(origin, Options { values_when_used, ..Options::default() })?;
    Ok(client.machine(token, &StateDir::open(folder)?).await?)
}

/// What the client is sent of the chain: the state, and the links since.
async fn chain_bytes(channel: &Channel, access: &AsciiMetadataValue, agent: &Agent) -> Result<usize> {
    let mut organizations = OrganizationServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE);
    let org_id = Bytes::copy_from_slice(&agent.org.0);
    let mut request =
        v1::ReadStartRequest { org_id: org_id.clone(), pin_seq: agent.token.seq, at_most: agent.token.seq, page_token: String::new() };
    let mut bytes = 0;
    loop {
        let page = organizations.read_start(as_caller(request.clone(), access)).await?.into_inner();
        bytes += page.encoded_len();
        request.page_token.clone_from(&page.next_page_token);
        if request.page_token.is_empty() {
            break;
        }
    }
    let since = v1::ReadChainRequest { org_id, from_seq: agent.token.seq + 1 };
    Ok(bytes + organizations.read_chain(as_caller(since, access)).await?.into_inner().encoded_len())
}

async fn listing_bytes(channel: &Channel, access: &AsciiMetadataValue, agent: &Agent, ns: &NsId, values: bool) -> Result<usize> {
    let mut namespaces = NamespaceServiceClient::new(channel.clone()).max_decoding_message_size(MAX_MESSAGE);
    let (org_id, ns_id) = (Bytes::copy_from_slice(&agent.org.0), Bytes::copy_from_slice(&ns.0));
    let mut request = v1::ReadListingRequest { org_id, ns_id, heads: vec![0], values, page_token: String::new() };
    let mut bytes = 0;
    loop {
        let page = namespaces.read_listing(as_caller(request.clone(), access)).await?.into_inner();
        bytes += page.encoded_len();
        request.page_token.clone_from(&page.next_page_token);
        if request.page_token.is_empty() {
            return Ok(bytes);
        }
    }
}
