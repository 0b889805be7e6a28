//! Invites: a code for one newcomer, which travels outside of the server.

use keyvawlt_client::ledger::NsId;
use keyvawlt_client::ledger::chain::role;
use keyvawlt_client::{NewInvite, Vault};
use serde::Serialize;

use super::Context;
use super::grant::permission_bits;
use super::member::quoted;
use crate::args::structure::{Access, Role};
use crate::duration::{Length, display_ms};
use crate::failure::{Failure, Outcome};
use crate::prompt;
use crate::roster::{Right, find_invite, role_name};
use crate::settings::Settings;
use crate::vault;

/// What the arguments ask for.
pub struct Wanted {
    /// The role.
    pub role: Role,
    /// The access to promise.
    pub grants: Vec<Access>,
    /// How long the code can be used.
    pub ttl: Length,
    /// Whom it is for.
    pub name: Option<String>,
}

/// `keyvawlt member invite`
pub async fn make(wanted: Wanted, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Invited {
        code: String,
        name: String,
        role: &'static str,
        expires: String,
        words: String,
        promised: Vec<Right>,
    }
    let settings = context.settings()?;
    let name = match wanted.name {
        Some(name) => name,
        None => prompt::line(context.person.as_mut(), "name that colleagues will see", "--name")?,
    };
    let mut vault = vault::open(context).await?;
    let access = promised_access(&vault, &settings, &wanted.grants)?;
    let ttl_ms = u64::try_from(wanted.ttl.0.as_millis()).map_err(|_| Failure::usage("the time is too long").on("--ttl"))?;
    let role = role_number(wanted.role);
    let new = NewInvite { name: name.clone(), role, access, ttl_ms, member_expires_ms: 0, carry_keys: false };
    let code = vault.invite(&new).await?;
    let invite = find_invite(&vault, &code.invite_id.to_string())?;
    let invited = Invited {
        code: code.encode()?.to_string(),
        name,
        role: role_name(role),
        expires: display_ms(invite.expires_ms),
        words: vault.identity().safety_words().join(" "),
        promised: crate::roster::Roster::of(&vault)?.promised(&invite),
    };
    context.output.result(&invited, || invited.code.clone())?;
    let (name, words) = (&invited.name, &invited.words);
    context.output.note(&format!("this code lets {name} join as {} until {}; it is shown once", invited.role, invited.expires));
    context.output.note("pass it by a way this server does not see: a messenger, on paper");
    context.output.note(&format!("{name} runs: keyvawlt join, and is asked to compare your words:\n  {words}"));
    context.output.note(&format!("then compare {name}'s words, and give what was promised: keyvawlt member confirm {}", quoted(name)));
    Ok(())
}

/// `keyvawlt member revoke-invite`
pub async fn revoke(which: &str, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Revoked {
        id: String,
        name: String,
    }
    let mut vault = vault::open(context).await?;
    let invite = find_invite(&vault, which)?;
    prompt::confirm(context.person.as_mut(), &format!("End the invite for {}?", invite.name), yes)?;
    vault.revoke_invite(invite.id).await?;
    let revoked = Revoked { id: invite.id.to_string(), name: invite.name };
    context.output.result(&revoked, || format!("the invite for {} can no longer be used", revoked.name))
}

fn promised_access(vault: &Vault, settings: &Settings, grants: &[Access]) -> Outcome<Vec<(NsId, u8, u64)>> {
    let mut access: Vec<(NsId, u8, u64)> = Vec::with_capacity(grants.len());
    for grant in grants {
        let place = vault::namespace(vault, settings, Some(&grant.on))?;
        if access.iter().any(|(ns_id, ..)| *ns_id == place) {
            return Err(Failure::usage("the same place is named twice").on(grant.on.clone()));
        }
        access.push((place, permission_bits(grant.perm), 0));
    }
    Ok(access)
}

fn role_number(role: Role) -> u8 {
    match role {
        Role::Owner => role::OWNER,
        Role::Admin => role::ADMIN,
        Role::Member => role::MEMBER,
        Role::Auditor => role::AUDITOR,
    }
}
