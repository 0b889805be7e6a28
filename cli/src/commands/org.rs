//! Organizations: founding, listing, showing, choosing.

use keyvawlt_client::ledger::OrgId;
use keyvawlt_client::{Error, Vault};
use serde::Serialize;

use super::environment::{self, EnvironmentRow};
use super::{Context, bring_back};
use super::{member, worklog};
use crate::args::structure::Org;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::login::Files;
use crate::output::fields;
use crate::prompt;
use crate::roster::{Among, Roster, role_name, short};
use crate::settings::{FileSettings, Settings, USER_FILE};
use crate::vault;

/// `keyvawlt org`
pub async fn org(command: Org, context: &mut Context) -> Outcome {
    match command {
        Org::Create { name } => create(&name, context).await,
        Org::List => list(context).await,
        Org::Show { name } => show(name, context).await,
        Org::Use { name } => choose(&name, context).await,
        Org::Leave { yes } => leave(yes, context).await,
        Org::BringBack { yes } => bring_back::bring_back(yes, context).await,
        Org::Forget { id, yes } => forget(&id, yes, context).await,
    }
}

async fn create(name: &str, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Created<'a> {
        name: &'a str,
        id: String,
    }
    let settings = context.settings()?;
    let mut account = vault::account(context).await?;
    let state = vault::state_of(&settings, &account.id())?;
    let mut vault = account.found(name, &state).await?;
    account.pin(&state)?;
    if let Some(profile) = Files::of(&settings).profile()? {
        let own = vault.identity().id();
        vault.rename_person(&own, &profile.name).await?;
    }
    if account.organizations().len() == 1 {
        remember(&settings, &vault)?;
    }
    let created = Created { name, id: vault.org_id().to_string() };
    context.output.result(&created, || format!("created {name}; you are its owner"))?;
    context.output.note("next: keyvawlt project create NAME");
    Ok(())
}

async fn list(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        id: String,
        name: Option<String>,
        role: Option<&'static str>,
        members: Option<usize>,
        chosen: bool,
    }
    let settings = context.settings()?;
    let account = vault::account(context).await?;
    let state = vault::state_of(&settings, &account.id())?;
    let only = account.organizations().len() == 1;
    let mut rows = Vec::new();
    for org_id in account.organizations() {
        let id = org_id.to_string();
        let row = match account.open(*org_id, &state).await {
            Ok(vault) => {
                let name = vault.name()?;
                let named = settings.org.as_ref().map_or(only, |org| org.value == name || org.value == id);
                let role = vault.membership().map(|member| role_name(member.role));
                let members = Some(Roster::of(&vault)?.people().count());
                Row { id, name: Some(name), role, members, chosen: named }
            }
            // This person was removed: it stays on the list, which only its owner can change.
            Err(Error::Forbidden) => Row { id, name: None, role: None, members: None, chosen: false },
            Err(error) => return Err(error.into()),
        };
        rows.push(row);
    }
    let cells = rows.iter().map(|row| {
        vec![
            if row.chosen { "*" } else { "" }.to_owned(),
            row.name.clone().unwrap_or_else(|| "(you are no member any more)".to_owned()),
            row.role.unwrap_or_default().to_owned(),
            row.members.map(|members| members.to_string()).unwrap_or_default(),
            short(&row.id),
        ]
    });
    let cells: Vec<_> = cells.collect();
    context.output.table(
        &rows,
        &["", "name", "your role", "members", "id"],
        &cells,
        "you are in no organization yet: keyvawlt org create NAME",
    )
}

