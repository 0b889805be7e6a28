//! The people of an organization: listing, showing, welcoming, removing.

use keyvawlt_client::{Error, MemberInfo, Vault};
use serde::Serialize;

use super::Context;
use super::{invite, org, reset, worklog};
use crate::args::keys::from_file;
use crate::args::people::{Ends, Member, Role};
use crate::duration::distance;
use crate::failure::{Failure, Outcome};
use crate::output::fields;
use crate::prompt;
use crate::roster::{Among, Right, Roster, ends, open_invites, role_name, short, verified_text};
use crate::vault;

/// `keyvawlt member`
pub async fn member(command: Member, context: &mut Context) -> Outcome {
    match command {
        Member::Invite { role, grants, ttl, name, ends, carry_keys, unverified } => {
            invite::make(invite::Wanted { role, grants, ttl, name, ends, carry_keys, unverified }, context).await
        }
        Member::List => list(context).await,
        Member::Show { member } => show(&member, context).await,
        Member::Confirm { member, yes } => confirm(&member, yes, context).await,
        Member::Set { member, role, ends } => set(&member, role, ends, context).await,
        Member::Remove { member, yes } => remove(&member, yes, context).await,
        Member::Reset { member, code_stdin, code_file, yes } => {
            let source = if code_stdin { prompt::Source::Stdin } else { from_file(code_file.as_ref()) };
            reset::reset(&member, &source, yes, context).await
        }
        Member::RevokeInvite { invite, yes } => invite::revoke(&invite, yes, context).await,
    }
}

async fn list(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        id: String,
        name: String,
        role: &'static str,
        /// `active`, `waiting`, `ended`, `invited` or `invite_ended`.
        state: &'static str,
        you: bool,
        expires: Option<String>,
        #[serde(skip)]
        shown: String,
    }
    let vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let now = vault.now_ms();
    let until = |at_ms: u64| if at_ms == 0 { String::new() } else { format!(", ends {}", distance(at_ms, now)) };
    let mut rows = Vec::new();
    for member in roster.people() {
        let you = roster.is_own(member);
        let ended = member.expires_ms != 0 && member.expires_ms <= now;
        let (state, shown) = match () {
            () if ended => ("ended", format!("ended {}", distance(member.expires_ms, now))),
            () if roster.is_waiting(member) => {
                ("waiting", if you { "waiting for an admin (you)" } else { "waiting for an admin" }.to_owned())
            }
            () => ("active", format!("{}{}", if you { "active (you)" } else { "active" }, until(member.expires_ms))),
        };
        let (id, name, role, expires) = (member.id.to_string(), member.name.clone(), role_name(member.role), ends(member.expires_ms));
        rows.push(Row { id, name, role, state, you, expires, shown });
    }
    rows.sort_by_key(|row| row.name.to_lowercase());
    for invite in open_invites(&vault)? {
        let ended = invite.expires_ms <= now;
        let (state, word) = if ended { ("invite_ended", "invite ended") } else { ("invited", "invited; code ends") };
        let shown = format!("{word} {}", distance(invite.expires_ms, now));
        let (id, role, expires) = (invite.id.to_string(), role_name(invite.role), ends(invite.expires_ms));
        rows.push(Row { id, name: invite.name, role, state, you: false, expires, shown });
    }
    let cells = rows.iter().map(|row| vec![row.name.clone(), row.role.to_owned(), row.shown.clone(), short(&row.id)]);
    let cells: Vec<_> = cells.collect();
    context.output.table(&rows, &["name", "role", "state", "id"], &cells, "")?;
    for row in rows.iter().filter(|row| row.state == "waiting" && roster.may_administer()) {
        context.output.note(&format!("{} joined: compare words, then keyvawlt member confirm {}", row.name, quoted(&row.name)));
    }
    Ok(())
}

async fn show(who: &str, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Shown {
        id: String,
        name: String,
        role: &'static str,
        pending: bool,
        expires: Option<String>,
        words: String,
        verified: &'static str,
        access: Vec<Right>,
        promised: Vec<Right>,
    }
    let vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let member = roster.find(who, Among::All)?;
    let shown = Shown {
        id: member.id.to_string(),
        name: member.name.clone(),
        role: role_name(member.role),
        pending: roster.is_waiting(&member),
        expires: ends(member.expires_ms),
        words: member.words.join(" "),
        verified: verified_text(member.verified),
        access: roster.rights(&member),
        promised: roster.waiting(&member),
    };
    context.output.result(&shown, || {
        let lines = |rights: &[Right]| rights.iter().map(ToString::to_string).collect::<Vec<_>>();
        let access = if shown.access.is_empty() { vec!["none".to_owned()] } else { lines(&shown.access) };
        fields(&[
            ("name", vec![shown.name.clone()]),
            ("id", vec![shown.id.clone()]),
            ("role", vec![shown.role.to_owned()]),
            ("until", shown.expires.iter().cloned().collect()),
            ("words", vec![shown.words.clone()]),
            ("keys", vec![shown.verified.to_owned()]),
            ("access", access),
            ("promised", lines(&shown.promised)),
        ])
    })
}

