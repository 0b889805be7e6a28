//! From settings to an open vault: who is logged in, at which server, in which organization and environment.
//!
//! Invariant: what does not verify ends the command; no other organization, login or older state is tried instead.

use std::time::Duration;

use keyvawlt_client::ledger::{AccountId, NsId, OrgId};
use keyvawlt_client::{Account, Client, Environment, Error, MachineToken, Options, SecretKey, StateDir, Vault};

use crate::commands::Context;
use crate::duration::Length;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::login::{Files, Login, Profile};
use crate::prompt::{self, Source};
use crate::settings::{Origin, Settings};

/// Below the configuration directory: what this machine has verified.
pub const STATE_DIR: &str = "state";
/// What to do when the server does not take a machine's token.
const ENDED_TOKEN: &str = "ask an admin for a new one: keyvawlt machine create";
/// What to do when the server does not know somebody; it does not say which part is wrong.
pub const WRONG_LOGIN: &str = "account, Secret Key or password is wrong; the Emergency Kit has the first two";
/// A file of certificates larger than this is none.
const MAX_CA_BYTES: u64 = 1 << 20;

/// A connection to the server that the settings name, or else to `known`, the one the login belongs to.
pub fn client(context: &mut Context, settings: &Settings, known: Option<&str>) -> Outcome<Client> {
    let addr = match known {
        Some(known) if settings.addr.origin == Origin::Default => known,
        _ => settings.addr.value.trim_end_matches('/'),
    };
    // A command that uses one value does not wait for ten thousand.
    let options = Options { ca_pem: ca_pem(context)?, timeout: timeout(context)?, values_when_used: true, ..Options::default() };
    let by = &settings.addr.origin;
    let client = Client::new(addr, options);
    let client = client.map_err(|error| Failure::from(error).on(addr).hint(format!("the address comes from: {by}")))?;
    if client.is_in_clear() {
        context.output.warn(&format!("{addr} is reached without TLS: whoever is on the way sees who asks for what, and may answer"));
    }
    Ok(client)
}

/// A connection to the server of a login whose key works nowhere else.
fn client_for(context: &mut Context, settings: &Settings, origin: &str) -> Outcome<Client> {
    let client = client(context, settings, Some(origin))?;
    if client.origin() == origin {
        return Ok(client);
    }
    Err(Failure::usage(format!("this login is for another server: {origin}"))
        .on(client.origin())
        .code("OTHER_SERVER")
        .hint(format!("the address comes from: {}; leave it out, or log in there with another --config-dir", settings.addr.origin)))
}

/// The person who is logged in, unlocked.
pub async fn account(context: &mut Context) -> Outcome<Account> {
    let settings = context.settings()?;
    match Files::of(&settings).login(&settings)? {
        Login::Machine(_) => Err(not_for_machines("this command is for people, and a machine is logged in")),
        login => person(context, &settings, login).await,
    }
}

/// Refuses a machine before the server is asked, which only says that it may not.
pub fn for_people(why: &str, context: &Context) -> Outcome {
    let settings = context.settings()?;
    match Files::of(&settings).login(&settings) {
        Ok(Login::Machine(_)) => Err(not_for_machines(why)),
        // Who is nobody yet hears of that where the login is needed.
        _ => Ok(()),
    }
}

fn not_for_machines(why: &str) -> Failure {
    Failure::new(Exit::PermissionDenied, why)
        .hint("unset KEYVAWLT_TOKEN and KEYVAWLT_TOKEN_FILE, or keyvawlt logout and log in as a person")
}

/// The person whose device this is, at a server that may show older account data than the device has seen.
pub async fn account_of_restored(context: &mut Context, settings: &Settings) -> Outcome<(Account, StateDir)> {
    let Login::Device(key) = Files::of(settings).login(settings)? else {
        return Err(Failure::new(Exit::Unauthenticated, "only a device that a person is logged in on has something to bring back"));
    };
    let client = client_for(context, settings, &key.origin)?;
    let account = client.unlock_device(&key, None).await;
    let account = account.map_err(|error| Failure::from(error).if_not_accepted("this device was enrolled after the backup was made"))?;
    Ok((account, state_of(settings, &key.account_id)?))
}