async fn show(name: Option<String>, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Shown {
        id: String,
        name: String,
        addr: String,
        role: Option<&'static str>,
        members: usize,
        machines: usize,
        links: u64,
        head: String,
        environments: Vec<EnvironmentRow>,
    }
    if name.is_some() {
        context.global.org = name;
    }
    let vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let verified = vault.verified();
    let shown = Shown {
        id: vault.org_id().to_string(),
        name: vault.name()?,
        addr: vault.client().origin().to_owned(),
        role: vault.membership().map(|member| role_name(member.role)),
        members: roster.people().count(),
        machines: roster.machines().count(),
        links: verified.links,
        head: verified.head.to_string(),
        environments: environment::rows(&vault)?,
    };
    context.output.result(&shown, || {
        let environments = shown.environments.iter().map(|row| format!("{}/{}: you may {}", row.project, row.name, row.may));
        fields(&[
            ("name", vec![shown.name.clone()]),
            ("id", vec![shown.id.clone()]),
            ("server", vec![shown.addr.clone()]),
            ("your role", shown.role.iter().map(ToString::to_string).collect()),
            ("members", vec![roster.head_count()]),
            ("environments", environments.collect()),
            ("verified", vec![format!("a chain of {} links; the newest is", shown.links), shown.head.clone()]),
        ])
    })
}

async fn choose(name: &str, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Chosen {
        id: String,
        name: String,
    }
    context.global.org = Some(name.to_owned());
    let settings = context.settings()?;
    let account = vault::account(context).await?;
    let vault = vault::organization(&account, &settings).await?;
    remember(&settings, &vault)?;
    let chosen = Chosen { id: vault.org_id().to_string(), name: vault.name()? };
    context.output.result(&chosen, || format!("{} is the organization that commands mean on this device", chosen.name))
}

/// `keyvawlt org leave`
pub async fn leave(yes: bool, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    let mut account = vault::account(context).await?;
    let mut vault = vault::organization(&account, &settings).await?;
    let roster = Roster::of(&vault)?;
    let own = roster.find(&vault.identity().id().to_string(), Among::People)?;
    let (name, org_id) = (vault.name()?, vault.org_id());
    prompt::confirm(context.person.as_mut(), &format!("Leave {name}, with all your access?"), yes)?;
    let removal = vault.leave().await.map_err(|error| member::cannot_go(error, &own))?;
    worklog::lost(&format!("left {name}"), &own.name, &removal, &vault, &roster, context)?;
    drop(vault);
    let state = vault::state_of(&settings, &account.id())?;
    account.forget(org_id).await?;
    account.pin(&state)?;
    let path = settings.config_dir.value.join(USER_FILE);
    FileSettings::update(&path, |file| {
        file.top.org = file.top.org.take().filter(|chosen| *chosen != org_id.to_string());
    })
}

/// Only one that does not open: whoever is a member leaves instead.
async fn forget(id: &str, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Forgotten {
        id: String,
    }
    let settings = context.settings()?;
    let mut account = vault::account(context).await?;
    let begins = |org_id: &&OrgId| id.len() >= LEAST_ID && org_id.to_string().starts_with(id);
    let meant: Vec<OrgId> = account.organizations().iter().filter(begins).copied().collect();
    let [org_id] = meant.as_slice() else {
        let why = if meant.is_empty() { "none of your organizations has this id" } else { "several of your organizations begin so" };
        return Err(Failure::new(Exit::NotFound, why).on(id).hint("see keyvawlt org list --json"));
    };
    let state = vault::state_of(&settings, &account.id())?;
    match account.open(*org_id, &state).await {
        Err(Error::Forbidden) => {}
        Ok(_) => {
            return Err(Failure::new(Exit::Conflict, "you are a member of this organization").on(id).hint("keyvawlt org leave first"));
        }
        Err(error) => return Err(error.into()),
    }
    prompt::confirm(context.person.as_mut(), "Take it off your list, on all your devices?", yes)?;
    account.forget(*org_id).await?;
    account.pin(&state)?;
    let forgotten = Forgotten { id: org_id.to_string() };
    context.output.result(&forgotten, || format!("{} is on your list no more", short(&forgotten.id)))
}

/// The fewest digits that name an organization.
const LEAST_ID: usize = 6;

/// Makes an organization this device's default, by its id: another of the same name never takes its place.
pub fn remember(settings: &Settings, vault: &Vault) -> Outcome {
    let path = settings.config_dir.value.join(USER_FILE);
    FileSettings::update(&path, |file| file.top.org = Some(vault.org_id().to_string()))
}
