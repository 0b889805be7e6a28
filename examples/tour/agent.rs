//! An agent: a machine with access to one environment, whose program finds a secret in its environment variable.

use crate::people::NAME;
use crate::stage::{Stage, short};
use crate::{Places, World};
use anyhow::Context as _;
use keyvawlt_client::{Error, NewMachine, Vault};
use tokio::process::Command;

const READ: u8 = 1;
const DAY_MS: u64 = 24 * 3600 * 1000;
/// What a team commits to its repository: a reference, not a secret.
const VARIABLE: &str = "SUPABASE_ACCESS_TOKEN";
const REFERENCE: &str = "${vault:supabase/access_token}";
/// The agent. It knows nothing of KeyVawlt.
const PROGRAM: &str =
    r#"echo "I am an agent with a token of ${#SUPABASE_ACCESS_TOKEN} characters, beginning with $(printf %.4s "$SUPABASE_ACCESS_TOKEN")""#;

pub(crate) async fn admit(stage: &mut Stage, world: &World, vault: &mut Vault, places: Places) -> anyhow::Result<Vault> {
    stage.step(
        "An AI agent gets a token for one environment",
        "A machine is a member with few rights that end by themselves. Its token, shown once, holds its keys and the link of the chain that it must \
         find at the server. A launcher resolves references and starts the agent with the values in its environment, as `keyvawlt run` does.",
    )?;
    let new = NewMachine { name: "agent".to_owned(), access: vec![(places.production, READ)], ttl_ms: 90 * DAY_MS };
    let token = vault.create_machine(&new).await?;
    stage.show("token", short(&token.encode()?, 60))?;
    stage.show(".env", format!("{VARIABLE}={REFERENCE}"))?;

    let agent = world.client()?.machine(&token, &world.machine("agents-machine")?).await?;
    let name = REFERENCE.strip_prefix("${vault:").and_then(|rest| rest.strip_suffix('}')).context("a reference")?;
    let secret = agent.read(&places.production, name)?;
    let value = std::str::from_utf8(&secret.value)?;
    let ran = Command::new("sh").args(["-c", PROGRAM]).env(VARIABLE, value).output().await.context("starting sh")?;
    anyhow::ensure!(ran.status.success(), "the agent failed");
    stage.quote(&String::from_utf8_lossy(&ran.stdout))?;
    Ok(agent)
}

pub(crate) async fn refuse(stage: &mut Stage, world: &World, vault: &Vault, agent: &Vault, places: Places) -> anyhow::Result<()> {
    stage.step(
        "The agent tries another environment",
        "This is not a rule that the server might bend: the key of development was never encrypted to the agent.",
    )?;
    let refused = match agent.read(&places.development, NAME) {
        Err(error @ Error::Forbidden) => error,
        Err(error) => return Err(error.into()),
        Ok(_) => anyhow::bail!("the agent reads development"),
    };
    stage.show("agent gets", format!("refused: {refused}"))?;
    for (label, place) in [("production key", places.production), ("development key", places.development)] {
        let (epoch, holders) = world.database.key_holders(&place).await?;
        anyhow::ensure!(holders.contains(&agent.identity().id()) == (place == places.production), "the agent's keys");
        let names = vault.members()?.into_iter().filter(|member| holders.contains(&member.id)).map(|member| member.name);
        stage.show(label, format!("number {epoch}, encrypted to: {}", names.collect::<Vec<_>>().join(", ")))?;
    }
    Ok(())
}
