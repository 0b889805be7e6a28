//! Access: who may do what where.

use keyvawlt_client::ledger::NsId;
use keyvawlt_client::ledger::chain::{Questions, permission};
use serde::Serialize;

use super::{Context, trust, worklog};
use crate::args::people::{Grant, Perm};
use crate::duration::Moment;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::prompt;
use crate::roster::{Among, Right, Roster, permission_text, role_name};
use crate::vault;

/// `keyvawlt grant`
pub async fn grant(command: Grant, context: &mut Context) -> Outcome {
    match command {
        Grant::Add { to, on, perm, ttl } => add(&to, on.as_deref(), perm, ttl, context).await,
        Grant::List { on, to } => list(on.as_deref(), to.as_deref(), context).await,
        Grant::Remove { to, on, yes } => remove(&to, on.as_deref(), yes, context).await,
    }
}

/// The bits of a permission: each includes the weaker ones.
pub fn permission_bits(perm: Perm) -> u8 {
    match perm {
        Perm::Read => permission::READ,
        Perm::Write => permission::READ | permission::WRITE,
        Perm::Manage => permission::READ | permission::WRITE | permission::MANAGE,
    }
}

async fn add(to: &str, on: Option<&str>, perm: Perm, ttl: Option<Moment>, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Given {
        name: String,
        id: String,
        #[serde(flatten)]
        right: Right,
    }
    let settings = context.settings()?;
    let mut vault = vault::open(context).await?;
    let ns_id = vault::namespace(&vault, &settings, on)?;
    let roster = Roster::of(&vault)?;
    let member = roster.find(to, Among::All)?;
    trust::require_known(&vault, &member, &roster).await?;
    let expires_ms = match ttl {
        None => 0,
        Some(moment) => moment.at_ms(vault.now_ms()).map_err(|why| Failure::usage(why.to_string()).on("--ttl"))?,
    };
    let bits = permission_bits(perm);
    vault.grant(&member.id, &ns_id, bits, expires_ms).await?;
    let right = roster.right(&ns_id, bits, expires_ms);
    let given = Given { id: member.id.to_string(), name: member.name, right };
    context.output.result(&given, || given.right.sentence(&given.name))
}

async fn list(on: Option<&str>, to: Option<&str>, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        name: String,
        id: String,
        role: &'static str,
        #[serde(flatten)]
        right: Right,
    }
    let settings = context.settings()?;
    let vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let only_place = on.map(|on| vault::namespace(&vault, &settings, Some(on))).transpose()?.map(|ns_id| roster.place(&ns_id));
    let only_member = to.map(|to| roster.find(to, Among::All)).transpose()?;
    let mut rows = Vec::new();
    for member in roster.all().iter().filter(|member| only_member.as_ref().is_none_or(|only| only.id == member.id)) {
        for right in roster.rights(member) {
            if only_place.as_ref().is_some_and(|only| *only != right.environment) {
                continue;
            }
            rows.push(Row { name: member.name.clone(), id: member.id.to_string(), role: role_name(member.role), right });
        }
    }
    rows.sort_by(|a, b| (&a.right.environment, &a.name).cmp(&(&b.right.environment, &b.name)));
    let cells = rows.iter().map(|Row { name, role, right, .. }| {
        let ended = if right.ended { "ended " } else { "" };
        let until = right.expires.as_ref().map(|at| format!("{ended}{at}")).unwrap_or_default();
        vec![right.environment.clone(), name.clone(), (*role).to_owned(), permission_text(right.bits).to_owned(), until]
    });
    let cells: Vec<_> = cells.collect();
    context.output.table(&rows, &["environment", "who", "role", "may", "until"], &cells, "nobody has such access")
}

async fn remove(to: &str, on: Option<&str>, yes: bool, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    let mut vault = vault::open(context).await?;
    let ns_id = vault::namespace(&vault, &settings, on)?;
    let roster = Roster::of(&vault)?;
    let member = roster.find(to, Among::All)?;
    let place = roster.place(&ns_id);
    require_access(&vault, &member.id, &ns_id).map_err(|failure| failure.on(format!("{} in {place}", member.name)))?;
    prompt::confirm(context.person.as_mut(), &format!("Take {}'s access to {place} away?", member.name), yes)?;
    let removal = vault.revoke(&member.id, &ns_id).await?;
    worklog::lost(&format!("{} has no access to {place} any more", member.name), &member.name, &removal, &vault, &roster, context)
}

fn require_access(vault: &keyvawlt_client::Vault, id: &keyvawlt_client::ledger::IdentityId, ns_id: &NsId) -> Outcome {
    if vault.chain().head().access(ns_id, id).is_some() {
        return Ok(());
    }
    Err(Failure::new(Exit::NotFound, "there is no such access").hint("see keyvawlt grant list"))
}