/// Where this machine keeps what it has verified.
pub fn state_path(settings: &Settings) -> std::path::PathBuf {
    settings.config_dir.value.join(STATE_DIR)
}

/// Where this machine keeps what it has verified for an account.
pub fn state_of(settings: &Settings, account_id: &AccountId) -> Outcome<StateDir> {
    Ok(StateDir::open(settings.config_dir.value.join(STATE_DIR))?.below(&account_id.to_string())?)
}

/// Whoever is logged in, ready to open organizations.
pub enum Caller {
    /// A person.
    Person(Account),
    /// A machine, and the server its token names.
    Machine(Client, MachineToken),
}

impl Caller {
    /// Asks a person for what this machine does not keep; once per command.
    pub async fn of(context: &mut Context, settings: &Settings) -> Outcome<Self> {
        match Files::of(settings).login(settings)? {
            Login::Machine(token) => Ok(Self::Machine(client_for(context, settings, &token.origin)?, token)),
            login => person(context, settings, login).await.map(Self::Person),
        }
    }

    /// Opens the organization that the settings name, or the token's own.
    pub async fn open(&self, settings: &Settings) -> Outcome<Vault> {
        match self {
            Self::Person(account) => organization(account, settings).await,
            Self::Machine(client, token) => open_machine(client, settings, token).await,
        }
    }
}

/// The organization that the settings name, as whoever is logged in sees it.
pub async fn open(context: &mut Context) -> Outcome<Vault> {
    let settings = context.settings()?;
    Caller::of(context, &settings).await?.open(&settings).await
}

/// The organization of a machine's token.
pub async fn open_machine(client: &Client, settings: &Settings, token: &MachineToken) -> Outcome<Vault> {
    let state = StateDir::open(settings.config_dir.value.join(STATE_DIR))?;
    client.machine(token, &state).await.map_err(|error| match error {
        // The token's own organization is closed to nobody else.
        Error::Forbidden => {
            Failure::new(Exit::Unauthenticated, "the machine's token has ended or was revoked").code("TOKEN").hint(ENDED_TOKEN)
        }
        error => Failure::from(error).if_not_accepted(ENDED_TOKEN),
    })
}

/// The organization and the environment that the settings name.
pub async fn place(context: &mut Context) -> Outcome<(Vault, Environment)> {
    let settings = context.settings()?;
    settings.require_environment()?;
    let vault = open(context).await?;
    let environment = environment(&vault, &settings, None)?;
    check_fresh(&vault, &environment, &settings, context)?;
    Ok((vault, environment))
}

/// Warns when the newest statement about an environment is older than settings or policy allow, and refuses it where a machine is named that gives
/// heartbeats: without one, silence means only that nobody had anything to say.
fn check_fresh(vault: &Vault, environment: &Environment, settings: &Settings, context: &mut Context) -> Outcome {
    let limits = [settings.max_staleness.as_ref().map(|limit| limit.value.ms()), vault.max_staleness_ms()];
    let Some(limit_ms) = limits.into_iter().flatten().min() else { return Ok(()) };
    let Err(stale) = vault.check_fresh(&environment.ns_id, limit_ms) else { return Ok(()) };
    let place = format!("{}/{}", environment.project, environment.name);
    match &settings.heartbeat {
        Some(machine) if vault.has_heartbeat(&machine.value)? => Err(Failure::from(stale).on(place)),
        Some(machine) => {
            context
                .output
                .warn(&format!("{place}: {stale}; {}, which is to give heartbeats, is no machine of the organization", machine.value));
            Ok(())
        }
        None => {
            context.output.warn(&format!("{place}: {stale}"));
            Ok(())
        }
    }
}