async fn confirm(who: &str, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Confirmed {
        id: String,
        name: String,
        words: String,
        given: Vec<Right>,
    }
    let mut vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let member = roster.find(who, Among::People)?;
    roster.require_admin()?;
    let given = roster.waiting(&member);
    if roster.is_waiting(&member) {
        same_words(&member, &given, yes, context)?;
        if member.pending {
            vault.confirm_member(&member.id).await?;
        }
        vault.grant_intended(&member.id).await?;
        vault.remember_keys(&member.id, true)?;
    } else {
        context.output.note(&format!("{} has all the invite promised; keyvawlt grant add gives more", member.name));
    }
    let confirmed = Confirmed { id: member.id.to_string(), name: member.name, words: member.words.join(" "), given };
    context.output.result(&confirmed, || {
        let sentences = confirmed.given.iter().map(|right| right.sentence(&confirmed.name));
        sentences.collect::<Vec<_>>().join("\n")
    })
}

/// Asks whether the words were compared: they are what a lying server cannot copy.
fn same_words(member: &MemberInfo, given: &[Right], yes: bool, context: &mut Context) -> Outcome {
    let name = &member.name;
    let promised: Vec<String> = given.iter().map(|right| format!("\n  {right}")).collect();
    let question = format!(
        "{name}'s words are\n  {}\nHave {name} read theirs to you, by telephone or in person (keyvawlt whoami shows them). \
         The invite promised:{}\nAre the words the same?",
        member.words.join(" "),
        promised.concat()
    );
    prompt::confirm(context.person.as_mut(), &question, yes)
}

async fn set(who: &str, role: Option<Role>, ends_at: Option<Ends>, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Changed {
        id: String,
        name: String,
        role: &'static str,
        expires: Option<String>,
    }
    let mut vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let member = roster.find(who, Among::People)?;
    if !roster.is_own(&member) {
        roster.require_admin()?;
    }
    let expires_ms = match ends_at {
        None => member.expires_ms,
        Some(Ends::Never) => 0,
        Some(Ends::At(moment)) => moment.at_ms(vault.now_ms()).map_err(|why| Failure::usage(why.to_string()).on("--ends"))?,
    };
    let to = role.map_or(member.role, invite::role_number);
    vault.set_member(&member.id, to, expires_ms).await.map_err(|error| cannot_go(error, &member))?;
    let changed = Changed { id: member.id.to_string(), name: member.name, role: role_name(to), expires: ends(expires_ms) };
    context.output.result(&changed, || {
        let until = changed.expires.as_ref().map(|at| format!(" until {at}")).unwrap_or_default();
        format!("{} is {} now{until}", changed.name, changed.role)
    })
}

async fn remove(who: &str, yes: bool, context: &mut Context) -> Outcome {
    let mut vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let member = roster.find(who, Among::People)?;
    if roster.is_own(&member) {
        drop(vault);
        return org::leave(yes, context).await;
    }
    roster.require_admin()?;
    let question = format!("Remove {} ({}) from {}, with all access?", member.name, role_name(member.role), vault.name()?);
    prompt::confirm(context.person.as_mut(), &question, yes)?;
    take_away(&mut vault, &roster, &member, context).await
}

/// Removes a person or a machine, and tells what that leaves to do.
pub async fn take_away(vault: &mut Vault, roster: &Roster, member: &MemberInfo, context: &mut Context) -> Outcome {
    let removal = vault.remove_member(&member.id).await.map_err(|error| cannot_go(error, member))?;
    worklog::lost(&format!("removed {}", member.name), &member.name, &removal, vault, roster, context)
}

/// Why somebody cannot go, with what to do about it.
pub fn cannot_go(error: Error, member: &MemberInfo) -> Failure {
    let why = error.fault().map(|fault| fault.why.to_string()).unwrap_or_default();
    let failure = Failure::from(error).on(member.name.clone());
    let name = quoted(&member.name);
    if why.contains("without a reader") {
        return failure
            .hint(format!("nobody else reads some environment: give somebody access first, see keyvawlt grant list --to {name}"));
    }
    if why.contains("must remain") {
        return failure.hint("make somebody else an owner first: keyvawlt member set NAME --role owner");
    }
    failure
}

/// A name as it is typed in a shell.
pub fn quoted(name: &str) -> String {
    let plain = name.chars().all(|character| character.is_alphanumeric() || "-_.@".contains(character));
    if plain { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
}
