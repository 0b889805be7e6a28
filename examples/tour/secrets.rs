//! A secret: what the client writes, and what arrives at the server.

use crate::people::NAME;
use crate::stage::{Stage, hex_of};
use crate::{Places, World};
use keyvawlt_client::{SecretWrite, Vault};

/// Writes the secret in both environments; returns production's value.
pub(crate) async fn write(stage: &mut Stage, vault: &mut Vault, places: Places) -> anyhow::Result<String> {
    stage.step(
        "She stores a secret",
        "Name and value are encrypted on her machine under a key made for this one version; that key is sealed under the environment's. Then she \
         signs which versions exist.",
    )?;
    let value = "sbp_8fd3b1c40a77e2965d0e5c8b".to_owned();
    vault.write(&places.development, &[SecretWrite::new(NAME, "sbp_for_development")]).await?;
    vault.write(&places.production, &[SecretWrite::new(NAME, "sbp_a_first_try")]).await?;
    let versions = vault.write(&places.production, &[SecretWrite::new(NAME, value.as_str())]).await?;
    stage.show("writes", format!("{NAME} in production, version {}", versions.first().copied().unwrap_or_default()))?;
    let old = vault.read_version(&places.production, NAME, 1).await?;
    stage.show("version 1", format!("{}, which can still be read and brought back", String::from_utf8_lossy(&old.value)))?;
    Ok(value)
}

pub(crate) async fn show_stored(stage: &mut Stage, world: &World, vault: &Vault, places: Places, value: &str) -> anyhow::Result<()> {
    stage.step(
        "What the server stored of it",
        "Two rows of its database, read back from the file. Of name and value, this is all that an administrator, a backup or a thief gets.",
    )?;
    let secret = vault.read(&places.production, NAME)?;
    let row = world.database.secret(&secret.info.secret_id).await?;
    stage.show("client: name", &secret.info.name)?;
    stage.show("server: name", hex_of(&row.name))?;
    stage.show("client: value", String::from_utf8_lossy(&secret.value))?;
    stage.show("server: value", hex_of(&row.payload))?;
    stage.show("server: its key", hex_of(&row.dek))?;
    anyhow::ensure!(*secret.value == value.as_bytes(), "the client reads what it wrote");

    for text in [value, NAME] {
        let (found, searched) = world.database.search(text)?;
        anyhow::ensure!(!found, "{text} is in the database");
        stage.holds(format!("{text:?} is nowhere in the {searched} bytes of the database's files"))?;
    }
    // A search that finds nothing proves nothing unless it can find something.
    let (found, _) = world.database.search("ada@example.com")?;
    anyhow::ensure!(found, "the search finds what is there");
    stage.holds("\"ada@example.com\", which the server must know, is found by the same search")
}