/// Finds an environment: `on`, given as `environment` or `project/environment`, or the chosen one. The project may stay unnamed while only one
/// has an environment of that name.
pub fn environment(vault: &Vault, settings: &Settings, on: Option<&str>) -> Outcome<Environment> {
    let found = chosen(vault.environments()?, vault, settings, on);
    let put_away = |failure: &Failure| {
        failure.exit() == Exit::NotFound
            && vault.archived_environments().is_ok_and(|archived| chosen(archived, vault, settings, on).is_ok())
    };
    found.map_err(|failure| if put_away(&failure) { failure.hint("it is archived: keyvawlt env restore brings it back") } else { failure })
}

/// The same among these.
pub fn chosen(mut found: Vec<Environment>, vault: &Vault, settings: &Settings, on: Option<&str>) -> Outcome<Environment> {
    let chosen = settings.project.as_ref().map(|project| project.value.as_str());
    let (project, name) = match on.map(|on| on.split_once('/').ok_or(on)) {
        Some(Ok((project, name))) => (Some(project), name),
        Some(Err(name)) => (chosen, name),
        None => (chosen, settings.require_environment()?),
    };
    let named = |environment: &Environment| environment.name == name && project.is_none_or(|project| environment.project == project);
    found.retain(|environment| named(environment) || environment.ns_id.to_string() == name);
    let resource = project.map_or_else(|| name.to_owned(), |project| format!("{project}/{name}"));
    match <[Environment; 1]>::try_from(found) {
        Ok([environment]) => Ok(environment),
        Err(found) if found.is_empty() => Err(match vault.flaws().iter().find(|flaw| flaw.secret_id.is_none()) {
            // It may be the one whose names do not open.
            Some(flaw) => flaw.error().into(),
            None => Failure::new(Exit::NotFound, "there is no such environment, or none that you may see").hint("see keyvawlt env list"),
        }
        .on(resource)),
        Err(found) => {
            let each: Vec<String> = found.iter().map(|environment| format!("{} (id {})", environment.project, environment.ns_id)).collect();
            Err(Failure::usage(format!("several environments have this name, in the projects {}", each.join(", ")))
                .on(resource)
                .code("NOT_NAMED")
                .hint("name one: --project NAME, or keyvawlt init in the repository; --env takes an id too"))
        }
    }
}

/// The namespace that access is about: an environment, or a guarded folder of it given behind a colon, as `payments/production:stripe/`.
pub fn namespace(vault: &Vault, settings: &Settings, on: Option<&str>) -> Outcome<NsId> {
    let (on, folder) = match on.map(|on| on.split_once(':').ok_or(on)) {
        Some(Ok((on, folder))) => (Some(on).filter(|on| !on.is_empty()), Some(folder)),
        Some(Err(on)) => (Some(on), None),
        None => (None, None),
    };
    let environment = environment(vault, settings, on)?;
    match folder.map(|folder| vault.folder(&environment.ns_id, folder)) {
        None => Ok(environment.ns_id),
        Some(Ok(folder)) => Ok(folder.ns_id),
        Some(Err(Error::NotFound { name, .. })) => {
            Err(Failure::new(Exit::NotFound, "nothing of this environment is guarded under that path, or nothing that you may see")
                .on(format!("{}/{}:{name}", environment.project, environment.name))
                .hint("keyvawlt guard shows what is; keyvawlt guard PATH guards a folder (ending in '/') or one secret"))
        }
        Some(Err(error)) => Err(error.into()),
    }
}

