//! Somebody leaves: new keys for what comes, and a list for what she already read.

use crate::people::{NAME, invite_for, newcomer};
use crate::stage::Stage;
use crate::{Places, World};
use keyvawlt_client::{Error, SecretWrite, Vault};

pub(crate) async fn join(stage: &mut Stage, world: &World, vault: &mut Vault, places: Places) -> anyhow::Result<Vault> {
    stage.step(
        "Cleo, a contractor, joins",
        "As Bob did: invite, code, words. Nobody else has to do anything, and no secret is encrypted again.",
    )?;
    let code = vault.invite(&invite_for("Cleo", places)).await?;
    let (mut cleo, _) = newcomer(world, "cleo").await?;
    let mut cleos = cleo.new.account.join(&code, &cleo.machine).await?;
    vault.sync().await?;
    let member = vault.member("Cleo")?;
    anyhow::ensure!(member.words == cleo.new.account.identity().safety_words(), "the words differ");
    vault.grant_intended(&member.id).await?;
    cleos.sync().await?;
    anyhow::ensure!(cleos.read(&places.production, NAME).is_ok(), "Cleo reads");
    stage.show("members", vault.members()?.into_iter().map(|member| member.name).collect::<Vec<_>>().join(", "))?;
    Ok(cleos)
}

pub(crate) async fn remove(
    stage: &mut Stage,
    world: &World,
    (adas, bobs, mut cleos): (&mut Vault, &mut Vault, Vault),
    places: Places,
) -> anyhow::Result<()> {
    stage.step(
        "Cleo leaves",
        "She could read production. Removing her gives the environment a new key in the same change, whatever the number of \
         secrets. What she has read she has read: the list says what to replace at its provider.",
    )?;
    let cleo = adas.member("Cleo")?;
    let removal = adas.remove_member(&cleo.id).await?;
    let environments = adas.environments()?;
    for ns in &removal.rekeyed {
        let name =
            environments.iter().find(|environment| environment.ns_id == *ns).map(|found| format!("{}/{}", found.project, found.name));
        stage.show("new key for", name.unwrap_or_else(|| ns.to_string()))?;
    }
    for item in &removal.worklist {
        let place = format!("{}/{}", item.project, item.environment);
        let readers: Vec<&str> = item.lost_by.iter().map(|lost| lost.name.as_str()).collect();
        stage.show("to be replaced", format!("{} in {place}, version {}, readable by {}", item.name, item.version, readers.join(", ")))?;
    }
    anyhow::ensure!(removal.rekeyed.contains(&places.production) && removal.worklist.len() == 2, "the removal is complete");

    adas.write(&places.production, &[SecretWrite::new("stripe/live_key", "sk_live_replaced")]).await?;
    stage.show("Ada replaces", format!("stripe/live_key; still open on the list: {}", adas.worklist().await?.len()))?;
    let (epoch, holders) = world.database.key_holders(&places.production).await?;
    anyhow::ensure!(epoch == 2 && !holders.contains(&cleo.id), "the new key is not for Cleo");
    stage.holds(format!(
        "key number {epoch}, under which it is written, was encrypted to {} identities, and not to Cleo's",
        holders.len()
    ))?;
    anyhow::ensure!(matches!(cleos.sync().await, Err(Error::Forbidden)), "Cleo is still answered");
    stage.holds("the server answers her no more")?;
    bobs.sync().await?;
    anyhow::ensure!(*bobs.read(&places.production, "stripe/live_key")?.value == *b"sk_live_replaced", "Bob reads the new value");
    stage.holds("Bob reads the new value")
}
