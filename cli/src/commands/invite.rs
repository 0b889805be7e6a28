//! Invites: a code for one newcomer, which travels outside of the server.

use keyvawlt_client::ledger::NsId;
use keyvawlt_client::ledger::chain::{Questions, class, permission, role};
use keyvawlt_client::ledger::limits::MAX_PREWRAP_MS;
use keyvawlt_client::{NewInvite, Vault};
use serde::Serialize;

use super::Context;
use super::grant::permission_bits;
use super::member::quoted;
use crate::args::people::{Access, Role};
use crate::duration::{Length, Moment, display_ms};
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
    /// When the membership ends.
    pub ends: Option<Moment>,
    /// The code carries the keys below production.
    pub carry_keys: bool,
    /// The code goes by a way the server may see.
    pub unverified: bool,
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
        /// Where the newcomer reads at once.
        carries: Vec<String>,
        unverified: bool,
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
    let member_expires_ms = wanted.ends.map(|ends| ends.at_ms(vault.now_ms())).transpose();
    let member_expires_ms = member_expires_ms.map_err(|why| Failure::usage(why.to_string()).on("--ends"))?.unwrap_or(0);
    if wanted.carry_keys {
        check_carried(&vault, &access, ttl_ms)?;
    }
    let new = NewInvite { name: name.clone(), role, access, ttl_ms, member_expires_ms, carry_keys: wanted.carry_keys };
    let code = if wanted.unverified { vault.invite_unverified(&new).await } else { vault.invite(&new).await };
    let code = code.map_err(|error| {
        let forbidden = error.fault().is_some_and(|fault| fault.why.contains("mailed"));
        let failure = Failure::from(error);
        if forbidden { failure.hint("keyvawlt policy set changes that, for owners") } else { failure }
    })?;
    let invite = find_invite(&vault, &code.invite_id.to_string())?;
    let roster = crate::roster::Roster::of(&vault)?;
    let invited = Invited {
        code: code.encode()?.to_string(),
        name,
        role: role_name(role),
        expires: display_ms(invite.expires_ms),
        words: vault.identity().safety_words().join(" "),
        promised: roster.promised(&invite),
        carries: invite.carries.iter().map(|ns_id| roster.place(ns_id)).collect(),
        unverified: invite.unverified,
    };
    context.output.result(&invited, || invited.code.clone())?;
    let (name, words) = (&invited.name, &invited.words);
    context.output.note(&format!("this code lets {name} join as {} until {}; it is shown once", invited.role, invited.expires));
    if invited.unverified {
        context.output.note(&format!("{name} will be marked as not verified: compare words before giving access"));
    } else {
        context.output.note("pass it by a way this server does not see: a messenger, on paper");
    }
    if !invited.carries.is_empty() {
        let places = invited.carries.join(", ");
        context.output.note(&format!(
            "the code carries the keys of {places}: whoever has it reads there at once; they get new keys once it is used or ended"
        ));
    }
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
    // Keys it carried may have been read with a found code.
    vault.settle_owed().await?;
    let revoked = Revoked { id: invite.id.to_string(), name: invite.name };
    context.output.result(&revoked, || format!("the invite for {} can no longer be used", revoked.name))
}

/// Keys travel in codes for three days at most, and those of production never.
fn check_carried(vault: &Vault, access: &[(NsId, u8, u64)], ttl_ms: u64) -> Outcome {
    if ttl_ms > MAX_PREWRAP_MS {
        return Err(Failure::usage("a code that carries keys can be used for at most 72h").on("--ttl"));
    }
    let state = vault.chain().head();
    let travels = |(ns_id, bits, _): &(NsId, u8, u64)| {
        bits & permission::READ != 0 && state.ns(ns_id).is_some_and(|ns| ns.class != class::PRODUCTION)
    };
    if access.iter().any(travels) {
        return Ok(());
    }
    Err(Failure::usage("nothing that is granted has a key that may travel: those of production never do")
        .on("--carry-keys")
        .hint("--grant an environment below production"))
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

/// The role's number.
pub fn role_number(role: Role) -> u8 {
    match role {
        Role::Owner => role::OWNER,
        Role::Admin => role::ADMIN,
        Role::Member => role::MEMBER,
        Role::Auditor => role::AUDITOR,
    }
}