/// Unlocks a person's account, asking for what this machine does not keep.
async fn person(context: &mut Context, settings: &Settings, login: Login) -> Outcome<Account> {
    let client = client_for(context, settings, login.origin())?;
    match login {
        Login::Device(key) => {
            let state = state_of(settings, &key.account_id)?;
            let account = client.unlock_device(&key, Some(&state)).await;
            let account = account.map_err(|error| {
                Failure::from(error)
                    .if_not_accepted("this device was removed from the account: keyvawlt logout --local-only, then keyvawlt login")
            })?;
            account.pin(&state)?;
            Ok(account)
        }
        Login::Asks(_) if !context.person.is_there() => {
            Err(Failure::new(Exit::Unauthenticated, "this machine keeps no key of the account, and there is no terminal to ask for one")
                .hint("keyvawlt logout, then keyvawlt login without --no-device; programs set KEYVAWLT_TOKEN"))
        }
        Login::Asks(Profile { account, .. }) => {
            let person = context.person.as_mut();
            let secret_key = SecretKey::parse(&prompt::password(person, &Source::Prompt, "Secret Key")?)?;
            let password = prompt::password(person, &Source::Prompt, "password")?;
            let account_id: AccountId = account.parse()?;
            let state = state_of(settings, &account_id)?;
            let account = client.log_in(account_id, &secret_key, &password, Some(&state)).await;
            let account = account.map_err(|error| Failure::from(error).if_not_accepted(WRONG_LOGIN))?;
            account.pin(&state)?;
            Ok(account)
        }
        Login::Machine(_) => Err(Failure::local("a machine is no person")),
    }
}

/// The organization that the settings name, by name or id; the only one when they name none.
pub async fn organization(account: &Account, settings: &Settings) -> Outcome<Vault> {
    let state = state_of(settings, &account.id())?;
    let joined = account.organizations();
    let wanted = match (&settings.org, joined) {
        (_, []) => {
            return Err(Failure::new(Exit::NotFound, "you are in no organization yet")
                .hint("keyvawlt org create NAME, or keyvawlt join with the code an admin gave you"));
        }
        (None, [only]) => return account.open(*only, &state).await.map_err(no_member),
        (None, _) => settings.require_org()?,
        (Some(wanted), _) => wanted.value.as_str(),
    };
    if let Some(org_id) = wanted.parse::<OrgId>().ok().filter(|org_id| joined.contains(org_id)) {
        return account.open(org_id, &state).await.map_err(no_member);
    }
    let mut found = Vec::new();
    for org_id in joined {
        match account.open(*org_id, &state).await {
            Ok(vault) if vault.name()? == wanted => found.push(vault),
            // One that this person was removed from is not the one; everything else that goes wrong is told.
            Ok(_) | Err(Error::Forbidden) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let ids: Vec<String> = found.iter().map(|vault| vault.org_id().to_string()).collect();
    match (found.pop(), found.is_empty()) {
        (Some(vault), true) => Ok(vault),
        (None, _) => Err(Failure::new(Exit::NotFound, "you are in no organization of this name, or were removed from it")
            .on(wanted)
            .hint("see keyvawlt org list")),
        (Some(_), false) => Err(Failure::usage(format!("several of your organizations have this name: {}", ids.join(", ")))
            .on(wanted)
            .code("AMBIGUOUS")
            .hint("give the id instead of the name")),
    }
}

/// An organization that this person has joined does not answer.
fn no_member(error: Error) -> Failure {
    match error {
        Error::Forbidden => {
            Failure::new(Exit::PermissionDenied, "you are not a member of this organization any more").hint("ask its admins")
        }
        error => error.into(),
    }
}

/// Certificates to trust besides the system's.
fn ca_pem(context: &Context) -> Outcome<Option<Vec<u8>>> {
    use std::io::Read;
    let Some(path) = context.around.variable("KEYVAWLT_CACERT") else { return Ok(None) };
    let path = context.around.directory.join(path);
    let mut pem = Vec::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(MAX_CA_BYTES).read_to_end(&mut pem))
        .map_err(|error| Failure::file(&path, "read", &error).hint("KEYVAWLT_CACERT names it"))?;
    Ok(Some(pem))
}

fn timeout(context: &Context) -> Outcome<Option<Duration>> {
    let Some(text) = context.around.variable("KEYVAWLT_TIMEOUT") else { return Ok(None) };
    match text.to_string_lossy().parse::<Length>() {
        Ok(Length(timeout)) => Ok(Some(timeout)),
        Err(malformed) => Err(Failure::usage(malformed.to_string()).on("KEYVAWLT_TIMEOUT")),
    }
}
