//! Why nobody has to believe the server: signed chains, a record of every read, and what happens when it lies.

use crate::people::{NAME, PASSWORD, Person};
use crate::stage::{Stage, short};
use crate::{Places, World};
use keyvawlt_client::ledger::Code;
use keyvawlt_client::{Error, Vault};
use std::collections::HashMap;

/// Deliveries shown: the newest ones, not all of the tour.
const SHOWN_EVENTS: usize = 8;

pub(crate) fn show_chains(stage: &mut Stage, (adas, bobs): (&mut Vault, &mut Vault)) -> anyhow::Result<()> {
    stage.step(
        "What every client has verified",
        "Each link names the hash of all before it and is signed by a member who had the right to say it. Every client checks every one, and \
         remembers where it stood, so that history can only go forward.",
    )?;
    for (who, vault) in [("Ada", &*adas), ("Bob", &*bobs)] {
        let verified = vault.verified();
        let writes: u64 = verified.manifests.iter().map(|head| head.mseq).sum();
        stage.show(who, format!("verified {} links, {} manifests with {writes} writes", verified.links, verified.manifests.len()))?;
        stage.show("", format!("head {}", short(&verified.head.to_string(), 32)))?;
    }
    anyhow::ensure!(adas.verified().head == bobs.verified().head, "Ada and Bob see different chains");
    stage.holds("the same head: the server shows both the same history")
}

pub(crate) async fn show_audit(stage: &mut Stage, vault: &Vault) -> anyhow::Result<()> {
    stage.step(
        "Who read what",
        "The server records every delivery before it makes it; if the record cannot be stored, nothing is delivered. Owners and auditors read the \
         list. It has ids: names are added here, by Ada's client.",
    )?;
    let (events, _) = vault.audit_events("").await?;
    let members = vault.members()?;
    let environments = vault.environments()?;
    let mut names = HashMap::from([(vault.org_id().to_string(), vault.name()?)]);
    names.extend(environments.iter().map(|found| (found.ns_id.to_string(), format!("{}/{}", found.project, found.name))));
    names.extend(members.iter().map(|member| (member.id.to_string(), member.name.clone())));
    let reads = events.iter().filter(|event| event.action.rsplit('.').next() == Some("read"));
    for event in reads.take(SHOWN_EVENTS) {
        // "invite:<id>" until its bearer has joined.
        let actor = event.actor.rsplit(':').next().and_then(|id| names.get(id)).map_or("an invite", String::as_str);
        // The only namespace without a name of its own is the one that keeps all names.
        let subject = names.get(&event.subject).map_or("directory", String::as_str);
        stage.show(&event.action, format!("{actor:<11}{subject:<19}{}", event.detail))?;
    }
    anyhow::ensure!(events.len() > SHOWN_EVENTS, "the tour left more events than that");
    stage.show("in all", format!("{} events", events.len()))
}

pub(crate) async fn catch_a_liar(
    stage: &mut Stage,
    world: World,
    (ada, vault): (&Person, &Vault),
    places: Places,
) -> anyhow::Result<World> {
    stage.step(
        "The server lies",
        "Ada logs in on a new laptop with password and Secret Key. Somebody with full power over the server then changes one bit of what it stores \
         and starts it again, and she logs in on another one.",
    )?;
    let honest = on_a_new_laptop(&world, ada, "laptop", vault).await?.read(&places.production, NAME)?;
    stage.show("honest server", format!("{NAME} = {}", String::from_utf8_lossy(&honest.value)))?;

    let (before, after) = world.database.flip_a_bit(&honest.info.secret_id).await?;
    stage.show("in the database", format!("one byte of the sealed value: {before:02x} becomes {after:02x}"))?;
    let world = world.restart().await?;
    let refused = match on_a_new_laptop(&world, ada, "another-laptop", vault).await {
        Ok(_) => anyhow::bail!("the lie was not noticed"),
        Err(error) => error.downcast::<Error>()?,
    };
    anyhow::ensure!(matches!(&refused, Error::Verification(fault) if fault.code == Code::Root), "another error: {refused}");
    stage.show("lying server", refused)?;
    stage.holds("the client stops: no value, no empty vault, nothing older instead")?;

    let warm = vault.read(&places.production, NAME)?;
    anyhow::ensure!(*warm.value == *honest.value, "what was verified before stays");
    stage.holds("what Ada's first machine has verified stays readable there")?;
    Ok(world)
}

async fn on_a_new_laptop(world: &World, ada: &Person, laptop: &str, vault: &Vault) -> anyhow::Result<Vault> {
    let account = world.client()?.log_in(ada.new.account.id(), &ada.new.secret_key, PASSWORD, None).await?;
    Ok(account.open(vault.org_id(), &world.machine(laptop)?).await?)
}
