//! People: signing up, founding an organization, inviting a colleague and knowing that it is really him.

use crate::stage::{Stage, short};
use crate::{Places, World};
use anyhow::Context as _;
use keyvawlt_client::ledger::chain::role;
use keyvawlt_client::{Account, NewAccount, NewInvite, StateDir, Vault};

/// What Ada types to unlock; everyone here uses the same, which nobody should.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// The secret that the story is about.
pub(crate) const NAME: &str = "supabase/access_token";
/// Access to read and write.
const WRITE: u8 = 3;
const HOUR_MS: u64 = 3600 * 1000;

/// A person, and the machine in front of them.
pub(crate) struct Person {
    pub(crate) new: NewAccount,
    pub(crate) machine: StateDir,
}

/// An account whose address is confirmed.
pub(crate) async fn newcomer(world: &World, name: &str) -> anyhow::Result<(Person, String)> {
    let address = format!("{name}@example.com");
    let mut new = world.client()?.sign_up(&address, PASSWORD).await?;
    let mail = world.mails().await?.into_iter().rfind(|mail| mail.to == address).context("a mail with a code")?;
    let code = mail.text.lines().map(str::trim).find(|line| line.starts_with(|c: char| c.is_ascii_digit())).context("a code")?;
    new.account.verify_email(&code.replace('-', "")).await?;
    Ok((Person { new, machine: world.machine(name)? }, code.to_owned()))
}

pub(crate) async fn sign_up(stage: &mut Stage, world: &World) -> anyhow::Result<Person> {
    stage.step(
        "Ada signs up",
        "Her client draws her keys and seals them under her password together with a random Secret Key; the server gets the sealed box. Whoever \
         steals the database has nothing to guess her password against.",
    )?;
    let (ada, code) = newcomer(world, "ada").await?;
    stage.quote(&ada.new.kit)?;
    stage.show("mailed code", format!("{code}, so that reminders reach an address that is hers"))?;
    Ok(ada)
}

pub(crate) async fn found(stage: &mut Stage, world: &World, ada: &mut Person) -> anyhow::Result<(Vault, Places)> {
    stage.step(
        "She founds an organization, with a project in it",
        "Who belongs and who may do what is a chain of statements that members sign. The organization's id is the hash of its first link, so the \
         server cannot put another one in its place.",
    )?;
    let mut vault = ada.new.account.found("Acme", &ada.machine).await?;
    vault.rename_person(&ada.new.account.identity().id(), "Ada").await?;
    vault.create_project("agents", &[("development", 1), ("production", 3)]).await?;
    let places = Places {
        development: vault.environment("agents", "development")?.ns_id,
        production: vault.environment("agents", "production")?.ns_id,
    };
    stage.show("organization", format!("{}, id {}", vault.name()?, short(&vault.org_id().to_string(), 16)))?;
    for environment in vault.environments()? {
        stage.show("environment", format!("{}/{}", environment.project, environment.name))?;
    }
    let (found, searched) = world.database.search("agents")?;
    anyhow::ensure!(!found, "the project's name is in the database");
    stage.holds(format!("the project's name is nowhere in the {searched} bytes of the server's database: names are sealed too"))?;
    Ok((vault, places))
}

pub(crate) async fn invite(stage: &mut Stage, world: &World, vault: &mut Vault, places: Places) -> anyhow::Result<Vault> {
    stage.step(
        "She invites Bob",
        "The code is a one-time key that travels outside the server, by a messenger or on paper. With it Bob's client checks that it meets Ada's \
         organization, and the organization that it meets the one Ada invited.",
    )?;
    let code = vault.invite(&invite_for("Bob", places)).await?;
    stage.show("code", short(&code.encode()?, 60))?;
    let (mut bob, _) = newcomer(world, "bob").await?;
    let mut bobs = bob.new.account.join(&code, &bob.machine).await?;
    stage.show("Bob joined", bobs.name()?)?;
    anyhow::ensure!(bobs.read(&places.production, NAME).is_err(), "Bob reads before he was given access");
    stage.holds("he reads no secret yet")?;

    compare_words(stage, vault, &bob.new.account).await?;
    let given = vault.grant_intended(&vault.member("Bob")?.id).await?;
    bobs.sync().await?;
    let read = bobs.read(&places.production, NAME)?;
    stage.show("access given", format!("{given} environment: its key, encrypted to Bob's, is all that was sent"))?;
    stage.show("Bob reads", format!("{NAME} = {}", String::from_utf8_lossy(&read.value)))?;
    Ok(bobs)
}

/// Each side computes the words from keys it has verified itself; equal words are equal keys.
async fn compare_words(stage: &mut Stage, vault: &mut Vault, bob: &Account) -> anyhow::Result<()> {
    stage.step(
        "They compare ten words by telephone",
        "Both screens show the words of Bob's keys: his own computed from his keys, Ada's from what the server delivered. If they differed, \
         somebody would sit in between.",
    )?;
    vault.sync().await?;
    let (adas, bobs) = (vault.member("Bob")?.words, bob.identity().safety_words());
    stage.show("on Ada's screen", adas.join(" "))?;
    stage.show("on Bob's screen", bobs.join(" "))?;
    anyhow::ensure!(adas == bobs, "the words differ");
    stage.holds("the same words: Ada gives access")
}

pub(crate) fn invite_for(name: &str, places: Places) -> NewInvite {
    NewInvite {
        name: name.to_owned(),
        role: role::MEMBER,
        access: vec![(places.production, WRITE, 0)],
        ttl_ms: HOUR_MS,
        member_expires_ms: 0,
        carry_keys: false,
    }
}
