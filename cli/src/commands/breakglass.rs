//! The break-glass identity: made and printed once, drilled, and used on the day on which the last owner is lost.
//!
//! Invariant: its code is read for one command and kept nowhere; what the command verified stays apart from what this machine's own login verified.

use keyvawlt_client::{BreakGlass as Glass, Drill, Error, StateDir, Vault, split_break_glass};
use serde::Serialize;

use super::Context;
use crate::args::keys::{BreakGlass, Paper, Split};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::fields;
use crate::prompt;
use crate::roster::{Among, Roster, role_name};
use crate::vault;

/// Below the state directory: what drills and uses have verified.
const STATE_DIR: &str = "breakglass";

/// `keyvawlt breakglass`
pub async fn breakglass(command: BreakGlass, context: &mut Context) -> Outcome {
    match command {
        BreakGlass::Create { name, split, yes } => create(&name, split, yes, context).await,
        BreakGlass::Drill { paper } => drill(&paper, context).await,
        BreakGlass::Use { owner, paper, yes } => raise(&owner, &paper, yes, context).await,
    }
}

async fn create(name: &str, split: Option<Split>, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Created {
        id: String,
        name: String,
        code: Option<String>,
        shares: Vec<String>,
        needed: u8,
    }
    let mut vault = vault::open(context).await?;
    let question = format!("Make the identity {name}, whose code opens every environment you manage?");
    prompt::confirm(context.person.as_mut(), &question, yes)?;
    let glass = vault.create_break_glass(name).await?;
    let shares = match split {
        None => vec![],
        Some(Split { threshold, count }) => split_break_glass(&glass, threshold, count)?,
    };
    let code = if shares.is_empty() { Some(glass.encode()?.to_string()) } else { None };
    let shares: Vec<String> = shares.iter().map(|share| share.to_string()).collect();
    let needed = split.map_or(1, |split| split.threshold);
    let created = Created { id: glass.identity().id().to_string(), name: name.to_owned(), code, shares, needed };
    context.output.result(&created, || created.code.clone().unwrap_or_else(|| created.shares.join("\n\n")))?;
    context.output.note(if created.shares.is_empty() {
        "print it and keep it where nobody alone can take it: whoever has it can act as an owner"
    } else {
        "give each share to somebody else, on paper"
    });
    for missing in vault.unread_by(&glass.identity().id())? {
        context.output.warn(&format!("it does not read {missing}, which you do not manage: have its manager give it access"));
    }
    context.output.note("now see that it works: keyvawlt breakglass drill");
    Ok(())
}

async fn drill(paper: &Paper, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Opened {
        environment: String,
        secrets: usize,
    }
    #[derive(Serialize)]
    struct Drilled {
        organization: String,
        opened: Vec<Opened>,
        missing: Vec<String>,
    }
    let mut vault = open(paper, context).await?;
    let Drill { opened, missing } = vault.drill().await?;
    let opened = opened.into_iter().map(|(environment, secrets)| Opened { environment, secrets });
    let drilled = Drilled { organization: vault.name()?, opened: opened.collect(), missing };
    context.output.result(&drilled, || {
        let lines = drilled.opened.iter().map(|one| format!("{}: {} secret(s)", one.environment, one.secrets));
        fields(&[("opens", lines.collect()), ("does not read", drilled.missing.clone())])
    })?;
    if !drilled.missing.is_empty() {
        return Err(Failure::new(Exit::NotFound, "the code does not open every environment")
            .code("INCOMPLETE")
            .hint("have a manager give it access: keyvawlt grant add --to break-glass --on ENVIRONMENT --perm manage"));
    }
    context.output.note("nothing was changed");
    Ok(())
}

async fn raise(who: &str, paper: &Paper, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Raised {
        id: String,
        name: String,
        role: &'static str,
    }
    let mut vault = open(paper, context).await?;
    let roster = Roster::of(&vault)?;
    let member = roster.find(who, Among::People)?;
    let question = format!("Make {} an owner of {}, with access to everything? All members see this.", member.name, vault.name()?);
    prompt::confirm(context.person.as_mut(), &question, yes)?;
    vault.raise_to_owner(&member.id).await?;
    let role = vault.members()?.into_iter().find(|now| now.id == member.id).map_or("", |now| role_name(now.role));
    let raised = Raised { id: member.id.to_string(), name: member.name, role };
    context.output.result(&raised, || format!("{} is an owner now", raised.name))?;
    context.output.note("the code was used: remove this identity and make another, keyvawlt breakglass create");
    Ok(())
}

/// The organization, as the identity on the paper sees it.
async fn open(paper: &Paper, context: &mut Context) -> Outcome<Vault> {
    let settings = context.settings()?;
    let typed = prompt::password(context.person.as_mut(), &paper.source(), "break-glass code, or shares")?;
    let glass = Glass::parse(&typed)?;
    let client = vault::client(context, &settings, Some(glass.origin()))?;
    let state = StateDir::open(vault::state_path(&settings))?.below(STATE_DIR)?.below(&glass.identity().id().to_string())?;
    let vault = client.break_glass(&glass, &state).await;
    vault.map_err(|error| match error {
        Error::Forbidden => Failure::new(Exit::PermissionDenied, "this break-glass identity is no member any more")
            .hint("somebody removed it: find the code of the present one"),
        error => Failure::from(error).if_not_accepted("this break-glass identity is not known here: it was never admitted"),
    })
}
